//! Accounts, orgs, memberships, tokens, sessions, services, their secrets, and the event log.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            account(),
            org(),
            membership(),
            token(),
            token_org(),
            token_grant(),
            session(),
            service(),
            service_org(),
            secret(),
            event(),
            head(),
        ] {
            manager.create_table(table).await?;
        }
        for (table, columns, unique) in INDEXES {
            let name = format!("{table}_{}", columns.join("_"));
            let mut index = Index::create();
            index.name(name).table(*table);
            for column in *columns {
                index.col(*column);
            }
            if *unique {
                index.unique();
            }
            manager.create_index(index.to_owned()).await?;
        }
        let empty_log = Query::insert()
            .into_table("head")
            .columns(["id", "sequence", "hash"])
            .values_panic([1.into(), 0.into(), vec![0_u8; 32].into()])
            .to_owned();
        manager.execute(empty_log).await
    }
}

/// One row per index: its table, its columns, and true if it is unique.
const INDEXES: &[(&str, &[&str], bool)] = &[
    ("account", &["handle"], true),
    ("account", &["email"], true),
    ("org", &["slug"], true),
    ("membership", &["org_id"], false),
    ("token", &["account_id", "live_name"], true),
    ("token", &["org_id", "live_name"], true),
    ("token_org", &["org_id"], false),
    ("session", &["account_id"], false),
    ("service", &["live_name"], true),
    ("secret", &["hash"], true),
    ("secret", &["token_id"], false),
    ("secret", &["session_id"], false),
    ("secret", &["service_id"], false),
];

fn account() -> TableCreateStatement {
    Table::create()
        .table("account")
        .col(id())
        .col(text("handle"))
        .col(text("email"))
        .col(text_or_null("name"))
        .col(boolean("operator"))
        .col(instant("created_at"))
        .col(instant_or_null("disabled_at"))
        .to_owned()
}

fn org() -> TableCreateStatement {
    Table::create()
        .table("org")
        .col(id())
        .col(text("slug"))
        .col(text_or_null("name"))
        .col(instant("created_at"))
        .col(instant_or_null("deleted_at"))
        .to_owned()
}

fn membership() -> TableCreateStatement {
    Table::create()
        .table("membership")
        .col(uuid("account_id"))
        .col(uuid("org_id"))
        .col(text("role"))
        .col(instant("set_at"))
        .col(instant_or_null("removed_at"))
        .primary_key(Index::create().col("account_id").col("org_id"))
        .foreign_key(&mut reference("membership", "account_id", "account"))
        .foreign_key(&mut reference("membership", "org_id", "org"))
        .check(Expr::cust("role IN ('RO', 'RW', 'ADMIN')"))
        .to_owned()
}

fn token() -> TableCreateStatement {
    Table::create()
        .table("token")
        .col(id())
        .col(uuid_or_null("account_id"))
        .col(uuid_or_null("org_id"))
        .col(text("name"))
        .col(text_or_null("live_name"))
        .col(text("scope"))
        .col(boolean("all_orgs"))
        .col(boolean("all_grants"))
        .col(instant("created_at"))
        .col(ColumnDef::new("lifetime").big_integer().not_null())
        .col(instant("expires_at"))
        .col(instant_or_null("revoked_at"))
        .foreign_key(&mut reference("token", "account_id", "account"))
        .foreign_key(&mut reference("token", "org_id", "org"))
        .check(Expr::cust("(account_id IS NULL) <> (org_id IS NULL)"))
        .check(Expr::cust("scope IN ('RO', 'RW')"))
        .check(Expr::cust("live_name IS NULL OR (live_name = name AND revoked_at IS NULL)"))
        .to_owned()
}

fn token_org() -> TableCreateStatement {
    Table::create()
        .table("token_org")
        .col(uuid("token_id"))
        .col(uuid("org_id"))
        .primary_key(Index::create().col("token_id").col("org_id"))
        .foreign_key(&mut reference("token_org", "token_id", "token"))
        .foreign_key(&mut reference("token_org", "org_id", "org"))
        .to_owned()
}

