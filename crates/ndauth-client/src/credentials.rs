//! The secret that a service authenticates with, and its source.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use ndauth_core::{InvalidSecret, Secret};
use tonic::metadata::AsciiMetadataValue;

use crate::client::bearer;

/// A service's own secret, from a value, a variable or a file. Clones share it.
#[derive(Clone)]
pub struct Credentials(Arc<Source>);

enum Source {
    Given(AsciiMetadataValue),
    /// A file, and the last secret that was read from it.
    File(PathBuf, Mutex<Option<AsciiMetadataValue>>),
}

/// The error for credentials without a valid secret.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum InvalidCredentials {
    /// The variable is not set, or empty.
    #[error("the variable `{0}` is not set, or empty: it should hold the service's secret")]
    Unset(String),
    /// The file cannot be read.
    #[error("cannot read the service's secret in `{}`: {why}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// The reason.
        why: std::io::Error,
    },
    /// The value is not a secret.
    #[error("{place} holds no secret: {why}")]
    Malformed {
        /// The variable or the file.
        place: String,
        /// The reason.
        why: InvalidSecret,
    },
}

impl Credentials {
    /// Returns credentials with this secret.
    pub fn given(secret: &Secret) -> Credentials {
        Credentials(Arc::new(Source::Given(bearer(secret))))
    }

    /// Reads the secret from an environment variable, once.
    pub fn from_environment(variable: &str) -> Result<Credentials, InvalidCredentials> {
        #[expect(clippy::disallowed_methods, reason = "whoever calls this asks for it")]
        let text = std::env::var(variable).unwrap_or_default();
        if text.is_empty() {
            return Err(InvalidCredentials::Unset(variable.to_owned()));
        }
        Ok(Credentials::given(&parsed(&text, || format!("the variable `{variable}`"))?))
    }

    /// Reads the secret from a file, and reads the file again for each call. One line break after the secret
    /// is allowed. While the file is missing or incomplete, the secret that was read last is sent.
    ///
    /// Fails if the file holds no secret now.
    pub fn from_file(file: impl Into<PathBuf>) -> Result<Credentials, InvalidCredentials> {
        let credentials = Credentials(Arc::new(Source::File(file.into(), Mutex::default())));
        credentials.bearer()?;
        Ok(credentials)
    }

    /// Returns the value of the `authorization` header for a call.
    pub(crate) fn bearer(&self) -> Result<AsciiMetadataValue, InvalidCredentials> {
        let (file, read) = match &*self.0 {
            Source::Given(bearer) => return Ok(bearer.clone()),
            Source::File(file, read) => (file, read),
        };
        let mut last = read.lock().unwrap_or_else(PoisonError::into_inner);
        match (read_file(file), &*last) {
            (Ok(secret), _) => Ok(last.insert(bearer(&secret)).clone()),
            (Err(_), Some(last)) => Ok(last.clone()),
            (Err(why), None) => Err(why),
        }
    }
}

fn read_file(file: &Path) -> Result<Secret, InvalidCredentials> {
    let text =
        fs::read_to_string(file).map_err(|why| InvalidCredentials::File { file: file.to_owned(), why })?;
    let text = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    parsed(text, || format!("the file `{}`", file.display()))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Transient and invalid contents of the file do not replace the secret that was read before.
    #[test]
    fn a_file_that_is_gone_or_half_written_keeps_what_was_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("service");
        assert!(Credentials::from_file(&file).is_err(), "there is none yet");
        let secret = |letter: &str| format!("ndsvc_{}", letter.repeat(43));
        let (first, second) = (secret("A"), secret("Q"));
        fs::write(&file, &first).expect("written");
        let credentials = Credentials::from_file(&file).expect("a secret");
        let presented = || credentials.bearer().expect("a secret").to_str().expect("plain").to_owned();
        for text in [Some(""), Some(&first[..20]), Some("nonsense"), None] {
            match text {
                Some(text) => fs::write(&file, text).expect("written"),
                None => fs::remove_file(&file).expect("removed"),
            }
            assert_eq!(presented(), format!("Bearer {first}"), "{text:?}");
        }
        // A secret of the same length and with the same modification time is still noticed.
        fs::write(&file, &first).expect("written");
        let written = fs::metadata(&file).expect("it is there").modified().expect("a time");
        fs::write(&file, format!("{second}\r\n")).expect("written");
        fs::File::options().write(true).open(&file).and_then(|file| file.set_modified(written)).expect("set");
        assert_eq!(presented(), format!("Bearer {second}"));
    }
}
