//! What is said of a secret: that it may, or why it may not.

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

/// What is said of a secret. That nothing could be said is a [`Problem`], and never one of these.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It may do what was asked.
    Allowed(AllowedToken),
    /// It may not.
    Refused(Refused),
}

/// That a secret may do what was asked: whose it is, and what else it may do. Clones share it.
#[derive(Clone)]
pub struct AllowedToken {
    pub(crate) by: By,
    pub(crate) secret: Secret,
    pub(crate) requirement: Requirement,
    pub(crate) address: Option<IpAddr>,
    pub(crate) verifier: Weak<Shared>,
}

/// Who decided.
#[derive(Clone)]
pub(crate) enum By {
    /// This library, by what it keeps, at an instant.
    Itself(Arc<CacheEntry>, Arc<Rules>, Timestamp),
    /// The server.
    Server(Arc<Told>),
}

/// What the server told of a token.
#[derive(Debug)]
pub(crate) struct Told {
    token: TokenId,
    name: Label,
    owner: TokenOwner,
    expires_at: Expiry,
    effective: Option<Effective>,
}

/// Whose a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenOwner {
    /// A person's.
    Account {
        /// The account.
        id: AccountId,
        /// Its name.
        handle: Handle,
    },
    /// An org's.
    Org {
        /// The org.
        id: OrgId,
        /// Its name.
        slug: OrgSlug,
    },
}

/// Why something that was allowed is not any more.
#[derive(Clone, Debug)]
pub enum Ended {
    /// It is refused now.
    Refused(Refused),
    /// It could not be decided for longer than any change may be late.
    Undecided(Problem),
}

impl Verdict {
    /// What is allowed, or why nothing is.
    pub fn into_result(self) -> Result<AllowedToken, Refused> {
        match self {
            Verdict::Allowed(allowed) => Ok(allowed),
            Verdict::Refused(refused) => Err(refused),
        }
    }

    /// Whether it may.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Verdict::Allowed(_))
    }
}

impl AllowedToken {
    /// The token's id.
    pub fn token_id(&self) -> TokenId {
        match &self.by {
            By::Itself(entry, ..) => entry.inputs.token.id,
            By::Server(told) => told.token,
        }
    }

    /// What its owner calls the token.
    pub fn token_name(&self) -> &str {
        match &self.by {
            By::Itself(entry, ..) => entry.inputs.token.name.as_str(),
            By::Server(told) => told.name.as_str(),
        }
    }

    /// Whose it is.
    pub fn owner(&self) -> TokenOwner {
        match &self.by {
            By::Itself(entry, ..) => match entry.inputs.owner() {
                OwnerView::Account(account) => {
                    TokenOwner::Account { id: account.id, handle: account.handle.clone() }
                }
                OwnerView::Org(org) => TokenOwner::Org { id: org.id, slug: org.slug.clone() },
            },
            By::Server(told) => told.owner.clone(),
        }
    }

    /// When the token ends by itself.
    pub fn expires_at(&self) -> Expiry {
        match &self.by {
            By::Itself(entry, ..) => entry.inputs.token.expires_at,
            By::Server(told) => told.expires_at,
        }
    }

    /// What it may do in the org at all; `None` where only its identity was asked, which confers nothing.
    pub fn effective(&self) -> Option<Effective> {
        match &self.by {
            By::Itself(entry, rules, at) => {
                let case = entry.inputs.case(rules, &self.requirement, self.address, *at)?;
                decide(&case).ok().filter(|effective| *effective != Effective::Identity)
            }
            By::Server(told) => told.effective.clone(),
        }
    }

    /// What was asked.
    pub fn requirement(&self) -> &Requirement {
        &self.requirement
    }

    /// The case that was decided, where it was here.
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

impl TryFrom<v1::Allowed> for Told {
    type Error = Problem;

    fn try_from(told: v1::Allowed) -> Result<Told, Problem> {
        let invalid = |field: &str| Problem::invalid(field, "the server told what makes no sense");
        Ok(Told {
            token: told.token_id.parse().map_err(|_| invalid("token_id"))?,
            name: told.token_name.parse().map_err(|_| invalid("token_name"))?,
            owner: match told.owner.and_then(|owner| owner.kind) {
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
            expires_at: expiry_from_proto("expiry", told.expiry)?,
            effective: told.effective.map(effective_from_proto).transpose()?,
        })
    }
}

fn effective_from_proto(told: v1::Effective) -> Result<Effective, Problem> {
    // Nothing may be left here.
    let nothing = matches!(
        told.grants.as_ref().and_then(|grants| grants.kind.as_ref()),
        Some(v1::grants::Kind::Only(set)) if set.grants.is_empty()
    );
    Ok(Effective::Access {
        org: told.org_id.parse().map_err(|why| Problem::invalid("effective.org_id", why))?,
        access: scope_from_proto("effective.access", told.access)?,
        role: role_from_proto("effective.role", told.role)?,
        grants: if nothing {
            Grants::Only(GrantSet::default())
        } else {
            grants_from_proto("effective.grants", told.grants)?
        },
    })
}
