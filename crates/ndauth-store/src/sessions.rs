//! Sessions.

use std::net::IpAddr;
use std::time::Duration;

use ndauth_core::{
    Account, AccountId, Expiry, SecretHash, SecretId, SecretKind, Session, SessionId, Timestamp,
};
use sea_orm::ActiveValue::Set;
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, JoinType, PaginatorTrait, QueryFilter,
    QueryOrder, QueryResult, QuerySelect, QueryTrait, Select, Statement,
};

use crate::accounts::account;
use crate::columns::{Columns, duration_micros, expiry_micros, with_prefix};
use crate::secrets::{FoundSecret, secret};
use crate::tokens::token;
use crate::{Read, Store, StoreError, TicketKind, Write};
use session::{ActiveModel, Column, Entity, Model};

/// A session and its last recorded use.
#[derive(Clone, Debug)]
pub struct SeenSession {
    /// The session.
    pub session: Session,
    /// The instant at which it was last seen.
    pub last_seen_at: Option<Timestamp>,
}

/// A session's secret that was looked up.
#[derive(Debug)]
pub struct SessionSecret {
    /// The secret.
    pub secret: FoundSecret,
    /// The session and its account. `None` if the secret is not of a session.
    pub of: Option<(Session, Account)>,
}

/// The time for which a session's secret is kept after its end, so that a refusal can state the reason.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

impl TryFrom<Model> for Session {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Session, StoreError> {
        let columns = Columns { table: "session", id: row.id };
        Ok(Session {
            id: SessionId::from_uuid(row.id),
            account: AccountId::from_uuid(row.account_id),
            created_at: columns.instant("created_at", row.created_at)?,
            expires_at: columns.expiry("expires_at", row.expires_at)?,
            ends_at: columns.expiry("ends_at", row.ends_at)?,
            revoked_at: columns.instant_or_null("revoked_at", row.revoked_at)?,
            proved_at: columns.instant_or_null("proved_at", row.proved_at)?,
            device: columns.text_or_null("device", row.device.as_deref())?,
            address: columns.text_or_null::<IpAddr>("address", row.address.as_deref())?,
            browser: row.browser,
        })
    }
}

impl Read {
    /// Returns the session with this id.
    pub async fn find_session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        let row = Entity::find_by_id(id.uuid()).one(&self.transaction).await?;
        row.map(Session::try_from).transpose()
    }

    /// Returns a session's secret by its hash, with the session and its account, in one statement.
    pub async fn find_session_secret(&self, hash: &SecretHash) -> Result<Option<SessionSecret>, StoreError> {
        let known = self.recall(|seen| {
            let (_, row) = seen.session.as_ref().filter(|(known, _)| known == hash)?;
            Some(session_of(row))
        });
        let found = match known {
            Some(found) => found?,
            None => {
                let statement = by_hash(hash).build(self.transaction.get_database_backend());
                match self.transaction.query_one_raw(statement).await? {
                    Some(row) => session_of(&row)?,
                    None => None,
                }
            }
        };
        if let Some(SessionSecret { of: Some((_, account)), .. }) = &found {
            self.remember(|seen| {
                seen.accounts.insert(account.id, account.clone());
            });
        }
        Ok(found)
    }

    /// Returns every session, ended or not, oldest first.
    pub async fn list_sessions(&self) -> Result<Vec<Session>, StoreError> {
        let rows = Entity::find().order_by_asc(Column::Id).all(&self.transaction).await?;
        rows.into_iter().map(Session::try_from).collect()
    }

    /// Returns the sessions of an account that have not ended, oldest first.
    pub async fn list_live_sessions(&self, account: AccountId) -> Result<Vec<SeenSession>, StoreError> {
        let rows = Entity::find()
            .filter(Column::AccountId.eq(account.uuid()))
            .filter(Column::RevokedAt.is_null())
            .filter(Column::ExpiresAt.gt(self.now().micros()))
            .order_by_asc(Column::Id);
        let seen = |row: Model| {
            let columns = Columns { table: "session", id: row.id };
            let last_seen_at = columns.instant_or_null("last_seen_at", row.last_seen_at)?;
            Ok(SeenSession { session: Session::try_from(row)?, last_seen_at })
        };
        rows.all(&self.transaction).await?.into_iter().map(seen).collect()
    }

    /// Returns the number of tokens derived from an account's sessions that have not expired, revoked or not.
    pub async fn count_derived(&self, account: AccountId) -> Result<u64, StoreError> {
        let derived = token::Entity::find()
            .filter(token::Column::SessionId.is_not_null())
            .filter(token::Column::AccountId.eq(account.uuid()))
            .filter(token::Column::ExpiresAt.gt(self.now().micros()));
        Ok(derived.count(&self.transaction).await?)
    }

    /// Returns the tokens that were derived from these sessions, or from any session of these accounts, and
    /// have not expired.
    pub(crate) async fn derived_from(
        &self,
        sessions: &[SessionId],
        accounts: &[AccountId],
    ) -> Result<Vec<Uuid>, StoreError> {
        if sessions.is_empty() && accounts.is_empty() {
            return Ok(Vec::new());
        }
        let of_sessions = token::Column::SessionId.is_in(sessions.iter().map(|id| id.uuid()));
        let of_accounts = token::Column::AccountId.is_in(accounts.iter().map(|id| id.uuid()));
        let ids = token::Entity::find()
            .select_only()
            .column(token::Column::Id)
            .filter(token::Column::SessionId.is_not_null())
            .filter(token::Column::ExpiresAt.gt(self.now().micros()))
            .filter(of_sessions.or(of_accounts));
        Ok(ids.into_tuple().all(&self.transaction).await?)
    }
}

