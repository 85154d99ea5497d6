//! Factors: what bounds the power of a token, one after the other.

/// One thing that bounds what a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Factor {
    /// The secret among its family's.
    Secret,
    /// Whether the secret was minted before an instant before which all are revoked.
    NotBefore,
    /// The token's life: revoked or expired, it has no power.
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
    /// The catalogue of permissions there are.
    Catalogue,
    /// The access that the token offers.
    Scope,
    /// The permissions that the token carries.
    Grants,
    /// The orgs that the token offers power in, as far as they exist.
    Orgs,
    /// The owner's live role in the org.
    Role,
    /// The org's lockdown: of the token, of all that was minted before an instant, or of every change.
    Lockdown,
    /// The org's policy.
    Policy,
}

impl Factor {
    /// Every factor, in the order in which they are asked.
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
        Factor::Scope,
        Factor::Grants,
        Factor::Orgs,
        Factor::Role,
        Factor::Lockdown,
        Factor::Policy,
    ];

    /// Returns true where a secret that it refuses has no power whatever is asked.
    pub fn is_total(self) -> bool {
        matches!(self, Factor::Secret | Factor::NotBefore | Factor::Life | Factor::Suspension | Factor::Owner)
    }

    /// Returns true where what it refuses stays refused for good.
    pub fn is_final(self) -> bool {
        matches!(self, Factor::Secret | Factor::NotBefore | Factor::Life)
    }
}
