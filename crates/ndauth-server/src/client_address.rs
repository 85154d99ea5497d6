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

/// Returns the last address of the last `X-Forwarded-For`: the peer of the proxy that sent the request. An error if that is
/// no address.
pub(crate) fn last_forwarded(headers: &HeaderMap) -> Result<Option<IpAddr>, ()> {
    let Some(last) = headers.get_all(FORWARDED_FOR).iter().next_back() else { return Ok(None) };
    let last = last.to_str().ok().and_then(|text| text.rsplit(',').next());
    last.and_then(read).map(Some).ok_or(())
}

/// Parses an address, with or without a port.
fn read(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let plain = text.parse().or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    plain.ok().map(|address: IpAddr| address.to_canonical())
}
