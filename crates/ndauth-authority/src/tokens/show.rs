//! Tokens are listed and shown, each as its viewer may see it.

use ndauth_core::{Actor, OrgSlug, Revocation, Timestamp, Token, TokenView};
use ndauth_store::{Cursor, Key, Read, TokenPage, TokenQuery};

use super::which::Which;
use crate::access::{Admitted, Operation, Whose};
use crate::{AuthorityError, Caller, Credential, TokenWing};

/// A part of a list of tokens.
#[derive(Debug)]
pub struct TokenList {
    /// The tokens.
    pub views: Vec<TokenView>,
    /// Behind what the next part begins, where there may be more.
    pub next: Option<Cursor>,
    /// As of when.
    pub now: Timestamp,
}

/// A token that was asked for.
#[derive(Debug)]
pub struct Shown {
    /// The token.
    pub view: TokenView,
    /// As of when.
    pub now: Timestamp,
}

impl TokenWing<'_> {
    /// Lists tokens, oldest first: personal ones of the caller's account, or those of an org.
    pub async fn list(
        self,
        credential: &Credential,
        whose: &Whose,
        asked: &TokenQuery,
    ) -> Result<TokenList, AuthorityError> {
        let (read, by) = self.0.read_as(credential, Operation::ListTokens, whose).await?;
        let (tokens, next) = read.list_tokens(by.owner()?, asked).await?;
        let views = read.view_tokens(tokens).await?;
        let views = views.into_iter().map(|view| self.with_latest_use(view)).collect();
        Ok(TokenList { views, next, now: read.now() })
    }

    /// Shows a token of the caller's or of an org, with all that its viewer may see of it.
    pub async fn get(
        self,
        credential: &Credential,
        whose: &Whose,
        which: &Which,
    ) -> Result<Shown, AuthorityError> {
        let (read, by) = self.0.read_as(credential, Operation::GetToken, whose).await?;
        let token = self.find(&read, &by, whose, which).await?;
        let view = self.view(&read, token).await?;
        Ok(Shown { view: self.whole(&read, &by, view).await?, now: read.now() })
    }

    /// Lists the personal tokens of others that may have power in an org, for its admins.
    pub async fn list_personal_tokens(
        self,
        credential: &Credential,
        slug: &OrgSlug,
        page: TokenPage,
    ) -> Result<TokenList, AuthorityError> {
        let whose = Whose::Org(slug.clone());
        let (read, by) = self.0.read_as(credential, Operation::ListPersonalTokens, &whose).await?;
        let tokens = read.list_tokens_of_org(by.org()?.id, false, page).await?;
        let full = u64::try_from(tokens.len()).is_ok_and(|count| count == page.limit);
        let next = tokens.last().filter(|_| full).map(|token| Cursor { key: Key::Micros(0), id: token.id });
        let views = read.view_tokens(tokens).await?.into_iter();
        let views = views.map(|view| self.with_latest_use(view).as_seen_in(slug));
        Ok(TokenList { views: views.collect(), next, now: read.now() })
    }

    /// A token as its owner sees it in a list.
    pub(crate) async fn view(self, read: &Read, token: Token) -> Result<TokenView, AuthorityError> {
        let mut views = read.view_tokens(vec![token]).await?;
        let view = views.pop().expect("a view for each token");
        Ok(self.with_latest_use(view))
    }

    /// Completes what the store knows of last uses by what is not yet written down.
    pub(crate) fn with_latest_use(self, mut view: TokenView) -> TokenView {
        for secret in &mut view.secrets {
            secret.last_use = self.0.uses.latest(secret.record.id, secret.last_use);
        }
        view
    }

    /// Completes a view: from where the token was used, and to a session by whom and why it was revoked.
    async fn whole(self, read: &Read, by: &Admitted, view: TokenView) -> Result<TokenView, AuthorityError> {
        let used_from = self.0.uses.with_noted(&view, read.used_from(view.token.id).await?);
        let revocation = match &by.caller {
            Caller::Session { .. } => revocation(read, &view.token).await?,
            Caller::Console | Caller::Token { .. } | Caller::Service { .. } => None,
        };
        Ok(TokenView { used_from, revocation, ..view })
    }
}

/// By whom and why a token was revoked.
async fn revocation(read: &Read, token: &Token) -> Result<Option<Revocation>, AuthorityError> {
    let Some((by, reason, note)) = read.find_revocation(token.id).await? else { return Ok(None) };
    Ok(Some(Revocation { by: actor_name(read, &by).await?, reason, note }))
}

/// Who did something, for people.
async fn actor_name(read: &Read, actor: &Actor) -> Result<String, AuthorityError> {
    Ok(match actor {
        Actor::Console => "the operator".to_owned(),
        Actor::Authority => "ndauth".to_owned(),
        Actor::Session { account, .. } => read
            .find_account(*account)
            .await?
            .map_or_else(|| "an account that is gone".to_owned(), |account| account.handle.to_string()),
        Actor::Token { .. } | Actor::OrgToken { .. } => "the token itself".to_owned(),
        Actor::Service { .. } => "a service".to_owned(),
    })
}
