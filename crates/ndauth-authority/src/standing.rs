//! Whether the database may be served: not while it is a restored copy that nobody has put into service,
//! and not while it is an older copy of what was seen of it. Such a copy has forgotten revocations.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use ndauth_core::{Causes, Installation, InstallationId, Timestamp};
use ndauth_store::{DatabaseUrl, Read, Seen, StoreError, StoredEvent, Witness};
use serde::Deserialize;

use crate::access::Operation;
use crate::authority::nothing_was_there;
use crate::{Authority, AuthorityError};

/// What is known of the database's place in its own history.
#[derive(Debug)]
pub(crate) struct Standing {
    /// What the names of the files begin with that keep what was seen, where any do.
    prefix: Option<PathBuf>,
    /// One look at a time: the files are read and written.
    looking: tokio::sync::Mutex<Option<(InstallationId, Seen)>>,
    /// The highest end that the mirror has applied.
    mirrored: Mutex<Option<Seen>>,
    /// Whether there was a log, and nothing to compare it with, when the database was opened.
    strange: AtomicBool,
    rewound: ArcSwapOption<Rewound>,
    /// True where the database was a restored copy at the last look.
    restored: AtomicBool,
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

impl Rewound {
    /// The choices that the operator has, with counts.
    pub fn choice(&self) -> String {
        let (lost, it) = match self.seen.saturating_sub(self.found) {
            0 => (
                format!("event {} reads otherwise here, and what else was forgotten is not known", self.seen),
                "it",
            ),
            1 => (format!("event {} is unknown here", self.seen), "it"),
            _ => (format!("events {} to {} are unknown here", self.found + 1, self.seen), "them"),
        };
        format!(
            "{lost}: replay {it} from the newer log (`--replay`, with what `events export --database OLD` wrote), shut out \
             what was minted before (`--not-before`), or accept that what was revoked there lives again (`--accept-loss`)"
        )
    }
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
            restored: AtomicBool::new(false),
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

