//! Lifetimes and expiries: the choices that a person has, and the one judgement of "expired".

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// The end of a token, a secret or a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expiry {
    /// This instant, from which on it is expired.
    At(Timestamp),
    /// No end: it lasts until it is revoked or replaced.
    Never,
}

/// The lifetime of a token, or another duration that may be endless. A token's is chosen when it is created
/// and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifetime {
    /// For this long.
    For(Duration),
    /// Until it is revoked.
    Endless,
}

/// The expiry that was requested for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiryChoice {
    /// A lifetime from its creation on.
    In(Lifetime),
    /// An instant.
    At(Timestamp),
}

/// The fault of a requested expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidExpiry {
    /// The text is neither a preset nor an instant.
    #[error("expected 30d, 60d, 90d, 180d, 365d, never, or an instant such as `2027-01-31T12:00:00Z`")]
    Preset,
    /// The text is neither a duration nor an instant.
    #[error(
        "expected a number of h, d, w or y, such as `24h` or `7d`, or an instant such as `2027-01-31T12:00:00Z`"
    )]
    Duration,
    /// It is longer than a year.
    #[error("the longest lifetime is 365 days")]
    TooLong,
    /// It is longer than the lifetime that was chosen when the token was created.
    #[error("the token was made for {0}, and a rotation cannot extend that")]
    Widens(Lifetime),
    /// It is not in the future.
    #[error("the token would already be expired")]
    Past,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = HOUR.saturating_mul(24);

/// The longest lifetime other than an endless one.
pub const MAX_LIFETIME: Duration = DAY.saturating_mul(365);

const PRESETS: [(&str, Lifetime); 6] = [
    ("30d", Lifetime::For(DAY.saturating_mul(30))),
    ("60d", Lifetime::For(DAY.saturating_mul(60))),
    ("90d", Lifetime::For(DAY.saturating_mul(90))),
    ("180d", Lifetime::For(DAY.saturating_mul(180))),
    ("365d", Lifetime::For(DAY.saturating_mul(365))),
    ("never", Lifetime::Endless),
];

const UNITS: [(char, Duration); 4] =
    [('h', HOUR), ('d', DAY), ('w', DAY.saturating_mul(7)), ('y', DAY.saturating_mul(365))];

impl Expiry {
    /// Returns true if it has expired. At its very instant it has.
    pub fn is_past(self, now: Timestamp) -> bool {
        match self {
            Expiry::At(end) => end <= now,
            Expiry::Never => false,
        }
    }

    /// Returns the time that is left, or `None` if it has no end.
    pub fn left(self, now: Timestamp) -> Option<Duration> {
        match self {
            Expiry::At(end) => Some(end.since(now)),
            Expiry::Never => None,
        }
    }
}

impl Lifetime {
    /// Returns the expiry of something that was created at `made`.
    pub fn expiry(self, made: Timestamp) -> Expiry {
        match self {
            Lifetime::For(duration) => Expiry::At(made.checked_add(duration).unwrap_or(Timestamp::MAX)),
            Lifetime::Endless => Expiry::Never,
        }
    }
}

impl fmt::Display for Lifetime {
    /// Writes a whole number of the largest fitting unit of days, hours, minutes and seconds, or `never`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lifetime::For(duration) = self else { return f.write_str("never") };
        let seconds = duration.as_secs();
        match [("d", DAY), ("h", HOUR), ("m", MINUTE)]
            .into_iter()
            .find(|(_, unit)| seconds % unit.as_secs() == 0)
        {
            Some((name, unit)) => write!(f, "{}{name}", seconds / unit.as_secs()),
            None => write!(f, "{seconds}s"),
        }
    }
}

impl ExpiryChoice {
    /// Parses one of the six presets (`30d` to `365d`, `never`), or an RFC 3339 instant.
    pub fn parse_preset(text: &str) -> Result<ExpiryChoice, InvalidExpiry> {
        let preset = PRESETS.into_iter().find(|(name, _)| *name == text);
        match preset {
            Some((_, lifetime)) => Ok(ExpiryChoice::In(lifetime)),
            None => text.parse().map(ExpiryChoice::At).map_err(|_| InvalidExpiry::Preset),
        }
    }

    /// Parses a whole number of h, d, w or y up to 365 days, or an RFC 3339 instant.
    pub fn parse_duration(text: &str) -> Result<ExpiryChoice, InvalidExpiry> {
        if let Ok(instant) = text.parse() {
            return Ok(ExpiryChoice::At(instant));
        }
        let unit = text.chars().next_back().ok_or(InvalidExpiry::Duration)?;
        let digits = &text[..text.len() - unit.len_utf8()];
        let (_, length) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or(InvalidExpiry::Duration)?;
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidExpiry::Duration);
        }
        let lifetime = digits
            .parse::<u32>()
            .ok()
            .and_then(|count| length.checked_mul(count))
            .filter(|lifetime| *lifetime <= MAX_LIFETIME)
            .ok_or(InvalidExpiry::TooLong)?;
        if lifetime.is_zero() {
            Err(InvalidExpiry::Past)
        } else {
            Ok(ExpiryChoice::In(Lifetime::For(lifetime)))
        }
    }

    /// Returns the lifetime of a token that is created `now`, if a token can have it.
    pub fn lifetime(self, now: Timestamp) -> Result<Lifetime, InvalidExpiry> {
        let lifetime = match self {
            ExpiryChoice::In(lifetime) => lifetime,
            ExpiryChoice::At(end) => Lifetime::For(end.since(now)),
        };
        match lifetime {
            Lifetime::For(Duration::ZERO) => Err(InvalidExpiry::Past),
            Lifetime::For(duration) if duration > MAX_LIFETIME => Err(InvalidExpiry::TooLong),
            lifetime => Ok(lifetime),
        }
    }
}

impl ExpiryChoice {
    /// The default for a personal token: 90 days.
    pub const PERSONAL: ExpiryChoice = ExpiryChoice::In(Lifetime::For(DAY.saturating_mul(90)));
    /// The furthest that a token may extend itself, which is also the default: 365 days.
    pub const LONGEST: ExpiryChoice = ExpiryChoice::In(Lifetime::For(MAX_LIFETIME));
    /// The default for an org token: 24 hours.
    pub const ORG: ExpiryChoice = ExpiryChoice::In(Lifetime::For(DAY));
}

#[cfg(test)]
mod tests;
