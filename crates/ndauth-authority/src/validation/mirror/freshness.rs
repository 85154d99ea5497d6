//! How fresh answers are, and why they may not be.

use std::time::Duration;

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
