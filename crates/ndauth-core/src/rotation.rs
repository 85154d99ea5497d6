//! How the secrets of a family succeed each other, and how far its end moves: the rules of rotate and renew.
//!
//! ```text
//! rotate            confirm                     overlap over
//!   │  old: current    │  old: retiring              │  old: retired
//!   │  new: pending    │  new: current ───────────────────────────────▶
//!   └── not confirmed for 15 minutes: new expires, and nothing has changed
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    Expiry, ExpiryChoice, InvalidExpiry, Lifetime, MAX_LIFETIME, SecretRecord, SecretState, ServiceId,
    Timestamp, Token, TokenId, TokenType,
};

/// For how long the old secret serves on beside the new, where nothing is said.
pub const OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);
/// By how much a renewal moves a token's end.
pub const RENEWAL: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// A token that was made for less does not renew by itself.
const SHORTEST_RENEWING_ITSELF: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Whose secrets succeed each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lineage {
    /// A token's.
    Token(TokenId),
    /// A service's.
    Service(ServiceId),
}

/// Why a family cannot be rotated now: one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unready {
    /// A new secret waits to be confirmed until then.
    Pending(Timestamp),
    /// An old one serves on until then.
    Overlap(Timestamp),
}

/// Why a token's end does not move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRenewable {
    /// It is read-only.
    #[error("it is read-only, and only standard tokens renew")]
    ReadOnly,
    /// It was made for more than 90 days, or without end.
    #[error("it is long-lived, and only standard tokens renew")]
    LongLived,
    /// It is as old as it may become.
    #[error("it ends 365 days after it was made, and no renewal goes beyond that")]
    Age,
    /// It renews itself, and has reached the end that was stated for that when it was made.
    #[error("it was made to renew itself up to its present end, and no further")]
    Until,
    /// A policy admits no more.
    #[error("an org's policy admits it for no longer")]
    Policy,
    /// It renews by itself, and was made for a short while.
    #[error("it was made for less than 7 days: by itself it goes on by rotating")]
    Short,
    /// It renews by itself, and much is left.
    #[error("it renews by itself in the last quarter of its lifetime")]
    Early,
}

/// Whether a family can be rotated now. Those of its secrets that were minted before the instant are revoked, and not in the way.
pub fn may_rotate<'a>(
    secrets: impl IntoIterator<Item = &'a SecretRecord>,
    not_before: Timestamp,
    now: Timestamp,
) -> Result<(), Unready> {
    for secret in secrets {
        if secret.judge_minting(not_before).is_err() {
            continue;
        }
        match (secret.state(now), secret.ends_at) {
            (SecretState::Pending, Expiry::At(end)) => return Err(Unready::Pending(end)),
            (SecretState::Retiring, Expiry::At(end)) => return Err(Unready::Overlap(end)),
            _ => {}
        }
    }
    Ok(())
}

impl SecretRecord {
    /// When it ends once its successor is confirmed: after the overlap, or when it would have ended before.
    pub fn retires_at(&self, token_ends: Expiry, overlap: Duration, now: Timestamp) -> Expiry {
        let after = Lifetime::For(overlap).expiry(now);
        after.min(self.ends_at).min(token_ends)
    }
}

impl Token {
    /// When the token ends once it is rotated: the lifetime that was chosen when it was made, or a shorter one,
    /// again from now, and no longer than is admitted.
    pub fn rotated_expiry(
        &self,
        choice: Option<ExpiryChoice>,
        admitted: Lifetime,
        now: Timestamp,
    ) -> Result<Expiry, InvalidExpiry> {
        let lifetime = match choice {
            None => self.lifetime,
            Some(choice) => choice.lifetime(now)?,
        };
        if lifetime > self.lifetime {
            return Err(InvalidExpiry::Widens(self.lifetime));
        }
        Ok(lifetime.min(admitted).expiry(now))
    }

    /// The token's end once it has rotated itself: the lifetime that was chosen when it was made begins again, up to the end
    /// that was stated then, and no longer than is admitted. Where a person moved its end further, that stays.
    pub fn self_rotated_expiry(&self, admitted: Lifetime, now: Timestamp) -> Expiry {
        let again = self.lifetime.expiry(now).min(self.furthest()).max(self.expires_at);
        again.min(admitted.expiry(now))
    }

    /// When the token ends once it is renewed without anybody asking for it: later by what it was made for, in the last
    /// quarter of that, and no later than [`Token::renewed_expiry`].
    pub fn self_renewed_expiry(
        &self,
        minted_at: Timestamp,
        admitted: Lifetime,
        now: Timestamp,
    ) -> Result<Expiry, NotRenewable> {
        let renewed = self.renewed_expiry(minted_at, admitted)?;
        let (Lifetime::For(lifetime), Expiry::At(end)) = (self.lifetime, self.expires_at) else {
            return Err(NotRenewable::LongLived);
        };
        if lifetime < SHORTEST_RENEWING_ITSELF {
            return Err(NotRenewable::Short);
        }
        if end > now && end.since(now) > lifetime / 4 {
            return Err(NotRenewable::Early);
        }
        let furthest = self.furthest();
        if furthest <= self.expires_at {
            return Err(if furthest < self.oldest() { NotRenewable::Until } else { NotRenewable::Age });
        }
        Ok(renewed.min(self.lifetime.expiry(end)).min(furthest))
    }

    /// The furthest end that it reaches by itself.
    fn furthest(&self) -> Expiry {
        self.self_rotating_until.map_or_else(|| self.oldest(), |until| Expiry::At(until.begin()))
    }

    /// No renewal goes further.
    fn oldest(&self) -> Expiry {
        Lifetime::For(MAX_LIFETIME).expiry(self.created_at)
    }

    /// When the token ends once it is renewed: 30 days later, but no later than 365 days after it was made, nor
    /// than its secret, minted then, is admitted for.
    pub fn renewed_expiry(&self, minted_at: Timestamp, admitted: Lifetime) -> Result<Expiry, NotRenewable> {
        match self.token_type() {
            TokenType::Standard => {}
            TokenType::ReadOnly => return Err(NotRenewable::ReadOnly),
            TokenType::LongLived => return Err(NotRenewable::LongLived),
        }
        let Expiry::At(end) = self.expires_at else { return Err(NotRenewable::LongLived) };
        let later = Lifetime::For(RENEWAL).expiry(end);
        let oldest = self.oldest();
        let renewed = later.min(oldest).min(admitted.expiry(minted_at));
        if renewed > self.expires_at {
            Ok(renewed)
        } else if oldest <= self.expires_at {
            Err(NotRenewable::Age)
        } else {
            Err(NotRenewable::Policy)
        }
    }
}

#[cfg(test)]
mod tests;
