//! The body of a request, whose first part can be read ahead without waiting.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use axum::body::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// The body of a request.
#[derive(Debug)]
pub struct Received {
    /// `None` if the bytes that were read ahead are all.
    body: Option<Incoming>,
    /// The bytes that were read ahead and not taken yet.
    first: Option<Bytes>,
}

impl From<Bytes> for Received {
    fn from(whole: Bytes) -> Received {
        Received { body: None, first: Some(whole) }
    }
}

/// Any error of a body.
pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

impl Received {
    pub(crate) fn new(body: Incoming) -> Received {
        Received { body: Some(body), first: None }
    }

    /// Returns the whole body, if it came in one part and is there already. The body can still be read
    /// afterwards.
    pub(crate) fn whole(&mut self) -> Option<Bytes> {
        if self.first.is_none()
            && let Some(body) = &mut self.body
            && let Poll::Ready(Some(Ok(frame))) =
                Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()))
        {
            self.first = frame.into_data().ok();
        }
        self.first.clone().filter(|_| self.body.as_ref().is_none_or(Incoming::is_end_stream))
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Received { body, first } = self.get_mut();
        match (first.take(), body) {
            (Some(first), _) => Poll::Ready(Some(Ok(Frame::data(first)))),
            (None, Some(body)) => Pin::new(body).poll_frame(context),
            (None, None) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.first, &self.body) {
            (Some(first), None) => SizeHint::with_exact(first.len() as u64),
            (Some(_), Some(_)) => SizeHint::default(),
            (None, Some(body)) => body.size_hint(),
            (None, None) => SizeHint::with_exact(0),
        }
    }
}
