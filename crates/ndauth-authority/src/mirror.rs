//! The mirror: all that the decision reads about everything a service can ask about, in memory, as of a
//! confirmed end of the log.
//!
//! It loads once and then follows the log: an event names what changed, the reader reads those rows again,
//! in order, in one place. So an answer touches no database, nothing is evicted, and nothing races.
//!
//! *Confirmed* means that all events up to the end of the log were applied; *when* is the moment before
//! the end was asked for. A mirror that was confirmed longer ago than the bound does not answer: whoever
//! comes then asks for the end together with everyone else who does. The same for a secret that it does
//! not hold, which is unknown only as of an end that was asked for after the question came.

mod feed;
mod reader;
mod state;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use ndauth_clock::SinceBoot;
use ndauth_core::Head;
use ndauth_store::Watch;
use tokio::sync::{Notify, Semaphore, SemaphorePermit, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::access::Operation;
use crate::{Authority, AuthorityError};

pub(crate) use feed::Concern;
use feed::Recent;
pub use reader::{BYTES_PER_TOKEN, Follower};
use state::State;
pub(crate) use state::{Family, Known, View};

/// How fresh answers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// How late any change may be, anywhere: no answer is older, and none may be kept for longer.
    pub bound: Duration,
    /// For how long beyond the bound an instance that cannot reach its database still answers what reads.
    pub stale_grace: Duration,
    /// Whether it then answers what writes, too.
    pub stale_writes: bool,
}

impl Freshness {
    /// What the bound may be.
    pub const BOUNDS: std::ops::RangeInclusive<Duration> =
        Duration::from_millis(500)..=Duration::from_secs(30);
}

impl Default for Freshness {
    /// Two seconds, and no answers beyond them.
    fn default() -> Freshness {
        Freshness { bound: Duration::from_secs(2), stale_grace: Duration::ZERO, stale_writes: false }
    }
}

/// What was found in the mirror.
pub(crate) enum Found<T> {
    /// It follows from what is there.
    Held(T),
    /// It follows from a secret that is not there, and so holds only as of an end of the log that was asked
    /// for after the question came.
    Missed(T),
    /// It must not be told from a state as old as this.
    TooOld,
}

#[derive(Debug)]
pub(crate) struct Mirror {
    state: ArcSwap<State>,
    watch: Watch,
    freshness: Freshness,
    progress: watch::Sender<Progress>,
    /// The last event that was applied: those who watch wait for the next.
    news: watch::Sender<u64>,
    /// Somebody waits for the end of the log.
    wanted: Notify,
    /// This instance moved it.
    changed: Notify,
    /// Those who waited together are answered a few at a time, and whoever comes meanwhile goes in between.
    turns: Semaphore,
    /// How many tokens were loaded, and of how many.
    loaded: (AtomicU64, AtomicU64),
}

/// Whether an authority can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It can.
    Ready,
    /// Its mirror is not loaded yet.
    Loading {
        /// How many tokens are.
        loaded: u64,
        /// Of how many.
        of: u64,
    },
    /// Its database could not be asked for longer than the bound.
    Stale,
    /// Its database is a copy that nobody has put into service.
    Held,
}

/// How far the reader is.
#[derive(Clone, Copy, Debug)]
struct Progress {
    /// The end of the log as of then was applied.
    confirmed: SinceBoot,
    /// A question begun then was not answered.
    failed: SinceBoot,
    /// The last event that was applied.
    sequence: u64,
    /// The last event that there was.
    head: u64,
    /// Whether the log is followed at all.
    following: bool,
}

/// How many may wait for a fresher state at once: each takes about a kilobyte.
const MOST_WAITING: usize = 100_000;
/// How many of those who waited are answered at once.
const TURNS: usize = 32;

impl Mirror {
    pub(crate) fn new(watch: Watch, freshness: Freshness) -> Mirror {
        let (progress, _) = watch::channel(Progress {
            confirmed: SinceBoot::NEVER,
            failed: SinceBoot::NEVER,
            sequence: 0,
            head: 0,
            following: false,
        });
        Mirror {
            state: ArcSwap::from_pointee(State::new(Recent::after(Head::EMPTY))),
            watch,
            freshness,
            progress,
            news: watch::Sender::new(0),
            wanted: Notify::new(),
            changed: Notify::new(),
            turns: Semaphore::new(TURNS),
            loaded: <(AtomicU64, AtomicU64)>::default(),
        }
    }

