//! The Debian packages, in a Debian system in a folder.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use super::{command, for_this_machine, secret, succeed};
use crate::installation::{Ended, Running, mode, run, test_path};

/// A Debian system in a folder.
struct Debian {
    folder: tempfile::TempDir,
}

/// The settings of a test, beside those of the installed file: ports that nobody else has.
const SETTINGS: [(&str, &str); 3] = [
    ("NDAUTHD_LISTEN", "127.0.0.1:0"),
    ("NDAUTHD_ADMIN_LISTEN", "127.0.0.1:0"),
    ("NDAUTHD_LOG_FORMAT", "json"),
];

impl Debian {
    fn new() -> Debian {
        let root = rustix::process::geteuid().is_root();
        assert!(root, "packages are installed in a chroot, so this test needs root");
        let folder = tempfile::tempdir().expect("a folder");
        let mut unpack = command(&["tar", "--extract", "--file"]);
        unpack.arg(test_path("NDAUTH_TEST_DEBIAN")).arg("--directory").arg(folder.path());
        succeed(unpack);
        // The system lasts as long as the test: nothing in it needs to reach the disk.
        let quick = folder.path().join("etc/dpkg/dpkg.cfg.d/quick");
        fs::write(quick, "force-unsafe-io\n").expect("written");
        Debian { folder }
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside.trim_start_matches('/'))
    }

    /// Returns a command in the system, as one of its users.
    fn command_as(&self, user: &str, words: &[&str]) -> Command {
        let script = "mount --rbind /proc \"$0/proc\" && mount --rbind /dev \"$0/dev\" && user=$1 && shift && \
                      exec chroot --userspec=\"$user:\" \"$0\" \"$@\"";
        let mut command = command(&["unshare", "--mount", "sh", "-c", script]);
        command.arg(self.folder.path()).arg(user);
        command.args(words).env("DEBIAN_FRONTEND", "noninteractive").env("HOME", "/root");
        command
    }

    /// Runs a command as root, which must succeed.
    #[track_caller]
    fn run(&self, words: &[&str]) -> Ended {
        succeed(self.command_as("root", words))
    }

    /// Copies a package into the system, and installs it.
    fn install(&self, package: &Path) -> Ended {
        let name = package.file_name().expect("a name").to_str().expect("text");
        fs::copy(package, self.path(&format!("tmp/{name}"))).expect("copied");
        let keep = "Dpkg::Options::=--force-confold";
        self.run(&["apt-get", "install", "--yes", "--option", keep, &format!("/tmp/{name}")])
    }

    /// Starts the server as the unit does: its own line, as its user. Waits until it has told so.
    fn serve(&self) -> Running {
        let unit = fs::read_to_string(self.path("lib/systemd/system/ndauthd.service")).expect("the unit");
        let setting = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key)).expect("it is set");
        assert_eq!(setting("Type="), "notify");
        let line: Vec<&str> = setting("ExecStart=").split(' ').collect();
        let socket = self.path("run/notify");
        let _ = fs::remove_file(&socket);
        let manager = UnixDatagram::bind(&socket).expect("the service manager's socket");
        manager.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o777)).expect("opened to the service");
        let mut command = self.command_as(setting("User="), &line);
        command.env_remove("HOME").env("NOTIFY_SOCKET", "/run/notify").envs(SETTINGS);
        let server = Running::start(command);
        let mut message = [0; 64];
        let length = manager.recv(&mut message).expect("it tells that it serves");
        assert_eq!(String::from_utf8_lossy(&message[..length]), "READY=1\n");
        server
    }

    fn ndcli(&self, server: &Running, token: &str, words: &[&str]) -> Ended {
        let mut command = self.command_as("nobody", &[&["/usr/bin/ndcli"], words].concat());
        command.env_remove("HOME").env("NDCLI_SERVER", server.url.to_string()).env("NDCLI_TOKEN", token);
        run(command, "")
    }
}

#[test]
fn the_packages_pass_the_linter() {
    for package in ["_ndauth-server.deb", "_ndcli.deb"] {
        let mut lint = command(&["lintian", "--allow-root"]);
        lint.arg(for_this_machine(package));
        let linted = run(lint, "");
        assert_eq!((linted.code, linted.out.as_str()), (0, ""), "{linted:?}");
    }
}

