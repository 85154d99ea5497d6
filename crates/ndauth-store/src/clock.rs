//! Whose time it is: the database's, which never runs backwards within a process.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ndauth_core::Timestamp;
use rustix::time::{ClockId, clock_gettime};

use crate::StoreError;

/// The clock that judges expiry.
#[derive(Clone, Debug)]
pub enum Clock {
    /// That of the database: PostgreSQL's own; for SQLite, that of the machine.
    Database,
    /// One that stands until it is moved, for tests.
    Manual(ManualClock),
}

/// A clock that stands until it is moved.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicI64>);

/// A moment of this machine since it was started, in microseconds: a clock that nobody sets, and that
/// counts on while the machine sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SinceBoot(i64);

/// Tells the database's time between two questions for it, without asking.
///
/// What it tells never runs backwards: where the database's clock is set back, it stands until that has
/// caught up.
#[derive(Debug)]
pub struct Watch {
    clock: Clock,
    /// How much later the database's clock is than the machine's.
    offset: AtomicI64,
    /// What was told already by a larger offset.
    floor: AtomicI64,
}

/// The latest instant that any transaction saw.
#[derive(Debug, Default)]
pub(crate) struct Latest(AtomicI64);

impl ManualClock {
    /// A clock that shows an instant.
    pub fn at(instant: Timestamp) -> ManualClock {
        ManualClock(Arc::new(AtomicI64::new(instant.micros())))
    }

    /// Moves the clock.
    pub fn set(&self, instant: Timestamp) {
        self.0.store(instant.micros(), Ordering::SeqCst);
    }

    pub(crate) fn micros(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl SinceBoot {
    /// This moment.
    pub fn now() -> SinceBoot {
        #[cfg(target_os = "linux")]
        let clock = ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let clock = ClockId::Monotonic;
        let now = clock_gettime(clock);
        SinceBoot(now.tv_sec * 1_000_000 + now.tv_nsec / 1000)
    }

    /// Before every other.
    pub const NEVER: SinceBoot = SinceBoot(i64::MIN);

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: SinceBoot) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// So long before this.
    #[must_use]
    pub fn before(self, earlier: Duration) -> SinceBoot {
        SinceBoot(self.0.saturating_sub(i64::try_from(earlier.as_micros()).unwrap_or(i64::MAX)))
    }

    /// As a number that one atomic cell holds.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// The moment that [`SinceBoot::micros`] told.
    pub fn from_micros(micros: i64) -> SinceBoot {
        SinceBoot(micros)
    }
}

impl Watch {
    /// A watch that has not been set yet.
    pub fn new(clock: Clock) -> Watch {
        Watch { clock, offset: AtomicI64::new(0), floor: AtomicI64::new(0) }
    }

    /// Sets it by what the database told when it was asked at a moment. It is fast by at most as long as
    /// the answer took, and so never lets live what has expired.
    pub fn set(&self, told: Timestamp, asked: SinceBoot) {
        let offset = told.micros() - asked.0;
        let before = self.offset.load(Ordering::Acquire);
        if offset < before {
            self.floor.fetch_max(SinceBoot::now().0.saturating_add(before), Ordering::AcqRel);
        }
        self.offset.store(offset, Ordering::Release);
    }

    /// The database's time at a moment.
    pub fn at(&self, moment: SinceBoot) -> Timestamp {
        let micros = match &self.clock {
            Clock::Manual(clock) => clock.micros(),
            Clock::Database => {
                let told = moment.0.saturating_add(self.offset.load(Ordering::Acquire));
                told.max(self.floor.load(Ordering::Acquire))
            }
        };
        Timestamp::from_micros(micros.max(0)).unwrap_or(Timestamp::MAX)
    }
}

impl Latest {
    /// The instant that was read, or the latest so far if that is later.
    pub(crate) fn no_earlier(&self, micros: i64) -> Result<Timestamp, StoreError> {
        let latest = self.0.fetch_max(micros, Ordering::SeqCst).max(micros);
        Timestamp::from_micros(latest)
            .map_err(|_| StoreError::unavailable("the clock shows no instant between 1970 and 9999"))
    }
}

/// The machine's clock, in microseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
pub(crate) fn machine_micros() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX)
}
