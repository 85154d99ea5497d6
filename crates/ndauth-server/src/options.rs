//! Options of the server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ndauth_authority::{DatabaseUrl, Freshness, LoginSettings};

use crate::front::Limits;
use crate::tls::TlsFiles;

/// Where and how to serve.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Where gRPC and the pages are served.
    pub listen: SocketAddr,
    /// Where health and metrics are served.
    pub admin_listen: SocketAddr,
    /// The database.
    pub database: DatabaseUrl,
    /// The files that hold its password, and that none but their owner should read.
    pub secret_files: Vec<PathBuf>,
    /// Where ndauthd keeps its own files, if anywhere.
    pub data: Option<PathBuf>,
    /// The certificate and its key, where what crosses the network is encrypted here.
    pub tls: Option<TlsFiles>,
    /// Whether plain text beyond loopback is what the operator wants.
    pub plaintext_beyond_loopback: bool,
    /// The longest time from the signal to stop until the end: for calls in flight, and for final writes.
    pub drain: Duration,
    /// How fresh answers are.
    pub freshness: Freshness,
    /// What clients may take of the server.
    pub limits: Limits,
    /// How browsers and clients reach it, as [`crate::parse_public_url`] reads it; where it is not said, at the address
    /// that it listens on.
    pub public_url: Option<String>,
    /// How long sessions last, and how they may begin.
    pub logins: LoginSettings,
}

impl ServeOptions {
    /// How browsers and clients reach it.
    pub(crate) fn issuer(&self, address: SocketAddr) -> String {
        if let Some(url) = &self.public_url {
            return url.clone();
        }
        if address.ip().is_unspecified() {
            tracing::warn!(
                %address,
                "browsers cannot be sent to this address: set `--public-url` to the address at which they reach this server"
            );
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{address}")
    }
}