#[test]
fn the_packages_are_installed_upgraded_removed_and_purged() {
    let debian = Debian::new();
    debian.install(&for_this_machine("_ndauth-server.deb"));
    debian.install(&for_this_machine("_ndcli.deb"));
    let unit = "/lib/systemd/system/ndauthd.service";
    let verified = debian.run(&["systemd-analyze", "verify", unit]);
    // It exits with 0 even for a key that it does not know.
    assert_eq!((verified.out.as_str(), verified.err.as_str()), ("", ""));
    debian.run(&["systemd-analyze", "security", "--offline=true", "--threshold=20", unit]);
    let enabled = debian.path("etc/systemd/system/multi-user.target.wants/ndauthd.service");
    assert!(enabled.symlink_metadata().is_ok(), "it is enabled");
    let data = debian.path("var/lib/ndauth");
    let user = data.metadata().expect("the data folder").uid();
    assert_ne!(user, 0);
    assert_eq!(mode(&data), 0o700);

    // From the first start to a validated token.
    let server = debian.serve();
    assert!(data.join("first-login").exists(), "the first person can log in");
    let admin = |words: &str| {
        let words: Vec<&str> = "ndauthd admin".split(' ').chain(words.split(' ')).collect();
        debian.run(&words).out.trim_end().to_owned()
    };
    admin("account create ada --email ada@example.org");
    admin("org create ops --admin ada");
    let session = admin("session issue ada");
    let service = admin("service create assets");
    let created =
        debian.ndcli(&server, &session, &["auth", "token", "create", "--name", "ci", "--scope", "ro"]);
    assert_eq!(created.code, 0, "{created:?}");
    let token = secret(&created.out, "ndpat_");
    fs::write(debian.path("tmp/token"), &token).expect("written");
    let validate = |server: &Running, access: &str| {
        let file = format!("ndcli validate --secret-stdin --org ops --access {access} < /tmp/token");
        let mut command = debian.command_as("nobody", &["sh", "-c", &file]);
        command.env_remove("HOME").env("NDCLI_SERVER", server.url.to_string()).env("NDCLI_TOKEN", &service);
        run(command, "").code
    };
    assert_eq!((validate(&server, "ro"), validate(&server, "rw")), (0, 1));
    // Root's commands wrote nothing that the server could not open.
    for entry in fs::read_dir(&data).expect("the data folder") {
        let entry = entry.expect("a file");
        assert_eq!(entry.metadata().expect("its owner").uid(), user, "{:?}", entry.file_name());
    }
    server.signal(Signal::TERM);
    assert!(server.ended().success());

    a_key_of_root_is_checked_as_the_unit_reads_it(&debian);

    // An upgrade keeps the settings and the data.
    let config = debian.path("etc/ndauth/ndauthd.toml");
    let edited = fs::read_to_string(&config).expect("the settings") + "drain-seconds = 5\n";
    fs::write(&config, &edited).expect("edited");
    let next = newer(&for_this_machine("_ndauth-server.deb"));
    debian.install(&next.path().join("newer.deb"));
    assert_eq!(fs::read_to_string(&config).expect("the settings"), edited);
    let server = debian.serve();
    assert_eq!(validate(&server, "ro"), 0);
    server.signal(Signal::TERM);
    assert!(server.ended().success());

    // Removal keeps both, a purge the data alone.
    debian.run(&["apt-get", "remove", "--yes", "ndauth-server", "ndcli"]);
    assert!(!debian.path("usr/bin/ndauthd").exists() && !debian.path("usr/bin/ndcli").exists());
    assert!(config.exists() && data.join("ndauth.db").exists());
    let purged = debian.run(&["apt-get", "purge", "--yes", "ndauth-server"]);
    let shown = format!("{}{}", purged.out, purged.err);
    assert!(shown.contains("the database in /var/lib/ndauth is kept"), "{shown}");
    assert!(!config.exists() && data.join("ndauth.db").exists());
}

