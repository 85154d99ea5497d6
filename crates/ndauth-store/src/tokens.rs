//! Tokens, with their orgs, grants, services and networks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use ndauth_core::{
    Account, AccountId, Actions, Actor, Description, Expiry, Grants, Handle, Label, Level, Names, Networks,
    OrgId, OrgSlug, Orgs, Owner, RevocationReason, SecretPrefix, ServiceId, Services, SessionId, Timestamp,
    Token, TokenId, TokenView, WholeSecond,
};
use sea_orm::ActiveValue::Set;
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Expr, ExprTrait, Func, LikeExpr, SimpleExpr};
use sea_orm::{
    ColumnTrait, EntityTrait, Order, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    Select, UpdateMany,
};

use crate::columns::{
    Columns, Ids, NEVER, among, comparable, duration_micros, expiry_micros, lifetime_micros,
};
use crate::error::unless_taken;
use crate::orgs::membership;
use crate::restrictions::{
    ANY_ACTION, Parts, Restrictions, token_grant, token_network, token_org, token_service,
};
use crate::secrets::secret;
use crate::secrets::{Family, FoundSecret};
use crate::{Read, StoreError, Taken, Write};

/// A page of tokens, in the order of their creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenPage {
    /// True if revoked tokens are listed too.
    pub include_revoked: bool,
    /// The token after which the page begins.
    pub after: Option<TokenId>,
    /// The maximum number of tokens.
    pub limit: u64,
}

/// A query for a page of an owner's tokens.
#[derive(Clone, Debug)]
pub struct TokenQuery {
    /// True if revoked tokens are listed too.
    pub include_revoked: bool,
    /// If set, only tokens without a use for this long. A token that was never used counts from its creation.
    pub unused_for: Option<Duration>,
    /// If set, only live tokens that expire within this time.
    pub ends_within: Option<Duration>,
    /// If set, only tokens that it finds.
    pub search: Option<TokenSearch>,
    /// The order.
    pub order: TokenOrder,
    /// True if the order is reversed.
    pub reverse: bool,
    /// The place after which the page begins.
    pub after: Option<Cursor>,
    /// The maximum number of tokens.
    pub limit: u64,
}

/// A search in a list of tokens: it finds a token by any of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSearch {
    /// A part of the name, in any case.
    pub name: String,
    /// The prefix of one of its secrets.
    pub prefix: Option<SecretPrefix>,
    /// The first and the last id of a range.
    pub ids: Option<(Uuid, Uuid)>,
}

/// The order of a list of tokens, whose ties are ordered by creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenOrder {
    /// By creation.
    Made,
    /// By name.
    Name,
    /// By expiry.
    End,
    /// By last use; tokens that were never used come first.
    Use,
}

/// A place in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The sort key of the token at this place.
    pub key: Key,
    /// The id of that token.
    pub id: TokenId,
}

/// A sort key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A name.
    Text(String),
    /// An instant; zero if the order is by id alone.
    Micros(i64),
}

impl TokenQuery {
    /// Returns a query for all tokens from the first on, in the order of their creation.
    pub const fn all(include_revoked: bool, limit: u64) -> TokenQuery {
        TokenQuery {
            include_revoked,
            unused_for: None,
            ends_within: None,
            search: None,
            order: TokenOrder::Made,
            reverse: false,
            after: None,
            limit,
        }
    }
}

impl TokenOrder {
    fn key(self, row: &token::Model) -> Key {
        match self {
            TokenOrder::Made => Key::Micros(0),
            TokenOrder::Name => Key::Text(row.name.clone()),
            TokenOrder::End => Key::Micros(row.expires_at),
            TokenOrder::Use => Key::Micros(row.last_used_at.unwrap_or(0)),
        }
    }

