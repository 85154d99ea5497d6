//! Logins: details of sessions, passwords, tickets that work once, identities at other identity providers,
//! and tokens derived from sessions.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Older instances do not know this column: sessions that they create end at their expiry only.
        let ends_at = ColumnDef::new("ends_at").big_integer().not_null().default(i64::MAX).to_owned();
        for (table, column) in [
            ("session", ends_at),
            ("session", ColumnDef::new("proved_at").big_integer().to_owned()),
            ("session", ColumnDef::new("device").text().to_owned()),
            ("session", ColumnDef::new("address").text().to_owned()),
            ("session", ColumnDef::new("last_seen_at").big_integer().to_owned()),
            ("session", ColumnDef::new("browser").boolean().not_null().default(false).to_owned()),
            ("token", ColumnDef::new("session_id").uuid().to_owned()),
        ] {
            let added = Table::alter().table(table).add_column(column).to_owned();
            manager.alter_table(added).await?;
        }
        for table in [password(), identity(), ticket()] {
            manager.create_table(table).await?;
        }
        let connection = manager.get_connection();
        // Every session so far was issued by the operator.
        connection
            .execute_unprepared("UPDATE session SET ends_at = expires_at, proved_at = created_at")
            .await?;
        for index in INDEXES {
            connection.execute_unprepared(index).await?;
        }
        Ok(())
    }
}

const INDEXES: [&str; 4] = [
    "CREATE INDEX token_by_session ON token (session_id) WHERE session_id IS NOT NULL",
    "CREATE INDEX derived_token_by_end ON token (expires_at) WHERE session_id IS NOT NULL",
    "CREATE INDEX ticket_by_end ON ticket (expires_at)",
    "CREATE UNIQUE INDEX ticket_user_code ON ticket (user_code) WHERE user_code IS NOT NULL",
];

/// The hash in argon2's format: its parameters, its salt and its hash.
fn password() -> TableCreateStatement {
    Table::create()
        .table("password")
        .col(ColumnDef::new("account_id").uuid().not_null().primary_key())
        .col(ColumnDef::new("phc").text().not_null())
        .col(ColumnDef::new("set_at").big_integer().not_null())
        .foreign_key(&mut reference("password", "account_id", "account"))
        .to_owned()
}

/// The issuer and the subject under which an account's person is known elsewhere.
fn identity() -> TableCreateStatement {
    Table::create()
        .table("identity")
        .col(ColumnDef::new("issuer").text().not_null())
        .col(ColumnDef::new("subject").text().not_null())
        .col(ColumnDef::new("account_id").uuid().not_null())
        .primary_key(Index::create().col("issuer").col("subject"))
        .foreign_key(&mut reference("identity", "account_id", "account"))
        .to_owned()
}

/// Tickets, each of which works once: links, codes, and devices that wait. A ticket is looked up by its hash,
/// and a device also by the hash of the code that its person types.
fn ticket() -> TableCreateStatement {
    Table::create()
        .table("ticket")
        .col(ColumnDef::new("hash").binary_len(32).not_null().primary_key())
        .col(ColumnDef::new("kind").text().not_null())
        .col(ColumnDef::new("user_code").binary_len(32))
        .col(ColumnDef::new("account_id").uuid())
        .col(ColumnDef::new("details").text().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .col(ColumnDef::new("expires_at").big_integer().not_null())
        .col(ColumnDef::new("used_at").big_integer())
        .foreign_key(&mut reference("ticket", "account_id", "account"))
        .check(Expr::cust("length(hash) = 32"))
        .to_owned()
}

fn reference(from: &'static str, column: &'static str, to: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(from, column).to(to, "id").to_owned()
}
