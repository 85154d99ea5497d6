//! Transactions: a snapshot to read, or rows to change together with one event.

use std::sync::Arc;
use std::time::Duration;

use ndauth_core::{Causes, Event, Head, Installation, Timestamp};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement};
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, timeout};

use crate::clock::machine_micros;
use crate::columns::Columns;
use crate::lease::{Lease, TIMEOUT, Timeout};
use crate::log::append;
use crate::seen::{KnownRows, SeenRows};
use crate::writing::Writing;
use crate::{Beat, Clock, Engine, Store, StoreError, StoredEvent};

/// A view: a snapshot of the database, and the instant at which it is judged.
pub struct Read {
    pub(crate) transaction: Lease,
    engine: Engine,
    moment: Moment,
    seen: SeenRows,
}

/// The state of the installation at an instant, as one statement reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The end of the log.
    pub head: Head,
    /// The state of the whole installation.
    pub installation: Installation,
    /// The hash of the catalogue's document.
    pub catalogue_hash: [u8; 32],
    /// The instant.
    pub now: Timestamp,
    /// The last beat, if the database replicates synchronously. Without a newer one, nothing proves that it
    /// is still the primary.
    pub beat: Option<Beat>,
}

/// A change that is not committed yet. If it is dropped without [`Write::commit`], it is rolled back.
pub struct Write {
    read: Read,
    name: &'static str,
    begun: Instant,
    writing: Arc<Writing>,
    _turn: OwnedMutexGuard<()>,
}

/// The time for which a change waits for its turn behind others of this process.
const TURN: Duration = Duration::from_secs(5);

impl Store {
    /// Opens a view of the present state. All reads through it see one snapshot.
    pub async fn read(&self) -> Result<Read, StoreError> {
        Ok(self.read_by(&self.question_statement()).await?.0)
    }

    /// Opens a view by a statement that has the columns of [`question`](Store::question). Returns its row, too.
    pub(crate) async fn read_by(&self, question: &Statement) -> Result<(Read, QueryResult), StoreError> {
        let (mut read, row) = self.opened(self.view, question, Timeout::Each(TIMEOUT)).await?;
        read.seen = SeenRows::of_view();
        if self.engine == Engine::Sqlite {
            // No network lies between this process and the file.
            read.transaction.lift_timeouts();
        }
        Ok((read, row))
    }

    fn question_statement(&self) -> Statement {
        Statement::from_string(self.backend(), self.question())
    }

    pub(crate) fn backend(&self) -> DbBackend {
        match self.engine {
            Engine::Sqlite => DbBackend::Sqlite,
            Engine::Postgres => DbBackend::Postgres,
        }
    }

    /// Returns the state of the installation now.
    pub async fn moment(&self) -> Result<Moment, StoreError> {
        let lease = Lease::take(&self.pool, Timeout::Each(TIMEOUT)).await?;
        let row = lease.query_one_raw(self.question_statement()).await?;
        self.moment_of(&lease, &row.ok_or_else(headless)?)
    }

    /// Begins a change. Its name is for logs and metrics.
    ///
    /// The change ends within a timeout, whatever the database does. Then the next change gets its turn.
    pub async fn write(&self, name: &'static str) -> Result<Write, StoreError> {
        let turn = timeout(TURN, self.writer.clone().lock_owned())
            .await
            .map_err(|_| StoreError::unavailable("too many changes are waiting"))?;
        let begun = Instant::now();
        let read =
            self.opened(self.change(), &self.question_statement(), Timeout::Until(begun + TIMEOUT)).await;
        let read = read.map(|(read, _)| read);
        if read.is_err() {
            self.writing.note(&read);
        }
        Ok(Write { read: read?, name, begun, writing: Arc::clone(&self.writing), _turn: turn })
    }

    /// Commits an update that changes nothing, as durably as any other, to test that changes get through.
    pub async fn check_writes(&self) -> Result<(), StoreError> {
        let write = self.write("try_writing").await?;
        let touch = "UPDATE installation SET settled_at = settled_at WHERE one = 1";
        write.transaction.execute_unprepared(touch).await?;
        write.commit_observed().await
    }

    /// Returns for how long changes have failed, and why the last one did, or `None` if the last one
    /// succeeded.
    pub fn write_failure(&self) -> Option<(Duration, String)> {
        self.writing.fail()
    }

    /// Returns the statement that begins a change. On SQLite it takes the lock at once: a transaction that
    /// reads before it writes would fail where it should wait.
    pub(crate) fn change(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite => "BEGIN IMMEDIATE",
            Engine::Postgres => "BEGIN",
        }
    }

    /// Begins a transaction that reads the end of the log first, so that later reads are at least as new.
    async fn opened(
        &self,
        begin: &'static str,
        question: &Statement,
        within: Timeout,
    ) -> Result<(Read, QueryResult), StoreError> {
        let (transaction, row) = Lease::begin(&self.pool, (begin, question), within).await?;
        let row = row.ok_or_else(headless)?;
        let moment = self.moment_of(&transaction, &row)?;
        Ok((Read { transaction, engine: self.engine, moment, seen: SeenRows::of_change() }, row))
    }

    /// Returns the query for the end of the log, which also proves that the database is the primary.
    pub(crate) fn question(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite => {
                "SELECT sequence, head.hash, not_before, restored_at, settled_at, catalogue.hash AS catalogue \
                 FROM head, installation, catalogue WHERE head.id = 1"
            }
            Engine::Postgres => {
                "SELECT sequence, head.hash, not_before, restored_at, settled_at, catalogue.hash AS catalogue, \
                 (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now, \
                 pg_is_in_recovery() AS standby, current_setting('synchronous_standby_names') <> '' AS synchronous, \
                 (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint AS server, \
                 beat.number, beat.proven FROM head, installation, catalogue, beat WHERE head.id = 1 AND beat.id = 1"
            }
        }
    }

    fn moment_of(&self, connection: &Lease, row: &QueryResult) -> Result<Moment, StoreError> {
        let mut beat = None;
        let micros = match (&self.clock, self.engine) {
            (Clock::Manual(clock), _) => clock.micros(),
            (Clock::Database, Engine::Sqlite) => machine_micros(),
            (Clock::Database, Engine::Postgres) => row.try_get("", "now")?,
        };
        if self.engine == Engine::Postgres {
            if row.try_get("", "standby")? && !self.from_standby {
                // A standby may be promoted and serve later, through other connections.
                connection.give_up();
                return Err(StoreError::Standby);
            }
            if row.try_get("", "synchronous")? {
                beat = Some(Beat {
                    server: row.try_get("", "server")?,
                    number: row.try_get("", "number")?,
                    proven: row.try_get("", "proven")?,
                });
            }
        }
        let now = self.latest.no_earlier(micros)?;
        Ok(Moment {
            head: head(row)?,
            installation: installation(row)?,
            catalogue_hash: Columns { table: "catalogue", id: 1 }
                .hash("hash", row.try_get("", "catalogue")?)?,
            now,
            beat,
        })
    }
}

