//! The verdict on a secret.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Weak};

use ndauth_core::{
    AccountId, Case, Effective, Expiry, GrantSet, Grants, Handle, Label, OrgId, OrgSlug, OwnerView, Problem,
    Requirement, Rules, Secret, Timestamp, TokenId, decide,
};
use ndauth_proto::{expiry_from_proto, grants_from_proto, role_from_proto, scope_from_proto, v1};

use super::refused::Refused;
use super::state::{CacheEntry, Shared};

/// The verdict on a secret. A failure to reach one is a [`Problem`], never a verdict.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The secret meets the requirement.
    Allowed(AllowedToken),
    /// The secret does not.
    Refused(Refused),
}

/// A token that is allowed: its owner, and what else it may do. Clones share the data.
#[derive(Clone)]
pub struct AllowedToken {
    pub(crate) by: By,
    pub(crate) secret: Secret,
    pub(crate) requirement: Requirement,
    pub(crate) address: Option<IpAddr>,
    pub(crate) verifier: Weak<Shared>,
}

/// The decider of a verdict.
#[derive(Clone)]
pub(crate) enum By {
    /// This library, from its cache and the rules, at an instant.
    Itself(Arc<CacheEntry>, Arc<Rules>, Timestamp),
    /// The server.
    Server(Arc<TokenDescription>),
}

/// The server's description of a token.
#[derive(Debug)]
pub(crate) struct TokenDescription {
    token: TokenId,
    name: Label,
    owner: TokenOwner,
    expires_at: Expiry,
    effective: Option<Effective>,
}

/// The owner of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenOwner {
    /// A person.
    Account {
        /// The account.
        id: AccountId,
        /// The account's handle.
        handle: Handle,
    },
    /// An org.
    Org {
        /// The org.
        id: OrgId,
        /// The org's slug.
        slug: OrgSlug,
    },
}

/// The reason why an allowed requirement is no longer allowed.
#[derive(Clone, Debug)]
pub enum Ended {
    /// It is refused now.
    Refused(Refused),
    /// There has been no verdict for longer than any change may be late.
    Undecided(Problem),
}

impl Verdict {
    /// Returns the allowed token, or the refusal.
    pub fn into_result(self) -> Result<AllowedToken, Refused> {
        match self {
            Verdict::Allowed(allowed) => Ok(allowed),
            Verdict::Refused(refused) => Err(refused),
        }
    }

    /// Returns true if the secret meets the requirement.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Verdict::Allowed(_))
    }
}

impl AllowedToken {
    /// Returns the token's id.
    pub fn token_id(&self) -> TokenId {
        match &self.by {
            By::Itself(entry, ..) => entry.inputs.token.id,
            By::Server(description) => description.token,
        }
    }

    /// Returns the name that the owner gave the token.
    pub fn token_name(&self) -> &str {
        match &self.by {
            By::Itself(entry, ..) => entry.inputs.token.name.as_str(),
            By::Server(description) => description.name.as_str(),
        }
    }

    /// Returns the token's owner.
    pub fn owner(&self) -> TokenOwner {
        match &self.by {
            By::Itself(entry, ..) => match entry.inputs.owner() {
                OwnerView::Account(account) => {
                    TokenOwner::Account { id: account.id, handle: account.handle.clone() }
                }
                OwnerView::Org(org) => TokenOwner::Org { id: org.id, slug: org.slug.clone() },
            },
            By::Server(description) => description.owner.clone(),
        }
    }

    /// Returns the token's expiry.
    pub fn expires_at(&self) -> Expiry {
        match &self.by {
            By::Itself(entry, ..) => entry.inputs.token.expires_at,
            By::Server(description) => description.expires_at,
        }
    }

    /// Returns everything that the token may do in the org. Returns `None` if the requirement was only
    /// identity, which confers nothing.
    pub fn effective(&self) -> Option<Effective> {
        match &self.by {
            By::Itself(entry, rules, at) => {
                let case = entry.inputs.case(rules, &self.requirement, self.address, *at)?;
                decide(&case).ok().filter(|effective| *effective != Effective::Identity)
            }
            By::Server(description) => description.effective.clone(),
        }
    }

    /// Returns the requirement that was decided.
    pub fn requirement(&self) -> &Requirement {
        &self.requirement
    }

    /// Returns the case of the decision, if it was made here.
    pub(crate) fn case(&self) -> Option<Case<'_>> {
        let By::Itself(entry, rules, at) = &self.by else { return None };
        entry.inputs.case(rules, &self.requirement, self.address, *at)
    }
}

impl fmt::Debug for AllowedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AllowedToken")
            .field("token", &self.token_id())
            .field("name", &self.token_name())
            .field("owner", &self.owner())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for TokenOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenOwner::Account { handle, .. } => handle.fmt(f),
            TokenOwner::Org { slug, .. } => slug.fmt(f),
        }
    }
}

impl TryFrom<v1::Allowed> for TokenDescription {
    type Error = Problem;

    fn try_from(allowed: v1::Allowed) -> Result<TokenDescription, Problem> {
        let invalid = |field: &str| Problem::invalid(field, "the server sent an invalid value");
        Ok(TokenDescription {
            token: allowed.token_id.parse().map_err(|_| invalid("token_id"))?,
            name: allowed.token_name.parse().map_err(|_| invalid("token_name"))?,
            owner: match allowed.owner.and_then(|owner| owner.kind) {
                Some(v1::owner::Kind::Account(account)) => TokenOwner::Account {
                    id: account.id.parse().map_err(|_| invalid("account.id"))?,
                    handle: account.handle.parse().map_err(|_| invalid("account.handle"))?,
                },
                Some(v1::owner::Kind::Org(org)) => TokenOwner::Org {
                    id: org.id.parse().map_err(|_| invalid("org.id"))?,
                    slug: org.slug.parse().map_err(|_| invalid("org.slug"))?,
                },
                None => return Err(invalid("owner")),
            },
            expires_at: expiry_from_proto("expiry", allowed.expiry)?,
            effective: allowed.effective.map(effective_from_proto).transpose()?,
        })
    }
}

fn effective_from_proto(message: v1::Effective) -> Result<Effective, Problem> {
    // The grants may be empty: the token may do nothing here.
    let nothing = matches!(
        message.grants.as_ref().and_then(|grants| grants.kind.as_ref()),
        Some(v1::grants::Kind::Only(set)) if set.grants.is_empty()
    );
    Ok(Effective::Access {
        org: message.org_id.parse().map_err(|why| Problem::invalid("effective.org_id", why))?,
        access: scope_from_proto("effective.access", message.access)?,
        role: role_from_proto("effective.role", message.role)?,
        grants: if nothing {
            Grants::Only(GrantSet::default())
        } else {
            grants_from_proto("effective.grants", message.grants)?
        },
    })
}
