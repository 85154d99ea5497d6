//! The command line of `ndcli`.

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::ArgValueCandidates;
use ndauth_terminal::environment::without_empty_variables;
use ndauth_terminal::settings::Layer;

use crate::commands::auth::{
    login::LoginArguments, logout::Logout, print_access_token::PrintAccessToken, sessions::SessionsCommand,
    status::Status,
};
use crate::commands::tokens::aim::{Mine, MineAskedIn, MineIn, NamedToken, OrgsOrMine, OwnerArguments};
use crate::commands::tokens::{
    create::Create, explain::Explain, list::ListTokens, renew::Renewal, revoke::RevokeTokens,
    rotate::RotationOptions, update::Update,
};
use crate::commands::{
    candidates, config::ConfigCommand, offers::OffersCommand, org::OrgCommand, permissions,
    validate::Validate,
};
use crate::settings::CommonOptions;

#[derive(Parser)]
#[command(
    name = "ndcli",
    version,
    about = "Personal access tokens for people and pipelines",
    after_help = "`ndcli help environment` tells of variables, `ndcli help exit-codes` of exit codes.",
    disable_help_subcommand = true
)]
pub(crate) struct NdcliArguments {
    #[command(flatten)]
    pub(crate) common: CommonOptions,

    #[command(subcommand)]
    pub(crate) command: NdcliCommand,
}

#[derive(Subcommand)]
pub(crate) enum NdcliCommand {
    /// Log in and out, and manage personal access tokens
    #[command(subcommand)]
    Auth(AuthCommand),
    /// Make, list, show and revoke the tokens of an org, which outlive whoever made them
    #[command(subcommand)]
    Token(Box<TokenCommand<OrgsOrMine, OrgsOrMine, OrgsOrMine>>),
    /// Show orgs, their members and their policies; select the one to act in
    #[command(subcommand)]
    Org(OrgCommand),
    /// List, accept and decline the memberships that orgs offer you
    #[command(subcommand)]
    Offers(OffersCommand),
    /// Tell of the permissions that there are
    #[command(subcommand)]
    Permissions(PermissionsCommand),
    /// Say who the credential stands for
    Whoami,
    /// Ask whether a secret may do a thing, as a service would
    Validate(Validate),
    /// Read and write the configuration: the server, the format, profiles
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a script that lets a shell complete commands, and names of tokens as they are now
    Completions(Completions),
    /// Print the reference of every command, or write its pages for `man`
    Manual(Manual),
    /// Tell of a command, of the variables that are read, or of the exit codes
    Help(Help),
}

#[derive(Subcommand)]
pub(crate) enum AuthCommand {
    /// Create, list and revoke personal access tokens
    #[command(subcommand)]
    Token(Box<TokenCommand<Mine, MineIn, MineAskedIn>>),
    /// Log in, by a browser or a code, for this and later commands
    Login(LoginArguments),
    /// End the login, at the server and here
    Logout(Logout),
    /// List your logins on all machines and in browsers, and end them
    #[command(subcommand)]
    Sessions(SessionsCommand),
    /// Print a token of a few minutes, for a service; it ends with the login
    PrintAccessToken(PrintAccessToken),
    /// Say which credential is in force, what it is, and how long it lives
    Status(Status),
}

/// What can be done with tokens, a person's own and an org's.
#[derive(Subcommand)]
pub(crate) enum TokenCommand<W: OwnerArguments, C: OwnerArguments, E: OwnerArguments> {
    /// Create a token; its value is displayed once
    Create(Create<C>),
    /// List tokens
    List(ListTokens<W>),
    /// Show all that is known of a token: its secrets, and from where it is used
    Show(NamedToken<W>),
    /// Change the description of a token
    Update(Update<W>),
    /// Give a token a new secret; the old one retires once the new one is used
    Rotate(Rotate<W>),
    /// Move the end of a standard token by 30 days; `refresh` is the same
    #[command(alias = "refresh")]
    Renew(Renew<W>),
    /// Revoke a token, or all of a time
    Revoke(RevokeTokens<W>),
    /// Suspend a token: it has no power until it is resumed
    Suspend(NamedToken<W>),
    /// Resume a suspended token
    Resume(NamedToken<W>),
    /// Say what a token may do, factor by factor, and why it may not
    Explain(Explain<E>),
}

#[derive(Args)]
pub(crate) struct Rotate<W: OwnerArguments> {
    #[command(flatten)]
    pub(crate) named: NamedToken<W>,

    #[command(flatten)]
    pub(crate) rotation: RotationOptions,
}

#[derive(Args)]
pub(crate) struct Renew<W: OwnerArguments> {
    #[command(flatten)]
    pub(crate) named: NamedToken<W>,

    #[command(flatten)]
    pub(crate) renewal: Renewal,
}

#[derive(Subcommand)]
pub(crate) enum PermissionsCommand {
    /// List every permission, and the least role that it needs
    List(permissions::ListPermissions),
}

#[derive(Args)]
pub(crate) struct Completions {
    /// For which shell; its own documentation says where the script goes
    pub(crate) shell: Shell,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Shell {
    /// In `~/.bashrc`: `source <(ndcli completions bash)`
    Bash,
    /// In `~/.zshrc`: `source <(ndcli completions zsh)`
    Zsh,
    /// In `~/.config/fish/config.fish`: `ndcli completions fish | source`
    Fish,
    /// In the profile: `ndcli completions powershell | Out-String | Invoke-Expression`
    Powershell,
}

#[derive(Args)]
pub(crate) struct Help {
    /// A command, such as `auth token create`; `environment`; or `exit-codes`
    pub(crate) topic: Vec<String>,
}

#[derive(Args)]
pub(crate) struct Manual {
    /// Write a page for `man` of each command to this folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) man: Option<PathBuf>,
}

impl NdcliCommand {
    /// Whether it does the same whatever is configured, so that it works where that makes no sense.
    pub(crate) fn needs_no_configuration(&self) -> bool {
        match self {
            NdcliCommand::Help(_) | NdcliCommand::Completions(_) | NdcliCommand::Manual(_) => true,
            NdcliCommand::Config(config) => config.mends(),
            NdcliCommand::Auth(_)
            | NdcliCommand::Token(_)
            | NdcliCommand::Org(_)
            | NdcliCommand::Offers(_)
            | NdcliCommand::Permissions(_)
            | NdcliCommand::Whoami
            | NdcliCommand::Validate(_) => false,
        }
    }
}

/// The command line on top of what a file sets. For it an empty variable is as good as none.
pub(crate) fn command(layer: &Layer) -> clap::Command {
    without_empty_variables(layer.beneath(with_candidates(NdcliArguments::command())))
}

/// The command line, with candidates for the options that many commands take: those lie below what finds candidates.
fn with_candidates(command: clap::Command) -> clap::Command {
    let offer = |argument: clap::Arg| match argument.get_id().as_str() {
        "profile" => argument.add(ArgValueCandidates::new(candidates::profiles)),
        "in_org" => argument.add(ArgValueCandidates::new(candidates::orgs)),
        _ => argument,
    };
    command.mut_args(offer).mut_subcommands(with_candidates)
}