    /// Tells how far the loading is.
    fn tell_loaded(&self, loaded: u64, of: u64) {
        self.loaded.0.store(loaded, Ordering::Relaxed);
        self.loaded.1.store(of, Ordering::Relaxed);
    }

    /// How old the state is that would be answered from now.
    pub(crate) fn age(&self) -> Option<Duration> {
        let confirmed = self.state.load().confirmed();
        (confirmed != SinceBoot::NEVER).then(|| SinceBoot::now().since(confirmed))
    }

    /// What is found in the state, if it is as fresh as is needed, of a question that arrived at a moment. `None`
    /// where the state changed at every try.
    fn find<T>(
        &self,
        question: &impl Fn(&View<'_>) -> Found<T>,
        arrived: SinceBoot,
        now: SinceBoot,
        needed: SinceBoot,
    ) -> Option<Found<T>> {
        self.state.load().look(&self.watch, now, false, |view| {
            if view.confirmed < needed {
                return Found::TooOld;
            }
            match question(view) {
                Found::Missed(answer) if view.confirmed >= arrived => Found::Held(answer),
                found => found,
            }
        })
    }

    /// Tells of the events that are applied from now on.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    pub(crate) fn bound(&self) -> Duration {
        self.freshness.bound
    }

    /// A moment, and the state to which all had been applied that had happened by then.
    pub(crate) fn confirmed_state(&self) -> (SinceBoot, Arc<State>) {
        let confirmed = self.progress.borrow().confirmed;
        (confirmed, self.state.load_full())
    }

    /// Asks for the end of the log where an event was not applied yet that somebody knows of. There may be none
    /// such, where the log was rewound.
    pub(crate) async fn reach(&self, sequence: u64) -> Result<(), AuthorityError> {
        let applied = self.progress.borrow().sequence;
        if applied < sequence { self.confirmed_since(SinceBoot::now()).await.map(drop) } else { Ok(()) }
    }

    /// Looks at a state, however old it is. `None` where it changed at every try.
    pub(crate) fn look<T>(
        &self,
        state: &State,
        moment: SinceBoot,
        question: impl Fn(&View<'_>) -> T,
    ) -> Option<T> {
        state.look(&self.watch, moment, false, question)
    }

    /// Waits until a state is confirmed that is no older than a moment, and then for a turn.
    async fn confirmed_since(&self, needed: SinceBoot) -> Result<SemaphorePermit<'_>, AuthorityError> {
        if self.progress.receiver_count() >= MOST_WAITING {
            return Err(AuthorityError::Overloaded);
        }
        let begun = SinceBoot::now();
        let mut progress = self.progress.subscribe();
        self.wanted.notify_one();
        let there = progress.wait_for(|now| now.confirmed >= needed || now.failed >= begun);
        match timeout(self.freshness.bound, there).await {
            Ok(Ok(now)) if now.confirmed >= needed => {}
            _ => return Err(AuthorityError::Stale { age: self.age() }),
        }
        Ok(self.turns.acquire().await.expect("nobody closes it"))
    }

    /// Waits until the end of the log is to be asked for: at once where this instance moved it, no earlier
    /// than `spaced` where somebody waits for it, and at `latest` in any case.
    async fn called(&self, spaced: Instant, latest: Instant) {
        tokio::select! {
            () = self.changed.notified() => {}
            () = self.wanted.notified() => sleep_until(spaced).await,
            () = sleep_until(latest) => {}
        }
    }

    /// Waits until an event of this instance was applied. Where that takes too long the mirror is too old
    /// to answer, and whoever asks it next waits for the same.
    pub(crate) async fn applied(&self, sequence: u64) {
        if !self.progress.borrow().following {
            return;
        }
        let mut progress = self.progress.subscribe();
        self.changed.notify_one();
        let _ = timeout(self.freshness.bound, progress.wait_for(|now| now.sequence >= sequence)).await;
    }
}

