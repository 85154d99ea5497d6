//! Automation: `cargo xtask --help` lists what there is.

mod api;
mod bench;
mod cargo;
mod ci;
mod codegen;
mod contract;
mod demo;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod floors;
#[cfg(test)]
mod hints;
#[cfg(test)]
mod names;
mod package;
mod packages;
mod postgres;
mod publish;
mod screenshots;
mod server;
mod test;
mod tools;
#[cfg(test)]
mod walls;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Builds, tests, checks and demonstrates ndauth")]
struct XtaskArguments {
    #[command(subcommand)]
    command: XtaskCommand,
}

#[derive(Subcommand)]
enum XtaskCommand {
    /// Builds both binaries and plays the main job with them, on a scratch database.
    Demo,
    /// Runs every test, on SQLite and on throw-away PostgreSQL clusters. On Debian, installs the packages they need.
    Test(test::TestTaskArguments),
    /// Checks format, lints, dependencies, the contract, generated code and documentation, then runs every test.
    Ci,
    /// Measures what is promised, on builds as they are handed out, and fails where a bar is not reached.
    Bench(bench::BenchTaskArguments),
    /// Plays how soon changes are known in many places, and what a failover does; prints the tables of `docs/scale.md`.
    Simulate,
    /// Makes the files of a release for this machine's architecture into `target/package`, and tests them.
    Package(package::PackageTaskArguments),
    /// Draws every page, at three widths, light and dark, into `target/screenshots`; keeps some in `docs/screenshots`.
    Screenshots,
    /// Writes the Rust code of `proto/` into `ndauth-proto`, and that of the example's service beside it.
    Codegen,
    /// Writes down what the published crates offer, into `docs/api`.
    Api,
}

fn main() -> ExitCode {
    match run(&XtaskArguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The error alone: a backtrace into this program would distract from the failed command.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &XtaskCommand) -> anyhow::Result<()> {
    match command {
        XtaskCommand::Demo => demo::run(),
        XtaskCommand::Test(arguments) => test::run_with(arguments),
        XtaskCommand::Ci => ci::run_all(),
        XtaskCommand::Bench(arguments) => bench::measure(arguments),
        XtaskCommand::Simulate => bench::simulate(),
        XtaskCommand::Package(arguments) => match package::make(arguments)? {
            Some(folder) => test::run_packaged(&folder),
            None => Ok(()),
        },
        XtaskCommand::Screenshots => screenshots::draw(),
        XtaskCommand::Codegen => codegen::write_all(),
        XtaskCommand::Api => api::write(),
    }
}
