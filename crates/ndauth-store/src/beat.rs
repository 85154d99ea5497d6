//! The beat: a commit by which an installation shows that its database is the primary still.
//!
//! Where replication is synchronous, a primary that was replaced and goes on running can be read from, but cannot commit:
//! its standby acknowledges nothing any more. So whoever finds the last beat too old commits another; `number` counts
//! them, and `proven` names the last whose commit ended without a warning.

use std::time::Duration;

use sea_orm::{ConnectionTrait, Statement};
use tokio::time::Instant;

use crate::lease::{Lease, TIMEOUT, Timeout};
use crate::notice::with_warnings;
use crate::{Store, StoreError};

/// The last beat that is visible, and the last that is known to have been replicated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Which server it is: when that was started, in microseconds since 1970.
    pub server: i64,
    /// The last that is visible.
    pub number: i64,
    /// The last that was acknowledged by a standby, for sure.
    pub proven: i64,
}

/// How long a beat may take to be acknowledged: one that took longer proves nothing. It becomes visible when that has
/// come back, so the standby may have said it so much earlier.
pub const ACKNOWLEDGED_WITHIN: Duration = Duration::from_millis(250);
/// The database's clock, in microseconds since 1970.
const NOW: &str = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

impl Store {
    /// Commits a beat where the last is older than this and nobody else is about to, and says whether that proves
    /// anything. On PostgreSQL alone.
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
        // All of the answer is waited for: the commit comes after its row.
        let (rows, warning) = with_warnings(lease.query_all_raw(statement)).await;
        if let Some(warning) = warning {
            return Err(StoreError::OutcomeUnknown(warning.into()));
        }
        let Some(row) = rows?.into_iter().next() else { return Ok(false) };
        if sent.elapsed() > ACKNOWLEDGED_WITHIN {
            return Ok(false);
        }
        let number: i64 = row.try_get("", "number")?;
        // That it was proven need not be replicated itself.
        let proven = format!(
            "BEGIN; SET LOCAL synchronous_commit = off; \
             UPDATE beat SET proven = {number} WHERE id = 1 AND proven < {number}; COMMIT"
        );
        lease.execute_unprepared(&proven).await?;
        Ok(true)
    }
}
