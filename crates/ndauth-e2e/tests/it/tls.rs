//! TLS between the real binaries, with certificates that change while they serve.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use ndauth_store::Engine;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::installation::{Ended, Installation, Running, run, test_path};

/// A certificate authority.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Authority {
    pub(crate) fn new(name: &str) -> Authority {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("signed");
        Authority { pem: certificate.pem(), issuer: Issuer::new(params, key) }
    }

    /// Signs a certificate for a name, and writes it and its key to a folder.
    pub(crate) fn sign(&self, folder: &Path, name: &str) {
        self.sign_as(folder, name, |_| ());
    }

    /// Signs a certificate that expires this long after now.
    pub(crate) fn sign_for(&self, folder: &Path, time: Duration) {
        let ends = now(folder) + time;
        self.sign_as(folder, "127.0.0.1", |params| params.not_after = ends.into());
    }

    /// Signs a certificate that ended yesterday.
    pub(crate) fn sign_ended(&self, folder: &Path) {
        let ended = now(folder) - DAY;
        self.sign_as(folder, "127.0.0.1", |params| {
            params.not_before = (ended - DAY).into();
            params.not_after = ended.into();
        });
    }

    pub(crate) fn sign_as(&self, folder: &Path, name: &str, change: impl FnOnce(&mut CertificateParams)) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        fs::write(folder.join("cert.pem"), certificate.pem()).expect("written");
        let file = folder.join("key.pem");
        fs::write(&file, key.serialize_pem()).expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("for its owner alone");
    }
}

/// Returns the machine's time, which is the time of a file that was just written.
pub(crate) fn now(folder: &Path) -> SystemTime {
    let file = folder.join("now");
    fs::write(&file, "").expect("written");
    fs::metadata(file).and_then(|file| file.modified()).expect("a time")
}

pub(crate) fn serve(at: &Installation) -> Running {
    let (certificate, key) = (at.home().join("cert.pem"), at.home().join("key.pem"));
    let (certificate, key) = (certificate.to_str().expect("text"), key.to_str().expect("text"));
    at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &["--tls-certificate", certificate, "--tls-key", key])
}

fn whoami(at: &Installation, server: &str, ca: Option<&Path>, secret: &str) -> Ended {
    let mut command = at.command("NDAUTH_TEST_NDCLI");
    command
        .args(["whoami", "-f", "simple", "--timeout", "500ms", "--server", server])
        .env("NDCLI_TOKEN", secret);
    if let Some(ca) = ca {
        command.env("NDCLI_CA_FILE", ca);
    }
    run(command, "")
}

#[tokio::test]
async fn the_credential_is_sent_to_trusted_servers_only() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let session = at.session();
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    ours.sign(at.home(), "127.0.0.1");
    let server = serve(&at);
    let (ca, other) = (at.home().join("ca.pem"), at.home().join("other.pem"));
    fs::write(&ca, &ours.pem).expect("written");
    fs::write(&other, &theirs.pem).expect("written");
    let url = server.url.to_string();
    let ended = whoami(&at, &url, Some(&ca), session.expose());
    assert_eq!((ended.code, ended.out.starts_with("• ada ")), (0, true), "{ended:?}");
    let by_name = url.replace("127.0.0.1", "localhost");
    for (what, server, ca, code, message) in [
        (
            "the system trusts it not",
            url.as_str(),
            None,
            6,
            "its certificate is not signed by a trusted authority",
        ),
        (
            "another authority",
            &url,
            Some(other.as_path()),
            6,
            "its certificate is not signed by a trusted authority",
        ),
        ("another name", &by_name, Some(&ca), 6, "its certificate is for another host name"),
        (
            "plain text",
            &url.replace("https", "http"),
            Some(&ca),
            6,
            "if the server speaks TLS, its address begins with `https://`",
        ),
        (
            "no such file",
            &url,
            Some(Path::new("/nonexistent")),
            2,
            "cannot read the trusted certificates in `/nonexistent`",
        ),
        ("no certificate", &url, Some(&at.home().join("key.pem")), 2, "it holds no certificate in PEM"),
    ] {
        let ended = whoami(&at, server, ca, session.expose());
        assert_eq!((ended.code, ended.out.as_str()), (code, ""), "{what}: {ended:?}");
        assert!(ended.err.contains(message), "{what}: {ended:?}");
        assert!(!ended.err.contains(&session.expose()[12..]), "{what}");
    }
    // TLS to a server that has none.
    let plain = Installation::new(Engine::Sqlite).await;
    let plain = plain.serve();
    let ended = whoami(&at, &plain.url.to_string().replace("http", "https"), Some(&ca), session.expose());
    assert!(ended.code == 6 && ended.err.contains("does not speak TLS"), "{ended:?}");
}

