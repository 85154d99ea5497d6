//! One connection of HTTP/2, served by one task: calls that can be answered at once are, and all their answers leave
//! together. A task for each of them, which is how servers usually do it, costs more than such an answer.

use std::error::Error;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use axum::body::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Ping, PingPong, RecvStream, SendStream};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::{Request, Response};
use ndauth_core::Causes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep, interval, sleep, timeout};

/// What a call sends.
pub enum Received {
    /// Over HTTP/2. A part of it may have been looked at already.
    Stream(RecvStream, Option<Bytes>),
    /// Over HTTP/1.1.
    Old(Incoming),
}

/// How long a connection lasts.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    /// How long a client may take to say what it must.
    pub(crate) patience: Duration,
    /// After so long it is closed once it is at rest.
    pub(crate) age: Duration,
    /// And so it is where nothing was asked for so long.
    pub(crate) idle: Duration,
    /// And so long after that it is closed in any case.
    pub(crate) last: Duration,
}

/// How many calls a connection may have at once.
const STREAMS: u32 = 1024;
/// How many bytes of metadata a call may have.
const METADATA: u32 = 16 * 1024;
/// What a client may send of a call before the server has read of it, and of all calls.
const WINDOW: u32 = 64 * 1024;
const WINDOWS: u32 = 1024 * 1024;
/// How much of an answer is handed on before the client has taken it.
const SEND_BUFFER: usize = 64 * 1024;

/// Whatever went wrong.
pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// A call, and where its answer goes.
type AcceptedCall = (Request<RecvStream>, SendResponse<Bytes>);

/// Serves a connection until it is closed. It is, once its calls are answered, when `stop` comes.
pub(crate) async fn serve<I, S, A, B>(io: I, terms: Terms, stop: impl Future<Output = ()>, mut service: S)
where
    I: AsyncRead + AsyncWrite + Unpin,
    S: FnMut(Request<Received>) -> A,
    A: Future<Output = Response<B>> + Unpin + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin + Send + 'static,
{
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(METADATA)
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOWS)
        .max_send_buffer_size(SEND_BUFFER);
    let Ok(Ok(mut connection)) = timeout(terms.patience, builder.handshake::<I, Bytes>(io)).await else {
        return tracing::debug!("a client did not greet");
    };
    let mut keepalive = Keepalive::new(connection.ping_pong(), terms);
    let mut beat = interval(terms.patience);
    let (mut stop, mut stopping) = (pin!(stop), false);
    let mut calls: Vec<AcceptedCall> = Vec::new();
    let waiting = Arc::new(Waiting { here: AtomicUsize::new(0), patience: terms.patience });
    poll_fn(|context| {
        loop {
            let over = accept(&mut connection, &mut calls, context);
            keepalive.calls += calls.len() as u64;
            let none = calls.is_empty();
            for (request, to) in calls.drain(..) {
                let received = request.map(|stream| Received::Stream(stream, None));
                let mut exchange = Exchange::Made(service(received), to);
                if Pin::new(&mut exchange).poll(context).is_pending() {
                    tokio::spawn(Delayed { exchange, waiting: Arc::clone(&waiting), untaken: None });
                }
            }
            if over {
                return Poll::Ready(());
            }
            if !stopping && stop.as_mut().poll(context).is_ready() {
                stopping = true;
                connection.graceful_shutdown();
                continue;
            }
            // What was answered must leave, before it is waited for more.
            if !none {
                continue;
            }
            ready!(beat.poll_tick(context));
            match keepalive.beat(context) {
                KeepaliveOutcome::On => {}
                KeepaliveOutcome::Rest if stopping => {}
                KeepaliveOutcome::Rest => {
                    stopping = true;
                    connection.graceful_shutdown();
                }
                KeepaliveOutcome::Gone => return Poll::Ready(()),
            }
        }
    })
    .await;
}

/// Takes every call that came, without answering any, so that all answers are sent at once. Says whether there will
/// be no more.
fn accept<I>(
    connection: &mut Connection<I, Bytes>,
    calls: &mut Vec<AcceptedCall>,
    context: &mut Context<'_>,
) -> bool
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match connection.poll_accept(context) {
            Poll::Pending => return false,
            Poll::Ready(None) => return true,
            Poll::Ready(Some(Ok(call))) => calls.push(call),
            Poll::Ready(Some(Err(error))) => {
                tracing::debug!(%error, "a connection was closed");
                return true;
            }
        }
    }
}

/// Whether the client is there, and whether it is asked for anything.
struct Keepalive {
    pings: Option<PingPong>,
    /// When a ping was sent that is not answered yet.
    pinged: Option<Instant>,
    /// When the client last showed that it lives.
    heard: Instant,
    terms: Terms,
    begun: Instant,
    /// How many calls there were, in all and at the last beat, and since when there were no more.
    calls: u64,
    seen: u64,
    quiet: Instant,
    /// Since when it is to be closed once it is at rest.
    resting: Option<Instant>,
}

/// What becomes of a connection after a beat.
enum KeepaliveOutcome {
    /// It goes on.
    On,
    /// It is closed once it is at rest.
    Rest,
    /// Its client is gone, or keeps it for too long.
    Gone,
}

