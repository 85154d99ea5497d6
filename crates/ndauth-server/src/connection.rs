//! A connection: encrypted where there is a certificate, plain where there is none, and closed where its
//! client keeps the server waiting.

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

/// A connection that can be served.
pub(crate) struct AcceptedConnection {
    stream: MaybeTlsStream,
    greeting: Option<Greeting>,
    speaks: Speaks,
    /// How long its client may keep the server waiting, and until when it may keep a write that waits now.
    patience: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

/// Which HTTP it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Http2,
    Http1,
}

/// A stream that may be encrypted.
enum MaybeTlsStream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// What must come before a while is over.
struct Greeting {
    bytes: usize,
    over: Pin<Box<Sleep>>,
}

/// What every client sends first: the preface of HTTP/2 and the head of a frame (RFC 9113, section 3.4). A
/// request of HTTP/1.1 is no shorter.
const GREETING: usize = 24 + 9;
/// How HTTP/2 begins, and nothing else does.
const PREFACE: &[u8; 3] = b"PRI";
/// How long to wait for the rest of it.
const BREATH: Duration = Duration::from_millis(5);

impl AcceptedConnection {
    /// Agrees on the encryption, where there is one. A client has so long for it, and then for its greeting.
    pub(crate) async fn open(
        stream: TcpStream,
        tls: Option<Arc<ServerConfig>>,
        patience: Duration,
    ) -> io::Result<AcceptedConnection> {
        let (stream, speaks) = match tls {
            None => {
                let speaks = timeout(patience, listen(&stream)).await;
                (
                    MaybeTlsStream::Plain(stream),
                    speaks.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?,
                )
            }
            Some(config) => {
                let agreed = timeout(patience, TlsAcceptor::from(config).accept(stream)).await;
                match agreed.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                    Ok(stream) => {
                        // A client that offers nothing knows of nothing newer (RFC 9113, section 3.2).
                        let new = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                        let speaks = if new { Speaks::Http2 } else { Speaks::Http1 };
                        (MaybeTlsStream::Tls(Box::new(stream)), speaks)
                    }
                    Err(error) => {
                        metrics::counter!("ndauth_tls_handshake_failures_total").increment(1);
                        return Err(error);
                    }
                }
            }
        };
        let greeting = Some(Greeting { bytes: 0, over: Box::pin(sleep(patience)) });
        Ok(AcceptedConnection { stream, greeting, speaks, patience, stalled: None })
    }

    pub(crate) fn speaks(&self) -> Speaks {
        self.speaks
    }
}

/// Hears which HTTP it is by how a client begins, and takes nothing of it.
async fn listen(stream: &TcpStream) -> io::Result<Speaks> {
    let mut begin = [0; PREFACE.len()];
    loop {
        let heard = stream.peek(&mut begin).await?;
        let begin = &begin[..heard];
        if heard == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        } else if begin == PREFACE {
            return Ok(Speaks::Http2);
        } else if !PREFACE.starts_with(begin) {
            return Ok(Speaks::Http1);
        }
        // What is there already wakes nobody when there is more.
        sleep(BREATH).await;
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
    /// Fails a write that the client keeps waiting for too long.
    fn in_time<T>(&mut self, written: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let over = self.stalled.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(over.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for AcceptedConnection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let connection = self.get_mut();
        let written = match &mut connection.stream {
            MaybeTlsStream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            MaybeTlsStream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        };
        connection.in_time(written, context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let connection = self.get_mut();
        let written = match &mut connection.stream {
            MaybeTlsStream::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            MaybeTlsStream::Tls(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        };
        connection.in_time(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            MaybeTlsStream::Plain(stream) => stream.is_write_vectored(),
            MaybeTlsStream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let connection = self.get_mut();
        let flushed = match &mut connection.stream {
            MaybeTlsStream::Plain(stream) => Pin::new(stream).poll_flush(context),
            MaybeTlsStream::Tls(stream) => Pin::new(stream).poll_flush(context),
        };
        connection.in_time(flushed, context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let connection = self.get_mut();
        let shut = match &mut connection.stream {
            MaybeTlsStream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            MaybeTlsStream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        };
        connection.in_time(shut, context)
    }
}
