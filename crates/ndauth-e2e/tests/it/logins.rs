//! Logins: people at a real browser, programs with independent libraries, and `ndcli` between them.

mod attacks;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use expect_test::expect;
use ndauth_core::{Reason, Secret};
use ndauth_proto::v1;
use ndauth_store::testing::execute;
use ndauth_store::{Clock, Engine, Store};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::installation::{
    Ended, Installation, KillOnDrop, Running, mode, on_terminal, run, soon, test_path,
};
use crate::on_both;
use crate::requests::token_with;

const PASSWORD: &str = "a walk in the woods";

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logins")
}

/// Returns the script of a person at a browser.
fn person() -> PathBuf {
    scripts().with_file_name("pages").join("login.py")
}

/// A response over HTTP.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// Returns the cookie that the response sets, in the form in which a browser sends it.
    fn cookie(&self) -> String {
        let set = self.header("set-cookie").expect("a cookie is set");
        set.split(';').next().expect("a value").to_owned()
    }
}

/// Sends a request over HTTP/1.1, with a form if there is one.
fn http(server: &Running, ask: &str, cookie: Option<&str>, form: Option<&[(&str, &str)]>) -> Answer {
    http_at(&server.url.to_string(), ask, cookie, form)
}

fn http_at(url: &str, ask: &str, cookie: Option<&str>, form: Option<&[(&str, &str)]>) -> Answer {
    let host = url.strip_prefix("http://").expect("plain");
    let body = form.map(encoded).unwrap_or_default();
    let mut request = format!("{ask} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    if let Some(cookie) = cookie {
        let _ = write!(request, "cookie: {cookie}\r\n");
    }
    if form.is_some() {
        let length = body.len();
        let _ = write!(
            request,
            "content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n"
        );
    }
    let mut stream = TcpStream::connect(host).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit is set");
    write!(stream, "{request}\r\n{body}").expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

fn encoded(form: &[(&str, &str)]) -> String {
    let escape = |text: &str| {
        text.bytes().fold(String::new(), |mut escaped, byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                escaped.push(byte.into());
            } else {
                let _ = write!(escaped, "%{byte:02X}");
            }
            escaped
        })
    };
    let fields: Vec<String> =
        form.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    fields.join("&")
}

/// Returns the code of an invitation that the operator creates for a person.
fn invitation(at: &Installation, handle: &str) -> String {
    let link = at.run_admin(&format!("account invite {handle}"));
    assert!(link.starts_with("http://127.0.0.1:7711/invitation?code="), "{link}");
    link.split_once("code=").expect("a code").1.to_owned()
}

/// Gives a person a password. Returns the cookie of the browser in which they chose it.
fn with_password(at: &Installation, server: &Running, handle: &str) -> String {
    choose_password(server, &invitation(at, handle))
}

/// Gives the person who was invited by a code a password. Returns the cookie of the browser in which they
/// chose it.
pub(crate) fn choose_password(server: &Running, code: &str) -> String {
    let form = [("code", code), ("password", PASSWORD), ("password_again", PASSWORD)];
    let answer = http(server, "POST /invitation", None, Some(&form));
    assert_eq!(answer.status, 303, "{}", answer.body);
    answer.cookie()
}

/// Returns a script that `ndcli` starts as its browser, with Ada in front of it.
pub(crate) fn person_at_a_browser() -> String {
    let (python, script) = (test_path("NDAUTH_TEST_PYTHON"), person());
    let (python, script) = (python.display(), script.display());
    format!("#!/bin/sh\nexec '{python}' -B '{script}' login \"$1\" ada '{PASSWORD}' allow >&2\n")
}

fn sign_in(server: &Running, name: &str, password: &str) -> Answer {
    let form = [("name", name), ("password", password), ("to", "/")];
    http(server, "POST /sign-in", None, Some(&form))
}

/// Returns what a person saw in a browser.
fn browser(words: &[&str]) -> Value {
    let mut command = Command::new(test_path("NDAUTH_TEST_PYTHON"));
    command.arg("-B").arg(person()).args(words);
    let ended = run(command, "");
    assert_eq!(ended.code, 0, "{ended:?}");
    serde_json::from_str(&ended.out).expect("JSON")
}

/// Returns the texts of the pages that were seen, in order.
fn texts(saw: &Value) -> String {
    let pages = saw["pages"].as_array().expect("pages");
    pages.iter().map(|page| page["text"].as_str().expect("a text")).collect::<Vec<_>>().join("\n---\n")
}

