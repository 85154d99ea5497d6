//! The HTTP front from outside: clients that stall, take too much, or set deadlines, and a server that stops.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Request, Version};
use ndauth_core::{Networks, Reason, Secret, SecretKind};
use ndauth_proto::{networks_to_proto, v1};
use ndauth_store::Engine;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::installation::{Installation, Running};
use crate::requests::{list, new_token, token_with};

fn address(server: &Running) -> SocketAddr {
    server.url.to_string().trim_start_matches("http://").trim_end_matches('/').parse().expect("an address")
}

/// Returns true if the server closes this connection within a time.
pub(crate) async fn closes(mut stream: TcpStream, within: Duration) -> bool {
    let mut bytes = [0; 1024];
    let closed = async { while let Ok(1..) = stream.read(&mut bytes).await {} };
    tokio::time::timeout(within, closed).await.is_ok()
}

/// The preface of every HTTP/2 client, with empty settings.
const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_clients_are_closed_while_others_are_served() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("more files may be open");
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &["--client-timeout-seconds", "1"]);
    let good = server.client(&at.session()).await;
    let mut waiting = Vec::new();
    for number in 0..1000 {
        let mut stream = TcpStream::connect(address(&server)).await.expect("connected");
        waiting.push(tokio::spawn(async move {
            match number % 4 {
                // This client sends nothing.
                0 => {}
                // This client sends a valid beginning, and no more.
                1 => stream.write_all(&GREETING[..10]).await.expect("written"),
                // This client sends the preface, and answers no ping.
                2 => stream.write_all(GREETING).await.expect("written"),
                // This client sends the preface one byte at a time.
                _ => {
                    for byte in GREETING {
                        if stream.write_all(&[*byte]).await.is_err() {
                            return true;
                        }
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
            closes(stream, Duration::from_secs(15)).await
        }));
    }
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        good.who_am_i().await.expect("it is served");
    }
    for (number, waiting) in waiting.into_iter().enumerate() {
        assert!(waiting.await.expect("it ends"), "connection {number} was not closed");
    }
    good.who_am_i().await.expect("it is served still");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_limited_by_address_except_trusted_proxies() {
    let at = Installation::new(Engine::Sqlite).await;
    for (more, stay) in [
        (["--max-connections-per-address", "3"].as_slice(), 3),
        (&["--max-connections", "5"], 5),
        (&["--max-connections-per-address", "3", "--trusted-proxies", "10.0.0.0/8,127.0.0.0/8"], 8),
    ] {
        let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), more);
        let mut streams = Vec::new();
        for _ in 0..8 {
            streams.push(TcpStream::connect(address(&server)).await.expect("connected"));
        }
        let mut closed = 0;
        for stream in streams {
            closed += usize::from(closes(stream, Duration::from_millis(500)).await);
        }
        assert_eq!(8 - closed, stay, "{more:?}");
    }
}

