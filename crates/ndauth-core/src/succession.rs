//! Succession: a new secret of a family replaces an old one, which is retired later.

use std::net::IpAddr;
use std::time::Duration;

use crate::{Expiry, Timestamp};

/// The time for which a new secret awaits confirmation before it expires.
pub const PENDING_FOR: Duration = Duration::from_secs(15 * 60);
/// The time without use after which a secret counts as not in use.
const IDLE: Duration = Duration::from_secs(24 * 60 * 60);
/// The time after the new secret took over before the old one can count as abandoned.
const SETTLED: Duration = Duration::from_secs(60 * 60);

/// The last recorded use of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastUse {
    /// The instant.
    pub at: Timestamp,
    /// The address, as stated by the service that was called.
    pub address: Option<IpAddr>,
}

/// The effect of confirming a pending secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Succession {
    /// The time for which the earlier secrets continue to work.
    pub overlap: Duration,
    /// The token's expiry from then on; `Never` for a service.
    pub expires_at: Expiry,
}

/// A judgement of whether the old secret of a rotation can be retired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retirement {
    /// No: it was used after the new one took over, less than a day ago.
    StillUsed(LastUse),
    /// No: the new one has not been used yet.
    NewUnused,
    /// No: the new one took over less than an hour ago, and a client may still use the old one.
    TooSoon,
    /// Yes: the new one is in use and the old one is not. Holds the last use of the old one, if any.
    Safe(Option<LastUse>),
}

impl Retirement {
    /// Judges by the instant at which the new secret took over, and by the last use of each.
    pub fn judge(
        taken_over: Timestamp,
        new: Option<LastUse>,
        old: Option<LastUse>,
        now: Timestamp,
    ) -> Retirement {
        match (old, new) {
            (Some(old), _) if old.at > taken_over && now.since(old.at) < IDLE => Retirement::StillUsed(old),
            (_, None) => Retirement::NewUnused,
            (_, Some(_)) if now.since(taken_over) < SETTLED => Retirement::TooSoon,
            (old, Some(_)) => Retirement::Safe(old),
        }
    }

    /// Returns true if no client is cut off.
    pub fn is_safe(self) -> bool {
        matches!(self, Retirement::Safe(_))
    }
}

#[cfg(test)]
mod tests;