fn token_grant() -> TableCreateStatement {
    Table::create()
        .table("token_grant")
        .col(uuid("token_id"))
        .col(text("resource_type"))
        .col(text("resource_id"))
        .col(text("action"))
        .primary_key(Index::create().col("token_id").col("resource_type").col("resource_id").col("action"))
        .foreign_key(&mut reference("token_grant", "token_id", "token"))
        .to_owned()
}

fn session() -> TableCreateStatement {
    Table::create()
        .table("session")
        .col(id())
        .col(uuid("account_id"))
        .col(instant("created_at"))
        .col(instant("expires_at"))
        .col(instant_or_null("revoked_at"))
        .foreign_key(&mut reference("session", "account_id", "account"))
        .to_owned()
}

fn service() -> TableCreateStatement {
    Table::create()
        .table("service")
        .col(id())
        .col(text("name"))
        .col(text_or_null("live_name"))
        .col(boolean("all_orgs"))
        .col(instant("created_at"))
        .col(instant_or_null("revoked_at"))
        .check(Expr::cust("live_name IS NULL OR (live_name = name AND revoked_at IS NULL)"))
        .to_owned()
}

fn service_org() -> TableCreateStatement {
    Table::create()
        .table("service_org")
        .col(uuid("service_id"))
        .col(uuid("org_id"))
        .primary_key(Index::create().col("service_id").col("org_id"))
        .foreign_key(&mut reference("service_org", "service_id", "service"))
        .foreign_key(&mut reference("service_org", "org_id", "org"))
        .to_owned()
}

/// Tokens, sessions and services are all families of secrets.
fn secret() -> TableCreateStatement {
    Table::create()
        .table("secret")
        .col(id())
        .col(hash("hash"))
        .col(text("prefix"))
        .col(uuid_or_null("token_id"))
        .col(uuid_or_null("session_id"))
        .col(uuid_or_null("service_id"))
        .col(instant("minted_at"))
        .col(instant_or_null("confirmed_at"))
        .col(instant("ends_at"))
        .col(instant_or_null("last_used_at"))
        .col(text_or_null("last_used_address"))
        .foreign_key(&mut reference("secret", "token_id", "token"))
        .foreign_key(&mut reference("secret", "session_id", "session"))
        .foreign_key(&mut reference("secret", "service_id", "service"))
        .check(Expr::cust(
            "(CASE WHEN token_id IS NULL THEN 0 ELSE 1 END) \
             + (CASE WHEN session_id IS NULL THEN 0 ELSE 1 END) \
             + (CASE WHEN service_id IS NULL THEN 0 ELSE 1 END) = 1",
        ))
        .check(Expr::cust("length(hash) = 32"))
        .to_owned()
}

fn event() -> TableCreateStatement {
    Table::create()
        .table("event")
        .col(ColumnDef::new("sequence").big_integer().not_null().primary_key())
        .col(ColumnDef::new("public_bytes").blob().not_null())
        .col(ColumnDef::new("personal_bytes").blob())
        .col(ColumnDef::new("salt").blob())
        .col(hash("personal_hash"))
        .col(hash("hash"))
        .check(Expr::cust("(personal_bytes IS NULL) = (salt IS NULL)"))
        .to_owned()
}

/// One row: the end of the log, locked by each writer that appends.
fn head() -> TableCreateStatement {
    Table::create()
        .table("head")
        .col(ColumnDef::new("id").integer().not_null().primary_key())
        .col(ColumnDef::new("sequence").big_integer().not_null())
        .col(hash("hash"))
        .check(Expr::cust("id = 1"))
        .to_owned()
}

fn id() -> ColumnDef {
    ColumnDef::new("id").uuid().not_null().primary_key().to_owned()
}

fn uuid(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).uuid().not_null().to_owned()
}

fn uuid_or_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).uuid().to_owned()
}

fn text(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().not_null().to_owned()
}

fn text_or_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().to_owned()
}

fn boolean(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).boolean().not_null().to_owned()
}

fn instant(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().to_owned()
}

fn instant_or_null(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().to_owned()
}

fn hash(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).binary_len(32).not_null().to_owned()
}

fn reference(from: &'static str, column: &'static str, to: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(from, column).to(to, "id").to_owned()
}
