//! Refusals: a verdict that a secret may not do what was requested, with the details of the factor that
//! refused.

use std::fmt;
use std::net::IpAddr;

use crate::{
    Factor, InvalidSecret, Label, Lifetime, OrgSlug, Permission, Reason, Role, Scope, Secret, SecretKind,
    Since, Timestamp,
};

/// The cause for which a secret may not do what was requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The text is not a secret.
    Malformed(InvalidSecret),
    /// There is no such secret.
    Unknown,
    /// Secrets of this kind are not accepted by services.
    Kind(SecretKind),
    /// A newer secret replaced it.
    Replaced(Since),
    /// The secret was not used in time after it was minted.
    SecretExpired(Since),
    /// The token was revoked with all tokens minted before this instant.
    RevokedWithAll(Timestamp),
    /// The token was revoked.
    Revoked(Since),
    /// The token expired.
    Expired(Since),
    /// The token was suspended, by its owner or the operator.
    Suspended(Since),
    /// The owner is disabled.
    OwnerDisabled,
    /// The org that owns the token was deleted.
    OwnerDeleted(OrgSlug),
    /// The service may not ask about this org.
    ServiceNotForOrg(OrgSlug),
    /// The token is for services other than this one.
    ServiceNotCovered(Label),
    /// The token is for networks that do not contain this address.
    NetworkNotCovered(IpAddr),
    /// The token is restricted to some networks, and the address of its use is not known.
    AddressUnknown,
    /// There is no such permission.
    PermissionUnknown(Permission),
    /// The scope is too narrow.
    ScopeTooNarrow {
        /// The scope that the token offers.
        scope: Scope,
        /// The scope that is needed.
        needed: Scope,
    },
    /// The token carries a set of grants, and no permission was named.
    PermissionNotNamed,
    /// No grant covers the permission.
    PermissionNotGranted(Permission),
    /// The org was deleted.
    OrgDeleted(OrgSlug),
    /// The token is restricted to other orgs.
    OrgNotCovered(OrgSlug),
    /// The owner is not a member.
    NotAMember(OrgSlug),
    /// The role is too low.
    RoleTooLow {
        /// The org.
        org: OrgSlug,
        /// The owner's role.
        role: Role,
        /// The role that is needed.
        needed: Role,
    },
    /// The org's admins suspended the token there.
    SuspendedInOrg {
        /// The org.
        org: OrgSlug,
        /// The instant of the suspension.
        since: Since,
    },
    /// The org's admins revoked all tokens minted before an instant, in that org.
    RevokedInOrg {
        /// The org.
        org: OrgSlug,
        /// The instant.
        not_before: Timestamp,
    },
    /// The org's admins froze it: nothing can be changed there.
    OrgFrozen {
        /// The org.
        org: OrgSlug,
        /// The instant at which it was frozen.
        since: Since,
    },
    /// The org's policy admits no personal tokens.
    PersonalBarred(OrgSlug),
    /// The org's policy admits no tokens that carry all grants.
    GrantsRequired(OrgSlug),
    /// The org's policy admits no tokens that are for all orgs.
    AllOrgsBarred(OrgSlug),
    /// The owner's last login is longer ago than the org's policy admits, or there was none.
    LoginTooOld {
        /// The org.
        org: OrgSlug,
        /// The maximum age of a login that the policy admits.
        within: Lifetime,
        /// The owner's last login, if there was one.
        last: Option<Timestamp>,
    },
    /// The token's lifetime is longer than the org's policy admits.
    LifetimeTooLong {
        /// The org.
        org: OrgSlug,
        /// The lifetime of the secret.
        lifetime: Lifetime,
        /// The longest lifetime that the policy admits.
        longest: Lifetime,
    },
    /// The org's policy does not admit the address from which the token was used.
    NetworkBarred {
        /// The org.
        org: OrgSlug,
        /// The address, if it is known.
        address: Option<IpAddr>,
    },
}

