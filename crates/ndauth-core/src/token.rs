//! A token: a family of secrets that succeed each other, and what its owner sees of it.

use std::net::IpAddr;
use std::time::Duration;

use crate::{
    AccountId, ClientName, Counts, Description, Expiry, Grants, Handle, Label, LastUse, Level, Lifetime,
    Networks, OrgId, OrgSlug, Orgs, Refusal, Retirement, Revocation, Scope, SecretId, SecretPrefix,
    ServiceId, Services, Since, Succession, Suspension, Timestamp, TokenId, WholeSecond,
};

/// Whose a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// A person's: a personal token.
    Account(AccountId),
    /// An org's: an org token.
    Org(OrgId),
}

/// A token, without its secrets. Scope, grants and orgs never change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// Whose it is.
    pub owner: Owner,
    /// What its owner calls it.
    pub name: Label,
    /// What it is for, in its owner's words.
    pub description: Option<Description>,
    /// The access it offers.
    pub scope: Scope,
    /// The permissions it carries.
    pub grants: Grants,
    /// The orgs it offers power in.
    pub orgs: Orgs,
    /// The services at which it serves.
    pub services: Services,
    /// The networks from which it serves.
    pub networks: Networks,
    /// When it was made.
    pub created_at: Timestamp,
    /// How long it was made to live.
    pub lifetime: Lifetime,
    /// When it ends.
    pub expires_at: Expiry,
    /// Since when it is dead, if it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// The latest end to which it may rotate and renew itself; `None` where it may not.
    pub self_rotating_until: Option<WholeSecond>,
    /// Who took its power for now.
    pub suspensions: Box<[Suspension]>,
}

/// One secret of a family, by all that is kept of it but its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRecord {
    /// Its id.
    pub id: SecretId,
    /// Its first characters.
    pub prefix: SecretPrefix,
    /// When it was drawn.
    pub minted_at: Timestamp,
    /// When a person last drew a secret of its family: then, but for those that the token drew by itself.
    pub authorized_at: Timestamp,
    /// When it took over: at once for a family's first, at first use for a successor.
    pub confirmed_at: Option<Timestamp>,
    /// When it stops to work, where that is earlier than its family: a successor nobody used, or
    /// one that was succeeded.
    pub ends_at: Expiry,
}

/// Where a secret stands among its family's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretState {
    /// Drawn by a rotation, not used yet.
    Pending,
    /// The one in force.
    Current,
    /// Succeeded, and still good for a while.
    Retiring,
    /// Succeeded, and dead since.
    Retired(Timestamp),
    /// Never used in time after it was drawn, and dead since.
    Expired(Timestamp),
}

/// Whether a token can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenStatus {
    /// It can.
    Active,
    /// It can, and each of its secrets that serves waits to be confirmed.
    Pending,
    /// Its owner or the operator took its power for now.
    Suspended,
    /// It came to its end, or nobody used its secret in time.
    Expired,
    /// It was revoked, by itself or with all that were minted before an instant.
    Revoked,
}

/// What sort of token it is: derived, never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenType {
    /// Its scope is `RO`.
    ReadOnly,
    /// It was made to live for more than 90 days.
    LongLived,
    /// Any other; only these renew.
    Standard,
}

/// A token as it is shown: with its orgs by name, and what is observed of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenView {
    /// The token.
    pub token: Token,
    /// The org that owns it, by name, where one does.
    pub owner_org: Option<OrgSlug>,
    /// Its orgs by name.
    pub orgs: Orgs<OrgSlug>,
    /// Its services by name.
    pub services: Services<Label>,
    /// The person who owns it, by name, where one does and that is told.
    pub owner_account: Option<Handle>,
    /// The orgs that suspended it, by name.
    pub suspended_in: Vec<(OrgSlug, Timestamp)>,
    /// Its secrets, oldest first: at least one.
    pub secrets: Vec<SecretView>,
    /// Its secrets that were minted before are revoked.
    pub not_before: Timestamp,
    /// By whom and why it was revoked, where it was and that is told.
    pub revocation: Option<Revocation>,
    /// From where it was used, where that is told.
    pub used_from: Vec<UsedFrom>,
    /// The uses of it that are told.
    pub uses: UsesShown,
}

