//! Tokens, personal and an org's own: made, listed, shown, revoked.

use std::time::Duration;

use ndauth_core::{
    AccountId, Actor, Asker, Change, Description, ExpiryChoice, Factor, Grants, Handle, Label, Lifetime,
    Networks, OrgId, OrgSlug, Orgs, Owner, Personal, Requirement, Revocation, Scope, Secret, SecretId,
    SecretKind, SecretRecord, Services, Succession, Timestamp, Token, TokenId, TokenView, decide, is_recent,
};
use ndauth_store::{Cursor, Family, Key, Read, TokenPage, TokenQuery, Write};
use rand::rngs::SysRng;

use crate::access::{Operation, Reach};
use crate::authority::retried;
use crate::console::account;
use crate::held::{Held, OwnerName, Question, ground};
use crate::rotations::unfrozen;
use crate::{Authority, AuthorityError, Caller, Credential};

/// How many personal tokens that are neither revoked nor expired an account may have.
pub const MAX_LIVE_TOKENS: u64 = 25;

/// A personal token to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// The access it is to offer; none stands for the least that its grants, which are a set, need.
    pub scope: Option<Scope>,
    /// The orgs it is to offer power in.
    pub orgs: Orgs<OrgSlug>,
    /// All else.
    pub settings: TokenSettings,
}

/// What every token to be made is given, be it a person's or an org's.
#[derive(Clone, Debug)]
pub struct TokenSettings {
    /// What to call it.
    pub name: Label,
    /// What it is for.
    pub description: Option<Description>,
    /// The permissions it is to carry.
    pub grants: Grants,
    /// The services at which it is to serve.
    pub services: Services<Label>,
    /// The networks from which it is to serve.
    pub networks: Networks,
    /// When it is to end.
    pub expiry: ExpiryChoice,
    /// Whether it may rotate and renew itself.
    pub self_rotating: bool,
    /// Whether its secret waits to be confirmed, and dies where it is not: for who stores it where it may not arrive.
    pub pending: bool,
}

/// How a token is named by its owner.
#[derive(Clone, Debug)]
pub enum TokenName {
    /// By the name it holds.
    Name(Label),
    /// By its id.
    Id(TokenId),
}

/// Which token: of the caller's own, or of an org.
#[derive(Clone, Debug)]
pub struct Which {
    /// The org; none for the caller's own.
    pub org: Option<OrgSlug>,
    /// How it is named there.
    pub name: TokenName,
}

impl From<TokenName> for Which {
    /// One of the caller's own.
    fn from(name: TokenName) -> Which {
        Which { org: None, name }
    }
}

