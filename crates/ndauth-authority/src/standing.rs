//! The conditions under which the database may be served: not while it is a restored copy that nobody has put
//! into service, and not while it is older than what was seen of it. Such a copy has forgotten revocations.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use ndauth_core::{Installation, InstallationId, Timestamp};
use ndauth_store::{DatabaseUrl, Read, Seen, StoreError, StoredEvent, Witness, check_folder};
use serde::Deserialize;

use crate::AuthorityError;
use crate::access::Operation;
use crate::rewound::Rewound;

/// The comparison of the database with its own history.
#[derive(Debug)]
pub(crate) struct Standing {
    /// The beginning of the witness files' paths, if there are such files.
    prefix: Option<PathBuf>,
    /// False if what is seen is recorded nowhere.
    pub(crate) records: bool,
    /// The last look. Its lock admits one look at a time, which reads and writes the files.
    pub(crate) looking: tokio::sync::Mutex<Option<(InstallationId, Seen)>>,
    /// The highest end of the log that the mirror has applied.
    mirrored: Mutex<Option<Seen>>,
    /// True if there was nothing to compare the log with when the database was opened.
    pub(crate) unverified: AtomicBool,
    pub(crate) rewound: ArcSwapOption<Rewound>,
    /// True if the database was a restored copy at the last look.
    pub(crate) restored: AtomicBool,
}

impl Standing {
    pub(crate) fn new(url: &DatabaseUrl, data: Option<&Path>) -> Standing {
        let prefix = match url {
            DatabaseUrl::Sqlite(path) => {
                let mut prefix = path.clone().into_os_string();
                prefix.push(".");
                Some(prefix.into())
            }
            // Joining an empty path appends a slash.
            DatabaseUrl::Postgres(_) => data.map(|data| data.join("")),
        };
        Standing {
            prefix,
            records: true,
            looking: tokio::sync::Mutex::default(),
            mirrored: Mutex::default(),
            unverified: AtomicBool::new(false),
            rewound: ArcSwapOption::empty(),
            restored: AtomicBool::new(false),
        }
    }

    /// As [`Standing::new`], and nothing that is seen is recorded.
    pub(crate) fn without_record(url: &DatabaseUrl, data: Option<&Path>) -> Standing {
        Standing { records: false, ..Standing::new(url, data) }
    }

    /// Returns true if there is no place for the witness files, or none that can be written.
    pub(crate) fn is_unrecorded(&self) -> bool {
        // A folder that is not there is made.
        self.folder().is_none_or(|folder| folder.exists() && check_folder(folder).is_err())
    }

    /// Returns the witness file of an installation. The file of another installation is never overwritten.
    pub(crate) fn witness(&self, installation: InstallationId) -> Option<Witness> {
        let mut path = self.prefix.clone()?.into_os_string();
        path.push(format!("{installation}.head"));
        Some(Witness::at(path.into()))
    }

    /// Refuses an operation that must wait until a copy was put into service.
    pub(crate) fn admit(
        &self,
        operation: Operation,
        installation: &Installation,
    ) -> Result<(), AuthorityError> {
        if operation.serves_copies() {
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

    /// Returns the folder of the witness files, if there are such files.
    fn folder(&self) -> Option<&Path> {
        let folder = folder_of(self.prefix.as_ref()?.as_os_str().as_encoded_bytes());
        Some(if folder.is_empty() { Path::new(".") } else { Path::new(OsStr::from_bytes(folder)) })
    }

    /// Returns the witness files of all installations, with their contents.
    pub(crate) fn files(&self) -> Result<BTreeMap<PathBuf, io::Result<Option<Seen>>>, AuthorityError> {
        let (Some(prefix), Some(here)) = (self.prefix.as_deref(), self.folder()) else {
            return Ok(BTreeMap::new());
        };
        let prefix = prefix.as_os_str().as_encoded_bytes();
        let folder = folder_of(prefix);
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

    /// Returns the witness file of an installation that is gone, if there is one. This is for SQLite only,
    /// where each database has files of its own.
    pub(crate) fn orphan(&self, url: &DatabaseUrl) -> Result<Option<PathBuf>, AuthorityError> {
        Ok(match url {
            DatabaseUrl::Sqlite(_) => self.files()?.into_keys().next(),
            DatabaseUrl::Postgres(_) => None,
        })
    }

    pub(crate) fn mirrored(&self) -> MutexGuard<'_, Option<Seen>> {
        self.mirrored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the folder of a path, with its final slash.
fn folder_of(prefix: &[u8]) -> &[u8] {
    prefix.split_at(prefix.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1)).0
}

/// Returns the end of a log, as witness files record it.
pub(crate) async fn seen_now(read: &Read) -> Result<Seen, StoreError> {
    let head = read.head();
    let last = match head.sequence.checked_sub(1) {
        Some(before) => read.events_after(before, 1).await?.into_iter().next(),
        None => None,
    };
    Ok(Seen { head, at: last.map_or(Timestamp::MIN, |event| happened_at(&event)) })
}

/// Returns the instant of an event, of whatever kind.
pub(crate) fn happened_at(event: &StoredEvent) -> Timestamp {
    #[derive(Deserialize)]
    struct Dated {
        at: Timestamp,
    }
    // An event without a date counts as newer than all others.
    serde_json::from_slice(&event.public).map_or(Timestamp::MAX, |Dated { at }| at)
}

pub(crate) fn unreadable(witness: &Witness, source: io::Error) -> AuthorityError {
    AuthorityError::Witness { path: witness.path().to_owned(), source }
}

/// Fails if an installation was here before, because an empty database in its place has forgotten everything.
pub(crate) fn refuse_lost_installation(url: &DatabaseUrl, standing: &Standing) -> Result<(), AuthorityError> {
    match standing.orphan(url)? {
        None => Ok(()),
        Some(witness) => Err(AuthorityError::Emptied { database: url.to_string(), witness }),
    }
}
