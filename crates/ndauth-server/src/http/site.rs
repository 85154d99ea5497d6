//! The state that all handlers share.

use std::net::IpAddr;
use std::sync::Arc;

use ndauth_authority::Authority;

/// The only client. It has no secret: anybody who installs it could read one (RFC 8252, section 8.5).
pub(super) const CLIENT: &str = "ndcli";

/// The largest body that is read, in bytes.
pub(crate) const MAX_BODY: usize = 64 * 1024;

/// The state behind the pages.
pub(crate) struct Site {
    pub(crate) authority: Arc<Authority>,
    /// The URL `scheme://host:port` by which clients and browsers reach the server.
    pub(crate) issuer: String,
    /// True if devices may be authorized by a code.
    pub(crate) device: bool,
}

/// The address of the client that a request came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl Site {
    /// Returns true if connections to it are encrypted on the network.
    pub(crate) fn is_secure(&self) -> bool {
        self.issuer.starts_with("https://")
    }
}