impl Refusal {
    /// The reasons that a refusal can have.
    pub const REASONS: [Reason; 30] = [
        Reason::SecretMalformed,
        Reason::SecretUnknown,
        Reason::SecretKindNotAccepted,
        Reason::SecretReplaced,
        Reason::SecretExpired,
        Reason::TokenRevoked,
        Reason::TokenExpired,
        Reason::TokenSuspended,
        Reason::SuspendedInOrg,
        Reason::RevokedInOrg,
        Reason::OrgFrozen,
        Reason::AccountDisabled,
        Reason::OrgDeleted,
        Reason::ServiceNotForOrg,
        Reason::ServiceNotCovered,
        Reason::NetworkNotCovered,
        Reason::AddressUnknown,
        Reason::PermissionUnknown,
        Reason::ScopeTooNarrow,
        Reason::PermissionNotNamed,
        Reason::PermissionNotGranted,
        Reason::OrgNotCovered,
        Reason::NotAMember,
        Reason::RoleTooLow,
        Reason::PersonalBarred,
        Reason::GrantsRequired,
        Reason::AllOrgsBarred,
        Reason::LoginTooOld,
        Reason::LifetimeTooLong,
        Reason::NetworkBarred,
    ];

    /// Returns the reason, for programs.
    pub fn reason(&self) -> Reason {
        match self {
            Refusal::Malformed(_) => Reason::SecretMalformed,
            Refusal::Unknown => Reason::SecretUnknown,
            Refusal::Kind(_) => Reason::SecretKindNotAccepted,
            Refusal::Replaced(_) => Reason::SecretReplaced,
            Refusal::SecretExpired(_) => Reason::SecretExpired,
            Refusal::RevokedWithAll(_) => Reason::TokenRevoked,
            Refusal::Revoked(_) => Reason::TokenRevoked,
            Refusal::Expired(_) => Reason::TokenExpired,
            Refusal::Suspended(_) => Reason::TokenSuspended,
            Refusal::SuspendedInOrg { .. } => Reason::SuspendedInOrg,
            Refusal::RevokedInOrg { .. } => Reason::RevokedInOrg,
            Refusal::OrgFrozen { .. } => Reason::OrgFrozen,
            Refusal::OwnerDisabled => Reason::AccountDisabled,
            Refusal::OwnerDeleted(_) => Reason::OrgDeleted,
            Refusal::ServiceNotForOrg(_) => Reason::ServiceNotForOrg,
            Refusal::ServiceNotCovered(_) => Reason::ServiceNotCovered,
            Refusal::NetworkNotCovered(_) => Reason::NetworkNotCovered,
            Refusal::AddressUnknown | Refusal::NetworkBarred { address: None, .. } => Reason::AddressUnknown,
            Refusal::PermissionUnknown(_) => Reason::PermissionUnknown,
            Refusal::ScopeTooNarrow { .. } => Reason::ScopeTooNarrow,
            Refusal::PermissionNotNamed => Reason::PermissionNotNamed,
            Refusal::PermissionNotGranted(_) => Reason::PermissionNotGranted,
            Refusal::OrgDeleted(_) => Reason::OrgDeleted,
            Refusal::OrgNotCovered(_) => Reason::OrgNotCovered,
            Refusal::NotAMember(_) => Reason::NotAMember,
            Refusal::RoleTooLow { .. } => Reason::RoleTooLow,
            Refusal::PersonalBarred(_) => Reason::PersonalBarred,
            Refusal::GrantsRequired(_) => Reason::GrantsRequired,
            Refusal::AllOrgsBarred(_) => Reason::AllOrgsBarred,
            Refusal::LoginTooOld { .. } => Reason::LoginTooOld,
            Refusal::LifetimeTooLong { .. } => Reason::LifetimeTooLong,
            Refusal::NetworkBarred { address: Some(_), .. } => Reason::NetworkBarred,
        }
    }

