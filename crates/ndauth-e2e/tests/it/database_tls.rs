//! TLS between ndauthd and PostgreSQL.

use std::fs;
use std::time::{Duration, Instant};

use ndauth_store::Engine;

use crate::installation::{Ended, Installation, run};
use crate::replicas::Server;
use crate::tls::Authority;

fn ndauthd(at: &Installation, database: &str, arguments: &str) -> Ended {
    let mut command = at.command("NDAUTH_TEST_NDAUTHD");
    command.current_dir(at.home()).env("NDAUTHD_DATABASE", database).args(arguments.split(' '));
    run(command, "")
}

/// Repeats a command until PostgreSQL has applied its new configuration.
fn soon(ask: impl Fn() -> Ended, code: i32) -> Ended {
    let begun = Instant::now();
    loop {
        let ended = ask();
        if ended.code == code {
            return ended;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{ended:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_is_verified_as_its_url_says() {
    let (at, database) = (Installation::new(Engine::Sqlite).await, Server::primary().await);
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    fs::write(at.home().join("ours.pem"), &ours.pem).expect("written");
    fs::write(at.home().join("theirs.pem"), &theirs.pem).expect("written");
    ours.sign(at.home(), "127.0.0.1");
    database.encrypt(at.home(), None).await;
    let url = |parameters: &str| format!("{}?{parameters}", database.url());
    let verified = url("sslmode=verify-full&sslrootcert=ours.pem");
    soon(|| ndauthd(&at, &verified, "admin migrate up"), 0);
    let by_name = verified.replace("127.0.0.1", "localhost");
    for (url, message) in [
        (
            url("sslmode=verify-full&sslrootcert=theirs.pem"),
            "TLS failed: the database's certificate is not signed by a trusted authority",
        ),
        (
            url("sslmode=verify-full"),
            "TLS failed: the database's certificate is not signed by a trusted authority",
        ),
        (by_name, "TLS failed: invalid peer certificate: certificate not valid for name \"localhost\""),
    ] {
        for command in ["serve --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0", "admin account list"] {
            let ended = ndauthd(&at, &url, command);
            assert!(ended.code == 6 && ended.err.contains(message), "{url}: {ended:?}");
            assert!(
                ended.err.contains("hint: check `sslmode` and `sslrootcert` in `--database`"),
                "{url}: {ended:?}"
            );
        }
    }
    // Modes that do not verify the certificate or its name can still connect.
    for parameters in ["sslmode=require", "sslmode=verify-ca&sslrootcert=ours.pem"] {
        assert_eq!(ndauthd(&at, &url(parameters), "admin account list").code, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_may_ask_for_a_certificate() {
    let (at, database) = (Installation::new(Engine::Sqlite).await, Server::primary().await);
    let ours = Authority::new("ours");
    let ca = at.home().join("ca.pem");
    fs::write(&ca, &ours.pem).expect("written");
    ours.sign(at.home(), "127.0.0.1");
    database.encrypt(at.home(), Some(&ca)).await;
    let url = format!("{}?sslmode=verify-full&sslrootcert=ca.pem", database.url());
    let ended = soon(|| ndauthd(&at, &url, "admin migrate up"), 6);
    assert!(ended.err.contains("requires a valid client certificate"), "{ended:?}");
    let shown = format!("{url}&sslcert=cert.pem&sslkey=key.pem");
    assert_eq!(ndauthd(&at, &shown, "admin migrate up").code, 0);
}

#[tokio::test]
async fn the_database_connection_is_shown_and_checked() {
    let at = Installation::new(Engine::Sqlite).await;
    let ours = Authority::new("ours");
    fs::write(at.home().join("ca.pem"), &ours.pem).expect("written");
    fs::write(at.home().join("empty.pem"), "").expect("written");
    ours.sign(at.home(), "127.0.0.1");
    let check = |url: &str| ndauthd(&at, url, "config check");
    for (url, message) in [
        ("postgres://nd@db/nd?sslmode=verify-full&sslrootcert=none.pem", "cannot read `none.pem`"),
        (
            "postgres://nd@db/nd?sslmode=verify-full&sslrootcert=empty.pem",
            "`empty.pem` holds no certificate in PEM",
        ),
        ("postgres://nd@db/nd?sslcert=cert.pem&sslkey=ca.pem", "`ca.pem` holds no private key in PEM"),
        ("postgres://nd@db/nd?sslcert=cert.pem", "`sslcert` and `sslkey` must be given together"),
        (
            "postgres://nd@db/nd?sslmode=yes",
            "`sslmode` must be one of disable, allow, prefer, require, verify-ca",
        ),
        ("postgres://nd@db/nd?sslrootcert=ca.pem", "`sslrootcert` has no effect without"),
        (
            "postgres://nd@db/nd?poolsize=3",
            "there is no parameter `poolsize` in a URL: expected one of sslmode, ",
        ),
    ] {
        for command in ["config check", "serve --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0"] {
            let ended = ndauthd(&at, url, command);
            assert!(ended.code == 2 && ended.err.contains(message), "{url}: {ended:?}");
        }
    }
    for (parameters, host, reached, warned) in [
        ("", "db.example.org", "by TLS if it offers that, with any certificate (sslmode=prefer)", true),
        ("?sslmode=disable", "db.example.org", "in plain text", true),
        ("?sslmode=allow", "10.1.2.3", "in plain text", true),
        ("?sslmode=require", "db.example.org", "by TLS, with any certificate (sslmode=require)", true),
        ("?sslmode=verify-ca", "db", "by TLS, with a certificate for any name (sslmode=verify-ca)", true),
        (
            "?sslmode=verify-full&sslrootcert=ca.pem",
            "db",
            "by TLS, with its certificate verified (sslmode=verify-full)",
            false,
        ),
        ("?sslmode=disable", "127.0.0.1", "in plain text", false),
        ("", "localhost", "by TLS if it offers that, with any certificate (sslmode=prefer)", false),
        ("", "%2Frun%2Fpostgresql", "through a socket of this machine", false),
    ] {
        let ended = check(&format!("postgres://nd:s3cret@{host}/nd{parameters}"));
        // No such database is there.
        assert_eq!(ended.code, 6, "{ended:?}");
        assert!(ended.out.ends_with(&format!("✓ the database is reached {reached}\n")), "{ended:?}");
        let start = format!("warning: the database at `{host}` is reached {reached}: anyone in between");
        assert_eq!(ended.err.starts_with(&start), warned, "{ended:?}");
        assert!(
            warned || ended.err.starts_with("error: cannot open the database `postgres://nd@"),
            "{ended:?}"
        );
    }
    let url = "postgres://nd:s3cret@db/nd?sslmode=verify-full&password=s3cret&sslrootcert=ca.pem";
    let shown = ndauthd(&at, url, "config show -f json").out;
    assert!(shown.contains("postgres://nd@db/nd?sslmode=verify-full&sslrootcert=ca.pem"), "{shown}");
    assert!(!shown.contains("s3cret"), "{shown}");
}

/// A server warns at its start of a connection that its operator should secure.
#[tokio::test]
async fn a_server_warns_of_a_database_that_is_not_verified() {
    let at = Installation::new(Engine::Sqlite).await;
    let serve = "serve --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --log-format json";
    let ended = ndauthd(&at, "postgres://nd@nowhere.invalid/nd", serve);
    assert_eq!(ended.code, 6, "{ended:?}");
    let first: serde_json::Value =
        ended.err.lines().next().and_then(|line| serde_json::from_str(line).ok()).expect("a line of the log");
    let message = first["message"].as_str().expect("a message");
    assert!(
        first["level"] == "WARN" && message.starts_with("the database at `nowhere.invalid` is reached"),
        "{first}"
    );
}
