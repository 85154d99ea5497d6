//! Stored logins: `credentials.json` in ndcli's folder, mode 0600.
//!
//! ```json
//! { "version": 1, "logins": {
//!     "https://a.example.org": "ndpat_…",
//!     "https://b.example.org": { "access": "ndses_…", "refresh": "ndref_…", "access_ends_at": "2027-01-31T12:00:00Z" },
//!     "https://c.example.org": { "kept_in": "keyring" }
//! } }
//! ```
//!
//! The system's keyring holds the same values for the logins that it keeps. Every change holds the lock, so
//! that one of several processes refreshes a login and the others use the result.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ndauth_client::ServerUrl;
use ndauth_core::{Class, Secret, SecretKind, Timestamp};
use ndauth_terminal::{ExposedFile, Failure, warn};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use super::keyring;
use crate::settings::files::{folder, make_folder, replace};

/// The credential that a person logged in with.
#[derive(Clone)]
pub(crate) enum Login {
    /// A secret that the person supplied: a session or a personal token.
    Secret(Secret),
    /// A session from a login in a browser or by a code, and the secret that refreshes it.
    Session { access: Secret, refresh: Secret, access_ends_at: Timestamp },
}

/// The place where a login is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeptIn {
    File,
    Keyring,
}

/// A stored login.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) login: Login,
    pub(crate) kept_in: KeptIn,
}

/// The exclusive lock on the stored logins.
pub(crate) struct Locked {
    _file: File,
}

/// A session is refreshed before its use once it has no more than this left.
const SOON: Duration = Duration::from_secs(60);
/// The interval at which a lock held by another process is tried again.
const PAUSE: Duration = Duration::from_millis(25);
const KEPT_IN: &str = "kept_in";

impl Login {
    /// Returns the secret to present.
    pub(crate) fn secret(&self) -> &Secret {
        match self {
            Login::Secret(secret) => secret,
            Login::Session { access, .. } => access,
        }
    }

    /// Returns true if the login can be refreshed.
    pub(crate) fn is_refreshable(&self) -> bool {
        matches!(self, Login::Session { .. })
    }

    /// Returns true if the secret is a session rather than a token.
    pub(crate) fn is_session(&self) -> bool {
        self.secret().kind() == SecretKind::Session
    }

    /// Returns the secret whose revocation ends the whole session at the server, or `None` for a token.
    pub(crate) fn revocable(&self) -> Option<&Secret> {
        match self {
            Login::Session { refresh, .. } => Some(refresh),
            Login::Secret(secret) => Some(secret).filter(|_| self.is_session()),
        }
    }

    /// Returns true if the login must be refreshed before it is used.
    pub(crate) fn needs_refresh(&self, now: Timestamp) -> bool {
        match self {
            Login::Session { access_ends_at, .. } => access_ends_at.since(now) <= SOON,
            Login::Secret(_) => false,
        }
    }

    /// Returns true if the session has expired by the local clock.
    pub(crate) fn has_ended(&self, now: Timestamp) -> bool {
        matches!(self, Login::Session { access_ends_at, .. } if *access_ends_at <= now)
    }

    fn to_json(&self) -> Value {
        match self {
            Login::Secret(secret) => json!(secret.expose()),
            Login::Session { access, refresh, access_ends_at } => json!({
                "access": access.expose(),
                "refresh": refresh.expose(),
                "access_ends_at": access_ends_at.to_string(),
            }),
        }
    }

    /// Reads a stored login. The error is a message and a hint.
    fn from_json(value: &Value) -> Result<Login, (String, &'static str)> {
        let damaged = || ("the stored login is damaged".to_owned(), "log in again: `ndcli auth login`");
        match value {
            Value::String(text) => match text.parse::<Secret>() {
                Ok(secret) => Ok(Login::Secret(secret)),
                Err(why) => Err((format!("stored login holds no token: {why}"), why.hint())),
            },
            Value::Object(fields) => {
                let text = |name| fields.get(name).and_then(Value::as_str).ok_or_else(damaged);
                let secret = |name, kind| {
                    let secret: Secret = text(name)?.parse().map_err(|_| damaged())?;
                    if secret.kind() == kind { Ok(secret) } else { Err(damaged()) }
                };
                Ok(Login::Session {
                    access: secret("access", SecretKind::Session)?,
                    refresh: secret("refresh", SecretKind::Refresh)?,
                    access_ends_at: text("access_ends_at")?.parse().map_err(|_| damaged())?,
                })
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => Err(damaged()),
        }
    }
}

impl KeptIn {
    /// Returns the name in JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            KeptIn::File => "file",
            KeptIn::Keyring => "keyring",
        }
    }
}

