//! The database's time, which never runs backwards within a process.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use ndauth_clock::SinceBoot;
use ndauth_core::Timestamp;

use crate::StoreError;

/// The clock that judges expiry.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The clock of PostgreSQL, or of the machine for SQLite.
    Database,
    /// A clock that stands still until it is moved, for tests.
    Manual(ManualClock),
}

/// A clock that stands still until it is moved.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicI64>);

/// A local estimate of the database's time; see [`ndauth_clock::RemoteClock`].
#[derive(Debug)]
pub struct DatabaseClock {
    clock: Clock,
    database: ndauth_clock::RemoteClock,
}

/// The latest instant that any transaction saw.
#[derive(Debug, Default)]
pub(crate) struct Latest(AtomicI64);

impl ManualClock {
    /// Returns a clock that shows an instant.
    pub fn at(instant: Timestamp) -> ManualClock {
        ManualClock(Arc::new(AtomicI64::new(instant.micros())))
    }

    /// Moves the clock.
    pub fn set(&self, instant: Timestamp) {
        self.0.store(instant.micros(), Ordering::SeqCst);
    }

    /// Returns the instant that it shows.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.micros()).expect("it was set to an instant")
    }

    pub(crate) fn micros(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl DatabaseClock {
    /// Returns a clock that has not been set yet.
    pub fn new(clock: Clock) -> DatabaseClock {
        DatabaseClock { clock, database: ndauth_clock::RemoteClock::new() }
    }

    /// Sets the clock from a response that has just arrived: the time that it states, and the moment at which
    /// the query was sent.
    pub fn set(&self, remote: Timestamp, asked: SinceBoot) {
        self.database.set(remote, asked);
    }

    /// Returns the database's time at a moment.
    pub fn at(&self, moment: SinceBoot) -> Timestamp {
        match &self.clock {
            Clock::Manual(clock) => Timestamp::from_micros(clock.micros()).unwrap_or(Timestamp::MAX),
            Clock::Database => self.database.at(moment),
        }
    }
}

impl Latest {
    /// Returns this instant, or the latest so far if that is later.
    pub(crate) fn no_earlier(&self, micros: i64) -> Result<Timestamp, StoreError> {
        let latest = self.0.fetch_max(micros, Ordering::SeqCst).max(micros);
        Timestamp::from_micros(latest)
            .map_err(|_| StoreError::unavailable("the clock is not between the years 1970 and 9999"))
    }
}

/// Returns the machine's clock, in microseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
pub(crate) fn machine_micros() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX)
}
