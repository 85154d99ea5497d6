//! The state that the clones of a verifier share.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use ndauth_clock::{RemoteClock, SinceBoot};
use ndauth_core::{
    COUNTED_FOR, Counts, InputPlace, Inputs, LastUse, Noting, Org, OrgId, OrgSlug, OrgWithPolicies,
    RecordedUses, Rules, Scope, SecretHash, UseTally,
};
use ndauth_proto::timestamp_to_proto;
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
    pub(super) dead: Cache<SecretHash, Arc<FinalRefusal>>,
    pub(super) grounds: SharedOrgs,
    pub(super) joined: Joined,
    pub(super) asking: Semaphore,
    /// Uses that are not reported to the server yet.
    pub(super) uses: Mutex<UnreportedUses>,
    pub(super) news: watch::Sender<()>,
    pub(super) counts: Counters,
}

/// A secret with a final refusal.
pub(super) struct FinalRefusal {
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
    /// The recorded uses of the secret.
    pub(super) noted: RecordedUses<String>,
    /// The verifier state whose cache holds it.
    pub(super) verifier: Weak<Shared>,
}

/// Uses that are not reported to the server yet.
#[derive(Default)]
pub(super) struct UnreportedUses {
    ready: VecDeque<SecretUse>,
    /// Tallies that still count, each with the instant at which it began, the oldest first.
    counting: VecDeque<(SinceBoot, TalliedSecret)>,
}

/// A secret whose uses are counted.
struct TalliedSecret {
    hash: SecretHash,
    /// The slug of the org, if the request names one.
    org: Option<OrgSlug>,
    tally: Arc<UseTally<String>>,
}

/// The orgs as they were last received, so that the cache entries of an org share one copy.
pub(super) struct SharedOrgs(Cache<OrgId, Arc<OrgWithPolicies>>);

/// The most uses that wait to be reported.
const MOST_USES: usize = 10_000;
/// The most tallies that count at a time.
const MOST_TALLIES: usize = 100_000;
/// The most orgs that are shared.
const GROUNDS: usize = 1024;

impl Shared {
    /// Counts a use, which is reported to the server later.
    pub(super) fn count(
        &self,
        (hash, noted): (&SecretHash, &RecordedUses<String>),
        access: Scope,
        last: LastUse,
        org: Option<&Org>,
        client: Option<&str>,
    ) {
        match noted.count(access, last, org.map(|org| org.id), client) {
            Noting::Now => {
                let used = secret_use(hash, org.map(|org| &org.slug), client, last, Counts::one(access));
                self.uses().push(used);
            }
            Noting::Later(tally) => {
                let counted = TalliedSecret { hash: *hash, org: org.map(|org| org.slug.clone()), tally };
                self.uses().count(SinceBoot::now(), counted);
            }
            Noting::Counted => {}
        }
    }

    /// Locks the uses that are not reported to the server yet. Callers hold the lock only briefly.
    pub(super) fn uses(&self) -> MutexGuard<'_, UnreportedUses> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnreportedUses {
    fn push(&mut self, used: SecretUse) {
        if self.ready.len() < MOST_USES {
            self.ready.push_back(used);
        }
    }

    fn count(&mut self, since: SinceBoot, counted: TalliedSecret) {
        if self.counting.len() < MOST_TALLIES {
            self.counting.push_back((since, counted));
        } else {
            // Too many: these counts are dropped, as nothing else reports them.
            counted.tally.take();
        }
    }

    /// Takes at most `most` uses to report now: those that are ready, and tallies that have counted long enough.
    pub(super) fn take(&mut self, now: SinceBoot, most: usize) -> Vec<SecretUse> {
        while self.ready.len() < most
            && let Some((_, TalliedSecret { hash, org, tally })) =
                self.counting.pop_front_if(|(since, _)| now.since(*since) >= COUNTED_FOR)
        {
            let counts = tally.take();
            if counts != Counts::default() {
                self.push(secret_use(&hash, org.as_ref(), tally.client.as_deref(), tally.last(), counts));
            }
        }
        self.ready.drain(..most.min(self.ready.len())).collect()
    }
}

/// Returns the message that reports uses of a secret.
fn secret_use(
    hash: &SecretHash,
    org: Option<&OrgSlug>,
    client: Option<&str>,
    last: LastUse,
    counts: Counts,
) -> SecretUse {
    SecretUse {
        secret_hash: hash.bytes().to_vec(),
        org: org.map(ToString::to_string).unwrap_or_default(),
        at: Some(timestamp_to_proto(last.at)),
        address: last.address.map(|address| address.to_string()).unwrap_or_default(),
        client: client.unwrap_or_default().to_owned(),
        reads: counts.reads,
        writes: counts.writes,
    }
}

impl Counters {
    /// Counts a request that was decided from the cache.
    pub(super) fn local(&self, hash: &SecretHash) {
        let [.., bits] = *hash.bytes();
        self.local[usize::from(bits) % self.local.len()].0.fetch_add(1, Ordering::Relaxed);
    }
}

impl SharedOrgs {
    pub(super) fn new() -> SharedOrgs {
        SharedOrgs(Cache::new(GROUNDS))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: u64) -> SinceBoot {
        SinceBoot::from_micros(1).after(Duration::from_secs(seconds))
    }

    /// Uses are reported once they were counted for a while, and never more at once than the limit.
    #[test]
    fn uses_are_reported_after_a_while_each_once() {
        let mut uses = UnreportedUses::default();
        let secret: ndauth_core::Secret =
            "ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U".parse().expect("a secret");
        let noted: Vec<RecordedUses<String>> = (0..3).map(|_| RecordedUses::default()).collect();
        let last = LastUse { at: ndauth_core::Timestamp::from_micros(7).expect("an instant"), address: None };
        for noted in &noted {
            for _ in 0..100 {
                if let Noting::Later(tally) = noted.count(Scope::Rw, last, None, Some("ci")) {
                    uses.count(after(0), TalliedSecret { hash: secret.hash(), org: None, tally });
                }
            }
        }
        let mut taken = |seconds, most| -> Vec<u64> {
            uses.take(after(seconds), most).iter().map(|used| used.writes).collect()
        };
        // The first use of each was not tallied: it is reported at once.
        assert!(taken(29, 10).is_empty());
        assert_eq!((taken(30, 2), taken(30, 2)), (vec![99, 99], vec![99]));
        assert!(taken(60, 10).is_empty());
    }
}
