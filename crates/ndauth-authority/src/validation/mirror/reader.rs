//! The only reader of the log. It loads the mirror, and applies event after event.
//!
//! It has a thread and connections of its own, which no request can occupy. So answers stay as fresh as
//! promised, whatever the load.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ndauth_clock::SinceBoot;
use ndauth_core::{Causes, Entry, Head, Timestamp};
use ndauth_store::{Engine, Seen, Store, StoreError};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::beats::Beats;
use super::feed::{FeedEvent, owners};
use super::freshness::StaleCause;
use super::loading::{BATCH, Loaded, in_time, load};
use super::rows::{DecisionRules, TouchedRows};
use super::served::SharedMirror;
use crate::{Authority, AuthorityError};

/// The thread that follows the log for an authority. It ends when this is dropped.
#[derive(Debug)]
pub struct Reader {
    _alive: oneshot::Sender<()>,
    ended: oneshot::Receiver<AuthorityError>,
}

/// The state of the reader while it follows the log.
struct Follower {
    authority: Arc<Authority>,
    /// The runtime of all other work.
    main_runtime: Handle,
    /// Its own connection.
    store: Store,
    /// The last event that was applied.
    head: Head,
    catalogue_hash: [u8; 32],
    /// True if some rows of the state are newer than the events that were applied to it, so that it is not
    /// the state of one moment.
    mixed: bool,
    beats: Beats,
    /// True while the database replicates synchronously. Only then does the task that beats do so.
    synchronous: watch::Sender<bool>,
    /// The tasks that listen for changes and that beat.
    beside: Vec<JoinHandle<()>>,
    /// The instant since which the log cannot be followed.
    failing: Option<Instant>,
    /// The instant since which no beat is acknowledged, and true if that was logged.
    unproven: Option<(Instant, bool)>,
    /// The running comparison of the log with what was seen of it.
    looking: Option<JoinHandle<()>>,
    looked: Instant,
    look_due: bool,
}

/// The least time between two queries for the end of the log, however many callers wait for it.
const SPACING: Duration = Duration::from_millis(5);
/// The longest time between two such queries, unless an eighth of the bound is shorter.
const PERIOD: Duration = Duration::from_millis(250);
/// The timeout of a statement, after which the connection is given up. A shorter bound shortens it, to no
/// less than four times [`PERIOD`].
const STEP: Duration = Duration::from_secs(5);
/// The least time between two comparisons of the log with what was seen of it.
const LOOK: Duration = Duration::from_secs(1);

impl Authority {
    /// Loads the mirror with everything that a service can ask about, and follows the log from there on, on a
    /// thread of its own. Fails if the mirror needs more than `limit` bytes.
    pub async fn follow(self: &Arc<Self>, limit: Option<u64>) -> Result<Reader, AuthorityError> {
        let (alive, stopped) = oneshot::channel();
        let (loaded, load_finished) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let (authority, main_runtime) = (Arc::clone(self), Handle::current());
        let runtime = Builder::new_current_thread().enable_all().build().map_err(AuthorityError::Thread)?;
        let run = move || {
            runtime.block_on(async {
                tokio::select! {
                    why = run(authority, main_runtime, limit, loaded) => drop(end.send(why)),
                    _ = stopped => {}
                }
            });
        };
        thread::Builder::new().name("reader".to_owned()).spawn(run).map_err(AuthorityError::Thread)?;
        let mut reader = Reader { _alive: alive, ended };
        match load_finished.await {
            Ok(()) => Ok(reader),
            Err(_) => Err(reader.end().await),
        }
    }
}

impl Reader {
    /// Waits until the log is no longer followed, which is for good, and returns the reason.
    pub async fn end(&mut self) -> AuthorityError {
        // Without a reason the thread panicked, and logged that.
        (&mut self.ended).await.unwrap_or(AuthorityError::ReaderLost)
    }
}

