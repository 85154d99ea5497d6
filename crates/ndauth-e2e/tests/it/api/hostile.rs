//! Requests that are malformed, ambiguous or too large: each has a stated answer, and none is read leniently.

use std::time::Duration;

use ndauth_store::Engine;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Answered, ask, create, new_token, send};
use crate::installation::{Installation, Running};

const TOKENS: &str = "POST /v1/tokens HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";

/// Sends a body with these headers, and a correct length.
fn post(server: &Running, headers: &str, body: &[u8]) -> Answered {
    let head = format!("{TOKENS}{headers}content-length: {}\r\n\r\n", body.len());
    send(server, &[head.as_bytes(), body].concat())
}

async fn served() -> (Installation, Running, String, String) {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let server = at.serve();
    let (session, service) = (at.session().expose().to_owned(), at.service().expose().to_owned());
    (at, server, session, service)
}

/// SEC-05 and SEC-18: the header `Authorization: Bearer` is the only way to present a secret.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_presented_by_one_header_only() {
    let (at, server, session, _) = served().await;
    let token = create(&server, &session, &new_token("ci"));
    let get = |target: &str, headers: &str| {
        send(
            &server,
            format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n").as_bytes(),
        )
    };
    let bearer = format!("authorization: Bearer {token}\r\n");
    for good in [
        bearer.clone(),
        format!("AUTHORIZATION: bearer {token}\r\n"),
        format!("authorization: BEARER {token}\r\n"),
    ] {
        assert_eq!(get("/v1/whoami", &good).status, 200, "{good}");
    }
    for elsewhere in [
        format!("cookie: ndauth={session}\r\n"),
        format!("cookie: __Host-ndauth={session}; access_token={token}\r\n"),
        format!("authorization: Basic {token}\r\n"),
        format!("authorization: {token}\r\n"),
        format!("authorization: Token {token}\r\n"),
        format!("x-api-key: {token}\r\n"),
        format!("proxy-authorization: Bearer {token}\r\n"),
        String::new(),
    ] {
        let answer = get("/v1/whoami", &elsewhere);
        assert_eq!((answer.status, answer.reason().as_str()), (401, "CREDENTIAL_MISSING"), "{elsewhere}");
        let [challenge] = answer.headers("www-authenticate")[..] else { panic!("one challenge: {answer:?}") };
        let metadata = format!("{}/.well-known/oauth-protected-resource", server.url);
        assert_eq!(challenge, format!("Bearer realm=\"ndauth\", resource_metadata=\"{metadata}\""));
    }
    for name in ["access_token", "token", "api_key"] {
        let target = format!("/v1/whoami?{name}={token}");
        assert_eq!(get(&target, "").reason(), "CREDENTIAL_MISSING", "{name}");
        let answer = get(&target, &bearer);
        assert_eq!((answer.status, answer.reason().as_str()), (400, "INVALID_ARGUMENT"), "{name}");
        assert!(!answer.text.contains(&token), "{answer:?}");
    }
    // A secret where a name belongs is not repeated, and no name.
    for target in [
        format!("/v1/tokens:lookup?name={token}"),
        format!("/v1/tokens:lookup?prefix={token}"),
        format!("/v1/tokens?{token}=1"),
        format!("/v1/tokens/{token}"),
    ] {
        let answer = get(&target, &bearer);
        assert!(answer.status >= 400 && !answer.text.contains(&token[..20]), "{target}: {answer:?}");
    }
    for field in ["name", "description"] {
        let mut named = new_token("other");
        named[field] = json!(token);
        let answer = ask(&server, "POST /v1/tokens", Some(&session), Some(&named));
        assert_eq!(answer.json()["field"], field, "{answer:?}");
        assert!(answer.status == 400 && !answer.text.contains(&token[..20]), "{answer:?}");
    }
    let form = format!("access_token={token}");
    let answer = post(&server, "content-type: application/x-www-form-urlencoded\r\n", form.as_bytes());
    assert_eq!(answer.reason(), "CREDENTIAL_MISSING");
    let answer = get("/v1/whoami", &format!("{bearer}{bearer}"));
    assert_eq!((answer.status, answer.json()["field"].as_str()), (400, Some("authorization")), "{answer:?}");
    assert!(answer.header("www-authenticate").contains("error=\"invalid_request\""), "{answer:?}");
    drop(at);
}

