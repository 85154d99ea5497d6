//! Connecting to PostgreSQL, and examining whether it is usable.

use std::time::Duration;

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use sea_orm::sqlx::{self, Connection, Postgres, Row, raw_sql};
use tokio::time::timeout;

use crate::pool::{Pool, STATEMENT_LIMIT};
use crate::{StoreError, Unreachable};

/// The timeout of a connection attempt.
const CONNECT: Duration = Duration::from_secs(3);
/// The oldest supported version, as PostgreSQL writes it.
const LEAST_VERSION: u32 = 15_00_00;

/// Acquires a connection from a pool. If there is none and none can be opened, the error states the cause.
pub(crate) async fn acquire(pool: &Pool, of: &PgPool) -> Result<PoolConnection<Postgres>, StoreError> {
    let options = of.connect_options();
    // The pool alone would retry until its timeout, and report only the timeout.
    if of.size() == 0 && !pool.is_examined() {
        close(connect(&options).await?).await;
        pool.examined();
    }
    match of.acquire().await {
        Err(sqlx::Error::PoolTimedOut) => {
            close(connect(&options).await?).await;
            Err(StoreError::unavailable("every connection to the database is in use"))
        }
        taken => Ok(taken?),
    }
}

/// Connects, and checks that the database is usable: a primary, of a supported version, without a pooler in
/// between that drops session settings.
pub(crate) async fn examine(options: &PgConnectOptions) -> Result<(), StoreError> {
    let mut connection = connect(options).await?;
    let sql = "SELECT pg_is_in_recovery() AS standby, current_setting('server_version_num') AS version, \
               current_setting('lock_timeout') AS lock_timeout";
    let asked = timeout(CONNECT, raw_sql(sql).fetch_one(&mut connection)).await;
    let row = match asked {
        Ok(row) => row.map_err(|error| unreachable(options, &error))?,
        Err(_) => return Err(failure(options, Unreachable::Silent(CONNECT))),
    };
    let version = row.try_get::<String, _>("version")?.parse().unwrap_or(LEAST_VERSION);
    let held = row.try_get::<String, _>("lock_timeout")? == STATEMENT_LIMIT;
    let standby: bool = row.try_get("standby")?;
    close(connection).await;
    if version < LEAST_VERSION {
        return Err(failure(options, Unreachable::TooOld(version / 10_000)));
    }
    if standby {
        return Err(failure(options, Unreachable::Standby));
    }
    if held { Ok(()) } else { Err(failure(options, Unreachable::Pooler)) }
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    match timeout(CONNECT, PgConnection::connect_with(options)).await {
        Ok(connected) => connected.map_err(|error| unreachable(options, &error)),
        Err(_) => Err(failure(options, Unreachable::Silent(CONNECT))),
    }
}

async fn close(connection: PgConnection) {
    // A connection that does not close in time is dropped.
    let _ = timeout(CONNECT, connection.close()).await;
}

fn failure(options: &PgConnectOptions, cause: Unreachable) -> StoreError {
    let database = options.get_database().unwrap_or(options.get_username());
    let place = format!("{}:{}/{database}", options.get_host(), options.get_port());
    StoreError::Unreachable { place, cause }
}

fn unreachable(options: &PgConnectOptions, error: &sqlx::Error) -> StoreError {
    failure(options, Unreachable::from(error))
}
