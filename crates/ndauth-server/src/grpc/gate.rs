//! The gate: it routes every call by the access table, and adds the request id, the metrics and the deadline.
//! A call without a row in the table goes no further. Requests that are not gRPC go to the edges or the pages in the
//! same way.
//!
//! Calls that are answered from memory run on the core of their connection. Calls that query the database run
//! on the runtime that the database's connections live on, within a limit.

mod edges;

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::{Bytes, HttpBody};
use axum::http::header::{ACCEPT, ALLOW, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use ndauth_authority::access::{Operation, Row, Rule};
use ndauth_authority::limits::{CALLS, ClientNetwork, CountedAs, OPEN_STREAMS, Share, Shares, network};
use ndauth_authority::{Credential, RequestOrigin};
use ndauth_core::{ClientName, Networks, Problem, Reason, SecretKind};
use ndauth_proto::status_from_problem;
use tokio::runtime::Handle;
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::server::TcpConnectInfo;
use tower::Service as _;
use tracing::Instrument;

use super::pending::{Deadline, PendingCall, Protocol, REQUEST_ID, Reply, deadline, refused_by_http};
use super::routing::{CallRoute, CallRouter};
use super::service::{
    GrpcService, MAX_BATCH, MAX_NAME, MAX_REQUEST, ReportedLife, presented, presents, refused, status,
};
use super::unary::{self, RequestReader, ResponseBody, overloaded};
use super::validation;
use crate::client_address::client_address;
use crate::edges::{self as edge_calls, CHECK, INTROSPECT, VERIFY};
use crate::front::Received;
use crate::http::{self, Peer};
use crate::telemetry::{RequestSpan, count_failure};

/// The state that all connections share.
pub(crate) struct Gate {
    routes: Routes,
    pages: axum::Router,
    service: GrpcService,
    /// The runtime that the database's connections live on.
    runtime: Handle,
    /// The permits of the calls in flight.
    calls: Arc<Shares<CountedAs>>,
    open_streams: Arc<Shares<IpAddr>>,
    request_reader: RequestReader,
    /// The proxies whose `X-Forwarded-For` is trusted.
    trusted_proxies: Option<Networks>,
    /// The URL at which clients reach the server.
    issuer: String,
    call_router: CallRouter,
    /// The two parts of a request id: one of the process, and one of the call.
    ids: (u64, AtomicU64),
}

/// The gate, for the calls of one connection.
pub(crate) struct ConnectionGate {
    gate: Arc<Gate>,
    peer: IpAddr,
    /// True if the peer is a trusted proxy, which other clients are behind.
    is_proxy: bool,
    /// The credential of the last validation. The next one nearly always presents the same.
    presented: Option<Credential>,
}

/// A permit of a call that is answered on the database's runtime. It is given back when the last copy is dropped.
#[derive(Clone)]
pub(crate) struct CallPermit {
    _share: Arc<Share<CountedAs>>,
}

/// The shares that are counted while a call is answered.
enum Admission {
    /// None: it is answered from memory.
    Nothing,
    /// One of the calls.
    Call(CallPermit),
    /// The response is a stream, and one of the open streams if it needs no credential.
    Stream(Option<Share<IpAddr>>),
}

/// The largest request that is decoded before its credential is recognized, in bytes: decoding takes far more
/// memory.
pub(crate) const SMALL: u64 = 4 * 1024;
/// The longest request id that is taken from a caller, in bytes.
const LONGEST_ID: usize = 64;
/// The deadline of a page, and of a call of the HTTP API.
pub(crate) const PAGE_WITHIN: Duration = Duration::from_secs(30);

impl Gate {
    /// Creates the gate. Must be called on the runtime that the database's connections live on.
    pub(super) fn new(
        routes: Routes,
        pages: axum::Router,
        service: GrpcService,
        trusted_proxies: Option<Networks>,
        issuer: String,
    ) -> Arc<Gate> {
        Arc::new(Gate {
            routes: routes.prepare(),
            pages,
            runtime: Handle::current(),
            calls: Shares::new(CALLS),
            open_streams: Shares::new(OPEN_STREAMS),
            request_reader: RequestReader::new(service.client_timeout),
            service,
            trusted_proxies,
            issuer,
            call_router: CallRouter::new(),
            ids: (uuid::Uuid::new_v4().as_u64_pair().0, AtomicU64::new(0)),
        })
    }

    /// Returns the gate for the connection of a peer.
    pub(crate) fn to(self: &Arc<Self>, peer: SocketAddr) -> ConnectionGate {
        let address = peer.ip().to_canonical();
        let is_proxy = self.trusted_proxies.as_ref().is_some_and(|networks| networks.hold(address));
        ConnectionGate { gate: Arc::clone(self), peer: address, is_proxy, presented: None }
    }

    /// Reads the request of a unary call, and then takes a permit, unless it has one already.
    async fn take_in(
        &self,
        request: Request<Received>,
        most: usize,
        credential: &Credential,
        from: ClientNetwork,
    ) -> Result<(Request<axum::body::Body>, CallPermit), Problem> {
        let mut request = self.whole(request, most, from).await?;
        let permit = match request.extensions_mut().remove() {
            Some(permit) => permit,
            None => self.permit(credential, from)?,
        };
        Ok((request, permit))
    }

    /// Takes a permit from a caller's share of the calls that query the database.
    fn permit(&self, credential: &Credential, from: ClientNetwork) -> Result<CallPermit, Problem> {
        let caller = self.service.authority.validation().counted_as(credential, from);
        self.calls.take(caller, 1).map(|share| CallPermit { _share: Arc::new(share) }).map_err(overloaded)
    }

    /// Returns the route of an RPC by its path `/package.Service/Method`.
    pub(crate) fn route(&self, path: &str) -> Option<&'static CallRoute> {
        self.call_router.find(path)
    }

    /// Takes in the one message of a request.
    async fn whole(
        &self,
        request: Request<Received>,
        most: usize,
        from: ClientNetwork,
    ) -> Result<Request<axum::body::Body>, Problem> {
        let (head, body) = request.into_parts();
        let whole = self.request_reader.whole(body, most, from).await?;
        Ok(Request::from_parts(head, axum::body::Body::from(whole)))
    }

    /// Takes in a call with what is counted while it is answered, if it may be answered now.
    async fn take(
        &self,
        request: Request<Received>,
        operation: Operation,
        credential: &Credential,
        from: ClientNetwork,
    ) -> Result<(Request<Body>, Admission), Problem> {
        let open = || self.open_streams.take(from, 1).map_err(overloaded);
        match operation {
            Operation::CheckHealth => {
                // The health is known here, so that a check takes no place among the calls.
                let watches = request.uri().path().ends_with("/Watch");
                let request = self.whole(request, MAX_NAME, from).await?.map(Body::new);
                Ok((request, if watches { Admission::Stream(Some(open()?)) } else { Admission::Nothing }))
            }
            Operation::Reflect => {
                let open = open()?;
                Ok((
                    request.map(|body| Body::new(self.request_reader.begun(body))),
                    Admission::Stream(Some(open)),
                ))
            }
            // A service is counted once it is known.
            Operation::WatchRevocations => Ok((request.map(Body::new), Admission::Stream(None))),
            _ => {
                let (request, call) = self.take_in(request, MAX_REQUEST, credential, from).await?;
                Ok((request.map(Body::new), Admission::Call(call)))
            }
        }
    }

    /// Returns an error if a credential stands for nobody. A call that needs no credential has none to recognize. The
    /// query runs on the runtime of the database's connections.
    async fn recognize(&self, credential: &Arc<Credential>) -> Result<(), Status> {
        if matches!(**credential, Credential::Nothing) {
            return Ok(());
        }
        let (authority, credential) = (Arc::clone(&self.service.authority), Arc::clone(credential));
        let recognized = self.runtime.spawn(async move { authority.recognize(&credential).await });
        match recognized.await {
            Ok(recognized) => recognized.map_err(|error| status(&error)),
            Err(_) => Err(refused(Problem::new(Reason::Internal, "the credential was not looked up"))),
        }
    }

    /// Returns the caller's request id if it is short, plain and not like a secret, otherwise a new one.
    fn id(&self, given: Option<&HeaderValue>) -> HeaderValue {
        given.filter(|id| plain(id)).cloned().unwrap_or_else(|| {
            let id = format!("{:016x}-{:x}", self.ids.0, self.ids.1.fetch_add(1, Ordering::Relaxed));
            HeaderValue::from_str(&id).expect("digits are plain text")
        })
    }
}