/// SEC-24: whatever is sent, and however it fails, no secret is in the log at any level, the metrics or the events.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_the_log_the_metrics_or_the_events() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &["--log", "trace"]);
    let (session, service) = (at.session().expose().to_owned(), at.service().expose().to_owned());
    let made = ask(&server, "POST /v1/tokens", Some(&session), Some(&new_token("ci"))).json();
    let (token, id) =
        (made["secret"].as_str().expect("a secret"), made["token"]["id"].as_str().expect("an id"));
    let rotate = format!("POST /v1/tokens/{id}:rotate");
    let rotated = ask(&server, &rotate, Some(&session), Some(&json!({ "overlap": "1h" }))).json();
    let rotated = rotated["secret"].as_str().expect("a secret");
    let who = format!("authorization: Bearer {session}\r\n");
    for headers in ["", "content-type: application/json\r\n", "content-type: text/plain\r\n"] {
        for body in
            [token.to_owned(), format!("{{\"{token}\":\"{rotated}\""), json!({ "name": token }).to_string()]
        {
            assert!(post(&server, &format!("{who}{headers}"), body.as_bytes()).status >= 400);
        }
    }
    for request in [
        format!("GET /v1/tokens/{token}"),
        format!("GET /v1/{token}"),
        format!("GET /v1/whoami?{token}={rotated}"),
    ] {
        assert!(ask(&server, &request, Some(&session), None).status >= 400, "{request}");
    }
    let question = json!({ "secret": rotated, "org": "ops", "required_access": "RO" });
    assert_eq!(ask(&server, "POST /v1/secrets:validate", Some(&service), Some(&question)).status, 200);
    let batch = json!({ "questions": [question] });
    assert_eq!(ask(&server, "POST /v1/secrets:batchValidate", Some(&service), Some(&batch)).status, 200);
    let secret = json!({ "secret": token });
    assert_eq!(ask(&server, "POST /v1/secrets:revoke", None, Some(&secret)).status, 200);
    let leaked = json!({ "secrets": [token, rotated] });
    assert_eq!(ask(&server, "POST /v1/secrets:reportLeaked", None, Some(&leaked)).status, 200);
    let (_, metrics) = server.get("/metrics");
    let events = at.run_admin("events export");
    server.signal(Signal::TERM);
    let mut log = String::new();
    while let Ok(line) = server.log.recv_timeout(Duration::from_secs(20)) {
        log += &line;
    }
    // Each of them tells of what was done.
    assert!(log.contains("TokenService/RotateToken"), "{log}");
    assert!(metrics.contains("TokenService/RotateToken"), "{metrics}");
    assert!(events.contains(id), "{events}");
    for secret in [token, rotated, &session, &service] {
        // The first twelve characters of a secret are its prefix, which is no secret.
        let hidden = &secret[12..36];
        for (place, text) in [("log", &log), ("metrics", &metrics), ("events", &events)] {
            let at = text.find(hidden).map(|at| &text[at.saturating_sub(200)..at]);
            assert_eq!(at, None, "the {place}");
        }
    }
}

