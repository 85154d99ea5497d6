//! Credentials: their sources, and the refresh of a login that ends soon.
//!
//! The order is `--token`, `NDCLI_TOKEN`, `NDCLI_TOKEN_FILE`, the stored login. An empty variable counts as
//! unset. If one of them holds no valid secret, the command fails without trying the next: a truncated secret
//! must not act as somebody else. A stored login is only sent to the server that it was stored for, and a secret in a
//! token file that names a server only to that one, unless a flag or a variable names another.

use std::path::PathBuf;
use std::sync::Once;

use ndauth_client::ServerUrl;
use ndauth_core::{InvalidSecret, Secret};
use ndauth_terminal::environment::{all, stated};
use ndauth_terminal::{ExposedFile, Failure, hint, warn};

use super::logins::{self, KeptIn, Login, Stored};
use super::oauth;
use crate::clock::now;
use crate::settings::CommonOptions;
use crate::settings::token_file::CredentialSource;

/// A credential and its source.
pub(crate) struct ResolvedCredential {
    pub(crate) secret: Secret,
    pub(crate) source: &'static str,
    /// The file that it came from, if any.
    pub(crate) path: Option<PathBuf>,
    /// The stored login that it came from, if any.
    pub(crate) login: Option<Stored>,
}

/// The reason to refresh a stored login.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefreshReason {
    /// It ends soon.
    Soon,
    /// The server refused it.
    Refused,
}

/// Returns the effective credential. A stored login that ends soon is refreshed first.
pub(crate) async fn fresh(common: &CommonOptions) -> Result<ResolvedCredential, Failure> {
    let credential = find(common)?;
    if let Some(exposed) = credential.path.as_deref().and_then(ExposedFile::find) {
        static WARNED: Once = Once::new();
        WARNED.call_once(|| exposed.warn(credential.source));
    }
    match &credential.login {
        Some(stored) if stored.login.needs_refresh(now()) => {
            refreshed(common, &credential.secret, RefreshReason::Soon).await
        }
        _ => Ok(credential),
    }
}

/// Returns the stored login after a refresh, by this process or by another that was faster. `old` is the
/// secret that no longer works, or soon will not.
pub(crate) async fn refreshed(
    common: &CommonOptions,
    old: &Secret,
    due: RefreshReason,
) -> Result<ResolvedCredential, Failure> {
    let server = &common.server;
    let lock = logins::lock(common.timeout).await?;
    let stored = logins::find(server)?.ok_or_else(|| missing(server))?;
    let replaced = !stored.login.secret().reads(old.expose().as_bytes());
    let Login::Session { refresh, .. } = &stored.login else { return of_login(stored) };
    if replaced && (due == RefreshReason::Refused || !stored.login.needs_refresh(now())) {
        return of_login(stored);
    }
    match oauth::refresh(common, refresh).await {
        Ok(login) => {
            let kept_in = lock.store(server, &login, stored.kept_in)?;
            of_login(Stored { login, kept_in })
        }
        Err(error) if error.is_invalid_grant() => {
            lock.forget(server)?;
            let message = format!("the login to `{server}` has ended");
            Err(Failure::not_authenticated(message, "log in again: `ndcli auth login`"))
        }
        // The session still works for a moment.
        Err(error)
            if error.is_undecided() && due == RefreshReason::Soon && !stored.login.has_ended(now()) =>
        {
            of_login(stored)
        }
        Err(error) => Err(error.into()),
    }
}

/// Returns the effective credential without refreshing it.
pub(crate) fn find(common: &CommonOptions) -> Result<ResolvedCredential, Failure> {
    match &common.credential {
        CredentialSource::Flag(text) => {
            static WARNED: Once = Once::new();
            WARNED.call_once(|| {
                warn("everyone who can list this machine's processes can read `--token`; prefer NDCLI_TOKEN");
            });
            parse(text, "--token", None)
        }
        CredentialSource::Variable(text) => parse(text, "NDCLI_TOKEN", None),
        CredentialSource::File(content) => {
            parse(&content.secret, "NDCLI_TOKEN_FILE", Some(content.path.clone()))
        }
        CredentialSource::StoredLogin => match logins::find(&common.server)? {
            Some(stored) => of_login(stored),
            None => Err(missing(&common.server)),
        },
    }
}

/// Stores a login for later commands, and revokes the one that it replaces.
pub(crate) async fn keep(
    common: &CommonOptions,
    login: Login,
    wanted: KeptIn,
) -> Result<ResolvedCredential, Failure> {
    let server = &common.server;
    let (before, kept_in) = {
        let lock = logins::lock(common.timeout).await?;
        // A login that cannot be read cannot be revoked, and must not prevent a new one.
        let before = logins::find(server).ok().flatten();
        (before, lock.store(server, &login, wanted)?)
    };
    let other = |before: &Login| !before.secret().reads(login.secret().expose().as_bytes());
    let before = before.map(|stored| stored.login).filter(other);
    if let Some(secret) = before.as_ref().and_then(Login::revocable)
        && let Err(error) = oauth::revoke(common, secret).await
    {
        let why = Failure::from(error).message;
        warn(&format!("the login that this one replaces is still valid at the server: {why}"));
        hint("`ndcli auth sessions list` shows it, and `ndcli auth sessions revoke` ends it");
    }
    of_login(Stored { login, kept_in })
}

fn of_login(stored: Stored) -> Result<ResolvedCredential, Failure> {
    let path = match stored.kept_in {
        KeptIn::File => Some(logins::file()?),
        KeptIn::Keyring => None,
    };
    let secret = stored.login.secret().clone();
    Ok(ResolvedCredential { secret, source: "stored login", path, login: Some(stored) })
}

/// Returns the failure for a missing credential, with its most likely cause.
fn missing(server: &ServerUrl) -> Failure {
    let message = format!("there is no credential for the server `{server}`");
    for name in ["NDCLI_TOKEN", "NDCLI_TOKEN_FILE"] {
        if stated(name).is_some_and(|value| value.is_empty()) {
            let message = format!("{message}: {name} is set, and empty");
            let hint = "the CI secret behind it is missing, has another name, or is withheld from this build";
            return Failure::not_authenticated(message, hint);
        }
    }
    // The message contains the variable's name, never its value.
    if let Some((name, _)) = all().into_iter().find(|(_, value)| value.parse::<Secret>().is_ok()) {
        let message = format!("{message}: the variable {name} holds a token, but is not read");
        return Failure::not_authenticated(message, "call it NDCLI_TOKEN");
    }
    Failure::not_authenticated(message, "set NDCLI_TOKEN, or log in with `ndcli auth login`")
}

/// Parses a secret that a person or a pipeline supplied.
pub(crate) fn parse(
    text: &str,
    source: &'static str,
    path: Option<PathBuf>,
) -> Result<ResolvedCredential, Failure> {
    match text.parse() {
        Ok(secret) => Ok(ResolvedCredential { secret, source, path, login: None }),
        Err(why) => {
            let why: InvalidSecret = why;
            Err(Failure::not_authenticated(format!("{source} holds no token: {why}"), why.hint()))
        }
    }
}