fn plain(id: &HeaderValue) -> bool {
    (1..=LONGEST_ID).contains(&id.len())
        && id.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && !id.to_str().is_ok_and(is_like_a_secret)
}

/// Returns true for a text that somebody may have taken for a request id, and that no log may show.
fn is_like_a_secret(text: &str) -> bool {
    SecretKind::ALL.iter().any(|kind| text.contains(kind.marker()))
}

impl Clone for ConnectionGate {
    /// Returns the gate for another call of the connection. It remembers no credential.
    fn clone(&self) -> ConnectionGate {
        ConnectionGate {
            gate: Arc::clone(&self.gate),
            peer: self.peer,
            is_proxy: self.is_proxy,
            presented: None,
        }
    }
}

impl ConnectionGate {
    /// Starts to answer a call.
    pub(crate) fn call(&mut self, mut request: Request<Received>) -> PendingCall {
        let begun = Instant::now();
        let gate = &self.gate;
        if !is_grpc(&request) {
            let call_route = gate.call_router.page(request.method(), request.uri().path());
            let protocol = Protocol::Http { is_secure: gate.issuer.starts_with("https://") };
            let given = request.headers().get(REQUEST_ID);
            let route = call_route.map_or("unknown", |call_route| call_route.rpc);
            let trace = RequestSpan::of_http(route, request.headers(), edge_calls::is_edge(route));
            let (reply, id) = match call_route {
                Some(call_route) if call_route.rpc == VERIFY => {
                    let id = given.map(|_| gate.id(given));
                    self.verify(request, id)
                }
                call_route => {
                    let id = gate.id(given);
                    let reply = match call_route {
                        Some(call_route) if call_route.rpc == INTROSPECT => self.introspect(request),
                        Some(call_route) => {
                            let entered = entered(trace.as_ref());
                            Reply::Later(self.answer_page(request, call_route, id.clone(), entered))
                        }
                        None => {
                            let allowed = gate.call_router.allowed(request.uri().path());
                            Reply::Now(Some(unknown_page(&allowed, request.headers())))
                        }
                    };
                    (reply, Some(id))
                }
            };
            let deadline = Deadline::After(PAGE_WITHIN);
            return PendingCall { reply, deadline, begun, call_route, protocol, trace, id };
        }
        let deadline = deadline(request.headers());
        let Some(call_route) = gate.call_router.find(request.uri().path()) else {
            let problem = Problem::new(Reason::CallUnknown, "this server has no such RPC");
            let reply = Reply::Now(Some(tonic_response(status_from_problem(&problem).into_http())));
            let trace = RequestSpan::of_rpc("unknown", request.headers(), false);
            let given = request.headers().get(REQUEST_ID);
            let (protocol, id) = (Protocol::Grpc, Some(gate.id(given)));
            return PendingCall { reply, deadline, begun, call_route: None, protocol, trace, id };
        };
        let from_memory = call_route.is_answered_from_memory();
        let trace = match RequestSpan::are_exported() {
            // A request of the API has its span already.
            true => request
                .extensions_mut()
                .remove()
                .or_else(|| RequestSpan::of_rpc(call_route.rpc, request.headers(), from_memory)),
            false => None,
        };
        let given = request.headers().get(REQUEST_ID);
        let (reply, id) = match call_route.row.operation {
            // A log span costs more than it is worth here: failures log a line of their own.
            operation if from_memory => {
                let id = given.map(|_| gate.id(given));
                let reply = match call_route.rpc {
                    CHECK => self.check(request, id.clone()),
                    _ => self.validate(operation, request),
                };
                (reply, id)
            }
            _ => {
                let id = gate.id(given);
                let span = span(call_route, &id);
                let reply = match self.required_credential(call_route.row, request.headers()) {
                    Ok(credential) => {
                        let origin = self.origin(request.headers(), &id);
                        let spans = (entered(trace.as_ref()), span);
                        Reply::Later(self.answer_on_runtime(
                            request,
                            credential,
                            call_route.row,
                            origin,
                            spans,
                        ))
                    }
                    Err(status) => Reply::Now(Some(tonic_response(status.into_http()))),
                };
                (reply, Some(id))
            }
        };
        let protocol = Protocol::Grpc;
        PendingCall { reply, deadline, begun, call_route: Some(call_route), protocol, trace, id }
    }

