//! The front: connections are accepted in one place, and each is served by the core that has the least to do.
//!
//! Every core has a runtime of one thread. What is answered from memory never leaves it; a connection stays
//! where it was put until it is closed, which it is after half an hour in any case, so that load spreads again.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpStream};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use axum::body::Bytes;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use ndauth_core::Networks;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};

use crate::connection::{AcceptedConnection, Speaks};
pub use crate::http2::Received;
use crate::http2::{self, BoxError, Terms};

/// What clients may take of the server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How many connections there may be.
    pub connections: usize,
    /// How many of them from one address, or one network `/64` of IPv6.
    pub connections_per_address: usize,
    /// From where there may be as many as there may be at all: proxies that others are behind.
    pub trusted_proxies: Option<Networks>,
    /// How long a client may keep the server waiting: for its handshake, its greeting, the head of a
    /// request, an answer to a ping.
    pub patience: Duration,
    /// How many cores serve connections.
    pub cores: usize,
}

/// What accepts and serves.
pub struct Front {
    cores: Vec<Core>,
    stop: watch::Sender<bool>,
    accepting: tokio::task::JoinHandle<()>,
}

/// A thread that serves connections.
struct Core {
    give: mpsc::UnboundedSender<Accepted>,
    load: Arc<Load>,
    runtime: Handle,
    /// Closed when it ended.
    ended: oneshot::Receiver<()>,
    /// Dropped, it ends at once.
    alive: oneshot::Sender<()>,
}

/// How much a core has to do.
#[derive(Default)]
struct Load {
    /// How many thousandths of the last period it was busy.
    busy: AtomicU64,
    connections: AtomicUsize,
}

/// A connection, and its place among those there may be.
struct Accepted {
    stream: TcpStream,
    peer: SocketAddr,
    slot: Slot,
}

/// One of the connections that there may be.
struct Slot {
    slots: Arc<Slots>,
    from: Option<IpAddr>,
    load: Arc<Load>,
}

/// The connections that there are.
struct Slots {
    limits: Limits,
    all: AtomicUsize,
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection older than this is closed once it is at rest.
const AGE: Duration = Duration::from_secs(30 * 60);
/// So is one on which nothing was asked for so long.
const IDLE: Duration = Duration::from_secs(15 * 60);
/// A call that is longer than this, then, is cut.
const LAST: Duration = Duration::from_secs(5 * 60);
/// How much of a connection of HTTP/1.1 is held in memory, each way.
const HTTP1_BUFFER: usize = 64 * 1024;
/// How often it is looked how busy the cores are.
const PERIOD: Duration = Duration::from_millis(250);
/// How long to let be after no connection could be accepted, as when there are too many open files.
const PAUSE: Duration = Duration::from_millis(50);

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 10_000,
            connections_per_address: 2_000,
            trusted_proxies: None,
            patience: Duration::from_secs(10),
            cores: thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

impl Front {
    /// Serves what is accepted from now on. `serve` makes what answers a connection's calls, by its client's
    /// address.
    pub fn open<S, F, B>(
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        limits: Limits,
        serve: impl Fn(SocketAddr) -> S + Clone + Send + 'static,
    ) -> io::Result<Front>
    where
        S: FnMut(Request<Received>) -> F + Send + 'static,
        F: Future<Output = Response<B>> + Unpin + Send + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send + 'static,
    {
        let (stop, stopped) = watch::channel(false);
        let open = Open { tls, patience: limits.patience, stopped: stopped.clone() };
        let core = |number: usize| -> io::Result<Core> {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let handle = runtime.handle().clone();
            let (give, take) = mpsc::unbounded_channel();
            let (alive, killed) = oneshot::channel();
            let (tell, ended) = oneshot::channel();
            let (open, serve) = (open.clone(), serve.clone());
            thread::Builder::new().name(format!("core-{number}")).spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = work(take, open, serve) => {}
                        _ = killed => {}
                    }
                });
                drop(tell);
            })?;
            Ok(Core { give, load: Arc::default(), runtime: handle, ended, alive })
        };
        let cores: Vec<Core> = (0..limits.cores.max(1)).map(core).collect::<io::Result<_>>()?;
        let places: Vec<_> = cores.iter().map(Core::place).collect();
        let slots = Arc::new(Slots { limits, all: AtomicUsize::new(0), by_address: Mutex::default() });
        let accepting = tokio::spawn(accept(listener, slots, places, stopped));
        Ok(Front { cores, stop, accepting })
    }

    /// Accepts nothing more, finishes what is in flight, and ends. Says whether all was finished in time.
    pub async fn drain(self, within: Duration) -> bool {
        let Front { cores, stop, accepting } = self;
        let _ = stop.send(true);
        let _ = accepting.await;
        let mut alive = Vec::new();
        let ended = async {
            for Core { give, ended, alive: living, .. } in cores {
                drop(give);
                alive.push(living);
                let _ = ended.await;
            }
        };
        timeout(within, ended).await.is_ok()
    }
}

impl Core {
    fn place(&self) -> (mpsc::UnboundedSender<Accepted>, Arc<Load>, Handle) {
        (self.give.clone(), Arc::clone(&self.load), self.runtime.clone())
    }
}