/// Sends a call over bare HTTP/2. Returns the headers and the trailers of the response.
pub(crate) async fn call(
    client: &mut SendRequest<Bytes>,
    path: &str,
    headers: &[(&'static str, &str)],
    body: &[u8],
) -> Result<(HeaderMap, Option<HeaderMap>), h2::Error> {
    call_in_parts(client, path, headers, &[], body).await
}

/// Sends a call like [`call`], with some parts before the last.
async fn call_in_parts(
    client: &mut SendRequest<Bytes>,
    path: &str,
    headers: &[(&'static str, &str)],
    parts: &[&[u8]],
    last: &[u8],
) -> Result<(HeaderMap, Option<HeaderMap>), h2::Error> {
    let mut request = Request::post(format!("http://x{path}")).version(Version::HTTP_2);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut client = client.clone().ready().await?;
    let (answer, mut sending) = client.send_request(request.body(()).expect("a request"), false)?;
    for part in parts {
        sending.send_data(Bytes::copy_from_slice(part), false)?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // A call that is refused early gets its response before everything is sent.
    let _ = sending.send_data(Bytes::copy_from_slice(last), true);
    let (head, mut body) = answer.await?.into_parts();
    while let Some(data) = body.data().await {
        let data = data?;
        let _ = body.flow_control().release_capacity(data.len());
    }
    Ok((head.headers, body.trailers().await?))
}

/// Sends a unary call over bare HTTP/2. Returns the one message of its response, or its status.
pub(crate) async fn call_for_message(
    client: &mut SendRequest<Bytes>,
    path: &str,
    headers: &[(&'static str, &str)],
    body: &[u8],
) -> Result<Result<Bytes, tonic::Status>, h2::Error> {
    let mut request = Request::post(format!("http://x{path}")).version(Version::HTTP_2);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut client = client.clone().ready().await?;
    let (answer, mut sending) = client.send_request(request.body(()).expect("a request"), false)?;
    // A call that is refused early gets its response before everything is sent.
    let _ = sending.send_data(Bytes::copy_from_slice(body), true);
    let (head, mut body) = answer.await?.into_parts();
    let mut message = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        let _ = body.flow_control().release_capacity(data.len());
        message.extend_from_slice(&data);
    }
    let trailers = body.trailers().await?.unwrap_or(head.headers);
    let status = tonic::Status::from_header_map(&trailers).expect("a status");
    Ok(match status.code() {
        tonic::Code::Ok => Ok(Bytes::from(message.split_off(5.min(message.len())))),
        _ => Err(status),
    })
}

/// Returns a request that validates only the identity of a secret, as gRPC frames it.
pub(crate) fn framed(secret: &str) -> Vec<u8> {
    let question = prost::Message::encode_to_vec(&v1::ValidateTokenRequest {
        secret: secret.to_owned(),
        required_access: v1::Access::Identity.into(),
        ..Default::default()
    });
    [&[0, 0, 0, 0, u8::try_from(question.len()).expect("short")][..], &question].concat()
}

pub(crate) async fn raw(server: &Running) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(address(server)).await.expect("connected");
    let (client, connection) = h2::client::handshake(stream).await.expect("greeted");
    tokio::spawn(connection);
    client
}

/// The same, for a client that takes nothing of any response.
pub(crate) async fn raw_that_takes_nothing(server: &Running) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(address(server)).await.expect("connected");
    let mut greeting = h2::client::Builder::new();
    let (client, connection) = greeting.initial_window_size(0).handshake(stream).await.expect("greeted");
    tokio::spawn(connection);
    client
}

/// Responses without tonic keep to the framing of gRPC.
#[tokio::test]
async fn frames_that_make_no_sense_are_refused_and_deadlines_kept() {
    let at = Installation::new(Engine::Sqlite).await;
    let server = at.serve();
    let service = format!("Bearer {}", at.service().expose());
    let mut client = raw(&server).await;
    let path = "/ndauth.v1.ValidationService/ValidateToken";
    let grpc = ("content-type", "application/grpc");
    let who = ("authorization", service.as_str());
    let huge = [&[0, 0, 2, 0, 0][..], &[0; 131_072]].concat();
    let framed = framed("ndpat_");
    for (what, headers, body, status) in [
        ("an empty question", vec![grpc, who], &[0, 0, 0, 0, 0][..], "3"),
        ("no frame", vec![grpc, who], &[], "3"),
        ("a short frame", vec![grpc, who], &[0, 0, 0, 0, 9, 1], "3"),
        ("two frames", vec![grpc, who], &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "3"),
        ("a compressed frame", vec![grpc, who], &[1, 0, 0, 0, 0], "12"),
        ("no protobuf", vec![grpc, who], &[0, 0, 0, 0, 2, 0xff, 0xff], "3"),
        ("too large", vec![grpc, who], &huge, "11"),
        ("nobody", vec![grpc], &framed, "16"),
        ("no time at all", vec![grpc, who, ("grpc-timeout", "0m")], &[], "3"),
    ] {
        let (headers, trailers) = call(&mut client, path, &headers, body).await.expect("answered");
        let code = headers.get("grpc-status").or_else(|| trailers.as_ref()?.get("grpc-status"));
        assert_eq!(
            code.and_then(|code| code.to_str().ok()),
            Some(status),
            "{what}: {headers:?} {trailers:?}"
        );
    }
    // A well-framed request gets a response: a refusal as a message, with the status OK in the trailers.
    let (headers, trailers) = call(&mut client, path, &[grpc, who], &framed).await.expect("answered");
    assert!(headers.get("grpc-status").is_none(), "{headers:?}");
    assert_eq!(trailers.expect("trailers")["grpc-status"], "0");
    // The request may arrive in any parts.
    let (begin, end) = framed.split_at(7);
    for (parts, last) in [(&[begin][..], end), (&[&framed], &[]), (&[&[], begin, &[], end], &[])] {
        let answer = call_in_parts(&mut client, path, &[grpc, who], parts, last).await.expect("answered");
        assert_eq!(answer.1.expect("trailers")["grpc-status"], "0", "{parts:?}");
    }
    // A request other than gRPC gets a plain response.
    let (headers, _) = call(&mut client, "/", &[("content-type", "text/html")], &[]).await.expect("answered");
    assert_eq!(headers["content-type"], "text/plain");
    // gRPC over HTTP/1.1 is not supported.
    let mut stream = TcpStream::connect(address(&server)).await.expect("connected");
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/grpc\r\n\
         content-length: 5\r\n\r\n\0\0\0\0\0"
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("over HTTP/2"), "{answer}");
}

/// A request is read after its caller is authorized, and decoded after its parts are counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_read_after_their_caller_is_authorized() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let (service, session) = (at.service(), at.session());
    let server = at.serve();
    let client = raw(&server).await;
    let unknown = |kind| Secret::mint(kind, &mut rand::rngs::SysRng).expect("drawn");
    let (no_service, no_session) = (unknown(SecretKind::Service), unknown(SecretKind::Session));
    let frame = |message: &[u8]| {
        let length = u32::try_from(message.len()).expect("short").to_be_bytes();
        [&[0][..], &length, message].concat()
    };
    // The body is a repeated field with entries of two bytes each.
    let (garbage, many) = (frame(&[0xff; 60_000]), frame(&b"\x0a\x00".repeat(500_000)));
    let status = async |path: &str, who: Option<&Secret>, body: &[u8]| {
        let bearer = who.map(|secret| format!("Bearer {}", secret.expose()));
        let mut headers = vec![("content-type", "application/grpc")];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        let (headers, trailers) = call(&mut client.clone(), path, &headers, body).await.expect("answered");
        let code = headers.get("grpc-status").or_else(|| trailers.as_ref()?.get("grpc-status"));
        code.and_then(|code| code.to_str().ok()).map(str::to_owned)
    };
    for (path, good, unknown) in [
        ("/ndauth.v1.ValidationService/ValidateToken", &service, &no_service),
        ("/ndauth.v1.ValidationService/ValidateTokens", &service, &no_service),
        ("/ndauth.v1.ValidationService/Resolve", &service, &no_service),
        ("/ndauth.v1.TokenService/CreateToken", &session, &no_session),
        ("/ndauth.v1.OrgService/GetOrg", &session, &no_session),
    ] {
        for (who, expected) in [(None, "16"), (Some(unknown), "16"), (Some(good), "3")] {
            for body in [&garbage[..], &garbage[..1000], &[]] {
                let code = status(path, who, body).await;
                assert_eq!(code.as_deref(), Some(expected), "{path} {who:?} {}", body.len());
            }
        }
    }
    let before = server.memory();
    let batch = "/ndauth.v1.ValidationService/ValidateTokens";
    for (who, expected) in [(None, "16"), (Some(&no_service), "16"), (Some(&service), "3")] {
        for _ in 0..20 {
            assert_eq!(status(batch, who, &many).await.as_deref(), Some(expected));
        }
    }
    let taken = server.memory().saturating_sub(before);
    assert!(taken < 40 * 1024 * 1024, "it took {taken}");
}

/// A response that its client does not read is dropped, and takes little memory until then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_responses_are_dropped() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &["--client-timeout-seconds", "1"]);
    let good = server.client(&at.session()).await;
    let before = server.memory();
    let mut untaken = Vec::new();
    for _ in 0..10 {
        let client = raw_that_takes_nothing(&server).await;
        for _ in 0..500 {
            let request = Request::get("http://x/assets/page.js").version(Version::HTTP_2).body(());
            let mut client = client.clone().ready().await.expect("ready");
            untaken.push(client.send_request(request.expect("a request"), true).expect("sent").0);
        }
    }
    let mut bodies = Vec::new();
    for answer in untaken {
        bodies.push(answer.await.expect("answered").into_body());
    }
    let during = server.memory();
    assert!(during - before < 64 * 1024 * 1024, "{before} -> {during}");
    good.who_am_i().await.expect("it is served");
    for mut body in bodies {
        let end = tokio::time::timeout(Duration::from_secs(10), body.data()).await.expect("it ends");
        assert!(end.is_some_and(|data| data.is_err()), "it is dropped");
    }
    good.who_am_i().await.expect("it is served still");
}

/// A client over HTTP/1.1 that never reads is closed too, even while it sends requests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_never_read_are_closed() {
    let at = Installation::new(Engine::Sqlite).await;
    let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &["--client-timeout-seconds", "1"]);
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(address(&server)).await.expect("connected");
        asking.spawn(async move {
            let request = b"GET /assets/style.css HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100);
            let asks = async { while stream.write_all(&request).await.is_ok() {} };
            tokio::time::timeout(Duration::from_secs(20), asks).await.is_ok()
        });
    }
    for closed in asking.join_all().await {
        assert!(closed, "it is not closed");
    }
}

