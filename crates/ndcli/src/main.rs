//! `ndcli`: arguments in, a call, tables out.

mod settings;

mod clock;
mod terminal;

mod transport;

mod login;

mod connection;

mod commands;

mod arguments;

mod completion;
mod help;

use std::process::ExitCode;

use clap::FromArgMatches;
use ndauth_terminal::settings::Layer;
use ndauth_terminal::{Failure, InvalidCommandLine, usage};

use crate::arguments::{AuthCommand, NdcliArguments, NdcliCommand, PermissionsCommand, TokenCommand};
use crate::commands::tokens::aim::OwnerArguments;
use crate::commands::{auth, tokens};
use crate::settings::CommonOptions;
use crate::settings::configuration::{Configuration, warn_of_unread_variables};

fn main() -> ExitCode {
    completion::complete_if_asked();
    let outcome = match parse() {
        Ok((arguments, configuration)) => execute(&arguments, &configuration),
        Err(InvalidCommandLine::Usage(error)) => return usage(&error),
        Err(InvalidCommandLine::Failure(failure)) => Err(failure),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Reads the command line twice: to learn which profile it names, and on top of what that sets.
fn parse() -> Result<(NdcliArguments, Configuration), InvalidCommandLine> {
    let first = arguments::command(&Layer::default()).try_get_matches().map_err(InvalidCommandLine::Usage)?;
    let arguments = NdcliArguments::from_arg_matches(&first).map_err(InvalidCommandLine::Usage)?;
    if arguments.command.needs_no_configuration() {
        return Ok((arguments, Configuration::default()));
    }
    warn_of_unread_variables();
    let configuration =
        Configuration::load(arguments.common.profile.as_deref()).map_err(InvalidCommandLine::Failure)?;
    if configuration.layer.values.is_empty() {
        return Ok((arguments, Configuration { matches: Some(first), ..configuration }));
    }
    let second =
        arguments::command(&configuration.layer).try_get_matches().map_err(InvalidCommandLine::Usage)?;
    let arguments = NdcliArguments::from_arg_matches(&second).map_err(InvalidCommandLine::Usage)?;
    Ok((arguments, Configuration { matches: Some(second), ..configuration }))
}

fn execute(arguments: &NdcliArguments, configuration: &Configuration) -> Result<(), Failure> {
    match &arguments.command {
        NdcliCommand::Config(config) => {
            return commands::config::run(&arguments.common, configuration, config);
        }
        NdcliCommand::Help(help) => return help::run(help),
        NdcliCommand::Completions(completions) => return completion::print_script(completions.shell),
        NdcliCommand::Manual(manual) => return help::manual(manual),
        NdcliCommand::Auth(_)
        | NdcliCommand::Token(_)
        | NdcliCommand::Org(_)
        | NdcliCommand::Offers(_)
        | NdcliCommand::Permissions(_)
        | NdcliCommand::Whoami
        | NdcliCommand::Validate(_) => {}
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        run(arguments).await?;
        if arguments.common.auto_refresh_token
            && !matches!(arguments.command, NdcliCommand::Auth(AuthCommand::Logout(_)))
        {
            // A command is not said to have failed for it.
            if let Ok(server) = connection::connect(&arguments.common).await {
                tokens::renew::quietly(&server).await;
            }
        }
        Ok(())
    })
}

async fn run(arguments: &NdcliArguments) -> Result<(), Failure> {
    let common = &arguments.common;
    match &arguments.command {
        NdcliCommand::Auth(AuthCommand::Token(token)) => run_token(common, token).await,
        NdcliCommand::Token(token) => run_token(common, token).await,
        NdcliCommand::Org(org) => commands::org::run(common, org).await,
        NdcliCommand::Offers(offers) => commands::offers::run(common, offers).await,
        NdcliCommand::Permissions(PermissionsCommand::List(list)) => {
            commands::permissions::run(common, list).await
        }
        NdcliCommand::Auth(AuthCommand::Login(login)) => auth::login::run(common, login).await,
        NdcliCommand::Auth(AuthCommand::Logout(logout)) => auth::logout::run(common, logout).await,
        NdcliCommand::Auth(AuthCommand::Sessions(sessions)) => auth::sessions::run(common, sessions).await,
        NdcliCommand::Auth(AuthCommand::PrintAccessToken(print)) => {
            auth::print_access_token::run(common, print).await
        }
        NdcliCommand::Auth(AuthCommand::Status(status)) => auth::status::run(common, status).await,
        NdcliCommand::Whoami => auth::whoami::run(common).await,
        NdcliCommand::Validate(validate) => commands::validate::run(common, validate).await,
        NdcliCommand::Config(_)
        | NdcliCommand::Help(_)
        | NdcliCommand::Completions(_)
        | NdcliCommand::Manual(_) => Ok(()),
    }
}

async fn run_token<W: OwnerArguments, C: OwnerArguments, E: OwnerArguments>(
    common: &CommonOptions,
    token: &TokenCommand<W, C, E>,
) -> Result<(), Failure> {
    match token {
        TokenCommand::Create(create) => tokens::create::run(common, create).await,
        TokenCommand::List(list) => tokens::list::run(common, list).await,
        TokenCommand::Show(named) => tokens::show::run(common, &named.aim()?).await,
        TokenCommand::Update(update) => tokens::update::run(common, update).await,
        TokenCommand::Rotate(rotate) => {
            tokens::rotate::run(common, &rotate.named.aim()?, &rotate.rotation).await
        }
        TokenCommand::Renew(renew) => tokens::renew::run(common, &renew.named.aim()?, &renew.renewal).await,
        TokenCommand::Revoke(revoke) => tokens::revoke::run(common, revoke).await,
        TokenCommand::Suspend(named) => tokens::suspend::suspend(common, &named.aim()?).await,
        TokenCommand::Resume(named) => tokens::suspend::resume(common, &named.aim()?).await,
        TokenCommand::Explain(explain) => tokens::explain::run(common, explain).await,
    }
}