    /// Answers a validation: at once, if the request is there and the mirror is fresh enough.
    fn validate(&mut self, operation: Operation, mut request: Request<Received>) -> Reply {
        let credential = match self.credential(request.headers()) {
            Ok(credential) => credential,
            Err(status) => return Reply::Now(Some(tonic_response(status.into_http()))),
        };
        if operation == Operation::ValidateToken
            && let Some(whole) = request.body_mut().whole().filter(|whole| whole.len() <= MAX_REQUEST)
        {
            let question = match unary::message(&whole) {
                Ok(question) => question,
                Err(status) => {
                    let gate = Arc::clone(&self.gate);
                    return Reply::Later(Box::pin(async move {
                        let admitted = gate.service.admit(&credential, operation).await;
                        unary::response(admitted.and(Err(status)))
                    }));
                }
            };
            if let Some(answer) = self.gate.service.validate_token_now(&credential, &question) {
                self.presented = Some(credential);
                return Reply::Now(Some(unary::response(answer)));
            }
            let gate = Arc::clone(&self.gate);
            return Reply::Later(Box::pin(async move {
                unary::response(gate.service.validate_token(&credential, &question).await)
            }));
        }
        let from = self.network(request.headers());
        let gate = Arc::clone(&self.gate);
        Reply::Later(Box::pin(validate(gate, credential, operation, request.into_body(), from)))
    }

