//! Options of a verifier.

use std::path::PathBuf;
use std::time::Duration;

use crate::{Credentials, Observer, ServerUrl};

/// How a verifier reaches its servers, and how much it keeps.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct VerifierOptions {
    /// The server.
    pub server: ServerUrl,
    /// Others of the same installation: where one cannot be reached, the next is asked.
    pub others: Vec<ServerUrl>,
    /// What the service presents.
    pub credentials: Credentials,
    /// A file of PEM with the certificates of the authorities that are trusted; without one, those that the system
    /// trusts.
    pub ca_file: Option<PathBuf>,
    /// How long a question may take, all tries together.
    pub timeout: Duration,
    /// How many secrets are kept at the most; each takes about half a kilobyte.
    pub capacity: usize,
    /// What is told of every call to a server.
    pub observer: Observer,
}

/// How many secrets are kept where nothing else is said.
const CAPACITY: usize = 100_000;
/// How long a question may take where nothing else is said.
const PATIENCE: Duration = Duration::from_secs(2);

impl VerifierOptions {
    /// The usual, for this server.
    pub fn new(server: ServerUrl, credentials: Credentials) -> VerifierOptions {
        VerifierOptions {
            server,
            others: Vec::new(),
            credentials,
            ca_file: None,
            timeout: PATIENCE,
            capacity: CAPACITY,
            observer: Observer::default(),
        }
    }
}