    fn column(self) -> SimpleExpr {
        match self {
            TokenOrder::Made => Expr::value(0_i64),
            TokenOrder::Name => token::Column::Name.into_expr(),
            TokenOrder::End => token::Column::ExpiresAt.into_expr(),
            // Written as the index has it: a bound value would be another expression, which the index does
            // not serve.
            TokenOrder::Use => {
                Func::coalesce([token::Column::LastUsedAt.into_expr(), Expr::cust("0")]).into()
            }
        }
    }

    /// Returns true if a key belongs to this order.
    pub fn fits(self, key: &Key) -> bool {
        matches!((self, key), (TokenOrder::Name, Key::Text(_)))
            || self != TokenOrder::Name && matches!(key, Key::Micros(_))
    }
}

impl Read {
    /// Returns the token with this id.
    pub async fn find_token(&self, id: TokenId) -> Result<Option<Token>, StoreError> {
        let row = token::Entity::find_by_id(id.uuid()).one(&self.transaction).await?;
        Ok(self.tokens_from_rows(row.into_iter().collect()).await?.pop())
    }

    /// Returns the owner's token that has this name: live or expired, but not revoked.
    pub async fn find_named_token(&self, owner: Owner, name: &Label) -> Result<Option<Token>, StoreError> {
        let row = token::Entity::find()
            .filter(owned_by(owner))
            .filter(token::Column::LiveName.eq(name.as_str()))
            .one(&self.transaction)
            .await?;
        Ok(self.tokens_from_rows(row.into_iter().collect()).await?.pop())
    }

    /// Returns the number of an account's tokens that are neither revoked nor expired and have a usable
    /// secret.
    pub async fn count_live_tokens(&self, owner: AccountId) -> Result<u64, StoreError> {
        Ok(self.live_tokens(Owner::Account(owner)).await?.count(&self.transaction).await?)
    }

    /// Returns the names and ends of the live tokens of an org that end, those that end next first, up to a limit.
    pub async fn list_org_token_ends(
        &self,
        org: OrgId,
        limit: u64,
    ) -> Result<Vec<(Label, Timestamp)>, StoreError> {
        let ending = self.live_tokens(Owner::Org(org)).await?.filter(token::Column::ExpiresAt.lt(NEVER));
        let rows: Vec<(Uuid, String, i64)> = ending
            .select_only()
            .columns([token::Column::Id, token::Column::Name, token::Column::ExpiresAt])
            .order_by_asc(token::Column::ExpiresAt)
            .order_by_asc(token::Column::Id)
            .limit(limit)
            .into_tuple()
            .all(&self.transaction)
            .await?;
        rows.into_iter()
            .map(|(id, name, end)| {
                let columns = Columns { table: "token", id };
                Ok((columns.text("name", &name)?, columns.instant("expires_at", end)?))
            })
            .collect()
    }

    /// The tokens of an owner that live: neither expired nor revoked, with a secret that serves or may yet.
    async fn live_tokens(&self, owner: Owner) -> Result<Select<token::Entity>, StoreError> {
        let not_before = self.owner_not_before(owner).await?.micros();
        // Of each of them, looked up by its index: there may be millions of others.
        let serving = secret::Entity::find()
            .select_only()
            .column(secret::Column::Id)
            .filter(secret::Column::TokenId.into_expr().eq(token::Column::Id.into_expr()))
            .filter(secret::authorized_at().gte(not_before))
            .filter(secret::Column::EndsAt.gt(self.now().micros()))
            .into_query();
        Ok(underived()
            .filter(owned_by(owner))
            .filter(token::Column::RevokedAt.is_null())
            .filter(token::Column::ExpiresAt.gt(self.now().micros()))
            .filter(Expr::exists(serving)))
    }

    /// Returns the instant before which an owner's secrets are revoked.
    pub async fn owner_not_before(&self, owner: Owner) -> Result<Timestamp, StoreError> {
        let own = match owner {
            Owner::Account(id) => self.find_account(id).await?.map(|account| account.not_before),
            Owner::Org(id) => self.find_org(id).await?.map(|org| org.not_before),
        };
        Ok(self.installation().not_before.max(own.unwrap_or(Timestamp::MIN)))
    }

