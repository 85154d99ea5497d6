//! The one reader of the log: it loads the mirror, and applies event after event.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ndauth_clock::SinceBoot;
use ndauth_core::{
    AccountId, Causes, Change, Entry, Head, Lineage, OrgId, SecretHash, ServiceId, SessionId, TokenId,
};
use ndauth_store::{Moment, Read, Store, StoreError, StoredEvent};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::SharedMirror;
use super::feed::{Heard, KEPT, Recent};
use super::state::{Fresh, Rules, State};
use crate::{Authority, AuthorityError};

/// Follows the log for an authority.
pub struct Follower {
    authority: Arc<Authority>,
    /// Its own connection.
    store: Store,
    /// The last event that was applied.
    head: Head,
    catalogue_hash: [u8; 32],
    /// Some rows of the state are newer than the events that were applied to it: it is of no one moment.
    mixed: bool,
    listening: Option<JoinHandle<()>>,
    /// Since when it cannot be done.
    failing: Option<Instant>,
    /// When the end of the log was last compared with what was seen of it.
    looked: Instant,
    look_due: bool,
}

/// What the mirror takes for a token with its secret, at the most; see `docs/scale.md`.
pub const BYTES_PER_TOKEN: u64 = 400;
/// The end of the log is asked for no more often, however many wait for it.
const SPACING: Duration = Duration::from_millis(5);
/// And no less often, nor than an eighth of the bound.
const PERIOD: Duration = Duration::from_millis(250);
/// How many events are applied at once.
const BATCH: u64 = 1000;
/// How many rows are loaded at once.
const PAGE: u64 = 10_000;
/// How long one statement may take before the connection is given up; where that is less, the bound.
const STEP: Duration = Duration::from_secs(5);
/// How long it may take to load a part.
const PAGE_STEP: Duration = Duration::from_secs(60);
/// How often what was seen of the log is kept.
const LOOK: Duration = Duration::from_secs(1);
/// How often it is told how far the loading is.
const TELL: Duration = Duration::from_secs(5);

/// What events name: rows to read again.
#[derive(Debug, Default)]
struct Concerned {
    tokens: BTreeSet<TokenId>,
    /// From which tokens were derived that ended with them.
    sessions: BTreeSet<SessionId>,
    /// All of whose sessions ended.
    signed_out: BTreeSet<AccountId>,
    accounts: BTreeSet<AccountId>,
    orgs: BTreeSet<OrgId>,
    services: BTreeSet<ServiceId>,
    /// What secrets were found by that were removed.
    gone: Vec<SecretHash>,
    /// So much that it is better to load all.
    everything: bool,
}

impl Concerned {
    fn hear(&mut self, event: &StoredEvent) {
        // An event of a kind that this version does not know concerns everything.
        let Ok(Entry { change, .. }) = serde_json::from_slice(&event.public) else {
            self.everything = true;
            return;
        };
        match change {
            Change::TokenCreated { token }
            | Change::TokenRevoked { token }
            | Change::TokenRenewed { token, .. }
            | Change::TokenSuspended { token, .. }
            | Change::TokenResumed { token, .. } => {
                self.tokens.insert(token);
            }
            Change::SecretMinted { family, .. }
            | Change::SecretConfirmed { family, .. }
            | Change::SecretDropped { family, .. }
            | Change::SecretRetired { family, .. }
            | Change::SecretReused { family, .. } => match family {
                Lineage::Token(token) => drop(self.tokens.insert(token)),
                Lineage::Service(service) => drop(self.services.insert(service)),
            },
            Change::TokenDerived { token, .. } => {
                self.tokens.insert(token);
            }
            Change::SessionEnded { session, .. } => {
                self.sessions.insert(session);
            }
            Change::AccountSignedOut { account }
            | Change::AccountDisabled { account, .. }
            | Change::PasswordSet { account } => {
                self.accounts.insert(account);
                self.signed_out.insert(account);
            }
            Change::FamiliesRemoved { hashes, .. } => {
                self.gone.extend(hashes.iter().filter_map(|hash| hash_from_hex(hash)));
            }
            Change::AccountCreated { account }
            | Change::AccountEnabled { account }
            | Change::AccountInvited { account }
            | Change::AccountIdentified { account }
            | Change::AccountShutOut { account, .. }
            | Change::MemberSet { account, .. }
            | Change::MemberRemoved { account, .. }
            | Change::SessionIssued { account, .. } => {
                self.accounts.insert(account);
            }
            Change::OrgCreated { org, admin } => {
                self.orgs.insert(org);
                self.accounts.extend(admin);
            }
            Change::OrgDeleted { org }
            | Change::OrgShutOut { org, .. }
            | Change::OrgFrozen { org }
            | Change::OrgUnfrozen { org }
            | Change::PolicySet { org, .. } => {
                self.orgs.insert(org);
            }
            Change::ServiceCreated { service }
            | Change::ServiceRotated { service }
            | Change::ServiceRevoked { service } => {
                self.services.insert(service);
            }
            // The rules are read again with every batch where they changed.
            Change::CatalogueApplied { .. } => {}
            Change::Restored { .. } => self.everything = true,
        }
    }

