//! The history of the schema. A migration that has landed is never edited.
//!
//! Instants are microseconds since 1970 (`bigint`), and `9223372036854775807` stands for "never". Ids are
//! UUIDs, and hashes are 32-byte blobs. "All" is a column of its own: neither NULL nor the absence of rows
//! ever means it.

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

mod m20261122_000001_first;
mod m20261122_000002_installation;
mod m20261122_000003_permissions;
mod m20261122_000004_life;
mod m20261123_000005_logins;
mod m20261128_000006_beat;
mod m20261128_000007_policy_and_reason;
mod m20261128_000008_authorized;
mod m20261128_000010_uses_by_org;
mod m20261128_000011_offers;
mod m20261128_000012_remains;
mod m20261128_000013_until;
mod m20261129_000014_catalogue;
mod m20261129_000015_audit;
mod m20261129_000016_org_token_ends;
mod m20261129_000017_mail;

/// The catalogue that a new database has, as JSON.
pub const CATALOGUE: &str = m20261129_000014_catalogue::CATALOGUE;

/// Brings a database to this version of the schema.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_first::Migration),
            Box::new(m20261122_000002_installation::Migration),
            Box::new(m20261122_000003_permissions::Migration),
            Box::new(m20261122_000004_life::Migration),
            Box::new(m20261123_000005_logins::Migration),
            Box::new(m20261128_000006_beat::Migration),
            Box::new(m20261128_000007_policy_and_reason::Migration),
            Box::new(m20261128_000008_authorized::Migration),
            Box::new(m20261128_000010_uses_by_org::Migration),
            Box::new(m20261128_000011_offers::Migration),
            Box::new(m20261128_000012_remains::Migration),
            Box::new(m20261128_000013_until::Migration),
            Box::new(m20261129_000014_catalogue::Migration),
            Box::new(m20261129_000015_audit::Migration),
            Box::new(m20261129_000016_org_token_ends::Migration),
            Box::new(m20261129_000017_mail::Migration),
        ]
    }
}
