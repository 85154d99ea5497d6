//! Hostile requests to the edges, and callers who should learn nothing from them.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ndauth_core::{Scope, Secret};
use ndauth_e2e::envoy::check_request;
use ndauth_e2e::proxy::{FaultScope, Treatment};
use ndauth_store::Engine;
use serde_json::json;

use super::channels::{Asked, Channels, EnvoyAnswer, TokenVerdict, ask_as_envoy, introspect};
use crate::api::{Answered, create, new_token, send};
use crate::installation::{Installation, Running};
use crate::instances::Cluster;
use crate::on_both;

/// A server, a service, and a live token of `ada`.
struct Setup {
    server: Running,
    service: Secret,
    token: String,
}

fn set_up(at: &Installation) -> Setup {
    at.people();
    let server = at.serve();
    let token = create(&server, at.session().expose(), &new_token("ci"));
    Setup { service: at.service(), server, token }
}

impl Setup {
    /// Sends a request with lines of headers, in which `S` and `T` stand for the two secrets.
    fn send(&self, request: &str, headers: &str) -> Answered {
        let text = |text: &str| {
            let text = text.replace("{S}", self.service.expose()).replace("{T}", &self.token);
            text.split('|').map(|line| format!("{}\r\n", line.trim())).collect::<String>()
        };
        let headers = if headers.is_empty() { String::new() } else { text(headers) };
        let request = request.replace("{T}", &self.token);
        let text = format!("{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
        send(&self.server, text.as_bytes())
    }
}

const BOTH: &str = "x-ndauth-service: {S}|authorization: Bearer {T}";

/// A proxy that may not ask decides nothing, whatever it asks: its client's token was not judged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_is_known_by_one_secret_in_its_own_header() {
    let at = Installation::new(Engine::Sqlite).await;
    let setup = set_up(&at);
    let dead = at.run_admin("service create dead");
    at.run_admin("service revoke dead --yes");
    let session = at.session();
    for headers in [
        "authorization: Bearer {T}",
        "x-ndauth-service: |authorization: Bearer {T}",
        "x-ndauth-service: {S}|x-ndauth-service: {S}|authorization: Bearer {T}",
        "x-ndauth-service: {S}, {S}|authorization: Bearer {T}",
        "x-ndauth-service: Bearer {S}|authorization: Bearer {T}",
        "x_ndauth_service: {S}|authorization: Bearer {T}",
        "x-ndauth-service: {T}|authorization: Bearer {T}",
        "x-ndauth-service: ndsvc_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U|authorization: Bearer {T}",
        &format!("x-ndauth-service: {dead}|authorization: Bearer {{T}}"),
        &format!("x-ndauth-service: {}|authorization: Bearer {{T}}", session.expose()),
        "authorization: Bearer {S}",
        "authorization: Bearer {S}|authorization: Bearer {T}",
        "cookie: x-ndauth-service={S}|authorization: Bearer {T}",
    ] {
        for query in ["?org=ops", "?org=", "", "?org=ops&x=y"] {
            let answer = setup.send(&format!("GET /edge/verify{query}"), headers);
            assert_eq!(
                (answer.status, answer.reason().as_str()),
                (503, "UNAVAILABLE"),
                "{headers}: {answer:?}"
            );
            let detail = answer.json()["detail"].as_str().expect("a detail").to_owned();
            assert_eq!(
                detail,
                "the proxy in front of this service may not ask ndauth: its own secret is not accepted"
            );
            assert!(answer.headers("x-auth-token-id").is_empty(), "{answer:?}");
        }
    }
    assert_eq!(setup.send("GET /edge/verify?org=ops", BOTH).status, 200);
}

