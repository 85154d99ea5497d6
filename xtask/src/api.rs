//! What the published crates offer, written down: whoever changes it does so on purpose.

use std::fs;

use anyhow::{Context, ensure};

use crate::cargo::{command, root, run};

/// The crates that services link.
pub(crate) const PUBLISHED: [&str; 4] = ["ndauth-core", "ndauth-clock", "ndauth-proto", "ndauth-client"];
/// What is left out of them: generated code is held to the contract instead.
const GENERATED: &str = "::v1::";

const FOLDER: &str = "docs/api";

/// Writes it down.
pub(crate) fn write() -> anyhow::Result<()> {
    fs::create_dir_all(root().join(FOLDER))?;
    for package in PUBLISHED {
        fs::write(root().join(FOLDER).join(format!("{package}.txt")), surface(package)?)?;
    }
    Ok(())
}

/// Fails where something else is offered than is written down.
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

/// Each public item of a crate, a line each.
fn surface(package: &str) -> anyhow::Result<String> {
    let target = root().join("target/api");
    let mut rustdoc =
        command("cargo", &["rustdoc", "--quiet", "--lib", "--all-features", "--package", package]);
    rustdoc.arg("--target-dir").arg(&target);
    rustdoc.args(["--", "-Zunstable-options", "--output-format", "json", "--cap-lints", "allow"]);
    // The one thing for which a stable toolchain is asked to be another: what it tells is read by no program of ours.
    rustdoc.env("RUSTC_BOOTSTRAP", "1");
    run(rustdoc)?;
    let told = target.join("doc").join(format!("{}.json", package.replace('-', "_")));
    let api = public_api::Builder::from_rustdoc_json(&told)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .with_context(|| format!("cannot read what `{package}` offers"))?;
    // A function may take or give what is generated.
    let ours = |line: &String| !line.split('(').next().is_some_and(|item| item.contains(GENERATED));
    let lines = api.items().map(ToString::to_string).filter(ours);
    Ok(lines.map(|line| line + "\n").collect())
}
