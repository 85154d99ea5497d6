//! `ndcli audit`: what happened, from the log of events.

mod arguments;

mod events;
mod refused;

mod csv;

mod export;

mod verify;

use clap::Subcommand;
use ndauth_core::Timestamp;
use ndauth_terminal::{Failure, instant};

use self::arguments::{ExportArguments, HistoryArguments, ListArguments, TailArguments, VerifyArguments};
use crate::settings::CommonOptions;

#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// List events, newest first
    #[command(alias = "ls")]
    List(ListArguments),
    /// Print the last events, and new ones as they happen
    Tail(TailArguments),
    /// Show an event
    #[command(alias = "get")]
    Show {
        /// Its number in the log
        sequence: u64,
        #[command(flatten)]
        history: HistoryArguments,
    },
    /// List refused sign-ins, changes and validations, newest first
    Refused {
        /// Only at this instant or later
        #[arg(long, value_name = "INSTANT", value_parser = instant)]
        since: Option<Timestamp>,
        /// List at most this many
        #[arg(long, value_name = "COUNT", default_value_t = 100)]
        limit: usize,
        #[command(flatten)]
        history: HistoryArguments,
    },
    /// Export events as JSON lines that can be verified, or as CSV
    Export(ExportArguments),
    /// Verify the chain of an export, or of the server's log
    Verify(VerifyArguments),
}

pub(crate) async fn run(common: &CommonOptions, command: &AuditCommand) -> Result<(), Failure> {
    match command {
        AuditCommand::List(list) => events::list(common, list).await,
        AuditCommand::Tail(tail) => events::tail(common, tail).await,
        AuditCommand::Show { sequence, history } => events::show(common, *sequence, history).await,
        AuditCommand::Refused { since, limit, history } => {
            refused::list(common, *since, *limit, history).await
        }
        AuditCommand::Export(export) => export::run(common, export).await,
        AuditCommand::Verify(verify) => verify::run(common, verify).await,
    }
}

impl AuditCommand {
    /// Returns true if the command asks no server.
    pub(crate) fn is_offline(&self) -> bool {
        matches!(self, AuditCommand::Verify(verify) if verify.is_offline())
    }
}
