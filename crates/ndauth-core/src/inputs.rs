//! The inputs that a service caches to decide locally: all that [`decide`](crate::decide()) reads about a
//! secret, except the question and the instant.

use std::net::IpAddr;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::{
    AccountId, AccountView, Asker, Case, Catalogue, Handle, Org, OrgSlug, OrgView, OwnerView, Policies,
    Requirement, Role, SecretRecord, Service, Timestamp, Token,
};

/// The decision of this version. It counts up whenever a token may need what an earlier decision does not know. The order of the
/// factors is no part of it: that changes which refusal is named, never what is allowed.
pub const DECISION_VERSION: u32 = 5;

/// The inputs that are the same for all secrets that a service asks about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The version that distinguishes them from other rules.
    pub version: RulesVersion,
    /// The service.
    pub service: Service,
    /// The catalogue of permissions.
    pub catalogue: Catalogue,
    /// Every secret minted before this instant is revoked.
    pub not_before: Timestamp,
}

/// A hash that distinguishes rules from each other.
pub type RulesVersion = [u8; 32];

/// The inputs about one secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// The secret.
    pub secret: SecretRecord,
    /// Its token.
    pub token: Token,
    /// The token's owner.
    pub owner: InputOwner,
    /// The owner's role in some orgs.
    pub places: Vec<InputPlace>,
}

/// The owner of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputOwner {
    /// A person.
    Account {
        /// The account.
        id: AccountId,
        /// Its handle.
        handle: Handle,
        /// The instant at which it was disabled, if it was.
        disabled_at: Option<Timestamp>,
        /// The instant of its person's last login, if ever.
        last_login_at: Option<Timestamp>,
        /// Every secret of its tokens minted before this instant is revoked.
        not_before: Timestamp,
    },
    /// An org.
    Org(Org),
}

/// An owner's position in an org.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputPlace {
    /// The service may not see an org with that slug, or there is none.
    Nowhere(OrgSlug),
    /// The org, and the role in it of the account that owns the token.
    In(Arc<OrgWithPolicies>, Option<Role>),
}

/// An org with its policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrgWithPolicies {
    /// The org.
    pub org: Org,
    /// The policy in force, and those that are announced.
    pub policies: Policies,
}

impl Rules {
    /// Returns the version of the rules with this catalogue and instant. Nothing else in them can differ for
    /// one service.
    pub fn version(catalogue_hash: &[u8; 32], not_before: Timestamp) -> RulesVersion {
        Sha256::new()
            .chain_update(catalogue_hash)
            .chain_update(not_before.micros().to_be_bytes())
            .finalize()
            .into()
    }
}

impl Inputs {
    /// Returns the decision version that these inputs need: an earlier decision would ignore a bound on the
    /// token.
    ///
    /// Version 2 adds suspensions, bulk revocations by owners and orgs, and frozen orgs. Version 3 adds
    /// disabled owners. Version 4 adds policies that require grants or bar tokens for all orgs. Version 5
    /// adds secrets that a token minted itself.
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
        if self.secret.was_minted_by_token() {
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

    /// Returns the owner's position in an org, if it is known.
    pub fn place(&self, slug: &OrgSlug) -> Option<&InputPlace> {
        self.places.iter().find(|place| place.slug() == slug)
    }

    /// Returns the token's owner as a decision sees it.
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

    /// Returns the case of a request, or `None` if it is about an org that these inputs do not cover.
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
    /// Returns the org's slug.
    pub fn slug(&self) -> &OrgSlug {
        match self {
            InputPlace::Nowhere(slug) => slug,
            InputPlace::In(ground, _) => &ground.org.slug,
        }
    }
}
