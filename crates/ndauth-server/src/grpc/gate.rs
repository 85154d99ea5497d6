//! The gate: every call gets an id, a span and a place in the metrics; one without a row in the access
//! table goes no further.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::http::{HeaderName, HeaderValue, Request, Response};
use ndauth_authority::access::row_of_rpc;
use ndauth_core::{Problem, Reason};
use ndauth_proto::status_from_problem;
use tonic::body::Body;
use tower::{Layer, Service};
use tracing::Instrument;
use uuid::Uuid;

/// Puts the gate before a service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gate;

/// A service behind the gate.
#[derive(Clone, Debug)]
pub(crate) struct Gated<S>(S);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// A caller's own id is kept up to this length.
const LONGEST_ID: usize = 64;

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Gated<S> {
        Gated(inner)
    }
}

impl<S> Service<Request<Body>> for Gated<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The clone is taken for the next call: the service that was found ready serves this one.
        let next = self.0.clone();
        let mut inner = std::mem::replace(&mut self.0, next);
        let begun = Instant::now();
        let id = request_id(request.headers().get(REQUEST_ID));
        let row = row_of_rpc(request.uri().path());
        // A label for each row, so that strangers cannot make up new ones.
        let rpc = row.and_then(|row| row.rpcs.first()).copied().unwrap_or("unknown");
        let span = tracing::info_span!("rpc", rpc, request_id = id.to_str().unwrap_or_default());
        let answer = async move {
            let mut response = match row {
                Some(_) => inner.call(request).await?,
                None => unknown_call(),
            };
            let code =
                response.headers().get("grpc-status").and_then(|code| code.to_str().ok()).unwrap_or("0");
            let code = code.to_owned();
            let elapsed = begun.elapsed();
            tracing::debug!(code, micros = elapsed.as_micros(), "answered");
            metrics::counter!("ndauth_rpcs_total", "rpc" => rpc, "code" => code).increment(1);
            metrics::histogram!("ndauth_rpc_seconds", "rpc" => rpc).record(elapsed.as_secs_f64());
            response.headers_mut().insert(REQUEST_ID, id);
            Ok(response)
        };
        Box::pin(answer.instrument(span))
    }
}

/// The caller's id where it is short and plain, a fresh one otherwise.
fn request_id(given: Option<&HeaderValue>) -> HeaderValue {
    let plain = |id: &&HeaderValue| {
        (1..=LONGEST_ID).contains(&id.len())
            && id.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    given
        .filter(plain)
        .cloned()
        .unwrap_or_else(|| HeaderValue::from_str(&Uuid::new_v4().to_string()).expect("a UUID is plain text"))
}

fn unknown_call() -> Response<Body> {
    let problem = Problem::new(Reason::CallUnknown, "there is no such call here");
    status_from_problem(&problem).into_http()
}
