//! The beat: a commit by which an installation proves that its database is still the primary.
//!
//! With synchronous replication, a primary that was replaced but keeps running can be read, but cannot
//! commit: its standby no longer acknowledges. So an instance that finds the last beat too old commits
//! another. `number` counts the beats, and `proven` is the last one whose commit ended without a warning.

use std::time::Duration;

use sea_orm::{ConnectionTrait, Statement};
use tokio::time::Instant;

use crate::lease::{Lease, TIMEOUT, Timeout};
use crate::notice::with_warnings;
use crate::{Store, StoreError};

/// The last beat that is visible, and the last that is known to be replicated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// The instant at which the database server was started, in microseconds since 1970, which identifies it.
    pub server: i64,
    /// The number of the last visible beat.
    pub number: i64,
    /// The number of the last beat that a standby certainly acknowledged.
    pub proven: i64,
}

/// The longest time in which a beat must be acknowledged to prove anything. It becomes visible when the
/// acknowledgement arrives, which the standby may have sent this much earlier.
pub const ACKNOWLEDGED_WITHIN: Duration = Duration::from_millis(250);
/// The database's clock, in microseconds since 1970.
const NOW: &str = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

impl Store {
    /// Commits a beat if the last is older than `age` and no other instance is committing one. Returns true
    /// if it proves that this database is the primary. On PostgreSQL only.
    pub async fn beat(&self, age: Duration) -> Result<bool, StoreError> {
        let lease = Lease::take(&self.pool, Timeout::Each(TIMEOUT)).await?;
        let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
        let sql = format!(
            "UPDATE beat SET number = number + 1, beaten_at = {NOW} WHERE id = (SELECT id FROM beat WHERE id = 1 \
             AND beaten_at NOT BETWEEN {NOW} - $1 AND {NOW} FOR UPDATE SKIP LOCKED) RETURNING number"
        );
        let backend = lease.get_database_backend();
        let statement = Statement::from_sql_and_values(backend, sql, [age.into()]);
        let sent = Instant::now();
        // The whole response is awaited: the commit comes after the row.
        let (rows, warning) = with_warnings(lease.query_all_raw(statement)).await;
        if let Some(warning) = warning {
            return Err(StoreError::OutcomeUnknown(warning.into()));
        }
        let Some(row) = rows?.into_iter().next() else { return Ok(false) };
        if sent.elapsed() > ACKNOWLEDGED_WITHIN {
            return Ok(false);
        }
        let number: i64 = row.try_get("", "number")?;
        // The record of the proof need not be replicated itself.
        let proven = format!(
            "BEGIN; SET LOCAL synchronous_commit = off; \
             UPDATE beat SET proven = {number} WHERE id = 1 AND proven < {number}; COMMIT"
        );
        lease.execute_unprepared(&proven).await?;
        Ok(true)
    }
}