/// The page's commands install the packages. Downloads come from the folder of the release, by a `curl` of the test.
#[test]
fn the_page_s_commands_install() {
    let debian = Debian::new();
    let folder = debian.path("release");
    fs::create_dir(&folder).expect("made");
    for entry in fs::read_dir(test_path("NDAUTH_TEST_PACKAGES")).expect("the release") {
        let path = entry.expect("a file").path();
        if path.is_file() {
            fs::copy(&path, folder.join(path.file_name().expect("a name"))).expect("copied");
        }
    }
    let programs = [
        (
            "curl",
            "for last; do :; done; case $1 in -fsSL) cat /release/\"${last##*/}\" ;; *) cp /release/\"${last##*/}\" . ;; esac",
        ),
        ("sudo", "exec \"$@\""),
        ("cargo", "echo \"cargo $*\""),
    ];
    for (name, script) in programs {
        let program = debian.path(&format!("usr/local/bin/{name}"));
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("made runnable");
    }
    let page = crate::documents::read("docs/install.md");
    let mut played = 0;
    for (language, block) in crate::documents::blocks(&page) {
        if language != "sh" {
            continue;
        }
        // The unit's server, which systemd would have started.
        let server = block.contains("first-login").then(|| debian.serve());
        let mut script = debian.command_as("root", &["sh", "-eux", "-c", block]);
        script.env("NDAUTH_DOWNLOADS", "/release");
        let shown = succeed(script);
        if server.is_some() {
            assert!(shown.out.contains("/invitation?code=") && shown.out.contains("operator"), "{shown:?}");
        }
        played += 1;
    }
    assert_eq!(played, 5);
    let versions = debian.run(&["sh", "-c", "ndcli --version; ndauthd --version"]).out;
    assert_eq!(
        versions,
        concat!("ndcli ", env!("CARGO_PKG_VERSION"), "\nndauthd ", env!("CARGO_PKG_VERSION"), "\n")
    );
    // Every file that the page names is there.
    for name in page
        .split(['`', '/', ' ', '\n', '|'])
        .filter(|word| word.starts_with("ndauth_") && !word.contains('…'))
    {
        assert!(
            folder.join(name).exists()
                || [".cdx.json", ".sigstore.json"].iter().any(|end| name.ends_with(end)),
            "{name}"
        );
    }
}

/// Root's check reads what systemd would pass as root, and everything else as the server's user.
fn a_key_of_root_is_checked_as_the_unit_reads_it(debian: &Debian) {
    crate::tls::Authority::new("ours").sign(&debian.path("etc/ndauth"), "127.0.0.1");
    fs::create_dir_all(debian.path("etc/credstore")).expect("made");
    fs::rename(debian.path("etc/ndauth/key.pem"), debian.path("etc/credstore/ndauthd.tls-key"))
        .expect("moved");
    let secret = debian.path("etc/credstore/ndauthd.tls-key");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("root's");
    let lent = debian.path("etc/ndauth/key.pem");
    fs::copy(&secret, &lent).expect("copied");
    let check = |key: &str| {
        let mut check = debian.command_as("root", &["ndauthd", "config", "check", "--tls-key", key]);
        check.args(["--tls-certificate", "/etc/ndauth/cert.pem"]).envs(SETTINGS);
        run(check, "")
    };
    let passed = check("/etc/credstore/ndauthd.tls-key");
    assert!(passed.code == 0 && !passed.err.contains("can be opened"), "{passed:?}");
    let refused = check("/etc/ndauth/key.pem");
    assert!(refused.code == 2 && refused.err.contains("Permission denied"), "{refused:?}");
    debian.run(&["chgrp", "ndauth", "/etc/ndauth/key.pem"]);
    debian.run(&["chmod", "640", "/etc/ndauth/key.pem"]);
    let accepted = check("/etc/ndauth/key.pem");
    assert!(accepted.code == 0 && !accepted.err.contains("can be opened"), "{accepted:?}");
    for file in ["etc/ndauth/key.pem", "etc/ndauth/cert.pem", "etc/credstore/ndauthd.tls-key"] {
        fs::remove_file(debian.path(file)).expect("removed");
    }
}

/// Makes the same package of a later version, as `newer.deb` in a folder.
fn newer(package: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let tree = folder.path().join("tree");
    let mut unpack = command(&["dpkg-deb", "--raw-extract"]);
    unpack.arg(package).arg(&tree);
    succeed(unpack);
    let control = tree.join("DEBIAN/control");
    let text = fs::read_to_string(&control).expect("the fields");
    let version = concat!("Version: ", env!("CARGO_PKG_VERSION"), "-1\n");
    assert!(text.contains(version), "{text}");
    let later = text.replace(version, concat!("Version: ", env!("CARGO_PKG_VERSION"), "-2\n"));
    fs::write(control, later).expect("written");
    let mut pack = command(&["dpkg-deb", "--root-owner-group", "--build"]);
    pack.arg(&tree).arg(folder.path().join("newer.deb"));
    succeed(pack);
    folder
}
