//! Real proxies, each with the file that `docs/integrations` gives to its users: only addresses and paths are replaced.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ndauth_core::Secret;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::documents::{read, root};
use crate::installation::{KillOnDrop, run, test_path};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Nginx,
    /// The version that Debian has.
    DebianCaddy,
    Caddy,
    Envoy,
}

pub(super) const KINDS: [Kind; 4] = [Kind::Nginx, Kind::DebianCaddy, Kind::Caddy, Kind::Envoy];

/// A running proxy before an app.
pub(super) struct Proxy {
    pub(super) kind: Kind,
    pub(super) address: SocketAddr,
    process: KillOnDrop,
    folder: TempDir,
}

/// The values that take the place of those in a proxy's file.
struct Site<'a> {
    address: SocketAddr,
    ndauthd: &'a str,
    app: SocketAddr,
    /// A permission to ask for, which the file only describes.
    permission: Option<&'a str>,
}

impl Site<'_> {
    fn query(&self) -> String {
        self.permission.map_or(QUERY.to_owned(), |asked| format!("{QUERY}&permission={asked}"))
    }
}

/// The query of `/edge/verify` in the files.
const QUERY: &str = "?org=ops&access=method";

impl Kind {
    /// Returns the name of its service at ndauth.
    pub(super) fn service(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    fn caddy(self) -> PathBuf {
        if self == Kind::DebianCaddy {
            servers().join("usr/bin/caddy")
        } else {
            test_path("NDAUTH_TEST_CADDY")
        }
    }
}

impl Proxy {
    /// Starts a proxy that asks a server with a service's secret, and waits until it accepts connections.
    pub(super) fn start(
        kind: Kind,
        ndauthd: &str,
        app: SocketAddr,
        permission: Option<&str>,
        secret: &Secret,
    ) -> Proxy {
        // No other program is given this address, nor a port below those of outgoing connections.
        let [b, c, d] = rand::random::<[u8; 3]>();
        let port = rand::random_range(10_000..30_000);
        let address = SocketAddr::from((Ipv4Addr::new(127, b | 1, c, d.clamp(1, 254)), port));
        let folder = tempfile::tempdir().expect("a folder");
        let site = Site { address, ndauthd, app, permission };
        let command = match kind {
            Kind::Nginx => nginx(folder.path(), &site),
            Kind::DebianCaddy | Kind::Caddy => caddy(kind, folder.path(), &site),
            Kind::Envoy => envoy(folder.path(), &site),
        };
        write_secret(kind, folder.path(), secret);
        let log = fs::File::create(folder.path().join("log")).expect("a file");
        let process = start(command, log);
        let mut proxy = Proxy { kind, address, process, folder };
        proxy.wait();
        proxy
    }

    /// Waits until it accepts connections.
    fn wait(&mut self) {
        let begun = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            let ended = self.process.0.try_wait().expect("its child");
            let log = || fs::read_to_string(self.folder.path().join("log")).expect("a log");
            assert!(ended.is_none(), "{:?}: {ended:?}\n{}", self.kind, log());
            assert!(begun.elapsed() < Duration::from_secs(30), "{:?} is not ready:\n{}", self.kind, log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.process.0.id()).ok().and_then(Pid::from_raw);
        // It may have ended, if its configuration is wrong.
        let _ = kill_process(pid.expect("a process id"), signal);
    }