/// An expired certificate is not reported as one of an unknown authority.
#[tokio::test]
async fn an_expired_certificate_is_called_expired() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let session = at.session();
    let ours = Authority::new("ours");
    let ca = at.home().join("ca.pem");
    fs::write(&ca, &ours.pem).expect("written");
    ours.sign_for(at.home(), Duration::from_secs(4));
    let url = serve(&at);
    let deadline = Instant::now() + Duration::from_secs(30);
    let ended = loop {
        let ended = whoami(&at, &url.url.to_string(), Some(&ca), session.expose());
        if ended.code != 0 {
            break ended;
        }
        assert!(Instant::now() < deadline, "{ended:?}");
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(ended.code, 6, "{ended:?}");
    assert!(ended.err.contains("its certificate has expired"), "{ended:?}");
    assert!(ended.err.contains("hint: ask the operator to renew it"), "{ended:?}");
}

/// A client that offers no protocol in the handshake speaks HTTP/1.1 (RFC 9113, section 3.2), as proxies and old libraries do.
#[tokio::test]
async fn without_alpn_pages_are_served() {
    const SCRIPT: &str = "import http.client, ssl, sys\n\
        context = ssl.create_default_context(cafile=sys.argv[2])\n\
        connection = http.client.HTTPSConnection('127.0.0.1', int(sys.argv[1]), context=context)\n\
        connection.request('GET', '/sign-in')\n\
        print(connection.getresponse().status)";
    let at = Installation::new(Engine::Sqlite).await;
    let ours = Authority::new("ours");
    ours.sign(at.home(), "127.0.0.1");
    let server = serve(&at);
    let ca = at.home().join("ca.pem");
    fs::write(&ca, &ours.pem).expect("written");
    let url = server.url.to_string();
    let port = url.trim_end_matches('/').rsplit(':').next().expect("a port").to_owned();
    let mut python = std::process::Command::new(test_path("NDAUTH_TEST_PYTHON"));
    python.args(["-c", SCRIPT, &port]).arg(&ca);
    let ended = run(python, "");
    assert_eq!(ended.out.trim(), "200", "{ended:?}");
}

#[tokio::test]
async fn a_new_certificate_serves_without_a_restart() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let session = at.session();
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    old.sign(at.home(), "127.0.0.1");
    let server = serve(&at);
    let url = server.url.to_string();
    let metric = |name: &str| {
        let (_, text) = server.get("/metrics");
        text.lines().find_map(|line| line.strip_prefix(name).map(str::trim).map(str::to_owned))
    };
    let until = |what: &str, done: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !done() {
            assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    assert!(metric("ndauth_tls_certificate_expiry_timestamp_seconds").is_some());
    let (old_ca, new_ca) = (at.home().join("old.pem"), at.home().join("new.pem"));
    fs::write(&old_ca, &old.pem).expect("written");
    fs::write(&new_ca, &new.pem).expect("written");
    let works = |ca: &Path| whoami(&at, &url, Some(ca), session.expose()).code == 0;
    assert!(works(&old_ca) && !works(&new_ca));

    // At first only one file of the pair is new, as when files are copied one after the other.
    let key = fs::read(at.home().join("key.pem")).expect("read");
    new.sign(at.home(), "127.0.0.1");
    let new_key = fs::read(at.home().join("key.pem")).expect("read");
    fs::write(at.home().join("key.pem"), key).expect("written");
    until("the half is noticed", &|| {
        metric("ndauth_tls_reload_failures_total ").is_some_and(|count| count != "0")
    });
    assert!(works(&old_ca), "what was in force serves on");
    fs::write(at.home().join("key.pem"), new_key).expect("written");
    until("the new one serves", &|| works(&new_ca));
    assert!(!works(&old_ca));
}

#[tokio::test]
async fn unusable_certificates_are_reported_before_serving() {
    let at = Installation::new(Engine::Sqlite).await;
    Authority::new("ours").sign(at.home(), "127.0.0.1");
    fs::write(at.home().join("other-key.pem"), KeyPair::generate().expect("a key").serialize_pem())
        .expect("written");
    fs::write(at.home().join("empty.pem"), "").expect("written");
    for (certificate, key, message) in [
        ("none.pem", "key.pem", "cannot read `none.pem`"),
        ("empty.pem", "key.pem", "`empty.pem` holds no certificate in PEM"),
        ("cert.pem", "cert.pem", "`cert.pem` holds no private key in PEM"),
        (
            "cert.pem",
            "other-key.pem",
            "the certificate in `cert.pem` and the key in `other-key.pem` do not match",
        ),
    ] {
        for command in [
            &["config", "check"] as &[&str],
            &["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"],
        ] {
            let mut ndauthd = at.command("NDAUTH_TEST_NDAUTHD");
            ndauthd.current_dir(at.home()).args(command).args([
                "--tls-certificate",
                certificate,
                "--tls-key",
                key,
            ]);
            let ended = run(ndauthd, "");
            assert_eq!(ended.code, 2, "{ended:?}");
            assert!(ended.err.contains(message) && ended.err.contains("hint: "), "{ended:?}");
        }
    }
}

