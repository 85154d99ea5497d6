//! An accepted connection: with TLS if there is a certificate, and closed if its client exceeds a timeout.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A connection that is ready to be served.
pub(crate) struct AcceptedConnection {
    stream: MaybeTlsStream,
    greeting: Option<Greeting>,
    client_timeout: Duration,
    /// The timeout of a write that waits for the client.
    stalled: Option<Pin<Box<Sleep>>>,
}

/// A TCP stream, with or without TLS.
enum MaybeTlsStream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// The first bytes of a client, and the timeout within which they must arrive.
struct Greeting {
    bytes: usize,
    over: Pin<Box<Sleep>>,
}

/// The length of the first bytes that every client sends: the preface of HTTP/2 and the head of a frame (RFC
/// 9113, section 3.4). An HTTP/1.1 request is no shorter.
const GREETING: usize = 24 + 9;

impl AcceptedConnection {
    /// Performs the TLS handshake, if there is a certificate. The timeout applies to the handshake, and then
    /// again to the client's first bytes.
    pub(crate) async fn open(
        stream: TcpStream,
        tls: Option<Arc<ServerConfig>>,
        client_timeout: Duration,
    ) -> io::Result<AcceptedConnection> {
        let stream = match tls {
            None => MaybeTlsStream::Plain(stream),
            Some(config) => {
                let accepted = timeout(client_timeout, TlsAcceptor::from(config).accept(stream)).await;
                let accepted = accepted.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
                let stream = accepted.inspect_err(|_| {
                    metrics::counter!("ndauth_tls_handshake_failures_total").increment(1);
                })?;
                MaybeTlsStream::Tls(Box::new(stream))
            }
        };
        let greeting = Some(Greeting { bytes: 0, over: Box::pin(sleep(client_timeout)) });
        Ok(AcceptedConnection { stream, greeting, client_timeout, stalled: None })
    }
}

impl AsyncRead for AcceptedConnection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let connection = self.get_mut();
        let before = buffer.filled().len();
        let read = match &mut connection.stream {
            MaybeTlsStream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            MaybeTlsStream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        };
        let Some(greeting) = &mut connection.greeting else { return read };
        greeting.bytes += buffer.filled().len() - before;
        if greeting.bytes >= GREETING {
            connection.greeting = None;
        } else if read.is_pending() && greeting.over.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AcceptedConnection {
    /// Fails a write once the client exceeds the timeout.
    fn within_timeout<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let client_timeout = self.client_timeout;
        let over = self.stalled.get_or_insert_with(|| Box::pin(sleep(client_timeout)));
        ready!(over.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

/// It says that it takes one buffer at a time. HTTP/2 then gathers responses of up to 1,024 bytes, rather than 256, and
/// writes many of them at once: a system call for each would cost as much as its response.
impl AsyncWrite for AcceptedConnection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let connection = self.get_mut();
        let written = match &mut connection.stream {
            MaybeTlsStream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            MaybeTlsStream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        };
        connection.within_timeout(written, context)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let connection = self.get_mut();
        let flushed = match &mut connection.stream {
            MaybeTlsStream::Plain(stream) => Pin::new(stream).poll_flush(context),
            MaybeTlsStream::Tls(stream) => Pin::new(stream).poll_flush(context),
        };
        connection.within_timeout(flushed, context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let connection = self.get_mut();
        let shut = match &mut connection.stream {
            MaybeTlsStream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            MaybeTlsStream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        };
        connection.within_timeout(shut, context)
    }
}
