//! What the clones of a verifier share.

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

/// What the clones of a verifier share.
pub(crate) struct Shared {
    pub(super) servers: Servers,
    pub(super) timeout: Duration,
    pub(super) memory: Memory,
    pub(super) rules: ArcSwapOption<Rules>,
    /// The authority's time.
    pub(super) clock: RemoteClock,
    pub(super) kept: Cache<SecretHash, Arc<CacheEntry>>,
    /// Secrets that have no power whatever is asked, until it may be another. Apart, so that guesses push out no other.
    pub(super) dead: Cache<SecretHash, Arc<Dead>>,
    pub(super) grounds: Grounds,
    pub(super) joined: Joined,
    pub(super) asking: Semaphore,
    /// Uses that the server was not told of yet.
    pub(super) uses: Mutex<Vec<SecretUse>>,
    pub(super) news: watch::Sender<()>,
    pub(super) counts: Counters,
}

/// A secret without power.
pub(super) struct Dead {
    pub(super) refused: Refused,
    pub(super) until: SinceBoot,
}

#[derive(Default)]
pub(super) struct Counters {
    /// By some bits of the secret, so that cores do not get in each other's way.
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

/// What is kept of one secret, and what that is worth.
pub(crate) struct CacheEntry {
    pub(crate) inputs: Inputs,
    pub(super) stamp: Stamp,
    /// When the server was last told of a use.
    pub(super) noted: Noted,
    /// Where it is kept.
    pub(super) home: Weak<Shared>,
}

/// Orgs as they were told last: those who stand in one share it.
pub(super) struct Grounds(Cache<OrgId, Arc<InputGround>>);

/// How many uses wait to be told of.
const MOST_USES: usize = 10_000;
/// How many orgs are shared.
const GROUNDS: usize = 1024;

impl Shared {
    /// Keeps a use that the server is to be told of.
    pub(super) fn note(&self, noted: SecretUse) {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.len() < MOST_USES {
            uses.push(noted);
        }
    }
}

impl Counters {
    /// Counts a question that was answered by what is kept.
    pub(super) fn local(&self, hash: &SecretHash) {
        let [.., bits] = *hash.bytes();
        self.local[usize::from(bits) % self.local.len()].0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Grounds {
    pub(super) fn new() -> Grounds {
        Grounds(Cache::new(GROUNDS))
    }

    /// Lets inputs share what others have of the same orgs already.
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
