//! The event log as it is written: events are appended under the lock of its head.

use ndauth_core::{Event, Head, personal_hash};
use sea_orm::ActiveValue::Set;
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, Statement};

use crate::StoreError;
use crate::columns::Columns;
use crate::lease::Lease;
use event::{ActiveModel, Entity, Model};

/// An event as it is stored in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its sequence, counting from 1 without a gap.
    pub sequence: u64,
    /// Its public bytes, as they were written.
    pub public: Vec<u8>,
    /// Its personal bytes and their salt, or `None` once they were erased.
    pub personal: Option<(Vec<u8>, [u8; 32])>,
    /// The digest of the two, which stays.
    pub personal_hash: [u8; 32],
    /// Its hash.
    pub hash: [u8; 32],
}

impl TryFrom<Model> for StoredEvent {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<StoredEvent, StoreError> {
        let columns = Columns { table: "event", id: row.sequence };
        let personal = match (row.personal_bytes, row.salt) {
            (Some(bytes), Some(salt)) => Some((bytes, columns.hash("salt", salt)?)),
            _ => None,
        };
        Ok(StoredEvent {
            sequence: u64::try_from(row.sequence).map_err(|_| columns.corrupt("sequence"))?,
            public: row.public_bytes,
            personal,
            personal_hash: columns.hash("personal_hash", row.personal_hash)?,
            hash: columns.hash("hash", row.hash)?,
        })
    }
}

impl StoredEvent {
    /// Returns true if the event follows that head by the rule of the chain, and its personal bytes, unless
    /// they were erased, match their digest.
    pub fn follows(&self, head: &Head) -> bool {
        let next = head.next(&self.public, &self.personal_hash);
        let kept = self
            .personal
            .as_ref()
            .is_none_or(|(bytes, salt)| personal_hash(salt, bytes) == self.personal_hash);
        kept && next == Head { sequence: self.sequence, hash: self.hash }
    }
}

impl From<(&Event, Head)> for StoredEvent {
    fn from((event, last): (&Event, Head)) -> StoredEvent {
        let digest = personal_hash(&event.salt, &event.personal);
        let head = last.next(&event.public, &digest);
        StoredEvent {
            sequence: head.sequence,
            public: event.public.clone(),
            personal: Some((event.personal.clone(), event.salt)),
            personal_hash: digest,
            hash: head.hash,
        }
    }
}

/// Appends an event after the last one and moves the head.
pub(crate) async fn append(transaction: &Lease, event: &StoredEvent) -> Result<Head, StoreError> {
    let head = Head { sequence: event.sequence, hash: event.hash };
    let sequence = i64::try_from(head.sequence).map_err(|_| StoreError::corrupt("head", "sequence", 1))?;
    let row = ActiveModel {
        sequence: Set(sequence),
        public_bytes: Set(event.public.clone()),
        personal_bytes: Set(event.personal.as_ref().map(|(bytes, _)| bytes.clone())),
        salt: Set(event.personal.as_ref().map(|(_, salt)| salt.to_vec())),
        personal_hash: Set(event.personal_hash.to_vec()),
        hash: Set(head.hash.to_vec()),
    };
    Entity::insert(row).exec_without_returning(transaction).await?;
    let backend = transaction.get_database_backend();
    let sql = match backend {
        // The commit notifies all listeners.
        DbBackend::Postgres => {
            "WITH moved AS (UPDATE head SET sequence = $1, hash = $2 WHERE id = 1 RETURNING id) \
             SELECT pg_notify('ndauth_head', '') FROM moved"
        }
        _ => "UPDATE head SET sequence = $1, hash = $2 WHERE id = 1",
    };
    let values = [sequence.into(), head.hash.to_vec().into()];
    transaction.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    Ok(head)
}

pub(crate) mod event {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "event")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub sequence: i64,
        pub public_bytes: Vec<u8>,
        pub personal_bytes: Option<Vec<u8>>,
        pub salt: Option<Vec<u8>>,
        pub personal_hash: Vec<u8>,
        pub hash: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
