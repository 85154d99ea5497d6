//! A token: a family of secrets that succeed each other, and the view of it that its owner sees.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    AccountId, ClientName, Counts, Description, Expiry, Grants, Handle, Label, LastUse, Level, Lifetime,
    Networks, OrgId, OrgSlug, Orgs, PolicyWarning, Refusal, Retirement, Revocation, Scope, SecretId,
    SecretKind, SecretPrefix, ServiceId, Services, Since, Succession, Suspension, Timestamp, TokenId,
    WholeSecond,
};

/// The owner of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// An account: the token is a personal token.
    Account(AccountId),
    /// An org: the token is an org token.
    Org(OrgId),
}

impl Owner {
    /// Returns the kind of the secrets that its tokens have.
    pub fn secret_kind(self) -> SecretKind {
        match self {
            Owner::Account(_) => SecretKind::Personal,
            Owner::Org(_) => SecretKind::Org,
        }
    }
}

/// A token, without its secrets. Scope, grants and orgs never change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// Its owner.
    pub owner: Owner,
    /// The name that its owner gave it.
    pub name: Label,
    /// Its purpose, in its owner's words.
    pub description: Option<Description>,
    /// The access it offers.
    pub scope: Scope,
    /// The permissions it carries.
    pub grants: Grants,
    /// The orgs it offers power in.
    pub orgs: Orgs,
    /// The services at which it can be used.
    pub services: Services,
    /// The networks from which it can be used.
    pub networks: Networks,
    /// The instant of its creation.
    pub created_at: Timestamp,
    /// The lifetime that was chosen at its creation.
    pub lifetime: Lifetime,
    /// Its current expiry.
    pub expires_at: Expiry,
    /// The instant of its revocation, if it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// The latest end to which it may rotate and renew itself; `None` if it may not.
    pub self_rotating_until: Option<WholeSecond>,
    /// Its suspensions, one per level.
    pub suspensions: Box<[Suspension]>,
}

/// One secret of a family, without its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRecord {
    /// Its id.
    pub id: SecretId,
    /// Its first 12 characters.
    pub prefix: SecretPrefix,
    /// The instant at which it was minted.
    pub minted_at: Timestamp,
    /// The instant at which a person last minted a secret of its family. It equals `minted_at` unless the
    /// token minted this secret itself.
    pub authorized_at: Timestamp,
    /// The instant of its confirmation: at once for a family's first secret, at first use for a successor.
    pub confirmed_at: Option<Timestamp>,
    /// Its own end, which may be earlier than its family's: set while it awaits confirmation, and once it
    /// was succeeded.
    pub ends_at: Expiry,
}

/// The state of a secret within its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretState {
    /// Minted by a rotation, not used yet.
    Pending,
    /// In force.
    Current,
    /// Succeeded, and usable until its overlap ends.
    Retiring,
    /// Succeeded, and dead since this instant.
    Retired(Timestamp),
    /// Not used in time after it was minted, and dead since this instant.
    Expired(Timestamp),
}

/// The status of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenStatus {
    /// It can be used.
    Active,
    /// It can be used, but none of its usable secrets is confirmed yet.
    Pending,
    /// Its owner or the operator suspended it.
    Suspended,
    /// It expired, or its secret was not used in time.
    Expired,
    /// It was revoked, alone or with all that were minted before an instant.
    Revoked,
}

/// The type of a token: derived, never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenType {
    /// Its scope is `RO`.
    ReadOnly,
    /// Its lifetime was chosen to be over 90 days or endless.
    LongLived,
    /// Any other. Only these can be renewed.
    Standard,
}

/// A token as a viewer sees it: with orgs and services by name, and with its observed uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenView {
    /// The token.
    pub token: Token,
    /// The slug of the org that owns it, if an org does.
    pub owner_org: Option<OrgSlug>,
    /// Its orgs by slug.
    pub orgs: Orgs<OrgSlug>,
    /// Its services by name.
    pub services: Services<Label>,
    /// The handle of the account that owns it, if an account does.
    pub owner_account: Option<Handle>,
    /// The slugs of the orgs that suspended it, each with the instant.
    pub suspended_in: Vec<(OrgSlug, Timestamp)>,
    /// Its secrets, oldest first: at least one.
    pub secrets: Vec<SecretView>,
    /// Its secrets minted before this instant are revoked.
    pub not_before: Timestamp,
    /// The record of its revocation, if it was revoked and the viewer may see it.
    pub revocation: Option<Revocation>,
    /// The places from which it was used; empty if the viewer may not see them.
    pub used_from: Vec<UsedFrom>,
    /// The announced policies under which it will be refused, where the viewer may see them.
    pub policy_warnings: Vec<PolicyWarning>,
    /// The uses of it that the viewer may see.
    pub uses: VisibleUses,
}

