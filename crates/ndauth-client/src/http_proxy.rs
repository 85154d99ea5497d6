//! HTTP proxies, which open a tunnel to a server (RFC 9110, section 9.3.6).

use std::error::Error;
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
use tokio::net::TcpStream;
use tower_service::Service;

use crate::ServerUrl;

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

/// The error for a variable that names no usable proxy. Its value is not repeated: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{variable}` does not name a usable proxy: expected `http://HOST:PORT` or `http://USER:PASSWORD@HOST:PORT`"
)]
pub struct InvalidHttpProxy {
    /// The variable's name.
    pub variable: &'static str,
}

/// The reason why a proxy opens no tunnel.
#[derive(Debug, thiserror::Error)]
#[error("the proxy `{proxy}` {why}")]
pub(crate) struct TunnelError {
    pub(crate) proxy: String,
    pub(crate) why: String,
    /// True if a retry may succeed.
    pub(crate) is_passing: bool,
}

/// A connector that opens a tunnel to a server for each connection.
#[derive(Clone)]
pub(crate) struct Tunnels {
    pub(crate) proxy: HttpProxy,
    pub(crate) server: ServerUrl,
}

impl HttpProxy {
    /// Finds the proxy for a server in the usual environment variables, as curl does; `variable` returns the
    /// value of one. Lower-case names take precedence. Returns `None` if the server is on this machine, or if
    /// `NO_PROXY` names it.
    ///
    /// `https_proxy` and `all_proxy` apply to servers whose URL begins with `https`, `http_proxy` and
    /// `all_proxy` to others. `HTTP_PROXY` is ignored: under CGI, a request header sets its value.
    pub fn find(
        server: &ServerUrl,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<HttpProxy>, InvalidHttpProxy> {
        let names: &[&'static str] = match server.is_tls() {
            true => &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
            false => &["http_proxy", "all_proxy", "ALL_PROXY"],
        };
        let set = names.iter().find_map(|name| Some((*name, variable(name)?)));
        let Some((name, value)) = set.filter(|_| !server.is_loopback()) else { return Ok(None) };
        let exempt = ["no_proxy", "NO_PROXY"].into_iter().find_map(&variable).unwrap_or_default();
        let uri: Uri = server.to_string().parse().expect("a server's URL is one");
        // Any proxy serves to test the exemption. The matcher takes `*` for all names, but not for addresses.
        let all_are_exempt = exempt.split(',').any(|host| host.trim() == "*");
        if all_are_exempt
            || Matcher::builder().all("http://proxy").no(exempt).build().intercept(&uri).is_none()
        {
            return Ok(None);
        }
        let invalid = InvalidHttpProxy { variable: name };
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
        let failed = |why: String, is_passing| TunnelError { proxy: self.to_string(), why, is_passing };
        let unreachable = |error: &dyn Error| failed(format!("cannot be reached: {error}"), true);
        let broke = |error: hyper::Error| failed(format!("broke off: {error}"), true);
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await;
        let stream = stream.map_err(|error| unreachable(&error))?;
        stream.set_nodelay(true).map_err(|error| unreachable(&error))?;
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
            StatusCode::OK => hyper::upgrade::on(response).await.map_err(broke),
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

/// Formats a host and a port as in a URL.
fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
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
    fn a_proxy_is_found_as_curl_finds_it() {
        let found = |server: &str, variables: &[(&str, &str)]| {
            let server = server.parse().expect("an address");
            let value = |name: &str| {
                variables.iter().find(|(of, _)| *of == name).map(|(_, value)| (*value).to_owned())
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
        ] {
            assert_eq!(found(server, variables), expected, "{server} {variables:?}");
        }
    }

    #[test]
    fn a_proxy_s_password_is_sent_and_never_shown() {
        let server = "https://ndauth.example.org".parse().expect("an address");
        let set =
            |name: &str| Some("http://ada:p%40ss@proxy:3128".to_owned()).filter(|_| name == "HTTPS_PROXY");
        let proxy = HttpProxy::find(&server, set).expect("valid").expect("one");
        let sent = proxy.authorization.as_ref().expect("credentials");
        assert_eq!(sent.as_bytes(), b"Basic YWRhOnBAc3M=");
        assert!(sent.is_sensitive());
        assert_eq!(
            (proxy.to_string(), format!("{proxy:?}")),
            ("proxy:3128".to_owned(), "HttpProxy(\"proxy:3128\")".to_owned())
        );
        let bad = |_: &str| Some("ftp://ada:secret@proxy".to_owned());
        let invalid = HttpProxy::find(&server, bad).expect_err("invalid");
        assert!(!format!("{invalid} {invalid:?}").contains("secret"), "{invalid:?}");
    }
}
