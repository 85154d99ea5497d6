//! Changes the description of tokens, and revokes tokens for good.

use ndauth_core::{Change, Description, Lineage, Personal, RevocationReason, SecretId, Token, TokenView};

use super::possession::{NOTE, end_presented};
use super::secrets::LockedFamily;
use super::which::{Which, no_token};
use crate::access::{Operation, Whose};
use crate::change::{Changed, Changing, Done, NAME, change};
use crate::{AuthorityError, Credential, TokenWing};

/// The reason for a revocation.
#[derive(Clone, Debug)]
pub struct Revoking {
    /// The reason, for programs. A token that ends itself does so by possession, whatever is given here.
    pub reason: RevocationReason,
    /// A note in the caller's words.
    pub note: Option<Description>,
}

/// The key of the new description in an event's personal bytes. It is empty if the description was removed.
pub(crate) const DESCRIPTION: &str = "description";

impl Revoking {
    /// Returns this reason without a note.
    pub fn because(reason: RevocationReason) -> Revoking {
        Revoking { reason, note: None }
    }
}

impl TokenWing<'_> {
    /// Changes the description of a token of the caller's or of an org. `None` leaves it, and `Some(None)`
    /// removes it.
    pub async fn update(
        self,
        credential: &Credential,
        whose: &Whose,
        which: &Which,
        description: Option<&Option<Description>>,
    ) -> Result<Changed<TokenView>, AuthorityError> {
        change(self.0, credential, Operation::UpdateToken, whose, |changing| async move {
            let token = self.hold(&changing, whose, which).await?;
            let description = description.unwrap_or(&token.description).clone();
            let (id, same) = (token.id, token.description == description);
            let view = self.view(&changing, &changing.by, Token { description, ..token }).await?;
            if same {
                return Ok(changing.unchanged(view));
            }
            changing.set_description(id, view.token.description.as_ref()).await?;
            let text = view.token.description.as_ref().map(Description::to_string).unwrap_or_default();
            let personal = Personal::from([(NAME, view.token.name.to_string()), (DESCRIPTION, text)]);
            let change = Change::TokenUpdated { token: id, owner: view.token.owner };
            Ok(changing.done(change, personal, view))
        })
        .await
    }

    /// Revokes a token of the caller's, of an org, or anybody's for the operator. A revoked token stays as it
    /// is.
    pub async fn revoke(
        self,
        credential: &Credential,
        whose: &Whose,
        which: &Which,
        why: &Revoking,
    ) -> Result<Changed<TokenView>, AuthorityError> {
        change(self.0, credential, Operation::RevokeToken, whose, |changing| async move {
            let token = self.hold(&changing, whose, which).await?;
            if let Some(presented) = changing.by.presented().map(|held| held.record.id) {
                return self.revoke_by_itself(changing, token, presented, why).await;
            }
            let (id, now) = (token.id, changing.now());
            let actor = changing.by.caller.actor();
            let revoked = changing.revoke_token(id, &actor, why.reason, why.note.as_ref()).await?;
            let revoked_at = if revoked { Some(now) } else { token.revoked_at };
            let view = self.view(&changing, &changing.by, Token { revoked_at, ..token }).await?;
            if !revoked {
                return Ok(changing.unchanged(view));
            }
            let mut personal = Personal::from([(NAME, view.token.name.to_string())]);
            personal.extend(why.note.as_ref().map(|note| (NOTE, note.to_string())));
            let (owner, reason) = (view.token.owner, why.reason);
            let change = Change::TokenRevoked { token: id, owner, reason, presented: None };
            Ok(changing.done(change, personal, view))
        })
        .await
    }

    /// Ends whatever the secret belongs to that a token presents.
    async fn revoke_by_itself(
        self,
        changing: Changing,
        token: Token,
        presented: SecretId,
        why: &Revoking,
    ) -> Result<Done<TokenView>, AuthorityError> {
        let held = LockedFamily::hold(&changing, Lineage::Token(token.id)).await?;
        let held = held.ok_or_else(|| no_token(&token.id))?;
        let (reason, note) = (RevocationReason::Possession, why.note.as_ref());
        let ended = end_presented(&changing, &held, presented, reason, note).await?;
        let token = changing.find_token(token.id).await?.unwrap_or(token);
        let view = self.view(&changing, &changing.by, token).await?;
        Ok(match ended {
            Some((change, personal)) => changing.done(change, personal, view),
            None => changing.unchanged(view),
        })
    }
}
