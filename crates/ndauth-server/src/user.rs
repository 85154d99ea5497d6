//! The user that `ndauthd` works as: the one that owns the database.

use std::ffi::CString;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use ndauth_authority::DatabaseUrl;
use ndauth_core::Class;
use ndauth_terminal::{Failure, exit_code, quoted};
use nix::errno::Errno;
use nix::unistd::{Gid, Uid, User, geteuid, initgroups, setgroups, setresgid, setresuid};

use crate::configuration::DataLocation;

/// Gives up root, for good, for the user that owns the database: files that root wrote beside it could not be opened
/// by the server. Call it while this process has a single thread.
pub(crate) fn give_up_root(location: &DataLocation) -> Result<(), Failure> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let Some(owner) = owner(location).filter(|owner| owner.uid() != 0) else { return Ok(()) };
    become_user(&owner).map_err(|error| {
        let uid = owner.uid();
        let message = format!("cannot become the user {uid}, which owns the database: {error}");
        Failure::failed(message, Some(&format!("run it as that user: `sudo -u '#{uid}' ndauthd …`")))
    })
}

/// Takes the identity of a user: the groups that the system's lists give it, or else the group of its files.
fn become_user(owner: &Metadata) -> nix::Result<()> {
    let uid = Uid::from_raw(owner.uid());
    let gid = match User::from_uid(uid)? {
        Some(user) => {
            initgroups(&CString::new(user.name).map_err(|_| Errno::EINVAL)?, user.gid)?;
            user.gid
        }
        None => {
            setgroups(&[])?;
            Gid::from_raw(owner.gid())
        }
    };
    // The user is the last step: only root may take the others.
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)
}

/// Returns the metadata of the folder that the server writes to. For a SQLite file in a folder of root, such as
/// `/tmp`, those of the file; a link is not followed.
fn owner(location: &DataLocation) -> Option<Metadata> {
    let folder = match &location.database {
        DatabaseUrl::Sqlite(path) => path.parent().filter(|folder| !folder.as_os_str().is_empty()),
        DatabaseUrl::Postgres(_) => location.data.as_deref(),
    };
    let folder = std::fs::metadata(folder.unwrap_or(Path::new("."))).ok();
    match &location.database {
        DatabaseUrl::Sqlite(path) if folder.as_ref().is_none_or(|folder| folder.uid() == 0) => {
            std::fs::symlink_metadata(path).ok()
        }
        _ => folder,
    }
}

/// Refuses to work on a SQLite file that another user owns: that user could not read the files written beside
/// it.
pub(crate) fn refuse_foreign_database(database: &DatabaseUrl) -> Result<(), Failure> {
    let DatabaseUrl::Sqlite(path) = database else { return Ok(()) };
    let Ok(metadata) = std::fs::metadata(path) else { return Ok(()) };
    let me = geteuid().as_raw();
    if metadata.uid() == me {
        return Ok(());
    }
    let message = format!(
        "`{}` belongs to the user {}, and this runs as {me}: the server could not open what it writes",
        path.display(),
        metadata.uid()
    );
    // Root's commands have become the user that owns the folder.
    let hint = match metadata.uid() {
        0 => {
            format!("give it to the server's user: `sudo chown {me} {}`", quoted(&path.display().to_string()))
        }
        owner => format!("run it as that user: `sudo -u '#{owner}' ndauthd …`"),
    };
    Err(Failure { message, hint: Some(hint), code: exit_code(Class::NotPermitted) })
}
