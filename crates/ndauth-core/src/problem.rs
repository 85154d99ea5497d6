//! A failure on its way to the caller: one type that every surface writes and reads.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::{Class, Permission, Reason, Refusal, Timestamp, TokenId};

/// A failure of a call, as a message and a reason. The message is safe to show to the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The reason.
    pub reason: Reason,
    /// The message, in lower case and without a final stop. It names the thing.
    pub message: String,
    /// The field of the request that is wrong, if one is.
    pub field: Option<String>,
    /// The permissions that the caller's credential lacks, if that is the failure.
    pub missing_permissions: Vec<Permission>,
    /// The token that has the requested name already, and the instant of its creation, if that is the
    /// failure.
    pub holder: Option<(TokenId, Timestamp)>,
    /// The seconds after which the same call may succeed, if the caller has to wait.
    pub retry_after: Option<NonZeroU32>,
}

impl Problem {
    /// Returns a failure with this reason and message.
    pub fn new(reason: Reason, message: impl Into<String>) -> Problem {
        Problem {
            reason,
            message: message.into(),
            field: None,
            missing_permissions: Vec::new(),
            holder: None,
            retry_after: None,
        }
    }

    /// Returns the failure of a malformed field.
    pub fn invalid(field: &str, why: impl fmt::Display) -> Problem {
        Problem {
            field: Some(field.to_owned()),
            ..Problem::new(Reason::InvalidArgument, format!("`{field}`: {why}"))
        }
    }

    /// Returns the same failure, of a caller that has to wait this long. Seconds are rounded up.
    #[must_use]
    pub fn with_retry_after(self, after: Duration) -> Problem {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        Problem { retry_after: Some(NonZeroU32::new(seconds).unwrap_or(NonZeroU32::MIN)), ..self }
    }

    /// Returns the class of the failure, from the caller's point of view.
    pub fn class(&self) -> Class {
        self.reason.class()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Problem {
        Problem {
            missing_permissions: refusal.missing_permission().cloned().into_iter().collect(),
            ..Problem::new(refusal.reason(), refusal.to_string())
        }
    }
}