/// The uses of a token that are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsesShown {
    /// All, with its secrets.
    All,
    /// The last use in the viewer's org, and nothing of what it does elsewhere.
    InOrg(Option<LastUse>),
}

/// Who looks at a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewer<'a> {
    /// The person who owns it, or a member of the org that does.
    Owner,
    /// An admin of this org, which does not own it, and when the token was last used there: sees nothing of other orgs, and
    /// nothing else of its uses.
    OrgAdmin(&'a OrgSlug, Option<LastUse>),
    /// The operator: is not told by whom and why it was revoked.
    Operator,
    /// The token: is not told so either.
    Itself,
}

/// Whoever and whatever a token names by id, by name.
pub trait Names {
    /// An account, and before when all tokens of it were revoked.
    fn account(&self, id: AccountId) -> Option<(Handle, Timestamp)>;
    /// An org, and before when all tokens were revoked there.
    fn org(&self, id: OrgId) -> Option<(OrgSlug, Timestamp)>;
    /// A service.
    fn service(&self, id: ServiceId) -> Option<Label>;
    /// Before when every secret there is was revoked.
    fn not_before(&self) -> Timestamp;
}

/// A secret as the owner of its token sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretView {
    /// The secret.
    pub record: SecretRecord,
    /// When it was last used, where it was.
    pub last_use: Option<LastUse>,
    /// When it was presented once it was retired, the first time that day: by somebody who never got the new one,
    /// or got hold of the old.
    pub reused_at: Option<Timestamp>,
    /// What its confirmation sets off, while it waits for that.
    pub succession: Option<Succession>,
}

/// From where, and by which client, a token was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedFrom {
    /// The address, as the service that was called states it.
    pub address: Option<IpAddr>,
    /// The client and its version, as that states it.
    pub client: Option<ClientName>,
    /// When first.
    pub first_at: Timestamp,
    /// When last.
    pub last_at: Timestamp,
    /// How often.
    pub counts: Counts,
}

/// How a rotation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation<'a> {
    /// The new secret waits to be confirmed.
    Pending(&'a SecretView),
    /// The old secret serves on beside the new.
    Overlap {
        /// The old one.
        old: &'a SecretView,
        /// Whether it can go.
        retirement: Retirement,
    },
}

/// A lifetime beyond this makes a token long-lived.
const LONG: Duration = Duration::from_secs(90 * 24 * 60 * 60);

impl TokenView {
    /// Puts together how a token looks to its owner, as far as everybody sees it who sees the token. `None` where its
    /// owner has no name.
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
            uses: UsesShown::All,
            token,
        })
    }

    /// Returns the first that holds of revoked, expired, suspended, pending and active.
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

    /// Returns the part of the view that a viewer may see.
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
                let uses = UsesShown::InOrg(last_use);
                TokenView { revocation: None, used_from: Vec::new(), uses, ..self }
            }
        }
    }

    fn is_minted_since(&self, secret: &SecretView) -> bool {
        secret.record.judge_minting(self.not_before).is_ok()
    }

    /// The secret that the token goes by: the one in force, or else the newest.
    pub fn shown(&self, now: Timestamp) -> &SecretView {
        let current = self.secrets.iter().rfind(|secret| secret.record.state(now) == SecretState::Current);
        current.or(self.secrets.last()).expect("a family has a secret")
    }

    /// The last use of any of its secrets, as far as that is told.
    pub fn last_use(&self) -> Option<LastUse> {
        match self.uses {
            UsesShown::All => {
                self.secrets.iter().filter_map(|secret| secret.last_use).max_by_key(|last| last.at)
            }
            UsesShown::InOrg(last_use) => last_use,
        }
    }

    /// The state of its rotation, where one is under way. All its uses decide whether an old secret can go: whoever is
    /// not told of them is not told of its overlap.
    pub fn rotation(&self, now: Timestamp) -> Option<Rotation<'_>> {
        let serving = || self.secrets.iter().filter(|secret| self.is_minted_since(secret));
        let in_state = |state| serving().find(|secret| secret.record.state(now) == state);
        let current = in_state(SecretState::Current);
        match (in_state(SecretState::Pending), in_state(SecretState::Retiring), current) {
            (Some(pending), ..) => Some(Rotation::Pending(pending)),
            (None, Some(old), Some(new)) if self.uses == UsesShown::All => {
                let taken_over = new.record.confirmed_at.unwrap_or(new.record.minted_at);
                let retirement = Retirement::judge(taken_over, new.last_use, old.last_use, now);
                Some(Rotation::Overlap { old, retirement })
            }
            (None, ..) => None,
        }
    }
}

