//! The lock of a server on a SQLite file, which is for one server: of two, each would answer without the
//! other's changes.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::{FlockOperation, flock};

use crate::{DatabaseUrl, StoreError};

/// A lock that this process has on a database while it serves it. It is released when this is dropped, or
/// with the process.
#[derive(Debug)]
pub struct ServerLock {
    /// The locked file. It is separate from the database: SQLite drops its own locks when any handle of the
    /// file is closed.
    _lock: Option<File>,
}

impl ServerLock {
    /// Locks a SQLite file. On PostgreSQL any number of servers may work, so nothing is locked.
    pub fn acquire(url: &DatabaseUrl) -> Result<ServerLock, StoreError> {
        let DatabaseUrl::Sqlite(path) = url else { return Ok(ServerLock { _lock: None }) };
        // One lock, whatever path the file is named by.
        let mut lock = path.canonicalize().unwrap_or_else(|_| path.clone()).into_os_string();
        lock.push(".lock");
        let failed = |error: std::io::Error| {
            StoreError::unavailable(format!("`{}` cannot be locked: {error}", lock.display()))
        };
        let open =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&lock);
        let mut file = open.map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                // If the id cannot be read, the lock is still taken.
                let _ = file.read_to_string(&mut holder);
                return Err(StoreError::Served {
                    place: url.to_string(),
                    holder: holder.trim().parse().ok(),
                });
            }
            Err(error) => return Err(failed(error.into())),
        }
        // For the next server that finds the lock taken. The lock holds even if this is not written.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(ServerLock { _lock: Some(file) })
    }
}
