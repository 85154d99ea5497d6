//! The command line of `ndcli`.

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::ArgValueCandidates;
use ndauth_terminal::environment::without_empty_variables;
use ndauth_terminal::{Shell, with_help};

use crate::commands::auth::{
    login::LoginArguments, logout::Logout, notices::Notices, print_access_token::PrintAccessToken,
    sessions::SessionsCommand, status::Status,
};
use crate::commands::tokens::aim::{
    Mine, MineAskedIn, MineIn, NamedToken, OrgsMembersOrMine, OrgsOrMine, OwnerArguments,
};
use crate::commands::tokens::{
    create::Create,
    explain::Explain,
    leaked::Leaked,
    list::ListTokens,
    renew::Renewal,
    revoke::RevokeTokens,
    rotate::{RotateToken, RotationCommand},
    update::Update,
};
use crate::commands::{
    admin::OperatorsCommand, audit::AuditCommand, candidates, config::ConfigCommand, offers::OffersCommand,
    org::OrgCommand, permissions, scan::Scan, validate::Validate,
};
use crate::guide::HELP;
use crate::settings::CommonOptions;
use crate::settings::configuration::Configuration;

#[derive(Parser)]
#[command(
    name = "ndcli",
    version,
    about = "Personal access tokens for people and pipelines",
    after_help = "Example:\n  ndcli auth token create ci --scope rw\n\nVariables: `ndcli help environment`; exit codes: `ndcli help exit-codes`",
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
    /// Log in and out; manage your personal access tokens
    #[command(subcommand)]
    Auth(AuthCommand),
    /// Manage the tokens of an org
    #[command(subcommand)]
    Token(Box<TokenCommand<OrgsOrMine, OrgsOrMine, OrgsOrMine, OrgsMembersOrMine>>),
    /// Manage orgs, members and policies
    #[command(subcommand)]
    Org(OrgCommand),
    /// Accept or decline membership offers
    #[command(subcommand)]
    Offers(OffersCommand),
    /// List permissions
    #[command(subcommand)]
    Permissions(PermissionsCommand),
    /// Manage accounts, orgs and services; operators only
    #[command(subcommand)]
    Admin(OperatorsCommand),
    /// Read what happened: list, follow, export, verify
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Show the identity behind the current credential
    Whoami,
    /// Validate a secret, as a service does
    Validate(Validate),
    /// Find secrets of ndauth in files or in a commit
    ///
    /// No server is asked. What .gitignore, .ignore and .ndauthignore name is left out, and so is a line with the text
    /// ndauth:allow. The exit code is 1 if there is a secret, and 6 if there is none but a file could not be read.
    Scan(Scan),
    /// Read and change the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a completion script for a shell
    Completions(Completions),
    /// Print the reference, or write man pages
    Manual(Manual),
    /// Show help for a command, `environment` or `exit-codes`
    Help(Help),
    /// The same as `ndcli auth login`, as other tools have it
    #[command(hide = true)]
    Login(LoginArguments),
    /// The same as `ndcli auth logout`, as other tools have it
    #[command(hide = true)]
    Logout(Logout),
}

#[derive(Subcommand)]
pub(crate) enum AuthCommand {
    /// Manage your personal access tokens
    #[command(subcommand)]
    Token(Box<TokenCommand<Mine, MineIn, MineAskedIn, Mine>>),
    /// Log in by a browser, a code or a token
    Login(LoginArguments),
    /// End the login
    Logout(Logout),
    /// List and end your logins on all machines
    #[command(subcommand)]
    Sessions(SessionsCommand),
    /// Show which notices are mailed to you, or turn some off
    Notices(Notices),
    /// Print a short-lived token derived from the login
    PrintAccessToken(PrintAccessToken),
    /// Show the credential in use and when it ends
    Status(Status),
    /// The same as `ndcli whoami`, as other tools have it
    #[command(hide = true)]
    Whoami,
}

