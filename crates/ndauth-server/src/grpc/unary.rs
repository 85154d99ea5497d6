//! Unary calls without tonic's support for streams: gRPC over HTTP/2, "Requests" and "Responses". Calls that
//! are answered from memory are framed here, since tonic's framing would cost more than they do. The request
//! of every unary call is read here, whole, before it takes a permit.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response};
use bytes::BytesMut;
use hyper::body::{Body, Frame, SizeHint};
use ndauth_authority::limits::{ClientNetwork, INCOMING_BYTES, LimitReached, Share, Shares};
use ndauth_authority::{AuthorityError, Life};
use ndauth_core::{Problem, Reason};
use ndauth_proto::status_from_problem;
use prost::Message;
use prost::encoding::{DecodeContext, decode_key, skip_field};
use tokio::time::{Sleep, sleep};
use tonic::Status;

use super::service::{Stopped, refused};
use super::trailers::add_life;
use crate::front::Received;
use crate::received::BoxError;

/// The body of a response.
#[derive(Default)]
pub(crate) enum ResponseBody {
    /// One message, followed by the trailers of success.
    Message(Option<Bytes>),
    /// A whole body, without trailers.
    Whole(Bytes),
    /// The trailers of success.
    Success,
    /// The end.
    #[default]
    Over,
    /// A body that tonic made.
    Tonic(tonic::body::Body),
    /// A body that tonic made, with trailers that report the begin and the end of the credential's validity.
    WithLife(tonic::body::Body, Life),
    /// A body that tonic made, without an end of its own. It ends when the server stops.
    Endless { body: tonic::body::Body, stopped: Stopped, _share: Option<Share<IpAddr>> },
}

/// A flag that says whether what follows is compressed, and its length.
const HEAD: usize = 5;

/// The reader of requests. A slow sender takes no permit of a call, and its memory is limited.
pub(super) struct RequestReader {
    /// The timeout of a request.
    client_timeout: Duration,
    incoming: Arc<Shares<IpAddr>>,
}

/// The body of a stream of requests, which fails if nothing of it comes in time.
pub(super) struct BegunInTime {
    body: Received,
    /// `None` once something came.
    late: Option<Pin<Box<Sleep>>>,
}

impl Body for BegunInTime {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let BegunInTime { body, late } = self.get_mut();
        match (Pin::new(body).poll_frame(context), &mut *late) {
            (Poll::Ready(frame), _) => {
                *late = None;
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            (Poll::Pending, Some(timer)) => {
                ready!(timer.as_mut().poll(context));
                Poll::Ready(Some(Err("no request arrived in time".into())))
            }
            (Poll::Pending, None) => Poll::Pending,
        }
    }
}

impl RequestReader {
    pub(super) fn new(client_timeout: Duration) -> RequestReader {
        RequestReader { client_timeout, incoming: Shares::new(INCOMING_BYTES) }
    }

    /// Reads a request whose message has at most `most` bytes. Returns the message with its header.
    pub(super) async fn whole(
        &self,
        mut body: Received,
        most: usize,
        from: ClientNetwork,
    ) -> Result<Bytes, Problem> {
        let mut parts = BytesMut::new();
        let mut share: Option<Share<IpAddr>> = None;
        let mut late: Option<Pin<Box<Sleep>>> = None;
        let next = |body: &mut Received, late: &mut Option<Pin<Box<Sleep>>>, context: &mut Context<'_>| {
            match Pin::new(body).poll_frame(context) {
                Poll::Ready(frame) => Poll::Ready(Ok(frame)),
                Poll::Pending => {
                    let late = late.get_or_insert_with(|| Box::pin(sleep(self.client_timeout)));
                    ready!(late.as_mut().poll(context));
                    Poll::Ready(Err(self.too_late()))
                }
            }
        };
        while let Some(frame) = std::future::poll_fn(|context| next(&mut body, &mut late, context)).await? {
            let frame =
                frame.map_err(|_| Problem::new(Reason::InvalidArgument, "the request was cut off"))?;
            let Ok(data) = frame.into_data() else { continue };
            if parts.len() + data.len() > HEAD + most {
                let why = format!("the request is larger than {most} bytes");
                return Err(Problem::new(Reason::RequestTooLarge, why));
            }
            // A request nearly always comes in one part.
            if parts.is_empty() && body.is_end_stream() {
                return Ok(data);
            }
            if !body.is_end_stream() {
                match &mut share {
                    Some(share) => share.grow(data.len()).map_err(overloaded)?,
                    None => share = Some(self.incoming.take(from, data.len()).map_err(overloaded)?),
                }
            }
            // Appended in place, so that a client that sends byte by byte causes no copy of the rest each
            // time.
            parts.extend_from_slice(&data);
        }
        Ok(parts.freeze())
    }

    /// The body of a stream of requests, of which the first must begin to come in time.
    pub(super) fn begun(&self, body: Received) -> BegunInTime {
        BegunInTime { body, late: Some(Box::pin(sleep(self.client_timeout))) }
    }

    fn too_late(&self) -> Problem {
        Problem::new(
            Reason::DeadlineExceeded,
            format!("the request did not arrive within {:?}", self.client_timeout),
        )
    }

    /// Reads and decodes the one message of a request, of at most `most` bytes.
    pub(super) async fn read<M: Message + Default>(
        &self,
        body: Received,
        most: usize,
        from: ClientNetwork,
    ) -> Result<M, Status> {
        message(&self.whole(body, most, from).await.map_err(refused)?)
    }
}