/// A running `ndcli` that waits for its person, and the lines that it prints.
struct Waiting {
    child: KillOnDrop,
    lines: std::io::Lines<BufReader<std::process::ChildStderr>>,
}

impl Waiting {
    /// Begins a login.
    fn begin(at: &Installation, server: &Running, more: &[&str]) -> Waiting {
        let mut command = at.command("NDAUTH_TEST_NDCLI");
        command.args(["auth", "login"]).args(more).env("NDCLI_SERVER", server.url.to_string());
        // The browser does nothing: the test acts as the person.
        command.env("BROWSER", "/bin/true").stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = KillOnDrop(command.spawn().expect("it starts"));
        let lines = BufReader::new(child.0.stderr.take().expect("piped")).lines();
        Waiting { child, lines }
    }

    /// Returns the next line that is an address or a code.
    fn next_value(&mut self) -> String {
        let mut said = String::new();
        for line in self.lines.by_ref() {
            let line = line.expect("text");
            if let Some(value) = line.strip_prefix("    ") {
                return value.to_owned();
            }
            said.push_str(&line);
        }
        panic!("it ended: {said}");
    }

    fn ended(mut self) -> Ended {
        let err: String = self.lines.map(|line| line.expect("text") + "\n").collect();
        let mut out = String::new();
        self.child.0.stdout.take().expect("piped").read_to_string(&mut out).expect("text");
        let code = self.child.0.wait().expect("ended").code().unwrap_or(-1);
        Ended { out, err, code }
    }
}

/// Logs in by a code that Ada types into a browser. Its words follow `ndcli auth login`.
pub(crate) fn log_in_by_a_code(at: &Installation, server: &Running, words: &[&str]) {
    let mut ndcli = Waiting::begin(at, server, words);
    let (url, code) = (ndcli.next_value(), ndcli.next_value());
    browser(&["device", &url, &code, "ada", PASSWORD, "allow"]);
    let ended = ndcli.ended();
    assert_eq!(ended.code, 0, "{ended:?}");
}

/// Validates at a service whether a secret may write in `ops`. Returns the reason for a refusal.
async fn refused(server: &Running, service: &Secret, secret: &str) -> Option<Reason> {
    let request = v1::ValidateTokenRequest {
        secret: secret.to_owned(),
        org: "ops".to_owned(),
        required_access: v1::Access::Rw.into(),
        ..Default::default()
    };
    let answer = server.client(service).await.validate_token(request).await.expect("decided");
    match answer.outcome.expect("an outcome") {
        v1::validate_token_response::Outcome::Allowed(_) => None,
        v1::validate_token_response::Outcome::Refused(refused) => {
            Some(ndauth_proto::reason_from_proto(refused.reason).expect("a reason"))
        }
    }
}

fn logged_in(at: &Installation, server: &Running) {
    let mut ndcli = Waiting::begin(at, server, &[]);
    let url = ndcli.next_value();
    browser(&["login", &url, "ada", PASSWORD, "allow"]);
    let ended = ndcli.ended();
    assert_eq!(ended.code, 0, "{ended:?}");
}