    /// Returns a page of an owner's tokens, and the place after which the next page begins if there may be
    /// one.
    pub async fn list_tokens(
        &self,
        owner: Owner,
        asked: &TokenQuery,
    ) -> Result<(Vec<Token>, Option<Cursor>), StoreError> {
        let key = asked.order.column();
        let mut query = underived().filter(owned_by(owner));
        if !asked.include_revoked {
            query = query.filter(token::Column::RevokedAt.is_null());
        }
        let now = self.now().micros();
        if let Some(span) = asked.unused_for {
            let used =
                Func::coalesce([token::Column::LastUsedAt.into_expr(), token::Column::CreatedAt.into_expr()]);
            query = query.filter(SimpleExpr::from(used).lt(now.saturating_sub(duration_micros(span))));
        }
        if let Some(span) = asked.ends_within {
            query = query
                .filter(token::Column::ExpiresAt.lt(now.saturating_add(duration_micros(span))))
                .filter(token::Column::ExpiresAt.gt(now));
        }
        if let Some(TokenSearch { name, prefix, ids }) = &asked.search {
            let mut found = name_has(name);
            if let Some(prefix) = prefix {
                found = found.or(has_prefix(*prefix));
            }
            if let Some((low, high)) = ids {
                found = found.or(token::Column::Id.between(*low, *high));
            }
            query = query.filter(found);
        }
        if let Some(Cursor { key: at, id }) = &asked.after {
            let at = match at {
                Key::Text(text) => Expr::value(text.as_str()),
                Key::Micros(micros) => Expr::value(*micros),
            };
            let place = Expr::tuple([key.clone(), token::Column::Id.into_expr()]);
            let last = Expr::tuple([at, Expr::value(id.uuid())]);
            query = query.filter(if asked.reverse { place.lt(last) } else { place.gt(last) });
        }
        let direction = if asked.reverse { Order::Desc } else { Order::Asc };
        if asked.order != TokenOrder::Made {
            query = query.order_by(key, direction.clone());
        }
        let rows =
            query.order_by(token::Column::Id, direction).limit(asked.limit).all(&self.transaction).await?;
        let full = u64::try_from(rows.len()).is_ok_and(|count| count == asked.limit);
        let next = rows
            .last()
            .filter(|_| full)
            .map(|row| Cursor { key: asked.order.key(row), id: TokenId::from_uuid(row.id) });
        Ok((self.tokens_from_rows(rows).await?, next))
    }

    /// Returns a page of the tokens that may have power in an org: the org's own, if `own` is true, and those
    /// of its members that are not restricted to other orgs.
    pub async fn list_tokens_of_org(
        &self,
        org: OrgId,
        own: bool,
        page: TokenPage,
    ) -> Result<Vec<Token>, StoreError> {
        let members = membership::Entity::find()
            .select_only()
            .column(membership::Column::AccountId)
            .filter(membership::Column::OrgId.eq(org.uuid()))
            .filter(membership::Column::RemovedAt.is_null())
            .into_query();
        let personal = token::Column::AccountId.in_subquery(members).and(is_for(org));
        let mut tokens = self.token_page(underived().filter(personal), page).await?;
        if own {
            // A query of its own, in the order of an index. One query for both sorts all of them for each page.
            tokens.extend(self.list_tokens_page(Owner::Org(org), page).await?);
            tokens.sort_by_key(|token| token.id);
            tokens.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
        }
        Ok(tokens)
    }

    /// Returns a page of an owner's tokens, in the order of their creation.
    pub async fn list_tokens_page(&self, owner: Owner, page: TokenPage) -> Result<Vec<Token>, StoreError> {
        self.token_page(underived().filter(owned_by(owner)), page).await
    }

