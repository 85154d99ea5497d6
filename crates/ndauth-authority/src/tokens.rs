//! Personal tokens: made, listed, shown, revoked.

use ndauth_core::{
    AccountId, Change, ExpiryChoice, Grants, Handle, Label, OrgId, OrgSlug, Orgs, Owner, Personal, Scope,
    Secret, SecretId, SecretKind, SecretRecord, Timestamp, Token, TokenId, TokenStatus, TokenView,
};
use ndauth_store::{Family, Read, TokenPage, Write};
use rand::rngs::SysRng;

use crate::access::Operation;
use crate::authority::{commit, retried};
use crate::console::account;
use crate::{Authority, AuthorityError, Caller, Credential};

/// How many personal tokens that are neither revoked nor expired an account may have.
pub const MAX_LIVE_TOKENS: u64 = 25;

/// A personal token to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What to call it.
    pub name: Label,
    /// The access it is to offer.
    pub scope: Scope,
    /// The permissions it is to carry.
    pub grants: Grants,
    /// The orgs it is to offer power in.
    pub orgs: Orgs<OrgSlug>,
    /// When it is to end.
    pub expiry: ExpiryChoice,
}

/// How a token is named by its owner.
#[derive(Clone, Debug)]
pub enum TokenName {
    /// By the name it holds.
    Name(Label),
    /// By its id.
    Id(TokenId),
}

/// How anybody's token is named by the operator.
#[derive(Clone, Debug)]
pub enum AnyToken {
    /// By its id.
    Id(TokenId),
    /// By its owner, and the name it holds there.
    Of(Handle, Label),
}

/// A token that was made, and the one sight of its secret.
#[derive(Debug)]
pub struct CreatedToken {
    /// The token.
    pub view: TokenView,
    /// Its secret, here and never again.
    pub secret: Secret,
    /// The event that tells of it.
    pub sequence: u64,
    /// When.
    pub now: Timestamp,
}

/// A part of a list of tokens.
#[derive(Debug)]
pub struct Listed {
    /// The tokens.
    pub views: Vec<TokenView>,
    /// What the next part comes after, where there is more.
    pub next: Option<TokenId>,
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

/// A token that is revoked.
#[derive(Debug)]
pub struct RevokedToken {
    /// The token.
    pub view: TokenView,
    /// The last event, which tells of it or came after.
    pub sequence: u64,
    /// As of when.
    pub now: Timestamp,
}

impl Authority {
    /// Makes a personal token of the caller's account.
    pub async fn create_token(
        &self,
        credential: &Credential,
        new: &NewToken,
    ) -> Result<CreatedToken, AuthorityError> {
        retried(|| self.try_create_token(credential, new)).await
    }

    async fn try_create_token(
        &self,
        credential: &Credential,
        new: &NewToken,
    ) -> Result<CreatedToken, AuthorityError> {
        if let Grants::Only(set) = &new.grants
            && let Some(unknown) = self.catalogue.first_unknown(set)
        {
            return Err(AuthorityError::invalid("grants", format!("there is no permission `{unknown}`")));
        }
        let operation = Operation::CreateToken;
        let (write, caller, _) = self.write_as(credential, operation, "create_token").await?;
        let now = write.now();
        let lifetime = new.expiry.lifetime(now).map_err(|why| AuthorityError::invalid("expiry", why))?;
        let owner = owner(&caller, operation)?;
        // From here on, no other change counts or names this account's tokens, or disables it.
        let account = write.lock_account(owner).await?;
        if account.is_none_or(|account| account.disabled_at.is_some()) {
            return Err(AuthorityError::AccountDisabled);
        }
        let orgs = member_orgs(&write, owner, &new.orgs).await?;
        let taken = || AuthorityError::NameTaken { what: "a token", name: new.name.to_string() };
        if let Some(holder) = write.find_named_token(owner, &new.name).await? {
            let holder = self.view(&write, holder).await?;
            if holder.status(now) == TokenStatus::Active {
                return Err(taken());
            }
            write.release_name(holder.token.id).await?;
        }
        if write.count_live_tokens(owner).await? >= MAX_LIVE_TOKENS {
            return Err(AuthorityError::TokenLimit);
        }

        let secret = Secret::mint(SecretKind::Personal, &mut SysRng)?;
        let record = SecretRecord::first(SecretId::new(now, &mut SysRng)?, secret.prefix(), now);
        let token = Token {
            id: TokenId::new(now, &mut SysRng)?,
            owner: Owner::Account(owner),
            name: new.name.clone(),
            scope: new.scope,
            grants: new.grants.clone(),
            orgs,
            created_at: now,
            lifetime,
            expires_at: lifetime.expiry(now),
            revoked_at: None,
        };
        write.insert_token(&token).await?.map_err(|_| taken())?;
        write.insert_secret(Family::Token(token.id), &record, &secret.hash()).await?;
        let change = Change::TokenCreated { token: token.id };
        let personal = Personal::from([("name", token.name.to_string())]);
        let sequence = commit(write, &caller, change, personal).await?;
        let view = TokenView {
            token,
            orgs: new.orgs.clone(),
            prefix: secret.prefix(),
            last_use: None,
            secrets: vec![record.id],
            shut_out: false,
        };
        Ok(CreatedToken { view, secret, sequence, now })
    }

