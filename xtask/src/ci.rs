//! Every check that must pass before a change lands.

use crate::cargo::{command, run};
use crate::packages::{self, Job};
use crate::{api, contract, publish, test, tools};

pub(crate) fn run_all() -> anyhow::Result<()> {
    packages::provide(Job::Test)?;
    run(command("cargo", &["fmt", "--all", "--check"]))?;
    contract::check()?;
    run(command(tools::deny()?, &["--all-features", "check", "licenses", "sources", "bans"]))?;
    run(command("cargo", &["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    let mut doc = command("cargo", &["doc", "--workspace", "--no-deps", "--document-private-items"]);
    doc.env("RUSTDOCFLAGS", "--deny warnings");
    run(doc)?;
    api::check()?;
    publish::check()?;
    test::run_all()
}
