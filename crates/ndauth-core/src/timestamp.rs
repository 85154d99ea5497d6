//! Instants: microseconds since 1970 in UTC, the one representation in rows, events and memory.

use std::fmt;
use std::num::{NonZeroI64, NonZeroU32};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// An instant, in microseconds since 1970-01-01T00:00:00Z, within the years 1970 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Timestamp(
    /// The microseconds plus one, so that an `Option<Timestamp>` is no larger than a `Timestamp`.
    NonZeroI64,
);

/// A text or number that names no instant between 1970 and 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an instant between 1970 and 9999 in RFC 3339, such as `2027-01-31T12:00:00Z`")]
pub struct InvalidTimestamp;

impl Timestamp {
    /// The first instant: 1970-01-01T00:00:00Z.
    pub const MIN: Timestamp = Timestamp(NonZeroI64::new(1).expect("not zero"));
    /// The last instant: 9999-12-31T23:59:59.999999Z.
    pub const MAX: Timestamp = Timestamp(NonZeroI64::new(253_402_300_800_000_000).expect("not zero"));

    /// Returns the instant this many microseconds after the beginning of 1970.
    pub fn from_micros(micros: i64) -> Result<Timestamp, InvalidTimestamp> {
        let after = micros.checked_add(1).and_then(NonZeroI64::new).map(Timestamp);
        after.filter(|instant| (Self::MIN..=Self::MAX).contains(instant)).ok_or(InvalidTimestamp)
    }

    /// Returns the microseconds since the beginning of 1970.
    pub fn micros(self) -> i64 {
        self.0.get() - 1
    }

    /// Returns the instant later by `duration`, or `None` past the year 9999.
    pub fn checked_add(self, duration: Duration) -> Option<Timestamp> {
        let micros = i64::try_from(duration.as_micros()).ok()?;
        Timestamp::from_micros(self.micros().checked_add(micros)?).ok()
    }

    /// Returns the instant earlier by `duration`, or `None` before the year 1970.
    pub fn checked_sub(self, duration: Duration) -> Option<Timestamp> {
        let micros = i64::try_from(duration.as_micros()).ok()?;
        Timestamp::from_micros(self.micros().checked_sub(micros)?).ok()
    }

    /// Returns the time since `earlier`, or zero if this instant is not after it.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(u64::try_from(self.micros() - earlier.micros()).unwrap_or(0))
    }

    /// Returns the date and time in UTC.
    pub fn to_utc(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.micros()) * 1000)
            .expect("the years 1970 to 9999 are within the range of `OffsetDateTime`")
    }

    /// Returns the instant of a date and time in any offset, truncated to microseconds.
    pub fn from_utc(instant: OffsetDateTime) -> Result<Timestamp, InvalidTimestamp> {
        i64::try_from(instant.unix_timestamp_nanos().div_euclid(1000))
            .map_err(|_| InvalidTimestamp)
            .and_then(Timestamp::from_micros)
    }

    /// Returns its minute, such as `2027-01-31 12:00 UTC`.
    pub fn minute(self) -> String {
        let time = self.to_utc().time();
        format!("{} {:02}:{:02} UTC", self.date(), time.hour(), time.minute())
    }

    /// Returns its date in UTC, such as `2027-01-31`.
    pub fn date(self) -> String {
        self.to_utc().date().to_string()
    }
}

/// A whole second from 1970 to 2106, in half the size of a [`Timestamp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WholeSecond(NonZeroU32);

impl WholeSecond {
    /// Returns the second that contains an instant, or the first or the last one if the instant is out of
    /// range.
    pub fn of(at: Timestamp) -> WholeSecond {
        let seconds = u32::try_from(at.micros().max(0) / 1_000_000).unwrap_or(u32::MAX);
        WholeSecond(NonZeroU32::new(seconds).unwrap_or(NonZeroU32::MIN))
    }

    /// Returns the instant at which it begins.
    pub fn begin(self) -> Timestamp {
        Timestamp::from_micros(i64::from(self.0.get()) * 1_000_000).unwrap_or(Timestamp::MAX)
    }
}

impl fmt::Display for Timestamp {
    /// Writes RFC 3339 in UTC, such as `2027-01-31T12:00:00Z`, with a fraction only if there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.to_utc().format(&Rfc3339).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        OffsetDateTime::parse(text, &Rfc3339).map_err(|_| InvalidTimestamp).and_then(Timestamp::from_utc)
    }
}

impl TryFrom<i64> for Timestamp {
    type Error = InvalidTimestamp;

    fn try_from(micros: i64) -> Result<Self, Self::Error> {
        Timestamp::from_micros(micros)
    }
}

impl From<Timestamp> for i64 {
    fn from(instant: Timestamp) -> i64 {
        instant.micros()
    }
}

#[cfg(test)]
mod tests;
