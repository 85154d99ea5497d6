//! Faults beneath a server, one in each row: the answers during the fault, the state that is kept, and the
//! time to recover. One procedure serves them all: every acknowledged change is in force, at once and after a
//! restart.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use ndauth_core::{Problem, Reason, Secret};
use ndauth_e2e::proxy::{FaultScope, Proxy, Treatment};
use ndauth_proto::v1;
use ndauth_store::DatabaseUrl;
use ndauth_store::testing::{Scratch, try_execute_at};

use crate::disk::InstallationOnDisk;
use crate::installation::{Installation, KillOnDrop, Running};
use crate::instances::Asker;
use crate::replicas::Server;
use crate::requests::{list, new_token, revoke};

/// The permitted answers during a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// The true answer.
    Truth,
    /// The server cannot decide, or refuses the change.
    Unavailable,
    /// The outcome of the change is unknown; for later changes, the server may refuse.
    Unknown,
}

use Answer::{Truth, Unavailable, Unknown};

/// A fault, its database, the answers about known secrets and to changes during the fault, and the limit on
/// the time to recover.
struct Fault {
    what: &'static str,
    on: On,
    questions: Answer,
    changes: Answer,
    back: Duration,
}

/// The database that a fault affects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    /// An SQLite file on a small disk.
    Sqlite,
    /// PostgreSQL with a standby, behind a proxy. The standby acknowledges each commit if `synchronous` is
    /// true.
    Postgres { synchronous: bool },
}

const SQLITE: On = On::Sqlite;
const POSTGRES: On = On::Postgres { synchronous: false };
const SYNCHRONOUS: On = On::Postgres { synchronous: true };

const fn fault(what: &'static str, on: On, questions: Answer, changes: Answer, seconds: u64) -> Fault {
    Fault { what, on, questions, changes, back: Duration::from_secs(seconds) }
}

const FAULTS: [Fault; 12] = [
    fault("the disk is full", SQLITE, Truth, Unavailable, 2),
    fault("another process writes", SQLITE, Truth, Unavailable, 2),
    fault("the database refuses", POSTGRES, Unavailable, Unavailable, 5),
    fault("the database is silent", POSTGRES, Unavailable, Unknown, 6),
    fault("connections are cut", POSTGRES, Truth, Truth, 2),
    fault("connections are forgotten", POSTGRES, Truth, Unknown, 6),
    fault("answers to commits are lost", POSTGRES, Truth, Unknown, 6),
    fault("a row is locked", POSTGRES, Truth, Unavailable, 2),
    fault("the address leads to a standby", POSTGRES, Unavailable, Unavailable, 5),
    fault("the standby is gone", SYNCHRONOUS, Unavailable, Unknown, 8),
    fault("the primary was replaced", SYNCHRONOUS, Unavailable, Unknown, 8),
    fault("the database stops", SYNCHRONOUS, Unavailable, Unavailable, 8),
];

/// The freshness bound of the servers here.
const BOUND: Duration = Duration::from_millis(500);

/// The environment of a row.
enum Stage {
    Sqlite { on: InstallationOnDisk, writer: Option<KillOnDrop> },
    Postgres { at: Installation, primary: Server, standby: Server, proxy: Proxy },
}

impl Stage {
    async fn new(on: On) -> Stage {
        match on {
            On::Sqlite => Stage::Sqlite { on: InstallationOnDisk::new().await, writer: None },
            On::Postgres { synchronous } => {
                let primary = Server::primary().await;
                let standby = primary.standby().await;
                let url: DatabaseUrl = primary.url().parse().expect("a URL");
                let at = Installation::on(Scratch::at(url));
                if synchronous {
                    primary.wait_for_standby(true).await;
                }
                let proxy = Proxy::before(primary.address()).await;
                Stage::Postgres { at, primary, standby, proxy }
            }
        }
    }

    fn at(&self) -> &Installation {
        match self {
            Stage::Sqlite { on, .. } => &on.at,
            Stage::Postgres { at, .. } => at,
        }
    }

    fn serve(&self) -> Running {
        match self {
            Stage::Sqlite { on, .. } => on.serve(),
            Stage::Postgres { at, proxy, .. } => {
                let mut command = at.command("NDAUTH_TEST_NDAUTHD");
                command.env("NDAUTHD_DATABASE", format!("postgres://nd@{}/postgres", proxy.address));
                at.serve_as(command, &["--freshness-bound", "500ms"])
            }
        }
    }

