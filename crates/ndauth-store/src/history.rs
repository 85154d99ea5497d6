//! The histories of things: the events that are listed under an account, an org, a token or a service, and the names of
//! what they mention.

use std::collections::{BTreeMap, BTreeSet};

use ndauth_core::{
    AccountId, Entry, EventSubject, Handle, Head, Label, OrgId, OrgSlug, ServiceId, Timestamp, TokenId,
};
use sea_orm::prelude::Uuid;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QuerySelect, Statement, Value,
};

use crate::accounts::account;
use crate::columns::Columns;
use crate::lease::Lease;
use crate::log::event;
use crate::orgs::org;
use crate::services::service;
use crate::tokens::token;
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

#[derive(FromQueryResult)]
struct Row {
    sequence: i64,
    public_bytes: Vec<u8>,
    personal_bytes: Option<Vec<u8>>,
    salt: Option<Vec<u8>>,
    personal_hash: Vec<u8>,
    hash: Vec<u8>,
    previous: Option<Vec<u8>>,
}

impl Read {
    /// Returns the events that are listed under a thing, or all events, in a part of the log.
    pub async fn history(
        &self,
        subject: Option<EventSubject>,
        part: &LogPart,
    ) -> Result<Vec<LoggedEvent>, StoreError> {
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
        ];
        let mut only = format!("{key} > $1 AND {key} < $2");
        if let Some(subject) = subject {
            values.push(subject.uuid().into());
            only += " AND listed.subject = $4";
        }
        let order = if part.newest_first { "DESC" } else { "ASC" };
        let sql = format!(
            "SELECT event.sequence, event.public_bytes, event.personal_bytes, event.salt, event.personal_hash, \
             event.hash, earlier.hash AS previous FROM {from} \
             LEFT JOIN event AS earlier ON earlier.sequence = event.sequence - 1 \
             WHERE {only} ORDER BY {key} {order} LIMIT $3"
        );
        let backend = self.transaction.get_database_backend();
        let query = Statement::from_sql_and_values(backend, sql, values);
        let rows = Row::find_by_statement(query).all(&self.transaction).await?;
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            let columns = Columns { table: "event", id: row.sequence };
            let previous = match row.previous {
                Some(hash) => columns.hash("hash", hash)?,
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
        Ok(events)
    }

    /// Returns the place in the log at which it is as of an instant: every event after it was made at that instant or
    /// later. It reads one event for each halving of the log.
    pub async fn sequence_before(&self, instant: Timestamp) -> Result<u64, StoreError> {
        let (mut low, mut high) = (start_of_log(&self.transaction).await?.sequence, self.head().sequence);
        while low < high {
            let middle = low + (high - low) / 2;
            let part = LogPart { after: middle, before: None, newest_first: false, limit: 1 };
            let found = self.history(None, &part).await?;
            let at = found.first().and_then(|found| Entry::read(&found.event.public)).map(|entry| entry.at);
            if at.is_some_and(|at| at < instant) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Returns the last event that was pruned, or the empty log's end if nothing was.
    pub async fn start_of_log(&self) -> Result<Head, StoreError> {
        start_of_log(&self.transaction).await
    }

    /// Returns the names of these things, as far as there are any, by a statement for each kind.
    pub async fn name_all(
        &self,
        subjects: impl IntoIterator<Item = EventSubject>,
    ) -> Result<EventNames, StoreError> {
        let (mut accounts, mut orgs) = (BTreeSet::new(), BTreeSet::new());
        let (mut tokens, mut services) = (BTreeSet::new(), BTreeSet::new());
        for subject in subjects {
            match subject {
                EventSubject::Account(id) => drop(accounts.insert(id.uuid())),
                EventSubject::Org(id) => drop(orgs.insert(id.uuid())),
                EventSubject::Token(id) => drop(tokens.insert(id.uuid())),
                EventSubject::Service(id) => drop(services.insert(id.uuid())),
            }
        }
        let mut names = EventNames::default();
        let named = named_by::<account::Entity>(self, account::Column::Id, account::Column::Handle, accounts);
        for (id, handle) in named.await? {
            let columns = Columns { table: "account", id };
            names.accounts.insert(AccountId::from_uuid(id), columns.text("handle", &handle)?);
        }
        let named = named_by::<org::Entity>(self, org::Column::Id, org::Column::Slug, orgs);
        for (id, slug) in named.await? {
            let columns = Columns { table: "org", id };
            names.orgs.insert(OrgId::from_uuid(id), columns.text("slug", &slug)?);
        }
        let named = named_by::<token::Entity>(self, token::Column::Id, token::Column::Name, tokens);
        for (id, name) in named.await? {
            let columns = Columns { table: "token", id };
            names.tokens.insert(TokenId::from_uuid(id), columns.text("name", &name)?);
        }
        let named = named_by::<service::Entity>(self, service::Column::Id, service::Column::Name, services);
        for (id, name) in named.await? {
            let columns = Columns { table: "service", id };
            names.services.insert(ServiceId::from_uuid(id), columns.text("name", &name)?);
        }
        Ok(names)
    }
}

/// Returns the names of the rows with these ids.
async fn named_by<E: EntityTrait>(
    read: &Read,
    id: E::Column,
    name: E::Column,
    ids: BTreeSet<Uuid>,
) -> Result<Vec<(Uuid, String)>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = E::find().select_only().column(id).column(name).filter(id.is_in(ids));
    Ok(rows.into_tuple().all(&read.transaction).await?)
}

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
