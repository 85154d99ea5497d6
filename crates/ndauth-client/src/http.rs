//! HTTP/1.1 requests to a server, with the same trust as the RPCs.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::http::header::{ACCEPT, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use ::http::{HeaderMap, Method, Request};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use ndauth_core::{Problem, Reason};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::connect::{CONNECT_TIMEOUT, authorities, failure, untrusted};
use crate::dial::{dial, root};
use crate::{Call, ConnectError, Options, ServerUrl};

/// A connection to a server for HTTP/1.1 requests. It follows no redirect, and stores nothing between two
/// requests.
pub struct Http {
    requests: SendRequest<Full<Bytes>>,
    server: ServerUrl,
    options: Options,
}

/// The server's response, whatever its status. Its `Debug` hides the body, which may hold a secret.
pub struct HttpResponse {
    /// The status, such as 200.
    pub status: u16,
    /// The time to wait before a retry, if the server gives one in seconds.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Vec<u8>,
}

/// The largest response that is read, in bytes.
const LARGEST: usize = 1024 * 1024;

impl Http {
    /// Connects to a server.
    pub async fn connect(server: &ServerUrl, options: &Options) -> Result<Http, ConnectError> {
        let late = |_| ConnectError::Unreachable {
            server: server.clone(),
            why: "the connection timed out".to_owned(),
        };
        let time_limit = CONNECT_TIMEOUT.min(options.timeout);
        let requests = timeout(time_limit, open(server, options)).await.map_err(late)??;
        Ok(Http { requests, server: server.clone(), options: options.clone() })
    }

    /// Sends a `GET` request to a path.
    pub async fn get(&mut self, path: &'static str) -> Result<HttpResponse, Problem> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    /// Posts a form to a path, as `application/x-www-form-urlencoded`.
    pub async fn post_form(
        &mut self,
        path: &'static str,
        fields: &[(&str, &str)],
    ) -> Result<HttpResponse, Problem> {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.ask(Method::POST, path, form.into()).await
    }

    /// Sends a request within the timeout, and reports it to the observer.
    async fn ask(
        &mut self,
        method: Method,
        path: &'static str,
        body: Bytes,
    ) -> Result<HttpResponse, Problem> {
        let request = Request::builder()
            .uri(path)
            .header(HOST, self.server.authority())
            .header(USER_AGENT, &self.options.user_agent)
            .header(ACCEPT, "application/json");
        let request = match &self.options.trace_parent {
            Some(trace_parent) => request.header("traceparent", trace_parent.as_str()),
            None => request,
        };
        let request = match method {
            Method::POST => request.header(CONTENT_TYPE, "application/x-www-form-urlencoded"),
            _ => request,
        };
        let request = request
            .method(method)
            .body(Full::new(body))
            .map_err(|error| Problem::new(Reason::Internal, format!("cannot make the request: {error}")))?;
        let begun = Instant::now();
        let late = |_| Problem::new(Reason::Unavailable, "no response arrived in time");
        let sent = timeout(self.options.timeout, self.send(request)).await.map_err(late);
        let sent = sent.and_then(|sent| sent);
        self.options.observer.report(|| Call {
            rpc: path,
            request_id: sent.as_ref().ok().and_then(|(_, id)| id.clone()),
            took: begun.elapsed(),
            failed: sent.as_ref().err().map(|problem| problem.reason),
            credential: None,
            policy_warnings: Vec::new(),
        });
        sent.map(|(answer, _)| answer)
    }

    /// Sends a request. Returns the response, and the request id that the server's log has.
    async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<(HttpResponse, Option<String>), Problem> {
        self.requests.ready().await.map_err(|error| broke(&error))?;
        let (head, body) =
            self.requests.send_request(request).await.map_err(|error| broke(&error))?.into_parts();
        let body = Limited::new(body, LARGEST).collect().await.map_err(|error| {
            match error.is::<LengthLimitError>() {
                true => Problem::new(Reason::Internal, "the server's response is too large"),
                false => broke(error.as_ref()),
            }
        })?;
        let text = |headers: &HeaderMap, name| Some(headers.get(name)?.to_str().ok()?.to_owned());
        let seconds = text(&head.headers, RETRY_AFTER.as_str()).and_then(|text| text.parse().ok());
        let answer = HttpResponse {
            status: head.status.as_u16(),
            retry_after: seconds.map(Duration::from_secs),
            body: body.to_bytes().into(),
        };
        Ok((answer, text(&head.headers, "x-request-id")))
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("server", &self.server).finish_non_exhaustive()
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse").field("status", &self.status).finish_non_exhaustive()
    }
}

fn broke(error: &(dyn Error + 'static)) -> Problem {
    Problem::new(Reason::Unavailable, format!("the connection to the server broke: {}", root(error)))
}

async fn open(server: &ServerUrl, options: &Options) -> Result<SendRequest<Full<Bytes>>, ConnectError> {
    match &options.proxy {
        None => {
            let (host, port) = server.host_and_port();
            let stream = dial(host, port).await;
            over(server, options, stream.map_err(|error| failure(server, error.as_ref()))?).await
        }
        Some(proxy) => {
            let tunnel = proxy.tunnel(server).await.map_err(|error| failure(server, &error))?;
            over(server, options, TokioIo::new(tunnel)).await
        }
    }
}

/// Connects over a stream of bytes that leads to the server.
async fn over<S>(
    server: &ServerUrl,
    options: &Options,
    stream: S,
) -> Result<SendRequest<Full<Bytes>>, ConnectError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    if !server.is_tls() {
        return begin(server, stream).await;
    }
    let (host, _) = server.host_and_port();
    let name = ServerName::try_from(host.to_owned()).map_err(|error| failure(server, &error))?;
    let connector = TlsConnector::from(Arc::new(trust(server, options)?));
    let stream = connector.connect(name, stream).await.map_err(|error| failure(server, &error))?;
    begin(server, stream).await
}

async fn begin<S>(server: &ServerUrl, stream: S) -> Result<SendRequest<Full<Bytes>>, ConnectError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (requests, connection) =
        handshake(TokioIo::new(stream)).await.map_err(|error| failure(server, &error))?;
    // The task ends with `requests`. Its errors are returned by the requests that they concern.
    tokio::spawn(connection);
    Ok(requests)
}

