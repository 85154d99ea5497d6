//! Connecting to a database, and bringing its schema to this version.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::Duration;

use ndauth_migrations::{Migrator, MigratorTrait};
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use crate::clock::Latest;
use crate::{Clock, DatabaseUrl, StoreError, Watch};

/// A database, through a pool of connections. Clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) database: DatabaseConnection,
    url: DatabaseUrl,
    /// Whether it has a connection of its own, on which every transaction is a view as it begins.
    pub(crate) apart: bool,
    /// Which file it is, where it is one.
    file: Option<FileId>,
    pub(crate) engine: Engine,
    pub(crate) clock: Clock,
    pub(crate) latest: Arc<Latest>,
    /// One writing transaction at a time: the head of the log admits no more anyway.
    pub(crate) writer: Arc<Mutex<()>>,
}

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file of SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// A step of the schema's history, and whether the database has taken it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationState {
    /// Its name.
    pub name: String,
    /// Whether it was applied.
    pub applied: bool,
}

/// How long a statement waits for a lock, and how long it may run.
const STATEMENT_LIMIT: &str = "2s";
/// How long to wait for a free connection, and for a SQLite file that another process writes to.
const PATIENCE: Duration = Duration::from_secs(5);
/// A connection that was idle for longer is tried before it is used.
const IDLE: Duration = Duration::from_secs(1);
/// The advisory lock of whoever migrates ("ndauth" in ASCII).
const MIGRATION_LOCK: i64 = 0x6e64_6175_7468;

impl Store {
    /// Connects, without looking at the schema.
    pub async fn connect(url: &DatabaseUrl, clock: Clock) -> Result<Store, StoreError> {
        let (engine, options) = match url {
            DatabaseUrl::Sqlite(path) => (Engine::Sqlite, sqlite_options(path.clone(), Opening::Pool)),
            DatabaseUrl::Postgres(url) => (Engine::Postgres, postgres_options(url, Opening::Pool)),
        };
        let database = open(&options).await?;
        let (url, file) = (url.clone(), file_id(url).map_err(StoreError::unavailable)?);
        Ok(Store {
            database,
            url,
            apart: false,
            file,
            engine,
            clock,
            latest: Arc::default(),
            writer: Arc::default(),
        })
    }

    /// The same database through one connection of its own, which nobody else's work holds up. It only reads, and a
    /// view takes it a round trip less to open.
    pub async fn apart(&self) -> Result<Store, StoreError> {
        let options = match &self.url {
            DatabaseUrl::Sqlite(path) => sqlite_options(path.clone(), Opening::One),
            DatabaseUrl::Postgres(url) => postgres_options(url, Opening::One),
        };
        Ok(Store { database: open(&options).await?, apart: true, ..self.clone() })
    }

