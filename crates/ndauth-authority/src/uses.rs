//! Observations: when secrets were last used. They are gathered in memory and written in batches;
//! a crash loses at most a batch's age of them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ndauth_core::{LastUse, SecretId, Timestamp};

use crate::{Authority, AuthorityError};

/// What was observed and not yet written down.
#[derive(Debug, Default)]
pub(crate) struct Uses(Mutex<HashMap<SecretId, LastUse>>);

/// How many secrets' uses are kept; beyond that, new ones are let go until a batch is written.
const MOST: usize = 200_000;
/// How many are written in one transaction.
const BATCH: usize = 500;

impl Uses {
    pub(crate) fn note(&self, secret: SecretId, at: Timestamp, address: Option<IpAddr>) {
        let mut uses = self.lock();
        let room = uses.len() < MOST;
        match uses.get_mut(&secret) {
            Some(known) if known.at <= at => *known = LastUse { at, address },
            Some(_) => {}
            None if room => {
                uses.insert(secret, LastUse { at, address });
            }
            None => metrics::counter!("ndauth_uses_dropped_total").increment(1),
        }
    }

    /// The later of what is written down and what is not yet.
    pub(crate) fn latest(&self, secret: SecretId, written: Option<LastUse>) -> Option<LastUse> {
        let noted = self.lock().get(&secret).copied();
        noted.into_iter().chain(written).max_by_key(|last| last.at)
    }

    fn take(&self) -> HashMap<SecretId, LastUse> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SecretId, LastUse>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Authority {
    /// Writes down what was observed since the last time. What cannot be written is kept.
    pub async fn write_uses(&self) -> Result<(), AuthorityError> {
        let mut left: Vec<(SecretId, LastUse)> = self.uses.take().into_iter().collect();
        left.sort_unstable_by_key(|(secret, _)| *secret);
        while !left.is_empty() {
            let batch = &left[left.len().saturating_sub(BATCH)..];
            if let Err(error) = self.store.record_uses(batch).await {
                for (secret, last) in left {
                    self.uses.note(secret, last.at, last.address);
                }
                return Err(error.into());
            }
            left.truncate(left.len().saturating_sub(BATCH));
        }
        Ok(())
    }
}
