//! Credentials: where they are looked for, and how a login is kept.
//!
//! The order is `--token`, `NDCLI_TOKEN`, `NDCLI_TOKEN_FILE`, the stored login. An empty variable is as
//! good as none. One that holds no secret fails, and the next in the order is not tried: a secret that
//! was cut in copying must not act as somebody else.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use ndauth_client::{Client, ServerUrl};
use ndauth_core::Secret;
use serde_json::{Map, Value, json};

use crate::arguments::Common;
use crate::failure::Failure;
use crate::terminal::aside;

/// A credential, and where it was found.
pub(crate) struct Credential {
    pub(crate) secret: Secret,
    pub(crate) source: &'static str,
    /// The file, where it came from one.
    pub(crate) path: Option<PathBuf>,
}

/// The credential in force.
pub(crate) fn find(common: &Common) -> Result<Credential, Failure> {
    if let Some(text) = &common.token {
        aside(
            "warning: everyone who can list this machine's processes can read `--token`; prefer NDCLI_TOKEN",
        );
        return parse(text, "--token", None);
    }
    if let Some(text) = variable(OsStr::new("NDCLI_TOKEN")) {
        return parse(&text.to_string_lossy(), "NDCLI_TOKEN", None);
    }
    if let Some(path) = variable(OsStr::new("NDCLI_TOKEN_FILE")) {
        let path = PathBuf::from(path);
        let text = fs::read_to_string(&path).map_err(|error| {
            let message =
                format!("cannot read the file that NDCLI_TOKEN_FILE names, `{}`: {error}", path.display());
            Failure::not_authenticated(message, "let NDCLI_TOKEN_FILE name a file that holds the token")
        })?;
        return parse(text.trim_end_matches(['\r', '\n']), "NDCLI_TOKEN_FILE", Some(path));
    }
    let path = file()?;
    match stored(&path)?.get(&common.server.to_string()).and_then(Value::as_str) {
        Some(text) => parse(text, "stored login", Some(path)),
        None => Err(Failure::not_authenticated(
            format!("there is no credential for the server `{}`", common.server),
            "set NDCLI_TOKEN, or log in with `ndcli auth login --with-token`",
        )),
    }
}

/// Connects with the credential in force.
pub(crate) async fn connect(common: &Common) -> Result<(Client, Credential), Failure> {
    let credential = find(common)?;
    let client = connect_with(common, &credential.secret).await?;
    Ok((client, credential))
}

/// Connects with a credential. It goes nowhere in plain text unless it stays on this machine.
pub(crate) async fn connect_with(common: &Common, secret: &Secret) -> Result<Client, Failure> {
    if !common.server.is_loopback() && !common.plaintext_beyond_loopback {
        let message = format!("the credential would cross the network to `{}` in plain text", common.server);
        let hint =
            "reach the server by a tunnel or proxy on this machine, or say `--plaintext-beyond-loopback`";
        return Err(Failure::usage(message, hint));
    }
    Ok(Client::connect(&common.server, Some(secret)).await?)
}

/// Reads a secret that a person or a pipeline gave.
pub(crate) fn parse(text: &str, source: &'static str, path: Option<PathBuf>) -> Result<Credential, Failure> {
    match text.parse() {
        Ok(secret) => Ok(Credential { secret, source, path }),
        Err(why) => Err(Failure::not_authenticated(
            format!("{source} holds no token: {why}"),
            "copy the token again, whole and without line breaks",
        )),
    }
}

/// The value of an environment variable, unless it is empty.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(crate) fn variable(name: &OsStr) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Keeps a login for a server.
pub(crate) fn store(server: &ServerUrl, secret: &Secret) -> Result<PathBuf, Failure> {
    let path = file()?;
    let mut logins = stored(&path)?;
    logins.insert(server.to_string(), Value::from(secret.expose()));
    write(&path, &logins)?;
    Ok(path)
}

/// Forgets the login for a server. Says whether there was one.
pub(crate) fn forget(server: &ServerUrl) -> Result<bool, Failure> {
    let path = file()?;
    let mut logins = stored(&path)?;
    let had = logins.remove(&server.to_string()).is_some();
    if had {
        write(&path, &logins)?;
    }
    Ok(had)
}

/// `credentials.json` in the platform's folder for configuration.
fn file() -> Result<PathBuf, Failure> {
    let home = etcetera::choose_base_strategy().map_err(|_| {
        Failure::failed("there is no home folder to keep a login in", Some("set HOME, or NDCLI_TOKEN"))
    })?;
    Ok(home.config_dir().join("ndcli").join("credentials.json"))
}

/// The logins that are kept: a secret for each server.
fn stored(path: &Path) -> Result<Map<String, Value>, Failure> {
    let trouble =
        |what: &str, hint: &str| Failure::not_authenticated(format!("`{}` {what}", path.display()), hint);
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Map::new()),
        Err(error) => return Err(trouble(&format!("cannot be read: {error}"), "check whose it is")),
    };
    if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
        let hint = format!("run `chmod 600 {}`; if others use this machine, log in anew", path.display());
        return Err(trouble("can be read by others on this machine", &hint));
    }
    let logins = serde_json::from_str::<Value>(&text)
        .ok()
        .and_then(|mut whole| whole.get_mut("logins").map(Value::take))
        .and_then(|logins| if let Value::Object(logins) = logins { Some(logins) } else { None });
    logins.ok_or_else(|| trouble("is damaged", "remove it and log in again"))
}

/// Replaces the file whole or not at all: 0600, in a folder of 0700.
fn write(path: &Path, logins: &Map<String, Value>) -> Result<(), Failure> {
    let folder = path.parent().expect("the file lies in a folder");
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(0o600)).tempfile_in(folder)?;
    let text = serde_json::to_string_pretty(&json!({ "version": 1, "logins": logins }))
        .expect("a map of texts is plain data");
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()?;
    Ok(())
}