/// Behind a trusted proxy, every listener sees the client's address. Nobody else can set it.
#[tokio::test]
async fn a_trusted_proxy_states_the_clients_address() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let session = at.session();
    for (trusted, status) in [("127.0.0.0/8", ["0", "7", "7"]), ("10.0.0.0/8", ["7", "7", "7"])] {
        let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &["--trusted-proxies", trusted]);
        let network = Networks::only(["203.0.113.0/24".parse().expect("a network")]).expect("networks");
        let new = token_with(trusted, |new| {
            (new.name, new.networks) = (format!("for {status:?}"), Some(networks_to_proto(&network)));
        });
        let made = server.client(&session).await.create_token(new).await.expect("made");
        let mut client = raw(&server).await;
        let bearer = format!("Bearer {}", made.secret);
        let listed = prost::Message::encode_to_vec(&list());
        let body = [&[0, 0, 0, 0, u8::try_from(listed.len()).expect("short")][..], &listed].concat();
        // Requests with different addresses alternate on one connection.
        for (forwarded, status) in
            ["203.0.113.9", "198.51.100.9", "203.0.113.9, 198.51.100.9"].into_iter().zip(status)
        {
            let headers = [
                ("content-type", "application/grpc"),
                ("authorization", &bearer),
                ("x-forwarded-for", forwarded),
            ];
            let path = "/ndauth.v1.TokenService/ListTokens";
            let (headers, trailers) = call(&mut client, path, &headers, &body).await.expect("answered");
            let code = headers.get("grpc-status").or_else(|| trailers.as_ref()?.get("grpc-status"));
            assert_eq!(
                code.and_then(|code| code.to_str().ok()),
                Some(status),
                "{trusted} {forwarded}: {headers:?}"
            );
        }
    }
}

