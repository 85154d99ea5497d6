//! Factors: the bounds on a token's power, each judged in turn.

use std::fmt;

/// One bound on what a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Factor {
    /// The state of the secret within its family.
    Secret,
    /// The instant before which all minted secrets are revoked.
    NotBefore,
    /// The token's life: a revoked or expired one has no power.
    Life,
    /// A suspension by its owner or the operator.
    Suspension,
    /// The owner, who may be disabled or deleted.
    Owner,
    /// The orgs that the asking service is registered for.
    Service,
    /// The services that the token is for.
    Audience,
    /// The networks that the token is for.
    Network,
    /// The catalogue of permissions that exist.
    Catalogue,
    /// The permissions that the token carries.
    Grants,
    /// The access that the token offers.
    Scope,
    /// The orgs that the token offers power in, as far as they exist.
    Orgs,
    /// The owner's live role in the org.
    Role,
    /// The org's lockdown: of the token, of all secrets minted before an instant, or of every change.
    Lockdown,
    /// The org's policy.
    Policy,
}

impl fmt::Display for Factor {
    /// Writes its name for people, such as `not before`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Factor::Secret => "secret",
            Factor::NotBefore => "not before",
            Factor::Life => "life",
            Factor::Suspension => "suspension",
            Factor::Owner => "owner",
            Factor::Service => "service",
            Factor::Audience => "audience",
            Factor::Network => "network",
            Factor::Catalogue => "catalogue",
            Factor::Grants => "grants",
            Factor::Scope => "scope",
            Factor::Orgs => "orgs",
            Factor::Role => "role",
            Factor::Lockdown => "lockdown",
            Factor::Policy => "policy",
        })
    }
}

impl Factor {
    /// Every factor, in the order in which they are asked. The grants come before the scope, so that a missing permission is
    /// named; a wider scope would not help.
    pub const ALL: [Factor; 15] = [
        Factor::Secret,
        Factor::NotBefore,
        Factor::Life,
        Factor::Suspension,
        Factor::Owner,
        Factor::Service,
        Factor::Audience,
        Factor::Network,
        Factor::Catalogue,
        Factor::Grants,
        Factor::Scope,
        Factor::Orgs,
        Factor::Role,
        Factor::Lockdown,
        Factor::Policy,
    ];

    /// Returns true if a secret that it refuses has no power, whatever is requested.
    pub fn is_total(self) -> bool {
        matches!(self, Factor::Secret | Factor::NotBefore | Factor::Life | Factor::Suspension | Factor::Owner)
    }

    /// Returns true if its refusals are final.
    pub fn is_final(self) -> bool {
        matches!(self, Factor::Secret | Factor::NotBefore | Factor::Life)
    }
}
