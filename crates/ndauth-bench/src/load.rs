//! A load generator over bare HTTP/2: any client library would cost more than the server that is measured.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::{BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, TE, USER_AGENT};
use http::{Method, Request, StatusCode, Version};
use ndauth_core::Secret;
use ndauth_proto::v1;
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::LocalSet;

/// A call that is made repeatedly.
#[derive(Clone, Debug)]
pub struct RpcCall {
    /// The path of the RPC, or that of an HTTP request.
    pub path: &'static str,
    /// The value of the `authorization` header, if there is one.
    pub credential: Option<String>,
    /// The encoded requests, one of which is drawn for each call.
    pub bodies: Rc<Vec<Bytes>>,
    /// The byte that tells a correct response: the sixth, which is the first of a gRPC message, or that after `"active":`.
    /// `None` accepts any.
    pub expected: Option<u8>,
}

/// An HTTP request of a proxy about a client's, whose token is in a header.
#[derive(Clone, Debug)]
pub struct ProxyCall {
    /// The secret of the proxy.
    pub service: String,
    /// The paths, each with the `authorization` of the client, one of which is drawn for each call.
    pub questions: Rc<Vec<(String, String)>>,
}

/// A call of either kind.
#[derive(Clone, Debug)]
pub enum LoadCall {
    /// One whose requests differ in their bodies.
    Rpc(RpcCall),
    /// One whose requests differ in their headers.
    Proxy(ProxyCall),
}

impl From<RpcCall> for LoadCall {
    fn from(call: RpcCall) -> LoadCall {
        LoadCall::Rpc(call)
    }
}

impl From<ProxyCall> for LoadCall {
    fn from(call: ProxyCall) -> LoadCall {
        LoadCall::Proxy(call)
    }
}

impl LoadCall {
    /// Returns the number of requests that differ.
    fn count(&self) -> usize {
        match self {
            LoadCall::Rpc(call) => call.bodies.len(),
            LoadCall::Proxy(call) => call.questions.len(),
        }
    }

    /// Builds the request of this index.
    fn request(&self, index: usize) -> anyhow::Result<(Request<()>, Bytes)> {
        let request = Request::builder().version(Version::HTTP_2);
        match self {
            LoadCall::Rpc(call) => {
                let body = call.bodies[index].clone();
                let method = if call.is_grpc() || !body.is_empty() { Method::POST } else { Method::GET };
                let mut request = request
                    .method(method)
                    .uri(format!("http://bench{}", call.path))
                    .header(TE, "trailers")
                    .header(CONTENT_TYPE, call.content_type())
                    .body(())?;
                if call.is_form() {
                    // `oidc-provider` takes a request without it for one without a body.
                    request.headers_mut().insert(CONTENT_LENGTH, body.len().into());
                }
                if let Some(credential) = &call.credential {
                    request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_str(credential)?);
                }
                Ok((request, body))
            }
            LoadCall::Proxy(call) => {
                let (path, authorization) = &call.questions[index];
                let request = request
                    .uri(format!("http://bench{path}"))
                    .header("x-ndauth-service", &call.service)
                    .header("x-forwarded-method", "PUT")
                    .header("x-forwarded-for", "192.0.2.7")
                    .header(USER_AGENT, "curl/8.5.0")
                    .header(AUTHORIZATION, authorization)
                    .body(())?;
                Ok((request, Bytes::new()))
            }
        }
    }

    /// Returns true if a response without a gRPC status may be correct.
    fn is_grpc(&self) -> bool {
        matches!(self, LoadCall::Rpc(call) if call.is_grpc())
    }

    /// Returns the index of the byte that tells a correct response.
    fn telling(&self) -> usize {
        match self {
            LoadCall::Rpc(call) if call.is_form() => br#"{"active":"#.len(),
            LoadCall::Rpc(_) | LoadCall::Proxy(_) => 5,
        }
    }

    fn expected(&self) -> Option<u8> {
        match self {
            LoadCall::Rpc(call) => call.expected,
            LoadCall::Proxy(_) => None,
        }
    }
}

