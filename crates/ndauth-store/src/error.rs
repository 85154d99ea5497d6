//! What can go wrong below: the database cannot be asked, or what it holds makes no sense.

use std::error::Error;
use std::fmt;

use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};

/// Why the store could not answer. It is never an answer by itself.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, is too slow, or refuses to work.
    #[error("the database is not available")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// A row holds what no version of ndauth writes.
    #[error("the table `{table}` holds nonsense in the column `{column}` of `{id}`")]
    Corrupt {
        /// Which table.
        table: &'static str,
        /// Which column.
        column: &'static str,
        /// Which row.
        id: String,
    },
}

/// What was to be inserted has a name that another row holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken;

impl StoreError {
    pub(crate) fn unavailable(why: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
        StoreError::Unavailable(why.into())
    }

    pub(crate) fn corrupt(table: &'static str, column: &'static str, id: impl fmt::Display) -> StoreError {
        StoreError::Corrupt { table, column, id: id.to_string() }
    }

    /// What is at the bottom of it, in words.
    pub(crate) fn bottom(&self) -> String {
        let mut deepest: &dyn Error = self;
        while let Some(source) = deepest.source() {
            deepest = source;
        }
        deepest.to_string()
    }

    /// Whether another transaction stood in the way, so that the same may go well at a second try.
    pub fn is_conflict(&self) -> bool {
        let StoreError::Unavailable(source) = self else { return false };
        let Some(
            DbErr::Conn(RuntimeErr::SqlxError(error))
            | DbErr::Exec(RuntimeErr::SqlxError(error))
            | DbErr::Query(RuntimeErr::SqlxError(error)),
        ) = source.downcast_ref::<DbErr>()
        else {
            return false;
        };
        let sqlx::Error::Database(error) = error.as_ref() else { return false };
        // PostgreSQL: serialization failure, deadlock. SQLite: busy, while recovering, with a stale snapshot.
        matches!(error.code().as_deref(), Some("40001" | "40P01" | "5" | "261" | "517"))
    }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> StoreError {
        StoreError::unavailable(error)
    }
}

/// Tells an insert that met another's name from one that failed.
pub(crate) fn inserted(result: Result<u64, DbErr>) -> Result<Result<(), Taken>, StoreError> {
    match result {
        Ok(_) => Ok(Ok(())),
        Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => Ok(Err(Taken)),
        Err(error) => Err(error.into()),
    }
}
