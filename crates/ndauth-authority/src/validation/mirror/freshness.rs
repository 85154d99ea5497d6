//! The freshness of answers, and the causes of stale ones.

use std::time::Duration;

/// The limits on how old an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// The greatest age of an answer, anywhere; none may be kept for longer.
    pub bound: Duration,
    /// The time beyond the bound for which an instance that cannot reach its database still answers services
    /// about reads.
    pub stale_grace: Duration,
}

impl Freshness {
    /// The bounds that can be set.
    pub const BOUNDS: std::ops::RangeInclusive<Duration> =
        Duration::from_millis(500)..=Duration::from_secs(30);
}

impl Default for Freshness {
    /// Returns a bound of two seconds, without a grace.
    fn default() -> Freshness {
        Freshness { bound: Duration::from_secs(2), stale_grace: Duration::ZERO }
    }
}

/// Permission to answer a question from a state older than the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stale {
    /// None: the question concerns ndauth itself.
    Never,
    /// Within the grace that the operator set.
    WithinGrace,
}

/// A reason why the end of the log is not known.
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
    /// The reason, in words.
    pub fn message(self) -> &'static str {
        match self {
            StaleCause::Unreachable => "the database has not answered for too long",
            StaleCause::Standby => "the database's address leads to a standby",
            StaleCause::Unacknowledged => {
                "waiting for the synchronous standby: the database may not be the primary any more"
            }
        }
    }
}

/// The ability of an authority to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It can answer.
    Ready,
    /// Its mirror is not loaded yet.
    Loading {
        /// The number of tokens loaded so far.
        loaded: u64,
        /// The number of tokens in all.
        of: u64,
    },
    /// The end of the log has not been known for longer than the bound.
    Stale(StaleCause),
    /// Its database is a copy that nobody has put into service.
    Held,
}
