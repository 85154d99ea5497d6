//! Observations: when secrets were last used, from where, and in which orgs. They are gathered in memory and
//! written in batches; a crash loses at most the uses of one batch's age.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ndauth_clock::SinceBoot;
use ndauth_core::{
    ClientName, Counts, LastUse, Noting, OrgId, OrgSlug, RecordedUses, Scope, SecretHash, SecretId,
    ServiceId, Timestamp, TokenId, TokenView, UseTally, UsedFrom,
};
use ndauth_store::{OrgUse, Store, StoreError, Use};

use crate::limits::NOTED_USES;

/// Observed uses that are not written yet.
#[derive(Debug)]
pub(crate) struct Uses {
    /// An answer puts its use here, without waiting.
    noted: Sender<Observed>,
    waiting: AtomicUsize,
    gathered: Mutex<Gathered>,
    /// The number of uses that each service reported in its present period, and when that began.
    reports: Mutex<HashMap<ServiceId, (SinceBoot, usize)>>,
}

#[derive(Debug)]
struct Gathered {
    noted: Receiver<Observed>,
    uses: HashMap<SecretId, UsesOfSecret>,
    /// The secrets whose uses are being counted, and since when, the first first.
    counting: VecDeque<(SinceBoot, SecretId)>,
}

/// A message of an answer.
#[derive(Debug)]
enum Observed {
    /// A use, and the org that it was in.
    Use(Use, Option<OrgId>),
    /// The tally of a secret, since when it counts.
    Tally(SecretId, SinceBoot, Arc<UseTally<ClientName>>),
}

/// The uses of one secret.
#[derive(Debug, Default)]
struct UsesOfSecret {
    places: Vec<NotedUses>,
    /// The last use of it in each org.
    orgs: Vec<(OrgId, LastUse)>,
    /// Those that still count.
    tallies: Vec<Arc<UseTally<ClientName>>>,
}

/// A use of a secret that a service allowed without asking.
#[derive(Clone, Debug)]
pub struct ReportedUse {
    /// The secret.
    pub secret: SecretHash,
    /// The org that it was in, if any.
    pub org: Option<OrgSlug>,
    /// The client's name, as the service states it.
    pub client: Option<ClientName>,
    /// The last use and its address, as the service states them.
    pub last: LastUse,
    /// The number of uses.
    pub counts: Counts,
}

/// A place from which a secret was used, when last, and how often.
#[derive(Clone, Debug)]
struct NotedUses {
    client: Option<ClientName>,
    last: LastUse,
    counts: Counts,
}

/// The most uses that are kept. Beyond that, new ones are dropped until a batch is written.
const MOST: usize = NOTED_USES.total;
/// The most uses that one service may report within [`REPORTS_WITHIN`].
const MOST_REPORTS: usize = NOTED_USES.share;
const REPORTS_WITHIN: Duration = Duration::from_secs(4);
/// The most places, and the most orgs, of one secret that are kept apart until they are written.
const MOST_PLACES: usize = 100;
/// The most uses that are written in one transaction.
const BATCH: usize = 500;

impl Default for Uses {
    fn default() -> Uses {
        let (noted, receiver) = channel();
        let gathered =
            Mutex::new(Gathered { noted: receiver, uses: HashMap::new(), counting: VecDeque::new() });
        Uses { noted, waiting: AtomicUsize::new(0), gathered, reports: Mutex::default() }
    }
}

impl Uses {
    /// Counts a use of a secret, in which org it was, and by which client.
    pub(crate) fn count(
        &self,
        (secret, noted): (SecretId, &RecordedUses<ClientName>),
        access: Scope,
        last: LastUse,
        org: Option<OrgId>,
        client: Option<&ClientName>,
    ) {
        match noted.count(access, last, org, client) {
            Noting::Now => {
                let (client, counts) = (client.cloned(), Counts::one(access));
                self.note(Use { secret, client, last, counts }, org);
            }
            Noting::Later(tally) => {
                if !self.send(Observed::Tally(secret, SinceBoot::now(), Arc::clone(&tally))) {
                    // Nobody else reports them.
                    let Counts { reads, writes } = tally.take();
                    metrics::counter!("ndauth_uses_dropped_total")
                        .increment((reads + writes).saturating_sub(1));
                }
            }
            Noting::Counted => {}
        }
    }

    /// Notes a use, and in which org it was, where it was in one.
    pub(crate) fn note(&self, used: Use, org: Option<OrgId>) {
        self.send(Observed::Use(used, org));
    }