impl Store {
    /// Opens a view, as [`Store::read`] does. The same statement finds a session's secret, for
    /// [`Read::find_session_secret`].
    pub async fn read_with_session(&self, hash: &SecretHash) -> Result<Read, StoreError> {
        let Statement { sql, values, .. } = by_hash(hash).build(self.backend());
        let sql = format!(
            "SELECT * FROM ({}) AS question LEFT JOIN ({sql}) AS of_session ON 1 = 1",
            self.question()
        );
        let (read, row) = self.read_by(&Statement { sql, values, db_backend: self.backend() }).await?;
        read.remember(|seen| seen.session = Some((*hash, row)));
        Ok(read)
    }
}

/// Selects a session's secret by its hash, with the session and its account.
fn by_hash(hash: &SecretHash) -> Select<secret::Entity> {
    let mut query = secret::Entity::find().select_only();
    query = with_prefix::<_, secret::Entity>(query, "secret_");
    query = with_prefix::<_, Entity>(query, "session_");
    query = with_prefix::<_, account::Entity>(query, "account_");
    let of_session = secret::Entity::belongs_to(Entity).from(secret::Column::SessionId).to(Column::Id);
    let of_account = Entity::belongs_to(account::Entity).from(Column::AccountId).to(account::Column::Id);
    query
        .join(JoinType::LeftJoin, of_session.into())
        .join(JoinType::LeftJoin, of_account.into())
        .filter(secret::Column::Hash.eq(hash.bytes().to_vec()))
}

/// Reads a session's secret with the session and its account from such a row.
fn session_of(row: &QueryResult) -> Result<Option<SessionSecret>, StoreError> {
    let Some(found) = secret::Model::from_query_result_optional(row, "secret_")? else { return Ok(None) };
    let secret = FoundSecret::try_from(found)?;
    let session = Model::from_query_result_optional(row, "session_")?;
    let account = account::Model::from_query_result_optional(row, "account_")?;
    let of = match (session, account) {
        (Some(session), Some(account)) => Some((Session::try_from(session)?, Account::try_from(account)?)),
        _ => None,
    };
    Ok(Some(SessionSecret { secret, of }))
}

