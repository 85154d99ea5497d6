//! What asks: bare HTTP/2, for any client library would cost more than the server that is measured.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::{BufMut, Bytes, BytesMut};
use h2::client::SendRequest;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, TE};
use http::{Method, Request, Version};
use ndauth_core::Secret;
use ndauth_proto::v1;
use prost::Message;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::LocalSet;

/// A call, as it is made over and over.
#[derive(Clone, Debug)]
pub struct RpcCall {
    /// The path of the RPC.
    pub path: &'static str,
    /// Who asks.
    pub credential: Option<String>,
    /// The requests, of which each time one is drawn.
    pub bodies: Rc<Vec<Bytes>>,
    /// The first byte of every answer that is as it should be.
    pub expected: Option<u8>,
}

/// How it is asked.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// How many connections.
    pub connections: usize,
    /// How many calls at once on each.
    pub streams: usize,
    /// How many calls a second, where they begin at times of their own; as many as can be answered otherwise.
    pub rate: Option<f64>,
    /// Whether they may begin up to a millisecond late, all at once, so that this core is left to others between.
    pub gentle: bool,
    /// For how long.
    pub time: Duration,
}

/// How a load was answered.
#[derive(Clone, Debug, Default)]
pub struct LoadResult {
    /// How many were answered as they should be.
    pub good: u64,
    /// How many otherwise.
    pub bad: u64,
    /// How long each took, from the moment at which it was meant to begin, in microseconds; sorted.
    pub micros: Vec<u32>,
    /// How long it took in all.
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

    /// What so many of a hundred took no longer than, in microseconds.
    pub fn percentile(&self, percent: f64) -> f64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
        #[expect(clippy::cast_precision_loss, reason = "a rank")]
        let index = (self.micros.len() as f64 * percent / 100.0) as usize;
        self.micros
            .get(index.min(self.micros.len().saturating_sub(1)))
            .map_or(f64::NAN, |micros| f64::from(*micros))
    }

    /// How many a second.
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    pub fn rate(&self) -> f64 {
        self.good as f64 / self.took.as_secs_f64()
    }
}

/// A message as gRPC frames it.
pub fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut bytes = BytesMut::with_capacity(5 + length);
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(length).expect("a small message"));
    message.encode(&mut bytes).expect("the buffer grows");
    bytes.freeze()
}

/// What presents a secret.
pub fn bearer(secret: &Secret) -> Option<String> {
    Some(format!("Bearer {}", secret.expose()))
}

/// When calls are to begin.
#[derive(Default)]
struct Pace {
    due: RefCell<VecDeque<Instant>>,
    ready: Notify,
    over: Cell<bool>,
}

/// Asks, on this thread.
pub fn run(address: SocketAddr, call: &RpcCall, shape: Shape) -> anyhow::Result<LoadResult> {
    run_all(address, &[(call.clone(), shape)]).map(|mut outcomes| outcomes.remove(0))
}

/// Asks several things at once, on this thread.
pub fn run_all(address: SocketAddr, calls: &[(RpcCall, Shape)]) -> anyhow::Result<Vec<LoadResult>> {
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

async fn one(address: SocketAddr, call: RpcCall, shape: Shape) -> anyhow::Result<LoadResult> {
    let outcome = Rc::new(RefCell::new(LoadResult::default()));
    let pace = shape.rate.map(|_| Rc::new(Pace::default()));
    let mut connections = Vec::new();
    for _ in 0..shape.connections {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
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
            // Whoever came too late to hear it.
            pace.ready.notify_waiters();
        }
        stream.await??;
    }
    let mut outcome = outcome.take();
    outcome.took = begun.elapsed();
    outcome.micros.sort_unstable();
    Ok(outcome)
}

