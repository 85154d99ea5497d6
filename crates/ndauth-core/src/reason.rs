//! The reasons for which ndauth refuses a request or cannot decide it: one enum for every surface.

/// The reason for which a secret was refused or a call failed. Programs compare its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// No credential came with the call.
    CredentialMissing,
    /// The text is not a secret.
    SecretMalformed,
    /// No such secret was ever issued, or its rows were removed long ago.
    SecretUnknown,
    /// A newer secret of the same token replaced it.
    SecretReplaced,
    /// A new secret was not used in time.
    SecretExpired,
    /// Secrets of this kind are not accepted here.
    SecretKindNotAccepted,
    /// The token expired.
    TokenExpired,
    /// The token was revoked.
    TokenRevoked,
    /// The token was suspended.
    TokenSuspended,
    /// The session expired.
    SessionExpired,
    /// The session was ended.
    SessionRevoked,
    /// The service was revoked.
    ServiceRevoked,
    /// The account is disabled.
    AccountDisabled,
    /// The service is not registered for the org.
    ServiceNotForOrg,
    /// There is no such permission.
    PermissionUnknown,
    /// The token's scope is too narrow.
    ScopeTooNarrow,
    /// The token carries a set of grants, and the question names no permission.
    PermissionNotNamed,
    /// No grant of the token covers the permission.
    PermissionNotGranted,
    /// The token is restricted to other orgs.
    OrgNotCovered,
    /// The org was deleted.
    OrgDeleted,
    /// The owner is not a member of the org.
    NotAMember,
    /// The owner's role in the org is too low.
    RoleTooLow,
    /// The token is for other services.
    ServiceNotCovered,
    /// The token is for other networks.
    NetworkNotCovered,
    /// The address from which the token was used is needed, and is not known.
    AddressUnknown,
    /// The org's admins suspended the token there.
    SuspendedInOrg,
    /// The org's admins revoked all tokens minted before an instant, in that org.
    RevokedInOrg,
    /// The org's admins froze it.
    OrgFrozen,
    /// The org admits no personal tokens.
    PersonalBarred,
    /// The org admits no tokens that carry all grants.
    GrantsRequired,
    /// The org admits no tokens that are for all orgs.
    AllOrgsBarred,
    /// The last login of the owner is longer ago than the org admits.
    LoginTooOld,
    /// The token lives longer than the org admits.
    LifetimeTooLong,
    /// The org admits no tokens from that address.
    NetworkBarred,
    /// Only a person who is logged in may do this.
    SessionRequired,
    /// Only a person who logged in recently may do this.
    LoginNotRecent,
    /// The name or the password is wrong.
    SignInRefused,
    /// There were too many attempts.
    TooManyTries,
    /// The link was used, has expired, or never existed.
    LinkSpent,
    /// Only the console may do this to that account.
    ConsoleOnly,
    /// This kind of caller may not do this.
    NotPermitted,
    /// A part of the request is malformed.
    InvalidArgument,
    /// Another thing has this name.
    NameTaken,
    /// Several things have this name.
    NameAmbiguous,
    /// The org would have no admin left.
    LastAdmin,
    /// Another caller changed it in the meantime.
    ChangedMeanwhile,
    /// The account has the maximum number of live tokens.
    TokenLimitReached,
    /// The org has the maximum number of open offers.
    OfferLimitReached,
    /// An earlier secret is still in its overlap.
    OverlapRuns,
    /// A new secret awaits confirmation.
    RotationPending,
    /// There is no rotation that can be settled this way.
    NoRotation,
    /// The old secret is still used, or the new one is not used yet.
    NotSafeYet,
    /// The token is dead.
    TokenDead,
    /// The token's expiry cannot be moved.
    NotRenewable,
    /// There is no such token, account, org or service.
    NotFound,
    /// No such operation is served here.
    CallUnknown,
    /// The request is larger than the limit.
    RequestTooLarge,
    /// The server is overloaded.
    Overloaded,
    /// It was not decided within the deadline.
    DeadlineExceeded,
    /// It could not be decided: a component is out of reach.
    Unavailable,
    /// It could not be decided: stored data is invalid.
    Internal,
    /// It was committed, but this server cannot confirm yet that it is in force.
    CommittedUnconfirmed,
    /// It may have been committed or not.
    OutcomeUnknown,
}

/// The party that can do something about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// The caller.
    Caller,
    /// The token's owner: a person, or the admins of the org.
    Owner,
    /// An admin of the org.
    OrgAdmin,
    /// The operator.
    Operator,
    /// The service that asked.
    Service,
    /// Nobody: it stays so for good.
    Nobody,
}

