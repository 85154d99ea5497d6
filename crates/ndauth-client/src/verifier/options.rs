//! Options of a verifier.

use std::path::PathBuf;
use std::time::Duration;

use crate::{Credentials, Observer, ServerUrl};

/// The servers of a verifier, and the limits of its cache.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct VerifierOptions {
    /// The server.
    pub server: ServerUrl,
    /// Other servers of the same installation. If one cannot be reached, the next is asked.
    pub others: Vec<ServerUrl>,
    /// The credentials of the service.
    pub credentials: Credentials,
    /// A PEM file with the certificates of the trusted authorities; the system's trust store if `None`.
    pub ca_file: Option<PathBuf>,
    /// The timeout of a request, all retries together.
    pub timeout: Duration,
    /// The most secrets in the cache; each takes about half a kilobyte.
    pub capacity: usize,
    /// The observer that every call to a server is reported to.
    pub observer: Observer,
}

/// The default capacity.
const CAPACITY: usize = 100_000;
/// The default timeout.
const TIME_LIMIT: Duration = Duration::from_secs(2);

impl VerifierOptions {
    /// Returns the default options for this server.
    pub fn new(server: ServerUrl, credentials: Credentials) -> VerifierOptions {
        VerifierOptions {
            server,
            others: Vec::new(),
            credentials,
            ca_file: None,
            timeout: TIME_LIMIT,
            capacity: CAPACITY,
            observer: Observer::default(),
        }
    }
}
