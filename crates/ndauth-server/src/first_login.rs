//! The first login: a server that nobody can sign in to invites its operator, once.

use std::fs::{OpenOptions, Permissions, set_permissions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ndauth_authority::{Authority, AuthorityError, Credential, DatabaseUrl, Link, NewAccount};
use ndauth_core::{Causes, Handle};

use crate::http::links::invitation_url;
use crate::options::ServeOptions;

/// The file that the link is written to, if standard error is not a terminal.
const FILE: &str = "first-login";
/// The mode of the file: readable by the user that runs the server, and by nobody else.
const MODE: u32 = 0o600;

/// Creates the operator's account if there is no account at all. The link by which the operator sets a
/// password goes to the terminal or to a file, never to the log.
pub(crate) async fn first_login(
    authority: &Authority,
    options: &ServeOptions,
    issuer: &str,
) -> Result<(), AuthorityError> {
    if authority.logins().has_accounts().await? {
        return Ok(());
    }
    let file = folder(options).map(|folder| folder.join(FILE));
    let terminal = io::stderr().is_terminal();
    if !terminal && file.is_none() {
        tracing::warn!("nobody can sign in yet: `ndauthd admin account create`, then `invite`");
        return Ok(());
    }
    let console = &Credential::Console;
    let handle: Handle = "operator".parse().expect("a handle");
    let email = "operator@localhost".parse().expect("an address");
    let account = NewAccount { handle: handle.clone(), email, name: None, operator: true };
    match authority.operator().create_account(console, &account).await {
        // Another server started at the same moment, and shows its own link.
        Err(AuthorityError::NameTaken { .. }) => return Ok(()),
        made => made?,
    };
    let link = authority.logins().invite(console, &handle).await?.value;
    let url = invitation_url(issuer, link.code.expose());
    match file.filter(|_| !terminal) {
        None => ndauth_terminal::aside(&link_message(&url, &link)),
        Some(file) => match write(&file, &url) {
            Ok(()) => tracing::warn!(
                file = %file.display(),
                until = %link.ends_at,
                "nobody could sign in yet: the link to set the password of the account `operator` is in the file"
            ),
            Err(error) => tracing::warn!(
                error = %Causes(&error),
                "nobody can sign in yet: `ndauthd admin account invite operator`"
            ),
        },
    }
    Ok(())
}

fn link_message(url: &str, link: &Link) -> String {
    format!(
        "nobody could sign in yet, so there is an account `operator` now: set its password in a browser, until {}\n\n    \
         {url}\n",
        link.ends_at.minute()
    )
}

/// Returns the folder of the server's own files.
fn folder(options: &ServeOptions) -> Option<PathBuf> {
    match &options.database {
        DatabaseUrl::Sqlite(path) => path.parent().map(Path::to_owned),
        DatabaseUrl::Postgres(_) => options.data.clone(),
    }
}

fn write(file: &Path, url: &str) -> io::Result<()> {
    let mut open = OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(file)?;
    // The file may have existed with another mode.
    set_permissions(file, Permissions::from_mode(MODE))?;
    open.write_all(format!("{url}\n").as_bytes())
}
