//! `ndauthd`: the server, and the operator's commands on its database.

mod admin;
mod arguments;
mod report;

use std::process::ExitCode;

use clap::FromArgMatches;
use ndauth_server::{LogFormat, ServeOptions, log_to_stderr, serve};

use crate::arguments::{Arguments, Command};
use crate::report::Failure;

fn main() -> ExitCode {
    let matches = arguments::command().get_matches();
    let arguments = match Arguments::from_arg_matches(&matches) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    // What ndauthd writes (the database, its log, its copies) is for its own user alone.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match arguments.command {
        Command::Serve(serving) => {
            log_to_stderr(serving.log_format.into(), &serving.log);
            let options = ServeOptions {
                listen: serving.listen,
                admin_listen: serving.admin_listen,
                database: arguments::database(arguments.database)?,
                plaintext_beyond_loopback: serving.plaintext_beyond_loopback,
                drain: std::time::Duration::from_secs(serving.drain_seconds),
            };
            Ok(runtime.block_on(serve(&options))?)
        }
        Command::Admin { command } => {
            log_to_stderr(LogFormat::Text, "warn");
            let database = arguments::database(arguments.database)?;
            runtime.block_on(admin::run(command, &database))
        }
    }
}