    /// Returns an account's tokens that are neither revoked nor expired and that cover an org, by name or
    /// with all.
    pub async fn list_live_tokens_for(
        &self,
        account: AccountId,
        org: OrgId,
    ) -> Result<Vec<Token>, StoreError> {
        let live = self.live_tokens(Owner::Account(account)).await?.filter(is_for(org));
        self.token_page(live, TokenPage { include_revoked: false, after: None, limit: LIVE_TOKENS_LIMIT })
            .await
    }

    /// Returns a page of everyone's tokens, including those derived from sessions.
    pub async fn list_every_token(&self, page: TokenPage) -> Result<Vec<Token>, StoreError> {
        self.token_page(token::Entity::find(), page).await
    }

    async fn token_page(
        &self,
        query: Select<token::Entity>,
        page: TokenPage,
    ) -> Result<Vec<Token>, StoreError> {
        let mut query = query.order_by_asc(token::Column::Id).limit(page.limit);
        if !page.include_revoked {
            query = query.filter(token::Column::RevokedAt.is_null());
        }
        if let Some(after) = page.after {
            query = query.filter(token::Column::Id.gt(after.uuid()));
        }
        let rows = query.all(&self.transaction).await?;
        self.tokens_from_rows(rows).await
    }

    /// Returns the actor of a token's revocation, its reason and its note, if they were recorded.
    pub async fn find_revocation(
        &self,
        id: TokenId,
    ) -> Result<Option<(Actor, RevocationReason, Option<Description>)>, StoreError> {
        let Some(row) = token::Entity::find_by_id(id.uuid()).one(&self.transaction).await? else {
            return Ok(None);
        };
        let columns = Columns { table: "token", id: row.id };
        let (Some(by), Some(code)) = (row.revoked_by, row.revoked_code) else { return Ok(None) };
        let by = serde_json::from_str(&by).map_err(|_| columns.corrupt("revoked_by"))?;
        let reason = RevocationReason::from_code(&code).ok_or_else(|| columns.corrupt("revoked_code"))?;
        Ok(Some((by, reason, columns.text_or_null("revoked_reason", row.revoked_reason.as_deref())?)))
    }

    /// Returns these tokens as their owner sees them, in the same order.
    pub async fn view_tokens(&self, tokens: Vec<Token>) -> Result<Vec<TokenView>, StoreError> {
        let ids: Vec<TokenId> = tokens.iter().map(|token| token.id).collect();
        let mut secrets: BTreeMap<TokenId, Vec<FoundSecret>> = BTreeMap::new();
        for secret in self.secrets_of_tokens(&ids).await? {
            if let Family::Token(id) = secret.family {
                secrets.entry(id).or_default().push(secret);
            }
        }
        let restricted = tokens.iter().filter_map(|token| match &token.orgs {
            Orgs::All => None,
            Orgs::Only(orgs) => Some(orgs),
        });
        let owning = tokens.iter().filter_map(|token| match token.owner {
            Owner::Account(_) => None,
            Owner::Org(org) => Some(org),
        });
        let suspending = tokens.iter().flat_map(|token| &token.suspensions).filter_map(|suspension| {
            match suspension.level {
                Level::Org(org) => Some(org),
                Level::Owner | Level::Operator => None,
            }
        });
        let named: BTreeSet<_> = restricted.flatten().copied().chain(owning).chain(suspending).collect();
        let orgs = self.org_names(named).await?;
        let owners = tokens.iter().filter_map(|token| match token.owner {
            Owner::Account(account) => Some(account),
            Owner::Org(_) => None,
        });
        let accounts = self.accounts_by_id(owners.collect::<BTreeSet<_>>()).await?;
        let audiences = tokens.iter().filter_map(|token| match &token.services {
            Services::All => None,
            Services::Only(services) => Some(services),
        });
        let services = self.service_names(audiences.flatten().copied().collect::<BTreeSet<_>>()).await?;
        let names = Named { orgs, accounts, services, not_before: self.installation().not_before };
        let view = |token: Token| {
            let mut secrets = secrets.remove(&token.id).unwrap_or_default();
            secrets.sort_unstable_by_key(|secret| (secret.record.minted_at, secret.record.id));
            if secrets.is_empty() {
                return Err(StoreError::corrupt("secret", "token_id", token.id));
            }
            let id = token.id;
            let secrets = secrets.into_iter().map(FoundSecret::view).collect();
            TokenView::new(token, secrets, &names).ok_or_else(|| StoreError::corrupt("token", "owner", id))
        };
        tokens.into_iter().map(view).collect()
    }

