//! `cargo xtask bench`: measures, and reports which bars are met.

mod bench;

mod audit;
mod client;
mod create;
mod edges;
mod json;
mod pages;
mod requests;
mod revocation;
mod scale;
mod start;
mod validate;

use std::path::{Path, PathBuf};

use clap::Parser;
use ndauth_bench::load;
use ndauth_bench::table::end;

use bench::{Bench, CLIENT_CORE};

/// Measures ndauth against what it stands on. `cargo xtask bench` builds what it needs and runs it.
#[derive(Parser)]
struct BenchArguments {
    /// The folder of the binaries.
    #[arg(long)]
    binaries: PathBuf,
    /// PostgreSQL's `pgbench`.
    #[arg(long)]
    pgbench: PathBuf,
    /// The program of the baseline of introspection, with its packages beside it.
    #[arg(long)]
    oidc_provider: PathBuf,
    /// The path of the file for programs.
    #[arg(long)]
    json: PathBuf,
    /// Fewer rounds, and fewer tokens.
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// Ten million tokens, too.
    #[arg(long)]
    full: bool,
    /// Only the groups whose name holds this.
    #[arg(long)]
    only: Option<String>,
}

type Group = (&'static str, fn(&mut Bench) -> anyhow::Result<()>);

const GROUPS: [Group; 10] = [
    ("start", start::measure),
    ("validate", validate::measure),
    ("json", json::measure),
    ("edges", edges::measure),
    ("pages", pages::measure),
    ("audit", audit::measure),
    ("revocation", revocation::measure),
    ("client", client::measure),
    ("create", create::measure),
    ("scale", scale::measure),
];

fn main() -> anyhow::Result<()> {
    let BenchArguments { binaries, pgbench, oidc_provider, json, quick, full, only } =
        BenchArguments::parse();
    load::raise_priority();
    load::pin(CLIENT_CORE)?;
    let mut bench = Bench {
        binaries,
        pgbench,
        oidc_provider,
        folder: tempfile::tempdir()?,
        runtime: tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?,
        rounds: if quick { 3 } else { 7 },
        quick,
        full,
        rows: Vec::new(),
    };
    println!("| what | median | least | most | bar |\n|---|---|---|---|---|");
    for (name, measure) in GROUPS {
        if only.as_ref().is_none_or(|only| name.contains(only.as_str())) {
            measure(&mut bench)?;
        }
    }
    end(&bench.rows, Path::new(&json))
}
