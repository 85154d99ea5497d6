//! The database stops, hangs, comes back, or changes its clock, while it is asked: nothing good is called invalid,
//! nothing unknown valid, and all is well again by itself.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ndauth_core::{ExpiryChoice, Lifetime, Reason, Secret, SecretKind};
use ndauth_proto::v1;
use ndauth_store::testing::{Scratch, execute};
use ndauth_store::{Clock, Engine};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::durability::processes;
use crate::installation::{Installation, Running, soon, told};
use crate::instances::{Asker, BOUND, Cluster};
use crate::requests::{new_token, revoke};

/// A cluster of PostgreSQL that can be stopped and started.
struct Frail {
    folder: PathBuf,
    /// How it was started, as it keeps it itself.
    started: Vec<String>,
}

impl Frail {
    fn new() -> Frail {
        let folder = told("NDAUTH_TEST_FRAIL_POSTGRES_FOLDER");
        let text = fs::read_to_string(folder.join("postmaster.opts")).expect("its options");
        let started = text.split_whitespace().map(|word| word.trim_matches('"').to_owned()).collect();
        Frail { folder, started }
    }

    fn signal(&self, signal: Signal) {
        for pid in processes(&self.folder) {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process");
            // Some of them are gone before they hear it.
            let _ = kill_process(pid, signal);
        }
    }

    /// Ends it as a crash would.
    fn stop(&self) {
        self.signal(Signal::QUIT);
        let running = self.folder.join("postmaster.pid");
        while running.exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts it again. It is stopped by whoever made it.
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

/// How many questions were decided, and how many could not be.
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

/// Asks about secrets again and again until it is told to stop, and fails where an answer is another than its own.
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

/// How often a server has asked for the end of the log.
pub(crate) fn head_questions(server: &Running) -> u64 {
    let (_, page) = server.get("/metrics");
    let line = page.lines().find(|line| line.starts_with("ndauth_head_questions_total"));
    line.and_then(|line| line.rsplit(' ').next()).and_then(|count| count.parse().ok()).expect("a count")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_stops_or_hangs_under_load_makes_no_wrong_answers() {
    let frail = Frail::new();
    let url = told("NDAUTH_TEST_FRAIL_POSTGRES").display().to_string();
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
        let (decided, before) = (counts.decided(), head_questions(&cluster.instances[0].server));
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
        // Those who wait do so together.
        let questions = head_questions(&cluster.instances[0].server) - before;
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
        // Changes are made again, too.
        let client = cluster.owner(1).await;
        soon(&true, async || client.create_token(new_token(what)).await.is_ok()).await;
    }
    stop.send_replace(true);
    while let Some(ended) = asking.join_next().await {
        ended.expect("no answer was wrong");
    }
    assert!(counts.decided() > 2000, "{} answers", counts.decided());
}

/// Lets a database's clock be set.
const CLOCK: &str = "CREATE TABLE public.skew (micros bigint); INSERT INTO public.skew VALUES (0); \
    CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS \
    'SELECT pg_catalog.clock_timestamp() + (SELECT micros FROM public.skew) * interval ''1 microsecond'''; \
    DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database()); END $$";

/// The database's clock alone judges, whatever the machines' say; and nothing that was dead lives when it is set back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_that_differ_and_jump_bring_nothing_back() {
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
            let mut request = new_token(name);
            let lifetime = Lifetime::For(Duration::from_secs(minutes * 60));
            request.expiry = Some(ndauth_proto::expiry_choice_to_proto(ExpiryChoice::In(lifetime)));
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
        // Ten minutes ahead, what ends in five has ended, on every instance.
        set(skew + 10).await;
        let jumped = Instant::now();
        for asker in &askers {
            soon(&Ok(Some(Reason::TokenExpired)), async || asker.refused(&short).await).await;
            assert!(jumped.elapsed() < BOUND * 2, "it is late");
            assert_eq!(asker.refused(&long).await, Ok(None));
        }
        // Far back, time stands: what has ended does not live again, what lives goes on, and new ones are made.
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
