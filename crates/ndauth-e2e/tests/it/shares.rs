//! Limits that callers share: no caller may take more than a share, and one that does is refused.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use http::{Request, Version};
use ndauth_authority::limits::{ADMIN_CONNECTIONS, CALLS, INCOMING_BYTES, OPEN_STREAMS};
use ndauth_proto::v1;
use ndauth_store::testing::lock_table;
use ndauth_store::{Clock, Engine};
use prost::Message;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::front::{closes, raw, raw_that_takes_nothing};
use crate::installation::{Installation, Running, soon};
use crate::requests::new_token;

const LIST_ORGS: &str = "/ndauth.v1.AccountService/ListOrgs";
const WATCH_HEALTH: &str = "/grpc.health.v1.Health/Watch";
const CHECK_HEALTH: &str = "/grpc.health.v1.Health/Check";
const REFLECT: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const VALIDATE_ALL: &str = "/ndauth.v1.ValidationService/ValidateTokens";

/// Starts a server that trusts the proxy on this machine for the client's address.
fn behind_a_proxy(at: &Installation) -> Running {
    at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &["--trusted-proxies", "127.0.0.0/8"])
}

/// Begins a call from an address.
async fn begin(
    client: &SendRequest<Bytes>,
    path: &str,
    from: &str,
    bearer: &str,
    body: Bytes,
    is_whole: bool,
) -> (ResponseFuture, SendStream<Bytes>) {
    let request = Request::post(format!("http://x{path}")).version(Version::HTTP_2);
    let request = request.header("content-type", "application/grpc").header("x-forwarded-for", from);
    let request = request.header("authorization", format!("Bearer {bearer}")).body(()).expect("a request");
    let mut client = client.clone().ready().await.expect("ready");
    let (answer, mut sending) = client.send_request(request, false).expect("sent");
    sending.send_data(body, is_whole).expect("sent");
    (answer, sending)
}

/// Returns true if a call is refused because its caller has used up its share.
async fn is_overloaded(answer: ResponseFuture) -> bool {
    let head = answer.await.expect("answered");
    head.headers().get("grpc-status").is_some_and(|code| code == "8")
}

fn count_to_u64(count: usize) -> u64 {
    count.try_into().expect("it is small")
}

/// Returns the used part of a limit.
fn taken(server: &Running, limit: &str) -> u64 {
    let (_, page) = server.get("/metrics");
    let line = format!("ndauth_limit_taken{{limit=\"{limit}\"}} ");
    let value = page.lines().find_map(|row| row.strip_prefix(&line));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{limit}: {page}"))
}

/// The limit belongs to the account, from however many addresses its token is sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_has_its_share_of_the_calls_and_others_have_theirs() {
    let at = Installation::new(Engine::Postgres).await;
    at.people();
    let server = behind_a_proxy(&at);
    let session = at.session();
    let token = server.client(&session).await.create_token(new_token("ci")).await.expect("made").secret;
    let store = at.scratch.store(Clock::Database).await;
    let lock = lock_table(&store, "account").await;
    let client = raw(&server).await;
    let empty = Bytes::from_static(&[0; 5]);
    let mut answers = JoinSet::new();
    let beyond = 20;
    for number in 0..CALLS.share + beyond {
        let from = format!("198.51.100.{}", number % 8);
        let (answer, _) = begin(&client, LIST_ORGS, &from, &token, empty.clone(), true).await;
        answers.spawn(is_overloaded(answer));
    }
    for _ in 0..beyond {
        assert!(answers.join_next().await.expect("there are").expect("answered"), "they are refused first");
    }
    // The account of a session is known only after a query to the database. Until then, the call counts
    // against its address.
    let (other, _) = begin(&client, LIST_ORGS, "198.51.100.9", session.expose(), empty, true).await;
    soon(&count_to_u64(CALLS.share + 1), async || taken(&server, CALLS.name)).await;
    drop(lock);
    assert!(!is_overloaded(other).await, "it has its own");
    while let Some(refused) = answers.join_next().await {
        assert!(!refused.expect("answered"), "they had theirs");
    }
    soon(&0, async || taken(&server, CALLS.name)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_has_its_share_of_open_streams() {
    let at = Installation::new(Engine::Sqlite).await;
    let server = behind_a_proxy(&at);
    let mut clients = Vec::new();
    let empty = Bytes::from_static(&[0; 5]);
    let mut open = Vec::new();
    // The streams use several connections, because the limit belongs to the address.
    for number in 0..OPEN_STREAMS.share {
        if number % 50 == 0 {
            clients.push(raw(&server).await);
        }
        let client = clients.last().expect("there is one");
        let (answer, _) = begin(client, WATCH_HEALTH, "198.51.100.1", "", empty.clone(), true).await;
        let mut health = answer.await.expect("answered").into_body();
        health.data().await.expect("it reports the health").expect("received");
        open.push(health);
    }
    assert_eq!(taken(&server, OPEN_STREAMS.name), count_to_u64(OPEN_STREAMS.share));
    let client = clients.last().expect("there is one");
    let (more, _) = begin(client, WATCH_HEALTH, "198.51.100.1", "", empty.clone(), true).await;
    assert!(is_overloaded(more).await);
    let (check, _) = begin(client, CHECK_HEALTH, "198.51.100.1", "", empty.clone(), true).await;
    assert!(!is_overloaded(check).await, "a check is no stream");
    let (other, _) = begin(client, WATCH_HEALTH, "198.51.100.2", "", empty, true).await;
    assert!(!is_overloaded(other).await);
    let more = tokio::time::timeout(Duration::from_millis(2500), open[0].data()).await;
    assert!(more.is_err(), "nothing is sent while nothing changes");
    drop(open);
    soon(&0, async || taken(&server, OPEN_STREAMS.name)).await;
}

/// A client that opens a stream and sends nothing on it takes its place for the client's timeout, and no longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_without_a_request_ends_at_the_timeout() {
    let at = Installation::new(Engine::Sqlite).await;
    let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &["--client-timeout-seconds", "1"]);
    let client = raw(&server).await;
    let (mut answers, mut sending) = (Vec::new(), Vec::new());
    for path in [REFLECT, WATCH_HEALTH] {
        let (answer, parts) = begin(&client, path, "198.51.100.1", "", Bytes::new(), false).await;
        sending.push(parts);
        answers.push(answer);
    }
    for answer in answers {
        let mut body = answer.await.expect("answered").into_body();
        let ended = async { while let Some(Ok(_)) = body.data().await {} };
        tokio::time::timeout(Duration::from_secs(20), ended).await.expect("it ends");
    }
    soon(&0, async || taken(&server, OPEN_STREAMS.name)).await;
}