    /// Returns the factor that refused.
    pub fn factor(&self) -> Factor {
        match self {
            Refusal::Malformed(_) | Refusal::Unknown | Refusal::Kind(_) => Factor::Secret,
            Refusal::Replaced(_) | Refusal::SecretExpired(_) => Factor::Secret,
            Refusal::RevokedWithAll(_) => Factor::NotBefore,
            Refusal::Revoked(_) | Refusal::Expired(_) => Factor::Life,
            Refusal::Suspended(_) => Factor::Suspension,
            Refusal::OwnerDisabled | Refusal::OwnerDeleted(_) => Factor::Owner,
            Refusal::ServiceNotForOrg(_) => Factor::Service,
            Refusal::ServiceNotCovered(_) => Factor::Audience,
            Refusal::NetworkNotCovered(_) | Refusal::AddressUnknown => Factor::Network,
            Refusal::PermissionUnknown(_) => Factor::Catalogue,
            Refusal::ScopeTooNarrow { .. } => Factor::Scope,
            Refusal::PermissionNotNamed | Refusal::PermissionNotGranted(_) => Factor::Grants,
            Refusal::OrgDeleted(_) | Refusal::OrgNotCovered(_) => Factor::Orgs,
            Refusal::NotAMember(_) | Refusal::RoleTooLow { .. } => Factor::Role,
            Refusal::SuspendedInOrg { .. } | Refusal::RevokedInOrg { .. } | Refusal::OrgFrozen { .. } => {
                Factor::Lockdown
            }
            Refusal::PersonalBarred(_)
            | Refusal::GrantsRequired(_)
            | Refusal::AllOrgsBarred(_)
            | Refusal::LoginTooOld { .. }
            | Refusal::LifetimeTooLong { .. }
            | Refusal::NetworkBarred { .. } => Factor::Policy,
        }
    }

    /// Returns true if the secret has no power, whatever is requested.
    pub fn is_total(&self) -> bool {
        self.factor().is_total()
    }

    /// Returns true if the refusal is final: nothing that anybody does gives the secret its power back.
    pub fn is_final(&self) -> bool {
        self.factor().is_final()
    }

    /// Returns the permission that the token lacks, if it was refused for that.
    pub fn missing_permission(&self) -> Option<&Permission> {
        match self {
            Refusal::PermissionNotGranted(permission) => Some(permission),
            _ => None,
        }
    }

    /// Returns the scope that the token lacks, if it was refused for that.
    pub fn missing_scope(&self) -> Option<Scope> {
        match self {
            Refusal::ScopeTooNarrow { needed, .. } => Some(*needed),
            _ => None,
        }
    }

    /// Returns the role that the owner lacks, if it was refused for that: `RO` for an owner who is not a
    /// member.
    pub fn missing_role(&self) -> Option<Role> {
        match self {
            Refusal::RoleTooLow { needed, .. } => Some(*needed),
            Refusal::NotAMember(_) => Some(Role::Ro),
            _ => None,
        }
    }