impl Keepalive {
    fn new(pings: Option<PingPong>, terms: Terms) -> Keepalive {
        let now = Instant::now();
        Keepalive {
            pings,
            pinged: None,
            heard: now,
            terms,
            begun: now,
            calls: 0,
            seen: 0,
            quiet: now,
            resting: None,
        }
    }

    fn beat(&mut self, context: &mut Context<'_>) -> KeepaliveOutcome {
        let now = Instant::now();
        if let Some(pings) = &mut self.pings {
            match self.pinged {
                Some(_) if pings.poll_pong(context).is_ready() => (self.pinged, self.heard) = (None, now),
                Some(sent) if now - sent > self.terms.patience => return KeepaliveOutcome::Gone,
                None if now - self.heard >= self.terms.patience * 2 => {
                    if pings.send_ping(Ping::opaque()).is_err() {
                        return KeepaliveOutcome::Gone;
                    }
                    self.pinged = Some(now);
                }
                Some(_) | None => {}
            }
        }
        if std::mem::replace(&mut self.seen, self.calls) != self.calls {
            self.quiet = now;
        }
        let done = now - self.begun > self.terms.age || now - self.quiet > self.terms.idle;
        let Some(since) = self.resting.or(done.then_some(now)) else { return KeepaliveOutcome::On };
        self.resting = Some(since);
        if now - since > self.terms.last { KeepaliveOutcome::Gone } else { KeepaliveOutcome::Rest }
    }
}

/// A call that is being answered, and then the answer that is being sent. It is done when the client has gone or does
/// not want it any more, too.
enum Exchange<A, B> {
    Made(A, SendResponse<Bytes>),
    Sent(Sending<B>),
}

/// An answer that is being sent.
struct Sending<B> {
    body: B,
    stream: SendStream<Bytes>,
    /// The part of it that the client has not taken yet.
    rest: Bytes,
}

impl<A, B> Exchange<A, B> {
    /// The answer that waits for its client, if one does.
    fn untaken(&mut self) -> Option<&mut Sending<B>> {
        match self {
            Exchange::Sent(sending) if !sending.rest.is_empty() => Some(sending),
            Exchange::Made(..) | Exchange::Sent(_) => None,
        }
    }
}

impl<A, B> Future for Exchange<A, B>
where
    A: Future<Output = Response<B>> + Unpin,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let exchange = self.get_mut();
        if let Exchange::Made(answer, to) = exchange {
            let (head, body) = ready!(Pin::new(answer).poll(context)).into_parts();
            let ended = body.is_end_stream();
            match to.send_response(Response::from_parts(head, ()), ended) {
                Ok(stream) if !ended => {
                    *exchange = Exchange::Sent(Sending { body, stream, rest: Bytes::new() });
                }
                Ok(_) | Err(_) => return Poll::Ready(()),
            }
        }
        match exchange {
            Exchange::Made(..) => Poll::Ready(()),
            Exchange::Sent(sending) => sending.send(context),
        }
    }
}

impl<B> Sending<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    /// Sends the body, as the client makes room for it.
    fn send(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            if !self.rest.is_empty() {
                if ready!(self.send_rest(context)).is_none() {
                    return Poll::Ready(());
                }
                continue;
            }
            let frame = match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Ready(Some(Err(error))) => {
                    tracing::debug!(error = %Causes(error.into().as_ref()), "an answer came to nothing");
                    self.stream.send_reset(h2::Reason::INTERNAL_ERROR);
                    return Poll::Ready(());
                }
                Poll::Ready(None) => {
                    let _ = self.stream.send_data(Bytes::new(), true);
                    return Poll::Ready(());
                }
                // Who waits for more hears when the client does not.
                Poll::Pending => return self.stream.poll_reset(context).map(drop),
            };
            match frame.into_data() {
                Ok(data) => self.rest = data,
                Err(frame) => {
                    if let Ok(trailers) = frame.into_trailers() {
                        let _ = self.stream.send_trailers(trailers);
                        return Poll::Ready(());
                    }
                }
            }
        }
    }

    /// Sends as much of the rest as the client has room for. `None` where it wants no more.
    fn send_rest(&mut self, context: &mut Context<'_>) -> Poll<Option<()>> {
        self.stream.reserve_capacity(self.rest.len());
        while self.stream.capacity() == 0 {
            match ready!(self.stream.poll_capacity(context)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(None),
            }
        }
        let part = self.rest.split_to(self.stream.capacity().min(self.rest.len()));
        Poll::Ready(self.stream.send_data(part, false).ok())
    }
}

/// The bytes of answers that wait for their clients: of a connection, and of all.
struct Waiting {
    here: AtomicUsize,
    patience: Duration,
}

/// The bytes that wait on all connections.
static WAITING: AtomicUsize = AtomicUsize::new(0);
/// How many bytes of answers may wait on one connection, and on all.
const MOST_WAITING: usize = 8 * 1024 * 1024;
const MOST_WAITING_IN_ALL: usize = 256 * 1024 * 1024;
/// An answer that waits counts for at least as much: it takes more than its bytes.
const LEAST_WAITING: usize = 4 * 1024;