    /// Gives it another secret, as its page describes.
    pub(super) fn rotate(&self, secret: &Secret) {
        write_secret(self.kind, self.folder.path(), secret);
        match self.kind {
            Kind::Nginx => self.signal(Signal::HUP),
            Kind::DebianCaddy | Kind::Caddy => {
                let ended = run(caddy_command(self.kind, self.folder.path(), "reload"), "");
                assert_eq!(ended.code, 0, "{ended:?}");
            }
            // Envoy watches the file.
            Kind::Envoy => {}
        }
    }
}

impl Drop for Proxy {
    /// Ends nginx's workers too, which would outlive a killed master.
    fn drop(&mut self) {
        if self.kind == Kind::Nginx {
            self.signal(Signal::TERM);
            let _ = self.process.0.wait();
        }
    }
}

fn start(mut command: Command, log: fs::File) -> KillOnDrop {
    let errors = log.try_clone().expect("a file");
    let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
    KillOnDrop(child.expect("the proxy starts"))
}

/// The root of the servers that Debian packages.
pub(in crate::edges) fn servers() -> PathBuf {
    test_path("NDAUTH_TEST_SERVERS")
}

/// Returns a file of `docs/integrations` with replacements, each of which must be made.
pub(in crate::edges) fn adapted(file: &str, replacements: &[(&str, String)]) -> String {
    let mut text = read(&format!("docs/integrations/{file}"));
    for (from, to) in replacements {
        assert_eq!(text.matches(from).count(), 1, "`{from}` in {file}");
        text = text.replace(from, to);
    }
    text
}

/// Writes the file with the secret of a proxy, as the proxy's own file shows it.
fn write_secret(kind: Kind, folder: &Path, secret: &Secret) {
    let shown = match kind {
        Kind::Nginx => shown_line("nginx.conf"),
        Kind::DebianCaddy | Kind::Caddy => shown_line("Caddyfile"),
        Kind::Envoy => read("docs/integrations/envoy-service.yaml"),
    };
    assert_eq!(shown.matches("ndsvc_…").count(), 1, "{shown}");
    let new = folder.join("new");
    fs::write(&new, shown.replace("ndsvc_…", secret.expose())).expect("written");
    fs::rename(new, service_file(folder)).expect("renamed");
}

fn service_file(folder: &Path) -> PathBuf {
    folder.join("service.yaml")
}

/// Returns the line that a comment shows, with the place of the secret.
pub(in crate::edges) fn shown_line(file: &str) -> String {
    let text = read(&format!("docs/integrations/{file}"));
    let line = text.lines().find(|line| line.contains("ndsvc_…")).expect("it is shown");
    format!("{}\n", line.trim_start_matches(['#', ' ', '\t']))
}

fn nginx(folder: &Path, site: &Site) -> Command {
    let path = |name: &str| folder.join(name).display().to_string();
    let text = adapted(
        "nginx.conf",
        &[
            ("listen 8000", format!("listen {}", site.address)),
            ("127.0.0.1:7711", site.ndauthd.to_owned()),
            (QUERY, site.query()),
            ("127.0.0.1:8080", site.app.to_string()),
            ("/etc/nginx/ndauth-service.conf", service_file(folder).display().to_string()),
        ],
    );
    fs::write(path("site.conf"), text).expect("written");
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {};\n", path(kind)))
        .concat();
    // What surrounds a site on a user's machine. Another site of its port accepts every header.
    let main = format!(
        "user root;\ndaemon off;\nworker_processes 1;\npid {};\nevents {{}}\n\
         http {{\naccess_log off;\n{temporary}\
         server {{ listen {}; server_name other; underscores_in_headers on; ignore_invalid_headers off; }}\n\
         include {};\n}}\n",
        path("pid"),
        site.address,
        path("site.conf"),
    );
    fs::write(path("main.conf"), main).expect("written");
    let mut command = Command::new(servers().join("usr/sbin/nginx"));
    let libraries = servers().join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH));
    command.env_clear().env("LD_LIBRARY_PATH", libraries);
    command.args(["-e", "stderr", "-p", &path(""), "-c", &path("main.conf")]);
    command
}

fn caddy(kind: Kind, folder: &Path, site: &Site) -> Command {
    let text = adapted(
        "Caddyfile",
        &[
            ("\n:8000 {\n", format!("\n:{} {{\n\tbind {}\n", site.address.port(), site.address.ip())),
            ("127.0.0.1:7711", site.ndauthd.to_owned()),
            (QUERY, site.query()),
            ("127.0.0.1:8080", site.app.to_string()),
            ("/etc/caddy/ndauth-service", service_file(folder).display().to_string()),
            ("/var/lib/caddy/admin.sock", folder.join("admin.sock").display().to_string()),
        ],
    );
    fs::write(folder.join("Caddyfile"), text).expect("written");
    caddy_command(kind, folder, "run")
}

fn caddy_command(kind: Kind, folder: &Path, verb: &str) -> Command {
    let mut command = Command::new(kind.caddy());
    command.env_clear().env("HOME", folder).env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder);
    command.args([verb, "--adapter", "caddyfile", "--config"]).arg(folder.join("Caddyfile"));
    command
}

fn envoy(folder: &Path, site: &Site) -> Command {
    let port = |address: &str| format!("port_value: {}", address.rsplit_once(':').expect("a port").1);
    let permission = site.permission.map(|asked| format!(", permission: {asked}")).unwrap_or_default();
    let question = format!("{{ org: ops, access: method{permission} }}");
    let text = adapted(
        "envoy.yaml",
        &[
            (
                "0.0.0.0, port_value: 8000",
                format!("{}, {}", site.address.ip(), port(&site.address.to_string())),
            ),
            ("port_value: 7711", port(site.ndauthd)),
            ("{ org: ops, access: method }", question),
            ("port_value: 8080", port(&site.app.to_string())),
            ("/etc/envoy/ndauth-service.yaml", service_file(folder).display().to_string()),
        ],
    );
    fs::write(folder.join("envoy.yaml"), text).expect("written");
    let mut command = Command::new(test_path("NDAUTH_TEST_ENVOY"));
    // Several run at once, and share nothing.
    command.env_clear().args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "warn"]);
    command.arg("--config-path").arg(folder.join("envoy.yaml")).current_dir(root());
    command
}
