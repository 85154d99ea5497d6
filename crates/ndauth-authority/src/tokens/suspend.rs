//! Suspends and resumes tokens: everywhere by their owner or the operator, in an org by its admins.

use ndauth_core::{Change, Level, OrgId, OrgSlug, Owner, Token, TokenId, TokenView};
use ndauth_store::Read;

use super::rotate::alive;
use super::which::{Which, no_token};
use crate::access::{Kind, Operation, Whose};
use crate::change::{Changed, Changing, Done, change};
use crate::{AuthorityError, Credential, TokenWing};

impl TokenWing<'_> {
    /// Suspends a token of the caller's, of an org, or anybody's for the operator.
    pub async fn suspend(
        self,
        credential: &Credential,
        whose: &Whose,
        which: &Which,
    ) -> Result<Changed<TokenView>, AuthorityError> {
        change(self.0, credential, Operation::SuspendToken, whose, |changing| async move {
            let token = self.hold(&changing, whose, which).await?;
            let level = level(&changing);
            self.suspend_at(changing, token, level).await
        })
        .await
    }

    /// Resumes a token of the caller's, of an org, or anybody's for the operator.
    pub async fn resume(
        self,
        credential: &Credential,
        whose: &Whose,
        which: &Which,
    ) -> Result<Changed<TokenView>, AuthorityError> {
        change(self.0, credential, Operation::ResumeToken, whose, |changing| async move {
            let token = self.hold(&changing, whose, which).await?;
            let level = level(&changing);
            self.resume_at(changing, token, level).await
        })
        .await
    }

    /// Suspends in an org a personal token that may have power there.
    pub async fn suspend_personal_token(
        self,
        credential: &Credential,
        slug: &OrgSlug,
        id: TokenId,
    ) -> Result<Changed<TokenView>, AuthorityError> {
        let whose = Whose::Org(slug.clone());
        let suspended =
            change(self.0, credential, Operation::SuspendPersonalToken, &whose, |changing| async move {
                let (token, level) = personal_token(&changing, id).await?;
                self.suspend_at(changing, token, level).await
            });
        suspended.await
    }

    /// Resumes in an org a personal token that was suspended there.
    pub async fn resume_personal_token(
        self,
        credential: &Credential,
        slug: &OrgSlug,
        id: TokenId,
    ) -> Result<Changed<TokenView>, AuthorityError> {
        let whose = Whose::Org(slug.clone());
        let resumed =
            change(self.0, credential, Operation::ResumePersonalToken, &whose, |changing| async move {
                let (token, level) = personal_token(&changing, id).await?;
                self.resume_at(changing, token, level).await
            });
        resumed.await
    }

    async fn suspend_at(
        self,
        changing: Changing,
        token: Token,
        level: Level,
    ) -> Result<Done<TokenView>, AuthorityError> {
        let (id, owner) = (token.id, token.owner);
        if token.suspensions.iter().any(|suspension| suspension.level == level) {
            let view = self.view(&changing, &changing.by, token).await?;
            return Ok(changing.unchanged(view));
        }
        changing.suspend(id, level).await?;
        self.ended(changing, token, Change::TokenSuspended { token: id, owner, level }).await
    }

    async fn resume_at(
        self,
        changing: Changing,
        token: Token,
        level: Level,
    ) -> Result<Done<TokenView>, AuthorityError> {
        let (id, owner) = (token.id, token.owner);
        alive(&self.view(&changing, &changing.by, token.clone()).await?, changing.now())?;
        let of_all = token.suspensions.iter().map(|suspension| suspension.level);
        let (levels, mut others): (Vec<Level>, Vec<Level>) = of_all.partition(|other| level.lifts(*other));
        // An org does not learn of suspensions by other orgs.
        others.retain(|other| !matches!((level, other), (Level::Org(_), Level::Org(_))));
        if levels.is_empty() {
            if let Some(other) = others.first() {
                return Err(AuthorityError::SuspendedAbove(level_name(&changing, *other).await?));
            }
            let view = self.view(&changing, &changing.by, token).await?;
            return Ok(changing.unchanged(view));
        }
        for level in &levels {
            changing.resume(id, *level).await?;
        }
        self.ended(changing, token, Change::TokenResumed { token: id, owner, levels }).await
    }

    /// Ends a change of a token, and returns the token as it is then.
    async fn ended(
        self,
        changing: Changing,
        token: Token,
        change: Change,
    ) -> Result<Done<TokenView>, AuthorityError> {
        let token = changing.find_token(token.id).await?.unwrap_or(token);
        let view = self.view(&changing, &changing.by, token).await?;
        Ok(changing.done_to(view.token.name.to_string(), change, view))
    }
}

/// Returns the level at which the owner or the operator suspends.
fn level(changing: &Changing) -> Level {
    match changing.by.kind {
        Kind::Mine | Kind::Org => Level::Owner,
        Kind::Anyone => Level::Operator,
    }
}

/// Returns the level at which an org's admins suspend a token: as its owner, if it is the org's own.
pub(crate) fn level_in(org: OrgId, token: &Token) -> Level {
    if token.owner == Owner::Org(org) { Level::Owner } else { Level::Org(org) }
}

/// Locks a personal token that may have power in the org of a change, until the change ends. Returns it with
/// the org's level.
async fn personal_token(changing: &Changing, id: TokenId) -> Result<(Token, Level), AuthorityError> {
    let org = changing.by.org()?.id;
    let none = || no_token(&id);
    let token = changing.find_token(id).await?.filter(|token| token.orgs.contain(&org)).ok_or_else(none)?;
    let there = match token.owner {
        Owner::Account(account) => changing.was_member(account, org).await?,
        Owner::Org(_) => false,
    };
    let token = if there { changing.lock_token(id).await? } else { None };
    Ok((token.ok_or_else(none)?, Level::Org(org)))
}

/// Returns the name of a level, for people.
pub(crate) async fn level_name(read: &Read, level: Level) -> Result<String, AuthorityError> {
    Ok(match level {
        Level::Owner => "its owner".to_owned(),
        Level::Operator => "the operator".to_owned(),
        Level::Org(org) => {
            let slug = read.find_org(org).await?.map(|org| org.slug.to_string());
            format!("the org `{}`", slug.unwrap_or_default())
        }
    })
}