impl TokenStatus {
    /// Whether the token never serves again.
    pub fn is_dead(self) -> bool {
        match self {
            TokenStatus::Active | TokenStatus::Pending | TokenStatus::Suspended => false,
            TokenStatus::Expired | TokenStatus::Revoked => true,
        }
    }
}

impl Token {
    /// Whether the token can be used, as far as it tells by itself.
    pub(crate) fn status(&self, now: Timestamp) -> TokenStatus {
        if self.revoked_at.is_some() {
            TokenStatus::Revoked
        } else if self.expires_at.is_past(now) {
            TokenStatus::Expired
        } else {
            TokenStatus::Active
        }
    }

    /// What sort of token it is.
    pub fn token_type(&self) -> TokenType {
        match (self.scope, self.lifetime) {
            (Scope::Ro, _) => TokenType::ReadOnly,
            (Scope::Rw, Lifetime::For(lifetime)) if lifetime <= LONG => TokenType::Standard,
            (Scope::Rw, Lifetime::For(_) | Lifetime::Endless) => TokenType::LongLived,
        }
    }
}

impl Token {
    /// Judges it by its own life: an error where it no longer serves.
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
    /// A secret that a rotation drew, or the first of a family whose owner is to confirm that it arrived.
    pub fn pending(id: SecretId, prefix: SecretPrefix, now: Timestamp) -> SecretRecord {
        let ends_at = Lifetime::For(crate::PENDING_FOR).expiry(now);
        SecretRecord { id, prefix, minted_at: now, authorized_at: now, confirmed_at: None, ends_at }
    }

    /// A family's first secret, which needs nobody's confirmation.
    pub fn first(id: SecretId, prefix: SecretPrefix, now: Timestamp) -> SecretRecord {
        SecretRecord {
            confirmed_at: Some(now),
            ends_at: Expiry::Never,
            ..SecretRecord::pending(id, prefix, now)
        }
    }

    /// Whether it still serves, by its own place in its family.
    pub fn judge(&self, now: Timestamp) -> Result<(), Refusal> {
        match self.state(now) {
            SecretState::Pending | SecretState::Current | SecretState::Retiring => Ok(()),
            SecretState::Retired(at) => Err(Refusal::Replaced(Since { at, as_of: now })),
            SecretState::Expired(at) => Err(Refusal::SecretExpired(Since { at, as_of: now })),
        }
    }

    /// How long it was to live when it was drawn, or as far as its end was moved since. A token's first secret lives as long
    /// as the token, though it waits to be confirmed.
    pub fn span(&self, token: &Token) -> Lifetime {
        let first = self.confirmed_at.is_none() && self.minted_at == token.created_at;
        let ends_at = if first { Expiry::Never } else { self.ends_at };
        match ends_at.min(token.expires_at) {
            Expiry::At(end) => Lifetime::For(end.since(self.minted_at)),
            Expiry::Never => Lifetime::Endless,
        }
    }

    /// Whether it still serves, where all that were minted before an instant are revoked: what a token draws by itself is as
    /// old as the secret that it had.
    pub fn judge_minting(&self, not_before: Timestamp) -> Result<(), Refusal> {
        if self.authorized_at < not_before { Err(Refusal::RevokedWithAll(not_before)) } else { Ok(()) }
    }

    /// True where it was dropped: it ended before its wait to be confirmed was over.
    pub fn was_dropped(&self) -> bool {
        self.confirmed_at.is_none() && self.ends_at < Lifetime::For(crate::PENDING_FOR).expiry(self.minted_at)
    }

    /// True where the token drew it by itself.
    pub fn was_drawn_by_itself(&self) -> bool {
        self.authorized_at != self.minted_at
    }

    /// Where it stands among its family's secrets.
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
