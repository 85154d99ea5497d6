//! The state that a mirror keeps, read page by page, or again when an event says so.
//!
//! A corrupt row affects no other: it is reported apart from the valid ones, and logged.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use ndauth_core::{
    Account, AccountId, Org, OrgId, Policies, Role, SecretHash, SecretRecord, Service, ServiceId, SessionId,
    Timestamp, Token, TokenId,
};
use sea_orm::prelude::Uuid;
use sea_orm::sqlx::Executor as _;
use sea_orm::sqlx::postgres::PgListener;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IdenStatic, QueryFilter, QueryOrder, QuerySelect, Statement,
};
use tokio::time::timeout;

use crate::accounts::account;
use crate::columns::Ids;
use crate::lease::TIMEOUT;
use crate::orgs::{membership, org};
use crate::pool::Connections;
use crate::secrets::Family;
use crate::secrets::secret;
use crate::services::service;
use crate::tokens::token;
use crate::{Engine, Read, Store, StoreError};

/// The result of a read, with the corrupt rows set apart.
#[derive(Debug)]
pub struct Partitioned<T, B> {
    /// The valid ones.
    pub sound: Vec<T>,
    /// The ids or hashes of the corrupt ones.
    pub broken: Vec<B>,
}

/// A token or a service, with every secret that it has had, by hash, oldest first.
#[derive(Clone, Debug)]
pub struct WithSecrets<T> {
    /// The token or the service.
    pub of: T,
    /// Its secrets, at least one.
    pub secrets: Vec<(SecretHash, SecretRecord)>,
}

/// An account, with its role in each org of which it is a member, ordered by the org's id.
#[derive(Clone, Debug)]
pub struct Person {
    /// The account.
    pub account: Account,
    /// Its roles.
    pub roles: Box<[(OrgId, Role)]>,
}

/// An org, deleted or not, with its policies.
#[derive(Clone, Debug)]
pub struct Place {
    /// The org.
    pub org: Org,
    /// Its policies.
    pub policies: Policies,
}

/// A page of the state that a mirror keeps, ordered by id.
#[derive(Debug)]
pub struct Page<T, B, Id> {
    /// The rows of this page.
    pub read: Partitioned<T, B>,
    /// The last id of this page, after which the next page begins.
    pub last: Id,
}

/// The number of rows of the state that a mirror keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowCounts {
    /// Tokens.
    pub tokens: u64,
    /// Accounts.
    pub accounts: u64,
    /// Tokens that have been dead for some time.
    pub dead: u64,
}

/// A listener for changes by any instance, through PostgreSQL's `LISTEN`. A SQLite file offers none.
pub struct Listener(PgListener);

/// The number of orgs that are read at once.
const ORGS: usize = 1000;
/// The notification channel of PostgreSQL.
const CHANNEL: &str = "ndauth_head";
/// The time without a notification after which the connection is checked.
const CHECK_AFTER: Duration = Duration::from_secs(5);

impl Store {
    /// Returns a listener for changes by any instance, if the database can notify.
    pub async fn listen(&self) -> Result<Option<Listener>, StoreError> {
        let Connections::Postgres(pool) = &self.pool.connections else { return Ok(None) };
        let connected = timeout(TIMEOUT, async {
            let mut listener = PgListener::connect_with(pool).await?;
            listener.listen(CHANNEL).await?;
            Ok::<_, sea_orm::sqlx::Error>(listener)
        });
        Ok(Some(Listener(connected.await.map_err(StoreError::unavailable)??)))
    }
}

impl Listener {
    /// Waits until a change is notified. If nothing is received for some time, it checks the connection.
    pub async fn wait_for_change(&mut self) -> Result<(), StoreError> {
        loop {
            match timeout(CHECK_AFTER, self.0.try_recv()).await {
                Ok(Ok(Some(_))) => return Ok(()),
                Ok(Ok(None)) => {
                    return Err(StoreError::unavailable("the listening connection was closed"));
                }
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => {
                    let asked = timeout(TIMEOUT, (&mut self.0).execute("SELECT 1"));
                    asked.await.map_err(StoreError::unavailable)??;
                }
            }
        }
    }
}

