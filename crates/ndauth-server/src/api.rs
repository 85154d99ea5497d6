//! The HTTP API: the RPCs as JSON, at the paths that the contract names. It turns a request into the message of an RPC,
//! calls that RPC as a gRPC client does, and turns the response into JSON. It decides nothing.
//!
//! Small validations are transcoded on the core of their connection. All other requests are transcoded on the runtime
//! of the database's connections, so that no large one delays the others of its core.

mod routing;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Bytes;
use axum::http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_REQUEST_METHOD, ALLOW, AUTHORIZATION, CONNECTION, CONTENT_ENCODING,
    CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, TE, TRANSFER_ENCODING, WWW_AUTHENTICATE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body_util::BodyExt as _;
use ndauth_authority::access::Operation;
use ndauth_core::{Problem, Reason};
use ndauth_proto::json::{BodyOf, parse, write};
use ndauth_proto::problem_from_status;
use percent_encoding::percent_decode_str;
use prost::Message;
use tonic::Status;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_http::cors::CorsLayer;

use crate::front::Received;
use crate::grpc::{
    CREDENTIAL_HEADERS, CallPermit, ConnectionGate, Gate, PAGE_WITHIN, PendingCall, ResponseBody, SMALL,
    credential_kind, unframed, without_response,
};
use crate::http::{ApiFailure, guard};
use crate::telemetry::RequestSpan;
use routing::{ApiRoute, ApiRouter, Routed};

/// The paths of the API begin with this.
const PREFIX: &str = "/v1/";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// The headers in which gRPC states how the body is sent. A client of the API has none of them.
const OF_GRPC: [HeaderName; 3] =
    [TIMEOUT, HeaderName::from_static("grpc-encoding"), HeaderName::from_static("grpc-accept-encoding")];
/// Trailers of a response whose names begin so are headers of the JSON response.
const OURS: &str = "ndauth-";

/// The state that all connections share.
pub(crate) struct Api {
    router: ApiRouter,
    /// The URL at which clients reach the server.
    issuer: String,
    is_secure: bool,
    /// The deadline of a call, as gRPC states it.
    within: HeaderValue,
    /// The origins whose scripts may read responses. `None` if there are none.
    cors: Option<CorsLayer>,
}

/// Returns the layer that lets scripts of these origins call the API. They present a credential explicitly: no cookie is
/// one.
pub(crate) fn cors(origins: &[String]) -> Option<CorsLayer> {
    let values = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    let layer = CorsLayer::new()
        .allow_origin(values.collect::<Vec<_>>())
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE, REQUEST_ID])
        .expose_headers([&[WWW_AUTHENTICATE, RETRY_AFTER, REQUEST_ID], &CREDENTIAL_HEADERS[..]].concat());
    (!origins.is_empty()).then_some(layer)
}

/// The surfaces behind one connection.
pub(crate) struct ApiConnection {
    api: Arc<Api>,
    gate: ConnectionGate,
}

/// A call in flight, on any surface.
#[expect(
    clippy::large_enum_variant,
    reason = "a gRPC call is not put on the heap, since it is answered in microseconds"
)]
pub(crate) enum SurfaceCall {
    /// A gRPC call, or a page.
    Gate(PendingCall),
    /// A call of the API.
    Api(Pin<Box<dyn Future<Output = Response<ResponseBody>> + Send>>),
}

impl Future for SurfaceCall {
    type Output = Response<ResponseBody>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            SurfaceCall::Gate(call) => Pin::new(call).poll(context),
            SurfaceCall::Api(call) => call.as_mut().poll(context),
        }
    }
}

impl Api {
    pub(crate) fn new(gate: &Gate, issuer: String, is_secure: bool, cors: Option<CorsLayer>) -> Arc<Api> {
        let within = HeaderValue::try_from(format!("{}S", PAGE_WITHIN.as_secs()));
        let within = within.expect("digits and a letter are plain text");
        Arc::new(Api { router: ApiRouter::new(gate), issuer, is_secure, within, cors })
    }

    /// Returns the surfaces for the connection of a peer.
    pub(crate) fn to(self: &Arc<Self>, gate: &Arc<Gate>, peer: SocketAddr) -> ApiConnection {
        ApiConnection { api: Arc::clone(self), gate: gate.to(peer) }
    }
}

