//! Conversions between columns and the values that they stand for.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use ndauth_core::{Among, Expiry, InvalidSet, Lifetime, Timestamp};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{ExprTrait, SimpleExpr};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, IdenStatic, Iterable, QuerySelect,
    QueryTrait, Select,
};

use crate::StoreError;
use crate::lease::Lease;

/// The number for "never" and "endless": it is later than any instant, so comparisons in SQL work.
pub(crate) const NEVER: i64 = i64::MAX;

/// The columns of one row, parsed strictly.
pub(crate) struct Columns<Id> {
    pub(crate) table: &'static str,
    pub(crate) id: Id,
}

impl<Id: Display> Columns<Id> {
    pub(crate) fn corrupt(&self, column: &'static str) -> StoreError {
        StoreError::corrupt(self.table, column, &self.id)
    }

    pub(crate) fn text<T: FromStr>(&self, column: &'static str, text: &str) -> Result<T, StoreError> {
        text.parse().map_err(|_| self.corrupt(column))
    }

    pub(crate) fn text_or_null<T: FromStr>(
        &self,
        column: &'static str,
        text: Option<&str>,
    ) -> Result<Option<T>, StoreError> {
        text.map(|text| self.text(column, text)).transpose()
    }

    pub(crate) fn instant(&self, column: &'static str, micros: i64) -> Result<Timestamp, StoreError> {
        Timestamp::from_micros(micros).map_err(|_| self.corrupt(column))
    }

    pub(crate) fn instant_or_null(
        &self,
        column: &'static str,
        micros: Option<i64>,
    ) -> Result<Option<Timestamp>, StoreError> {
        micros.map(|micros| self.instant(column, micros)).transpose()
    }

    pub(crate) fn expiry(&self, column: &'static str, micros: i64) -> Result<Expiry, StoreError> {
        if micros == NEVER { Ok(Expiry::Never) } else { self.instant(column, micros).map(Expiry::At) }
    }

    pub(crate) fn lifetime(&self, column: &'static str, micros: i64) -> Result<Lifetime, StoreError> {
        if micros == NEVER {
            return Ok(Lifetime::Endless);
        }
        let micros = u64::try_from(micros).map_err(|_| self.corrupt(column))?;
        Ok(Lifetime::For(Duration::from_micros(micros)))
    }

    pub(crate) fn hash(&self, column: &'static str, bytes: Vec<u8>) -> Result<[u8; 32], StoreError> {
        bytes.try_into().map_err(|_| self.corrupt(column))
    }
}

/// A selection of ids.
#[derive(Clone, Debug)]
pub(crate) enum Ids {
    /// These.
    These(Vec<Uuid>),
    /// All ids after one, up to another: quicker than naming them.
    Run { after: Option<Uuid>, last: Uuid },
}

impl Ids {
    /// Returns the condition that a column has one of these ids.
    pub(crate) fn hold(&self, column: impl ColumnTrait) -> SimpleExpr {
        match self {
            Ids::These(ids) => column.is_in(ids.iter().copied()),
            Ids::Run { after: None, last } => column.lte(*last),
            Ids::Run { after: Some(after), last } => column.gt(*after).and(column.lte(*last)),
        }
    }

    /// Reads the rows of these ids. The many rows of a run are read in batches.
    pub(crate) async fn read<E: EntityTrait, M: FromQueryResult>(
        &self,
        rows: &Select<E>,
        on: &Lease,
    ) -> Result<Vec<M>, StoreError> {
        let statement = rows.build(on.get_database_backend());
        let rows = match self {
            Ids::These(_) => on.query_all_raw(statement).await?,
            Ids::Run { .. } => on.gather(statement).await?,
        };
        Ok(rows.iter().map(|row| M::from_query_result(row, "")).collect::<Result<_, _>>()?)
    }
}

/// Returns a text that was typed, to compare a column with. No text of PostgreSQL has a NUL, so a query with one
/// fails, as if the database were not available.
pub(crate) fn comparable(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

/// Selects the columns of a table under names with a prefix.
pub(crate) fn with_prefix<S: EntityTrait, E: EntityTrait>(query: Select<S>, prefix: &str) -> Select<S> {
    E::Column::iter().fold(query, |query, column| {
        let name = format!("{prefix}{}", column.as_str());
        query.column_as(column.into_expr(), name)
    })
}

/// Returns all, or else the set of these values, which must not be empty.
pub(crate) fn among<T: Ord + Clone>(all: bool, some: Vec<T>) -> Result<Among<T>, InvalidSet> {
    if all { Ok(Among::All) } else { Among::only(some) }
}

pub(crate) fn expiry_micros(expiry: Expiry) -> i64 {
    match expiry {
        Expiry::At(instant) => instant.micros(),
        Expiry::Never => NEVER,
    }
}

pub(crate) fn duration_micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(NEVER - 1)
}

pub(crate) fn lifetime_micros(lifetime: Lifetime) -> i64 {
    match lifetime {
        Lifetime::For(duration) => duration_micros(duration),
        Lifetime::Endless => NEVER,
    }
}
