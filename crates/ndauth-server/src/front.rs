//! The front: it accepts connections in one place, and hands each to the least loaded core.
//!
//! Every core has a runtime with one thread. Calls that are answered from memory never leave it. A connection
//! stays on its core until it is closed. Connections are closed after half an hour, so that load spreads again.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use axum::body::Bytes;
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use ndauth_authority::limits::{CONNECTIONS, Limit, Share, Shares, network};
use ndauth_core::Networks;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, timeout};

use crate::connection::AcceptedConnection;
use crate::received::BoxError;
pub use crate::received::Received;
use crate::unsent::{CountedBody, Unsent};

/// The limits on clients.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The most connections in total, and from one address, or one IPv6 network `/64`.
    pub connections: Limit,
    /// The trusted proxies, which other clients are behind. Only the total limits their connections.
    pub trusted_proxies: Option<Networks>,
    /// The timeout of a client: for its TLS handshake, its first bytes, the head of a request, the answer to
    /// a ping, and for reading a response.
    pub client_timeout: Duration,
    /// The number of cores that serve connections.
    pub cores: usize,
}

/// The tasks and threads that accept and serve connections.
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
    /// Closed when the thread has ended.
    ended: oneshot::Receiver<()>,
    /// Dropping it ends the thread at once.
    alive: oneshot::Sender<()>,
}

/// The load of a core.
#[derive(Default)]
struct Load {
    /// The share of the last period in which the core was busy, in thousandths.
    busy: AtomicU64,
    /// The instant of its last beat, in milliseconds since the front was opened. A beat shows that it takes
    /// up new tasks.
    beat: AtomicU64,
    connections: AtomicUsize,
}

/// A connection, and its slot.
struct Accepted {
    stream: TcpStream,
    peer: SocketAddr,
    slot: Slot,
}

/// One of the connections that the limit allows.
struct Slot {
    _connection: Share<IpAddr>,
    unsent: Arc<Unsent>,
    load: Arc<Load>,
}

/// The open connections, and their limits.
struct Slots {
    trusted_proxies: Option<Networks>,
    connections: Arc<Shares<IpAddr>>,
    /// The unsent bytes of each address.
    unsent: Mutex<HashMap<IpAddr, Weak<AtomicUsize>>>,
}

/// The age after which a connection is closed, once its calls are answered.
const AGE: Duration = Duration::from_secs(30 * 60);
/// The time without a new call after which a connection is closed in the same way.
const IDLE: Duration = Duration::from_secs(15 * 60);
/// The time that calls have to end once their connection is closing. After that, the connection is cut.
const LAST: Duration = Duration::from_secs(5 * 60);
/// The most concurrent calls of a connection.
const STREAMS: u32 = 1024;
/// The most bytes of metadata of a call.
const METADATA: u32 = 16 * 1024;
/// The flow-control windows of HTTP/2, in bytes: the most that a client may send of a call, and of all its
/// calls, before the server has read it.
const WINDOW: u32 = 64 * 1024;
const WINDOWS: u32 = 1024 * 1024;
/// The most bytes that are buffered of an HTTP/1.1 connection, and of an HTTP/2 stream.
const BUFFER: usize = 64 * 1024;
/// The interval at which the load of the cores is sampled.
const PERIOD: Duration = Duration::from_millis(250);
/// The interval at which a core shows that it takes up new tasks.
const BEAT: Duration = Duration::from_millis(50);
/// The pause after an accept that failed, as with too many open files.
const PAUSE: Duration = Duration::from_millis(50);

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: CONNECTIONS,
            trusted_proxies: None,
            client_timeout: Duration::from_secs(10),
            cores: thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

