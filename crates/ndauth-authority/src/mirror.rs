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

mod beats;
mod feed;
mod state;

mod loading;
mod reader;
mod rows;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use ndauth_clock::SinceBoot;
use ndauth_core::{ClientName, Head};
use ndauth_store::{StoreError, Watch};
use tokio::sync::{Notify, Semaphore, SemaphorePermit, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::access::Operation;
use crate::effects::Effects;
use crate::{Authority, AuthorityError};

pub(crate) use feed::Heard;
use feed::Recent;
pub use loading::BYTES_PER_TOKEN;
pub use reader::Reader;
use state::State;
pub(crate) use state::{Family, Known, View};

/// How fresh answers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// How late any change may be, anywhere: no answer is older, and none may be kept for longer.
    pub bound: Duration,
    /// For how long beyond the bound an instance that cannot reach its database still answers services about what reads.
    pub stale_grace: Duration,
}

impl Freshness {
    /// What the bound may be.
    pub const BOUNDS: std::ops::RangeInclusive<Duration> =
        Duration::from_millis(500)..=Duration::from_secs(30);
}

impl Default for Freshness {
    /// Two seconds, and no answers beyond them.
    fn default() -> Freshness {
        Freshness { bound: Duration::from_secs(2), stale_grace: Duration::ZERO }
    }
}

/// How a question is answered from a state that is older than the bound, where the operator allows that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stale {
    /// It may not: it concerns ndauth itself.
    Never,
    /// It may.
    WithinGrace,
}

/// Why it is not known what has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaleCause {
    /// The database does not answer.
    Unreachable,
    /// The database's address leads to a standby.
    Standby,
    /// No standby acknowledges what is committed: the database may have been replaced as the primary.
    Unacknowledged,
}

impl StaleCause {
    /// It as a reason, in words.
    pub fn message(self) -> &'static str {
        match self {
            StaleCause::Unreachable => "the database could not be asked for too long",
            StaleCause::Standby => "the database's address leads to a standby",
            StaleCause::Unacknowledged => {
                "waiting for the synchronous standby: the database may not be the primary any more"
            }
        }
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
    /// It could not be asked for longer than the bound what has happened.
    Stale(StaleCause),
    /// Its database is a copy that nobody has put into service.
    Held,
}

/// How far the reader is.
#[derive(Clone, Copy, Debug)]
struct Progress {
    /// Everything was applied that had happened then.
    confirmed: SinceBoot,
    /// All was applied that a database had then, which answered as a primary.
    asked: SinceBoot,
    /// Why it is not known what has happened since, where the last question for it says so.
    cause: Option<StaleCause>,
    /// The last event that was applied.
    sequence: u64,
    /// The last event that there was.
    head: u64,
    /// Whether the log is followed at all.
    following: bool,
}

/// How fresh a state somebody needs.
#[derive(Clone, Copy, Debug)]
struct Needed {
    confirmed: SinceBoot,
    asked: SinceBoot,
}

/// How many may wait for a fresher state at once: each takes about a kilobyte.
const MOST_WAITING: usize = 100_000;
/// How many of those who waited are answered at once.
const TURNS: usize = 32;

