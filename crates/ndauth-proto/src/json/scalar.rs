//! Instants, durations and permissions as text.

use ndauth_core::{Permission, Timestamp};
use prost::Message;

use crate::{permission_from_proto, permission_to_proto, timestamp_from_proto, timestamp_to_proto, v1};

/// The largest integer that every JSON parser reads exactly: 2^53 - 1 (RFC 8259, section 6).
pub(super) const LARGEST: u64 = (1 << 53) - 1;

const DAY: i64 = 24 * 60 * 60;
const UNITS: [(char, i64); 5] = [('s', 1), ('h', 60 * 60), ('d', DAY), ('w', 7 * DAY), ('y', 365 * DAY)];
/// The longest duration that the wire may carry, in seconds.
const LONGEST: i64 = 315_576_000_000;

/// Writes an instant in RFC 3339. `None` if it is malformed or out of range.
pub(super) fn instant_text(bytes: &[u8]) -> Option<String> {
    let instant = prost_types::Timestamp::decode(bytes).ok()?;
    timestamp_from_proto("", instant).ok().map(|at| at.to_string())
}

pub(super) fn parse_instant(text: &str) -> Result<Vec<u8>, String> {
    let instant: Timestamp = text
        .parse()
        .map_err(|_| "expected an instant in RFC 3339, such as `2027-01-31T12:00:00Z`".to_owned())?;
    Ok(timestamp_to_proto(instant).encode_to_vec())
}

/// Writes a duration: in whole days, or in seconds. `None` if it is negative or malformed.
pub(super) fn duration_text(bytes: &[u8]) -> Option<String> {
    let prost_types::Duration { seconds, nanos } = prost_types::Duration::decode(bytes).ok()?;
    if seconds < 0 || !(0..1_000_000_000).contains(&nanos) {
        return None;
    }
    Some(match nanos {
        0 if seconds > 0 && seconds % DAY == 0 => format!("{}d", seconds / DAY),
        0 => format!("{seconds}s"),
        _ => format!("{seconds}.{}s", format!("{nanos:09}").trim_end_matches('0')),
    })
}

/// Parses a count and a unit: h, d, w, y of 365 days, or s, which may have a fraction of up to 9 digits.
pub(super) fn parse_duration(text: &str) -> Result<Vec<u8>, String> {
    let duration = duration(text)
        .ok_or_else(|| "expected a duration: a number of s, h, d, w or y, such as `90d`".to_owned())?;
    Ok(duration.encode_to_vec())
}

fn duration(text: &str) -> Option<prost_types::Duration> {
    let (unit, scale) = UNITS.into_iter().find(|(unit, _)| text.ends_with(*unit))?;
    let number = &text[..text.len() - 1];
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 || (unit != 's' && number.contains('.')) {
        return None;
    }
    let seconds = whole.parse::<i64>().ok()?.checked_mul(scale).filter(|seconds| *seconds <= LONGEST)?;
    Some(prost_types::Duration { seconds, nanos: format!("{fraction:0<9}").parse().ok()? })
}

/// Writes a permission. `None` if it is malformed.
pub(super) fn permission_text(bytes: &[u8]) -> Option<String> {
    let permission = v1::Permission::decode(bytes).ok()?;
    permission_from_proto("", &permission).ok().map(|permission| permission.to_string())
}

pub(super) fn parse_permission(text: &str) -> Result<Vec<u8>, String> {
    let permission: Permission = text.parse().map_err(|why| format!("the permission {why}"))?;
    Ok(permission_to_proto(&permission).encode_to_vec())
}
