//! Renews tokens: moves their end.

use std::time::Duration;

use ndauth_core::{Change, Expiry, Lifetime, NotRenewable, SecretState, Timestamp, Token, TokenView};
use ndauth_store::Read;

use super::secrets::end;
use super::which::Which;
use crate::access::{Operation, Whose};
use crate::change::{Changed, change};
use crate::{AuthorityError, Credential, TokenWing};

/// The way in which a token is renewed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Renewing {
    /// Nothing is changed if at least this much is left.
    pub minimum: Option<Duration>,
    /// True if no person requested it. Then the end only moves in the last quarter of the token's lifetime,
    /// and by no more than that lifetime.
    pub automatic: bool,
}

impl TokenWing<'_> {
    /// Moves a token's end. A token that presents itself is renewed as if automatically.
    pub async fn renew(
        self,
        credential: &Credential,
        whose: &Whose,
        which: &Which,
        renewing: Renewing,
    ) -> Result<Changed<TokenView>, AuthorityError> {
        change(self.0, credential, Operation::RenewToken, whose, |changing| async move {
            let view = self.living(&changing, whose, which).await?;
            let now = changing.now();
            let Renewing { minimum, automatic } = renewing;
            if minimum.is_some_and(|minimum| Lifetime::For(minimum).expiry(now) <= view.token.expires_at) {
                return Ok(changing.unchanged(view));
            }
            let by_itself = automatic || changing.by.presented().is_some();
            let expires_at = match self.renewed_end(&changing, &view, by_itself).await? {
                Err(NotRenewable::Early) if automatic => return Ok(changing.unchanged(view)),
                renewed => renewed.map_err(AuthorityError::NotRenewable)?,
            };
            changing.set_token_end(view.token.id, expires_at).await?;
            let change = Change::TokenRenewed { token: view.token.id, owner: view.token.owner, expires_at };
            let view = TokenView { token: Token { expires_at, ..view.token }, ..view };
            Ok(changing.done_to(view.token.name.to_string(), change, view))
        })
        .await
    }

    /// Returns a token's end once it is renewed, automatically or by a person.
    pub(crate) async fn renewed_end(
        self,
        read: &Read,
        view: &TokenView,
        by_itself: bool,
    ) -> Result<Result<Expiry, NotRenewable>, AuthorityError> {
        let now = read.now();
        refuse_pending(view, now)?;
        let admitted = self.admitted(read, view).await?;
        let longest = admitted.map_or(Lifetime::Endless, |(_, longest)| longest);
        let minted_at = view.shown(now).record.minted_at;
        Ok(if by_itself {
            view.token.self_renewed_expiry(minted_at, longest, now)
        } else {
            view.token.renewed_expiry(minted_at, longest)
        })
    }
}

/// Refuses a token with a pending secret, which has an end of its own.
fn refuse_pending(view: &TokenView, now: Timestamp) -> Result<(), AuthorityError> {
    let mut records = view.secrets.iter().map(|secret| &secret.record);
    match records.find(|record| record.state(now) == SecretState::Pending) {
        None => Ok(()),
        Some(pending) => {
            let (name, until) = (view.token.name.to_string(), end(pending, now));
            Err(AuthorityError::RotationPending { name, until })
        }
    }
}
