//! The reasons for which ndauth says no, or cannot say: one enum for every surface.

/// Why a secret was refused or a call failed. Its code is what programs compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// No credential came with the call.
    CredentialMissing,
    /// The text is no secret.
    SecretMalformed,
    /// No such secret was ever given out, or it is long forgotten.
    SecretUnknown,
    /// A newer secret of the same token took over.
    SecretReplaced,
    /// A new secret was not used in time.
    SecretExpired,
    /// The secret is of a kind that does not serve here.
    SecretKindNotAccepted,
    /// The token came to its end.
    TokenExpired,
    /// The token was revoked.
    TokenRevoked,
    /// The token was suspended.
    TokenSuspended,
    /// The session came to its end.
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
    /// The token carries grants, and the question names no permission.
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
    /// Where the token was used matters, and is not known.
    AddressUnknown,
    /// The org's admins suspended the token there.
    SuspendedInOrg,
    /// The org's admins revoked, there, all tokens that were minted before some instant.
    RevokedInOrg,
    /// The org's admins froze it.
    OrgFrozen,
    /// The org admits no personal tokens.
    PersonalBarred,
    /// The org admits no tokens that carry all grants.
    GrantsRequired,
    /// The org admits no tokens that are for all orgs.
    AllOrgsBarred,
    /// The org admits no tokens of owners who logged in so long ago.
    LoginTooOld,
    /// The org admits no tokens that live so long.
    LifetimeTooLong,
    /// The org admits no tokens from there.
    NetworkBarred,
    /// Only a person who is logged in may do this.
    SessionRequired,
    /// Only a person who logged in lately may do this.
    LoginNotRecent,
    /// The name or the password is wrong.
    SignInRefused,
    /// Too much was tried.
    TooManyTries,
    /// The link was used, is too old, or never was.
    LinkSpent,
    /// This kind of caller may not do this.
    NotPermitted,
    /// Something in the request is not of the right form.
    InvalidArgument,
    /// The name is held by another.
    NameTaken,
    /// Several things go by the name.
    NameAmbiguous,
    /// The org would have no admin left.
    LastAdmin,
    /// Somebody else changed it in between.
    ChangedMeanwhile,
    /// The account has as many live tokens as it may have.
    TokenLimitReached,
    /// The org offers as many memberships as it may.
    OfferLimitReached,
    /// An earlier secret still serves.
    OverlapRuns,
    /// A new secret waits to be confirmed.
    RotationPending,
    /// There is no rotation to be settled like this.
    NoRotation,
    /// Somebody still uses the old secret, or nobody the new one.
    NotSafeYet,
    /// The token is dead.
    TokenDead,
    /// The token's end does not move.
    NotRenewable,
    /// There is no such token, account, org or service.
    NotFound,
    /// The call is not served here.
    CallUnknown,
    /// The request is larger than what is read.
    RequestTooLarge,
    /// Too much at once.
    Overloaded,
    /// It was not decided within the time that there was.
    DeadlineExceeded,
    /// It could not be decided: a part is out of reach.
    Unavailable,
    /// It could not be decided: something stored makes no sense.
    Internal,
    /// It was done, and this server does not know yet that it is in force.
    CommittedUnconfirmed,
    /// It may have been done or not.
    OutcomeUnknown,
}

/// Who can do something about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// Whoever makes the call.
    Caller,
    /// The token's owner: a person, or the admins of the org.
    Owner,
    /// An admin of the org.
    OrgAdmin,
    /// The operator.
    Operator,
    /// The service that asks.
    Service,
}

/// What a reason means for whoever asked. Each surface has its own codes for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Who asks is not known, or no longer.
    NotAuthenticated,
    /// Who asks is known, and may not.
    NotPermitted,
    /// The request makes no sense.
    Invalid,
    /// There is no such thing.
    NotFound,
    /// It is there already.
    Conflict,
    /// It does not fit what is there now.
    Precondition,
    /// A limit is reached.
    Exhausted,
    /// It is not served.
    Unimplemented,
    /// It could not be decided.
    Undecided,
    /// A defect.
    Internal,
    /// It was done, or may have been: whoever repeats it without looking does it twice.
    Unconfirmed,
}

use Class as C;
use Reason as R;
use Who as W;

/// A row a reason: its code, its class, and who can do something about it.
#[rustfmt::skip]
const ROWS: [(Reason, &str, Class, Who); 62] = [
    (R::CredentialMissing, "CREDENTIAL_MISSING", C::NotAuthenticated, W::Caller),
    (R::SecretMalformed, "SECRET_MALFORMED", C::NotAuthenticated, W::Caller),
    (R::SecretUnknown, "SECRET_UNKNOWN", C::NotAuthenticated, W::Caller),
    (R::SecretReplaced, "SECRET_REPLACED", C::NotAuthenticated, W::Owner),
    (R::SecretExpired, "SECRET_EXPIRED", C::NotAuthenticated, W::Owner),
    (R::SecretKindNotAccepted, "SECRET_KIND_NOT_ACCEPTED", C::NotAuthenticated, W::Caller),
    (R::TokenExpired, "TOKEN_EXPIRED", C::NotAuthenticated, W::Owner),
    (R::TokenRevoked, "TOKEN_REVOKED", C::NotAuthenticated, W::Owner),
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
    (R::OrgDeleted, "ORG_DELETED", C::NotPermitted, W::Operator),
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
    /// Every reason there is.
    pub fn all() -> impl Iterator<Item = Reason> {
        ROWS.iter().map(|(reason, ..)| *reason)
    }

    /// The name that programs compare, such as `TOKEN_EXPIRED`. It never changes.
    pub fn code(self) -> &'static str {
        self.row().1
    }

    /// The reason with this code.
    pub fn from_code(code: &str) -> Option<Reason> {
        ROWS.iter().find(|row| row.1 == code).map(|row| row.0)
    }

    /// What it means for whoever asked.
    pub fn class(self) -> Class {
        self.row().2
    }

    /// Who can do something about it.
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
