//! Why the authority did not do what it was asked, one variant per thing a caller can act on.

use std::fmt;

use ndauth_core::{OrgSlug, Problem, Reason, Refusal, Timestamp};
use ndauth_store::StoreError;

use crate::access::Operation;
use crate::tokens::MAX_LIVE_TOKENS;

/// Why an operation was refused or failed. Nothing was changed, but for one case: where the store is
/// lost in the middle of a commit, the change may have been made.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// No credential came with the call.
    #[error("no credential came with the call")]
    CredentialMissing,
    /// The credential was refused.
    #[error("{0}")]
    Refused(Refusal),
    /// The session came to its end.
    #[error("the session has expired")]
    SessionExpired,
    /// The session was ended.
    #[error("the session was ended on {}", .0.date())]
    SessionRevoked(Timestamp),
    /// The service was revoked.
    #[error("the service was revoked on {}", .0.date())]
    ServiceRevoked(Timestamp),
    /// The account is disabled.
    #[error("the account is disabled")]
    AccountDisabled,
    /// Only a person who is logged in may.
    #[error("a personal token may not {}: that takes an interactive login", operation.verb())]
    SessionRequired {
        /// What was asked.
        operation: Operation,
    },
    /// This kind of caller may not.
    #[error("{caller} may not {}", operation.verb())]
    NotPermitted {
        /// The kind of caller.
        caller: &'static str,
        /// What was asked.
        operation: Operation,
    },
    /// A part of the command makes no sense.
    #[error("`{field}`: {why}")]
    Invalid {
        /// Which part.
        field: &'static str,
        /// Why not.
        why: String,
    },
    /// The account is not a member of an org that it named, or there is none of that name.
    #[error("the account is not a member of an org `{0}`")]
    NotAMember(OrgSlug),
    /// The name is held by another.
    #[error("{what} `{name}` exists already")]
    NameTaken {
        /// What kind of thing.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The account has as many live tokens as it may have.
    #[error("the account has {MAX_LIVE_TOKENS} live tokens, and no account may have more")]
    TokenLimit,
    /// There is no such thing.
    #[error("there is no {what} `{name}`")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// The name or id.
        name: String,
    },
    /// The store could not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system's generator of random numbers failed.
    #[error("the operating system gives no random numbers")]
    Entropy(#[source] rand::rngs::SysError),
}

impl AuthorityError {
    pub(crate) fn invalid(field: &'static str, why: impl fmt::Display) -> AuthorityError {
        AuthorityError::Invalid { field, why: why.to_string() }
    }

    /// The reason, for programs.
    pub fn reason(&self) -> Reason {
        match self {
            AuthorityError::CredentialMissing => Reason::CredentialMissing,
            AuthorityError::Refused(refusal) => refusal.reason(),
            AuthorityError::SessionExpired => Reason::SessionExpired,
            AuthorityError::SessionRevoked(_) => Reason::SessionRevoked,
            AuthorityError::ServiceRevoked(_) => Reason::ServiceRevoked,
            AuthorityError::AccountDisabled => Reason::AccountDisabled,
            AuthorityError::SessionRequired { .. } => Reason::SessionRequired,
            AuthorityError::NotPermitted { .. } => Reason::NotPermitted,
            AuthorityError::Invalid { .. } => Reason::InvalidArgument,
            AuthorityError::NotAMember(_) => Reason::NotAMember,
            AuthorityError::NameTaken { .. } => Reason::NameTaken,
            AuthorityError::TokenLimit => Reason::TokenLimitReached,
            AuthorityError::NotFound { .. } => Reason::NotFound,
            AuthorityError::Store(StoreError::Unavailable(_)) => Reason::Unavailable,
            AuthorityError::Store(StoreError::Corrupt { .. }) | AuthorityError::Entropy(_) => {
                Reason::Internal
            }
        }
    }

    /// Whether it is ndauth that failed, not the caller: what belongs into the log.
    pub fn is_ours(&self) -> bool {
        matches!(self, AuthorityError::Store(_) | AuthorityError::Entropy(_))
    }
}

impl From<Refusal> for AuthorityError {
    fn from(refusal: Refusal) -> AuthorityError {
        AuthorityError::Refused(refusal)
    }
}

impl From<rand::rngs::SysError> for AuthorityError {
    fn from(error: rand::rngs::SysError) -> AuthorityError {
        AuthorityError::Entropy(error)
    }
}

impl From<&AuthorityError> for Problem {
    /// What callers are told. What failed within is for the log.
    fn from(error: &AuthorityError) -> Problem {
        let message = match error.reason() {
            Reason::Internal => "something within the server failed; nothing was decided".to_owned(),
            _ => error.to_string(),
        };
        match error {
            AuthorityError::Invalid { field, .. } => {
                Problem { field: Some((*field).to_owned()), ..Problem::new(error.reason(), message) }
            }
            _ => Problem::new(error.reason(), message),
        }
    }
}
