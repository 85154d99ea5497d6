//! Refused attempts: observations beside the log, counted by minute.

use ndauth_core::{AccountId, OrgId, ServiceId, Timestamp, TokenId};
use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement, Value};

use crate::columns::Columns;
use crate::lease::{Lease, TIMEOUT, Timeout};
use crate::{Read, Store, StoreError};

/// Attempts of one kind within a minute, which were refused for the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedAttempt {
    /// The beginning of the minute.
    pub minute: Timestamp,
    /// What was refused.
    pub kind: String,
    /// The network from which it was tried; empty if it is unknown.
    pub network: String,
    /// The reason.
    pub reason: String,
    /// The account that was tried or that tried.
    pub account: Option<AccountId>,
    /// The token that was presented.
    pub token: Option<TokenId>,
    /// The service that was presented.
    pub service: Option<ServiceId>,
    /// The org that was concerned.
    pub org: Option<OrgId>,
    /// How many.
    pub count: u64,
}

const COLUMNS: &str = "minute, kind, network, reason, account_id, token_id, service_id, org_id";

impl Store {
    /// Adds counts of refused attempts. They are observations, so they have no event.
    pub async fn record_attempts(&self, attempts: &[RefusedAttempt]) -> Result<(), StoreError> {
        if attempts.is_empty() {
            return Ok(());
        }
        let backend = self.backend();
        let places: Vec<String> = (0..attempts.len())
            .map(|row| {
                let place = |column: usize| match backend {
                    DbBackend::Postgres => format!("${}", row * 9 + column + 1),
                    _ => "?".to_owned(),
                };
                format!("({})", (0..9).map(place).collect::<Vec<_>>().join(", "))
            })
            .collect();
        let sql = format!(
            "INSERT INTO refused_attempt ({COLUMNS}, count) VALUES {} \
             ON CONFLICT ({COLUMNS}) DO UPDATE SET count = refused_attempt.count + excluded.count",
            places.join(", ")
        );
        let values = attempts.iter().flat_map(|attempt| -> [Value; 9] {
            [
                attempt.minute.micros().into(),
                attempt.kind.clone().into(),
                attempt.network.clone().into(),
                attempt.reason.clone().into(),
                attempt.account.map_or(Uuid::nil(), AccountId::uuid).into(),
                attempt.token.map_or(Uuid::nil(), TokenId::uuid).into(),
                attempt.service.map_or(Uuid::nil(), ServiceId::uuid).into(),
                attempt.org.map_or(Uuid::nil(), OrgId::uuid).into(),
                i64::try_from(attempt.count).unwrap_or(i64::MAX).into(),
            ]
        });
        let lease = Lease::take(&self.pool, Timeout::Each(TIMEOUT)).await?;
        lease.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        Ok(())
    }

    /// Removes the refused attempts of minutes before an instant: all, or at least as many as a number. Returns how many.
    pub async fn remove_attempts(&self, before: Timestamp, most: u64) -> Result<u64, StoreError> {
        let lease = Lease::take(&self.pool, Timeout::Each(TIMEOUT)).await?;
        let sql = "DELETE FROM refused_attempt WHERE minute IN \
                   (SELECT minute FROM refused_attempt WHERE minute < $1 ORDER BY minute LIMIT $2)";
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let values = [before.micros().into(), most.into()];
        let removed = lease.execute_raw(Statement::from_sql_and_values(self.backend(), sql, values)).await?;
        Ok(removed.rows_affected())
    }
}

impl Read {
    /// Returns refused attempts of minutes since an instant and before another, the newest first: those of an account,
    /// those of an org, or all.
    pub async fn attempts(
        &self,
        of: (Option<AccountId>, Option<OrgId>),
        since: Timestamp,
        before: Timestamp,
        limit: u64,
    ) -> Result<Vec<RefusedAttempt>, StoreError> {
        let mut values: Vec<Value> = vec![
            since.micros().into(),
            before.micros().into(),
            i64::try_from(limit).unwrap_or(i64::MAX).into(),
        ];
        let only = match of {
            (Some(account), _) => {
                values.push(account.uuid().into());
                "account_id = $4 AND "
            }
            (None, Some(org)) => {
                values.push(org.uuid().into());
                "org_id = $4 AND "
            }
            (None, None) => "",
        };
        let sql = format!(
            "SELECT {COLUMNS}, count FROM refused_attempt WHERE {only}minute >= $1 AND minute < $2 \
             ORDER BY minute DESC, count DESC LIMIT $3"
        );
        let query = Statement::from_sql_and_values(self.transaction.get_database_backend(), sql, values);
        let rows = self.transaction.query_all_raw(query).await?;
        rows.iter().map(attempt).collect()
    }
}

fn attempt(row: &QueryResult) -> Result<RefusedAttempt, StoreError> {
    let minute: i64 = row.try_get("", "minute")?;
    let columns = Columns { table: "refused_attempt", id: minute };
    let id = |column| -> Result<Option<Uuid>, StoreError> {
        Ok(Some(row.try_get::<Uuid>("", column)?).filter(|id| !id.is_nil()))
    };
    let count: i64 = row.try_get("", "count")?;
    Ok(RefusedAttempt {
        minute: columns.instant("minute", minute)?,
        kind: row.try_get("", "kind")?,
        network: row.try_get("", "network")?,
        reason: row.try_get("", "reason")?,
        account: id("account_id")?.map(AccountId::from_uuid),
        token: id("token_id")?.map(TokenId::from_uuid),
        service: id("service_id")?.map(ServiceId::from_uuid),
        org: id("org_id")?.map(OrgId::from_uuid),
        count: u64::try_from(count).map_err(|_| columns.corrupt("count"))?,
    })
}
