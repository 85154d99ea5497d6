//! The state of the whole installation: the instant before which every minted secret is revoked, and the
//! instant since which it is a restored copy that nobody has put into service yet.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(installation()).await?;
        let this = Query::insert()
            .into_table("installation")
            .columns(["one", "not_before"])
            .values_panic([1.into(), 0_i64.into()])
            .to_owned();
        manager.execute(this).await
    }
}

/// One row.
fn installation() -> TableCreateStatement {
    Table::create()
        .table("installation")
        .col(ColumnDef::new("one").integer().not_null().primary_key())
        .col(ColumnDef::new("not_before").big_integer().not_null())
        .col(ColumnDef::new("restored_at").big_integer())
        .check(Expr::cust("one = 1"))
        .to_owned()
}
