//! Traces, as a collector receives them.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ndauth_client::TraceParent;
use ndauth_core::Reason;
use ndauth_store::Engine;
use rustix::process::Signal;
use serde_json::Value;

use crate::api;
use crate::installation::{Installation, KillOnDrop, ReservedPort, Running, run, test_path};
use crate::instances::Asker;
use crate::on_both;
use crate::requests::new_token;

/// A collector that parses what it receives.
struct Collector {
    port: u16,
    received: Arc<Mutex<Vec<Value>>>,
    _process: KillOnDrop,
}

/// The codes of OTLP for spans.
const SERVER: u64 = 2;
const INTERNAL: u64 = 1;
const ERROR: u64 = 2;

impl Collector {
    fn start() -> Collector {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/telemetry/otlp_sink.py");
        let mut python = Command::new(test_path("NDAUTH_TEST_PYTHON"));
        let child = python.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.expect("the collector starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let port = lines.next().expect("it prints its port").expect("text").parse().expect("a port");
        let received = Arc::new(Mutex::new(Vec::new()));
        let more = Arc::clone(&received);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let request = serde_json::from_str(&line).expect("JSON");
                more.lock().unwrap_or_else(PoisonError::into_inner).push(request);
            }
        });
        Collector { port, received, _process: KillOnDrop(child) }
    }

    fn requests(&self) -> Vec<Value> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn spans(&self) -> Vec<Value> {
        let requests = self.requests();
        requests.iter().flat_map(|request| request["spans"].as_array().expect("spans").clone()).collect()
    }

    /// Waits for the span of a trace with this name.
    fn span(&self, trace: &str, name: &str) -> Value {
        let begun = Instant::now();
        loop {
            let found = self.spans().into_iter().find(|span| span["trace"] == trace && span["name"] == name);
            match found {
                Some(span) => return span,
                None => assert!(begun.elapsed() < Duration::from_secs(20), "{name}: {:#?}", self.spans()),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Starts a server that exports traces to a port of this machine, soon after they end.
fn serve(at: &Installation, port: u16, more: &[&str]) -> Running {
    let mut command = at.command("NDAUTH_TEST_NDAUTHD");
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{port}"))
        .env("OTEL_SERVICE_NAME", "authority")
        .env("OTEL_BSP_SCHEDULE_DELAY", "100");
    at.serve_as(command, more)
}

/// Returns a number as the id of a trace, and the context of its caller.
fn trace(number: u8, flags: &str) -> (String, String) {
    let id = format!("{number:02x}").repeat(16);
    let parent = format!("00-{id}-{}-{flags}", caller());
    (id, parent)
}

/// The id of the span of every caller.
fn caller() -> String {
    "c0".repeat(8)
}

/// The id of no token.
fn uuid() -> String {
    format!("{0}{0}-{0}-7{1}-8{1}-{0}{0}{0}", "0198", "abc")
}

/// Sends a request that belongs to a trace.
fn ask(server: &Running, request: &str, headers: &[&str], traceparent: &str) -> u16 {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let text = format!(
        "{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntraceparent: {traceparent}\r\n{headers}\r\n"
    );
    api::send(server, text.as_bytes()).status
}

on_both! {
    async fn the_caller_s_trace_goes_on_in_the_server(at: &Installation) {
        at.people();
        let collector = Collector::start();
        let server = serve(at, collector.port, &[]);
        let (session, service) = (at.session(), at.service());
        let client = server.client(&session).await;
        let in_trace = |client: &ndauth_client::Client, parent: &str| {
            client.with_trace_parent(&parent.parse::<TraceParent>().expect("valid"))
        };

        // A change by gRPC, with what it does below it.
        let (id, parent) = trace(1, "01");
        let secret = in_trace(&client, &parent).create_token(new_token("ci")).await.expect("made").secret;
        let request = collector.span(&id, "ndauth.v1.TokenService/CreateToken");
        assert_eq!((request["parent"].as_str(), request["kind"].as_u64()), (Some(caller().as_str()), Some(SERVER)));
        let attributes = &request["attributes"];
        assert_eq!(attributes["rpc.system"], "grpc");
        assert_eq!(attributes["rpc.service"], "ndauth.v1.TokenService");
        assert_eq!(attributes["rpc.method"], "CreateToken");
        assert_eq!(attributes["rpc.grpc.status_code"], 0);
        assert!(attributes["request.id"].as_str().is_some_and(|id| id.len() > 16), "{request}");
        assert_eq!(request["resource"]["service.name"], "authority");
        assert!(request["lasts"].as_u64().is_some_and(|lasts| lasts > 0 && lasts < 20_000_000_000), "{request}");
        let change = collector.span(&id, "CreateToken");
        let commit = collector.span(&id, "commit");
        assert_eq!((&change["parent"], &commit["parent"]), (&request["span"], &change["span"]));
        assert_eq!((change["kind"].as_u64(), commit["kind"].as_u64()), (Some(INTERNAL), Some(INTERNAL)));

        // The same by JSON: one span for the request, named by its template.
        let bearer = format!("authorization: Bearer {}", session.expose());
        let (id, parent) = trace(2, "01");
        assert_eq!(ask(&server, &format!("GET /v1/tokens/{}", uuid()), &[&bearer], &parent), 404);
        let request = collector.span(&id, "GET /v1/tokens/{id}");
        assert_eq!((request["parent"].as_str(), request["kind"].as_u64()), (Some(caller().as_str()), Some(SERVER)));
        let attributes = &request["attributes"];
        assert_eq!(attributes["http.request.method"], "GET");
        assert_eq!(attributes["http.route"], "/v1/tokens/{id}");
        assert_eq!(attributes["http.response.status_code"], 404);
        assert_eq!((&attributes["rpc.method"], &attributes["rpc.grpc.status_code"]), (&"GetToken".into(), &5.into()));

        // A page, and requests that are refused.
        let (id, parent) = trace(3, "01");
        assert_eq!(ask(&server, "GET /sign-in", &[], &parent), 200);
        assert_eq!(collector.span(&id, "GET /sign-in")["attributes"]["http.response.status_code"], 200);
        let (id, parent) = trace(4, "01");
        assert_eq!(ask(&server, &format!("GET /v1/tokens/{}", uuid()), &[], &parent), 401);
        let refused = collector.span(&id, "GET /v1/tokens/{id}");
        assert_eq!(refused["attributes"]["http.response.status_code"], 401);
        assert_ne!(refused["status"], ERROR);

        // ndcli takes the trace from its environment.
        let (id, parent) = trace(5, "01");
        let variables = [("NDCLI_TOKEN", session.expose()), ("TRACEPARENT", &parent)];
        let ended = at.ndcli_with(&server, &variables, &["whoami"], "");
        assert_eq!(ended.code, 0, "{ended:?}");
        assert_eq!(collector.span(&id, "ndauth.v1.AccountService/WhoAmI")["parent"], caller());

        // Validations have spans if their caller samples them. Spans arrive in the order in which they end.
        let asking = server.client(&service).await;
        let before = collector.spans().len();
        for _validation in 0..10 {
            assert_eq!(Asker(asking.clone()).refused(&secret).await, Ok(None));
        }
        let (unsampled, parent) = trace(6, "00");
        assert_eq!(Asker(in_trace(&asking, &parent)).refused(&secret).await, Ok(None));
        let (id, parent) = trace(7, "01");
        assert_eq!(Asker(in_trace(&asking, &parent)).refused(&secret).await, Ok(None));
        collector.span(&id, "ndauth.v1.ValidationService/ValidateToken");
        let validations: Vec<Value> =
            collector.spans().into_iter().skip(before).filter(|span| span["name"] == "ndauth.v1.ValidationService/ValidateToken").collect();
        assert_eq!(validations.len(), 1, "{validations:#?}");
        assert!(collector.spans().iter().all(|span| span["trace"] != unsampled.as_str()));

        // Nothing else begins a trace, and no span has events, links or states.
        for span in collector.spans() {
            assert!(span["parent"] != "" || span["kind"] == SERVER, "{span:#}");
            assert_eq!((&span["events"], &span["links"], &span["state"]), (&0.into(), &0.into(), &"".into()), "{span:#}");
        }
    }

    async fn no_span_holds_a_secret_or_a_name(at: &Installation) {
        at.people();
        let collector = Collector::start();
        let server = serve(at, collector.port, &["--log", "trace"]);
        let (session, service) = (at.session(), at.service());
        let client = server.client(&session).await;
        let token = client.create_token(new_token("nightly-build")).await.expect("made").secret;
        assert_eq!(Asker(server.client(&service).await).refused(&token).await, Ok(None));
        let (_, parent) = trace(1, "01");
        let bearer = format!("authorization: Bearer {token}");
        let state = format!("tracestate: vendor={token}");
        let id = format!("x-request-id: {token}");
        let cookie = format!("cookie: ndauth-session={}", session.expose());
        for path in [
            format!("GET /v1/tokens/{token}"),
            format!("GET /v1/orgs/ops/tokens/{token}?secret={token}"),
            format!("GET /{token}"),
            format!("GET /sign-in/link?code={token}"),
            format!("GET /tokens/{token}"),
            format!("{token} /v1/tokens"),
            "GET /edge/verify".to_owned(),
        ] {
            ask(&server, &path, &[&bearer, &state, &id, &cookie], &parent);
        }
        let form = format!("username=ada&password=correct-horse-{token}");
        let post = format!("POST /sign-in HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}", form.len());
        api::send(&server, post.as_bytes());
        let (last, parent) = trace(2, "01");
        assert_eq!(ask(&server, "GET /sign-in", &[], &parent), 200);
        collector.span(&last, "GET /sign-in");
        assert!(collector.spans().len() >= 8, "{:#?}", collector.spans());
        let sent: Vec<u8> = collector
            .requests()
            .iter()
            .flat_map(|request| unhex(request["raw"].as_str().expect("text")))
            .collect();
        let holds = |needle: &[u8]| sent.windows(needle.len()).any(|part| part == needle);
        assert!(holds(b"GET /v1/tokens/{id}") && holds(b"authority"), "they are read as they were sent");
        for secret in [&token, session.expose(), service.expose()] {
            let middle = &secret[12..40];
            let reversed: String = middle.chars().rev().collect();
            let hex: String = middle.bytes().map(|byte| format!("{byte:02x}")).collect();
            let base64 = STANDARD.encode(secret);
            for form in [middle, &reversed, &hex, &base64[8..40]] {
                assert!(!holds(form.as_bytes()), "{form}");
            }
        }
        for name in ["ada@example.org", "nightly-build", "correct-horse", "127.0.0.1", "\u{1}ada"] {
            assert!(!holds(name.as_bytes()), "{name}");
        }
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.bytes().map(|digit| char::from(digit).to_digit(16).expect("a digit") as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Makes some requests, and returns the longest time that one took.
async fn slowest(at: &Installation, server: &Running) -> Duration {
    let client = server.client(&at.session()).await;
    let mut slowest = Duration::ZERO;
    for number in 0..20 {
        let begun = Instant::now();
        client.create_token(new_token(&format!("t{number}"))).await.expect("made");
        client.who_am_i().await.expect("answered");
        slowest = slowest.max(begun.elapsed());
    }
    slowest
}

/// Nothing listens, or somebody listens and never answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_gone_delays_nothing() {
    let gone = ReservedPort::new();
    let mute = TcpListener::bind("127.0.0.1:0").expect("a port");
    for (port, is_refused) in
        [(gone.address.port(), true), (mute.local_addr().expect("an address").port(), false)]
    {
        let at = Installation::new(Engine::Sqlite).await;
        at.people();
        let server = serve(&at, port, &["--drain-seconds", "2"]);
        let slowest = slowest(&at, &server).await;
        assert!(slowest < Duration::from_secs(2), "{slowest:?}");
        if is_refused {
            let begun = Instant::now();
            while server.get("/metrics").1.contains("ndauth_trace_export_failures_total 0") {
                assert!(begun.elapsed() < Duration::from_secs(20), "the failures are counted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let said = server.log.try_iter().filter(|line| line.contains("the collector of traces")).count();
            assert_eq!(said, 1, "the first of a row is logged");
        }
        let begun = Instant::now();
        server.signal(Signal::TERM);
        assert!(server.ended().success());
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn what_the_settings_of_traces_cannot_mean_is_refused() {
    let at = Installation::new(Engine::Sqlite).await;
    for (variable, value, why) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317", "it has no scheme"),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "http://collector:4317/v1/traces",
            "it names no host, or has more after it",
        ),
        ("OTEL_TRACES_SAMPLER", "sometimes", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "2", "expected a number from 0 to 1"),
    ] {
        let mut command = at.command("NDAUTH_TEST_NDAUTHD");
        command.args(["config", "check"]).env(variable, value);
        let ended = run(command, "");
        assert!(ended.code == 2 && ended.err.contains(why), "{variable}={value}: {ended:?}");
    }
    // Without a collector, nobody connects anywhere, and requests have no spans.
    let server = at.serve();
    assert_eq!(ask(&server, "GET /sign-in", &[], &trace(1, "01").1), 200);
    let refused =
        server.client(&"ndses_9fefK0k0r4f1UgtpuUsNmC6Fu1W2cqhyY3rNdGb8tg4".parse().expect("a secret")).await;
    assert_eq!(refused.who_am_i().await.expect_err("refused").reason, Reason::SecretUnknown);
}
