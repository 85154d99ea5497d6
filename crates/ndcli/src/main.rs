//! `ndcli`: arguments in, a call, tables out.

mod arguments;
mod commands;
mod credentials;
mod failure;
mod output;
mod terminal;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};

use crate::arguments::{Arguments, Auth, Command, Token};
use crate::failure::Failure;

fn main() -> ExitCode {
    let arguments = match parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::from)
        .and_then(|runtime| runtime.block_on(run(&arguments)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn parse() -> Result<Arguments, clap::Error> {
    let command = arguments::without_empty_variables(Arguments::command());
    Arguments::from_arg_matches(&command.try_get_matches()?)
}

/// Prints help as it is; what repeats the person's own words is made safe for the terminal first.
fn usage(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return terminal::print(&error.to_string()).map_or_else(Failure::report, |()| ExitCode::SUCCESS);
    }
    terminal::aside(error.to_string().trim_end());
    ExitCode::from(2)
}

async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let common = &arguments.common;
    match &arguments.command {
        Command::Auth(Auth::Token(Token::Create(create))) => commands::create::run(common, create).await,
        Command::Auth(Auth::Token(Token::List(list))) => commands::list::run(common, list).await,
        Command::Auth(Auth::Token(Token::Revoke(revoke))) => commands::revoke::run(common, revoke).await,
        Command::Auth(Auth::Login(login)) => commands::login::run(common, login).await,
        Command::Auth(Auth::Logout) => commands::logout::run(common),
        Command::Auth(Auth::Status) => commands::status::run(common).await,
        Command::Whoami => commands::whoami::run(common).await,
        Command::Validate(validate) => commands::validate::run(common, validate).await,
    }
}
