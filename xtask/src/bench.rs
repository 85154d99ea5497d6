//! Measures ndauth: builds it as it is released, starts a throw-away PostgreSQL cluster, and runs
//! `ndauth-bench`.

use crate::cargo::{command, root, run};
use crate::packages::{self, Job};
use crate::postgres::Cluster;
use crate::tools;

#[derive(clap::Args)]
pub(crate) struct BenchTaskArguments {
    /// Fewer rounds, and fewer tokens: an impression within 5 minutes.
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// Ten million tokens, too.
    #[arg(long)]
    full: bool,
    /// Only the groups of rows whose name holds this: start, validate, json, edges, revocation, client, create, scale.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

/// Runs the simulation that `ndauth-bench` has beside its measurements.
pub(crate) fn simulate() -> anyhow::Result<()> {
    run(command("cargo", &["run", "--quiet", "--package", "ndauth-bench", "--bin", "simulate"]))
}

pub(crate) fn measure(arguments: &BenchTaskArguments) -> anyhow::Result<()> {
    packages::provide(Job::Bench)?;
    let packages = ["ndauth-server", "ndcli", "ndauth-bench"];
    let packages = packages.iter().flat_map(|package| ["--package", package]);
    let build: Vec<&str> = ["build", "--release", "--bins"].into_iter().chain(packages).collect();
    run(command("cargo", &build))?;
    let metadata = cargo_metadata::MetadataCommand::new().no_deps().current_dir(root()).exec()?;
    let binaries = metadata.target_directory.join("release");
    let oidc_provider = "crates/ndauth-bench/oidc-provider";
    let packages = tools::node("node-oidc-provider", &format!("{oidc_provider}/package.json"))?;
    // Node looks for packages beside a program.
    let program = packages.with_file_name("server.mjs");
    std::fs::copy(root().join(oidc_provider).join("server.mjs"), &program)?;
    let cluster = Cluster::start()?;
    // `setsid` gives it a session of its own, whose scheduling priority it can raise.
    let mut bench = command("setsid", &["--wait", binaries.join("ndauth-bench").as_str()]);
    bench.args(["--binaries", binaries.as_str()]).arg("--pgbench").arg(cluster.program("pgbench"));
    bench.arg("--oidc-provider").arg(program);
    bench.args(["--json", metadata.target_directory.join("bench.json").as_str()]);
    bench.env("NDAUTH_TEST_POSTGRES", cluster.url());
    if arguments.quick {
        bench.arg("--quick");
    }
    if arguments.full {
        bench.arg("--full");
    }
    if let Some(only) = &arguments.only {
        bench.args(["--only", only]);
    }
    run(bench)
}
