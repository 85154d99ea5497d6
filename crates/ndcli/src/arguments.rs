//! The command line of `ndcli`.

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use ndauth_client::ServerUrl;
use ndauth_core::{OrgSlug, Permission, Scope};

use crate::commands::{create::Create, list::List, login::Login, revoke::Revoke, validate::Validate};

#[derive(Parser)]
#[command(name = "ndcli", version, about = "Personal access tokens for people and pipelines")]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Common {
    /// How to print what there is to show
    #[arg(short, long, value_name = "FORMAT", default_value = "table", global = true)]
    pub(crate) format: Format,

    /// The server
    #[arg(
        long,
        value_name = "URL",
        env = "NDCLI_SERVER",
        default_value = "http://127.0.0.1:7711",
        global = true
    )]
    pub(crate) server: ServerUrl,

    /// The credential; others on this machine can see it: prefer NDCLI_TOKEN or NDCLI_TOKEN_FILE
    #[arg(long, value_name = "SECRET", global = true)]
    pub(crate) token: Option<String>,

    /// Send the credential in plain text to a server that is not on this machine
    #[arg(long, env = "NDCLI_PLAINTEXT_BEYOND_LOOPBACK", value_parser = FalseyValueParser::new(), global = true)]
    pub(crate) plaintext_beyond_loopback: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table for people
    Table,
    /// An object for programs
    Json,
    /// A line each
    Simple,
    /// Everything, a table each
    Detailed,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Log in and out, and manage personal access tokens
    #[command(subcommand)]
    Auth(Auth),
    /// Say who the credential stands for
    Whoami,
    /// Ask whether a secret may do a thing, as a service would
    Validate(Validate),
}

#[derive(Subcommand)]
pub(crate) enum Auth {
    /// Create, list and revoke personal access tokens
    #[command(subcommand)]
    Token(Token),
    /// Store a credential for later commands
    Login(Login),
    /// Forget the stored credential
    Logout,
    /// Say which credential is in force, and what it is
    Status,
}

#[derive(Subcommand)]
pub(crate) enum Token {
    /// Create a new personal access token; its value is displayed once
    Create(Create),
    /// List all personal access tokens for your account
    List(List),
    /// Revoke a personal access token
    Revoke(Revoke),
}

/// Lets clap take an empty variable for none.
pub(crate) fn without_empty_variables(command: clap::Command) -> clap::Command {
    command.mut_args(without_empty_variable).mut_subcommands(without_empty_variables)
}

fn without_empty_variable(argument: clap::Arg) -> clap::Arg {
    let empty = argument.get_env().is_some_and(|name| crate::credentials::variable(name).is_none());
    if empty { argument.env(None::<&str>) } else { argument }
}

/// Parses a scope, in either case.
pub(crate) fn scope(text: &str) -> Result<Scope, String> {
    text.parse().map_err(|why: ndauth_core::InvalidAccess| why.to_string())
}

/// Parses the slug of an org.
pub(crate) fn org(text: &str) -> Result<OrgSlug, String> {
    text.parse().map_err(|why: ndauth_core::InvalidName| format!("the name of an org {why}"))
}

/// Parses a permission such as `read:assets`.
pub(crate) fn permission(text: &str) -> Result<Permission, String> {
    text.parse().map_err(|why: ndauth_core::InvalidPermission| why.to_string())
}
