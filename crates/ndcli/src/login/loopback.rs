//! The loopback listener that the browser returns to, for one response only (RFC 8252, section 7.3). The browser waits
//! for its page until the login is done or has failed.
//!
//! Every other request is rejected, and the wait continues: pages request `favicon.ico`, browsers open
//! speculative connections, and any page in the browser can send requests to this port.

mod page;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ndauth_terminal::Failure;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

pub(crate) use page::LoopbackPage;

/// A port that waits for the browser.
pub(crate) struct Loopback {
    listener: TcpListener,
    expected: Expected,
}

/// The browser that brought the authorization response, and waits for a page.
pub(crate) struct WaitingBrowser {
    stream: TcpStream,
}

/// The authorization response that the browser brings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum AuthorizationResponse {
    /// The authorization code.
    Code(String),
    /// The server or the person refused (RFC 6749, section 4.1.2.1).
    Refused { code: String, description: String },
    /// The response of another server, or one without an issuer (RFC 9207).
    Foreign(String),
}

/// The values that a request must hold to be the authorization response.
#[derive(Clone)]
struct Expected {
    /// The port's own address. A request with another `Host` comes from a page whose name resolves to this
    /// machine.
    host: String,
    state: String,
    issuer: String,
}

/// The kind of a request.
#[derive(Debug, PartialEq, Eq)]
enum Request {
    /// The request has not fully arrived.
    Incomplete,
    /// Any request other than the authorization response, and the status that rejects it.
    Stray(&'static str),
    Answer(AuthorizationResponse),
}

const PATH: &str = "/callback";
/// The maximum size of a request.
const LARGEST: usize = 16 * 1024;
/// The timeout to read a request, and to write its response.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// The pause after a failure to accept a connection.
const PAUSE: Duration = Duration::from_millis(50);
/// The maximum number of concurrent connections.
const MOST: usize = 64;

impl Loopback {
    /// Opens a port on loopback: on IPv4, or on IPv6 if that fails.
    pub(crate) async fn bind(state: &str, issuer: &str) -> Result<Loopback, Failure> {
        let addresses: [SocketAddr; 2] = [(Ipv4Addr::LOCALHOST, 0).into(), (Ipv6Addr::LOCALHOST, 0).into()];
        let listener = TcpListener::bind(addresses.as_slice()).await.map_err(|error| {
            let message = format!("cannot open a port for the browser to return to: {error}");
            Failure::failed(message, Some("`ndcli auth login --device` needs none"))
        })?;
        let expected = Expected {
            host: listener.local_addr()?.to_string(),
            state: state.to_owned(),
            issuer: issuer.to_owned(),
        };
        Ok(Loopback { listener, expected })
    }

    /// Returns the URI to which the server redirects the browser.
    pub(crate) fn redirect_uri(&self) -> String {
        format!("http://{}{PATH}", self.expected.host)
    }

    /// Waits for the authorization response.
    pub(crate) async fn received(&self) -> Result<(AuthorizationResponse, WaitingBrowser), Failure> {
        let mut open = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if open.len() < MOST => {
                    match accepted {
                        Ok((stream, _)) => {
                            open.spawn(serve(stream, self.expected.clone()));
                        }
                        // The connection broke before it was accepted, or the process has too many open
                        // files.
                        Err(_) => sleep(PAUSE).await,
                    }
                }
                Some(served) = open.join_next() => {
                    if let Ok(Some(received)) = served {
                        return Ok(received);
                    }
                }
            }
        }
    }
}

impl WaitingBrowser {
    /// Shows a page. The login counts even if the browser does not receive it.
    pub(crate) async fn show(self, page: LoopbackPage) {
        send(self.stream, &page.response("200 OK")).await;
    }
}

/// Reads a request, and rejects a stray one. Returns the authorization response, if the request is one.
async fn serve(mut stream: TcpStream, expected: Expected) -> Option<(AuthorizationResponse, WaitingBrowser)> {
    match timeout(TIME_LIMIT, read(&mut stream, &expected)).await.unwrap_or(Request::Incomplete) {
        Request::Incomplete => None,
        Request::Stray(status) => {
            send(stream, &LoopbackPage::Stray.response(status)).await;
            None
        }
        Request::Answer(received) => Some((received, WaitingBrowser { stream })),
    }
}

/// Sends a response and closes the connection. The browser may be gone already.
async fn send(mut stream: TcpStream, response: &str) {
    let _ = timeout(TIME_LIMIT, async {
        stream.write_all(response.as_bytes()).await?;
        stream.shutdown().await
    })
    .await;
}

