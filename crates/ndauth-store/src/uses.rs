//! Observations: when secrets were last used, and from where their tokens are.

use std::fmt::Write as _;

use ndauth_core::{ClientName, Counts, LastUse, SecretId, TokenId, UsedFrom};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, Statement, Value};
use tokio::time::Instant;

use crate::columns::Columns;
use crate::lease::{Lease, TIMEOUT, Timeout};
use crate::{Engine, Read, Store, StoreError};
use token_use::{Column, Entity};

/// That a secret was used from somewhere, once or more often.
#[derive(Clone, Debug)]
pub struct Use {
    /// Which secret.
    pub secret: SecretId,
    /// By which client, where that is told.
    pub client: Option<ClientName>,
    /// When last, and from where.
    pub last: LastUse,
    /// How often.
    pub counts: Counts,
}

/// From how many places a token's uses are kept; those used longest ago go first.
const MOST_PLACES: u32 = 100;
/// How many columns a use has.
const WIDTH: usize = 6;

impl Read {
    /// From where a token was used, the place used last first.
    pub async fn used_from(&self, token: TokenId) -> Result<Vec<UsedFrom>, StoreError> {
        let rows = Entity::find()
            .filter(Column::TokenId.eq(token.uuid()))
            .order_by_desc(Column::LastAt)
            .all(&self.transaction)
            .await?;
        let columns = Columns { table: "token_use", id: token };
        let count = |column, count: i64| u64::try_from(count).map_err(|_| columns.corrupt(column));
        let place = |row: token_use::Model| {
            Ok(UsedFrom {
                address: columns
                    .text_or_null("address", Some(row.address.as_str()).filter(|text| !text.is_empty()))?,
                client: ClientName::of_user_agent(&row.client),
                first_at: columns.instant("first_at", row.first_at)?,
                last_at: columns.instant("last_at", row.last_at)?,
                counts: Counts { reads: count("reads", row.reads)?, writes: count("writes", row.writes)? },
            })
        };
        rows.into_iter().map(place).collect()
    }
}

impl Store {
    /// Writes down that secrets were used. The newest wins, in whatever order they come. It is an
    /// observation, not a change of state: no event tells of it.
    pub async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        if uses.is_empty() {
            return Ok(());
        }
        let used = self.values(uses.len());
        let values = || {
            uses.iter().flat_map(|of| -> [Value; WIDTH] {
                let address = of.last.address.map(|address| address.to_string()).unwrap_or_default();
                let client = of.client.as_ref().map(ToString::to_string).unwrap_or_default();
                let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
                [
                    of.secret.uuid().into(),
                    of.last.at.micros().into(),
                    address.into(),
                    client.into(),
                    count(of.counts.reads).into(),
                    count(of.counts.writes).into(),
                ]
            })
        };
        let (least, greatest) = match self.engine {
            Engine::Sqlite => ("min", "max"),
            Engine::Postgres => ("least", "greatest"),
        };
        let statements = [
            // Of each secret, the last use of the batch: a row that is updated twice is updated by either. Without a
            // window, for which SQLite scans all secrets.
            format!(
                "{used} UPDATE secret SET last_used_at = newest.at, last_used_address = NULLIF(newest.address, '') \
                 FROM (SELECT used.id, used.at, min(used.address) AS address FROM used \
                 JOIN (SELECT id, max(at) AS at FROM used GROUP BY id) AS last ON last.id = used.id AND last.at = used.at \
                 GROUP BY used.id, used.at) AS newest \
                 WHERE secret.id = newest.id AND (last_used_at IS NULL OR last_used_at < newest.at)"
            ),
            format!(
                "{used} UPDATE token SET last_used_at = of_token.at FROM (SELECT token_id, max(at) AS at FROM used \
                 JOIN secret ON secret.id = used.id GROUP BY token_id) AS of_token \
                 WHERE token.id = of_token.token_id AND (last_used_at IS NULL OR last_used_at < of_token.at)"
            ),
            format!(
                "{used} INSERT INTO token_use (token_id, address, client, first_at, last_at, reads, writes) \
                 SELECT token_id, address, client, min(at), max(at), sum(reads), sum(writes) FROM used \
                 JOIN secret ON secret.id = used.id WHERE token_id IS NOT NULL GROUP BY token_id, address, client \
                 ON CONFLICT (token_id, address, client) DO UPDATE SET \
                 first_at = {least}(token_use.first_at, excluded.first_at), \
                 last_at = {greatest}(token_use.last_at, excluded.last_at), \
                 reads = token_use.reads + excluded.reads, writes = token_use.writes + excluded.writes"
            ),
            format!(
                "{used} DELETE FROM token_use WHERE (token_id, address, client) IN (SELECT token_id, address, client \
                 FROM (SELECT token_id, address, client, row_number() OVER (PARTITION BY token_id \
                 ORDER BY last_at DESC, address, client) AS place FROM token_use WHERE token_id IN \
                 (SELECT token_id FROM secret WHERE id IN (SELECT id FROM used))) AS places \
                 WHERE place > {MOST_PLACES})"
            ),
        ];
        // On a file, others write at its turn too; to PostgreSQL it takes nobody's while it waits for the network.
        let _turn = match self.engine {
            Engine::Sqlite => Some(self.writer.lock().await),
            Engine::Postgres => None,
        };
        let first = match self.engine {
            Engine::Sqlite => "SELECT 1",
            // What was observed may be lost with a primary: it waits for no standby, and keeps no connection waiting.
            Engine::Postgres => "SET LOCAL synchronous_commit = local",
        };
        let within = Timeout::Until(Instant::now() + TIMEOUT);
        let (transaction, _) = Lease::begin(&self.pool, (self.change(), first), within).await?;
        let backend = transaction.get_database_backend();
        for sql in statements {
            transaction.execute_raw(Statement::from_sql_and_values(backend, sql, values())).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// So many uses as a table of an SQL statement.
    fn values(&self, rows: usize) -> String {
        // The first row tells PostgreSQL the types.
        let first = match self.engine {
            Engine::Sqlite => "(?, ?, ?, ?, ?, ?)",
            Engine::Postgres => "($1::uuid, $2::bigint, $3::text, $4::text, $5::bigint, $6::bigint)",
        };
        let mut sql = format!("WITH used (id, at, address, client, reads, writes) AS (VALUES {first}");
        for row in 1..rows {
            match self.engine {
                Engine::Sqlite => sql.push_str(", (?, ?, ?, ?, ?, ?)"),
                Engine::Postgres => {
                    let column = row * WIDTH;
                    let _ = write!(
                        sql,
                        ", (${}, ${}, ${}, ${}, ${}, ${})",
                        column + 1,
                        column + 2,
                        column + 3,
                        column + 4,
                        column + 5,
                        column + 6
                    );
                }
            }
        }
        sql.push(')');
        sql
    }
}

#[expect(unreachable_pub, reason = "what the derive makes is public; the module is not")]
mod token_use {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "token_use")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub token_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub address: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub client: String,
        pub first_at: i64,
        pub last_at: i64,
        pub reads: i64,
        pub writes: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
