//! Further restrictions of a token (services, networks), org policies, and the catalogue in the database.
//!
//! Tokens from before were for all services and all networks, and are marked so. A row without the mark is
//! for none.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The catalogue that a new database had at first.
const CATALOGUE: &str = include_str!("m20261122_000003_catalogue.json");

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in [
            ("token", ColumnDef::new("description").text().to_owned()),
            ("token", switch("all_services")),
            ("token", switch("all_networks")),
            ("service", switch("states_address")),
            ("account", ColumnDef::new("last_login_at").big_integer().to_owned()),
        ] {
            let added = Table::alter().table(table).add_column(column).to_owned();
            manager.alter_table(added).await?;
        }
        let connection = manager.get_connection();
        for sql in [
            "UPDATE token SET all_services = TRUE, all_networks = TRUE",
            "UPDATE account SET last_login_at = (SELECT max(created_at) FROM session WHERE account_id = account.id)",
        ] {
            connection.execute_unprepared(sql).await?;
        }
        for table in [token_service(), token_network(), org_policy(), org_policy_network(), catalogue()] {
            manager.create_table(table).await?;
        }
        let this = Query::insert()
            .into_table("catalogue")
            .columns(["one", "hash", "document"])
            .values_panic([1.into(), vec![0_u8; 32].into(), CATALOGUE.into()])
            .to_owned();
        manager.execute(this).await
    }
}

fn token_service() -> TableCreateStatement {
    Table::create()
        .table("token_service")
        .col(uuid("token_id"))
        .col(uuid("service_id"))
        .primary_key(Index::create().col("token_id").col("service_id"))
        .foreign_key(&mut reference("token_service", "token_id", "token"))
        .foreign_key(&mut reference("token_service", "service_id", "service"))
        .to_owned()
}

fn token_network() -> TableCreateStatement {
    Table::create()
        .table("token_network")
        .col(uuid("token_id"))
        .col(text("network"))
        .primary_key(Index::create().col("token_id").col("network"))
        .foreign_key(&mut reference("token_network", "token_id", "token"))
        .to_owned()
}

/// The history of an org's policies: of those that apply, the one that was set last is in force.
fn org_policy() -> TableCreateStatement {
    Table::create()
        .table("org_policy")
        .col(uuid("org_id"))
        .col(instant("set_at"))
        .col(instant("takes_hold_at"))
        .col(instant("longest_lifetime"))
        .col(ColumnDef::new("personal_tokens").boolean().not_null())
        .col(ColumnDef::new("all_networks").boolean().not_null())
        .col(instant("login_within"))
        .primary_key(Index::create().col("org_id").col("set_at"))
        .foreign_key(&mut reference("org_policy", "org_id", "org"))
        .to_owned()
}

fn org_policy_network() -> TableCreateStatement {
    Table::create()
        .table("org_policy_network")
        .col(uuid("org_id"))
        .col(instant("set_at"))
        .col(text("network"))
        .primary_key(Index::create().col("org_id").col("set_at").col("network"))
        .foreign_key(
            ForeignKey::create()
                .from("org_policy_network", ("org_id", "set_at"))
                .to("org_policy", ("org_id", "set_at")),
        )
        .to_owned()
}

/// One row: the document, and its SHA-256, by which readers notice a change (zero for the first document).
fn catalogue() -> TableCreateStatement {
    Table::create()
        .table("catalogue")
        .col(ColumnDef::new("one").integer().not_null().primary_key())
        .col(ColumnDef::new("hash").binary_len(32).not_null())
        .col(text("document"))
        .check(Expr::cust("one = 1"))
        .to_owned()
}

/// Returns a column that is false by default.
fn switch(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).boolean().not_null().default(false).to_owned()
}

fn uuid(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).uuid().not_null().to_owned()
}

fn text(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().not_null().to_owned()
}

fn instant(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().to_owned()
}

fn reference(from: &'static str, column: &'static str, to: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(from, column).to(to, "id").to_owned()
}