/// Asks one thing after the other.
async fn ask(
    client: SendRequest<Bytes>,
    call: RpcCall,
    seed: u64,
    end: Instant,
    pace: Option<Rc<Pace>>,
    outcome: Rc<RefCell<LoadResult>>,
) -> anyhow::Result<()> {
    let credential = call.credential.as_deref().map(HeaderValue::from_str).transpose()?;
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
        let which = usize::try_from(draw >> 33).expect("31 bits") % call.bodies.len();
        let mut request = Request::builder()
            .method(Method::POST)
            .version(Version::HTTP_2)
            .uri(format!("http://bench{}", call.path))
            .header(TE, "trailers")
            .header(CONTENT_TYPE, "application/grpc")
            .body(())?;
        if let Some(credential) = &credential {
            request.headers_mut().insert(AUTHORIZATION, credential.clone());
        }
        let (answer, mut sending) = client.send_request(request, false)?;
        sending.send_data(call.bodies[which].clone(), true)?;
        let mut body = answer.await?.into_body();
        let mut first = None;
        while let Some(bytes) = body.data().await {
            let bytes = bytes?;
            first = first.or_else(|| bytes.get(5).copied());
            let _ = body.flow_control().release_capacity(bytes.len());
        }
        let status = body.trailers().await?;
        let well =
            status.as_ref().and_then(|trailers| trailers.get("grpc-status")).is_some_and(|code| code == "0");
        let good = well && (call.expected.is_none() || first == call.expected);
        outcome.borrow_mut().note(good, meant.elapsed());
        client = client.ready().await?;
    }
}

/// A connection of a service, which asks one thing after the other.
pub struct ServiceConnection {
    client: SendRequest<Bytes>,
    credential: HeaderValue,
}

impl ServiceConnection {
    /// Connects, as a service.
    pub async fn connect(address: SocketAddr, service: &Secret) -> anyhow::Result<ServiceConnection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (client, connection) = h2::client::handshake(stream).await?;
        tokio::task::spawn_local(connection);
        Ok(ServiceConnection {
            client,
            credential: HeaderValue::from_str(&format!("Bearer {}", service.expose()))?,
        })
    }

    /// Whether a secret may do a thing; `None` where that could not be told.
    pub async fn ask(&mut self, request: &v1::ValidateTokenRequest) -> anyhow::Result<Option<bool>> {
        let mut client = self.client.clone().ready().await?;
        let head = Request::builder()
            .method(Method::POST)
            .version(Version::HTTP_2)
            .uri("http://bench/ndauth.v1.ValidationService/ValidateToken")
            .header(TE, "trailers")
            .header(CONTENT_TYPE, "application/grpc")
            .header(AUTHORIZATION, self.credential.clone())
            .body(())?;
        let (answer, mut sending) = client.send_request(head, false)?;
        sending.send_data(framed(request), true)?;
        let mut body = answer.await?.into_body();
        let mut whole = BytesMut::new();
        while let Some(bytes) = body.data().await {
            let bytes = bytes?;
            let _ = body.flow_control().release_capacity(bytes.len());
            whole.extend_from_slice(&bytes);
        }
        let Some(message) = whole.get(5..) else { return Ok(None) };
        let answer = v1::ValidateTokenResponse::decode(message)?;
        Ok(answer.outcome.map(|outcome| matches!(outcome, v1::validate_token_response::Outcome::Allowed(_))))
    }
}

/// A load that goes on until it is told to end.
pub struct Loading {
    wanted: Rc<Cell<bool>>,
    running: tokio::task::JoinHandle<anyhow::Result<LoadResult>>,
}

/// Asks so often a second, from now on, within the [`LocalSet`] of this thread.
pub fn while_wanted(address: SocketAddr, call: RpcCall, rate: f64) -> Loading {
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
    Loading { wanted, running }
}

impl Loading {
    /// Ends it, and gives what it came to.
    pub async fn end(self) -> anyhow::Result<LoadResult> {
        self.wanted.set(false);
        self.running.await?
    }
}

/// Lets this process's session go before others, where that is allowed.
pub fn go_first() {
    let _ = std::fs::write("/proc/self/autogroup", "-20");
}

/// Keeps this thread on a core.
pub fn pin(core: usize) -> anyhow::Result<()> {
    let mut set = rustix::thread::CpuSet::new();
    set.set(core);
    rustix::thread::sched_setaffinity(None, &set).context("cannot stay on one core")
}

/// Fails where something was answered otherwise than it should be.
pub fn all_good(outcome: &LoadResult) -> anyhow::Result<()> {
    ensure!(
        outcome.bad == 0 && outcome.good > 0,
        "{} calls were not answered as they should be",
        outcome.bad
    );
    Ok(())
}