    /// Returns false where too much waits: it is dropped, and counted.
    fn send(&self, observed: Observed) -> bool {
        let has_room = self.waiting.fetch_add(1, Ordering::Relaxed) < MOST;
        if has_room {
            // The receiver lives as long as this.
            let _ = self.noted.send(observed);
        } else {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            NOTED_USES.count_refusal();
            metrics::counter!("ndauth_uses_dropped_total").increment(1);
        }
        has_room
    }

    /// Returns the number of observations that wait to be gathered.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Returns the number of uses, out of `count`, that a service may report now. The rest are dropped.
    pub(crate) fn admit_reports(&self, service: ServiceId, count: usize, now: SinceBoot) -> usize {
        let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, reported) = reports.entry(service).or_insert((now, 0));
        if now.since(*since) >= REPORTS_WITHIN {
            (*since, *reported) = (now, 0);
        }
        let admitted = count.min(MOST_REPORTS.saturating_sub(*reported));
        *reported += admitted;
        if admitted < count {
            NOTED_USES.count_refusal();
            metrics::counter!("ndauth_uses_dropped_total").increment((count - admitted) as u64);
        }
        admitted
    }

    /// Returns the last use of a secret, given the last one that is written.
    pub(crate) fn latest(&self, secret: SecretId, written: Option<LastUse>) -> Option<LastUse> {
        let gathered = self.gather();
        let noted = gathered.uses.get(&secret).into_iter().flat_map(UsesOfSecret::places);
        noted.map(|place| place.last).chain(written).max_by_key(|last| last.at)
    }

    /// Completes the last uses of a view with those that are not written yet.
    pub(crate) fn complete(&self, mut view: TokenView) -> TokenView {
        for secret in &mut view.secrets {
            secret.last_use = self.latest(secret.record.id, secret.last_use);
        }
        view
    }

    /// Completes the last uses of tokens in an org with those that are not written yet.
    pub(crate) fn complete_in(&self, org: OrgId, views: &[TokenView], uses: &mut BTreeMap<TokenId, LastUse>) {
        let gathered = self.gather();
        for view in views {
            let secrets = view.secrets.iter().filter_map(|secret| gathered.uses.get(&secret.record.id));
            let noted =
                secrets.flat_map(UsesOfSecret::orgs).filter(|(of, _)| *of == org).map(|(_, last)| last);
            let written = uses.get(&view.token.id).copied();
            if let Some(last) = noted.chain(written).max_by_key(|last| last.at) {
                uses.insert(view.token.id, last);
            }
        }
    }

    /// Returns the places from which a token was used, most recent first, given those that are written.
    pub(crate) fn with_noted(&self, view: &TokenView, mut written: Vec<UsedFrom>) -> Vec<UsedFrom> {
        let gathered = self.gather();
        let secrets = view.secrets.iter().map(|secret| secret.record.id);
        for place in secrets.filter_map(|secret| gathered.uses.get(&secret)).flat_map(UsesOfSecret::places) {
            let NotedUses { client, last, counts } = place;
            let here = |known: &&mut UsedFrom| known.address == last.address && known.client == client;
            match written.iter_mut().find(here) {
                Some(known) => {
                    known.last_at = known.last_at.max(last.at);
                    known.counts += counts;
                }
                None => written.push(UsedFrom {
                    address: last.address,
                    client,
                    first_at: last.at,
                    last_at: last.at,
                    counts,
                }),
            }
        }
        written.sort_by_key(|place| std::cmp::Reverse(place.last_at));
        written
    }

    /// Writes down all uses whose tallies have counted for so long. Those that cannot be written are kept.
    pub(crate) async fn write(&self, store: &Store, counted_for: Duration) -> Result<(), StoreError> {
        let (mut left, mut in_orgs) = self.take(counted_for);
        left.sort_unstable_by_key(|noted| noted.secret);
        in_orgs.sort_unstable_by_key(|noted| (noted.secret, noted.org));
        let written = async {
            while !left.is_empty() {
                store.record_uses(last_of(&left)).await?;
                left.truncate(left.len().saturating_sub(BATCH));
            }
            while !in_orgs.is_empty() {
                store.record_org_uses(last_of(&in_orgs)).await?;
                in_orgs.truncate(in_orgs.len().saturating_sub(BATCH));
            }
            Ok(())
        };
        let written = written.await;
        // Some are left only if that failed.
        left.into_iter().for_each(|used| self.note(used, None));
        let mut gathered = self.gather();
        in_orgs
            .into_iter()
            .for_each(|noted| gathered.uses.entry(noted.secret).or_default().note_org(noted.org, noted.last));
        written
    }

    fn take(&self, counted_for: Duration) -> (Vec<Use>, Vec<OrgUse>) {
        let (mut all, mut in_orgs) = (Vec::new(), Vec::new());
        let mut gathered = self.gather();
        let now = SinceBoot::now();
        while let Some((_, secret)) =
            gathered.counting.pop_front_if(|(since, _)| now.since(*since) >= counted_for)
        {
            if let Some(of) = gathered.uses.get_mut(&secret) {
                self.waiting.fetch_sub(of.tallies.len(), Ordering::Relaxed);
                of.settle();
            }
        }
        gathered.uses.retain(|secret, of| {
            let secret = *secret;
            let used = |NotedUses { client, last, counts }| Use { secret, client, last, counts };
            all.extend(of.places.drain(..).map(used));
            in_orgs.extend(of.orgs.drain(..).map(|(org, last)| OrgUse { secret, org, last }));
            !of.tallies.is_empty()
        });
        (all, in_orgs)
    }

    fn gather(&self) -> MutexGuard<'_, Gathered> {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        let Gathered { noted, uses, counting } = &mut *gathered;
        for observed in noted.try_iter() {
            match observed {
                Observed::Use(Use { secret, client, last, counts }, org) => {
                    self.waiting.fetch_sub(1, Ordering::Relaxed);
                    let of = uses.entry(secret).or_default();
                    of.note(NotedUses { client, last, counts }, org);
                }
                // It waits on until its uses are taken.
                Observed::Tally(secret, since, tally) => {
                    uses.entry(secret).or_default().tallies.push(tally);
                    counting.push_back((since, secret));
                }
            }
        }
        gathered
    }
}