/// Builds the TLS configuration. It trusts the same authorities as the RPCs.
fn trust(server: &ServerUrl, options: &Options) -> Result<ClientConfig, ConnectError> {
    let mut roots = RootCertStore::empty();
    match &options.ca_file {
        Some(file) => {
            let failed = |why: String| ConnectError::CaFile { file: file.clone(), why };
            for certificate in CertificateDer::pem_slice_iter(&authorities(file)?) {
                let certificate = certificate.map_err(|error| failed(error.to_string()))?;
                roots.add(certificate).map_err(|error| failed(error.to_string()))?;
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            if roots.add_parsable_certificates(found.certs).0 == 0 {
                let none = rustls::Error::General("it has none".to_owned());
                let why = found.errors.first().map_or(&none as &dyn Error, |error| error);
                return Err(untrusted(server, options, why));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failure(server, &error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Posts a form to a server that sends this response. Returns the request that it received, and the
    /// result.
    async fn post(answer: String) -> (String, Result<HttpResponse, Problem>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let server = format!("http://{}", listener.local_addr().expect("an address"));
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut request = vec![0; 4096];
            let mut length = 0;
            while !request[..length].ends_with(b"=%26") {
                length += stream.read(&mut request[length..]).await.expect("a request");
            }
            request.truncate(length);
            // The client stops reading a response that is too large.
            let _ = stream.write_all(answer.as_bytes()).await;
            String::from_utf8(request).expect("text")
        });
        let options = Options { timeout: Duration::from_secs(10), ..Options::default() };
        let server = server.parse().expect("an address");
        let mut http = Http::connect(&server, &options).await.expect("connected");
        let answer = http.post_form("/path", &[("a", "x y"), ("b", "&")]).await;
        (served.await.expect("served"), answer)
    }

    #[tokio::test]
    async fn a_form_is_posted_and_the_answer_is_what_the_server_says() {
        let moved =
            "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\n{}";
        let (request, answer) = post(moved.to_owned()).await;
        assert!(request.starts_with("POST /path HTTP/1.1\r\nhost: 127.0.0.1:"), "{request}");
        assert!(request.contains("content-type: application/x-www-form-urlencoded\r\n"), "{request}");
        assert!(request.ends_with("\r\n\r\na=x+y&b=%26"), "{request}");
        let answer = answer.expect("an answer");
        assert_eq!((answer.status, answer.body.as_slice()), (302, b"{}".as_slice()));
        assert_eq!(answer.retry_after, Some(Duration::from_secs(7)));
        assert!(!format!("{answer:?}").contains("{}"), "the body is not shown");
    }

    #[tokio::test]
    async fn an_invalid_response_decides_nothing() {
        let length = LARGEST + 1;
        let large = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{}", " ".repeat(length));
        for (answer, reason) in [
            (large, Reason::Internal),
            ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_owned(), Reason::Unavailable),
            (String::new(), Reason::Unavailable),
            ("nonsense\r\n\r\n".to_owned(), Reason::Unavailable),
        ] {
            let problem = post(answer).await.1.expect_err("no answer");
            assert_eq!(problem.reason, reason, "{problem}");
        }
    }
}
