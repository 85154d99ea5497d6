//! A running server on a scratch database, for the demo.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// A running server. Dropping it kills it.
pub(crate) struct ServerProcess {
    child: Child,
    pub(crate) address: String,
}

/// Returns the URL of an SQLite file, in the form that ndauthd takes.
pub(crate) fn url(database: &Path) -> String {
    format!("sqlite:{}", database.display())
}

impl ServerProcess {
    /// Starts a server on an SQLite file and free ports, and waits until it is ready.
    pub(crate) fn start(ndauthd: &Path, database: &Path) -> anyhow::Result<ServerProcess> {
        let mut child = Command::new(ndauthd)
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--admin-listen",
                "127.0.0.1:0",
                "--log-format",
                "json",
            ])
            .env("NDAUTHD_DATABASE", url(database))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start ndauthd")?;
        let mut log = BufReader::new(child.stderr.take().context("the log is piped")?);
        let mut line = String::new();
        let address = loop {
            line.clear();
            ensure!(log.read_line(&mut line)? > 0, "ndauthd ended before it was ready");
            let found = line.split("\"address\":\"").nth(1).and_then(|rest| rest.split('"').next());
            if let Some(address) = found {
                break address.to_owned();
            }
        };
        // Keep reading, so that the pipe never fills up.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Ok(ServerProcess { child, address })
    }

    /// Signals the server to stop, and waits until it has.
    pub(crate) fn end(mut self) -> anyhow::Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).context("cannot stop ndauthd")?;
        ensure!(self.child.wait()?.success(), "ndauthd did not stop cleanly");
        Ok(())
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
