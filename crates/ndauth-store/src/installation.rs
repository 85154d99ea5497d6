//! The state of the whole installation.

use ndauth_core::Timestamp;
use sea_orm::{ConnectionTrait, Statement, Value};

use crate::{Read, StoreError, Write};

/// The number of things in an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstallationCounts {
    /// Accounts, disabled or not.
    pub accounts: u64,
    /// Disabled accounts.
    pub disabled: u64,
    /// Operators' accounts that are not disabled.
    pub operators: u64,
    /// Orgs that are not deleted.
    pub orgs: u64,
    /// Tokens that are neither revoked nor expired, without those derived from sessions.
    pub tokens: u64,
    /// Sessions that have not ended.
    pub sessions: u64,
    /// Services that are not revoked.
    pub services: u64,
}

impl Read {
    /// Counts the things in the installation. It reads an index entry or a row for each account, each org, and
    /// each token and session that has not expired.
    pub async fn count_installation(&self) -> Result<InstallationCounts, StoreError> {
        let sql = "SELECT count(*) AS accounts, count(disabled_at) AS disabled, \
                   count(CASE WHEN operator AND disabled_at IS NULL THEN 1 END) AS operators, \
                   (SELECT count(*) FROM org WHERE deleted_at IS NULL) AS orgs, \
                   (SELECT count(*) FROM token WHERE expires_at > $1 AND revoked_at IS NULL AND session_id IS NULL) AS tokens, \
                   (SELECT count(*) FROM session WHERE expires_at > $1 AND revoked_at IS NULL) AS sessions, \
                   (SELECT count(*) FROM service WHERE revoked_at IS NULL) AS services FROM account";
        let values = [self.now().micros().into()];
        let query = Statement::from_sql_and_values(self.transaction.get_database_backend(), sql, values);
        let row = self.transaction.query_one_raw(query).await?;
        let row = row.ok_or_else(|| StoreError::corrupt("account", "id", "-"))?;
        let count = |column| -> Result<u64, StoreError> {
            Ok(u64::try_from(row.try_get::<i64>("", column)?).unwrap_or_default())
        };
        Ok(InstallationCounts {
            accounts: count("accounts")?,
            disabled: count("disabled")?,
            operators: count("operators")?,
            orgs: count("orgs")?,
            tokens: count("tokens")?,
            sessions: count("sessions")?,
            services: count("services")?,
        })
    }
}

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
