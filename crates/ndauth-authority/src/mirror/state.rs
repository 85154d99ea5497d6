//! What the mirror holds, and how it is read while it changes.
//!
//! A reader takes no lock. It notes the version, looks, and looks again whether the version is the same;
//! the one writer makes it odd while it applies events. So every answer is of one state, though an event
//! changes one entry.

use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use ndauth_clock::SinceBoot;
use ndauth_core::{
    Account, AccountId, Catalogue, CatalogueDocument, Head, InputGround, InputOwner, InputPlace, Inputs,
    Installation, LastUse, Level, Noted, Org, OrgId, OrgSlug, OrgView, Orgs, Owner, OwnerView, Role,
    RulesVersion, SecretHash, SecretId, SecretRecord, SecretView, Service, ServiceId, Services, Suspension,
    Timestamp, Token, TokenView,
};
use ndauth_store::{Kin, Person, Place, Sorted, StoreError, Watch};
use papaya::{HashMap, LocalGuard};
use seize::Collector;

use super::feed::{Heard, Recent};
use crate::effects::Effects;
use crate::access::held::{Held, Judging, OwnerName};
use crate::{AuthorityError, Caller};

/// One state after the other of everything that a service can ask about.
pub(crate) struct State {
    /// By what it is told apart from every other that was loaded, here or at another instance.
    id: u64,
    /// Odd while events are applied.
    version: AtomicU64,
    sequence: AtomicU64,
    confirmed: AtomicI64,
    asked: AtomicI64,
    secrets: HashMap<SecretHash, Known, Uniform>,
    people: HashMap<AccountId, Person, Uniform>,
    places: HashMap<OrgId, Place, Uniform>,
    slugs: HashMap<OrgSlug, OrgId>,
    /// Of some org the database holds nonsense: nobody knows what it is called.
    places_missing: AtomicBool,
    services: HashMap<ServiceId, Arc<Service>, Uniform>,
    rules: ArcSwap<Rules>,
    recent: Mutex<Recent>,
}

/// What concerns all of them.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) installation: Installation,
    pub(crate) catalogue: Catalogue,
    pub(crate) version: RulesVersion,
}

/// Whose secret it is.
#[derive(Debug)]
pub(crate) enum Known {
    /// One of a token's, by its place among them, and when it was last noted to be used.
    Token(Arc<Family>, u32, Noted),
    /// One of a service's.
    Service(Box<(SecretRecord, Arc<Service>)>),
    /// Somebody's, of whom the database holds nonsense.
    Broken,
}

/// A token and its secrets.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) token: Token,
    newest: SecretRecord,
    older: Box<[SecretRecord]>,
}

/// With the counters of who holds it it takes 256 bytes, which is a size that allocators give; the next is 320.
const _: () = assert!(size_of::<Family>() <= 240);

/// Rows that were read, or read again.
#[derive(Debug, Default)]
pub(crate) struct Fresh {
    pub(crate) tokens: Option<Sorted<Kin<Token>, SecretHash>>,
    pub(crate) services: Option<Sorted<Kin<Service>, SecretHash>>,
    pub(crate) people: Option<Sorted<Person, AccountId>>,
    pub(crate) places: Option<Sorted<Place, OrgId>>,
    pub(crate) rules: Option<Rules>,
    /// What the secrets of families were found by that were removed.
    pub(crate) gone: Vec<SecretHash>,
}

/// One state.
pub(crate) struct View<'a> {
    state: &'a State,
    guard: &'a LocalGuard<'a>,
    rules: &'a Rules,
    /// The last event that it takes into account, at the least.
    pub(crate) sequence: u64,
    /// As of when it is known to be all there is.
    pub(crate) confirmed: SinceBoot,
    /// As of when it is all that a database has that answered as a primary.
    pub(crate) asked: SinceBoot,
    /// Whether that is too long ago, and the operator allows it.
    pub(crate) stale: bool,
    moment: SinceBoot,
    /// The instant as of which it is judged.
    pub(crate) now: Timestamp,
}

/// How many orgs are told of with one secret.
const MOST_PLACES: usize = 32;

/// How often a reader looks again before it lets others go first.
const TRIES: u32 = 100;

/// Keys that are evenly spread already: hashes, and ids that end in random bits.
#[derive(Default)]
pub(crate) struct Spread(u64);

type Uniform = BuildHasherDefault<Spread>;

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last_chunk() {
            self.0 = u64::from_ne_bytes(*last);
        }
    }

    /// The length of an array says nothing.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Family {
    /// The record of one of its secrets, by its place among them.
    pub(crate) fn secret(&self, which: u32) -> &SecretRecord {
        self.older.get(which as usize).unwrap_or(&self.newest)
    }

    fn secrets(&self) -> impl Iterator<Item = &SecretRecord> {
        self.older.iter().chain([&self.newest])
    }
}

