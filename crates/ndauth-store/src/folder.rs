//! The folder of a database, and of the files beside it.

use std::io;
use std::path::Path;

use rustix::fs::{Access, access};
use rustix::io::Errno;

/// Returns the folder of a file.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// Fails if no file can be created in a folder. Changes nothing.
pub fn check_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    if folder.exists() && !folder.is_dir() {
        return Err(Errno::NOTDIR.into());
    }
    Ok(access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
}