    /// Whether another file lies where the database's was opened, or none: what is open is in nobody's way
    /// any more, and is lost when it is closed.
    pub fn is_replaced(&self) -> bool {
        match file_id(&self.url) {
            Ok(file) => file != self.file,
            // What cannot be looked at may be there all the same.
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }

    /// A watch that goes by this database's clock.
    pub fn watch(&self) -> Watch {
        Watch::new(self.clock.clone())
    }

    /// Which database it is.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Brings the schema to this version, in one transaction. Whoever starts at the same time waits.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let transaction = self.begin_immediate().await?;
        if self.engine == Engine::Postgres {
            for statement in [
                "SET LOCAL lock_timeout = 0".to_owned(),
                "SET LOCAL statement_timeout = 0".to_owned(),
                format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"),
            ] {
                transaction.execute_unprepared(&statement).await?;
            }
        }
        Migrator::up(&transaction, None).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Every step of the schema's history that this version knows, oldest first. Changes nothing.
    pub async fn migrations(&self) -> Result<Vec<MigrationState>, StoreError> {
        let pending = Migrator::get_pending_migrations_read_only(&self.database).await?;
        let state = |name: &str| MigrationState {
            name: name.to_owned(),
            applied: pending.iter().all(|pending| pending.name() != name),
        };
        Ok(Migrator::migrations().iter().map(|migration| state(migration.name())).collect())
    }

    /// Asks the database for a sign of life.
    pub async fn ping(&self) -> Result<(), StoreError> {
        timeout(PATIENCE, self.database.ping()).await.map_err(StoreError::unavailable)??;
        Ok(())
    }

    /// Closes every connection.
    pub async fn close(self) -> Result<(), StoreError> {
        self.database.close().await.map_err(StoreError::from)
    }

    /// Begins a transaction that will write: on SQLite it takes the lock at once, for one that read
    /// before it writes would fail where it should wait.
    pub(crate) async fn begin_immediate(&self) -> Result<DatabaseTransaction, StoreError> {
        Ok(self.database.begin_with_options(immediate()).await?)
    }
}

async fn open(options: &ConnectOptions) -> Result<DatabaseConnection, StoreError> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        match Database::connect(options.clone()).await.map_err(StoreError::from) {
            // Two processes that open a new file at once both switch it to WAL; one must wait.
            Err(error) if error.is_conflict() && Instant::now() < give_up => {
                sleep(Duration::from_millis(20)).await;
            }
            opened => return opened,
        }
    }
}

/// A file, by the numbers of its device and of its inode.
type FileId = (u64, u64);

fn file_id(url: &DatabaseUrl) -> io::Result<Option<FileId>> {
    let DatabaseUrl::Sqlite(path) = url else { return Ok(None) };
    let file = std::fs::metadata(path)?;
    Ok(Some((file.dev(), file.ino())))
}

/// How a writing transaction begins.
pub(crate) fn immediate() -> TransactionOptions {
    TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    }
}

/// How many connections there are.
#[derive(Clone, Copy)]
pub(crate) enum Opening {
    /// Several, so that nobody waits for another.
    Pool,
    /// One, which keeps what is attached to it.
    One,
}

fn options(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .connect_timeout(PATIENCE)
        .test_before_acquire_if_idle_for(IDLE)
        // Whatever closes connections for their age may, in sqlx 0.9.0, never end, and keep a core for itself and a
        // thread of the runtime: https://github.com/transact-rs/sqlx/issues/3645. There are few, and they are tested.
        .idle_timeout(None)
        .max_lifetime(None)
        .sqlx_logging(false)
        .record_stmt_in_spans(false);
    options
}

pub(crate) fn sqlite_options(path: std::path::PathBuf, opening: Opening) -> ConnectOptions {
    let connections = match opening {
        Opening::Pool => 6,
        Opening::One => 1,
    };
    let mut options = options("sqlite:", connections);
    options.map_sqlx_sqlite_opts(move |options| {
        let options = match opening {
            Opening::Pool => options,
            Opening::One => options.row_buffer_size(crate::columns::MOST_GATHERED),
        };
        options
            .filename(&path)
            // Nobody makes a new one beside a database that is served.
            .create_if_missing(matches!(opening, Opening::Pool))
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(PATIENCE)
    });
    options
}

fn postgres_options(url: &str, opening: Opening) -> ConnectOptions {
    // The names are for whoever looks at the database's list of who is connected.
    let (connections, name) = match opening {
        Opening::Pool => (16, "ndauth"),
        Opening::One => (1, "ndauth mirror"),
    };
    let mut options = options(url, connections);
    options.map_sqlx_postgres_opts(move |options| {
        let options = options.application_name(name).options([
            ("synchronous_commit", "on"),
            ("idle_in_transaction_session_timeout", STATEMENT_LIMIT),
            ("lock_timeout", STATEMENT_LIMIT),
            ("statement_timeout", STATEMENT_LIMIT),
        ]);
        match opening {
            Opening::Pool => options,
            Opening::One => options.options([
                ("default_transaction_isolation", "repeatable read"),
                ("default_transaction_read_only", "on"),
            ]),
        }
    });
    options
}
