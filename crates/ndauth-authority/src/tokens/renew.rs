//! A token's end is moved.

use std::time::Duration;

use ndauth_core::{Change, Expiry, Lifetime, NotRenewable, SecretState, Timestamp, Token, TokenView};

use super::secrets::end;
use super::which::Which;
use crate::access::{Operation, Whose};
use crate::change::{Changed, Changing, change};
use crate::{AuthorityError, Credential, TokenWing};

/// How a token is renewed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Renewing {
    /// Nothing is changed where so much is left.
    pub minimum: Option<Duration>,
    /// Nobody asks for it: nothing is changed but in the last quarter of its lifetime, and by no more than that.
    pub automatic: bool,
}

impl TokenWing<'_> {
    /// Moves a token's end. One that presents itself renews as if nobody asked for it.
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
            let change = Change::TokenRenewed { token: view.token.id, expires_at };
            let view = TokenView { token: Token { expires_at, ..view.token }, ..view };
            Ok(changing.done_to(view.token.name.to_string(), change, view))
        })
        .await
    }

    /// When a token ends once it is renewed: by itself, or by a person.
    async fn renewed_end(
        self,
        changing: &Changing,
        view: &TokenView,
        by_itself: bool,
    ) -> Result<Result<Expiry, NotRenewable>, AuthorityError> {
        let now = changing.now();
        refuse_pending(view, now)?;
        let admitted = self.admitted(changing, view).await?;
        let longest = admitted.map_or(Lifetime::Endless, |(_, longest)| longest);
        let minted_at = view.shown(now).record.minted_at;
        Ok(if by_itself {
            view.token.self_renewed_expiry(minted_at, longest, now)
        } else {
            view.token.renewed_expiry(minted_at, longest)
        })
    }
}

/// Refuses a token whose new secret waits to be confirmed: that has an end of its own.
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