impl Read {
    pub(crate) fn engine(&self) -> Engine {
        self.engine
    }

    /// Keeps rows that were read, if this is a view.
    pub(crate) fn remember(&self, put: impl FnOnce(&mut KnownRows)) {
        self.seen.remember(put);
    }

    /// Returns rows that were read before in this view.
    pub(crate) fn recall<T>(&self, get: impl FnOnce(&KnownRows) -> Option<T>) -> Option<T> {
        self.seen.recall(get)
    }

    /// Returns the number of statements that were sent, with the one that opened the view or began the change.
    pub fn statements(&self) -> u32 {
        self.transaction.statements()
    }

    /// Returns the state of the installation as this view was opened.
    pub fn moment(&self) -> Moment {
        self.moment
    }

    /// Returns the end of the log in this view.
    pub fn head(&self) -> Head {
        self.moment.head
    }

    /// Returns the state of the whole installation.
    pub fn installation(&self) -> &Installation {
        &self.moment.installation
    }

    /// Returns the hash of the catalogue's document.
    pub fn catalogue_hash(&self) -> [u8; 32] {
        self.moment.catalogue_hash
    }

    /// Returns the instant at which this view is judged.
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
    /// Appends the event and makes the change durable: after this returns, no crash undoes it. Returns the
    /// new end of the log, or [`StoreError::OutcomeUnknown`] if it is not known whether the change was made.
    ///
    /// The head of the log is locked only from here on, for two statements and a sync.
    #[tracing::instrument(target = "ndauth_trace", name = "commit", skip_all)]
    pub async fn commit(mut self, event: &Event) -> Result<Head, StoreError> {
        let appended = async {
            let last = self.lock_head().await?;
            self.append(&StoredEvent::from((event, last))).await
        };
        let appended = match appended.await {
            Ok(appended) => appended,
            Err(error) => {
                let failed = Err(error);
                self.writing.note(&failed);
                return failed;
            }
        };
        self.end().await?;
        Ok(appended)
    }

    /// Commits a change that is not state and has no event: an observation, a session that was refreshed, a
    /// code that waits.
    #[tracing::instrument(target = "ndauth_trace", name = "commit", skip_all)]
    pub async fn commit_observed(self) -> Result<(), StoreError> {
        self.end().await
    }

    async fn end(self) -> Result<(), StoreError> {
        let Write { read, name, begun, writing, _turn } = self;
        let done = read.transaction.commit().await;
        writing.note(&done);
        metrics::histogram!("ndauth_store_write_seconds", "name" => name)
            .record(begun.elapsed().as_secs_f64());
        if let Err(error) = &done {
            tracing::warn!(change = name, error = %Causes(error), "not confirmed");
        }
        done
    }

    /// Dates this change to another instant, as when an old event is replayed.
    pub fn date(&mut self, instant: Timestamp) {
        self.read.moment.now = instant;
    }

    /// Locks the head of the log until this change ends, and returns it.
    pub async fn lock_head(&mut self) -> Result<Head, StoreError> {
        // On SQLite the transaction has the only write lock already, so the head is as it was read.
        if self.read.engine == Engine::Postgres {
            let sql = "SELECT sequence, hash FROM head WHERE id = 1 FOR UPDATE";
            self.read.moment.head = head(&one_row(&self.read.transaction, sql).await?)?;
        }
        Ok(self.read.moment.head)
    }

    /// Appends an event from a copy of this log. [`Write::commit`] must still be called.
    ///
    /// The head must be locked, and the event must follow it: see [`StoredEvent::follows`].
    pub async fn append(&mut self, event: &StoredEvent) -> Result<Head, StoreError> {
        self.read.moment.head = append(&self.read.transaction, event).await?;
        Ok(self.read.moment.head)
    }
}

/// Returns the error for a database without a head.
fn headless() -> StoreError {
    StoreError::corrupt("head", "id", 1)
}

async fn one_row(connection: &impl ConnectionTrait, sql: &str) -> Result<QueryResult, StoreError> {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    connection.query_one_raw(statement).await?.ok_or_else(headless)
}

fn installation(row: &QueryResult) -> Result<Installation, StoreError> {
    let columns = Columns { table: "installation", id: 1 };
    Ok(Installation {
        not_before: columns.instant("not_before", row.try_get("", "not_before")?)?,
        restored_at: columns.instant_or_null("restored_at", row.try_get("", "restored_at")?)?,
        settled_at: columns.instant_or_null("settled_at", row.try_get("", "settled_at")?)?,
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
