//! Servers to measure, each on a core of its own and with priority over other processes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// The address that it serves.
    pub address: SocketAddr,
    /// The address of its admin listener, if it has one.
    pub admin: Option<SocketAddr>,
    /// The time from its start until it was ready.
    pub ready_after: Duration,
    /// The time it took to load the tokens, if it was logged.
    pub loaded: Option<Duration>,
    /// The lines of its log.
    pub log: mpsc::Receiver<String>,
}

/// Runs a program on one core, in a session of its own whose scheduling group has priority: `nice` has no
/// effect between sessions. If that is not allowed, the program runs with normal priority.
const ALONE: &str = "echo -20 > /proc/self/autogroup 2>/dev/null; exec taskset -c \"$0\" \"$@\"";

impl Server {
    /// Starts a program on a core, and waits until it logs its address.
    pub fn start(core: usize, program: &Path, arguments: &[&str], database: &str) -> anyhow::Result<Server> {
        let begun = Instant::now();
        let mut command = Command::new("setsid");
        command.args(["sh", "-c", ALONE, &core.to_string()]).arg(program).args(arguments);
        command.env("NDAUTHD_DATABASE", database).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start `{}`", program.display()))?;
        let lines = BufReader::new(child.stderr.take().context("the log is piped")?).lines();
        let (sender, log) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // Errors of the server are printed here too.
                if line.contains("\"level\":\"ERROR\"") {
                    eprintln!("{line}");
                }
                let _ = sender.send(line);
            }
        });
        let mut loaded = None;
        loop {
            let line =
                log.recv().with_context(|| format!("`{}` ended before it was ready", program.display()))?;
            let fields: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if fields["message"] == "loaded" {
                // The log writes numbers beyond 64 bits as strings.
                let micros = fields["micros"].as_u64().or_else(|| fields["micros"].as_str()?.parse().ok());
                loaded = micros.map(Duration::from_micros);
            }
            let address = |field: &str| fields[field].as_str().and_then(|address| address.parse().ok());
            if let Some(answers_at) = address("address") {
                let admin = address("admin_address");
                let ready_after = begun.elapsed();
                return Ok(Server { child, address: answers_at, admin, ready_after, loaded, log });
            }
        }
    }

    /// Starts `ndauthd` on a free port.
    pub fn ndauthd(core: usize, program: &Path, database: &str, more: &[&str]) -> anyhow::Result<Server> {
        let free =
            ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-format", "json"];
        Server::start(core, program, &[&free, more].concat(), database)
    }

    /// Returns the CPU time that the server has used.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        let mut nanoseconds = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // A thread may end in the meantime.
            let statistics = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            nanoseconds +=
                statistics.split(' ').next().and_then(|first| first.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Returns the resident memory in bytes.
    pub fn resident(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("its memory is reported")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }

    /// Returns a page of the admin listener.
    pub fn page(&self, path: &str) -> anyhow::Result<String> {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(self.admin.context("it has a port for its operator")?)?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.split_once("\r\n\r\n").context("a page")?.1.to_owned())
    }

    /// Returns the process's id.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends the process a signal.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        Ok(kill_process(self.pid(), signal)?)
    }

    /// Signals the server to stop, and waits until it has.
    pub fn end(mut self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)?;
        ensure!(self.child.wait()?.success(), "a server did not stop cleanly");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
