//! The last use of a token in each org, which is all that the org's admins see of its uses.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(token_org_use()).await
    }
}

/// The address is empty if it is not known.
fn token_org_use() -> TableCreateStatement {
    Table::create()
        .table("token_org_use")
        .col(ColumnDef::new("token_id").uuid().not_null())
        .col(ColumnDef::new("org_id").uuid().not_null())
        .col(ColumnDef::new("last_at").big_integer().not_null())
        .col(ColumnDef::new("address").text().not_null())
        .primary_key(Index::create().col("token_id").col("org_id"))
        .foreign_key(&mut reference("token_org_use", "token_id", "token"))
        .foreign_key(&mut reference("token_org_use", "org_id", "org"))
        .to_owned()
}

fn reference(from: &'static str, column: &'static str, to: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(from, column).to(to, "id").to_owned()
}
