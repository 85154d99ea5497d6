//! The recorded public API of the published crates, so that changes to it are deliberate.

use std::fs;

use anyhow::{Context, ensure};

use crate::cargo::{command, root, run};

/// The crates that services link.
pub(crate) const PUBLISHED: [&str; 4] = ["ndauth-core", "ndauth-clock", "ndauth-proto", "ndauth-client"];
/// The marker of generated items, which are left out: the contract describes them instead.
const GENERATED: &str = "::v1::";

const FOLDER: &str = "docs/api";

/// Records the public API of each published crate.
pub(crate) fn write() -> anyhow::Result<()> {
    fs::create_dir_all(root().join(FOLDER))?;
    for package in PUBLISHED {
        fs::write(root().join(FOLDER).join(format!("{package}.txt")), surface(package)?)?;
    }
    Ok(())
}

/// Fails if a crate's public API differs from the recorded one.
pub(crate) fn check() -> anyhow::Result<()> {
    for package in PUBLISHED {
        let file = root().join(FOLDER).join(format!("{package}.txt"));
        let kept = fs::read_to_string(&file).unwrap_or_default();
        let fresh = surface(package)?;
        let gone = kept.lines().filter(|line| !fresh.lines().any(|other| other == *line));
        let new = fresh.lines().filter(|line| !kept.lines().any(|other| other == *line));
        let changes: Vec<String> =
            gone.map(|line| format!("- {line}")).chain(new.map(|line| format!("+ {line}"))).collect();
        ensure!(
            changes.is_empty(),
            "`{package}` offers something else than `{}` says:\n{}\nhint: if that is meant, `cargo xtask api`",
            file.display(),
            changes.join("\n")
        );
    }
    Ok(())
}

/// Returns the public items of a crate, one on each line.
fn surface(package: &str) -> anyhow::Result<String> {
    let target = root().join("target/api");
    let mut rustdoc =
        command("cargo", &["rustdoc", "--quiet", "--lib", "--all-features", "--package", package]);
    rustdoc.arg("--target-dir").arg(&target);
    rustdoc.args(["--", "-Zunstable-options", "--output-format", "json", "--cap-lints", "allow"]);
    // rustdoc's JSON output is unstable: this variable enables it on a stable toolchain. No shipped program
    // uses it.
    rustdoc.env("RUSTC_BOOTSTRAP", "1");
    run(rustdoc)?;
    let rustdoc_json = target.join("doc").join(format!("{}.json", package.replace('-', "_")));
    let api = public_api::Builder::from_rustdoc_json(&rustdoc_json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .with_context(|| format!("cannot read what `{package}` offers"))?;
    // Functions of our own may take or return generated types.
    let ours = |line: &String| !line.split('(').next().is_some_and(|item| item.contains(GENERATED));
    let lines = api.items().map(ToString::to_string).filter(ours);
    Ok(lines.map(|line| line + "\n").collect())
}
