//! Copies of a SQLite database: made while it is served, and restored in its place.
//!
//! PostgreSQL has its own tools for both, which its operators know.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ndauth_core::Head;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait,
};

use crate::connect::Opening;
use crate::{Clock, DatabaseUrl, Engine, Store, StoreError};

/// The reason why a copy was not made or not restored. The database is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The file exists already.
    #[error("there is a file `{}` already", .0.display())]
    Exists(PathBuf),
    /// The file does not exist.
    #[error("there is no file `{}`", .0.display())]
    Missing(PathBuf),
    /// The file is not a copy of a database of ndauth.
    #[error("`{}` is not a copy of an ndauth database: {why}", path.display())]
    NoCopy {
        /// The file.
        path: PathBuf,
        /// The fault.
        why: String,
    },
    /// The database changed in the meantime.
    #[error("the database was changed while it was being replaced")]
    Moved,
    /// PostgreSQL has its own tools for this.
    #[error("the database is PostgreSQL, which has its own tools to make and restore copies")]
    Postgres,
    /// A file could not be read or written.
    #[error("`{}`: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The database could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Writes a copy of the database to a new file, as of one moment, while others continue to write.
    pub async fn copy_to(&self, path: &Path) -> Result<(), CopyError> {
        if self.engine != Engine::Sqlite {
            return Err(CopyError::Postgres);
        }
        if path.exists() {
            return Err(CopyError::Exists(path.to_owned()));
        }
        let sql = Statement::from_sql_and_values(
            self.database.get_database_backend(),
            "VACUUM INTO $1",
            [path.to_string_lossy().into_owned().into()],
        );
        if let Err(error) = self.database.execute_raw(sql).await {
            // A partial copy would be in the way of the next attempt.
            let _ = std::fs::remove_file(path);
            return Err(StoreError::from(error).into());
        }
        // SQLite does not sync what it writes there.
        let synced = std::fs::File::open(path).and_then(|file| file.sync_all());
        synced.map_err(|source| CopyError::File { path: path.to_owned(), source })
    }

    /// Replaces everything in a database by a copy, in one transaction, and marks the database as restored.
    /// The database must be at this version of the schema, and its log must end at `before`: any later event
    /// would be lost. Returns the end of the copy's log.
    pub async fn restore(target: &DatabaseUrl, before: Head, copy: &Path) -> Result<Head, CopyError> {
        let DatabaseUrl::Sqlite(target) = target else { return Err(CopyError::Postgres) };
        if !copy.is_file() {
            return Err(CopyError::Missing(copy.to_owned()));
        }
        let failed = |source| CopyError::File { path: copy.to_owned(), source };
        // Next to the target, where there is enough space, and where others cannot read it either.
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
        let scratch = tempfile::tempdir_in(folder.unwrap_or(Path::new("."))).map_err(failed)?;
        let path = scratch.path().join("copy.db");
        std::fs::copy(copy, &path).map_err(failed)?;
        // The copy may be read-only.
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(failed)?;
        let head = prepare(copy, &path).await?;

        let live = Opening::Copy.pool(&DatabaseUrl::Sqlite(target.clone()))?.sea_orm();
        let attach = Statement::from_sql_and_values(
            live.get_database_backend(),
            "ATTACH DATABASE $1 AS copy",
            [path.to_string_lossy().into_owned().into()],
        );
        live.execute_raw(attach).await.map_err(StoreError::from)?;
        let replaced = replace_all(&live, before).await;
        live.close().await.map_err(StoreError::from)?;
        replaced?;
        Ok(head)
    }
}

/// Returns the reason why a file cannot be restored. After a timeout or on a full disk, nothing is known about the file.
fn unusable(copy: &Path, error: StoreError) -> CopyError {
    if matches!(error, StoreError::DiskFull) || error.is_late() || error.is_conflict() {
        return error.into();
    }
    CopyError::NoCopy { path: copy.to_owned(), why: error.bottom() }
}

