//! The state of the mirror.
//!
//! Reading it takes no lock. The one writer makes the version odd while it applies events, and a
//! [`View`](super::View) that overlaps with that is taken again.

use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use ndauth_clock::SinceBoot;
use ndauth_core::{
    AccountId, Catalogue, CatalogueDocument, ClientName, EffectiveGrants, Expiry, Grants, Head, Installation,
    OrgId, OrgSlug, RecordedUses, Refusal, RulesVersion, SecretHash, SecretId, SecretRecord, Service,
    ServiceId, Since, Timestamp, Token,
};
use ndauth_store::{Partitioned, Person, Place, WithSecrets};
use papaya::{Compute, HashMap, Operation};
use seize::Collector;

use super::feed::{FeedEvent, Recent};
use super::rows::{DecisionRules, Fresh};

/// Everything that a service can ask about, as of the last event applied.
pub(crate) struct State {
    /// Differs from that of every other state that was loaded, here or at another instance.
    pub(super) id: u64,
    /// Odd while events are applied.
    pub(super) version: AtomicU64,
    pub(super) sequence: AtomicU64,
    pub(super) confirmed: AtomicI64,
    pub(super) asked: AtomicI64,
    pub(super) secrets: HashMap<SecretHash, Known, Uniform>,
    /// The number of secrets that ended long ago.
    dead: AtomicUsize,
    pub(super) people: HashMap<AccountId, Person, Uniform>,
    pub(super) places: HashMap<OrgId, Place, Uniform>,
    pub(super) slugs: HashMap<OrgSlug, OrgId>,
    /// True if the row of some org is corrupt, so any slug may be that org's.
    pub(super) places_missing: AtomicBool,
    pub(super) services: HashMap<ServiceId, Arc<Service>, Uniform>,
    pub(super) rules: ArcSwap<DecisionRules>,
    pub(super) recent: Mutex<Recent>,
}

/// The owner of a secret.
#[derive(Debug)]
pub(crate) enum Known {
    /// A token, the index of the secret among its secrets, and its last recorded use.
    Token(Arc<TokenFamily>, u32, RecordedUses<ClientName>),
    /// A service, with the record of the secret.
    Service(Box<(SecretRecord, Arc<Service>)>),
    /// A token's secret that is long dead.
    Dead(Death, DeadSecret),
    /// A token or a service whose rows are corrupt.
    Broken,
}

/// The remains of a secret that has been dead for a while, alone or with its token: the data of its refusal.
/// No event makes it live again, and a later revocation of all of its owner's secrets does not change the
/// refusal.
#[derive(Debug)]
pub(crate) struct DeadSecret {
    pub(crate) id: SecretId,
    at: Timestamp,
}

/// The cause of a secret's death. It is kept apart from [`DeadSecret`], so that it takes no space of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Death {
    Replaced,
    SecretExpired,
    Revoked,
    Expired,
}

/// The time for which a dead secret is kept whole, because services report for a while that it was used.
pub(super) const KEPT_WHOLE: Duration = Duration::from_secs(60 * 60);

/// An entry and its key take 64 bytes, a size class of allocators. The table takes 9 to 18 more.
const _: () = assert!(size_of::<(SecretHash, Known)>() <= 64);

/// A token and its secrets.
#[derive(Debug)]
pub(crate) struct TokenFamily {
    pub(crate) token: Token,
    newest: SecretRecord,
    rest: Option<Box<FamilyRest>>,
}

/// The fields that few tokens have.
#[derive(Debug)]
struct FamilyRest {
    older: Vec<SecretRecord>,
    /// The part of a set of grants that a catalogue leaves, and the version of that catalogue's rules.
    effective_grants: ArcSwapOption<(RulesVersion, EffectiveGrants)>,
}

/// With the two counters of an `Arc` it takes 256 bytes, a size class of allocators; the next is 320.
const _: () = assert!(size_of::<TokenFamily>() <= 240);

/// A hasher for keys that are evenly spread already: hashes, and ids that end in random bits.
#[derive(Default)]
pub(crate) struct IdentityHasher(u64);

type Uniform = BuildHasherDefault<IdentityHasher>;

impl Hasher for IdentityHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last_chunk() {
            self.0 = u64::from_ne_bytes(*last);
        }
    }

    /// The length of an array is not hashed.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

