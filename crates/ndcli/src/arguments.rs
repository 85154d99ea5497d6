//! The command line of `ndcli`.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::ArgValueCandidates;
use ndauth_client::ServerUrl;
use ndauth_core::{OrgSlug, Permission};
use ndauth_terminal::Failure;
use ndauth_terminal::environment::without_empty_variables;
use ndauth_terminal::settings::Layer;

use crate::commands::{
    aim::Aim, config::Config, create::Create, explain::Explain, list::List, login::Login, logout::Logout,
    org::Org, org_token::OrgToken, permissions, print_access_token::PrintAccessToken, renew::Renewal,
    revoke::Revoke, rotate::Rotation, sessions::Sessions, status::Status, validate::Validate,
};
use crate::completion::{self, Completions};
use crate::help::{Help, Manual};

#[derive(Parser)]
#[command(
    name = "ndcli",
    version,
    about = "Personal access tokens for people and pipelines",
    after_help = "`ndcli help environment` tells of variables, `ndcli help exit-codes` of exit codes.",
    disable_help_subcommand = true
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args, Clone)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Common {
    /// How to print what there is to show
    #[arg(short, long, value_name = "FORMAT", env = "NDCLI_FORMAT", default_value = "table", global = true)]
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

    /// The profile of the configuration to use: another server, other settings
    #[arg(long, value_name = "NAME", env = "NDCLI_PROFILE", global = true,
          add = ArgValueCandidates::new(completion::profiles))]
    pub(crate) profile: Option<String>,

    /// The credential; others on this machine can see it: prefer NDCLI_TOKEN or NDCLI_TOKEN_FILE
    #[arg(long, value_name = "SECRET", global = true)]
    pub(crate) token: Option<String>,

    /// A file of PEM with the authorities to trust, in place of the system's
    #[arg(long, value_name = "FILE", env = "NDCLI_CA_FILE", global = true)]
    pub(crate) ca_file: Option<PathBuf>,

    /// How long to try, while the server cannot be reached or cannot decide
    #[arg(long, value_name = "DURATION", env = "NDCLI_TIMEOUT", default_value = "30s", value_parser = timeout, global = true)]
    pub(crate) timeout: Duration,

    /// Tell on standard error what is asked of which server, and how long it took
    #[arg(short, long, env = "NDCLI_VERBOSE", value_parser = BoolishValueParser::new(), global = true)]
    pub(crate) verbose: bool,

    /// Renew what ends within 7 days: the token in force, if it is standard and self-rotating, or your standard tokens
    #[arg(long, env = "NDCLI_AUTO_REFRESH_TOKEN", value_parser = BoolishValueParser::new(), global = true)]
    pub(crate) auto_refresh_token: bool,

    /// Send the credential in plain text to a server that is not on this machine
    #[arg(long, env = "NDCLI_PLAINTEXT_BEYOND_LOOPBACK", value_parser = BoolishValueParser::new(), global = true)]
    pub(crate) plaintext_beyond_loopback: bool,
}

/// The org that a command acts in.
#[derive(Args)]
pub(crate) struct InOrg {
    /// The org to act in; `ndcli org select` sets it for later commands
    #[arg(long = "org", value_name = "SLUG", env = "NDCLI_ORG", value_parser = org, id = "in_org",
          add = ArgValueCandidates::new(completion::orgs))]
    pub(crate) selected: Option<OrgSlug>,
}

impl InOrg {
    /// The org that is named, or that was selected.
    pub(crate) fn require(&self) -> Result<&OrgSlug, Failure> {
        self.selected.as_ref().ok_or_else(|| {
            Failure::usage(
                "no org is selected",
                "say `--org NAME`, or `ndcli org select NAME` for this and later commands",
            )
        })
    }
}

/// Where a login is kept.
#[derive(Args)]
pub(crate) struct Keeping {
    /// Keep the login in a file, and not in the system's keyring
    #[arg(long, env = "NDCLI_NO_KEYRING", value_parser = BoolishValueParser::new())]
    pub(crate) no_keyring: bool,
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
    /// Make, list, show and revoke the tokens of an org, which outlive whoever made them
    #[command(subcommand)]
    Token(OrgToken),
    /// Show orgs, their members and their policies; select the one to act in
    #[command(subcommand)]
    Org(Org),
    /// Tell of the permissions that there are
    #[command(subcommand)]
    Permissions(Permissions),
    /// Say who the credential stands for
    Whoami,
    /// Ask whether a secret may do a thing, as a service would
    Validate(Validate),
    /// Read and write the configuration: the server, the format, profiles
    #[command(subcommand)]
    Config(Config),
    /// Print a script that lets a shell complete commands, and names of tokens as they are now
    Completions(Completions),
    /// Print the reference of every command, or write its pages for `man`
    Manual(Manual),
    /// Tell of a command, of the variables that are read, or of the exit codes
    Help(Help),
}

