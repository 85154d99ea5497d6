//! The arguments of the audit's commands.

use std::path::PathBuf;

use clap_complete::ArgValueCandidates;
use ndauth_core::{Handle, OrgSlug, Timestamp};
use ndauth_proto::v1;
use ndauth_terminal::instant;

use crate::commands::candidates;
use crate::settings::values::{handle, org};

/// Whose history is read: one's own unless something else is named.
#[derive(clap::Args)]
pub(crate) struct HistoryArguments {
    /// The history of this org
    #[arg(long, value_name = "ORG", value_parser = org, add = ArgValueCandidates::new(candidates::orgs))]
    pub(super) org: Option<OrgSlug>,
    /// Everything that happened; operators only
    #[arg(long, conflicts_with = "org")]
    pub(super) all: bool,
}

#[derive(clap::Args)]
pub(crate) struct FilterArguments {
    /// Only what this account did, or what was done to it
    #[arg(long, value_name = "ACCOUNT", value_parser = handle)]
    pub(super) account: Option<Handle>,
    /// Only this token's: its name, id or prefix
    #[arg(long = "of-token", value_name = "TOKEN")]
    pub(super) of_token: Option<String>,
    /// Only this service's; operators only
    #[arg(long, value_name = "SERVICE")]
    pub(super) service: Option<String>,
    /// Only this kind, such as token.created, or token for all of its kinds
    #[arg(long, value_name = "KIND")]
    pub(super) kind: Option<String>,
    /// Only at this instant or later
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    pub(super) since: Option<Timestamp>,
    /// Only before this instant
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    pub(super) until: Option<Timestamp>,
    #[command(flatten)]
    pub(super) history: HistoryArguments,
}

#[derive(clap::Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    pub(super) filter: FilterArguments,
    /// Only after this event, oldest first
    #[arg(long, value_name = "SEQUENCE")]
    pub(super) after: Option<u64>,
    /// List at most this many
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    pub(super) limit: usize,
}

#[derive(clap::Args)]
pub(crate) struct TailArguments {
    #[command(flatten)]
    pub(super) filter: FilterArguments,
    /// Print this many earlier events first
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    pub(super) lines: usize,
    /// Print those after this event first, instead
    #[arg(long, value_name = "SEQUENCE", conflicts_with = "lines")]
    pub(super) after: Option<u64>,
}

#[derive(clap::Args)]
pub(crate) struct ExportArguments {
    #[command(flatten)]
    pub(super) history: HistoryArguments,
    /// Export readable fields as CSV, which cannot be verified
    #[arg(long)]
    pub(super) csv: bool,
    /// Only after this event
    #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
    pub(super) after: u64,
    /// Write to this new file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

#[derive(clap::Args)]
pub(crate) struct VerifyArguments {
    /// Exported JSON lines; `-` is standard input. Without it, the server's log is verified; operators only
    pub(super) file: Option<PathBuf>,
    /// The file is an export of this org: the server is asked what lies between its events
    #[arg(long, value_name = "ORG", value_parser = org, requires = "file")]
    pub(super) org: Option<OrgSlug>,
    /// The file is an export of one's own history: as with --org
    #[arg(long, conflicts_with = "org", requires = "file")]
    pub(super) mine: bool,
    /// The export begins after this event
    #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
    pub(super) after: u64,
}

impl VerifyArguments {
    /// Returns true if the command asks no server.
    pub(super) fn is_offline(&self) -> bool {
        self.file.is_some() && self.org.is_none() && !self.mine
    }
}

impl HistoryArguments {
    pub(super) fn to_proto(&self) -> v1::History {
        history(self.org.as_ref(), self.all)
    }
}

/// Returns the history of an org, everything, or one's own.
pub(super) fn history(org: Option<&OrgSlug>, all: bool) -> v1::History {
    use v1::history::Kind;
    let kind = match org {
        Some(org) => Kind::Org(org.to_string()),
        None if all => Kind::Everything(v1::All {}),
        None => Kind::Mine(v1::Mine {}),
    };
    v1::History { kind: Some(kind) }
}