/// Loads the mirror, reports that on `loaded`, and follows the log. Returns the reason why that ended.
async fn run(
    authority: Arc<Authority>,
    main_runtime: Handle,
    limit: Option<u64>,
    loaded: oneshot::Sender<()>,
) -> AuthorityError {
    let follower = async {
        let store = authority.store.apart()?;
        let report_progress = |loaded, of| authority.mirror.set_loading_progress(loaded, of);
        let first = load(&store, limit, report_progress).await?;
        let mut follower = Follower {
            authority: Arc::clone(&authority),
            main_runtime,
            store,
            head: Head::EMPTY,
            catalogue_hash: [0; 32],
            mixed: false,
            beats: Beats::default(),
            synchronous: watch::Sender::new(false),
            beside: Vec::new(),
            failing: None,
            unproven: None,
            looking: None,
            looked: Instant::now(),
            look_due: true,
        };
        follower.begin(first);
        Ok::<_, AuthorityError>(follower)
    };
    match follower.await {
        Ok(follower) => {
            let _ = loaded.send(());
            follower.follow().await
        }
        Err(error) => error,
    }
}

/// The outcome of a step.
enum Next {
    /// There are more events.
    Step,
    /// The end of the log was reached.
    Rest,
    /// The log is not the one that was followed.
    Rewound,
    /// Everything must be loaded again: an event of an unknown kind may concern anything, or rows are newer
    /// than the last event.
    Reload,
}

impl Follower {
    fn mirror(&self) -> &SharedMirror {
        &self.authority.mirror
    }

    /// Replaces the state that is answered from by a loaded one.
    fn begin(&mut self, Loaded { state, moment, seen, asked }: Loaded) {
        // A state with an older end comes from another database than the previous one.
        let newer = moment.head.sequence >= self.head.sequence;
        (self.head, self.catalogue_hash, self.mixed) = (moment.head, moment.catalogue_hash, false);
        self.authority.saw(seen);
        self.mirror().watch.set(moment.now, asked);
        state.apply(&moment.head, Default::default(), Vec::new());
        let confirmed = self.beats.record(moment.beat, asked);
        let mirror = Arc::clone(self.mirror());
        state.answered(asked);
        match confirmed {
            Some(confirmed) => state.confirm(confirmed),
            // It holds everything that the previous state held.
            None if newer => state.confirm(mirror.state.load().confirmed()),
            None => {}
        }
        let confirmed = state.confirmed();
        mirror.state.store(Arc::new(state));
        mirror.news.send_replace(moment.head.sequence);
        mirror.progress.send_modify(|progress| {
            progress.following = true;
            progress.asked = asked;
            progress.confirmed = confirmed;
            progress.sequence = moment.head.sequence;
            progress.head = moment.head.sequence;
        });
    }

    /// Applies events until that is no longer possible, and returns the reason.
    async fn follow(mut self) -> AuthorityError {
        let period = PERIOD.min(self.mirror().freshness.bound / 8);
        let questions = metrics::counter!("ndauth_head_questions_total");
        let mut last = Instant::now();
        self.listen();
        self.beat(period);
        loop {
            let mirror = Arc::clone(self.mirror());
            mirror.called(last + SPACING, last + period).await;
            if self.store.is_replaced() {
                self.mirror().state.load().mark_stale();
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
                Err(error) => self.failed(&error).await,
            }
            self.keep();
        }
    }

