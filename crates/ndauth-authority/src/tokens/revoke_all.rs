//! All tokens of a time are revoked at once, by one watermark.

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
    /// Those that were minted before an instant, which has come.
    Before(Timestamp),
    /// All there are.
    Ever,
}

/// What revoking all tokens of a time does, or would do.
#[derive(Debug)]
pub struct RevokedAll {
    /// Those minted before are revoked.
    pub not_before: Timestamp,
    /// How many tokens that live that concerns.
    pub tokens: usize,
    /// How many of them were used within the last 24 hours, those used last first.
    pub used_today: Vec<TokenView>,
}

/// Nobody revokes all of a time who knows which leaked.
const REASON: RevocationReason = RevocationReason::Leaked;
/// Of what is revoked it is told what was used within this time.
const TODAY: Duration = Duration::from_secs(24 * 60 * 60);
const PAGE: u64 = 1000;

impl MintedWhen {
    /// Returns the watermark: what was minted before it is revoked.
    fn not_before(self, now: Timestamp) -> Result<Timestamp, AuthorityError> {
        match self {
            MintedWhen::Before(before) if before > now => {
                Err(AuthorityError::invalid("created_before", "the instant has not come yet"))
            }
            MintedWhen::Before(before) => Ok(before),
            MintedWhen::Ever => Ok(now),
        }
    }
}

impl TokenWing<'_> {
    /// Says what revoking all tokens of a time would do.
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

    /// The tokens of an owner, or with power in an org, that live now and have a secret that was minted before an instant.
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

    /// Revokes all tokens of a time.
    pub async fn revoke_all(
        self,
        credential: &Credential,
        whose: &Whose,
        minted: MintedWhen,
    ) -> Result<Changed<RevokedAll>, AuthorityError> {
        // It is told as of just before, and not while everyone waits for the lock.
        let preview = self.preview_revoke_all(credential, whose, minted).await?;
        let revoked = change(self.0, credential, Operation::RevokeAllTokens, whose, |changing| async move {
            let not_before = minted.not_before(changing.now())?;
            let owner = owner_of(&changing, &changing.by, whose).await?;
            let actor = changing.by.caller.actor();
            // The owner is held by this, where it is not the caller's: what is minted beside it comes before, or waits.
            let change = match owner {
                Owner::Account(account) => {
                    changing.close_account(account, not_before).await?;
                    Change::AccountTokensRevoked { account, not_before, reason: REASON }
                }
                Owner::Org(org) => {
                    changing.close_org(org, not_before).await?;
                    Change::OrgTokensRevoked { org, not_before, reason: REASON }
                }
            };
            changing.revoke_minted_before(owner, not_before, &actor, REASON).await?;
            Ok::<_, AuthorityError>(changing.done(change, Personal::new(), not_before))
        });
        revoked.await.map(|done| done.map(|not_before| RevokedAll { not_before, ..preview.value }))
    }
}

/// True where a token lives and has a secret in force that was minted before an instant.
fn is_concerned(view: &TokenView, not_before: Timestamp, now: Timestamp) -> bool {
    let serving = view.secrets.iter().filter(|secret| secret.record.judge(now).is_ok());
    let mut minted = serving.map(|secret| secret.record.authorized_at);
    !view.status(now).is_dead() && minted.any(|at| at < not_before)
}

/// Whose tokens a request is about.
async fn owner_of(read: &Read, by: &Admitted, whose: &Whose) -> Result<Owner, AuthorityError> {
    match whose {
        Whose::Mine | Whose::Org(_) => by.owner(),
        Whose::Account(handle) => Ok(Owner::Account(account(read, handle).await?.id)),
        Whose::Anyone => Err(by.refused()),
    }
}
