//! The latest end to which a token may extend itself, which replaces the flag that it may.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// 365 days.
const LONGEST: i64 = 365 * 24 * 60 * 60 * 1_000_000;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = ColumnDef::new("self_rotating_until").big_integer().to_owned();
        manager.alter_table(Table::alter().table("token").add_column(column).to_owned()).await?;
        let connection = manager.get_connection();
        let told =
            format!("UPDATE token SET self_rotating_until = created_at + {LONGEST} WHERE self_rotating");
        connection.execute_unprepared(&told).await?;
        connection.execute_unprepared("ALTER TABLE token DROP COLUMN self_rotating").await?;
        Ok(())
    }
}
