//! Notices by mail: what people are told, the mails in which they are told it, how far the log and the calendar were
//! read for that, what accounts turned off, and the devices that their sessions began on.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [mail(), notice(), notice_cursor(), notice_off(), known_device()] {
            manager.create_table(table).await?;
        }
        for index in INDEXES {
            manager.get_connection().execute_unprepared(index).await?;
        }
        Ok(())
    }
}

const INDEXES: [&str; 5] = [
    "CREATE INDEX mail_by_due ON mail (due_at) WHERE settled_at IS NULL",
    "CREATE INDEX mail_by_account ON mail (account_id, settled_at)",
    "CREATE INDEX mail_by_end ON mail (settled_at) WHERE settled_at IS NOT NULL",
    "CREATE INDEX notice_unmailed ON notice (account_id) WHERE mail_id IS NULL",
    "CREATE INDEX notice_by_mail ON notice (mail_id) WHERE mail_id IS NOT NULL",
];

/// The outbox. A mail is due until it is settled: sent, given up, or dropped because nothing was left to tell. Its id is
/// in its `Message-ID`. While an instance sends it, `due_at` is when another may try.
fn mail() -> TableCreateStatement {
    Table::create()
        .table("mail")
        .col(ColumnDef::new("id").uuid().not_null().primary_key())
        .col(ColumnDef::new("account_id").uuid().not_null())
        .col(ColumnDef::new("made_at").big_integer().not_null())
        .col(ColumnDef::new("due_at").big_integer().not_null())
        .col(ColumnDef::new("attempts").integer().not_null())
        .col(ColumnDef::new("refusals").integer().not_null())
        .col(ColumnDef::new("problem").text())
        .col(ColumnDef::new("settled_at").big_integer())
        .col(ColumnDef::new("outcome").text())
        .foreign_key(&mut reference("mail", "account_id", "account"))
        .check(Expr::cust("(settled_at IS NULL) = (outcome IS NULL)"))
        .check(Expr::cust("outcome IN ('SENT', 'GIVEN_UP', 'DROPPED')"))
        .to_owned()
}

/// Something that a person is told once. The subject is the id of what it is about. The occasion is the sequence of its
/// event; or, where it is about a token's end, that end, and the lead is how many seconds before it is told.
fn notice() -> TableCreateStatement {
    Table::create()
        .table("notice")
        .col(ColumnDef::new("account_id").uuid().not_null())
        .col(ColumnDef::new("kind").text().not_null())
        .col(ColumnDef::new("subject").uuid().not_null())
        .col(ColumnDef::new("occasion").big_integer().not_null())
        .col(ColumnDef::new("lead").big_integer().not_null())
        .col(ColumnDef::new("noticed_at").big_integer().not_null())
        .col(ColumnDef::new("mail_id").uuid())
        .primary_key(Index::create().col("account_id").col("kind").col("subject").col("occasion").col("lead"))
        .foreign_key(&mut reference("notice", "account_id", "account"))
        .foreign_key(&mut reference("notice", "mail_id", "mail"))
        .to_owned()
}

/// How far the log was read, by sequence, and for each lead the tokens' ends, by instant and token.
fn notice_cursor() -> TableCreateStatement {
    Table::create()
        .table("notice_cursor")
        .col(ColumnDef::new("name").text().not_null().primary_key())
        .col(ColumnDef::new("position").big_integer().not_null())
        .col(ColumnDef::new("id").uuid().not_null())
        .to_owned()
}

/// A kind of notice that an account turned off.
fn notice_off() -> TableCreateStatement {
    Table::create()
        .table("notice_off")
        .col(ColumnDef::new("account_id").uuid().not_null())
        .col(ColumnDef::new("kind").text().not_null())
        .primary_key(Index::create().col("account_id").col("kind"))
        .foreign_key(&mut reference("notice_off", "account_id", "account"))
        .to_owned()
}

/// A device and the network around its address, as a hash, from which an account's session began.
fn known_device() -> TableCreateStatement {
    Table::create()
        .table("known_device")
        .col(ColumnDef::new("account_id").uuid().not_null())
        .col(ColumnDef::new("hash").binary_len(32).not_null())
        .col(ColumnDef::new("seen_at").big_integer().not_null())
        .primary_key(Index::create().col("account_id").col("hash"))
        .foreign_key(&mut reference("known_device", "account_id", "account"))
        .to_owned()
}

fn reference(from: &'static str, column: &'static str, to: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().from(from, column).to(to, "id").to_owned()
}