impl ApiConnection {
    /// Starts to answer a request on whichever surface it is for.
    pub(crate) fn call(&mut self, request: Request<Received>) -> SurfaceCall {
        if !request.uri().path().starts_with(PREFIX) {
            return SurfaceCall::Gate(self.gate.call(request));
        }
        let is_preflight = request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        let cors = match &self.api.cors {
            // The layer answers every `OPTIONS`.
            Some(cors) if *request.method() != Method::OPTIONS || is_preflight => cors,
            _ => return SurfaceCall::Api(self.answer(request)),
        };
        let mut connection = ApiConnection { api: Arc::clone(&self.api), gate: self.gate.clone() };
        let (id, is_secure) = (self.gate.request_id(request.headers()), self.api.is_secure);
        let service = cors.layer(service_fn(move |request| {
            let answer = connection.answer(request);
            async move { Ok::<_, std::convert::Infallible>(answer.await) }
        }));
        SurfaceCall::Api(Box::pin(async move {
            let mut response = service.oneshot(request).await.unwrap_or_else(|never| match never {});
            guard(response.headers_mut(), is_secure);
            response.headers_mut().entry(REQUEST_ID).or_insert(id);
            response
        }))
    }

    fn answer(
        &mut self,
        request: Request<Received>,
    ) -> Pin<Box<dyn Future<Output = Response<ResponseBody>> + Send>> {
        let (head, mut body) = request.into_parts();
        let (api, gate) = (Arc::clone(&self.api), self.gate.clone());
        let mut exchange = Exchange {
            api,
            gate,
            id: self.gate.request_id(&head.headers),
            presented: head.headers.get(AUTHORIZATION).cloned(),
            is_head: head.method == Method::HEAD,
            trace: None,
        };
        let (route, values) = match exchange.api.router.find(&head.method, head.uri.path()) {
            Routed::To(route, values) => (route, values),
            Routed::OtherMethods(methods) => return ready(exchange.other_methods(&head.method, &methods)),
            Routed::Nothing => {
                let problem = Problem::new(Reason::CallUnknown, "the API has no such path");
                return ready(exchange.refuse(None, &ApiFailure::from(problem)));
            }
        };
        let from_memory = route.call.is_answered_from_memory();
        exchange.trace = RequestSpan::of_http(route.binding, &head.headers, from_memory);
        if let Some(trace) = &exchange.trace {
            trace.set_rpc(route.rpc.path().trim_start_matches('/'));
        }
        // The body of a small validation has usually arrived. The RPC checks its credential.
        if route.call.row().operation == Operation::ValidateToken
            && let Some(whole) = body.whole().filter(|whole| whole.len() as u64 <= SMALL)
        {
            return match exchange.call(route, &values, &head, &whole) {
                Ok(request) => {
                    let call = self.gate.call(request);
                    Box::pin(async move { exchange.finish(route, call.await).await })
                }
                Err(failure) => {
                    Box::pin(async move { exchange.refuse_invalid(route, &head.headers, failure).await })
                }
            };
        }
        if let Err(status) = exchange.gate.required_credential(route.call.row(), &head.headers) {
            return ready(exchange.refuse(Some(route), &failure(&status)));
        }
        Box::pin(async move {
            let (whole, permit) = match exchange.gate.read(route.call, body, &head.headers).await {
                Ok(read) => read,
                Err(status) => return exchange.refuse(Some(route), &read_failure(&status)),
            };
            let (runtime, spare) = (exchange.gate.runtime().clone(), exchange.clone());
            let answer = runtime.spawn(async move {
                // The permit is held until the response is written.
                let permit: CallPermit = permit;
                match exchange.call(route, &values, &head, &whole) {
                    Ok(mut request) => {
                        request.extensions_mut().insert(permit.clone());
                        let answered = exchange.gate.clone().call(request).await;
                        exchange.finish(route, answered).await
                    }
                    Err(failure) => exchange.refuse_invalid(route, &head.headers, failure).await,
                }
            });
            answer.await.unwrap_or_else(|_| spare.end(spare.problem(&lost(route))))
        })
    }
}

/// A request that is being answered: the parts of it that every answer needs.
#[derive(Clone)]
struct Exchange {
    api: Arc<Api>,
    gate: ConnectionGate,
    id: HeaderValue,
    /// The header of the credential, if there is one.
    presented: Option<HeaderValue>,
    is_head: bool,
    /// The span of the request, if it has one.
    trace: Option<RequestSpan>,
}

