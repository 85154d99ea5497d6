//! The address of a client, which may be behind trusted proxies. Every surface uses the same one.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};
use ndauth_core::Networks;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Returns the client's address: the peer's own, or the one that a trusted proxy reports.
///
/// Each proxy appends the address of its peer to `X-Forwarded-For`. The last address that is not a trusted
/// proxy's is therefore the client's; the addresses before it may be forged.
pub(crate) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: Option<&Networks>) -> IpAddr {
    let mut address = peer.to_canonical();
    let Some(trusted) = trusted else { return address };
    let forwarded: Vec<&str> = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or("unreadable").split(','))
        .collect();
    let mut forwarded = forwarded.into_iter().rev();
    while trusted.hold(address) {
        match forwarded.next().map(read) {
            Some(Some(before)) => address = before,
            Some(None) | None => break,
        }
    }
    address
}

/// Parses an address, with or without a port.
fn read(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let plain = text.parse().or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    plain.ok().map(|address: IpAddr| address.to_canonical())
}
