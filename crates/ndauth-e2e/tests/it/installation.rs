//! An installation of ndauth: a scratch database, a home folder, and the real binaries.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use ndauth_client::{Client, ServerUrl};
use ndauth_core::Secret;
use ndauth_store::testing::Scratch;
use ndauth_store::{DatabaseUrl, Engine};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub(crate) struct Installation {
    pub(crate) scratch: Scratch,
    home: TempDir,
    /// The words that every command begins with, if it runs in another namespace.
    within: Vec<String>,
}

/// The output and the exit code of a command.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: i32,
}

/// A process that is killed when this is dropped, however the test ends.
pub(crate) struct KillOnDrop(pub(crate) Child);

/// A running server.
pub(crate) struct Running {
    child: KillOnDrop,
    pub(crate) url: ServerUrl,
    pub(crate) admin: String,
    /// The lines that it logged before it was ready.
    pub(crate) before: String,
    /// The lines that it logs from now on.
    pub(crate) log: mpsc::Receiver<String>,
}

/// The timeout for a server to start, and for a response of its admin listener.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// The default bound on how late a change takes effect.
pub(crate) const BOUND: Duration = Duration::from_secs(2);
/// The extra time allowed for a busy machine.
const SLACK: Duration = Duration::from_secs(2);

/// Returns a path from a variable that `cargo xtask test` sets.
#[expect(clippy::disallowed_methods, reason = "the one place where the tests learn of the binaries")]
pub(crate) fn test_path(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable);
    path.unwrap_or_else(|| panic!("{variable} is not set: run the tests by `cargo xtask test`")).into()
}

impl Installation {
    pub(crate) async fn new(engine: Engine) -> Installation {
        Installation::on(Scratch::new(engine).await)
    }

    /// Creates an installation on an empty database.
    pub(crate) fn on(scratch: Scratch) -> Installation {
        Installation::within(scratch, &[])
    }

    /// Creates an installation whose commands all run inside another command.
    pub(crate) fn within(scratch: Scratch, by: &[&str]) -> Installation {
        let within = by.iter().map(|word| (*word).to_owned()).collect();
        let at = Installation { scratch, home: tempfile::tempdir().expect("a home folder"), within };
        at.run_admin("migrate up");
        at
    }

    /// Returns the database's URL, with its password if it has one.
    pub(crate) fn database(&self) -> String {
        match &self.scratch.url {
            DatabaseUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
            DatabaseUrl::Postgres(url) => url.clone(),
        }
    }

    pub(crate) fn home(&self) -> &std::path::Path {
        self.home.path()
    }

    /// Returns a command with this installation's environment and none of the tests'.
    pub(crate) fn command(&self, variable: &str) -> Command {
        let mut words = self.within.iter().map(Into::into).chain([test_path(variable)]);
        let mut command = Command::new(words.next().expect("a program"));
        command
            .args(words)
            .env_clear()
            .env("HOME", self.home.path())
            .env("NDAUTHD_DATABASE", self.database())
            // The developer's own keyring must not be touched.
            .env("NDCLI_NO_KEYRING", "true")
            .stdin(Stdio::null());
        if !self.within.is_empty() {
            command.env("PATH", path());
        }
        command
    }

    /// Runs a command of `ndauthd admin`.
    pub(crate) fn admin(&self, arguments: &str) -> Ended {
        self.admin_words(&arguments.split(' ').collect::<Vec<_>>())
    }

    /// Runs a command of `ndauthd admin` whose words may contain blanks.
    pub(crate) fn admin_words(&self, arguments: &[&str]) -> Ended {
        let mut command = self.command("NDAUTH_TEST_NDAUTHD");
        command.arg("admin").args(arguments);
        let mut ended = run(command, "");
        // Each command first prints the database that it works on, except those that print JSON, which names
        // it.
        match ended.err.strip_prefix(&format!("database: {}\n", self.scratch.url)) {
            Some(rest) => ended.err = rest.to_owned(),
            None => {
                assert!(ended.code != 0 || arguments.contains(&"json"), "{arguments:?}: {ended:?}");
            }
        }
        ended
    }