fn check(at: &Installation) -> Ended {
    let mut ndauthd = at.command("NDAUTH_TEST_NDAUTHD");
    ndauthd.current_dir(at.home()).args(["config", "check"]);
    ndauthd.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    ndauthd.args(["--tls-certificate", "cert.pem", "--tls-key", "key.pem"]);
    run(ndauthd, "")
}

/// systemd passes copies of files that only root may read (systemd.exec(5), `LoadCredential=`).
#[tokio::test]
async fn a_key_that_systemd_passes_is_read_in_place_of_the_file() {
    let at = Installation::new(Engine::Sqlite).await;
    Authority::new("ours").sign(at.home(), "127.0.0.1");
    let passed = at.home().join("credentials");
    fs::create_dir(&passed).expect("made");
    fs::rename(at.home().join("key.pem"), passed.join("key.pem")).expect("moved");
    let check = |credentials: &Path| {
        let mut ndauthd = at.command("NDAUTH_TEST_NDAUTHD");
        ndauthd.current_dir(at.home()).args(["config", "check", "--listen", "127.0.0.1:0"]);
        ndauthd.args(["--admin-listen", "127.0.0.1:0"]);
        ndauthd.args(["--tls-certificate", "cert.pem", "--tls-key", "/etc/credstore/key.pem"]);
        run(
            {
                ndauthd.env("CREDENTIALS_DIRECTORY", credentials);
                ndauthd
            },
            "",
        )
    };
    let (without, with) = (check(at.home()), check(&passed));
    assert!(without.code == 2 && without.err.contains("/etc/credstore/key.pem"), "{without:?}");
    assert_eq!(with.code, 0, "{with:?}");
}

#[tokio::test]
async fn certificates_outside_their_validity_are_not_served() {
    let at = Installation::new(Engine::Sqlite).await;
    let ours = Authority::new("ours");
    let (past, to_come) = (now(at.home()) - DAY, now(at.home()) + DAY);
    for (begins, ends, message) in [
        (past - DAY, past, "error: the certificate in `cert.pem` ended at 20"),
        (to_come, to_come + DAY, "error: the certificate in `cert.pem` begins at 20"),
    ] {
        ours.sign_as(at.home(), "127.0.0.1", |params| {
            params.not_before = begins.into();
            params.not_after = ends.into();
        });
        let mut serve = at.command("NDAUTH_TEST_NDAUTHD");
        serve.current_dir(at.home()).args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "127.0.0.1:0",
        ]);
        serve.args(["--tls-certificate", "cert.pem", "--tls-key", "key.pem"]);
        for ended in [check(&at), run(serve, "")] {
            assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{ended:?}");
            assert!(ended.err.starts_with(message) && ended.err.contains("hint: "), "{ended:?}");
        }
    }
}

#[tokio::test]
async fn a_certificate_that_expires_soon_causes_a_warning() {
    let at = Installation::new(Engine::Sqlite).await;
    let ours = Authority::new("ours");
    ours.sign_for(at.home(), 15 * DAY);
    let ended = check(&at);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{ended:?}");
    ours.sign_for(at.home(), 13 * DAY + DAY / 2);
    let ended = check(&at);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.err.starts_with("warning: the certificate in `cert.pem` ends in 13 d, at 20"), "{ended:?}");

    let server = serve(&at);
    let mut log = server.before.clone();
    let mut until = |text: &str| {
        let begun = Instant::now();
        while !log.contains(text) {
            assert!(begun.elapsed() < Duration::from_secs(30), "{text} is not in {log}");
            log.extend(server.log.recv_timeout(Duration::from_millis(100)));
        }
        log.matches(text).count()
    };
    until("cert.pem` ends in 13 d");
    // The two files are written one after the other, and do not match in between.
    ours.sign_for(at.home(), 2 * DAY + DAY / 2);
    until("cert.pem` ends in 2 d");
    let works = |ca: &Path| {
        let command = whoami(
            &at,
            &server.url.to_string(),
            Some(ca),
            "ndpat_9fefK0k0r4f1UgtpuUsNmC6Fu1W2cqhyY3rNdGb8tg4",
        );
        // The secret is refused, which shows that the server is trusted.
        command.code == 4
    };
    let ca = at.home().join("ca.pem");
    fs::write(&ca, &ours.pem).expect("written");
    ours.sign_as(at.home(), "127.0.0.1", |params| params.not_after = (now(at.home()) - DAY).into());
    until("cannot be used, and the previous one stays in use: the certificate in ");
    until("cert.pem` ended at 20");
    assert!(works(&ca), "the one before serves on");
    // It is looked at twice more, and reported once.
    let looks = || {
        let metrics = server.get("/metrics").1;
        let count = metrics.lines().find_map(|line| line.strip_prefix("ndauth_tls_reload_failures_total "));
        count.map_or(0, |count| count.trim().parse::<u64>().expect("a count"))
    };
    let before = looks();
    let begun = Instant::now();
    while looks() < before + 2 {
        assert!(begun.elapsed() < Duration::from_secs(30), "the certificate is not looked at");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(until("cert.pem` ended at 20"), 1);
}

