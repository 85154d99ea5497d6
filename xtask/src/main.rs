//! Automation: `cargo xtask --help` lists what there is.

mod api;
mod bench;
mod cargo;
mod ci;
mod codegen;
mod contract;
mod demo;
#[cfg(test)]
mod floors;
mod package;
mod packages;
mod postgres;
mod server;
mod test;
mod tools;
#[cfg(test)]
mod walls;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Builds, tests, checks and demonstrates ndauth")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds both binaries and plays the main job with them, on a scratch database.
    Demo,
    /// Runs every test, on SQLite and on throw-away PostgreSQL clusters. On Debian, installs the packages they need.
    Test(test::Arguments),
    /// Checks format, lints, dependencies, the contract, generated code and documentation, then runs every test.
    Ci,
    /// Measures what is promised, on builds as they are handed out, and fails where a bar is not reached.
    Bench(bench::Arguments),
    /// Plays how soon changes are known in many places, and what a failover does; prints the tables of `docs/scale.md`.
    Simulate,
    /// Writes the Rust code of `proto/` into `ndauth-proto`, and that of the example's service beside it.
    Codegen,
    /// Writes down what the published crates offer, into `docs/api`.
    Api,
}

fn main() -> ExitCode {
    match run(&Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // What went wrong, and not where in this program: it is the rest that is looked for.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Demo => demo::run(),
        Command::Test(arguments) => test::run_with(arguments),
        Command::Ci => ci::run_all(),
        Command::Bench(arguments) => bench::measure(arguments),
        Command::Simulate => bench::simulate(),
        Command::Codegen => codegen::write_all(),
        Command::Api => api::write(),
    }
}