impl fmt::Display for KeptIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeptIn::File => "the file",
            KeptIn::Keyring => "the system's keyring",
        })
    }
}

/// Returns the path of `credentials.json` in the platform's configuration folder.
pub(crate) fn file() -> Result<PathBuf, Failure> {
    Ok(folder()?.join("credentials.json"))
}

/// Returns the stored login for a server, if there is one.
pub(crate) fn find(server: &ServerUrl) -> Result<Option<Stored>, Failure> {
    // Without a home folder nothing is stored.
    let Ok(path) = file() else { return Ok(None) };
    let Some(value) = read(&path)?.remove(&server.to_string()) else { return Ok(None) };
    let failed = |(message, hint): (String, &str)| Failure::not_authenticated(message, hint);
    if !in_keyring(&value) {
        return Ok(Some(Stored { login: Login::from_json(&value).map_err(failed)?, kept_in: KeptIn::File }));
    }
    let text = keyring::get(server).map_err(|why| {
        let message = format!("the login is in the system's keyring, which cannot be read: {why}");
        let hint = "unlock the keyring, or log in again: `ndcli auth login --no-keyring` keeps it in a file";
        Failure::not_authenticated(message, hint)
    })?;
    let Some(text) = text else { return Ok(None) };
    let value = serde_json::from_str(&text).unwrap_or(Value::Null);
    Ok(Some(Stored { login: Login::from_json(&value).map_err(failed)?, kept_in: KeptIn::Keyring }))
}

/// Waits for the lock on the stored logins.
pub(crate) async fn lock(time_limit: Duration) -> Result<Locked, Failure> {
    let path = folder()?.join("credentials.lock");
    make_folder(&path)?;
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
    let give_up = Instant::now() + time_limit;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Locked { _file: file }),
            Err(TryLockError::WouldBlock) if Instant::now() < give_up => sleep(PAUSE).await,
            Err(TryLockError::WouldBlock) => {
                return Err(Failure {
                    message: format!(
                        "another ndcli has locked `{}`, and does not release it",
                        path.display()
                    ),
                    hint: Some("try again once it has ended".to_owned()),
                    code: ndauth_terminal::exit_code(Class::Undecided),
                });
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
}

impl Locked {
    /// Stores a login for a server: in the requested place, or in the file if no keyring accepts it.
    pub(crate) fn store(&self, server: &ServerUrl, login: &Login, in_: KeptIn) -> Result<KeptIn, Failure> {
        let path = file()?;
        let mut logins = read(&path)?;
        let value = login.to_json();
        let kept_in = match in_ {
            KeptIn::Keyring if keyring::set(server, &value.to_string()).is_ok() => KeptIn::Keyring,
            KeptIn::Keyring | KeptIn::File => KeptIn::File,
        };
        let value = match kept_in {
            KeptIn::Keyring => json!({ KEPT_IN: KeptIn::Keyring.as_str() }),
            KeptIn::File => value,
        };
        let before = logins.insert(server.to_string(), value);
        write(&path, &logins)?;
        if kept_in == KeptIn::File && before.is_some_and(|before| in_keyring(&before)) {
            // The keyring's login is replaced and no longer usable, so a failure to remove it is ignored.
            let _ = keyring::remove(server);
        }
        Ok(kept_in)
    }

    /// Removes the stored login for a server. Returns whether there was one.
    pub(crate) fn forget(&self, server: &ServerUrl) -> Result<bool, Failure> {
        let path = file()?;
        let mut logins = read(&path)?;
        let Some(before) = logins.remove(&server.to_string()) else { return Ok(false) };
        write(&path, &logins)?;
        if in_keyring(&before)
            && let Err(why) = keyring::remove(server)
        {
            warn(&format!("the system's keyring still holds the login: {why}"));
        }
        Ok(true)
    }
}

