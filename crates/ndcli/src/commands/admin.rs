//! `ndcli admin`: an operator's commands, on a running server.

mod printed;

mod accounts;
mod installation;
mod orgs;
mod services;

use clap::Subcommand;
use ndauth_terminal::Failure;

use crate::settings::CommonOptions;

#[derive(Subcommand)]
pub(crate) enum OperatorsCommand {
    /// Manage accounts
    #[command(subcommand)]
    Account(accounts::AccountCommand),
    /// Create or list orgs
    #[command(subcommand)]
    Org(orgs::AllOrgsCommand),
    /// Add members
    #[command(subcommand)]
    Member(orgs::AddMemberCommand),
    /// Manage internal services and their secrets
    #[command(subcommand)]
    Service(services::ServiceCommand),
    /// Show the counts and the health of the installation
    Status,
}

/// Carries out a command of an operator.
pub(crate) async fn run(common: &CommonOptions, command: &OperatorsCommand) -> Result<(), Failure> {
    match command {
        OperatorsCommand::Account(command) => accounts::run(common, command).await,
        OperatorsCommand::Org(command) => orgs::run(common, command).await,
        OperatorsCommand::Member(command) => orgs::run_member(common, command).await,
        OperatorsCommand::Service(command) => services::run(common, command).await,
        OperatorsCommand::Status => installation::status(common).await,
    }
}