    /// Lists the personal tokens of the caller's account, oldest first.
    pub async fn list_tokens(
        &self,
        credential: &Credential,
        page: TokenPage,
    ) -> Result<Listed, AuthorityError> {
        let operation = Operation::ListTokens;
        let (read, caller, _) = self.read_as(credential, operation).await?;
        let tokens = read.list_tokens(owner(&caller, operation)?, page).await?;
        let full = u64::try_from(tokens.len()).is_ok_and(|count| count == page.limit);
        let next = tokens.last().map(|token| token.id).filter(|_| full);
        let views = read.view_tokens(tokens).await?;
        let views = views.into_iter().map(|view| self.with_latest_use(view)).collect();
        Ok(Listed { views, next, now: read.now() })
    }

    /// Shows a personal token of the caller's account.
    pub async fn get_token(
        &self,
        credential: &Credential,
        name: &TokenName,
    ) -> Result<Shown, AuthorityError> {
        let operation = Operation::GetToken;
        let (read, caller, reach) = self.read_as(credential, operation).await?;
        let token = named(&read, owner(&caller, operation)?, name).await?;
        reach.require(token.id, operation)?;
        Ok(Shown { view: self.view(&read, token).await?, now: read.now() })
    }

    /// Revokes a personal token of the caller's account. One that is revoked stays as it is.
    pub async fn revoke_token(
        &self,
        credential: &Credential,
        name: &TokenName,
    ) -> Result<RevokedToken, AuthorityError> {
        retried(|| async {
            let operation = Operation::RevokeToken;
            let (write, caller, reach) = self.write_as(credential, operation, "revoke_token").await?;
            let token = named(&write, owner(&caller, operation)?, name).await?;
            reach.require(token.id, operation)?;
            self.revoke(write, &caller, token).await
        })
        .await
    }

    /// Revokes anybody's token, for the operator. One that is revoked stays as it is.
    pub async fn revoke_any_token(
        &self,
        credential: &Credential,
        name: &AnyToken,
    ) -> Result<RevokedToken, AuthorityError> {
        retried(|| async {
            let operation = Operation::RevokeAnyToken;
            let (write, caller, _) = self.write_as(credential, operation, "revoke_token").await?;
            let token = match name {
                AnyToken::Id(id) => write.find_token(*id).await?.ok_or_else(|| no_token(id))?,
                AnyToken::Of(handle, label) => {
                    let owner = account(&write, handle).await?;
                    write.find_named_token(owner.id, label).await?.ok_or_else(|| no_token(label))?
                }
            };
            self.revoke(write, &caller, token).await
        })
        .await
    }

    async fn revoke(
        &self,
        write: Write,
        caller: &Caller,
        token: Token,
    ) -> Result<RevokedToken, AuthorityError> {
        let now = write.now();
        let revoked_before = !write.revoke_token(token.id).await?;
        let revoked_at = token.revoked_at.filter(|_| revoked_before).or(Some(now));
        let change = Change::TokenRevoked { token: token.id };
        let personal = Personal::from([("name", token.name.to_string())]);
        let view = self.view(&write, Token { revoked_at, ..token }).await?;
        let sequence = if revoked_before {
            write.head().sequence
        } else {
            commit(write, caller, change, personal).await?
        };
        Ok(RevokedToken { view, sequence, now })
    }

    pub(crate) async fn view(&self, read: &Read, token: Token) -> Result<TokenView, AuthorityError> {
        let mut views = read.view_tokens(vec![token]).await?;
        let view = views.pop().expect("a view for each token");
        Ok(self.with_latest_use(view))
    }
}

/// The account whose tokens a caller is about.
fn owner(caller: &Caller, operation: Operation) -> Result<AccountId, AuthorityError> {
    let refused = AuthorityError::NotPermitted { caller: caller.kind(), operation };
    caller.account().map(|account| account.id).ok_or(refused)
}

/// The token of an account that goes by a name or an id. Another's is as unknown as one that is not.
async fn named(read: &Read, owner: AccountId, name: &TokenName) -> Result<Token, AuthorityError> {
    let (token, shown) = match name {
        TokenName::Name(name) => (read.find_named_token(owner, name).await?, name.to_string()),
        TokenName::Id(id) => (read.find_token(*id).await?, id.to_string()),
    };
    token.filter(|token| token.owner == Owner::Account(owner)).ok_or_else(|| no_token(&shown))
}

fn no_token(name: &impl ToString) -> AuthorityError {
    AuthorityError::NotFound { what: "token", name: name.to_string() }
}

/// The orgs of these names, in each of which the account is a member now.
async fn member_orgs(
    write: &Write,
    account: AccountId,
    orgs: &Orgs<OrgSlug>,
) -> Result<Orgs, AuthorityError> {
    let Orgs::Only(slugs) = orgs else { return Ok(Orgs::All) };
    let memberships = write.list_memberships(account).await?;
    let id_of = |slug: &OrgSlug| -> Result<OrgId, AuthorityError> {
        let membership = memberships.iter().find(|membership| membership.org.slug == *slug);
        membership.map(|membership| membership.org.id).ok_or_else(|| AuthorityError::NotAMember(slug.clone()))
    };
    let ids = slugs.iter().map(id_of).collect::<Result<Vec<_>, _>>()?;
    Orgs::only(ids).map_err(|why| AuthorityError::invalid("orgs", why))
}
