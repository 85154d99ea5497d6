//! The event log as it is written: events are appended under the lock of its head.

use ndauth_core::{Entry, Event, Head, personal_hash};
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};

use crate::StoreError;
use crate::columns::Columns;
use crate::lease::Lease;
use event::Model;

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
    /// Returns the number of its public and personal bytes.
    pub fn size(&self) -> usize {
        self.public.len() + self.personal.as_ref().map_or(0, |(bytes, _)| bytes.len())
    }

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

/// Appends an event after the last one, lists it under its subjects, and moves the head. Somebody may have taken the event
/// before out of the log by hand, and left it in the lists: a reader compares.
pub(crate) async fn append(transaction: &Lease, event: &StoredEvent) -> Result<Head, StoreError> {
    let head = Head { sequence: event.sequence, hash: event.hash };
    let sequence = i64::try_from(head.sequence).map_err(|_| StoreError::corrupt("head", "sequence", 1))?;
    let (personal, salt) =
        event.personal.as_ref().map(|(bytes, salt)| (bytes.clone(), salt.to_vec())).unzip();
    let row: [Value; 6] = [
        sequence.into(),
        event.public.clone().into(),
        personal.into(),
        salt.into(),
        event.personal_hash.to_vec().into(),
        head.hash.to_vec().into(),
    ];
    let subjects = Entry::read(&event.public).map(|entry| entry.subjects()).unwrap_or_default();
    let subjects: Vec<Value> = subjects.into_iter().map(|subject| subject.uuid().into()).collect();
    let backend = transaction.get_database_backend();
    match backend {
        // One round trip. The commit notifies all listeners.
        DbBackend::Postgres => {
            let listed: Vec<String> = (7..7 + subjects.len()).map(|n| format!("(${n}::uuid, $1)")).collect();
            let listed = match listed.as_slice() {
                [] => String::new(),
                rows => format!(", listed AS ({LIST} {} ON CONFLICT DO NOTHING)", rows.join(", ")),
            };
            let sql = format!(
                "WITH appended AS ({INSERT} ($1, $2, $3, $4, $5, $6)){listed}, \
                 moved AS (UPDATE head SET sequence = $1, hash = $6 WHERE id = 1 RETURNING id) \
                 SELECT pg_notify('ndauth_head', '') FROM moved"
            );
            let values = row.into_iter().chain(subjects);
            transaction.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        }
        // One round trip to the thread of the connection, too. The values follow each other as the statements do.
        _ => {
            let listed = match subjects.len() {
                0 => String::new(),
                count => format!("{LIST} {} ON CONFLICT DO NOTHING; ", vec!["(?, ?)"; count].join(", ")),
            };
            let sql = format!(
                "{INSERT} (?, ?, ?, ?, ?, ?); {listed}UPDATE head SET sequence = ?, hash = ? WHERE id = 1"
            );
            let listed = subjects.into_iter().flat_map(|subject| [subject, sequence.into()]);
            let moved = [sequence.into(), head.hash.to_vec().into()];
            let values = row.into_iter().chain(listed).chain(moved);
            transaction.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        }
    }
    Ok(head)
}

const INSERT: &str =
    "INSERT INTO event (sequence, public_bytes, personal_bytes, salt, personal_hash, hash) VALUES";
const LIST: &str = "INSERT INTO event_subject (subject, sequence) VALUES";

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
