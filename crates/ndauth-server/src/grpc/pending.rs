//! Calls in flight, their deadlines, and the counting of their responses.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use ndauth_core::{Problem, Reason};
use ndauth_proto::status_from_problem;
use tokio::time::{Sleep, sleep};
use tonic::body::Body;

use super::routing::CallRoute;
use super::unary::ResponseBody;
use crate::telemetry::{RequestSpan, count_failure};
use crate::{edges, http};

/// A call in flight.
pub(crate) struct PendingCall {
    pub(super) reply: Reply,
    pub(super) deadline: Deadline,
    pub(super) begun: Instant,
    /// `None` for an unknown call.
    pub(super) call_route: Option<&'static CallRoute>,
    pub(super) protocol: Protocol,
    /// The span of the request, if it has one.
    pub(super) trace: Option<RequestSpan>,
    /// The request id in the response. A validation, and a proxy's yes that is there at once, has one only if its caller
    /// sent one.
    pub(super) id: Option<HeaderValue>,
}

/// The protocol of a call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Protocol {
    Grpc,
    /// A page, or an edge. `is_secure` is true if browsers reach the server by `https`.
    Http {
        is_secure: bool,
    },
}

/// The response to a call.
pub(super) enum Reply {
    /// The response is there; `None` once it was taken.
    Now(Option<Response<ResponseBody>>),
    /// The response will be there later.
    Later(Pin<Box<dyn Future<Output = Response<ResponseBody>> + Send>>),
}

/// Until when a call must be answered.
pub(super) enum Deadline {
    Never,
    /// This long after the call began. A timer is set only for calls that are not answered at once.
    After(Duration),
    Set(Pin<Box<Sleep>>),
}

/// The name of the header of the request id.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

impl Future for PendingCall {
    type Output = Response<ResponseBody>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let call = self.get_mut();
        let answer = match &mut call.reply {
            Reply::Now(answer) => Poll::Ready(answer.take().expect("it is polled until it is ready")),
            Reply::Later(answer) => answer.as_mut().poll(context),
        };
        let response = match answer {
            Poll::Ready(response) => response,
            Poll::Pending => {
                std::task::ready!(call.deadline.poll(call.begun, context));
                let late = match (call.protocol, call.call_route) {
                    (Protocol::Http { .. }, Some(call_route)) => {
                        let id = call.id.as_ref().expect("one that is answered later has an id");
                        refused_by_http(call_route, &deadline_exceeded(), id)
                    }
                    _ => status_from_problem(&deadline_exceeded()).into_http(),
                };
                late.map(ResponseBody::Tonic)
            }
        };
        Poll::Ready(call.end(response))
    }
}

impl PendingCall {
    /// Counts a response, and adds the request id to it.
    fn end(&mut self, response: Response<ResponseBody>) -> Response<ResponseBody> {
        let elapsed = self.begun.elapsed().as_secs_f64();
        if let Protocol::Http { is_secure } = self.protocol {
            self.count_page(&response, elapsed);
            if let Some(trace) = &self.trace {
                trace.set_status(response.status());
            }
            let mut response = response;
            // A proxy may pass the response of an edge on, as that of another site.
            if self.call_route.is_none_or(|call_route| !edges::is_edge(call_route.rpc)) {
                http::guard(response.headers_mut(), is_secure);
            }
            return self.sign(response);
        }
        let code = response.headers().get("grpc-status").and_then(|code| code.to_str().ok());
        if let Some(trace) = &self.trace {
            trace.set_code(code.unwrap_or("0"));
        }
        match (self.call_route, code) {
            (Some(call_route), None | Some("0")) => {
                call_route.count_answered();
                call_route.record_seconds(elapsed);
            }
            (call_route, code) => {
                let code = code.unwrap_or("-");
                count_failure(code);
                match call_route {
                    Some(call_route) => call_route.record_seconds(elapsed),
                    None => metrics::histogram!("ndauth_rpc_seconds", "rpc" => "unknown").record(elapsed),
                }
                let rpc = call_route.map_or("unknown", |call_route| call_route.rpc);
                metrics::counter!("ndauth_rpcs_total", "rpc" => rpc, "code" => code.to_owned()).increment(1);
            }
        }
        self.sign(response)
    }

    /// Counts the response of a page, by its HTTP status.
    fn count_page(&self, response: &Response<ResponseBody>, elapsed: f64) {
        match self.call_route {
            Some(call_route) => call_route.record_seconds(elapsed),
            None => metrics::histogram!("ndauth_http_seconds", "route" => "unknown").record(elapsed),
        }
        match (self.call_route, response.status()) {
            (Some(call_route), StatusCode::OK) => call_route.count_answered(),
            (call_route, status) => {
                match status {
                    StatusCode::INTERNAL_SERVER_ERROR => count_failure("13"),
                    StatusCode::SERVICE_UNAVAILABLE => count_failure("14"),
                    _ => {}
                }
                let route = call_route.map_or("unknown", |call_route| call_route.rpc);
                let status = status.as_str().to_owned();
                metrics::counter!("ndauth_http_requests_total", "route" => route, "status" => status)
                    .increment(1);
            }
        }
    }

    fn sign(&mut self, mut response: Response<ResponseBody>) -> Response<ResponseBody> {
        // It ends here, and not when the client has taken the response.
        let trace = self.trace.take();
        if let Some(id) = self.id.take() {
            if let Some(trace) = &trace {
                trace.set_id(&id);
            }
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }
}

impl Deadline {
    fn poll(&mut self, begun: Instant, context: &mut Context<'_>) -> Poll<()> {
        if let Deadline::After(after) = self {
            *self = Deadline::Set(Box::pin(sleep(after.saturating_sub(begun.elapsed()))));
        }
        match self {
            Deadline::Set(sleep) => sleep.as_mut().poll(context),
            Deadline::Never | Deadline::After(_) => Poll::Pending,
        }
    }
}

/// Returns the response to a request that is not gRPC and was not answered.
pub(super) fn refused_by_http(call_route: &CallRoute, problem: &Problem, id: &HeaderValue) -> Response<Body> {
    let refused = match edges::is_edge(call_route.rpc) {
        true => edges::refused(call_route.rpc, problem, id),
        false => http::refused(call_route.rpc, problem),
    };
    refused.map(Body::new)
}

/// Reads the timeout of a call: up to 8 digits and a unit (gRPC over HTTP/2, "Timeout").
pub(super) fn deadline(headers: &HeaderMap) -> Deadline {
    let header = headers.get(TIMEOUT).and_then(|value| value.to_str().ok());
    let parsed = header.and_then(|text| {
        let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let count: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
        Some(match unit {
            "H" => Duration::from_secs(count * 60 * 60),
            "M" => Duration::from_secs(count * 60),
            "S" => Duration::from_secs(count),
            "m" => Duration::from_millis(count),
            "u" => Duration::from_micros(count),
            "n" => Duration::from_nanos(count),
            _ => return None,
        })
    });
    parsed.map_or(Deadline::Never, Deadline::After)
}

fn deadline_exceeded() -> Problem {
    let why = "the caller's deadline passed; the call may still take effect";
    Problem::new(Reason::DeadlineExceeded, why)
}