    /// The files that keep what was seen, of any installation.
    fn files(&self) -> Result<BTreeMap<PathBuf, io::Result<Option<Seen>>>, AuthorityError> {
        let Some(prefix) = self.prefix.as_ref().map(|prefix| prefix.as_os_str().as_encoded_bytes()) else {
            return Ok(BTreeMap::new());
        };
        let (folder, _) =
            prefix.split_at(prefix.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1));
        let here = if folder.is_empty() { OsStr::new(".") } else { OsStr::from_bytes(folder) };
        let unreadable = |source| AuthorityError::Witness { path: here.into(), source };
        let mut files = BTreeMap::new();
        let listed = match std::fs::read_dir(here) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(files),
            listed => listed.map_err(unreadable)?,
        };
        for file in listed {
            let path = [folder, file.map_err(unreadable)?.file_name().as_encoded_bytes()].concat();
            let id = path.strip_prefix(prefix).and_then(|name| name.strip_suffix(b".head"));
            if id.and_then(|id| str::from_utf8(id).ok()?.parse::<InstallationId>().ok()).is_some() {
                let path = PathBuf::from(OsStr::from_bytes(&path));
                files.insert(path.clone(), Witness::at(path).read());
            }
        }
        Ok(files)
    }

    /// A file that keeps what was seen of an installation which is not there any more: beside a file of SQLite, where
    /// each has its own.
    pub(crate) fn orphan(&self, url: &DatabaseUrl) -> Result<Option<PathBuf>, AuthorityError> {
        Ok(match url {
            DatabaseUrl::Sqlite(_) => self.files()?.into_keys().next(),
            DatabaseUrl::Postgres(_) => None,
        })
    }

    fn mirrored(&self) -> MutexGuard<'_, Option<Seen>> {
        self.mirrored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Authority {
    /// Remembers an end of the log that was answered from: what ends before it is an older copy.
    pub(crate) fn saw(&self, seen: Seen) {
        let mut mirrored = self.standing.mirrored();
        if mirrored.is_none_or(|before| before.head.sequence < seen.head.sequence) {
            *mirrored = Some(seen);
        }
    }

    /// Whether the log was found to be an older copy.
    pub(crate) fn is_rewound(&self) -> bool {
        self.standing.rewound.load().is_some()
    }

    /// Looks at the end of the log, compares it with what was seen before, and remembers it. Fails where
    /// the database cannot be asked; [`Authority::may_serve`] tells what it found.
    ///
    /// A log that forgot what was seen is served again once the operator has said what becomes of it, after what was seen:
    /// that is an event of the log itself, so it frees every instance, wherever it was said. What was said before, of
    /// another copy, frees none.
    pub async fn look(&self) -> Result<(), AuthorityError> {
        let mut known = self.standing.looking.lock().await;
        // What was seen is read before the database, which then can only be newer.
        let mut files = self.standing.files()?;
        let mirrored = *self.standing.mirrored();
        let read = self.store.read().await?;
        read.use_simple_protocol();
        let Some(installation) = read.installation_id().await? else {
            let Some((_, Seen { head, .. })) = *known else {
                return nothing_was_there(self.store.url(), &self.standing);
            };
            // It was there a moment ago.
            let rewound = Rewound { seen: head.sequence, found: read.head().sequence, witness: None };
            self.standing.rewound.store(Some(Arc::new(rewound)));
            return Ok(());
        };
        let witness = self.standing.witness(installation);
        let kept = match &witness {
            None => None,
            Some(witness) => {
                let kept = files.remove(witness.path()).transpose();
                kept.map_err(|source| unreadable(witness, source))?.flatten()
            }
        };
        if known.is_none() {
            self.standing.strange.store(kept.is_none(), Ordering::Relaxed);
        }
        let same = known.is_none_or(|(of, _)| of == installation);
        let own = known.filter(|_| same).map(|(_, seen)| seen);
        let mirrored = own.and(mirrored);
        if !same {
            *self.standing.mirrored() = None;
        }
        let now = seen_now(&read).await?;
        let seen = kept.into_iter().chain(own).chain(mirrored).max_by_key(|seen| seen.head.sequence);
        let mut settled = false;
        let mut rewound = None;
        if let Some(Seen { head, at }) = seen
            && read.event_hash(head.sequence).await? != Some(head.hash)
        {
            settled = read.installation().settled_at.is_some_and(|settled| settled > at);
            rewound = (!settled).then(|| Rewound {
                seen: head.sequence,
                found: now.head.sequence,
                witness: witness.as_ref().map(|witness| witness.path().to_owned()),
            });
        }
        if rewound.is_none() && read.installation().restored_at.is_none() {
            if settled {
                *self.standing.mirrored() = None;
            }
            let newer = |kept: Seen| now.head.sequence > kept.head.sequence;
            if settled || kept.is_none_or(newer) {
                self.keep(witness.as_ref(), &now);
            }
            *known = Some((installation, now));
        }
        self.standing.rewound.store(rewound.map(Arc::new));
        self.standing.restored.store(read.installation().restored_at.is_some(), Ordering::Relaxed);
        Ok(())
    }

    /// Fails where the last look found a copy that nobody has put into service yet.
    pub fn could_serve(&self) -> Result<(), AuthorityError> {
        let restored_at = self.standing.restored.load(Ordering::Relaxed).then_some(Timestamp::MIN);
        let installation = Installation { not_before: Timestamp::MIN, restored_at, settled_at: None };
        self.standing.admit(Operation::CheckHealth, &installation)
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
        let seen = seen_now(&read).await?;
        self.keep(self.standing.witness(installation).as_ref(), &seen);
        *self.standing.mirrored() = None;
        *known = Some((installation, seen));
        self.standing.rewound.store(None);
        Ok(())
    }

    /// What cannot be kept is no reason to fail: what this process saw, it knows.
    fn keep(&self, witness: Option<&Witness>, seen: &Seen) {
        let Some(witness) = witness else { return };
        if let Err(error) = witness.write(seen) {
            let file = witness.path().display();
            tracing::warn!(%file, error = %Causes(&error), "the end of the log was not kept");
        }
    }
}

/// The end of a log, as it is kept.
pub(crate) async fn seen_now(read: &Read) -> Result<Seen, StoreError> {
    let head = read.head();
    let last = match head.sequence.checked_sub(1) {
        Some(before) => read.events_after(before, 1).await?.into_iter().next(),
        None => None,
    };
    Ok(Seen { head, at: last.map_or(Timestamp::MIN, |event| happened_at(&event)) })
}

/// When an event happened, of whatever kind it is.
pub(crate) fn happened_at(event: &StoredEvent) -> Timestamp {
    #[derive(Deserialize)]
    struct Dated {
        at: Timestamp,
    }
    // What nobody can date is no older than anything.
    serde_json::from_slice(&event.public).map_or(Timestamp::MAX, |Dated { at }| at)
}

pub(crate) fn unreadable(witness: &Witness, source: io::Error) -> AuthorityError {
    AuthorityError::Witness { path: witness.path().to_owned(), source }
}
