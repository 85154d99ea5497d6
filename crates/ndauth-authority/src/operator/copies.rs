//! Copies of the database: backup and restore.

use std::path::{Path, PathBuf};

use ndauth_core::Head;
use ndauth_store::{Clock, CopyError, DatabaseUrl, Store};

use crate::access::{Operation, Whose};
use crate::change::TRIES;
use crate::standing::{Standing, seen_now, unreadable};
use crate::{Authority, AuthorityError, Credential, OperatorWing};

/// A copy that was restored.
#[derive(Debug)]
pub struct RestoredCopy {
    /// The end of its log.
    pub head: Head,
    /// The file that keeps the previous database, if there was one.
    pub kept: Option<PathBuf>,
}

impl OperatorWing<'_> {
    /// Copies the database to a new file, while others continue to write.
    pub async fn back_up(self, credential: &Credential, path: &Path) -> Result<Head, AuthorityError> {
        let (read, _) = self.0.read_as(credential, Operation::Backup, &Whose::Anyone).await?;
        let head = read.head();
        drop(read);
        self.0.store.copy_to(path).await?;
        Ok(head)
    }
}

impl Authority {
    /// Replaces a database with a copy. The previous database is copied to a file beside it first.
    pub async fn restore(url: &DatabaseUrl, copy: &Path) -> Result<RestoredCopy, AuthorityError> {
        let DatabaseUrl::Sqlite(target) = url else { return Err(CopyError::Postgres.into()) };
        if !copy.is_file() {
            return Err(CopyError::Missing(copy.to_owned()).into());
        }
        let store = Store::create(url, Clock::Database).await?;
        store.migrate().await?;
        let mut tries = 1;
        loop {
            let (before, kept) = keep(&store, url, target).await?;
            match Store::restore(url, before, copy).await {
                Ok(head) => {
                    store.close().await?;
                    return Ok(RestoredCopy { head, kept });
                }
                // A running server made a change in between, which must not be lost.
                Err(CopyError::Moved) if tries < TRIES => {
                    if let Some(kept) = kept {
                        // It is outdated, and would only mislead.
                        let _ = std::fs::remove_file(kept);
                    }
                    tries += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Copies the database that is about to be replaced to a file beside it, if it holds anything, and records
/// its end as seen.
async fn keep(
    store: &Store,
    url: &DatabaseUrl,
    target: &Path,
) -> Result<(Head, Option<PathBuf>), AuthorityError> {
    let read = store.read().await?;
    let (before, installation) = (read.head(), read.installation_id().await?);
    let seen = seen_now(&read).await?;
    drop(read);
    let mut kept = None;
    if before.sequence > 0 {
        let mut path = target.to_owned().into_os_string();
        path.push(format!(".before-restore-{}", before.sequence));
        let path = free(path.into());
        store.copy_to(&path).await?;
        kept = Some(path);
    }
    if let Some(witness) = installation.and_then(|id| Standing::new(url, None).witness(id))
        && witness.read().ok().flatten().is_none_or(|seen| seen.head.sequence < before.sequence)
    {
        witness.write(&seen).map_err(|source| unreadable(&witness, source))?;
    }
    Ok((before, kept))
}

/// Returns the path, or the first numbered variant of it that does not exist.
fn free(path: PathBuf) -> PathBuf {
    let numbered = |n: u32| {
        let mut path = path.clone().into_os_string();
        path.push(format!("-{n}"));
        PathBuf::from(path)
    };
    std::iter::once(path.clone()).chain((2..).map(numbered)).find(|path| !path.exists()).unwrap_or(path)
}