    /// Returns the instant since which it holds, if the holder of the secret may know it.
    pub fn since(&self) -> Option<Timestamp> {
        match self {
            Refusal::Replaced(since)
            | Refusal::SecretExpired(since)
            | Refusal::Revoked(since)
            | Refusal::Expired(since)
            | Refusal::Suspended(since)
            | Refusal::SuspendedInOrg { since, .. }
            | Refusal::OrgFrozen { since, .. } => Some(since.at),
            Refusal::RevokedWithAll(at) | Refusal::RevokedInOrg { not_before: at, .. } => Some(*at),
            _ => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Malformed(why) => write!(f, "the text is not a token: {why}"),
            Refusal::Unknown => f.write_str("this server does not know the token"),
            Refusal::Kind(kind) => {
                write!(f, "a secret that begins with `{}` is not accepted here", kind.marker())
            }
            Refusal::Replaced(since) => write!(f, "the secret was replaced by a rotation {since}"),
            Refusal::SecretExpired(since) => {
                write!(f, "the secret expired {since}: it was not used in time after it was made")
            }
            Refusal::RevokedWithAll(at) => {
                write!(f, "the token was revoked with all tokens minted before {at}")
            }
            Refusal::Revoked(since) => write!(f, "the token was revoked {since}"),
            Refusal::Expired(since) => write!(f, "the token expired {since}"),
            Refusal::Suspended(since) => write!(f, "the token was suspended {since}"),
            Refusal::SuspendedInOrg { org, since } => {
                write!(f, "the org `{org}` suspended the token {since}")
            }
            Refusal::RevokedInOrg { org, not_before } => {
                write!(f, "the org `{org}` revoked all tokens minted before {not_before}")
            }
            Refusal::OrgFrozen { org, since } => {
                write!(f, "the org `{org}` was frozen {since}: nothing can be changed there")
            }
            Refusal::OwnerDisabled => f.write_str("the token's owner is disabled"),
            Refusal::OwnerDeleted(org) => write!(f, "the token's owner, the org `{org}`, was deleted"),
            Refusal::ServiceNotForOrg(org) => write!(f, "the service is not registered for the org `{org}`"),
            Refusal::PermissionUnknown(permission) => write!(f, "there is no permission `{permission}`"),
            Refusal::ScopeTooNarrow { scope, needed } => {
                write!(f, "the token's scope is `{scope}`, and this needs `{needed}`")
            }
            Refusal::PermissionNotNamed => {
                f.write_str("the token carries grants, and the request names no permission")
            }
            Refusal::PermissionNotGranted(permission) => write!(f, "the token is not granted `{permission}`"),
            Refusal::OrgDeleted(org) => write!(f, "the org `{org}` was deleted"),
            Refusal::OrgNotCovered(org) => write!(f, "the token is restricted to orgs other than `{org}`"),
            Refusal::NotAMember(org) => write!(f, "the token's owner is not a member of an org `{org}`"),
            Refusal::RoleTooLow { org, role, needed } => {
                write!(f, "the owner's role in the org `{org}` is `{role}`, and this needs `{needed}`")
            }
            Refusal::ServiceNotCovered(service) => {
                write!(f, "the token is for services other than `{service}`")
            }
            Refusal::NetworkNotCovered(address) => {
                write!(f, "the token is for networks that `{address}` is not in")
            }
            Refusal::AddressUnknown => {
                f.write_str("the token is for some networks only, and the client's address is unknown")
            }
            Refusal::PersonalBarred(org) => write!(f, "the org `{org}` admits no personal tokens"),
            Refusal::GrantsRequired(org) => {
                write!(
                    f,
                    "the org `{org}` admits only tokens that carry a set of grants, and this one carries all"
                )
            }
            Refusal::AllOrgsBarred(org) => {
                write!(f, "the org `{org}` admits only tokens that name it, and this one is for all orgs")
            }
            Refusal::LoginTooOld { org, within, last } => {
                write!(
                    f,
                    "the org `{org}` admits only tokens whose owner logged in within {within}, and this owner "
                )?;
                match last {
                    Some(at) => write!(f, "last did on {}", at.date()),
                    None => f.write_str("never did"),
                }
            }
            Refusal::LifetimeTooLong { org, lifetime: Lifetime::Endless, longest } => {
                write!(
                    f,
                    "the org `{org}` admits only tokens with a lifetime of at most {longest}, and this one never expires"
                )
            }
            Refusal::LifetimeTooLong { org, lifetime, longest } => {
                write!(
                    f,
                    "the org `{org}` admits only tokens with a lifetime of at most {longest}, and this one was made for {lifetime}"
                )
            }
            Refusal::NetworkBarred { org, address: Some(address) } => {
                write!(f, "the org `{org}` admits no tokens from `{address}`")
            }
            Refusal::NetworkBarred { org, address: None } => {
                write!(
                    f,
                    "the org `{org}` admits tokens from some networks only, and the client's address is unknown"
                )
            }
        }
    }
}

impl Secret {
    /// Refuses the kinds of secrets that services never accept.
    pub fn judge_kind_for_services(&self) -> Result<(), Refusal> {
        match self.kind() {
            SecretKind::Personal | SecretKind::Org | SecretKind::Access => Ok(()),
            kind @ (SecretKind::Session | SecretKind::Refresh | SecretKind::Service) => {
                Err(Refusal::Kind(kind))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reasons_of_refusals_are_complete() {
        let source = include_str!("refusal.rs");
        let reasons =
            source.split("pub fn reason(&self)").nth(1).and_then(|rest| rest.split("pub fn").next());
        let mut named: Vec<&str> = reasons
            .expect("it is there")
            .split("Reason::")
            .skip(1)
            .filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric()).next())
            .collect();
        named.sort_unstable();
        named.dedup();
        let mut listed = Refusal::REASONS.map(|reason| format!("{reason:?}"));
        listed.sort_unstable();
        assert_eq!(named, listed);
    }
}