impl RpcCall {
    fn is_grpc(&self) -> bool {
        self.content_type() == "application/grpc"
    }

    fn is_form(&self) -> bool {
        self.path.contains("/introspect")
    }

    fn content_type(&self) -> &'static str {
        match self.path {
            path if path.starts_with("/v1/") => "application/json",
            _ if self.is_form() => "application/x-www-form-urlencoded",
            _ => "application/grpc",
        }
    }
}

/// The shape of a load.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// The number of connections.
    pub connections: usize,
    /// The number of concurrent calls on each connection.
    pub streams: usize,
    /// The number of calls in a second, which then begin at fixed times; `None` for as many as are answered.
    pub rate: Option<f64>,
    /// True if calls may begin up to a millisecond late, in bursts, which leaves this core to others in
    /// between.
    pub gentle: bool,
    /// The duration.
    pub time: Duration,
}

/// The result of a load.
#[derive(Clone, Debug, Default)]
pub struct LoadResult {
    /// The number of correct responses.
    pub good: u64,
    /// The number of incorrect responses.
    pub bad: u64,
    /// The latency of each call, from the moment at which it was due, in microseconds; sorted.
    pub micros: Vec<u32>,
    /// The total duration.
    pub took: Duration,
}

impl LoadResult {
    fn note(&mut self, good: bool, took: Duration) {
        if good {
            self.good += 1;
        } else {
            self.bad += 1;
        }
        self.micros.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    /// Returns the percentile of the latencies, in microseconds.
    pub fn percentile(&self, percent: f64) -> f64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
        #[expect(clippy::cast_precision_loss, reason = "a rank")]
        let index = (self.micros.len() as f64 * percent / 100.0) as usize;
        self.micros
            .get(index.min(self.micros.len().saturating_sub(1)))
            .map_or(f64::NAN, |micros| f64::from(*micros))
    }

    /// Returns the number of correct responses in a second.
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    pub fn rate(&self) -> f64 {
        self.good as f64 / self.took.as_secs_f64()
    }
}

/// Encodes a message as gRPC frames it.
pub fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut bytes = BytesMut::with_capacity(5 + length);
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(length).expect("a small message"));
    message.encode(&mut bytes).expect("the buffer grows");
    bytes.freeze()
}

/// A connection that says that it takes one buffer at a time. HTTP/2 then gathers requests of up to 1,024 bytes, rather
/// than 256, and writes many of them at once. A system call for each would have the server woken for each.
struct GatheringStream(TcpStream);

impl GatheringStream {
    async fn connect(address: SocketAddr) -> std::io::Result<GatheringStream> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(GatheringStream(stream))
    }
}

impl AsyncRead for GatheringStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(context, buffer)
    }
}

impl AsyncWrite for GatheringStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(context)
    }
}

/// Returns the value of the `authorization` header that presents a secret.
pub fn bearer(secret: &Secret) -> Option<String> {
    Some(format!("Bearer {}", secret.expose()))
}

/// The times at which calls are due.
#[derive(Default)]
struct Pace {
    due: RefCell<VecDeque<Instant>>,
    ready: Notify,
    over: Cell<bool>,
}

/// Runs one load, on this thread.
pub fn run(address: SocketAddr, call: &LoadCall, shape: Shape) -> anyhow::Result<LoadResult> {
    run_all(address, &[(call.clone(), shape)]).map(|mut outcomes| outcomes.remove(0))
}

/// Runs several loads concurrently, on this thread.
pub fn run_all(address: SocketAddr, calls: &[(LoadCall, Shape)]) -> anyhow::Result<Vec<LoadResult>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    let outcomes = local.block_on(&runtime, async {
        let mut running = Vec::new();
        for (call, shape) in calls {
            running.push(tokio::task::spawn_local(one(address, call.clone(), *shape)));
        }
        let mut outcomes = Vec::new();
        for one in running {
            outcomes.push(one.await??);
        }
        anyhow::Ok(outcomes)
    })?;
    Ok(outcomes)
}