impl Exchange {
    /// Builds the call of an RPC, with the headers of the request.
    fn call(
        &self,
        route: &ApiRoute,
        values: &[String],
        head: &Parts,
        body: &[u8],
    ) -> Result<Request<Received>, ApiFailure> {
        let body = match body {
            [] => None,
            // It is refused below, so it is not parsed.
            _ if matches!(route.binding.body, BodyOf::Nothing) => Some(serde_json::Value::Null),
            body => {
                is_json(&head.headers)?;
                Some(parse(body)?)
            }
        };
        let query = head.uri.query().unwrap_or_default();
        if percent_decode_str(query).decode_utf8().is_err() {
            return Err(Problem::invalid("query", "it is not UTF-8").into());
        }
        let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
            .take(MOST_PARAMETERS)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let message = route.binding.request(body.as_ref(), &values, &query)?;
        let mut framed = Vec::with_capacity(5 + message.encoded_len());
        framed.push(0);
        framed.extend(u32::try_from(message.encoded_len()).unwrap_or(u32::MAX).to_be_bytes());
        message.encode(&mut framed).expect("a vector grows");

        let mut request = Request::new(Received::from(Bytes::from(framed)));
        *request.uri_mut() = route.rpc.clone();
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        let headers = request.headers_mut();
        headers.clone_from(&head.headers);
        for name in [CONTENT_LENGTH, TRANSFER_ENCODING, CONTENT_ENCODING, ACCEPT_ENCODING, CONNECTION]
            .iter()
            .chain(&OF_GRPC)
        {
            headers.remove(name);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(TIMEOUT, self.api.within.clone());
        headers.insert(REQUEST_ID, self.id.clone());
        if let Some(trace) = &self.trace {
            request.extensions_mut().insert(trace.clone());
        }
        Ok(request)
    }

    /// Turns the response of an RPC into that of the API.
    async fn finish(self, route: &ApiRoute, answered: Response<ResponseBody>) -> Response<ResponseBody> {
        let (head, body) = answered.into_parts();
        let (framed, trailers) = match body {
            // As a message without tonic ends: with success.
            ResponseBody::Message(Some(framed)) => (framed, HeaderMap::new()),
            body => match body.collect().await {
                Ok(collected) => {
                    let trailers = collected.trailers().cloned().unwrap_or_default();
                    (collected.to_bytes(), trailers)
                }
                Err(_) => return self.end(self.problem(&lost(route))),
            },
        };
        let status = Status::from_header_map(&head.headers).or_else(|| Status::from_header_map(&trailers));
        if let Some(status) = status.filter(|status| status.code() != tonic::Code::Ok) {
            let mut problem = problem_from_status(&status);
            if problem.reason == Reason::DeadlineExceeded && route.call.row().does.changes() {
                // The change may still take effect.
                problem.reason = Reason::OutcomeUnknown;
            }
            let mut response = self.problem(&ApiFailure::from(renamed(route, problem)));
            response.headers_mut().extend(ours(&head.headers));
            return self.end(response);
        }
        let Some(json) = json(route, &framed) else {
            return self.end(self.problem(&lost(route)));
        };
        let mut response = Response::new(json);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.headers_mut().extend(ours(&trailers));
        self.end(response)
    }

    /// Refuses a request before its RPC is called, and counts that.
    fn refuse(&self, route: Option<&ApiRoute>, failure: &ApiFailure) -> Response<ResponseBody> {
        self.gate.count_refused(route.map(|route| route.call), failure.problem());
        self.end(self.problem(failure))
    }

    /// Refuses an invalid request. A credential that is not valid is the first thing that its caller is told.
    async fn refuse_invalid(
        &self,
        route: &ApiRoute,
        headers: &HeaderMap,
        invalid: ApiFailure,
    ) -> Response<ResponseBody> {
        let checked = self.gate.check_credential(route.call, headers).await;
        self.refuse(Some(route), &checked.err().map_or(invalid, |status| failure(&status)))
    }

    fn problem(&self, failure: &ApiFailure) -> Response<Bytes> {
        failure.response(Some(&self.api.issuer), self.presented.as_ref().and_then(credential_kind), &self.id)
    }

    /// Answers a method that the path does not support. `OPTIONS` asks which it does.
    fn other_methods(&self, method: &Method, methods: &[&str]) -> Response<ResponseBody> {
        let allowed = methods.iter().copied().chain(["OPTIONS"]).collect::<Vec<_>>().join(", ");
        let allowed = HeaderValue::try_from(allowed).expect("names of methods are plain text");
        let mut response = if *method == Method::OPTIONS {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        } else {
            let why = format!("this path supports {}", methods.join(", "));
            let problem = Problem::new(Reason::CallUnknown, why);
            let failure = ApiFailure::with_status(StatusCode::METHOD_NOT_ALLOWED, problem);
            self.gate.count_refused(None, failure.problem());
            self.problem(&failure)
        };
        response.headers_mut().insert(ALLOW, allowed);
        self.end(response)
    }

    fn end(&self, response: Response<Bytes>) -> Response<ResponseBody> {
        let (mut head, body) = response.into_parts();
        guard(&mut head.headers, self.api.is_secure);
        head.headers.insert(REQUEST_ID, self.id.clone());
        if let Some(trace) = &self.trace {
            trace.set_status(head.status);
            trace.set_id(&self.id);
        }
        if self.is_head {
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
            return Response::from_parts(head, ResponseBody::default());
        }
        Response::from_parts(head, ResponseBody::Whole(body))
    }
}

/// The most parameters of a query that are read; no path has as many.
const MOST_PARAMETERS: usize = 64;

/// Checks that a body is JSON, as its headers say (RFC 8259, section 11: UTF-8, without a parameter).
fn is_json(headers: &HeaderMap) -> Result<(), ApiFailure> {
    let only = |name: HeaderName| {
        let mut values = headers.get_all(name).iter();
        values.next().filter(|_| values.next().is_none()).and_then(|value| value.to_str().ok())
    };
    let kind = only(CONTENT_TYPE).unwrap_or_default();
    let (kind, parameters) = kind.split_once(';').unwrap_or((kind, ""));
    let charset = parameters.trim();
    let is_utf8 =
        ["", "charset=utf-8", "charset=\"utf-8\""].iter().any(|known| charset.eq_ignore_ascii_case(known));
    let is_plain = !headers.contains_key(CONTENT_ENCODING);
    if kind.trim().eq_ignore_ascii_case("application/json") && is_utf8 && is_plain {
        return Ok(());
    }
    let why = "send `content-type: application/json`, in UTF-8 and uncompressed";
    Err(ApiFailure::with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE, Problem::invalid("content-type", why)))
}

