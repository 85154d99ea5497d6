//! Warnings of announced policies: as messages, and as the trailers of answers to tokens.

use ndauth_core::{PolicyWarning, Problem, Reason, Timestamp};

use crate::convert::{reason_from_proto, reason_to_proto, timestamp_from_proto, timestamp_to_proto};
use crate::v1;

/// The trailer of an answer to a token, once for each org of which it is warned.
pub const POLICY_WARNING: &str = "ndauth-policy-warning";

/// A warning, on the wire.
pub fn policy_warning_to_proto(warning: &PolicyWarning) -> v1::PolicyWarning {
    v1::PolicyWarning {
        org: warning.org.to_string(),
        takes_hold_at: Some(timestamp_to_proto(warning.takes_hold_at)),
        reason: reason_to_proto(warning.reason).into(),
        message: warning.message.clone(),
    }
}

/// A warning, off the wire.
pub fn policy_warning_from_proto(warning: v1::PolicyWarning) -> Result<PolicyWarning, Problem> {
    let absent = || Problem::invalid("takes_hold_at", "there is none");
    Ok(PolicyWarning {
        org: warning.org.parse().map_err(|why| Problem::invalid("org", why))?,
        takes_hold_at: timestamp_from_proto("takes_hold_at", warning.takes_hold_at.ok_or_else(absent)?)?,
        reason: reason_from_proto(warning.reason).unwrap_or(Reason::NotPermitted),
        message: warning.message,
    })
}

/// A warning as the value of a trailer: the instant, the org, the reason and the words, with blanks between.
pub fn policy_warning_to_trailer(warning: &PolicyWarning) -> String {
    let PolicyWarning { org, takes_hold_at, reason, message } = warning;
    format!("{takes_hold_at} {org} {} {message}", reason.code())
}

/// A warning from the value of a trailer. `None` where it makes no sense.
pub fn policy_warning_from_trailer(value: &str) -> Option<PolicyWarning> {
    let mut parts = value.splitn(4, ' ');
    let takes_hold_at: Timestamp = parts.next()?.parse().ok()?;
    let org = parts.next()?.parse().ok()?;
    let reason = Reason::from_code(parts.next()?).unwrap_or(Reason::NotPermitted);
    Some(PolicyWarning { org, takes_hold_at, reason, message: parts.next()?.to_owned() })
}