async fn one(address: SocketAddr, call: LoadCall, shape: Shape) -> anyhow::Result<LoadResult> {
    let outcome = Rc::new(RefCell::new(LoadResult::default()));
    let pace = shape.rate.map(|_| Rc::new(Pace::default()));
    let mut connections = Vec::new();
    for _ in 0..shape.connections {
        let stream = GatheringStream::connect(address).await?;
        let (client, connection) = h2::client::Builder::new()
            .initial_window_size(1 << 20)
            .initial_connection_window_size(1 << 24)
            .handshake::<_, Bytes>(stream)
            .await?;
        tokio::task::spawn_local(connection);
        connections.push(client.ready().await?);
    }
    let begun = Instant::now();
    let end = begun + shape.time;
    let mut streams = Vec::new();
    for (number, client) in connections.iter().enumerate() {
        for stream in 0..shape.streams {
            let seed = (number * 1000 + stream) as u64 + 1;
            let asking = ask(client.clone(), call.clone(), seed, end, pace.clone(), Rc::clone(&outcome));
            streams.push(tokio::task::spawn_local(asking));
        }
    }
    if let (Some(pace), Some(rate)) = (&pace, shape.rate) {
        let step = Duration::from_secs_f64(1.0 / rate);
        let mut next = begun;
        while next < end {
            if Instant::now() >= next {
                pace.due.borrow_mut().push_back(next);
                pace.ready.notify_one();
                next += step;
            } else if shape.gentle {
                tokio::time::sleep(Duration::from_millis(1)).await;
            } else {
                tokio::task::yield_now().await;
            }
        }
        pace.over.set(true);
        pace.ready.notify_waiters();
    }
    for stream in streams {
        if let Some(pace) = &pace {
            // Wakes a stream that began to wait after the last notification.
            pace.ready.notify_waiters();
        }
        stream.await??;
    }
    let mut outcome = outcome.take();
    outcome.took = begun.elapsed();
    outcome.micros.sort_unstable();
    Ok(outcome)
}

/// Makes one call after the other.
async fn ask(
    client: SendRequest<Bytes>,
    call: LoadCall,
    seed: u64,
    end: Instant,
    pace: Option<Rc<Pace>>,
    outcome: Rc<RefCell<LoadResult>>,
) -> anyhow::Result<()> {
    let mut draw = seed;
    let mut client = client.ready().await?;
    loop {
        let meant = match &pace {
            None if Instant::now() >= end => return Ok(()),
            None => Instant::now(),
            Some(pace) => loop {
                let waiting = pace.ready.notified();
                if let Some(due) = pace.due.borrow_mut().pop_front() {
                    break due;
                }
                if pace.over.get() {
                    return Ok(());
                }
                waiting.await;
            },
        };
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let which = usize::try_from(draw >> 33).expect("31 bits") % call.count();
        let (request, body) = call.request(which)?;
        let (answer, mut sending) = client.send_request(request, body.is_empty())?;
        if !body.is_empty() {
            sending.send_data(body, true)?;
        }
        let (head, mut body) = answer.await?.into_parts();
        let mut first = None;
        while let Some(bytes) = body.data().await {
            let bytes = bytes?;
            first = first.or_else(|| bytes.get(call.telling()).copied());
            let _ = body.flow_control().release_capacity(bytes.len());
        }
        let status = body.trailers().await?;
        let well = (!call.is_grpc() && head.status == StatusCode::OK)
            || status
                .as_ref()
                .and_then(|trailers| trailers.get("grpc-status"))
                .is_some_and(|code| code == "0");
        let good = well && (call.expected().is_none() || first == call.expected());
        outcome.borrow_mut().note(good, meant.elapsed());
        client = client.ready().await?;
    }
}

/// A connection that makes one call after the other.
pub struct BareConnection(SendRequest<Bytes>);

