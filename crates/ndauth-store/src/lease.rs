//! A lease of one connection from a pool, with a transaction on it or without.
//!
//! A connection returns to the pool only if it is known to be sound, and within a timeout. One that failed,
//! timed out, or would not roll back is closed. A transaction begins with a statement that cannot become a
//! savepoint, so a commit is final.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use sea_orm::sea_query::Values;
use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, Executor, Postgres, Sqlite, query_with, raw_sql};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};
use sea_query_sqlx::SqlxValues;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::StoreError;
use crate::examine::acquire;
use crate::notice::with_warnings;
use crate::pool::{Connections, Pool};

/// A leased connection.
pub(crate) struct Lease {
    /// The connection, or `None` once it was returned.
    connection: Mutex<Option<Connection>>,
    backend: DbBackend,
    pool: Pool,
    /// True if a transaction is open on it.
    open: bool,
    /// Set if it failed: it is closed instead of being returned.
    broken: AtomicBool,
    /// Set if its statements have no timeout.
    without_timeout: AtomicBool,
    /// Set if its queries take one round trip each and are not prepared.
    simple: AtomicBool,
    /// The number of statements that were sent.
    statements: AtomicU32,
    within: Timeout,
}

/// The time for which the client waits for the database, whatever timeouts the database has.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Timeout {
    /// For each statement.
    Each(Duration),
    /// For all statements together.
    Until(Instant),
}

enum Connection {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

/// The timeout of a transaction, or of a single statement: so far below 5 s that another attempt can finish
/// by then.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(4);
/// The timeout of beginning a transaction on PostgreSQL.
const BEGIN: Duration = Duration::from_secs(2);
/// The maximum number of rows that are buffered.
pub(crate) const MAX_BUFFERED_ROWS: usize = 4096;
/// The time for which rows are buffered.
const BUFFER_TIME: Duration = Duration::from_millis(1);

impl Lease {
    /// Takes a connection from a pool.
    pub(crate) async fn take(pool: &Pool, within: Timeout) -> Result<Lease, StoreError> {
        let taken = async {
            Ok::<_, StoreError>(match &pool.connections {
                Connections::Sqlite(of) => (Connection::Sqlite(of.acquire().await?), DbBackend::Sqlite),
                Connections::Postgres(of) => {
                    (Connection::Postgres(acquire(pool, of).await?), DbBackend::Postgres)
                }
            })
        };
        let (connection, backend) = match within {
            Timeout::Each(_) => taken.await?,
            Timeout::Until(end) => timeout_at(end, taken).await.map_err(StoreError::unavailable)??,
        };
        Ok(Lease {
            connection: Mutex::new(Some(connection)),
            backend,
            pool: pool.clone(),
            open: false,
            broken: AtomicBool::new(false),
            without_timeout: AtomicBool::new(false),
            simple: AtomicBool::new(false),
            statements: AtomicU32::new(0),
            within,
        })
    }