/// SEC-18: the token is in one header alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_s_token_is_in_one_header_alone() {
    let at = Installation::new(Engine::Sqlite).await;
    let setup = set_up(&at);
    let verify = "GET /edge/verify?org=ops";
    for (request, headers, status, reason) in [
        (verify, "x-ndauth-service: {S}", 401, "CREDENTIAL_MISSING"),
        (verify, "x-ndauth-service: {S}|authorization: Basic {T}", 401, "CREDENTIAL_MISSING"),
        (verify, "x-ndauth-service: {S}|cookie: token={T}", 401, "CREDENTIAL_MISSING"),
        (verify, "x-ndauth-service: {S}|x-authorization: Bearer {T}", 401, "CREDENTIAL_MISSING"),
        (verify, "x-ndauth-service: {S}|proxy-authorization: Bearer {T}", 401, "CREDENTIAL_MISSING"),
        (verify, "x-ndauth-service: {S}|authorization: Bearer", 400, "INVALID_ARGUMENT"),
        (
            verify,
            "x-ndauth-service: {S}|authorization: Bearer {T}|authorization: Bearer {T}",
            400,
            "INVALID_ARGUMENT",
        ),
        (verify, "x-ndauth-service: {S}|authorization: Bearer {T}, Bearer {T}", 401, "SECRET_MALFORMED"),
        (verify, "x-ndauth-service: {S}|authorization: Bearer {S}", 401, "SECRET_KIND_NOT_ACCEPTED"),
        ("GET /edge/verify?org=ops&token={T}", "x-ndauth-service: {S}", 400, "INVALID_ARGUMENT"),
        ("GET /edge/verify?org=ops&access_token={T}", BOTH, 400, "INVALID_ARGUMENT"),
        (verify, "x-ndauth-service: {S}|authorization: bearer {T}", 200, ""),
    ] {
        let answer = setup.send(request, headers);
        let told = if answer.status == 200 { String::new() } else { answer.reason() };
        assert_eq!((answer.status, told.as_str()), (status, reason), "{request}, {headers}: {answer:?}");
        assert!(!answer.text.contains(&setup.token), "{answer:?}");
    }
}

/// SEC-27: no path but the endpoint's own is the endpoint's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_is_compared_as_it_was_sent() {
    let at = Installation::new(Engine::Sqlite).await;
    let setup = set_up(&at);
    for path in [
        "/edge/verify/",
        "//edge/verify",
        "/edge//verify",
        "/edge/./verify",
        "/edge/x/../verify",
        "/edge/%76erify",
        "/Edge/verify",
        "/edge/verify;x=y",
        "/edge/verify%3Forg=ops",
        "/v1/../edge/verify",
        "/oauth2/introspect/",
    ] {
        let answer = setup.send(&format!("GET {path}?org=ops"), BOTH);
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PURGE"] {
        let answer =
            setup.send(&format!("{method} /edge/verify?org=ops"), &format!("{BOTH}|content-length: 0"));
        assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"), "{method}: {answer:?}");
    }
    let answer = setup.send("HEAD /edge/verify?org=ops", BOTH);
    assert_eq!((answer.status, answer.header("x-auth-org"), answer.text.as_str()), (200, "ops", ""));
    let answer = setup.send("HEAD /edge/verify?org=dev", BOTH);
    assert_eq!((answer.status, answer.text.as_str()), (403, ""), "{answer:?}");
}

/// SEC-28: a client's headers decide nothing that the proxy did not state.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_access_follows_the_method_that_the_proxy_states() {
    let at = Installation::new(Engine::Sqlite).await;
    let mut setup = set_up(&at);
    let mut narrow = new_token("narrow");
    narrow["scope"] = json!("RO");
    setup.token = create(&setup.server, at.session().expose(), &narrow);
    for (stated, status) in [
        ("x-forwarded-method: GET", 200),
        ("x-forwarded-method: HEAD", 200),
        ("x-forwarded-method: OPTIONS", 200),
        ("x-forwarded-method: POST", 403),
        ("x-forwarded-method: get", 403),
        ("x-forwarded-method: PROPFIND", 403),
        ("x-forwarded-method: GET, POST", 403),
        ("x-forwarded-method: GET|x-forwarded-method: GET", 400),
        ("x-forwarded-method: GET|x-forwarded-method: POST", 400),
        ("x-forwarded-method:", 400),
        ("x-original-method: GET", 400),
        ("x-http-method-override: GET", 400),
        ("x_forwarded_method: GET", 400),
    ] {
        let answer = setup.send("GET /edge/verify?org=ops&access=method", &format!("{BOTH}|{stated}"));
        assert_eq!(answer.status, status, "{stated}: {answer:?}");
        // Where the configuration states the access, no header does.
        let answer = setup.send("GET /edge/verify?org=ops&access=RW", &format!("{BOTH}|{stated}"));
        assert_eq!((answer.status, answer.reason().as_str()), (403, "SCOPE_TOO_NARROW"), "{stated}");
    }
    for ignored in [
        "x-forwarded-uri: /edge/verify?org=dev",
        "x-original-uri: /?org=dev",
        "x-auth-org: dev",
        "x-forwarded-host: evil.example",
        "connection: x-ndauth-service",
        "x-auth-role: ADMIN",
    ] {
        let answer = setup.send("GET /edge/verify?org=ops&access=RO", &format!("{BOTH}|{ignored}"));
        assert_eq!(answer.status, 200, "{ignored}: {answer:?}");
        assert_eq!((answer.header("x-auth-org"), answer.header("x-auth-role")), ("ops", "RW"), "{ignored}");
    }
}

