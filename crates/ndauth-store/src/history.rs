//! The histories of things: the events that are listed under an account, an org, a token or a service, and the names of
//! what they mention.

use std::collections::{BTreeMap, BTreeSet};

use ndauth_core::{
    AccountId, Entry, EventSubject, Handle, Head, Label, OrgId, OrgSlug, ServiceId, Timestamp, TokenId,
};
use sea_orm::prelude::Uuid;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
    Statement, Value,
};

use crate::columns::Columns;
use crate::lease::Lease;
use crate::log::event;
use crate::{Read, StoreError, StoredEvent};

/// The part of the log that a history is read from, and its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogPart {
    /// Only events after this sequence.
    pub after: u64,
    /// Only events before this sequence, if there is one.
    pub before: Option<u64>,
    /// True if the newest comes first.
    pub newest_first: bool,
    /// The most events.
    pub limit: u64,
}

/// An event, and the hash of the event before it.
#[derive(Clone, Debug)]
pub struct LoggedEvent {
    /// The event.
    pub event: StoredEvent,
    /// The hash of the event before it.
    pub previous: [u8; 32],
}

/// The names of what events mention. What was removed has none.
#[derive(Debug, Default)]
pub struct EventNames {
    /// The handles of accounts.
    pub accounts: BTreeMap<AccountId, Handle>,
    /// The slugs of orgs.
    pub orgs: BTreeMap<OrgId, OrgSlug>,
    /// The names of tokens.
    pub tokens: BTreeMap<TokenId, Label>,
    /// The names of services.
    pub services: BTreeMap<ServiceId, Label>,
}

/// Events of a part of the log.
#[derive(Clone, Debug)]
pub struct LogChunk {
    /// The events.
    pub events: Vec<LoggedEvent>,
    /// True if there is nothing more in that part.
    pub is_end: bool,
}

#[derive(FromQueryResult)]
struct LoggedRow {
    sequence: i64,
    public_bytes: Vec<u8>,
    personal_bytes: Option<Vec<u8>>,
    salt: Option<Vec<u8>>,
    personal_hash: Vec<u8>,
    hash: Vec<u8>,
    previous: Option<Vec<u8>>,
    listed: i64,
}