/// Accepts connections until the server is told to stop, and hands each to a core.
async fn accept(
    listener: TcpListener,
    slots: Arc<Slots>,
    cores: Vec<(mpsc::UnboundedSender<Accepted>, Arc<Load>, Handle)>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut sampling = interval(PERIOD);
    let mut busy = vec![Duration::ZERO; cores.len()];
    let hand = |stream: TcpStream, peer: SocketAddr| {
        let core = cores.iter().min_by_key(|(_, load, _)| load.rank());
        let Some((give, load, _)) = core else { return };
        let Some(slot) = slots.take(peer.ip(), load) else { return };
        // It fails where the core has ended.
        let _ = give.send(Accepted { stream, peer, slot });
    };
    loop {
        let accepted = tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => break,
            _ = sampling.tick() => {
                for ((_, load, runtime), before) in cores.iter().zip(&mut busy) {
                    let total = runtime.metrics().worker_total_busy_duration(0);
                    let spent = total.saturating_sub(*before).as_millis();
                    load.busy.store(u64::try_from(spent * 1000 / PERIOD.as_millis()).unwrap_or(0), Ordering::Relaxed);
                    *before = total;
                }
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        match accepted.and_then(|(stream, peer)| Ok((stream.into_std()?, peer))) {
            Ok((stream, peer)) => hand(stream, peer),
            Err(error) => {
                tracing::warn!(%error, "no connection could be accepted");
                sleep(PAUSE).await;
            }
        }
    }
    // Who connected before is served, too.
    if let Ok(listener) = listener.into_std() {
        while let Ok((stream, peer)) = listener.accept() {
            if stream.set_nonblocking(true).is_ok() {
                hand(stream, peer);
            }
        }
    }
}

impl Load {
    /// The less busy goes first; among those that are about as busy, the one with fewer connections.
    fn rank(&self) -> (u64, usize) {
        (self.busy.load(Ordering::Relaxed) / 100, self.connections.load(Ordering::Relaxed))
    }
}

impl Slots {
    /// A place for a connection from an address, if there may be one more.
    fn take(self: &Arc<Self>, from: IpAddr, load: &Arc<Load>) -> Option<Slot> {
        let refuse = |why: &'static str| {
            metrics::counter!("ndauth_connections_refused_total", "why" => why).increment(1);
            None
        };
        if self.all.load(Ordering::Relaxed) >= self.limits.connections {
            return refuse("too many");
        }
        let from = from.to_canonical();
        let trusted = self.limits.trusted_proxies.as_ref().is_some_and(|networks| networks.hold(from));
        let from = (!trusted).then(|| network(from));
        if let Some(from) = from {
            let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
            let count = by_address.entry(from).or_default();
            if *count >= self.limits.connections_per_address {
                return refuse("too many from one address");
            }
            *count += 1;
        }
        let all = self.all.fetch_add(1, Ordering::Relaxed) + 1;
        gauge(all);
        load.connections.fetch_add(1, Ordering::Relaxed);
        Some(Slot { slots: Arc::clone(self), from, load: Arc::clone(load) })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.load.connections.fetch_sub(1, Ordering::Relaxed);
        gauge(self.slots.all.fetch_sub(1, Ordering::Relaxed) - 1);
        let Some(from) = self.from else { return };
        let mut by_address = self.slots.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_address.get_mut(&from) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&from);
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
fn gauge(connections: usize) {
    metrics::gauge!("ndauth_connections").set(connections as f64);
}

/// What one client is likely to have of addresses: one of IPv4, a `/64` of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

/// How connections are opened, and when they are closed.
#[derive(Clone)]
struct Open {
    tls: Option<Arc<ServerConfig>>,
    patience: Duration,
    stopped: watch::Receiver<bool>,
}

/// Serves the connections that a core is given, until there are no more.
async fn work<S, F, B>(
    mut take: mpsc::UnboundedReceiver<Accepted>,
    open: Open,
    serve: impl Fn(SocketAddr) -> S,
) where
    S: FnMut(Request<Received>) -> F + Send + 'static,
    F: Future<Output = Response<B>> + Unpin + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = take.recv() => match accepted {
                Some(accepted) => {
                    let service = serve(accepted.peer);
                    connections.spawn(one(accepted, open.clone(), service));
                }
                None => break,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    while connections.join_next().await.is_some() {}
}

/// Serves one connection to its end.
async fn one<S, F, B>(accepted: Accepted, open: Open, service: S)
where
    S: FnMut(Request<Received>) -> F + Send + 'static,
    F: Future<Output = Response<B>> + Unpin + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send + 'static,
{
    let Accepted { stream, slot, .. } = accepted;
    let Open { tls, patience, mut stopped } = open;
    let opened = async {
        // Where it cannot be set, answers are a little later.
        let _ = stream.set_nodelay(true);
        AcceptedConnection::open(tokio::net::TcpStream::from_std(stream)?, tls, patience).await
    };
    let connection = match opened.await {
        Ok(connection) => connection,
        Err(error) => return tracing::debug!(%error, "a connection was not opened"),
    };
    let terms = Terms { patience, age: AGE, idle: IDLE, last: LAST };
    let stop = async {
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    match connection.speaks() {
        Speaks::Http2 => http2::serve(connection, terms, stop, service).await,
        Speaks::Http1 => {
            let service = Mutex::new(service);
            let service = service_fn(|request: Request<Incoming>| {
                let mut service = service.lock().unwrap_or_else(PoisonError::into_inner);
                let answer = service(request.map(Received::Old));
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(patience).max_buf_size(HTTP1_BUFFER);
            let mut serving = pin!(builder.serve_connection(TokioIo::new(connection), service));
            tokio::select! {
                _ = &mut serving => {}
                () = async { tokio::select! { () = stop => {}, () = sleep(AGE) => {} } } => {
                    serving.as_mut().graceful_shutdown();
                    let _ = timeout(LAST, serving).await;
                }
            }
        }
    }
    drop(slot);
}
