//! The example: a service guarded by the client library, over HTTP and gRPC, as its users see it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ndauth_core::{Grants, Secret};
use ndauth_proto::{grants_to_proto, v1};
use rustix::process::{Pid, Signal, kill_process};

use crate::installation::{Installation, KillOnDrop, Running, soon, test_path};
use crate::on_both;
use crate::requests::{new_token, revoke, token_with};

/// The running service, and its addresses.
pub(crate) struct Registry {
    child: KillOnDrop,
    pub(crate) http: String,
    grpc: String,
}

/// A response over HTTP.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    text: String,
}

impl Registry {
    pub(crate) fn start(at: &Installation, server: &Running, service: &Secret) -> Registry {
        let child = Command::new(test_path("NDAUTH_TEST_ASSET_REGISTRY"))
            .args([&server.url.to_string(), &at.home().join("assets.db").display().to_string()])
            .env_clear()
            .env("ASSETS_NDAUTH_SECRET", service.expose())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example starts");
        let mut child = KillOnDrop(child);
        let mut line = String::new();
        let out = child.0.stdout.take().expect("its output is piped");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["ready:", "http", http, "grpc", grpc] = words.as_slice() else { panic!("not ready: {line}") };
        Registry { http: (*http).to_owned(), grpc: (*grpc).to_owned(), child }
    }

    fn http(&self, request: &str, headers: &[String], body: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.http).expect("it answers");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a limit is set");
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let length = body.len();
        write!(
            stream,
            "{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        )
        .expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        let (head, text) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Answer { status, head: head.to_lowercase(), text: text.to_owned() }
    }

    fn with(&self, request: &str, secret: &str, body: &str) -> Answer {
        self.http(request, &[bearer(secret)], body)
    }

    fn grpcurl(&self, secret: &str, method: &str, message: &str) -> Command {
        let mut command = Command::new(test_path("NDAUTH_TEST_GRPCURL"));
        let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../ndauth-client/examples/asset-registry");
        command
            .args(["-plaintext", "-import-path", examples, "-proto", "assets.proto", "-max-time", "20"])
            .args(["-H", &bearer(secret), "-H", "x-org: ops", "-d", message, &self.grpc])
            .arg(format!("assets.v1.AssetService/{method}"));
        command
    }

    /// Returns the output of a call, and true if it succeeded.
    fn call(&self, secret: &str, method: &str, message: &str) -> (bool, String) {
        let ended = self.grpcurl(secret, method, message).output().expect("grpcurl runs");
        let printed = [ended.stdout, ended.stderr].concat();
        (ended.status.success(), String::from_utf8(printed).expect("text"))
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.0.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, signal).expect("signalled");
    }
}

fn bearer(secret: &str) -> String {
    format!("authorization: Bearer {secret}")
}

fn with_grants(name: &str, permissions: &[&str]) -> v1::CreateTokenRequest {
    let grants = permissions.iter().map(|text| {
        let permission: ndauth_core::Permission = text.parse().expect("a permission");
        ndauth_core::Grant {
            resource_type: permission.resource_type,
            resource_ids: permission.resource_ids,
            actions: ndauth_core::Actions::Only([permission.action].into()),
        }
    });
    let grants = Grants::only(grants).expect("grants");
    token_with(name, |new| new.grants = Some(grants_to_proto(&grants)))
}

