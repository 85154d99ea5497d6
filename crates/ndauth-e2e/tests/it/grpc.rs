//! The wire protocol, through an independent gRPC client that knows only the server's reflection.

use serde_json::Value;

use crate::installation::{Ended, Installation, Running, run, test_path};
use crate::on_both;
use ndauth_store::Engine;

/// Calls a method with `grpcurl`. Returns its output.
pub(crate) fn grpcurl(server: &Running, headers: &[&str], method: &str, request: &str) -> Ended {
    let mut command = std::process::Command::new(test_path("NDAUTH_TEST_GRPCURL"));
    command.args(["-plaintext", "-max-time", "20", "-emit-defaults"]);
    for header in headers {
        command.args(["-H", header]);
    }
    if !request.is_empty() {
        command.args(["-d", request]);
    }
    let address = server.url.to_string();
    command.arg(address.trim_start_matches("http://")).args(method.split(' '));
    run(command, "")
}

on_both! {
    async fn an_independent_client_does_the_main_job(at: &Installation) {
        at.people();
        let server = at.serve();
        let session = format!("authorization: Bearer {}", at.session().expose());
        let service = format!("authorization: bearer {}", at.service().expose());
        let call = |credential: &str, method: &str, request: Value| {
            let ended = grpcurl(&server, &[credential], method, &request.to_string());
            assert_eq!(ended.code, 0, "{method}: {ended:?}");
            serde_json::from_str::<Value>(&ended.out).expect("JSON")
        };
        let services = grpcurl(&server, &[], "list", "");
        for name in ["ndauth.v1.TokenService", "ndauth.v1.ValidationService", "ndauth.v1.AccountService", "grpc.health.v1.Health"] {
            assert!(services.out.lines().any(|line| line == name), "{services:?}");
        }
        let health = call("x: y", "grpc.health.v1.Health/Check", serde_json::json!({ "service": "ndauth.v1.TokenService" }));
        assert_eq!(health["status"], "SERVING");
        let made = call(&session, "ndauth.v1.TokenService/CreateToken", serde_json::json!({ "owner": { "mine": {} }, "token": {
            "name": "ci", "scope": "SCOPE_RO", "orgs": { "only": { "slugs": ["ops"] } }, "grants": { "all": {} },
            "expiry": { "lifetime": "3600s" }, "services": { "all": {} }, "networks": { "all": {} },
        }}));
        let secret = made["secret"].as_str().expect("a secret").to_owned();
        let ask = |access: &str| call(&service, "ndauth.v1.ValidationService/ValidateToken", serde_json::json!({
            "secret": secret, "org": "ops", "required_access": access,
            "required_permission": { "action": "read", "resource_type": "assets", "resource_id": "*" },
            "client_address": "2001:db8::7",
        }));
        let allowed = ask("ACCESS_RO");
        assert_eq!(allowed["allowed"]["effective"]["access"], "SCOPE_RO");
        assert!(allowed["maxCacheAge"].as_str().is_some_and(|age| age.starts_with("1.")), "{allowed}");
        assert_eq!(ask("ACCESS_RW")["refused"]["reason"], "REASON_SCOPE_TOO_NARROW");
        let listed = call(&session, "ndauth.v1.TokenService/ListTokens", serde_json::json!({ "owner": { "mine": {} } }));
        assert_eq!(listed["tokens"][0]["lastUse"]["address"], "2001:db8::7");
        call(&session, "ndauth.v1.TokenService/RevokeToken", serde_json::json!({
            "owner": { "mine": {} }, "which": { "name": "ci" }, "reason": "REVOCATION_REASON_LEAKED",
        }));
        let refused = ask("ACCESS_RO");
        assert_eq!(refused["refused"]["reason"], "REASON_TOKEN_REVOKED");
        assert!(refused["refused"]["since"].is_string());
    }
}

#[tokio::test]
async fn failures_carry_their_reason_and_field() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let server = at.serve();
    let secret = at.session();
    let session = format!("authorization: Bearer {}", secret.expose());
    let create = "ndauth.v1.TokenService/CreateToken";
    let rows = [
        (vec![], "ndauth.v1.AccountService/WhoAmI", "{}", "Unauthenticated", "CREDENTIAL_MISSING"),
        (vec!["authorization: Bearer ndses_x"], create, "{}", "Unauthenticated", "SECRET_MALFORMED"),
        (vec!["authorization: Basic eDp5"], create, "{}", "Unauthenticated", "CREDENTIAL_MISSING"),
        (vec!["authorization: Bearer"], create, "{}", "InvalidArgument", "INVALID_ARGUMENT"),
        (vec![&session, &session], create, "{}", "InvalidArgument", "INVALID_ARGUMENT"),
        (
            vec![&session],
            create,
            r#"{"owner":{"mine":{}},"token":{"name":"x","scope":"SCOPE_RO","grants":{"all":{}},"expiry":{"never":{}},"services":{"all":{}},"networks":{"all":{}}}}"#,
            "InvalidArgument",
            "`orgs`",
        ),
        (
            vec![&session],
            create,
            r#"{"owner":{"mine":{}},"token":{"name":"x","scope":"SCOPE_RO","orgs":{"all":{}},"expiry":{"never":{}}}}"#,
            "InvalidArgument",
            "`grants`",
        ),
        (
            vec![&session],
            create,
            r#"{"owner":{"mine":{}},"token":{"name":"x","scope":"SCOPE_RO","orgs":{"only":{}},"grants":{"all":{}},"expiry":{"never":{}}}}"#,
            "InvalidArgument",
            "`orgs`",
        ),
        (
            vec![&session],
            create,
            r#"{"owner":{"mine":{}},"token":{"name":"x","scope":"SCOPE_RO","orgs":{"all":{}},"grants":{"all":{}},"services":{"all":{}},"networks":{"all":{}}}}"#,
            "InvalidArgument",
            "`expiry`",
        ),
        (
            vec![&session],
            create,
            r#"{"owner":{"mine":{}},"token":{"scope":"SCOPE_RO","orgs":{"all":{}},"grants":{"all":{}},"expiry":{"never":{}},"services":{"all":{}},"networks":{"all":{}}}}"#,
            "InvalidArgument",
            "`name`",
        ),
        (vec![&session], "ndauth.v1.TokenService/RevokeToken", "{}", "InvalidArgument", "`owner`"),
        (
            vec![&session],
            "ndauth.v1.TokenService/RevokeToken",
            r#"{"owner":{"mine":{}},"which":{"name":"none"},"reason":"REVOCATION_REASON_LEAKED"}"#,
            "NotFound",
            "NOT_FOUND",
        ),
        (
            vec![&session],
            "ndauth.v1.TokenService/ListTokens",
            r#"{"owner":{"mine":{}},"page_size":-1}"#,
            "InvalidArgument",
            "page_size",
        ),
        (
            vec![&session],
            "ndauth.v1.ValidationService/ValidateToken",
            r#"{"required_access":"ACCESS_IDENTITY"}"#,
            "PermissionDenied",
            "NOT_PERMITTED",
        ),
    ];
    for (headers, method, request, code, detail) in rows {
        let ended = grpcurl(&server, &headers, method, request);
        assert_ne!(ended.code, 0, "{method} {request}");
        assert!(ended.err.contains(code) && ended.err.contains(detail), "{method} {request}: {}", ended.err);
    }
    let large = format!(r#"{{"token":{{"name":"{}"}}}}"#, "x".repeat(100_000));
    let ended = grpcurl(&server, &[&session], create, &large);
    assert!(ended.code != 0 && ended.err.contains("OutOfRange"), "{ended:?}");
}
