//! Serving, from the first connection to the database to the last response after SIGTERM.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use metrics_exporter_prometheus::BuildError;
use ndauth_authority::limits::ADMIN_CONNECTIONS;
use ndauth_authority::{Authority, AuthorityError, Clock, DatabaseUrl, Tidied};
use ndauth_core::Causes;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tonic_health::server::HealthReporter;
use tower::Service as _;

use crate::api::{Api, cors};
use crate::check::{CheckError, check_settings, warnings};
use crate::first_login::first_login;
use crate::front::{Front, Limits, Received};
use crate::grpc;
use crate::http::{self, Site};
use crate::mail::{Mailer, post};
use crate::memory::available_memory;
use crate::ops::{Ops, Phase, router};
use crate::options::ServeOptions;
use crate::org_tokens::watch_org_tokens;
use crate::telemetry::{Exposition, Traces, record_metrics};
use crate::ticks::Ticks;
use crate::tls::Certificate;

/// The addresses that are served.
#[derive(Clone, Copy, Debug)]
pub struct Serving {
    /// The address of gRPC and the pages.
    pub address: SocketAddr,
    /// The address of health and metrics.
    pub admin_address: SocketAddr,
}

/// The reason why the server did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The settings are refused.
    #[error(transparent)]
    Settings(#[from] CheckError),
    /// The database could not be opened.
    #[error("cannot open the database `{url}`")]
    Database {
        /// The database.
        url: DatabaseUrl,
        /// The reason.
        #[source]
        source: AuthorityError,
    },
    /// An address could not be listened on.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The metrics could not be set up.
    #[error("cannot record metrics")]
    Metrics(#[from] BuildError),
    /// The interface's description could not be set up.
    #[error("cannot describe the interface")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// Signals could not be waited for.
    #[error("cannot wait for signals")]
    Signals(#[source] io::Error),
    /// The served database is lost: its log can never be followed again.
    #[error("the database `{url}` is lost")]
    Lost {
        /// The database.
        url: DatabaseUrl,
        /// The reason.
        #[source]
        source: AuthorityError,
    },
    /// A second signal arrived before the server had stopped.
    #[error("a second signal came: calls in flight were cut off")]
    Cut,
    /// No thread could be started.
    #[error("cannot start a thread")]
    Threads(#[source] io::Error),
}

/// The interval of writing last uses, of the upkeep of metrics, and of checking the certificate.
const TIDY: Duration = Duration::from_secs(5);
/// The interval of removing tokens that ended long ago. The first run only compares the clocks.
const CLEAN: Duration = Duration::from_secs(60 * 60);
/// The interval of reading when orgs' tokens end.
const ORG_TOKENS: Duration = Duration::from_secs(15);
/// The interval of checking the readiness.
const WATCH: Duration = Duration::from_secs(1);
/// The most of the drain time that is reserved for the final writes.
const LAST: Duration = Duration::from_secs(1);
/// The most time that the last spans take.
const LAST_SPANS: Duration = Duration::from_millis(400);
/// The pause before a final write is retried.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// The most connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// Serves until SIGTERM or SIGINT, then finishes the calls in flight. Calls `on_ready` once it serves. Returns
/// an error if it cannot start, or if the log can never be followed again. The last spans are exported within the time to
/// stop.
pub async fn serve(
    options: &ServeOptions,
    traces: Option<Traces>,
    on_ready: impl FnOnce(Serving),
) -> Result<(), ServeError> {
    let begun = Instant::now();
    check_settings(options)?;
    warnings(options).iter().for_each(|warning| tracing::warn!("{warning}"));
    let metrics = record_metrics()?;
    let certificate = options.tls.as_ref().map(Certificate::load).transpose().map_err(CheckError::Tls)?;
    let mailer = options.mail.as_ref().map(Mailer::open).transpose().map_err(CheckError::Mail)?;
    let database = |source| ServeError::Database { url: options.database.clone(), source };
    let mut stop_signals = StopSignals::new()?;
    let (socket, address) = bind(options.listen)?;
    let (admin_socket, admin_address) = bind(options.admin_listen)?;
    raise_open_file_limit();
    // The lock is kept to the end.
    let _lock = Authority::lock(&options.database).map_err(database)?;
    let begin = Authority::begin(&options.database, Clock::Database, options.data.as_deref());
    let authority = tokio::select! {
        begun = begin => begun.map_err(database)?,
        () = stop_signals.next() => return Ok(()),
    };
    let authority = authority.with_freshness(options.freshness).with_login_settings(options.logins);
    let authority = Arc::new(authority.with_mail(mailer.is_some()));
    // This port answers from start to end, so that loading and draining can be observed.
    let (phase, phases) = watch::channel(Phase::Starting);
    let (show_ends, org_token_ends) = watch::channel(None);
    let ops = Ops { authority: Arc::clone(&authority), phase: phases, metrics, org_token_ends };
    let admin_listener = listen(&options.admin_listen, admin_socket)?;
    let limits =
        Limits { connections: ADMIN_CONNECTIONS, trusted_proxies: None, cores: 1, ..options.limits.clone() };
    let admin = router(ops.clone());
    let admin = Front::open(admin_listener, None, limits, move |_| {
        let mut admin = admin.clone();
        move |request: Request<Received>| {
            let answer = admin.call(request.map(Body::new));
            async move { answer.await.unwrap_or_else(|never| match never {}) }
        }
    });
    let admin = admin.map_err(ServeError::Threads)?;
    tracing::info!(%admin_address, "loading");
    let issuer = options.issuer(address);
    // Each of the two takes a while if the database is far away.
    let opened =
        async { tokio::try_join!(look(&authority, options, &issuer), authority.follow(available_memory())) };
    let ((), mut reader) = tokio::select! {
        opened = opened => opened.map_err(database)?,
        () = stop_signals.next() => return Ok(()),
    };

    // From here on, everything that happens is told.
    if mailer.is_some()
        && let Err(error) = authority.notices().begin().await
    {
        tracing::warn!(error = %Causes(&error), "what happens now may not be told by mail");
    }
    let site = Site { authority: Arc::clone(&authority), issuer, device: options.logins.device };
    let is_secure = site.is_secure();
    let issuer = site.issuer.clone();
    let pages = http::router(site);

    let (stop, stopped) = watch::channel(false);
    let (gate, health) =
        grpc::gate(Arc::clone(&authority), pages, &options.limits, issuer.clone(), stopped.clone())?;
    // Connections wait in the backlog from here on, and are served once the health is set.
    let listener = listen(&options.listen, socket)?;
    phase.send_replace(Phase::Serving);
    grpc::set_health(&health, ops.waits_for().is_none()).await;
    let mut background = vec![
        tokio::spawn(run_upkeep(ops.metrics.clone(), Ticks::every(TIDY, stopped.clone()))),
        tokio::spawn(tidy(Arc::clone(&authority), certificate.clone(), Ticks::every(TIDY, stopped.clone()))),
        tokio::spawn(watch_health(ops, health, Ticks::every(WATCH, stopped.clone()))),
        tokio::spawn(follow_up(Arc::clone(&authority), stopped.clone())),
        tokio::spawn(clean(Arc::clone(&authority), Ticks::every(CLEAN, stopped.clone()))),
    ];
    if let Some(orgs) = options.org_token_expiry.clone() {
        let ticks = Ticks::every(ORG_TOKENS, stopped.clone());
        background.push(tokio::spawn(watch_org_tokens(Arc::clone(&authority), orgs, show_ends, ticks)));
    }
    let posting = mailer.map(|mailer| tokio::spawn(post(Arc::clone(&authority), mailer, stopped)));
    let tls = certificate.as_ref().map(Certificate::config);
    let api = Api::new(&gate, issuer, is_secure, cors(&options.cors_origins));
    let front = Front::open(listener, tls, options.limits.clone(), move |peer| {
        let mut surfaces = api.to(&gate, peer);
        move |request| surfaces.call(request)
    });
    let front = front.map_err(ServeError::Threads)?;
    tracing::info!(
        %address,
        %admin_address,
        tls = certificate.is_some(),
        database = %options.database,
        micros = begun.elapsed().as_micros(),
        "ready"
    );
    on_ready(Serving { address, admin_address });

    let lost = tokio::select! {
        () = stop_signals.next() => None,
        lost = reader.end() => Some(lost),
    };
    tracing::info!(within = ?options.drain, "stopping: finishing calls in flight");
    phase.send_replace(Phase::Draining);
    let _ = stop.send(true);
    let finish = async {
        // Some of the time is reserved for the final writes.
        if !front.drain(options.drain - (options.drain / 2).min(LAST)).await {
            tracing::warn!("calls in flight were cut off");
        }
        // A write that fails meanwhile keeps its uses, and they are written again below.
        for task in background {
            let _ = task.await;
        }
        let last_spans = async {
            if let Some(traces) = traces {
                let _ = tokio::task::spawn_blocking(move || traces.end(LAST_SPANS)).await;
            }
        };
        let last_uses = async {
            if lost.is_none() {
                write_last_uses(&authority).await;
            }
        };
        tokio::join!(last_spans, last_uses);
        // A mail server that is slow does not cost the last uses.
        if let Some(posting) = posting {
            let _ = posting.await;
        }
        if let Err(error) = authority.close().await {
            tracing::warn!(error = %Causes(&error), "the last uses were not saved");
        }
    };
    let cut = tokio::select! {
        finished = timeout(options.drain, finish) => {
            if finished.is_err() {
                tracing::warn!("the time to stop is over: the database did not answer, and the last uses were not saved");
            }
            false
        }
        () = stop_signals.next() => true,
    };
    admin.drain(Duration::ZERO).await;
    tracing::info!("stopped");
    match lost {
        _ if cut => Err(ServeError::Cut),
        None => Ok(()),
        Some(source) => Err(ServeError::Lost { url: options.database.clone(), source }),
    }
}

/// Checks that the database may be served, and that somebody can sign in.
async fn look(authority: &Authority, options: &ServeOptions, issuer: &str) -> Result<(), AuthorityError> {
    authority.look().await?;
    authority.could_serve()?;
    if !authority.can_detect_older_copy() {
        tracing::warn!("the end of this log was never recorded here: an older copy would not be noticed");
    }
    if let Err(error) = first_login(authority, options, issuer).await {
        tracing::warn!(error = %Causes(&error), "cannot make sure that somebody can sign in");
    }
    Ok(())
}

/// Binds an address, without accepting connections yet.
pub(crate) fn bind(address: SocketAddr) -> Result<(TcpSocket, SocketAddr), ServeError> {
    let bound = || -> io::Result<(TcpSocket, SocketAddr)> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let bound = socket.local_addr()?;
        Ok((socket, bound))
    };
    bound().map_err(|source| ServeError::Listen { address, source })
}

fn listen(address: &SocketAddr, socket: TcpSocket) -> Result<TcpListener, ServeError> {
    socket.listen(BACKLOG).map_err(|source| ServeError::Listen { address: *address, source })
}

/// Raises the limit of open files to its maximum. Each connection is an open file, and the initial limit is
/// often low.
fn raise_open_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    // If the system refuses, the limit stays as it was.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// SIGTERM and SIGINT: the first signal lets calls in flight finish, the second cuts them off.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn new() -> Result<StopSignals, ServeError> {
        let subscribe = |kind| signal(kind).map_err(ServeError::Signals);
        Ok(StopSignals {
            terminate: subscribe(SignalKind::terminate())?,
            interrupt: subscribe(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Moves the samples of histograms to their buckets, whatever the database does: they take memory until then.
async fn run_upkeep(metrics: Exposition, mut ticks: Ticks) {
    while ticks.next().await {
        metrics.run_upkeep();
    }
}

async fn tidy(authority: Arc<Authority>, certificate: Option<Arc<Certificate>>, mut ticks: Ticks) {
    while ticks.next().await {
        if let Some(certificate) = &certificate {
            certificate.look();
        }
        if let Err(error) = authority.validation().write_counted_uses().await {
            tracing::warn!(error = %Causes(&error), "last uses are not saved yet");
        }
        if let Err(error) = authority.validation().write_attempts().await {
            tracing::warn!(error = %Causes(&error), "refused attempts are not saved yet");
        }
        if let Some((since, why)) = authority.failing_changes() {
            tracing::warn!(seconds = since.as_secs(), why, "changes are failing");
            authority.try_changing().await;
        }
    }
}

/// Writes the last uses, and retries while the database is unreachable. The caller sets the timeout.
async fn write_last_uses(authority: &Authority) {
    if let Err(error) = authority.validation().write_all_attempts().await {
        tracing::warn!(error = %Causes(&error), "refused attempts are not saved");
    }
    while let Err(error) = authority.validation().write_uses().await {
        tracing::warn!(error = %Causes(&error), "the last uses are not saved yet: trying again");
        sleep(RETRY_PAUSE).await;
    }
}

/// Does the follow-ups of validations, such as the confirmation of a rotation, as soon as there are any.
async fn follow_up(authority: Arc<Authority>, mut stopped: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => break,
            () = authority.validation().wait_for_follow_up() => {}
        }
        if let Err(error) = authority.validation().follow_up().await {
            tracing::warn!(error = %Causes(&error), "the follow-ups of responses are not done yet");
            sleep(WATCH).await;
        }
    }
    if let Err(error) = authority.validation().follow_up().await {
        tracing::warn!(error = %Causes(&error), "the follow-ups of responses failed");
    }
}

/// Removes tokens, secrets, sessions and services that ended long ago.
async fn clean(authority: Arc<Authority>, mut ticks: Ticks) {
    while ticks.next().await {
        let mirror = Arc::clone(&authority);
        let _ = tokio::task::spawn_blocking(move || mirror.validation().compact()).await;
        match authority.operator().tidy_up().await {
            Ok(tidied) if tidied == Tidied::default() => {}
            Ok(Tidied { tokens, secrets, sessions, services }) => {
                tracing::info!(tokens, secrets, sessions, services, "removed what ended long ago");
            }
            Err(error) => {
                tracing::warn!(error = %Causes(&error), "cannot remove what ended long ago");
            }
        }
        if let Err(error) = authority.audit().forget_attempts().await {
            tracing::warn!(error = %Causes(&error), "cannot remove old refused attempts");
        }
    }
}

async fn watch_health(ops: Ops, health: HealthReporter, mut ticks: Ticks) {
    let mut last = None;
    while ticks.next().await {
        let waits_for = ops.waits_for();
        let ready = waits_for.is_none();
        match last.replace(ready) {
            Some(last) if last == ready => continue,
            Some(_) => tracing::warn!(ready, waits_for, "readiness changed"),
            None => {}
        }
        // Clients that watch the health receive every change.
        grpc::set_health(&health, ready).await;
    }
    grpc::set_health(&health, false).await;
}
