//! `ndcli`: arguments in, a call, tables out.

mod settings;

mod clock;
mod terminal;

mod transport;

mod login;

mod scan;

mod connection;

mod commands;

mod guide;

mod arguments;

mod help;

use std::process::ExitCode;

use clap::FromArgMatches;
use clap::error::ErrorKind;
use ndauth_terminal::settings::innermost;
use ndauth_terminal::{Failure, InvalidCommandLine, bash_asks, complete_if_asked, print_completions, usage};

use crate::arguments::{AuthCommand, NdcliArguments, NdcliCommand, PermissionsCommand, TokenCommand};
use crate::commands::tokens::aim::OwnerArguments;
use crate::commands::tokens::suspend::Power;
use crate::commands::{auth, candidates, tokens};
use crate::guide::{HABITS, HELP};
use crate::settings::CommonOptions;
use crate::settings::configuration::{Configuration, warn_of_unread_variables};
use crate::settings::token_file::CredentialSource;

fn main() -> ExitCode {
    // The variable is gone once names are asked for.
    if bash_asks() {
        candidates::escape_for_bash();
    }
    complete_if_asked(|| arguments::command(&Configuration::default()));
    let outcome = match parse() {
        Ok((arguments, configuration)) => execute(&arguments, &configuration),
        Err(InvalidCommandLine::Usage(error)) => {
            return usage(&error, &arguments::command(&Configuration::default()), HELP, HABITS);
        }
        Err(InvalidCommandLine::Failure(failure)) => Err(failure),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Reads the command line twice: to learn which profile and token it names, and on top of what those set.
fn parse() -> Result<(NdcliArguments, Configuration), InvalidCommandLine> {
    let bare = arguments::command(&Configuration::default());
    let (profile, credential) = match bare.clone().try_get_matches() {
        Ok(first) => {
            let arguments = NdcliArguments::from_arg_matches(&first).map_err(InvalidCommandLine::Usage)?;
            if arguments.command.needs_no_configuration() {
                return Ok((arguments, Configuration::default()));
            }
            let token = arguments.common.token.as_deref();
            let credential = match arguments.command.reads_no_token_file() {
                true => Ok(CredentialSource::without_file(token)),
                false => CredentialSource::choose(token),
            };
            (arguments.common.profile, credential)
        }
        // The configuration may have what is missing.
        Err(error) if error.kind() == ErrorKind::MissingRequiredArgument => {
            let lenient = bare.ignore_errors(true).try_get_matches().map_err(InvalidCommandLine::Usage)?;
            let named = |id| innermost(&lenient).get_one::<String>(id).cloned();
            (named("profile"), CredentialSource::choose(named("token").as_deref()))
        }
        Err(error) => return Err(InvalidCommandLine::Usage(error)),
    };
    warn_of_unread_variables();
    let configuration = credential.and_then(|credential| Configuration::load(profile.as_deref(), credential));
    let mut configuration = configuration.map_err(InvalidCommandLine::Failure)?;
    let second = arguments::command(&configuration).try_get_matches().map_err(InvalidCommandLine::Usage)?;
    let mut arguments = NdcliArguments::from_arg_matches(&second).map_err(InvalidCommandLine::Usage)?;
    configuration.trace(&mut arguments.common, innermost(&second));
    configuration.matches = Some(second);
    Ok((arguments, configuration))
}

fn execute(arguments: &NdcliArguments, configuration: &Configuration) -> Result<(), Failure> {
    match &arguments.command {
        NdcliCommand::Config(config) => {
            return commands::config::run(&arguments.common, configuration, config);
        }
        NdcliCommand::Scan(scan) => return commands::scan::run(arguments.common.format, scan),
        NdcliCommand::Help(help) => return help::run(help),
        NdcliCommand::Completions(completions) => return print_completions(completions.shell, "ndcli"),
        NdcliCommand::Manual(manual) => return help::manual(manual),
        NdcliCommand::Auth(_)
        | NdcliCommand::Token(_)
        | NdcliCommand::Org(_)
        | NdcliCommand::Offers(_)
        | NdcliCommand::Permissions(_)
        | NdcliCommand::Admin(_)
        | NdcliCommand::Audit(_)
        | NdcliCommand::Whoami
        | NdcliCommand::Login(_)
        | NdcliCommand::Logout(_)
        | NdcliCommand::Validate(_) => {}
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        run(arguments).await?;
        if arguments.common.auto_refresh_token
            && !matches!(
                arguments.command,
                NdcliCommand::Auth(AuthCommand::Logout(_)) | NdcliCommand::Logout(_)
            )
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
        NdcliCommand::Admin(admin) => commands::admin::run(common, admin).await,
        NdcliCommand::Audit(audit) => commands::audit::run(common, audit).await,
        NdcliCommand::Permissions(PermissionsCommand::List(list)) => {
            commands::permissions::run(common, list).await
        }
        NdcliCommand::Auth(AuthCommand::Login(login)) | NdcliCommand::Login(login) => {
            auth::login::run(common, login).await
        }
        NdcliCommand::Auth(AuthCommand::Logout(logout)) | NdcliCommand::Logout(logout) => {
            auth::logout::run(common, logout).await
        }
        NdcliCommand::Auth(AuthCommand::Sessions(sessions)) => auth::sessions::run(common, sessions).await,
        NdcliCommand::Auth(AuthCommand::Notices(notices)) => auth::notices::run(common, notices).await,
        NdcliCommand::Auth(AuthCommand::PrintAccessToken(print)) => {
            auth::print_access_token::run(common, print).await
        }
        NdcliCommand::Auth(AuthCommand::Status(status)) => auth::status::run(common, status).await,
        NdcliCommand::Auth(AuthCommand::Whoami) | NdcliCommand::Whoami => auth::whoami::run(common).await,
        NdcliCommand::Validate(validate) => commands::validate::run(common, validate).await,
        NdcliCommand::Config(_)
        | NdcliCommand::Scan(_)
        | NdcliCommand::Help(_)
        | NdcliCommand::Completions(_)
        | NdcliCommand::Manual(_) => Ok(()),
    }
}

async fn run_token<W: OwnerArguments, C: OwnerArguments, E: OwnerArguments, S: OwnerArguments>(
    common: &CommonOptions,
    token: &TokenCommand<W, C, E, S>,
) -> Result<(), Failure> {
    match token {
        TokenCommand::Create(create) => tokens::create::run(common, create).await,
        TokenCommand::List(list) => tokens::list::run(common, list).await,
        TokenCommand::Show(named) => tokens::show::run(common, &named.aim()?).await,
        TokenCommand::Update(update) => tokens::update::run(common, update).await,
        TokenCommand::Rotate(rotate) => tokens::rotate::run(common, rotate).await,
        TokenCommand::Rotation(step) => tokens::rotate::settle(common, step).await,
        TokenCommand::Renew(renew) => tokens::renew::run(common, &renew.named.aim()?, &renew.renewal).await,
        TokenCommand::Revoke(revoke) => tokens::revoke::run(common, revoke).await,
        TokenCommand::Leaked(leaked) => tokens::leaked::run(common, leaked).await,
        TokenCommand::Suspend(named) => tokens::suspend::run(common, named, Power::Suspend).await,
        TokenCommand::Resume(named) => tokens::suspend::run(common, named, Power::Resume).await,
        TokenCommand::Explain(explain) => tokens::explain::run(common, explain).await,
    }
}
