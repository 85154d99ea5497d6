//! The bytes of responses that clients have not read yet: counted, and limited per connection, per address
//! and in total.

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
    /// `None` for a trusted proxy, which other clients are behind.
    address: Option<Arc<AtomicUsize>>,
    /// Counts the parts of frames that the client took.
    taken: AtomicU64,
}

/// A response body whose bytes are counted until the client has taken them.
pub(crate) struct CountedBody<B> {
    body: B,
    unsent: Arc<Unsent>,
    rest: Option<CountedPart>,
}

/// A part of a frame of a response, which the client has not taken yet.
struct CountedPart {
    bytes: Bytes,
    frame: Arc<CountedFrame>,
}

/// The count of a whole frame, whose memory is freed with the last of its parts.
struct CountedFrame {
    bytes: usize,
    unsent: Arc<Unsent>,
}

/// The unsent bytes of all connections.
static ALL: AtomicUsize = AtomicUsize::new(0);

/// Shows the unsent bytes of all connections in the metrics.
pub(crate) fn show_taken() {
    UNSENT_BYTES.show_taken(ALL.load(Ordering::Relaxed));
}

/// The largest part, in bytes. HTTP/2 takes all of a part as soon as the client's window has space for one
/// byte of it.
const PART: usize = 16 * 1024;
/// A frame counts for at least as much: a stream that waits takes more than its bytes.
const MIN_COUNTED: usize = 4 * 1024;

impl Unsent {
    /// Returns the counter of a new connection. `address` is the counter of its address.
    pub(crate) fn new(address: Option<Arc<AtomicUsize>>) -> Arc<Unsent> {
        Arc::new(Unsent { connection: AtomicUsize::new(0), address, taken: AtomicU64::new(0) })
    }

    /// Returns the number of parts that the client has taken, or `None` if none waits.
    pub(crate) fn waiting(&self) -> Option<u64> {
        (self.connection.load(Ordering::Relaxed) > 0).then(|| self.taken.load(Ordering::Relaxed))
    }

    /// Counts a frame, of which the client has taken nothing. `None` where there is no space for it.
    fn count(self: &Arc<Self>, bytes: Bytes) -> Option<CountedPart> {
        let counted = bytes.len().max(MIN_COUNTED);
        let add = |to: &AtomicUsize, most: usize| to.fetch_add(counted, Ordering::Relaxed) + counted <= most;
        let connection = add(&self.connection, UNSENT_BYTES_OF_A_CONNECTION.share);
        let address = self.address.as_ref().is_none_or(|address| add(address, UNSENT_BYTES.share));
        let all = add(&ALL, UNSENT_BYTES.total);
        // What does not fit is given back by its drop.
        let frame = Arc::new(CountedFrame { bytes: counted, unsent: Arc::clone(self) });
        if connection && address && all {
            return Some(CountedPart { bytes, frame });
        }
        let limit = if connection { UNSENT_BYTES } else { UNSENT_BYTES_OF_A_CONNECTION };
        limit.count_refusal();
        None
    }
}

impl CountedPart {
    /// Splits off the part that is sent next. `None` is left once all is.
    fn split(mut self) -> (CountedPart, Option<CountedPart>) {
        if self.bytes.len() <= PART {
            return (self, None);
        }
        let next = CountedPart { bytes: self.bytes.split_to(PART), frame: Arc::clone(&self.frame) };
        (next, Some(self))
    }
}

impl AsRef<[u8]> for CountedPart {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for CountedPart {
    fn drop(&mut self) {
        self.frame.unsent.taken.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for CountedFrame {
    fn drop(&mut self) {
        let Unsent { connection, address, .. } = &*self.unsent;
        connection.fetch_sub(self.bytes, Ordering::Relaxed);
        if let Some(address) = address {
            address.fetch_sub(self.bytes, Ordering::Relaxed);
        }
        ALL.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl<B> CountedBody<B> {
    pub(crate) fn new(body: B, unsent: Arc<Unsent>) -> CountedBody<B> {
        CountedBody { body, unsent, rest: None }
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
        let part = match rest.take() {
            Some(part) => part,
            None => match ready!(Pin::new(body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        unsent.count(data).ok_or_else(|| h2::Error::from(Reason::ENHANCE_YOUR_CALM))?
                    }
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => return Poll::Ready(None),
            },
        };
        let (next, left) = part.split();
        *rest = left;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(next)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.rest.is_none() { self.body.size_hint() } else { SizeHint::default() }
    }
}
