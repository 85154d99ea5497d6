//! PostgreSQL with a standby: servers that one test starts, pauses, promotes and ends.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ndauth_store::testing::{execute_at, try_execute_at};
use tempfile::TempDir;

use crate::installation::{KillOnDrop, test_path};

/// A running PostgreSQL server. Dropping it kills it.
pub(crate) struct Server {
    folder: TempDir,
    port: u16,
    process: Option<KillOnDrop>,
    /// The variables of its processes.
    variables: Vec<(&'static str, String)>,
}

/// The id of Debian's user `nobody`: PostgreSQL refuses to run as root.
const NOBODY: u32 = 65534;
/// The timeout of a server's start.
const TIME_LIMIT: Duration = Duration::from_secs(30);

impl Server {
    /// Starts a new primary.
    pub(crate) async fn primary() -> Server {
        Server::primary_with(&[]).await
    }

    /// Starts a new primary whose processes have these variables.
    pub(crate) async fn primary_with(variables: &[(&'static str, String)]) -> Server {
        let server = Server { variables: variables.to_vec(), ..Server::with_folder() };
        let data = server.data();
        let data = data.to_str().expect("text");
        server.run(
            "initdb",
            &["--pgdata", data, "--username=nd", "--auth=trust", "--no-sync", "--encoding=UTF8"],
        );
        fs::write(
            server.data().join("pg_hba.conf"),
            "host all all 127.0.0.1/32 trust\nhost replication all 127.0.0.1/32 trust\n",
        )
        .expect("written");
        server.started().await
    }

    /// Starts a standby of this server. The primary can wait for it by its name, `standby`.
    pub(crate) async fn standby(&self) -> Server {
        let server = Server::with_folder();
        let data = server.data();
        let from = format!("host=127.0.0.1 port={} user=nd application_name=standby", self.port);
        let arguments =
            ["--pgdata", data.to_str().expect("text"), "--dbname", &from, "--write-recovery-conf"];
        server.run(
            "pg_basebackup",
            &[&arguments[..], &["--wal-method=stream", "--checkpoint=fast", "--no-sync"]].concat(),
        );
        server.started().await
    }

    /// Enables TLS with the certificate and the key in a folder. With a client authority, only clients with a
    /// certificate from it can connect.
    pub(crate) async fn encrypt(&self, folder: &Path, clients: Option<&Path>) {
        let offered = [("server.crt", folder.join("cert.pem")), ("server.key", folder.join("key.pem"))];
        let clients = clients.map(|file| ("clients.crt", file.to_owned()));
        for (name, from) in offered.into_iter().chain(clients) {
            let to = self.data().join(name);
            fs::write(&to, fs::read(from).expect("read")).expect("written");
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).expect("for its owner alone");
            if is_root() {
                chown(&to, Some(NOBODY), Some(NOBODY)).expect("given to nobody");
            }
        }
        if self.data().join("clients.crt").exists() {
            let rule = "hostssl all all 127.0.0.1/32 trust clientcert=verify-ca\n";
            fs::write(self.data().join("pg_hba.conf"), rule).expect("written");
            self.execute("ALTER SYSTEM SET ssl_ca_file = 'clients.crt'").await;
        }
        self.execute("ALTER SYSTEM SET ssl = on").await;
        self.execute("SELECT pg_reload_conf()").await;
    }

    fn with_folder() -> Server {
        let folder = tempfile::Builder::new().prefix("ndauth-replica-").tempdir().expect("a folder");
        if is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("given to nobody");
        }
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|at| at.local_addr()).expect("a free port").port();
        Server { folder, port, process: None, variables: Vec::new() }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Returns the URL of the server's default database.
    pub(crate) fn url(&self) -> String {
        format!("postgres://nd@127.0.0.1:{}/postgres", self.port)
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Runs a statement.
    pub(crate) async fn execute(&self, sql: &str) {
        execute_at(&self.url(), sql).await;
    }

    /// Makes every commit wait for a standby from now on, or for none.
    pub(crate) async fn wait_for_standby(&self, standby: bool) {
        let names = if standby { "standby" } else { "" };
        self.execute(&format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'")).await;
        self.execute("SELECT pg_reload_conf()").await;
        // The setting is in force once a new connection has it. A commit then shows that the standby is
        // there.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    /// Promotes a standby to the primary.
    pub(crate) async fn promote(&self) {
        self.execute("SELECT pg_promote()").await;
    }

    /// Kills the server, as in a crash.
    pub(crate) fn kill(&mut self) {
        // The children of a killed postmaster end automatically.
        drop(self.process.take());
        let _ = fs::remove_file(self.data().join("postmaster.pid"));
    }

    async fn started(mut self) -> Server {
        self.start();
        let begun = Instant::now();
        while try_execute_at(&self.url(), "SELECT 1").await.is_err() {
            assert!(begun.elapsed() < TIME_LIMIT, "PostgreSQL does not come up");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self
    }

    /// Starts the server, also again after its end.
    pub(crate) fn start(&mut self) {
        let mut command = self.command("postgres");
        let sockets = format!("unix_socket_directories={}", self.folder.path().display());
        let port = format!("port={}", self.port);
        command.arg("-D").arg(self.data());
        for setting in [
            "listen_addresses=127.0.0.1",
            &port,
            &sockets,
            "max_connections=200",
            "shared_buffers=32MB",
            "wal_level=replica",
            "hot_standby=on",
            "wal_receiver_status_interval=1",
        ] {
            command.args(["-c", setting]);
        }
        let log = fs::File::create(self.folder.path().join("log")).expect("a log");
        command.stdout(log.try_clone().expect("a file")).stderr(log);
        self.process = Some(KillOnDrop(command.spawn().expect("PostgreSQL starts")));
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = self.command(program);
        let done = command.args(arguments).stdout(Stdio::null()).output().expect("it runs");
        assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(test_path("NDAUTH_TEST_POSTGRES_PROGRAMS").join(program));
        command.current_dir(self.folder.path()).stdin(Stdio::null()).env("LC_ALL", "C");
        command.envs(self.variables.iter().cloned());
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }
}

fn is_root() -> bool {
    fs::metadata(Path::new("/proc/self")).expect("this process").uid() == 0
}
