//! What the audit reads beside the log: the history of each thing, refused attempts, and where the log begins since it
//! was pruned.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut listed = event_subject();
        if manager.get_database_backend() == DbBackend::Sqlite {
            // The table is its own index.
            listed.extra("WITHOUT ROWID");
        }
        manager.create_table(listed).await?;
        manager.create_table(log_start()).await?;
        manager.create_table(refused_attempt()).await?;
        for index in INDEXES {
            manager.get_connection().execute_unprepared(index).await?;
        }
        Ok(())
    }
}

/// The events that are listed under a thing: its own, and those that it made. The id is an account's, an org's, a token's
/// or a service's.
fn event_subject() -> TableCreateStatement {
    Table::create()
        .table("event_subject")
        .col(ColumnDef::new("subject").uuid().not_null())
        .col(ColumnDef::new("sequence").big_integer().not_null())
        .primary_key(Index::create().col("subject").col("sequence"))
        .to_owned()
}

/// Where the log begins since it was pruned: the last event that was removed, and the first event's hash, whose beginning
/// is the id of the installation. No row: nothing was ever removed.
fn log_start() -> TableCreateStatement {
    Table::create()
        .table("log_start")
        .col(ColumnDef::new("one").integer().not_null().primary_key())
        .col(ColumnDef::new("sequence").big_integer().not_null())
        .col(ColumnDef::new("hash").blob().not_null())
        .col(ColumnDef::new("first_hash").blob().not_null())
        .check(Expr::cust("one = 1"))
        .to_owned()
}

/// Refused attempts, counted by minute. An id is zero where nothing of its kind is known or concerned. The network is a /24
/// or a /64, or empty.
fn refused_attempt() -> TableCreateStatement {
    let mut table = Table::create().table("refused_attempt").to_owned();
    let mut key = Index::create();
    table.col(ColumnDef::new("minute").big_integer().not_null());
    key.col("minute");
    for text in ["kind", "network", "reason"] {
        table.col(ColumnDef::new(text).text().not_null());
        key.col(text);
    }
    for id in ["account_id", "token_id", "service_id", "org_id"] {
        table.col(ColumnDef::new(id).uuid().not_null());
        key.col(id);
    }
    table.col(ColumnDef::new("count").big_integer().not_null()).primary_key(&mut key).to_owned()
}

const INDEXES: [&str; 3] = [
    "CREATE INDEX refused_attempt_by_account ON refused_attempt (account_id, minute)",
    "CREATE INDEX refused_attempt_by_token ON refused_attempt (token_id, minute)",
    "CREATE INDEX refused_attempt_by_org ON refused_attempt (org_id, minute)",
];
