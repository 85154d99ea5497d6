//! `ndcli audit`: what happened, from the log of events.

mod csv;
mod events;
mod export;
mod refused;
mod verify;

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use clap_complete::ArgValueCandidates;
use ndauth_core::{Handle, OrgSlug, Timestamp};
use ndauth_proto::v1;
use ndauth_terminal::{Failure, instant};

use crate::commands::candidates;
use crate::settings::CommonOptions;
use crate::settings::values::{handle, org};

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

/// Whose history is read: one's own unless something else is named.
#[derive(clap::Args)]
pub(crate) struct HistoryArguments {
    /// The history of this org
    #[arg(long, value_name = "ORG", value_parser = org, add = ArgValueCandidates::new(candidates::orgs))]
    org: Option<OrgSlug>,
    /// Everything that happened; operators only
    #[arg(long, conflicts_with = "org")]
    all: bool,
}

#[derive(clap::Args)]
pub(crate) struct FilterArguments {
    /// Only what this account did, or what was done to it
    #[arg(long, value_name = "ACCOUNT", value_parser = handle)]
    account: Option<Handle>,
    /// Only this token's: its name, id or prefix
    #[arg(long = "of-token", value_name = "TOKEN")]
    of_token: Option<String>,
    /// Only this service's; operators only
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
    /// Only this kind, such as token.created, or token for all of its kinds
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Only at this instant or later
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    since: Option<Timestamp>,
    /// Only before this instant
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    until: Option<Timestamp>,
    #[command(flatten)]
    history: HistoryArguments,
}

#[derive(clap::Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    filter: FilterArguments,
    /// Only after this event, oldest first
    #[arg(long, value_name = "SEQUENCE")]
    after: Option<u64>,
    /// List at most this many
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: usize,
}

#[derive(clap::Args)]
pub(crate) struct TailArguments {
    #[command(flatten)]
    filter: FilterArguments,
    /// Print this many earlier events first
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    lines: usize,
    /// Print those after this event first, instead
    #[arg(long, value_name = "SEQUENCE", conflicts_with = "lines")]
    after: Option<u64>,
}

#[derive(clap::Args)]
pub(crate) struct ExportArguments {
    #[command(flatten)]
    history: HistoryArguments,
    /// Export readable fields as CSV, which cannot be verified
    #[arg(long)]
    csv: bool,
    /// Only after this event
    #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
    after: u64,
    /// Write to this new file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(clap::Args)]
pub(crate) struct VerifyArguments {
    /// Exported JSON lines; `-` is standard input. Without it, the server's log is verified; operators only
    file: Option<PathBuf>,
    /// The file is an export of this org: the server is asked what lies between its events
    #[arg(long, value_name = "ORG", value_parser = org, requires = "file")]
    org: Option<OrgSlug>,
    /// The file is an export of one's own history: as with --org
    #[arg(long, conflicts_with = "org", requires = "file")]
    mine: bool,
    /// The export begins after this event
    #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
    after: u64,
}

/// The pause between two requests of a tail.
const PAUSE: Duration = Duration::from_secs(2);

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
        matches!(self, AuditCommand::Verify(VerifyArguments { file: Some(_), org: None, mine: false, .. }))
    }
}

impl HistoryArguments {
    fn to_proto(&self) -> v1::History {
        history(self.org.as_ref(), self.all)
    }
}

/// Returns the history of an org, everything, or one's own.
fn history(org: Option<&OrgSlug>, all: bool) -> v1::History {
    use v1::history::Kind;
    let kind = match org {
        Some(org) => Kind::Org(org.to_string()),
        None if all => Kind::Everything(v1::All {}),
        None => Kind::Mine(v1::Mine {}),
    };
    v1::History { kind: Some(kind) }
}