impl TokenName {
    /// Whether a token goes by it.
    fn is(&self, token: &Token) -> bool {
        match self {
            TokenName::Name(name) => token.name == *name,
            TokenName::Id(id) => token.id == *id,
        }
    }
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
        retried(|| async {
            let operation = Operation::CreateToken;
            let (write, caller, _) = self.write_as(credential, operation, "create_token").await?;
            // It is held: no other change counts or names its tokens, or disables it.
            let Some(account) = caller.account().cloned() else {
                return Err(AuthorityError::NotPermitted { caller: caller.kind(), operation });
            };
            let planned = self.plan(&write, OwnerName::Account(account), new).await?;
            if let Caller::Session { session, .. } = &caller
                && planned.0.token.lifetime == Lifetime::Endless
                && !is_recent(session.proved_at, write.now())
            {
                return Err(AuthorityError::LoginNotRecent { to: "make a token that never expires" });
            }
            self.mint(write, &caller, planned).await
        })
        .await
    }

    /// Makes a token of an org, in which the caller is an admin.
    pub async fn create_org_token(
        &self,
        credential: &Credential,
        slug: &OrgSlug,
        settings: &TokenSettings,
    ) -> Result<CreatedToken, AuthorityError> {
        retried(|| async {
            let operation = Operation::CreateOrgToken;
            let (write, caller, org) = self.write_in(credential, operation, slug, "create_org_token").await?;
            let orgs = Orgs::Only([slug.clone()].into());
            let new = NewToken { scope: None, orgs, settings: settings.clone() };
            let planned = self.plan(&write, OwnerName::Org(org), &new).await?;
            self.mint(write, &caller, planned).await
        })
        .await
    }

    /// A token as it would be made now, and a secret for it. Refuses what cannot be made.
    pub(crate) async fn plan(
        &self,
        read: &Read,
        owner: OwnerName,
        new: &NewToken,
    ) -> Result<(Held, Secret), AuthorityError> {
        let (now, settings) = (read.now(), &new.settings);
        let catalogue = self.catalogue(read).await?;
        let scope = match (&settings.grants, new.scope) {
            (Grants::All, None) => {
                return Err(AuthorityError::invalid(
                    "scope",
                    "say `SCOPE_RO` or `SCOPE_RW`: nothing else bounds it",
                ));
            }
            (Grants::All, Some(scope)) => scope,
            (Grants::Only(set), scope) => {
                if let Some(unknown) = catalogue.first_unknown(set) {
                    return Err(AuthorityError::invalid("grants", unknown));
                }
                scope.unwrap_or_else(|| catalogue.least_scope(set))
            }
        };
        let lifetime = settings.expiry.lifetime(now).map_err(|why| AuthorityError::invalid("expiry", why))?;
        let (owner_id, orgs) = match &owner {
            OwnerName::Account(account) => {
                (Owner::Account(account.id), member_orgs(read, account.id, &new.orgs).await?)
            }
            OwnerName::Org(org) => {
                unfrozen(org)?;
                if settings.grants == Grants::All {
                    return Err(AuthorityError::invalid(
                        "grants",
                        "an org's token carries a set of grants, never all",
                    ));
                }
                if lifetime == Lifetime::Endless {
                    return Err(AuthorityError::invalid(
                        "expiry",
                        "an org's token ends, after 365 days at the latest",
                    ));
                }
                (Owner::Org(org.id), Orgs::Only([org.id].into()))
            }
        };
        let services = match &settings.services {
            Services::All => Services::All,
            Services::Only(names) => {
                let mut ids = Vec::new();
                for name in names {
                    let unknown =
                        || AuthorityError::invalid("services", format!("there is no service `{name}`"));
                    ids.push(read.find_live_service(name).await?.ok_or_else(unknown)?.id);
                }
                Services::only(ids).map_err(|why| AuthorityError::invalid("services", why))?
            }
        };
        let kind = match owner {
            OwnerName::Account(_) => SecretKind::Personal,
            OwnerName::Org(_) => SecretKind::Org,
        };
        let secret = Secret::mint(kind, &mut SysRng)?;
        let id = SecretId::new(now, &mut SysRng)?;
        let held = Held {
            record: if settings.pending {
                SecretRecord::pending(id, secret.prefix(), now)
            } else {
                SecretRecord::first(id, secret.prefix(), now)
            },
            token: Token {
                id: TokenId::new(now, &mut SysRng)?,
                owner: owner_id,
                name: settings.name.clone(),
                description: settings.description.clone(),
                scope,
                grants: settings.grants.clone(),
                orgs,
                services,
                networks: settings.networks.clone(),
                created_at: now,
                lifetime,
                expires_at: lifetime.expiry(now),
                revoked_at: None,
                self_rotating: settings.self_rotating,
                suspensions: [].into(),
            },
            owner,
        };
        Ok((held, secret))
    }

    /// Makes a token as it was planned, unless a policy of an org that it names would not admit it.
    async fn mint(
        &self,
        write: Write,
        caller: &Caller,
        (planned, secret): (Held, Secret),
    ) -> Result<CreatedToken, AuthorityError> {
        self.admitted_by_policies(&write, &planned).await?;
        let Held { record, token, owner } = planned;
        let now = write.now();
        let taken = || AuthorityError::NameTaken { what: "a token", name: token.name.to_string() };
        if let Some(holder) = write.find_named_token(token.owner, &token.name).await? {
            let holder = self.view(&write, holder).await?;
            if !holder.status(now).is_dead() {
                return Err(taken());
            }
            write.release_name(holder.token.id).await?;
        }
        if let OwnerName::Account(account) = &owner
            && write.count_live_tokens(account.id).await? >= MAX_LIVE_TOKENS
        {
            return Err(AuthorityError::TokenLimit);
        }
        write.insert_token(&token).await?.map_err(|_| taken())?;
        let succession = Succession { overlap: Duration::ZERO, expires_at: token.expires_at };
        let succession = record.confirmed_at.is_none().then_some(&succession);
        write.insert_secret(Family::Token(token.id), &record, &secret.hash(), succession).await?;
        let view = self.view(&write, token).await?;
        let change = Change::TokenCreated { token: view.token.id };
        let personal = Personal::from([("name", view.token.name.to_string())]);
        let sequence = self.commit(write, caller, change, personal).await?;
        Ok(CreatedToken { view, secret, sequence, now })
    }

    /// Refuses a token that could do nothing in an org that it names, by that org's policy: it is told
    /// before it is made, and not when it is used.
    async fn admitted_by_policies(&self, read: &Read, planned: &Held) -> Result<(), AuthorityError> {
        let Orgs::Only(slugs) = read.name_orgs(&planned.token.orgs).await? else { return Ok(()) };
        let catalogue = self.catalogue(read).await?;
        for org in slugs {
            let ground = ground(read, &planned.owner, &org).await?;
            let question = Question {
                requirement: &Requirement::Survey { org },
                asker: Asker::Unstated,
                address: None,
                catalogue: &catalogue,
                not_before: read.installation().not_before,
                now: read.now(),
            };
            if let Err(refusal) = decide(&planned.case(ground.as_ref(), &question))
                && refusal.factor() == Factor::Policy
            {
                return Err(refusal.into());
            }
        }
        Ok(())
    }

    /// Lists the tokens of an org, in which the caller is an admin, oldest first.
    pub async fn list_org_tokens(
        &self,
        credential: &Credential,
        slug: &OrgSlug,
        asked: &TokenQuery,
    ) -> Result<Listed, AuthorityError> {
        let (read, _, (org, _)) = self.read_in(credential, Operation::ListOrgTokens, slug).await?;
        self.list(&read, Owner::Org(org.id), asked).await
    }

    /// Shows a token of an org, in which the caller is an admin.
    pub async fn get_org_token(
        &self,
        credential: &Credential,
        slug: &OrgSlug,
        name: &TokenName,
    ) -> Result<Shown, AuthorityError> {
        let (read, caller, (org, _)) = self.read_in(credential, Operation::GetOrgToken, slug).await?;
        let token = named(&read, Owner::Org(org.id), name).await?;
        let view = self.view(&read, token).await?;
        Ok(Shown { view: self.whole(&read, &caller, view).await?, now: read.now() })
    }

    /// Revokes a token of an org, in which the caller is an admin. One that is revoked stays as it is.
    pub async fn revoke_org_token(
        &self,
        credential: &Credential,
        slug: &OrgSlug,
        name: &TokenName,
        reason: Option<&Description>,
    ) -> Result<RevokedToken, AuthorityError> {
        let which = Which { org: Some(slug.clone()), name: name.clone() };
        self.revoke_which(credential, &which, reason).await
    }

    async fn revoke_which(
        &self,
        credential: &Credential,
        which: &Which,
        reason: Option<&Description>,
    ) -> Result<RevokedToken, AuthorityError> {
        retried(|| async {
            let operations = (Operation::RevokeToken, Operation::RevokeOrgToken);
            let (write, caller, token) =
                self.write_token(credential, which, operations, "revoke_token").await?;
            self.revoke(write, &caller, token, reason).await
        })
        .await
    }

    /// Begins a change of a token, which nobody else changes until it ends.
    pub(crate) async fn write_token(
        &self,
        credential: &Credential,
        which: &Which,
        (own, of_org): (Operation, Operation),
        name: &'static str,
    ) -> Result<(Write, Caller, Token), AuthorityError> {
        let (write, caller, token) = match &which.org {
            None => {
                let (write, caller, reach) = self.write_as(credential, own, name).await?;
                let token = reached(&write, &caller, reach, own, &which.name).await?;
                (write, caller, token)
            }
            Some(slug) => {
                let (write, caller, org) = self.write_in(credential, of_org, slug, name).await?;
                let token = named(&write, Owner::Org(org.id), &which.name).await?;
                (write, caller, token)
            }
        };
        let token = write.lock_token(token.id).await?.ok_or_else(|| no_token(&token.name))?;
        Ok((write, caller, token))
    }

    /// Lists the personal tokens of others that may have power in an org, for its admins.
    pub async fn list_personal_tokens(
        &self,
        credential: &Credential,
        slug: &OrgSlug,
        page: TokenPage,
    ) -> Result<Listed, AuthorityError> {
        let (read, _, (org, _)) = self.read_in(credential, Operation::ListPersonalTokens, slug).await?;
        let tokens = read.list_tokens_of_org(org.id, false, page).await?;
        let full = u64::try_from(tokens.len()).is_ok_and(|count| count == page.limit);
        let next = tokens.last().filter(|_| full).map(|token| Cursor { key: Key::Micros(0), id: token.id });
        let views = read.view_tokens(tokens).await?.into_iter().map(|mut view| {
            // Where else it has power is not theirs to know.
            if let Orgs::Only(_) = view.orgs {
                view.orgs = Orgs::Only([slug.clone()].into());
            }
            view.suspended_in.retain(|(of, _)| of == slug);
            self.with_latest_use(view)
        });
        Ok(Listed { views: views.collect(), next, now: read.now() })
    }

    async fn list(&self, read: &Read, owner: Owner, asked: &TokenQuery) -> Result<Listed, AuthorityError> {
        let (tokens, next) = read.list_tokens(owner, asked).await?;
        let views = read.view_tokens(tokens).await?;
        let views = views.into_iter().map(|view| self.with_latest_use(view)).collect();
        Ok(Listed { views, next, now: read.now() })
    }

    /// Lists the personal tokens of the caller's account, oldest first.
    pub async fn list_tokens(
        &self,
        credential: &Credential,
        asked: &TokenQuery,
    ) -> Result<Listed, AuthorityError> {
        let operation = Operation::ListTokens;
        let (read, caller, _) = self.read_as(credential, operation).await?;
        self.list(&read, owner(&caller, operation)?, asked).await
    }

    /// Shows a token of the caller's: a personal one of its account, or itself.
    pub async fn get_token(
        &self,
        credential: &Credential,
        name: &TokenName,
    ) -> Result<Shown, AuthorityError> {
        let operation = Operation::GetToken;
        let (read, caller, reach) = self.read_as(credential, operation).await?;
        let token = reached(&read, &caller, reach, operation, name).await?;
        let view = self.view(&read, token).await?;
        Ok(Shown { view: self.whole(&read, &caller, view).await?, now: read.now() })
    }

    /// Completes what is told of a token: from where it was used, and to a session by whom and why it was revoked.
    async fn whole(
        &self,
        read: &Read,
        caller: &Caller,
        view: TokenView,
    ) -> Result<TokenView, AuthorityError> {
        let used_from = self.uses.with_noted(&view, read.used_from(view.token.id).await?);
        let mut revocation = None;
        if matches!(caller, Caller::Session { .. })
            && let Some((by, reason)) = read.find_revocation(view.token.id).await?
        {
            revocation = Some(Revocation { by: actor_name(read, &by).await?, reason });
        }
        Ok(TokenView { used_from, revocation, ..view })
    }

    /// Revokes a token of the caller's: a personal one of its account, or itself. One that is revoked stays as it is.
    pub async fn revoke_token(
        &self,
        credential: &Credential,
        name: &TokenName,
        reason: Option<&Description>,
    ) -> Result<RevokedToken, AuthorityError> {
        self.revoke_which(credential, &name.clone().into(), reason).await
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
            let token = any_token(&write, name).await?;
            self.revoke(write, &caller, token, None).await
        })
        .await
    }

    async fn revoke(
        &self,
        write: Write,
        caller: &Caller,
        token: Token,
        reason: Option<&Description>,
    ) -> Result<RevokedToken, AuthorityError> {
        let now = write.now();
        let revoked_before = !write.revoke_token(token.id, &caller.actor(), reason).await?;
        let revoked_at = token.revoked_at.filter(|_| revoked_before).or(Some(now));
        let change = Change::TokenRevoked { token: token.id };
        let mut personal = Personal::from([("name", token.name.to_string())]);
        personal.extend(reason.map(|reason| (REASON, reason.to_string())));
        let view = self.view(&write, Token { revoked_at, ..token }).await?;
        let sequence = if revoked_before {
            self.unchanged(write).await?
        } else {
            self.commit(write, caller, change, personal).await?
        };
        Ok(RevokedToken { view, sequence, now })
    }

    pub(crate) async fn view(&self, read: &Read, token: Token) -> Result<TokenView, AuthorityError> {
        let mut views = read.view_tokens(vec![token]).await?;
        let view = views.pop().expect("a view for each token");
        Ok(self.with_latest_use(view))
    }
}

