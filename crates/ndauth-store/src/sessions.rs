//! Sessions.

use ndauth_core::{AccountId, Session, SessionId, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::columns::{Columns, expiry_micros};
use crate::row::session::{ActiveModel, Column, Entity, Model};
use crate::{Read, StoreError, Write};

impl TryFrom<Model> for Session {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Session, StoreError> {
        let columns = Columns { table: "session", id: row.id };
        Ok(Session {
            id: SessionId::from_uuid(row.id),
            account: AccountId::from_uuid(row.account_id),
            created_at: columns.instant("created_at", row.created_at)?,
            expires_at: columns.expiry("expires_at", row.expires_at)?,
            revoked_at: columns.instant_or_null("revoked_at", row.revoked_at)?,
        })
    }
}

impl Read {
    /// The session with this id.
    pub async fn find_session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        let row = Entity::find_by_id(id.uuid()).one(&self.transaction).await?;
        row.map(Session::try_from).transpose()
    }

    /// Every session, ended or not, oldest first.
    pub async fn list_sessions(&self) -> Result<Vec<Session>, StoreError> {
        let rows = Entity::find().order_by_asc(Column::Id).all(&self.transaction).await?;
        rows.into_iter().map(Session::try_from).collect()
    }
}

impl Write {
    /// Ends every live session of an account. Says how many there were.
    pub async fn end_sessions(&self, account: AccountId) -> Result<u64, StoreError> {
        let now = self.now().micros();
        let ended = Entity::update_many()
            .col_expr(Column::RevokedAt, Expr::value(now))
            .filter(Column::AccountId.eq(account.uuid()))
            .filter(Column::RevokedAt.is_null())
            .filter(Column::ExpiresAt.gt(now))
            .exec(&self.transaction)
            .await?;
        Ok(ended.rows_affected)
    }

    /// Adds a session.
    pub async fn insert_session(&self, session: &Session) -> Result<(), StoreError> {
        let row = ActiveModel {
            id: Set(session.id.uuid()),
            account_id: Set(session.account.uuid()),
            created_at: Set(session.created_at.micros()),
            expires_at: Set(expiry_micros(session.expires_at)),
            revoked_at: Set(session.revoked_at.map(Timestamp::micros)),
        };
        Entity::insert(row).exec_without_returning(&self.transaction).await?;
        Ok(())
    }
}