impl Write {
    /// Returns the session with this id, and locks it against other changes until this one ends.
    pub async fn lock_session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        let row = Entity::find_by_id(id.uuid()).lock_exclusive().one(&self.transaction).await?;
        row.map(Session::try_from).transpose()
    }

    /// Ends a live session and the tokens derived from it. Returns true if it was live.
    pub async fn end_session(&self, id: SessionId) -> Result<bool, StoreError> {
        let now = self.now().micros();
        let ended = Entity::update_many()
            .col_expr(Column::RevokedAt, Expr::value(now))
            .filter(Column::Id.eq(id.uuid()))
            .filter(Column::RevokedAt.is_null())
            .filter(Column::ExpiresAt.gt(now))
            .exec(&self.transaction)
            .await?;
        if ended.rows_affected == 0 {
            return Ok(false);
        }
        self.end_derived(token::Column::SessionId.eq(id.uuid())).await?;
        Ok(true)
    }

    /// Ends every live session of an account, all tokens derived from its sessions, and the codes, devices and links
    /// to sign in that wait to become sessions. Returns the number of sessions.
    pub async fn end_sessions(&self, account: AccountId) -> Result<u64, StoreError> {
        let now = self.now().micros();
        let ended = Entity::update_many()
            .col_expr(Column::RevokedAt, Expr::value(now))
            .filter(Column::AccountId.eq(account.uuid()))
            .filter(Column::RevokedAt.is_null())
            .filter(Column::ExpiresAt.gt(now))
            .exec(&self.transaction)
            .await?;
        let derived = token::Column::SessionId.is_not_null();
        self.end_derived(derived.and(token::Column::AccountId.eq(account.uuid()))).await?;
        for waiting in [TicketKind::Code, TicketKind::Device, TicketKind::SignIn] {
            self.end_tickets(waiting, account).await?;
        }
        Ok(ended.rows_affected)
    }

    async fn end_derived(&self, which: sea_orm::sea_query::SimpleExpr) -> Result<(), StoreError> {
        token::Entity::update_many()
            .col_expr(token::Column::RevokedAt, Expr::value(self.now().micros()))
            .filter(which)
            .filter(token::Column::RevokedAt.is_null())
            .exec(&self.transaction)
            .await?;
        Ok(())
    }

    /// Records that a session was used now, and sets its idle expiry.
    pub async fn extend_session(&self, id: SessionId, expires_at: Expiry) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::ExpiresAt, Expr::value(expiry_micros(expires_at)))
            .col_expr(Column::LastSeenAt, Expr::value(self.now().micros()))
            .filter(Column::Id.eq(id.uuid()))
            .exec(&self.transaction)
            .await?;
        Ok(())
    }

    /// Marks a refresh secret as used, which ends it.
    pub async fn mark_refresh_used(&self, id: SecretId) -> Result<(), StoreError> {
        let now = self.now().micros();
        secret::Entity::update_many()
            .col_expr(secret::Column::ConfirmedAt, Expr::value(now))
            .col_expr(secret::Column::EndsAt, Expr::value(now))
            .filter(secret::Column::Id.eq(id.uuid()))
            .exec(&self.transaction)
            .await?;
        Ok(())
    }

    /// Ends every live secret of a session.
    pub async fn end_session_secrets(&self, id: SessionId) -> Result<(), StoreError> {
        let now = self.now().micros();
        secret::Entity::update_many()
            .col_expr(secret::Column::EndsAt, Expr::value(now))
            .filter(secret::Column::SessionId.eq(id.uuid()))
            .filter(secret::Column::EndsAt.gt(now))
            .exec(&self.transaction)
            .await?;
        Ok(())
    }

    /// Removes a session's own secrets that ended long ago. Its refresh secrets are kept as long as the
    /// session: a second use of one shows that it was copied.
    pub async fn remove_old_session_secrets(&self, id: SessionId) -> Result<(), StoreError> {
        let old = self.now().micros().saturating_sub(duration_micros(KEPT));
        secret::Entity::delete_many()
            .filter(secret::Column::SessionId.eq(id.uuid()))
            .filter(secret::Column::Prefix.starts_with(SecretKind::Session.marker()))
            .filter(secret::Column::EndsAt.lt(old))
            .exec(&self.transaction)
            .await?;
        Ok(())
    }

    /// Adds a session.
    pub async fn insert_session(&self, session: &Session) -> Result<(), StoreError> {
        let row = ActiveModel {
            id: Set(session.id.uuid()),
            account_id: Set(session.account.uuid()),
            created_at: Set(session.created_at.micros()),
            expires_at: Set(expiry_micros(session.expires_at)),
            ends_at: Set(expiry_micros(session.ends_at)),
            revoked_at: Set(session.revoked_at.map(Timestamp::micros)),
            proved_at: Set(session.proved_at.map(Timestamp::micros)),
            device: Set(session.device.as_ref().map(ToString::to_string)),
            address: Set(session.address.map(|address| address.to_string())),
            last_seen_at: Set(Some(session.created_at.micros())),
            browser: Set(session.browser),
        };
        Entity::insert(row).exec_without_returning(&self.transaction).await?;
        Ok(())
    }
}

mod session {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "session")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub account_id: Uuid,
        pub created_at: i64,
        pub expires_at: i64,
        pub ends_at: i64,
        pub revoked_at: Option<i64>,
        pub proved_at: Option<i64>,
        pub device: Option<String>,
        pub address: Option<String>,
        pub last_seen_at: Option<i64>,
        pub browser: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