    /// Runs a command of `ndauthd admin` that must succeed. Returns its output.
    pub(crate) fn run_admin(&self, arguments: &str) -> String {
        let ended = self.admin(arguments);
        assert_eq!(ended.code, 0, "{arguments}: {ended:?}");
        ended.out.trim_end().to_owned()
    }

    /// Creates the account `ada`, `RW` in the org `ops` and `RO` in `dev`.
    pub(crate) fn people(&self) {
        self.run_admin("account create ada --email ada@example.org");
        self.run_admin("org create ops");
        self.run_admin("org create dev");
        self.run_admin("member set ops ada RW");
        self.run_admin("member set dev ada RO");
    }

    pub(crate) fn session(&self) -> Secret {
        self.run_admin("session issue ada").parse().expect("a secret alone")
    }

    pub(crate) fn service(&self) -> Secret {
        self.run_admin("service create registry --states-client-address").parse().expect("a secret alone")
    }

    /// Starts a server, and waits until it is ready.
    pub(crate) fn serve(&self) -> Running {
        self.serve_as(self.command("NDAUTH_TEST_NDAUTHD"), &[])
    }

    /// Starts a server with a command that ends in `ndauthd`, and with more arguments.
    pub(crate) fn serve_as(&self, mut command: Command, more: &[&str]) -> Running {
        let listen = if more.contains(&"--listen") { [].as_slice() } else { &["--listen", "127.0.0.1:0"] };
        let arguments =
            [&["serve", "--admin-listen", "127.0.0.1:0", "--log-format", "json"], listen].concat();
        command.args(arguments).args(more);
        Running::start(command)
    }

    /// Runs `ndcli` against a server, with variables and a text on standard input.
    pub(crate) fn ndcli_with(
        &self,
        server: &Running,
        variables: &[(&str, &str)],
        arguments: &[&str],
        stdin: &str,
    ) -> Ended {
        let mut command = self.command("NDAUTH_TEST_NDCLI");
        command.args(arguments).env("NDCLI_SERVER", server.url.to_string()).envs(variables.iter().copied());
        run(command, stdin)
    }

    /// Runs `ndcli` against a server with the stored login.
    pub(crate) fn ndcli(&self, server: &Running, arguments: &[&str]) -> Ended {
        self.ndcli_with(server, &[], arguments, "")
    }

    /// Logs `ndcli` in as `ada`.
    pub(crate) fn log_in(&self, server: &Running) {
        let session = self.session();
        let ended = self.ndcli_with(server, &[], &["auth", "login", "--with-token"], session.expose());
        assert_eq!(ended.code, 0, "{ended:?}");
    }
}

/// Runs a command to its end.
pub(crate) fn run(mut command: Command, stdin: &str) -> Ended {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    // A command that does not read its standard input may end before everything is written.
    let _ = child.stdin.take().expect("standard input is piped").write_all(stdin.as_bytes());
    let output = child.wait_with_output().expect("the command ends");
    Ended {
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
        code: output.status.code().expect("it ended by itself"),
    }
}

/// Returns a command that runs a shell line with `ndcli` on a terminal of this many columns.
pub(crate) fn on_terminal(at: &Installation, columns: u16, line: &str) -> Command {
    let mut words = at.within.iter().map(String::as_str).chain(["script"]);
    let mut command = Command::new(words.next().expect("a program"));
    command.args(words);
    // `script` belongs to util-linux, which every Debian system has.
    command.args([
        "--quiet",
        "--return",
        "--command",
        &format!("stty cols {columns} rows 24; {line}"),
        "/dev/null",
    ]);
    command
        .env_clear()
        .env("PATH", path())
        .env("HOME", at.home())
        .env("TERM", "xterm")
        .env("NDCLI_NO_KEYRING", "true");
    command
}

