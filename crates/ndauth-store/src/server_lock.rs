//! The lock of a server on a SQLite file, which is for one server: of two, each would answer without the
//! other's changes.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use crate::folder::{check_folder, folder_of};
use crate::{DatabaseUrl, StoreError};

/// A lock that this process has on a database while it serves it. It is released when this is dropped, or
/// with the process.
#[derive(Debug)]
pub struct ServerLock {
    /// The locked file. It is separate from the database: SQLite drops its own locks when any handle of the
    /// file is closed.
    _lock: Option<File>,
}

/// The most attempts at a lock that somebody looks at.
const TRIES: u32 = 100;
/// The pause between two of them.
const PAUSE: Duration = Duration::from_millis(1);

impl ServerLock {
    /// Locks a SQLite file. On PostgreSQL any number of servers may work, so nothing is locked.
    pub fn acquire(url: &DatabaseUrl) -> Result<ServerLock, StoreError> {
        let DatabaseUrl::Sqlite(path) = url else { return Ok(ServerLock { _lock: None }) };
        let lock = lock_file(path);
        let failed = |error| cannot_lock(&lock, &error);
        let open =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&lock);
        let mut file = open.map_err(failed)?;
        let mut tries = 0;
        while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            refuse_served(url, &lock, &mut file)?;
            // Somebody looked at the lock, for no longer than it takes.
            tries += 1;
            if tries == TRIES {
                return Err(failed(ErrorKind::WouldBlock.into()));
            }
            sleep(PAUSE);
        }
        // For the next server that finds the lock taken. The lock holds even if this is not written.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(ServerLock { _lock: Some(file) })
    }

    /// Fails if a server has locked a SQLite file, or if it could not be locked. Changes nothing, and keeps no
    /// server from locking it.
    pub fn look(url: &DatabaseUrl) -> Result<(), StoreError> {
        let DatabaseUrl::Sqlite(path) = url else { return Ok(()) };
        let lock = lock_file(path);
        match OpenOptions::new().read(true).write(true).open(&lock) {
            Ok(mut file) => refuse_served(url, &lock, &mut file),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                check_folder(folder_of(&lock)).map_err(|error| cannot_lock(&lock, &error))
            }
            Err(error) => Err(cannot_lock(&lock, &error)),
        }
    }
}

/// Returns the file that is locked: one, whatever path the database is named by.
fn lock_file(path: &Path) -> PathBuf {
    let mut lock = path.canonicalize().unwrap_or_else(|_| path.to_owned()).into_os_string();
    lock.push(".lock");
    lock.into()
}

/// Fails if a server has the lock. It is exclusive, and those who look at it share it for a moment.
fn refuse_served(url: &DatabaseUrl, lock: &Path, file: &mut File) -> Result<(), StoreError> {
    match flock(&*file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => flock(&*file, FlockOperation::Unlock).map_err(|error| cannot_lock(lock, &error.into())),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut holder = String::new();
            // If the id cannot be read, the lock is still taken.
            let _ = file.read_to_string(&mut holder);
            Err(StoreError::Served { place: url.to_string(), holder: holder.trim().parse().ok() })
        }
        Err(error) => Err(cannot_lock(lock, &error.into())),
    }
}

fn cannot_lock(lock: &Path, error: &io::Error) -> StoreError {
    StoreError::unavailable(format!("`{}` cannot be locked: {error}", lock.display()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// A server starts although others look at its lock all the time. They see the lock of a server that runs.
    #[test]
    fn a_look_at_a_lock_keeps_no_server_from_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = DatabaseUrl::Sqlite(folder.path().join("ndauth.db"));
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        match ServerLock::look(&url) {
                            Ok(()) | Err(StoreError::Served { .. }) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                });
            }
            let starts: Vec<_> = (0..500).map(|_| ServerLock::acquire(&url).map(drop)).collect();
            over.store(true, Ordering::Relaxed);
            for started in starts {
                started.expect("nobody serves");
            }
        });
        let lock = ServerLock::acquire(&url).expect("nobody serves");
        for refused in [ServerLock::look(&url), ServerLock::acquire(&url).map(drop)] {
            let pid = Some(std::process::id());
            assert!(
                matches!(refused, Err(StoreError::Served { holder, .. }) if holder == pid),
                "{refused:?}"
            );
        }
        drop(lock);
        ServerLock::look(&url).expect("nobody serves");
    }
}
