//! Lists and shows tokens, each as its viewer may see it.

use std::collections::BTreeMap;

use ndauth_core::{Actor, OrgSlug, Revocation, Timestamp, Token, TokenView, Viewer};
use ndauth_store::{Cursor, Key, Read, TokenCounts, TokenPage, TokenQuery};

use super::which::Which;
use crate::access::{Admitted, Operation, Reach, Whose};
use crate::{AuthorityError, Credential, TokenWing};

/// A page of a list of tokens.
#[derive(Debug)]
pub struct TokenList {
    /// The tokens.
    pub views: Vec<TokenView>,
    /// The cursor of the next page, if there may be one.
    pub next: Option<Cursor>,
    /// The instant of the response.
    pub now: Timestamp,
}

/// A token, as of an instant.
#[derive(Debug)]
pub struct Shown {
    /// The token.
    pub view: TokenView,
    /// The instant of the response.
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
        Ok(TokenList { views: self.views(&read, &by, tokens).await?, next, now: read.now() })
    }

    /// Counts live tokens, by age and by last use, as of the last minute.
    pub async fn count(self, credential: &Credential, whose: &Whose) -> Result<TokenCounts, AuthorityError> {
        let (read, by) = self.0.read_as(credential, Operation::ListTokens, whose).await?;
        let (owner, now) = (by.owner()?, read.now());
        if let Some(counts) = self.0.counts.recent(owner, now) {
            return Ok(counts);
        }
        let counts = read.count_tokens(owner).await?;
        self.0.counts.keep(owner, now, counts);
        Ok(counts)
    }

    /// Returns a token of the caller's or of an org, with all that its viewer may see of it.
    pub async fn get(
        self,
        credential: &Credential,
        whose: &Whose,
        which: &Which,
    ) -> Result<Shown, AuthorityError> {
        let (read, by) = self.0.read_as(credential, Operation::GetToken, whose).await?;
        let token = self.find(&read, &by, whose, which).await?;
        let view = self.view(&read, &by, token).await?;
        let used_from = self.0.uses.with_noted(&view, read.used_from(view.token.id).await?);
        let revocation = revocation(&read, &view.token).await?;
        let viewer = by.viewer(&view.token, view.last_use());
        let view = TokenView { used_from, revocation, ..view }.seen_by(viewer);
        Ok(Shown { view, now: read.now() })
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
        Ok(TokenList { views: self.views(&read, &by, tokens).await?, next, now: read.now() })
    }

    /// Returns tokens as the caller of an operation may see them, with their latest uses. Details that take
    /// further queries are only added by [`TokenWing::get`].
    pub(crate) async fn views(
        self,
        read: &Read,
        by: &Admitted,
        tokens: Vec<Token>,
    ) -> Result<Vec<TokenView>, AuthorityError> {
        let views = read.view_tokens(tokens).await?;
        let used_there = match &by.reach {
            Reach::Org(org, _) => self.0.used_in(read, org, &views).await?,
            Reach::All | Reach::Itself(_) => BTreeMap::new(),
        };
        let show = |view: TokenView| {
            let viewer = by.viewer(&view.token, used_there.get(&view.token.id).copied());
            let mut view = self.0.uses.complete(view);
            if let Viewer::Owner | Viewer::Itself = viewer {
                let record = view.shown(read.now()).record.clone();
                let address = view.last_use().and_then(|last| last.address);
                view.policy_warnings = self.0.validation().policy_warnings(&view.token, &record, address);
            }
            view.seen_by(viewer)
        };
        Ok(views.into_iter().map(show).collect())
    }

    /// Returns a token as the caller of an operation may see it.
    pub(crate) async fn view(
        self,
        read: &Read,
        by: &Admitted,
        token: Token,
    ) -> Result<TokenView, AuthorityError> {
        Ok(self.views(read, by, vec![token]).await?.pop().expect("a view for each token"))
    }
}

/// Returns the actor and the reason of a token's revocation, if it was revoked.
async fn revocation(read: &Read, token: &Token) -> Result<Option<Revocation>, AuthorityError> {
    if token.revoked_at.is_none() {
        return Ok(None);
    }
    let Some((by, reason, note)) = read.find_revocation(token.id).await? else { return Ok(None) };
    Ok(Some(Revocation { by: actor_name(read, &by).await?, reason, note }))
}

/// Returns an actor's name, for people.
pub(crate) async fn actor_name(read: &Read, actor: &Actor) -> Result<String, AuthorityError> {
    Ok(match actor {
        Actor::Console => "the operator".to_owned(),
        Actor::Authority => "ndauth".to_owned(),
        Actor::Session { account, .. } => read
            .find_account(*account)
            .await?
            .map_or_else(|| "an unknown account".to_owned(), |account| account.handle.to_string()),
        Actor::Token { .. } | Actor::OrgToken { .. } => "the token itself".to_owned(),
        Actor::Service { .. } => "a service".to_owned(),
    })
}