impl Authority {
    /// Answers from the mirror, as soon as it is fresh enough. Touches no database.
    pub(crate) async fn ask<T>(&self, question: impl Fn(&View<'_>) -> Found<T>) -> Result<T, AuthorityError> {
        let mirror = &*self.mirror;
        let arrived = SinceBoot::now();
        let (mut now, mut missed) = (arrived, false);
        let mut turn = None;
        loop {
            let needed = if missed { arrived } else { now.before(mirror.freshness.bound) };
            match mirror.find(&question, arrived, now, needed) {
                Some(Found::Held(answer)) => return Ok(answer),
                Some(Found::Missed(_)) => missed = true,
                Some(Found::TooOld) => {}
                None => {
                    tokio::task::yield_now().await;
                    continue;
                }
            }
            let needed = if missed { arrived } else { now.before(mirror.freshness.bound) };
            drop(turn.take());
            // Boxed, so that who is answered at once does not pay for its size.
            match Box::pin(mirror.confirmed_since(needed)).await {
                Ok(its) => turn = Some(its),
                Err(error) => return self.ask_stale(question).ok_or(error),
            }
            now = SinceBoot::now();
        }
    }

    /// The same, where no fresher state is needed.
    pub(crate) fn ask_now<T>(&self, question: impl Fn(&View<'_>) -> Found<T>) -> Option<T> {
        let now = SinceBoot::now();
        match self.mirror.find(&question, now, now, now.before(self.mirror.freshness.bound))? {
            Found::Held(answer) => Some(answer),
            Found::Missed(_) | Found::TooOld => None,
        }
    }

    /// Answers from a state that is too old, if the operator allowed that for as old a one.
    fn ask_stale<T>(&self, question: impl Fn(&View<'_>) -> Found<T>) -> Option<T> {
        let mirror = &*self.mirror;
        let Freshness { bound, stale_grace, .. } = mirror.freshness;
        if stale_grace.is_zero() {
            return None;
        }
        let now = SinceBoot::now();
        let oldest = now.before(bound.saturating_add(stale_grace));
        let looked = mirror.state.load().look(&mirror.watch, now, true, |view| {
            if view.confirmed < oldest { Found::TooOld } else { question(view) }
        });
        match looked? {
            Found::Held(answer) => {
                metrics::counter!("ndauth_stale_answers_total").increment(1);
                Some(answer)
            }
            Found::Missed(_) | Found::TooOld => None,
        }
    }

    /// Whether it can answer, as far as it knows without asking.
    pub fn readiness(&self) -> Readiness {
        let mirror = &*self.mirror;
        if !mirror.progress.borrow().following {
            let (loaded, of) = (&mirror.loaded.0, &mirror.loaded.1);
            return Readiness::Loading {
                loaded: loaded.load(Ordering::Relaxed),
                of: of.load(Ordering::Relaxed),
            };
        }
        let state = mirror.state.load();
        let installation = state.installation();
        if self.standing.admit(Operation::CheckHealth, &installation).is_err() {
            Readiness::Held
        } else if mirror.age().is_none_or(|age| age > mirror.freshness.bound) {
            Readiness::Stale
        } else {
            Readiness::Ready
        }
    }

    /// Brings the gauges of the mirror up to date.
    #[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
    pub fn gauge(&self) {
        let Progress { sequence, head, .. } = *self.mirror.progress.borrow();
        let secrets = self.mirror.state.load().secrets() as u64;
        let age = self.mirror.age().map_or(f64::INFINITY, |age| age.as_secs_f64());
        metrics::gauge!("ndauth_mirror_staleness_seconds").set(age);
        metrics::gauge!("ndauth_mirror_sequence").set(sequence as f64);
        metrics::gauge!("ndauth_mirror_lag_events").set(head.saturating_sub(sequence) as f64);
        metrics::gauge!("ndauth_mirror_secrets").set(secrets as f64);
        metrics::gauge!("ndauth_mirror_bytes").set(secrets.saturating_mul(BYTES_PER_TOKEN) as f64);
    }

    /// Whether what writes may be answered from a state that is too old.
    pub(crate) fn may_write_stale(&self) -> bool {
        self.mirror.freshness.stale_writes
    }

    /// How late an answer from this view may be kept, at the most.
    pub(crate) fn keepable(&self, view: &View<'_>) -> Duration {
        if view.stale { Duration::ZERO } else { self.mirror.freshness.bound.saturating_sub(view.age()) }
    }
}

/// The mirror of an authority, shared with what follows the log for it.
pub(crate) type SharedMirror = Arc<Mirror>;