on_both! {
    /// From the operator's invitation to a service that refuses the session's token after the logout.
    async fn a_person_logs_in_by_a_browser_and_out_again(at: &Installation) {
        at.people();
        let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &[]);
        let service = at.service();
        let code = invitation(at, "ada");
        let link = format!("{}/invitation?code={code}", server.url);
        // The browser runs no scripts, because the pages have none.
        let saw = browser(&["--no-scripts", "password", &link, PASSWORD]);
        assert!(texts(&saw).contains("Signed in as ada") || texts(&saw).contains("ada"), "{}", texts(&saw));
        let cookie = &saw["cookies"][0];
        assert_eq!(
            cookie.to_string(),
            r#"{"name":"ndauth","http_only":true,"secure":false,"same_site":"Lax","path":"/"}"#
        );

        let mut ndcli = Waiting::begin(at, &server, &[]);
        let url = ndcli.next_value();
        send_stray_requests(&url);
        let saw = browser(&["--no-scripts", "login", &url, "ada", PASSWORD, "allow"]);
        // SEC-29: the page names the requesting program and its address, and does nothing before a click.
        let consent = texts(&saw);
        assert!(consent.contains("ndcli 0.1.0 on ") && consent.contains("127.0.0.1"), "{consent}");
        assert!(consent.contains("You are logged in") && consent.contains("go back to the terminal"), "{consent}");
        let ended = ndcli.ended();
        assert_eq!((ended.code, ended.out.as_str()), (0, format!("✓ Logged in to {} as ada\n", server.url).as_str()), "{ended:?}");
        let credentials = at.home().join(".config/ndcli/credentials.json");
        assert_eq!(mode(&credentials), 0o600);

        let who = at.ndcli(&server, &["whoami", "-f", "simple"]);
        assert!(who.out.starts_with("• ada [session ndses_"), "{who:?}");
        let status = at.ndcli(&server, &["auth", "status", "-f", "json"]);
        let status: Value = serde_json::from_str(&status.out).expect("JSON");
        assert_eq!(status["kept_in"], "file", "{status}");
        let sessions = at.ndcli(&server, &["auth", "sessions", "list", "-f", "json"]);
        let sessions: Value = serde_json::from_str(&sessions.out).expect("JSON");
        let rows = sessions["sessions"].as_array().expect("sessions");
        assert_eq!(rows.iter().filter(|row| row["current"] == true).count(), 1, "{sessions}");
        assert!(rows.iter().any(|row| row["device"].as_str().is_some_and(|name| name.contains("Chrome"))), "{sessions}");

        let printed = at.ndcli(&server, &["auth", "print-access-token"]);
        let derived = printed.out.trim_end();
        assert!(printed.code == 0 && derived.starts_with("ndacc_"), "{printed:?}");
        assert_eq!(refused(&server, &service, derived).await, None);
        let narrow = at.ndcli(&server, &["auth", "print-access-token", "--org", "ops", "--scope", "ro"]);
        assert_eq!(refused(&server, &service, narrow.out.trim_end()).await, Some(Reason::ScopeTooNarrow));
        let elsewhere = at.ndcli(&server, &["auth", "print-access-token", "--org", "elsewhere"]);
        assert!(elsewhere.code != 0 && elsewhere.out.is_empty(), "{elsewhere:?}");

        let out = at.ndcli(&server, &["auth", "logout"]);
        assert_eq!(out.code, 0, "{out:?}");
        soon(&Some(Reason::TokenRevoked), async || refused(&server, &service, derived).await).await;
        let gone = at.ndcli(&server, &["whoami"]);
        assert_eq!(gone.code, 4, "{gone:?}");
    }

    async fn a_device_logs_in_by_a_code_and_logout_everywhere_ends_all_sessions(at: &Installation) {
        at.people();
        let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &[]);
        let cookie = with_password(at, &server, "ada");
        let mut ndcli = Waiting::begin(at, &server, &["--device"]);
        let (url, code) = (ndcli.next_value(), ndcli.next_value());
        let saw = browser(&["device", &url, &code, "ada", PASSWORD, "allow"]);
        let shown = texts(&saw);
        assert!(shown.contains("ndcli 0.1.0 on ") && shown.contains("127.0.0.1"), "{shown}");
        let ended = ndcli.ended();
        assert_eq!(ended.code, 0, "{ended:?}");
        // The session may create tokens, but no endless ones: the person did not authenticate on its machine.
        let make = |name: &str, expiry: &str| {
            at.ndcli(&server, &["auth", "token", "create", "--name", name, "--scope", "ro", "--expiry", expiry])
        };
        assert_eq!(make("ends", "30d").code, 0);
        let endless = make("endless", "never");
        assert!(endless.code == 5 && endless.err.contains("a login within the last 15 minutes"), "{endless:?}");

        let out = at.ndcli(&server, &["auth", "logout", "--everywhere"]);
        assert!(out.code == 0 && out.out.contains("3 login(s) ended"), "{out:?}");
        let home = http(&server, "GET /", Some(&cookie), None);
        assert_eq!((home.status, home.header("location")), (303, Some("/sign-in")), "{}", home.head);
        assert_eq!(at.ndcli(&server, &["whoami"]).code, 4);
    }

    /// Independent clients, and the responses to altered requests.
    async fn independent_clients_log_in_and_altered_requests_fail(at: &Installation) {
        at.people();
        at.run_admin("account create eve --email eve@example.org");
        let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &[]);
        for handle in ["ada", "eve"] {
            with_password(at, &server, handle);
        }
        let issuer = server.url.to_string();
        let owner = server.client(&at.session()).await;
        let read_only = token_with("narrow", |new| new.scope = Some(v1::Scope::Ro.into()));
        let read_only = owner.create_token(read_only).await.expect("made").secret;

        let mut authlib = Command::new(test_path("NDAUTH_TEST_PYTHON"));
        authlib.arg(scripts().join("authlib_client.py")).args([issuer.as_str(), "ada", PASSWORD]);
        let ended = run(authlib, "");
        assert_eq!((ended.code, ended.out.as_str()), (0, "all of it went well\n"), "{ended:?}");

        let folder = at.home().join("openid");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::copy(scripts().join("openid_client.mjs"), folder.join("client.mjs")).expect("copied");
        let packages = test_path("NDAUTH_TEST_LOGIN_NODE_MODULES");
        std::os::unix::fs::symlink(packages, folder.join("node_modules")).expect("linked");
        let mut node = Command::new("node");
        node.arg(folder.join("client.mjs")).args([issuer.as_str(), "ada", PASSWORD, "eve", read_only.as_str()]);
        let ended = run(node, "");
        assert_eq!(ended.code, 0, "{ended:?}");
        expect![[r#"
            no challenge: redirect with invalid_request
            challenge method plain: redirect with invalid_request
            no challenge method: redirect with invalid_request
            no state: redirect with invalid_request
            response_type token: redirect with unsupported_response_type
            redirect to another host: a page with 400, and no redirect
            redirect to another path: a page with 400, and no redirect
            redirect by https: a page with 400, and no redirect
            another client: a page with 400, and no redirect
            a parameter twice: redirect with invalid_request
            the person says no: access_denied
            no verifier: 400 invalid_request
            verifier altered: 400 invalid_grant
            the challenge as its own verifier: 400 invalid_grant
            no redirect at the token endpoint: 400 invalid_request
            code by another client: 401 invalid_client
            a parameter twice at the token endpoint: 400 invalid_request
            parameters in the query of the token endpoint: 400 invalid_request
            redirect altered at the token endpoint: 400 invalid_grant
            code redeemed twice: 400 invalid_grant
            state altered (SEC-31): OAUTH_INVALID_RESPONSE
            issuer altered: OAUTH_INVALID_RESPONSE
            issuer missing: OAUTH_INVALID_RESPONSE
            answer of another's browser, with its state (SEC-31): OAUTH_INVALID_RESPONSE
            code of another's browser, with one's own state (SEC-31): invalid_grant
            decision without the person's cookie: 303 to /sign-in
            decision from another site: 403
            exchange for a scope there is not: 400 invalid_scope
            exchange for more than there is: 400 invalid_scope
            exchange for two scopes: 400 invalid_scope
            exchange for an org one is no member of: 400 invalid_target
            exchange of a read-only token (SEC-03): 400 invalid_grant
            exchange of what refreshes: 400 invalid_grant
            exchange of what was derived: 400 invalid_grant
            a client secret: 401 invalid_client
            another grant type: 400 unsupported_grant_type
            a device that asks too soon: 400 slow_down
            a device that its person denies: 400 access_denied
            a device's code that nobody was given: 400 invalid_grant
            what refreshes, once more while its successor is unused: went through
            what refreshes, once more after its successor was used: invalid_grant
            what refreshes, after it was revoked: invalid_grant
        "#]].assert_eq(&ended.out);
        let checked = at.run_admin("check");
        assert!(checked.contains("no problems found"), "{checked}");
    }

    /// If many processes find an expired session, one refreshes it and all continue.
    async fn one_process_refreshes_for_all(at: &Installation) {
        at.people();
        let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &[]);
        with_password(at, &server, "ada");
        logged_in(at, &server);
        let file = at.home().join(".config/ndcli/credentials.json");
        let read = || -> Value { serde_json::from_str(&std::fs::read_to_string(&file).expect("read")).expect("JSON") };
        let login = |whole: &Value| whole["logins"][server.url.to_string()].clone();
        for round in 0..3 {
            let mut whole = read();
            let before = login(&whole);
            whole["logins"][server.url.to_string()]["access_ends_at"] = Value::from("2026-01-01T00:00:00Z");
            std::fs::write(&file, whole.to_string()).expect("written");
            let children: Vec<_> = (0..8)
                .map(|_| {
                    let mut command = at.command("NDAUTH_TEST_NDCLI");
                    command.args(["whoami", "-f", "simple"]).env("NDCLI_SERVER", server.url.to_string());
                    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
                })
                .collect();
            for child in children {
                let output = child.wait_with_output().expect("it ends");
                assert!(output.status.success(), "{round}: {}", String::from_utf8_lossy(&output.stderr));
            }
            assert_ne!(login(&read())["refresh"], before["refresh"]);
            let sessions = at.ndcli(&server, &["auth", "sessions", "list", "-f", "json"]);
            assert_eq!(sessions.code, 0, "{sessions:?}");
        }
        // A refresh with a stale copy of the stored login ends the session, with a message.
        let stale = read();
        assert_eq!(at.ndcli(&server, &["whoami"]).code, 0);
        let mut whole = stale.clone();
        whole["logins"][server.url.to_string()]["access_ends_at"] = Value::from("2026-01-01T00:00:00Z");
        for _ in 0..2 {
            std::fs::write(&file, whole.to_string()).expect("written");
            at.ndcli(&server, &["whoami"]);
            let mut next = read();
            next["logins"][server.url.to_string()]["access_ends_at"] = Value::from("2026-01-01T00:00:00Z");
            std::fs::write(&file, next.to_string()).expect("written");
            at.ndcli(&server, &["whoami"]);
        }
        std::fs::write(&file, whole.to_string()).expect("written");
        let ended = at.ndcli(&server, &["whoami"]);
        assert!(ended.code == 4 && ended.err.contains("has ended"), "{ended:?}");
    }

    /// A change that requires a recent login sends its person to the browser, and then continues.
    async fn a_command_continues_after_a_recent_login(at: &Installation) {
        at.people();
        let server = at.serve();
        with_password(at, &server, "ada");
        logged_in(at, &server);
        // The login is made older than 15 minutes.
        let store = Store::connect(&at.scratch.url, Clock::Database).await.expect("connected");
        execute(&store, "UPDATE session SET proved_at = 1000000").await;
        store.close().await.expect("closed");
        let line = "ndcli auth token create --name endless --scope ro --expiry never";
        let words: Vec<&str> = line.split(' ').skip(1).collect();
        let refused = at.ndcli(&server, &words);
        assert!(refused.code == 5 && refused.err.contains("hint: log in again: `ndcli auth login`"), "{refused:?}");
        let person = at.home().join("person");
        std::fs::write(&person, person_at_a_browser()).expect("written");
        std::fs::set_permissions(&person, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("made runnable");
        // If the person fails, their output is in the terminal.
        let mut command = on_terminal(at, 100, &format!("timeout --foreground 120 {line}"));
        command.env("NDCLI_SERVER", server.url.to_string()).env("BROWSER", person);
        let ended = run(command, "");
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(ended.out.contains("this needs a recent login") && ended.out.contains("ndpat_"), "{ended:?}");
        // The replaced login has ended: the browser's two remain, and the new one.
        let sessions = at.ndcli(&server, &["auth", "sessions", "list", "-f", "json"]);
        let sessions: Value = serde_json::from_str(&sessions.out).expect("JSON");
        let programs = sessions["sessions"].as_array().expect("sessions").iter();
        assert_eq!(programs.filter(|row| row["browser"] == false).count(), 1, "{sessions}");
    }

    /// SEC-11: a cookie is useless once the operator or its person has ended its session.
    async fn sec_11_a_cookie_ends_with_its_session(at: &Installation) {
        at.people();
        let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &[]);
        let home = |cookie: &str| http(&server, "GET /tokens", Some(cookie), None).status;
        for how in ["account sign-out ada", "account disable ada", "an invitation", "sign-out"] {
            let cookie = with_password(at, &server, "ada");
            assert_eq!(home(&cookie), 200, "{how}");
            match how {
                "an invitation" => drop(with_password(at, &server, "ada")),
                "sign-out" => {
                    assert_eq!(http(&server, "POST /sign-out", Some(&cookie), Some(&[])).status, 303);
                }
                how => drop(at.run_admin(how)),
            }
            assert_eq!(home(&cookie), 303, "{how}");
            at.run_admin("account enable ada");
        }
        let stolen = "ndauth=ndses_9fefK0k0r4f1UgtpuUsNmC6Fu1W2cqhyY3rNdGb8tg4";
        for nonsense in [stolen, "ndauth=", "ndauth=x", "other=1"] {
            assert_eq!(home(nonsense), 303, "{nonsense}");
        }
    }
}