/// Writes the one message of a response as JSON. Logs what has no form there.
fn json(route: &ApiRoute, framed: &Bytes) -> Option<Bytes> {
    match write(&route.output, unframed(framed).ok()?) {
        Ok(json) => Some(json.into()),
        Err(error) => {
            tracing::error!(%error, "a response has no form in JSON");
            None
        }
    }
}

/// Returns the headers that a gRPC response adds for its callers.
fn ours(headers: &HeaderMap) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with(OURS))
        .map(|(name, value)| (name.clone(), value.clone()))
}

fn failure(status: &Status) -> ApiFailure {
    ApiFailure::from(problem_from_status(status))
}

/// Names the field of a problem as the client knows it: a variable of the path by its own name.
fn renamed(route: &ApiRoute, mut problem: Problem) -> Problem {
    if let Some(field) = problem.field.take() {
        let name = route.binding.name_of(&field);
        if let Some(rest) = problem.message.strip_prefix(&format!("`{field}`")) {
            problem.message = format!("`{name}`{rest}");
        }
        problem.field = Some(name.to_owned());
    }
    problem
}

/// Returns the failure of a call whose response was lost, and logs it.
fn lost(route: &ApiRoute) -> ApiFailure {
    tracing::error!(path = %route.binding, "a response was lost");
    ApiFailure::from(without_response(route.call.row()))
}

/// Returns the failure of a body that was not read.
fn read_failure(status: &Status) -> ApiFailure {
    let problem = problem_from_status(status);
    match problem.reason {
        // The client was too slow, and no server behind this one.
        Reason::DeadlineExceeded => ApiFailure::with_status(StatusCode::REQUEST_TIMEOUT, problem),
        _ => ApiFailure::from(problem),
    }
}

fn ready(response: Response<ResponseBody>) -> Pin<Box<dyn Future<Output = Response<ResponseBody>> + Send>> {
    Box::pin(std::future::ready(response))
}
