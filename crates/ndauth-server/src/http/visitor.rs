//! Who visits, as far as it can be told without a credential: from where, and by which browser.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::USER_AGENT;
use axum::http::{HeaderMap, HeaderName};
use ndauth_core::{DisplayName, Networks};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client: the peer's own, or what a trusted proxy says. Each proxy writes whom it heard behind
/// what was there, so the last that is no trusted proxy is the first that nobody but a trusted one vouches for.
pub(super) fn address(peer: IpAddr, headers: &HeaderMap, trusted: Option<&Networks>) -> IpAddr {
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

/// What each browser, and each system, has in what it says of itself; who claims to be another stands before it.
const BROWSERS: [(&str, &str); 6] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];
const SYSTEMS: [(&str, &str); 7] = [
    ("Android", "Android"),
    ("iPhone", "an iPhone"),
    ("iPad", "an iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];

/// The browser, for people: `Firefox on Linux`.
pub(super) fn browser(headers: &HeaderMap) -> Option<DisplayName> {
    let told = headers.get(USER_AGENT)?.to_str().ok()?;
    let known = |table: &[(&str, &'static str)]| {
        table.iter().find(|(mark, _)| told.contains(mark)).map(|(_, name)| *name)
    };
    let name = match (known(&BROWSERS), known(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, _) => return None,
    };
    name.parse().ok()
}