/// SEC-30: other requests to the port while `ndcli` waits there. None of them ends the wait.
fn send_stray_requests(url: &str) {
    let (_, rest) = url.split_once("redirect_uri=http%3A%2F%2F127.0.0.1%3A").expect("a redirect");
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let state = url.split_once("state=").expect("a state").1.split('&').next().expect("a value");
    let address = format!("127.0.0.1:{port}");
    // One connection sends nothing until the end.
    let silent = TcpStream::connect(&address).expect("connected");
    for (ask, host) in [
        ("GET /callback?code=x&state=wrong", address.as_str()),
        ("GET /callback?error=access_denied&state=wrong", address.as_str()),
        ("GET /callback", address.as_str()),
        ("GET /favicon.ico", address.as_str()),
        (&format!("POST /callback?code=x&state={state}"), address.as_str()),
        (&format!("GET /callback?code=x&state={state}"), "evil.example"),
        (&format!("GET /other?code=x&state={state}"), address.as_str()),
    ] {
        let mut stream = TcpStream::connect(&address).expect("connected");
        write!(stream, "{ask} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\n\r\n").expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        assert!(answer.starts_with("HTTP/1.1 4"), "{ask}: {answer}");
    }
    drop(silent);
}

#[tokio::test]
async fn a_login_that_is_given_up_leaves_nothing() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let server = at.serve();
    for more in [&[] as &[&str], &["--device"]] {
        let mut ndcli = Waiting::begin(&at, &server, more);
        ndcli.next_value();
        let pid = i32::try_from(ndcli.child.0.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, Signal::INT).expect("signalled");
        let ended = ndcli.ended();
        assert!(ended.code != 0 && ended.out.is_empty(), "{ended:?}");
        assert_eq!(at.ndcli(&server, &["whoami"]).code, 4);
    }
    let in_ci = at.ndcli_with(&server, &[("CI", "true")], &["auth", "login"], "");
    assert!(in_ci.code == 2 && in_ci.err.contains("NDCLI_TOKEN"), "{in_ci:?}");
}

