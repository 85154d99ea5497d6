//! The links to pages, and the places to go after signing in.

use std::time::Duration;

/// Returns the link by which a person sets a password.
pub fn invitation_url(issuer: &str, code: &str) -> String {
    format!("{issuer}/invitation?code={code}")
}

/// Returns the link by which a person signs in once.
pub fn sign_in_url(issuer: &str, code: &str) -> String {
    format!("{issuer}/sign-in/link?code={code}")
}

/// Parses the address of a server as browsers and clients reach it: `https://host` or `http://host:port`,
/// without a path.
pub fn parse_public_url(text: &str) -> Result<String, String> {
    let wrong = |why: &str| Err(format!("{why}: expected `https://HOST` or `http://HOST:PORT`"));
    let text = text.strip_suffix('/').unwrap_or(text);
    let (scheme, authority) = match text.split_once("://") {
        Some((scheme, authority)) => (scheme.to_ascii_lowercase(), authority.to_ascii_lowercase()),
        None => return wrong("it has no scheme"),
    };
    if !matches!(scheme.as_str(), "https" | "http") {
        return wrong("its scheme is not `https`");
    }
    let Ok(parsed) = authority.parse::<axum::http::uri::Authority>() else {
        return wrong("it names no host, or has more after it");
    };
    if parsed.host().is_empty() || authority.contains('@') {
        return wrong("it must name a host only");
    }
    let port = authority.strip_prefix(parsed.host()).unwrap_or(&authority);
    let sound = |port: &str| port.strip_prefix(':')?.parse::<u16>().ok().filter(|port| *port > 0);
    if !port.is_empty() && sound(port).is_none() {
        return wrong("its port is not a number");
    }
    // Browsers leave out the default port of a scheme, and compare the rest.
    let usual = if scheme == "https" { ":443" } else { ":80" };
    let authority = authority.strip_suffix(usual).unwrap_or(&authority);
    Ok(format!("{scheme}://{authority}"))
}

/// Returns the place to go after signing in: a path of this server, or `/` instead.
pub(super) fn after_sign_in(to: &str) -> &str {
    /// The longest place, in bytes. A whole request with the longest state fits.
    const LONGEST: usize = 8 * 1024;
    let plain = to.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') && !to.contains("//");
    if plain && to.starts_with('/') && to.len() <= LONGEST { to } else { "/" }
}

/// Returns the URL of the sign-in page that continues at a place.
pub(super) fn sign_in(to: &str) -> String {
    match to {
        "/" => "/sign-in".to_owned(),
        to => format!("/sign-in?{}", super::fields::query([("to", to)])),
    }
}

/// Formats the time since an event, for people.
pub(super) fn ago(while_: Duration) -> String {
    if while_ < Duration::from_secs(60) {
        return "less than a minute ago".to_owned();
    }
    let minutes = while_.as_secs() / 60;
    format!("{minutes} minute{} ago", if minutes == 1 { "" } else { "s" })
}
