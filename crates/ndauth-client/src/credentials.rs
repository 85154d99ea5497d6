//! What a service presents of itself, and where that comes from.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use ndauth_core::{InvalidSecret, Secret};
use tonic::metadata::AsciiMetadataValue;

use crate::client::bearer;

/// A service's own secret, and where it comes from. Clones share it.
#[derive(Clone)]
pub struct Credentials(Arc<Source>);

enum Source {
    Given(AsciiMetadataValue),
    File(PathBuf, Mutex<Option<(Mark, AsciiMetadataValue)>>),
}

/// By what it is seen that a file is another.
type Mark = (Option<SystemTime>, u64);

/// Why there is no secret to present.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum InvalidCredentials {
    /// The variable is not set, or empty.
    #[error("the variable `{0}` is not set, or empty: it should hold the service's secret")]
    Unset(String),
    /// The file cannot be read.
    #[error("cannot read the service's secret in `{}`: {why}", file.display())]
    File {
        /// Which file.
        file: PathBuf,
        /// Why not.
        why: std::io::Error,
    },
    /// What is there is no secret.
    #[error("{place} holds no secret: {why}")]
    Malformed {
        /// Where.
        place: String,
        /// Why not.
        why: InvalidSecret,
    },
}

impl Credentials {
    /// This secret.
    pub fn given(secret: &Secret) -> Credentials {
        Credentials(Arc::new(Source::Given(bearer(secret))))
    }

    /// What an environment variable holds now.
    pub fn from_environment(variable: &str) -> Result<Credentials, InvalidCredentials> {
        #[expect(clippy::disallowed_methods, reason = "whoever calls this asks for it")]
        let text = std::env::var(variable).unwrap_or_default();
        if text.is_empty() {
            return Err(InvalidCredentials::Unset(variable.to_owned()));
        }
        Ok(Credentials::given(&parsed(&text, || format!("the variable `{variable}`"))?))
    }

    /// What a file holds: it is read again when it is changed. One line break behind the secret is let pass.
    pub fn from_file(file: impl Into<PathBuf>) -> Result<Credentials, InvalidCredentials> {
        let credentials = Credentials(Arc::new(Source::File(file.into(), Mutex::default())));
        credentials.bearer()?;
        Ok(credentials)
    }

    /// What is presented with a call.
    pub(crate) fn bearer(&self) -> Result<AsciiMetadataValue, InvalidCredentials> {
        let (file, read) = match &*self.0 {
            Source::Given(bearer) => return Ok(bearer.clone()),
            Source::File(file, read) => (file, read),
        };
        let failed = |why| InvalidCredentials::File { file: file.clone(), why };
        let about = fs::metadata(file).map_err(failed)?;
        let mark = (about.modified().ok(), about.len());
        let mut read = read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, bearer)) = &*read
            && *of == mark
        {
            return Ok(bearer.clone());
        }
        let text = fs::read_to_string(file).map_err(failed)?;
        let text =
            text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
        let secret = parsed(text, || format!("the file `{}`", file.display()))?;
        let (_, bearer) = read.insert((mark, bearer(&secret)));
        Ok(bearer.clone())
    }
}

fn parsed(text: &str, place: impl FnOnce() -> String) -> Result<Secret, InvalidCredentials> {
    Secret::from_str(text).map_err(|why| InvalidCredentials::Malformed { place: place(), why })
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Source::Given(_) => f.write_str("Credentials(given)"),
            Source::File(file, _) => write!(f, "Credentials({})", file.display()),
        }
    }
}
