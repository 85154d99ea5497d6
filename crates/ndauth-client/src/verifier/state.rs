//! The state that the clones of a verifier share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use ndauth_clock::{RemoteClock, SinceBoot};
use ndauth_core::{InputGround, InputPlace, Inputs, Noted, OrgId, Rules, SecretHash};
use ndauth_proto::v1::SecretUse;
use quick_cache::sync::Cache;
use tokio::sync::{Semaphore, watch};

use super::joined::Joined;
use super::memory::{Memory, Stamp};
use super::refused::Refused;
use super::servers::Servers;

/// The state that the clones of a verifier share.
pub(crate) struct Shared {
    pub(super) servers: Servers,
    pub(super) timeout: Duration,
    pub(super) memory: Memory,
    pub(super) rules: ArcSwapOption<Rules>,
    /// The authority's time.
    pub(super) clock: RemoteClock,
    pub(super) kept: Cache<SecretHash, Arc<CacheEntry>>,
    /// The final refusals of secrets, each until it must be asked again. They have their own cache, so that
    /// guessed secrets evict no entries.
    pub(super) dead: Cache<SecretHash, Arc<Dead>>,
    pub(super) grounds: Grounds,
    pub(super) joined: Joined,
    pub(super) asking: Semaphore,
    /// The uses that have not been reported to the server yet.
    pub(super) uses: Mutex<Vec<SecretUse>>,
    pub(super) news: watch::Sender<()>,
    pub(super) counts: Counters,
}

/// A secret with a final refusal.
pub(super) struct Dead {
    pub(super) refused: Refused,
    pub(super) until: SinceBoot,
}

#[derive(Default)]
pub(super) struct Counters {
    /// Sharded by some bits of the hash, so that cores do not contend.
    pub(super) local: [Padded; 16],
    pub(super) asked: AtomicU64,
    pub(super) undecided: AtomicU64,
    pub(super) watches: AtomicU64,
    pub(super) resets: AtomicU64,
}

/// A number with a cache line of its own.
#[derive(Default)]
#[repr(align(64))]
pub(super) struct Padded(pub(super) AtomicU64);

/// The cached inputs of one secret, and their stamp.
pub(crate) struct CacheEntry {
    pub(crate) inputs: Inputs,
    pub(super) stamp: Stamp,
    /// The last use that was reported to the server.
    pub(super) noted: Noted,
    /// The verifier that caches it.
    pub(super) home: Weak<Shared>,
}

/// The last known state of each org. Entries in the same org share it.
pub(super) struct Grounds(Cache<OrgId, Arc<InputGround>>);

/// The most uses that wait to be reported.
const MOST_USES: usize = 10_000;
/// The most orgs that are shared.
const GROUNDS: usize = 1024;

impl Shared {
    /// Queues a use for the next report to the server. A full queue drops it.
    pub(super) fn note(&self, noted: SecretUse) {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.len() < MOST_USES {
            uses.push(noted);
        }
    }
}

impl Counters {
    /// Counts a request that was decided from the cache.
    pub(super) fn local(&self, hash: &SecretHash) {
        let [.., bits] = *hash.bytes();
        self.local[usize::from(bits) % self.local.len()].0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Grounds {
    pub(super) fn new() -> Grounds {
        Grounds(Cache::new(GROUNDS))
    }

    /// Replaces the orgs of the inputs by equal ones that other entries already share.
    pub(super) fn share(&self, inputs: &mut Inputs) {
        for place in &mut inputs.places {
            let InputPlace::In(ground, _) = place else { continue };
            match self.0.get(&ground.org.id).filter(|known| **known == **ground) {
                Some(known) => *ground = known,
                None => self.0.insert(ground.org.id, Arc::clone(ground)),
            }
        }
        inputs.places.shrink_to_fit();
    }
}