/// The uses of a token that a viewer may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VisibleUses {
    /// All uses, for each of its secrets.
    All,
    /// The last use in the viewer's org, and none of its uses elsewhere.
    InOrg(Option<LastUse>),
}

/// The viewer of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewer<'a> {
    /// The account that owns it, or a member of the org that does.
    Owner,
    /// An admin of this org, which does not own the token, with its last use there. Such an admin sees
    /// nothing of other orgs and no other uses.
    OrgAdmin(&'a OrgSlug, Option<LastUse>),
    /// The operator, who does not see the record of its revocation.
    Operator,
    /// The token itself, which does not see that record either.
    Itself,
}

/// A look-up of the names behind the ids that a token holds.
pub trait Names {
    /// Returns an account's handle, and the instant before which all its tokens are revoked.
    fn account(&self, id: AccountId) -> Option<(Handle, Timestamp)>;
    /// Returns an org's slug, and the instant before which all tokens are revoked there.
    fn org(&self, id: OrgId) -> Option<(OrgSlug, Timestamp)>;
    /// Returns a service's name.
    fn service(&self, id: ServiceId) -> Option<Label>;
    /// Returns the instant before which every minted secret is revoked.
    fn not_before(&self) -> Timestamp;
}

/// A secret as its token's owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretView {
    /// The secret.
    pub record: SecretRecord,
    /// Its last use, if it was used.
    pub last_use: Option<LastUse>,
    /// The instant at which it was first presented that day after it was retired: by a client that never got
    /// the new secret, or by a thief of the old one.
    pub reused_at: Option<Timestamp>,
    /// The effect of confirming it, while it awaits confirmation.
    pub succession: Option<Succession>,
}

/// An address and a client from which a token was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedFrom {
    /// The address, as stated by the service that was called.
    pub address: Option<IpAddr>,
    /// The client and its version, as stated by that service.
    pub client: Option<ClientName>,
    /// The instant of the first use.
    pub first_at: Timestamp,
    /// The instant of the last use.
    pub last_at: Timestamp,
    /// The number of uses.
    pub counts: Counts,
}

/// The state of a rotation that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation<'a> {
    /// The new secret awaits confirmation.
    Pending(&'a SecretView),
    /// The old secret is still usable beside the new one.
    Overlap {
        /// The old secret.
        old: &'a SecretView,
        /// A judgement of whether the old secret can be retired.
        retirement: Retirement,
    },
}

/// The longest lifetime of a standard token. A longer one makes it long-lived.
const LONG: Duration = Duration::from_secs(90 * 24 * 60 * 60);

impl TokenView {
    /// Builds the full view of a token, but without its revocation and the places of its uses. Returns `None`
    /// if its owner has no name.
    pub fn new(token: Token, secrets: Vec<SecretView>, names: &impl Names) -> Option<TokenView> {
        let slug = |id: &OrgId| names.org(*id).map(|(slug, _)| slug);
        let (owner_account, owner_org, not_before) = match token.owner {
            Owner::Account(id) => names.account(id).map(|(handle, at)| (Some(handle), None, at))?,
            Owner::Org(id) => names.org(id).map(|(slug, at)| (None, Some(slug), at))?,
        };
        let suspended_in = |of: &Suspension| match of.level {
            Level::Org(org) => Some((slug(&org)?, of.since)),
            Level::Owner | Level::Operator => None,
        };
        Some(TokenView {
            owner_org,
            owner_account,
            orgs: token.orgs.named(slug),
            services: token.services.named(|id| names.service(*id)),
            suspended_in: token.suspensions.iter().filter_map(suspended_in).collect(),
            secrets,
            not_before: not_before.max(names.not_before()),
            revocation: None,
            used_from: Vec::new(),
            policy_warnings: Vec::new(),
            uses: VisibleUses::All,
            token,
        })
    }

