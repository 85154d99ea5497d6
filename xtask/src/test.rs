//! Every test, on both databases.

use crate::cargo::{build_binaries, command, run};
use crate::postgres::Cluster;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What to pass on to `cargo nextest run`, such as a name to filter by.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    filter: Vec<String>,
}

pub(crate) fn run_all() -> anyhow::Result<()> {
    run_some(&[])
}

pub(crate) fn run_with(arguments: &Arguments) -> anyhow::Result<()> {
    run_some(&arguments.filter)
}

fn run_some(filter: &[String]) -> anyhow::Result<()> {
    let (ndauthd, ndcli) = build_binaries(false)?;
    let cluster = Cluster::start()?;
    let mut nextest = command("cargo", &["nextest", "run", "--workspace", "--no-fail-fast"]);
    nextest
        .args(filter)
        .env("NDAUTH_TEST_POSTGRES", cluster.url())
        .env("NDAUTH_TEST_POSTGRES_PROGRAMS", cluster.programs())
        .env("NDAUTH_TEST_NDAUTHD", ndauthd)
        .env("NDAUTH_TEST_NDCLI", ndcli);
    run(nextest)?;
    if filter.is_empty() {
        run(command("cargo", &["test", "--workspace", "--doc"]))?;
    }
    Ok(())
}
