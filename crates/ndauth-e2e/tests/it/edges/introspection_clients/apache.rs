//! Apache with mod_oauth2, by the file that users copy, before an application that shows the request it gets.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use super::{Guarded, STRANGER, call};
use crate::api::{Answered, ask, send_to};
use crate::edges::app::App;
use crate::edges::proxies::proxy::{adapted, servers, shown_line};
use crate::installation::KillOnDrop;
use crate::requests::token_with;

/// The time for which the file lets mod_oauth2 keep an answer, and the server's bound.
const LATEST: Duration = Duration::from_secs(2 + 2);
/// The extra time allowed for a busy machine.
const SLACK: Duration = Duration::from_secs(2);

/// The modules of Apache that the file needs. `a2enmod` of Debian enables most of them at installation.
const MODULES: [&str; 8] =
    ["mpm_event", "authn_core", "authz_core", "authz_user", "headers", "proxy", "proxy_http", "oauth2"];

struct Apache {
    _process: KillOnDrop,
    address: SocketAddr,
    folder: TempDir,
}

impl Apache {
    /// Starts Apache before an application, with the secret of a service.
    fn start(guarded: &Guarded, app: &App, secret: &str) -> Apache {
        Apache::start_to_ask(guarded, app, secret, "&access=RO")
    }

    /// Starts Apache with another question about what a read needs, and waits until it accepts connections.
    fn start_to_ask(guarded: &Guarded, app: &App, secret: &str, reads: &str) -> Apache {
        // Nobody else listens on this address, so the port may be the one in the file.
        let [_, b, c, d] = rand::random::<[u8; 4]>();
        let address = SocketAddr::from((Ipv4Addr::new(127, b | 1, c, d.clamp(1, 254)), 8000));
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::write(path("service.conf"), shown_line("apache.conf").replace("ndsvc_…", secret))
            .expect("written");
        let site = adapted(
            "apache.conf",
            &[
                ("/etc/apache2/ndauth-service.conf", path("service.conf")),
                ("http://127.0.0.1:7711", guarded.url().trim_end_matches('/').to_owned()),
                ("*:8000", address.to_string()),
                ("127.0.0.1:8080", app.address.to_string()),
                ("&access=RO", reads.to_owned()),
            ],
        );
        let modules = MODULES.map(|name| {
            let module = servers().join(format!("usr/lib/apache2/modules/mod_{name}.so"));
            format!("LoadModule {name}_module {}\n", module.display())
        });
        // Debian has these in `apache2.conf`. Apache ignores `User` unless it is started as root.
        let main = format!(
            "ServerRoot {}\nPidFile {}\nErrorLog {}\nServerName x\nUser www-data\nGroup www-data\nListen {address}\n",
            folder.path().display(),
            path("pid"),
            path("log"),
        );
        fs::write(path("apache2.conf"), format!("{main}{}{site}", modules.concat())).expect("written");
        let mut command = Command::new(servers().join("usr/sbin/apache2"));
        let libraries = servers().join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH));
        command.env_clear().env("LD_LIBRARY_PATH", libraries).args(["-X", "-f", &path("apache2.conf")]);
        let mut process = KillOnDrop(command.stdin(Stdio::null()).spawn().expect("Apache starts"));
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = process.0.try_wait().expect("its child");
            let log = || fs::read_to_string(path("log"));
            assert!(ended.is_none() && begun.elapsed() < Duration::from_secs(30), "{ended:?}: {:?}", log());
            std::thread::sleep(Duration::from_millis(10));
        }
        Apache { _process: process, address, folder }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).expect("a log")
    }

    fn call(&self, method: &str, token: &str, more: &str) -> Answered {
        call(self.address, &format!("{method} /assets"), token, more)
    }

    fn status(&self, method: &str, token: &str) -> u16 {
        self.call(method, token, "").status
    }

    /// Waits until a token is refused. Returns the time that it took.
    fn refuses(&self, token: &str) -> Duration {
        let begun = Instant::now();
        while self.status("GET", token) != 401 {
            assert!(begun.elapsed() < LATEST + SLACK, "it is still let through");
            std::thread::sleep(Duration::from_millis(10));
        }
        begun.elapsed()
    }
}

