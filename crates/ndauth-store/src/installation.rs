//! The state of the whole installation.

use ndauth_core::Timestamp;
use sea_orm::{ConnectionTrait, Statement, Value};

use crate::{StoreError, Write};

impl Write {
    /// Revokes every secret minted before an instant. An earlier instant changes nothing.
    pub async fn set_not_before(&self, instant: Timestamp) -> Result<(), StoreError> {
        self.set(
            "UPDATE installation SET not_before = $1 WHERE one = 1 AND not_before < $1",
            [instant.micros().into()],
        )
        .await
    }

    /// Marks the database as a restored copy since an instant, or as one that was put into service.
    pub async fn set_restored(&self, since: Option<Timestamp>) -> Result<(), StoreError> {
        let since = since.map(Timestamp::micros);
        self.set("UPDATE installation SET restored_at = $1 WHERE one = 1", [since.into()]).await
    }

    /// Records the instant at which the operator settled what becomes of a copy's secrets. Instances that saw
    /// events which the copy lacks serve again from then on.
    pub async fn record_settled(&self, instant: Timestamp) -> Result<(), StoreError> {
        let sql = "UPDATE installation SET settled_at = $1 WHERE one = 1";
        self.set(sql, [instant.micros().into()]).await
    }

    async fn set(&self, sql: &str, values: [Value; 1]) -> Result<(), StoreError> {
        let backend = self.transaction.get_database_backend();
        self.transaction.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        Ok(())
    }
}
