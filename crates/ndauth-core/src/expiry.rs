//! How long a token lives: what a person may choose, and the one judgement of "expired".

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// When something ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expiry {
    /// At this instant: from then on it is expired.
    At(Timestamp),
    /// Not by itself.
    Never,
}

/// How long something lives, such as a token: chosen when it is made and never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifetime {
    /// For this long.
    For(Duration),
    /// Until it is revoked.
    Endless,
}

/// What was asked for when a token was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiryChoice {
    /// To end so long after it was made, or not at all.
    In(Lifetime),
    /// To end at an instant.
    At(Timestamp),
}

/// Why no token can be made to live like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidExpiry {
    /// Not one of the choices of `--expiry`.
    #[error("expected 30d, 60d, 90d, 180d, 365d, never, or an instant such as `2027-01-31T12:00:00Z`")]
    Preset,
    /// Not a duration of `--expires-in`.
    #[error(
        "expected a number of h, d, w or y, such as `24h` or `7d`, or an instant such as `2027-01-31T12:00:00Z`"
    )]
    Duration,
    /// Beyond a year.
    #[error("the longest lifetime is 365 days")]
    TooLong,
    /// Longer than what was chosen when the token was made.
    #[error("the token was made for {0}, and a rotation gives it no longer life")]
    Widens(Lifetime),
    /// No lifetime at all.
    #[error("it would be expired as soon as it was made")]
    Past,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = HOUR.saturating_mul(24);

/// The longest lifetime that ends.
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
    /// Whether it has ended. At its very instant it has.
    pub fn is_past(self, now: Timestamp) -> bool {
        match self {
            Expiry::At(end) => end <= now,
            Expiry::Never => false,
        }
    }

    /// How long is left; none where it has no end.
    pub fn left(self, now: Timestamp) -> Option<Duration> {
        match self {
            Expiry::At(end) => Some(end.since(now)),
            Expiry::Never => None,
        }
    }
}

impl Lifetime {
    /// When what was made at `made` ends.
    pub fn expiry(self, made: Timestamp) -> Expiry {
        match self {
            Lifetime::For(duration) => Expiry::At(made.checked_add(duration).unwrap_or(Timestamp::MAX)),
            Lifetime::Endless => Expiry::Never,
        }
    }
}

impl fmt::Display for Lifetime {
    /// In the largest of days, hours and minutes that says it whole; seconds where none does.
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
    /// Parses `--expiry`: one of the six presets, or an RFC 3339 instant.
    pub fn parse_preset(text: &str) -> Result<ExpiryChoice, InvalidExpiry> {
        let preset = PRESETS.into_iter().find(|(name, _)| *name == text);
        match preset {
            Some((_, lifetime)) => Ok(ExpiryChoice::In(lifetime)),
            None => text.parse().map(ExpiryChoice::At).map_err(|_| InvalidExpiry::Preset),
        }
    }

    /// Parses `--expires-in`: a whole number of h, d, w or y up to 365 days, or an RFC 3339 instant.
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

    /// The lifetime of a token made `now`, if a token can have it.
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
    /// What a personal token gets where nothing is said: 90 days.
    pub const PERSONAL: ExpiryChoice = ExpiryChoice::In(Lifetime::For(DAY.saturating_mul(90)));
    /// The longest that a token may extend itself, also where nothing is said: 365 days.
    pub const LONGEST: ExpiryChoice = ExpiryChoice::In(Lifetime::For(MAX_LIFETIME));
    /// What an org's token gets where nothing is said: 24 hours.
    pub const ORG: ExpiryChoice = ExpiryChoice::In(Lifetime::For(DAY));
}

#[cfg(test)]
mod tests;