#[tokio::test]
async fn the_first_operator_gets_a_link_that_no_log_has() {
    let at = Installation::new(Engine::Sqlite).await;
    let server = at.serve();
    let file = ndauth_store_folder(&at).join("first-login");
    assert_eq!(mode(&file), 0o600);
    let link = std::fs::read_to_string(&file).expect("a link");
    let code = link.trim_end().split_once("code=").expect("a code").1.to_owned();
    let form = [("code", code.as_str()), ("password", PASSWORD), ("password_again", PASSWORD)];
    let accepted = http(&server, "POST /invitation", None, Some(&form));
    assert_eq!(accepted.status, 303, "{}", accepted.body);
    let cookie = accepted.cookie();
    assert_eq!(http(&server, "POST /invitation", None, Some(&form)).status, 410, "once");
    let home = http(&server, "GET /tokens", Some(&cookie), None);
    assert!(home.status == 200 && home.body.contains("operator"), "{}", home.body);
    server.signal(Signal::TERM);
    while let Ok(line) = server.log.recv_timeout(Duration::from_secs(10)) {
        let secret = cookie.split_once('=').expect("a value").1;
        for hidden in [&code, PASSWORD, &secret[12..]] {
            assert!(!line.contains(hidden), "{line}");
        }
    }
    drop(server);
    // The link is created only once.
    std::fs::remove_file(&file).expect("removed");
    drop(at.serve());
    assert!(!file.exists());
}

