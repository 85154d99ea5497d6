//! Observations: when secrets were last used, and from where. They are gathered in memory and written in batches;
//! a crash loses at most a batch's age of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ndauth_clock::SinceBoot;
use ndauth_core::{ClientName, Counts, LastUse, SecretHash, SecretId, ServiceId, TokenView, UsedFrom};
use ndauth_store::{Store, StoreError, Use};

use crate::limits::NOTED_USES;

/// Observed uses that are not written down yet.
#[derive(Debug)]
pub(crate) struct Uses {
    /// An answer puts its use here, without waiting.
    noted: Sender<Use>,
    waiting: AtomicUsize,
    gathered: Mutex<Gathered>,
    /// Since when how many uses were reported, by each service.
    reports: Mutex<HashMap<ServiceId, (SinceBoot, usize)>>,
}

#[derive(Debug)]
struct Gathered {
    noted: Receiver<Use>,
    uses: HashMap<SecretId, Vec<NotedUses>>,
}

/// The use of a secret that a service let pass by itself.
#[derive(Clone, Debug)]
pub struct ReportedUse {
    /// The secret.
    pub secret: SecretHash,
    /// By which client, as the service states it.
    pub client: Option<ClientName>,
    /// When last, and from where, as the service states it.
    pub last: LastUse,
    /// How often.
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
/// The most uses that one service may report within a while.
const MOST_REPORTS: usize = NOTED_USES.share;
const REPORTS_WITHIN: Duration = Duration::from_secs(4);
/// The most places of one secret that are kept apart until they are written.
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
    pub(crate) fn note(&self, noted: Use) {
        if self.waiting.fetch_add(1, Ordering::Relaxed) < MOST {
            // The receiver lives as long as this.
            let _ = self.noted.send(noted);
        } else {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            metrics::counter!("ndauth_uses_dropped_total").increment(1);
        }
    }

    /// How many of so many uses a service may report now. The rest is dropped.
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

    /// The last use of a secret, given the last one that is written down.
    pub(crate) fn latest(&self, secret: SecretId, written: Option<LastUse>) -> Option<LastUse> {
        let gathered = self.gather();
        let noted = gathered.uses.get(&secret).into_iter().flatten().map(|place| place.last);
        noted.chain(written).max_by_key(|last| last.at)
    }

    /// Completes the last uses of a view by those that are not written down yet.
    pub(crate) fn complete(&self, mut view: TokenView) -> TokenView {
        for secret in &mut view.secrets {
            secret.last_use = self.latest(secret.record.id, secret.last_use);
        }
        view
    }

    /// The places from which a token was used, given those that are written down, the last used first.
    pub(crate) fn with_noted(&self, view: &TokenView, mut written: Vec<UsedFrom>) -> Vec<UsedFrom> {
        let gathered = self.gather();
        let secrets = view.secrets.iter().map(|secret| secret.record.id);
        for place in secrets.filter_map(|secret| gathered.uses.get(&secret)).flatten() {
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

    /// Writes down all uses. Those that cannot be written are kept.
    pub(crate) async fn write(&self, store: &Store) -> Result<(), StoreError> {
        let mut left = self.take();
        left.sort_unstable_by_key(|noted| noted.secret);
        while !left.is_empty() {
            let batch = &left[left.len().saturating_sub(BATCH)..];
            if let Err(error) = store.record_uses(batch).await {
                left.into_iter().for_each(|noted| self.note(noted));
                return Err(error);
            }
            left.truncate(left.len().saturating_sub(BATCH));
        }
        Ok(())
    }

    fn take(&self) -> Vec<Use> {
        let uses = std::mem::take(&mut self.gather().uses).into_iter();
        let of_secret = |(secret, places): (SecretId, Vec<NotedUses>)| {
            places.into_iter().map(move |NotedUses { client, last, counts }| Use {
                secret,
                client,
                last,
                counts,
            })
        };
        uses.flat_map(of_secret).collect()
    }

    fn gather(&self) -> MutexGuard<'_, Gathered> {
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        let Gathered { noted, uses } = &mut *gathered;
        for Use { secret, client, last, counts } in noted.try_iter() {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            let places = uses.entry(secret).or_default();
            let here = |place: &&mut NotedUses| place.last.address == last.address && place.client == client;
            match places.iter_mut().find(here) {
                Some(place) => {
                    place.last.at = place.last.at.max(last.at);
                    place.counts += counts;
                }
                None => {
                    // As many are written down of one secret, the last used ones.
                    if places.len() >= MOST_PLACES
                        && let Some(oldest) = (0..places.len()).min_by_key(|place| places[*place].last.at)
                    {
                        places.swap_remove(oldest);
                    }
                    places.push(NotedUses { client, last, counts });
                }
            }
        }
        gathered
    }
}
