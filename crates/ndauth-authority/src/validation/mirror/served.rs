//! The mirror that is served: its state, the progress of the reader, and the questions that wait for a
//! fresher state.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use ndauth_clock::SinceBoot;
use ndauth_core::Head;
use ndauth_store::{DatabaseClock, StoreError};
use tokio::sync::{Notify, Semaphore, SemaphorePermit, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::effects::Effects;
use super::feed::Recent;
use super::freshness::{Freshness, StaleCause};
use super::state::State;
use super::view::{Found, View, asking};
use crate::AuthorityError;
use crate::limits::{MIRROR_WAITS, Shares, network};

/// The state that questions are answered from, and its freshness.
#[derive(Debug)]
pub(crate) struct Mirror {
    pub(super) state: ArcSwap<State>,
    pub(super) watch: DatabaseClock,
    pub(super) freshness: Freshness,
    pub(super) progress: watch::Sender<Progress>,
    /// The sequence of the last event applied. Watchers wait for the next.
    pub(super) news: watch::Sender<u64>,
    /// Notified when a question waits for the end of the log.
    pub(super) wanted: Notify,
    /// Notified when this instance moved the end of the log.
    changed: Notify,
    /// Permits that bound how many questions that waited together are answered at once, so that new ones get
    /// a turn.
    turns: Semaphore,
    /// The questions that wait. Each takes about a kilobyte.
    waits: Arc<Shares<IpAddr>>,
    /// The tokens loaded so far, and all of them.
    pub(super) loaded: (AtomicU64, AtomicU64),
}

/// The mirror of an authority, shared with its reader.
pub(crate) type SharedMirror = Arc<Mirror>;

/// The progress of the reader.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// The moment up to which everything was applied.
    pub(super) confirmed: SinceBoot,
    /// The moment up to which everything was applied of a database that answered as a primary.
    pub(super) asked: SinceBoot,
    /// The reason why the end of the log is not known, if the last query for it failed.
    pub(super) cause: Option<StaleCause>,
    /// The sequence of the last event applied.
    pub(super) sequence: u64,
    /// The sequence of the last event in the log.
    pub(super) head: u64,
    /// True once the log is followed.
    pub(super) following: bool,
}

/// The freshness that a question needs of the state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Needed {
    pub(super) confirmed: SinceBoot,
    pub(super) asked: SinceBoot,
}

/// The number of questions that waited and are answered at once.
const TURNS: usize = 32;

impl Mirror {
    pub(crate) fn new(watch: DatabaseClock, freshness: Freshness) -> Mirror {
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
            waits: Shares::new(MIRROR_WAITS),
            loaded: <(AtomicU64, AtomicU64)>::default(),
        }
    }

    /// Records the progress of loading.
    pub(super) fn set_loading_progress(&self, loaded: u64, of: u64) {
        self.loaded.0.store(loaded, Ordering::Relaxed);
        self.loaded.1.store(of, Ordering::Relaxed);
    }

    /// Returns the age of the state. `None` before it was ever confirmed.
    pub(crate) fn age(&self) -> Option<Duration> {
        let confirmed = self.state.load().confirmed();
        (confirmed != SinceBoot::NEVER).then(|| SinceBoot::now().since(confirmed))
    }

    /// Asks the state a question that arrived at a moment, if the state is fresh enough. `None` if the state
    /// changed at every try.
    pub(super) fn find<T>(
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

    /// Returns a receiver of the sequences of events that are applied from now on.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    pub(crate) fn bound(&self) -> Duration {
        self.freshness.bound
    }

    /// Returns a moment, and a state that holds everything up to it.
    pub(crate) fn confirmed_state(&self) -> (SinceBoot, Arc<State>) {
        let confirmed = self.progress.borrow().confirmed;
        (confirmed, self.state.load_full())
    }

    /// Waits until an event was applied that a caller knows of, or until the log is known to end before it,
    /// as a rewound log may.
    pub(crate) async fn reach(&self, sequence: u64, from: Option<IpAddr>) -> Result<(), AuthorityError> {
        let applied = self.progress.borrow().sequence;
        if applied >= sequence {
            return Ok(());
        }
        let needed = Needed { confirmed: SinceBoot::NEVER, asked: SinceBoot::now() };
        self.wait_for(needed, from).await.map(drop)
    }

    /// Asks a state a question, however old it is. `None` if it changed at every try.
    pub(crate) fn look<T>(
        &self,
        state: &State,
        moment: SinceBoot,
        question: impl for<'v> Fn(&View<'v>, &mut Effects<'v>) -> T,
        run_effects: impl Fn(Effects<'_>),
    ) -> Option<T> {
        state.look(&self.watch, moment, false, question, |_, effects| run_effects(effects))
    }

    /// Waits until the state is as fresh as needed, and then for a permit. Fails at once if the reader cannot
    /// reach the end of the log.
    pub(super) async fn wait_for(
        &self,
        needed: Needed,
        from: Option<IpAddr>,
    ) -> Result<SemaphorePermit<'_>, AuthorityError> {
        let _share = self.waits.take(network(from), 1)?;
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

    /// Waits until the end of the log is to be queried: at once if this instance moved it, no earlier than
    /// `spaced` if a question waits for it, and at `latest` in any case.
    pub(super) async fn called(&self, spaced: Instant, latest: Instant) {
        tokio::select! {
            () = self.changed.notified() => {}
            () = self.wanted.notified() => sleep_until(spaced).await,
            () = sleep_until(latest) => {}
        }
    }

    /// Waits until an event of this instance was applied here. If that takes too long, the error says that
    /// the event is in the log all the same.
    pub(crate) async fn applied(&self, head: Head) -> Result<(), AuthorityError> {
        if !self.progress.borrow().following {
            return Ok(());
        }
        let mut progress = self.progress.subscribe();
        self.changed.notify_one();
        // Another event may have its sequence: in a rewound log, until that is noticed, or in another
        // database's log.
        let another = || self.state.load().place(head.sequence).is_some_and(|applied| applied != head);
        let there = progress.wait_for(|now| now.sequence >= head.sequence && !another());
        match timeout(self.freshness.bound, there).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) if another() => {
                let why = "the log that is followed does not contain it";
                Err(StoreError::OutcomeUnknown(why.into()).into())
            }
            Ok(Err(_)) | Err(_) => Err(AuthorityError::Unconfirmed { sequence: head.sequence }),
        }
    }

    /// Makes the reader query the log soon, without waiting for it.
    pub(crate) fn moved(&self) {
        self.changed.notify_one();
    }
}

impl Needed {
    fn are_met_by(&self, now: &Progress) -> bool {
        now.confirmed >= self.confirmed && now.asked >= self.asked
    }
}
