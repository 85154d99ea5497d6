//! The state that the groups of rows share: paths of programs and databases, and the measured rows.

use std::path::PathBuf;

use ndauth_bench::table::{FigureRow, print_row};
use ndauth_store::DatabaseUrl;
use tokio::runtime::Runtime;

/// The state that the groups of rows share.
pub(crate) struct Bench {
    pub(crate) binaries: PathBuf,
    pub(crate) pgbench: PathBuf,
    /// The program of `oidc-provider`.
    pub(crate) oidc_provider: PathBuf,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) runtime: Runtime,
    /// The number of times that each thing is measured.
    pub(crate) rounds: usize,
    pub(crate) quick: bool,
    pub(crate) full: bool,
    pub(crate) rows: Vec<FigureRow>,
}

/// The core that clients run on, and the core of the server.
pub(crate) const CLIENT_CORE: usize = 1;
pub(crate) const SERVER_CORE: usize = 0;

impl Bench {
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.binaries.join(name)
    }

    /// Returns the URL of an SQLite file with this name.
    pub(crate) fn sqlite(&self, name: &str) -> DatabaseUrl {
        DatabaseUrl::Sqlite(self.folder.path().join(name))
    }

    pub(crate) fn row(&mut self, row: FigureRow) {
        print_row(&row);
        self.rows.push(row);
    }
}

/// Returns a database's URL in the form that ndauthd takes.
pub(crate) fn text(url: &DatabaseUrl) -> String {
    match url {
        DatabaseUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
        DatabaseUrl::Postgres(url) => url.clone(),
    }
}
