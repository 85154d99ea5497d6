//! A failure on its way to whoever asked: one type that every surface writes and reads.

use std::fmt;

use crate::{Class, Permission, Reason, Refusal, Timestamp, TokenId};

/// Why a call failed, in words and as a reason. Its words are safe to show to the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The reason.
    pub reason: Reason,
    /// What happened, in lower case and without a final stop, naming the thing.
    pub message: String,
    /// The field of the request that is wrong, where one is.
    pub field: Option<String>,
    /// The permissions that the caller's credential would have to carry, where it is that.
    pub missing_permissions: Vec<Permission>,
    /// The token that holds the name that was asked for, and when it was made, where it is that.
    pub holder: Option<(TokenId, Timestamp)>,
}

impl Problem {
    /// A failure for a reason.
    pub fn new(reason: Reason, message: impl Into<String>) -> Problem {
        Problem {
            reason,
            message: message.into(),
            field: None,
            missing_permissions: Vec::new(),
            holder: None,
        }
    }

    /// A field of the request that is not of the right form.
    pub fn invalid(field: &str, why: impl fmt::Display) -> Problem {
        Problem {
            field: Some(field.to_owned()),
            ..Problem::new(Reason::InvalidArgument, format!("`{field}`: {why}"))
        }
    }

    /// What the failure means for whoever asked.
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
