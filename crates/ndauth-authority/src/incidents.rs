//! When something went wrong: tokens suspended, all of a time shut out, an org frozen.

use std::time::Duration;

use ndauth_core::{Change, Handle, Level, OrgSlug, Owner, Personal, Timestamp, Token, TokenView};
use ndauth_store::{Read, TokenPage, Write};

use crate::access::Operation;
use crate::authority::retried;
use crate::console::account;
use crate::follow_ups::level_in;
use crate::rotations::ChangedToken;
use crate::tokens::{AnyToken, TokenName, Which, any_token, named, no_token};
use crate::{Authority, AuthorityError, Caller, Credential};

/// Whose tokens are shut out.
#[derive(Clone, Debug)]
pub enum Whose {
    /// The caller's.
    Mine,
    /// All that have power in an org, there.
    Org(OrgSlug),
    /// Somebody's, for the operator.
    Account(Handle),
}

/// What shutting out does, or would do.
#[derive(Debug)]
pub struct ShutOut {
    /// What was minted before is shut out.
    pub not_before: Timestamp,
    /// How many tokens that live that concerns.
    pub tokens: usize,
    /// How many of them were used within the last 24 hours, those used last first.
    pub used_today: Vec<TokenView>,
    /// The event; none where it was only looked at.
    pub sequence: Option<u64>,
    /// As of when.
    pub now: Timestamp,
}

/// Of what is shut out it is told what was used within this time.
const TODAY: Duration = Duration::from_secs(24 * 60 * 60);
const PAGE: u64 = 1000;

impl Authority {
    /// Takes a token's power for now: everywhere by its owner, in an org by that.
    pub async fn suspend_token(
        &self,
        credential: &Credential,
        which: &Which,
    ) -> Result<ChangedToken, AuthorityError> {
        retried(|| async {
            let operations = (Operation::SuspendToken, Operation::SuspendOrgToken);
            let (write, caller, token, level) =
                self.write_touching(credential, which, operations, "suspend_token").await?;
            self.suspend(write, &caller, token, level).await
        })
        .await
    }

    /// Gives a token back what its owner, or an org, took.
    pub async fn resume_token(
        &self,
        credential: &Credential,
        which: &Which,
    ) -> Result<ChangedToken, AuthorityError> {
        retried(|| async {
            let operations = (Operation::ResumeToken, Operation::ResumeOrgToken);
            let (write, caller, token, level) =
                self.write_touching(credential, which, operations, "resume_token").await?;
            self.resume(write, &caller, token, level).await
        })
        .await
    }

    /// Takes the power of anybody's token for now, for the operator.
    pub async fn suspend_any_token(
        &self,
        credential: &Credential,
        name: &AnyToken,
    ) -> Result<ChangedToken, AuthorityError> {
        retried(|| async {
            let operation = Operation::SuspendAnyToken;
            let (write, caller, _) = self.write_as(credential, operation, "suspend_token").await?;
            let token = any_token(&write, name).await?;
            self.suspend(write, &caller, token, Level::Operator).await
        })
        .await
    }

    /// Gives anybody's token back what anybody took, for the operator.
    pub async fn resume_any_token(
        &self,
        credential: &Credential,
        name: &AnyToken,
    ) -> Result<ChangedToken, AuthorityError> {
        retried(|| async {
            let operation = Operation::SuspendAnyToken;
            let (write, caller, _) = self.write_as(credential, operation, "resume_token").await?;
            let token = any_token(&write, name).await?;
            self.resume(write, &caller, token, Level::Operator).await
        })
        .await
    }

    /// Begins a change of a token of the caller's, or of any that has power in an org; and at which level it is made.
    async fn write_touching(
        &self,
        credential: &Credential,
        which: &Which,
        (own, in_org): (Operation, Operation),
        name: &'static str,
    ) -> Result<(Write, Caller, Token, Level), AuthorityError> {
        let Some(slug) = &which.org else {
            let (write, caller, token) = self.write_token(credential, which, (own, in_org), name).await?;
            return Ok((write, caller, token, Level::Owner));
        };
        let (write, caller, org) = self.write_in(credential, in_org, slug, name).await?;
        let token = match &which.name {
            TokenName::Name(_) => named(&write, Owner::Org(org.id), &which.name).await?,
            TokenName::Id(id) => {
                let token = write.find_token(*id).await?;
                let touches = match token.as_ref().map(|token| token.owner) {
                    Some(Owner::Org(owner)) => owner == org.id,
                    Some(Owner::Account(account)) => write.was_member(account, org.id).await?,
                    None => false,
                };
                let there = |token: &Token| touches && token.orgs.contain(&org.id);
                token.filter(there).ok_or_else(|| no_token(id))?
            }
        };
        let token = write.lock_token(token.id).await?.ok_or_else(|| no_token(&token.name))?;
        let level = level_in(org.id, &token);
        Ok((write, caller, token, level))
    }