async fn read(stream: &mut TcpStream, expected: &Expected) -> Request {
    let mut bytes = Vec::new();
    let mut some = [0; 4096];
    loop {
        match stream.read(&mut some).await {
            Ok(0) | Err(_) => return Request::Incomplete,
            Ok(length) => bytes.extend_from_slice(&some[..length]),
        }
        match classify(&bytes, expected) {
            Request::Incomplete if bytes.len() > LARGEST => {
                return Request::Stray("431 Request Header Fields Too Large");
            }
            Request::Incomplete => {}
            request => return request,
        }
    }
}

/// Classifies the request that begins with these bytes.
fn classify(bytes: &[u8], expected: &Expected) -> Request {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Request::Incomplete,
        Err(_) => return Request::Stray("400 Bad Request"),
    }
    let mut hosts = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("host"));
    let host = hosts.next().is_some_and(|host| host.value == expected.host.as_bytes());
    if !host || hosts.next().is_some() {
        return Request::Stray("400 Bad Request");
    }
    let (path, query) = request.path.and_then(|path| path.split_once('?')).unwrap_or_default();
    if path != PATH {
        return Request::Stray("404 Not Found");
    }
    if request.method != Some("GET") {
        return Request::Stray("405 Method Not Allowed");
    }
    let fields: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    // A repeated parameter is invalid (RFC 6749, section 3.1).
    let field = |name: &str| {
        let mut found = fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.to_string());
        found.next().filter(|_| found.next().is_none())
    };
    if field("state").as_ref() != Some(&expected.state) {
        return Request::Stray("400 Bad Request");
    }
    let issuer = field("iss").unwrap_or_default();
    if issuer != expected.issuer {
        return Request::Answer(AuthorizationResponse::Foreign(issuer));
    }
    match (field("code").filter(|code| !code.is_empty()), field("error")) {
        (Some(code), None) => Request::Answer(AuthorizationResponse::Code(code)),
        (None, Some(code)) => {
            let description = field("error_description").unwrap_or_default();
            Request::Answer(AuthorizationResponse::Refused { code, description })
        }
        (Some(_), Some(_)) | (None, None) => Request::Stray("400 Bad Request"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://ndauth.example.org";
    const ISS: &str = "iss=https%3A%2F%2Fndauth.example.org";

    fn expected(host: &str) -> Expected {
        Expected { host: host.to_owned(), state: "s".to_owned(), issuer: ISSUER.to_owned() }
    }

    fn judged(text: &str) -> Request {
        classify(text.as_bytes(), &expected("127.0.0.1:4711"))
    }

    fn get(target: &str) -> Request {
        judged(&format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:4711\r\n\r\n"))
    }

    const MALFORMED: Request = Request::Stray("400 Bad Request");

    #[test]
    fn the_authorization_response_is_received() {
        let code = Request::Answer(AuthorizationResponse::Code("a b".to_owned()));
        assert_eq!(get(&format!("/callback?code=a+b&state=s&{ISS}")), code);
        assert_eq!(get(&format!("/callback?{ISS}&state=s&code=a%20b&more=1")), code);
        let text =
            format!("GET /callback?code=a+b&state=s&{ISS} HTTP/1.1\r\nhOST: [::1]:4711\r\nX: y\r\n\r\n");
        assert_eq!(classify(text.as_bytes(), &expected("[::1]:4711")), code);
        let refused = AuthorizationResponse::Refused {
            code: "access_denied".to_owned(),
            description: "no\n!".to_owned(),
        };
        let target = format!("/callback?error=access_denied&error_description=no%0A%21&state=s&{ISS}");
        assert_eq!(get(&target), Request::Answer(refused));
    }

    #[test]
    fn a_response_from_another_issuer_is_foreign() {
        let foreign = |name: &str| Request::Answer(AuthorizationResponse::Foreign(name.to_owned()));
        assert_eq!(get("/callback?code=c&state=s"), foreign(""));
        assert_eq!(get("/callback?code=c&state=s&iss=https://evil.example"), foreign("https://evil.example"));
        assert_eq!(get(&format!("/callback?code=c&state=s&{ISS}&{ISS}")), foreign(""));
        assert_eq!(get(&format!("/callback?code=c&state=s&{ISS}%2F")), foreign(&format!("{ISSUER}/")));
    }

    #[test]
    fn stray_requests_are_rejected() {
        let callback = format!("/callback?code=c&state=s&{ISS}");
        for (target, status) in [
            ("/favicon.ico", "404 Not Found"),
            ("/", "404 Not Found"),
            ("/callback", "404 Not Found"),
            ("/callback/?code=c&state=s", "404 Not Found"),
            ("//callback?code=c&state=s", "404 Not Found"),
            ("http://127.0.0.1:4711/callback?code=c&state=s", "404 Not Found"),
            ("/callback?code=c", "400 Bad Request"),
            ("/callback?code=c&state=", "400 Bad Request"),
            ("/callback?code=c&state=S", "400 Bad Request"),
            ("/callback?code=c&state=s&state=s", "400 Bad Request"),
            ("/callback?code=c&state=other&state=s", "400 Bad Request"),
            ("/callback?error=access_denied&state=other", "400 Bad Request"),
        ] {
            assert_eq!(get(target), Request::Stray(status), "{target}");
        }
        for fields in ["", "code=", "code=c&code=c", "code=c&error=access_denied", "error_description=x"] {
            assert_eq!(get(&format!("/callback?{fields}&state=s&{ISS}")), MALFORMED, "{fields}");
        }
        for method in ["POST", "HEAD", "OPTIONS", "PUT"] {
            let text = format!("{method} {callback} HTTP/1.1\r\nHost: 127.0.0.1:4711\r\n\r\n");
            assert_eq!(judged(&text), Request::Stray("405 Method Not Allowed"), "{method}");
        }
    }

    #[test]
    fn requests_with_another_host_are_rejected() {
        for host in [
            "",
            "Host: localhost:4711\r\n",
            "Host: 127.0.0.1\r\n",
            "Host: 127.0.0.1:80\r\n",
            "Host: rebound.example:4711\r\n",
            "Host: 127.0.0.1:4711.evil.example\r\n",
            "Host: [::1]:4711\r\n",
            "Host: 127.0.0.1:4711\r\nHost: 127.0.0.1:4711\r\n",
            "Host: 127.0.0.1:4711\r\nHost: rebound.example\r\n",
        ] {
            let text = format!("GET /callback?code=c&state=s&{ISS} HTTP/1.1\r\n{host}\r\n");
            assert_eq!(judged(&text), MALFORMED, "{host:?}");
        }
    }

    #[test]
    fn invalid_http_is_rejected_and_partial_requests_are_awaited() {
        assert_eq!(judged("\u{16}\u{3}\u{1}"), MALFORMED);
        assert_eq!(judged("GET\r\n\r\n"), MALFORMED);
        let whole = format!("GET /callback?code=c&state=s&{ISS} HTTP/1.1\r\nHost: 127.0.0.1:4711\r\n\r\n");
        for end in 0..whole.len() {
            assert_eq!(judged(&whole[..end]), Request::Incomplete, "{end}");
        }
        assert_eq!(judged(&whole), Request::Answer(AuthorizationResponse::Code("c".to_owned())));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(101));
        assert_eq!(judged(&many), MALFORMED);
    }

    /// Sends a request to a port, and returns the status line of the response.
    async fn ask(address: SocketAddr, text: &str) -> String {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(text.as_bytes()).await.expect("sent");
        let mut response = String::new();
        stream.read_to_string(&mut response).await.expect("answered");
        response.lines().next().unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn stray_connections_do_not_block_the_authorization_response() {
        let loopback = Loopback::bind("s", ISSUER).await.expect("a port");
        let address = loopback.listener.local_addr().expect("an address");
        assert_eq!(loopback.redirect_uri(), format!("http://{address}/callback"));
        let host = format!("Host: {address}\r\n\r\n");
        let browser = async {
            let silent = TcpStream::connect(address).await.expect("connected");
            let mut slow = TcpStream::connect(address).await.expect("connected");
            slow.write_all(b"GET /callback?code=").await.expect("sent");
            drop(TcpStream::connect(address).await.expect("connected"));
            let large = format!("{:x<1$}", "GET /callback HTTP/1.1\r\nX: ", LARGEST + 1);
            assert_eq!(ask(address, &large).await, "HTTP/1.1 431 Request Header Fields Too Large");
            let favicon = format!("GET /favicon.ico HTTP/1.1\r\n{host}");
            assert_eq!(ask(address, &favicon).await, "HTTP/1.1 404 Not Found");
            let stray = format!("GET /callback?code=c&state=x&{ISS} HTTP/1.1\r\n{host}");
            assert_eq!(ask(address, &stray).await, "HTTP/1.1 400 Bad Request");
            let answer = format!("GET /callback?code=c&state=s&{ISS} HTTP/1.1\r\n{host}");
            assert_eq!(ask(address, &answer).await, "HTTP/1.1 200 OK");
            drop((silent, slow));
        };
        let terminal = async {
            let (response, waiting) = loopback.received().await.expect("no failure");
            waiting.show(LoopbackPage::LoggedIn).await;
            response
        };
        let (response, ()) = tokio::join!(terminal, browser);
        assert_eq!(response, AuthorizationResponse::Code("c".to_owned()));
        drop(loopback);
        assert!(TcpStream::connect(address).await.is_err(), "the port is closed");
    }
}
