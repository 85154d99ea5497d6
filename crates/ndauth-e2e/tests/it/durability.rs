//! The database's log is synced to disk before a change is acknowledged: the tests trace the system calls. A
//! control run without syncs shows that the trace would reveal a missing one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ndauth_core::Secret;
use ndauth_store::Engine;
use ndauth_store::testing::Scratch;
use rustix::process::{Pid, Signal, kill_process};

use crate::installation::{Installation, Running, test_path};
use crate::requests::{list, new_token, revoke};

/// A trace of the syncs of some processes and their children.
struct Trace {
    strace: Child,
    file: PathBuf,
    /// The number of bytes of the trace that were already read.
    read: usize,
}

impl Trace {
    /// Traces running processes: their syncs of one file, or all of them.
    fn of(pids: &[u32], synced: Option<&Path>, folder: &Path) -> Trace {
        let file = folder.join("trace");
        let mut strace = Command::new("strace");
        strace.args(["-f", "-y", "-e", "trace=fsync,fdatasync", "-o"]).arg(&file);
        if let Some(synced) = synced {
            strace.arg("-P").arg(synced);
        }
        for pid in pids {
            strace.arg("-p").arg(pid.to_string());
        }
        let strace = strace.stderr(Stdio::null()).spawn().expect("strace starts");
        let trace = Trace { strace, file, read: 0 };
        for pid in pids {
            until(|| {
                fs::read_to_string(format!("/proc/{pid}/status"))
                    .is_ok_and(|status| !status.contains("TracerPid:\t0\n"))
            });
        }
        trace
    }

    /// Returns the syncs that completed since the last call. Syncs that strace only pretended do not count.
    fn syncs(&mut self) -> Vec<String> {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        let new = text[self.read..].to_owned();
        self.read = text.len();
        new.lines()
            .filter(|line| line.contains("sync(") || line.contains("sync resumed"))
            .filter(|line| line.contains(" = 0") && !line.contains("INJECTED"))
            .map(str::to_owned)
            .collect()
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.strace.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.strace.wait();
    }
}

/// Processes that outlive the strace that started them. Dropping this kills them.
struct Traced(Vec<u32>);