impl Read {
    /// Lifts the timeouts of this view's statements.
    pub async fn lift_timeouts(&self) -> Result<(), StoreError> {
        self.transaction.lift_timeouts();
        if self.engine() == Engine::Postgres {
            let limits = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";
            self.transaction.execute_unprepared(limits).await?;
        }
        Ok(())
    }

    /// Sends each query of this view unprepared, in one round trip. That pays for few rows at a distance.
    pub fn use_simple_protocol(&self) {
        self.transaction.use_simple_protocol();
    }

    /// Prepares the queries of this view again. That pays for many rows.
    pub fn use_prepared_statements(&self) {
        self.transaction.use_prepared_statements();
    }

    /// Counts the rows that a mirror keeps. Tokens count as dead if they died at least this long ago.
    pub async fn census(&self, kept_whole: Duration) -> Result<RowCounts, StoreError> {
        let sql = "SELECT (SELECT count(*) FROM token) AS tokens, (SELECT count(*) FROM account) AS accounts, \
             (SELECT count(*) FROM token WHERE revoked_at < $1 OR expires_at < $1) AS dead";
        let before = self.now().checked_sub(kept_whole).unwrap_or(Timestamp::MIN);
        let backend = self.transaction.get_database_backend();
        let statement = Statement::from_sql_and_values(backend, sql, [before.micros().into()]);
        let row = self.transaction.query_one_raw(statement).await?;
        let row = row.ok_or_else(|| StoreError::corrupt("token", "id", "-"))?;
        let count = |column| -> Result<u64, StoreError> {
            Ok(u64::try_from(row.try_get::<i64>("", column)?).unwrap_or_default())
        };
        Ok(RowCounts { tokens: count("tokens")?, accounts: count("accounts")?, dead: count("dead")? })
    }

    /// Returns the next tokens by id, with their secrets, up to a limit, or `None` after the last. Corrupt
    /// ones are reported by the hashes of their secrets.
    pub async fn next_tokens(
        &self,
        after: Option<TokenId>,
        limit: u64,
    ) -> Result<Option<Page<WithSecrets<Token>, SecretHash, TokenId>>, StoreError> {
        let after = after.map(TokenId::uuid);
        let Some(last) = self.last_of_run::<token::Entity>(token::Column::Id, after, limit).await? else {
            return Ok(None);
        };
        let read = self.tokens_with(Ids::Run { after, last }).await?;
        Ok(Some(Page { read, last: TokenId::from_uuid(last) }))
    }

    /// Returns the last id of a run of at most this many ids after one, or `None` if there are no more.
    async fn last_of_run<E: EntityTrait>(
        &self,
        id: E::Column,
        after: Option<Uuid>,
        limit: u64,
    ) -> Result<Option<Uuid>, StoreError> {
        let mut rest = E::find().select_only().column(id);
        if let Some(after) = after {
            rest = rest.filter(id.gt(after));
        }
        let full = rest.clone().order_by_asc(id).offset(limit.saturating_sub(1)).limit(1);
        match full.into_tuple().one(&self.transaction).await? {
            Some(last) => Ok(Some(last)),
            None => Ok(rest.order_by_desc(id).limit(1).into_tuple().one(&self.transaction).await?),
        }
    }

