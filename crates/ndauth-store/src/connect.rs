//! Connecting to a database, and bringing its schema to this version.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ndauth_migrations::{Migrator, MigratorTrait};
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement, TransactionTrait};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use crate::clock::Latest;
use crate::examine::examine;
use crate::folder::{check_folder, folder_of};
use crate::lease::{Lease, MAX_BUFFERED_ROWS, TIMEOUT, Timeout};
use crate::pool::{Pool, STATEMENT_LIMIT};
use crate::writing::Writing;
use crate::{Clock, DatabaseClock, DatabaseUrl, Engine, StoreError, Unreachable};

/// A database, through a pool of connections. Clones share the pool.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) pool: Pool,
    /// The same pool as SeaORM sees it, for migrations and copies.
    pub(crate) database: DatabaseConnection,
    url: DatabaseUrl,
    /// The statement that begins a view.
    pub(crate) view: &'static str,
    /// True if the database may be a standby: its log is read before it is lost.
    pub(crate) from_standby: bool,
    /// The identity of the SQLite file, if it is one.
    file: Option<FileId>,
    pub(crate) engine: Engine,
    pub(crate) clock: Clock,
    pub(crate) latest: Arc<Latest>,
    /// Admits one writing transaction at a time: the head of the log admits no more anyway.
    pub(crate) writer: Arc<Mutex<()>>,
    pub(crate) writing: Arc<Writing>,
}

/// A step of the schema's history, and its state in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationState {
    /// Its name.
    pub name: String,
    /// True if it was applied.
    pub applied: bool,
    /// False if this version does not know it, because a newer one applied it.
    pub known: bool,
}

/// The time to wait for a SQLite file that another process is writing to: less than a transaction may take.
const BUSY: Duration = Duration::from_secs(3);
/// The advisory lock of a migration ("ndauth" in ASCII).
const MIGRATION_LOCK: i64 = 0x6e64_6175_7468;

impl Store {
    /// Connects to an existing database, without looking at its schema.
    pub async fn connect(url: &DatabaseUrl, clock: Clock) -> Result<Store, StoreError> {
        if let DatabaseUrl::Sqlite(path) = url
            && !path.exists()
        {
            return Err(StoreError::Missing { place: url.to_string() });
        }
        Store::create(url, clock).await
    }

