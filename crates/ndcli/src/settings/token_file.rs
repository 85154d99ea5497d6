//! The source of the credential, and the file that NDCLI_TOKEN_FILE names: a secret alone, or an object of the secret
//! and the server that it is for.
//!
//! ```json
//! {"bearer_token":"ndpat_…","server":"https://ndauth.example.org"}
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use ndauth_client::ServerUrl;
use ndauth_terminal::Failure;
use ndauth_terminal::environment::variable;
use serde_json::{Value, json};

/// The sources of a credential, in order of precedence.
#[derive(Clone, Default)]
pub(crate) enum CredentialSource {
    /// The text after `--token`.
    Flag(String),
    /// The text in NDCLI_TOKEN.
    Variable(String),
    /// The file that NDCLI_TOKEN_FILE names. It is read once: it may be a pipe.
    File(TokenFileContent),
    /// The login that is stored for the server.
    #[default]
    StoredLogin,
}

/// The content of a token file.
#[derive(Clone)]
pub(crate) struct TokenFileContent {
    pub(crate) path: PathBuf,
    /// The secret, not validated yet.
    pub(crate) secret: String,
    /// The only server that the secret is for, where the file names it.
    pub(crate) server: Option<ServerUrl>,
}

/// The form in which a secret is stored.
#[derive(Clone)]
pub(crate) enum SecretShape {
    /// The secret alone.
    Bare,
    /// An object with the secret and its server.
    WithServer(ServerUrl),
}

const BEARER_TOKEN: &str = "bearer_token";
const SERVER: &str = "server";

impl CredentialSource {
    /// Returns the source in force, given the value of `--token`. An empty variable counts as unset.
    pub(crate) fn choose(flag: Option<&str>) -> Result<CredentialSource, Failure> {
        match (CredentialSource::without_file(flag), variable("NDCLI_TOKEN_FILE")) {
            (CredentialSource::StoredLogin, Some(path)) => {
                Ok(CredentialSource::File(TokenFileContent::read(path.into())?))
            }
            (source, _) => Ok(source),
        }
    }

    /// Returns the source for a command that makes or ends a stored login. A token file is neither read, nor does its
    /// server receive what the person hands over.
    pub(crate) fn without_file(flag: Option<&str>) -> CredentialSource {
        match (flag, variable("NDCLI_TOKEN")) {
            (Some(text), _) => CredentialSource::Flag(text.to_owned()),
            (None, Some(text)) => CredentialSource::Variable(text.to_string_lossy().into_owned()),
            (None, None) => CredentialSource::StoredLogin,
        }
    }
}

impl TokenFileContent {
    /// Reads a token file.
    fn read(path: PathBuf) -> Result<TokenFileContent, Failure> {
        let text = fs::read_to_string(&path).map_err(|error| {
            let message =
                format!("cannot read the file that NDCLI_TOKEN_FILE names, `{}`: {error}", path.display());
            Failure::not_authenticated(message, "set NDCLI_TOKEN_FILE to a file that holds the token")
        })?;
        if !text.trim_start().starts_with('{') {
            let secret = text.trim_end_matches(['\r', '\n']).to_owned();
            return Ok(TokenFileContent { path, secret, server: None });
        }
        let whole: Value = serde_json::from_str(&text).unwrap_or_default();
        let secret = whole.get(BEARER_TOKEN).and_then(Value::as_str).ok_or_else(|| {
            let message = format!(
                "the file that NDCLI_TOKEN_FILE names, `{}`, holds no `bearer_token`",
                path.display()
            );
            Failure::not_authenticated(message, r#"it holds `{"bearer_token": "…"}`, or the token alone"#)
        })?;
        let server = whole.get(SERVER).map(|value| server(value, &path)).transpose()?;
        Ok(TokenFileContent { secret: secret.to_owned(), server, path })
    }
}

/// Reads the server. A value that names none is an error, so that the secret is not sent elsewhere.
fn server(value: &Value, path: &Path) -> Result<ServerUrl, Failure> {
    let parsed = value.as_str().map(str::parse::<ServerUrl>);
    let why = match parsed {
        Some(Ok(server)) => return Ok(server),
        Some(Err(why)) => why.to_string(),
        None => "it is no text".to_owned(),
    };
    let message = format!(
        "the `server` in the file that NDCLI_TOKEN_FILE names, `{}`, is no URL of a server: {why}",
        path.display()
    );
    Err(Failure::not_authenticated(message, "write it as `\"server\": \"https://…\"`, or leave it out"))
}

impl SecretShape {
    /// Returns a secret in this form, on one line.
    pub(crate) fn text(&self, secret: &str) -> String {
        match self {
            SecretShape::Bare => secret.to_owned(),
            SecretShape::WithServer(server) => {
                json!({ BEARER_TOKEN: secret, SERVER: server.to_string() }).to_string()
            }
        }
    }
}