/// An unauthenticated caller is refused from memory, without a query to the database.
#[tokio::test]
async fn unauthenticated_validations_cause_no_database_query() {
    let at = Installation::new(Engine::Postgres).await;
    at.people();
    let (service, session) = (at.service(), at.session());
    let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &["--freshness-bound", "30s"]);
    let mut client = raw(&server).await;
    let _shut = ndauth_store::testing::shut_out(&at.scratch).await;
    let unknown = |kind| Secret::mint(kind, &mut rand::rngs::SysRng).expect("drawn");
    for (who, status) in [
        (None, "16"),
        (Some(service), "0"),
        (Some(session), "7"),
        (Some(unknown(SecretKind::Session)), "7"),
        (Some(unknown(SecretKind::Refresh)), "16"),
        (Some(unknown(SecretKind::Access)), "16"),
    ] {
        let bearer = who.map(|secret| format!("Bearer {}", secret.expose()));
        let mut headers = vec![("content-type", "application/grpc"), ("grpc-timeout", "5S")];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        let path = "/ndauth.v1.ValidationService/ValidateToken";
        let (headers, trailers) =
            call(&mut client, path, &headers, &framed("ndpat_")).await.expect("answered");
        let code = headers.get("grpc-status").or_else(|| trailers.as_ref()?.get("grpc-status"));
        assert_eq!(code.and_then(|code| code.to_str().ok()), Some(status), "{bearer:?}: {headers:?}");
    }
}

