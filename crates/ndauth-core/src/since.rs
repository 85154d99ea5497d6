//! The age of an instant, for people.

use std::fmt;

use crate::Timestamp;

/// A past instant, as seen from a later one: shown as `3 days ago (2026-08-24)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since {
    /// The instant.
    pub at: Timestamp,
    /// The later instant.
    pub as_of: Timestamp,
}

/// One row per unit: the age in seconds from which it is used, its length in seconds, and its name.
const UNITS: [(u64, u64, &str); 3] = [(86_400, 86_400, "day"), (3600, 3600, "hour"), (60, 60, "minute")];

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.as_of.since(self.at).as_secs();
        match UNITS.into_iter().find(|(from, ..)| seconds >= *from) {
            None => f.write_str("just now")?,
            Some((_, unit, name)) => {
                let count = seconds / unit;
                write!(f, "{count} {name}{} ago", if count == 1 { "" } else { "s" })?;
            }
        }
        write!(f, " ({})", self.at.date())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_written_in_words() {
        let as_of: Timestamp = "2026-08-27T12:00:00Z".parse().expect("an instant");
        for (at, expected) in [
            ("2026-08-27T12:00:00Z", "just now (2026-08-27)"),
            ("2026-08-27T11:59:01Z", "just now (2026-08-27)"),
            ("2026-08-27T11:59:00Z", "1 minute ago (2026-08-27)"),
            ("2026-08-27T10:00:00Z", "2 hours ago (2026-08-27)"),
            ("2026-08-26T12:00:01Z", "23 hours ago (2026-08-26)"),
            ("2026-08-26T12:00:00Z", "1 day ago (2026-08-26)"),
            ("2026-08-24T11:00:00Z", "3 days ago (2026-08-24)"),
            ("2025-08-24T11:00:00Z", "368 days ago (2025-08-24)"),
            // Clocks may differ.
            ("2026-08-27T12:00:05Z", "just now (2026-08-27)"),
        ] {
            let at = at.parse().expect("an instant");
            assert_eq!(Since { at, as_of }.to_string(), expected);
        }
    }
}
