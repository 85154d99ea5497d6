//! Observations: when secrets were last used. They are gathered in memory and written in batches;
//! a crash loses at most a batch's age of them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ndauth_core::{LastUse, Noted, SecretId, Timestamp};

use crate::{Authority, AuthorityError};

/// What was observed and not yet written down.
#[derive(Debug)]
pub(crate) struct Uses {
    /// Whoever answers puts it here, without waiting for anyone.
    noted: Sender<(SecretId, LastUse)>,
    waiting: AtomicUsize,
    gathered: Mutex<Gathered>,
}

#[derive(Debug)]
struct Gathered {
    noted: Receiver<(SecretId, LastUse)>,
    uses: HashMap<SecretId, LastUse>,
}

/// How many uses are kept; beyond that, new ones are let go until a batch is written.
const MOST: usize = 200_000;
/// How many are written in one transaction.
const BATCH: usize = 500;
impl Default for Uses {
    fn default() -> Uses {
        let (noted, receiver) = channel();
        let gathered = Mutex::new(Gathered { noted: receiver, uses: HashMap::new() });
        Uses { noted, waiting: AtomicUsize::new(0), gathered }
    }
}

impl Uses {
    pub(crate) fn note(&self, secret: SecretId, at: Timestamp, address: Option<IpAddr>) {
        if self.waiting.fetch_add(1, Ordering::Relaxed) < MOST {
            // The receiver lives as long as this.
            let _ = self.noted.send((secret, LastUse { at, address }));
        } else {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            metrics::counter!("ndauth_uses_dropped_total").increment(1);
        }
    }

    /// Notes it, unless it was noted just before.
    pub(crate) fn note_since(&self, noted: &Noted, secret: SecretId, at: Timestamp, address: Option<IpAddr>) {
        if noted.due(at, address) {
            self.note(secret, at, address);
        }
    }

    /// The later of what is written down and what is not yet.
    pub(crate) fn latest(&self, secret: SecretId, written: Option<LastUse>) -> Option<LastUse> {
        let noted = self.gather().uses.get(&secret).copied();
        noted.into_iter().chain(written).max_by_key(|last| last.at)
    }

    fn take(&self) -> HashMap<SecretId, LastUse> {
        std::mem::take(&mut self.gather().uses)
    }

    fn gather(&self) -> MutexGuard<'_, Gathered> {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        let Gathered { noted, uses } = &mut *gathered;
        for (secret, last) in noted.try_iter() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            let known = uses.entry(secret).or_insert(last);
            if known.at <= last.at {
                *known = last;
            }
        }
        gathered
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