/// Under which key an event's personal bytes tell why.
pub(crate) const REASON: &str = "reason";

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

/// Anybody's token, for the operator; nobody else changes it until this ends.
pub(crate) async fn any_token(write: &Write, name: &AnyToken) -> Result<Token, AuthorityError> {
    let token = match name {
        AnyToken::Id(id) => write.find_token(*id).await?.ok_or_else(|| no_token(id))?,
        AnyToken::Of(handle, label) => {
            let owner = account(write, handle).await?;
            let token = write.find_named_token(Owner::Account(owner.id), label).await?;
            token.ok_or_else(|| no_token(label))?
        }
    };
    write.lock_token(token.id).await?.ok_or_else(|| no_token(&token.name))
}

/// Whose tokens a caller is about.
fn owner(caller: &Caller, operation: Operation) -> Result<Owner, AuthorityError> {
    match caller {
        Caller::Session { account, .. } => Ok(Owner::Account(account.id)),
        Caller::Token { held, .. } => Ok(held.token.owner),
        Caller::Console | Caller::Service { .. } => {
            Err(AuthorityError::NotPermitted { caller: caller.kind(), operation })
        }
    }
}

/// The token of a caller's that goes by a name or an id. Who reaches itself alone is told the same of all
/// others, there or not.
pub(crate) async fn reached(
    read: &Read,
    caller: &Caller,
    reach: Reach,
    operation: Operation,
    name: &TokenName,
) -> Result<Token, AuthorityError> {
    match (reach, caller) {
        (Reach::All, _) => named(read, owner(caller, operation)?, name).await,
        (Reach::Itself(_), Caller::Token { held, .. }) if name.is(&held.token) => Ok(held.token.clone()),
        (Reach::Itself(_), _) => Err(AuthorityError::SessionRequired { caller: caller.kind(), operation }),
    }
}