    /// Reads the orgs, grants and other restrictions of these tokens, for all at once.
    pub(crate) async fn tokens_from_rows(&self, rows: Vec<token::Model>) -> Result<Vec<Token>, StoreError> {
        let ids = Ids::These(rows.iter().map(|row| row.id).collect());
        self.tokens_from_rows_of(rows, &ids).await
    }

    /// Reads these rows' restrictions. `ids` selects the same tokens as the rows.
    pub(crate) async fn tokens_from_rows_of(
        &self,
        rows: Vec<token::Model>,
        ids: &Ids,
    ) -> Result<Vec<Token>, StoreError> {
        let parts = Parts {
            orgs: rows.iter().any(|row| !row.all_orgs),
            grants: rows.iter().any(|row| !row.all_grants),
            services: rows.iter().any(|row| !row.all_services),
            networks: rows.iter().any(|row| !row.all_networks),
        };
        let mut restrictions =
            match (rows.iter().map(|row| row.id).min(), rows.iter().map(|row| row.id).max()) {
                (Some(first), Some(last)) => self.restrictions(ids, (first, last), parts).await?,
                _ => HashMap::new(),
            };
        let token = |row: token::Model| {
            let rows = restrictions.remove(&row.id).unwrap_or_default();
            token_from_rows(&row, rows)
        };
        rows.into_iter().map(token).collect()
    }
}

/// Selects the tokens that owners created. Tokens derived from sessions are not listed.
pub(crate) fn underived() -> Select<token::Entity> {
    token::Entity::find().filter(token::Column::SessionId.is_null())
}

/// Returns the condition that a token's name has a part, in any case of ASCII letters.
fn name_has(part: &str) -> SimpleExpr {
    let part = comparable(part).to_lowercase();
    let escaped = part.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    let pattern = LikeExpr::new(format!("%{escaped}%")).escape('\\');
    SimpleExpr::from(Func::lower(token::Column::Name.into_expr())).like(pattern)
}

/// Returns the condition that a token is for an org, by its name or with all. Each token's orgs are looked up by their
/// index: an org may own millions.
fn is_for(org: OrgId) -> SimpleExpr {
    let named = token_org::Entity::find()
        .select_only()
        .column(token_org::Column::TokenId)
        .filter(token_org::Column::TokenId.into_expr().eq(token::Column::Id.into_expr()))
        .filter(token_org::Column::OrgId.eq(org.uuid()))
        .into_query();
    token::Column::AllOrgs.eq(true).or(Expr::exists(named))
}

/// Returns the condition that one of a token's secrets has a prefix. Each token's secrets are looked up by their index:
/// others may have millions.
pub(crate) fn has_prefix(prefix: SecretPrefix) -> SimpleExpr {
    let of_prefix = secret::Entity::find()
        .select_only()
        .column(secret::Column::Id)
        .filter(secret::Column::TokenId.into_expr().eq(token::Column::Id.into_expr()))
        .filter(secret::Column::Prefix.eq(prefix.to_string()))
        .into_query();
    Expr::exists(of_prefix)
}

pub(crate) fn owned_by(owner: Owner) -> SimpleExpr {
    match owner {
        Owner::Account(id) => token::Column::AccountId.eq(id.uuid()),
        Owner::Org(id) => token::Column::OrgId.eq(id.uuid()),
    }
}