    /// Returns the first of revoked, expired, suspended, pending and active that applies.
    pub fn status(&self, now: Timestamp) -> TokenStatus {
        let suspended = || self.token.suspensions.iter().any(|of| !matches!(of.level, Level::Org(_)));
        let serving = || self.secrets.iter().filter(|secret| secret.record.judge(now).is_ok());
        let minted_since = || serving().filter(|secret| self.is_minted_since(secret));
        match self.token.status(now) {
            TokenStatus::Active if minted_since().next().is_none() => {
                let all_before = !self.secrets.iter().any(|secret| self.is_minted_since(secret));
                if all_before || serving().next().is_some() {
                    TokenStatus::Revoked
                } else {
                    TokenStatus::Expired
                }
            }
            TokenStatus::Active if suspended() => TokenStatus::Suspended,
            TokenStatus::Active if minted_since().all(|secret| secret.record.confirmed_at.is_none()) => {
                TokenStatus::Pending
            }
            status => status,
        }
    }

    /// Returns the handle or the slug of its owner.
    pub fn owner_name(&self) -> &str {
        let account = self.owner_account.as_ref().map(Handle::as_str);
        account.or(self.owner_org.as_ref().map(OrgSlug::as_str)).unwrap_or_default()
    }

    /// Returns the part of this view that a viewer may see.
    #[must_use]
    pub fn seen_by(mut self, viewer: Viewer<'_>) -> TokenView {
        match viewer {
            Viewer::Owner => self,
            Viewer::Operator | Viewer::Itself => TokenView { revocation: None, ..self },
            Viewer::OrgAdmin(org, last_use) => {
                if let Orgs::Only(_) = self.orgs {
                    self.orgs = Orgs::Only([org.clone()].into());
                }
                self.suspended_in.retain(|(of, _)| of == org);
                for secret in &mut self.secrets {
                    (secret.last_use, secret.reused_at) = (None, None);
                }
                let uses = VisibleUses::InOrg(last_use);
                TokenView { revocation: None, used_from: Vec::new(), uses, ..self }
            }
        }
    }

    fn is_minted_since(&self, secret: &SecretView) -> bool {
        secret.record.judge_minting(self.not_before).is_ok()
    }

    /// Returns the secret that represents the token: the current one, or else the newest.
    pub fn shown(&self, now: Timestamp) -> &SecretView {
        let current = self.secrets.iter().rfind(|secret| secret.record.state(now) == SecretState::Current);
        current.or(self.secrets.last()).expect("a family has a secret")
    }

    /// Returns the last use of any of its secrets, as far as the viewer may see it.
    pub fn last_use(&self) -> Option<LastUse> {
        match self.uses {
            VisibleUses::All => {
                self.secrets.iter().filter_map(|secret| secret.last_use).max_by_key(|last| last.at)
            }
            VisibleUses::InOrg(last_use) => last_use,
        }
    }

    /// Returns the state of its rotation, if one is under way. An overlap is returned only if all uses are
    /// visible: they decide whether the old secret can be retired.
    pub fn rotation(&self, now: Timestamp) -> Option<Rotation<'_>> {
        let serving = || self.secrets.iter().filter(|secret| self.is_minted_since(secret));
        let in_state = |state| serving().find(|secret| secret.record.state(now) == state);
        let current = in_state(SecretState::Current);
        match (in_state(SecretState::Pending), in_state(SecretState::Retiring), current) {
            (Some(pending), ..) => Some(Rotation::Pending(pending)),
            (None, Some(old), Some(new)) if self.uses == VisibleUses::All => {
                let taken_over = new.record.confirmed_at.unwrap_or(new.record.minted_at);
                let retirement = Retirement::judge(taken_over, new.last_use, old.last_use, now);
                Some(Rotation::Overlap { old, retirement })
            }
            (None, ..) => None,
        }
    }
}

impl TokenStatus {
    /// Returns true if the token can never be used again.
    pub fn is_dead(self) -> bool {
        match self {
            TokenStatus::Active | TokenStatus::Pending | TokenStatus::Suspended => false,
            TokenStatus::Expired | TokenStatus::Revoked => true,
        }
    }
}

impl Token {
    /// Returns the status of the token, without regard to its secrets, suspensions and owner.
    pub(crate) fn status(&self, now: Timestamp) -> TokenStatus {
        if self.revoked_at.is_some() {
            TokenStatus::Revoked
        } else if self.expires_at.is_past(now) {
            TokenStatus::Expired
        } else {
            TokenStatus::Active
        }
    }

