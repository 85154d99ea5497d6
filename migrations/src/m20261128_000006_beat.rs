//! The beat, which a primary that was replaced cannot commit; and the instant at which the operator settled a
//! restored copy, after which instances that saw the lost events go on.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let number = |name: &'static str| ColumnDef::new(name).big_integer().not_null().default(0).to_owned();
        let beat = Table::create()
            .table("beat")
            .col(ColumnDef::new("id").integer().not_null().primary_key())
            .col(number("number"))
            .col(number("proven"))
            .col(number("beaten_at"))
            .check(Expr::cust("id = 1"))
            .to_owned();
        manager.create_table(beat).await?;
        let settled = ColumnDef::new("settled_at").big_integer().to_owned();
        let settled = Table::alter().table("installation").add_column(settled).to_owned();
        manager.alter_table(settled).await?;
        manager.get_connection().execute_unprepared("INSERT INTO beat (id) VALUES (1)").await?;
        Ok(())
    }
}