/// The address is the last of `X-Forwarded-For`, and counts from a service that states addresses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_s_address_is_the_last_that_the_proxy_states() {
    let at = Installation::new(Engine::Sqlite).await;
    let mut setup = set_up(&at);
    let mut token = new_token("here");
    token["networks"] = json!(["192.0.2.0/24", "2001:db8::/32"]);
    setup.token = create(&setup.server, at.session().expose(), &token);
    for (stated, status, reason) in [
        ("x-forwarded-for: 192.0.2.7", 200, ""),
        ("x-forwarded-for: 10.0.0.1, 192.0.2.7", 200, ""),
        ("x-forwarded-for: 10.0.0.1|x-forwarded-for: 192.0.2.7", 200, ""),
        ("x-forwarded-for: [2001:db8::1]:4711", 200, ""),
        ("x-forwarded-for: ::ffff:192.0.2.7", 200, ""),
        ("x-forwarded-for: 192.0.2.7, 10.0.0.1", 403, "NETWORK_NOT_COVERED"),
        ("x-forwarded-for: 192.0.2.7|x-forwarded-for: 10.0.0.1", 403, "NETWORK_NOT_COVERED"),
        ("x-real-ip: 192.0.2.7", 403, "ADDRESS_UNKNOWN"),
        ("x-forwarded-for: unknown", 400, "INVALID_ARGUMENT"),
        ("x-forwarded-for: 192.0.2.7,", 400, "INVALID_ARGUMENT"),
        ("x-forwarded-for:", 400, "INVALID_ARGUMENT"),
    ] {
        let answer = setup.send("GET /edge/verify?org=ops", &format!("{BOTH}|{stated}"));
        let told = if answer.status == 200 { String::new() } else { answer.reason() };
        assert_eq!((answer.status, told.as_str()), (status, reason), "{stated}: {answer:?}");
    }
    setup.service = at.run_admin("service create silent").parse().expect("a secret");
    let answer = setup.send("GET /edge/verify?org=ops", &format!("{BOTH}|x-forwarded-for: 192.0.2.7"));
    assert_eq!((answer.status, answer.reason().as_str()), (403, "ADDRESS_UNKNOWN"), "{answer:?}");
}

/// Every identity header is set, and none can be split or take another's place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_yes_sets_every_identity_header() {
    let at = Installation::new(Engine::Sqlite).await;
    let mut setup = set_up(&at);
    at.run_admin("member set ops ada ADMIN");
    let session = at.session();
    setup.token = create(&setup.server, session.expose(), &new_token("Über % \"quoted\", 火"));
    let names = ["token-id", "token-name", "subject", "account", "org", "access", "role"];
    let answer = setup.send("GET /edge/verify?org=ops&access=RO", BOTH);
    let values: Vec<String> =
        names.iter().map(|name| answer.headers(&format!("x-auth-{name}")).join("+")).collect();
    assert_eq!(values[1], "%C3%9Cber %25 \"quoted\", %E7%81%AB", "{answer:?}");
    assert_eq!(values[3..], ["ada", "ops", "RW", "ADMIN"], "{answer:?}");
    for header in ["strict-transport-security", "content-security-policy", "set-cookie", "www-authenticate"] {
        assert!(answer.headers(header).is_empty(), "{header} is not for the site of the proxy: {answer:?}");
    }
    assert_eq!(answer.header("cache-control"), "no-store");
    let of_org = json!({
        "name": "bot", "grants": [{ "resource_type": "assets", "resource_id": "*", "actions": ["read"] }],
        "expiry": "24h", "services": "all", "networks": "all",
    });
    let made =
        crate::api::ask(&setup.server, "POST /v1/orgs/ops/tokens", Some(session.expose()), Some(&of_org));
    setup.token = made.json()["secret"].as_str().expect("a secret").to_owned();
    let answer = setup.send("GET /edge/verify?org=ops&access=RO&permission=read:assets", BOTH);
    assert_eq!(answer.headers("x-auth-account"), [""], "it is there, and empty: {answer:?}");
    assert_eq!((answer.header("x-auth-token-name"), answer.header("x-auth-role")), ("bot", "ADMIN"));
}

