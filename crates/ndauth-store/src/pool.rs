//! The pools of connections, and the trust in their connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use ndauth_clock::SinceBoot;
use sea_orm::sqlx::pool::{PoolConnectionMetadata, PoolOptions};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgPool};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _};
use sea_orm::{DatabaseConnection, SqlxPostgresConnector, SqlxSqliteConnector};
use tokio::time::timeout;

use crate::Engine;

/// A pool of connections to one database, for one kind of work. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    pub(crate) connections: Connections,
    trust: Arc<Trust>,
    /// The moment at which the database was last found usable.
    examined: Arc<AtomicI64>,
}

#[derive(Clone, Debug)]
pub(crate) enum Connections {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// The moment since which connections are trusted. Connections opened before the last failure are closed
/// before they are used: a network that drops one connection has usually dropped all, and finding that out
/// for each would cost a timeout each time.
#[derive(Debug)]
struct Trust(AtomicI64);

/// The timeout of PostgreSQL for a statement and for its wait for a lock.
pub(crate) const STATEMENT_LIMIT: &str = "2s";
/// The time for which a database that was examined is not examined again before a connection.
const EXAMINED: Duration = Duration::from_secs(5);
/// The timeout for acquiring a connection from the pool: so far below that of a transaction that there is
/// time to find the cause.
const ACQUIRE: Duration = Duration::from_secs(3);
/// The idle time after which a connection is tested before it is used.
const IDLE: Duration = Duration::from_secs(1);
/// The timeout of that test, after which the connection is closed.
const PING: Duration = Duration::from_secs(1);

impl Pool {
    pub(crate) fn sqlite(options: SqliteConnectOptions, connections: u32) -> Pool {
        let trust = Arc::new(Trust(AtomicI64::new(SinceBoot::NEVER.micros())));
        let pool = pool_options(connections, &trust).connect_lazy_with(options.disable_statement_logging());
        Pool { connections: Connections::Sqlite(pool), trust, examined: Arc::new(AtomicI64::new(i64::MIN)) }
    }

    pub(crate) fn postgres(options: PgConnectOptions, connections: u32) -> Pool {
        let trust = Arc::new(Trust(AtomicI64::new(SinceBoot::NEVER.micros())));
        let pool = pool_options(connections, &trust).connect_lazy_with(options.disable_statement_logging());
        Pool { connections: Connections::Postgres(pool), trust, examined: Arc::new(AtomicI64::new(i64::MIN)) }
    }

    pub(crate) fn engine(&self) -> Engine {
        match self.connections {
            Connections::Sqlite(_) => Engine::Sqlite,
            Connections::Postgres(_) => Engine::Postgres,
        }
    }

    /// Returns the same pool for SeaORM's own use, such as migrations.
    pub(crate) fn sea_orm(&self) -> DatabaseConnection {
        match &self.connections {
            Connections::Sqlite(pool) => SqlxSqliteConnector::from_sqlx_sqlite_pool(pool.clone()),
            Connections::Postgres(pool) => SqlxPostgresConnector::from_sqlx_postgres_pool(pool.clone()),
        }
    }

    /// Records that the database was found usable now.
    pub(crate) fn examined(&self) {
        self.examined.store(SinceBoot::now().micros(), Ordering::Release);
    }

    /// Returns true if the database was found usable a moment ago.
    pub(crate) fn is_examined(&self) -> bool {
        let examined = SinceBoot::from_micros(self.examined.load(Ordering::Acquire));
        SinceBoot::now().since(examined) < EXAMINED
    }

    /// Marks all present connections as untrusted.
    pub(crate) fn distrust(&self) {
        self.examined.store(i64::MIN, Ordering::Release);
        self.trust.0.fetch_max(SinceBoot::now().micros(), Ordering::AcqRel);
    }

    /// Closes every connection.
    pub(crate) async fn close(&self) {
        match &self.connections {
            Connections::Sqlite(pool) => pool.close().await,
            Connections::Postgres(pool) => pool.close().await,
        }
    }
}

impl Trust {
    fn covers(&self, meta: &PoolConnectionMetadata) -> bool {
        SinceBoot::now().before(meta.age).micros() > self.0.load(Ordering::Acquire)
    }
}

fn pool_options<DB: sqlx::Database>(connections: u32, trust: &Arc<Trust>) -> PoolOptions<DB> {
    let before = Arc::clone(trust);
    PoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        // In sqlx 0.9.0, the task that closes connections for their age may never end, and occupy a core and
        // a thread of the runtime: https://github.com/transact-rs/sqlx/issues/3645. There are few
        // connections, and they are tested.
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .before_acquire(move |connection: &mut DB::Connection, meta| {
            let trust = Arc::clone(&before);
            Box::pin(async move {
                if connection.is_in_transaction() || !trust.covers(&meta) {
                    return Ok(false);
                }
                if meta.idle_for < IDLE {
                    return Ok(true);
                }
                let lives = matches!(timeout(PING, connection.ping()).await, Ok(Ok(())));
                if !lives {
                    trust.0.fetch_max(SinceBoot::now().micros(), Ordering::AcqRel);
                }
                Ok(lives)
            })
        })
        .after_release(|connection: &mut DB::Connection, _| {
            let free = !connection.is_in_transaction();
            Box::pin(async move { Ok(free) })
        })
}
