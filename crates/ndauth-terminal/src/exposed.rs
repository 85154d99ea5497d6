//! Files that hold secrets and that others than their owner can open.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::quoted;
use crate::text::{hint, warn};

/// A file with a secret that others than its owner may open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExposedFile {
    path: PathBuf,
    mode: u32,
}

impl ExposedFile {
    /// Returns the file if others than its owner can open it. Returns `None` if only the owner can, if the
    /// file does not exist, or if it is not a regular file, such as a pipe. Links are followed.
    ///
    /// A file of root that this process may only read through its group, or through root's list of permissions, was
    /// lent to it so, and is not exposed: a key for a service, a credential of systemd, a secret of Kubernetes.
    pub fn find(path: &Path) -> Option<ExposedFile> {
        let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        let mode = mode(&metadata)?;
        let lent = mode & OTHERS == GROUP_READS && is_lent(&metadata);
        (mode & OTHERS != 0 && !lent).then(|| ExposedFile { path: path.to_owned(), mode })
    }

    /// Returns the command that denies others access to the file.
    pub fn hint(&self) -> String {
        let path = self.path.display().to_string();
        // `chmod` would read a path that begins with a dash as a flag.
        let end = if path.starts_with('-') { "-- " } else { "" };
        format!("`chmod 600 {end}{}`", quoted(&path))
    }

    /// Prints a warning about the file. `what` names it, such as `NDCLI_TOKEN_FILE`.
    pub fn warn(&self, what: &str) {
        warn(&format!("{what}: {self}"));
        hint(&self.hint());
    }
}

impl fmt::Display for ExposedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` can be opened by others than its owner (mode {:04o})", self.path.display(), self.mode)
    }
}

/// The permission bits of the file's group and of everybody else.
const OTHERS: u32 = 0o077;

/// The bit that lets the file's group read it.
const GROUP_READS: u32 = 0o040;

/// Returns true for a file of root in the group of this process, which is not root's, or in root's own group. The bits
/// of the group are also those of a list of permissions.
#[cfg(unix)]
fn is_lent(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    user != 0 && metadata.uid() == 0 && [group, 0].contains(&metadata.gid())
}

#[cfg(not(unix))]
fn is_lent(_: &fs::Metadata) -> bool {
    false
}

/// Returns the permission bits of a file, on systems that have them.
#[cfg(unix)]
fn mode(metadata: &fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    Some(metadata.mode() & 0o7777)
}

#[cfg(not(unix))]
fn mode(_: &fs::Metadata) -> Option<u32> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_file_that_others_may_open_is_exposed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("a key"), folder.path().join("link"));
        fs::write(&file, "secret").expect("written");
        symlink(&file, &link).expect("linked");
        for (mode, exposed) in [
            (0o600, false),
            (0o400, false),
            (0o700, false),
            (0o640, true),
            (0o604, true),
            (0o620, true),
            (0o644, true),
        ] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("set");
            for path in [&file, &link] {
                let found = ExposedFile::find(path);
                assert_eq!(found.is_some(), exposed, "{mode:o} {path:?}");
                let described = found.map(|found| (found.to_string(), found.hint()));
                let path = path.display();
                let expected = (
                    format!("`{path}` can be opened by others than its owner (mode {mode:04o})"),
                    format!("`chmod 600 {}`", quoted(&path.to_string())),
                );
                assert!(described.is_none_or(|actual| actual == expected));
            }
        }
        let dashed = ExposedFile { path: PathBuf::from("-key"), mode: 0o644 };
        assert_eq!(dashed.hint(), "`chmod 600 -- -key`");
        assert_eq!(ExposedFile::find(&folder.path().join("none")), None, "there is no such file");
        assert_eq!(ExposedFile::find(folder.path()), None, "a folder is no file");
        assert_eq!(ExposedFile::find(Path::new("/dev/null")), None, "a device holds no secret");
    }
}
