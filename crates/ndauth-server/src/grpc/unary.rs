//! A call of one message and one answer, without what streams need: gRPC over HTTP/2, "Requests" and
//! "Responses". It is for the calls that are answered from memory, whose framing would cost more than they do.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response};
use hyper::body::{Body, Frame, SizeHint};
use ndauth_core::{Problem, Reason};
use ndauth_proto::status_from_problem;
use prost::Message;
use tonic::Status;

use crate::front::Received;

/// What is sent of an answer.
pub(crate) enum Answer {
    /// The one message, and behind it that all is well.
    Message(Option<Bytes>),
    /// That all is well.
    Well,
    /// Nothing more.
    Over,
    /// What tonic makes of it.
    Tonic(tonic::body::Body),
}

/// A flag that says whether what follows is compressed, and its length.
const HEAD: usize = 5;

/// Reads the one message of a request, of at most so many bytes.
pub(super) async fn read<M: Message + Default>(mut body: Received, most: usize) -> Result<M, Status> {
    let mut whole = Bytes::new();
    while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|_| invalid("the request was cut off"))?;
        let Ok(data) = frame.into_data() else { continue };
        // Nearly always there is one part.
        whole = if whole.is_empty() { data } else { [whole, data].concat().into() };
        if whole.len() > HEAD + most {
            return Err(invalid(&format!("the request is larger than {most} bytes")));
        }
    }
    let Some((&[compressed, ref length @ ..], message)) = whole.split_first_chunk::<HEAD>() else {
        return Err(invalid("there is no message"));
    };
    if compressed != 0 {
        return Err(Status::unimplemented("compressed messages are not taken here"));
    }
    if usize::try_from(u32::from_be_bytes(*length)).ok() != Some(message.len()) {
        return Err(invalid("there is not one message of the length that it tells"));
    }
    M::decode(message).map_err(|_| invalid("it is no message of this call"))
}

fn invalid(why: &str) -> Status {
    status_from_problem(&Problem::new(Reason::InvalidArgument, why))
}

/// A message in the making. It is written part by part: one after the other, parts of a message are the message
/// (Protocol Buffers, "Encoding": last one wins).
pub(super) struct Framed(Vec<u8>);

impl Framed {
    /// Begins with a part, and leaves room for more.
    pub(super) fn begin(part: &impl Message, room: usize) -> Framed {
        let mut framed = Framed(Vec::with_capacity(HEAD + part.encoded_len() + room));
        framed.0.extend([0; HEAD]);
        framed.add(part);
        framed
    }

    pub(super) fn add(&mut self, part: &impl Message) {
        part.encode(&mut self.0).expect("a vector grows");
    }

    /// Adds what is encoded already.
    pub(super) fn add_encoded(&mut self, part: &[u8]) {
        self.0.extend_from_slice(part);
    }
}

/// Makes a response of an answer.
pub(super) fn response(answer: Result<Framed, Status>) -> Response<Answer> {
    let Framed(mut framed) = match answer {
        Ok(framed) => framed,
        Err(status) => return status.into_http().map(Answer::Tonic),
    };
    let length = u32::try_from(framed.len() - HEAD).unwrap_or(u32::MAX);
    framed[1..HEAD].copy_from_slice(&length.to_be_bytes());
    let mut response = Response::new(Answer::Message(Some(framed.into())));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let answer = self.get_mut();
        match answer {
            Answer::Message(message) => {
                let message = message.take().unwrap_or_default();
                *answer = Answer::Well;
                Poll::Ready(Some(Ok(Frame::data(message))))
            }
            Answer::Well => {
                *answer = Answer::Over;
                let mut trailers = HeaderMap::with_capacity(1);
                trailers.insert(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"));
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            Answer::Over => Poll::Ready(None),
            Answer::Tonic(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Answer::Message(_) | Answer::Well => false,
            Answer::Over => true,
            Answer::Tonic(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Answer::Tonic(body) => body.size_hint(),
            Answer::Message(_) | Answer::Well | Answer::Over => SizeHint::default(),
        }
    }
}
