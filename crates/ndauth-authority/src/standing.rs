//! Whether the database may be served: not while it is a restored copy that nobody has put into service,
//! and not while it is an older copy of what was seen of it. Such a copy has forgotten revocations.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use ndauth_core::{Causes, Head, Installation, InstallationId};
use ndauth_store::{DatabaseUrl, Witness};

use crate::access::Operation;
use crate::{Authority, AuthorityError};

/// What is known of the database's place in its own history.
#[derive(Debug)]
pub(crate) struct Standing {
    /// What the names of the files begin with that keep what was seen, where any do.
    prefix: Option<PathBuf>,
    /// One look at a time: the files are read and written.
    looking: tokio::sync::Mutex<Option<Seen>>,
    /// The highest end that the mirror has applied.
    mirrored: Mutex<Option<Head>>,
    /// Whether there was a log, and nothing to compare it with, when the database was opened.
    strange: AtomicBool,
    rewound: ArcSwapOption<Rewound>,
}

/// What this process saw at its last look.
#[derive(Clone, Copy, Debug)]
struct Seen {
    installation: InstallationId,
    head: Head,
    /// What was kept of it.
    kept: Option<Head>,
}

/// That the log ends before where it was seen to end, or reads otherwise there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewound {
    /// Where it was seen to end.
    pub seen: u64,
    /// Where it ends.
    pub found: u64,
    /// The file that tells so, where it is not this process alone that saw it.
    pub witness: Option<PathBuf>,
}

impl Standing {
    pub(crate) fn new(url: &DatabaseUrl, data: Option<&Path>) -> Standing {
        let prefix = match url {
            DatabaseUrl::Sqlite(path) => {
                let mut prefix = path.clone().into_os_string();
                prefix.push(".");
                Some(prefix.into())
            }
            // Joined to nothing, a folder's name ends in a slash.
            DatabaseUrl::Postgres(_) => data.map(|data| data.join("")),
        };
        Standing {
            prefix,
            looking: tokio::sync::Mutex::default(),
            mirrored: Mutex::default(),
            strange: AtomicBool::new(false),
            rewound: ArcSwapOption::empty(),
        }
    }

    /// The file of an installation. No other installation's is ever written over.
    pub(crate) fn witness(&self, installation: InstallationId) -> Option<Witness> {
        let mut path = self.prefix.clone()?.into_os_string();
        path.push(format!("{installation}.head"));
        Some(Witness::at(path.into()))
    }

    /// Refuses what must wait until somebody has put a copy into service.
    pub(crate) fn admit(
        &self,
        operation: Operation,
        installation: &Installation,
    ) -> Result<(), AuthorityError> {
        if operation.waits_for_nobody() {
            return Ok(());
        }
        if installation.restored_at.is_some() {
            return Err(AuthorityError::Restored);
        }
        match &*self.rewound.load() {
            Some(rewound) => Err(AuthorityError::Rewound(Rewound::clone(rewound))),
            None => Ok(()),
        }
    }

    fn mirrored(&self) -> MutexGuard<'_, Option<Head>> {
        self.mirrored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Authority {
    /// Remembers an end of the log that was answered from: what ends before it is an older copy.
    pub(crate) fn saw(&self, head: Head) {
        let mut mirrored = self.standing.mirrored();
        if mirrored.is_none_or(|before| before.sequence < head.sequence) {
            *mirrored = Some(head);
        }
    }

    /// Whether the log was found to be an older copy.
    pub(crate) fn is_rewound(&self) -> bool {
        self.standing.rewound.load().is_some()
    }

    /// Looks at the end of the log, compares it with what was seen before, and remembers it. Fails where
    /// the database cannot be asked; [`Authority::may_serve`] tells what it found.
    pub async fn look(&self) -> Result<(), AuthorityError> {
        let mut known = self.standing.looking.lock().await;
        let Some(installation) = self.store.read().await?.installation_id().await? else { return Ok(()) };
        let witness = self.standing.witness(installation);
        // What was seen is read before the database, which then can only be newer.
        let kept = match &witness {
            None => None,
            Some(witness) => witness.read().map_err(|source| unreadable(witness, source))?,
        };
        let own = known.filter(|seen| seen.installation == installation);
        // What was kept is another than this process knows of: somebody put it right, where a copy was put into
        // service, and it rules. Otherwise what the process saw counts, too.
        let settled = kept.is_some() && own.is_some_and(|own| own.kept != kept);
        if settled {
            *self.standing.mirrored() = None;
        }
        let own = own.filter(|_| !settled).map(|own| own.head);
        let mirrored = own.and(*self.standing.mirrored());
        let seen = [kept, own, mirrored].into_iter().flatten().max_by_key(|head| head.sequence);
        let read = self.store.read().await?;
        let head = read.head();
        let rewound = match seen {
            Some(seen) if read.event_hash(seen.sequence).await? != Some(seen.hash) => Some(Rewound {
                seen: seen.sequence,
                found: head.sequence,
                witness: witness.as_ref().map(|witness| witness.path().to_owned()),
            }),
            _ => None,
        };
        let newer = seen.is_none_or(|seen| head.sequence > seen.sequence);
        if rewound.is_none() && read.installation().restored_at.is_none() {
            if newer || kept != seen {
                self.keep(witness.as_ref(), &head);
            }
            let kept = witness.as_ref().and_then(|witness| witness.read().ok().flatten());
            *known = Some(Seen { installation, head, kept });
        }
        self.standing.rewound.store(rewound.map(Arc::new));
        Ok(())
    }

    /// Looks for the first time.
    pub(crate) async fn look_first(&self) -> Result<(), AuthorityError> {
        let read = self.store.read().await?;
        if let Some(installation) = read.installation_id().await? {
            let witness = self.standing.witness(installation);
            let kept = witness.is_some_and(|witness| witness.path().exists());
            self.standing.strange.store(!kept, Ordering::Relaxed);
        }
        drop(read);
        self.look().await
    }

    /// Whether an older copy would have been noticed when the database was opened: something was kept of
    /// what was seen of its log before.
    pub fn would_notice_a_copy(&self) -> bool {
        !self.standing.strange.load(Ordering::Relaxed)
    }

    /// Fails where the database is a copy that nobody has put into service yet.
    pub async fn may_serve(&self) -> Result<(), AuthorityError> {
        self.standing.admit(Operation::CheckHealth, &self.store.moment().await?.installation)
    }

    /// Takes the end of the log as it is for what was seen, whatever was seen before.
    pub(crate) async fn settle(&self) -> Result<(), AuthorityError> {
        let mut known = self.standing.looking.lock().await;
        let read = self.store.read().await?;
        let Some(installation) = read.installation_id().await? else { return Ok(()) };
        let (witness, head) = (self.standing.witness(installation), read.head());
        self.keep(witness.as_ref(), &head);
        let kept = witness.and_then(|witness| witness.read().ok().flatten());
        *self.standing.mirrored() = None;
        *known = Some(Seen { installation, head, kept });
        self.standing.rewound.store(None);
        Ok(())
    }

    /// What cannot be kept is no reason to fail: what this process saw, it knows.
    fn keep(&self, witness: Option<&Witness>, head: &Head) {
        let Some(witness) = witness else { return };
        if let Err(error) = witness.write(head) {
            let file = witness.path().display();
            tracing::warn!(%file, error = %Causes(&error), "the end of the log was not kept");
        }
    }
}

pub(crate) fn unreadable(witness: &Witness, source: std::io::Error) -> AuthorityError {
    AuthorityError::Witness { path: witness.path().to_owned(), source }
}
