//! Refusals: why a secret may not do what was asked, with what the factor that refused knows of it.

use std::fmt;

use crate::{Factor, InvalidSecret, OrgSlug, Permission, Reason, Role, Scope, SecretKind, Timestamp};

/// Why a secret may not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The text is no secret.
    Malformed(InvalidSecret),
    /// There is no such secret.
    Unknown,
    /// Secrets of this kind are not for services.
    Kind(SecretKind),
    /// Another secret took over.
    Replaced(Timestamp),
    /// It was not used in time after a rotation.
    Lapsed(Timestamp),
    /// Every secret minted before that instant was shut out.
    ShutOut(Timestamp),
    /// The token was revoked.
    Revoked(Timestamp),
    /// The token came to its end.
    Expired(Timestamp),
    /// The owner is disabled, or the org that owns it is gone.
    OwnerDisabled,
    /// The service may not ask about this org.
    ServiceNotForOrg(OrgSlug),
    /// There is no such permission.
    PermissionUnknown(Permission),
    /// The scope is too narrow.
    ScopeTooNarrow {
        /// What the token offers.
        scope: Scope,
        /// What is needed.
        needed: Scope,
    },
    /// The token carries a set of grants, and no permission was named.
    PermissionNotNamed,
    /// No grant covers the permission.
    PermissionNotGranted(Permission),
    /// There is no such org.
    OrgUnknown(OrgSlug),
    /// The org was deleted.
    OrgDeleted(OrgSlug),
    /// The token is restricted to other orgs.
    OrgNotCovered(OrgSlug),
    /// The owner is not a member.
    NotAMember(OrgSlug),
    /// The role is too low.
    RoleTooLow {
        /// Where.
        org: OrgSlug,
        /// What it is.
        role: Role,
        /// What is needed.
        needed: Role,
    },
}

impl Refusal {
    /// The reason, for programs.
    pub fn reason(&self) -> Reason {
        match self {
            Refusal::Malformed(_) => Reason::SecretMalformed,
            Refusal::Unknown => Reason::SecretUnknown,
            Refusal::Kind(_) => Reason::SecretKindNotAccepted,
            Refusal::Replaced(_) => Reason::SecretReplaced,
            Refusal::Lapsed(_) => Reason::SecretLapsed,
            Refusal::ShutOut(_) => Reason::SecretShutOut,
            Refusal::Revoked(_) => Reason::TokenRevoked,
            Refusal::Expired(_) => Reason::TokenExpired,
            Refusal::OwnerDisabled => Reason::AccountDisabled,
            Refusal::ServiceNotForOrg(_) => Reason::ServiceNotForOrg,
            Refusal::PermissionUnknown(_) => Reason::PermissionUnknown,
            Refusal::ScopeTooNarrow { .. } => Reason::ScopeTooNarrow,
            Refusal::PermissionNotNamed => Reason::PermissionNotNamed,
            Refusal::PermissionNotGranted(_) => Reason::PermissionNotGranted,
            Refusal::OrgUnknown(_) => Reason::OrgUnknown,
            Refusal::OrgDeleted(_) => Reason::OrgDeleted,
            Refusal::OrgNotCovered(_) => Reason::OrgNotCovered,
            Refusal::NotAMember(_) => Reason::NotAMember,
            Refusal::RoleTooLow { .. } => Reason::RoleTooLow,
        }
    }

    /// The factor that refused.
    pub fn factor(&self) -> Factor {
        match self {
            Refusal::Malformed(_) | Refusal::Unknown | Refusal::Kind(_) => Factor::Secret,
            Refusal::Replaced(_) | Refusal::Lapsed(_) => Factor::Secret,
            Refusal::ShutOut(_) => Factor::NotBefore,
            Refusal::Revoked(_) | Refusal::Expired(_) => Factor::Life,
            Refusal::OwnerDisabled => Factor::Owner,
            Refusal::ServiceNotForOrg(_) => Factor::Service,
            Refusal::PermissionUnknown(_) => Factor::Catalogue,
            Refusal::ScopeTooNarrow { .. } => Factor::Scope,
            Refusal::PermissionNotNamed | Refusal::PermissionNotGranted(_) => Factor::Grants,
            Refusal::OrgUnknown(_) | Refusal::OrgDeleted(_) | Refusal::OrgNotCovered(_) => Factor::Orgs,
            Refusal::NotAMember(_) | Refusal::RoleTooLow { .. } => Factor::Role,
        }
    }

    /// Since when it holds, where the holder of the secret may know.
    pub fn since(&self) -> Option<Timestamp> {
        match self {
            Refusal::Replaced(at)
            | Refusal::Lapsed(at)
            | Refusal::ShutOut(at)
            | Refusal::Revoked(at)
            | Refusal::Expired(at) => Some(*at),
            _ => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Malformed(why) => write!(f, "the text is not a token: {why}"),
            Refusal::Unknown => f.write_str("the token is not known here"),
            Refusal::Kind(kind) => {
                write!(f, "a secret that begins with `{}` is not accepted here", kind.marker())
            }
            Refusal::Replaced(at) => write!(f, "the secret was replaced by a newer one on {}", at.date()),
            Refusal::Lapsed(at) => {
                write!(f, "the secret lapsed on {}: it was never used after the rotation", at.date())
            }
            Refusal::ShutOut(at) => {
                write!(f, "every secret minted before {at} was shut out, and this is one of them")
            }
            Refusal::Revoked(at) => write!(f, "the token was revoked on {}", at.date()),
            Refusal::Expired(at) => write!(f, "the token expired on {}", at.date()),
            Refusal::OwnerDisabled => f.write_str("the token's owner is disabled"),
            Refusal::ServiceNotForOrg(org) => write!(f, "the service is not registered for the org `{org}`"),
            Refusal::PermissionUnknown(permission) => write!(f, "there is no permission `{permission}`"),
            Refusal::ScopeTooNarrow { scope, needed } => {
                write!(f, "the token's scope is `{scope}`, and this needs `{needed}`")
            }
            Refusal::PermissionNotNamed => {
                f.write_str("the token carries grants, and the question names no permission")
            }
            Refusal::PermissionNotGranted(permission) => write!(f, "the token is not granted `{permission}`"),
            Refusal::OrgUnknown(org) => write!(f, "there is no org `{org}`"),
            Refusal::OrgDeleted(org) => write!(f, "the org `{org}` was deleted"),
            Refusal::OrgNotCovered(org) => write!(f, "the token is restricted to orgs other than `{org}`"),
            Refusal::NotAMember(org) => write!(f, "the token's owner is not a member of the org `{org}`"),
            Refusal::RoleTooLow { org, role, needed } => {
                write!(f, "the owner's role in the org `{org}` is `{role}`, and this needs `{needed}`")
            }
        }
    }
}