    /// Returns the type of the token, which its scope and the chosen lifetime determine.
    pub fn token_type(&self) -> TokenType {
        match (self.scope, self.lifetime) {
            (Scope::Ro, _) => TokenType::ReadOnly,
            (Scope::Rw, Lifetime::For(lifetime)) if lifetime <= LONG => TokenType::Standard,
            (Scope::Rw, Lifetime::For(_) | Lifetime::Endless) => TokenType::LongLived,
        }
    }
}

impl Token {
    /// Returns a refusal if the token was revoked or has expired.
    pub fn judge(&self, now: Timestamp) -> Result<(), Refusal> {
        match (self.revoked_at, self.expires_at) {
            (Some(at), _) => Err(Refusal::Revoked(Since { at, as_of: now })),
            (None, Expiry::At(at)) if self.expires_at.is_past(now) => {
                Err(Refusal::Expired(Since { at, as_of: now }))
            }
            (None, _) => Ok(()),
        }
    }
}

impl SecretRecord {
    /// Returns a secret that awaits confirmation: one that a rotation minted, or a family's first if its
    /// owner has to confirm that it arrived.
    pub fn pending(id: SecretId, prefix: SecretPrefix, now: Timestamp) -> SecretRecord {
        let ends_at = Lifetime::For(crate::PENDING_FOR).expiry(now);
        SecretRecord { id, prefix, minted_at: now, authorized_at: now, confirmed_at: None, ends_at }
    }

    /// Returns a family's first secret, which needs no confirmation.
    pub fn first(id: SecretId, prefix: SecretPrefix, now: Timestamp) -> SecretRecord {
        SecretRecord {
            confirmed_at: Some(now),
            ends_at: Expiry::Never,
            ..SecretRecord::pending(id, prefix, now)
        }
    }

    /// Returns a refusal if the secret was replaced, or was not used in time.
    pub fn judge(&self, now: Timestamp) -> Result<(), Refusal> {
        match self.state(now) {
            SecretState::Pending | SecretState::Current | SecretState::Retiring => Ok(()),
            SecretState::Retired(at) => Err(Refusal::Replaced(Since { at, as_of: now })),
            SecretState::Expired(at) => Err(Refusal::SecretExpired(Since { at, as_of: now })),
        }
    }

    /// Returns the secret's lifetime, from its minting to its current end. A token's first secret lives as
    /// long as the token, even while it awaits confirmation.
    pub fn span(&self, token: &Token) -> Lifetime {
        let first = self.confirmed_at.is_none() && self.minted_at == token.created_at;
        let ends_at = if first { Expiry::Never } else { self.ends_at };
        match ends_at.min(token.expires_at) {
            Expiry::At(end) => Lifetime::For(end.since(self.minted_at)),
            Expiry::Never => Lifetime::Endless,
        }
    }

    /// Refuses a secret if all that were minted before an instant are revoked, and it is one of them. A
    /// secret that the token minted itself counts as old as the secret it succeeded.
    pub fn judge_minting(&self, not_before: Timestamp) -> Result<(), Refusal> {
        if self.authorized_at < not_before { Err(Refusal::RevokedWithAll(not_before)) } else { Ok(()) }
    }

    /// Returns true if it was dropped: it ended before its time to be confirmed was over.
    pub fn was_dropped(&self) -> bool {
        self.confirmed_at.is_none() && self.ends_at < Lifetime::For(crate::PENDING_FOR).expiry(self.minted_at)
    }

    /// Returns true if the token minted it itself.
    pub fn was_minted_by_token(&self) -> bool {
        self.authorized_at != self.minted_at
    }

    /// Returns its state within its family.
    pub fn state(&self, now: Timestamp) -> SecretState {
        match (self.confirmed_at, self.ends_at) {
            (Some(_), Expiry::Never) => SecretState::Current,
            (Some(_), Expiry::At(end)) if self.ends_at.is_past(now) => SecretState::Retired(end),
            (Some(_), Expiry::At(_)) => SecretState::Retiring,
            (None, Expiry::At(end)) if self.ends_at.is_past(now) => SecretState::Expired(end),
            (None, _) => SecretState::Pending,
        }
    }
}

#[cfg(test)]
mod tests;
