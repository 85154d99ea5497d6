//! Why the authority did not do what it was asked, one variant per thing a caller can act on.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use ndauth_core::{Handle, Label, NotRenewable, OrgSlug, Problem, Reason, Refusal, Role, Timestamp, TokenId};
use ndauth_store::{CopyError, StoreError};

use crate::access::{Kind, Operation};
use crate::limits::LimitReached;
use crate::rewound::Rewound;
use crate::validation::mirror::StaleCause;

/// How many personal tokens that are neither revoked nor expired an account may have.
pub const MAX_LIVE_TOKENS: u64 = 25;

/// The most memberships that an org may offer at a time.
pub const MOST_OFFERS: u64 = 100;

/// What settles a restored copy.
const SETTLE: &str = "say what becomes of the secrets in it: `ndauthd admin after-restore --help`";

/// Why an operation was refused or failed. Nothing was changed, but for two cases that say so:
/// [`AuthorityError::Unconfirmed`], and [`StoreError::OutcomeUnknown`].
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
    #[error("{caller} may not {verb}: that takes an interactive login")]
    SessionRequired {
        /// The kind of caller.
        caller: &'static str,
        /// What was asked.
        verb: &'static str,
    },
    /// Only a person who logged in lately may.
    #[error("to {to} takes a login of the last 15 minutes, and not one by a device's code")]
    LoginNotRecent {
        /// What was asked.
        to: &'static str,
    },
    /// The name or the password is wrong, or there is no such account: which, is not told.
    #[error("the name or the password is wrong")]
    SignInRefused,
    /// Too much was tried.
    #[error("too many tries: wait {} s", after.as_secs().max(1))]
    TooManyTries {
        /// How long to wait.
        after: Duration,
    },
    /// The link was used, is too old, or never was.
    #[error("the link was used before, is too old, or was replaced by a newer one")]
    LinkSpent,
    /// The org was given another policy in between.
    #[error("the policy of the org `{0}` was changed meanwhile, and nothing was done")]
    PolicyChanged(OrgSlug),
    /// This kind of caller may not.
    #[error("{caller} may not {verb}")]
    NotPermitted {
        /// The kind of caller.
        caller: &'static str,
        /// What was asked.
        verb: &'static str,
    },
    /// The account's role in the org is too low.
    #[error("the account's role in the org `{org}` is `{role}`, and this needs `{needed}`")]
    RoleTooLow {
        /// Where.
        org: OrgSlug,
        /// What it is.
        role: Role,
        /// What is needed.
        needed: Role,
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
        /// The token that holds it, and when that was made, where it is one and the caller may know.
        holder: Option<(TokenId, Timestamp)>,
    },
    /// Several tokens go by a text.
    #[error("`{text}` is the beginning of several tokens: {}", matches.join(", "))]
    Ambiguous {
        /// The text.
        text: String,
        /// Each of them: its name and its id.
        matches: Vec<String>,
    },
    /// The account has as many live tokens as it may have.
    #[error("the account has {MAX_LIVE_TOKENS} live tokens, and no account may have more")]
    TokenLimit,
    /// The org would have no admin left.
    #[error("`{handle}` is the only admin of the org `{org}`")]
    LastAdmin {
        /// Who.
        handle: Handle,
        /// Of which org.
        org: OrgSlug,
    },
    /// The org offers as many memberships as it may.
    #[error(
        "the org `{0}` offers {MOST_OFFERS} memberships that nobody has answered, and no org may offer more"
    )]
    OfferLimit(OrgSlug),
    /// The org offers another role than the one that was accepted.
    #[error("the org `{org}` offers the role `{offered}` now, and nothing was accepted")]
    OfferChanged {
        /// The org that made the offer.
        org: OrgSlug,
        /// The role that it offers now.
        offered: Role,
    },
    /// There is no such thing.
    #[error("there is no {what} `{name}`")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// The name or id.
        name: String,
    },
    /// An earlier secret still serves.
    #[error("an earlier secret of `{name}` serves until {until}")]
    OverlapRuns {
        /// Of which token or service.
        name: String,
        /// Until when.
        until: Timestamp,
    },
    /// A new secret waits to be confirmed.
    #[error("a new secret of `{name}` waits to be confirmed until {until}")]
    RotationPending {
        /// Of which token or service.
        name: String,
        /// Until when.
        until: Timestamp,
    },
    /// There is no rotation to be settled like this.
    #[error("`{name}` has {what}")]
    NoRotation {
        /// Which token or service.
        name: String,
        /// What is missing.
        what: &'static str,
    },
    /// To retire the old secret would cut somebody off.
    #[error("it is not yet safe: {0}")]
    NotSafeYet(String),
    /// The token is dead.
    #[error("the token `{name}` {how}")]
    TokenDead {
        /// Which.
        name: Label,
        /// What became of it.
        how: String,
    },
    /// The token's end does not move.
    #[error("the token cannot be renewed: {0}")]
    NotRenewable(NotRenewable),
    /// The org is frozen.
    #[error("the org `{0}` is frozen: no tokens are made there, and no roles change")]
    OrgFrozen(OrgSlug),
    /// Others suspended the token.
    #[error("the token is suspended by {0}, who lifts it")]
    SuspendedAbove(String),
    /// The clock does not go as it should.
    #[error("{0}: nothing is removed by such a clock")]
    Clock(String),
    /// The database is a restored copy that nobody has put into service yet.
    #[error("the database was restored from a copy, which has forgotten what was revoked since it was made")]
    Restored,
    /// The database is an older copy of what was here.
    #[error(
        "the database is an older copy: its log ends at {}, and was seen to end at {} (or it reads otherwise there)",
        .0.found, .0.seen
    )]
    Rewound(Rewound),
    /// It could not be asked for too long what has happened to answer from what is known of it.
    #[error("{}; nothing was decided", .cause.message())]
    Stale {
        /// As of how long ago it is known, if at all.
        age: Option<Duration>,
        /// Why.
        cause: StaleCause,
    },
    /// The change is in the log, and this instance did not apply it in time.
    #[error("the change was made (event {sequence}), and this server does not know yet that it is in force")]
    Unconfirmed {
        /// Its event.
        sequence: u64,
    },
    /// No thread could be started.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
    /// The reader of the log ended, and did not say why.
    #[error("the log is followed no more: the thread that did ended")]
    ReaderLost,
    /// The caller has its share of something, or all of it is taken.
    #[error("{0}; nothing was decided")]
    Overloaded(#[from] LimitReached),
    /// There is a database, and no installation of ndauth in it.
    #[error("the database `{database}` holds no installation of ndauth")]
    NoInstallation {
        /// Which.
        database: String,
    },
    /// There is nothing where an installation was.
    #[error(
        "the database `{database}` is empty or gone, and `{}` says that an installation was there", witness.display()
    )]
    Emptied {
        /// Which.
        database: String,
        /// The file that says so.
        witness: PathBuf,
    },
    /// Another file lies where the database was, or none.
    #[error("the database's file was replaced or removed while it was open")]
    Replaced,
    /// There is less memory than the tokens take.
    #[error("{tokens} tokens take {needed} bytes of memory, and {room} are free")]
    MirrorTooLarge {
        /// How many tokens there are.
        tokens: u64,
        /// How many bytes they take, at the most.
        needed: u64,
        /// How many there are.
        room: u64,
    },
    /// What was seen of the log cannot be read.
    #[error("cannot read what was seen of the log, `{}`", path.display())]
    Witness {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// What was exported does not continue this log.
    #[error("the export {0}")]
    Export(String),
    /// A copy was not made, or not put back.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The store could not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system's generator of random numbers failed.
    #[error("the operating system gives no random numbers")]
    Entropy(#[source] rand::rngs::SysError),
}

impl AuthorityError {
    /// That a kind of caller may not do this.
    pub(crate) fn not_permitted(caller: &'static str, operation: Operation, kind: Kind) -> AuthorityError {
        AuthorityError::NotPermitted { caller, verb: verb(operation, kind) }
    }

    /// That only a person who is logged in may do this.
    pub(crate) fn session_required(caller: &'static str, operation: Operation, kind: Kind) -> AuthorityError {
        AuthorityError::SessionRequired { caller, verb: verb(operation, kind) }
    }

    /// That a name is held by another.
    pub(crate) fn taken(what: &'static str, name: impl fmt::Display) -> AuthorityError {
        AuthorityError::NameTaken { what, name: name.to_string(), holder: None }
    }

    /// That there is no such thing.
    pub(crate) fn none(what: &'static str, name: impl fmt::Display) -> AuthorityError {
        AuthorityError::NotFound { what, name: name.to_string() }
    }

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
            AuthorityError::LoginNotRecent { .. } => Reason::LoginNotRecent,
            AuthorityError::SignInRefused => Reason::SignInRefused,
            AuthorityError::TooManyTries { .. } => Reason::TooManyTries,
            AuthorityError::LinkSpent => Reason::LinkSpent,
            AuthorityError::PolicyChanged(_) => Reason::ChangedMeanwhile,
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

    /// True where callers may read the error of the database: it names no place.
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

    /// Whether it is ndauth that failed, not the caller: what belongs into the log.
    pub fn is_ours(&self) -> bool {
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

    /// What the operator does next, where that is more than the reason says.
    pub fn operators_hint(&self) -> Option<String> {
        match self {
            AuthorityError::Restored => Some(SETTLE.to_owned()),
            AuthorityError::Rewound(rewound) => {
                Some(format!("put the newer database back, or {SETTLE}. {}", rewound.choice()))
            }
            AuthorityError::NoInstallation { .. } => Some(
                "check `--database`; `ndauthd serve` or `ndauthd admin migrate up` begins a new installation there"
                    .to_owned(),
            ),
            AuthorityError::Emptied { witness, .. } => Some(format!(
                "put the database back, or a copy by `ndauthd admin restore`; to begin anew, remove `{}`",
                witness.display()
            )),
            AuthorityError::Stale { cause: StaleCause::Unacknowledged, .. } => Some(
                "bring the standby back; if this database was replaced as the primary, stop it: `docs/operations.md`"
                    .to_owned(),
            ),
            AuthorityError::Store(error) => error.operators_hint(),

            AuthorityError::Replaced => Some(
                "start it again, and it says whether the file is an older copy; `ndauthd admin restore` puts \
                 one back beneath a running server"
                    .to_owned(),
            ),
            AuthorityError::MirrorTooLarge { .. } => Some(
                "give it more memory, or spread the orgs over several installations: `docs/scale.md`".to_owned(),
            ),
            AuthorityError::Witness { path, .. } => Some(format!(
                "let this user read it; if the database is surely no older copy, remove `{}`",
                path.display()
            )),
            AuthorityError::Export(_) => {
                Some("`ndauthd admin events export` on the newer database writes one".to_owned())
            }
            AuthorityError::Copy(CopyError::Exists(_)) => Some("name a new file".to_owned()),
            AuthorityError::Copy(CopyError::Moved) => Some("stop the server, and try again".to_owned()),
            AuthorityError::Copy(CopyError::Postgres) => Some(
                "`pg_dump --format=custom --file=FILE DATABASE` makes one, `pg_restore --clean --dbname=DATABASE FILE` \
                 puts it back; then say `ndauthd admin after-restore`"
                    .to_owned(),
            ),
            AuthorityError::Clock(_) => Some("set the clock right, and restart the server".to_owned()),
            _ => None,
        }
    }
}

/// An operation as people name it.
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
    /// What callers are told. What failed within is for the log.
    fn from(error: &AuthorityError) -> Problem {
        let message = match error.reason() {
            Reason::Internal => "something within the server failed; nothing was decided".to_owned(),
            // Where it is, and where its files lie, is the operator's to know.
            Reason::Unavailable if matches!(error, AuthorityError::Store(StoreError::Unreachable { .. })) => {
                "the server's database cannot be reached; nothing was decided".to_owned()
            }
            Reason::Unavailable if !error.is_for_callers() => {
                "the server's database waits for its operator; nothing was decided".to_owned()
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
            _ => Problem::new(error.reason(), message),
        }
    }
}
