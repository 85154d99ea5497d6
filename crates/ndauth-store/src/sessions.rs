//! Sessions.

use ndauth_core::{AccountId, Session, SessionId, Timestamp};
use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait;

use crate::columns::{Columns, expiry_micros};
use crate::row::session::{ActiveModel, Entity, Model};
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
}

impl Write {
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
