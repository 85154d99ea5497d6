//! Instants as people type them.

use ndauth_core::{InvalidTimestamp, Timestamp};

/// Parses an instant: in RFC 3339, or a day, which stands for its midnight in UTC.
pub fn instant(text: &str) -> Result<Timestamp, String> {
    let midnight = format!("{text}T00:00:00Z");
    let parsed =
        text.parse().or_else(|why: InvalidTimestamp| midnight.parse().map_err(|_: InvalidTimestamp| why));
    parsed.map_err(|_| {
        "expected a day such as `2026-11-21`, or RFC 3339 such as `2026-11-21T08:00:00Z`".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_its_midnight_in_utc() {
        let midnight: Timestamp = "2026-11-21T00:00:00Z".parse().expect("an instant");
        for text in ["2026-11-21", "2026-11-21T00:00:00Z", "2026-11-21T01:00:00+01:00"] {
            assert_eq!(instant(text), Ok(midnight), "{text}");
        }
        for text in ["", "2026-11", "2026-11-31", "21.11.2026", "2026-11-21T08:00", "now", "2026-11-21Z"] {
            assert!(instant(text).is_err(), "{text}");
        }
    }
}
