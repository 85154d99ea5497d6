//! Checks of the contract in `proto/`: its style, and that breaking changes are detected.

use std::fs;
use std::path::Path;

use anyhow::ensure;

use crate::cargo::{command, root, run};
use crate::tools;

/// A field, and its name in the fixture.
const RENAMED: (&str, &str) = ("string token_name = 2;", "string token_called = 2;");
/// The exit code of `buf` when it finds a problem.
const FOUND: i32 = 100;

/// Checks the style and the detection of breaking changes. Until there is a release to compare with, the
/// comparison runs against two fixtures: the contract itself, which must pass, and a copy with a renamed
/// field, which must fail.
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
        let report = String::from_utf8_lossy(&ended.stdout);
        ensure!(ended.status.code() == Some(code), "`buf breaking` against {}: {report}", against.display());
    }
    Ok(())
}

/// Copies a folder and renames the field. Returns the number of occurrences.
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