impl Write {
    /// Adds a token under its name, unless another token of its owner has that name.
    pub async fn insert_token(&self, token: &Token) -> Result<Result<(), Taken>, StoreError> {
        self.insert(token, None).await
    }

    /// Adds a token that was derived from a session. It takes no name.
    pub async fn insert_derived_token(&self, token: &Token, session: SessionId) -> Result<(), StoreError> {
        // Only its id is unique, so the insert cannot conflict.
        self.insert(token, Some(session)).await.map(drop)
    }

    async fn insert(
        &self,
        token: &Token,
        session: Option<SessionId>,
    ) -> Result<Result<(), Taken>, StoreError> {
        let (account_id, org_id) = match token.owner {
            Owner::Account(id) => (Some(id.uuid()), None),
            Owner::Org(id) => (None, Some(id.uuid())),
        };
        let row = token::ActiveModel {
            id: Set(token.id.uuid()),
            account_id: Set(account_id),
            org_id: Set(org_id),
            name: Set(token.name.to_string()),
            live_name: Set(session.is_none().then(|| token.name.to_string())),
            session_id: Set(session.map(SessionId::uuid)),
            description: Set(token.description.as_ref().map(ToString::to_string)),
            scope: Set(token.scope.to_string()),
            all_services: Set(token.services == Services::All),
            all_networks: Set(token.networks == Networks::All),
            all_orgs: Set(token.orgs == Orgs::All),
            all_grants: Set(token.grants == Grants::All),
            created_at: Set(token.created_at.micros()),
            lifetime: Set(lifetime_micros(token.lifetime)),
            expires_at: Set(expiry_micros(token.expires_at)),
            revoked_at: Set(token.revoked_at.map(Timestamp::micros)),
            revoked_by: Set(None),
            revoked_code: Set(None),
            revoked_reason: Set(None),
            self_rotating_until: Set(token.self_rotating_until.map(|until| until.begin().micros())),
            last_used_at: Set(None),
        };
        if unless_taken(token::Entity::insert(row).exec_without_returning(&self.transaction).await)?.is_err()
        {
            return Ok(Err(Taken));
        }
        if let Orgs::Only(orgs) = &token.orgs {
            let rows = orgs.iter().map(|org| token_org::ActiveModel {
                token_id: Set(token.id.uuid()),
                org_id: Set(org.uuid()),
            });
            token_org::Entity::insert_many(rows).exec_without_returning(&self.transaction).await?;
        }
        if let Services::Only(services) = &token.services {
            let rows = services.iter().map(|service| token_service::ActiveModel {
                token_id: Set(token.id.uuid()),
                service_id: Set(service.uuid()),
            });
            token_service::Entity::insert_many(rows).exec_without_returning(&self.transaction).await?;
        }
        if let Networks::Only(networks) = &token.networks {
            let rows = networks.iter().map(|network| token_network::ActiveModel {
                token_id: Set(token.id.uuid()),
                network: Set(network.to_string()),
            });
            token_network::Entity::insert_many(rows).exec_without_returning(&self.transaction).await?;
        }
        if let Grants::Only(_) = token.grants {
            let rows = grant_rows(token);
            token_grant::Entity::insert_many(rows).exec_without_returning(&self.transaction).await?;
        }
        Ok(Ok(()))
    }

    /// Returns the token with this id, and locks it against other changes until this one ends.
    pub async fn lock_token(&self, id: TokenId) -> Result<Option<Token>, StoreError> {
        let row = token::Entity::find_by_id(id.uuid()).lock_exclusive().one(&self.transaction).await?;
        Ok(self.tokens_from_rows(row.into_iter().collect()).await?.pop())
    }