impl BareConnection {
    /// Connects to a server.
    pub async fn connect(address: SocketAddr) -> anyhow::Result<BareConnection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (client, connection) = h2::client::handshake(stream).await?;
        tokio::task::spawn_local(connection);
        Ok(BareConnection(client))
    }

    /// Makes the only call of a kind. Returns the status and the body of the response.
    pub async fn call(&mut self, call: &LoadCall) -> anyhow::Result<(StatusCode, Bytes)> {
        let (head, body) = call.request(0)?;
        let mut client = self.0.clone().ready().await?;
        let (answer, mut sending) = client.send_request(head, body.is_empty())?;
        if !body.is_empty() {
            sending.send_data(body, true)?;
        }
        let (head, mut body) = answer.await?.into_parts();
        let mut whole = BytesMut::new();
        while let Some(bytes) = body.data().await {
            let bytes = bytes?;
            let _ = body.flow_control().release_capacity(bytes.len());
            whole.extend_from_slice(&bytes);
        }
        Ok((head.status, whole.freeze()))
    }
}

/// A service's connection, which validates one secret after the other.
pub struct ServiceConnection {
    connection: BareConnection,
    service: Option<String>,
}

impl ServiceConnection {
    /// Connects with the secret of a service.
    pub async fn connect(address: SocketAddr, service: &Secret) -> anyhow::Result<ServiceConnection> {
        Ok(ServiceConnection {
            connection: BareConnection::connect(address).await?,
            service: bearer(service),
        })
    }

    /// Returns true if the request is allowed; `None` if the server could not decide.
    pub async fn ask(&mut self, request: &v1::ValidateTokenRequest) -> anyhow::Result<Option<bool>> {
        let call = RpcCall {
            path: "/ndauth.v1.ValidationService/ValidateToken",
            credential: self.service.clone(),
            bodies: Rc::new(vec![framed(request)]),
            expected: None,
        };
        let (_, whole) = self.connection.call(&call.into()).await?;
        let Some(message) = whole.get(5..) else { return Ok(None) };
        let answer = v1::ValidateTokenResponse::decode(message)?;
        Ok(answer.outcome.map(|outcome| matches!(outcome, v1::validate_token_response::Outcome::Allowed(_))))
    }
}

/// A load that continues until it is ended.
pub struct BackgroundLoad {
    wanted: Rc<Cell<bool>>,
    running: tokio::task::JoinHandle<anyhow::Result<LoadResult>>,
}

/// Starts a load at this rate, within the [`LocalSet`] of this thread.
pub fn start_load(address: SocketAddr, call: impl Into<LoadCall>, rate: f64) -> BackgroundLoad {
    let call = call.into();
    let wanted = Rc::new(Cell::new(true));
    let still = Rc::clone(&wanted);
    let running = tokio::task::spawn_local(async move {
        let mut all = LoadResult::default();
        while still.get() {
            let shape = Shape {
                connections: 8,
                streams: 16,
                rate: Some(rate),
                gentle: true,
                time: Duration::from_millis(500),
            };
            let outcome = one(address, call.clone(), shape).await?;
            all.good += outcome.good;
            all.bad += outcome.bad;
        }
        Ok(all)
    });
    BackgroundLoad { wanted, running }
}

impl BackgroundLoad {
    /// Ends the load and returns its result.
    pub async fn end(self) -> anyhow::Result<LoadResult> {
        self.wanted.set(false);
        self.running.await?
    }
}

/// Raises the scheduling priority of this process's session, if that is allowed.
pub fn raise_priority() {
    let _ = std::fs::write("/proc/self/autogroup", "-20");
}

/// Pins this thread to a core.
pub fn pin(core: usize) -> anyhow::Result<()> {
    let mut set = rustix::thread::CpuSet::new();
    set.set(core);
    rustix::thread::sched_setaffinity(None, &set).context("cannot stay on one core")
}

/// Fails if any response was incorrect, or if there was none.
pub fn ensure_all_correct(outcome: &LoadResult) -> anyhow::Result<()> {
    ensure!(
        outcome.bad == 0 && outcome.good > 0,
        "{} calls were not answered as they should be",
        outcome.bad
    );
    Ok(())
}