/// The token of an owner that goes by a name or an id. Another's is as unknown as one that is not.
pub(crate) async fn named(read: &Read, owner: Owner, name: &TokenName) -> Result<Token, AuthorityError> {
    let (token, shown) = match name {
        TokenName::Name(name) => (read.find_named_token(owner, name).await?, name.to_string()),
        TokenName::Id(id) => (read.find_token(*id).await?, id.to_string()),
    };
    token.filter(|token| token.owner == owner).ok_or_else(|| no_token(&shown))
}

pub(crate) fn no_token(name: &impl ToString) -> AuthorityError {
    AuthorityError::NotFound { what: "token", name: name.to_string() }
}

/// The orgs of these names, in each of which the account is a member now.
pub(crate) async fn member_orgs(
    read: &Read,
    account: AccountId,
    orgs: &Orgs<OrgSlug>,
) -> Result<Orgs, AuthorityError> {
    let Orgs::Only(slugs) = orgs else { return Ok(Orgs::All) };
    let memberships = read.list_memberships(account).await?;
    let id_of = |slug: &OrgSlug| -> Result<OrgId, AuthorityError> {
        let membership = memberships.iter().find(|membership| membership.org.slug == *slug);
        let org = &membership.ok_or_else(|| AuthorityError::NotAMember(slug.clone()))?.org;
        unfrozen(org).map(|()| org.id)
    };
    let ids = slugs.iter().map(id_of).collect::<Result<Vec<_>, _>>()?;
    Orgs::only(ids).map_err(|why| AuthorityError::invalid("orgs", why))
}