    /// Returns these tokens with their secrets.
    pub async fn tokens(
        &self,
        ids: &[TokenId],
    ) -> Result<Partitioned<WithSecrets<Token>, SecretHash>, StoreError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        self.tokens_with(Ids::These(ids)).await
    }

    /// Returns the tokens that were derived from these sessions, or from any session of these accounts, with
    /// their secrets.
    pub async fn derived_tokens(
        &self,
        sessions: &[SessionId],
        accounts: &[AccountId],
    ) -> Result<Partitioned<WithSecrets<Token>, SecretHash>, StoreError> {
        let ids = self.derived_from(sessions, accounts).await?;
        self.tokens_with(Ids::These(ids)).await
    }

    async fn tokens_with(&self, ids: Ids) -> Result<Partitioned<WithSecrets<Token>, SecretHash>, StoreError> {
        let Partitioned { sound, broken } = self
            .partition_corrupt::<token::Entity, _, _>(token::Column::Id, ids, |ids| async move {
                let rows = token::Entity::find().filter(ids.hold(token::Column::Id));
                let rows = ids.read(&rows, &self.transaction).await?;
                let tokens = self.tokens_from_rows_of(rows, &ids).await?;
                let secrets = self.records(secret::Column::TokenId, &ids).await?;
                kin(tokens, |token| Family::Token(token.id), secrets)
            })
            .await?;
        Ok(Partitioned { sound, broken: self.hashes(secret::Column::TokenId, broken).await? })
    }

    /// Returns every service, revoked or not, with its secrets.
    pub async fn every_service(&self) -> Result<Partitioned<WithSecrets<Service>, SecretHash>, StoreError> {
        let ids = service::Entity::find().select_only().column(service::Column::Id);
        let ids: Vec<Uuid> = ids.into_tuple().all(&self.transaction).await?;
        let ids: Vec<ServiceId> = ids.into_iter().map(ServiceId::from_uuid).collect();
        self.services(&ids).await
    }

    /// Returns these services with their secrets.
    pub async fn services(
        &self,
        ids: &[ServiceId],
    ) -> Result<Partitioned<WithSecrets<Service>, SecretHash>, StoreError> {
        let Partitioned { sound, broken } = partition_corrupt(ids, |ids: Vec<_>| async move {
            let mut services = Vec::with_capacity(ids.len());
            for id in &ids {
                services.extend(self.find_service(*id).await?);
            }
            let ids = Ids::These(ids.into_iter().map(ServiceId::uuid).collect());
            let secrets = self.records(secret::Column::ServiceId, &ids).await?;
            kin(services, |service| Family::Service(service.id), secrets)
        })
        .await?;
        let broken = broken.into_iter().map(ServiceId::uuid).collect();
        Ok(Partitioned { sound, broken: self.hashes(secret::Column::ServiceId, broken).await? })
    }

    /// Returns the hashes of the secrets of corrupt families.
    async fn hashes(&self, family: secret::Column, ids: Vec<Uuid>) -> Result<Vec<SecretHash>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let query =
            secret::Entity::find().select_only().column(secret::Column::Hash).filter(family.is_in(ids));
        let hashes: Vec<Vec<u8>> = query.into_tuple().all(&self.transaction).await?;
        // A hash of another length cannot be looked up.
        Ok(hashes
            .into_iter()
            .filter_map(|hash| Some(SecretHash::from_bytes(hash.try_into().ok()?)))
            .collect())
    }

    /// Returns the next accounts by id, with their roles, up to a limit, or `None` after the last.
    pub async fn next_accounts(
        &self,
        after: Option<AccountId>,
        limit: u64,
    ) -> Result<Option<Page<Person, AccountId, AccountId>>, StoreError> {
        let after = after.map(AccountId::uuid);
        let Some(last) = self.last_of_run::<account::Entity>(account::Column::Id, after, limit).await? else {
            return Ok(None);
        };
        let read = self.accounts_with(Ids::Run { after, last }).await?;
        Ok(Some(Page { read, last: AccountId::from_uuid(last) }))
    }

    /// Returns these accounts with their roles.
    pub async fn people(&self, ids: &[AccountId]) -> Result<Partitioned<Person, AccountId>, StoreError> {
        self.accounts_with(Ids::These(ids.iter().map(|id| id.uuid()).collect())).await
    }

    async fn accounts_with(&self, ids: Ids) -> Result<Partitioned<Person, AccountId>, StoreError> {
        let read = |ids: Ids| async move {
            let of_people = ids.hold(membership::Column::AccountId);
            let mut roles: BTreeMap<AccountId, Vec<(OrgId, Role)>> = BTreeMap::new();
            for member in self.members(membership::Entity::find().filter(of_people)).await? {
                roles.entry(member.account).or_default().push((member.org, member.role));
            }
            let rows = account::Entity::find().filter(ids.hold(account::Column::Id));
            let person = |row: account::Model| {
                let account = Account::try_from(row)?;
                let mut roles = roles.remove(&account.id).unwrap_or_default();
                roles.sort_unstable_by_key(|(org, _)| *org);
                Ok(Person { account, roles: roles.into() })
            };
            rows.all(&self.transaction).await?.into_iter().map(person).collect()
        };
        let Partitioned { sound, broken } =
            self.partition_corrupt::<account::Entity, _, _>(account::Column::Id, ids, read).await?;
        Ok(Partitioned { sound, broken: broken.into_iter().map(AccountId::from_uuid).collect() })
    }

    /// Reads these ids as [`partition_corrupt`] does. The single ids of a run are looked up only if the run contains
    /// a corrupt row.
    async fn partition_corrupt<E: EntityTrait, T, F>(
        &self,
        id: E::Column,
        ids: Ids,
        read: impl Fn(Ids) -> F,
    ) -> Result<Partitioned<T, Uuid>, StoreError>
    where
        F: Future<Output = Result<Vec<T>, StoreError>>,
    {
        let ids = match ids {
            Ids::These(ids) => ids,
            Ids::Run { .. } => match read(ids.clone()).await {
                Ok(sound) => return Ok(Partitioned { sound, broken: Vec::new() }),
                Err(StoreError::Corrupt { .. }) => {
                    let run = E::find().select_only().column(id).filter(ids.hold(id));
                    run.into_tuple().all(&self.transaction).await?
                }
                Err(error) => return Err(error),
            },
        };
        partition_corrupt(&ids, |ids| read(Ids::These(ids))).await
    }

    /// Returns every org, deleted or not, with its policies.
    pub async fn every_org_with_policies(&self) -> Result<Partitioned<Place, OrgId>, StoreError> {
        let ids = org::Entity::find().select_only().column(org::Column::Id);
        let ids: Vec<Uuid> = ids.into_tuple().all(&self.transaction).await?;
        let ids: Vec<OrgId> = ids.into_iter().map(OrgId::from_uuid).collect();
        let mut places = Partitioned { sound: Vec::new(), broken: Vec::new() };
        for ids in ids.chunks(ORGS) {
            let Partitioned { sound, broken } = self.places(ids).await?;
            places.sound.extend(sound);
            places.broken.extend(broken);
        }
        Ok(places)
    }

    /// Returns these orgs with their policies.
    pub async fn places(&self, ids: &[OrgId]) -> Result<Partitioned<Place, OrgId>, StoreError> {
        partition_corrupt(ids, |ids: Vec<_>| async move {
            let mut policies = self.policies(&ids).await?;
            let orgs = self.orgs_by_id(ids.iter().copied()).await?.into_values();
            Ok(orgs
                .map(|org| Place { policies: policies.remove(&org.id).unwrap_or_default(), org })
                .collect())
        })
        .await
    }
}

