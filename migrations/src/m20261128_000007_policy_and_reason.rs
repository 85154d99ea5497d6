//! Policies that require grants or bar tokens for all orgs; and the code of a revocation's reason, next to
//! the actor's own words.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in [
            ("org_policy", switch("require_grants")),
            ("org_policy", switch("no_all_org_tokens")),
            ("token", ColumnDef::new("revoked_code").text().to_owned()),
        ] {
            let added = Table::alter().table(table).add_column(column).to_owned();
            manager.alter_table(added).await?;
        }
        Ok(())
    }
}

fn switch(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).boolean().not_null().default(false).to_owned()
}
