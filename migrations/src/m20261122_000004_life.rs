//! The life of a token: rotations that wait to be confirmed, suspensions, bulk revocations and frozen orgs,
//! the places of its uses, and the orders of lists.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in [
            // The effect of confirming a pending secret.
            ("secret", number_or_null("overlap")),
            ("secret", number_or_null("token_expires_at")),
            ("secret", number_or_null("reused_at")),
            ("token", switch("self_rotating")),
            ("token", text_or_null("revoked_by")),
            ("token", text_or_null("revoked_reason")),
            ("token", number_or_null("last_used_at")),
            ("account", zero("not_before")),
            ("org", zero("not_before")),
            ("org", number_or_null("frozen_at")),
            ("org_policy", switch("suspend_on_reuse")),
        ] {
            let added = Table::alter().table(table).add_column(column).to_owned();
            manager.alter_table(added).await?;
        }
        for table in [suspension(), token_use()] {
            manager.create_table(table).await?;
        }
        let connection = manager.get_connection();
        let used = "UPDATE token SET last_used_at = (SELECT max(last_used_at) FROM secret WHERE token_id = token.id)";
        connection.execute_unprepared(used).await?;
        for (name, of) in INDEXES {
            connection.execute_unprepared(&format!("CREATE INDEX {name} ON {of}")).await?;
        }
        Ok(())
    }
}

/// One index for each order in which an org's tokens are listed, and for the look-ups of the janitor.
const INDEXES: [(&str, &str); 7] = [
    ("token_by_org", "token (org_id, id) WHERE org_id IS NOT NULL"),
    ("token_by_org_and_name", "token (org_id, name, id) WHERE org_id IS NOT NULL"),
    ("token_by_org_and_end", "token (org_id, expires_at, id) WHERE org_id IS NOT NULL"),
    ("token_by_org_and_use", "token (org_id, (COALESCE(last_used_at, 0)), id) WHERE org_id IS NOT NULL"),
    ("token_by_end", "token (expires_at)"),
    ("token_by_revocation", "token (revoked_at) WHERE revoked_at IS NOT NULL"),
    ("session_by_end", "session (expires_at)"),
];

/// The level is `owner`, `operator`, or the id of the org that suspended the token.
fn suspension() -> TableCreateStatement {
    Table::create()
        .table("suspension")
        .col(ColumnDef::new("token_id").uuid().not_null())
        .col(ColumnDef::new("level").text().not_null())
        .col(ColumnDef::new("since").big_integer().not_null())
        .primary_key(Index::create().col("token_id").col("level"))
        .foreign_key(&mut reference("suspension", "token_id", "token"))
        .to_owned()
}

/// The places from which a token was used: addresses and clients, each empty if it is not known.
fn token_use() -> TableCreateStatement {
    Table::create()
        .table("token_use")
        .col(ColumnDef::new("token_id").uuid().not_null())
        .col(ColumnDef::new("address").text().not_null())
        .col(ColumnDef::new("client").text().not_null())
        .col(ColumnDef::new("first_at").big_integer().not_null())
        .col(ColumnDef::new("last_at").big_integer().not_null())
        .col(ColumnDef::new("reads").big_integer().not_null())
        .col(ColumnDef::new("writes").big_integer().not_null())
        .primary_key(Index::create().col("token_id").col("address").col("client"))
        .foreign_key(&mut reference("token_use", "token_id", "token"))
        .to_owned()
}

fn switch(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).boolean().not_null().default(false).to_owned()
}

fn zero(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().default(0).to_owned()
}

fn number_or_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().to_owned()
}

fn text_or_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().to_owned()
}

fn reference(from: &'static str, column: &'static str, to: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(from, column).to(to, "id").to_owned()
}
