//! Indexes for the look-ups of the janitor: tokens that were never used, and secrets that were replaced or
//! never confirmed.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const INDICES: [(&str, &str); 4] = [
    ("token_unused_by_end", "token (expires_at) WHERE last_used_at IS NULL"),
    (
        "token_unused_by_revocation",
        "token (revoked_at) WHERE last_used_at IS NULL AND revoked_at IS NOT NULL",
    ),
    ("secret_by_end", "secret (ends_at) WHERE ends_at < 9223372036854775807"),
    ("secret_unconfirmed_by_end", "secret (ends_at) WHERE confirmed_at IS NULL"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, on) in INDICES {
            manager.get_connection().execute_unprepared(&format!("CREATE INDEX {name} ON {on}")).await?;
        }
        Ok(())
    }
}