/// SEC-17: a secret that is nearly right is refused, as a credential and in a question.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_is_nearly_right_is_refused() {
    let (at, server, session, service) = served().await;
    let token = create(&server, &session, &new_token("ci"));
    let mut near: Vec<String> = (1..=10).map(|cut| token[..token.len() - cut].to_owned()).collect();
    near.extend(["A", "\n", " ", "%0a", "\u{0}", "\t", "="].map(|more| format!("{token}{more}")));
    near.extend([
        format!(" {token}"),
        format!("\"{token}\""),
        format!("Bearer {token}"),
        token.to_uppercase(),
    ]);
    near.push(token.replacen("ndpat_", "ndpat-", 1));
    near.push(token.replacen("ndpat_", "ndorg_", 1));
    near.push(token.replacen('n', "\u{043f}", 1));
    let last = if token.ends_with('A') { "E" } else { "A" };
    near.push(format!("{}{last}", &token[..token.len() - 1]));
    let question = |secret: &str| {
        let body = json!({ "secret": secret, "org": "ops", "required_access": "RO" });
        ask(&server, "POST /v1/secrets:validate", Some(&service), Some(&body))
    };
    assert!(question(&token).json().get("allowed").is_some());
    for secret in &near {
        let answer = question(secret);
        assert!(answer.status == 200 && answer.json().get("allowed").is_none(), "{secret:?}: {answer:?}");
        if secret.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && secret.trim() == secret {
            assert_eq!(ask(&server, "GET /v1/whoami", Some(secret), None).status, 401, "{secret:?}");
        }
    }
    drop(at);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_are_read_strictly() {
    let (at, server, session, service) = served().await;
    let who = format!("authorization: Bearer {session}\r\n");
    let kind = format!("{who}content-type: application/json\r\n");
    let good = new_token("ci").to_string();
    for headers in [
        "",
        "content-type: text/plain\r\n",
        "content-type: application/json; charset=latin1\r\n",
        "content-type: application/x-www-form-urlencoded\r\n",
        "content-type: application/jsonx\r\n",
        "content-type: application/json\r\ncontent-type: application/json\r\n",
        "content-type: application/json\r\ncontent-encoding: gzip\r\n",
    ] {
        let answer = post(&server, &format!("{who}{headers}"), good.as_bytes());
        assert_eq!((answer.status, answer.reason().as_str()), (415, "INVALID_ARGUMENT"), "{headers}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth)).into_bytes();
    let bodies: [(&[u8], &str); 14] = [
        (b"{\"name\":\"a\",\"name\":\"b\"}", "`name` is there twice"),
        (b"{\"selfRotatingUntil\":\"30d\"}", "did you mean `self_rotating_until`?"),
        (b"{\"nothing\":1}", "there is no such field"),
        (b"{\"name\":null}", "leave it out"),
        (b"{\"name\":1}", "expected a string"),
        (b"{\"scope\":\"SCOPE_RW\"}", "expected one of `RO`, `RW`"),
        (b"{\"name\":\"x\",\"orgs\":[],\"grants\":\"all\"}", "`orgs`"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b"{\"name\":\"\xff\"}", "not valid JSON"),
        (b"{\"name\":\"a\",}", "not valid JSON"),
        (b"{\"name\":\"a\"} {}", "not valid JSON"),
        (b"{\"expiry\":1e308}", "expected"),
        (b"[]", "expected an object"),
        (&deep(17), "deeper than 16"),
    ];
    for (body, detail) in bodies {
        let answer = post(&server, &kind, body);
        let problem = answer.json();
        assert_eq!(
            (answer.status, problem["reason"].as_str()),
            (400, Some("INVALID_ARGUMENT")),
            "{answer:?}"
        );
        assert!(problem["detail"].as_str().is_some_and(|text| text.contains(detail)), "{detail}: {answer:?}");
    }
    // SEC-26: a large body is refused by its size, before it is parsed.
    let padded = |bytes: usize| format!("{{\"name\":\"{}\"}}", "x".repeat(bytes - 11)).into_bytes();
    assert_eq!(post(&server, &kind, &padded(63 << 10)).status, 400);
    let answer = post(&server, &kind, &padded((64 << 10) + 6));
    assert_eq!((answer.status, answer.reason().as_str()), (413, "REQUEST_TOO_LARGE"));
    let secret = format!("{{\"secret\":\"{}\"}}", "x".repeat(2000));
    let head = "POST /v1/secrets:revoke HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n";
    let head = format!("{head}content-length: {}\r\n\r\n{secret}", secret.len());
    assert_eq!(send(&server, head.as_bytes()).status, 413);
    // The connection is closed before all of this is sent, and the response may be lost with it.
    assert!(matches!(post(&server, &kind, &vec![b'['; 10 << 20]).status, 413 | 0));
    let many = |count: usize| Value::Array(vec![json!({}); count]);
    for count in [0, 1001, 300_000] {
        let body = json!({ "questions": many(count) });
        let answer = ask(&server, "POST /v1/secrets:batchValidate", Some(&service), Some(&body));
        assert_eq!((answer.status, answer.reason().as_str()), (400, "INVALID_ARGUMENT"), "{count}");
    }
    let answer = ask(&server, "GET /v1/tokens", Some(&session), Some(&json!({})));
    assert_eq!(answer.json()["detail"], "`body`: this request has none: its parameters are in the URL");
    // Whoever has no credential is told so, whatever the body is.
    assert_eq!(post(&server, "", b"{").reason(), "CREDENTIAL_MISSING");
    // A credential that is not valid is the first thing that its caller is told.
    let stranger = format!("ndpat_{}", "A".repeat(43));
    for (request, body) in [
        ("GET /v1/tokens?nothing=1", None),
        ("POST /v1/tokens", Some(json!({ "nothing": 1 }))),
        ("POST /v1/secrets:validate", Some(json!({ "nothing": 1 }))),
    ] {
        let answer = ask(&server, request, Some(&stranger), body.as_ref());
        assert_eq!((answer.status, answer.reason().as_str()), (401, "SECRET_UNKNOWN"), "{request}");
    }
    // A field of the path is set there alone, even to nothing.
    let answer = ask(&server, "POST /v1/orgs/ops:freeze", Some(&session), Some(&json!({ "org": "" })));
    assert_eq!(answer.json()["detail"], "`org`: the path sets it: leave it out of the body");
    // Nothing of a stranger's batch is waited for.
    let head = "POST /v1/secrets:batchValidate HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json";
    let service = format!("ndsvc_{}", "A".repeat(43));
    let head = format!("{head}\r\nauthorization: Bearer {service}\r\ncontent-length: 1000000\r\n\r\n");
    assert_eq!(send(&server, head.as_bytes()).reason(), "SECRET_UNKNOWN");
    // A stranger's large body is not parsed.
    let stranger =
        format!("authorization: Bearer ndpat_{}\r\ncontent-type: application/json\r\n", "A".repeat(43));
    let answer = post(&server, &stranger, &vec![b'['; 60 << 10]);
    assert_eq!((answer.status, answer.reason().as_str()), (401, "SECRET_UNKNOWN"));
    // A body that may be left out, and one in several chunks.
    let chunked = format!("{TOKENS}{kind}transfer-encoding: chunked\r\n\r\n");
    let (first, rest) = good.split_at(9);
    let chunks = format!("{chunked}9\r\n{first}\r\n{:x}\r\n{rest}\r\n0\r\n\r\n", rest.len());
    assert_eq!(send(&server, chunks.as_bytes()).status, 200);
    assert_eq!(ask(&server, "POST /v1/orgs/ops:freeze", Some(&session), None).status, 403);
    drop(at);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_method_and_path_has_a_stated_answer() {
    let (at, server, session, _) = served().await;
    let with = |request: &str| ask(&server, request, Some(&session), None);
    for (request, status, reason) in [
        ("GET /v1/tokens", 200, ""),
        ("GET /v1/tokens?", 200, ""),
        ("GET /v1/tokens?page_size=1&include_revoked=true", 200, ""),
        ("GET /v1/tokens?page_size=1&page_size=1", 400, "INVALID_ARGUMENT"),
        ("GET /v1/tokens?page_size=0&page_size=5", 400, "INVALID_ARGUMENT"),
        ("GET /v1/tokens?include_revoked=false&include_revoked=true", 400, "INVALID_ARGUMENT"),
        ("GET /v1/tokens?page_token=&page_token=", 400, "INVALID_ARGUMENT"),
        ("GET /v1/tokens?page_size=%2B1", 400, "INVALID_ARGUMENT"),
        ("GET /v1/tokens:lookup?name=%ff", 400, "INVALID_ARGUMENT"),
        ("GET /v1/orgs/%zz", 404, "CALL_UNKNOWN"),
        ("GET /v1/tokens/01A22623-0000-7000-8000-000000000000", 400, "INVALID_ARGUMENT"),
        ("GET /v1/tokens/%7B01a22623-0000-7000-8000-000000000000%7D", 400, "INVALID_ARGUMENT"),
        ("GET /v1/tokens?page_size=", 400, "INVALID_ARGUMENT"),
        ("GET /v1/tokens?page_size=-1", 400, "INVALID_ARGUMENT"),
        ("GET /v1/tokens?pageSize=1", 400, "INVALID_ARGUMENT"),
        ("GET /v1/tokens?owner=mine", 400, "INVALID_ARGUMENT"),
        ("GET /v1/tokens?org=ops", 400, "INVALID_ARGUMENT"),
        ("GET /v1/tokens:lookup?name=a&prefix=b", 400, "INVALID_ARGUMENT"),
        ("GET /v1/tokens:lookup", 400, "INVALID_ARGUMENT"),
        ("GET /v1/tokens:lookup?name=none", 404, "NOT_FOUND"),
        ("GET /v1/tokens/not-an-id", 400, "INVALID_ARGUMENT"),
        ("GET /v1/tokens/a%2fb", 400, "INVALID_ARGUMENT"),
        ("GET /v1/tokens/..", 400, "INVALID_ARGUMENT"),
        ("GET /v1/tokens/../whoami", 404, "CALL_UNKNOWN"),
        ("GET /v1/./tokens", 404, "CALL_UNKNOWN"),
        ("GET /v1/tokens/", 404, "CALL_UNKNOWN"),
        ("GET /v1//tokens", 404, "CALL_UNKNOWN"),
        ("GET /v1/tokens//", 404, "CALL_UNKNOWN"),
        ("GET /v1/Tokens", 404, "CALL_UNKNOWN"),
        ("GET /v1/%74okens", 404, "CALL_UNKNOWN"),
        ("GET /v1/tokens%2f", 404, "CALL_UNKNOWN"),
        ("GET /v1/tokens%00", 404, "CALL_UNKNOWN"),
        ("GET /v1/tokens;a=b", 404, "CALL_UNKNOWN"),
        ("GET /v1/tokens/%ff", 404, "CALL_UNKNOWN"),
        ("GET /v1/tokens/x:nothing", 404, "CALL_UNKNOWN"),
        ("GET /v1/", 404, "CALL_UNKNOWN"),
        ("GET /v1/tokens/x:rotate", 405, "CALL_UNKNOWN"),
        ("PUT /v1/tokens", 405, "CALL_UNKNOWN"),
        ("TRACE /v1/tokens", 405, "CALL_UNKNOWN"),
        ("PROPFIND /v1/tokens", 405, "CALL_UNKNOWN"),
        ("get /v1/tokens", 405, "CALL_UNKNOWN"),
        ("GET /v1/secrets:validate", 405, "CALL_UNKNOWN"),
    ] {
        let answer = with(request);
        let found = if answer.status == 200 { String::new() } else { answer.reason() };
        assert_eq!((answer.status, found.as_str()), (status, reason), "{request}: {answer:?}");
        assert_eq!(answer.header("cache-control"), "no-store", "{request}");
    }
    for not_ours in ["GET //v1/tokens", "GET /V1/tokens", "GET /v1", "GET /v2/tokens"] {
        let answer = with(not_ours);
        assert!(
            answer.status == 404 && answer.header("content-type") == "text/plain",
            "{not_ours}: {answer:?}"
        );
    }
    let answer = with("PUT /v1/tokens");
    assert_eq!(answer.header("allow"), "POST, GET, HEAD, OPTIONS");
    assert_eq!(answer.json()["detail"], "this path supports POST, GET, HEAD");
    let answer = ask(&server, "OPTIONS /v1/tokens", None, None);
    assert_eq!((answer.status, answer.header("allow")), (204, "POST, GET, HEAD, OPTIONS"));
    let (head, get) = (with("HEAD /v1/orgs"), with("GET /v1/orgs"));
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), get.header("content-length"));
    assert_eq!(ask(&server, "HEAD /v1/orgs", None, None).status, 401);
    assert_eq!(with("HEAD /v1/secrets:validate").status, 405);
    // The request id is the caller's, if it is plain, and the same in the header and the problem.
    for (sent, kept) in [("abc-1.2_3", true), ("a b", false), ("\u{e9}", false), (&*"x".repeat(65), false)] {
        let head = format!(
            "GET /v1/tokens HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-request-id: {sent}\r\n\r\n"
        );
        let answer = send(&server, head.as_bytes());
        assert_eq!(answer.header("x-request-id") == sent, kept, "{sent}");
        assert_eq!(answer.json()["request_id"], answer.header("x-request-id"));
    }
    // Headers of gRPC have no effect.
    let head = format!(
        "GET /v1/whoami HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {session}\r\n\
        grpc-timeout: 0m\r\ngrpc-encoding: gzip\r\ngrpc-accept-encoding: gzip\r\naccept-encoding: gzip\r\n\r\n"
    );
    assert_eq!(send(&server, head.as_bytes()).status, 200);
    drop(at);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_of_other_sites_may_call_only_if_the_operator_names_their_origin() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let preflight = |server: &Running, origin: &str| {
        let head = format!(
            "OPTIONS /v1/tokens HTTP/1.1\r\nhost: x\r\nconnection: close\r\norigin: {origin}\r\n\
            access-control-request-method: POST\r\naccess-control-request-headers: authorization,content-type\r\n\r\n"
        );
        send(server, head.as_bytes())
    };
    let server = at.serve();
    let answer = preflight(&server, "https://app.example.org");
    assert!(answer.headers("access-control-allow-origin").is_empty(), "{answer:?}");
    drop(server);
    let origins = ["--cors-origins", "https://app.example.org,http://localhost:3000"];
    let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &origins);
    for (origin, named) in [
        ("https://app.example.org", true),
        ("http://localhost:3000", true),
        ("https://evil.example.org", false),
        ("null", false),
        ("https://app.example.org.evil.example", false),
    ] {
        let answer = preflight(&server, origin);
        assert_eq!(answer.header("access-control-allow-origin") == origin, named, "{origin}: {answer:?}");
        assert!(answer.headers("access-control-allow-credentials").is_empty(), "{answer:?}");
        let head =
            format!("GET /v1/tokens HTTP/1.1\r\nhost: x\r\nconnection: close\r\norigin: {origin}\r\n\r\n");
        let answer = send(&server, head.as_bytes());
        assert_eq!(
            (answer.status, answer.header("access-control-allow-origin") == origin),
            (401, named),
            "{origin}"
        );
    }
    for refused in ["*", "null", "app.example.org", "https://app.example.org/path", ""] {
        let mut command = at.command("NDAUTH_TEST_NDAUTHD");
        command.args(["serve", "--cors-origins", refused]);
        let ended = crate::installation::run(command, "");
        assert_eq!(ended.code, 2, "{refused}: {ended:?}");
    }
}

