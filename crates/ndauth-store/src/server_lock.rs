//! A file of SQLite is for one server: two would each answer without what the other did.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::{FlockOperation, flock};

use crate::{DatabaseUrl, StoreError};

/// Held while this process serves a database, which no other does then. It ends when this is dropped, or with the process.
#[derive(Debug)]
pub struct ServerLock {
    /// Locked. Apart from the database: SQLite forgets its own locks when any file of its name is closed.
    _lock: Option<File>,
}

impl ServerLock {
    /// Locks a file of SQLite. Any number of servers may work on PostgreSQL.
    pub fn acquire(url: &DatabaseUrl) -> Result<ServerLock, StoreError> {
        let DatabaseUrl::Sqlite(path) = url else { return Ok(ServerLock { _lock: None }) };
        // By whatever name the file is called, there is one lock.
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
                // Where it cannot be read it is somebody's all the same.
                let _ = file.read_to_string(&mut holder);
                return Err(StoreError::Served {
                    place: url.to_string(),
                    holder: holder.trim().parse().ok(),
                });
            }
            Err(error) => return Err(failed(error.into())),
        }
        // For whoever finds it taken; it is locked whether this is written or not.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(ServerLock { _lock: Some(file) })
    }
}
