//! nginx, Caddy and Envoy, each before an app, with the files of `docs/integrations`.

pub(super) mod proxy;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use ndauth_client::Client;
use ndauth_core::Secret;
use ndauth_store::Engine;
use rustix::process::Signal;
use serde_json::{Value, json};

use self::proxy::{KINDS, Kind, Proxy};
use super::app::{App, BEGUN, ENDED};
use crate::api::{self, Answered, new_token, send_to};
use crate::documents::read;
use crate::installation::{Installation, Running, soon};
use crate::requests::revoke;

/// Real proxies that ask one server about the requests to one app.
struct Edge {
    at: Installation,
    server: Running,
    session: Secret,
    owner: Client,
    app: App,
    proxies: Vec<Proxy>,
}

/// The identity headers that an app receives, in the order of their names. Those that are empty may be absent.
type Identity = BTreeMap<String, String>;

impl Edge {
    async fn start() -> Edge {
        Edge::start_asking(None).await
    }

    /// Starts proxies that also ask for a permission.
    async fn start_asking(permission: Option<&str>) -> Edge {
        let at = Installation::new(Engine::Sqlite).await;
        at.people();
        at.run_admin("member set ops ada ADMIN");
        let server = at.serve();
        let session = at.session();
        let owner = server.client(&session).await;
        let app = App::start();
        let url = server.url.to_string();
        let ndauthd = url.trim_start_matches("http://").trim_end_matches('/');
        let proxies = KINDS.map(|kind| {
            let create = format!("service create {} --org ops --states-client-address", kind.service());
            let secret = at.run_admin(&create).parse().expect("a secret");
            Proxy::start(kind, ndauthd, app.address, permission, &secret)
        });
        Edge { at, server, session, owner, app, proxies: proxies.into() }
    }

    /// Creates a token of ada's. Returns its secret.
    fn token(&self, name: &str, changes: &Value) -> String {
        let mut token = new_token(name);
        for (field, value) in changes.as_object().expect("an object") {
            token[field] = value.clone();
        }
        api::create(&self.server, self.session.expose(), &token)
    }

    /// Creates a token of the org `ops` that may read these assets. Returns its secret.
    fn org_token(&self, name: &str, assets: &str) -> String {
        let grant = json!({"resource_type": "assets", "resource_id": assets, "actions": ["read"]});
        let token = json!({
            "name": name, "scope": "RO", "grants": [grant], "expiry": "30d", "services": "all", "networks": "all",
        });
        let made =
            api::ask(&self.server, "POST /v1/orgs/ops/tokens", Some(self.session.expose()), Some(&token));
        assert_eq!(made.status, 200, "{made:?}");
        made.json()["secret"].as_str().expect("a secret").to_owned()
    }

    /// Sends a request that a proxy must not pass on. Returns the response.
    fn refused(&self, proxy: &Proxy, request: &str, headers: &[&str], body: &[u8]) -> Answered {
        let before = self.app.received();
        let answered = ask(proxy, request, headers, body);
        assert_eq!(self.app.received(), before, "{:?}: {request} {headers:?} reached the app", proxy.kind);
        answered
    }
}

/// Sends a request with a body through a proxy. Returns the response.
fn ask(proxy: &Proxy, request: &str, headers: &[&str], body: &[u8]) -> Answered {
    let mut head = format!("{request} HTTP/1.1\r\nhost: app.example.org\r\n");
    for header in headers {
        head += &format!("{header}\r\n");
    }
    if !headers.iter().any(|header| header.to_lowercase().starts_with("connection:")) {
        head += "connection: close\r\n";
    }
    if !body.is_empty() || !request.starts_with("GET") {
        head += &format!("content-length: {}\r\n", body.len());
    }
    send_to(proxy.address, &[format!("{head}\r\n").as_bytes(), body].concat())
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}")
}

/// Returns the headers of the request that the app received.
fn received(answered: &Answered) -> Vec<(String, String)> {
    assert_eq!(answered.status, 200, "{answered:?}");
    serde_json::from_value(answered.json()["headers"].clone()).expect("headers")
}

/// Returns the names of the headers that the app received, in lower case.
fn names(answered: &Answered) -> BTreeSet<String> {
    received(answered).into_iter().map(|(name, _)| name.to_lowercase()).collect()
}