    async fn suspend(
        &self,
        write: Write,
        caller: &Caller,
        token: Token,
        level: Level,
    ) -> Result<ChangedToken, AuthorityError> {
        let (id, now) = (token.id, write.now());
        if token.suspensions.iter().any(|suspension| suspension.level == level) {
            let view = self.view(&write, token).await?;
            return Ok(ChangedToken { view, changed: false, sequence: self.unchanged(write).await?, now });
        }
        write.suspend(id, level).await?;
        let change = Change::TokenSuspended { token: id, level };
        self.changed(write, caller, token, change).await
    }

    async fn resume(
        &self,
        write: Write,
        caller: &Caller,
        token: Token,
        level: Level,
    ) -> Result<ChangedToken, AuthorityError> {
        let (id, now) = (token.id, write.now());
        let of_all = token.suspensions.iter().map(|suspension| suspension.level);
        let (levels, others): (Vec<Level>, Vec<Level>) = of_all.partition(|other| level.lifts(*other));
        if levels.is_empty() {
            if let Some(other) = others.first() {
                let who = match other {
                    Level::Owner => "its owner".to_owned(),
                    Level::Operator => "the operator".to_owned(),
                    Level::Org(org) => {
                        let slug = write.find_org(*org).await?.map(|org| org.slug.to_string());
                        format!("the org `{}`", slug.unwrap_or_default())
                    }
                };
                return Err(AuthorityError::SuspendedAbove(who));
            }
            let view = self.view(&write, token).await?;
            return Ok(ChangedToken { view, changed: false, sequence: self.unchanged(write).await?, now });
        }
        for level in &levels {
            write.resume(id, *level).await?;
        }
        let change = Change::TokenResumed { token: id, levels };
        self.changed(write, caller, token, change).await
    }

    /// Ends a change of a token, and shows it as it is then.
    async fn changed(
        &self,
        write: Write,
        caller: &Caller,
        token: Token,
        change: Change,
    ) -> Result<ChangedToken, AuthorityError> {
        let now = write.now();
        let token = write.find_token(token.id).await?.unwrap_or(token);
        let personal = Personal::from([("name", token.name.to_string())]);
        let view = self.view(&write, token).await?;
        let sequence = self.commit(write, caller, change, personal).await?;
        Ok(ChangedToken { view, changed: true, sequence, now })
    }

    /// Says what shutting out all that was minted before an instant would do. Without an instant: all there is.
    pub async fn preview_shut_out(
        &self,
        credential: &Credential,
        whose: &Whose,
        before: Option<Timestamp>,
    ) -> Result<ShutOut, AuthorityError> {
        let (read, owner, org) = match whose {
            Whose::Mine => {
                let operation = Operation::RevokeAllTokens;
                let (read, caller, _) = self.read_as(credential, operation).await?;
                let not_permitted = || AuthorityError::NotPermitted { caller: caller.kind(), operation };
                let owner = caller.account().ok_or_else(not_permitted)?.id;
                (read, Some(owner), None)
            }
            Whose::Account(handle) => {
                let (read, _, _) = self.read_as(credential, Operation::RevokeAccountTokens).await?;
                let owner = account(&read, handle).await?.id;
                (read, Some(owner), None)
            }
            Whose::Org(slug) => {
                let (read, _, (org, _)) =
                    self.read_in(credential, Operation::RevokeAllOrgTokens, slug).await?;
                (read, None, Some(org))
            }
        };
        let now = read.now();
        let not_before = past(before, now)?;
        let mut concerned = Vec::new();
        if let Some(owner) = owner {
            let tokens = read.list_live_tokens(owner).await?;
            self.add_concerned(&read, tokens, not_before, &mut concerned).await?;
        }
        let mut after = None;
        while let Some(org) = &org {
            let page = TokenPage { include_revoked: false, after, limit: PAGE };
            let tokens = read.list_tokens_of_org(org.id, true, page).await?;
            after = tokens.last().map(|token| token.id);
            if after.is_none() {
                break;
            }
            self.add_concerned(&read, tokens, not_before, &mut concerned).await?;
        }
        let tokens = concerned.len();
        let last = |view: &TokenView| view.last_use().map(|last| last.at);
        concerned.retain(|view| last(view).is_some_and(|at| now.since(at) <= TODAY));
        concerned.sort_by_key(|view| std::cmp::Reverse(last(view)));
        Ok(ShutOut { not_before, tokens, used_today: concerned, sequence: None, now })
    }