/// Calls that arrive only in part occupy nobody else's permit, and end in a timeout.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partial_calls_occupy_no_permit() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &["--client-timeout-seconds", "3"]);
    let (session, service) = (at.session(), at.service());
    let good = server.client(&session).await;
    let mut begun = Vec::new();
    for _ in 0..3 {
        let client = raw(&server).await;
        for (path, who) in [
            ("/ndauth.v1.AccountService/ListOrgs", &session),
            ("/ndauth.v1.ValidationService/ValidateToken", &service),
        ] {
            for _ in 0..500 {
                let request = Request::post(format!("http://x{path}")).version(Version::HTTP_2);
                let request = request.header("authorization", format!("Bearer {}", who.expose()));
                let request = request.header("content-type", "application/grpc").body(()).expect("a request");
                let mut client = client.clone().ready().await.expect("ready");
                let (answer, mut sending) = client.send_request(request, false).expect("sent");
                sending.send_data(Bytes::from_static(&[0, 0, 0]), false).expect("sent");
                begun.push((answer, sending));
            }
        }
    }
    good.list_orgs().await.expect("it is served");
    for (answer, _sending) in begun {
        let answer = tokio::time::timeout(Duration::from_secs(20), answer).await.expect("it ends");
        assert_eq!(answer.expect("answered").headers()["grpc-status"], "4");
    }
    good.list_orgs().await.expect("it is served still");
}

/// Too many concurrent calls are shed, and none of them is reported as refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_at_once_are_shed() {
    let at = Installation::new(Engine::Postgres).await;
    at.people();
    let server = at.serve();
    let session = at.session();
    let lock = ndauth_store::testing::shut_out(&at.scratch).await;
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let client = server.client(&session).await;
        for _ in 0..400 {
            let client = client.clone();
            asking.spawn(async move { client.list_orgs().await.map(drop).map_err(|problem| problem.reason) });
        }
    }
    let mut shed = 0;
    while let Some(answer) = asking.join_next().await {
        match answer.expect("answered") {
            Err(Reason::Overloaded) => shed += 1,
            Err(Reason::Unavailable) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!((100..=1600).contains(&shed), "{shed} of 1600 were shed");
    ndauth_store::testing::let_in(lock).await;
    let client = server.client(&session).await;
    crate::installation::soon(&true, async || client.list_orgs().await.is_ok()).await;
}

/// A server that is stopped under load finishes the accepted requests: every change that it made is
/// acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_under_load_loses_nothing() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let server = at.serve();
    let (session, service) = (at.session(), at.service());
    let mut making = tokio::task::JoinSet::new();
    for worker in 0..4 {
        let client = server.client(&session).await;
        making.spawn(async move {
            let mut made = Vec::new();
            while let Ok(token) = client.create_token(new_token(&format!("w{worker} t{}", made.len()))).await
            {
                made.push(token.secret);
                if made.len() == 20 {
                    break;
                }
            }
            made
        });
        let asking = server.client(&service).await;
        making.spawn(async move {
            let request = v1::ValidateTokenRequest {
                secret: "ndpat_".to_owned(),
                required_access: v1::Access::Identity.into(),
                ..Default::default()
            };
            // Every validation is answered until the server is gone.
            while asking.validate_token(request.clone()).await.is_ok() {}
            Vec::new()
        });
    }
    tokio::time::sleep(Duration::from_millis(60)).await;
    server.signal(Signal::TERM);
    let mut acknowledged = 0;
    while let Some(made) = making.join_next().await {
        acknowledged += made.expect("it ends").len();
    }
    assert!(server.ended().success(), "it ends well");
    let server = at.serve();
    let mut listed = 0;
    let mut request = v1::ListTokensRequest { page_size: 100, ..list() };
    loop {
        let page = server.client(&session).await.list_tokens(request.clone()).await.expect("listed");
        listed += page.tokens.len();
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(listed, acknowledged, "what was made was acknowledged");
}
