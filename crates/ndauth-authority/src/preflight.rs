//! The preflight check: what serving a database would begin with, found without changing anything.

use std::path::Path;
use std::time::Duration;

use ndauth_store::{DatabaseUrl, ServerLock, Store, StoreError};
use tokio::time::timeout;

use crate::standing::{Standing, refuse_lost_installation};
use crate::validation::mirror::check_loading;
use crate::{Authority, AuthorityError};

/// The result of a preflight check of a database that can be served.
#[derive(Debug, Default)]
pub struct Preflight {
    /// True if there is no installation yet, so that one would be created.
    pub creates: bool,
    /// The number of migrations that would be applied.
    pub pending: usize,
    /// The number of applied migrations that this version does not know.
    pub newer: usize,
    /// True if the end of the log would be recorded nowhere, so that an older copy would not be noticed.
    pub unrecorded: bool,
    /// The error of starting now, if a running server causes it, perhaps the very one that is configured.
    pub running: Option<AuthorityError>,
}

/// The time within which a database must answer.
const TIME_LIMIT: Duration = Duration::from_secs(30);

impl Authority {
    /// Checks that a database could be served now, in this much memory. Returns what serving it would begin
    /// with, or the error that it would end with. Changes nothing.
    pub async fn preflight(
        url: &DatabaseUrl,
        data: Option<&Path>,
        memory: Option<u64>,
    ) -> Result<Preflight, AuthorityError> {
        match timeout(TIME_LIMIT, Authority::look_ahead(url, data, memory)).await {
            Ok(found) => found,
            Err(late) => Err(StoreError::Unavailable(late.into()).into()),
        }
    }

    async fn look_ahead(
        url: &DatabaseUrl,
        data: Option<&Path>,
        memory: Option<u64>,
    ) -> Result<Preflight, AuthorityError> {
        let standing = Standing::without_record(url, data);
        let mut found = Preflight { unrecorded: standing.is_unrecorded(), ..Preflight::default() };
        match ServerLock::look(url) {
            Ok(()) => {}
            Err(error @ StoreError::Served { .. }) => found.running = Some(error.into()),
            Err(error) => return Err(error.into()),
        }
        let Some(store) = Store::look(url).await? else {
            refuse_lost_installation(url, &standing)?;
            return Ok(Preflight { creates: true, ..found });
        };
        let authority = Authority::over(store, standing);
        let schema = authority.schema().await?;
        let found =
            Preflight { creates: schema.is_empty, pending: schema.pending, newer: schema.newer, ..found };
        if found.pending > 0 {
            authority.store.could_migrate().await?;
        }
        if !found.creates {
            // The server that has the file has also taken memory that would be free.
            let memory = memory.filter(|_| found.running.is_none());
            match authority.compare(memory).await {
                // The tables that are read may be among the pending ones.
                Err(AuthorityError::Store(StoreError::Unavailable(_))) if found.pending > 0 => {}
                compared => compared?,
            }
        }
        authority.store.close().await?;
        Ok(found)
    }

    async fn compare(&self, memory: Option<u64>) -> Result<(), AuthorityError> {
        self.look().await?;
        self.could_serve()?;
        check_loading(&self.store, memory).await
    }
}