#[tokio::test]
async fn files_of_secrets_that_others_can_read_are_warned_of() {
    let at = Installation::new(Engine::Sqlite).await;
    Authority::new("ours").sign(at.home(), "127.0.0.1");
    let open = |name: &str, mode: u32| {
        fs::set_permissions(at.home().join(name), fs::Permissions::from_mode(mode)).expect("set");
    };
    fs::write(at.home().join("password"), "s3cret").expect("written");
    fs::write(at.home().join("nd.toml"), "database = \"postgres://nd:s3cret@localhost:1/nd\"")
        .expect("written");
    for mode in [0o600, 0o640, 0o604] {
        for name in ["key.pem", "password", "nd.toml"] {
            open(name, mode);
        }
        for (variables, arguments, files) in [
            (
                &[] as &[(&str, &str)],
                &["--tls-certificate", "cert.pem", "--tls-key", "key.pem"] as &[&str],
                &["key.pem"] as &[&str],
            ),
            (
                &[("NDAUTHD_DATABASE", "postgres://nd@localhost:1/nd")],
                &["--database-password-file", "password"],
                &["password"],
            ),
            (&[("NDAUTHD_DATABASE", "")], &["--config", "nd.toml"], &["nd.toml"]),
            (
                &[("NDAUTHD_DATABASE", "postgres://nd@localhost:1/nd?sslcert=cert.pem&sslkey=key.pem")],
                &["--config", "nd.toml", "--database-password-file", "password"],
                &["key.pem", "nd.toml", "password"],
            ),
        ] {
            let mut command = at.command("NDAUTH_TEST_NDAUTHD");
            command
                .current_dir(at.home())
                .envs(variables.iter().copied())
                .args(["config", "check", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
                .args(arguments);
            let ended = run(command, "");
            let warnings: String = files
                .iter()
                .filter(|_| mode != 0o600)
                .map(|file| {
                    format!(
                        "warning: `{file}` can be opened by others than its owner (mode {mode:04o}): `chmod 600 {file}`\n"
                    )
                })
                .collect();
            let (warned, failed) = ended.err.split_at_checked(warnings.len()).expect("the warnings");
            assert_eq!(warned, warnings, "{mode:o}");
            // No PostgreSQL is there.
            let expected =
                if files == ["key.pem"] { "" } else { "error: cannot open the database `postgres://nd@" };
            assert!(failed.starts_with(expected) && failed.is_empty() == expected.is_empty(), "{ended:?}");
        }
    }
}

/// A credential is only sent to the server that it was stored for, and follows no redirect.
#[tokio::test]
async fn a_login_is_sent_to_its_own_server_only() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let server = at.serve();
    at.log_in(&server);
    let elsewhere = TcpListener::bind("127.0.0.1:0").expect("a port");
    elsewhere.set_nonblocking(true).expect("set");
    let mut command = at.command("NDAUTH_TEST_NDCLI");
    command.args(["whoami", "--server", &format!("http://{}", elsewhere.local_addr().expect("bound"))]);
    let ended = run(command, "");
    assert!(ended.code == 4 && ended.err.contains("there is no credential for the server"), "{ended:?}");
    assert!(elsewhere.accept().is_err(), "nobody called there");

    // A redirect from the server is not followed.
    let leading = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", leading.local_addr().expect("bound"));
    let to = elsewhere.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in leading.incoming().map_while(Result::ok) {
            let mut stream = stream;
            let answer = format!(
                "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{to}/\r\ncontent-length: 0\r\n\r\n"
            );
            let _ = std::io::Write::write_all(&mut stream, answer.as_bytes());
        }
    });
    let session = at.session();
    let ended = whoami(&at, &url, None, session.expose());
    assert_eq!(ended.code, 6, "{ended:?}");
    assert!(elsewhere.accept().is_err(), "nobody called there");
}