    /// Returns the credential of a validation.
    fn credential(&mut self, headers: &HeaderMap) -> Result<Credential, Status> {
        let values = || headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
        let mut given = values();
        let from = Some(self.client(headers));
        match (self.presented.take(), given.next(), given.next()) {
            (Some(last), Some(value), None) if presents(value, &last) && last.from() == from => Ok(last),
            _ => presented(values(), from),
        }
    }

    /// Returns the runtime that the database's connections live on.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.gate.runtime
    }

    /// Returns the request id of a request with these headers.
    pub(crate) fn request_id(&self, headers: &HeaderMap) -> HeaderValue {
        self.gate.id(headers.get(REQUEST_ID))
    }

    /// Returns an error if the credential of a request that is not gRPC is missing or stands for nobody. For a
    /// validation, it must be a service's.
    pub(crate) async fn check_credential(
        &self,
        call_route: &CallRoute,
        headers: &HeaderMap,
    ) -> Result<(), Status> {
        let credential = self.required_credential(call_route.row, headers)?;
        if call_route.is_answered_from_memory() {
            return self.gate.service.admit(&credential, call_route.row.operation).await;
        }
        self.gate.recognize(&Arc::new(credential)).await
    }

    /// Reads the whole body of a request that is not gRPC, and takes a permit for its call. The credential is checked
    /// before much is read or parsed, since that takes far more memory.
    pub(crate) async fn read(
        &self,
        call_route: &CallRoute,
        body: Received,
        headers: &HeaderMap,
    ) -> Result<(Bytes, CallPermit), Status> {
        if call_route.is_answered_from_memory() {
            self.check_credential(call_route, headers).await?;
        }
        let from = self.network(headers);
        let whole = self.gate.request_reader.whole(body, call_route.largest_request(), from).await;
        let whole = whole.map_err(refused)?;
        if whole.len() as u64 > SMALL && !call_route.is_answered_from_memory() {
            self.check_credential(call_route, headers).await?;
        }
        let credential = self.required_credential(call_route.row, headers)?;
        let permit = self.gate.permit(&credential, from).map_err(refused)?;
        Ok((whole, permit))
    }

    /// Counts a call that was refused before it reached its RPC. `None` is an unknown call.
    pub(crate) fn count_refused(&self, call_route: Option<&CallRoute>, problem: &Problem) {
        let rpc = call_route.map_or("unknown", |call_route| call_route.rpc);
        let code = i32::from(status_from_problem(problem).code()).to_string();
        count_failure(&code);
        metrics::counter!("ndauth_rpcs_total", "rpc" => rpc, "code" => code).increment(1);
    }

    /// Returns the address of the client that a call comes from.
    fn client(&self, headers: &HeaderMap) -> IpAddr {
        if self.is_proxy {
            client_address(self.peer, headers, self.gate.trusted_proxies.as_ref())
        } else {
            self.peer
        }
    }

    /// Returns the origin of a call, for the events of its changes.
    fn origin(&self, headers: &HeaderMap, id: &HeaderValue) -> RequestOrigin {
        let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        RequestOrigin {
            address: Some(self.client(headers)),
            client: agent.and_then(ClientName::of_user_agent),
            request_id: id.to_str().unwrap_or_default().to_owned(),
        }
    }

    /// The network to whose share a call is counted: that of the client, or of a trusted proxy that names no client.
    fn network(&self, headers: &HeaderMap) -> ClientNetwork {
        network(Some(self.client(headers)))
    }

    /// Returns the credential of a call. A missing credential is refused here, unless unauthenticated callers
    /// may call.
    pub(crate) fn required_credential(&self, row: &Row, headers: &HeaderMap) -> Result<Credential, Status> {
        if row.nobody == Rule::Yes {
            return Ok(Credential::Nothing);
        }
        let values = headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
        match presented(values, Some(self.client(headers)))? {
            Credential::Nothing => Err(status(&ndauth_authority::AuthorityError::CredentialMissing)),
            credential => Ok(credential),
        }
    }

    /// Answers a call on the runtime of the database's connections.
    fn answer_on_runtime(
        &self,
        request: Request<Received>,
        credential: Credential,
        row: &'static Row,
        origin: RequestOrigin,
        (trace, log): (tracing::Span, tracing::Span),
    ) -> Pin<Box<dyn Future<Output = Response<ResponseBody>> + Send>> {
        let (gate, credential) = (Arc::clone(&self.gate), Arc::new(credential));
        let (peer, from) =
            (SocketAddr::new(self.client(request.headers()), 0), self.network(request.headers()));
        Box::pin(async move {
            let (mut request, taken) = match gate.take(request, row.operation, &credential, from).await {
                Ok(taken) => taken,
                Err(problem) => return tonic_response(refused(problem).into_http()),
            };
            let (call, stream) = match taken {
                Admission::Nothing => (None, None),
                Admission::Call(call) => (Some(call), None),
                Admission::Stream(open) => (None, Some(open)),
            };
            let large = stream.is_none() && request.body().size_hint().lower() > SMALL;
            if large && let Err(status) = gate.recognize(&credential).await {
                return tonic_response(status.into_http());
            }
            request.extensions_mut().insert(TcpConnectInfo { local_addr: None, remote_addr: Some(peer) });
            let ReportedLife(life) = ReportedLife::default();
            request.extensions_mut().insert(ReportedLife(Arc::clone(&life)));
            let mut routes = gate.routes.clone();
            // The caller may hang up or exceed its deadline: the task is finished all the same.
            let answered = async move {
                let answer = routes.call(request).await;
                tracing::debug!("answered");
                drop(call);
                answer
            };
            let answer = gate.runtime.spawn(origin.scope(answered).instrument(log).instrument(trace));
            match (answer.await, stream) {
                (Ok(Ok(response)), Some(open)) => {
                    let stopped = gate.service.stopped();
                    response.map(|body| ResponseBody::Endless { body, stopped, _share: open })
                }
                (Ok(Ok(response)), None) if is_decode_failure(&response) => {
                    let recognized = gate.recognize(&credential).await;
                    tonic_response(recognized.err().unwrap_or_else(unary::undecodable).into_http())
                }
                (Ok(Ok(response)), None) => match life.get() {
                    Some(life) => response.map(|body| ResponseBody::WithLife(body, life.clone())),
                    None => tonic_response(response),
                },
                (Ok(Err(never)), _) => match never {},
                (Err(_), _) => tonic_response(status_from_problem(&without_response(row)).into_http()),
            }
        })
    }
}

