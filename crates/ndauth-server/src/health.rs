//! The question to a running server that a container's health check asks.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::header::HOST;
use axum::http::{Request, StatusCode};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The time within which the server must answer.
const ANSWER: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes.
const LONGEST: usize = 4096;

/// The reason why a server should receive no work.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// The server answered that it is not ready.
    #[error("the server is not ready: {0}")]
    Waits(String),
    /// No server answered.
    #[error("no server answers at `{address}`")]
    Silent {
        /// The address of its operator's port.
        address: SocketAddr,
        /// The reason.
        #[source]
        source: io::Error,
    },
}

/// Asks the server that listens on this address for `/readyz`. Returns the response, which may name a failure
/// that does not affect readiness.
pub async fn readiness(admin_listen: SocketAddr) -> Result<String, NotReady> {
    let address = reached(admin_listen);
    let late = |_| Err(io::ErrorKind::TimedOut.into());
    let answered = timeout(ANSWER, ask(address)).await.unwrap_or_else(late);
    let (status, text) = answered.map_err(|source| NotReady::Silent { address, source })?;
    let text = text.trim_end().to_owned();
    if status == StatusCode::OK { Ok(text) } else { Err(NotReady::Waits(text)) }
}

async fn ask(address: SocketAddr) -> io::Result<(StatusCode, String)> {
    let stream = TcpStream::connect(address).await?;
    let (mut requests, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // The task ends with `requests`.
    tokio::spawn(connection);
    let request = Request::get("/readyz").header(HOST, address.to_string());
    let request = request.body(Body::empty()).map_err(io::Error::other)?;
    let (head, body) = requests.send_request(request).await.map_err(io::Error::other)?.into_parts();
    let body = to_bytes(Body::new(body), LONGEST).await.map_err(io::Error::other)?;
    Ok((head.status, String::from_utf8_lossy(&body).into_owned()))
}

/// Returns the address at which a server is reached that listens on this one.
fn reached(mut listens_on: SocketAddr) -> SocketAddr {
    if listens_on.ip().is_unspecified() {
        listens_on.set_ip(match listens_on.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    listens_on
}
