//! Retention: the beginning of the log is pruned, and a person's data is erased.

use std::collections::BTreeSet;

use ndauth_core::{AccountId, Entry, EventSubject, Head};
use sea_orm::{ConnectionTrait, Statement, Value};

use crate::history::{LogChunk, LogPart, start_of_log};
use crate::{Read, StoreError, Write};

impl Read {
    /// Returns the hash of the first event that there ever was.
    pub(crate) async fn first_hash(&self) -> Result<Option<[u8; 32]>, StoreError> {
        if start_of_log(&self.transaction).await? == Head::EMPTY {
            return self.event_hash(1).await;
        }
        let sql = "SELECT first_hash FROM log_start WHERE one = 1";
        let query = Statement::from_string(self.transaction.get_database_backend(), sql);
        let Some(row) = self.transaction.query_one_raw(query).await? else { return Ok(None) };
        let bytes: Vec<u8> = row.try_get("", "first_hash")?;
        let hash = bytes.try_into().map_err(|_| StoreError::corrupt("log_start", "first_hash", 1))?;
        Ok(Some(hash))
    }
}

impl Write {
    /// Removes up to a number of the oldest events, none after `through`, and records where the log begins since. Returns
    /// the last event that was removed, or `None` if there was nothing to remove.
    pub async fn prune(&self, through: u64, most: u64) -> Result<Option<Head>, StoreError> {
        let start = start_of_log(&self.transaction).await?;
        let end = through.min(start.sequence.saturating_add(most));
        if end <= start.sequence {
            return Ok(None);
        }
        let first = self.first_hash().await?.ok_or_else(|| StoreError::corrupt("event", "hash", 1))?;
        let hash = self.event_hash(end).await?.ok_or_else(|| StoreError::corrupt("event", "hash", end))?;
        let sequence: Value =
            i64::try_from(end).map_err(|_| StoreError::corrupt("event", "sequence", end))?.into();
        self.unlist(start.sequence, end).await?;
        self.run("DELETE FROM event WHERE sequence <= $1", vec![sequence.clone()]).await?;
        self.run(
            "INSERT INTO log_start (one, sequence, hash, first_hash) VALUES (1, $1, $2, $3) \
             ON CONFLICT (one) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash",
            vec![sequence, hash.to_vec().into(), first.to_vec().into()],
        )
        .await?;
        Ok(Some(Head { sequence: end, hash }))
    }

    /// Takes the events of a part of the log off the lists, by what they are about: a list has no order by sequence alone.
    async fn unlist(&self, after: u64, through: u64) -> Result<(), StoreError> {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let mut part = LogPart { after, before: Some(through + 1), newest_first: false, limit: PAGE };
        let mut subjects = BTreeSet::<EventSubject>::new();
        loop {
            let LogChunk { events, is_end } = self.history(None, &part).await?;
            let entries = events.iter().filter_map(|logged| Entry::read(&logged.event.public));
            subjects.extend(entries.flat_map(|entry| entry.subjects()));
            match events.last() {
                Some(last) if !is_end => part.after = last.event.sequence,
                _ => break,
            }
        }
        let subjects: Vec<Value> = subjects.into_iter().map(|subject| subject.uuid().into()).collect();
        for some in subjects.chunks(CHUNK) {
            let places: Vec<String> = (2..2 + some.len()).map(|place| format!("${place}")).collect();
            let sql = format!(
                "DELETE FROM event_subject WHERE sequence <= $1 AND subject IN ({})",
                places.join(", ")
            );
            let values = std::iter::once(number(through).into()).chain(some.iter().cloned()).collect();
            self.run(&sql, values).await?;
        }
        Ok(())
    }

    /// Erases what is known of a person: the personal bytes of all events that the account made or that are about it, the
    /// places from which it logged in and its tokens were used, and what it or others wrote about its tokens. The account
    /// keeps its id and gets another name and address.
    pub async fn erase_account(&self, account: AccountId) -> Result<(), StoreError> {
        let id: Value = account.uuid().into();
        for sql in ERASE {
            self.run(sql, vec![id.clone()]).await?;
        }
        let name = format!("erased-{}", account.uuid().simple());
        self.run(
            "UPDATE account SET handle = $2, email = $3, name = NULL WHERE id = $1",
            vec![id, name.clone().into(), format!("{name}@erased.invalid").into()],
        )
        .await
    }

    /// Erases the personal bytes of events.
    pub async fn erase_events(&self, sequences: &[u64]) -> Result<(), StoreError> {
        for some in sequences.chunks(CHUNK) {
            let places: Vec<String> = (1..=some.len()).map(|place| format!("${place}")).collect();
            let sql = format!(
                "UPDATE event SET personal_bytes = NULL, salt = NULL WHERE sequence IN ({})",
                places.join(", ")
            );
            let sequences = some.iter().filter_map(|sequence| i64::try_from(*sequence).ok());
            self.run(&sql, sequences.map(Value::from).collect()).await?;
        }
        Ok(())
    }

    async fn run(&self, sql: &str, values: Vec<Value>) -> Result<(), StoreError> {
        let backend = self.transaction.get_database_backend();
        self.transaction.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        Ok(())
    }
}

/// The most events that are read at once.
const PAGE: u64 = 1000;
/// The lists that one statement shortens.
const CHUNK: usize = 500;
/// The statements that erase what is known of an account's person.
const ERASE: [&str; 15] = [
    "UPDATE event SET personal_bytes = NULL, salt = NULL \
     WHERE sequence IN (SELECT sequence FROM event_subject WHERE subject = $1)",
    "DELETE FROM token_use WHERE token_id IN (SELECT id FROM token WHERE account_id = $1)",
    "DELETE FROM token_org_use WHERE token_id IN (SELECT id FROM token WHERE account_id = $1)",
    "UPDATE secret SET last_used_address = NULL WHERE token_id IN (SELECT id FROM token WHERE account_id = $1) \
     OR session_id IN (SELECT id FROM session WHERE account_id = $1)",
    "UPDATE token SET description = NULL, revoked_reason = NULL WHERE account_id = $1",
    "UPDATE session SET device = NULL, address = NULL WHERE account_id = $1",
    "DELETE FROM password WHERE account_id = $1",
    "DELETE FROM identity WHERE account_id = $1",
    "DELETE FROM ticket WHERE account_id = $1",
    "DELETE FROM membership_offer WHERE handle = (SELECT handle FROM account WHERE id = $1)",
    "DELETE FROM refused_attempt WHERE account_id = $1",
    "DELETE FROM notice WHERE account_id = $1",
    "DELETE FROM mail WHERE account_id = $1",
    "DELETE FROM known_device WHERE account_id = $1",
    "DELETE FROM notice_off WHERE account_id = $1",
];
