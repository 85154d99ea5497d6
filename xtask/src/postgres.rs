//! A throw-away PostgreSQL cluster on the loopback interface, for one run of the tests.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use rustix::process::geteuid;
use tempfile::TempDir;

use crate::cargo::search_path;

/// A running cluster. Dropping it stops and removes it.
pub(crate) struct Cluster {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
}

/// The id of Debian's user `nobody`: PostgreSQL refuses to run as root.
const NOBODY: u32 = 65534;

impl Cluster {
    /// Creates a cluster and starts it.
    pub(crate) fn start() -> anyhow::Result<Cluster> {
        let programs = programs()?;
        let folder = tempfile::Builder::new().prefix("ndauth-postgres-").tempdir()?;
        if geteuid().is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY))?;
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let cluster = Cluster { programs, folder, port };
        let data = cluster.data();
        cluster.run(
            "initdb",
            &["--pgdata", &data, "--username=nd", "--auth=trust", "--no-sync", "--encoding=UTF8"],
        )?;
        let log = format!("{data}/log");
        // `fsync` stays on: the tests of durability trace it.
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={data} \
             -c max_connections=400 -c shared_buffers=64MB"
        );
        cluster
            .run("pg_ctl", &["start", "--wait", "--pgdata", &data, "--log", &log, "--options", &options])?;
        Ok(cluster)
    }

    /// Returns the URL of the cluster's default database.
    pub(crate) fn url(&self) -> String {
        format!("postgres://nd@127.0.0.1:{}/postgres", self.port)
    }

    /// Returns the path of one of PostgreSQL's programs.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Returns the folder of its data.
    pub(crate) fn data(&self) -> String {
        self.folder.path().join("data").to_string_lossy().into_owned()
    }

    fn run(&self, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        if geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        // The output goes to a file: the server keeps its inherited descriptors open, so reading a pipe would
        // never end.
        let output = self.folder.path().join(format!("{program}.out"));
        let file = fs::File::create(&output)?;
        command.stdout(file.try_clone()?).stderr(file);
        let status = command.status().with_context(|| format!("cannot run `{program}`"))?;
        let mut said = String::new();
        fs::File::open(output)?.read_to_string(&mut said)?;
        ensure!(status.success(), "`{program}` failed: {status}\n{said}");
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let data = self.data();
        if let Err(error) = self.run("pg_ctl", &["stop", "--wait", "--mode=immediate", "--pgdata", &data]) {
            eprintln!("the scratch cluster was not stopped: {error:#}");
        }
    }
}

/// Returns the folder of PostgreSQL's programs. Debian keeps the server's programs outside the search path.
pub(crate) fn programs() -> anyhow::Result<PathBuf> {
    let mut folders: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    folders.sort();
    folders.extend(search_path());
    folders
        .into_iter()
        .find(|folder| folder.join("initdb").is_file() && folder.join("pg_ctl").is_file())
        .context("PostgreSQL's programs are missing")
}