/// The class of a reason, from the caller's point of view. Each surface maps it to its own codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The caller is unknown, or no longer valid.
    NotAuthenticated,
    /// The caller is known, and may not do this.
    NotPermitted,
    /// The request is invalid.
    Invalid,
    /// There is no such thing.
    NotFound,
    /// It exists already.
    Conflict,
    /// The present state does not allow it.
    Precondition,
    /// A limit is reached.
    Exhausted,
    /// It is not supported.
    Unimplemented,
    /// It could not be decided.
    Undecided,
    /// A defect.
    Internal,
    /// It was committed, or may have been: a caller that repeats it without looking may do it twice.
    Unconfirmed,
}

use Class as C;
use Reason as R;
use Who as W;

/// One row per reason: its code, its class, and the party that can do something about it.
#[rustfmt::skip]
const ROWS: [(Reason, &str, Class, Who); 63] = [
    (R::CredentialMissing, "CREDENTIAL_MISSING", C::NotAuthenticated, W::Caller),
    (R::SecretMalformed, "SECRET_MALFORMED", C::NotAuthenticated, W::Caller),
    (R::SecretUnknown, "SECRET_UNKNOWN", C::NotAuthenticated, W::Caller),
    (R::SecretReplaced, "SECRET_REPLACED", C::NotAuthenticated, W::Owner),
    (R::SecretExpired, "SECRET_EXPIRED", C::NotAuthenticated, W::Owner),
    (R::SecretKindNotAccepted, "SECRET_KIND_NOT_ACCEPTED", C::NotAuthenticated, W::Caller),
    (R::TokenExpired, "TOKEN_EXPIRED", C::NotAuthenticated, W::Nobody),
    (R::TokenRevoked, "TOKEN_REVOKED", C::NotAuthenticated, W::Nobody),
    (R::TokenSuspended, "TOKEN_SUSPENDED", C::NotAuthenticated, W::Owner),
    (R::SessionExpired, "SESSION_EXPIRED", C::NotAuthenticated, W::Caller),
    (R::SessionRevoked, "SESSION_REVOKED", C::NotAuthenticated, W::Caller),
    (R::ServiceRevoked, "SERVICE_REVOKED", C::NotAuthenticated, W::Operator),
    (R::AccountDisabled, "ACCOUNT_DISABLED", C::NotAuthenticated, W::Operator),
    (R::ServiceNotForOrg, "SERVICE_NOT_FOR_ORG", C::NotPermitted, W::Operator),
    (R::PermissionUnknown, "PERMISSION_UNKNOWN", C::NotPermitted, W::Service),
    (R::ScopeTooNarrow, "SCOPE_TOO_NARROW", C::NotPermitted, W::Owner),
    (R::PermissionNotNamed, "PERMISSION_NOT_NAMED", C::NotPermitted, W::Service),
    (R::PermissionNotGranted, "PERMISSION_NOT_GRANTED", C::NotPermitted, W::Owner),
    (R::OrgNotCovered, "ORG_NOT_COVERED", C::NotPermitted, W::Owner),
    (R::OrgDeleted, "ORG_DELETED", C::NotPermitted, W::Nobody),
    (R::NotAMember, "NOT_A_MEMBER", C::NotPermitted, W::OrgAdmin),
    (R::RoleTooLow, "ROLE_TOO_LOW", C::NotPermitted, W::OrgAdmin),
    (R::ServiceNotCovered, "SERVICE_NOT_COVERED", C::NotPermitted, W::Owner),
    (R::NetworkNotCovered, "NETWORK_NOT_COVERED", C::NotPermitted, W::Owner),
    (R::AddressUnknown, "ADDRESS_UNKNOWN", C::NotPermitted, W::Service),
    (R::SuspendedInOrg, "SUSPENDED_IN_ORG", C::NotPermitted, W::OrgAdmin),
    (R::RevokedInOrg, "REVOKED_IN_ORG", C::NotPermitted, W::Owner),
    (R::OrgFrozen, "ORG_FROZEN", C::NotPermitted, W::OrgAdmin),
    (R::PersonalBarred, "PERSONAL_BARRED", C::NotPermitted, W::OrgAdmin),
    (R::GrantsRequired, "GRANTS_REQUIRED", C::NotPermitted, W::Owner),
    (R::AllOrgsBarred, "ALL_ORGS_BARRED", C::NotPermitted, W::Owner),
    (R::LoginTooOld, "LOGIN_TOO_OLD", C::NotPermitted, W::Owner),
    (R::LifetimeTooLong, "LIFETIME_TOO_LONG", C::NotPermitted, W::Owner),
    (R::NetworkBarred, "NETWORK_BARRED", C::NotPermitted, W::OrgAdmin),
    (R::SessionRequired, "SESSION_REQUIRED", C::NotPermitted, W::Caller),
    (R::LoginNotRecent, "LOGIN_NOT_RECENT", C::NotPermitted, W::Caller),
    (R::SignInRefused, "SIGN_IN_REFUSED", C::NotAuthenticated, W::Caller),
    (R::TooManyTries, "TOO_MANY_TRIES", C::Exhausted, W::Caller),
    (R::LinkSpent, "LINK_SPENT", C::NotAuthenticated, W::Operator),
    (R::ConsoleOnly, "CONSOLE_ONLY", C::NotPermitted, W::Operator),
    (R::NotPermitted, "NOT_PERMITTED", C::NotPermitted, W::Caller),
    (R::InvalidArgument, "INVALID_ARGUMENT", C::Invalid, W::Caller),
    (R::NameTaken, "NAME_TAKEN", C::Conflict, W::Caller),
    (R::NameAmbiguous, "NAME_AMBIGUOUS", C::Invalid, W::Caller),
    (R::LastAdmin, "LAST_ADMIN", C::Precondition, W::Caller),
    (R::ChangedMeanwhile, "CHANGED_MEANWHILE", C::Precondition, W::Caller),
    (R::TokenLimitReached, "TOKEN_LIMIT_REACHED", C::Exhausted, W::Caller),
    (R::OfferLimitReached, "OFFER_LIMIT_REACHED", C::Exhausted, W::Caller),
    (R::OverlapRuns, "OVERLAP_RUNS", C::Conflict, W::Caller),
    (R::RotationPending, "ROTATION_PENDING", C::Conflict, W::Caller),
    (R::NoRotation, "NO_ROTATION", C::Precondition, W::Caller),
    (R::NotSafeYet, "NOT_SAFE_YET", C::Precondition, W::Caller),
    (R::TokenDead, "TOKEN_DEAD", C::Precondition, W::Caller),
    (R::NotRenewable, "NOT_RENEWABLE", C::Precondition, W::Caller),
    (R::NotFound, "NOT_FOUND", C::NotFound, W::Caller),
    (R::CallUnknown, "CALL_UNKNOWN", C::Unimplemented, W::Operator),
    (R::RequestTooLarge, "REQUEST_TOO_LARGE", C::Invalid, W::Caller),
    (R::Overloaded, "OVERLOADED", C::Exhausted, W::Caller),
    (R::DeadlineExceeded, "DEADLINE_EXCEEDED", C::Undecided, W::Caller),
    (R::Unavailable, "UNAVAILABLE", C::Undecided, W::Operator),
    (R::Internal, "INTERNAL", C::Internal, W::Operator),
    (R::CommittedUnconfirmed, "COMMITTED_UNCONFIRMED", C::Unconfirmed, W::Operator),
    (R::OutcomeUnknown, "OUTCOME_UNKNOWN", C::Unconfirmed, W::Caller),
];

impl Reason {
    /// Returns every reason.
    pub fn all() -> impl Iterator<Item = Reason> {
        ROWS.iter().map(|(reason, ..)| *reason)
    }

    /// Returns the name that programs compare, such as `TOKEN_EXPIRED`. It never changes.
    pub fn code(self) -> &'static str {
        self.row().1
    }

    /// Returns the reason with this code.
    pub fn from_code(code: &str) -> Option<Reason> {
        ROWS.iter().find(|row| row.1 == code).map(|row| row.0)
    }

    /// Returns its class, from the caller's point of view.
    pub fn class(self) -> Class {
        self.row().2
    }

    /// Returns the party that can do something about it.
    pub fn who_can_change_it(self) -> Who {
        self.row().3
    }

    fn row(self) -> &'static (Reason, &'static str, Class, Who) {
        &ROWS[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_row_and_its_code() {
        for (index, (reason, code, ..)) in ROWS.iter().enumerate() {
            assert_eq!(*reason as usize, index, "{code} stands where the enum has it");
            assert_eq!(Reason::from_code(code), Some(*reason));
            assert_eq!(reason.code(), *code);
        }
        assert_eq!(Reason::from_code("NOPE"), None);
    }
}