impl Drop for Traced {
    fn drop(&mut self) {
        for pid in &self.0 {
            if let Some(pid) = i32::try_from(*pid).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

/// Waits until a condition holds.
fn until(mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it never came to be");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Makes several changes, one after the other. Returns the number of syncs that completed before each
/// acknowledgement.
async fn syncs_before_each_acknowledgement(
    server: &Running,
    session: &Secret,
    trace: &mut Trace,
) -> Vec<usize> {
    let client = server.client(session).await;
    trace.syncs();
    let mut counts = Vec::new();
    for n in 0..5 {
        client.create_token(new_token(&format!("t{n}"))).await.expect("made");
        counts.push(trace.syncs().len());
        client.revoke_token(revoke(&format!("t{n}"))).await.expect("revoked");
        counts.push(trace.syncs().len());
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_syncs_its_log_before_each_acknowledgement() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let session = at.session();
    let server = at.serve();
    // The server also syncs a file of its own from time to time, the witness of the log. Only the database's
    // log is traced.
    let log = PathBuf::from(format!("{}-wal", at.database().strip_prefix("sqlite:").expect("a file")));
    let mut trace = Trace::of(&[server.pid()], Some(&log), at.home());
    let counts = syncs_before_each_acknowledgement(&server, &session, &mut trace).await;
    assert!(counts.iter().all(|syncs| *syncs >= 1), "{counts:?}");
    let text = fs::read_to_string(&trace.file).expect("the trace");
    assert!(text.contains("ndauth.db-wal>"), "it is the log that is synced:\n{text}");
    // A request that changes nothing needs no sync, so the count tells reads and changes apart.
    let client = server.client(&session).await;
    client.list_tokens(list()).await.expect("listed");
    assert_eq!(trace.syncs(), Vec::<String>::new());
}

/// The control: the same changes, while strace only pretends every sync.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_syncs_the_trace_shows_none() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let session = at.session();
    let file = at.home().join("trace");
    let mut command = Command::new("strace");
    command
        .args(["-f", "-y", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:retval=0", "-o"])
        .arg(&file)
        .arg(test_path("NDAUTH_TEST_NDAUTHD"))
        .env_clear()
        .env("HOME", at.home())
        .env("NDAUTHD_DATABASE", at.database())
        .stdin(Stdio::null());
    let server = at.serve_as(command, &[]);
    let _traced = Traced(children(server.pid()));
    // This reads the trace of the strace that runs the server.
    let mut trace = Trace { strace: Command::new("true").spawn().expect("a process"), file, read: 0 };
    let counts = syncs_before_each_acknowledgement(&server, &session, &mut trace).await;
    assert!(counts.iter().all(|syncs| *syncs == 0), "{counts:?}");
    let text = fs::read_to_string(&trace.file).expect("the trace");
    assert!(text.contains("INJECTED"), "the server did ask for syncs:\n{text}");
}

/// Returns the processes of a cluster: the first one and its children.
pub(crate) fn processes(cluster: &Path) -> Vec<u32> {
    let text = fs::read_to_string(cluster.join("postmaster.pid")).expect("the cluster runs");
    let first: u32 = text.lines().next().and_then(|line| line.parse().ok()).expect("a process id");
    std::iter::once(first).chain(children(first)).collect()
}

/// Returns the children of a process.
fn children(of: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{of}/task/{of}/children")).expect("its children");
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_syncs_its_log_before_each_acknowledgement() {
    let quiet = test_path("NDAUTH_TEST_QUIET_POSTGRES").display().to_string();
    let at = Installation::on(Scratch::in_cluster(&quiet).await);
    at.people();
    let session = at.session();
    let server = at.serve();
    let client = server.client(&session).await;
    client.create_token(new_token("warm")).await.expect("made");
    let mut trace = Trace::of(&processes(&test_path("NDAUTH_TEST_QUIET_POSTGRES_FOLDER")), None, at.home());
    let counts = syncs_before_each_acknowledgement(&server, &session, &mut trace).await;
    assert!(counts.iter().all(|syncs| *syncs >= 1), "{counts:?}");
    let text = fs::read_to_string(&trace.file).expect("the trace");
    assert!(text.contains("/pg_wal/"), "it is the log that is synced:\n{text}");

    // The control: the same changes, with PostgreSQL configured not to sync.
    ndauth_store::testing::execute_at(&quiet, "ALTER SYSTEM SET fsync = off").await;
    ndauth_store::testing::execute_at(&quiet, "SELECT pg_reload_conf()").await;
    for _ in 0..100 {
        if ndauth_store::testing::setting(&at.scratch, "fsync").await == "off" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    client.create_token(new_token("reloaded")).await.expect("made");
    let counts = syncs_before_each_acknowledgement(&server, &session, &mut trace).await;
    assert!(counts.iter().all(|syncs| *syncs == 0), "{counts:?}");
}

/// A database whose default lets commits skip the wait for the sync: the setting of our connections takes
/// precedence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_synchronous_commit_overrides_the_databases_default() {
    let at = Installation::new(Engine::Postgres).await;
    at.people();
    let store = at.scratch.store(ndauth_store::Clock::Database).await;
    let name = at.database().rsplit_once('/').expect("a database").1.to_owned();
    ndauth_store::testing::execute(
        &store,
        &format!("ALTER DATABASE \"{name}\" SET synchronous_commit = off"),
    )
    .await;
    let shown = ndauth_store::testing::setting(&at.scratch, "synchronous_commit").await;
    assert_eq!(shown, "on", "a connection of the store");
    let plain = ndauth_store::testing::plain_setting(&at.scratch, "synchronous_commit").await;
    assert_eq!(plain, "off", "any other connection");
}