impl Mirror {
    pub(crate) fn new(watch: Watch, freshness: Freshness) -> Mirror {
        let (progress, _) = watch::channel(Progress {
            confirmed: SinceBoot::NEVER,
            asked: SinceBoot::NEVER,
            cause: None,
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
        question: &impl for<'v> Fn(&View<'v>, &mut Effects<'v>) -> Found<T>,
        arrived: SinceBoot,
        now: SinceBoot,
        run_effects: &impl Fn(Effects<'_>),
    ) -> Option<Found<T>> {
        let needed = now.before(self.freshness.bound);
        let look = asking(|view, effects| {
            if view.confirmed < needed {
                return Found::TooOld;
            }
            match question(view, effects) {
                Found::Missed(answer) if view.asked >= arrived => Found::Held(answer),
                found => found,
            }
        });
        self.state.load().look(&self.watch, now, false, look, |found, effects| {
            if let Found::Held(_) = found {
                run_effects(effects);
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
        if applied >= sequence {
            return Ok(());
        }
        let needed = Needed { confirmed: SinceBoot::NEVER, asked: SinceBoot::now() };
        self.wait_for(needed).await.map(drop)
    }

    /// Looks at a state, however old it is. `None` where it changed at every try.
    pub(crate) fn look<T>(
        &self,
        state: &State,
        moment: SinceBoot,
        question: impl for<'v> Fn(&View<'v>, &mut Effects<'v>) -> T,
        run_effects: impl Fn(Effects<'_>),
    ) -> Option<T> {
        state.look(&self.watch, moment, false, question, |_, effects| run_effects(effects))
    }

    /// Waits until a state is as fresh as is needed, and then for a turn. Where the reader knows already that it cannot
    /// tell, nobody waits.
    async fn wait_for(&self, needed: Needed) -> Result<SemaphorePermit<'_>, AuthorityError> {
        if self.progress.receiver_count() >= MOST_WAITING {
            return Err(AuthorityError::Overloaded);
        }
        let mut progress = self.progress.subscribe();
        self.wanted.notify_one();
        let there = progress.wait_for(|now| needed.are_met_by(now) || now.cause.is_some());
        let cause = match timeout(self.freshness.bound, there).await {
            Ok(Ok(now)) if needed.are_met_by(&now) => None,
            Ok(Ok(now)) => now.cause,
            Ok(Err(_)) | Err(_) => Some(StaleCause::Unreachable),
        };
        if let Some(cause) = cause {
            return Err(AuthorityError::Stale { age: self.age(), cause });
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

    /// Waits until an event of this instance was applied here. Where that takes too long, it is in the log all the same,
    /// and whoever waits is told so.
    pub(crate) async fn applied(&self, head: Head) -> Result<(), AuthorityError> {
        if !self.progress.borrow().following {
            return Ok(());
        }
        let mut progress = self.progress.subscribe();
        self.changed.notify_one();
        // Another event may have its place: in a log that is rewound, until that is noticed, and in another database's.
        let another = || self.state.load().place(head.sequence).is_some_and(|applied| applied != head);
        let there = progress.wait_for(|now| now.sequence >= head.sequence && !another());
        match timeout(self.freshness.bound, there).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) if another() => {
                let why = "the log that is followed goes on without it";
                Err(StoreError::OutcomeUnknown(why.into()).into())
            }
            Ok(Err(_)) | Err(_) => Err(AuthorityError::Unconfirmed { sequence: head.sequence }),
        }
    }

    /// Lets the reader ask soon, and nobody wait for it.
    pub(crate) fn moved(&self) {
        self.changed.notify_one();
    }
}

impl Needed {
    fn are_met_by(&self, now: &Progress) -> bool {
        now.confirmed >= self.confirmed && now.asked >= self.asked
    }
}

/// A question to a state, which names what its answer sets off.
pub(crate) fn asking<T, F: for<'v> Fn(&View<'v>, &mut Effects<'v>) -> T>(question: F) -> F {
    question
}

impl Authority {
    /// Answers from the mirror, as soon as it is fresh enough. Touches no database. What the answer sets off is done
    /// once, when it is final.
    pub(crate) async fn ask<'q, T>(
        &self,
        stale: Stale,
        question: impl for<'v> Fn(&View<'v>, &mut Effects<'v>) -> Found<T>,
        client: impl Fn(usize) -> Option<&'q ClientName>,
    ) -> Result<T, AuthorityError> {
        let mirror = &*self.mirror;
        let arrived = SinceBoot::now();
        let (mut now, mut missed) = (arrived, false);
        let mut turn = None;
        let run_effects = |effects: Effects<'_>| self.run_effects(effects, &client);
        loop {
            match mirror.find(&question, arrived, now, &run_effects) {
                Some(Found::Held(answer)) => return Ok(answer),
                Some(Found::Missed(_)) => missed = true,
                Some(Found::TooOld) => {}
                None => {
                    tokio::task::yield_now().await;
                    continue;
                }
            }
            let needed = Needed {
                confirmed: now.before(mirror.freshness.bound),
                asked: if missed { arrived } else { SinceBoot::NEVER },
            };
            drop(turn.take());
            // Boxed, so that who is answered at once does not pay for its size.
            match Box::pin(mirror.wait_for(needed)).await {
                Ok(its) => turn = Some(its),
                Err(error) if stale == Stale::WithinGrace => {
                    return self.ask_stale(question, &run_effects).ok_or(error);
                }
                Err(error) => return Err(error),
            }
            now = SinceBoot::now();
        }
    }

    /// The same, where no fresher state is needed.
    pub(crate) fn ask_now<'q, T>(
        &self,
        question: impl for<'v> Fn(&View<'v>, &mut Effects<'v>) -> Found<T>,
        client: impl Fn(usize) -> Option<&'q ClientName>,
    ) -> Option<T> {
        let now = SinceBoot::now();
        match self
            .mirror
            .find(&question, now, now, &|effects: Effects<'_>| self.run_effects(effects, &client))?
        {
            Found::Held(answer) => Some(answer),
            Found::Missed(_) | Found::TooOld => None,
        }
    }

    /// Answers from a state that is too old, if the operator allowed that for as old a one.
    fn ask_stale<T>(
        &self,
        question: impl for<'v> Fn(&View<'v>, &mut Effects<'v>) -> Found<T>,
        run_effects: &impl Fn(Effects<'_>),
    ) -> Option<T> {
        let mirror = &*self.mirror;
        let Freshness { bound, stale_grace } = mirror.freshness;
        if stale_grace.is_zero() {
            return None;
        }
        let now = SinceBoot::now();
        let oldest = now.before(bound.saturating_add(stale_grace));
        let look = asking(
            |view, effects| {
                if view.confirmed < oldest { Found::TooOld } else { question(view, effects) }
            },
        );
        let looked = mirror.state.load().look(&mirror.watch, now, true, look, |found, effects| {
            if let Found::Held(_) = found {
                run_effects(effects);
            }
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
            Readiness::Stale(mirror.progress.borrow().cause.unwrap_or(StaleCause::Unreachable))
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
        let failing = self.failing_changes().map_or(0.0, |(since, _)| since.as_secs_f64());
        metrics::gauge!("ndauth_changes_failing_seconds").set(failing);
        metrics::gauge!("ndauth_mirror_staleness_seconds").set(age);
        metrics::gauge!("ndauth_mirror_sequence").set(sequence as f64);
        metrics::gauge!("ndauth_mirror_lag_events").set(head.saturating_sub(sequence) as f64);
        metrics::gauge!("ndauth_mirror_secrets").set(secrets as f64);
        metrics::gauge!("ndauth_mirror_bytes").set(secrets.saturating_mul(BYTES_PER_TOKEN) as f64);
    }

    /// How late an answer from this view may be kept, at the most.
    pub(crate) fn keepable(&self, view: &View<'_>) -> Duration {
        if view.stale { Duration::ZERO } else { self.mirror.freshness.bound.saturating_sub(view.age()) }
    }
}

/// The mirror of an authority, shared with what follows the log for it.
pub(crate) type SharedMirror = Arc<Mirror>;