impl Front {
    /// Starts to accept and serve connections. `serve` returns the service for a connection, given the
    /// address of its client. Returns an error if a thread cannot be started.
    pub fn open<S, F, B>(
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        limits: Limits,
        serve: impl Fn(SocketAddr) -> S + Clone + Send + 'static,
    ) -> io::Result<Front>
    where
        S: FnMut(Request<Received>) -> F + Send + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send + 'static,
    {
        let (stop, stopped) = watch::channel(false);
        let opened = Instant::now();
        let serving = ConnectionServer {
            tls,
            client_timeout: limits.client_timeout,
            protocols: protocols(limits.client_timeout),
            stopped: stopped.clone(),
        };
        let core = |number: usize| -> io::Result<Core> {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let handle = runtime.handle().clone();
            let (give, take) = mpsc::unbounded_channel();
            let (alive, killed) = oneshot::channel();
            let (running, ended) = oneshot::channel();
            let load: Arc<Load> = Arc::default();
            let beating = Arc::clone(&load);
            let (serving, serve) = (serving.clone(), serve.clone());
            thread::Builder::new().name(format!("core-{number}")).spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = work(take, serving, serve) => {}
                        () = beating.beat(opened) => {}
                        _ = killed => {}
                    }
                });
                drop(running);
            })?;
            Ok(Core { give, load, runtime: handle, ended, alive })
        };
        let cores: Vec<Core> = (0..limits.cores.max(1)).map(core).collect::<io::Result<_>>()?;
        let places: Vec<_> = cores.iter().map(Core::place).collect();
        let slots = Slots {
            trusted_proxies: limits.trusted_proxies,
            connections: Shares::new(limits.connections),
            unsent: Mutex::default(),
        };
        let accepting = tokio::spawn(accept(listener, slots, places, opened, stopped));
        Ok(Front { cores, stop, accepting })
    }

    /// Stops accepting, and finishes the calls in flight. Returns true if all of them finished within the
    /// timeout.
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