/// Returns the identity that the app received. A header that an app could take for one of its headers counts too.
fn identity(answered: &Answered) -> Identity {
    let mut identity = Identity::new();
    for (name, value) in received(answered) {
        let name = name.to_lowercase().replace('_', "-");
        if name.starts_with("x-auth-") && !value.is_empty() {
            let before = identity.insert(name, value);
            assert_eq!(before, None, "it came twice: {answered:?}");
        }
    }
    identity
}

/// Returns the identity of a token by its name.
async fn identity_of(edge: &Edge, name: &str, access: &str) -> Identity {
    let me = edge.owner.who_am_i().await.expect("known");
    let tokens = api::ask(&edge.server, "GET /v1/tokens", Some(edge.session.expose()), None).json();
    let tokens = tokens["tokens"].as_array().expect("tokens").clone();
    let token = tokens.iter().find(|token| token["name"] == name).expect("it is listed");
    let id = token["id"].as_str().expect("an id");
    [
        ("x-auth-token-id", id),
        ("x-auth-token-name", name),
        ("x-auth-subject", &me.account.expect("an account").id),
        ("x-auth-account", "ada"),
        ("x-auth-org", "ops"),
        ("x-auth-access", access),
        ("x-auth-role", "ADMIN"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_permitted_requests_reach_the_app() {
    let edge = Edge::start().await;
    let (writer, reader) = (edge.token("writer", &json!({})), edge.token("reader", &json!({"scope": "RO"})));
    let elsewhere = edge.token("elsewhere", &json!({"orgs": ["dev"]}));
    let (near, far) = (
        edge.token("near", &json!({"networks": ["127.0.0.0/8"]})),
        edge.token("far", &json!({"networks": ["203.0.113.0/24"]})),
    );
    let team = edge.org_token("team", "*");
    let (writes, reads) =
        (identity_of(&edge, "writer", "RW").await, identity_of(&edge, "reader", "RO").await);
    for proxy in &edge.proxies {
        let kind = proxy.kind;
        for (request, token, expected) in [
            ("GET /x", &writer, &writes),
            ("POST /x", &writer, &writes),
            ("DELETE /x", &writer, &writes),
            ("GET /x", &reader, &reads),
            ("OPTIONS /x", &reader, &reads),
        ] {
            let answered = ask(proxy, request, &[&bearer(token)], b"");
            assert_eq!(identity(&answered), *expected, "{kind:?} {request}");
            // The app learns neither the token nor the proxy's own secret.
            assert!(
                !answered.text.contains("ndpat_") && !answered.text.contains("ndsvc_"),
                "{kind:?}: {answered:?}"
            );
        }
        assert_eq!(ask(proxy, "HEAD /x", &[&bearer(&reader)], b"").status, 200, "{kind:?}");
        assert_eq!(ask(proxy, "GET /x", &[&bearer(&near)], b"").status, 200, "{kind:?}");

        for (request, token, status, challenge) in [
            ("GET /x", None, 401, r#"Bearer realm="ndauth""#),
            ("GET /x", Some("junk"), 401, r#"Bearer realm="ndauth", error="invalid_token""#),
            ("POST /x", Some(&*reader), 403, r#"error="insufficient_scope""#),
            ("PUT /x", Some(&*reader), 403, r#"scope="RW""#),
            ("PURGE /x", Some(&*reader), 403, r#"error="insufficient_scope""#),
            ("GET /x", Some(&*elsewhere), 403, r#"error="insufficient_scope""#),
            ("GET /x", Some(&*far), 403, r#"error="insufficient_scope""#),
            // A token with grants is refused by a question that names no permission.
            ("GET /x", Some(&*team), 403, r#"error="insufficient_scope""#),
        ] {
            let token = token.map(bearer);
            let refused = edge.refused(proxy, request, token.as_deref().as_slice(), b"");
            assert_eq!(refused.status, status, "{kind:?} {request}: {refused:?}");
            assert_eq!(refused.headers("www-authenticate").len(), 1, "{kind:?} {request}: {refused:?}");
            assert!(
                refused.header("www-authenticate").contains(challenge),
                "{kind:?} {request}: {refused:?}"
            );
        }
    }
    edge.owner.revoke_token(revoke("writer")).await.expect("revoked");
    for proxy in &edge.proxies {
        soon(&401, async || ask(proxy, "GET /x", &[&bearer(&writer)], b"").status).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_with_grants_needs_a_question_with_a_permission() {
    let edge = Edge::start_asking(Some("read:assets")).await;
    let (team, other) = (edge.org_token("team", "*"), edge.org_token("other", "logo"));
    for proxy in &edge.proxies {
        let kind = proxy.kind;
        let identity = identity(&ask(proxy, "GET /x", &[&bearer(&team), "X-Auth-Account: ada"], b""));
        assert_eq!(identity["x-auth-token-name"], "team", "{kind:?}");
        assert_eq!(identity.get("x-auth-account"), None, "{kind:?}: an org's token has no account");
        let refused = edge.refused(proxy, "GET /x", &[&bearer(&other)], b"");
        assert_eq!(refused.status, 403, "{kind:?}: {refused:?}");
        assert!(
            refused.header("www-authenticate").contains(r#"scope="read:assets""#),
            "{kind:?}: {refused:?}"
        );
    }
}

/// SEC-28: nothing that a client sends names another identity, method or address. SEC-18: a token counts only in the
/// header `Authorization`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_forge_nothing() {
    let edge = Edge::start().await;
    let (writer, reader) = (edge.token("writer", &json!({})), edge.token("reader", &json!({"scope": "RO"})));
    let far = edge.token("far", &json!({"networks": ["203.0.113.0/24"]}));
    let (writer, reader, far) = (bearer(&writer), bearer(&reader), bearer(&far));
    let writes = identity_of(&edge, "writer", "RW").await;
    let forged = [
        "X-Auth-Token-Id: forged",
        "X-Auth-Token-Name: forged",
        "X-Auth-Subject: forged",
        "X-Auth-Account: forged",
        "X-Auth-Org: forged",
        "X-Auth-Org: forged-again",
        "X-Auth-Access: forged",
        "X-Auth-Role: forged",
        "x_auth_org: forged",
        "X_Auth_Account: forged",
        "X-Auth_Role: forged",
        "X_Auth-Token_Id: forged",
        "X-Ndauth-Service: forged",
        "X-Ndauth-Service: forged-again",
        "X_Ndauth_Service: forged",
        "X-Forwarded-Method: GET",
        "X-Forwarded-Method: GET",
        "X_Forwarded_Method: GET",
        "X-HTTP-Method-Override: GET",
        "X-Forwarded-For: 203.0.113.9",
        "X-Forwarded-Uri: /edge/verify?org=dev&access=RO",
        "X-Original-URI: /edge/verify?org=dev&access=RO",
        "X-Original-Method: GET",
        "X-Forwarded-Host: forged",
        "Forwarded: for=203.0.113.9",
        "X-Real-IP: 203.0.113.9",
        "X-Envoy-External-Address: 203.0.113.9",
        "X-Envoy-Original-Path: /y",
    ];
    let with = |token| [&[token], forged.as_slice()].concat();
    for proxy in &edge.proxies {
        let kind = proxy.kind;
        // nginx reads what precedes `Host` by the rules of the port's default server. `_` names the one in question.
        let end = "host: _\r\nconnection: close\r\ncontent-length: 0";
        let early = format!("POST /x HTTP/1.1\r\n{}\r\n{end}\r\n\r\n", with(&writer).join("\r\n"));
        let early = send_to(proxy.address, early.as_bytes());
        assert_eq!(identity(&early), writes, "{kind:?}: before the host");
        let answered = ask(proxy, "POST /x", &with(writer.as_str()), b"");
        assert_eq!(identity(&answered), writes, "{kind:?}");
        let addresses: Vec<_> = received(&answered)
            .into_iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("x-forwarded-for"))
            .collect();
        assert!(addresses.len() == 1 && addresses[0].1 == "127.0.0.1", "{kind:?}: {addresses:?}");

        for (request, token) in [("POST /x", &reader), ("GET /x", &far)] {
            assert_eq!(edge.refused(proxy, request, &with(token), b"").status, 403, "{kind:?} {request}");
        }

        // The headers that a client names in `Connection` are those of one hop. None of ours is.
        for named in ["X-Auth-Org", "X-Auth-Role, X-Auth-Access", "X-Ndauth-Service", "X-Forwarded-Method"] {
            let connection = format!("Connection: {named}, close");
            let answered = ask(proxy, "POST /x", &[&writer, &connection, "X-Auth-Org: forged"], b"");
            assert_eq!(identity(&answered), writes, "{kind:?} {connection}");
            // An app may drop what `Connection` names, too.
            assert!(!names(&answered).contains("connection"), "{kind:?} {connection}: {answered:?}");
            let refused = edge.refused(proxy, "POST /x", &[&reader, &connection], b"");
            assert_eq!(refused.status, 403, "{kind:?} {connection}");
        }
        let unnamed = "Connection: X-Forwarded-For, close";
        let unnamed = edge.refused(proxy, "GET /x", &[&far, unnamed, "X-Forwarded-For: 203.0.113.9"], b"");
        assert_eq!(unnamed.status, if kind == Kind::Envoy { 400 } else { 403 }, "{kind:?}: {unnamed:?}");
        let socket = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
        let socket = ask(proxy, "GET /x", &[&[&*writer], socket.as_slice()].concat(), b"");
        match kind {
            Kind::Envoy => assert_eq!(socket.status, 403, "{socket:?}"),
            _ => assert!(
                identity(&socket) == writes && !names(&socket).contains("connection"),
                "{kind:?}: {socket:?}"
            ),
        }
        let hidden = ask(proxy, "GET /x", &[&writer, "Connection: Authorization, close"], b"");
        match kind {
            Kind::Envoy => assert_eq!(hidden.status, 401, "{hidden:?}"),
            _ => assert!(
                identity(&hidden) == writes && !hidden.text.contains("ndpat_"),
                "{kind:?}: {hidden:?}"
            ),
        }

        let (comma, status) =
            (writer.replace("Bearer ", "Bearer x, Bearer "), if kind == Kind::Envoy { 401 } else { 400 });
        for other in [&reader, &writer, &"authorization: Basic YTpi".to_owned()] {
            assert_eq!(
                edge.refused(proxy, "GET /x", &[&writer, other], b"").status,
                status,
                "{kind:?} {other}"
            );
            assert_eq!(
                edge.refused(proxy, "GET /x", &[other, &writer], b"").status,
                status,
                "{kind:?} {other}"
            );
        }
        let token = writer.trim_start_matches("authorization: Bearer ");
        let (query, form) =
            (format!("GET /x?token={token}&access_token={token}"), format!("access_token={token}"));
        for (request, header, body) in [
            (query.as_str(), "x: x", ""),
            ("GET /x", &format!("Cookie: access_token={token}; authorization={token}"), ""),
            ("POST /x", "content-type: application/x-www-form-urlencoded", &form),
            ("GET /x", &format!("Proxy-Authorization: Bearer {token}"), ""),
            ("GET /x", &format!("X-Authorization: Bearer {token}"), ""),
            ("GET /x", &format!("Authorization_: Bearer {token}"), ""),
            ("GET /x", &format!("X-Api-Key: {token}"), ""),
            ("GET /x", &format!("Authorization: {token}"), ""),
            ("GET /x", &format!("Authorization: Basic {token}"), ""),
            ("GET /x", &comma, ""),
        ] {
            let refused = edge.refused(proxy, request, &[header], body.as_bytes());
            assert_eq!(refused.status, 401, "{kind:?} {request} {header}: {refused:?}");
        }
    }
}

/// SEC-27: no spelling of a path changes what ndauth is asked, and none reaches what only the proxy may ask.
/// SEC-26: a request of any size is refused before it costs anything, or is judged as every other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_path_and_size_is_judged() {
    let edge = Edge::start().await;
    let (writer, reader) = (edge.token("writer", &json!({})), edge.token("reader", &json!({"scope": "RO"})));
    let (writer, reader) = (bearer(&writer), bearer(&reader));
    let writes = identity_of(&edge, "writer", "RW").await;
    let memory = || edge.server.memory();
    let before = memory();
    for proxy in &edge.proxies {
        let kind = proxy.kind;
        // The proxy itself refuses these, whoever asks: no path, and in nginx the one at which it asks ndauth.
        let unread: &[(&str, u16)] = match kind {
            Kind::Nginx => &[
                ("/ndauth", 404),
                ("//ndauth", 404),
                ("/./ndauth", 404),
                ("/a/../ndauth", 404),
                ("/a/%2e%2e/ndauth", 404),
                ("/%6edauth", 404),
                ("/x%00", 400),
                ("/..", 400),
                ("/%2e%2e/x", 400),
                ("*", 400),
                ("x", 400),
            ],
            Kind::DebianCaddy | Kind::Caddy => &[("x", 400)],
            Kind::Envoy => &[("*", 400), ("x", 400)],
        };
        for path in [
            "//x",
            "/./x",
            "/a/../x",
            "/a/%2e%2e/x",
            "/a/..%2fx",
            "/a/..;/x",
            "/x;a=b",
            "/%78",
            "/X",
            "/x/",
            "/x%00",
            "/x%0a",
            "/x?org=dev&access=RO",
            "/x%3forg=dev",
            "/edge/verify?org=dev&access=RO",
            "//edge/verify",
            "/ndauth",
            "//ndauth",
            "/./ndauth",
            "/a/../ndauth",
            "/a/%2e%2e/ndauth",
            "/%6edauth",
            "/NDAUTH",
            "/..",
            "/%2e%2e/x",
            "http://other.example.org/x",
            "*",
            "x",
        ] {
            let request = format!("POST {path}");
            let none = edge.refused(proxy, &request, &[], b"");
            let narrow = edge.refused(proxy, &request, &[&reader], b"");
            if let Some((_, status)) = unread.iter().find(|(unread, _)| *unread == path) {
                let wide = edge.refused(proxy, &request, &[&writer], b"");
                let statuses = [none.status, narrow.status, wide.status];
                assert_eq!(statuses, [*status; 3], "{kind:?} {path}: {wide:?}");
                continue;
            }
            assert_eq!([none.status, narrow.status], [401, 403], "{kind:?} {path}: {none:?} {narrow:?}");
            assert_eq!(identity(&ask(proxy, &request, &[&writer], b"")), writes, "{kind:?} {path}");
        }
        // A body on a GET, and one whose length is said twice.
        let chunks = b"5\r\nhello\r\n0\r\n\r\n";
        let chunked = "GET /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n";
        let raw = |more: &str| [format!("{chunked}{more}\r\n\r\n").as_bytes(), chunks].concat();
        let with_body = send_to(proxy.address, &raw(&reader));
        assert_eq!(with_body.json()["body"], 5, "{kind:?}: {with_body:?}");
        let received = edge.app.received();
        let smuggled = send_to(proxy.address, &raw(&format!("{reader}\r\ncontent-length: 3")));
        let once = edge.app.received() - received;
        assert!(
            smuggled.status == 400 && once == 0 || smuggled.status == 200 && once == 1,
            "{kind:?}: {smuggled:?}"
        );

        let body = vec![b'['; 10 << 20];
        // nginx accepts bodies of up to 1 MB by default.
        let (refused, allowed) = if kind == Kind::Nginx { (413, 413) } else { (401, 200) };
        assert_eq!(edge.refused(proxy, "POST /x", &[&bearer("junk")], &body).status, refused, "{kind:?}");
        let large = ask(proxy, "POST /x", &[&writer], &body);
        assert_eq!(large.status, allowed, "{kind:?}");
        assert!(allowed != 200 || large.json()["body"] == body.len(), "{kind:?}: {large:?}");
        // What a proxy lets pass is judged as every other.
        let too_large: &[u16] = match kind {
            Kind::Nginx => &[400],
            // It passes on every header, and ndauthd may close before it has read them.
            Kind::DebianCaddy | Kind::Caddy => &[400, 401, 431, 502],
            Kind::Envoy => &[401, 431],
        };
        let (one, many) =
            (format!("x-large: {}", "a".repeat(60_000)), "x-many: aaaaaaaaaaaaaaaa\r\n".repeat(2_500));
        for large in [one.as_str(), many.trim_end(), &bearer(&"a".repeat(60_000))] {
            for token in ["x: x", &bearer("junk")] {
                let refused = edge.refused(proxy, "GET /x", &[token, large], b"");
                assert!(too_large.contains(&refused.status), "{kind:?}: {refused:?}");
            }
        }
    }
    assert!(memory() < before + (50 << 20), "ndauthd took {} more", memory() - before);
    assert_eq!(identity(&ask(&edge.proxies[0], "POST /x", &[&writer], b"")), writes, "it serves still");
}

/// A request that was let through runs to its end, and none follows it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_ends_a_connection_s_requests_after_the_running_one() {
    let edge = Edge::start().await;
    for proxy in &edge.proxies {
        let kind = proxy.kind;
        let name = kind.service();
        let token = bearer(&edge.token(&name, &json!({})));
        let mut stream = TcpStream::connect(proxy.address).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit is set");
        let request = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\n{token}\r\n\r\n");
        stream.write_all(request("/stream").as_bytes()).expect("written");
        let head = read_until(&mut stream, BEGUN);
        assert!(head.starts_with("HTTP/1.1 200 "), "{kind:?}: {head}");
        edge.owner.revoke_token(revoke(&name)).await.expect("revoked");
        soon(&401, async || ask(proxy, "GET /x", &[&token], b"").status).await;
        edge.app.end_stream();
        let rest = read_until(&mut stream, "\r\n0\r\n\r\n");
        assert!(rest.contains(ENDED), "{kind:?}: {rest}");
        stream.write_all(request("/x").as_bytes()).expect("written");
        let next = read_until(&mut stream, "\r\n\r\n");
        assert!(next.starts_with("HTTP/1.1 401 "), "{kind:?}: {next}");
    }
}

fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let (mut text, mut byte) = (Vec::new(), [0]);
    while !text.ends_with(end.as_bytes()) {
        let read = stream.read(&mut byte).expect("it is sent in time");
        assert_eq!(read, 1, "it ended: {}", String::from_utf8_lossy(&text));
        text.push(byte[0]);
    }
    String::from_utf8(text).expect("text")
}

/// Measures the table of the page.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_receive_what_the_page_says() {
    let edge = Edge::start().await;
    let (writer, reader) = (edge.token("writer", &json!({})), edge.token("reader", &json!({"scope": "RO"})));
    let (writer, reader) = (bearer(&writer), bearer(&reader));
    let Edge { at, server, app, proxies, .. } = edge;
    let mut table = String::new();
    // A row asks all proxies at once, since some of them wait.
    let mut row = |name: &str, request: &str, headers: &[&str]| {
        let (before, begun) = (app.received(), Instant::now());
        let cells: Vec<_> = std::thread::scope(|scope| {
            let asked: Vec<_> = proxies
                .iter()
                .map(|proxy| scope.spawn(move || summary(&ask(proxy, request, headers, b""))))
                .collect();
            asked.into_iter().map(|asked| asked.join().expect("it is answered")).collect()
        });
        let passed = if name.starts_with("200") { proxies.len() } else { 0 };
        assert_eq!(app.received() - before, passed, "{name}: {cells:?}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{name}: it took {:?}", begun.elapsed());
        table += &format!("| {name} | {} |\n", cells.join(" | "));
    };
    row("200: allowed", "GET /x", &[&writer]);
    row("400: two tokens", "GET /x", &[&writer, &reader]);
    row("401: no token", "GET /x", &[]);
    row("401: not a live token", "GET /x", &[&bearer("junk")]);
    row("403: it may not", "POST /x", &[&reader]);
    server.freeze();
    row("no answer in time", "GET /x", &[&writer]);
    server.signal(Signal::CONT);
    for proxy in &proxies {
        soon(&200, async || ask(proxy, "GET /x", &[&writer], b"").status).await;
        at.run_admin(&format!("service revoke {} --yes", proxy.kind.service()));
        soon(&503, async || ask(proxy, "GET /x", &[&writer], b"").status).await;
    }
    row("503: the proxy may not ask", "GET /x", &[&writer]);
    server.kill();
    row("ndauthd is down", "GET /x", &[&writer]);
    assert!(
        read("docs/integrations/README.md").contains(&table),
        "docs/integrations/README.md lacks\n{table}"
    );
}

/// Returns the status of a response, and which of ndauth's parts are in it.
fn summary(answered: &Answered) -> String {
    let mut summary = answered.status.to_string();
    for (name, text) in [("www-authenticate", "challenge"), ("retry-after", "retry")] {
        if !answered.headers(name).is_empty() {
            summary = format!("{summary}, {text}");
        }
    }
    if answered.header("content-type") == "application/problem+json" {
        format!("{summary}, body")
    } else {
        summary
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_s_secret_is_rotated_without_an_outage() {
    let edge = Edge::start().await;
    let token = bearer(&edge.token("writer", &json!({})));
    for proxy in &edge.proxies {
        let service = proxy.kind.service();
        let new = edge.at.run_admin(&format!("service rotate {service}")).parse().expect("a secret");
        assert_eq!(ask(proxy, "GET /x", &[&token], b"").status, 200, "{service}: the old one lives");
        proxy.rotate(&new);
        let begun = Instant::now();
        // Once the new one was used, the old one can be retired.
        while edge.at.admin(&format!("service rotation retire {service} --yes")).code != 0 {
            assert_eq!(ask(proxy, "GET /x", &[&token], b"").status, 200, "{service}");
            assert!(begun.elapsed() < Duration::from_secs(30), "{service}: the new one is not used");
        }
        soon(&200, async || ask(proxy, "GET /x", &[&token], b"").status).await;
    }
}