    async fn read(&self, read: &Read) -> Result<Fresh, AuthorityError> {
        fn ids<Id: Copy>(of: &BTreeSet<Id>) -> Vec<Id> {
            of.iter().copied().collect()
        }
        let mut tokens = read.tokens(&ids(&self.tokens)).await?;
        let derived = read.derived_tokens(&ids(&self.sessions), &ids(&self.signed_out)).await?;
        tokens.sound.extend(derived.sound);
        tokens.broken.extend(derived.broken);
        Ok(Fresh {
            tokens: Some(tokens),
            people: Some(read.people(&ids(&self.accounts)).await?),
            places: Some(read.places(&ids(&self.orgs)).await?),
            services: Some(read.services(&ids(&self.services)).await?),
            rules: None,
            gone: self.gone.clone(),
        })
    }
}

impl Authority {
    /// Loads the mirror: all that a service can ask about. Fails where it does not fit into so many bytes.
    ///
    /// What is answered from it stays fresh while [`Follower::follow`] runs.
    pub async fn load(self: &Arc<Self>, room: Option<u64>) -> Result<Follower, AuthorityError> {
        let store = self.store.apart().await?;
        let loaded = load(&store, room, |loaded, of| self.mirror.tell_loaded(loaded, of)).await?;
        let mut follower = Follower {
            authority: Arc::clone(self),
            store,
            head: loaded.moment.head,
            catalogue_hash: loaded.moment.catalogue_hash,
            mixed: false,
            listening: None,
            failing: None,
            looked: Instant::now(),
            look_due: true,
        };
        follower.begin(loaded);
        Ok(follower)
    }
}

/// What a secret is found by, from hexadecimal digits.
fn hash_from_hex(text: &str) -> Option<SecretHash> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(SecretHash::from_bytes(bytes))
}

/// A state that was read as of one moment.
struct Loaded {
    state: State,
    moment: Moment,
    asked: SinceBoot,
}

/// Reads everything as of one moment.
async fn load(store: &Store, room: Option<u64>, tell: impl Fn(u64, u64)) -> Result<Loaded, AuthorityError> {
    let begun = Instant::now();
    let asked = SinceBoot::now();
    let read = in_time(STEP, store.read()).await?;
    read.take_time().await?;
    let moment = read.moment();
    let census = in_time(PAGE_STEP, read.census()).await?;
    let needed = census.tokens.saturating_add(census.accounts).saturating_mul(BYTES_PER_TOKEN);
    if let Some(room) = room.filter(|room| *room < needed) {
        return Err(AuthorityError::MirrorTooLarge { tokens: census.tokens, needed, room });
    }
    let state = State::new(recent(&read).await?);
    let rules = rules(&read).await?;
    let places = in_time(PAGE_STEP, read.every_place()).await?;
    let services = in_time(PAGE_STEP, read.every_service()).await?;
    state.fill(Fresh {
        rules: Some(rules),
        places: Some(places),
        services: Some(services),
        ..Fresh::default()
    });
    let mut after = None;
    while let Some(page) = in_time(PAGE_STEP, read.next_people(after, PAGE)).await? {
        after = Some(page.last);
        state.fill(Fresh { people: Some(page.read), ..Fresh::default() });
    }
    let (mut after, mut loaded, mut told) = (None, 0, begun);
    while let Some(page) = in_time(PAGE_STEP, read.next_tokens(after, PAGE)).await? {
        after = Some(page.last);
        loaded += page.read.sound.len() as u64;
        state.fill(Fresh { tokens: Some(page.read), ..Fresh::default() });
        tell(loaded, census.tokens);
        if told.elapsed() >= TELL {
            told = Instant::now();
            tracing::info!(loaded, tokens = census.tokens, "loading");
        }
        // Others are to be served meanwhile.
        tokio::task::yield_now().await;
    }
    tracing::info!(
        tokens = loaded,
        accounts = census.accounts,
        sequence = moment.head.sequence,
        micros = begun.elapsed().as_micros(),
        "loaded"
    );
    Ok(Loaded { state, moment, asked })
}

