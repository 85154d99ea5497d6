//! Warnings of announced policies.

use std::fmt;

use crate::{OrgSlug, Reason, Timestamp};

/// A token will be refused in an org once an announced policy takes hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyWarning {
    /// The org.
    pub org: OrgSlug,
    /// When the policy takes hold.
    pub takes_hold_at: Timestamp,
    /// The reason for which the token will be refused.
    pub reason: Reason,
    /// The same in words.
    pub message: String,
}

impl fmt::Display for PolicyWarning {
    /// As it follows the name of a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PolicyWarning { org, takes_hold_at, message, .. } = self;
        write!(f, "will be refused in the org `{org}` from {}: {message}", takes_hold_at.minute())
    }
}
