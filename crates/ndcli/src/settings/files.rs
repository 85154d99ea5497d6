//! The files that ndcli writes, and their folder.

use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ndauth_terminal::Failure;
use ndauth_terminal::environment::variable;

/// Returns ndcli's folder in the folder of configurations (XDG Base Directory Specification). The home folder is the
/// one in HOME: the system's list of users is not read, since a static program cannot.
pub(crate) fn folder() -> Result<PathBuf, Failure> {
    let stated = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = stated("XDG_CONFIG_HOME").or_else(|| Some(stated("HOME")?.join(".config")));
    let folder = folder
        .ok_or_else(|| Failure::failed("there is no home folder", Some("set HOME, or XDG_CONFIG_HOME")))?;
    Ok(folder.join("ndcli"))
}

/// Creates the folder of one of ndcli's files, with mode 0700.
pub(crate) fn make_folder(path: &Path) -> Result<(), Failure> {
    let own = path.parent().expect("the file lies in a folder");
    DirBuilder::new().recursive(true).mode(0o700).create(own)?;
    fs::set_permissions(own, fs::Permissions::from_mode(0o700))?;
    Ok(())
}

/// Replaces one of ndcli's files atomically: mode 0600, in a folder of mode 0700.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    make_folder(path)?;
    // A symbolic link is kept, and its target is replaced. The permissions of the target's folder are left
    // alone.
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().expect("the file lies in a folder");
    let mut file =
        tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o600)).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()?;
    Ok(())
}
