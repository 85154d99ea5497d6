//! HTTP proxies, which open a tunnel to a server (RFC 9110, section 9.3.6).

use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{HOST, PROXY_AUTHORIZATION};
use http::uri::Scheme;
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::Empty;
use hyper::client::conn::http1::handshake;
use hyper::upgrade::Upgraded;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use tower_service::Service;

use crate::ServerUrl;
use crate::dial::{authority, dial, root};

/// An HTTP/1.1 proxy that opens a tunnel to the server. The tunnel carries TLS if the server's URL begins
/// with `https`. Neither its `Debug` nor its `Display` shows the credentials.
#[derive(Clone)]
pub struct HttpProxy {
    /// The host, without the brackets of an IPv6 address.
    host: String,
    port: u16,
    /// Marked as sensitive.
    authorization: Option<HeaderValue>,
}

/// The error for a variable about proxies that cannot be used. Its value is not repeated: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{variable}` cannot be used: {why}")]
pub struct InvalidHttpProxy {
    /// The variable's name.
    pub variable: &'static str,
    /// The reason.
    pub why: &'static str,
}

/// The syntax of a proxy, for messages.
const EXPECTED: &str =
    "expected `http://HOST:PORT` or `http://USER:PASSWORD@HOST:PORT`, and nothing behind it";

/// The reason why a proxy opens no tunnel.
#[derive(Debug, thiserror::Error)]
#[error("the proxy `{proxy}` {why}")]
pub(crate) struct TunnelError {
    pub(crate) proxy: String,
    pub(crate) why: String,
    /// True if a retry may succeed.
    pub(crate) is_transient: bool,
}

/// A connector that opens a tunnel to a server for each connection.
#[derive(Clone)]
pub(crate) struct Tunnels {
    pub(crate) proxy: HttpProxy,
    pub(crate) server: ServerUrl,
}

impl HttpProxy {
    /// Finds the proxy of a server by the usual variables; `variable` gives the value of one. Those in lower case go
    /// first. Nothing is found where the server is on this machine, or where `NO_PROXY` names it. A value that is not
    /// UTF-8 is an error: it must not be taken for no proxy.
    ///
    /// `https_proxy` and `all_proxy` apply to servers whose URL begins with `https`, `http_proxy` and
    /// `all_proxy` to others. `HTTP_PROXY` is ignored: under CGI, a request header sets its value.
    pub fn find(
        server: &ServerUrl,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<HttpProxy>, InvalidHttpProxy> {
        let names: &[&'static str] = match server.is_tls() {
            true => &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
            false => &["http_proxy", "all_proxy", "ALL_PROXY"],
        };
        let text = |names: &[&'static str]| {
            let set = names.iter().find_map(|name| Some((*name, variable(name)?)));
            let text = set.map(|(name, value)| {
                let invalid = |_| InvalidHttpProxy { variable: name, why: "its value is not UTF-8" };
                value.into_string().map(|value| (name, value)).map_err(invalid)
            });
            text.transpose()
        };
        if server.is_loopback() {
            return Ok(None);
        }
        let Some((name, value)) = text(names)? else { return Ok(None) };
        let exempt = text(&["no_proxy", "NO_PROXY"])?.map(|(_, value)| value).unwrap_or_default();
        let uri: Uri = server.to_string().parse().expect("a server's URL is one");
        // Any proxy serves to test the exemption. The matcher takes `*` for all names, but not for addresses.
        let all_are_exempt = exempt.split(',').any(|host| host.trim() == "*");
        if all_are_exempt
            || Matcher::builder().all("http://proxy").no(exempt).build().intercept(&uri).is_none()
        {
            return Ok(None);
        }
        let invalid = InvalidHttpProxy { variable: name, why: EXPECTED };
        if !is_authority_alone(&value) {
            return Err(invalid);
        }
        let found = Matcher::builder().all(value).build().intercept(&uri).ok_or(invalid)?;
        let host =
            found.uri().host().filter(|_| found.uri().scheme() == Some(&Scheme::HTTP)).ok_or(invalid)?;
        Ok(Some(HttpProxy {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: found.uri().port_u16().unwrap_or(80),
            authorization: found.basic_auth().cloned(),
        }))
    }

    /// Opens a tunnel to a server.
    pub(crate) async fn tunnel(&self, server: &ServerUrl) -> Result<Upgraded, TunnelError> {
        let failed = |why: String, is_transient| TunnelError { proxy: self.to_string(), why, is_transient };
        let unreachable =
            |error: &(dyn Error + 'static)| failed(format!("cannot be reached: {}", root(error)), true);
        let broke = |error: hyper::Error| failed(format!("broke off: {error}"), true);
        let stream = dial(&self.host, self.port).await;
        let stream = stream.map_err(|error| unreachable(error.as_ref()))?;
        let (mut requests, connection) = handshake(TokioIo::new(stream)).await.map_err(broke)?;
        // The task ends with the tunnel, or with `requests`.
        tokio::spawn(connection.with_upgrades());
        let (host, port) = server.host_and_port();
        let to = authority(host, port);
        let mut request = Request::connect(&to).header(HOST, &to);
        if let Some(authorization) = &self.authorization {
            request = request.header(PROXY_AUTHORIZATION, authorization);
        }
        let request = request.body(Empty::<Bytes>::new());
        let request = request.map_err(|error| failed(format!("cannot be asked: {error}"), false))?;
        let response = requests.send_request(request).await.map_err(broke)?;
        match response.status() {
            // RFC 9110, section 9.3.6: any of them opens the tunnel. With a 204, hyper reports that there is none.
            status if status.is_success() => hyper::upgrade::on(response).await.map_err(broke),
            StatusCode::PROXY_AUTHENTICATION_REQUIRED if self.authorization.is_none() => {
                Err(failed("asks for a user and a password".to_owned(), false))
            }
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                Err(failed("refuses the user and the password".to_owned(), false))
            }
            status => Err(failed(format!("refuses the tunnel: {status}"), status.is_server_error())),
        }
    }
}

impl fmt::Display for HttpProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&authority(&self.host, self.port))
    }
}