    /// Takes a connection, begins a transaction with this statement, and runs its first query. On PostgreSQL that is one
    /// round trip. A connection that was lost while idle is replaced
    /// once.
    pub(crate) async fn begin(
        pool: &Pool,
        (begin, question): (&'static str, &Statement),
        within: Timeout,
    ) -> Result<(Lease, Option<QueryResult>), StoreError> {
        let mut lease = Lease::take(pool, within).await?;
        let opened = match lease.backend {
            DbBackend::Postgres => match timeout(BEGIN, lease.open(begin, question)).await {
                Ok(opened) => opened,
                Err(late) => {
                    lease.give_up();
                    Err(StoreError::unavailable(late))
                }
            },
            _ => lease.open(begin, question).await,
        };
        match opened {
            Ok(row) => Ok((lease, row)),
            Err(error) if !lease.broken.load(Ordering::Relaxed) || matches!(error, StoreError::DiskFull) => {
                Err(error)
            }
            Err(_) => {
                // Dropped first: its failure marks all connections of its age as untrusted.
                drop(lease);
                let mut lease = Lease::take(pool, within).await?;
                let row = lease.open(begin, question).await?;
                Ok((lease, row))
            }
        }
    }

    async fn open(&mut self, begin: &str, question: &Statement) -> Result<Option<QueryResult>, StoreError> {
        // Set before the statement: if the caller gives up in the middle of it, its outcome is unknown.
        self.open = true;
        match self.backend {
            DbBackend::Postgres => Ok(self.query_one_unprepared(format!("{begin}; {question}")).await?),
            _ => {
                self.execute_unprepared(begin).await?;
                Ok(self.query_one_raw(question.clone()).await?)
            }
        }
    }

    /// Queries PostgreSQL in one round trip, and returns the first row.
    async fn query_one_unprepared(&self, sql: String) -> Result<Option<QueryResult>, DbErr> {
        let mut held = self.hold().await?;
        let Some(Connection::Postgres(connection)) = held.as_mut() else { return Err(gone()) };
        let query = raw_sql(AssertSqlSafe(sql));
        let row = self.bounded(async { query.fetch_optional(&mut **connection).await }).await;
        Ok(row.map_err(failed_query)?.map(QueryResult::from))
    }

    /// Marks the connection to be closed instead of being returned.
    pub(crate) fn give_up(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    /// Lifts the timeout of its statements.
    pub(crate) fn lift_timeouts(&self) {
        self.without_timeout.store(true, Ordering::Relaxed);
    }

    /// Sends each query to PostgreSQL unprepared, in one round trip. That pays for few rows at a distance.
    pub(crate) fn use_simple_protocol(&self) {
        self.simple.store(true, Ordering::Relaxed);
    }

    /// Prepares queries again, and keeps them for the next time.
    pub(crate) fn use_prepared_statements(&self) {
        self.simple.store(false, Ordering::Relaxed);
    }

    /// Commits the transaction.
    ///
    /// Returns [`StoreError::OutcomeUnknown`] if it is not known whether it was committed: the response never
    /// came, or came with a warning, such as that the wait for a synchronous standby was cancelled.
    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        let (done, warning) = with_warnings(self.run("COMMIT")).await;
        match (done, warning) {
            (Ok(_), None) => {
                self.open = false;
                Ok(())
            }
            (Ok(_), Some(warning)) => {
                self.broken.store(true, Ordering::Relaxed);
                Err(StoreError::OutcomeUnknown(warning.into()))
            }
            (Err(error), _) => {
                self.broken.store(true, Ordering::Relaxed);
                Err(StoreError::from_commit(error))
            }
        }
    }

    /// Reads many rows in batches. SQLite's rows come from another thread, and switching to it for each row
    /// would cost a quarter of the time of reading a million on one core.
    pub(crate) async fn gather(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let DbBackend::Sqlite = self.backend else { return self.query_all_raw(statement).await };
        let mut held = self.hold().await?;
        let Some(Connection::Sqlite(connection)) = held.as_mut() else { return Err(gone()) };
        let rows = self.bounded(async {
            let query = query_with(AssertSqlSafe(statement.sql.as_str()), values(&statement));
            let mut rows = query.fetch(&mut **connection).ready_chunks(MAX_BUFFERED_ROWS);
            let mut all = Vec::new();
            while let Some(gathered) = rows.next().await {
                for row in gathered {
                    all.push(QueryResult::from(row?));
                }
                sleep(BUFFER_TIME).await;
            }
            Ok(all)
        });
        rows.await.map_err(failed_query)
    }

    /// Returns the number of statements that were sent, without those that begin and end a transaction.
    pub(crate) fn statements(&self) -> u32 {
        self.statements.load(Ordering::Relaxed)
    }

    async fn hold(&self) -> Result<MutexGuard<'_, Option<Connection>>, DbErr> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        let held = self.connection.lock().await;
        if held.is_none() || self.broken.load(Ordering::Relaxed) { Err(gone()) } else { Ok(held) }
    }