/// Returns the folder of the database.
fn ndauth_store_folder(at: &Installation) -> PathBuf {
    let database = at.database();
    let path = Path::new(database.strip_prefix("sqlite:").expect("SQLite"));
    path.parent().expect("a folder").to_owned()
}

/// SEC-19: an unknown name takes as long as a wrong password. The test compares medians by their ratio only.
#[tokio::test]
async fn sec_19_an_unknown_name_takes_as_long_as_a_wrong_password() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let server = at.serve();
    with_password(&at, &server, "ada");
    let time = |name: &str| {
        let begun = Instant::now();
        assert_eq!(sign_in(&server, name, "wrong").status, 403);
        begun.elapsed()
    };
    // The measurements alternate, so that other load on the machine affects both.
    let times = (0..9).map(|number| (time("ada"), time(&format!("nobody-{number}"))));
    let (mut known, mut unknown): (Vec<Duration>, Vec<Duration>) = times.unzip();
    let median = |times: &mut Vec<Duration>| *times.select_nth_unstable(4).1;
    let (known, unknown) = (median(&mut known), median(&mut unknown));
    let ratio = unknown.as_secs_f64() / known.as_secs_f64();
    assert!((0.5..2.0).contains(&ratio), "{unknown:?} for who is unknown, {known:?} for who is not");
    // All spellings of a name share one count, and this is the tenth wrong password.
    assert_eq!(sign_in(&server, "ADA", "wrong").status, 403);
    let refused = sign_in(&server, " ada", PASSWORD);
    let wait: u64 =
        refused.header("retry-after").and_then(|wait| wait.parse().ok()).expect("how long to wait");
    assert!(refused.status == 429 && (1..=900).contains(&wait), "{}", refused.head);
}