impl Read {
    /// Returns the events that are listed under a thing, or all events, in a part of the log: as many as [`LARGEST_READ`]
    /// holds, and one at least.
    pub async fn history(
        &self,
        subject: Option<EventSubject>,
        part: &LogPart,
    ) -> Result<LogChunk, StoreError> {
        let (from, key) = match subject {
            Some(_) => {
                ("event_subject AS listed JOIN event ON event.sequence = listed.sequence", "listed.sequence")
            }
            None => ("event", "event.sequence"),
        };
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let mut values: Vec<Value> = vec![
            number(part.after).into(),
            part.before.map_or(i64::MAX, number).into(),
            number(part.limit).into(),
            LARGEST_READ.into(),
        ];
        let mut only = format!("{key} > $1 AND {key} < $2");
        if let Some(subject) = subject {
            values.push(subject.uuid().into());
            only += " AND listed.subject = $5";
        }
        let order = if part.newest_first { "DESC" } else { "ASC" };
        // The sizes are read without the bytes.
        let sql = format!(
            "WITH sized AS (SELECT {key} AS sequence, \
               length(event.public_bytes) + coalesce(length(event.personal_bytes), 0) AS bytes \
               FROM {from} WHERE {only} ORDER BY {key} {order} LIMIT $3), \
             placed AS (SELECT sequence, \
               sum(bytes) OVER (ORDER BY sequence {order} ROWS UNBOUNDED PRECEDING) - bytes AS before FROM sized) \
             SELECT event.sequence, event.public_bytes, event.personal_bytes, event.salt, event.personal_hash, \
             event.hash, earlier.hash AS previous, (SELECT count(*) FROM sized) AS listed \
             FROM placed JOIN event ON event.sequence = placed.sequence \
             LEFT JOIN event AS earlier ON earlier.sequence = event.sequence - 1 \
             WHERE placed.before < $4 ORDER BY placed.sequence {order}"
        );
        let backend = self.transaction.get_database_backend();
        let query = Statement::from_sql_and_values(backend, sql, values);
        let rows = LoggedRow::find_by_statement(query).all(&self.transaction).await?;
        let listed = rows.first().map_or(0, |row| row.listed);
        let is_end = usize::try_from(listed) == Ok(rows.len()) && listed < number(part.limit);
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            let columns = Columns { table: "event", id: row.sequence };
            let previous = match row.previous {
                Some(hash) => columns.hash("hash", hash)?,
                None if row.sequence == 1 => Head::EMPTY.hash,
                None => start_of_log(&self.transaction).await?.hash,
            };
            let event = StoredEvent::try_from(event::Model {
                sequence: row.sequence,
                public_bytes: row.public_bytes,
                personal_bytes: row.personal_bytes,
                salt: row.salt,
                personal_hash: row.personal_hash,
                hash: row.hash,
            })?;
            events.push(LoggedEvent { event, previous });
        }
        Ok(LogChunk { events, is_end })
    }

    /// Returns the place in the log at which it is as of an instant: every event after it was made at that instant or
    /// later. It reads a few events by each statement, and needs four statements for a log of a million.
    pub async fn sequence_before(&self, instant: Timestamp) -> Result<u64, StoreError> {
        let (mut low, mut high) = (0, self.head().sequence);
        while low < high {
            let apart = (high - low).div_ceil(SAMPLES).max(1);
            let samples = (1..=SAMPLES).map(|number| low + number * apart).filter(|sample| *sample <= high);
            let samples: Vec<i64> = samples.filter_map(|sample| i64::try_from(sample).ok()).collect();
            let found: Vec<(i64, Vec<u8>)> = event::Entity::find()
                .select_only()
                .columns([event::Column::Sequence, event::Column::PublicBytes])
                .filter(event::Column::Sequence.is_in(samples.iter().copied()))
                .order_by_asc(event::Column::Sequence)
                .into_tuple()
                .all(&self.transaction)
                .await?;
            let is_earlier = |public: &[u8]| Entry::read(public).is_some_and(|entry| entry.at < instant);
            let later = found.iter().find(|(_, public)| !is_earlier(public)).map(|(sequence, _)| *sequence);
            // Those that are not there were pruned, and so are earlier than all others.
            let earlier =
                samples.into_iter().take_while(|sample| later.is_none_or(|later| *sample < later)).last();
            let number = |sequence: i64| u64::try_from(sequence).unwrap_or_default();
            (low, high) = (earlier.map_or(low, number), later.map_or(high, |later| number(later) - 1));
        }
        Ok(low)
    }

    /// Returns the last event that was pruned, or the empty log's end if nothing was.
    pub async fn start_of_log(&self) -> Result<Head, StoreError> {
        start_of_log(&self.transaction).await
    }

    /// Returns the names of these things, as far as there are any, by one statement.
    pub async fn name_all(
        &self,
        subjects: impl IntoIterator<Item = EventSubject>,
    ) -> Result<EventNames, StoreError> {
        let mut ids: [BTreeSet<Uuid>; 4] = Default::default();
        for subject in subjects {
            let kind = match subject {
                EventSubject::Account(_) => 0,
                EventSubject::Org(_) => 1,
                EventSubject::Token(_) => 2,
                EventSubject::Service(_) => 3,
            };
            ids[kind].insert(subject.uuid());
        }
        let mut names = EventNames::default();
        let (mut parts, mut values) = (Vec::new(), Vec::<Value>::new());
        for (kind, (ids, (table, column))) in ids.into_iter().zip(NAMED).enumerate() {
            if ids.is_empty() {
                continue;
            }
            let places: Vec<String> = (1..=ids.len()).map(|n| format!("${}", values.len() + n)).collect();
            values.extend(ids.into_iter().map(Value::from));
            let places = places.join(", ");
            parts.push(format!(
                "SELECT {kind} AS kind, id, {column} AS name FROM {table} WHERE id IN ({places})"
            ));
        }
        if parts.is_empty() {
            return Ok(names);
        }
        let backend = self.transaction.get_database_backend();
        let query = Statement::from_sql_and_values(backend, parts.join(" UNION ALL "), values);
        for row in self.transaction.query_all_raw(query).await? {
            let (kind, id): (i32, Uuid) = (row.try_get("", "kind")?, row.try_get("", "id")?);
            let name: String = row.try_get("", "name")?;
            let table =
                usize::try_from(kind).ok().and_then(|kind| NAMED.get(kind)).map_or("-", |named| named.0);
            let columns = Columns { table, id };
            match kind {
                0 => drop(names.accounts.insert(AccountId::from_uuid(id), columns.text("handle", &name)?)),
                1 => drop(names.orgs.insert(OrgId::from_uuid(id), columns.text("slug", &name)?)),
                2 => drop(names.tokens.insert(TokenId::from_uuid(id), columns.text("name", &name)?)),
                _ => drop(names.services.insert(ServiceId::from_uuid(id), columns.text("name", &name)?)),
            }
        }
        Ok(names)
    }
}

/// The bytes of events that one statement reads. An event has some hundred bytes; one that sets an org's policies may have
/// hundreds of thousands.
pub const LARGEST_READ: i64 = 1 << 21;
/// The events that one statement reads where a search looks for an instant.
const SAMPLES: u64 = 32;
/// The tables of named things, each with the column of the name.
const NAMED: [(&str, &str); 4] =
    [("account", "handle"), ("org", "slug"), ("token", "name"), ("service", "name")];

pub(crate) async fn start_of_log(transaction: &Lease) -> Result<Head, StoreError> {
    let sql = "SELECT sequence, hash FROM log_start WHERE one = 1";
    let query = Statement::from_string(transaction.get_database_backend(), sql);
    let Some(row) = transaction.query_one_raw(query).await? else { return Ok(Head::EMPTY) };
    let columns = Columns { table: "log_start", id: 1 };
    let sequence: i64 = row.try_get("", "sequence")?;
    Ok(Head {
        sequence: u64::try_from(sequence).map_err(|_| columns.corrupt("sequence"))?,
        hash: columns.hash("hash", row.try_get("", "hash")?)?,
    })
}
