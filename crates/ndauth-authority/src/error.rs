//! The errors of the authority, one variant for each cause that a caller can act on.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use ndauth_core::{Handle, Label, NotRenewable, OrgSlug, Problem, Reason, Refusal, Role, Timestamp, TokenId};
use ndauth_store::{CopyError, StoreError};

use crate::access::{Kind, Operation};
use crate::limits::LimitReached;
use crate::rewound::Rewound;
use crate::validation::mirror::StaleCause;

/// The largest number of live personal tokens, neither revoked nor expired, of an account.
pub const MAX_LIVE_TOKENS: u64 = 25;

/// The largest number of open membership offers of an org.
pub const MOST_OFFERS: u64 = 100;

/// The hint for a restored copy.
const SETTLE: &str = "decide which of its secrets stay valid: `ndauthd admin after-restore --help`";

/// The refusal or failure of an operation. Nothing was changed, except with [`AuthorityError::Unconfirmed`]
/// and [`StoreError::OutcomeUnknown`], which say so.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// No credential came with the call.
    #[error("no credential came with the call")]
    CredentialMissing,
    /// The credential was refused.
    #[error("{0}")]
    Refused(Refusal),
    /// The session expired.
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
    #[error("{caller} may not {verb}: this needs an interactive login")]
    SessionRequired {
        /// The kind of caller.
        caller: &'static str,
        /// The operation.
        verb: &'static str,
    },
    /// Only a person who logged in within the last 15 minutes may.
    #[error("to {to} needs a login within the last 15 minutes, and not one by device code")]
    LoginNotRecent {
        /// The operation.
        to: &'static str,
    },
    /// The name or the password is wrong, or there is no such account. The error does not say which.
    #[error("the name or the password is wrong")]
    SignInRefused,
    /// Too many attempts were made.
    #[error("too many attempts: wait {} s", after.as_secs().max(1))]
    TooManyTries {
        /// The time to wait.
        after: Duration,
    },
    /// The link was used, is too old, or never existed.
    #[error("the link was used before, is too old, or was replaced by a newer one")]
    LinkSpent,
    /// The org's policy was changed in between.
    #[error("the policy of the org `{0}` was changed in the meantime, and nothing was done")]
    PolicyChanged(OrgSlug),
    /// An operator may do this to other accounts, and to this one only the console may.
    #[error("`{handle}` {why}: only the console may {verb}")]
    ConsoleOnly {
        /// The account's handle.
        handle: Handle,
        /// The reason, as a clause after the handle: `is an operator`.
        why: String,
        /// The operation.
        verb: &'static str,
    },
    /// This kind of caller may not.
    #[error("{caller} may not {verb}")]
    NotPermitted {
        /// The kind of caller.
        caller: &'static str,
        /// The operation.
        verb: &'static str,
    },
    /// The account's role in the org is too low.
    #[error("the account's role in the org `{org}` is `{role}`, and this needs `{needed}`")]
    RoleTooLow {
        /// The org.
        org: OrgSlug,
        /// The account's role.
        role: Role,
        /// The least role that is needed.
        needed: Role,
    },
    /// A part of the command is invalid.
    #[error("`{field}`: {why}")]
    Invalid {
        /// The part's name.
        field: &'static str,
        /// The reason.
        why: String,
    },
    /// The account is not a member of an org that it named, or there is none of that name.
    #[error("the account is not a member of an org `{0}`")]
    NotAMember(OrgSlug),
    /// The name is taken.
    #[error("{what} `{name}` already exists")]
    NameTaken {
        /// The kind of thing.
        what: &'static str,
        /// The name.
        name: String,
        /// The token that has the name and when it was made, if it is a token and the caller may know.
        holder: Option<(TokenId, Timestamp)>,
    },
    /// Several tokens match a text.
    #[error("`{text}` matches several tokens: {}", matches.join(", "))]
    Ambiguous {
        /// The text.
        text: String,
        /// The name and id of each match.
        matches: Vec<String>,
    },
    /// The account has [`MAX_LIVE_TOKENS`] live tokens.
    #[error("the account has {MAX_LIVE_TOKENS} live tokens, the most that an account may have")]
    TokenLimit,
    /// The org would have no admin left.
    #[error("`{handle}` is the only admin of the org `{org}`")]
    LastAdmin {
        /// The admin's handle.
        handle: Handle,
        /// The org.
        org: OrgSlug,
    },
    /// The org has [`MOST_OFFERS`] open offers of memberships.
    #[error("the org `{0}` offers {MOST_OFFERS} unanswered memberships, the most that an org may offer")]
    OfferLimit(OrgSlug),
    /// The org offers another role than the one that was accepted.
    #[error("the org `{org}` offers the role `{offered}` now: nothing was accepted")]
    OfferChanged {
        /// The org that made the offer.
        org: OrgSlug,
        /// The role that it offers now.
        offered: Role,
    },
    /// There is no such thing.
    #[error("there is no {what} `{name}`")]
    NotFound {
        /// The kind of thing.
        what: &'static str,
        /// The name or id.
        name: String,
    },
    /// An earlier secret is still valid during its overlap.
    #[error("an earlier secret of `{name}` is valid until {until}")]
    OverlapRuns {
        /// The name of the token or service.
        name: String,
        /// The end of the overlap.
        until: Timestamp,
    },
    /// A new secret awaits confirmation.
    #[error("a new secret of `{name}` awaits confirmation until {until}")]
    RotationPending {
        /// The name of the token or service.
        name: String,
        /// The end of the time to confirm it.
        until: Timestamp,
    },
    /// There is no rotation that this would confirm, drop or end.
    #[error("`{name}` has {what}")]
    NoRotation {
        /// The name of the token or service.
        name: String,
        /// The secret that is missing, in words.
        what: &'static str,
    },
    /// Retiring the old secret would lock somebody out.
    #[error("it is not yet safe: {0}")]
    NotSafeYet(String),
    /// The token is dead.
    #[error("the token `{name}` {how}")]
    TokenDead {
        /// The token's name.
        name: Label,
        /// The way it ended, in words.
        how: String,
    },
    /// The token cannot be renewed.
    #[error("the token cannot be renewed: {0}")]
    NotRenewable(NotRenewable),
    /// The org is frozen.
    #[error("the org `{0}` is frozen: no token can be made and no role changed in it")]
    OrgFrozen(OrgSlug),
    /// Others suspended the token, and the caller cannot resume it.
    #[error("the token is suspended by {0}, who must resume it")]
    SuspendedAbove(String),
    /// The clock jumped, or may be wrong.
    #[error("{0}: nothing is removed while the clock is wrong")]
    Clock(String),
    /// The database is a restored copy that nobody has put into service yet.
    #[error("the database was restored from a copy, which does not know what was revoked since it was made")]
    Restored,
    /// The database is older than what was seen of it before.
    #[error(
        "the database is an older copy: its log ends at {}, but was seen to end at {} (or its content differs there)",
        .0.found, .0.seen
    )]
    Rewound(Rewound),
    /// The mirror is too old to answer from, and cannot be refreshed.
    #[error("{}; nothing was decided", .cause.message())]
    Stale {
        /// The mirror's age, if it was ever confirmed.
        age: Option<Duration>,
        /// The reason.
        cause: StaleCause,
    },
    /// The change is in the log, and this instance did not apply it in time.
    #[error("the change was made (event {sequence}), but this server has not applied it yet")]
    Unconfirmed {
        /// The sequence of its event.
        sequence: u64,
    },
    /// No thread could be started.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
    /// The thread that reads the log ended without an error.
    #[error("the log is no longer followed: its reader ended")]
    ReaderLost,
    /// The caller's share of a limit is used up, or the whole limit is.
    #[error("{0}; nothing was decided")]
    Overloaded(#[from] LimitReached),
    /// The database contains no installation of ndauth.
    #[error("the database `{database}` contains no installation of ndauth")]
    NoInstallation {
        /// The database.
        database: String,
    },
    /// The database is empty or gone, although an installation was there before.
    #[error(
        "the database `{database}` is empty or gone, and `{}` shows that there was an installation", witness.display()
    )]
    Emptied {
        /// The database.
        database: String,
        /// The witness file of that installation.
        witness: PathBuf,
    },
    /// The database's file was replaced or removed while it was open.
    #[error("the database's file was replaced or removed while it was open")]
    Replaced,
    /// The tokens need more memory than is free.
    #[error("{tokens} tokens take {needed} bytes of memory, and {free} are free")]
    MirrorTooLarge {
        /// The number of tokens.
        tokens: u64,
        /// The most bytes that they take.
        needed: u64,
        /// The bytes that are free.
        free: u64,
    },
    /// The witness file, which records the end of the log that was seen, cannot be read or written.
    #[error("cannot read the recorded end of the log, `{}`", path.display())]
    Witness {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The export is malformed, or does not continue this log.
    #[error("the export {0}")]
    Export(String),
    /// A copy could not be made, or not restored.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The store could not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system's generator of random numbers failed.
    #[error("the operating system provides no random numbers")]
    Entropy(#[source] rand::rngs::SysError),
}

impl AuthorityError {
    /// Returns the error for a kind of caller that may not perform an operation.
    pub(crate) fn not_permitted(caller: &'static str, operation: Operation, kind: Kind) -> AuthorityError {
        AuthorityError::NotPermitted { caller, verb: verb(operation, kind) }
    }

    /// Returns the error for an operation that requires an interactive login.
    pub(crate) fn session_required(caller: &'static str, operation: Operation, kind: Kind) -> AuthorityError {
        AuthorityError::SessionRequired { caller, verb: verb(operation, kind) }
    }

    /// Returns the error for a name that is taken.
    pub(crate) fn taken(what: &'static str, name: impl fmt::Display) -> AuthorityError {
        AuthorityError::NameTaken { what, name: name.to_string(), holder: None }
    }

    /// Returns the error for a thing that does not exist.
    pub(crate) fn none(what: &'static str, name: impl fmt::Display) -> AuthorityError {
        AuthorityError::NotFound { what, name: name.to_string() }
    }

    pub(crate) fn invalid(field: &'static str, why: impl fmt::Display) -> AuthorityError {
        AuthorityError::Invalid { field, why: why.to_string() }
    }

    /// Returns the reason, for programs.
    pub fn reason(&self) -> Reason {
        match self {
            AuthorityError::CredentialMissing => Reason::CredentialMissing,
            AuthorityError::Refused(refusal) => refusal.reason(),
            AuthorityError::SessionExpired => Reason::SessionExpired,
            AuthorityError::SessionRevoked(_) => Reason::SessionRevoked,
            AuthorityError::ServiceRevoked(_) => Reason::ServiceRevoked,
            AuthorityError::AccountDisabled => Reason::AccountDisabled,
            AuthorityError::SessionRequired { .. } => Reason::SessionRequired,
            AuthorityError::LoginNotRecent { .. } => Reason::LoginNotRecent,
            AuthorityError::SignInRefused => Reason::SignInRefused,
            AuthorityError::TooManyTries { .. } => Reason::TooManyTries,
            AuthorityError::LinkSpent => Reason::LinkSpent,
            AuthorityError::PolicyChanged(_) => Reason::ChangedMeanwhile,
            AuthorityError::ConsoleOnly { .. } => Reason::ConsoleOnly,
            AuthorityError::NotPermitted { .. } => Reason::NotPermitted,
            AuthorityError::RoleTooLow { .. } => Reason::RoleTooLow,
            AuthorityError::Invalid { .. } => Reason::InvalidArgument,
            AuthorityError::NotAMember(_) => Reason::NotAMember,
            AuthorityError::NameTaken { .. } => Reason::NameTaken,
            AuthorityError::TokenLimit => Reason::TokenLimitReached,
            AuthorityError::LastAdmin { .. } => Reason::LastAdmin,
            AuthorityError::OfferLimit(_) => Reason::OfferLimitReached,
            AuthorityError::OfferChanged { .. } => Reason::ChangedMeanwhile,
            AuthorityError::NotFound { .. } => Reason::NotFound,
            AuthorityError::Ambiguous { .. } => Reason::NameAmbiguous,
            AuthorityError::OverlapRuns { .. } => Reason::OverlapRuns,
            AuthorityError::RotationPending { .. } => Reason::RotationPending,
            AuthorityError::NoRotation { .. } => Reason::NoRotation,
            AuthorityError::NotSafeYet(_) => Reason::NotSafeYet,
            AuthorityError::TokenDead { .. } => Reason::TokenDead,
            AuthorityError::NotRenewable(_) => Reason::NotRenewable,
            AuthorityError::OrgFrozen(_) => Reason::OrgFrozen,
            AuthorityError::SuspendedAbove(_) => Reason::NotPermitted,
            AuthorityError::Clock(_) => Reason::Unavailable,
            AuthorityError::Export(_) => Reason::InvalidArgument,
            AuthorityError::Overloaded(_) => Reason::Overloaded,
            AuthorityError::Unconfirmed { .. } => Reason::CommittedUnconfirmed,
            AuthorityError::Store(StoreError::OutcomeUnknown(_))
            | AuthorityError::Copy(CopyError::Store(StoreError::OutcomeUnknown(_))) => Reason::OutcomeUnknown,
            AuthorityError::Copy(CopyError::Exists(_) | CopyError::Moved) => Reason::NameTaken,
            AuthorityError::Copy(CopyError::Missing(_)) => Reason::NotFound,
            AuthorityError::Copy(CopyError::NoCopy { .. } | CopyError::Postgres) => Reason::InvalidArgument,
            AuthorityError::Restored
            | AuthorityError::Rewound(_)
            | AuthorityError::Stale { .. }
            | AuthorityError::Replaced
            | AuthorityError::NoInstallation { .. }
            | AuthorityError::Emptied { .. }
            | AuthorityError::MirrorTooLarge { .. }
            | AuthorityError::Witness { .. }
            | AuthorityError::Thread(_)
            | AuthorityError::ReaderLost
            | AuthorityError::Copy(CopyError::File { .. }) => Reason::Unavailable,
            AuthorityError::Store(StoreError::Corrupt { .. })
            | AuthorityError::Copy(CopyError::Store(StoreError::Corrupt { .. }))
            | AuthorityError::Entropy(_) => Reason::Internal,
            AuthorityError::Store(_) | AuthorityError::Copy(CopyError::Store(_)) => Reason::Unavailable,
        }
    }

    /// Returns true if callers may see the error of the database, because it names no host or file.
    fn is_for_callers(&self) -> bool {
        match self {
            AuthorityError::Stale { .. } => true,
            AuthorityError::Store(error) => matches!(
                error,
                StoreError::Unavailable(_)
                    | StoreError::DiskFull
                    | StoreError::Standby
                    | StoreError::OutcomeUnknown(_)
            ),
            _ => false,
        }
    }

    /// Returns true if ndauth failed rather than the caller. Such errors belong in the log.
    pub fn is_internal(&self) -> bool {
        matches!(
            self,
            AuthorityError::Store(_)
                | AuthorityError::Entropy(_)
                | AuthorityError::Restored
                | AuthorityError::Rewound(_)
                | AuthorityError::Replaced
                | AuthorityError::NoInstallation { .. }
                | AuthorityError::Emptied { .. }
                | AuthorityError::MirrorTooLarge { .. }
                | AuthorityError::Witness { .. }
                | AuthorityError::Copy(_)
                | AuthorityError::Clock(_)
                | AuthorityError::Unconfirmed { .. }
                | AuthorityError::Thread(_)
                | AuthorityError::ReaderLost
        )
    }

    /// Returns the operator's next step, if it is more than the reason's own hint.
    pub fn operators_hint(&self) -> Option<String> {
        match self {
            AuthorityError::Restored => Some(SETTLE.to_owned()),
            AuthorityError::Rewound(rewound) => {
                Some(format!("put the newer database back, or {SETTLE}. {}", rewound.choice()))
            }
            AuthorityError::NoInstallation { .. } => Some(
                "check `--database`; `ndauthd serve` or `ndauthd admin migrate up` creates a new installation there"
                    .to_owned(),
            ),
            AuthorityError::Emptied { witness, .. } => Some(format!(
                "put the database back, or a copy with `ndauthd admin restore`; to start over, remove `{}`",
                witness.display()
            )),
            AuthorityError::Stale { cause: StaleCause::Unacknowledged, .. } => Some(
                "bring the standby back; if this database was replaced as the primary, stop it: `docs/operations.md`"
                    .to_owned(),
            ),
            AuthorityError::Store(error) => error.operators_hint(),

            AuthorityError::Replaced => Some(
                "start it again: it reports whether the file is an older copy; `ndauthd admin restore` puts \
                 one back beneath a running server"
                    .to_owned(),
            ),
            AuthorityError::MirrorTooLarge { .. } => Some(
                "give it more memory, or spread the orgs over several installations: `docs/scale.md`".to_owned(),
            ),
            AuthorityError::Witness { path, .. } => Some(format!(
                "allow this user to read it; if the database is certainly not an older copy, remove `{}`",
                path.display()
            )),
            AuthorityError::Export(_) => {
                Some("`ndauthd admin events export` on the newer database writes one".to_owned())
            }
            AuthorityError::Copy(CopyError::Exists(_)) => Some("name a new file".to_owned()),
            AuthorityError::Copy(CopyError::Moved) => Some("stop the server, and try again".to_owned()),
            AuthorityError::Copy(CopyError::Postgres) => Some(
                "`pg_dump --format=custom --file=FILE DATABASE` makes one, `pg_restore --clean --dbname=DATABASE FILE` \
                 puts it back; then run `ndauthd admin after-restore`"
                    .to_owned(),
            ),
            AuthorityError::Clock(_) => Some("correct the clock, and restart the server".to_owned()),
            _ => None,
        }
    }
}

/// Returns an operation's verb, for messages.
fn verb(operation: Operation, kind: Kind) -> &'static str {
    operation.row(kind).map_or("do this", |row| row.verb)
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
    /// Converts an error to what callers see. Internal details are only logged.
    fn from(error: &AuthorityError) -> Problem {
        let message = match error.reason() {
            Reason::Internal => "the server failed internally; nothing was decided".to_owned(),
            // The location of the database and of its files is not for callers.
            Reason::Unavailable if matches!(error, AuthorityError::Store(StoreError::Unreachable { .. })) => {
                "the server's database cannot be reached; nothing was decided".to_owned()
            }
            Reason::Unavailable if !error.is_for_callers() => {
                "the server's database needs its operator; nothing was decided".to_owned()
            }
            _ => error.to_string(),
        };
        match error {
            AuthorityError::Invalid { field, .. } => {
                Problem { field: Some((*field).to_owned()), ..Problem::new(error.reason(), message) }
            }
            AuthorityError::Refused(refusal) => Problem::from(refusal),
            AuthorityError::NameTaken { holder: Some((id, created_at)), .. } => {
                Problem { holder: Some((*id, *created_at)), ..Problem::new(error.reason(), message) }
            }
            AuthorityError::TooManyTries { after } => {
                Problem::new(error.reason(), message).with_retry_after(*after)
            }
            _ => Problem::new(error.reason(), message),
        }
    }
}
