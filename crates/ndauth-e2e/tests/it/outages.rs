//! The database stops, hangs, comes back, or changes its clock under load: no valid token is called invalid,
//! no unknown one valid, and the servers recover automatically.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ndauth_client::Client;
use ndauth_core::{Event, ExpiryChoice, Lifetime, Reason, Secret, SecretKind};
use ndauth_e2e::proxy::{FaultScope, Proxy, Treatment};
use ndauth_proto::v1;
use ndauth_store::testing::{Scratch, execute};
use ndauth_store::{Clock, DatabaseUrl, Engine};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::durability::processes;
use crate::front::{call, raw};
use crate::installation::{Installation, Running, run, soon, test_path};
use crate::instances::{Asker, BOUND, Cluster, Instance, READER};
use crate::replicas::Server;
use crate::requests::{list, new_token, revoke, token_with};

/// A PostgreSQL cluster that can be stopped and started.
struct StoppableCluster {
    folder: PathBuf,
    /// The command that started it, from its own options file.
    started: Vec<String>,
}

impl StoppableCluster {
    fn new() -> StoppableCluster {
        let folder = test_path("NDAUTH_TEST_FRAIL_POSTGRES_FOLDER");
        let text = fs::read_to_string(folder.join("postmaster.opts")).expect("its options");
        let started = text.split_whitespace().map(|word| word.trim_matches('"').to_owned()).collect();
        StoppableCluster { folder, started }
    }

    fn signal(&self, signal: Signal) {
        for pid in processes(&self.folder) {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process");
            // Some processes are gone before the signal arrives.
            let _ = kill_process(pid, signal);
        }
    }

    /// Ends the cluster, as in a crash.
    fn stop(&self) {
        self.signal(Signal::QUIT);
        let running = self.folder.join("postmaster.pid");
        while running.exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts the cluster again. `cargo xtask test`, which created it, stops it in the end.
    fn start(&self) {
        let owner = fs::metadata(&self.folder).expect("its folder");
        let [program, arguments @ ..] = self.started.as_slice() else { panic!("it was started somehow") };
        let log = fs::OpenOptions::new().append(true).open(self.folder.join("log")).expect("its log");
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(log.try_clone().expect("a file")).stderr(log);
        if fs::metadata(Path::new("/proc/self")).expect("this process").uid() != owner.uid() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        drop(command.process_group(0).current_dir(&self.folder).spawn().expect("it starts"));
    }
}

/// The number of decided and of undecided validations.
#[derive(Default)]
struct Counts {
    decided: AtomicU64,
    undecided: AtomicU64,
}

impl Counts {
    fn decided(&self) -> u64 {
        self.decided.load(Ordering::SeqCst)
    }

