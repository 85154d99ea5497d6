//! The form of the documents: their lines, their links, and the paths that the architecture page names.
//!
//! Other tests run the commands in them and compare their tables.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::cargo::root;

/// The most columns of a line.
const WIDEST: usize = 120;
/// The most lines of the architecture page.
const LONGEST: usize = 200;
/// Pages that a binary writes.
const GENERATED: [&str; 2] = ["docs/cli.md", "docs/configuration.md"];
/// Beginnings of rows that cannot be shorter: a secret with its hash, and limits whose text stands in the code.
const WIDE_ROWS: [&str; 4] = ["| `nd", "| `calls`", "| `unsent-bytes-of-a-connection`", "| `noted-uses`"];

/// Returns the documents by their path below the root.
pub(crate) fn pages() -> Vec<(PathBuf, String)> {
    let mut pages = Vec::new();
    for folder in ["", "docs", "docs/adr", "docs/ci", "docs/runbooks"] {
        for entry in fs::read_dir(root().join(folder)).expect("the folder can be read") {
            let name = Path::new(folder).join(entry.expect("an entry").file_name());
            if name.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(root().join(&name)).expect("a page is text");
                pages.push((name, text));
            }
        }
    }
    pages
}

/// Returns the lines outside fenced blocks, numbered from 1.
pub(crate) fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(number, line)| {
        let fence = line.starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((number + 1, line))
    })
}

/// Returns the anchors of a page's headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|(_, line)| line.starts_with('#'));
    let anchor = |(_, line): (usize, &str)| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

/// Returns the targets of the links of a page, but for those to other hosts.
fn links(text: &str) -> Vec<String> {
    let text: Vec<&str> = prose(text).map(|(_, line)| line).collect();
    let text = text.join("\n");
    let inline = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let defined =
        text.lines().filter(|line| line.starts_with('[')).filter_map(|line| line.split("]: ").nth(1));
    let local = inline.chain(defined).filter(|target| !target.contains("://"));
    local.map(str::to_owned).collect()
}

/// Returns the links of a page that lead nowhere.
fn broken(page: &Path, text: &str) -> Vec<String> {
    let leads = |target: &String| {
        let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
        let folder = page.parent().expect("a page lies in a folder");
        let file = if path.is_empty() { page.to_owned() } else { folder.join(path) };
        let file = root().join(file);
        if anchor.is_empty() {
            return file.exists();
        }
        let text = if path.is_empty() { Ok(text.to_owned()) } else { fs::read_to_string(file) };
        text.is_ok_and(|text| anchors(&text).contains(anchor))
    };
    links(text).into_iter().filter(|target| !leads(target)).collect()
}

/// Adds the files of a folder and of those below it, by their path below the root.
fn add_files(folder: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(root().join(folder)).expect("the folder can be read") {
        let entry = entry.expect("an entry");
        let path = folder.join(entry.file_name());
        if entry.file_type().expect("an entry has a type").is_dir() {
            add_files(&path, files);
        } else {
            files.push(format!("/{}", path.display()));
        }
    }
}

#[test]
fn lines_fit_their_columns() {
    let mut wide = Vec::new();
    for (page, text) in pages().iter().filter(|(page, _)| !GENERATED.map(Path::new).contains(&page.as_path()))
    {
        let lines = prose(text).filter(|(_, line)| line.chars().count() > WIDEST);
        let lines = lines.filter(|(_, line)| !WIDE_ROWS.iter().any(|row| line.starts_with(row)));
        wide.extend(lines.map(|(number, _)| format!("{}:{number}", page.display())));
    }
    assert_eq!(wide, Vec::<String>::new());
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    assert!(pages.len() >= 15, "{}", pages.len());
    let wrong = |(page, text): &(PathBuf, String)| {
        let broken = broken(page, text);
        (!broken.is_empty()).then(|| (page.clone(), broken))
    };
    assert_eq!(pages.iter().filter_map(wrong).collect::<Vec<_>>(), Vec::new());
}

#[test]
fn a_link_that_leads_nowhere_is_seen() {
    let text = "# A page\n[a](docs/cli.md) [b](docs/no.md) [c](#a-page) [d](#no) [e](https://example.org)\n\
                ```sh\n[f](no.md)\n```\n[g](docs/operations.md#no)\n[h]: no.md\n";
    assert_eq!(broken(Path::new("README.md"), text), ["docs/no.md", "#no", "docs/operations.md#no", "no.md"]);
}

#[test]
fn the_architecture_page_is_short_and_names_files_that_exist() {
    let text = fs::read_to_string(root().join("docs/architecture.md")).expect("the page");
    assert!(text.lines().count() <= LONGEST);
    let mut files = Vec::new();
    for folder in ["crates", "docs", "migrations", "proto", "xtask"] {
        add_files(Path::new(folder), &mut files);
    }
    let named = text.split('`').skip(1).step_by(2).filter(|name| name.ends_with(".rs"));
    let exists = |name: &&str| {
        // A path may leave out `src`, behind its crate.
        let whole = format!("/{}", name.replacen('/', "/src/", 1));
        files.iter().any(|file| file.ends_with(&format!("/{name}")) || file.ends_with(&whole))
    };
    let (known, unknown): (Vec<&str>, Vec<&str>) = named.partition(exists);
    assert!(known.len() >= 40, "{}", known.len());
    assert_eq!(unknown, Vec::<&str>::new());
}