    /// Waits for the database within the timeout, and marks the connection if it is lost.
    async fn bounded<T>(&self, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
        let done = match self.within {
            _ if self.without_timeout.load(Ordering::Relaxed) => Ok(work.await),
            Timeout::Each(limit) => timeout(limit, work).await,
            Timeout::Until(end) => timeout_at(end, work).await,
        };
        let done = done.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())));
        if let Err(error) = &done {
            self.failed(error);
        }
        done
    }

    fn failed(&self, error: &sqlx::Error) {
        let lost = match error {
            sqlx::Error::Database(error) => match self.backend {
                // SQLite rolls back on its own after some errors, and does not report after which.
                DbBackend::Sqlite => error.kind() == sqlx::error::ErrorKind::Other,
                // PostgreSQL ends the connection: it is stopping, or it is a standby.
                _ => error.code().is_some_and(|code| code.starts_with("57P") || code == "25006"),
            },
            sqlx::Error::RowNotFound | sqlx::Error::ColumnNotFound(_) => false,
            _ => true,
        };
        if lost {
            self.broken.store(true, Ordering::Relaxed);
        }
    }

    /// Runs a single statement through the database's simple protocol.
    async fn run(&self, sql: &str) -> Result<ExecResult, sqlx::Error> {
        let mut held = self.connection.lock().await;
        if self.broken.load(Ordering::Relaxed) {
            return Err(sqlx::Error::PoolClosed);
        }
        let sql = AssertSqlSafe(sql.to_owned());
        match held.as_mut().ok_or(sqlx::Error::PoolClosed)? {
            Connection::Sqlite(connection) => {
                self.bounded(async { connection.execute(sql).await.map(ExecResult::from) }).await
            }
            Connection::Postgres(connection) => {
                self.bounded(async { connection.execute(sql).await.map(ExecResult::from) }).await
            }
        }
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Lease {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let mut held = self.hold().await?;
        let sql = AssertSqlSafe(statement.sql.as_str());
        let done = match held.as_mut().ok_or_else(gone)? {
            Connection::Sqlite(connection) => {
                let query = query_with(sql, values(&statement));
                self.bounded(async { query.execute(&mut **connection).await.map(ExecResult::from) }).await
            }
            Connection::Postgres(connection) => {
                let query = query_with(sql, values(&statement));
                self.bounded(async { query.execute(&mut **connection).await.map(ExecResult::from) }).await
            }
        };
        done.map_err(failed_execution)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.run(sql).await.map_err(failed_execution)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.query_all_raw(statement).await?.into_iter().next())
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut held = self.hold().await?;
        let sql = AssertSqlSafe(statement.sql.as_str());
        let done = match held.as_mut().ok_or_else(gone)? {
            Connection::Sqlite(connection) => {
                let query = query_with(sql, values(&statement));
                let rows = self.bounded(async { query.fetch_all(&mut **connection).await }).await;
                rows.map(|rows| rows.into_iter().map(QueryResult::from).collect())
            }
            Connection::Postgres(connection) if self.simple.load(Ordering::Relaxed) => {
                let query = raw_sql(AssertSqlSafe(statement.to_string()));
                let rows = self.bounded(async { query.fetch_all(&mut **connection).await }).await;
                rows.map(|rows| rows.into_iter().map(QueryResult::from).collect())
            }
            Connection::Postgres(connection) => {
                let query = query_with(sql, values(&statement));
                let rows = self.bounded(async { query.fetch_all(&mut **connection).await }).await;
                rows.map(|rows| rows.into_iter().map(QueryResult::from).collect())
            }
        };
        done.map_err(failed_query)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.get_mut().take() else { return };
        let broken = self.broken.load(Ordering::Relaxed);
        if broken && self.backend == DbBackend::Postgres {
            self.pool.distrust();
        }
        let Ok(runtime) = Handle::try_current() else {
            // Without a runtime there is nothing to wait on.
            return match connection {
                Connection::Sqlite(connection) => drop(connection.detach()),
                Connection::Postgres(connection) => drop(connection.detach()),
            };
        };
        let (open, pool) = (self.open, self.pool.clone());
        match connection {
            Connection::Sqlite(connection) => drop(runtime.spawn(give_back(connection, broken, open, pool))),
            Connection::Postgres(connection) => {
                drop(runtime.spawn(give_back(connection, broken, open, pool)));
            }
        }
    }
}

/// Rolls back an open transaction and returns the connection to its pool, or closes it if that fails within
/// the timeout.
async fn give_back<DB: sqlx::Database>(
    mut connection: PoolConnection<DB>,
    broken: bool,
    open: bool,
    pool: Pool,
) where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let mut sound = !broken;
    if sound && open {
        sound = matches!(timeout(TIMEOUT, (&mut *connection).execute("ROLLBACK")).await, Ok(Ok(_)));
    }
    if !sound {
        connection.close_on_drop();
        return;
    }
    // The pool tests it once more before it is leased again.
    if timeout(TIMEOUT, connection.return_to_pool()).await.is_err() {
        pool.distrust();
    }
}

fn values(statement: &Statement) -> SqlxValues {
    SqlxValues(statement.values.clone().unwrap_or(Values(Vec::new())))
}

fn failed_query(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

fn failed_execution(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(error.into()))
}

fn gone() -> DbErr {
    failed_query(sqlx::Error::PoolClosed)
}
