//! Standbys, replaced primaries, and failovers that lose acknowledged changes: no instance answers from a
//! database that may have been left behind, and one decision of the operator releases every instance.

use std::time::{Duration, Instant};

use ndauth_core::{Reason, Secret};
use ndauth_e2e::proxy::{FaultScope, Proxy, Treatment};
use ndauth_store::DatabaseUrl;
use ndauth_store::testing::Scratch;
use rustix::process::Signal;

use crate::installation::{Installation, Running, soon};
use crate::instances::{Asker, BOUND};
use crate::replicas::Server;
use crate::requests::{new_token, revoke};

/// An instance that clients reach directly and that reaches its database through a proxy.
struct Instance {
    server: Running,
    proxy: Proxy,
}

impl Instance {
    async fn start(at: &Installation, database: &Server) -> Instance {
        Instance::start_in(at, database, at.home()).await
    }

    /// Starts an instance with a data folder of its own for the witness of the log.
    async fn start_in(at: &Installation, database: &Server, data: &std::path::Path) -> Instance {
        let proxy = Proxy::before(database.address()).await;
        let mut command = at.command("NDAUTH_TEST_NDAUTHD");
        let url = format!("postgres://nd@{}/postgres", proxy.address);
        command.env("NDAUTHD_DATABASE", url).env("NDAUTHD_DATA_FOLDER", data);
        let bound = format!("{}ms", BOUND.as_millis());
        let server = at.serve_as(command, &["--freshness-bound", &bound]);
        Instance { server, proxy }
    }

    async fn asks(&self, service: &Secret) -> Asker {
        Asker(self.server.client(service).await)
    }

