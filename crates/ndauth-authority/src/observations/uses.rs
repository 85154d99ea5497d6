//! Observations: when secrets were last used, from where, and in which orgs. They are gathered in memory and
//! written in batches; a crash loses at most the uses of one batch's age.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ndauth_clock::SinceBoot;
use ndauth_core::{
    ClientName, Counts, LastUse, OrgId, OrgSlug, SecretHash, SecretId, ServiceId, Timestamp, TokenId,
    TokenView, UsedFrom,
};
use ndauth_store::{OrgUse, Store, StoreError, Use};

use crate::limits::NOTED_USES;

/// Observed uses that are not written yet.
#[derive(Debug)]
pub(crate) struct Uses {
    /// The channel for uses, on which an answer never waits.
    noted: Sender<(Use, Option<OrgId>)>,
    waiting: AtomicUsize,
    gathered: Mutex<Gathered>,
    /// The number of uses that each service reported in its present period, and when that began.
    reports: Mutex<HashMap<ServiceId, (SinceBoot, usize)>>,
}

#[derive(Debug)]
struct Gathered {
    noted: Receiver<(Use, Option<OrgId>)>,
    uses: HashMap<SecretId, UsesOfSecret>,
}

/// The uses of one secret.
#[derive(Debug, Default)]
struct UsesOfSecret {
    places: Vec<NotedUses>,
    /// The last use of it in each org.
    orgs: Vec<(OrgId, LastUse)>,
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
#[derive(Debug)]
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
        let gathered = Mutex::new(Gathered { noted: receiver, uses: HashMap::new() });
        Uses { noted, waiting: AtomicUsize::new(0), gathered, reports: Mutex::default() }
    }
}

impl Uses {
    /// Notes a use, and its org if there was one.
    pub(crate) fn note(&self, used: Use, org: Option<OrgId>) {
        if self.waiting.fetch_add(1, Ordering::Relaxed) < MOST {
            // The receiver lives as long as `self`.
            let _ = self.noted.send((used, org));
        } else {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            metrics::counter!("ndauth_uses_dropped_total").increment(1);
        }
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
            metrics::counter!("ndauth_uses_dropped_total").increment((count - admitted) as u64);
        }
        admitted
    }

    /// Returns the last use of a secret, given the last one that is written.
    pub(crate) fn latest(&self, secret: SecretId, written: Option<LastUse>) -> Option<LastUse> {
        let gathered = self.gather();
        let places = gathered.uses.get(&secret).into_iter().flat_map(|of| &of.places);
        let noted = places.map(|place| place.last);
        noted.chain(written).max_by_key(|last| last.at)
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
            let noted = secrets.flat_map(|of| &of.orgs).filter(|(of, _)| *of == org).map(|(_, last)| *last);
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
        for place in secrets.filter_map(|secret| gathered.uses.get(&secret)).flat_map(|of| &of.places) {
            let NotedUses { client, last, counts } = place;
            let here = |known: &&mut UsedFrom| known.address == last.address && known.client == *client;
            match written.iter_mut().find(here) {
                Some(known) => {
                    known.last_at = known.last_at.max(last.at);
                    known.counts += *counts;
                }
                None => written.push(UsedFrom {
                    address: last.address,
                    client: client.clone(),
                    first_at: last.at,
                    last_at: last.at,
                    counts: *counts,
                }),
            }
        }
        written.sort_by_key(|place| std::cmp::Reverse(place.last_at));
        written
    }

    /// Writes all uses. Those that cannot be written are kept.
    pub(crate) async fn write(&self, store: &Store) -> Result<(), StoreError> {
        let (mut left, mut in_orgs) = self.take();
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

    fn take(&self) -> (Vec<Use>, Vec<OrgUse>) {
        let (mut all, mut in_orgs) = (Vec::new(), Vec::new());
        for (secret, of) in std::mem::take(&mut self.gather().uses) {
            let used = |NotedUses { client, last, counts }| Use { secret, client, last, counts };
            all.extend(of.places.into_iter().map(used));
            in_orgs.extend(of.orgs.into_iter().map(|(org, last)| OrgUse { secret, org, last }));
        }
        (all, in_orgs)
    }

    fn gather(&self) -> MutexGuard<'_, Gathered> {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        let Gathered { noted, uses } = &mut *gathered;
        for (Use { secret, client, last, counts }, org) in noted.try_iter() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            let of = uses.entry(secret).or_default();
            if let Some(org) = org {
                of.note_org(org, last);
            }
            of.note_place(NotedUses { client, last, counts });
        }
        gathered
    }
}

impl UsesOfSecret {
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