/// SEC-26: the largest requests cost little, and are refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_requests_are_refused() {
    let at = Installation::new(Engine::Sqlite).await;
    let setup = set_up(&at);
    let many = "a=b&".repeat(4000);
    let answer = setup.send(&format!("GET /edge/verify?org=ops&{many}"), BOTH);
    assert!(matches!(answer.status, 400 | 414 | 431), "{answer:?}");
    let answer = setup.send(&format!("GET /edge/verify?org={}", "o".repeat(10_000)), BOTH);
    assert_eq!(answer.status, 400, "{answer:?}");
    let answer =
        setup.send("GET /edge/verify?org=ops", &format!("{BOTH}|x-padding: {}", "x".repeat(300_000)));
    assert!(matches!(answer.status, 0 | 431), "{answer:?}");
    let answer = setup.send(
        "GET /edge/verify?org=ops",
        &format!("x-ndauth-service: {{S}}|authorization: Bearer {}", "t".repeat(10_000)),
    );
    assert_eq!((answer.status, answer.reason().as_str()), (401, "SECRET_MALFORMED"), "{answer:?}");
    for form in
        [format!("token={}", "t".repeat(10_000)), format!("token={}&{}", setup.token, "x=y&".repeat(1100))]
    {
        let answer = introspect(&setup.server, &setup.service, &form);
        assert!(matches!(answer.status, 400 | 413), "{answer:?}");
        assert_eq!(answer.json()["error"], "invalid_request", "{answer:?}");
    }
    let extensions: Vec<(String, String)> = (0..4000).map(|n| (format!("k{n}"), "v".to_owned())).collect();
    let extensions: Vec<(&str, &str)> = extensions.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let answer =
        ask_as_envoy(&setup.server, Some(&setup.service), &check_request(None, &extensions, None)).await;
    assert_eq!(answer.expect("it succeeds").status, 400);
    let token = format!("Bearer {}", "t".repeat(100_000));
    let huge = check_request(Some(&token), &[("org", "ops")], None);
    let answer = ask_as_envoy(&setup.server, Some(&setup.service), &huge).await;
    assert_eq!(answer.expect("it succeeds").status, 503, "a failed call is one that an operator may ignore");
    let answer = ask_as_envoy(&setup.server, None, &huge).await;
    assert_eq!(answer.expect("it succeeds").status, 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn introspection_is_for_services() {
    let at = Installation::new(Engine::Sqlite).await;
    let setup = set_up(&at);
    let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
    let service = setup.service.expose();
    let (stranger, spaced) =
        ("ndsvc_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U", at.run_admin("service create spaced"));
    let named = format!("token={}", setup.token);
    let ask = |authorization: &[&str], kind: &str, path: &str, form: &str| {
        let headers: String =
            authorization.iter().map(|value| format!("authorization: {value}\r\n")).collect();
        let text = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}content-type: {kind}\r\n\
             content-length: {}\r\n\r\n{form}",
            form.len()
        );
        send(&setup.server, text.as_bytes())
    };
    const FORM: &str = "application/x-www-form-urlencoded";
    for good in [
        format!("Bearer {service}"),
        basic(&format!("registry:{service}")),
        basic(&format!("%72egistry:{service}")),
        basic(&format!("registry:{service}")).replace("Basic", "basic"),
    ] {
        let answer = ask(&[&good], FORM, "/oauth2/introspect", &named);
        assert_eq!((answer.status, &answer.json()["active"]), (200, &json!(true)), "{answer:?}");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    for bad in [
        vec![],
        vec![format!("Bearer {stranger}")],
        vec![format!("Bearer {}", setup.token)],
        vec![format!("Bearer {}", at.session().expose())],
        vec!["Bearer".to_owned()],
        vec!["Basic".to_owned()],
        vec!["Basic !!!".to_owned()],
        vec![basic(service)],
        vec![basic(&format!("registry:{stranger}"))],
        vec![basic(&format!(":{service}"))],
        vec![basic(&format!("Registry:{service}"))],
        vec![basic(&format!("registry:{spaced}"))],
        vec![basic(&format!("registry:{service}:x"))],
        vec![format!("Bearer {service}"), format!("Bearer {service}")],
        vec![format!("Digest {service}")],
    ] {
        let bad: Vec<&str> = bad.iter().map(String::as_str).collect();
        // A stranger is not told what is wrong with its question either.
        for form in [named.as_str(), "", "token=&x=y"] {
            let answer = ask(&bad, FORM, "/oauth2/introspect", form);
            assert_eq!(answer.status, 401, "{bad:?}: {answer:?}");
            assert_eq!(answer.json()["error"], "invalid_client", "{bad:?}: {answer:?}");
            assert!(answer.header("www-authenticate").starts_with("Basic realm="), "{answer:?}");
            assert!(!answer.text.contains("active"), "{answer:?}");
        }
    }
    let bearer = format!("Bearer {service}");
    for (kind, path, form) in [
        (FORM, "/oauth2/introspect?token=x", named.as_str()),
        ("application/json", "/oauth2/introspect", "{\"token\":\"x\"}"),
        (FORM, "/oauth2/introspect", ""),
        (FORM, "/oauth2/introspect", "token="),
        (FORM, "/oauth2/introspect", "token=a&token=b"),
        (FORM, "/oauth2/introspect", "token=a&org="),
        (FORM, "/oauth2/introspect", "token=a&access=RO"),
        (FORM, "/oauth2/introspect", "token=a&permission=read:assets"),
        (FORM, "/oauth2/introspect", "token=a&org=ops&access=method"),
        (FORM, "/oauth2/introspect", "token=a&orgs=ops"),
        (FORM, "/oauth2/introspect", "token=a&client_secret=x"),
        (FORM, "/oauth2/introspect", "token=a&client_address=x"),
    ] {
        let answer = ask(&[&bearer], kind, path, form);
        assert_eq!(
            (answer.status, &answer.json()["error"]),
            (400, &json!("invalid_request")),
            "{form}: {answer:?}"
        );
    }
    for hint in ["access_token", "refresh_token", "nonsense"] {
        let answer = ask(
            &[&bearer],
            FORM,
            "/oauth2/introspect",
            &format!("{named}&token_type_hint={hint}&client_id=x"),
        );
        assert_eq!(answer.json()["active"], true, "{answer:?}");
    }
    assert_eq!(setup.send("GET /oauth2/introspect", "authorization: Bearer {S}").status, 405);
}