/// What concerns all tokens.
async fn rules(read: &Read) -> Result<Rules, StoreError> {
    let installation = *read.installation();
    let version = ndauth_core::Rules::version(&read.catalogue_hash(), installation.not_before);
    Ok(Rules { installation, catalogue: read.catalogue().await?, version })
}

/// The last events: who heard of those before them goes on from there.
async fn recent(read: &Read) -> Result<Recent, AuthorityError> {
    let first = read.head().sequence.saturating_sub(BATCH.min(KEPT));
    let hash = read.event_hash(first).await?;
    let mut recent = Recent::after(match hash {
        Some(hash) => Head { sequence: first, hash },
        // It was taken out of the log.
        None => return Ok(Recent::after(read.head())),
    });
    let events = read.events_after(first, BATCH).await?;
    let mut concerned = Concerned::default();
    for event in &events {
        concerned.hear(event);
    }
    let tokens: Vec<_> = concerned.tokens.into_iter().collect();
    let fresh = Fresh { tokens: Some(read.tokens(&tokens).await?), ..Fresh::default() };
    recent.push(events.iter().map(|event| Heard::new(event, &fresh)));
    Ok(recent)
}

/// Gives up what takes too long: the connection hangs.
async fn in_time<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, AuthorityError> {
    match timeout(limit, work).await {
        Ok(done) => Ok(done?),
        Err(late) => Err(StoreError::Unavailable(late.into()).into()),
    }
}

/// What is to be done after a step.
enum Next {
    /// There are more events.
    Step,
    /// The end was reached.
    Rest,
    /// What is known does not lead there.
    Reload,
}

impl Follower {
    fn mirror(&self) -> &SharedMirror {
        &self.authority.mirror
    }

    /// Lets a state that was loaded be answered from.
    fn begin(&mut self, Loaded { state, moment, asked }: Loaded) {
        (self.head, self.catalogue_hash, self.mixed) = (moment.head, moment.catalogue_hash, false);
        self.authority.saw(moment.head);
        let mirror = self.mirror();
        mirror.watch.set(moment.now, asked);
        state.apply(&moment.head, Fresh::default(), Vec::new());
        state.confirm(asked);
        mirror.state.store(Arc::new(state));
        mirror.news.send_replace(moment.head.sequence);
        mirror.progress.send_modify(|progress| {
            progress.following = true;
            progress.confirmed = asked;
            progress.sequence = moment.head.sequence;
            progress.head = moment.head.sequence;
        });
    }

    /// Applies what happens, as long as it is polled. It ends where that is over for good, and says why.
    pub async fn follow(mut self) -> AuthorityError {
        let period = PERIOD.min(self.mirror().freshness.bound / 8);
        let questions = metrics::counter!("ndauth_head_questions_total");
        let mut last = Instant::now();
        self.listen();
        loop {
            let mirror = Arc::clone(self.mirror());
            mirror.called(last + SPACING, last + period).await;
            if self.store.is_replaced() {
                self.mirror().state.load().doubt();
                return AuthorityError::Replaced;
            }
            last = Instant::now();
            let asked = SinceBoot::now();
            questions.increment(1);
            match self.advance(asked).await {
                Ok(()) => {
                    if let Some(since) = self.failing.take() {
                        tracing::warn!(micros = since.elapsed().as_micros(), "the log is followed again");
                    }
                }
                Err(error) => self.failed(asked, &error).await,
            }
            self.keep().await;
        }
    }

    /// Applies what happened until the end of the log as of now, and confirms it.
    async fn advance(&mut self, asked: SinceBoot) -> Result<(), AuthorityError> {
        let step = STEP.min(self.mirror().freshness.bound.max(PERIOD * 4));
        let moment = in_time(step, self.store.moment()).await?;
        self.mirror().watch.set(moment.now, asked);
        self.mirror().progress.send_modify(|progress| progress.head = moment.head.sequence);
        let mut behind = moment.head != self.head || self.mixed;
        while behind {
            self.look_due = true;
            match timeout(step * 4, self.step()).await {
                Ok(next) => match next? {
                    Next::Step => {}
                    Next::Rest => behind = false,
                    Next::Reload => return self.reload().await,
                },
                Err(late) => return Err(StoreError::Unavailable(late.into()).into()),
            }
        }
        self.mirror().state.load().confirm(asked);
        let sequence = self.head.sequence;
        self.mirror().progress.send_modify(|progress| {
            progress.confirmed = asked;
            progress.sequence = sequence;
        });
        Ok(())
    }