/// Checks that a file is a sound copy, brings its schema to this version, and marks it as restored.
async fn prepare(copy: &Path, path: &Path) -> Result<Head, CopyError> {
    let no_copy = |why: String| CopyError::NoCopy { path: copy.to_owned(), why };
    let url = DatabaseUrl::Sqlite(path.to_owned());
    let store = Store::connect(&url, Clock::Database).await.map_err(|error| unusable(copy, error))?;
    let check = Statement::from_string(store.database.get_database_backend(), "PRAGMA integrity_check");
    let row = store.database.query_one_raw(check).await.map_err(|error| unusable(copy, error.into()))?;
    let result: String = row
        .map(|row| row.try_get("", "integrity_check"))
        .transpose()
        .map_err(StoreError::from)?
        .unwrap_or_default();
    if result != "ok" {
        return Err(no_copy(format!("SQLite says `{result}`")));
    }
    let taken = store.migrations().await.map_err(|error| unusable(copy, error))?;
    if !taken.iter().any(|step| step.applied) {
        return Err(no_copy("it has none of the tables".to_owned()));
    }
    store.migrate().await.map_err(|error| unusable(copy, error))?;
    let (head, now) = {
        let read = store.read().await?;
        (read.head(), read.now())
    };
    let mark = Statement::from_sql_and_values(
        store.database.get_database_backend(),
        "UPDATE installation SET restored_at = $1 WHERE one = 1",
        [now.micros().into()],
    );
    store.database.execute_raw(mark).await.map_err(StoreError::from)?;
    store.close().await?;
    Ok(head)
}

/// Replaces all rows by those of the database that is attached as `copy`.
async fn replace_all(live: &DatabaseConnection, before: Head) -> Result<(), CopyError> {
    let immediate = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let transaction = live.begin_with_options(immediate).await.map_err(StoreError::from)?;
    let sql = "SELECT 1 FROM main.head WHERE sequence = $1 AND hash = $2";
    let sequence = i64::try_from(before.sequence).map_err(StoreError::unavailable)?;
    let values = [sequence.into(), before.hash.to_vec().into()];
    let same = Statement::from_sql_and_values(transaction.get_database_backend(), sql, values);
    if transaction.query_one_raw(same).await.map_err(StoreError::from)?.is_none() {
        return Err(CopyError::Moved);
    }
    replace_rows(&transaction).await?;
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(())
}

async fn replace_rows(transaction: &DatabaseTransaction) -> Result<(), StoreError> {
    transaction.execute_unprepared("PRAGMA defer_foreign_keys = ON").await?;
    // An older copy of the same database keeps the later `not_before`, so that secrets revoked by it stay
    // revoked.
    let shut_out = "UPDATE copy.installation SET not_before = max(not_before, (SELECT not_before FROM main.installation)) \
                    WHERE (SELECT hash FROM main.event WHERE sequence = 1) = (SELECT hash FROM copy.event WHERE sequence = 1)";
    transaction.execute_unprepared(shut_out).await?;
    let tables = "SELECT name FROM main.sqlite_master WHERE type = 'table' \
                  AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> 'seaql_migrations'";
    let query = |sql: String| Statement::from_string(transaction.get_database_backend(), sql);
    for row in transaction.query_all_raw(query(tables.to_owned())).await? {
        let table: String = row.try_get("", "name")?;
        let columns = format!("SELECT name FROM pragma_table_info('{table}')");
        let columns = transaction.query_all_raw(query(columns)).await?;
        let columns =
            columns.iter().map(|row| row.try_get::<String>("", "name").map(|name| format!("\"{name}\"")));
        let columns = columns.collect::<Result<Vec<_>, _>>()?.join(", ");
        transaction.execute_unprepared(&format!("DELETE FROM main.\"{table}\"")).await?;
        let copied =
            format!("INSERT INTO main.\"{table}\" ({columns}) SELECT {columns} FROM copy.\"{table}\"");
        transaction.execute_unprepared(&copied).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_could_not_be_read_in_time_is_not_called_no_copy() {
        let late = StoreError::from(sea_orm::sqlx::Error::PoolTimedOut);
        for error in [late, StoreError::DiskFull] {
            let error = unusable(Path::new("copy.db"), error);
            assert!(matches!(error, CopyError::Store(_)), "{error}");
        }
    }
}
