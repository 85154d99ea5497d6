//! Connecting to a database, and bringing its schema to this version.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ndauth_migrations::{Migrator, MigratorTrait};
use rustix::fs::{Access, access};
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement, TransactionTrait};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use crate::clock::Latest;
use crate::examine::examine;
use crate::lease::{Lease, MOST_GATHERED, TIMEOUT, Timeout};
use crate::pool::{Pool, STATEMENT_LIMIT};
use crate::writing::Writing;
use crate::{Clock, DatabaseClock, DatabaseUrl, Engine, StoreError, Unreachable};

/// A database, through pools of connections. Clones share them.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) pool: Pool,
    /// The same, for what SeaORM does by itself.
    pub(crate) database: DatabaseConnection,
    url: DatabaseUrl,
    /// How a view begins.
    pub(crate) view: &'static str,
    /// It may be a standby: its log is read before it is lost.
    pub(crate) from_standby: bool,
    /// Which file it is, where it is one.
    file: Option<FileId>,
    pub(crate) engine: Engine,
    pub(crate) clock: Clock,
    pub(crate) latest: Arc<Latest>,
    /// One writing transaction at a time: the head of the log admits no more anyway.
    pub(crate) writer: Arc<Mutex<()>>,
    pub(crate) writing: Arc<Writing>,
}

/// A step of the schema's history, and whether the database has taken it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationState {
    /// Its name.
    pub name: String,
    /// Whether it was applied.
    pub applied: bool,
}

/// How long to wait for a SQLite file that another process writes to: less than a transaction may take.
const BUSY: Duration = Duration::from_secs(3);
/// The advisory lock of whoever migrates ("ndauth" in ASCII).
const MIGRATION_LOCK: i64 = 0x6e64_6175_7468;

impl Store {
    /// Connects to a database that is there, without looking at the schema.
    pub async fn connect(url: &DatabaseUrl, clock: Clock) -> Result<Store, StoreError> {
        if let DatabaseUrl::Sqlite(path) = url
            && !path.exists()
        {
            return Err(StoreError::Missing { place: url.to_string() });
        }
        Store::create(url, clock).await
    }

    /// The same; where there is no file of SQLite, it is made.
    pub async fn create(url: &DatabaseUrl, clock: Clock) -> Result<Store, StoreError> {
        if let DatabaseUrl::Sqlite(path) = url {
            // Here, and not by whoever connects: that happens again while it is served, and the file may be gone then.
            let made = OpenOptions::new().append(true).create(true).open(path);
            made.map_err(|error| StoreError::unavailable(format!("`{}`: {error}", path.display())))?;
        }
        let pool = Opening::Work.pool(url)?;
        match url {
            DatabaseUrl::Sqlite(_) => open_file(&pool).await?,
            DatabaseUrl::Postgres(url) => {
                let options = postgres_options(url, Opening::Work)?;
                pool.examined();
                // The first connection is made meanwhile: what is wrong is told by the other.
                let first = async { Ok(Lease::take(&pool, Timeout::Each(TIMEOUT)).await.is_ok()) };
                tokio::try_join!(examine(&options), first)?;
            }
        }
        let file = file_id(url).map_err(StoreError::unavailable)?;
        Ok(Store::over(pool, url, clock, file))
    }

    fn over(pool: Pool, url: &DatabaseUrl, clock: Clock, file: Option<FileId>) -> Store {
        let engine = pool.engine();
        Store {
            database: pool.sea_orm(),
            pool,
            url: url.clone(),
            view: match engine {
                Engine::Sqlite => "BEGIN",
                Engine::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            },
            from_standby: false,
            file,
            engine,
            clock,
            latest: Arc::default(),
            writer: Arc::default(),
            writing: Arc::default(),
        }
    }

