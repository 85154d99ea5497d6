//! OAuth resource servers that ask by introspection: Apache's mod_oauth2, authlib and openid-client.

mod apache;

use std::io::{BufRead, BufReader, Write};
use std::net::ToSocketAddrs;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use ndauth_client::Client;
use ndauth_core::Secret;
use ndauth_proto::v1;
use ndauth_store::Engine;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::api::{Answered, send, send_to};
use crate::documents::{Page, read};
use crate::installation::{Installation, KillOnDrop, Running, soon, test_path};
use crate::requests::{revoke, token_with};

/// The name of the service that asks.
const SERVICE: &str = "assets";
/// A secret of no service.
const STRANGER: &str = "ndsvc_9fefK0k0r4f1UgtpuUsNmC6Fu1W2cqhyY3rNdGb8tg4";

/// A server, a service that asks it, and the owner of the tokens in question, who is `RW` in `ops` and `RO` in
/// `dev`.
struct Guarded {
    at: Installation,
    server: Running,
    owner: Client,
    service: Secret,
}

impl Guarded {
    async fn by(service: &str) -> Guarded {
        let at = Installation::new(Engine::Sqlite).await;
        at.people();
        let service = at.run_admin(&format!("service create {service}")).parse().expect("a secret alone");
        let server = at.serve();
        let owner = server.client(&at.session()).await;
        Guarded { at, server, owner, service }
    }

    fn url(&self) -> String {
        self.server.url.to_string()
    }

    async fn create(&self, request: v1::CreateTokenRequest) -> String {
        self.owner.create_token(request).await.expect("made").secret
    }

    /// Creates a token that may do in `ops` all that its owner may.
    async fn writer(&self, name: &str) -> String {
        self.create(token_with(name, |_| {})).await
    }

    async fn reader(&self) -> String {
        self.create(token_with("reader", |new| new.scope = Some(v1::Scope::Ro.into()))).await
    }

    /// Creates a token that may do nothing in `ops`.
    async fn stranger(&self) -> String {
        let dev = v1::orgs::Kind::Only(v1::OrgSet { slugs: vec!["dev".to_owned()] });
        self.create(token_with("stranger", |new| new.orgs = Some(v1::Orgs { kind: Some(dev) }))).await
    }

