//! The address of a client, behind proxies that are trusted or not. Every surface sees the same.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};
use ndauth_core::Networks;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client: the peer's own, or what a trusted proxy says. Each proxy writes whom it heard behind
/// what was there, so the last that is no trusted proxy is the first that nobody but a trusted one vouches for.
pub(crate) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: Option<&Networks>) -> IpAddr {
    let mut address = peer.to_canonical();
    let Some(trusted) = trusted else { return address };
    let told: Vec<&str> = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or("unreadable").split(','))
        .collect();
    let mut told = told.into_iter().rev();
    while trusted.hold(address) {
        match told.next().map(read) {
            Some(Some(before)) => address = before,
            Some(None) | None => break,
        }
    }
    address
}

/// An address, with a port or without.
fn read(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let plain = text.parse().or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    plain.ok().map(|address: IpAddr| address.to_canonical())
}
