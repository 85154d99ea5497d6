use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::cargo::root;

use super::*;

fn named(names: &[&str]) -> Vec<&'static Prerequisite> {
    PREREQUISITES.iter().filter(|need| names.contains(&need.name)).collect()
}

#[test]
fn a_package_stands_in_one_row() {
    let packages: Vec<_> = PREREQUISITES.iter().flat_map(|need| need.packages).collect();
    assert_eq!(packages.iter().collect::<BTreeSet<_>>().len(), packages.len(), "{packages:?}");
}

#[test]
fn a_job_needs_its_rows_only() {
    let packages = |job| prerequisites(job).flat_map(|need| need.packages).copied().collect::<Vec<_>>();
    assert_eq!(packages(Demo), ["gcc", "libc6-dev"]);
    assert_eq!(packages(Bench), ["gcc", "libc6-dev", "postgresql", "util-linux", "nodejs", "npm"]);
    assert_eq!(prerequisites(Test).count(), PREREQUISITES.len());
}

#[test]
fn missing_packages_are_named_with_their_purpose() {
    assert_eq!(
        report(&named(&["strace", "a C compiler"])),
        "This needs programs that are not installed:\n\
         \x20 a C compiler: links programs, and compiles SQLite (Debian: gcc, libc6-dev)\n\
         \x20 strace: shows which writes reach the disk (Debian: strace)"
    );
}

#[test]
fn without_root_the_hint_shows_the_commands() {
    assert_eq!(
        hint(&named(&["strace", "a C compiler"])),
        "hint: on Debian, run these commands as root; on another system, install the equivalents:\n\
         \n\
         \x20   apt-get update\n\
         \x20   env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends gcc libc6-dev strace"
    );
}

#[test]
fn sudo_runs_both_commands() {
    assert_eq!(
        commands(&["sudo"], &named(&["npm"])).map(|words| words.join(" ")),
        [
            "sudo apt-get update",
            "sudo env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends npm"
        ]
    );
}

#[test]
fn a_program_is_a_file_that_runs() {
    let rows = [
        ("sh", true),
        ("/bin/sh", true),
        ("/etc/passwd", false),
        ("/bin", false),
        ("no-such-program", false),
    ];
    for (program, there) in rows {
        assert_eq!(is_there(program), there, "{program}");
    }
}

/// Programs without a row: of the toolchain, present on every system, optional, or covered by a check.
const OTHERS: [&str; 11] =
    ["cargo", "chroot", "cp", "date", "python3", "rustc", "sh", "sha256sum", "sudo", "tar", "true"];

#[test]
fn every_program_that_is_started_by_name_has_a_row() {
    let programs = PREREQUISITES.iter().filter_map(|need| match need.sign {
        Programs(programs) => Some(programs),
        Check(_) => None,
    });
    let known: BTreeSet<&str> = programs.flatten().chain(&OTHERS).copied().collect();
    let mut started = BTreeSet::new();
    for folder in ["crates/ndauth-bench/src", "crates/ndauth-e2e/tests/it", "xtask/src"] {
        for source in sources(&root().join(folder)) {
            for call in ["Command::new(\"", " command(\"", "(command(\"", "succeeds(\""] {
                let names = source.split(call).skip(1).filter_map(|rest| rest.split('"').next());
                started.extend(names.map(|name| name.trim_start_matches("/bin/").to_owned()));
            }
        }
    }
    started.retain(|name| !name.starts_with("NDAUTH_TEST_") && name.chars().all(char::is_alphanumeric));
    let unknown: Vec<_> = started.iter().filter(|name| !known.contains(name.as_str())).collect();
    assert!(started.len() > 8 && unknown.is_empty(), "without a row: {unknown:?}, of {started:?}");
}

/// Returns the text of every Rust file in a folder and its subfolders.
fn sources(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder of sources");
    let read = |path: PathBuf| match path.is_dir() {
        true => sources(&path),
        false => vec![fs::read_to_string(path).expect("a source")],
    };
    entries.flat_map(|entry| read(entry.expect("an entry").path())).collect()
}
