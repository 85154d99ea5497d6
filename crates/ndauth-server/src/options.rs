//! Options of the server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ndauth_authority::{DatabaseUrl, Freshness, LoginSettings};
use ndauth_core::{OrgSlug, Orgs};

use crate::front::Limits;
use crate::mail::MailSettings;
use crate::telemetry::TraceSettings;
use crate::tls::TlsFiles;

/// The options of serving.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The address of gRPC and the pages.
    pub listen: SocketAddr,
    /// The address of health and metrics.
    pub admin_listen: SocketAddr,
    /// The database.
    pub database: DatabaseUrl,
    /// The files that hold its password, and that none but their owner should read.
    pub secret_files: Vec<PathBuf>,
    /// The folder of ndauthd's own files, if it has one.
    pub data: Option<PathBuf>,
    /// The certificate and its key, where what crosses the network is encrypted here.
    pub tls: Option<TlsFiles>,
    /// True if the operator permits plain text beyond loopback.
    pub plaintext_beyond_loopback: bool,
    /// The longest time from the signal to stop until the end: for calls in flight, and for final writes.
    pub drain: Duration,
    /// The freshness of answers.
    pub freshness: Freshness,
    /// The limits of clients.
    pub limits: Limits,
    /// The address at which browsers and clients reach the server, as [`crate::parse_public_url`] reads it; where it is not said, at the address
    /// that it listens on.
    pub public_url: Option<String>,
    /// The origins whose scripts may call the API and read its responses. None unless the operator names them.
    pub cors_origins: Vec<String>,
    /// The collector of traces, if there is one.
    pub traces: Option<TraceSettings>,
    /// The orgs whose tokens' time to expiry is in the metrics. None unless the operator names them.
    pub org_token_expiry: Option<Orgs<OrgSlug>>,
    /// The lifetimes of sessions, and the ways to begin one.
    pub logins: LoginSettings,
    /// The settings of mail, if notices are mailed.
    pub mail: Option<MailSettings>,
}

impl ServeOptions {
    /// The address at which browsers and clients reach the server.
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
