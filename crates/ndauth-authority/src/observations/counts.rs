//! The recent counts of owners' tokens. To count them reads a row for each, so a count is made at most once a minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ndauth_core::{Owner, Timestamp};
use ndauth_store::TokenCounts;

/// The counts, with the instant of each.
#[derive(Debug, Default)]
pub(crate) struct RecentCounts(Mutex<HashMap<Owner, (Timestamp, TokenCounts)>>);

/// The time for which a count is shown.
const SHOWN: Duration = Duration::from_secs(60);
/// The most counts that are kept.
const MOST: usize = 1000;

impl RecentCounts {
    /// Returns the count of an owner's tokens, if it is recent.
    pub(crate) fn recent(&self, owner: Owner, now: Timestamp) -> Option<TokenCounts> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(&owner).filter(|(at, _)| now.since(*at) < SHOWN).map(|(_, counts)| *counts)
    }

    /// Keeps a count.
    pub(crate) fn keep(&self, owner: Owner, now: Timestamp, counted: TokenCounts) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MOST {
            counts.retain(|_, (at, _)| now.since(*at) < SHOWN);
        }
        if counts.len() < MOST {
            counts.insert(owner, (now, counted));
        }
    }
}