    /// Applies the events up to the present end of the log, and confirms it.
    async fn advance(&mut self, asked: SinceBoot) -> Result<(), AuthorityError> {
        let step = STEP.min(self.mirror().freshness.bound.max(PERIOD * 4));
        let moment = in_time(step, self.store.moment()).await?;
        self.mirror().watch.set(moment.now, asked);
        self.mirror().progress.send_modify(|progress| progress.head = moment.head.sequence);
        self.synchronous.send_if_modified(|known| {
            let synchronous = moment.beat.is_some();
            std::mem::replace(known, synchronous) != synchronous
        });
        let mut behind = moment.head != self.head || self.mixed;
        while behind {
            self.look_due = true;
            match timeout(step * 4, self.step()).await {
                Ok(next) => match next? {
                    Next::Step => {}
                    Next::Rest => behind = false,
                    Next::Rewound => return self.rewound().await,
                    Next::Reload => return self.reload().await,
                },
                Err(late) => return Err(StoreError::Unavailable(late.into()).into()),
            }
        }
        if self.head.sequence < moment.head.sequence {
            return Err(StoreError::Unavailable("another database answered, with an older log".into()).into());
        }
        let confirmed = self.beats.record(moment.beat, asked);
        let state = self.mirror().state.load_full();
        state.answered(asked);
        if let Some(confirmed) = confirmed {
            state.confirm(confirmed);
        }
        let age = SinceBoot::now().since(state.confirmed());
        let cause = moment.beat.and_then(|_| self.stale_cause(age));
        let (sequence, confirmed) = (self.head.sequence, state.confirmed());
        self.mirror().progress.send_modify(|progress| {
            progress.confirmed = confirmed;
            progress.asked = asked;
            progress.cause = cause;
            progress.sequence = sequence;
        });
        Ok(())
    }

    /// Returns the cause if a database answers and its last proof of being the primary is older than the
    /// bound. Logs when that begins and ends.
    fn stale_cause(&mut self, age: Duration) -> Option<StaleCause> {
        let bound = self.mirror().freshness.bound;
        if age <= bound {
            if let Some((since, true)) = self.unproven.take() {
                tracing::warn!(
                    micros = since.elapsed().as_micros(),
                    "the synchronous standby acknowledges again"
                );
            }
            return None;
        }
        let (since, said) = self.unproven.get_or_insert((Instant::now(), false));
        // This is normal at the start, and for a moment at other times.
        if since.elapsed() > bound && !std::mem::replace(said, true) {
            tracing::warn!("waiting for the synchronous standby: nothing is confirmed without it");
        }
        Some(StaleCause::Unacknowledged)
    }

    /// Applies the next events.
    async fn step(&mut self) -> Result<Next, AuthorityError> {
        let read = self.store.read().await?;
        let seen = self.head.sequence;
        // The last known event is read again, to check that this is still the same log.
        let mut events = read.events_after(seen.saturating_sub(1), BATCH + 1).await?;
        let known = if seen == 0 || events.is_empty() { None } else { Some(events.remove(0)) };
        if known.map_or(Head::EMPTY, |event| Head { sequence: event.sequence, hash: event.hash }) != self.head
        {
            let found = read.head().sequence;
            tracing::error!(seen, found, "the log was rewound: loading everything again");
            return Ok(Next::Rewound);
        }
        let Some(last) = events.last() else {
            return Ok(if self.mixed { Next::Reload } else { Next::Rest });
        };
        let head = Head { sequence: last.sequence, hash: last.hash };
        let entries: Vec<_> = events.iter().map(|event| Entry::read(&event.public)).collect();
        let Some(rows) = TouchedRows::of(&entries) else { return Ok(Next::Reload) };
        let more = head != read.head();
        if more {
            // The rows are newer than the events, so nobody reads the state until all events are applied.
            self.mirror().state.load().mark_stale();
        }
        let mut fresh = rows.read(&read).await?;
        if read.catalogue_hash() != self.catalogue_hash
            || *read.installation() != self.mirror().state.load().installation()
        {
            fresh.rules = Some(DecisionRules::read(&read).await?);
            self.catalogue_hash = read.catalogue_hash();
        }
        let owners = owners(fresh.tokens.as_ref().map_or(&[], |tokens| &tokens.sound));
        let feed_events = FeedEvent::list(&events, &entries, &owners);
        self.mirror().state.load().apply(&head, fresh, feed_events);
        self.mirror().news.send_replace(head.sequence);
        (self.head, self.mixed) = (head, more);
        let at = entries.iter().flatten().last().map_or(Timestamp::MAX, |entry| entry.at);
        self.authority.saw(Seen { head, at });
        Ok(if more { Next::Step } else { Next::Rest })
    }