/// Returns a search path with the binaries under test before all others.
pub(crate) fn path() -> std::ffi::OsString {
    let mut path = test_path("NDAUTH_TEST_NDCLI").parent().expect("a folder").as_os_str().to_owned();
    path.push(":/usr/bin:/bin");
    path
}

impl Running {
    /// Starts a server that logs JSON, and waits until it is ready.
    pub(crate) fn start(mut command: Command) -> Running {
        let child = command.stderr(Stdio::piped()).spawn().expect("ndauthd starts");
        let mut child = KillOnDrop(child);
        let lines = BufReader::new(child.0.stderr.take().expect("the log is piped")).lines();
        let (sender, log) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // Keep reading after the receiver is gone, so that the pipe never fills up.
                let _ = sender.send(line);
            }
        });
        let mut seen = String::new();
        let ready = loop {
            let line =
                log.recv_timeout(TIME_LIMIT).unwrap_or_else(|_| panic!("ndauthd is not ready:\n{seen}"));
            let fields: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if fields["message"] == "ready" {
                break fields;
            }
            seen.push_str(&line);
            seen.push('\n');
        };
        let address = |field: &str| ready[field].as_str().expect("an address").to_owned();
        let scheme = if ready["tls"] == true { "https" } else { "http" };
        let url = format!("{scheme}://{}", address("address")).parse().expect("a URL");
        Running { child, url, admin: address("admin_address"), before: seen, log }
    }

    pub(crate) async fn client(&self, credential: &Secret) -> Client {
        Client::connect(&self.url, Some(credential)).await.expect("connected")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// Returns its resident memory, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let process = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let now = process.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        now.and_then(|now| now.trim().parse::<u64>().ok()).expect("a size") * 1024
    }

    /// Kills the server, as in a crash.
    pub(crate) fn kill(mut self) {
        self.child.0.kill().expect("killed");
        self.child.0.wait().expect("ended");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.0.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, signal).expect("signalled");
    }

    /// Stops every thread of the server, which accepts connections still and says nothing.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
        let runs = |thread: &PathBuf| {
            let status = fs::read_to_string(thread.join("status")).expect("its state");
            !status.contains("\nState:\tT")
        };
        let begun = Instant::now();
        let threads = || fs::read_dir(format!("/proc/{}/task", self.pid())).expect("its threads");
        while threads().map(|thread| thread.expect("a thread").path()).any(|thread| runs(&thread)) {
            assert!(begun.elapsed() < TIME_LIMIT, "it does not stop");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until the server has exited.
    pub(crate) fn ended(mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.0.try_wait().expect("its child") {
                return status;
            }
            assert!(begun.elapsed() < Duration::from_secs(40), "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Gets a page of the admin listener. Returns its status and its text.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let mut stream = std::net::TcpStream::connect(&self.admin).expect("the operator's port answers");
        stream.set_read_timeout(Some(TIME_LIMIT)).expect("a limit is set");
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let text = answer.split_once("\r\n\r\n").expect("a text").1.to_owned();
        (status, text)
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Repeats a request until it has this answer, for as long as a change may take to be in force everywhere.
pub(crate) async fn soon<T: PartialEq + std::fmt::Debug>(expected: &T, ask: impl AsyncFn() -> T) {
    let begun = Instant::now();
    loop {
        let answer = ask().await;
        if answer == *expected {
            return;
        }
        assert!(begun.elapsed() < BOUND + SLACK, "{answer:?} in place of {expected:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Returns the permission bits of a file or folder.
pub(crate) fn mode(path: &std::path::Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

/// A port of this machine on which nothing listens, and which nobody else is given: a connection holds it.
pub(crate) struct ReservedPort {
    pub(crate) address: std::net::SocketAddr,
    _held: (std::net::TcpListener, std::net::TcpStream),
}

impl ReservedPort {
    pub(crate) fn new() -> ReservedPort {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let stream =
            std::net::TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
        ReservedPort { address: stream.local_addr().expect("an address"), _held: (listener, stream) }
    }
}
