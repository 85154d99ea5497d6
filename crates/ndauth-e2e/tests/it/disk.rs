//! A small disk for an SQLite file, which can be filled and freed. It is a tmpfs in a namespace of its own,
//! so that no test needs root.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use ndauth_core::Reason;
use ndauth_proto::v1;
use ndauth_store::DatabaseUrl;
use ndauth_store::testing::Scratch;

use crate::installation::{Installation, KillOnDrop, Running};
use crate::requests::{new_token, revoke};

/// A disk of few megabytes. It disappears with the process that holds its namespace.
pub(crate) struct Disk {
    holder: KillOnDrop,
    mounted: PathBuf,
    _folder: tempfile::TempDir,
}

const MEGABYTES: u64 = 4;

impl Disk {
    pub(crate) fn new() -> Disk {
        let folder = tempfile::tempdir().expect("a folder");
        let mounted = folder.path().to_owned();
        let mut holder = Command::new("unshare");
        let script =
            format!("mount -t tmpfs -o size={MEGABYTES}m none \"$0\" && echo mounted && exec sleep 3600");
        holder.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]).arg(&mounted);
        let mut holder =
            KillOnDrop(holder.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().expect("unshare starts"));
        let mut line = String::new();
        BufReader::new(holder.0.stdout.take().expect("piped")).read_line(&mut line).expect("it says so");
        assert_eq!(line, "mounted\n", "a tmpfs is mounted");
        Disk { holder, mounted, _folder: folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        let mounted = self.mounted.strip_prefix("/").expect("an absolute path");
        PathBuf::from(format!("/proc/{}/root", self.holder.0.id())).join(mounted).join(name)
    }

    /// Fills the disk completely.
    pub(crate) fn fill(&self) {
        let zeroes = vec![0; 64 * 1024];
        let mut filler =
            fs::OpenOptions::new().create(true).append(true).open(self.file("filler")).expect("a file");
        for size in [zeroes.len(), 1024, 1] {
            while std::io::Write::write_all(&mut filler, &zeroes[..size]).is_ok() {}
        }
    }

    /// Starts another process that begins a write transaction on an SQLite file there, and keeps the lock
    /// until it is killed.
    pub(crate) fn write(&self, at: &Installation) -> KillOnDrop {
        let DatabaseUrl::Sqlite(path) = &at.scratch.url else { panic!("a file") };
        let script = "import sqlite3, sys; file = sqlite3.connect(sys.argv[1], isolation_level=None); \
                      file.execute('BEGIN IMMEDIATE'); print('locked', flush=True); sys.stdin.read()";
        let mut command = Command::new("nsenter");
        let target = self.holder.0.id().to_string();
        command.args(["--user", "--mount", "--preserve-credentials", "--target", &target, "--"]);
        command.args(["python3", "-c", script]).arg(path).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut writer = KillOnDrop(command.spawn().expect("python starts"));
        let mut line = String::new();
        BufReader::new(writer.0.stdout.take().expect("piped")).read_line(&mut line).expect("it says so");
        assert_eq!(line, "locked\n");
        writer
    }

    pub(crate) fn free(&self) {
        fs::remove_file(self.file("filler")).expect("it was filled");
    }
}

/// An installation whose database is on a small disk.
pub(crate) struct InstallationOnDisk {
    pub(crate) disk: Disk,
    pub(crate) at: Installation,
}

impl InstallationOnDisk {
    pub(crate) async fn new() -> InstallationOnDisk {
        let disk = Disk::new();
        let url = DatabaseUrl::Sqlite(disk.mounted.join("ndauth.db"));
        let target = disk.holder.0.id().to_string();
        let within = ["nsenter", "--user", "--mount", "--preserve-credentials", "--target", &target, "--"];
        let at = Installation::within(Scratch::at(url), &within);
        InstallationOnDisk { disk, at }
    }

    pub(crate) fn serve(&self) -> Running {
        self.at.serve_as(self.at.command("NDAUTH_TEST_NDAUTHD"), &["--freshness-bound", "500ms"])
    }
}

/// Returns the reason for which a secret is refused; `None` if it is allowed.
async fn refused(server: &Running, service: &ndauth_core::Secret, secret: &str) -> Option<Reason> {
    let request = v1::ValidateTokenRequest {
        secret: secret.to_owned(),
        required_access: v1::Access::Identity.into(),
        ..Default::default()
    };
    let answer = server.client(service).await.validate_token(request).await.expect("decided");
    match answer.outcome.expect("an outcome") {
        v1::validate_token_response::Outcome::Allowed(_) => None,
        v1::validate_token_response::Outcome::Refused(refused) => {
            ndauth_proto::reason_from_proto(refused.reason)
        }
    }
}

/// A change that fails while the disk is full has no effect. A change acknowledged once there is space again
/// is in force, at once and after a restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_full_disk_what_is_acknowledged_is_in_force_and_stays() {
    let on = InstallationOnDisk::new().await;
    on.at.people();
    let (service, session) = (on.at.service(), on.at.session());
    let server = on.serve();
    let owner = server.client(&session).await;
    let (mut alive, mut dead) = (VecDeque::new(), Vec::new());
    let create = async |name: String| {
        let made = owner.create_token(new_token(&name)).await?;
        Ok::<_, ndauth_core::Problem>((made.secret, name))
    };
    for n in 0..8 {
        alive.push_back(create(format!("t{n}")).await.expect("made"));
    }
    for round in 0..3 {
        on.disk.fill();
        let mut full = 0;
        for n in 0..4 {
            match create(format!("full {round} {n}")).await {
                // SQLite's log file still had some space.
                Ok(made) => alive.push_back(made),
                Err(problem) => {
                    full += 1;
                    assert_eq!(problem.reason, Reason::Unavailable, "{problem:?}");
                    assert_eq!(problem.message, "the disk of the database is full: nothing was changed");
                }
            }
        }
        assert!(full > 1, "the disk was full");
        // Last uses are written periodically, so they hit the full disk, too.
        assert_eq!(refused(&server, &service, &alive[0].0).await, None, "questions are answered");
        let response = server.get("/readyz");
        assert!(response.0 == 200 && response.1.contains("changes are failing"), "{response:?}");
        on.disk.free();
        for n in 0..4 {
            let (secret, name) = alive.pop_front().expect("some live");
            owner.revoke_token(revoke(&name)).await.expect("revoked");
            assert_eq!(refused(&server, &service, &secret).await, Some(Reason::TokenRevoked), "{name}");
            dead.push(secret);
            alive.push_back(create(format!("again {round} {n}")).await.expect("made"));
        }
    }
    assert_eq!(server.get("/readyz"), (200, "ready\n".to_owned()));
    server.kill();
    let server = on.serve();
    for (secret, name) in &alive {
        assert_eq!(refused(&server, &service, secret).await, None, "{name}");
    }
    for secret in &dead {
        assert_eq!(refused(&server, &service, secret).await, Some(Reason::TokenRevoked));
    }
    assert!(on.at.run_admin("check").ends_with("no problems found"));
}