/// Returns the headers that the application got, whose names are spelled like those of an identity.
fn identity(answer: &Answered) -> Vec<(String, String)> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let headers: Vec<(String, String)> =
        serde_json::from_value(answer.json()["headers"].clone()).expect("headers");
    let spelled = headers.into_iter().map(|(name, value)| (name.to_lowercase().replace('_', "-"), value));
    let names = ["x-auth-subject", "x-auth-account", "x-auth-token-id", "x-auth-org"];
    spelled.filter(|(name, _)| names.contains(&name.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apache_asks_about_each_request() {
    let guarded = Guarded::by("apache").await;
    let apache = Apache::start(&guarded, &App::start(), guarded.service.expose());
    let (writer, reader) = (guarded.writer("writer").await, guarded.reader().await);
    let stranger = guarded.stranger().await;
    // An answer that is kept about reading is none about writing.
    for (token, reads, writes) in [(writer.as_str(), 200, 200), (&reader, 200, 401), (&stranger, 401, 401)] {
        for (method, expected) in [
            ("GET", reads),
            ("POST", writes),
            ("HEAD", reads),
            ("DELETE", writes),
            ("OPTIONS", reads),
            ("get", writes),
        ] {
            assert_eq!(apache.status(method, token), expected, "{method} {token}");
        }
    }
    // A near miss is another secret (SEC-17).
    for wrong in [&writer[..48], &format!("{writer}A"), &writer.to_uppercase(), "", STRANGER] {
        let refused = apache.call("GET", wrong, "");
        assert_eq!(refused.status, 401, "{wrong}: {refused:?}");
    }
    // Only `Authorization: Bearer` holds a token (SEC-18), and only one.
    let nowhere = |request: &str, more: &str| {
        let head = format!("{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{more}\r\n");
        send_to(apache.address, head.as_bytes())
    };
    for (request, more) in [
        ("GET /assets", String::new()),
        (&format!("GET /assets?access_token={writer}"), String::new()),
        ("GET /assets", format!("cookie: access_token={writer}\r\n")),
        ("GET /assets", format!("authorization: Basic {writer}\r\n")),
        ("GET /assets", format!("authorization: Bearer {writer}\r\nauthorization: Bearer {reader}\r\n")),
    ] {
        let refused = nowhere(request, &more);
        assert_eq!(refused.status, 401, "{request} {more}: {refused:?}");
        assert!(refused.header("www-authenticate").starts_with("Bearer realm=\"ndauth\""), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apache_tells_the_application_who_calls() {
    let guarded = Guarded::by("apache").await;
    let apache = Apache::start(&guarded, &App::start(), guarded.service.expose());
    let made = guarded.owner.create_token(token_with("writer", |_| {})).await.expect("made");
    let (token, id) = (made.secret, made.token.expect("the token").id);
    let honest = apache.call("POST", &token, "");
    let told = identity(&honest);
    let value = |name: &str| told.iter().find(|(named, _)| named == name).map_or("", |(_, value)| value);
    assert_eq!(
        (told.len(), value("x-auth-account"), value("x-auth-token-id"), value("x-auth-org")),
        (4, "ada", id.as_str(), "ops"),
        "{honest:?}"
    );
    assert!(!value("x-auth-subject").is_empty(), "{honest:?}");
    for hidden in [token.as_str(), "uthorization", "scope", "X-Auth-ndauth"] {
        assert!(!honest.text.contains(hidden), "{hidden}: {honest:?}");
    }
    // A client's own headers change nothing (SEC-28).
    for spoofed in [
        "X-Auth-Subject: eve",
        "x-auth-account: eve",
        "X_Auth_Account: eve",
        "X-Auth_Token-Id: eve",
        "X_AUTH_ORG: eve",
        "X-Auth-sub: eve",
        "X-Auth-username: eve",
        "Connection: X-Auth-Subject, X-Auth-Account, X-Auth-Token-Id, X-Auth-Org",
        "Connection: X-Auth-sub, X-Auth-username, X-Auth-jti",
    ] {
        let answer = apache.call("POST", &token, &format!("{spoofed}\r\n"));
        assert_eq!(identity(&answer), told, "{spoofed}");
        assert!(!answer.text.contains("eve"), "{spoofed}: {answer:?}");
    }
    // A token of an org has no account. It carries a set of grants, so the question needs a permission.
    guarded.at.run_admin("member set ops ada ADMIN");
    let permission = json!({ "resource_type": "assets", "resource_id": "*", "actions": ["read"] });
    let pipeline = json!({
        "name": "pipeline", "scope": "RO", "grants": [permission], "expiry": "30d", "services": "all", "networks": "all",
    });
    let session = guarded.at.session();
    let pipeline = ask(&guarded.server, "POST /v1/orgs/ops/tokens", Some(session.expose()), Some(&pipeline));
    let pipeline = pipeline.json()["secret"].as_str().expect("a secret").to_owned();
    assert_eq!(apache.status("GET", &pipeline), 401);
    let reads = "&access=RO&permission=read:assets";
    let apache = Apache::start_to_ask(&guarded, &App::start(), guarded.service.expose(), reads);
    let answer = apache.call("GET", &pipeline, "X-Auth-username: eve\r\n");
    assert!(identity(&answer).contains(&("x-auth-account".to_owned(), String::new())), "{answer:?}");
}

/// mod_oauth2 cannot tell its client that it could not ask: it answers as for a dead token. No request reaches the
/// application.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apache_lets_nobody_pass_when_it_cannot_ask() {
    let guarded = Guarded::by("apache").await;
    let (writer, other) = (guarded.writer("writer").await, guarded.writer("other").await);
    let app = App::start();
    let misconfigured = Apache::start(&guarded, &app, STRANGER);
    let refused = misconfigured.call("GET", &writer, "");
    assert_eq!(refused.status, 401, "{refused:?}");
    assert!(refused.header("www-authenticate").contains("invalid_token"), "{refused:?}");
    assert_eq!(app.received(), 0);

    let apache = Apache::start(&guarded, &app, guarded.service.expose());
    assert_eq!([&writer, &other].map(|token| apache.status("GET", token)), [200, 200]);
    guarded.revoke("writer").await;
    let took = apache.refuses(&writer);
    println!("a revoked token was refused after {took:?}");
    assert_eq!(apache.status("GET", &other), 200);

    guarded.server.kill();
    let took = apache.refuses(&other);
    println!("without a server, a token was refused after {took:?}");
    let log = apache.log();
    assert!(log.contains("curl_easy_perform() failed"), "{log}");
    assert!(![&writer, &other].iter().any(|token| log.contains(token.as_str())), "{log}");
}
