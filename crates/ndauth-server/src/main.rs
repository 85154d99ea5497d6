//! `ndauthd`: the server, and the operator's commands on its database.

mod admin;
mod guide;

mod arguments;
mod configuration;
mod dev;
mod presets;
mod report;
mod user;

use std::process::ExitCode;

use clap::{ArgMatches, FromArgMatches};
use ndauth_server::{
    CheckedSettings, LogFormat, ServeOptions, StartForecast, Traces, check, check_database, log_to_stderr,
    preflight, readiness, serve,
};
use ndauth_terminal::settings::Layer;
use ndauth_terminal::{
    Failure, InvalidCommandLine, complete_if_asked, manual, print, print_completions, usage, warn,
};

use crate::arguments::{LISTEN, NdauthdArguments, NdauthdCommand, NdauthdConfigCommand};
use crate::configuration::{is_passed_by_systemd, location, require_readable, serve_options};
use crate::guide::{HABITS, HELP};
use crate::report::{check_failure, not_ready, serve_failure, trace_failure};
use crate::user::{give_up_root, refuse_foreign_database};

/// Calls allocate their responses: with this allocator they take an eighth less time than with the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Files that ndauthd writes (the database, its log, its copies) are for its own user alone.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    complete_if_asked(|| arguments::command(&Layer::default()));
    match configured() {
        Ok((arguments, matches, layer)) => {
            run(arguments, &matches, &layer).map_or_else(Failure::report, |()| ExitCode::SUCCESS)
        }
        Err(InvalidCommandLine::Usage(error)) => {
            usage(&error, &arguments::command(&Layer::default()), HELP, HABITS)
        }
        Err(InvalidCommandLine::Failure(failure)) => failure.report(),
    }
}

/// Parses the command line twice: first for the configuration file that it names, then on top of that file's
/// settings.
fn configured() -> Result<(NdauthdArguments, ArgMatches, Layer), InvalidCommandLine> {
    let first = arguments::command(&Layer::default()).try_get_matches().map_err(InvalidCommandLine::Usage)?;
    let arguments = NdauthdArguments::from_arg_matches(&first).map_err(InvalidCommandLine::Usage)?;
    configuration::warn_of_unread_variables();
    let installed = arguments.command.concerns_the_installation().then(configuration::installed).flatten();
    let layer = configuration::load(arguments.common.config.as_deref().or(installed))
        .map_err(InvalidCommandLine::Failure)?;
    let matches = arguments::command(&layer).try_get_matches().map_err(InvalidCommandLine::Usage)?;
    let arguments = NdauthdArguments::from_arg_matches(&matches).map_err(InvalidCommandLine::Usage)?;
    Ok((arguments, matches, layer))
}

fn run(arguments: NdauthdArguments, matches: &ArgMatches, layer: &Layer) -> Result<(), Failure> {
    let NdauthdArguments { common, command } = arguments;
    match command {
        NdauthdCommand::Serve(serving) => {
            let runtime = runtime()?;
            let traces = {
                let _within = runtime.enter();
                serving.traces.settings().as_ref().map(Traces::begin).transpose()
            };
            let traces = traces.map_err(|error| trace_failure(&error))?;
            log_to_stderr(serving.log_format.into(), &serving.log, traces.as_ref());
            let options =
                serve_options(location(&common, matches, layer)?.made(&common)?, &common, &serving)?;
            refuse_foreign_database(&options.database)?;
            // Without a service manager that waits for it, this does nothing.
            let served = runtime.block_on(serve(&options, traces, |_| {
                let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
            }));
            // Tasks that hang are not waited for.
            runtime.shutdown_background();
            served.map_err(|error| serve_failure(&error))
        }
        NdauthdCommand::Health(admin) => {
            let ready = runtime()?.block_on(readiness(admin.listen)).map_err(|error| not_ready(&error))?;
            print(&format!("{ready}\n"))
        }
        NdauthdCommand::Dev(options) => dev::run(&common, &options),
        NdauthdCommand::Config { command: NdauthdConfigCommand::Example } => print(&configuration::example()),
        NdauthdCommand::Config { command: NdauthdConfigCommand::Show { format, serve: _ } } => {
            configuration::show(layer, matches, &location(&common, matches, layer)?, format)
        }
        NdauthdCommand::Config { command: NdauthdConfigCommand::Check(serving) } => {
            let location = location(&common, matches, layer)?;
            // systemd reads these files as root. All others must be readable for the server's user.
            let passed = serving.tls_key.as_deref().is_some_and(is_passed_by_systemd);
            let readable = [layer.file.clone(), common.database_password_file.clone()];
            let readable: Vec<_> =
                readable.into_iter().flatten().filter(|file| !is_passed_by_systemd(file)).collect();
            let checked_as_root = match passed {
                true => Some(check_files(&serve_options(location.clone(), &common, &serving)?)?),
                false => None,
            };
            give_up_root(&location)?;
            require_readable(&readable)?;
            let location = location.makeable(&common)?;
            let options = serve_options(location, &common, &serving)?;
            refuse_foreign_database(&options.database)?;
            let checked = match checked_as_root {
                Some(checked) => checked,
                None => check_files(&options)?,
            };
            checked.warnings.iter().for_each(|warning| warn(warning));
            let database = checked.database.map(|reached| format!("✓ the database is reached {reached}\n"));
            let clients = checked.clients;
            print(&format!(
                "✓ the settings are valid; secrets travel {clients}\n{}",
                database.unwrap_or_default()
            ))?;
            let runtime = runtime()?;
            let forecast = runtime.block_on(preflight(&options));
            // A host name that is still being resolved is not waited for.
            runtime.shutdown_background();
            let StartForecast { findings, warnings } = forecast.map_err(|error| serve_failure(&error))?;
            warnings.iter().for_each(|warning| warn(warning));
            print(&findings.iter().map(|finding| format!("✓ {finding}\n")).collect::<String>())
        }
        NdauthdCommand::Admin { format, command } => {
            log_to_stderr(LogFormat::Text, "warn", None);
            let location = location(&common, matches, layer)?;
            give_up_root(&location)?;
            let location = location.made(&common)?;
            refuse_foreign_database(&location.database)?;
            check_database(&location.database).map_err(|error| check_failure(&error))?;
            let public_url = common.public_url.unwrap_or_else(|| format!("http://{LISTEN}"));
            runtime()?.block_on(admin::run(command, format, &location, &public_url))
        }
        NdauthdCommand::Completions { shell } => print_completions(shell, "ndauthd"),
        NdauthdCommand::Manual { man: Some(folder), .. } => {
            let written = manual::write_pages(&arguments::command(&Layer::default()), &folder)?;
            print(&format!("{} pages written to {}\n", written.len(), folder.display()))
        }
        NdauthdCommand::Manual { settings: true, .. } => print(&configuration::reference()),
        NdauthdCommand::Manual { .. } => print(&manual::reference(&arguments::command(&Layer::default()))),
    }
}

fn check_files(options: &ServeOptions) -> Result<CheckedSettings, Failure> {
    check(options).map_err(|error| check_failure(&error))
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
