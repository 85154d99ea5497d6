//! What the handlers answer from, and what holds for all of them.

use std::net::IpAddr;
use std::sync::Arc;

use ndauth_authority::Authority;

/// The one client there is. It has no secret: whoever installs it could read one (RFC 8252, section 8.5).
pub(super) const CLIENT: &str = "ndcli";

/// The largest body that is read.
pub(crate) const MAX_BODY: usize = 64 * 1024;

/// What the pages answer from.
pub(crate) struct Site {
    pub(crate) authority: Arc<Authority>,
    /// `scheme://host:port`, as clients and browsers reach it.
    pub(crate) issuer: String,
    /// Whether devices may be let in by a code.
    pub(crate) device: bool,
}

/// The address of the client that a request came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl Site {
    /// Returns true where what crosses the network to it is encrypted.
    pub(crate) fn is_secure(&self) -> bool {
        self.issuer.starts_with("https://")
    }
}