/// Envoy's call succeeds, whatever is decided: it takes a failed call for a down server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn envoy_is_always_answered() {
    let at = Installation::new(Engine::Sqlite).await;
    let setup = set_up(&at);
    let token = format!("Bearer {}", setup.token);
    let (token, ops) = (Some(token.as_str()), ("org", "ops"));
    let stranger: Secret = "ndsvc_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U".parse().expect("a secret");
    let pat: Secret = setup.token.parse().expect("a secret");
    let service = Some(&setup.service);
    let two = {
        let mut request = check_request(token, &[ops], None);
        let attributes = request.attributes.as_mut().expect("attributes");
        let http = attributes.request.as_mut().and_then(|request| request.http.as_mut()).expect("a request");
        let header = |value: &str| envoy_types::pb::envoy::config::core::v3::HeaderValue {
            key: "authorization".to_owned(),
            raw_value: value.as_bytes().to_vec(),
            ..Default::default()
        };
        http.headers.clear();
        http.header_map = Some(envoy_types::pb::envoy::config::core::v3::HeaderMap {
            headers: vec![header(token.expect("a token")), header(token.expect("a token"))],
        });
        request
    };
    let bare = envoy_types::pb::envoy::service::auth::v3::CheckRequest::default();
    for (what, proxy, request, status) in [
        ("yes", service, check_request(token, &[ops], None), 200),
        ("by the method", service, check_request(token, &[ops, ("access", "method")], None), 200),
        ("no token", service, check_request(None, &[ops], None), 401),
        ("a bad one", service, check_request(Some("Bearer ndpat_x"), &[ops], None), 401),
        ("another org", service, check_request(token, &[("org", "dev")], None), 403),
        ("two tokens", service, two, 400),
        (
            "two tokens in one",
            service,
            check_request(Some(&format!("{0},{0}", token.expect("it"))), &[ops], None),
            401,
        ),
        ("no org", service, check_request(token, &[], None), 400),
        ("an unknown parameter", service, check_request(token, &[ops, ("orgs", "dev")], None), 400),
        ("no request", service, bare.clone(), 400),
        ("nobody", None, check_request(token, &[ops], None), 503),
        ("a stranger", Some(&stranger), check_request(token, &[ops], None), 503),
        ("a token", Some(&pat), check_request(token, &[ops], None), 503),
        ("a stranger without a question", Some(&stranger), bare, 503),
    ] {
        let answer: EnvoyAnswer = ask_as_envoy(&setup.server, proxy, &request).await.expect("it succeeds");
        assert_eq!(answer.status, status, "{what}: {answer:?}");
    }
}