/// Accepts connections until the server stops, and hands each to a core.
async fn accept(
    listener: TcpListener,
    slots: Slots,
    cores: Vec<(mpsc::UnboundedSender<Accepted>, Arc<Load>, Handle)>,
    opened: Instant,
    mut stopped: watch::Receiver<bool>,
) {
    let mut sampling = interval(PERIOD);
    let mut busy = vec![Duration::ZERO; cores.len()];
    let hand = |stream: TcpStream, peer: SocketAddr| {
        let core = cores.iter().min_by_key(|(_, load, _)| load.rank());
        let Some((give, load, _)) = core else { return };
        let Some(slot) = slots.take(peer.ip(), load) else { return };
        // Sending fails if the core has ended.
        let _ = give.send(Accepted { stream, peer, slot });
    };
    loop {
        let accepted = tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => break,
            _ = sampling.tick() => {
                for ((_, load, runtime), before) in cores.iter().zip(&mut busy) {
                    let total = runtime.metrics().worker_total_busy_duration(0);
                    load.sample(total.saturating_sub(*before), opened.elapsed());
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
    // Connections that are in the backlog already are served, too.
    if let Ok(listener) = listener.into_std() {
        while let Ok((stream, peer)) = listener.accept() {
            if stream.set_nonblocking(true).is_ok() {
                hand(stream, peer);
            }
        }
    }
}

impl Load {
    /// Records beats that show that the core takes up new tasks.
    async fn beat(&self, opened: Instant) {
        let mut beats = interval(BEAT);
        loop {
            beats.tick().await;
            self.beat.store(millis(opened.elapsed()), Ordering::Relaxed);
        }
    }

    /// Records the share of the last period in which the core was busy, as its runtime reports it. The
    /// runtime counts a task only once it yields, so a core without a recent beat counts as busy since its
    /// last one.
    fn sample(&self, busy: Duration, now: Duration) {
        let silent = millis(now).saturating_sub(self.beat.load(Ordering::Relaxed));
        let silent = if silent > 2 * millis(BEAT) { silent } else { 0 };
        let busy = millis(busy).max(silent).min(millis(PERIOD));
        self.busy.store(busy * 1000 / millis(PERIOD), Ordering::Relaxed);
    }

    /// Returns the key by which a core is chosen, lowest first: its load in tenths, then its number of
    /// connections.
    fn rank(&self) -> (u64, usize) {
        (self.busy.load(Ordering::Relaxed) / 100, self.connections.load(Ordering::Relaxed))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Slots {
    /// Takes a slot for a connection from an address. Returns `None` if a limit is reached.
    fn take(&self, from: IpAddr, load: &Arc<Load>) -> Option<Slot> {
        let trusted =
            self.trusted_proxies.as_ref().is_some_and(|networks| networks.hold(from.to_canonical()));
        let from = network(Some(from)).filter(|_| !trusted);
        let connection = self.connections.take(from, 1).ok()?;
        load.connections.fetch_add(1, Ordering::Relaxed);
        let unsent = Unsent::new(from.map(|from| self.unsent_of(from)));
        Some(Slot { _connection: connection, unsent, load: Arc::clone(load) })
    }

    /// Returns the counter of an address's unsent bytes.
    fn unsent_of(&self, address: IpAddr) -> Arc<AtomicUsize> {
        let mut unsent = self.unsent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = unsent.get(&address).and_then(Weak::upgrade) {
            return known;
        }
        // Counters of addresses without connections are removed before the map exceeds 1024 or twice
        // the number of connections.
        if unsent.len() >= 2 * self.connections.taken().max(512) {
            unsent.retain(|_, counter| counter.strong_count() > 0);
        }
        let fresh = Arc::new(AtomicUsize::new(0));
        unsent.insert(address, Arc::downgrade(&fresh));
        fresh
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.load.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The settings with which a core serves connections.
#[derive(Clone)]
struct ConnectionServer {
    tls: Option<Arc<ServerConfig>>,
    client_timeout: Duration,
    protocols: auto::Builder<TokioExecutor>,
    stopped: watch::Receiver<bool>,
}

/// Configures HTTP/1.1 and HTTP/2. The first bytes of a connection distinguish them.
fn protocols(client_timeout: Duration) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(client_timeout)
        .max_buf_size(BUFFER)
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(client_timeout * 2)
        .keep_alive_timeout(client_timeout)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(METADATA)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOWS)
        .max_send_buf_size(BUFFER)
        .auto_date_header(false);
    builder
}

/// Serves the connections that a core receives, until there are no more.
async fn work<S, F, B>(
    mut take: mpsc::UnboundedReceiver<Accepted>,
    serving: ConnectionServer,
    serve: impl Fn(SocketAddr) -> S,
) where
    S: FnMut(Request<Received>) -> F + Send + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = take.recv() => match accepted {
                Some(accepted) => {
                    let service = serve(accepted.peer);
                    connections.spawn(serving.clone().serve(accepted, service));
                }
                None => break,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    while connections.join_next().await.is_some() {}
}

impl ConnectionServer {
    /// Serves one connection to its end.
    async fn serve<S, F, B>(self, accepted: Accepted, service: S)
    where
        S: FnMut(Request<Received>) -> F + Send + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send + 'static,
    {
        let Accepted { stream, slot, .. } = accepted;
        let ConnectionServer { tls, client_timeout, protocols, mut stopped } = self;
        let opened = async {
            // If this fails, responses are only a little later.
            let _ = stream.set_nodelay(true);
            AcceptedConnection::open(tokio::net::TcpStream::from_std(stream)?, tls, client_timeout).await
        };
        let connection = match opened.await {
            Ok(connection) => connection,
            Err(error) => return tracing::debug!(%error, "a connection was not opened"),
        };
        let (service, calls) = (Mutex::new(service), AtomicU64::new(0));
        let service = service_fn(|request: Request<Incoming>| {
            calls.fetch_add(1, Ordering::Relaxed);
            let mut service = service.lock().unwrap_or_else(PoisonError::into_inner);
            let (answer, unsent) = (service(request.map(Received::new)), Arc::clone(&slot.unsent));
            async move { Ok::<_, Infallible>(answer.await.map(|body| CountedBody::new(body, unsent))) }
        });
        let mut connection = pin!(protocols.serve_connection(TokioIo::new(connection), service));
        let mut stop = pin!(async {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        });
        let (mut age, mut ticks) =
            (ConnectionAge::new(client_timeout, Instant::now()), interval(client_timeout / 2));
        loop {
            let close = tokio::select! {
                biased;
                ended = &mut connection => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection was closed");
                    }
                    break;
                }
                () = &mut stop, if !age.is_closing() => true,
                now = ticks.tick() => match age.tick(now, calls.load(Ordering::Relaxed), slot.unsent.waiting()) {
                    NextStep::Serve => false,
                    NextStep::Close => true,
                    NextStep::Cut => break,
                },
            };
            if close {
                age.close(Instant::now());
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// The age of a connection, and the time since its last activity.
struct ConnectionAge {
    client_timeout: Duration,
    begun: Instant,
    /// The number of calls, and the instant at which it last changed.
    calls: (u64, Instant),
    /// The number of parts that the client took while others wait, and the instant at which it last changed.
    taken: Option<(u64, Instant)>,
    /// The instant at which the connection began to close.
    closing: Option<Instant>,
}

/// The next step for a connection.
enum NextStep {
    /// The connection is served.
    Serve,
    /// The connection is closed once its calls are answered.
    Close,
    /// The connection is closed at once.
    Cut,
}

impl ConnectionAge {
    fn new(client_timeout: Duration, now: Instant) -> ConnectionAge {
        ConnectionAge { client_timeout, begun: now, calls: (0, now), taken: None, closing: None }
    }

    fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    fn close(&mut self, now: Instant) {
        self.closing.get_or_insert(now);
    }

    /// Returns the next step for a connection that has had so many calls. `waiting` is the number of parts
    /// that its client has taken, if others wait.
    fn tick(&mut self, now: Instant, calls: u64, waiting: Option<u64>) -> NextStep {
        if self.calls.0 != calls {
            self.calls = (calls, now);
        }
        self.taken = waiting.map(|parts| match self.taken {
            Some(taken @ (before, _)) if before == parts => taken,
            Some(_) | None => (parts, now),
        });
        let is_stuck = self.taken.is_some_and(|(_, since)| now - since >= self.client_timeout);
        match self.closing {
            _ if is_stuck => NextStep::Cut,
            Some(since) if now - since > LAST => NextStep::Cut,
            None if now - self.begun > AGE || now - self.calls.1 > IDLE => NextStep::Close,
            Some(_) | None => NextStep::Serve,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_computing_core_counts_as_busy() {
        let load = Load::default();
        let at = Duration::from_millis;
        load.beat.store(1000, Ordering::Relaxed);
        for (busy, now, thousandths) in
            [(0, 1050, 0), (125, 1050, 500), (0, 1200, 800), (0, 2000, 1000), (900, 1050, 1000)]
        {
            load.sample(at(busy), at(now));
            assert_eq!(load.busy.load(Ordering::Relaxed), thousandths, "{busy} {now}");
        }
    }

    /// A client that reads nothing of its response is cut off. One that reads slowly is served until its
    /// connection is too old.
    #[test]
    fn a_stuck_client_is_cut_off() {
        let (begun, timeout) = (Instant::now(), Duration::from_secs(10));
        let check = |closing: Option<Duration>, ticks: &[(Duration, u64, Option<u64>, &str)]| {
            let mut age = ConnectionAge::new(timeout, begun);
            if let Some(after) = closing {
                age.close(begun + after);
            }
            for (after, calls, waiting, expected) in ticks {
                let step = match age.tick(begun + *after, *calls, *waiting) {
                    NextStep::Serve => "serve",
                    NextStep::Close => "close",
                    NextStep::Cut => "cut",
                };
                assert_eq!(step, *expected, "{after:?}");
            }
        };
        let at = Duration::from_secs;
        let stuck = [
            (at(5), 1, Some(3), "serve"),
            (at(10), 1, Some(3), "serve"),
            (at(14), 1, Some(4), "serve"),
            (at(20), 1, None, "serve"),
            (at(25), 1, Some(4), "serve"),
            (at(34), 1, Some(4), "serve"),
            (at(35), 1, Some(4), "cut"),
        ];
        check(None, &stuck);
        check(None, &[(IDLE, 0, None, "serve"), (IDLE + at(1), 0, None, "close")]);
        check(None, &[(IDLE, 1, None, "serve"), (AGE, 2, None, "serve"), (AGE + at(1), 3, None, "close")]);
        check(Some(at(1)), &[(at(1) + LAST, 2, None, "serve"), (at(2) + LAST, 3, None, "cut")]);
    }
}