impl DeadSecret {
    /// Returns the remains of a token's secret, if it has been dead for long enough.
    fn of(record: &SecretRecord, token: &Token, now: Timestamp) -> Option<(Death, DeadSecret)> {
        let by_itself = record.judge(now).err();
        // Once its own end comes, that would be reported in place of its token's.
        if by_itself.is_none() && record.ends_at != Expiry::Never {
            return None;
        }
        let (cause, since) = match by_itself.or_else(|| token.judge(now).err())? {
            Refusal::Replaced(since) => (Death::Replaced, since),
            Refusal::SecretExpired(since) => (Death::SecretExpired, since),
            Refusal::Revoked(since) => (Death::Revoked, since),
            Refusal::Expired(since) => (Death::Expired, since),
            _ => return None,
        };
        let dead = DeadSecret { id: record.id, at: since.at };
        (now.since(since.at) > KEPT_WHOLE).then_some((cause, dead))
    }

    /// Returns the refusal of its uses.
    pub(crate) fn refusal(&self, cause: Death, now: Timestamp) -> Refusal {
        let since = Since { at: self.at, as_of: now };
        match cause {
            Death::Replaced => Refusal::Replaced(since),
            Death::SecretExpired => Refusal::SecretExpired(since),
            Death::Revoked => Refusal::Revoked(since),
            Death::Expired => Refusal::Expired(since),
        }
    }
}

impl TokenFamily {
    /// Returns the record of one of the token's secrets, by its index.
    pub(crate) fn secret(&self, which: u32) -> &SecretRecord {
        self.older().get(which as usize).unwrap_or(&self.newest)
    }

    pub(super) fn secrets(&self) -> impl Iterator<Item = &SecretRecord> {
        self.older().iter().chain([&self.newest])
    }

    /// Returns the part of the token's grants that a catalogue leaves, if the grants are a set.
    pub(super) fn effective_grants(
        &self,
        rules: &DecisionRules,
    ) -> Option<Arc<(RulesVersion, EffectiveGrants)>> {
        if self.token.grants == Grants::All {
            return None;
        }
        let FamilyRest { effective_grants, .. } = &**self.rest.as_ref()?;
        let known = effective_grants.load_full().filter(|known| known.0 == rules.version);
        Some(known.unwrap_or_else(|| {
            let fresh = Arc::new((rules.version, EffectiveGrants::default()));
            effective_grants.store(Some(Arc::clone(&fresh)));
            fresh
        }))
    }

    fn older(&self) -> &[SecretRecord] {
        self.rest.as_ref().map_or(&[], |rest| rest.older.as_slice())
    }
}

impl State {
    pub(super) fn new(recent: Recent) -> State {
        let collector = Arc::new(Collector::new());
        macro_rules! map {
            ($hasher:expr) => {
                HashMap::builder().shared_collector(Arc::clone(&collector)).hasher($hasher).build()
            };
        }
        State {
            id: RandomState::new().hash_one(SinceBoot::now().micros()),
            version: AtomicU64::new(0),
            sequence: AtomicU64::new(0),
            confirmed: AtomicI64::new(SinceBoot::NEVER.micros()),
            asked: AtomicI64::new(SinceBoot::NEVER.micros()),
            secrets: map!(Uniform::default()),
            dead: AtomicUsize::new(0),
            people: map!(Uniform::default()),
            places: map!(Uniform::default()),
            slugs: map!(RandomState::new()),
            places_missing: AtomicBool::new(false),
            services: map!(Uniform::default()),
            rules: ArcSwap::from_pointee(DecisionRules {
                installation: Installation {
                    not_before: Timestamp::MAX,
                    restored_at: None,
                    settled_at: None,
                },
                catalogue: Catalogue::new(&CatalogueDocument::default()).expect("ndauth's own permissions"),
                version: [0; 32],
            }),
            recent: Mutex::new(recent),
        }
    }

    /// Returns the row of the installation.
    pub(super) fn installation(&self) -> Installation {
        self.rules.load().installation
    }

    pub(super) fn confirmed(&self) -> SinceBoot {
        SinceBoot::from_micros(self.confirmed.load(Ordering::Acquire))
    }

    /// Records that the state holds everything, up to a moment, of a database that answered as a primary.
    pub(super) fn answered(&self, asked: SinceBoot) {
        self.asked.fetch_max(asked.micros(), Ordering::AcqRel);
    }

    /// Records that the state holds everything that had happened up to a moment.
    pub(super) fn confirm(&self, moment: SinceBoot) {
        self.confirmed.fetch_max(moment.micros(), Ordering::AcqRel);
    }

    /// Marks the state as stale, because it may lack events.
    pub(super) fn mark_stale(&self) {
        self.confirmed.store(SinceBoot::NEVER.micros(), Ordering::Release);
        self.asked.store(SinceBoot::NEVER.micros(), Ordering::Release);
    }