/// The commands on tokens, a person's own and an org's. The parameters say how each names whose tokens it means.
#[derive(Subcommand)]
pub(crate) enum TokenCommand<W: OwnerArguments, C: OwnerArguments, E: OwnerArguments, S: OwnerArguments> {
    /// Create a token; its secret is shown once
    #[command(alias = "new")]
    Create(Create<C>),
    /// List tokens
    #[command(alias = "ls")]
    List(ListTokens<W>),
    /// Show a token, its secrets and where it is used
    #[command(alias = "get")]
    Show(NamedToken<W>),
    /// Change the description of a token
    Update(Update<W>),
    /// Give a token a new secret
    Rotate(RotateToken<W>),
    /// Finish or undo a rotation
    #[command(subcommand)]
    Rotation(RotationCommand<W>),
    /// Extend a standard token by 30 days
    #[command(alias = "refresh")]
    Renew(Renew<W>),
    /// Revoke a token, or all made before an instant
    #[command(aliases = ["rm", "delete"])]
    Revoke(RevokeTokens<W>),
    /// Report leaked secrets, which ends them
    ///
    /// Whoever has a secret may; no login is needed or used. A token's current secret ends the token. Its old or new
    /// secret in a rotation, and a session, only end themselves. A service's secret is reported to the operator. The exit
    /// code is 0 if none of the secrets works any longer.
    Leaked(Leaked),
    /// Suspend a token until it is resumed
    Suspend(NamedToken<S>),
    /// Resume a suspended token
    Resume(NamedToken<S>),
    /// Explain what a token may do, and why not
    Explain(Explain<E>),
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
    /// List every permission and the role it needs
    #[command(alias = "ls")]
    List(permissions::ListPermissions),
}

#[derive(Args)]
pub(crate) struct Completions {
    /// Shell
    pub(crate) shell: Shell,
}

#[derive(Args)]
pub(crate) struct Help {
    /// A command such as `auth token create`, `environment` or `exit-codes`
    pub(crate) topic: Vec<String>,
}

#[derive(Args)]
pub(crate) struct Manual {
    /// Write a man page of each command to this folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) man: Option<PathBuf>,
}

impl NdcliCommand {
    /// Returns true for a command that makes or ends the stored login, or is handed other secrets: no token file is read
    /// for it.
    pub(crate) fn reads_no_token_file(&self) -> bool {
        match self {
            NdcliCommand::Login(_)
            | NdcliCommand::Logout(_)
            | NdcliCommand::Auth(AuthCommand::Login(_) | AuthCommand::Logout(_)) => true,
            NdcliCommand::Auth(AuthCommand::Token(token)) => matches!(**token, TokenCommand::Leaked(_)),
            NdcliCommand::Token(token) => matches!(**token, TokenCommand::Leaked(_)),
            _ => false,
        }
    }

    /// Returns true if the command does the same with any configuration, so that it works with an invalid one.
    pub(crate) fn needs_no_configuration(&self) -> bool {
        match self {
            NdcliCommand::Scan(_)
            | NdcliCommand::Help(_)
            | NdcliCommand::Completions(_)
            | NdcliCommand::Manual(_) => true,
            NdcliCommand::Config(config) => config.mends(),
            NdcliCommand::Audit(audit) => audit.is_offline(),
            NdcliCommand::Auth(_)
            | NdcliCommand::Token(_)
            | NdcliCommand::Org(_)
            | NdcliCommand::Offers(_)
            | NdcliCommand::Permissions(_)
            | NdcliCommand::Admin(_)
            | NdcliCommand::Whoami
            | NdcliCommand::Login(_)
            | NdcliCommand::Logout(_)
            | NdcliCommand::Validate(_) => false,
        }
    }
}

/// The command line on top of what the files set. An empty variable counts as unset.
pub(crate) fn command(configuration: &Configuration) -> clap::Command {
    let command = with_help(with_candidates(NdcliArguments::command()), HELP);
    let command =
        if configuration.layer.values.contains_key("org") { command } else { with_required_org(command) };
    without_empty_variables(configuration.beneath(command))
}

/// The command line, where a command that acts in an org requires `--org`, so that clap reports it with
/// everything else that is missing.
fn with_required_org(command: clap::Command) -> clap::Command {
    // `explain` may act on the credential itself.
    if command.get_name() == "explain" {
        return command;
    }
    let instead: Vec<clap::Id> = ["user", "of_account", "org_name"]
        .into_iter()
        .filter(|id| command.get_arguments().any(|argument| argument.get_id() == id))
        .map(clap::Id::from)
        .collect();
    let require = |argument: clap::Arg| match argument.get_id().as_str() {
        "in_org" if argument.is_hide_set() => argument,
        "in_org" if instead.is_empty() => argument.required(true),
        "in_org" => argument.required_unless_present_any(&instead),
        _ => argument,
    };
    command.mut_args(require).mut_subcommands(with_required_org)
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

#[cfg(test)]
mod tests;