/// Decodes the one message of a request.
pub(super) fn message<M: Message + Default>(whole: &[u8]) -> Result<M, Status> {
    M::decode(unframed(whole)?).map_err(|_| undecodable())
}

/// Returns the status of a request that is not a message of its call.
pub(super) fn undecodable() -> Status {
    invalid("it is not a message of this RPC")
}

/// Counts the fields of a message without decoding them. A malformed field ends the count.
pub(super) fn count_fields(mut message: &[u8]) -> usize {
    let mut count = 0;
    while let Ok((tag, wire)) = decode_key(&mut message)
        && skip_field(wire, tag, &mut message, DecodeContext::default()).is_ok()
    {
        count += 1;
    }
    count
}

/// Returns the bytes of the one message of a request, without its header.
pub(crate) fn unframed(whole: &[u8]) -> Result<&[u8], Status> {
    let Some((&[compressed, ref length @ ..], message)) = whole.split_first_chunk::<HEAD>() else {
        return Err(invalid("the message is missing"));
    };
    if compressed != 0 {
        let why = "compressed messages are not supported";
        return Err(status_from_problem(&Problem::new(Reason::CallUnknown, why)));
    }
    if usize::try_from(u32::from_be_bytes(*length)).ok() != Some(message.len()) {
        return Err(invalid("expected one message of the length that it states"));
    }
    Ok(message)
}

/// Returns the problem of a limit that is reached.
pub(super) fn overloaded(limit: LimitReached) -> Problem {
    Problem::from(&AuthorityError::from(limit))
}

fn invalid(why: &str) -> Status {
    status_from_problem(&Problem::new(Reason::InvalidArgument, why))
}

/// A message that is written field by field.
pub(super) struct Framed(Vec<u8>);

impl Framed {
    /// Begins a message of about `bytes` bytes.
    pub(super) fn begin(bytes: usize) -> Framed {
        let mut framed = Framed(Vec::with_capacity(HEAD + bytes));
        framed.0.extend([0; HEAD]);
        framed
    }

    /// Returns the buffer that its fields are written to.
    pub(super) fn fields(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

/// Turns a result into a response.
pub(super) fn response(answer: Result<Framed, Status>) -> Response<ResponseBody> {
    let Framed(mut framed) = match answer {
        Ok(framed) => framed,
        Err(status) => return status.into_http().map(ResponseBody::Tonic),
    };
    let length = u32::try_from(framed.len() - HEAD).unwrap_or(u32::MAX);
    framed[1..HEAD].copy_from_slice(&length.to_be_bytes());
    let mut response = Response::new(ResponseBody::Message(Some(framed.into())));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let answer = self.get_mut();
        match answer {
            ResponseBody::Message(message) => {
                let message = message.take().unwrap_or_default();
                *answer = ResponseBody::Success;
                Poll::Ready(Some(Ok(Frame::data(message))))
            }
            ResponseBody::Whole(body) => {
                let body = std::mem::take(body);
                *answer = ResponseBody::Over;
                Poll::Ready((!body.is_empty()).then(|| Ok(Frame::data(body))))
            }
            ResponseBody::Success => {
                *answer = ResponseBody::Over;
                let mut trailers = HeaderMap::with_capacity(1);
                trailers.insert(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"));
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            ResponseBody::Over => Poll::Ready(None),
            ResponseBody::Tonic(body) => Pin::new(body).poll_frame(context),
            ResponseBody::Endless { body, stopped, .. } => {
                // First, since a body that always has more is never waited for.
                if stopped.as_mut().poll(context).is_pending() {
                    return Pin::new(body).poll_frame(context);
                }
                *answer = ResponseBody::Over;
                let problem = Problem::new(Reason::Unavailable, "the server is stopping");
                let (head, _) = status_from_problem(&problem).into_http::<tonic::body::Body>().into_parts();
                let mut trailers = head.headers;
                trailers.remove(CONTENT_TYPE);
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            ResponseBody::WithLife(body, life) => {
                let frame = ready!(Pin::new(body).poll_frame(context));
                let frame = frame.map(|frame| {
                    frame.map(|mut frame| {
                        if let Some(trailers) = frame.trailers_mut() {
                            add_life(trailers, life);
                        }
                        frame
                    })
                });
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            ResponseBody::Message(_) | ResponseBody::Success => false,
            ResponseBody::Whole(body) => body.is_empty(),
            ResponseBody::Over => true,
            ResponseBody::Tonic(body)
            | ResponseBody::WithLife(body, _)
            | ResponseBody::Endless { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ResponseBody::Tonic(body)
            | ResponseBody::WithLife(body, _)
            | ResponseBody::Endless { body, .. } => body.size_hint(),
            ResponseBody::Whole(body) => SizeHint::with_exact(body.len() as u64),
            ResponseBody::Message(_) | ResponseBody::Success | ResponseBody::Over => SizeHint::default(),
        }
    }
}
