//! A token: a family of secrets that succeed each other, and what its owner sees of it.

use std::net::IpAddr;
use std::time::Duration;

use crate::{
    AccountId, Description, Expiry, Grants, Label, Lifetime, Networks, OrgId, OrgSlug, Orgs, Refusal, Scope,
    SecretId, SecretPrefix, Services, Timestamp, TokenId,
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
    /// Drawn by a rotation, never used in time, and dead since.
    Lapsed(Timestamp),
}

/// Whether a token can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenStatus {
    /// It can.
    Active,
    /// It came to its end.
    Expired,
    /// It was revoked.
    Revoked,
    /// Every secret it has was minted before all such were shut out.
    ShutOut,
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

/// When a secret was last used, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastUse {
    /// When.
    pub at: Timestamp,
    /// From where, as the service that was called states it.
    pub address: Option<IpAddr>,
}

/// A token as its owner sees it: with its orgs by name, and what is observed of it.
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
    /// Its newest secret.
    pub newest: SecretRecord,
    /// When any of its secrets was last used, where one was.
    pub last_use: Option<LastUse>,
    /// The ids of all its secrets.
    pub secrets: Vec<SecretId>,
    /// Whether they were all minted before such were shut out.
    pub shut_out: bool,
}

/// A lifetime beyond this makes a token long-lived.
const LONG: Duration = Duration::from_secs(90 * 24 * 60 * 60);

impl TokenView {
    /// Whether the token can be used: revoked before expired before shut out before active.
    pub fn status(&self, now: Timestamp) -> TokenStatus {
        match self.token.status(now) {
            TokenStatus::Active if self.shut_out => TokenStatus::ShutOut,
            status => status,
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

impl SecretRecord {
    /// A family's first secret, which needs nobody's confirmation.
    pub fn first(id: SecretId, prefix: SecretPrefix, now: Timestamp) -> SecretRecord {
        SecretRecord { id, prefix, minted_at: now, confirmed_at: Some(now), ends_at: Expiry::Never }
    }

    /// Whether it still serves, by its own place in its family.
    pub fn judge(&self, now: Timestamp) -> Result<(), Refusal> {
        match self.state(now) {
            SecretState::Pending | SecretState::Current | SecretState::Retiring => Ok(()),
            SecretState::Retired(at) => Err(Refusal::Replaced(at)),
            SecretState::Lapsed(at) => Err(Refusal::Lapsed(at)),
        }
    }

    /// How long it was to live when it was drawn, or as far as its end was moved since.
    pub(crate) fn span(&self, token_ends: Expiry) -> Lifetime {
        match self.ends_at.min(token_ends) {
            Expiry::At(end) => Lifetime::For(end.since(self.minted_at)),
            Expiry::Never => Lifetime::Endless,
        }
    }

    /// Whether it still serves, where all that was minted before an instant is shut out.
    pub fn judge_minting(&self, not_before: Timestamp) -> Result<(), Refusal> {
        if self.minted_at < not_before { Err(Refusal::ShutOut(not_before)) } else { Ok(()) }
    }

    /// Where it stands among its family's secrets.
    pub fn state(&self, now: Timestamp) -> SecretState {
        match (self.confirmed_at, self.ends_at) {
            (Some(_), Expiry::Never) => SecretState::Current,
            (Some(_), Expiry::At(end)) if self.ends_at.is_past(now) => SecretState::Retired(end),
            (Some(_), Expiry::At(_)) => SecretState::Retiring,
            (None, Expiry::At(end)) if self.ends_at.is_past(now) => SecretState::Lapsed(end),
            (None, _) => SecretState::Pending,
        }
    }
}

#[cfg(test)]
mod tests;
