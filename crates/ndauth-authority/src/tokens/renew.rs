//! A token's end is moved.

use std::time::Duration;

use ndauth_core::{Change, Lifetime, SecretState, Timestamp, Token, TokenView};

use super::secrets::end;
use super::which::Which;
use crate::access::{Operation, Whose};
use crate::change::{Changed, change};
use crate::{AuthorityError, Credential, TokenWing};

impl TokenWing<'_> {
    /// Moves a token's end, unless so much is left of it.
    pub async fn renew(
        self,
        credential: &Credential,
        whose: &Whose,
        which: &Which,
        minimum: Option<Duration>,
    ) -> Result<Changed<TokenView>, AuthorityError> {
        change(self.0, credential, Operation::RenewToken, whose, |changing| async move {
            let view = self.living(&changing, whose, which).await?;
            let now = changing.now();
            if minimum.is_some_and(|minimum| Lifetime::For(minimum).expiry(now) <= view.token.expires_at) {
                return Ok(changing.unchanged(view));
            }
            refuse_pending(&view, now)?;
            let admitted = self.admitted(&changing, &view).await?;
            let longest = admitted.map_or(Lifetime::Endless, |(_, longest)| longest);
            let minted_at = view.shown(now).record.minted_at;
            let expires_at =
                view.token.renewed_expiry(minted_at, longest).map_err(AuthorityError::NotRenewable)?;
            changing.set_token_end(view.token.id, expires_at).await?;
            let change = Change::TokenRenewed { token: view.token.id, expires_at };
            let view = TokenView { token: Token { expires_at, ..view.token }, ..view };
            Ok(changing.done_to(view.token.name.to_string(), change, view))
        })
        .await
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