fn in_keyring(value: &Value) -> bool {
    value.get(KEPT_IN).is_some_and(|kept_in| kept_in == KeptIn::Keyring.as_str())
}

/// Returns the stored logins by server.
fn read(path: &Path) -> Result<Map<String, Value>, Failure> {
    let trouble =
        |what: &str, hint: &str| Failure::not_authenticated(format!("`{}` {what}", path.display()), hint);
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Map::new()),
        Err(error) => {
            return Err(trouble(&format!("cannot be read: {error}"), "check its owner and its mode"));
        }
    };
    if let Some(exposed) = ExposedFile::find(path) {
        let hint = format!("{}; if others use this machine, log in anew", exposed.hint());
        return Err(Failure::not_authenticated(exposed.to_string(), hint));
    }
    let logins = serde_json::from_str::<Value>(&text)
        .ok()
        .and_then(|mut whole| whole.get_mut("logins").map(Value::take))
        .and_then(|logins| if let Value::Object(logins) = logins { Some(logins) } else { None });
    logins.ok_or_else(|| trouble("is damaged", "remove it and log in again"))
}

fn write(path: &Path, logins: &Map<String, Value>) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(&json!({ "version": 1, "logins": logins }))
        .expect("a map of texts is plain data");
    replace(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = "ndses_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U";
    const REFRESH: &str = "ndref_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U";
    const TOKEN: &str = "ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U";

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    #[test]
    fn a_stored_login_is_read_back() {
        let session =
            json!({ "access": SESSION, "refresh": REFRESH, "access_ends_at": "2027-01-31T12:00:00Z" });
        for kept in [json!(TOKEN), json!(SESSION), session] {
            let login = Login::from_json(&kept).expect("a login");
            assert_eq!(login.to_json(), kept);
            assert!(!in_keyring(&kept));
        }
        assert!(in_keyring(&json!({ "kept_in": "keyring" })));
    }

    #[test]
    fn a_damaged_login_is_refused() {
        for damaged in [
            json!("ndpat_cut"),
            json!(17),
            json!(null),
            json!({}),
            json!({ "kept_in": "elsewhere" }),
            json!({ "access": SESSION, "refresh": REFRESH }),
            json!({ "access": SESSION, "refresh": REFRESH, "access_ends_at": "soon" }),
            json!({ "access": REFRESH, "refresh": SESSION, "access_ends_at": "2027-01-31T12:00:00Z" }),
            json!({ "access": TOKEN, "refresh": REFRESH, "access_ends_at": "2027-01-31T12:00:00Z" }),
        ] {
            let Err((message, _)) = Login::from_json(&damaged) else { panic!("{damaged} is no login") };
            assert!(!message.contains("Jj8IYR"), "{message}");
        }
    }

    #[test]
    fn a_session_is_due_a_minute_before_it_ends() {
        let secret = |text: &str| text.parse::<Secret>().expect("a secret");
        let login = Login::Session {
            access: secret(SESSION),
            refresh: secret(REFRESH),
            access_ends_at: at("2027-01-31T12:00:00Z"),
        };
        for (now, due, ended) in [
            ("2027-01-31T11:58:59Z", false, false),
            ("2027-01-31T11:59:00Z", true, false),
            ("2027-01-31T12:00:00Z", true, true),
            ("2027-02-01T12:00:00Z", true, true),
        ] {
            assert_eq!((login.needs_refresh(at(now)), login.has_ended(at(now))), (due, ended), "{now}");
        }
        assert!(!Login::Secret(secret(SESSION)).needs_refresh(at("2027-01-31T12:00:00Z")));
    }

    #[test]
    fn a_session_is_revoked_and_a_token_is_not() {
        let revocable = |kept: &Value| {
            let login = Login::from_json(kept).expect("a login");
            login.revocable().map(Secret::kind)
        };
        let session =
            json!({ "access": SESSION, "refresh": REFRESH, "access_ends_at": "2027-01-31T12:00:00Z" });
        assert_eq!(revocable(&session), Some(SecretKind::Refresh));
        assert_eq!(revocable(&json!(SESSION)), Some(SecretKind::Session));
        assert_eq!(revocable(&json!(TOKEN)), None);
    }
}
