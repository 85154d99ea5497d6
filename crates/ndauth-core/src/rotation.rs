//! The rules of rotate and renew: the order in which the secrets of a family succeed each other, and the
//! limits of its expiry.
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

/// The default overlap, during which the old secret works beside the new one.
pub const OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);
/// The time by which a renewal moves a token's expiry.
pub const RENEWAL: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The shortest lifetime of a token that renews itself with the same secret.
const SHORTEST_SELF_RENEWING: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The family that a secret belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lineage {
    /// A token.
    Token(TokenId),
    /// A service.
    Service(ServiceId),
}

/// The rotation that is still under way, for which a family cannot be rotated now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unready {
    /// A new secret awaits confirmation until this instant.
    Pending(Timestamp),
    /// An old secret works until this instant.
    Overlap(Timestamp),
}

/// The cause for which a token's expiry cannot be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRenewable {
    /// The token is read-only.
    #[error("it is read-only, and only standard tokens can be renewed")]
    ReadOnly,
    /// Its lifetime is over 90 days or endless.
    #[error("it is long-lived, and only standard tokens can be renewed")]
    LongLived,
    /// It has reached its maximum age.
    #[error("it ends 365 days after it was made, and a renewal cannot go beyond that")]
    Age,
    /// It renews itself, and has reached the end that was stated for that when it was made.
    #[error("it was made to renew itself up to its present end, and no further")]
    Until,
    /// A policy admits no more.
    #[error("an org's policy allows no longer lifetime")]
    Policy,
    /// It renews itself, and its lifetime is too short for that.
    #[error("it was made for less than 7 days: it can extend itself only by rotating")]
    Short,
    /// It renews itself, and it is too early for that.
    #[error("it can renew itself only in the last quarter of its lifetime")]
    Early,
}

/// Returns an error if a rotation of the family is under way. Secrets minted before `not_before` are revoked
/// and ignored.
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
    /// Returns its end once its successor is confirmed: after the overlap, or at its present end or the
    /// token's if that is earlier.
    pub fn retires_at(&self, token_ends: Expiry, overlap: Duration, now: Timestamp) -> Expiry {
        let after = Lifetime::For(overlap).expiry(now);
        after.min(self.ends_at).min(token_ends)
    }
}

impl Token {
    /// Returns the token's expiry after a rotation. The lifetime chosen at its creation, or a shorter one,
    /// begins again now, within the admitted lifetime.
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

    /// Returns the token's expiry after it rotated itself. The lifetime chosen at its creation begins again,
    /// up to the end that was stated then. A later expiry that a person set is kept. All is within the
    /// admitted lifetime.
    pub fn self_rotated_expiry(&self, admitted: Lifetime, now: Timestamp) -> Expiry {
        let again = self.lifetime.expiry(now).min(self.furthest()).max(self.expires_at);
        again.min(admitted.expiry(now))
    }

    /// Returns the token's expiry after it renewed itself: later by the lifetime chosen at its creation, but
    /// no later than the end stated then and [`Token::renewed_expiry`]. It may do so in the last quarter of
    /// that lifetime only.
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
        if lifetime < SHORTEST_SELF_RENEWING {
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

    /// Returns the latest expiry that it may give itself.
    fn furthest(&self) -> Expiry {
        self.self_rotating_until.map_or_else(|| self.oldest(), |until| Expiry::At(until.begin()))
    }

    /// Returns the latest expiry that a renewal may give it.
    fn oldest(&self) -> Expiry {
        Lifetime::For(MAX_LIFETIME).expiry(self.created_at)
    }

    /// Returns the token's expiry after a renewal: 30 days later, but no later than 365 days after its
    /// creation, nor later than the admitted lifetime of its secret, which was minted at `minted_at`.
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