impl ConnectionGate {
    /// Answers a page on the runtime of the database's connections.
    fn answer_page(
        &self,
        request: Request<Received>,
        call_route: &'static CallRoute,
        id: HeaderValue,
        trace: tracing::Span,
    ) -> Pin<Box<dyn Future<Output = Response<ResponseBody>> + Send>> {
        let span = span(call_route, &id);
        let origin = self.origin(request.headers(), &id);
        let (gate, client) = (Arc::clone(&self.gate), self.client(request.headers()));
        let from = self.network(request.headers());
        // The rows of pages are of forms: showing one changes nothing.
        let changes = request.method() == Method::POST;
        Box::pin(async move {
            let taken = gate.take_in(request, http::MAX_BODY, &Credential::Nothing, from).await;
            let (mut request, call) = match taken {
                Ok(taken) => taken,
                Err(problem) => return tonic_response(refused_by_http(call_route, &problem, &id)),
            };
            request.extensions_mut().insert(Peer(client));
            let mut pages = gate.pages.clone();
            let answered = async move {
                let answer = pages.call(request).await;
                tracing::debug!("answered");
                drop(call);
                answer
            };
            let answer = gate.runtime.spawn(origin.scope(answered).instrument(span).instrument(trace));
            let lost = |problem: &Problem| tonic_response(refused_by_http(call_route, problem, &id));
            match answer.await {
                Ok(Ok(response)) => tonic_response(response.map(Body::new)),
                Ok(Err(never)) => match never {},
                Err(_) if changes => lost(&without_response(call_route.row)),
                Err(_) => lost(&Problem::new(Reason::Internal, "the page was not made")),
            }
        })
    }
}