/// Of a large response all of it is kept until its last part is taken, and all of it is counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_that_is_not_taken_counts_as_a_whole() {
    const RESPONSES: usize = 400;
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let service = at.service();
    let server = at.serve();
    let made = server.client(&at.session()).await.create_token(new_token("ci")).await.expect("made");
    let client = raw_that_takes_nothing(&server).await;
    let question = v1::ValidateTokenRequest {
        secret: made.secret,
        required_access: v1::Access::Identity.into(),
        ..v1::ValidateTokenRequest::default()
    };
    let request = v1::ValidateTokensRequest { questions: vec![question; 1000] }.encode_to_vec();
    let length = u32::try_from(request.len()).expect("it is small").to_be_bytes();
    let framed = Bytes::from([&[0], &length[..], &request].concat());
    let mut bodies = Vec::new();
    let reset = loop {
        assert!(bodies.len() < RESPONSES, "all are kept");
        let (answer, _) =
            begin(&client, VALIDATE_ALL, "198.51.100.1", service.expose(), framed.clone(), true).await;
        match answer.await {
            Ok(response) => bodies.push(response.into_body()),
            Err(error) => break error,
        }
    };
    assert_eq!(reset.reason(), Some(h2::Reason::ENHANCE_YOUR_CALM));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_has_its_share_of_what_comes_in_parts() {
    const PART: usize = 60 * 1024;
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let server = behind_a_proxy(&at);
    let session = at.session();
    let mut clients = Vec::new();
    let (mut answers, mut sending) = (JoinSet::new(), Vec::new());
    for number in 0..=INCOMING_BYTES.share / PART {
        if number % 250 == 0 {
            clients.push(raw(&server).await);
        }
        let client = clients.last().expect("there is one");
        let part = Bytes::from(vec![0; PART]);
        let (answer, parts) = begin(client, LIST_ORGS, "198.51.100.1", session.expose(), part, false).await;
        answers.spawn(is_overloaded(answer));
        sending.push(parts);
    }
    let refused = tokio::time::timeout(Duration::from_secs(5), answers.join_next()).await.expect("at once");
    assert!(refused.expect("there is one").expect("answered"), "what is too much is refused");
    let empty = Bytes::from_static(&[0; 5]);
    let client = clients.last().expect("there is one");
    let (other, _) = begin(client, LIST_ORGS, "198.51.100.2", session.expose(), empty, true).await;
    assert!(!is_overloaded(other).await);
    drop((sending, clients));
    answers.shutdown().await;
    soon(&0, async || taken(&server, INCOMING_BYTES.name)).await;
}

/// The admin listener has the same limits and timeouts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_admin_listener_has_timeouts_and_shares() {
    let at = Installation::new(Engine::Sqlite).await;
    let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &["--client-timeout-seconds", "1"]);
    let admin: SocketAddr = server.admin.trim_start_matches("http://").parse().expect("an address");
    let mut stuck = JoinSet::new();
    for number in 0..ADMIN_CONNECTIONS.share {
        let mut stream = TcpStream::connect(admin).await.expect("connected");
        stuck.spawn(async move {
            if number % 2 == 0 {
                let request = b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100);
                let asks = async { while stream.write_all(&request).await.is_ok() {} };
                // The buffers of the system take much before it stops.
                tokio::time::timeout(Duration::from_secs(60), asks).await.is_ok()
            } else {
                closes(stream, Duration::from_secs(20)).await
            }
        });
    }
    let refused = TcpStream::connect(admin).await.expect("connected");
    assert!(closes(refused, Duration::from_millis(500)).await, "there are enough from here");
    for closed in stuck.join_all().await {
        assert!(closed, "it was waited for");
    }
    assert_eq!(server.get("/livez"), (200, "alive\n".to_owned()));
}