impl NotedUses {
    /// The uses of a tally, which counts on.
    fn of(tally: &UseTally<ClientName>, counts: Counts) -> NotedUses {
        NotedUses { client: tally.client.clone(), last: tally.last(), counts }
    }
}

impl UsesOfSecret {
    /// The places, those that still count among them.
    fn places(&self) -> impl Iterator<Item = NotedUses> {
        let counting = self.tallies.iter().map(|tally| NotedUses::of(tally, tally.counts()));
        self.places.iter().cloned().chain(counting)
    }

    /// The last use of it in each org.
    fn orgs(&self) -> impl Iterator<Item = (OrgId, LastUse)> {
        let counting = self.tallies.iter().filter_map(|tally| Some((tally.org?, tally.last())));
        self.orgs.iter().copied().chain(counting)
    }

    /// Takes what its tallies counted.
    fn settle(&mut self) {
        for tally in std::mem::take(&mut self.tallies) {
            let counts = tally.take();
            if counts != Counts::default() {
                self.note(NotedUses::of(&tally, counts), tally.org);
            }
        }
    }

    fn note(&mut self, noted: NotedUses, org: Option<OrgId>) {
        if let Some(org) = org {
            self.note_org(org, noted.last);
        }
        self.note_place(noted);
    }

    fn note_place(&mut self, noted: NotedUses) {
        let here =
            |place: &&mut NotedUses| place.last.address == noted.last.address && place.client == noted.client;
        match self.places.iter_mut().find(here) {
            Some(place) => {
                place.last.at = place.last.at.max(noted.last.at);
                place.counts += noted.counts;
            }
            None => {
                // The store keeps as many places of a token, the most recent ones.
                make_room(&mut self.places, |place| place.last.at);
                self.places.push(noted);
            }
        }
    }

    fn note_org(&mut self, org: OrgId, last: LastUse) {
        match self.orgs.iter_mut().find(|(known, _)| *known == org) {
            Some((_, known)) if known.at > last.at => {}
            Some((_, known)) => *known = last,
            None => {
                make_room(&mut self.orgs, |(_, last)| last.at);
                self.orgs.push((org, last));
            }
        }
    }
}

/// Drops the entry that was used longest ago, if there is no capacity for another.
fn make_room<T>(noted: &mut Vec<T>, used_at: impl Fn(&T) -> Timestamp) {
    if noted.len() >= MOST_PLACES
        && let Some(oldest) = (0..noted.len()).min_by_key(|index| used_at(&noted[*index]))
    {
        noted.swap_remove(oldest);
    }
}

/// Returns the last items, as many as one transaction writes.
fn last_of<T>(left: &[T]) -> &[T] {
    &left[left.len().saturating_sub(BATCH)..]
}