    /// Returns the event of a sequence, if it is among the last that were applied.
    pub(super) fn place(&self, sequence: u64) -> Option<Head> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).head(sequence)
    }

    /// Returns the number of secrets.
    pub(super) fn secrets(&self) -> usize {
        self.secrets.len()
    }

    /// Returns the number of secrets that ended long ago.
    pub(super) fn dead(&self) -> usize {
        self.dead.load(Ordering::Relaxed)
    }

    /// Compacts the secrets that have become long dead since they were read. Returns the number of them.
    pub(super) fn compact(&self, now: Timestamp) -> usize {
        let guard = self.secrets.guard();
        let dead = |known: &Known| match known {
            Known::Token(family, which, _) => DeadSecret::of(family.secret(*which), &family.token, now),
            Known::Service(_) | Known::Dead(..) | Known::Broken => None,
        };
        let mut count = 0;
        for (hash, _) in self.secrets.iter(&guard).filter(|(_, known)| dead(known).is_some()) {
            // Before it is there to be removed: the number never falls below what is counted off.
            self.dead.fetch_add(1, Ordering::Relaxed);
            // It may have been read again since.
            let compacted = self.secrets.compute(
                *hash,
                |entry| match entry.and_then(|(_, known)| dead(known)) {
                    Some((death, dead)) => Operation::Insert(Known::Dead(death, dead)),
                    None => Operation::Abort(()),
                },
                &guard,
            );
            if matches!(compacted, Compute::Updated { .. }) {
                count += 1;
            } else {
                self.dead.fetch_sub(1, Ordering::Relaxed);
            }
        }
        count
    }

    /// Replaces rows. Views of the state may see some and not others.
    pub(super) fn fill(&self, fresh: Fresh) {
        let guard = self.secrets.guard();
        let Fresh { tokens, services, people, places, rules, gone, read_at } = fresh;
        let left = |known: Option<&Known>| {
            if matches!(known, Some(Known::Dead(..))) {
                self.dead.fetch_sub(1, Ordering::Relaxed);
            }
        };
        for hash in gone {
            left(self.secrets.remove(&hash, &guard));
        }
        if let Some(Partitioned { sound, broken }) = tokens {
            for WithSecrets { of, mut secrets } in sound {
                secrets.retain(|(hash, record)| {
                    let dead = read_at.and_then(|now| DeadSecret::of(record, &of, now));
                    let lives = dead.is_none();
                    if let Some((death, dead)) = dead {
                        self.dead.fetch_add(1, Ordering::Relaxed);
                        left(self.secrets.insert(*hash, Known::Dead(death, dead), &guard));
                    }
                    lives
                });
                let Some((hash, newest)) = secrets.pop() else { continue };
                let (hashes, older): (Vec<SecretHash>, Vec<SecretRecord>) = secrets.into_iter().unzip();
                let is_plain = older.is_empty() && of.grants == Grants::All;
                let effective_grants = ArcSwapOption::empty();
                let rest = (!is_plain).then(|| Box::new(FamilyRest { older, effective_grants }));
                let family = Arc::new(TokenFamily { token: of, newest, rest });
                for (which, hash) in (0..).zip(hashes.into_iter().chain([hash])) {
                    let known = Known::Token(Arc::clone(&family), which, RecordedUses::default());
                    left(self.secrets.insert(hash, known, &guard));
                }
            }
            for hash in broken {
                left(self.secrets.insert(hash, Known::Broken, &guard));
            }
        }
        if let Some(Partitioned { sound, broken }) = services {
            for WithSecrets { of, secrets } in sound {
                let service = Arc::new(of);
                for (hash, record) in secrets {
                    let known = Known::Service(Box::new((record, Arc::clone(&service))));
                    self.secrets.insert(hash, known, &guard);
                }
                self.services.insert(service.id, service, &guard);
            }
            for hash in broken {
                self.secrets.insert(hash, Known::Broken, &guard);
            }
        }
        if let Some(Partitioned { sound, broken }) = people {
            for person in sound {
                self.people.insert(person.account.id, person, &guard);
            }
            for account in broken {
                self.people.remove(&account, &guard);
            }
        }
        if let Some(Partitioned { sound, broken }) = places {
            for place in sound {
                self.slugs.insert(place.org.slug.clone(), place.org.id, &guard);
                self.places.insert(place.org.id, place, &guard);
            }
            for org in broken {
                self.places.remove(&org, &guard);
                self.places_missing.store(true, Ordering::Relaxed);
            }
        }
        if let Some(rules) = rules {
            self.rules.store(Arc::new(rules));
        }
    }

    /// Applies events up to a head, so that a view sees all of them or none.
    pub(super) fn apply(&self, head: &Head, fresh: Fresh, feed_events: Vec<FeedEvent>) {
        // First, so that the feed has every event that shows in the rows.
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).push(feed_events);
        self.version.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::Release);
        self.fill(fresh);
        self.sequence.store(head.sequence, Ordering::Relaxed);
        self.version.fetch_add(1, Ordering::Release);
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}
