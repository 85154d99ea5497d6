//! The files that ndcli keeps, and the folder that they lie in.

use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use ndauth_terminal::Failure;

/// The platform's folder for what ndcli keeps.
pub(crate) fn folder() -> Result<PathBuf, Failure> {
    let home = etcetera::choose_base_strategy().map_err(|_| {
        Failure::failed("there is no home folder to keep anything in", Some("set HOME, or XDG_CONFIG_HOME"))
    })?;
    Ok(home.config_dir().join("ndcli"))
}

/// Makes the folder that a file of ndcli's lies in: 0700.
pub(crate) fn make_folder(path: &Path) -> Result<(), Failure> {
    let own = path.parent().expect("the file lies in a folder");
    DirBuilder::new().recursive(true).mode(0o700).create(own)?;
    fs::set_permissions(own, fs::Permissions::from_mode(0o700))?;
    Ok(())
}

/// Replaces a file of ndcli's whole or not at all: 0600, in a folder of 0700.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    make_folder(path)?;
    // A link stays one: what it leads to is replaced. The folder there is somebody else's to tighten.
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