/// Reads all ids at once. If a row is corrupt, it splits them in halves until the corrupt ids are found.
async fn partition_corrupt<Id: Copy, T, F>(
    ids: &[Id],
    read: impl Fn(Vec<Id>) -> F,
) -> Result<Partitioned<T, Id>, StoreError>
where
    F: Future<Output = Result<Vec<T>, StoreError>>,
{
    let mut sorted = Partitioned { sound: Vec::new(), broken: Vec::new() };
    let mut parts = vec![ids];
    while let Some(ids) = parts.pop().filter(|ids| !ids.is_empty()) {
        match read(ids.to_vec()).await {
            Ok(found) => sorted.sound.extend(found),
            Err(error @ StoreError::Corrupt { .. }) => match ids {
                [id] => {
                    tracing::error!(%error, "a broken row is ignored");
                    sorted.broken.push(*id);
                }
                _ => parts.extend(<[_; 2]>::from(ids.split_at(ids.len() / 2))),
            },
            Err(error) => return Err(error),
        }
    }
    Ok(sorted)
}

/// Joins owners with their secrets.
fn kin<T>(
    owners: Vec<T>,
    family: impl Fn(&T) -> Family,
    mut secrets: HashMap<Uuid, Vec<(SecretHash, SecretRecord)>>,
) -> Result<Vec<WithSecrets<T>>, StoreError> {
    let with_secrets = |of: T| {
        let (column, id) = family(&of).column();
        let secrets =
            secrets.remove(&id).ok_or_else(|| StoreError::corrupt("secret", column.as_str(), id))?;
        Ok(WithSecrets { of, secrets })
    };
    owners.into_iter().map(with_secrets).collect()
}
