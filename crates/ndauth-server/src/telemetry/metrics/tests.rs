use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Reads the sources below a folder, but for tests.
fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            found.push(fs::read_to_string(&path).expect("read"));
        }
    }
}

/// Returns the metrics that the code records, with their kinds and labels.
fn recorded() -> BTreeSet<String> {
    let mut texts = Vec::new();
    for name in ["ndauth-store", "ndauth-authority", "ndauth-server"] {
        sources(&root().join("crates").join(name).join("src"), &mut texts);
    }
    let mut found = BTreeSet::new();
    for (text, kind) in
        texts.iter().flat_map(|text| ["counter", "gauge", "histogram"].map(|kind| (text, kind)))
    {
        for call in text.split(&format!("metrics::{kind}!(")).skip(1) {
            let arguments = call.split(')').next().unwrap_or_default();
            let mut parts = arguments.trim_start().split('"').skip(1).step_by(2);
            // The table itself names no metric by a text.
            let Some(name) = parts.next().filter(|_| arguments.trim_start().starts_with('"')) else {
                continue;
            };
            let labels: Vec<&str> = arguments
                .split(',')
                .filter_map(|label| label.split_once("=>").map(|(label, _)| label.trim().trim_matches('"')))
                .collect();
            found.insert(format!("{name}{{{}}} {kind}", labels.join(",")));
        }
    }
    found
}

#[test]
fn the_table_has_every_metric_that_is_recorded_and_no_other() {
    let listed: BTreeSet<String> = METRICS
        .iter()
        .filter(|metric| metric.name != ORG_TOKENS)
        .map(|metric| format!("{}{{{}}} {}", metric.name, metric.labels.join(","), metric.kind.name()))
        .collect();
    assert_eq!(recorded(), listed);
}

#[test]
fn the_documented_metrics_are_those_of_the_table() {
    let page = fs::read_to_string(root().join("docs/operations.md")).expect("the page is there");
    let section = page.split("| metric | kind |").nth(1).expect("it has the table");
    let rows = section.lines().skip(2).take_while(|line| line.starts_with('|'));
    let documented: Vec<String> =
        rows.map(|row| row.rsplit_once(" | ").expect("a meaning").0.to_owned()).collect();
    let listed = METRICS.iter().map(|metric| {
        let labels = match metric.labels {
            [] => String::new(),
            labels => format!("{{{}}}", labels.join(",")),
        };
        let begins = match metric.begins {
            AtZero => "0".to_owned(),
            AtZeroFor(what, _) => format!("0 {what}"),
            Measured => "measured".to_owned(),
            With(what) => format!("with {what}"),
        };
        format!("| `{}{labels}` | {} | {begins}", metric.name, metric.kind.name())
    });
    assert_eq!(documented, listed.collect::<Vec<_>>());
}

#[test]
fn each_series_has_a_value_for_each_label() {
    for metric in &METRICS {
        if let AtZeroFor(_, values) = metric.begins {
            let values = values();
            assert!(!values.is_empty() && values.iter().all(|values| values.len() == metric.labels.len()));
            assert_eq!(values.iter().collect::<BTreeSet<_>>().len(), values.len(), "{}", metric.name);
        }
    }
}

#[test]
fn the_values_of_labels_are_escaped() {
    assert_eq!(escaped("a\"} 1\nndauth_x{b=\"\\"), "a\\\"} 1\\nndauth_x{b=\\\"\\\\");
}