/// Answers a validation.
async fn validate(
    gate: Arc<Gate>,
    credential: Credential,
    operation: Operation,
    body: Received,
    from: ClientNetwork,
) -> Response<ResponseBody> {
    let Gate { request_reader, service, .. } = &*gate;
    let answer = async {
        // The request is read only once its caller may validate.
        service.admit(&credential, operation).await?;
        match operation {
            Operation::ValidateTokens => {
                let whole = request_reader.whole(body, MAX_BATCH, from).await.map_err(refused)?;
                service.validate_tokens(&credential, validation::questions(&whole)?).await
            }
            Operation::Resolve => {
                service.resolve(&credential, &request_reader.read(body, MAX_REQUEST, from).await?).await
            }
            _ => {
                service
                    .validate_token(&credential, &request_reader.read(body, MAX_REQUEST, from).await?)
                    .await
            }
        }
    };
    unary::response(answer.await)
}

fn tonic_response(response: Response<Body>) -> Response<ResponseBody> {
    response.map(ResponseBody::Tonic)
}

/// Returns true for tonic's response to a message that it cannot decode. Our own failures carry details.
fn is_decode_failure(response: &Response<Body>) -> bool {
    let headers = response.headers();
    headers.get("grpc-status").is_some_and(|code| code == "13")
        && !headers.contains_key("grpc-status-details-bin")
}

fn is_grpc<B>(request: &Request<B>) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    request.version() == Version::HTTP_2
        && content_type.is_some_and(|text| text.starts_with("application/grpc"))
}

/// Returns the response for an unknown page, or for a page that does not support the method.
fn unknown_page(allowed: &[&str], headers: &HeaderMap) -> Response<ResponseBody> {
    let accepts = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepts.contains("text/html") {
        return tonic_response(http::no_such_page().map(Body::new));
    }
    let text = "this page does not exist: people sign in at `/sign-in`, and programs speak JSON below `/v1/`, or gRPC over HTTP/2\n";
    let mut response = Response::new(ResponseBody::Tonic(Body::new(text.to_owned())));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    if let Ok(allowed) = HeaderValue::try_from(allowed.join(", "))
        && !allowed.is_empty()
    {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

/// Returns the span of a trace, to run something within it: one that is off if there is none.
fn entered(trace: Option<&RequestSpan>) -> tracing::Span {
    trace.map_or_else(tracing::Span::none, RequestSpan::span)
}

/// Returns the span that log lines show.
fn span(call_route: &CallRoute, id: &HeaderValue) -> tracing::Span {
    tracing::info_span!("rpc", rpc = call_route.rpc, request_id = id.to_str().unwrap_or_default())
}

/// Returns the problem of a call whose response was lost: a change may have been made.
pub(crate) fn without_response(row: &Row) -> Problem {
    let reason = if row.does.changes() { Reason::OutcomeUnknown } else { Reason::Internal };
    Problem::new(reason, "the call ended without a response")
}
