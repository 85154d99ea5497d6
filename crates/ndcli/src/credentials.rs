//! Credentials: where they are looked for, and how a login is kept.
//!
//! The order is `--token`, `NDCLI_TOKEN`, `NDCLI_TOKEN_FILE`, the stored login. An empty variable is as
//! good as none. One that holds no secret fails, and the next in the order is not tried: a secret that
//! was cut in copying must not act as somebody else. A stored login goes to the server it was stored for.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Once;

use ndauth_client::ServerUrl;
use ndauth_core::{InvalidSecret, Secret};
use ndauth_terminal::environment::{all, stated, variable};
use ndauth_terminal::{Failure, warn};
use serde_json::{Map, Value, json};

use crate::arguments::Common;
use crate::configuration::{folder, replace};

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
        static WARNED: Once = Once::new();
        WARNED.call_once(|| {
            warn("everyone who can list this machine's processes can read `--token`; prefer NDCLI_TOKEN");
        });
        return parse(text, "--token", None);
    }
    if let Some(text) = variable("NDCLI_TOKEN") {
        return parse(&text.to_string_lossy(), "NDCLI_TOKEN", None);
    }
    if let Some(path) = variable("NDCLI_TOKEN_FILE") {
        let path = PathBuf::from(path);
        let text = fs::read_to_string(&path).map_err(|error| {
            let message =
                format!("cannot read the file that NDCLI_TOKEN_FILE names, `{}`: {error}", path.display());
            Failure::not_authenticated(message, "let NDCLI_TOKEN_FILE name a file that holds the token")
        })?;
        let text = match text.trim_start().starts_with('{') {
            false => text.trim_end_matches(['\r', '\n']).to_owned(),
            true => bearer_token(&text).ok_or_else(|| {
                let message = format!(
                    "the file that NDCLI_TOKEN_FILE names, `{}`, holds no `bearer_token`",
                    path.display()
                );
                Failure::not_authenticated(message, r#"it holds `{"bearer_token": "…"}`, or the token alone"#)
            })?,
        };
        return parse(&text, "NDCLI_TOKEN_FILE", Some(path));
    }
    let path = file()?;
    match stored(&path)?.get(&common.server.to_string()).and_then(Value::as_str) {
        Some(text) => parse(text, "stored login", Some(path)),
        None => Err(missing(&common.server)),
    }
}

/// The token in a file as `ndcli token create --token_file` writes it.
fn bearer_token(text: &str) -> Option<String> {
    let whole: Value = serde_json::from_str(text).ok()?;
    whole.get(BEARER_TOKEN)?.as_str().map(str::to_owned)
}

/// The key under which a file of JSON holds a token.
pub(crate) const BEARER_TOKEN: &str = "bearer_token";

/// That there is no credential, and what most likely became of it.
fn missing(server: &ServerUrl) -> Failure {
    let message = format!("there is no credential for the server `{server}`");
    for name in ["NDCLI_TOKEN", "NDCLI_TOKEN_FILE"] {
        if stated(name).is_some_and(|value| value.is_empty()) {
            let message = format!("{message}: {name} is set, and empty");
            let hint = "the CI secret behind it is missing, has another name, or is withheld from this build";
            return Failure::not_authenticated(message, hint);
        }
    }
    // A variable's name is told, never its value.
    if let Some((name, _)) = all().into_iter().find(|(_, value)| value.parse::<Secret>().is_ok()) {
        let message = format!("{message}: the variable {name} holds a token, and nothing reads it");
        return Failure::not_authenticated(message, "call it NDCLI_TOKEN");
    }
    Failure::not_authenticated(message, "set NDCLI_TOKEN, or log in with `ndcli auth login --with-token`")
}

/// Reads a secret that a person or a pipeline gave.
pub(crate) fn parse(text: &str, source: &'static str, path: Option<PathBuf>) -> Result<Credential, Failure> {
    match text.parse() {
        Ok(secret) => Ok(Credential { secret, source, path }),
        Err(why) => {
            let why: InvalidSecret = why;
            Err(Failure::not_authenticated(format!("{source} holds no token: {why}"), why.hint()))
        }
    }
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
    Ok(folder()?.join("credentials.json"))
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

fn write(path: &Path, logins: &Map<String, Value>) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(&json!({ "version": 1, "logins": logins }))
        .expect("a map of texts is plain data");
    replace(path, text.as_bytes())
}