    /// Adds those of some tokens that live now and have a secret that was minted before an instant.
    async fn add_concerned(
        &self,
        read: &Read,
        tokens: Vec<Token>,
        not_before: Timestamp,
        concerned: &mut Vec<TokenView>,
    ) -> Result<(), AuthorityError> {
        let now = read.now();
        for view in read.view_tokens(tokens).await? {
            let serving = view.secrets.iter().filter(|secret| secret.record.judge(now).is_ok());
            let mut minted = serving.map(|secret| secret.record.minted_at);
            if !view.status(now).is_dead() && minted.any(|at| at < not_before) {
                concerned.push(self.with_latest_use(view));
            }
        }
        Ok(())
    }

    /// Shuts out all that was minted before an instant. Without an instant: all there is.
    pub async fn shut_out(
        &self,
        credential: &Credential,
        whose: &Whose,
        before: Option<Timestamp>,
    ) -> Result<ShutOut, AuthorityError> {
        // What it does is told as of just before, and not while everyone waits for the lock.
        let preview = self.preview_shut_out(credential, whose, before).await?;
        let (not_before, sequence) = retried(|| async {
            let operation = match whose {
                Whose::Mine => Operation::RevokeAllTokens,
                Whose::Account(_) => Operation::RevokeAccountTokens,
                Whose::Org(_) => Operation::RevokeAllOrgTokens,
            };
            let (write, caller, change) = match whose {
                Whose::Org(slug) => {
                    let (write, caller, org) = self.write_in(credential, operation, slug, "shut_out").await?;
                    let not_before = past(before, write.now())?;
                    write.shut_out_of_org(org.id, not_before).await?;
                    (write, caller, Change::OrgShutOut { org: org.id, not_before })
                }
                Whose::Mine | Whose::Account(_) => {
                    let (write, caller, _) = self.write_as(credential, operation, "shut_out").await?;
                    let account = match (whose, caller.account()) {
                        (Whose::Account(handle), _) => account(&write, handle).await?.id,
                        (_, Some(account)) => account.id,
                        (_, None) => {
                            return Err(AuthorityError::NotPermitted { caller: caller.kind(), operation });
                        }
                    };
                    let not_before = past(before, write.now())?;
                    write.shut_out_account(account, not_before).await?;
                    (write, caller, Change::AccountShutOut { account, not_before })
                }
            };
            let not_before = past(before, write.now())?;
            Ok((not_before, self.commit(write, &caller, change, Personal::new()).await?))
        })
        .await?;
        Ok(ShutOut { not_before, sequence: Some(sequence), ..preview })
    }

    /// Freezes an org, or ends that. Says whether it changed anything.
    pub async fn set_frozen(
        &self,
        credential: &Credential,
        slug: &OrgSlug,
        frozen: bool,
    ) -> Result<(bool, u64), AuthorityError> {
        retried(|| async {
            let operation = if frozen { Operation::FreezeOrg } else { Operation::UnfreezeOrg };
            let (write, caller, org) = self.write_in(credential, operation, slug, "freeze_org").await?;
            if org.frozen_at.is_some() == frozen {
                return Ok((false, self.unchanged(write).await?));
            }
            write.set_frozen(org.id, frozen.then(|| write.now())).await?;
            let change =
                if frozen { Change::OrgFrozen { org: org.id } } else { Change::OrgUnfrozen { org: org.id } };
            Ok((true, self.commit(write, &caller, change, Personal::new()).await?))
        })
        .await
    }
}

/// An instant that has come; now, where none is said.
fn past(before: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, AuthorityError> {
    match before {
        Some(before) if before > now => {
            Err(AuthorityError::invalid("created_before", "the instant has not come yet"))
        }
        Some(before) => Ok(before),
        None => Ok(now),
    }
}
