//! Whether the database may be served: not while it is a restored copy that nobody has put into service,
//! and not while it is an older copy of what was seen of it. Such a copy has forgotten revocations.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ndauth_core::InstallationId;
use ndauth_store::{DatabaseUrl, Read, Sighting, Witness};

use crate::access::Operation;
use crate::{Authority, AuthorityError};

/// What is known of the database's place in its own history.
#[derive(Debug)]
pub(crate) struct Standing {
    /// Where what was seen is kept, if anywhere.
    pub(crate) witness: Option<Witness>,
    rewound: Mutex<Option<Rewound>>,
}

/// That the log ends before where it was seen to end, or reads otherwise there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewound {
    /// Where it was seen to end.
    pub seen: u64,
    /// Where it ends.
    pub found: u64,
    /// The file that tells so.
    pub witness: PathBuf,
}

impl Standing {
    pub(crate) fn new(url: &DatabaseUrl, data: Option<&Path>, installation: InstallationId) -> Standing {
        let path = match url {
            DatabaseUrl::Sqlite(path) => {
                let mut path = path.clone().into_os_string();
                path.push(".head");
                Some(path.into())
            }
            DatabaseUrl::Postgres(_) => data.map(|data| data.join(format!("{installation}.head"))),
        };
        Standing { witness: path.map(Witness::at), rewound: Mutex::default() }
    }

    /// Refuses what must wait until somebody has put a copy into service.
    pub(crate) fn admit(&self, operation: Operation, read: &Read) -> Result<(), AuthorityError> {
        if operation.waits_for_nobody() {
            return Ok(());
        }
        if read.installation().restored_at.is_some() {
            return Err(AuthorityError::Restored);
        }
        match &*self.rewound() {
            Some(rewound) => Err(AuthorityError::Rewound(rewound.clone())),
            None => Ok(()),
        }
    }

    fn rewound(&self) -> MutexGuard<'_, Option<Rewound>> {
        self.rewound.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Authority {
    /// Looks at the end of the log, compares it with what was seen before, and remembers it. Fails where
    /// the database cannot be asked; [`Authority::may_serve`] tells what it found.
    pub async fn look(&self) -> Result<(), AuthorityError> {
        let read = self.store.read().await?;
        let Some(witness) = &self.standing.witness else { return Ok(()) };
        let unreadable = |source| AuthorityError::Witness { path: witness.path().to_owned(), source };
        let now = sighting(&read);
        let seen = witness.read().map_err(unreadable)?.filter(|seen| {
            let same = seen.installation == now.installation;
            if !same {
                tracing::warn!(file = %witness.path().display(), "another installation was here before");
            }
            same
        });
        let rewound = match seen {
            Some(seen) if read.event_hash(seen.head.sequence).await? != Some(seen.head.hash) => {
                Some(Rewound {
                    seen: seen.head.sequence,
                    found: now.head.sequence,
                    witness: witness.path().to_owned(),
                })
            }
            _ => None,
        };
        if rewound.is_none() && seen != Some(now) && read.installation().restored_at.is_none() {
            self.remember(&now);
        }
        *self.standing.rewound() = rewound;
        Ok(())
    }

    /// Fails where the database is a copy that nobody has put into service yet.
    pub async fn may_serve(&self) -> Result<(), AuthorityError> {
        self.standing.admit(Operation::CheckHealth, &self.store.read().await?)
    }

    /// Keeps what was seen. What cannot be kept is no reason to fail: a later copy is noticed all the same.
    pub(crate) fn remember(&self, sighting: &Sighting) {
        let Some(witness) = &self.standing.witness else { return };
        if let Err(error) = witness.write(sighting) {
            let file = witness.path().display();
            tracing::warn!(%file, error = &error as &dyn std::error::Error, "the end of the log was not kept");
        }
    }
}

pub(crate) fn sighting(read: &Read) -> Sighting {
    Sighting { installation: read.installation().id, head: read.head() }
}