    /// Loads everything beside the state that is answered from, which continues until it is older than the
    /// bound.
    async fn reload(&mut self) -> Result<(), AuthorityError> {
        tracing::info!("an event affects everything: loading a new snapshot beside the one in use");
        if self.mixed {
            self.mirror().state.load().mark_stale();
        }
        let loaded = load(&self.store, None, |_, _| {}).await?;
        self.begin(loaded);
        Ok(())
    }

    /// Loads everything of another log than the one that was followed. The present state is no longer
    /// answered from.
    async fn rewound(&mut self) -> Result<(), AuthorityError> {
        self.mirror().state.load().mark_stale();
        self.beats.forget();
        let authority = Arc::clone(&self.authority);
        let looked = self.main_runtime.spawn(async move { authority.look().await });
        looked.await.unwrap_or(Err(AuthorityError::ReaderLost))?;
        self.reload().await
    }

    /// Logs the first failure, reports the cause to callers that wait, and replaces the connection.
    async fn failed(&mut self, error: &AuthorityError) {
        let cause = match error {
            AuthorityError::Store(StoreError::Standby) => StaleCause::Standby,
            _ => StaleCause::Unreachable,
        };
        self.mirror().progress.send_modify(|progress| progress.cause = Some(cause));
        self.beats.forget();
        if self.failing.is_none() {
            self.failing = Some(Instant::now());
            tracing::warn!(error = %Causes(error), "the log cannot be followed: responses stop once the snapshot is stale");
        }
        if let Ok(store) = self.authority.store.apart() {
            self.store = store;
        }
        sleep(PERIOD / 2).await;
    }

    /// Wakes the reader when something changes, if the database sends notifications.
    fn listen(&mut self) {
        let (store, mirror) = (self.authority.store.clone(), Arc::clone(self.mirror()));
        self.beside.push(tokio::spawn(async move {
            loop {
                match store.listen().await {
                    Ok(None) => return,
                    Ok(Some(mut listener)) => {
                        while listener.wait_for_change().await.is_ok() {
                            mirror.wanted.notify_one();
                        }
                    }
                    Err(_) => {}
                }
                // Without notifications the reader is slower, and nothing more.
                sleep(LOOK).await;
            }
        }));
    }

    /// Commits beats, which prove that the database is still the primary, if that takes a commit. They wait
    /// for a standby, so they have a connection of their own.
    fn beat(&mut self, period: Duration) {
        let store = &self.authority.store;
        if store.engine() == Engine::Sqlite {
            return;
        }
        let (store, mut synchronous) = (store.clone(), self.synchronous.subscribe());
        self.beside.push(tokio::spawn(async move {
            let mut own_store = None;
            loop {
                if synchronous.wait_for(|synchronous| *synchronous).await.is_err() {
                    return;
                }
                let beaten = match own_store.take().map_or_else(|| store.with_beat_connection(), Ok) {
                    Ok(own) => {
                        let beaten = own.beat(period * 3 / 4).await;
                        own_store = beaten.is_ok().then_some(own);
                        beaten
                    }
                    Err(error) => Err(error),
                };
                if let Err(error) = beaten {
                    tracing::debug!(error = %Causes(&error), "no beat");
                }
                sleep(period).await;
            }
        }));
    }

    /// Compares the log with what was seen of it, and records its end. This runs on the other runtime,
    /// because it waits for disks and for the database.
    fn keep(&mut self) {
        let running = self.looking.as_ref().is_some_and(|looking| !looking.is_finished());
        // The operator may settle an older copy at any time.
        let due = self.look_due || self.authority.is_rewound();
        if !due || running || self.looked.elapsed() < LOOK {
            return;
        }
        (self.looked, self.look_due) = (Instant::now(), false);
        let authority = Arc::clone(&self.authority);
        self.looking = Some(self.main_runtime.spawn(async move {
            if let Err(error) = authority.look().await {
                tracing::warn!(error = %Causes(&error), "the end of the log was not recorded");
            }
        }));
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        for task in self.beside.drain(..) {
            task.abort();
        }
    }
}