/// Failures carry the challenge of RFC 6750, with all missing scopes in one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn challenges_name_what_another_credential_needs() {
    let (at, server, session, _) = served().await;
    let token = create(&server, &session, &new_token("ci"));
    let metadata = format!("resource_metadata=\"{}/.well-known/oauth-protected-resource\"", server.url);
    let challenge = |request: &str, secret: &str| {
        let answer = ask(&server, request, Some(secret), None);
        (answer.status, answer.header("www-authenticate").to_owned())
    };
    let (status, text) = challenge("GET /v1/orgs/ops/members", &token);
    assert_eq!(status, 403);
    let expected = "Bearer realm=\"ndauth\", error=\"insufficient_scope\", \
        error_description=\"the token is not granted `read:members`\", scope=\"read:members\", ";
    assert_eq!(text, format!("{expected}{metadata}"));
    let (status, text) = challenge("GET /v1/whoami", &format!("ndpat_{}", "A".repeat(43)));
    assert!(
        status == 401 && text.starts_with("Bearer realm=\"ndauth\", error=\"invalid_token\", "),
        "{text}"
    );
    // Only a login helps here, which no scope is.
    let (status, text) = challenge("GET /v1/sessions", &token);
    assert_eq!(
        (status, text.contains("error=\"insufficient_scope\""), text.contains("scope=\"\"")),
        (403, true, false)
    );
    assert!(!text.contains(" scope="), "{text}");
    let document = ask(&server, "GET /.well-known/oauth-protected-resource", None, None).json();
    let issuer = server.url.to_string();
    assert_eq!(document["resource"], issuer.as_str());
    assert_eq!(document["authorization_servers"], json!([issuer]));
    assert_eq!(document["bearer_methods_supported"], json!(["header"]));
    drop(at);
}
