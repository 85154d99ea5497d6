//! Observations: the last uses of secrets, the places from which their tokens are used, and the last uses in
//! each org.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ndauth_core::{ClientName, Counts, LastUse, OrgId, SecretId, TokenId, UsedFrom};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, Statement, Value};
use tokio::time::Instant;

use crate::columns::Columns;
use crate::lease::{Lease, TIMEOUT, Timeout};
use crate::{Engine, Read, Store, StoreError};
use token_use::{Column, Entity};

/// One or more uses of a secret from one place.
#[derive(Clone, Debug)]
pub struct Use {
    /// The secret.
    pub secret: SecretId,
    /// The client, if it is known.
    pub client: Option<ClientName>,
    /// The last of these uses, with its address.
    pub last: LastUse,
    /// The number of these uses.
    pub counts: Counts,
}

/// The last use of a secret in an org.
#[derive(Clone, Copy, Debug)]
pub struct OrgUse {
    /// The secret.
    pub secret: SecretId,
    /// The org.
    pub org: OrgId,
    /// The instant of the last use, and its address.
    pub last: LastUse,
}

/// The maximum number of places kept per token; the places whose last use is oldest are removed first.
const MOST_PLACES: u32 = 100;
/// The columns of uses, and of uses in an org, as they are written.
const USED: [(&str, &str); 6] = [
    ("id", "uuid"),
    ("at", "bigint"),
    ("address", "text"),
    ("client", "text"),
    ("reads", "bigint"),
    ("writes", "bigint"),
];
const USED_IN_ORG: [(&str, &str); 4] =
    [("id", "uuid"), ("org", "uuid"), ("at", "bigint"), ("address", "text")];
/// The number of tokens that are queried at once.
const CHUNK: usize = 1000;

impl Read {
    /// Returns the places from which a token was used, the place of the last use first.
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

    /// Returns the last uses of these tokens in an org, for those that were used there.
    pub async fn last_uses_in(
        &self,
        org: OrgId,
        tokens: &[TokenId],
    ) -> Result<BTreeMap<TokenId, LastUse>, StoreError> {
        let mut uses = BTreeMap::new();
        for tokens in tokens.chunks(CHUNK) {
            let rows = token_org_use::Entity::find()
                .filter(token_org_use::Column::OrgId.eq(org.uuid()))
                .filter(token_org_use::Column::TokenId.is_in(tokens.iter().map(|token| token.uuid())))
                .all(&self.transaction)
                .await?;
            for row in rows {
                let columns = Columns { table: "token_org_use", id: row.token_id };
                let address = Some(row.address.as_str()).filter(|text| !text.is_empty());
                let last = LastUse {
                    at: columns.instant("last_at", row.last_at)?,
                    address: columns.text_or_null("address", address)?,
                };
                uses.insert(TokenId::from_uuid(row.token_id), last);
            }
        }
        Ok(uses)
    }
}

impl Store {
    /// Records uses of secrets. The newest wins, in whatever order they arrive. They are observations and not
    /// a change of state, so they have no event.
    pub async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        if uses.is_empty() {
            return Ok(());
        }
        let used = self.values(&USED, uses.len());
        let values = || {
            uses.iter().flat_map(|of| -> [Value; USED.len()] {
                let client = of.client.as_ref().map(ToString::to_string).unwrap_or_default();
                let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
                [
                    of.secret.uuid().into(),
                    of.last.at.micros().into(),
                    address(of.last).into(),
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
            // The last use of each secret in the batch: a row that is updated twice gets either value. No
            // window function, for which SQLite would scan all secrets.
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
        self.observe(statements.map(|sql| (sql, values().collect()))).await
    }

    /// Records the last uses of secrets in orgs. The newest wins, in whatever order they arrive.
    pub async fn record_org_uses(&self, uses: &[OrgUse]) -> Result<(), StoreError> {
        if uses.is_empty() {
            return Ok(());
        }
        let used = self.values(&USED_IN_ORG, uses.len());
        let values = uses.iter().flat_map(|of| -> [Value; USED_IN_ORG.len()] {
            let at = of.last.at.micros();
            [of.secret.uuid().into(), of.org.uuid().into(), at.into(), address(of.last).into()]
        });
        // The last use of each token and org in the batch, by any of its secrets.
        let sql = format!(
            "{used}, of_token (token_id, org, at, address) AS (SELECT token_id, org, at, address FROM used \
             JOIN secret ON secret.id = used.id WHERE token_id IS NOT NULL) \
             INSERT INTO token_org_use (token_id, org_id, last_at, address) \
             SELECT of_token.token_id, of_token.org, of_token.at, min(of_token.address) FROM of_token \
             JOIN (SELECT token_id, org, max(at) AS at FROM of_token GROUP BY token_id, org) AS newest \
             ON newest.token_id = of_token.token_id AND newest.org = of_token.org AND newest.at = of_token.at \
             GROUP BY of_token.token_id, of_token.org, of_token.at \
             ON CONFLICT (token_id, org_id) DO UPDATE SET last_at = excluded.last_at, address = excluded.address \
             WHERE token_org_use.last_at < excluded.last_at"
        );
        self.observe([(sql, values.collect())]).await
    }

    /// Records observations, in one transaction.
    async fn observe(
        &self,
        statements: impl IntoIterator<Item = (String, Vec<Value>)>,
    ) -> Result<(), StoreError> {
        // On a SQLite file the observation takes its turn among the writers. On PostgreSQL it does not, and
        // delays none of them while it waits for the network.
        let _turn = match self.engine {
            Engine::Sqlite => Some(self.writer.lock().await),
            Engine::Postgres => None,
        };
        let first = match self.engine {
            Engine::Sqlite => "SELECT 1",
            // Observations may be lost with a primary: the commit waits for no standby, and does not occupy
            // its connection for that.
            Engine::Postgres => "SET LOCAL synchronous_commit = local",
        };
        let within = Timeout::Until(Instant::now() + TIMEOUT);
        let (transaction, _) =
            Lease::begin(&self.pool, (self.change(), &Statement::from_string(self.backend(), first)), within)
                .await?;
        let backend = transaction.get_database_backend();
        for (sql, values) in statements {
            transaction.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Returns this number of rows with these columns, as the table `used` of an SQL statement.
    fn values(&self, columns: &[(&str, &str)], rows: usize) -> String {
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let mut sql = format!("WITH used ({}) AS (VALUES ", names.join(", "));
        for row in 0..rows {
            sql.push_str(if row == 0 { "(" } else { ", (" });
            for (column, (_, kind)) in columns.iter().enumerate() {
                let comma = if column == 0 { "" } else { ", " };
                let _ = match self.engine {
                    Engine::Sqlite => write!(sql, "{comma}?"),
                    // The first row gives PostgreSQL the types.
                    Engine::Postgres if row == 0 => write!(sql, "{comma}${}::{kind}", column + 1),
                    Engine::Postgres => write!(sql, "{comma}${}", row * columns.len() + column + 1),
                };
            }
            sql.push(')');
        }
        sql.push(')');
        sql
    }
}

/// Returns the address of a use as it is stored: empty if it is not known.
fn address(last: LastUse) -> String {
    last.address.map(|address| address.to_string()).unwrap_or_default()
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

#[expect(unreachable_pub, reason = "what the derive makes is public; the module is not")]
mod token_org_use {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "token_org_use")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub token_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub org_id: Uuid,
        pub last_at: i64,
        pub address: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