    /// Sets the expiry of a token.
    pub async fn set_token_end(&self, id: TokenId, end: Expiry) -> Result<(), StoreError> {
        token::Entity::update_many()
            .col_expr(token::Column::ExpiresAt, Expr::value(expiry_micros(end)))
            .filter(token::Column::Id.eq(id.uuid()))
            .exec(&self.transaction)
            .await?;
        Ok(())
    }

    /// Releases a token's name, so that another token may have it.
    pub async fn release_name(&self, id: TokenId) -> Result<(), StoreError> {
        token::Entity::update_many()
            .col_expr(token::Column::LiveName, Expr::value(Option::<String>::None))
            .filter(token::Column::Id.eq(id.uuid()))
            .exec(&self.transaction)
            .await?;
        Ok(())
    }

    /// Sets the description of a token.
    pub async fn set_description(
        &self,
        id: TokenId,
        description: Option<&Description>,
    ) -> Result<(), StoreError> {
        token::Entity::update_many()
            .col_expr(token::Column::Description, Expr::value(description.map(ToString::to_string)))
            .filter(token::Column::Id.eq(id.uuid()))
            .exec(&self.transaction)
            .await?;
        Ok(())
    }

    /// Marks a token as revoked, records the actor, the reason and the note, and releases its name. Returns
    /// true if it was not revoked before.
    pub async fn revoke_token(
        &self,
        id: TokenId,
        by: &Actor,
        reason: RevocationReason,
        note: Option<&Description>,
    ) -> Result<bool, StoreError> {
        let revoked = self
            .revoke(by, reason)
            .col_expr(token::Column::RevokedReason, Expr::value(note.map(ToString::to_string)))
            .filter(token::Column::Id.eq(id.uuid()));
        Ok(revoked.exec(&self.transaction).await?.rows_affected == 1)
    }

    /// Marks as revoked every token of an owner whose secrets were all minted before an instant, including
    /// those derived from sessions. Returns their number.
    ///
    /// Concurrent minting for that owner's tokens must be locked out: see [`Write::lock_account`] and
    /// [`Write::lock_org`].
    pub async fn revoke_minted_before(
        &self,
        owner: Owner,
        not_before: Timestamp,
        by: &Actor,
        reason: RevocationReason,
    ) -> Result<u64, StoreError> {
        // An org may have very many tokens, and this must not fail for that.
        self.lift_timeouts().await?;
        // A subquery per token, looked up by its index.
        let minted_since = secret::Entity::find()
            .select_only()
            .column(secret::Column::Id)
            .filter(secret::Column::TokenId.into_expr().eq(token::Column::Id.into_expr()))
            .filter(secret::authorized_at().gte(not_before.micros()))
            .into_query();
        let revoked =
            self.revoke(by, reason).filter(owned_by(owner)).filter(Expr::exists(minted_since).not());
        Ok(revoked.exec(&self.transaction).await?.rows_affected)
    }

    /// Returns an update that marks tokens as revoked, unless they are revoked already.
    fn revoke(&self, by: &Actor, reason: RevocationReason) -> UpdateMany<token::Entity> {
        let by = serde_json::to_string(by).expect("an actor is plain data");
        token::Entity::update_many()
            .col_expr(token::Column::RevokedAt, Expr::value(self.now().micros()))
            .col_expr(token::Column::RevokedBy, Expr::value(by))
            .col_expr(token::Column::RevokedCode, Expr::value(reason.code()))
            .col_expr(token::Column::LiveName, Expr::value(Option::<String>::None))
            .filter(token::Column::RevokedAt.is_null())
    }
}

