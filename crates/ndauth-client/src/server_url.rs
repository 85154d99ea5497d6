//! The address of a server.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use tonic::transport::Uri;

/// The address of a server: `https://HOST:PORT` or `http://HOST:PORT`, without a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    text: String,
    tls: bool,
    loopback: bool,
}

/// The error for a text that is not the address of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidServerUrl {
    /// The text is not a URL of this form.
    #[error("expected `https://HOST:PORT`, or `http://HOST:PORT` for this machine")]
    Shape,
}

impl ServerUrl {
    /// Returns true if the connection is encrypted.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Returns the host and the port, as in the `Host` header.
    pub fn authority(&self) -> &str {
        self.text.split_once("//").map_or("", |(_, authority)| authority)
    }

    /// Returns the host, without the brackets of an IPv6 address, and the port.
    pub fn host_and_port(&self) -> (&str, u16) {
        let usual = if self.tls { 443 } else { 80 };
        let authority = self.authority();
        // A colon within brackets does not begin a port.
        let (host, port) = match authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
            Some((host, port)) => (host, port.parse().unwrap_or(usual)),
            None => (authority, usual),
        };
        (host.trim_start_matches('[').trim_end_matches(']'), port)
    }

    /// Returns true if the server is on this machine, so that requests cross no network.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }
}

impl FromStr for ServerUrl {
    type Err = InvalidServerUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text.parse().map_err(|_| InvalidServerUrl::Shape)?;
        let scheme = uri.scheme_str().filter(|scheme| ["http", "https"].contains(scheme));
        let scheme = scheme.ok_or(InvalidServerUrl::Shape)?;
        let authority = uri.authority().ok_or(InvalidServerUrl::Shape)?;
        let bare = uri.path() == "/" && uri.query().is_none() && !authority.as_str().contains('@');
        if !bare || authority.host().is_empty() {
            return Err(InvalidServerUrl::Shape);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let loopback = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        // The host is case-insensitive, and logins are stored under this text: it is written in lower case.
        let text = format!("{scheme}://{}", authority.as_str().to_ascii_lowercase());
        Ok(ServerUrl { text, tls: scheme == "https", loopback })
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let row = |text: &str, expected: Result<(&str, bool), InvalidServerUrl>| {
            let parsed = text.parse::<ServerUrl>();
            let found = parsed.as_ref().map(|url| (url.text.as_str(), url.loopback));
            assert_eq!(found, expected.as_ref().map(|pair| *pair), "{text}");
        };
        row("http://127.0.0.1:7711", Ok(("http://127.0.0.1:7711", true)));
        row("http://127.0.0.1:7711/", Ok(("http://127.0.0.1:7711", true)));
        row("http://[::1]:7711", Ok(("http://[::1]:7711", true)));
        row("http://localhost:7711", Ok(("http://localhost:7711", true)));
        row("http://ndauth.example.org", Ok(("http://ndauth.example.org", false)));
        row("http://127.0.0.1.evil.example", Ok(("http://127.0.0.1.evil.example", false)));
        row("https://ndauth.example.org", Ok(("https://ndauth.example.org", false)));
        row("HTTPS://NDAUTH.example.org:443", Ok(("https://ndauth.example.org:443", false)));
        for (text, expected) in [
            ("http://127.0.0.1:7711", ("127.0.0.1", 7711)),
            ("http://[::1]:7711", ("::1", 7711)),
            ("https://[::1]", ("::1", 443)),
            ("http://ndauth.example.org", ("ndauth.example.org", 80)),
        ] {
            assert_eq!(text.parse::<ServerUrl>().expect("an address").host_and_port(), expected, "{text}");
        }
        for bad in
            ["", "127.0.0.1:7711", "ftp://x", "http://", "http://a@b", "http://a/b", "http://a?b", "/x"]
        {
            row(bad, Err(InvalidServerUrl::Shape));
        }
    }
}