/// SEC-29: text from an attacker's link is shown as text, and leads nowhere else.
#[tokio::test]
async fn sec_29_text_from_links_is_escaped() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let server = at.serve();
    let cookie = with_password(&at, &server, "ada");
    let script = "%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    let asked = format!(
        "/oauth2/authorize?response_type=code&client_id=ndcli&state=s&code_challenge_method=S256\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\
         &redirect_uri=http%3A%2F%2F127.0.0.1%3A4711%2Fcallback&device_name={script}"
    );
    for path in [
        asked.as_str(),
        &format!("/oauth2/authorize?client_id={script}"),
        &format!("/oauth2/authorize?client_id=ndcli&redirect_uri={script}"),
        &format!("/?error_description={script}"),
        &format!("/invitation?code={script}"),
        &format!("/sign-in?to={script}"),
    ] {
        let page = http(&server, &format!("GET {path}"), Some(&cookie), None);
        assert!(!page.body.contains("<script"), "{path}: {}", page.body);
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(
            policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
    }
    for to in ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"] {
        let form = [("name", "ada"), ("password", PASSWORD), ("to", to)];
        let answer = http(&server, "POST /sign-in", None, Some(&form));
        assert_eq!((answer.status, answer.header("location")), (303, Some("/")), "{to}");
    }
}

#[tokio::test]
async fn cookies_are_for_the_host_alone_where_it_is_encrypted() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let command = at.command("NDAUTH_TEST_NDAUTHD");
    let server = at.serve_as(command, &["--public-url", "https://ndauth.example.org"]);
    let code = at.run_admin("account invite ada").split_once("code=").expect("a code").1.to_owned();
    let form = [("code", code.as_str()), ("password", PASSWORD), ("password_again", PASSWORD)];
    let answer = http(&server, "POST /invitation", None, Some(&form));
    let cookie = answer.header("set-cookie").expect("a cookie");
    for part in ["__Host-ndauth=ndses_", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    // Every response has the header, including those for missing pages and for requests that are too large.
    let large = "x".repeat(70_000);
    let large = [("name", large.as_str())];
    for (ask, form, status) in [
        ("GET /sign-in", None, 200),
        ("GET /nowhere", None, 404),
        ("PUT /sign-in", None, 405),
        ("POST /sign-in", Some(&large[..]), 413),
    ] {
        let answer = http(&server, ask, None, form);
        assert_eq!(answer.status, status, "{ask}");
        assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"), "{ask}");
    }
    let metadata = http(&server, "GET /.well-known/oauth-authorization-server", None, None);
    assert!(metadata.body.contains("\"issuer\":\"https://ndauth.example.org\""), "{}", metadata.body);
}

#[tokio::test]
async fn device_logins_can_be_disabled() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &["--no-device-login"]);
    let metadata = http(&server, "GET /.well-known/oauth-authorization-server", None, None);
    assert!(!metadata.body.contains("device"), "{}", metadata.body);
    let form = [("client_id", "ndcli")];
    let refused = http(&server, "POST /oauth2/device_authorization", None, Some(&form));
    assert!(refused.status == 400 && refused.body.contains("unauthorized_client"), "{}", refused.body);
    let ended = at.ndcli(&server, &["auth", "login", "--device"]);
    assert!(ended.code == 1 && ended.err.contains("does not authorize devices by code"), "{ended:?}");
}
