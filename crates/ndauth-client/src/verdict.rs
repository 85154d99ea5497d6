//! What is said of a secret: that it may, or why it may not.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Weak};

use ndauth_core::{
    AccountId, Case, Class, Effective, Expiry, Factor, GrantSet, Grants, Handle, Label, OrgId, OrgSlug,
    OwnerView, Permission, Problem, Reason, Refusal, Requirement, Role, Rules, Scope, Secret, Timestamp,
    TokenId, Who, decide,
};
use ndauth_proto::{
    expiry_from_proto, factor_from_proto, grants_from_proto, permission_from_proto, reason_from_proto,
    role_from_proto, scope_from_proto, timestamp_from_proto, v1,
};

use crate::verifier::{Entry, Shared, Verifier};

/// What is said of a secret. That nothing could be said is a [`Problem`], and never one of these.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It may do what was asked.
    Allowed(Allowed),
    /// It may not.
    Refused(Refused),
}

/// That a secret may do what was asked: whose it is, and what else it may do. Clones share it.
#[derive(Clone)]
pub struct Allowed {
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
    Itself(Arc<Entry>, Arc<Rules>, Timestamp),
    /// The server.
    Server(Arc<Told>),
}

/// What the server told of a token.
#[derive(Debug)]
pub(crate) struct Told {
    token: TokenId,
    name: Label,
    owner: Owner,
    expires_at: Expiry,
    effective: Option<Effective>,
}

/// Whose a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
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

/// That a secret may not do what was asked, why, and what to do next.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why, for programs. `None` where the server has a reason that this version does not know.
    pub reason: Option<Reason>,
    /// The first factor that refused. `None` where this version does not know it.
    pub factor: Option<Factor>,
    /// What refused and why, for people.
    pub message: String,
    /// What to do next, for people. Empty where nothing general helps.
    pub hint: String,
    /// Since when it holds, where the holder of the secret may know.
    pub since: Option<Timestamp>,
    /// The permissions that the token would have to carry, where it is that.
    pub missing_permissions: Vec<Permission>,
    /// The scope that the token would have to offer, where it is that.
    pub missing_scope: Option<Scope>,
    /// The role that the owner would have to have, where it is that.
    pub missing_role: Option<Role>,
    /// Who can do something about it. `None` where this version does not know.
    pub who_can_change_it: Option<Who>,
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
    pub fn into_result(self) -> Result<Allowed, Refused> {
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

impl Allowed {
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
    pub fn owner(&self) -> Owner {
        match &self.by {
            By::Itself(entry, ..) => match entry.inputs.owner() {
                OwnerView::Account(account) => {
                    Owner::Account { id: account.id, handle: account.handle.clone() }
                }
                OwnerView::Org(org) => Owner::Org { id: org.id, slug: org.slug.clone() },
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

    /// Waits until it is allowed no more: until the token is revoked or expires, its owner loses the power, or that
    /// could not be known for longer than any change may be late. A long stream goes on no longer than this.
    pub async fn revoked(&self) -> Ended {
        loop {
            let Some(shared) = self.verifier.upgrade() else {
                let why = "what decides was ended";
                return Ended::Undecided(Problem::new(Reason::Unavailable, why));
            };
            let verifier = Verifier::of(shared);
            let mut news = verifier.news();
            match verifier.decide_again(self).await {
                Ok(Verdict::Allowed(_)) => {}
                Ok(Verdict::Refused(refused)) => return Ended::Refused(refused),
                Err(problem) => return Ended::Undecided(problem),
            }
            let again = verifier.again_after(self);
            drop(verifier);
            tokio::select! {
                // Whoever is told of changes is told when no more are.
                _ = news.changed() => {}
                () = tokio::time::sleep(again) => {}
            }
        }
    }

    /// The case that was decided, where it was here.
    pub(crate) fn case(&self) -> Option<Case<'_>> {
        let By::Itself(entry, rules, at) = &self.by else { return None };
        entry.inputs.case(rules, &self.requirement, self.address, *at)
    }
}

impl fmt::Debug for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Allowed")
            .field("token", &self.token_id())
            .field("name", &self.token_name())
            .field("owner", &self.owner())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::Account { handle, .. } => handle.fmt(f),
            Owner::Org { slug, .. } => slug.fmt(f),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Refused {
    /// Whether the secret has no power whatever is asked.
    pub(crate) fn is_total(&self) -> bool {
        self.factor.is_some_and(Factor::is_total)
    }

    /// Whether it stays so for good.
    pub(crate) fn is_final(&self) -> bool {
        self.factor.is_some_and(Factor::is_final)
    }

    /// What it means for whoever showed the secret: that it is not known or lives no more, or that it may not.
    pub fn class(&self) -> Class {
        match (self.reason, self.factor) {
            (Some(reason), _) => reason.class(),
            (None, None) => Class::NotAuthenticated,
            (None, Some(_)) if self.is_total() => Class::NotAuthenticated,
            (None, Some(_)) => Class::NotPermitted,
        }
    }
}

impl From<&Refused> for Problem {
    fn from(refused: &Refused) -> Problem {
        let reason = refused.reason.unwrap_or(match refused.class() {
            Class::NotPermitted => Reason::NotPermitted,
            _ => Reason::SecretUnknown,
        });
        Problem {
            missing_permissions: refused.missing_permissions.clone(),
            ..Problem::new(reason, refused.message.clone())
        }
    }
}

impl From<&Refusal> for Refused {
    fn from(refusal: &Refusal) -> Refused {
        let reason = refusal.reason();
        Refused {
            reason: Some(reason),
            factor: Some(refusal.factor()),
            message: refusal.to_string(),
            hint: reason.hint().unwrap_or_default().to_owned(),
            since: refusal.since(),
            missing_permissions: refusal.missing_permission().cloned().into_iter().collect(),
            missing_scope: refusal.missing_scope(),
            missing_role: refusal.missing_role(),
            who_can_change_it: Some(reason.who_can_change_it()),
        }
    }
}

impl From<v1::Refused> for Refused {
    /// What this version does not know is left out.
    fn from(told: v1::Refused) -> Refused {
        let permission = |permission| permission_from_proto("missing_permissions", permission).ok();
        let reason = reason_from_proto(told.reason);
        Refused {
            reason,
            factor: factor_from_proto(told.factor),
            missing_permissions: told.missing_permissions.iter().filter_map(permission).collect(),
            missing_scope: told.missing_scope.and_then(|scope| scope_from_proto("missing_scope", scope).ok()),
            missing_role: told.missing_role.and_then(|role| role_from_proto("missing_role", role).ok()),
            since: told.since.and_then(|since| timestamp_from_proto("since", since).ok()),
            who_can_change_it: reason.map(Reason::who_can_change_it),
            message: told.message,
            hint: told.hint,
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
                Some(v1::owner::Kind::Account(account)) => Owner::Account {
                    id: account.id.parse().map_err(|_| invalid("account.id"))?,
                    handle: account.handle.parse().map_err(|_| invalid("account.handle"))?,
                },
                Some(v1::owner::Kind::Org(org)) => Owner::Org {
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