    /// Connects to a database. A SQLite file that does not exist is created.
    pub async fn create(url: &DatabaseUrl, clock: Clock) -> Result<Store, StoreError> {
        if let DatabaseUrl::Sqlite(path) = url {
            // The file is created here and not by a connection: connections are also opened later, when the
            // file may be gone.
            open_to_write(path, OpenOptions::new().append(true).create(true))?;
        }
        let pool = Opening::Work.pool(url)?;
        match url {
            DatabaseUrl::Sqlite(_) => open_file(&pool).await?,
            DatabaseUrl::Postgres(url) => {
                let options = postgres_options(url, Opening::Work)?;
                pool.examined();
                // The first connection is opened at the same time, and its error is ignored: `examine`
                // reports the cause.
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

    /// Opens a database of any version, even a standby, to read its log and nothing else. It changes nothing.
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

    /// Opens a database as [`Store::create`] would, to see that this would succeed and to read what is there.
    /// Returns `None` if it would be created. Changes nothing: it makes no file, and locks none.
    pub async fn look(url: &DatabaseUrl) -> Result<Option<Store>, StoreError> {
        match url {
            DatabaseUrl::Sqlite(path) => {
                let folder = folder_of(path);
                check_folder(folder).map_err(|error| {
                    StoreError::unavailable(format!("`{}` cannot be written: {error}", folder.display()))
                })?;
                if !path.exists() {
                    return Ok(None);
                }
                open_to_write(path, OpenOptions::new().append(true))?;
            }
            DatabaseUrl::Postgres(url) => examine(&postgres_options(url, Opening::Look)?).await?,
        }
        let pool = Opening::Look.pool(url)?;
        pool.examined();
        Ok(Some(Store::over(pool, url, Clock::Database, None)))
    }

    /// Returns the same database through one connection of its own, which no other work delays. It only
    /// reads. Call this on the runtime that uses it.
    pub fn apart(&self) -> Result<Store, StoreError> {
        let pool = Opening::Mirror.pool(&self.url)?;
        if self.pool.is_examined() {
            pool.examined();
        }
        Ok(Store { database: pool.sea_orm(), pool, ..self.clone() })
    }

    /// Returns the same database through one connection of its own, for the beats that prove that the
    /// installation can commit. Call this on the runtime that uses it.
    pub fn with_beat_connection(&self) -> Result<Store, StoreError> {
        let pool = Opening::Beat.pool(&self.url)?;
        Ok(Store { database: pool.sea_orm(), pool, ..self.clone() })
    }

    /// Returns true if the database's file was removed or replaced by another. The open one then conflicts
    /// with nobody, and is lost when it is closed.
    pub fn is_replaced(&self) -> bool {
        match file_id(&self.url) {
            Ok(file) => file != self.file,
            // A file that cannot be examined may still be there.
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }

    /// Returns a clock that follows this database's clock.
    pub fn watch(&self) -> DatabaseClock {
        DatabaseClock::new(self.clock.clone())
    }

    /// Returns the engine of the database.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Returns its URL.
    pub fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// Brings the schema to this version, in one transaction. Instances that start at the same time wait for
    /// each other.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        self.could_migrate().await?;
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

    /// Fails if the schema cannot be brought to this version: its history is another one, or the user may not
    /// change its tables. Changes nothing.
    pub async fn could_migrate(&self) -> Result<(), StoreError> {
        let states = self.migrations().await?;
        if let Some(strange) = states.iter().find(|state| !state.known)
            && let Some(pending) = states.iter().find(|state| !state.applied)
        {
            return Err(StoreError::unavailable(format!(
                "its schema has `{}`, which this version does not know, and not `{}`",
                strange.name, pending.name
            )));
        }
        if self.engine == Engine::Sqlite {
            return Ok(());
        }
        let lease = Lease::take(&self.pool, Timeout::Each(TIMEOUT)).await?;
        let sql = "SELECT coalesce(current_schema(), '-') AS schema, \
                   coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS creates, \
                   (SELECT tableowner FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'head' \
                   AND NOT pg_has_role(tableowner, 'USAGE')) AS owner";
        let row = lease.query_one_raw(Statement::from_string(lease.get_database_backend(), sql)).await?;
        let row = row.ok_or_else(|| StoreError::unavailable("no answer about the user's privileges"))?;
        let (schema, owner) =
            (row.try_get::<String>("", "schema")?, row.try_get::<Option<String>>("", "owner")?);
        let why = match owner {
            _ if !row.try_get::<bool>("", "creates")? => format!("permission denied for schema {schema}"),
            Some(owner) => format!("its tables belong to {owner}"),
            None => return Ok(()),
        };
        Err(StoreError::Unreachable { place: self.url.to_string(), cause: Unreachable::NotOwner(why) })
    }

    /// Replaces the error of a user who may not create tables by one that says what is needed.
    fn not_owner(&self, error: StoreError) -> StoreError {
        match &error {
            StoreError::Unavailable(_) if error.is_forbidden() => StoreError::Unreachable {
                place: self.url.to_string(),
                cause: Unreachable::NotOwner(error.bottom()),
            },
            _ => error,
        }
    }

    /// Returns every migration that this version knows, oldest first, and then those that it does not know and
    /// that a newer version applied. Changes nothing.
    pub async fn migrations(&self) -> Result<Vec<MigrationState>, StoreError> {
        let lease = Lease::take(&self.pool, Timeout::Each(TIMEOUT)).await?;
        lease.use_simple_protocol();
        let sql = "SELECT version FROM seaql_migrations";
        let rows = lease.query_all_raw(Statement::from_string(lease.get_database_backend(), sql)).await;
        let taken: Vec<String> = match rows.map_err(StoreError::from) {
            Ok(rows) => rows.iter().map(|row| row.try_get("", "version")).collect::<Result<_, _>>()?,
            Err(error) if error.is_missing_table() => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut states: Vec<MigrationState> = Migrator::migrations()
            .iter()
            .map(|migration| MigrationState {
                name: migration.name().to_owned(),
                applied: taken.iter().any(|taken| taken == migration.name()),
                known: true,
            })
            .collect();
        let mut newer = taken;
        newer.retain(|name| states.iter().all(|state| state.name != *name));
        newer.sort();
        states.extend(newer.into_iter().map(|name| MigrationState { name, applied: true, known: false }));
        Ok(states)
    }

    /// Runs a query to check that the database responds.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let lease = Lease::take(&self.pool, Timeout::Each(TIMEOUT)).await?;
        lease.execute_unprepared("SELECT 1").await?;
        Ok(())
    }

    /// Closes every connection. A connection that does not close within the timeout is left to the end of the
    /// process.
    pub async fn close(&self) -> Result<(), StoreError> {
        timeout(TIMEOUT, self.pool.close()).await.map_err(StoreError::unavailable)
    }
}

/// Opens a file to see that it can be written, and closes it.
fn open_to_write(path: &Path, how: &OpenOptions) -> Result<(), StoreError> {
    let opened = how.open(path);
    opened.map(drop).map_err(|error| StoreError::unavailable(format!("`{}`: {error}", path.display())))
}

/// Opens a file for the first time, which may have to wait: if two processes open a new file at once, both
/// switch it to WAL.
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

/// The purpose of a pool of connections.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    /// Requests in general.
    Work,
    /// The mirror's reader.
    Mirror,
    /// The beat.
    Beat,
    /// Restoring a copy, through one connection that keeps the attached database.
    Copy,
    /// Reading a log that may be lost otherwise.
    Log,
    /// Looking at what is there.
    Look,
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
        let wal = write_ahead_log(path);
        // SQLite can read a file in a read-only folder only as immutable, and then ignores a write-ahead log
        // that a crash left. So `immutable` is set only if there is no such log.
        let sealed =
            check_folder(folder_of(path)).is_err() && !std::fs::metadata(wal).is_ok_and(|wal| wal.len() > 0);
        return options.read_only(true).immutable(sealed).create_if_missing(false);
    }
    if opening == Opening::Look {
        // Nobody has a file open that has no write-ahead log. It is read as immutable, so that no such log is
        // made.
        let closed = !write_ahead_log(path).exists();
        return options.read_only(true).immutable(closed).create_if_missing(false);
    }
    options
        .create_if_missing(false)
        .row_buffer_size(if opening == Opening::Mirror { MAX_BUFFERED_ROWS } else { 50 })
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
}

fn write_ahead_log(path: &Path) -> PathBuf {
    let mut wal = path.to_owned().into_os_string();
    wal.push("-wal");
    wal.into()
}

fn postgres_options(url: &str, opening: Opening) -> Result<PgConnectOptions, StoreError> {
    let options: PgConnectOptions = url.parse()?;
    // The names are for people who look at the database's list of connections.
    let name = match opening {
        Opening::Work | Opening::Copy => "ndauth",
        Opening::Mirror => "ndauth mirror",
        Opening::Beat => "ndauth beat",
        Opening::Log => "ndauth log",
        Opening::Look => "ndauth check",
    };
    Ok(options.application_name(name).options([
        ("synchronous_commit", "on"),
        ("idle_in_transaction_session_timeout", STATEMENT_LIMIT),
        ("lock_timeout", STATEMENT_LIMIT),
        ("statement_timeout", STATEMENT_LIMIT),
        // The database too drops a client that the network has lost, and releases its locks.
        ("tcp_keepalives_idle", "2"),
        ("tcp_keepalives_interval", "1"),
        ("tcp_keepalives_count", "3"),
        ("tcp_user_timeout", "5000"),
    ]))
}
