//! The user that `ndauthd` works as: the one that owns the database.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use ndauth_authority::DatabaseUrl;
use ndauth_core::Class;
use ndauth_terminal::{Failure, exit_code};
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::configuration::DataLocation;

/// Gives up root, for good, for the user that owns the database: files that root wrote beside it could not be opened
/// by the server. Call it while this process has a single thread.
pub(crate) fn give_up_root(location: &DataLocation) -> Result<(), Failure> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let Some(owner) = owner(location) else { return Ok(()) };
    let (uid, gid) = (Uid::from_raw(owner.uid()), Gid::from_raw(owner.gid()));
    if uid.is_root() {
        return Ok(());
    }
    // The user is the last step: only root may take the others.
    set_thread_groups(&[])
        .and_then(|()| set_thread_res_gid(gid, gid, gid))
        .and_then(|()| set_thread_res_uid(uid, uid, uid))
        .map_err(|error| {
            let message = format!("cannot become the user {uid}, which owns the database: {error}");
            Failure::failed(message, Some(&format!("run it as that user: `sudo -u '#{uid}' ndauthd …`")))
        })
}

/// Returns the metadata of the files that the server writes: those of the SQLite file or else its folder, or those of
/// the data folder.
fn owner(location: &DataLocation) -> Option<Metadata> {
    let of = |path: &Path| std::fs::metadata(path).ok();
    match &location.database {
        DatabaseUrl::Sqlite(path) => of(path).or_else(|| of(path.parent()?)),
        _ => location.data.as_deref().and_then(of),
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
    let hint = format!("run it as that user: `sudo -u '#{}' ndauthd …`", metadata.uid());
    Err(Failure { message, hint: Some(hint), code: exit_code(Class::NotPermitted) })
}