    async fn revoke(&self, name: &str) {
        self.owner.revoke_token(revoke(name)).await.expect("revoked");
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/edges")
}

/// Sends a request with a token and more header lines to an application.
fn call(address: impl ToSocketAddrs, request: &str, token: &str, more: &str) -> Answered {
    let head = format!("{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n");
    send_to(address, format!("{head}authorization: Bearer {token}\r\n{more}\r\n").as_bytes())
}

/// A process that is killed with this, and its pipes.
struct Piped {
    _child: KillOnDrop,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Piped {
    fn start(mut command: Command) -> Piped {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut child = KillOnDrop(child);
        let input = child.0.stdin.take().expect("piped");
        let output = BufReader::new(child.0.stdout.take().expect("piped"));
        Piped { _child: child, input, output }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }
}

/// Starts the resource server over Flask and authlib. Returns it and its address.
fn flask(guarded: &Guarded, secret: &str) -> (Piped, String) {
    let mut command = Command::new(test_path("NDAUTH_TEST_PYTHON"));
    command.arg(scripts().join("authlib_resource_server.py")).args([&guarded.url(), SERVICE]);
    command.env("ASSETS_NDAUTH_SECRET", secret);
    let mut server = Piped::start(command);
    let address = server.line();
    (server, address)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn authlib_asks_about_each_request() {
    let guarded = Guarded::by(SERVICE).await;
    let (writer, reader) = (guarded.writer("writer").await, guarded.reader().await);
    let stranger = guarded.stranger().await;
    let (_server, address) = flask(&guarded, guarded.service.expose());
    let ask = |request: &str, token: &str| call(&address, request, token, "");

    // Without an org, every secret that lives is active. It is no verdict.
    for token in [&writer, &reader, &stranger] {
        let alive = ask("GET /me", token);
        assert_eq!(alive.status, 200, "{alive:?}");
        assert_eq!(alive.json()["ndauth"]["allowed"]["effective"], Value::Null, "{alive:?}");
    }
    for (token, reads, writes) in [(&writer, 200, 200), (&reader, 200, 401), (&stranger, 401, 401)] {
        let statuses =
            ["GET /orgs/ops/assets", "POST /orgs/ops/assets"].map(|request| ask(request, token).status);
        assert_eq!(statuses, [reads, writes], "{token}");
    }
    let allowed = ask("POST /orgs/ops/assets", &writer).json();
    assert_eq!((&allowed["username"], &allowed["aud"]), (&json!("ada"), &json!(SERVICE)), "{allowed}");
    assert_eq!(allowed["ndauth"]["allowed"]["effective"]["org_slug"], "ops", "{allowed}");
    // It never ends.
    assert_eq!(allowed.get("exp"), None, "{allowed}");
    assert_eq!(ask("GET /orgs/ops/assets", &writer[..48]).status, 401);

    guarded.revoke("writer").await;
    soon(&401, async || ask("GET /me", &writer).status).await;
    soon(&401, async || ask("GET /orgs/ops/assets", &writer).status).await;

    // The service's own secret says nothing of the token.
    let (_server, misconfigured) = flask(&guarded, STRANGER);
    for request in ["GET /me", "GET /orgs/ops/assets"] {
        let undecided = call(&misconfigured, request, &reader, "");
        assert_eq!((undecided.status, undecided.header("retry-after")), (503, "1"), "{undecided:?}");
    }
    let undecided = || {
        let undecided = ask("GET /orgs/ops/assets", &reader);
        assert_eq!((undecided.status, undecided.header("retry-after")), (503, "1"), "{undecided:?}");
    };
    guarded.server.signal(Signal::STOP);
    undecided();
    guarded.server.signal(Signal::CONT);
    soon(&200, async || ask("GET /orgs/ops/assets", &reader).status).await;
    guarded.server.kill();
    undecided();
}

/// Starts the script over openid-client.
fn openid_client(guarded: &Guarded, folder: &str, secret: &str) -> Piped {
    let folder = guarded.at.home().join(folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::copy(scripts().join("openid_client.mjs"), folder.join("client.mjs")).expect("copied");
    let packages = test_path("NDAUTH_TEST_LOGIN_NODE_MODULES");
    std::os::unix::fs::symlink(packages, folder.join("node_modules")).expect("linked");
    let mut command = Command::new("node");
    command.arg(folder.join("client.mjs")).args([&guarded.url(), SERVICE]);
    command.env("ASSETS_NDAUTH_SECRET", secret);
    Piped::start(command)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openid_client_asks_as_it_is_told() {
    let guarded = Guarded::by(SERVICE).await;
    let (writer, reader) = (guarded.writer("writer").await, guarded.reader().await);
    let stranger = guarded.stranger().await;
    let mut client = openid_client(&guarded, "client", guarded.service.expose());
    let mut ask = |token: &str, parameters: &Value, method: Option<&str>| -> Value {
        let mut question = json!({ "token": token, "parameters": parameters });
        if let Some(method) = method {
            question["method"] = method.into();
        }
        writeln!(client.input, "{question}").expect("asked");
        let line = client.line();
        serde_json::from_str(&line).unwrap_or_else(|why| panic!("{why}: {line}"))
    };
    let (alive, reads, writes) =
        (json!({}), json!({ "org": "ops", "access": "RO" }), json!({ "org": "ops" }));
    for method in ["ClientSecretBasic", "Bearer"].map(Some) {
        for (token, expected) in [
            (writer.as_str(), [true, true, true]),
            (&reader, [true, true, false]),
            (&stranger, [true, false, false]),
            (&writer[..48], [false, false, false]),
        ] {
            let active =
                [&alive, &reads, &writes].map(|question| ask(token, question, method)["active"].clone());
            assert_eq!(active, expected.map(Value::from), "{token}, {method:?}");
        }
    }
    let basic = Some("ClientSecretBasic");
    assert_eq!(ask(&stranger, &writes, basic), json!({ "active": false }));
    // Unless told, it sends its secret in the form.
    let unnamed = ask(&writer, &writes, None);
    assert_eq!(unnamed["thrown"]["status"], 401, "{unnamed}");
    assert_eq!(unnamed["thrown"]["code"], "OAUTH_WWW_AUTHENTICATE_CHALLENGE", "{unnamed}");
    let misspelt = ask(&writer, &json!({ "orgs": "ops" }), basic);
    assert_eq!(misspelt["thrown"]["error"], "invalid_request", "{misspelt}");

    guarded.revoke("writer").await;
    let dead = json!({ "active": false });
    for question in [&alive, &writes] {
        // Each answer is the server's: the library keeps none.
        let mut last = Value::Null;
        for _ in 0..400 {
            last = ask(&writer, question, basic);
            if last == dead {
                break;
            }
        }
        assert_eq!(last, dead);
    }

    let mut misconfigured = openid_client(&guarded, "misconfigured", STRANGER);
    writeln!(misconfigured.input, "{}", json!({ "token": reader, "method": "ClientSecretBasic" }))
        .expect("asked");
    let refused: Value = serde_json::from_str(&misconfigured.line()).expect("JSON");
    assert_eq!(refused["thrown"]["code"], "OAUTH_WWW_AUTHENTICATE_CHALLENGE", "{refused}");
    guarded.server.kill();
    let undecided = ask(&reader, &reads, basic);
    assert_eq!(undecided["thrown"]["cause"], "ECONNREFUSED", "{undecided}");
}

/// A resource server whose form is fixed states what is needed in its URL, and nothing twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_url_of_a_resource_server_states_what_is_needed() {
    let guarded = Guarded::by(SERVICE).await;
    let reader = guarded.reader().await;
    let ask = |query: &str, form: &str| {
        let body = format!("token={reader}{form}");
        let head = format!(
            "POST /oauth2/introspect{query} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            guarded.service.expose(),
            body.len(),
        );
        send(&guarded.server, head.as_bytes())
    };
    for (query, form, active) in [
        ("", "", true),
        ("?", "", true),
        ("?org=ops", "", false),
        ("?org=ops&access=RO", "", true),
        ("?org=ops", "&access=RO", true),
        ("?access=RO", "&org=ops", true),
        ("?org=ops&access=RO&permission=write:assets", "", false),
        ("?org=ops&access=RO&permission=read:assets", "", true),
    ] {
        let answer = ask(query, form);
        assert_eq!(
            (answer.status, &answer.json()["active"]),
            (200, &active.into()),
            "{query} {form}: {answer:?}"
        );
    }
    for (query, form) in [
        ("?org=ops", "&org=ops"),
        ("?org=ops&org=dev", ""),
        ("?org=", ""),
        ("?orgs=ops", ""),
        ("?access=RO", ""),
        ("?org=ops&access=method", ""),
        ("?org=ops&client_address=127.0.0.1", ""),
        (&format!("?token={reader}"), ""),
    ] {
        let refused = ask(query, form);
        assert_eq!(
            (refused.status, &refused.json()["error"]),
            (400, &"invalid_request".into()),
            "{query} {form}"
        );
        assert!(!refused.text.contains(&reader), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn introspection_is_as_it_is_shown() {
    const PAGE: &str = "docs/introspection.md";
    let mut page = Page::open(PAGE).await;
    page.at.people();
    page.serve(&[]);
    let owner = page.server().client(&page.at.session()).await;
    let token = owner.create_token(token_with("ci", |_| {})).await.expect("made").secret;
    std::fs::write(page.at.home().join("token"), token).expect("written");
    page.replace("https://ndauth.example.org", page.server().url.to_string());
    page.replace("curl ", "curl --silent ");
    let mut play = || {
        let lines = page.lines();
        page.type_in(&lines.join("\n"))
    };
    play();
    // The terminal shows the answers that were typed ahead, too.
    let json = |shown: &str| -> Value {
        let document = shown.find('{').and_then(|begin| shown.get(begin..=shown.rfind('}')?));
        let parsed = serde_json::from_str(document.unwrap_or_default());
        parsed.unwrap_or_else(|why| panic!("{why}: {shown}"))
    };
    let allowed = json(&play());
    assert_eq!(allowed["ndauth"]["allowed"]["effective"]["access"], "RW", "{allowed}");
    let text = read(PAGE);
    for member in allowed.as_object().expect("members").keys() {
        assert!(
            text.contains(&format!("`{member}`")) && text.contains(&format!("\"{member}\":")),
            "{member}"
        );
    }
    assert_eq!(json(&play()), json!({ "active": false }));
    let alive = json(&play());
    assert_eq!(
        (&alive["active"], &alive["ndauth"]["allowed"]["effective"]),
        (&true.into(), &Value::Null),
        "{alive}"
    );
    let by_the_url = json(&play());
    assert_eq!(by_the_url["ndauth"]["allowed"]["effective"]["org_slug"], "ops", "{by_the_url}");
    let metadata = json(&play());
    assert_eq!(
        metadata["introspection_endpoint_auth_methods_supported"],
        json!(["client_secret_basic", "Bearer"])
    );
    page.close();
}