impl State {
    pub(crate) fn new(recent: Recent) -> State {
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
            people: map!(Uniform::default()),
            places: map!(Uniform::default()),
            slugs: map!(RandomState::new()),
            places_missing: AtomicBool::new(false),
            services: map!(Uniform::default()),
            rules: ArcSwap::from_pointee(Rules {
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

    /// What concerns the whole installation.
    pub(crate) fn installation(&self) -> Installation {
        self.rules.load().installation
    }

    pub(crate) fn confirmed(&self) -> SinceBoot {
        SinceBoot::from_micros(self.confirmed.load(Ordering::Acquire))
    }

    /// All is applied that a database had at a moment, which answered as a primary.
    pub(crate) fn answered(&self, asked: SinceBoot) {
        self.asked.fetch_max(asked.micros(), Ordering::AcqRel);
    }

    /// Everything is applied that had happened at a moment.
    pub(crate) fn confirm(&self, moment: SinceBoot) {
        self.confirmed.fetch_max(moment.micros(), Ordering::AcqRel);
    }

    /// It is not known any more what has happened.
    pub(crate) fn doubt(&self) {
        self.confirmed.store(SinceBoot::NEVER.micros(), Ordering::Release);
        self.asked.store(SinceBoot::NEVER.micros(), Ordering::Release);
    }

    /// The event of a sequence, where it was applied lately.
    pub(crate) fn place(&self, sequence: u64) -> Option<Head> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).head(sequence)
    }

    /// How many secrets it holds.
    pub(crate) fn secrets(&self) -> usize {
        self.secrets.len()
    }

    /// Adds rows to a state that nobody reads yet.
    pub(crate) fn fill(&self, fresh: Fresh) {
        let guard = self.secrets.guard();
        let Fresh { tokens, services, people, places, rules, gone } = fresh;
        for hash in gone {
            self.secrets.remove(&hash, &guard);
        }
        if let Some(Sorted { sound, broken }) = tokens {
            for Kin { of, mut secrets } in sound {
                let Some((hash, newest)) = secrets.pop() else { continue };
                let (hashes, older): (Vec<SecretHash>, Vec<SecretRecord>) = secrets.into_iter().unzip();
                let family = Arc::new(Family { token: of, newest, older: older.into() });
                for (which, hash) in (0..).zip(hashes.into_iter().chain([hash])) {
                    let known = Known::Token(Arc::clone(&family), which, Noted::default());
                    self.secrets.insert(hash, known, &guard);
                }
            }
            for hash in broken {
                self.secrets.insert(hash, Known::Broken, &guard);
            }
        }
        if let Some(Sorted { sound, broken }) = services {
            for Kin { of, secrets } in sound {
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
        if let Some(Sorted { sound, broken }) = people {
            for person in sound {
                self.people.insert(person.account.id, person, &guard);
            }
            for account in broken {
                self.people.remove(&account, &guard);
            }
        }
        if let Some(Sorted { sound, broken }) = places {
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

    /// Replaces what changed, so that readers see all of it or nothing.
    pub(crate) fn apply(&self, head: &Head, fresh: Fresh, heard: Vec<Heard>) {
        // Before: what is read of the state was heard of.
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).push(heard);
        self.version.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::Release);
        self.fill(fresh);
        self.sequence.store(head.sequence, Ordering::Relaxed);
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Looks at one state, and lets what is found set off what it does, once. `None` where it changed at every try.
    pub(crate) fn look<T>(
        &self,
        watch: &Watch,
        moment: SinceBoot,
        stale: bool,
        question: impl for<'v> Fn(&View<'v>, &mut Effects<'v>) -> T,
        run_effects: impl FnOnce(&T, Effects<'_>),
    ) -> Option<T> {
        for _ in 0..TRIES {
            let version = self.version.load(Ordering::Acquire);
            if version % 2 == 1 {
                std::hint::spin_loop();
                continue;
            }
            let guard = self.secrets.guard();
            let rules = self.rules.load();
            let view = View {
                state: self,
                guard: &guard,
                rules: &rules,
                sequence: self.sequence.load(Ordering::Relaxed),
                confirmed: self.confirmed(),
                asked: SinceBoot::from_micros(self.asked.load(Ordering::Acquire)),
                stale,
                moment,
                now: watch.at(moment),
            };
            let mut effects = Effects::default();
            let found = question(&view, &mut effects);
            fence(Ordering::Acquire);
            if self.version.load(Ordering::Relaxed) == version {
                run_effects(&found, effects);
                return Some(found);
            }
        }
        None
    }
}

impl<'a> View<'a> {
    pub(crate) fn secret(&self, hash: &SecretHash) -> Option<&'a Known> {
        self.state.secrets.get(hash, self.guard)
    }

    /// Which state of all that were loaded it is: two may for a moment hold different ends of a log.
    pub(crate) fn state_id(&self) -> u64 {
        self.state.id
    }

    pub(crate) fn installation(&self) -> &'a Installation {
        &self.rules.installation
    }

    /// What every decision as of this view reads.
    pub(crate) fn judging(&self) -> Judging<'a> {
        let Rules { installation, catalogue, .. } = self.rules;
        Judging { catalogue, not_before: installation.not_before, now: self.now }
    }

    pub(crate) fn rules_version(&self) -> RulesVersion {
        self.rules.version
    }

    /// The rules as a service is told of them.
    pub(crate) fn rules_of(&self, service: &Service) -> ndauth_core::Rules {
        ndauth_core::Rules {
            version: self.rules.version,
            service: service.clone(),
            catalogue: self.rules.catalogue.clone(),
            not_before: self.rules.installation.not_before,
        }
    }

    /// The last events.
    pub(crate) fn recent(&self) -> &'a Mutex<Recent> {
        &self.state.recent
    }

    /// Whether who may ask about these orgs may ask about an owner's tokens in any of them. Of an owner that makes no
    /// sense nobody knows.
    pub(crate) fn may_ask(&self, orgs: &Orgs, owner: Owner) -> bool {
        match owner {
            _ if *orgs == Orgs::All => true,
            Owner::Org(org) => orgs.contain(&org),
            Owner::Account(account) => match self.state.people.get(&account, self.guard) {
                Some(person) => person.roles.iter().any(|(org, _)| orgs.contain(org)),
                None => true,
            },
        }
    }

    /// What a service keeps of a token and one of its secrets: what it may ask about, the org that it asked about
    /// first.
    pub(crate) fn inputs(
        &self,
        service: &Service,
        family: &Family,
        which: u32,
        asked: Option<&OrgSlug>,
    ) -> Result<Inputs, StoreError> {
        let token = &family.token;
        let ground =
            |place: &Place| InputGround { org: place.org.clone(), policies: place.policies.since(self.now) };
        let mut places = Vec::new();
        if let Some(slug) = asked {
            places.push(match self.ground(token.owner, slug)? {
                OrgView::Org(org, role, policies) if service.orgs.contain(&org.id) => {
                    let ground = InputGround { org: org.clone(), policies: policies.since(self.now) };
                    InputPlace::In(Arc::new(ground), role)
                }
                OrgView::Org(..) | OrgView::None => InputPlace::Nowhere(slug.clone()),
            });
        }
        let (owner, at_home): (InputOwner, Vec<(OrgId, Option<Role>)>) = match token.owner {
            Owner::Account(id) => {
                let person = self.state.people.get(&id, self.guard).ok_or_else(|| ownerless(token))?;
                let Account { handle, disabled_at, last_login_at, not_before, .. } = person.account.clone();
                let owner = InputOwner::Account { id, handle, disabled_at, last_login_at, not_before };
                (owner, person.roles.iter().map(|(org, role)| (*org, Some(*role))).collect())
            }
            Owner::Org(id) => {
                let org = self.org(id).ok_or_else(|| ownerless(token))?;
                (InputOwner::Org(org.clone()), vec![(id, None)])
            }
        };
        for (org, role) in at_home.into_iter().filter(|(org, _)| service.orgs.contain(org)) {
            let Some(place) = self.state.places.get(&org, self.guard) else { continue };
            if places.len() < MOST_PLACES && Some(&place.org.slug) != asked {
                places.push(InputPlace::In(Arc::new(ground(place)), role));
            }
        }
        // Of what the token is for, what this service is: of others it is told nothing.
        let here = token.services.contain(&service.id);
        let token = Token {
            description: None,
            orgs: token.orgs.meet(&service.orgs),
            services: if here { Services::All } else { Services::Only([].into()) },
            ..token.clone()
        };
        Ok(Inputs { secret: family.secret(which).clone(), token, owner, places })
    }

    /// How long ago the state was all there was.
    pub(crate) fn age(&self) -> Duration {
        self.moment.since(self.confirmed)
    }

    /// Whether a service that presents this secret lives.
    pub(crate) fn judge_service(
        &self,
        service: &Service,
        secret: &SecretRecord,
    ) -> Result<(), AuthorityError> {
        Caller::judge_service(service, secret, self.installation().not_before, self.now)
    }

    /// A token that presents itself by one of its secrets, if it lives.
    pub(crate) fn token_caller(
        &self,
        family: &Family,
        which: u32,
        from: Option<IpAddr>,
    ) -> Result<Caller, AuthorityError> {
        let owner = match family.token.owner {
            Owner::Account(id) => self.account(id).cloned().map(OwnerName::Account),
            Owner::Org(id) => self.org(id).cloned().map(OwnerName::Org),
        };
        let owner = owner.ok_or_else(|| ownerless(&family.token))?;
        let held = Held { record: family.secret(which).clone(), token: family.token.clone(), owner };
        Caller::of_token(held, from, self.judging())
    }

    /// Whose a token is.
    pub(crate) fn owner(&self, token: &Token) -> Result<OwnerView<'a>, StoreError> {
        let found = match token.owner {
            Owner::Account(id) => self.account(id).map(|account| OwnerView::Account(account.into())),
            Owner::Org(id) => self.org(id).map(OwnerView::Org),
        };
        found.ok_or_else(|| ownerless(token))
    }

