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
use ndauth_terminal::{Failure, usage};

use crate::arguments::{Arguments, Auth, Command, Permissions, Token};
use crate::commands::tokens::aim::Owner;
use crate::commands::{auth, tokens};
use crate::settings::Common;
use crate::settings::configuration::{Configuration, warn_of_unread_variables};

fn main() -> ExitCode {
    completion::complete_if_asked();
    let outcome = match parse() {
        Ok((arguments, configuration)) => execute(&arguments, &configuration),
        Err(Stop::Usage(error)) => return usage(&error),
        Err(Stop::Failure(failure)) => Err(failure),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Why a command line is not carried out.
enum Stop {
    /// It is not understood, or it asks for help.
    Usage(clap::Error),
    /// The configuration makes no sense.
    Failure(Failure),
}

/// Reads the command line twice: to learn which profile it names, and on top of what that sets.
fn parse() -> Result<(Arguments, Configuration), Stop> {
    let first = arguments::command(&Layer::default()).try_get_matches().map_err(Stop::Usage)?;
    let arguments = Arguments::from_arg_matches(&first).map_err(Stop::Usage)?;
    if arguments.command.needs_no_configuration() {
        return Ok((arguments, Configuration::default()));
    }
    warn_of_unread_variables();
    let configuration = Configuration::load(arguments.common.profile.as_deref()).map_err(Stop::Failure)?;
    if configuration.layer.values.is_empty() {
        return Ok((arguments, Configuration { matches: Some(first), ..configuration }));
    }
    let second = arguments::command(&configuration.layer).try_get_matches().map_err(Stop::Usage)?;
    let arguments = Arguments::from_arg_matches(&second).map_err(Stop::Usage)?;
    Ok((arguments, Configuration { matches: Some(second), ..configuration }))
}

fn execute(arguments: &Arguments, configuration: &Configuration) -> Result<(), Failure> {
    match &arguments.command {
        Command::Config(config) => return commands::config::run(&arguments.common, configuration, config),
        Command::Help(help) => return help::run(help),
        Command::Completions(completions) => return completion::print_script(completions.shell),
        Command::Manual(manual) => return help::manual(manual),
        Command::Auth(_)
        | Command::Token(_)
        | Command::Org(_)
        | Command::Permissions(_)
        | Command::Whoami
        | Command::Validate(_) => {}
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        run(arguments).await?;
        if arguments.common.auto_refresh_token && !matches!(arguments.command, Command::Auth(Auth::Logout(_)))
        {
            // A command is not said to have failed for it.
            if let Ok(server) = connection::connect(&arguments.common).await {
                tokens::renew::quietly(&server).await;
            }
        }
        Ok(())
    })
}

async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let common = &arguments.common;
    match &arguments.command {
        Command::Auth(Auth::Token(token)) => run_token(common, token).await,
        Command::Token(token) => run_token(common, token).await,
        Command::Org(org) => commands::org::run(common, org).await,
        Command::Permissions(Permissions::List(list)) => commands::permissions::run(common, list).await,
        Command::Auth(Auth::Login(login)) => auth::login::run(common, login).await,
        Command::Auth(Auth::Logout(logout)) => auth::logout::run(common, logout).await,
        Command::Auth(Auth::Sessions(sessions)) => auth::sessions::run(common, sessions).await,
        Command::Auth(Auth::PrintAccessToken(print)) => auth::print_access_token::run(common, print).await,
        Command::Auth(Auth::Status(status)) => auth::status::run(common, status).await,
        Command::Whoami => auth::whoami::run(common).await,
        Command::Validate(validate) => commands::validate::run(common, validate).await,
        Command::Config(_) | Command::Help(_) | Command::Completions(_) | Command::Manual(_) => Ok(()),
    }
}

async fn run_token<W: Owner, C: Owner, E: Owner>(
    common: &Common,
    token: &Token<W, C, E>,
) -> Result<(), Failure> {
    match token {
        Token::Create(create) => tokens::create::run(common, create).await,
        Token::List(list) => tokens::list::run(common, list).await,
        Token::Show(named) => tokens::show::run(common, &named.aim()?).await,
        Token::Update(update) => tokens::update::run(common, update).await,
        Token::Rotate(rotate) => tokens::rotate::run(common, &rotate.named.aim()?, &rotate.rotation).await,
        Token::Renew(renew) => tokens::renew::run(common, &renew.named.aim()?, &renew.renewal).await,
        Token::Revoke(revoke) => tokens::revoke::run(common, revoke).await,
        Token::Suspend(named) => tokens::suspend::suspend(common, &named.aim()?).await,
        Token::Resume(named) => tokens::suspend::resume(common, &named.aim()?).await,
        Token::Explain(explain) => tokens::explain::run(common, explain).await,
    }
}
