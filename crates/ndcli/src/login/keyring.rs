//! The system's keyring. A keyring that does not answer within a timeout counts as missing.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ndauth_client::ServerUrl;

/// The timeout of a keyring operation.
const TIME_LIMIT: Duration = Duration::from_secs(5);
/// The service name of ndcli's entries.
#[cfg(feature = "keyring")]
const SERVICE: &str = "ndcli";

/// Returns the entry for a server, if there is one.
pub(crate) fn get(server: &ServerUrl) -> Result<Option<String>, String> {
    let user = server.to_string();
    within(move || entry::get(&user))
}

/// Stores an entry for a server.
pub(crate) fn set(server: &ServerUrl, text: &str) -> Result<(), String> {
    let (user, text) = (server.to_string(), text.to_owned());
    within(move || entry::set(&user, &text))
}

/// Removes the entry for a server.
pub(crate) fn remove(server: &ServerUrl) -> Result<(), String> {
    let user = server.to_string();
    within(move || entry::remove(&user))
}

/// Runs a keyring operation on a thread of its own, which is abandoned after the timeout.
fn within<T: Send + 'static>(ask: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(ask()));
    receiver.recv_timeout(TIME_LIMIT).unwrap_or_else(|_| Err("it does not answer".to_owned()))
}

#[cfg(feature = "keyring")]
mod entry {
    use keyring::{Entry, Error};

    use super::SERVICE;

    fn of(user: &str) -> Result<Entry, String> {
        // The status of the store says why there is no keyring, which is more useful than its absence.
        Entry::store_status().as_ref().map_err(ToString::to_string)?;
        Entry::new(SERVICE, user).map_err(|error| error.to_string())
    }

    pub(super) fn get(user: &str) -> Result<Option<String>, String> {
        match of(user)?.get_password() {
            Ok(text) => Ok(Some(text)),
            Err(Error::NoEntry) => Ok(None),
            // These errors may contain the stored secret, so their text is not shown.
            Err(Error::BadEncoding(_) | Error::BadDataFormat(..)) => {
                Err("its content is not text".to_owned())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    pub(super) fn set(user: &str, text: &str) -> Result<(), String> {
        of(user)?.set_password(text).map_err(|error| error.to_string())
    }

    pub(super) fn remove(user: &str) -> Result<(), String> {
        match of(user)?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[cfg(not(feature = "keyring"))]
mod entry {
    const NONE: &str = "this ndcli was built without it";

    pub(super) fn get(_: &str) -> Result<Option<String>, String> {
        Err(NONE.to_owned())
    }

    pub(super) fn set(_: &str, _: &str) -> Result<(), String> {
        Err(NONE.to_owned())
    }

    pub(super) fn remove(_: &str) -> Result<(), String> {
        Err(NONE.to_owned())
    }
}
