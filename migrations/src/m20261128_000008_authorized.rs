//! When a person last drew a secret of a token that rotates itself: an org's revocations count from there. And addresses of
//! e-mail, which are compared without case.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Null where it is when the secret was minted.
        let column = ColumnDef::new("authorized_at").big_integer().to_owned();
        manager.alter_table(Table::alter().table("secret").add_column(column).to_owned()).await?;
        manager.get_connection().execute_unprepared("UPDATE account SET email = lower(email)").await?;
        Ok(())
    }
}
