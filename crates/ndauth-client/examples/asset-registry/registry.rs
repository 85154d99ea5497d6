//! The assets, in a SQLite file.

use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row, params};
use tokio::sync::broadcast;

/// The assets of all orgs.
pub(crate) struct Registry {
    database: Mutex<Connection>,
    published: broadcast::Sender<(String, Asset)>,
}

/// A version of an asset.
#[derive(Clone, Debug)]
pub(crate) struct Asset {
    pub(crate) name: String,
    pub(crate) version: u32,
    pub(crate) published_by: String,
    pub(crate) approved_by: Option<String>,
}

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS asset (
    org TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, content BLOB NOT NULL,
    published_by TEXT NOT NULL, approved_by TEXT, PRIMARY KEY (org, name, version))";

const COLUMNS: &str = "name, version, published_by, approved_by";

impl Registry {
    pub(crate) fn open(file: &str) -> rusqlite::Result<Registry> {
        let database = Connection::open(file)?;
        database.execute(SCHEMA, [])?;
        Ok(Registry { database: Mutex::new(database), published: broadcast::Sender::new(64) })
    }

    /// Lists the newest approved version of each asset.
    pub(crate) fn list(&self, org: &str) -> rusqlite::Result<Vec<Asset>> {
        self.with(|database| {
            let sql = format!(
                "SELECT {COLUMNS}, max(version) FROM asset WHERE org = ?1 AND approved_by IS NOT NULL \
                 GROUP BY name ORDER BY name"
            );
            database.prepare_cached(&sql)?.query_map([org], Asset::read)?.collect()
        })
    }

    /// Returns an approved version: the given one, or the newest.
    pub(crate) fn pull(
        &self,
        org: &str,
        name: &str,
        version: Option<u32>,
    ) -> rusqlite::Result<Option<(Asset, Vec<u8>)>> {
        self.with(|database| {
            let sql = format!(
                "SELECT {COLUMNS}, content FROM asset WHERE org = ?1 AND name = ?2 AND ?3 IN (version, 0) \
                 AND approved_by IS NOT NULL ORDER BY version DESC LIMIT 1"
            );
            let read = |row: &Row<'_>| Ok((Asset::read(row)?, row.get(4)?));
            let asked = params![org, name, version.unwrap_or_default()];
            database.prepare_cached(&sql)?.query_row(asked, read).optional()
        })
    }

    /// Adds a version.
    pub(crate) fn publish(&self, org: &str, name: &str, content: &[u8], by: &str) -> rusqlite::Result<Asset> {
        let asset = self.with(|database| {
            let sql = format!(
                "INSERT INTO asset (org, name, version, content, published_by) SELECT ?1, ?2, \
                 coalesce(max(version), 0) + 1, ?3, ?4 FROM asset WHERE org = ?1 AND name = ?2 RETURNING {COLUMNS}"
            );
            database.query_row(&sql, params![org, name, content, by], Asset::read)
        })?;
        // An error means that nobody follows.
        let _ = self.published.send((org.to_owned(), asset.clone()));
        Ok(asset)
    }

    /// Approves a version. Returns `None` if it does not exist.
    pub(crate) fn approve(
        &self,
        org: &str,
        name: &str,
        version: u32,
        by: &str,
    ) -> rusqlite::Result<Option<Asset>> {
        self.with(|database| {
            let sql = format!(
                "UPDATE asset SET approved_by = ?4 WHERE org = ?1 AND name = ?2 AND version = ?3 RETURNING {COLUMNS}"
            );
            database.query_row(&sql, params![org, name, version, by], Asset::read).optional()
        })
    }

    /// Subscribes to the assets that are published, each with its org.
    pub(crate) fn follow(&self) -> broadcast::Receiver<(String, Asset)> {
        self.published.subscribe()
    }

    fn with<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        work(&self.database.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Asset {
    fn read(row: &Row<'_>) -> rusqlite::Result<Asset> {
        Ok(Asset {
            name: row.get(0)?,
            version: row.get(1)?,
            published_by: row.get(2)?,
            approved_by: row.get(3)?,
        })
    }
}
