//! `ndcli scan`.

use std::path::PathBuf;

use ndauth_core::{Class, SecretKind};
use ndauth_terminal::{Failure, Rows, aside, detailed, exit_code, print, print_json, shown, warn};
use serde_json::json;

use crate::scan::{LeakInFile, ScanReport, search_paths, search_staged};
use crate::settings::Format;

#[derive(clap::Args)]
pub(crate) struct Scan {
    /// Files and folders; `-` is standard input [default: the current folder, or all that is staged]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Search what is staged for the next commit, and not the work tree
    #[arg(long)]
    staged: bool,
}

/// Searches, and shows what was found. A secret is exit code 1. Without one, a file that could not be read is exit code
/// 6, since nothing is known of it.
pub(crate) fn run(format: Format, scan: &Scan) -> Result<(), Failure> {
    let report = match (scan.staged, &scan.paths[..]) {
        (true, paths) => search_staged(paths)?,
        (false, []) => search_paths(&[PathBuf::from(".")])?,
        (false, paths) => search_paths(paths)?,
    };
    show(format, &report)?;
    for (file, why) in &report.unread {
        warn(&format!("{file} was not searched: {why}"));
    }
    if report.more > 0 {
        warn(&format!("{} more are not listed", report.more));
    }
    if !report.leaks.is_empty() {
        let hint = "if one was shared, end it: `ndcli auth token leaked --secret-stdin`; a sample needs \
                    `ndauth:allow` on its line";
        return Err(Failure::without_message(Some(hint)));
    }
    match report.unread.len() {
        0 => aside(&format!("no secrets in {}", files(report.files))),
        unread => {
            let message =
                format!("no secrets in {}, and {unread} could not be searched", files(report.files));
            let hint = Some("make them readable, or exempt them in `.ndauthignore`".to_owned());
            return Err(Failure { message, hint, code: exit_code(Class::Undecided) });
        }
    }
    Ok(())
}

fn files(count: u64) -> String {
    format!("{count} file{}", if count == 1 { "" } else { "s" })
}

fn show(format: Format, report: &ScanReport) -> Result<(), Failure> {
    match format {
        Format::Json => {
            let leak = |LeakInFile { file, leak }: &LeakInFile| {
                json!({
                    "file": file, "line": leak.line, "column": leak.column,
                    "kind": kind(leak.prefix.kind()).0, "prefix": leak.prefix.to_string(),
                })
            };
            let unread = |(file, why): &(String, String)| json!({ "file": file, "reason": why });
            print_json(&json!({
                "leaks": report.leaks.iter().map(leak).collect::<Vec<_>>(),
                "more": report.more,
                "files": report.files,
                "unread": report.unread.iter().map(unread).collect::<Vec<_>>(),
            }))
        }
        _ if report.leaks.is_empty() => Ok(()),
        Format::Table => {
            let rows = report.leaks.iter().map(|leak| [place(leak), kind_of(leak), prefix(leak)]).collect();
            print(&Rows { titles: ["PLACE", "KIND", "PREFIX"], rows, last_width: 0 }.table())
        }
        Format::Simple => {
            let line = |leak: &LeakInFile| {
                format!("{}: {} [{}]\n", shown(&place(leak)), kind_of(leak), prefix(leak))
            };
            print(&report.leaks.iter().map(line).collect::<String>())
        }
        Format::Detailed => {
            for found in &report.leaks {
                print(&detailed(&[
                    ("File", found.file.clone()),
                    ("Line", found.leak.line.to_string()),
                    ("Column", found.leak.column.to_string()),
                    ("Kind", kind_of(found)),
                    ("Prefix", prefix(found)),
                ]))?;
            }
            Ok(())
        }
    }
}

fn place(LeakInFile { file, leak }: &LeakInFile) -> String {
    format!("{file}:{}:{}", leak.line, leak.column)
}

fn prefix(found: &LeakInFile) -> String {
    found.leak.prefix.to_string()
}

fn kind_of(found: &LeakInFile) -> String {
    kind(found.leak.prefix.kind()).1.to_owned()
}

/// Returns the name of a kind for programs, and its name for people.
fn kind(kind: SecretKind) -> (&'static str, &'static str) {
    match kind {
        SecretKind::Personal => ("PERSONAL", "personal token"),
        SecretKind::Org => ("ORG", "org token"),
        SecretKind::Session => ("SESSION", "session"),
        SecretKind::Refresh => ("REFRESH", "refresh of a session"),
        SecretKind::Service => ("SERVICE", "service"),
        SecretKind::Access => ("ACCESS", "short-lived access"),
    }
}