/// An answer that waits for its client.
struct Untaken {
    waiting: Arc<Waiting>,
    /// What it counts for, and how many bytes of it there were when it began to wait.
    counted: usize,
    bytes: usize,
    over: Pin<Box<Sleep>>,
}

impl Untaken {
    /// `None` where too much waits already.
    fn begin(waiting: &Arc<Waiting>, bytes: usize) -> Option<Untaken> {
        let (waiting, counted) = (Arc::clone(waiting), bytes.max(LEAST_WAITING));
        let here = waiting.here.fetch_add(counted, Ordering::Relaxed) + counted;
        let in_all = WAITING.fetch_add(counted, Ordering::Relaxed) + counted;
        let over = Box::pin(sleep(waiting.patience));
        // What does not fit is given back by its drop.
        let untaken = Untaken { waiting, counted, bytes, over };
        (here <= MOST_WAITING && in_all <= MOST_WAITING_IN_ALL).then_some(untaken)
    }
}

impl Drop for Untaken {
    fn drop(&mut self) {
        self.waiting.here.fetch_sub(self.counted, Ordering::Relaxed);
        WAITING.fetch_sub(self.counted, Ordering::Relaxed);
    }
}

/// A call that could not be answered at once. What its client does not take in time is dropped.
struct Delayed<A, B> {
    exchange: Exchange<A, B>,
    waiting: Arc<Waiting>,
    untaken: Option<Untaken>,
}

impl<A, B> Future for Delayed<A, B>
where
    A: Future<Output = Response<B>> + Unpin,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let delayed = self.get_mut();
        if Pin::new(&mut delayed.exchange).poll(context).is_ready() {
            return Poll::Ready(());
        }
        let Some(sending) = delayed.exchange.untaken() else {
            delayed.untaken = None;
            return Poll::Pending;
        };
        let bytes = sending.rest.len();
        if delayed.untaken.as_ref().is_none_or(|untaken| untaken.bytes != bytes) {
            delayed.untaken = None;
            delayed.untaken = Untaken::begin(&delayed.waiting, bytes);
        }
        let reason = match &mut delayed.untaken {
            Some(untaken) => {
                ready!(untaken.over.as_mut().poll(context));
                h2::Reason::CANCEL
            }
            None => {
                metrics::counter!("ndauth_calls_shed_total").increment(1);
                h2::Reason::ENHANCE_YOUR_CALM
            }
        };
        sending.stream.send_reset(reason);
        Poll::Ready(())
    }
}

impl Received {
    /// All of it, where it came in one part and is there. It can be taken all the same.
    pub(crate) fn whole(&mut self) -> Option<Bytes> {
        let Received::Stream(stream, seen) = self else { return None };
        if seen.is_none()
            && let Poll::Ready(Some(Ok(data))) = stream.poll_data(&mut Context::from_waker(Waker::noop()))
        {
            let _ = stream.flow_control().release_capacity(data.len());
            *seen = Some(data);
        }
        seen.clone().filter(|_| stream.is_end_stream())
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Received::Old(body) => {
                Pin::new(body).poll_frame(context).map(|frame| frame.map(|frame| frame.map_err(Into::into)))
            }
            Received::Stream(_, seen @ Some(_)) => Poll::Ready(seen.take().map(|data| Ok(Frame::data(data)))),
            Received::Stream(stream, None) => match ready!(stream.poll_data(context)) {
                Some(Ok(data)) => {
                    // What was read makes room for more.
                    let _ = stream.flow_control().release_capacity(data.len());
                    Poll::Ready(Some(Ok(Frame::data(data))))
                }
                Some(Err(error)) => Poll::Ready(Some(Err(error.into()))),
                None => match ready!(stream.poll_trailers(context)) {
                    Ok(Some(trailers)) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                    Ok(None) => Poll::Ready(None),
                    Err(error) => Poll::Ready(Some(Err(error.into()))),
                },
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Received::Old(body) => body.is_end_stream(),
            Received::Stream(stream, seen) => seen.is_none() && stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Received::Old(body) => body.size_hint(),
            Received::Stream(..) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::io::duplex;

    use super::*;

    /// A client that answers pings and never lets a call end.
    #[tokio::test]
    async fn nobody_keeps_a_connection_for_ever() {
        const SHORT: Duration = Duration::from_millis(20);
        let terms = Terms { patience: SHORT, age: SHORT, idle: Duration::MAX, last: SHORT };
        let (here, there) = duplex(64 * 1024);
        let serving =
            tokio::spawn(serve(here, terms, pending(), |_| pending::<Response<axum::body::Body>>()));
        let (mut client, connection) = h2::client::handshake(there).await.expect("greeted");
        let client_side = tokio::spawn(connection);
        let request = Request::post("http://x/y").body(()).expect("a request");
        let (answer, _sending) = client.send_request(request, false).expect("sent");
        let cut = timeout(Duration::from_secs(10), answer).await.expect("it ends");
        assert!(cut.is_err(), "it is cut");
        serving.await.expect("no panic");
        client_side.abort();
    }
}
