//! Transactions: a snapshot to read, or rows to change together with one event.

use std::time::Duration;

use ndauth_core::{Event, Head, Installation, Timestamp};
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseTransaction, IsolationLevel, QueryResult, Statement,
    TransactionOptions, TransactionTrait,
};
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, timeout};

use crate::clock::machine_micros;
use crate::columns::Columns;
use crate::{Clock, Engine, Store, StoreError, StoredEvent};

/// A view of one state of the database, and the instant as of which it is judged.
pub struct Read {
    pub(crate) transaction: DatabaseTransaction,
    engine: Engine,
    moment: Moment,
}

/// Where the log ended at an instant, and what concerns the whole installation: what one statement tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The end of the log.
    pub head: Head,
    /// What concerns the whole installation.
    pub installation: Installation,
    /// Which catalogue it is: the hash of its document.
    pub catalogue_hash: [u8; 32],
    /// The instant.
    pub now: Timestamp,
}

/// A change in the making. Dropped without [`Write::commit`], it never was.
pub struct Write {
    read: Read,
    name: &'static str,
    begun: Instant,
    _turn: OwnedMutexGuard<()>,
}

/// How long a change waits for its turn behind others of this process.
const TURN: Duration = Duration::from_secs(5);

impl Store {
    /// Opens a view of the present state. Everything read through it is of one moment.
    pub async fn read(&self) -> Result<Read, StoreError> {
        let options = match self.engine {
            Engine::Sqlite => TransactionOptions::default(),
            // Its connection was told so once.
            Engine::Postgres if self.apart => TransactionOptions::default(),
            Engine::Postgres => TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                access_mode: Some(AccessMode::ReadOnly),
                sqlite_transaction_mode: None,
            },
        };
        let transaction = self.database.begin_with_options(options).await?;
        self.opened(transaction).await
    }

    /// Where the log ends now.
    pub async fn moment(&self) -> Result<Moment, StoreError> {
        self.moment_of(&self.database).await
    }

    /// Begins a change. Its name is for logs and metrics.
    pub async fn write(&self, name: &'static str) -> Result<Write, StoreError> {
        let turn = timeout(TURN, self.writer.clone().lock_owned())
            .await
            .map_err(|_| StoreError::unavailable("too many changes are waiting for their turn"))?;
        let begun = Instant::now();
        let transaction = self.begin_immediate().await?;
        Ok(Write { read: self.opened(transaction).await?, name, begun, _turn: turn })
    }

    /// Reads the end of the log first: what is read afterwards is at least as new.
    async fn opened(&self, transaction: DatabaseTransaction) -> Result<Read, StoreError> {
        let moment = self.moment_of(&transaction).await?;
        Ok(Read { transaction, engine: self.engine, moment })
    }

    async fn moment_of(&self, connection: &impl ConnectionTrait) -> Result<Moment, StoreError> {
        let sql = match self.engine {
            Engine::Sqlite => {
                "SELECT sequence, head.hash, not_before, restored_at, catalogue.hash AS catalogue \
                 FROM head, installation, catalogue WHERE head.id = 1"
            }
            Engine::Postgres => {
                "SELECT sequence, head.hash, not_before, restored_at, catalogue.hash AS catalogue, \
                 (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now \
                 FROM head, installation, catalogue WHERE head.id = 1"
            }
        };
        let row = one_row(connection, sql).await?;
        let micros = match (&self.clock, self.engine) {
            (Clock::Manual(clock), _) => clock.micros(),
            (Clock::Database, Engine::Sqlite) => machine_micros(),
            (Clock::Database, Engine::Postgres) => row.try_get("", "now")?,
        };
        let now = self.latest.no_earlier(micros)?;
        Ok(Moment {
            head: head(&row)?,
            installation: installation(&row)?,
            catalogue_hash: Columns { table: "catalogue", id: 1 }
                .hash("hash", row.try_get("", "catalogue")?)?,
            now,
        })
    }
}

impl Read {
    pub(crate) fn engine(&self) -> Engine {
        self.engine
    }

