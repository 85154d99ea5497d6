//! The failures of the store: the database is unavailable, a commit has an unknown outcome, or a row is
//! corrupt.

use std::error::Error;
use std::fmt;

use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};

use crate::Unreachable;

/// A failure of the store. It never counts as a result.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is too slow, or refuses to work. Nothing was changed.
    #[error("the database is not available")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The database cannot be connected to. Nothing was changed.
    #[error("the database `{place}` cannot be reached")]
    Unreachable {
        /// The URL of the database.
        place: String,
        /// The cause.
        #[source]
        cause: Unreachable,
    },
    /// There is no such database, and none was to be created.
    #[error("there is no database `{place}`")]
    Missing {
        /// The URL of the database.
        place: String,
    },
    /// Another server uses the file.
    #[error("another server uses `{place}`{}", .holder.map(|pid| format!(": process {pid}")).unwrap_or_default())]
    Served {
        /// The URL of the database.
        place: String,
        /// The id of its process, if it is known.
        holder: Option<u32>,
    },
    /// The disk is full. Nothing was changed.
    #[error("the disk of the database is full: nothing was changed")]
    DiskFull,
    /// The database is a standby, and its primary may be ahead. Nothing was changed.
    #[error("the database is a standby or read-only, and not the primary")]
    Standby,
    /// A commit was sent, and its response never came or came with a warning. The change may have been made
    /// or not.
    #[error("it is not known whether the change was made: the database did not confirm it")]
    OutcomeUnknown(#[source] Box<dyn Error + Send + Sync>),
    /// A row contains a value that no version of ndauth writes.
    #[error("the table `{table}` holds an invalid value in the column `{column}` of `{id}`")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row.
        id: String,
    },
}

/// A name in a written row is taken by another row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken;

impl StoreError {
    pub(crate) fn unavailable(why: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
        StoreError::Unavailable(why.into())
    }

    pub(crate) fn corrupt(table: &'static str, column: &'static str, id: impl fmt::Display) -> StoreError {
        StoreError::Corrupt { table, column, id: id.to_string() }
    }

    /// Returns the error of a failed commit: the change was undone if the database says so, and otherwise its
    /// outcome is unknown.
    pub(crate) fn from_commit(error: sqlx::Error) -> StoreError {
        let undone = match &error {
            sqlx::Error::Database(error) => undone(&error.code().unwrap_or_default()),
            _ => false,
        };
        if undone { error.into() } else { StoreError::OutcomeUnknown(error.into()) }
    }

    /// Returns the remedy for the operator, if one is known.
    pub fn operators_hint(&self) -> Option<String> {
        let hint = match self {
            StoreError::Unreachable { cause, .. } => cause.hint(),
            StoreError::Missing { .. } => {
                "check `--database`; `ndauthd serve` or `ndauthd admin migrate up` creates one there"
            }
            StoreError::Served { .. } => {
                "a SQLite file is for one server: stop the other, or use PostgreSQL for several"
            }
            StoreError::DiskFull => "free some space on its disk: the server then continues by itself",
            StoreError::Standby => {
                "set `--database` to the primary, or to an address that always leads to it"
            }
            StoreError::OutcomeUnknown(_) => "check before you repeat it",
            // SQLITE_CANTOPEN
            StoreError::Unavailable(_) if self.code().is_some_and(|code| code == "14") => {
                "allow this user to write to its folder, or copy it elsewhere with the `-wal` file beside it"
            }
            // SQLITE_NOTADB
            StoreError::Unavailable(_) if self.code().is_some_and(|code| code == "26") => {
                "check `--database`: this file is no SQLite database"
            }
            StoreError::Unavailable(_) | StoreError::Corrupt { .. } => return None,
        };
        Some(hint.to_owned())
    }

    /// Returns the text of its deepest cause.
    pub(crate) fn bottom(&self) -> String {
        let mut deepest: &dyn Error = self;
        while let Some(source) = deepest.source() {
            deepest = source;
        }
        deepest.to_string()
    }

    /// Returns true if it was a conflict with another transaction, so that a retry may succeed.
    pub fn is_conflict(&self) -> bool {
        // PostgreSQL: serialization failure, deadlock. SQLite: busy, while recovering, with a stale snapshot.
        self.code().is_some_and(|code| matches!(&*code, "40001" | "40P01" | "5" | "261" | "517"))
    }

    /// Returns true if the table does not exist.
    pub(crate) fn is_missing_table(&self) -> bool {
        match self.code().as_deref() {
            Some("42P01") => true,
            // SQLite has one code for all statements that it cannot run.
            Some("1") => self.bottom().contains("no such table"),
            _ => false,
        }
    }

    /// Returns true if the database's user lacks the privilege.
    pub(crate) fn is_forbidden(&self) -> bool {
        self.code().is_some_and(|code| code == "42501")
    }

    /// Returns true if no connection was free, or could be opened, in time.
    pub(crate) fn is_late(&self) -> bool {
        let StoreError::Unavailable(source) = self else { return false };
        match source.downcast_ref::<DbErr>() {
            Some(DbErr::ConnectionAcquire(_)) => true,
            Some(error) => matches!(sqlx_error(error), Some(sqlx::Error::PoolTimedOut)),
            None => matches!(source.downcast_ref(), Some(sqlx::Error::PoolTimedOut)),
        }
    }

    /// Returns the database's own error code.
    fn code(&self) -> Option<String> {
        let StoreError::Unavailable(source) = self else { return None };
        let error = match source.downcast_ref::<DbErr>() {
            Some(error) => sqlx_error(error)?,
            None => source.downcast_ref::<sqlx::Error>()?,
        };
        let sqlx::Error::Database(error) = error else { return None };
        error.code().map(std::borrow::Cow::into_owned)
    }
}

fn sqlx_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

/// Returns true if a commit that failed with this code was undone. PostgreSQL (its manual, appendix A):
/// integrity, rollback, insufficient resources. SQLite (sqlite.org/rescode.html): busy, full, constraint.
fn undone(code: &str) -> bool {
    match code.len() {
        // 40003: it is unknown whether the statement completed.
        5 => code != "40003" && ["23", "40", "53"].iter().any(|class| code.starts_with(class)),
        _ => code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 13 | 19)),
    }
}

/// Returns the error that the database's own code stands for, if it is a specific one.
fn known(error: &sqlx::Error) -> Option<StoreError> {
    let sqlx::Error::Database(error) = error else { return None };
    match &*error.code()? {
        // SQLITE_FULL, SQLITE_IOERR_SHMSIZE; disk_full.
        "13" | "4874" | "53100" => Some(StoreError::DiskFull),
        // read_only_sql_transaction
        "25006" => Some(StoreError::Standby),
        _ => None,
    }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> StoreError {
        sqlx_error(&error).and_then(known).unwrap_or_else(|| StoreError::unavailable(error))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> StoreError {
        known(&error).unwrap_or_else(|| StoreError::unavailable(error))
    }
}

/// Distinguishes a write whose name is taken from one that failed.
pub(crate) fn unless_taken(result: Result<u64, DbErr>) -> Result<Result<(), Taken>, StoreError> {
    match result {
        Ok(_) => Ok(Ok(())),
        Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => Ok(Err(Taken)),
        Err(error) => Err(error.into()),
    }
}
