//! The pools of connections, and which of their connections are trusted.

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

/// Connections to one database, for one kind of work. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    pub(crate) connections: Connections,
    trust: Arc<Trust>,
    /// When it was last looked whether the database can be worked with.
    examined: Arc<AtomicI64>,
}

#[derive(Clone, Debug)]
pub(crate) enum Connections {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Since when connections are trusted: those that are older than the last that failed are closed before they are used.
/// Where a network forgets one connection, it has mostly forgotten them all, and to find that out for one after the other
/// takes a limit for each.
#[derive(Debug)]
struct Trust(AtomicI64);

/// How long a statement waits for a lock, and how long it may run, as PostgreSQL writes it.
pub(crate) const STATEMENT_LIMIT: &str = "2s";
/// A database that was looked at so lately is not looked at again before it is connected to.
const EXAMINED: Duration = Duration::from_secs(5);
/// How long a free connection is waited for: so much less than a transaction may take that there is time to say why.
const ACQUIRE: Duration = Duration::from_secs(3);
/// A connection that was idle for longer is tried before it is used,
const IDLE: Duration = Duration::from_secs(1);
/// and answers within this, or is closed.
const PING: Duration = Duration::from_secs(1);

impl Pool {
    pub(crate) fn sqlite(options: SqliteConnectOptions, connections: u32) -> Pool {
        let trust = Arc::new(Trust(AtomicI64::new(SinceBoot::NEVER.micros())));
        let pool = hooked(connections, &trust).connect_lazy_with(options.disable_statement_logging());
        Pool { connections: Connections::Sqlite(pool), trust, examined: Arc::new(AtomicI64::new(i64::MIN)) }
    }

    pub(crate) fn postgres(options: PgConnectOptions, connections: u32) -> Pool {
        let trust = Arc::new(Trust(AtomicI64::new(SinceBoot::NEVER.micros())));
        let pool = hooked(connections, &trust).connect_lazy_with(options.disable_statement_logging());
        Pool { connections: Connections::Postgres(pool), trust, examined: Arc::new(AtomicI64::new(i64::MIN)) }
    }

    pub(crate) fn engine(&self) -> Engine {
        match self.connections {
            Connections::Sqlite(_) => Engine::Sqlite,
            Connections::Postgres(_) => Engine::Postgres,
        }
    }

    /// The same connections as SeaORM has them, for what it does by itself: migrations.
    pub(crate) fn sea_orm(&self) -> DatabaseConnection {
        match &self.connections {
            Connections::Sqlite(pool) => SqlxSqliteConnector::from_sqlx_sqlite_pool(pool.clone()),
            Connections::Postgres(pool) => SqlxPostgresConnector::from_sqlx_postgres_pool(pool.clone()),
        }
    }

    /// Takes note that the database can be worked with, so far.
    pub(crate) fn examined(&self) {
        self.examined.store(SinceBoot::now().micros(), Ordering::Release);
    }

    /// Whether that was looked at just now.
    pub(crate) fn is_examined(&self) -> bool {
        let examined = SinceBoot::from_micros(self.examined.load(Ordering::Acquire));
        SinceBoot::now().since(examined) < EXAMINED
    }

    /// Trusts none of the connections that there are now.
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

fn hooked<DB: sqlx::Database>(connections: u32, trust: &Arc<Trust>) -> PoolOptions<DB> {
    let before = Arc::clone(trust);
    PoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        // Whatever closes connections for their age may, in sqlx 0.9.0, never end, and keep a core for itself and a
        // thread of the runtime: https://github.com/transact-rs/sqlx/issues/3645. There are few, and they are tested.
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
