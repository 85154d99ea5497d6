//! The instant at which a person last minted a secret of a token that rotates itself, from which bulk
//! revocations count; and e-mail addresses in lower case.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // NULL if it equals the instant of minting.
        let column = ColumnDef::new("authorized_at").big_integer().to_owned();
        manager.alter_table(Table::alter().table("secret").add_column(column).to_owned()).await?;
        manager.get_connection().execute_unprepared("UPDATE account SET email = lower(email)").await?;
        Ok(())
    }
}
