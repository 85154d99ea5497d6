//! The alert rules: valid, tested, and about metrics that there are.

use std::collections::BTreeSet;

use ndauth_store::Engine;

use super::promtool;
use crate::documents::{read, root};
use crate::installation::{Installation, run};

const RULES: &str = "docs/alerts/ndauth.rules.yml";
const TESTS: &str = "docs/alerts/ndauth.test.yml";
/// The runbooks, as the rules name them.
const RUNBOOKS: &str = "https://github.com/ndauth/ndauth/blob/main/";

/// Returns the values of a key in a file of YAML that has one on each line.
fn values(text: &str, key: &str) -> Vec<String> {
    let values = text.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix(key));
    values.map(str::to_owned).collect()
}

#[test]
fn the_alert_rules_are_valid_and_their_tests_pass() {
    for (arguments, passes) in
        [(["check", "rules", RULES], "SUCCESS: 23 rules found"), (["test", "rules", TESTS], "SUCCESS")]
    {
        let mut command = promtool(&arguments);
        command.current_dir(root());
        let ended = run(command, "");
        assert!(ended.code == 0 && ended.out.contains(passes), "{ended:?}");
    }
}

#[test]
fn each_alert_is_tested_to_fire_and_has_a_runbook() {
    let (rules, tests) = (read(RULES), read(TESTS));
    let alerts: BTreeSet<String> = values(&rules, "alert: ").into_iter().collect();
    let firing = tests.split("- eval_time: ").skip(1).filter(|case| case.contains("exp_alerts:"));
    let firing: BTreeSet<String> =
        firing.filter_map(|case| values(case, "alertname: ").into_iter().next()).collect();
    assert_eq!(alerts, firing);
    let runbooks = values(&rules, "runbook_url: ");
    assert_eq!(runbooks.len(), alerts.len());
    for runbook in runbooks {
        let page = runbook.strip_prefix(RUNBOOKS).expect("a page of this repository");
        assert!(root().join(page).is_file(), "{page}");
    }
}

/// An alert about a metric that no server has would never fire.
#[tokio::test]
async fn each_alert_is_about_metrics_that_a_fresh_server_has() {
    let at = Installation::new(Engine::Sqlite).await;
    let (_, metrics) = at.serve().get("/metrics");
    let rules = read(RULES);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let named: BTreeSet<&str> =
        rules.split(|c| !is_name(c)).filter(|word| word.starts_with("ndauth_")).collect();
    assert!(named.len() >= 15, "{named:?}");
    for name in named {
        assert!(metrics.contains(&format!("# TYPE {name} ")), "{name}");
        // A counter that an alert compares with its past begins with the server.
        if name.ends_with("_total") {
            assert!(metrics.contains(&format!("\n{name}")), "{name}");
        }
    }
}
