//! How a secret of a family succeeds another, and when that one can go.

use std::net::IpAddr;
use std::time::Duration;

use crate::{Expiry, Timestamp};

/// How long a new secret waits to be confirmed before it dies.
pub const PENDING_FOR: Duration = Duration::from_secs(15 * 60);
/// A secret that nobody used for so long is not in use.
const IDLE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long it takes at the least until it shows who uses the old one still.
const SETTLED: Duration = Duration::from_secs(60 * 60);

/// When a secret was last used, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastUse {
    /// When.
    pub at: Timestamp,
    /// From where, as the service that was called states it.
    pub address: Option<IpAddr>,
}

/// The effect of confirming a pending secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Succession {
    /// For how long those before it serve on.
    pub overlap: Duration,
    /// When the token ends then; a service does not.
    pub expires_at: Expiry,
}

/// A judgement of whether the old secret of a rotation can go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retirement {
    /// Somebody used it after the new one took over, less than a day ago.
    StillUsed(LastUse),
    /// Nobody has used the new one yet.
    NewUnused,
    /// The new one took over less than an hour ago: who uses the old one may come yet.
    TooSoon,
    /// The new one is in use and the old one is not: since then, if it ever was.
    Safe(Option<LastUse>),
}

impl Retirement {
    /// Judges by when the new secret took over, and by when each was used last.
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

    /// Returns true where nobody is cut off.
    pub fn is_safe(self) -> bool {
        matches!(self, Retirement::Safe(_))
    }
}

#[cfg(test)]
mod tests;
