//! The contract: its style, and that a change which breaks whoever speaks it is noticed.

use std::fs;
use std::path::Path;

use anyhow::ensure;

use crate::cargo::{command, root, run};
use crate::tools;

/// A field that the fixture has by another name.
const RENAMED: (&str, &str) = ("string token_name = 2;", "string token_called = 2;");
/// How `buf` ends where it found something.
const FOUND: i32 = 100;

/// Checks the style. Until there is a release to compare with, the comparison is tried on a fixture: the contract itself,
/// which breaks nothing, and one with a field renamed, which does.
pub(crate) fn check() -> anyhow::Result<()> {
    let buf = tools::python()?.join("buf");
    run(command(&buf, &["lint", "proto"]))?;
    let fixture = root().join("target/contract");
    if fixture.exists() {
        fs::remove_dir_all(&fixture)?;
    }
    let renamed = copy(&root().join("proto"), &fixture)?;
    ensure!(renamed == 1, "the fixture of the contract renames {renamed} fields in place of one");
    for (against, code) in [(root().join("proto"), 0), (fixture, FOUND)] {
        let mut compare = command(&buf, &["breaking", "proto", "--against"]);
        let ended = compare.arg(&against).output()?;
        let told = String::from_utf8_lossy(&ended.stdout);
        ensure!(ended.status.code() == Some(code), "`buf breaking` against {}: {told}", against.display());
    }
    Ok(())
}

/// Copies a folder, and renames the field. Returns how often it was there.
fn copy(from: &Path, to: &Path) -> anyhow::Result<usize> {
    fs::create_dir_all(to)?;
    let mut renamed = 0;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let to = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            renamed += copy(&path, &to)?;
            continue;
        }
        let text = fs::read_to_string(&path)?;
        renamed += text.matches(RENAMED.0).count();
        fs::write(to, text.replace(RENAMED.0, RENAMED.1))?;
    }
    Ok(renamed)
}
