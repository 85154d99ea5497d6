//! The bytes of responses that clients have not taken yet: counted, and bounded for a connection, an address and in all.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::Bytes;
use h2::Reason;
use hyper::body::{Body, Frame, SizeHint};
use ndauth_authority::limits::{UNSENT_BYTES, UNSENT_BYTES_OF_A_CONNECTION};

use crate::received::BoxError;

/// The unsent bytes of one connection.
#[derive(Debug)]
pub(crate) struct Unsent {
    connection: AtomicUsize,
    /// `None` for a trusted proxy, which others are behind.
    address: Option<Arc<AtomicUsize>>,
    /// Counts the parts that the client took.
    taken: AtomicU64,
}

/// The body of a response, whose bytes are counted until the client has taken them.
pub(crate) struct CountedBody<B> {
    body: B,
    unsent: Arc<Unsent>,
    rest: Bytes,
}

/// A part of a response, on its way.
struct CountedPart {
    bytes: Bytes,
    counted: usize,
    unsent: Arc<Unsent>,
}

/// The unsent bytes of all connections.
static ALL: AtomicUsize = AtomicUsize::new(0);
/// The most bytes of a part. HTTP/2 takes all of a part as soon as the client has space for one byte of it.
const PART: usize = 16 * 1024;
/// A part counts for at least as much: a stream that waits takes more than its bytes.
const LEAST: usize = 4 * 1024;

impl Unsent {
    /// Those of a new connection, from an address that has so many.
    pub(crate) fn new(address: Option<Arc<AtomicUsize>>) -> Arc<Unsent> {
        Arc::new(Unsent { connection: AtomicUsize::new(0), address, taken: AtomicU64::new(0) })
    }

    /// The number of parts that the client took; `None` where none waits.
    pub(crate) fn waiting(&self) -> Option<u64> {
        (self.connection.load(Ordering::Relaxed) > 0).then(|| self.taken.load(Ordering::Relaxed))
    }

    /// Counts a part. `None` where there is no space for it.
    fn count(self: &Arc<Self>, bytes: Bytes) -> Option<CountedPart> {
        let counted = bytes.len().max(LEAST);
        let add = |to: &AtomicUsize, most: usize| to.fetch_add(counted, Ordering::Relaxed) + counted <= most;
        let connection = add(&self.connection, UNSENT_BYTES_OF_A_CONNECTION.share);
        let address = self.address.as_ref().is_none_or(|address| add(address, UNSENT_BYTES.share));
        let all = add(&ALL, UNSENT_BYTES.total);
        // What does not fit is given back by its drop.
        let part = CountedPart { bytes, counted, unsent: Arc::clone(self) };
        if connection && address && all {
            return Some(part);
        }
        let limit = if connection { UNSENT_BYTES } else { UNSENT_BYTES_OF_A_CONNECTION };
        metrics::counter!("ndauth_limit_reached_total", "limit" => limit.name).increment(1);
        None
    }
}

impl AsRef<[u8]> for CountedPart {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for CountedPart {
    fn drop(&mut self) {
        let Unsent { connection, address, taken } = &*self.unsent;
        connection.fetch_sub(self.counted, Ordering::Relaxed);
        if let Some(address) = address {
            address.fetch_sub(self.counted, Ordering::Relaxed);
        }
        ALL.fetch_sub(self.counted, Ordering::Relaxed);
        taken.fetch_add(1, Ordering::Relaxed);
    }
}

impl<B> CountedBody<B> {
    pub(crate) fn new(body: B, unsent: Arc<Unsent>) -> CountedBody<B> {
        CountedBody { body, unsent, rest: Bytes::new() }
    }
}

impl<B> Body for CountedBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let CountedBody { body, unsent, rest } = self.get_mut();
        if rest.is_empty() {
            match ready!(Pin::new(body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => *rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => return Poll::Ready(None),
            }
        }
        let part = rest.split_to(rest.len().min(PART));
        let counted = unsent.count(part).ok_or_else(|| h2::Error::from(Reason::ENHANCE_YOUR_CALM).into());
        Poll::Ready(Some(counted.map(|part| Frame::data(Bytes::from_owner(part)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.rest.is_empty() { self.body.size_hint() } else { SizeHint::default() }
    }
}