    async fn begin(&mut self, what: &str) {
        match self {
            Stage::Sqlite { on, writer } => match what {
                "the disk is full" => on.disk.fill(),
                "another process writes" => *writer = Some(on.disk.write(&on.at)),
                _ => panic!("{what} is no fault of SQLite"),
            },
            Stage::Postgres { primary, standby, proxy, .. } => match what {
                "the database refuses" => proxy.treat(FaultScope::All, Treatment::Cut),
                "the database is silent" => proxy.treat(FaultScope::All, Treatment::Swallowed),
                "connections are cut" => proxy.treat_open_connections(Treatment::Cut),
                "connections are forgotten" => proxy.treat_open_connections(Treatment::Swallowed),
                "answers to commits are lost" => {
                    proxy.treat(FaultScope::Said("COMMIT\0"), Treatment::Muted);
                }
                "a row is locked" => {
                    let url = primary.url();
                    let lock = "BEGIN; SELECT 1 FROM head FOR UPDATE; SELECT pg_sleep(20); COMMIT";
                    // The statement fails when it is cancelled.
                    tokio::spawn(async move { try_execute_at(&url, lock).await.is_ok() });
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
                "the address leads to a standby" => {
                    standby.execute("SELECT pg_wal_replay_pause()").await;
                    proxy.forward_to(standby.address());
                    proxy.treat_open_connections(Treatment::Cut);
                }
                "the standby is gone" => standby.kill(),
                "the primary was replaced" => standby.promote().await,
                "the database stops" => primary.kill(),
                _ => panic!("{what} is no fault of PostgreSQL"),
            },
        }
    }

    async fn end(&mut self, what: &str) {
        match self {
            Stage::Sqlite { on, writer } => match what {
                "the disk is full" => on.disk.free(),
                _ => drop(writer.take()),
            },
            Stage::Postgres { primary, standby, proxy, .. } => {
                match what {
                    "a row is locked" => {
                        let cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
                        primary.execute(cancel).await;
                    }
                    "the address leads to a standby" => {
                        proxy.forward_to(primary.address());
                        proxy.treat_open_connections(Treatment::Cut);
                    }
                    "the standby is gone" => standby.start(),
                    // The proxy at last leads to the new primary.
                    "the primary was replaced" => {
                        proxy.forward_to(standby.address());
                        proxy.treat_open_connections(Treatment::Cut);
                    }
                    "the database stops" => primary.start(),
                    _ => proxy.clear_faults(),
                }
            }
        }
    }
}

/// The answers to changes, and so the required state.
#[derive(Default)]
struct Ledger {
    /// Secrets that are alive, and secrets that were certainly revoked.
    alive: Vec<String>,
    dead: Vec<String>,
}

/// Returns the kind of an answer to a validation or a change.
fn kind<T>(answer: &Result<T, Reason>) -> Answer {
    match answer {
        Ok(_) => Truth,
        Err(Reason::Unavailable) => Unavailable,
        Err(Reason::OutcomeUnknown | Reason::CommittedUnconfirmed) => Unknown,
        Err(reason) => panic!("{reason:?} says something else"),
    }
}

async fn change(server: &Running, session: &Secret, ledger: &mut Ledger, name: &str) -> Result<(), Reason> {
    let owner = server.client(session).await;
    let reason = |problem: Problem| problem.reason;
    let made = owner.create_token(new_token(name)).await.map_err(reason)?;
    let done = owner.revoke_token(revoke(name)).await.map(drop).map_err(reason);
    match done {
        Ok(()) => ledger.dead.push(made.secret),
        // The token may or may not be revoked.
        Err(Reason::OutcomeUnknown | Reason::CommittedUnconfirmed) => {}
        Err(_) => ledger.alive.push(made.secret),
    }
    done
}

async fn play(fault: &Fault) -> String {
    let Fault { what, on, questions, changes, back } = fault;
    let mut stage = Stage::new(*on).await;
    stage.at().people();
    let (service, session) = (stage.at().service(), stage.at().session());
    let server = stage.serve();
    let asker = Asker(server.client(&service).await);
    let mut ledger = Ledger::default();
    let owner = server.client(&session).await;
    let good = owner.create_token(new_token("good")).await.expect("made").secret;
    ledger.alive.push(good.clone());
    let (ready, mut tries) = (Instant::now(), 0);
    while asker.refused(&good).await != Ok(None)
        || change(&server, &session, &mut ledger, &format!("before {tries}")).await.is_err()
    {
        tries += 1;
        assert!(ready.elapsed() < Duration::from_secs(10), "{what}: it is well before");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stage.begin(what).await;
    if *what == "the disk is full" {
        // SQLite's log file still has some space.
        let mut tries = 0;
        while change(&server, &session, &mut ledger, &format!("room {tries}")).await.is_ok() {
            tries += 1;
            assert!(tries < 100, "it was filled");
        }
    }
    // Two changes during the fault: one before the server has noticed it, and one after.
    let (mut seen, begun) = (Vec::new(), Instant::now());
    for name in ["during", "known"] {
        let done = change(&server, &session, &mut ledger, name).await;
        seen.push(kind(&done));
    }
    let settled = begun.elapsed().max(BOUND * 3);
    tokio::time::sleep(settled.saturating_sub(begun.elapsed())).await;
    let answer = asker.refused(&good).await;
    assert!(answer == Ok(None) || answer == Err(Reason::Unavailable), "{what}: {answer:?}");
    let answered = kind(&answer);
    assert_eq!(answered, *questions, "{what}: of a secret that is known");
    let worst = if seen.contains(&Unknown) { Unknown } else { seen[0] };
    let expected = match changes {
        Unknown => [Unknown, Unavailable, Truth].as_slice(),
        Unavailable => &[Unavailable],
        Truth => &[Truth, Unavailable, Unknown],
    };
    assert!(seen.iter().all(|answer| expected.contains(answer)), "{what}: changes were answered {seen:?}");
    stage.end(what).await;
    let ended = Instant::now();
    let mut tries = 0;
    loop {
        let well = asker.refused(&good).await == Ok(None)
            && change(&server, &session, &mut ledger, &format!("after {tries}")).await.is_ok();
        if well {
            break;
        }
        tries += 1;
        assert!(ended.elapsed() < *back, "{what}: it comes back within {back:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let took = ended.elapsed();
    assert!(took < *back, "{what}: it came back after {took:?}");
    // Acknowledged changes are in force. All others have the same outcome now and after a restart.
    let truth = async |server: &Running, secret: &str| {
        let asker = Asker(server.client(&service).await);
        let begun = Instant::now();
        loop {
            match asker.refused(secret).await {
                Err(Reason::Unavailable) if begun.elapsed() < Duration::from_secs(5) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                answer => return answer,
            }
        }
    };
    for secret in &ledger.dead {
        assert_eq!(truth(&server, secret).await, Ok(Some(Reason::TokenRevoked)), "{what}");
    }
    let listed = async |server: &Running| {
        let client = server.client(&session).await;
        let all = v1::ListTokensRequest { include_revoked: true, ..list() };
        let tokens = client.list_tokens(all).await.expect("listed").tokens;
        let mut lines: Vec<_> =
            tokens.iter().map(|token| (token.id.clone(), token.revoked_at.is_some())).collect();
        lines.sort();
        lines
    };
    let before = listed(&server).await;
    server.kill();
    let server = stage.serve();
    for secret in &ledger.dead {
        assert_eq!(truth(&server, secret).await, Ok(Some(Reason::TokenRevoked)), "{what}: after a restart");
    }
    for secret in &ledger.alive {
        assert_eq!(truth(&server, secret).await, Ok(None), "{what}: after a restart");
    }
    assert_eq!(listed(&server).await, before, "{what}: after a restart");
    let mut row = String::new();
    let on = match on {
        On::Sqlite => "SQLite",
        On::Postgres { synchronous: false } => "PostgreSQL",
        On::Postgres { synchronous: true } => "PostgreSQL, synchronous",
    };
    let _ = write!(row, "| {what} | {on} | {answered:?} | {worst:?} | {:.2} s |", took.as_secs_f64());
    row
}

/// Generates a test for each row, so that each can fail alone.
macro_rules! rows {
    ($($name:ident: $row:literal,)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            eprintln!("{}", play(&FAULTS[$row]).await);
        })*

        #[test]
        fn every_row_is_played() {
            assert_eq!([$($row),*], std::array::from_fn::<usize, { FAULTS.len() }, _>(|row| row));
        }
    };
}

rows! {
    the_disk_is_full: 0,
    another_process_writes: 1,
    the_database_refuses: 2,
    the_database_is_silent: 3,
    connections_are_cut: 4,
    connections_are_forgotten: 5,
    answers_to_commits_are_lost: 6,
    a_row_is_locked: 7,
    the_address_leads_to_a_standby: 8,
    the_standby_is_gone: 9,
    the_primary_was_replaced: 10,
    the_database_stops: 11,
}