    /// Applies the next events.
    async fn step(&mut self) -> Result<Next, AuthorityError> {
        let read = self.store.read().await?;
        let seen = self.head.sequence;
        // The last event that is known comes along: it tells whether this is the same log still.
        let mut events = read.events_after(seen.saturating_sub(1), BATCH + 1).await?;
        let known = if seen == 0 || events.is_empty() { None } else { Some(events.remove(0)) };
        if known.map_or(Head::EMPTY, |event| Head { sequence: event.sequence, hash: event.hash }) != self.head
        {
            let found = read.head().sequence;
            tracing::error!(seen, found, "the log was rewound: everything is loaded again");
            return Ok(Next::Reload);
        }
        let Some(last) = events.last() else {
            return Ok(if self.mixed { Next::Reload } else { Next::Rest });
        };
        let head = Head { sequence: last.sequence, hash: last.hash };
        let mut concerned = Concerned::default();
        for event in &events {
            concerned.hear(event);
        }
        if concerned.everything {
            return Ok(Next::Reload);
        }
        let more = head != read.head();
        if more {
            // The rows are newer than the events, so nobody looks until these are all applied.
            self.mirror().state.load().doubt();
        }
        let mut fresh = concerned.read(&read).await?;
        if read.catalogue_hash() != self.catalogue_hash
            || *read.installation() != self.mirror().state.load().installation()
        {
            fresh.rules = Some(rules(&read).await?);
            self.catalogue_hash = read.catalogue_hash();
        }
        let heard = events.iter().map(|event| Heard::new(event, &fresh)).collect();
        self.mirror().state.load().apply(&head, fresh, heard);
        self.mirror().news.send_replace(head.sequence);
        (self.head, self.mixed) = (head, more);
        self.authority.saw(head);
        Ok(if more { Next::Step } else { Next::Rest })
    }

    async fn reload(&mut self) -> Result<(), AuthorityError> {
        self.mirror().state.load().doubt();
        self.authority.look().await?;
        let loaded = load(&self.store, None, |_, _| {}).await?;
        self.begin(loaded);
        Ok(())
    }

    /// Says so once, tells who waits, and begins anew with another connection.
    async fn failed(&mut self, asked: SinceBoot, error: &AuthorityError) {
        self.mirror().progress.send_modify(|progress| progress.failed = asked);
        if self.failing.is_none() {
            self.failing = Some(Instant::now());
            tracing::warn!(error = %Causes(error), "the log cannot be followed: answers end once they would be too old");
        }
        match timeout(PERIOD * 4, self.authority.store.apart()).await {
            Ok(Ok(store)) => {
                self.store = store;
                self.listen();
            }
            Ok(Err(_)) | Err(_) => sleep(PERIOD / 2).await,
        }
    }

    /// Lets whoever changes something wake the reader, where the database can tell of it.
    fn listen(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.abort();
        }
        let (store, mirror) = (self.authority.store.clone(), Arc::clone(self.mirror()));
        self.listening = Some(tokio::spawn(async move {
            loop {
                match store.listen().await {
                    Ok(None) => return,
                    Ok(Some(mut listener)) => {
                        while listener.hear().await.is_ok() {
                            mirror.wanted.notify_one();
                        }
                    }
                    Err(_) => {}
                }
                // It is slower without, and nothing more.
                sleep(LOOK).await;
            }
        }));
    }

    /// Keeps what was seen of the log, and compares it.
    async fn keep(&mut self) {
        if !self.look_due || self.looked.elapsed() < LOOK {
            return;
        }
        self.looked = Instant::now();
        match timeout(LOOK, self.authority.look()).await {
            // Somebody may be about to say what becomes of an older copy.
            Ok(Ok(())) => self.look_due = self.authority.is_rewound(),
            Ok(Err(error)) => {
                tracing::warn!(error = %Causes(&error), "the end of the log was not kept");
            }
            Err(_) => {}
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.abort();
        }
    }
}