on_both! {
    async fn the_registry_allows_permitted_callers_and_explains_refusals(at: &Installation) {
        at.people();
        let server = at.serve();
        let owner = server.client(&at.session()).await;
        let service = at.service();
        let registry = Registry::start(at, &server, &service);
        let make = async |request| owner.create_token(request).await.expect("made").secret;
        let (pipeline, reader) =
            (make(new_token("ci")).await, make(with_grants("reader", &["read:assets"])).await);
        let logo = "/orgs/ops/assets/logo";

        let nothing = registry.http(&format!("GET {logo}"), &[], "");
        assert!(nothing.status == 401 && nothing.head.contains("\r\nwww-authenticate: bearer\r\n"), "{nothing:?}");
        assert!(nothing.text.contains("CREDENTIAL_MISSING"), "{nothing:?}");
        let made = registry.with(&format!("PUT {logo}"), &pipeline, "<svg/>");
        assert_eq!((made.status, made.text.contains("\"published_by\":\"ada\"")), (201, true), "{made:?}");
        let missing = registry.with(&format!("PUT {logo}"), &reader, "<svg/>");
        assert_eq!(missing.status, 403);
        assert!(
            missing.head.contains("error=\"insufficient_scope\", scope=\"write:assets:logo\""),
            "it names what is missing: {missing:?}"
        );
        assert!(missing.text.contains("\"missing_permissions\":[\"write:assets:logo\"]"), "{missing:?}");
        // Only admins approve. Afterwards, the asset is available.
        let approve = format!("POST {logo}/versions/1/approve");
        let low = registry.with(&approve, &pipeline, "");
        assert_eq!((low.status, low.text.contains("\"missing_role\":\"ADMIN\"")), (403, true), "{low:?}");
        assert_eq!(registry.with(&format!("GET {logo}"), &reader, "").status, 404);
        at.run_admin("member set ops ada ADMIN");
        soon(&200, async || registry.with(&approve, &pipeline, "").status).await;
        let pulled = registry.with(&format!("GET {logo}"), &reader, "");
        assert_eq!((pulled.status, pulled.text.as_str()), (200, "<svg/>"));
        assert!(registry.with("GET /orgs/ops/assets", &reader, "").text.contains("\"approved_by\":\"ada\""));
        // A request without a row in the table is refused for everybody.
        for request in ["GET /orgs/ops", "DELETE /orgs/ops/assets/logo", "GET /orgs/ops/assets/lo%67o", "GET //healthz"] {
            assert_eq!(registry.with(request, &pipeline, "").status, 404, "{request}");
        }
        assert_eq!(registry.http("GET /healthz", &[], "").status, 200);
        let twice = registry.http(&format!("GET {logo}"), &[bearer(&reader), bearer(&pipeline)], "");
        assert_eq!(twice.status, 400, "{twice:?}");
        for (other, status) in [("authorization: Basic eDp5", 401), ("authorization: Bearer", 400)] {
            assert_eq!(registry.http(&format!("GET {logo}"), &[other.to_owned()], "").status, status, "{other}");
        }
        assert_eq!(registry.http(&format!("GET {logo}?access_token={reader}"), &[], "").status, 401);
        let elsewhere = registry.with("GET /orgs/dev/assets", &pipeline, "");
        assert_eq!(elsewhere.status, 200, "who is a member elsewhere is so there");

        // The same over gRPC, with an independent client.
        let (well, text) = registry.call(&reader, "List", "{}");
        assert!(well && text.contains("\"approvedBy\": \"ada\""), "{text}");
        let (well, text) = registry.call(&reader, "Publish", r#"{"name":"logo","content":"PHN2Zy8+"}"#);
        assert!(!well && text.contains("PermissionDenied") && text.contains("not granted `write:assets`"), "{text}");

        // A long stream ends when the token does.
        let follow: Child = registry
            .grpcurl(&pipeline, "Follow", "{}")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("grpcurl runs");
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(registry.with(&format!("PUT {logo}"), &pipeline, "<svg />").status, 201);
        owner.revoke_token(revoke("ci")).await.expect("revoked");
        let begun = Instant::now();
        let ended = tokio::task::spawn_blocking(move || follow.wait_with_output()).await.expect("it ends");
        let ended = ended.expect("it ran");
        assert!(begun.elapsed() < Duration::from_secs(4), "it ends with the token");
        assert!(String::from_utf8_lossy(&ended.stdout).contains("\"version\": 2"), "{ended:?}");
        assert!(String::from_utf8_lossy(&ended.stderr).contains("Unauthenticated"), "{ended:?}");
        let dead = registry.with(&format!("PUT {logo}"), &pipeline, "");
        assert_eq!(dead.status, 401);
        assert!(dead.head.contains("error=\"invalid_token\", error_description=\"the token was revoked "), "{dead:?}");
        let (_, text) = registry.call(&pipeline, "List", "{}");
        assert!(text.contains("Unauthenticated") && text.contains("the token was revoked "), "{text}");

        // If the service cannot decide, nobody is allowed and nobody is called invalid.
        assert_eq!(registry.with("GET /orgs/ops/assets", &reader, "").status, 200);
        server.kill();
        soon(&503, async || registry.with("GET /orgs/ops/assets", &reader, "").status).await;
        let unknown = registry.with("GET /orgs/ops/assets", &reader, "");
        assert!(unknown.head.contains("retry-after: 1") && unknown.text.contains("UNAVAILABLE"), "{unknown:?}");
        let (_, text) = registry.call(&reader, "List", "{}");
        assert!(text.contains("Unavailable"), "{text}");
    }

    /// A suspended service resumes with a stale cache, and does not use it.
    async fn a_suspended_service_does_not_use_its_stale_cache(at: &Installation) {
        at.people();
        let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &["--freshness-bound", "500ms"]);
        let owner = server.client(&at.session()).await;
        let registry = Registry::start(at, &server, &at.service());
        for round in 0..3 {
            let secret = owner.create_token(new_token("ci")).await.expect("made").secret;
            for _ in 0..3 {
                assert_eq!(registry.with("GET /orgs/ops/assets", &secret, "").status, 200);
            }
            registry.signal(Signal::STOP);
            owner.revoke_token(revoke("ci")).await.expect("revoked");
            tokio::time::sleep(Duration::from_millis(700)).await;
            registry.signal(Signal::CONT);
            let answer = registry.with("GET /orgs/ops/assets", &secret, "");
            assert!([401, 503].contains(&answer.status), "round {round}: {answer:?}");
            soon(&401, async || registry.with("GET /orgs/ops/assets", &secret, "").status).await;
        }
    }
}