    fn account(&self, id: AccountId) -> Option<&'a Account> {
        self.state.people.get(&id, self.guard).map(|person| &person.account)
    }

    fn org(&self, id: OrgId) -> Option<&'a Org> {
        self.state.places.get(&id, self.guard).map(|place| &place.org)
    }

    /// The names of these orgs.
    pub(crate) fn name_orgs(&self, orgs: &Orgs) -> Orgs<OrgSlug> {
        orgs.named(|id| self.org(*id).map(|org| org.slug.clone()))
    }

    /// A token as its owner sees it.
    pub(crate) fn show(&self, family: &Family, used: SecretId, last: LastUse) -> TokenView {
        let token = family.token.clone();
        let secret = |record: &SecretRecord| SecretView {
            record: record.clone(),
            last_use: (record.id == used).then_some(last),
            reused_at: None,
            succession: None,
        };
        let owners = match token.owner {
            Owner::Account(id) => self.account(id).map(|account| account.not_before),
            Owner::Org(id) => self.org(id).map(|org| org.not_before),
        };
        let suspended_in = |of: &Suspension| match of.level {
            Level::Org(id) => Some((self.org(id)?.slug.clone(), of.since)),
            Level::Owner | Level::Operator => None,
        };
        let service =
            |id: &ServiceId| self.state.services.get(id, self.guard).map(|known| known.name.clone());
        TokenView {
            owner_org: match token.owner {
                Owner::Account(_) => None,
                Owner::Org(id) => self.org(id).map(|org| org.slug.clone()),
            },
            orgs: self.name_orgs(&token.orgs),
            services: token.services.named(service),
            owner_account: match token.owner {
                Owner::Account(id) => self.account(id).map(|account| account.handle.clone()),
                Owner::Org(_) => None,
            },
            suspended_in: token.suspensions.iter().filter_map(suspended_in).collect(),
            secrets: family.secrets().map(secret).collect(),
            not_before: owners.unwrap_or(Timestamp::MIN).max(self.installation().not_before),
            revocation: None,
            used_from: Vec::new(),
            token,
        }
    }

    /// The org of this name as an owner stands in it.
    pub(crate) fn ground(&self, owner: Owner, slug: &OrgSlug) -> Result<OrgView<'a>, StoreError> {
        let id = self.state.slugs.get(slug, self.guard);
        match id.map(|id| self.state.places.get(id, self.guard)) {
            Some(Some(place)) => {
                Ok(OrgView::Org(&place.org, self.role(owner, place.org.id), &place.policies))
            }
            None if !self.state.places_missing.load(Ordering::Relaxed) => Ok(OrgView::None),
            None | Some(None) => {
                Err(StoreError::Corrupt { table: "org", column: "slug", id: slug.to_string() })
            }
        }
    }

    fn role(&self, owner: Owner, org: OrgId) -> Option<Role> {
        let Owner::Account(account) = owner else { return None };
        let roles = &self.state.people.get(&account, self.guard)?.roles;
        let found = roles.binary_search_by_key(&org, |(org, _)| *org).ok()?;
        Some(roles[found].1)
    }
}

/// A token whose owner makes no sense, or is not there.
pub(super) fn ownerless(token: &Token) -> StoreError {
    let column = match token.owner {
        Owner::Account(_) => "account_id",
        Owner::Org(_) => "org_id",
    };
    StoreError::Corrupt { table: "token", column, id: token.id.to_string() }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}