    /// Opens a database of whatever version, a standby too, to read its log and nothing else. It changes nothing.
    pub async fn open_log(url: &DatabaseUrl) -> Result<Store, StoreError> {
        if let DatabaseUrl::Sqlite(path) = url
            && !path.exists()
        {
            return Err(StoreError::Missing { place: url.to_string() });
        }
        let pool = Opening::Log.pool(url)?;
        let store = Store::over(pool, url, Clock::Database, None);
        if let DatabaseUrl::Postgres(url) = url {
            match examine(&postgres_options(url, Opening::Log)?).await {
                Ok(()) | Err(StoreError::Unreachable { cause: Unreachable::Standby, .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Store { from_standby: true, ..store })
    }

    /// The same database through one connection of its own, which nobody else's work holds up. It only reads. To be
    /// called on the runtime that it is used on.
    pub fn apart(&self) -> Result<Store, StoreError> {
        let pool = Opening::Mirror.pool(&self.url)?;
        if self.pool.is_examined() {
            pool.examined();
        }
        Ok(Store { database: pool.sea_orm(), pool, ..self.clone() })
    }

    /// The same database through one connection of its own by which the installation shows that it can commit. To be
    /// called on the runtime that it is used on.
    pub fn for_beats(&self) -> Result<Store, StoreError> {
        let pool = Opening::Beat.pool(&self.url)?;
        Ok(Store { database: pool.sea_orm(), pool, ..self.clone() })
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
    pub fn watch(&self) -> DatabaseClock {
        DatabaseClock::new(self.clock.clone())
    }

    /// Which database it is.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Where it is.
    pub fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// Brings the schema to this version, in one transaction. Whoever starts at the same time waits.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let transaction = self.database.begin().await.map_err(StoreError::from)?;
        if self.engine == Engine::Postgres {
            for statement in [
                "SET LOCAL lock_timeout = 0".to_owned(),
                "SET LOCAL statement_timeout = 0".to_owned(),
                "SET LOCAL idle_in_transaction_session_timeout = 0".to_owned(),
                format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"),
            ] {
                transaction.execute_unprepared(&statement).await?;
            }
        }
        Migrator::up(&transaction, None).await.map_err(|error| self.not_owner(error.into()))?;
        transaction.commit().await?;
        Ok(())
    }

    /// Tells whoever may not make tables what that takes.
    fn not_owner(&self, error: StoreError) -> StoreError {
        match &error {
            StoreError::Unavailable(_) if error.is_forbidden() => StoreError::Unreachable {
                place: self.url.to_string(),
                cause: Unreachable::NotOwner(error.bottom()),
            },
            _ => error,
        }
    }

    /// Every step of the schema's history that this version knows, oldest first. Changes nothing.
    pub async fn migrations(&self) -> Result<Vec<MigrationState>, StoreError> {
        let lease = Lease::take(&self.pool, Timeout::Each(TIMEOUT)).await?;
        lease.use_simple_protocol();
        let sql = "SELECT version FROM seaql_migrations";
        let rows = lease.query_all_raw(Statement::from_string(lease.get_database_backend(), sql)).await;
        let taken: Vec<String> = match rows.map_err(StoreError::from) {
            Ok(rows) => rows.iter().map(|row| row.try_get("", "version")).collect::<Result<_, _>>()?,
            Err(error) if error.is_without_table() => Vec::new(),
            Err(error) => return Err(error),
        };
        let state = |name: &str| MigrationState {
            name: name.to_owned(),
            applied: taken.iter().any(|taken| taken == name),
        };
        Ok(Migrator::migrations().iter().map(|migration| state(migration.name())).collect())
    }

    /// Asks the database for a sign of life.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let lease = Lease::take(&self.pool, Timeout::Each(TIMEOUT)).await?;
        lease.execute_unprepared("SELECT 1").await?;
        Ok(())
    }

    /// Closes every connection. One that does not close within a limit is left to the end of the process.
    pub async fn close(&self) -> Result<(), StoreError> {
        timeout(TIMEOUT, self.pool.close()).await.map_err(StoreError::unavailable)
    }
}

/// Opens a file for the first time, which may have to wait: of two processes that open a new file at once both switch it
/// to WAL.
async fn open_file(pool: &Pool) -> Result<(), StoreError> {
    let give_up = Instant::now() + BUSY;
    loop {
        match Lease::take(pool, Timeout::Each(TIMEOUT)).await {
            Err(error) if error.is_conflict() && Instant::now() < give_up => {
                sleep(Duration::from_millis(20)).await;
            }
            opened => return opened.map(drop),
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

/// What a pool of connections is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    /// Everybody's work.
    Work,
    /// The mirror's reader alone.
    Mirror,
    /// The beat alone.
    Beat,
    /// What is put in the place of another database, through one connection, which keeps what is attached to it.
    Copy,
    /// Reading a log that may be lost otherwise.
    Log,
}

impl Opening {
    pub(crate) fn pool(self, url: &DatabaseUrl) -> Result<Pool, StoreError> {
        let connections = match (self, url) {
            (Opening::Work, DatabaseUrl::Sqlite(_)) => 6,
            (Opening::Work, DatabaseUrl::Postgres(_)) => 16,
            _ => 1,
        };
        Ok(match url {
            DatabaseUrl::Sqlite(path) => Pool::sqlite(sqlite_options(path, self), connections),
            DatabaseUrl::Postgres(url) => Pool::postgres(postgres_options(url, self)?, connections),
        })
    }
}

fn sqlite_options(path: &Path, opening: Opening) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(BUSY);
    if opening == Opening::Log {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut wal = path.to_owned().into_os_string();
        wal.push("-wal");
        // SQLite reads a file beside which it can write nothing only if nobody else writes there; and then it passes over
        // what a crash left beside it, so that must be nothing.
        let sealed = access(folder, Access::WRITE_OK).is_err()
            && !std::fs::metadata(wal).is_ok_and(|wal| wal.len() > 0);
        return options.read_only(true).immutable(sealed).create_if_missing(false);
    }
    options
        .create_if_missing(false)
        .row_buffer_size(if opening == Opening::Mirror { MOST_GATHERED } else { 50 })
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
}

fn postgres_options(url: &str, opening: Opening) -> Result<PgConnectOptions, StoreError> {
    let options: PgConnectOptions = url.parse()?;
    // The names are for whoever looks at the database's list of who is connected.
    let name = match opening {
        Opening::Work | Opening::Copy => "ndauth",
        Opening::Mirror => "ndauth mirror",
        Opening::Beat => "ndauth beat",
        Opening::Log => "ndauth log",
    };
    Ok(options.application_name(name).options([
        ("synchronous_commit", "on"),
        ("idle_in_transaction_session_timeout", STATEMENT_LIMIT),
        ("lock_timeout", STATEMENT_LIMIT),
        ("statement_timeout", STATEMENT_LIMIT),
        // The database, too, lets go of a client that the network has forgotten, and of what it locked.
        ("tcp_keepalives_idle", "2"),
        ("tcp_keepalives_interval", "1"),
        ("tcp_keepalives_count", "3"),
        ("tcp_user_timeout", "5000"),
    ]))
}
