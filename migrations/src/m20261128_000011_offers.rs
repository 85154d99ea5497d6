//! Memberships that an org's admins offer, until their account accepts them.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(membership_offer()).await?;
        let connection = manager.get_connection();
        for index in INDEXES {
            connection.execute_unprepared(index).await?;
        }
        Ok(())
    }
}

const INDEXES: [&str; 2] = [
    "CREATE INDEX membership_offer_by_handle ON membership_offer (handle)",
    "CREATE INDEX membership_offer_by_end ON membership_offer (ends_at)",
];

/// An offer names a handle and no account: the handle is not looked up when the offer is made.
fn membership_offer() -> TableCreateStatement {
    Table::create()
        .table("membership_offer")
        .col(ColumnDef::new("id").uuid().not_null().unique_key())
        .col(ColumnDef::new("org_id").uuid().not_null())
        .col(ColumnDef::new("handle").text().not_null())
        .col(ColumnDef::new("role").text().not_null())
        .col(ColumnDef::new("made_by").uuid().not_null())
        .col(ColumnDef::new("made_at").big_integer().not_null())
        .col(ColumnDef::new("ends_at").big_integer().not_null())
        .primary_key(Index::create().col("org_id").col("handle"))
        .foreign_key(&mut reference("membership_offer", "org_id", "org"))
        .foreign_key(&mut reference("membership_offer", "made_by", "account"))
        .check(Expr::cust("role IN ('RO', 'RW', 'ADMIN')"))
        .check(Expr::cust("made_at < ends_at"))
        .to_owned()
}

fn reference(from: &'static str, column: &'static str, to: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(from, column).to(to, "id").to_owned()
}
