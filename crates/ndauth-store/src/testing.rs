//! Scratch databases on both engines, for tests.

use sea_orm::{ConnectionTrait, Database, TransactionTrait};
use tempfile::TempDir;

use crate::{Clock, DatabaseUrl, Engine, Store};

/// The variable with the URL of a PostgreSQL database whose user may create others. `cargo xtask test` sets
/// it.
pub const POSTGRES_VARIABLE: &str = "NDAUTH_TEST_POSTGRES";

/// An empty database for one test.
pub struct Scratch {
    /// Its URL.
    pub url: DatabaseUrl,
    _folder: Option<TempDir>,
}

impl Scratch {
    /// Creates an empty database.
    ///
    /// # Panics
    ///
    /// If none can be created: a test that lacks its database fails and is never skipped.
    pub async fn new(engine: Engine) -> Scratch {
        match engine {
            Engine::Sqlite => {
                let folder = tempfile::tempdir().expect("a scratch folder");
                let url = DatabaseUrl::Sqlite(folder.path().join("ndauth.db"));
                Scratch { url, _folder: Some(folder) }
            }
            Engine::Postgres => Scratch::in_cluster(&postgres_url()).await,
        }
    }

    /// Returns a database that other code creates and removes.
    pub fn at(url: DatabaseUrl) -> Scratch {
        Scratch { url, _folder: None }
    }

    /// Creates an empty database in a PostgreSQL cluster, given the URL of one of its databases.
    ///
    /// # Panics
    ///
    /// If none can be created.
    pub async fn in_cluster(maintenance: &str) -> Scratch {
        Scratch { url: create_postgres(maintenance).await, _folder: None }
    }

    /// Connects to it and brings its schema to this version.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub async fn store(&self, clock: Clock) -> Store {
        let store = Store::create(&self.url, clock).await.expect("the scratch database is there");
        store.migrate().await.expect("the schema is made");
        store
    }
}

/// Returns the URL of the database that the tests' cluster came with.
#[expect(clippy::disallowed_methods, reason = "the one place where tests learn of their cluster")]
fn postgres_url() -> String {
    std::env::var(POSTGRES_VARIABLE)
        .unwrap_or_else(|_| panic!("{POSTGRES_VARIABLE} is not set: run the tests by `cargo xtask test`"))
}

async fn create_postgres(maintenance: &str) -> DatabaseUrl {
    let suffix = tempfile::Builder::new().prefix("").rand_bytes(10).tempfile().expect("a random name");
    let suffix = suffix.path().file_name().expect("a file has a name").to_string_lossy().to_lowercase();
    let name = format!("nd_{}_{suffix}", std::process::id());
    let connection = Database::connect(maintenance).await.expect("the tests' cluster is there");
    connection.execute_unprepared(&format!("CREATE DATABASE \"{name}\"")).await.expect("a database is made");
    connection.close().await.expect("the connection closes");
    let (place, _) = maintenance.rsplit_once('/').expect("the URL ends in a database");
    format!("{place}/{name}").parse().expect("a URL")
}

/// Brings an empty database to an earlier version of the schema, by this number of migrations.
///
/// # Panics
///
/// If that fails.
pub async fn migrate_some(url: &DatabaseUrl, steps: u32) {
    let store = Store::create(url, Clock::Database).await.expect("connected");
    <ndauth_migrations::Migrator as ndauth_migrations::MigratorTrait>::up(&store.database, Some(steps))
        .await
        .expect("migrated");
    store.close().await.expect("closed");
}

/// Runs a statement behind the store's back, as a person with a database client would.
///
/// # Panics
///
/// If it fails.
pub async fn execute(store: &Store, sql: &str) {
    try_execute(store, sql).await.expect("the statement runs");
}

/// Runs a statement on a PostgreSQL database by its URL, in a transaction of its own.
///
/// # Panics
///
/// If it fails.
pub async fn execute_at(url: &str, sql: &str) {
    try_execute_at(url, sql).await.expect("the statement runs");
}

/// Runs a statement on a PostgreSQL database by its URL. The database may not exist.
pub async fn try_execute_at(url: &str, sql: &str) -> Result<(), crate::StoreError> {
    let connection = Database::connect(url).await?;
    let done = connection.execute_unprepared(sql).await;
    connection.close().await?;
    done?;
    Ok(())
}

/// Removes the last event, which revoked a token, and the revocation: the database becomes an older copy of
/// itself.
///
/// # Panics
///
/// If that fails.
pub async fn undo_last_revocation(store: &Store) {
    execute(
        store,
        "BEGIN; UPDATE token SET revoked_at = NULL, live_name = name; \
         DELETE FROM event WHERE sequence = (SELECT sequence FROM head); \
         UPDATE head SET sequence = (SELECT max(sequence) FROM event), \
         hash = (SELECT hash FROM event ORDER BY sequence DESC LIMIT 1); COMMIT",
    )
    .await;
}