    fn undecided(&self) -> u64 {
        self.undecided.load(Ordering::SeqCst)
    }
}

/// Validates secrets repeatedly until it is stopped. Fails if an answer differs from the expected one.
fn load(
    askers: &[Asker],
    secrets: &[(String, Option<Reason>)],
    stop: &watch::Sender<bool>,
) -> (Arc<Counts>, JoinSet<()>) {
    let (counts, mut asking) = (Arc::new(Counts::default()), JoinSet::new());
    for (secret, expected) in secrets {
        for asker in askers {
            let (asker, secret, expected) = (asker.clone(), secret.clone(), *expected);
            let (counts, stopped) = (Arc::clone(&counts), stop.subscribe());
            asking.spawn(async move {
                while !*stopped.borrow() {
                    match asker.refused(&secret).await {
                        Ok(answer) => {
                            assert_eq!(answer, expected);
                            counts.decided.fetch_add(1, Ordering::SeqCst);
                        }
                        Err(reason) => {
                            assert_eq!(reason, Reason::Unavailable);
                            counts.undecided.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            });
        }
    }
    (counts, asking)
}

/// Returns the number of times that a server has queried the end of the log.
pub(crate) fn head_queries(server: &Running) -> u64 {
    let (_, page) = server.get("/metrics");
    let line = page.lines().find(|line| line.starts_with("ndauth_head_questions_total"));
    line.and_then(|line| line.rsplit(' ').next()).and_then(|count| count.parse().ok()).expect("a count")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_stops_or_hangs_under_load_makes_no_wrong_answers() {
    let frail = StoppableCluster::new();
    let url = test_path("NDAUTH_TEST_FRAIL_POSTGRES").display().to_string();
    let cluster = Cluster::on(Installation::on(Scratch::in_cluster(&url).await), 2).await;
    let owner = cluster.owner(0).await;
    let mut secrets = Vec::new();
    for name in ["one", "two", "three"] {
        secrets.push((owner.create_token(new_token(name)).await.expect("made").secret, None));
    }
    secrets.push((
        owner.create_token(new_token("dead")).await.expect("made").secret,
        Some(Reason::TokenRevoked),
    ));
    owner.revoke_token(revoke("dead")).await.expect("revoked");
    for _ in 0..4 {
        let unknown = Secret::mint(SecretKind::Personal, &mut rand::rngs::SysRng).expect("drawn");
        secrets.push((unknown.expose().to_owned(), Some(Reason::SecretUnknown)));
    }
    let askers = [cluster.asks(0).await, cluster.asks(1).await];
    for asker in &askers {
        for (secret, expected) in &secrets {
            soon(&Ok(*expected), async || asker.refused(secret).await).await;
        }
    }
    let (stop, _) = watch::channel(false);
    let (counts, mut asking) = load(&askers, &secrets, &stop);
    for what in ["stopped", "hung", "stopped again"] {
        let begun = Instant::now();
        let (decided, before) = (counts.decided(), head_queries(&cluster.instances[0].server));
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(counts.decided() > decided, "{what}: it was asked before");
        if what == "hung" {
            frail.signal(Signal::STOP);
        } else {
            frail.stop();
        }
        tokio::time::sleep(BOUND * 3).await;
        let (decided, undecided) = (counts.decided(), counts.undecided());
        tokio::time::sleep(BOUND * 2).await;
        assert_eq!(counts.decided(), decided, "{what}: it does not know any more");
        assert!(counts.undecided() > undecided, "{what}: and says so");
        // The waiting requests share their queries.
        let questions = head_queries(&cluster.instances[0].server) - before;
        let most = u64::try_from(begun.elapsed().as_millis()).expect("short") / 5 + 1;
        assert!(questions <= most, "{what}: {questions} head questions, at most {most}");
        if what == "hung" {
            frail.signal(Signal::CONT);
        } else {
            frail.start();
        }
        let back = Instant::now();
        while counts.decided() == decided {
            assert!(back.elapsed() < Duration::from_secs(5), "{what}: it comes back by itself");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for (asker, instance) in askers.iter().zip(&cluster.instances) {
            for (secret, expected) in &secrets {
                soon(&Ok(*expected), async || asker.refused(secret).await).await;
            }
            soon(&200, async || instance.server.get("/readyz").0).await;
            assert!(back.elapsed() < Duration::from_secs(5), "{what}: all of it does");
        }
        // Changes work again, too.
        let client = cluster.owner(1).await;
        soon(&true, async || client.create_token(new_token(what)).await.is_ok()).await;
    }
    stop.send_replace(true);
    while let Some(ended) = asking.join_next().await {
        ended.expect("no answer was wrong");
    }
    assert!(counts.decided() > 2000, "{} answers", counts.decided());
}

/// The SQL that makes a database's clock adjustable.
const CLOCK: &str = "CREATE TABLE public.skew (micros bigint); INSERT INTO public.skew VALUES (0); \
    CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS \
    'SELECT pg_catalog.clock_timestamp() + (SELECT micros FROM public.skew) * interval ''1 microsecond'''; \
    DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database()); END $$";

/// Only the database's clock counts, whatever the machines' clocks say. An expired token stays expired when
/// that clock is set back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_that_differ_or_jump_revive_no_token() {
    const MINUTE: i64 = 60_000_000;
    for skew in [10, -10] {
        let at = Installation::new(Engine::Postgres).await;
        let store = at.scratch.store(Clock::Database).await;
        let real = store.read().await.expect("a view").now().micros();
        execute(&store, CLOCK).await;
        let set = async |minutes: i64| {
            execute(&store, &format!("UPDATE public.skew SET micros = {}", minutes * MINUTE)).await;
        };
        set(skew).await;
        let cluster = Cluster::on(at, 2).await;
        let owner = cluster.owner(0).await;
        let askers = [cluster.asks(0).await, cluster.asks(1).await];
        let now = async |asker: &Asker| {
            let question = v1::ValidateTokenRequest {
                secret: "ndpat_".to_owned(),
                required_access: v1::Access::Identity.into(),
                ..Default::default()
            };
            let answer = asker.0.validate_token(question).await.expect("answered");
            let instant = answer.evaluated_at.expect("an instant");
            (instant.seconds * 1_000_000 + i64::from(instant.nanos / 1000) - real) / 1_000_000
        };
        let lives = async |name: &str, minutes: u64| {
            let ends = ExpiryChoice::In(Lifetime::For(Duration::from_secs(minutes * 60)));
            let request =
                token_with(name, |new| new.expiry = Some(ndauth_proto::expiry_choice_to_proto(ends)));
            owner.create_token(request).await.expect("made").secret
        };
        let (short, long) = (lives("short", 5).await, lives("long", 60).await);
        for asker in &askers {
            let seconds = now(asker).await;
            assert!(
                (skew * 60 - 1..skew * 60 + 50).contains(&seconds),
                "it is {seconds} s after the real time"
            );
            assert_eq!(asker.refused(&short).await, Ok(None));
        }
        // Ten minutes later, a token with five minutes left has expired on every instance.
        set(skew + 10).await;
        let jumped = Instant::now();
        for asker in &askers {
            soon(&Ok(Some(Reason::TokenExpired)), async || asker.refused(&short).await).await;
            assert!(jumped.elapsed() < BOUND * 2, "it is late");
            assert_eq!(asker.refused(&long).await, Ok(None));
        }
        // After a large step back, time stands still: expired tokens stay expired, valid ones stay valid, and
        // new ones can be created.
        set(skew - 20).await;
        tokio::time::sleep(BOUND).await;
        let fresh = lives("fresh", 5).await;
        for asker in &askers {
            let stands = now(asker).await;
            assert!(stands >= (skew + 10) * 60 - 1, "it went back to {stands} s");
            assert_eq!(asker.refused(&short).await, Ok(Some(Reason::TokenExpired)));
            assert_eq!(asker.refused(&long).await, Ok(None));
            assert_eq!(asker.refused(&fresh).await, Ok(None));
        }
    }
}

/// The network forgets connections at any point of an exchange: changes succeed again within 5 s, and no
/// acknowledged change is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_recover_when_connections_are_forgotten() {
    let at = Installation::new(Engine::Postgres).await;
    at.people();
    let (service, session) = (at.service(), at.session());
    let Instance { server, proxy } = Cluster::start_with(&at, &[]).await;
    let (owner, asker) = (server.client(&session).await, Asker(server.client(&service).await));
    let secret = owner.create_token(new_token("used")).await.expect("made").secret;
    for round in 0..4 {
        // Several concurrent changes, so that there are several connections. Uses are stored in the meantime,
        // too.
        let changing: Vec<_> = (0..6)
            .map(|n| {
                let owner = owner.clone();
                tokio::spawn(async move {
                    let name = format!("r{round} {n}");
                    (owner.create_token(new_token(&name)).await.is_ok(), name)
                })
            })
            .collect();
        asker.refused(&secret).await.ok();
        tokio::time::sleep(Duration::from_millis(7 * round)).await;
        proxy.treat_open_connections(Treatment::Swallowed);
        let cut = Instant::now();
        loop {
            let name = format!("again {round}");
            match owner.create_token(new_token(&name)).await {
                Ok(_) => {
                    revoked(&owner, &name).await;
                    break;
                }
                // The token was created, and the response was lost.
                Err(problem) if problem.reason == Reason::NameTaken => break,
                Err(problem) => {
                    assert!(
                        [Reason::Unavailable, Reason::OutcomeUnknown].contains(&problem.reason),
                        "{problem:?}"
                    );
                }
            }
            assert!(cut.elapsed() < Duration::from_secs(20), "changes come back");
        }
        let back = cut.elapsed();
        assert!(back < Duration::from_secs(6), "round {round}: changes came back after {back:?}");
        soon(&Ok(None), async || asker.refused(&secret).await).await;
        assert_eq!(server.get("/readyz"), (200, "ready\n".to_owned()));
        let listed = owner.list_tokens(list()).await.expect("listed").tokens;
        for one in changing {
            let (made, name) = one.await.expect("it ends");
            assert!(!made || listed.iter().any(|token| token.name == name), "{name} was acknowledged");
        }
        for token in listed.iter().filter(|token| token.name != "used") {
            revoked(&owner, &token.name).await;
        }
    }
}

/// Revokes a token. The reader of the log may notice a moment later that its own connection is gone, too:
/// then the change is committed but unconfirmed.
async fn revoked(owner: &Client, name: &str) {
    let outcome = owner.revoke_token(revoke(name)).await;
    let outcome = outcome.map(drop).map_err(|problem| problem.reason);
    assert!(matches!(outcome, Ok(()) | Err(Reason::CommittedUnconfirmed)), "{name}: {outcome:?}");
}

/// Once the database is known to be unreachable, requests fail at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_outage_is_reported_at_once() {
    let at = Installation::new(Engine::Postgres).await;
    at.people();
    let (service, session) = (at.service(), at.session());
    let Instance { server, proxy } = Cluster::start_with(&at, &[]).await;
    let asker = Asker(server.client(&service).await);
    let owner = server.client(&session).await;
    let secret = owner.create_token(new_token("ci")).await.expect("made").secret;
    soon(&Ok(None), async || asker.refused(&secret).await).await;
    let unknown = Secret::mint(SecretKind::Personal, &mut rand::rngs::SysRng).expect("drawn");
    for treatment in [Treatment::Cut, Treatment::Swallowed] {
        proxy.treat(FaultScope::All, treatment);
        soon(&503, async || server.get("/readyz").0).await;
        soon(&Err(Reason::Unavailable), async || asker.refused(&secret).await).await;
        for secret in [secret.as_str(), unknown.expose()] {
            for _ in 0..20 {
                let asked = Instant::now();
                assert_eq!(asker.refused(secret).await, Err(Reason::Unavailable), "{treatment:?}");
                // A waiting call would take as long as the bound, two seconds.
                assert!(asked.elapsed() < Duration::from_millis(500), "{treatment:?}: {:?}", asked.elapsed());
            }
        }
        proxy.clear_faults();
        soon(&Ok(None), async || asker.refused(&secret).await).await;
        assert_eq!(asker.refused(unknown.expose()).await, Ok(Some(Reason::SecretUnknown)));
    }
}

/// A change that this instance's own mirror cannot apply in time is not acknowledged, and its code is not
/// retried. A new secret is returned nevertheless.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_not_yet_in_force_is_unconfirmed() {
    let at = Installation::new(Engine::Postgres).await;
    at.people();
    let (service, session) = (at.service(), at.session());
    let Instance { server, proxy } = Cluster::start_with(&at, &["--freshness-bound", "500ms"]).await;
    let owner = server.client(&session).await;
    let secret = owner.create_token(new_token("ci")).await.expect("made").secret;
    at.log_in(&server);
    proxy.treat(READER, Treatment::Muted);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let made = owner.create_token(new_token("new")).await.expect("a secret is given once it is durable");
    let problem = owner.revoke_token(revoke("ci")).await.expect_err("it is not in force here");
    assert_eq!(problem.reason, Reason::CommittedUnconfirmed, "{problem:?}");
    let request = prost::Message::encode_to_vec(&revoke("new"));
    let framed = [&[0, 0, 0, 0, u8::try_from(request.len()).expect("short")][..], &request].concat();
    let bearer = format!("Bearer {}", session.expose());
    let headers = [("content-type", "application/grpc"), ("authorization", &*bearer)];
    let mut client = raw(&server).await;
    let path = "/ndauth.v1.TokenService/RevokeToken";
    let (headers, trailers) = call(&mut client, path, &headers, &framed).await.expect("answered");
    let trailers = trailers.unwrap_or(headers);
    assert_eq!(trailers["grpc-status"], "2", "UNKNOWN, which no retry policy repeats: {trailers:?}");
    let ended = at.ndcli(&server, &["auth", "token", "suspend", "new"]);
    assert!(ended.code != 0 && ended.out.is_empty(), "{ended:?}");
    proxy.clear_faults();
    let asker = Asker(server.client(&service).await);
    for secret in [&secret, &made.secret] {
        soon(&Ok(Some(Reason::TokenRevoked)), async || asker.refused(secret).await).await;
    }
}

/// A server that is asked to stop exits even if the database hangs: within its drain time, or at once after a
/// second signal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_stops_though_the_database_hangs() {
    for (drain, signals, within, well) in [("2", 1, 6, true), ("60", 2, 4, false)] {
        let at = Installation::new(Engine::Postgres).await;
        at.people();
        let (service, session) = (at.service(), at.session());
        let Instance { server, proxy } = Cluster::start_with(&at, &["--drain-seconds", drain]).await;
        let (owner, asker) = (server.client(&session).await, Asker(server.client(&service).await));
        let secret = owner.create_token(new_token("ci")).await.expect("made").secret;
        asker.refused(&secret).await.ok();
        proxy.treat(FaultScope::All, Treatment::Swallowed);
        let hanging: Vec<_> = (0..4)
            .map(|n| {
                let owner = owner.clone();
                tokio::spawn(async move { owner.create_token(new_token(&format!("t{n}"))).await.is_ok() })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let signalled = Instant::now();
        for _ in 0..signals {
            server.signal(Signal::TERM);
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        assert_eq!(server.ended().success(), well, "{drain}");
        assert!(signalled.elapsed() < Duration::from_secs(within), "{drain}: {:?}", signalled.elapsed());
        for one in hanging {
            assert!(!one.await.expect("it ends"), "nothing was acknowledged");
        }
    }
}

/// A client that watches the health is notified of the stop, and does not delay it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_health_watch_does_not_hold_the_drain() {
    let at = Installation::new(Engine::Sqlite).await;
    let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &["--drain-seconds", "60"]);
    let mut client = raw(&server).await;
    let watching = tokio::spawn(async move {
        let headers = [("content-type", "application/grpc")];
        let watch = call(&mut client, "/grpc.health.v1.Health/Watch", &headers, &[0, 0, 0, 0, 0]).await;
        watch.expect("it is ended, not cut").1.expect("trailers")
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let signalled = Instant::now();
    server.signal(Signal::TERM);
    assert!(server.ended().success());
    assert!(signalled.elapsed() < Duration::from_secs(10), "{:?}", signalled.elapsed());
    assert_eq!(watching.await.expect("it ends")["grpc-status"], "14");
}

/// A server starts in a short time even if each response of the database takes a tenth of a second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn far_from_its_database_it_starts_in_few_round_trips() {
    let at = Installation::new(Engine::Postgres).await;
    at.people();
    at.service();
    let DatabaseUrl::Postgres(url) = &at.scratch.url else { panic!("PostgreSQL") };
    let host = url.split('@').nth(1).and_then(|rest| rest.split('/').next()).expect("a host");
    let proxy = Proxy::before(host.parse().expect("an address")).await;
    proxy.treat(FaultScope::All, Treatment::Late(Duration::from_millis(50)));
    let begun = Instant::now();
    let mut command = at.command("NDAUTH_TEST_NDAUTHD");
    command.env("NDAUTHD_DATABASE", url.replace(host, &proxy.address.to_string()));
    let server = at.serve_as(command, &[]);
    // The start took 14 s before it was optimized, and 3 s since: the limit tells these two apart.
    assert!(begun.elapsed() < Duration::from_secs(7), "{:?}", begun.elapsed());
    soon(&200, async || server.get("/readyz").0).await;
}

/// Forwards one connection after the other to PostgreSQL, without the settings of the session, as a pooler in
/// transaction mode does. Returns its address.
async fn pooler(database: std::net::SocketAddr) -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut server = tokio::net::TcpStream::connect(database).await.expect("PostgreSQL is there");
                // Its length, the protocol's version, and names and values that end with a zero each.
                let length = client.read_u32().await.expect("a startup message");
                let mut message = vec![0; length as usize - 4];
                client.read_exact(&mut message).await.expect("the rest of it");
                let (version, settings) = message.split_at(4);
                let words: Vec<&[u8]> = settings.split(|byte| *byte == 0).collect();
                let kept = words.chunks_exact(2).filter(|pair| pair[0] != b"options" && !pair[0].is_empty());
                let mut kept =
                    kept.flatten().fold(version.to_owned(), |all, word| [&all, *word, &[0]].concat());
                kept.push(0);
                server.write_u32(u32::try_from(kept.len()).expect("short") + 4).await.expect("written");
                server.write_all(&kept).await.expect("written");
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    address
}

/// A server that cannot start reports the reason, and the setting to change.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cause_of_an_unreachable_database_is_reported() {
    let database = Server::primary().await;
    database.execute("CREATE ROLE guest LOGIN").await;
    database.execute("REVOKE CREATE ON SCHEMA public FROM public").await;
    database.execute("CREATE ROLE locked LOGIN PASSWORD 'secret'").await;
    let rules = "host all locked 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust";
    let write = format!(
        "EXECUTE format('COPY (SELECT unnest(string_to_array(%L, E''\\n''))) TO %L', '{rules}', current_setting('hba_file'))"
    );
    database.execute(&format!("DO $do$ BEGIN {write}; END $do$")).await;
    database.execute("SELECT pg_reload_conf()").await;
    let at = Installation::new(Engine::Sqlite).await;
    let host = database.address().to_string();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let cases = [
        (
            format!("postgres://nd@{}/nd", silent.local_addr().expect("an address")),
            "no answer within 3 s",
            "the network between",
        ),
        (
            format!("postgres://nd@{}/postgres?sslmode=disable", pooler(database.address()).await),
            "a pooler in transaction mode is in between",
            "to PostgreSQL itself",
        ),
        (
            "postgres://nd@127.0.0.1:1/nd".to_owned(),
            "connection refused",
            "start PostgreSQL, or check the host",
        ),
        (
            "postgres://nd@nowhere.invalid/nd".to_owned(),
            "the host's name cannot be resolved",
            "check the host",
        ),
        (format!("postgres://nd@{host}/nope"), "database \"nope\" does not exist", "createdb"),
        (format!("postgres://nobody@{host}/postgres"), "role \"nobody\" does not exist", "check the user"),
        (
            format!("postgres://guest@{host}/postgres"),
            "does not own the database",
            "ALTER DATABASE NAME OWNER",
        ),
        (
            format!("postgres://locked:wrong@{host}/postgres"),
            "the password is wrong or missing",
            "--database-password-file FILE",
        ),
        (format!("postgres://nd@{host}/postgres?sslmode=require"), "TLS failed", "sslmode"),
    ];
    for (url, cause, hint) in cases {
        for words in [&["serve"] as &[&str], &["config", "check"]] {
            let mut command = at.command("NDAUTH_TEST_NDAUTHD");
            command.env("NDAUTHD_DATABASE", &url).args(words);
            command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
            let begun = Instant::now();
            let ended = run(command, "");
            assert_eq!(ended.code, 6, "{words:?} {url}: {ended:?}");
            assert!(ended.err.contains(cause) && ended.err.contains(hint), "{words:?} {url}: {}", ended.err);
            assert_eq!(ended.err.contains("pool"), cause.contains("pool"), "{words:?} {url}: {}", ended.err);
            assert!(begun.elapsed() < Duration::from_secs(5), "{words:?} {url}: {:?}", begun.elapsed());
        }
    }
}

/// An event of a kind that this version does not know reloads the whole state. Requests are served in the
/// meantime.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_event_reloads_the_mirror_while_requests_are_served() {
    let at = Installation::new(Engine::Postgres).await;
    at.people();
    let (service, session) = (at.service(), at.session());
    let Instance { server, proxy } = Cluster::start_with(&at, &[]).await;
    let (owner, asker) = (server.client(&session).await, Asker(server.client(&service).await));
    let secret = owner.create_token(new_token("ci")).await.expect("made").secret;
    soon(&Ok(None), async || asker.refused(&secret).await).await;
    let store = at.scratch.store(Clock::Database).await;
    // The reload takes about a second.
    proxy.treat(READER, Treatment::Late(Duration::from_millis(20)));
    for round in 0..3 {
        let write = store.write("future").await.expect("begun");
        let entry =
            format!("{{\"at\":{},\"by\":\"console\",\"kind\":\"moon.landed\"}}", write.now().micros());
        let event = Event { public: entry.into_bytes(), personal: b"{}".to_vec(), salt: [7; 32] };
        let sequence = write.commit(&event).await.expect("written").sequence;
        let written = Instant::now();
        loop {
            let asked = Instant::now();
            assert_eq!(asker.refused(&secret).await, Ok(None), "round {round}");
            assert!(asked.elapsed() < Duration::from_millis(400), "round {round}: {:?}", asked.elapsed());
            let metrics = server.get("/metrics").1;
            let known = metrics
                .lines()
                .find_map(|line| line.strip_prefix("ndauth_mirror_sequence "))
                .expect("a line");
            if known.parse::<f64>().expect("a number") >= sequence as f64 {
                break;
            }
            assert!(written.elapsed() < Duration::from_secs(20), "it is loaded");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
