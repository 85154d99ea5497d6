//! Everything that must hold before a change lands.

use crate::cargo::{command, run};
use crate::{api, test, tools};

pub(crate) fn run_all() -> anyhow::Result<()> {
    run(command("cargo", &["fmt", "--all", "--check"]))?;
    run(command(tools::python()?.join("buf"), &["lint", "proto"]))?;
    run(command(tools::deny()?, &["--all-features", "check", "licenses", "sources", "bans"]))?;
    run(command("cargo", &["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    let mut doc = command("cargo", &["doc", "--workspace", "--no-deps", "--document-private-items"]);
    doc.env("RUSTDOCFLAGS", "--deny warnings");
    run(doc)?;
    api::check()?;
    let packages = api::PUBLISHED.iter().flat_map(|package| ["--package", package]);
    let package: Vec<&str> = ["package", "--quiet", "--allow-dirty"].into_iter().chain(packages).collect();
    run(command("cargo", &package))?;
    test::run_all()
}
