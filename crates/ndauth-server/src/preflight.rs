//! The preflight check: what serving would begin with, or fail with, found without serving.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use ndauth_authority::{Authority, DatabaseUrl, Preflight};
use ndauth_core::Causes;

use crate::mail::{MailSettings, Mailer};
use crate::memory::available_memory;
use crate::options::ServeOptions;
use crate::serve::{ServeError, bind};

/// The result of a preflight check of a server that would start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartForecast {
    /// Findings for the operator.
    pub findings: Vec<String>,
    /// Warnings for the operator.
    pub warnings: Vec<String>,
}

/// Checks that [`crate::serve()`] would start now. Changes nothing, and disturbs no running server. A port
/// or a lock that another process has is a warning: that process may be the server with these options.
pub async fn preflight(options: &ServeOptions) -> Result<StartForecast, ServeError> {
    let mut forecast = StartForecast::default();
    // Both are kept until the end, as a server does.
    let sockets = [
        listening("--listen", options.listen, &mut forecast)?,
        listening("--admin-listen", options.admin_listen, &mut forecast)?,
    ];
    if let Some(mail) = &options.mail {
        forecast.add_mail(mail).await;
    }
    if is_in_new_folder(options) {
        forecast.findings.push(will_be_created(&options.database));
        return Ok(forecast);
    }
    // The server that may have a port has also taken memory that would be free.
    let memory = available_memory().filter(|_| sockets.iter().all(Option::is_some));
    let found = Authority::preflight(&options.database, options.data.as_deref(), memory).await;
    let found = found.map_err(|source| ServeError::Database { url: options.database.clone(), source })?;
    forecast.add(&found, &options.database);
    Ok(forecast)
}

/// Binds an address, and listens on none.
fn listening(
    flag: &str,
    address: SocketAddr,
    forecast: &mut StartForecast,
) -> Result<Option<tokio::net::TcpSocket>, ServeError> {
    match bind(address) {
        Ok((socket, _)) => Ok(Some(socket)),
        Err(ServeError::Listen { source, .. }) if source.kind() == io::ErrorKind::AddrInUse => {
            forecast.warnings.push(format!(
                "another process listens on `{address}` (`{flag}`): `ndauthd serve` starts once that has ended"
            ));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Returns true if the database will be in a data folder that `ndauthd serve` makes.
fn is_in_new_folder(options: &ServeOptions) -> bool {
    let DatabaseUrl::Sqlite(path) = &options.database else { return false };
    let folder = path.parent().filter(|folder| !folder.exists());
    folder.is_some() && folder == options.data.as_deref().map(Path::new)
}

fn will_be_created(database: &DatabaseUrl) -> String {
    format!("there is no installation in `{database}` yet: `ndauthd serve` creates it")
}

impl StartForecast {
    /// Connects to the mail server. Its failure is a warning: mails wait.
    async fn add_mail(&mut self, mail: &MailSettings) {
        let Ok(mailer) = Mailer::open(mail) else { return };
        match mailer.check().await {
            Ok(()) => self.findings.push("notices can be mailed".to_owned()),
            Err(error) => self.warnings.push(format!("mail would wait: {}", Causes(&error))),
        }
    }

    fn add(&mut self, found: &Preflight, database: &DatabaseUrl) {
        let Preflight { creates, pending, newer, unrecorded, running } = found;
        self.findings.push(match pending {
            _ if *creates => will_be_created(database),
            0 => format!("the database `{database}` can be served"),
            pending => {
                format!("{pending} migration(s) of `{database}` are pending: `ndauthd serve` applies them")
            }
        });
        if let Some(error) = running {
            self.warnings.push(format!("{}: `ndauthd serve` starts once that has ended", Causes(error)));
        }
        if *newer > 0 {
            self.warnings.push(format!(
                "{newer} migration(s) of the database are unknown to this version: a newer ndauthd has served it"
            ));
        }
        if *unrecorded {
            self.warnings.push(
                "the end of the log would be recorded nowhere, so that an older copy of the database would not be \
                 noticed: set `--data-folder` to a folder that this user may write"
                    .to_owned(),
            );
        }
    }
}
