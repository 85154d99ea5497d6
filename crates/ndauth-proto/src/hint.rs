//! Hints by reason: the one place where a response names commands and variables.

use ndauth_core::Reason as R;
use ndauth_core::SecretKind as K;
use ndauth_core::{Reason, SecretKind};

/// Returns the next step for a client of the HTTP API that presents a secret of a kind, or none.
pub fn hint_for_http(reason: Reason, kind: Option<SecretKind>) -> Option<&'static str> {
    match reason {
        R::CredentialMissing => Some("send the header `Authorization: Bearer` with the secret of a token"),
        R::SessionRequired => {
            Some("present the secret of a session, which the OAuth endpoints give to a person")
        }
        R::LoginNotRecent => Some("log in again, and present the secret of the new session"),
        reason => hint_for(reason, kind),
    }
}

/// Returns the next step after a refusal or a failure, if it is the same for every cause.
#[rustfmt::skip]
pub fn hint(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        R::CredentialMissing => "set NDCLI_TOKEN, or log in with `ndcli auth login`",
        R::SecretMalformed => "copy the token again, whole and without line breaks",
        R::SecretUnknown => "check that it was made on this server and that the right variable holds it",
        R::SecretReplaced => "use the token's newer secret, which its owner has",
        R::SecretExpired => "use the token's older secret, or rotate again",
        R::SecretKindNotAccepted => "use a token: it begins with `ndpat_` or `ndorg_`",
        R::TokenExpired => "make a new one with the same settings: `ndcli auth token create --like NAME`",
        R::TokenRevoked => "make a new one with the same settings: `ndcli auth token create --like NAME`",
        R::TokenSuspended => "its owner resumes it: `ndcli auth token resume NAME`; if the operator suspended it, the operator resumes it",
        R::SessionExpired => "log in again",
        R::SessionRevoked => "log in again",
        R::ServiceRevoked => "ask the operator for a new secret of the service, or to register it again",
        R::AccountDisabled => "ask the operator to enable the account",
        R::ServiceNotForOrg => "ask the operator to register the service for the org",
        R::PermissionUnknown => "check the action and the resource type against the catalogue",
        R::ScopeTooNarrow => "make a token with the scope `RW`: a scope never changes",
        R::PermissionNotNamed => "the service must name the permission that it requires",
        R::PermissionNotGranted => "make a token that carries the grant: grants never change",
        R::OrgNotCovered => "make a token for this org: its orgs never change",
        R::NotAMember => "check the org's name, or ask an admin of it to offer the account a membership",
        R::RoleTooLow => "ask an admin of the org for a higher role",
        R::ServiceNotCovered => "make a token for this service: its services never change",
        R::NetworkNotCovered => "use it from one of its networks, or make a token for this network: its networks never change",
        R::AddressUnknown => "the service must state its client's address, and be registered to state it",
        R::SuspendedInOrg => "an admin of the org resumes it: `ndcli token resume TOKEN_ID --org SLUG`",
        R::RevokedInOrg => "rotate the token, or make a new one: older secrets no longer work in that org",
        R::OrgFrozen => "an admin of the org unfreezes it: `ndcli org unfreeze`",
        R::PersonalBarred => "ask an admin of the org for a token of the org's own",
        R::GrantsRequired => "make a token that carries the grants it needs: grants never change",
        R::AllOrgsBarred => "make a token for this org: its orgs never change",
        R::LoginTooOld => "the token's owner logs in again",
        R::LifetimeTooLong => "make a token with a shorter lifetime: `ndcli org policy show` shows the limit",
        R::NetworkBarred => "use it from a network that the org admits: `ndcli org policy show` lists them",
        R::SessionRequired => "unset NDCLI_TOKEN and log in: `ndcli auth login`",
        R::LoginNotRecent => "log in again: `ndcli auth login`",
        R::SignInRefused => "type them again; the operator sends a link for a new password: `ndauthd admin account invite`",
        R::TooManyTries => "wait as long as the message says, and try again",
        R::LinkSpent => "ask the operator for another: `ndauthd admin account invite`",
        R::ConsoleOnly => "at the database's machine, `ndauthd admin account` does it: `--help` lists its commands",
        R::NameTaken => "choose another name, or revoke the one that has it",
        R::NameAmbiguous => "give more characters of it, or its whole id",
        R::LastAdmin => "make somebody else an admin first",
        R::ChangedMeanwhile => "read it again, and repeat your change",
        R::TokenLimitReached => "revoke one that is no longer used: `ndcli auth token list` shows when each last was",
        R::OfferLimitReached => "withdraw one, `ndcli org offers withdraw HANDLE`, or wait until one has ended",
        R::OverlapRuns => "wait until it has ended, or end it: `rotation retire NAME`",
        R::RotationPending => "finish it by using the new secret or by `rotation confirm NAME`, drop it by `rotation drop NAME`, or wait: it expires by itself",
        R::NoRotation => "`show` lists its secrets",
        R::NotSafeYet => "use the new secret everywhere first; `show` lists where the old one is used",
        R::TokenDead => "make a new one with the same settings: `create --like NAME`",
        R::NotRenewable => "`rotate` gives it a new secret and its lifetime again",
        R::CallUnknown => "the server may be older than the client",
        R::RequestTooLarge => "send a smaller request",
        R::Overloaded => "try again in a moment",
        R::DeadlineExceeded => "try again with a longer timeout: this is neither a yes nor a no",
        R::Unavailable => "try again in a moment: this is neither a yes nor a no",
        R::Internal => "search the server's log for the request id",
        R::CommittedUnconfirmed => "it is done, and need not be repeated: check in a moment that it is in effect",
        R::OutcomeUnknown => "check before you repeat it: a list or `show` shows whether it was done; a secret that was not shown is lost, so revoke its token",
        R::OrgDeleted | R::NotPermitted | R::InvalidArgument | R::NotFound => return None,
    })
}

