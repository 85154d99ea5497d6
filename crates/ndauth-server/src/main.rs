//! `ndauthd`: the server, and the operator's commands on its database.

mod admin;
mod arguments;
mod configuration;
mod dev;
mod report;

use std::process::ExitCode;

use clap::{ArgMatches, FromArgMatches};
use ndauth_server::{LogFormat, check_tls, log_to_stderr, serve};
use ndauth_terminal::settings::Layer;
use ndauth_terminal::{Failure, manual, print};

use crate::arguments::{Arguments, Command, Config};
use crate::configuration::{place, refuse_another_users, serve_options};
use crate::report::serve_failure;

fn main() -> ExitCode {
    let first = arguments::command(&Layer::default()).get_matches();
    // What ndauthd writes (the database, its log, its copies) is for its own user alone.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    match configured(&first).and_then(|(arguments, matches, layer)| run(arguments, &matches, &layer)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Reads the command line again, on top of the file that it names.
fn configured(first: &ArgMatches) -> Result<(Arguments, ArgMatches, Layer), Failure> {
    let arguments = Arguments::from_arg_matches(first).unwrap_or_else(|error| error.exit());
    configuration::warn_of_unread_variables();
    let layer = configuration::load(arguments.common.config.as_deref())?;
    let matches = arguments::command(&layer).get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    Ok((arguments, matches, layer))
}

fn run(arguments: Arguments, matches: &ArgMatches, layer: &Layer) -> Result<(), Failure> {
    let Arguments { common, command } = arguments;
    match command {
        Command::Serve(serving) => {
            log_to_stderr(serving.log_format.into(), &serving.log);
            let options = serve_options(place(&common, matches)?, &serving)?;
            refuse_another_users(&options.database)?;
            runtime()?.block_on(serve(&options, |_| ())).map_err(|error| serve_failure(&error))
        }
        Command::Dev(options) => dev::run(&common, &options),
        Command::Config { command: Config::Example } => print(&configuration::example()),
        Command::Config { command: Config::Show { format, serve: _ } } => {
            configuration::show(layer, matches, &place(&common, matches)?, format)
        }
        Command::Config { command: Config::Check(serving) } => {
            let options = serve_options(place(&common, matches)?, &serving)?;
            refuse_another_users(&options.database)?;
            let told = check_tls(&options).map_err(|error| serve_failure(&error))?;
            print(&format!("✓ the settings make sense; secrets travel {told}\n"))
        }
        Command::Admin { format, command } => {
            log_to_stderr(LogFormat::Text, "warn");
            let place = place(&common, matches)?;
            refuse_another_users(&place.database)?;
            runtime()?.block_on(admin::run(command, format, &place))
        }
        Command::Manual { man: Some(folder), .. } => {
            let written = manual::write_pages(&arguments::command(&Layer::default()), &folder)?;
            print(&format!("{} pages written to {}\n", written.len(), folder.display()))
        }
        Command::Manual { settings: true, .. } => print(&configuration::reference()),
        Command::Manual { .. } => print(&manual::reference(&arguments::command(&Layer::default()))),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
