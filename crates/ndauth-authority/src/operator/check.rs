//! Checks the database: rows against each other, rows against the log, and the log's own chain.

mod comparison;
mod recorded;

use ndauth_core::{Change, Entry, Head};
use ndauth_store::{Read, StoreError, StoredEvent};

use self::comparison::Comparison;
use self::recorded::{PAGE, Recorded};
use super::catalogue::each_live_token_with_grants;
use super::replay::personal;
use crate::access::{Operation, Whose};
use crate::orgs::{NETWORKS, name_networks};
use crate::{AuthorityError, Credential, OperatorWing};

/// The findings of a check.
#[derive(Debug)]
pub struct Checked {
    /// The faults; empty if there are none.
    pub faults: Vec<String>,
    /// Findings that are no faults: grants that name what left the catalogue, or was renamed.
    pub notes: Vec<String>,
    /// The number of events.
    pub events: u64,
    /// The number of rows compared: of accounts, orgs, policies, memberships, offers, sessions, services and
    /// tokens.
    pub rows: u64,
}

impl OperatorWing<'_> {
    /// Compares everything the database holds with everything it should hold.
    pub async fn check(self, credential: &Credential) -> Result<Checked, AuthorityError> {
        let (read, _) = self.0.read_as(credential, Operation::Inspect, &Whose::Anyone).await?;
        let mut faults: Vec<String> =
            read.faults().await?.iter().map(|fault| format!("{}: `{}`", fault.what, fault.id)).collect();
        let recorded = follow_log(&read, &mut faults).await?;
        let start = read.start_of_log().await?.sequence;
        // What the pruned events recorded is no longer known.
        let (rows, faults) = match start {
            0 => Comparison::new(&read, recorded, faults).run().await?,
            _ => (0, faults),
        };
        let pruned = (start > 0)
            .then(|| format!("the log was pruned up to event {start}: rows are not compared with it"));
        let notes = match self.outdated_grants(&read).await {
            // The corrupt row was already reported as a fault.
            Err(AuthorityError::Store(StoreError::Corrupt { .. })) => Vec::new(),
            notes => pruned.into_iter().chain(notes?).collect(),
        };
        Ok(Checked { faults, notes, events: read.head().sequence, rows })
    }

    /// Returns a note for each name that a live token's grants carry and the catalogue does not.
    async fn outdated_grants(self, read: &Read) -> Result<Vec<String>, AuthorityError> {
        let catalogue = self.0.catalogue(read).await?;
        let mut notes = Vec::new();
        each_live_token_with_grants(read, |token, grants| {
            for (name, now) in catalogue.outdated(grants) {
                let becomes = match now {
                    Some(now) => format!("which is called `{now}` now, and has that power"),
                    None => "which is no longer in the catalogue, and gives no power".to_owned(),
                };
                notes.push(format!("the token `{}` ({}) carries `{name}`, {becomes}", token.name, token.id));
            }
        })
        .await?;
        Ok(notes)
    }
}

/// Follows the chain of the log, and gathers the state that its events record.
async fn follow_log(read: &Read, faults: &mut Vec<String>) -> Result<Recorded, AuthorityError> {
    let mut recorded = Recorded::default();
    let mut last = read.start_of_log().await?;
    loop {
        let events = read.events_after(last.sequence, PAGE).await?;
        if events.is_empty() {
            faults.extend(fault_of_head(read.head(), last));
            return Ok(recorded);
        }
        for event in events {
            if !event.follows(&last) {
                let (this, last) = (event.sequence, last.sequence);
                let fault = "the log's chain is broken at event";
                faults.push(format!("{fault} {this}, which does not follow event {last}"));
            }
            match entry(&event) {
                Some(entry) => recorded.add(event.sequence, entry),
                None => faults.push(format!("event {} is invalid", event.sequence)),
            }
            last = Head { sequence: event.sequence, hash: event.hash };
        }
    }
}

fn fault_of_head(head: Head, last: Head) -> Option<String> {
    let fault = "the head of the log is at event";
    let (found, end) = (head.sequence, last.sequence);
    (head != last).then(|| format!("{fault} {found}, and the last event is {end} (or its hash is another)"))
}

/// Parses an event, and adds the names of its networks to a policy.
fn entry(event: &StoredEvent) -> Option<Entry> {
    let mut entry = Entry::read(&event.public)?;
    if let Change::PolicySet { policies, .. } = &mut entry.change {
        name_networks(policies, personal(event, NETWORKS).as_deref());
    }
    Some(entry)
}