    /// Redirects the instance to another server, and cuts its connections to the current one.
    async fn moves_to(&self, database: &Server) {
        self.proxy.forward_to(database.address());
        self.proxy.treat_open_connections(Treatment::Cut);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn installation(database: &Server) -> Installation {
    let url: DatabaseUrl = database.url().parse().expect("a URL");
    Installation::on(Scratch::at(url))
}

/// Fails if the secret is allowed later than the bound after its revocation. In the end, the answer must be
/// that the instance cannot decide.
async fn assert_never_allowed(asker: &Asker, secret: &str, what: &str) {
    let begun = Instant::now();
    loop {
        let asked = begun.elapsed();
        let answer = asker.refused(secret).await;
        assert!(answer != Ok(None) || asked <= BOUND, "{what}: allowed {asked:?} after it was revoked");
        if asked > BOUND * 6 {
            assert_eq!(answer, Err(Reason::Unavailable), "{what}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A standby whose replay is paused still answers from its old state: an instance that is redirected to it
/// confirms nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_confirms_nothing() {
    let primary = Server::primary().await;
    let at = installation(&primary);
    at.people();
    let (service, session) = (at.service(), at.session());
    let (one, two) = (Instance::start(&at, &primary).await, Instance::start(&at, &primary).await);
    let (owner, asker) = (one.server.client(&session).await, two.asks(&service).await);
    let secret = owner.create_token(new_token("ci")).await.expect("made").secret;
    soon(&Ok(None), async || asker.refused(&secret).await).await;
    let standby = primary.standby().await;
    standby.execute("SELECT pg_wal_replay_pause()").await;
    two.moves_to(&standby).await;
    owner.revoke_token(revoke("ci")).await.expect("revoked");
    assert_never_allowed(&asker, &secret, "a standby").await;
    let (status, body) = two.server.get("/readyz");
    assert_eq!((status, body.as_str()), (503, "the database's address leads to a standby\n"));
    // The instance changes nothing there, and answers no read of ndauth's own API.
    let problem = two.server.client(&session).await.create_token(new_token("x")).await.expect_err("refused");
    assert_eq!(problem.reason, Reason::Unavailable, "{problem:?}");
    assert!(problem.message.contains("standby"), "{problem:?}");
    // A server that is started on a standby exits with an error, which a check predicts.
    for words in [&["serve"] as &[&str], &["config", "check"]] {
        let mut command = at.command("NDAUTH_TEST_NDAUTHD");
        command.env("NDAUTHD_DATABASE", standby.url()).args(words);
        command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        let ended = crate::installation::run(command, "");
        assert!(
            ended.code == 6 && ended.err.contains("it is a standby") && ended.err.contains("to the primary"),
            "{words:?}: {ended:?}"
        );
    }
    // Redirected to the primary, the instance recovers automatically.
    two.moves_to(&primary).await;
    soon(&Ok(Some(Reason::TokenRevoked)), async || asker.refused(&secret).await).await;
    soon(&200, async || two.server.get("/readyz").0).await;
}

/// With synchronous replication, a replaced primary that keeps running can be read and cannot commit: an
/// instance left there allows nothing for longer than the bound.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_was_replaced_confirms_nothing() {
    let old = Server::primary().await;
    let at = installation(&old);
    at.people();
    let (service, session) = (at.service(), at.session());
    let new = old.standby().await;
    old.wait_for_standby(true).await;
    let (one, two) = (Instance::start(&at, &old).await, Instance::start(&at, &old).await);
    let (owner, asker) = (one.server.client(&session).await, two.asks(&service).await);
    let secret = owner.create_token(new_token("ci")).await.expect("made").secret;
    soon(&Ok(None), async || asker.refused(&secret).await).await;
    // The secret stays allowed, because beats continue.
    for _ in 0..40 {
        assert_eq!(asker.refused(&secret).await, Ok(None), "with its standby it is never stale");
        tokio::time::sleep(BOUND / 10).await;
    }
    // The standby is promoted while the old primary keeps running.
    new.promote().await;
    one.moves_to(&new).await;
    let begun = Instant::now();
    while owner.revoke_token(revoke("ci")).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(10), "the new primary takes changes");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_never_allowed(&asker, &secret, "the old primary").await;
    let (status, body) = two.server.get("/readyz");
    assert!(status == 503 && body.starts_with("waiting for the synchronous standby"), "{status} {body}");
    // Somebody cancels the waiting commits there, so their changes become visible without having been
    // replicated.
    let cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    let cancelled = Instant::now();
    while cancelled.elapsed() < BOUND * 6 {
        old.execute(cancel).await;
        assert_ne!(asker.refused(&secret).await, Ok(None), "a cancelled wait confirms nothing");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    two.moves_to(&new).await;
    soon(&Ok(Some(Reason::TokenRevoked)), async || asker.refused(&secret).await).await;
    // A cancelled wait does not acknowledge a change either.
    let apart = tempfile::tempdir().expect("a folder");
    let left = Instance::start_in(&at, &old, apart.path()).await;
    let client = left.server.client(&session).await;
    let waiting = tokio::spawn(async move { client.create_token(new_token("lost")).await });
    let begun = Instant::now();
    while !waiting.is_finished() && begun.elapsed() < Duration::from_secs(10) {
        old.execute(cancel).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let problem = waiting.await.expect("it ends").expect_err("it is no acknowledgement");
    assert_eq!(problem.reason, Reason::OutcomeUnknown, "a cancelled wait acknowledges nothing: {problem:?}");
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "the client learns when the wait is cancelled: {:?}",
        begun.elapsed()
    );
}

/// Without its synchronous standby, the primary confirms nothing, and no waiting change is acknowledged. With
/// it, everything recovers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_synchronous_standby_nothing_is_acknowledged() {
    let primary = Server::primary().await;
    let at = installation(&primary);
    at.people();
    let (service, session) = (at.service(), at.session());
    let mut standby = primary.standby().await;
    primary.wait_for_standby(true).await;
    let one = Instance::start(&at, &primary).await;
    let (owner, asker) = (one.server.client(&session).await, one.asks(&service).await);
    let secret = owner.create_token(new_token("ci")).await.expect("made").secret;
    soon(&Ok(None), async || asker.refused(&secret).await).await;
    standby.kill();
    let begun = Instant::now();
    let problem = owner.revoke_token(revoke("ci")).await.expect_err("nobody acknowledges it");
    assert_eq!(problem.reason, Reason::OutcomeUnknown, "{problem:?}");
    assert!(begun.elapsed() < Duration::from_secs(8), "it has a limit: {:?}", begun.elapsed());
    soon(&Err(Reason::Unavailable), async || asker.refused(&secret).await).await;
    let problem = asker.0.who_am_i().await.expect_err("not decided");
    assert!(problem.message.contains("waiting for the synchronous standby"), "{problem:?}");
    // Once the state is known to be uncertain, the server responds at once.
    for _ in 0..10 {
        let asked = Instant::now();
        assert_eq!(asker.refused(&secret).await, Err(Reason::Unavailable));
        assert!(asked.elapsed() < BOUND / 4, "{:?}", asked.elapsed());
    }
    standby.start();
    let back = Instant::now();
    while asker.refused(&secret).await != Ok(Some(Reason::TokenRevoked)) {
        assert!(
            back.elapsed() < Duration::from_secs(10),
            "it comes back: {:?}",
            asker.refused(&secret).await
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    soon(&true, async || owner.create_token(new_token("more")).await.is_ok()).await;
}

/// A failover that loses events stops every instance that saw them. One decision of the operator, made
/// anywhere, releases all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_operator_decision_releases_every_instance() {
    for word in ["--replay", "--not-before now", "--accept-loss"] {
        let old = Server::primary().await;
        let at = installation(&old);
        at.people();
        let (service, session) = (at.service(), at.session());
        let folders = [0, 1, 2].map(|_| tempfile::tempdir().expect("a folder"));
        let mut instances = Vec::new();
        for folder in &folders {
            instances.push(Instance::start_in(&at, &old, folder.path()).await);
        }
        let owner = instances[0].server.client(&session).await;
        let leaked = owner.create_token(new_token("leaked")).await.expect("made").secret;
        let good = owner.create_token(new_token("good")).await.expect("made").secret;
        let mut askers = Vec::new();
        for instance in &instances {
            let asker = instance.asks(&service).await;
            soon(&Ok(None), async || asker.refused(&leaked).await).await;
            askers.push(asker);
        }
        // The standby is behind: it does not know the revocation that follows.
        let new = old.standby().await;
        soon(&true, async || {
            let sql = "DO $$ BEGIN ASSERT (SELECT sequence FROM head) > 0; END $$";
            ndauth_store::testing::try_execute_at(&new.url(), sql).await.is_ok()
        })
        .await;
        new.execute("ALTER SYSTEM SET primary_conninfo = ''").await;
        new.execute("SELECT pg_reload_conf()").await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        owner.revoke_token(revoke("leaked")).await.expect("revoked");
        for asker in &askers {
            soon(&Ok(Some(Reason::TokenRevoked)), async || asker.refused(&leaked).await).await;
        }
        // Each instance stores its witness of the log within a second.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        new.promote().await;
        for instance in &instances {
            instance.moves_to(&new).await;
        }
        for asker in &askers {
            soon(&Err(Reason::Unavailable), async || asker.refused(&leaked).await).await;
        }
        let response = instances[1].server.get("/readyz");
        assert_eq!(response, (503, "the database is a copy that needs its operator\n".to_owned()));
        // One instance is started again: its witness makes it report the same, with the operator's choices
        // and counts.
        let stopped = instances.remove(2);
        stopped.server.signal(Signal::TERM);
        assert!(stopped.server.ended().success());
        let mut command = at.command("NDAUTH_TEST_NDAUTHD");
        command.env("NDAUTHD_DATABASE", new.url()).env("NDAUTHD_DATA_FOLDER", folders[2].path());
        command.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        let ended = crate::installation::run(command, "");
        assert!(
            ended.code == 6
                && ended.err.contains("is unknown here: replay it from the newer log (`--replay`"),
            "{ended:?}"
        );
        // The old primary's log can be exported, if necessary through a standby of it.
        let console = |arguments: &[&str]| {
            let mut command = at.command("NDAUTH_TEST_NDAUTHD");
            command.env("NDAUTHD_DATABASE", new.url()).arg("admin").args(arguments);
            let ended = crate::installation::run(command, "");
            assert_eq!(ended.code, 0, "{arguments:?}: {ended:?}");
            ended
        };
        let lost = old.standby().await;
        let export = console(&["events", "export", "--database", &lost.url()]).out;
        assert_eq!(export, console(&["events", "export", "--database", &old.url()]).out);
        let file = at.home().join("events.jsonl");
        std::fs::write(&file, &export).expect("written");
        let file = file.to_str().expect("text");
        let mut arguments = vec!["after-restore"];
        arguments.extend(word.split(' '));
        if word == "--replay" {
            arguments.push(file);
        }
        arguments.push("--yes");
        // Said on a machine of its own, of which no instance knows.
        console(&arguments);
        let (of_leaked, of_good): (Result<Option<Reason>, Reason>, _) = match word {
            "--replay" => (Ok(Some(Reason::TokenRevoked)), Ok(None)),
            "--accept-loss" => (Ok(None), Ok(None)),
            _ => (Err(Reason::ServiceRevoked), Err(Reason::ServiceRevoked)),
        };
        instances.push(Instance::start_in(&at, &new, folders[2].path()).await);
        let mut askers = Vec::new();
        for instance in &instances {
            askers.push(instance.asks(&service).await);
        }
        for asker in &askers {
            soon(&of_leaked, async || asker.refused(&leaked).await).await;
            soon(&of_good, async || asker.refused(&good).await).await;
        }
        for instance in &instances {
            soon(&200, async || instance.server.get("/readyz").0).await;
        }
    }
}

/// A commit whose response is lost: the change is reported as unknown, neither done nor failed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_without_a_response_has_an_unknown_outcome() {
    let primary = Server::primary().await;
    let at = installation(&primary);
    at.people();
    let (service, session) = (at.service(), at.session());
    let one = Instance::start(&at, &primary).await;
    let (owner, asker) = (one.server.client(&session).await, one.asks(&service).await);
    let secret = owner.create_token(new_token("ci")).await.expect("made").secret;
    soon(&Ok(None), async || asker.refused(&secret).await).await;
    // From the first commit on, no response comes back on that connection.
    one.proxy.treat(FaultScope::Said("COMMIT\0"), Treatment::Muted);
    let problem = owner.revoke_token(revoke("ci")).await.expect_err("nobody knows");
    assert_eq!(problem.reason, Reason::OutcomeUnknown, "{problem:?}");
    assert!(ndauth_proto::hint(problem.reason).expect("a hint").contains("check before you repeat it"));
    // The change was made; the reader, whose connection works, learns of it.
    soon(&Ok(Some(Reason::TokenRevoked)), async || asker.refused(&secret).await).await;
    one.proxy.clear_faults();
    soon(&true, async || owner.create_token(new_token("more")).await.is_ok()).await;
}
