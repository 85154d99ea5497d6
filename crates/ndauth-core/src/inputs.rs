//! What a service keeps of a secret so that it can go on to decide by itself: all that [`decide`](crate::decide())
//! reads, but for the question and the instant.

use std::net::IpAddr;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::{
    AccountId, AccountView, Asker, Case, Catalogue, Handle, Org, OrgSlug, OrgView, OwnerView, Policies,
    Requirement, Role, SecretRecord, Service, Timestamp, Token,
};

/// The decision of this version. It counts up whenever a token may need what an earlier decision does not know.
pub const DECISION_VERSION: u32 = 5;

/// What is the same for all secrets that a service asks about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// By what they are told apart from others.
    pub version: RulesVersion,
    /// The service.
    pub service: Service,
    /// The permissions there are.
    pub catalogue: Catalogue,
    /// Every secret minted before is revoked.
    pub not_before: Timestamp,
}

/// By what rules are told apart.
pub type RulesVersion = [u8; 32];

/// What is to be known of one secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// The secret.
    pub secret: SecretRecord,
    /// Its token.
    pub token: Token,
    /// The token's owner.
    pub owner: InputOwner,
    /// How the owner stands in some orgs.
    pub places: Vec<InputPlace>,
}

/// Whose a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputOwner {
    /// A person.
    Account {
        /// The account.
        id: AccountId,
        /// Its name.
        handle: Handle,
        /// Since when it has no power, where it was disabled.
        disabled_at: Option<Timestamp>,
        /// When its person logged in last, if ever.
        last_login_at: Option<Timestamp>,
        /// What was minted before is revoked.
        not_before: Timestamp,
    },
    /// An org.
    Org(Org),
}

/// How an owner stands in an org.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputPlace {
    /// The service knows of no org of that name.
    Nowhere(OrgSlug),
    /// The org, and the role in it of the account that owns the token.
    In(Arc<InputGround>, Option<Role>),
}

/// An org, and its policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputGround {
    /// The org.
    pub org: Org,
    /// Those that rule, or may come to.
    pub policies: Policies,
}

impl Rules {
    /// By what rules are told apart: all that they may differ in for one service.
    pub fn version(catalogue_hash: &[u8; 32], not_before: Timestamp) -> RulesVersion {
        Sha256::new()
            .chain_update(catalogue_hash)
            .chain_update(not_before.micros().to_be_bytes())
            .finalize()
            .into()
    }
}

impl Inputs {
    /// The decision that these need: an earlier one would leave something out that bounds the token.
    ///
    /// The second knows of suspensions, of what owners and orgs revoked all at once, and of orgs that are frozen; the third of owners
    /// that are disabled; the fourth of policies that require grants or bar tokens for all orgs; the fifth of secrets that a token
    /// drew by itself.
    pub fn decision_version(&self) -> u32 {
        let shut = |org: &Org| org.not_before > Timestamp::MIN || org.frozen_at.is_some();
        let owner_shut = match &self.owner {
            InputOwner::Account { not_before, .. } => *not_before > Timestamp::MIN,
            InputOwner::Org(org) => shut(org),
        };
        let place_shut = |place: &InputPlace| match place {
            InputPlace::Nowhere(_) => false,
            InputPlace::In(ground, _) => shut(&ground.org),
        };
        let strict = |place: &InputPlace| match place {
            InputPlace::Nowhere(_) => false,
            InputPlace::In(ground, _) => {
                let mut policies = ground.policies.iter().map(|dated| &dated.policy);
                policies.any(|policy| policy.require_grants || policy.no_all_org_tokens)
            }
        };
        let disabled = matches!(self.owner, InputOwner::Account { disabled_at: Some(_), .. });
        if self.secret.was_drawn_by_itself() {
            5
        } else if self.places.iter().any(strict) {
            4
        } else if disabled {
            3
        } else if owner_shut || !self.token.suspensions.is_empty() || self.places.iter().any(place_shut) {
            2
        } else {
            1
        }
    }

    /// How the owner stands in an org, where that is known.
    pub fn place(&self, slug: &OrgSlug) -> Option<&InputPlace> {
        self.places.iter().find(|place| place.slug() == slug)
    }

    /// Whose the token is, as a decision sees it.
    pub fn owner(&self) -> OwnerView<'_> {
        match &self.owner {
            InputOwner::Account { id, handle, disabled_at, last_login_at, not_before } => {
                OwnerView::Account(AccountView {
                    id: *id,
                    handle,
                    last_login_at: *last_login_at,
                    disabled_at: *disabled_at,
                    not_before: *not_before,
                })
            }
            InputOwner::Org(org) => OwnerView::Org(org),
        }
    }

    /// The case of a question. `None` where it is about an org that these say nothing of.
    pub fn case<'a>(
        &'a self,
        rules: &'a Rules,
        requirement: &'a Requirement,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Option<Case<'a>> {
        let org = match requirement.org() {
            None => OrgView::None,
            Some(slug) => match self.place(slug)? {
                InputPlace::Nowhere(_) => OrgView::None,
                InputPlace::In(ground, role) => OrgView::Org(&ground.org, *role, &ground.policies),
            },
        };
        Some(Case {
            secret: &self.secret,
            token: &self.token,
            owner: self.owner(),
            org,
            asker: Asker::Service(&rules.service),
            address: address.filter(|_| rules.service.states_address),
            requirement,
            catalogue: &rules.catalogue,
            effective_grants: None,
            not_before: rules.not_before,
            now,
        })
    }
}

impl InputPlace {
    /// The org's name.
    pub fn slug(&self) -> &OrgSlug {
        match self {
            InputPlace::Nowhere(slug) => slug,
            InputPlace::In(ground, _) => &ground.org.slug,
        }
    }
}