/// Runs a statement behind the store's back, and returns its error.
pub async fn try_execute(store: &Store, sql: &str) -> Result<(), crate::StoreError> {
    store.database.execute_unprepared(sql).await?;
    Ok(())
}

/// Searches all columns for a text, and returns every `table.column` that contains it.
///
/// # Panics
///
/// If the database cannot be searched.
pub async fn find_text(scratch: &Scratch, text: &str) -> Vec<String> {
    let store = Store::connect(&scratch.url, Clock::Database).await.expect("connected");
    let columns = match store.engine {
        Engine::Sqlite => {
            "SELECT t.name AS tab, c.name AS col FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table'"
        }
        Engine::Postgres => {
            "SELECT table_name::text AS tab, column_name::text AS col FROM information_schema.columns WHERE table_schema = 'public'"
        }
    };
    let query = |sql: String| sea_orm::Statement::from_string(store.database.get_database_backend(), sql);
    let rows = store.database.query_all_raw(query(columns.to_owned())).await.expect("the schema is read");
    let mut found = Vec::new();
    for row in rows {
        let (table, column): (String, String) =
            (row.try_get("", "tab").expect("a name"), row.try_get("", "col").expect("a name"));
        let sql = match store.engine {
            Engine::Sqlite => format!(
                "SELECT 1 FROM \"{table}\" WHERE instr(CAST(\"{column}\" AS BLOB), CAST('{text}' AS BLOB)) > 0"
            ),
            Engine::Postgres => {
                format!(
                    "SELECT 1 FROM \"{table}\" WHERE position('{text}' IN encode(convert_to(\"{column}\"::text, 'UTF8'), 'escape')) > 0 OR position(encode('{text}', 'hex') IN \"{column}\"::text) > 0"
                )
            }
        };
        if !store.database.query_all_raw(query(sql)).await.expect("the column is searched").is_empty() {
            found.push(format!("{table}.{column}"));
        }
    }
    found
}

/// Locks a table of a PostgreSQL database until this is dropped: other transactions wait for it.
///
/// # Panics
///
/// If that fails.
pub async fn lock_table(store: &Store, table: &str) -> sea_orm::DatabaseTransaction {
    let transaction = store.database.begin().await.expect("begun");
    let sql = format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
    transaction.execute_unprepared(&sql).await.expect("locked");
    transaction
}

/// A connection that keeps a PostgreSQL database closed to all others.
pub struct ClosedDatabase {
    maintenance: sea_orm::DatabaseConnection,
    name: String,
}

/// Closes a PostgreSQL database to new connections, and terminates the present ones.
///
/// # Panics
///
/// If it is not a PostgreSQL database, or that fails.
pub async fn shut_out(scratch: &Scratch) -> ClosedDatabase {
    let DatabaseUrl::Postgres(url) = &scratch.url else { panic!("a PostgreSQL database") };
    let name = url.rsplit_once('/').expect("the URL ends in a database").1.to_owned();
    let maintenance = Database::connect(postgres_url()).await.expect("the tests' cluster is there");
    for sql in [
        format!("ALTER DATABASE \"{name}\" WITH ALLOW_CONNECTIONS false"),
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"),
    ] {
        maintenance.execute_unprepared(&sql).await.expect("the statement runs");
    }
    ClosedDatabase { maintenance, name }
}

/// Opens the database to all connections again.
///
/// # Panics
///
/// If that fails.
pub async fn let_in(shut: ClosedDatabase) {
    let sql = format!("ALTER DATABASE \"{}\" WITH ALLOW_CONNECTIONS true", shut.name);
    shut.maintenance.execute_unprepared(&sql).await.expect("the statement runs");
}

/// Returns a setting of PostgreSQL as the store's own connections have it.
///
/// # Panics
///
/// If it cannot be read.
pub async fn setting(scratch: &Scratch, name: &str) -> String {
    let store = Store::connect(&scratch.url, Clock::Database).await.expect("connected");
    show(&store.database, name).await
}

/// Returns a setting of PostgreSQL as any other connection has it.
///
/// # Panics
///
/// If it cannot be read.
pub async fn plain_setting(scratch: &Scratch, name: &str) -> String {
    let DatabaseUrl::Postgres(url) = &scratch.url else { panic!("a PostgreSQL database") };
    show(&Database::connect(url.as_str()).await.expect("connected"), name).await
}

async fn show(connection: &sea_orm::DatabaseConnection, name: &str) -> String {
    let sql = format!("SELECT current_setting('{name}') AS value");
    let statement = sea_orm::Statement::from_string(connection.get_database_backend(), sql);
    let row = connection.query_one_raw(statement).await.expect("asked").expect("a row");
    row.try_get("", "value").expect("a text")
}