    /// All that the view's opening told.
    pub fn moment(&self) -> Moment {
        self.moment
    }

    /// The end of the log as of this view.
    pub fn head(&self) -> Head {
        self.moment.head
    }

    /// What concerns the whole installation.
    pub fn installation(&self) -> &Installation {
        &self.moment.installation
    }

    /// Which catalogue it is: the hash of its document.
    pub fn catalogue_hash(&self) -> [u8; 32] {
        self.moment.catalogue_hash
    }

    /// The instant as of which this view is judged.
    pub fn now(&self) -> Timestamp {
        self.moment.now
    }
}

impl std::ops::Deref for Write {
    type Target = Read;

    /// A change reads as a view does.
    fn deref(&self) -> &Read {
        &self.read
    }
}

impl Write {
    /// Appends the event and makes the change durable: once this returns, no crash undoes it.
    /// Returns the event's sequence.
    ///
    /// The head of the log is locked from here on, and not before: for two statements and a sync.
    pub async fn commit(mut self, event: &Event) -> Result<u64, StoreError> {
        let last = self.lock_head().await?;
        let appended = self.append(&StoredEvent::from((event, last))).await?;
        self.read.transaction.commit().await?;
        metrics::histogram!("ndauth_store_write_seconds", "name" => self.name)
            .record(self.begun.elapsed().as_secs_f64());
        tracing::info!(change = self.name, sequence = appended.sequence, "committed");
        Ok(appended.sequence)
    }

    /// Makes durable what is no change of state, and what no event tells of: an observation, a session that was
    /// refreshed, a code that waits.
    pub async fn commit_observed(self) -> Result<(), StoreError> {
        self.read.transaction.commit().await?;
        metrics::histogram!("ndauth_store_write_seconds", "name" => self.name)
            .record(self.begun.elapsed().as_secs_f64());
        Ok(())
    }

    /// Dates what changes from here on as of another instant, as when an old change is made again.
    pub fn date(&mut self, instant: Timestamp) {
        self.read.moment.now = instant;
    }

    /// The end of the log, which nobody else moves until this change ends.
    pub async fn lock_head(&mut self) -> Result<Head, StoreError> {
        // SQLite's one lock is held by the whole transaction, so there the head is as it was seen.
        if self.read.engine == Engine::Postgres {
            let sql = "SELECT sequence, hash FROM head WHERE id = 1 FOR UPDATE";
            self.read.moment.head = head(&one_row(&self.read.transaction, sql).await?)?;
        }
        Ok(self.read.moment.head)
    }

    /// Appends an event that comes from a copy of this log. [`Write::commit`] must still follow.
    ///
    /// The head must be locked, and the event must follow it: see [`StoredEvent::follows`].
    pub async fn append(&mut self, event: &StoredEvent) -> Result<Head, StoreError> {
        self.read.moment.head = crate::events::append(&self.read.transaction, event).await?;
        Ok(self.read.moment.head)
    }
}

async fn one_row(connection: &impl ConnectionTrait, sql: &str) -> Result<QueryResult, StoreError> {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    connection.query_one_raw(statement).await?.ok_or_else(|| StoreError::corrupt("head", "id", 1))
}

fn installation(row: &QueryResult) -> Result<Installation, StoreError> {
    let columns = Columns { table: "installation", id: 1 };
    Ok(Installation {
        not_before: columns.instant("not_before", row.try_get("", "not_before")?)?,
        restored_at: columns.instant_or_null("restored_at", row.try_get("", "restored_at")?)?,
    })
}

fn head(row: &QueryResult) -> Result<Head, StoreError> {
    let sequence: i64 = row.try_get("", "sequence")?;
    let hash: Vec<u8> = row.try_get("", "hash")?;
    Ok(Head {
        sequence: u64::try_from(sequence).map_err(|_| StoreError::corrupt("head", "sequence", 1))?,
        hash: hash.try_into().map_err(|_| StoreError::corrupt("head", "hash", 1))?,
    })
}
