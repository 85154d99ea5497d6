//! The catalogue of a new database: the scopes of seed 003, beside what is ndauth's own. What else there was is a preset.

use sea_orm_migration::prelude::*;
use sha2::{Digest, Sha256};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The catalogue that a new database has.
pub(crate) const CATALOGUE: &str = include_str!("m20261129_000014_catalogue.json");

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One that an operator applied stays as it is.
        let first = Query::update()
            .table("catalogue")
            .value("document", CATALOGUE)
            .value("hash", Sha256::digest(CATALOGUE.as_bytes()).to_vec())
            .and_where(Expr::col("hash").eq(vec![0_u8; 32]))
            .to_owned();
        manager.execute(first).await
    }
}