on_both! {
    /// A caller that may not ask gets the same answer about a live token as about none.
    async fn strangers_learn_nothing(at: &Installation) {
        let setup = set_up(at);
        let unknown = "ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U";
        let stranger: Secret = "ndsvc_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U".parse().expect("a secret");
        let settled = |answer: Answered| {
            let mut json = answer.json();
            json.as_object_mut().expect("an object").shift_remove("request_id");
            (answer.status, json)
        };
        let verify = |token: &str| {
            let headers = format!("x-ndauth-service: {}|authorization: Bearer {token}", stranger.expose());
            settled(setup.send("GET /edge/verify?org=ops", &headers))
        };
        assert_eq!(verify(&setup.token), verify(unknown));
        let ask = |token: &str| settled(introspect(&setup.server, &stranger, &format!("token={token}&org=ops")));
        assert_eq!(ask(&setup.token), ask(unknown));
        let mut told = Vec::new();
        for token in [setup.token.as_str(), unknown] {
            let token = format!("Bearer {token}");
            let request = check_request(Some(&token), &[("org", "ops")], None);
            let mut answer = ask_as_envoy(&setup.server, Some(&stranger), &request).await.expect("it succeeds");
            answer.body.as_object_mut().expect("an object").shift_remove("request_id");
            told.push(answer);
        }
        assert_eq!(told[0], told[1]);
    }
}

/// Could not decide is 503, never yes, and never no.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_not_be_decided_is_503_everywhere() {
    let cluster = Cluster::of(1).await;
    let instance = &cluster.instances[0];
    let token = create(&instance.server, cluster.at.session().expose(), &new_token("ci"));
    let drivers = vec![
        ("Python", crate::clients::python_driver()),
        ("TypeScript", crate::clients::typescript_driver()),
    ];
    let mut channels = Channels::open(&instance.server, &cluster.service, drivers).await;
    let asked = Asked { org: "ops", access: Scope::Ro, permission: None, address: None };
    let told = channels.ask(&token, asked).await;
    assert!(told.iter().all(|(_, told)| matches!(told, TokenVerdict::Allowed(_))), "{told:?}");
    instance.proxy.treat(FaultScope::All, Treatment::Swallowed);
    let begun = std::time::Instant::now();
    loop {
        let told = channels.ask(&token, asked).await;
        if told.iter().all(|(_, told)| matches!(told, TokenVerdict::Undecided(_))) {
            break;
        }
        assert!(told.iter().all(|(_, told)| !matches!(told, TokenVerdict::Refused(_))), "{told:?}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{told:?}");
    }
    let text = format!("x-ndauth-service: {}|authorization: Bearer {token}", cluster.service.expose());
    let lines: String = text.split('|').map(|line| format!("{line}\r\n")).collect();
    let request = format!("GET /edge/verify?org=ops HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{lines}\r\n");
    let verify = send(&instance.server, request.as_bytes());
    assert_eq!((verify.status, verify.header("retry-after")), (503, "1"), "{verify:?}");
    let introspected = introspect(&instance.server, &cluster.service, &format!("token={token}"));
    assert_eq!((introspected.status, introspected.header("retry-after")), (503, "1"), "{introspected:?}");
    assert_eq!(introspected.json()["error"], "temporarily_unavailable");
    let bearer = format!("Bearer {token}");
    let request = check_request(Some(&bearer), &[("org", "ops")], None);
    let answer = ask_as_envoy(&instance.server, Some(&cluster.service), &request).await.expect("it succeeds");
    assert_eq!(answer.status, 503, "{answer:?}");
}