fn token_from_rows(row: &token::Model, rows: Restrictions) -> Result<Token, StoreError> {
    let columns = Columns { table: "token", id: row.id };
    let owner = match (row.account_id, row.org_id) {
        (Some(id), None) => Owner::Account(AccountId::from_uuid(id)),
        (None, Some(id)) => Owner::Org(OrgId::from_uuid(id)),
        _ => return Err(columns.corrupt("account_id")),
    };
    let grants = if row.all_grants {
        Grants::All
    } else {
        Grants::only(rows.grants).map_err(|_| columns.corrupt("all_grants"))?
    };
    Ok(Token {
        id: TokenId::from_uuid(row.id),
        owner,
        name: columns.text("name", &row.name)?,
        description: columns.text_or_null("description", row.description.as_deref())?,
        scope: columns.text("scope", &row.scope)?,
        grants,
        orgs: among(row.all_orgs, rows.orgs).map_err(|_| columns.corrupt("all_orgs"))?,
        services: among(row.all_services, rows.services).map_err(|_| columns.corrupt("all_services"))?,
        networks: among(row.all_networks, rows.networks).map_err(|_| columns.corrupt("all_networks"))?,
        created_at: columns.instant("created_at", row.created_at)?,
        lifetime: columns.lifetime("lifetime", row.lifetime)?,
        expires_at: columns.expiry("expires_at", row.expires_at)?,
        revoked_at: columns.instant_or_null("revoked_at", row.revoked_at)?,
        self_rotating_until: columns
            .instant_or_null("self_rotating_until", row.self_rotating_until)?
            .map(WholeSecond::of),
        suspensions: rows.suspensions.into(),
    })
}

/// The names behind the ids in some tokens.
struct Named {
    orgs: BTreeMap<OrgId, (OrgSlug, Timestamp)>,
    accounts: BTreeMap<AccountId, Account>,
    services: BTreeMap<ServiceId, Label>,
    not_before: Timestamp,
}

impl Names for Named {
    fn account(&self, id: AccountId) -> Option<(Handle, Timestamp)> {
        self.accounts.get(&id).map(|account| (account.handle.clone(), account.not_before))
    }

    fn org(&self, id: OrgId) -> Option<(OrgSlug, Timestamp)> {
        self.orgs.get(&id).cloned()
    }

    fn service(&self, id: ServiceId) -> Option<Label> {
        self.services.get(&id).cloned()
    }

    fn not_before(&self) -> Timestamp {
        self.not_before
    }
}

/// Returns one row for each action of each grant.
fn grant_rows(token: &Token) -> Vec<token_grant::ActiveModel> {
    let Grants::Only(set) = &token.grants else { return Vec::new() };
    let row = |resource_type: &str, resource_id: &str, action: &str| token_grant::ActiveModel {
        token_id: Set(token.id.uuid()),
        resource_type: Set(resource_type.to_owned()),
        resource_id: Set(resource_id.to_owned()),
        action: Set(action.to_owned()),
    };
    set.iter()
        .flat_map(|(resource_type, ids, actions)| {
            let ids = ids.to_string();
            let actions: Vec<&str> = match actions {
                Actions::Any => vec![ANY_ACTION],
                Actions::Only(actions) => actions.iter().map(ndauth_core::Action::as_str).collect(),
            };
            actions.into_iter().map(|action| row(resource_type.as_str(), &ids, action)).collect::<Vec<_>>()
        })
        .collect()
}

/// A limit that the number of an account's live tokens never reaches.
const LIVE_TOKENS_LIMIT: u64 = 100;

#[expect(unreachable_pub, reason = "what the derive makes is public; the module is not")]
pub(crate) mod token {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "token")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub account_id: Option<Uuid>,
        pub org_id: Option<Uuid>,
        pub name: String,
        pub live_name: Option<String>,
        pub description: Option<String>,
        pub scope: String,
        pub all_orgs: bool,
        pub all_grants: bool,
        pub all_services: bool,
        pub all_networks: bool,
        pub created_at: i64,
        pub lifetime: i64,
        pub expires_at: i64,
        pub revoked_at: Option<i64>,
        pub revoked_by: Option<String>,
        pub revoked_code: Option<String>,
        pub revoked_reason: Option<String>,
        pub self_rotating_until: Option<i64>,
        pub last_used_at: Option<i64>,
        pub session_id: Option<Uuid>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