#[derive(Subcommand)]
pub(crate) enum Auth {
    /// Create, list and revoke personal access tokens
    #[command(subcommand)]
    Token(Box<Token>),
    /// Log in, by a browser or a code, for this and later commands
    Login(Login),
    /// End the login, at the server and here
    Logout(Logout),
    /// List your logins on all machines and in browsers, and end them
    #[command(subcommand)]
    Sessions(Sessions),
    /// Print a token of a few minutes, for a service; it ends with the login
    PrintAccessToken(PrintAccessToken),
    /// Say which credential is in force, what it is, and how long it lives
    Status(Status),
}

#[derive(Subcommand)]
pub(crate) enum Token {
    /// Create a new personal access token; its value is displayed once
    Create(Create),
    /// List all personal access tokens for your account
    List(List),
    /// Show all that is known of a token: its secrets, and from where it is used
    Show(TokenName),
    /// Give a token a new secret; the old one retires once the new one is used
    Rotate(Rotate),
    /// Move the end of a standard token by 30 days; `refresh` is the same
    #[command(alias = "refresh")]
    Renew(Renew),
    /// Revoke a personal access token, or all of a time
    Revoke(Revoke),
    /// Take a token's power for now
    Suspend(TokenName),
    /// Give it back
    Resume(TokenName),
    /// Say what a token may do, factor by factor, and why it may not
    Explain(Explain),
}

/// A token of the caller's.
#[derive(Args)]
pub(crate) struct TokenName {
    /// Its name, as `ndcli auth token list` shows it
    #[arg(add = ArgValueCandidates::new(completion::token_names))]
    name: String,
}

#[derive(Args)]
pub(crate) struct Rotate {
    #[command(flatten)]
    token: TokenName,

    #[command(flatten)]
    pub(crate) rotation: Rotation,
}

#[derive(Args)]
pub(crate) struct Renew {
    #[command(flatten)]
    token: TokenName,

    #[command(flatten)]
    pub(crate) renewal: Renewal,
}

impl TokenName {
    pub(crate) fn aim(&self) -> Result<Aim, Failure> {
        Aim::mine(&self.name)
    }
}

impl Rotate {
    pub(crate) fn aim(&self) -> Result<Aim, Failure> {
        self.token.aim()
    }
}

impl Renew {
    pub(crate) fn aim(&self) -> Result<Aim, Failure> {
        self.token.aim()
    }
}

#[derive(Subcommand)]
pub(crate) enum Permissions {
    /// List every permission, and the least role that it needs
    List(permissions::List),
}

impl Command {
    /// Whether it does the same whatever is configured, so that it works where that makes no sense.
    pub(crate) fn needs_no_configuration(&self) -> bool {
        match self {
            Command::Help(_) | Command::Completions(_) | Command::Manual(_) => true,
            Command::Config(config) => config.mends(),
            Command::Auth(_)
            | Command::Token(_)
            | Command::Org(_)
            | Command::Permissions(_)
            | Command::Whoami
            | Command::Validate(_) => false,
        }
    }
}

/// The command line on top of what a file sets. For it an empty variable is as good as none.
pub(crate) fn command(layer: &Layer) -> clap::Command {
    without_empty_variables(layer.beneath(Arguments::command()))
}

/// Parses the slug of an org.
pub(crate) fn org(text: &str) -> Result<OrgSlug, String> {
    text.parse().map_err(|why: ndauth_core::InvalidName| format!("the name of an org {why}"))
}

/// Parses a permission such as `read:assets`.
pub(crate) fn permission(text: &str) -> Result<Permission, String> {
    text.parse().map_err(|why: ndauth_core::InvalidPermission| why.to_string())
}

/// Parses a length of time such as `7d`, which may be none.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    humantime::parse_duration(text).map_err(|why| format!("{why}: expected a duration such as `7d` or `24h`"))
}

fn timeout(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration.is_zero() => Err("nothing is done in no time".to_owned()),
        Ok(duration) => Ok(duration),
        Err(why) => Err(format!("{why}: expected a duration such as `30s` or `500ms`")),
    }
}