/// Returns the next step that is true for whoever holds a credential of this kind, where one is known.
#[rustfmt::skip]
pub fn hint_for(reason: Reason, credential: Option<SecretKind>) -> Option<&'static str> {
    Some(match (credential, reason) {
        (Some(K::Org), R::TokenExpired | R::TokenRevoked) => "an admin of the org makes a new one with the same settings: `ndcli token create --org ORG --like NAME`",
        (Some(K::Org), R::SecretReplaced) => "use the token's newer secret: whoever rotated it has that",
        (Some(K::Org), R::TokenSuspended) => "an admin of the org resumes it: `ndcli token resume NAME`; if the operator suspended it, the operator resumes it",
        (Some(K::Org), R::ScopeTooNarrow) => "an admin of the org makes a token with the scope `RW`: a scope never changes",
        (Some(K::Org), R::PermissionNotGranted) => "an admin of the org makes a token that carries the grant: grants never change",
        (Some(K::Org), R::OrgNotCovered | R::NotAMember) => "a token of an org serves in that org alone: use one that is for this org",
        (Some(K::Org), R::ServiceNotCovered) => "an admin of the org makes a token for this service: its services never change",
        (Some(K::Org), R::NetworkNotCovered) => "use it from one of its networks, or ask an admin of the org for a token for this network",
        (Some(K::Org), R::LifetimeTooLong) => "an admin of the org makes a token with a shorter lifetime",
        (Some(K::Org), R::NetworkBarred) => "use it from a network that the org admits: its admins know which",
        (Some(K::Org), R::SessionRequired) => "a person who is logged in does this, such as an admin of the org: no token may",
        (Some(K::Service), R::SessionRequired) => "a person who is logged in does this: a service may ask about tokens and who it is itself",
        (Some(K::Service), R::SecretKindNotAccepted) => "use a token: a service's secret asks about tokens, and is none",
        (Some(K::Service), R::SecretReplaced) => "use the service's newer secret, which the operator gave out",
        (Some(K::Service), R::SecretExpired) => "use the service's older secret, or ask the operator to rotate it again",
        (Some(K::Access), R::TokenExpired | R::TokenRevoked | R::SessionExpired | R::SessionRevoked) => "get another: `ndcli auth print-access-token`",
        (Some(K::Service), R::TokenRevoked | R::TokenExpired) => "ask the operator for a new secret of the service",
        // Orgs and services have no login of their own, so hints that need one are left out.
        (Some(K::Org | K::Service), reason) => return hint(reason).filter(|text| !text.contains("`ndcli auth ")),
        (_, reason) => return hint(reason),
    })
}