impl fmt::Debug for HttpProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpProxy").field(&self.to_string()).finish()
    }
}

/// True where a URL of a proxy has nothing behind its port, and one `@` at the most: what follows a second one, or
/// stands in a path, would be taken for the host by some and not by others. An empty path does no harm.
fn is_authority_alone(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    !rest.contains(['/', '?', '#', '\\']) && rest.matches('@').count() <= 1
}

impl Service<Uri> for Tunnels {
    type Response = Upgraded;
    type Error = TunnelError;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Upgraded, TunnelError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TunnelError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let tunnels = self.clone();
        Box::pin(async move { tunnels.proxy.tunnel(&tunnels.server).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_found_by_the_usual_variables() {
        let found = |server: &str, variables: &[(&str, &str)]| {
            let server = server.parse().expect("an address");
            let value = |name: &str| {
                variables.iter().find(|(of, _)| *of == name).map(|(_, value)| OsString::from(value))
            };
            match HttpProxy::find(&server, value) {
                Ok(proxy) => proxy.map_or("none".to_owned(), |proxy| proxy.to_string()),
                Err(invalid) => invalid.variable.to_owned(),
            }
        };
        let tls = "https://ndauth.example.org";
        for (server, variables, expected) in [
            (tls, &[] as &[(&str, &str)], "none"),
            (tls, &[("HTTPS_PROXY", "http://proxy.example.org:3128")], "proxy.example.org:3128"),
            (tls, &[("https_proxy", "proxy.example.org:3128")], "proxy.example.org:3128"),
            (tls, &[("HTTPS_PROXY", "http://upper"), ("https_proxy", "http://lower")], "lower:80"),
            (tls, &[("ALL_PROXY", "http://all:1"), ("HTTPS_PROXY", "http://tls:2")], "tls:2"),
            (tls, &[("all_proxy", "http://[2001:db8::1]:8080")], "[2001:db8::1]:8080"),
            (tls, &[("http_proxy", "http://proxy")], "none"),
            ("http://ndauth.example.org", &[("http_proxy", "http://proxy")], "proxy:80"),
            ("http://ndauth.example.org", &[("HTTP_PROXY", "http://proxy")], "none"),
            ("http://ndauth.example.org", &[("HTTPS_PROXY", "http://proxy")], "none"),
            ("https://127.0.0.1:7711", &[("HTTPS_PROXY", "http://proxy")], "none"),
            ("https://[::1]:7711", &[("HTTPS_PROXY", "http://proxy")], "none"),
            ("https://localhost", &[("HTTPS_PROXY", "socks5://proxy")], "none"),
            (tls, &[("HTTPS_PROXY", "http://proxy"), ("NO_PROXY", "example.org")], "none"),
            (tls, &[("HTTPS_PROXY", "socks5://proxy"), ("no_proxy", "a, .example.org")], "none"),
            (tls, &[("HTTPS_PROXY", "http://proxy"), ("NO_PROXY", "*")], "none"),
            ("https://192.0.2.1", &[("HTTPS_PROXY", "http://proxy"), ("NO_PROXY", "x, *")], "none"),
            (tls, &[("HTTPS_PROXY", "http://proxy"), ("NO_PROXY", "ample.org,10.0.0.0/8")], "proxy:80"),
            ("https://10.1.2.3", &[("HTTPS_PROXY", "http://proxy"), ("NO_PROXY", "x,10.0.0.0/8")], "none"),
            (tls, &[("HTTPS_PROXY", "socks5://proxy:1080")], "HTTPS_PROXY"),
            (tls, &[("https_proxy", "https://proxy:443")], "https_proxy"),
            (tls, &[("ALL_PROXY", "not a URL")], "ALL_PROXY"),
            (tls, &[("HTTPS_PROXY", "http://proxy:3128/")], "proxy:3128"),
            (tls, &[("HTTPS_PROXY", "http://proxy:3128/path")], "HTTPS_PROXY"),
            (tls, &[("HTTPS_PROXY", "http://proxy:3128?query")], "HTTPS_PROXY"),
            (tls, &[("HTTPS_PROXY", "http://proxy:3128#fragment")], "HTTPS_PROXY"),
            (tls, &[("HTTPS_PROXY", "http://ada:p@ss@proxy:3128")], "HTTPS_PROXY"),
            (tls, &[("HTTPS_PROXY", "http://elsewhere/@proxy:3128")], "HTTPS_PROXY"),
            (tls, &[("HTTPS_PROXY", "elsewhere\\@proxy:3128")], "HTTPS_PROXY"),
        ] {
            assert_eq!(found(server, variables), expected, "{server} {variables:?}");
        }
    }

    /// A variable that is not text is no reason to go without the proxy that it means.
    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_not_utf_8_is_named() {
        use std::os::unix::ffi::OsStringExt;
        let server = "https://ndauth.example.org".parse().expect("an address");
        for odd in ["HTTPS_PROXY", "no_proxy"] {
            let value = |name: &str| match name {
                name if name == odd => Some(OsString::from_vec(b"http://\xff:1".to_vec())),
                "HTTPS_PROXY" => Some("http://proxy".into()),
                _ => None,
            };
            let invalid = HttpProxy::find(&server, value).expect_err("invalid");
            assert_eq!(invalid.to_string(), format!("`{odd}` cannot be used: its value is not UTF-8"));
        }
    }

    #[test]
    fn a_proxy_s_password_is_sent_and_never_shown() {
        let server = "https://ndauth.example.org".parse().expect("an address");
        let set = |name: &str| Some("http://ada:p%40ss@proxy:3128".into()).filter(|_| name == "HTTPS_PROXY");
        let proxy = HttpProxy::find(&server, set).expect("valid").expect("one");
        let sent = proxy.authorization.as_ref().expect("credentials");
        assert_eq!(sent.as_bytes(), b"Basic YWRhOnBAc3M=");
        assert!(sent.is_sensitive());
        assert_eq!(
            (proxy.to_string(), format!("{proxy:?}")),
            ("proxy:3128".to_owned(), "HttpProxy(\"proxy:3128\")".to_owned())
        );
        let bad = |_: &str| Some("ftp://ada:secret@proxy".into());
        let invalid = HttpProxy::find(&server, bad).expect_err("invalid");
        assert!(!format!("{invalid} {invalid:?}").contains("secret"), "{invalid:?}");
    }
}
