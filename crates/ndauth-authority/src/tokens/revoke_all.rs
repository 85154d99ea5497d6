//! Revokes all of an owner's secrets that were minted before an instant, by one watermark.

use std::time::Duration;

use ndauth_core::{Change, Owner, Personal, RevocationReason, Timestamp, TokenView};
use ndauth_store::{Read, TokenPage};

use crate::access::{Admitted, Operation, Whose};
use crate::change::{Changed, change};
use crate::reading::account;
use crate::{AuthorityError, Credential, TokenWing};

/// The secrets of an owner that are revoked, by when they were minted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MintedWhen {
    /// Those that were minted before an instant, which must not be in the future.
    Before(Timestamp),
    /// All there are.
    Ever,
}

/// The effect of revoking all tokens, or of a preview of it.
#[derive(Debug)]
pub struct RevokedAll {
    /// The instant before which minted secrets are revoked.
    pub not_before: Timestamp,
    /// The number of live tokens that this concerns.
    pub tokens: usize,
    /// Those of them that were used within the last 24 hours, most recently used first.
    pub used_today: Vec<TokenView>,
}

/// The recorded reason. A caller that knew which token leaked would revoke only that one.
const REASON: RevocationReason = RevocationReason::Leaked;
/// The time since its last use within which a concerned token is listed.
const TODAY: Duration = Duration::from_secs(24 * 60 * 60);
const PAGE: u64 = 1000;

impl MintedWhen {
    /// Returns the watermark. Secrets minted before it are revoked.
    fn not_before(self, now: Timestamp) -> Result<Timestamp, AuthorityError> {
        match self {
            MintedWhen::Before(before) if before > now => {
                Err(AuthorityError::invalid("created_before", "it is in the future"))
            }
            MintedWhen::Before(before) => Ok(before),
            MintedWhen::Ever => Ok(now),
        }
    }
}

impl TokenWing<'_> {
    /// Returns the effect of revoking all tokens, and changes nothing.
    pub async fn preview_revoke_all(
        self,
        credential: &Credential,
        whose: &Whose,
        minted: MintedWhen,
    ) -> Result<Changed<RevokedAll>, AuthorityError> {
        let (read, by) = self.0.read_as(credential, Operation::RevokeAllTokens, whose).await?;
        let owner = owner_of(&read, &by, whose).await?;
        let now = read.now();
        let not_before = minted.not_before(now)?;
        let mut concerned = self.concerned(&read, &by, owner, not_before).await?;
        let tokens = concerned.len();
        let last = |view: &TokenView| view.last_use().map(|last| last.at);
        concerned.retain(|view| last(view).is_some_and(|at| now.since(at) <= TODAY));
        concerned.sort_by_key(|view| std::cmp::Reverse(last(view)));
        let value = RevokedAll { not_before, tokens, used_today: concerned };
        Ok(Changed { value, changed: false, sequence: read.head().sequence, now })
    }

    /// Returns the live tokens of an owner, or with power in an org, that have a secret minted before an
    /// instant.
    async fn concerned(
        self,
        read: &Read,
        by: &Admitted,
        owner: Owner,
        not_before: Timestamp,
    ) -> Result<Vec<TokenView>, AuthorityError> {
        let mut concerned = Vec::new();
        let mut after = None;
        loop {
            let page = TokenPage { include_revoked: false, after, limit: PAGE };
            let tokens = match owner {
                Owner::Account(_) => read.list_tokens_page(owner, page).await?,
                Owner::Org(org) => read.list_tokens_of_org(org, true, page).await?,
            };
            after = tokens.last().map(|token| token.id);
            if after.is_none() {
                return Ok(concerned);
            }
            let views = self.views(read, by, tokens).await?.into_iter();
            concerned.extend(views.filter(|view| is_concerned(view, not_before, read.now())));
        }
    }

    /// Revokes all secrets that were minted before an instant.
    pub async fn revoke_all(
        self,
        credential: &Credential,
        whose: &Whose,
        minted: MintedWhen,
    ) -> Result<Changed<RevokedAll>, AuthorityError> {
        // The effect is computed beforehand, so that nobody waits for it while the lock is held.
        let preview = self.preview_revoke_all(credential, whose, minted).await?;
        let revoked = change(self.0, credential, Operation::RevokeAllTokens, whose, |changing| async move {
            let not_before = minted.not_before(changing.now())?;
            let owner = owner_of(&changing, &changing.by, whose).await?;
            let actor = changing.by.caller.actor();
            // This locks the owner unless the caller's admission did, so a concurrent minting comes before
            // it, or waits.
            let change = match owner {
                Owner::Account(account) => {
                    changing.set_account_not_before(account, not_before).await?;
                    Change::AccountTokensRevoked { account, not_before, reason: REASON }
                }
                Owner::Org(org) => {
                    changing.set_org_not_before(org, not_before).await?;
                    Change::OrgTokensRevoked { org, not_before, reason: REASON }
                }
            };
            changing.revoke_minted_before(owner, not_before, &actor, REASON).await?;
            Ok::<_, AuthorityError>(changing.done(change, Personal::new(), not_before))
        });
        revoked.await.map(|done| done.map(|not_before| RevokedAll { not_before, ..preview.value }))
    }
}

/// Returns true if a token is live and has a secret in force that was authorized before an instant.
fn is_concerned(view: &TokenView, not_before: Timestamp, now: Timestamp) -> bool {
    let serving = view.secrets.iter().filter(|secret| secret.record.judge(now).is_ok());
    let mut minted = serving.map(|secret| secret.record.authorized_at);
    !view.status(now).is_dead() && minted.any(|at| at < not_before)
}

/// Returns the owner whose tokens a request concerns.
async fn owner_of(read: &Read, by: &Admitted, whose: &Whose) -> Result<Owner, AuthorityError> {
    match whose {
        Whose::Mine | Whose::Org(_) => by.owner(),
        Whose::Account(handle) => Ok(Owner::Account(account(read, handle).await?.id)),
        Whose::Anyone => Err(by.refused()),
    }
}
