//! An index of each org's tokens by their end: those that end next are read without the others.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = "CREATE INDEX org_token_by_end ON token (org_id, expires_at) \
                     WHERE org_id IS NOT NULL AND revoked_at IS NULL";
        manager.get_connection().execute_unprepared(index).await?;
        Ok(())
    }
}
