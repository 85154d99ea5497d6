//! The server as its operator sees it: health, metrics, logs, and the end.

use std::io::Write;
use std::time::{Duration, Instant};

use ndauth_core::{Reason, Secret};
use ndauth_proto::v1;
use ndauth_store::{Clock, Engine};
use rustix::process::Signal;

use crate::grpc::grpcurl;
use crate::installation::{Installation, run, soon};
use crate::instances::Asker;
use crate::on_both;
use crate::requests::{list, new_token, revoke};

on_both! {
    async fn health_and_metrics_are_served(at: &Installation) {
        at.people();
        let server = at.serve();
        assert_eq!(server.get("/livez"), (200, "alive\n".into()));
        assert_eq!(server.get("/readyz"), (200, "ready\n".into()));
        let client = server.client(&at.session()).await;
        client.create_token(new_token("ci")).await.expect("made");
        let stranger: Secret = "ndses_9fefK0k0r4f1UgtpuUsNmC6Fu1W2cqhyY3rNdGb8tg4".parse().expect("a secret");
        let refused = server.client(&stranger).await.who_am_i().await.expect_err("refused");
        assert_eq!(refused.reason, Reason::SecretUnknown);
        let (status, metrics) = server.get("/metrics");
        assert_eq!(status, 200);
        for line in [
            "ndauth_rpcs_total{rpc=\"ndauth.v1.TokenService/CreateToken\",code=\"0\"} 1",
            "ndauth_rpcs_total{rpc=\"ndauth.v1.AccountService/WhoAmI\",code=\"16\"} 1",
            "ndauth_rpc_seconds_count{rpc=\"ndauth.v1.TokenService/CreateToken\"} 1",
            "ndauth_store_write_seconds_count{name=\"CreateToken\"} 1",
        ] {
            assert!(metrics.contains(line), "{line} is not in\n{metrics}");
        }
    }

    async fn a_stopped_server_finishes_requests_in_flight(at: &Installation) {
        at.people();
        let server = at.serve();
        let session = at.session();
        let client = server.client(&session).await;
        // Enough changes to form a queue, all accepted before the signal.
        let calls: Vec<_> = (0..20)
            .map(|n| {
                let client = client.clone();
                tokio::spawn(async move { client.create_token(new_token(&format!("t{n}"))).await })
            })
            .collect();
        client.who_am_i().await.expect("it serves");
        server.signal(Signal::TERM);
        let mut made = 0;
        for call in calls {
            match call.await.expect("the task ends") {
                Ok(_) => made += 1,
                Err(problem) => assert_eq!(problem.reason, Reason::Unavailable, "{problem:?}"),
            }
        }
        assert!(made > 0);
        assert!(server.ended().success(), "it ends well");
        let server = at.serve();
        let listed = server.client(&session).await.list_tokens(list()).await.expect("listed");
        assert_eq!(listed.tokens.len(), made, "what was acknowledged is there, and nothing else");
    }

    /// The uses are stored even with one second to drain, and a client that stays connected.
    async fn uses_survive_a_clean_stop(at: &Installation) {
        at.people();
        let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &["--drain-seconds", "1"]);
        let (session, service) = (at.session(), at.service());
        let client = server.client(&session).await;
        let secret = client.create_token(new_token("ci")).await.expect("made").secret;
        let stays = std::net::TcpStream::connect(server.url.to_string().trim_start_matches("http://"));
        let mut stays = stays.expect("connected");
        stays.write_all(b"POST /sign-in HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n").expect("sent");
        let asker = Asker(server.client(&service).await);
        assert_eq!(asker.refused(&secret).await, Ok(None));
        server.signal(Signal::TERM);
        assert!(server.ended().success());
        let server = at.serve();
        let listed = server.client(&session).await.list_tokens(list()).await.expect("listed");
        assert!(listed.tokens[0].last_use.is_some(), "{listed:?}");
    }

    async fn uses_survive_a_stop_while_the_database_is_away(at: &Installation) {
        at.people();
        let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &["--drain-seconds", "40"]);
        let (session, service) = (at.session(), at.service());
        let client = server.client(&session).await;
        let secret = client.create_token(new_token("ci")).await.expect("made").secret;
        let asker = Asker(server.client(&service).await);
        assert_eq!(asker.refused(&secret).await, Ok(None));
        // Another process writes to the file, or the database accepts no connection.
        let store = at.scratch.store(Clock::Database).await;
        let (mut writes, mut lock) = (None, None);
        match store.engine() {
            Engine::Sqlite => writes = Some(store.write("elsewhere").await.expect("begun")),
            Engine::Postgres => lock = Some(ndauth_store::testing::shut_out(&at.scratch).await),
        }
        server.signal(Signal::TERM);
        let mut log = String::new();
        while !log.contains("the last uses are not saved yet") {
            log.push_str(&server.log.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|_| panic!("{log}")));
        }
        drop(writes);
        if let Some(lock) = lock {
            ndauth_store::testing::let_in(lock).await;
        }
        assert!(server.ended().success());
        let server = at.serve();
        let listed = server.client(&session).await.list_tokens(list()).await.expect("listed");
        assert!(listed.tokens[0].last_use.is_some(), "{listed:?}");
    }

    async fn no_log_line_holds_a_secret(at: &Installation) {
        at.people();
        let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &["--log", "trace"]);
        let (session, service) = (at.session(), at.service());
        let client = server.client(&session).await;
        let token = client.create_token(new_token("ci")).await.expect("made").secret;
        let asking = server.client(&service).await;
        for secret in [token.clone(), token[..48].to_owned(), format!("{token}x")] {
            let request = v1::ValidateTokenRequest {
                secret,
                org: "ops".to_owned(),
                required_access: v1::Access::Rw.into(),
                ..Default::default()
            };
            asking.validate_token(request).await.expect("decided");
        }
        client.revoke_token(revoke("ci")).await.expect("revoked");
        // This client does not mark its header as sensitive, as most clients do not.
        let stranger = format!("authorization: Bearer {}", session.expose());
        assert_eq!(grpcurl(&server, &[&stranger], "ndauth.v1.AccountService/WhoAmI", "{}").code, 0);
        server.signal(Signal::TERM);
        let mut commits = 0;
        while let Ok(line) = server.log.recv_timeout(Duration::from_secs(10)) {
            commits += usize::from(line.contains("\"committed\""));
            for secret in [session.expose(), service.expose(), &token] {
                assert!(!line.contains(&secret[12..40]), "{line}");
            }
        }
        assert_eq!(commits, 2, "the lines that report the changes were read");
    }
}

#[tokio::test]
async fn a_database_that_is_gone_is_unavailable_and_comes_back() {
    let at = Installation::new(Engine::Postgres).await;
    at.people();
    let server = at.serve();
    let client = server.client(&at.session()).await;
    client.who_am_i().await.expect("it serves");
    let lock = ndauth_store::testing::shut_out(&at.scratch).await;
    let problem = client.who_am_i().await.expect_err("it cannot be decided");
    assert_eq!(problem.reason, Reason::Unavailable, "{problem:?}");
    assert_eq!(server.get("/livez").0, 200);
    soon(&503, async || server.get("/readyz").0).await;
    ndauth_store::testing::let_in(lock).await;
    let begun = Instant::now();
    while client.who_am_i().await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(10), "it comes back by itself");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    soon(&200, async || server.get("/readyz").0).await;
}

#[tokio::test]
async fn plain_text_stays_on_the_machine_unless_the_operator_says_otherwise() {
    let at = Installation::new(Engine::Sqlite).await;
    let mut command = at.command("NDAUTH_TEST_NDAUTHD");
    command.args(["serve", "--listen", "0.0.0.0:0", "--admin-listen", "127.0.0.1:0"]);
    let ended = run(command, "");
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.err.contains("not a loopback address") && ended.err.contains("hint: "), "{ended:?}");
}

#[tokio::test]
async fn an_address_in_use_is_reported() {
    let at = Installation::new(Engine::Sqlite).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let mut command = at.command("NDAUTH_TEST_NDAUTHD");
    let address = taken.local_addr().expect("an address").to_string();
    command.args(["serve", "--admin-listen", "127.0.0.1:0", "--listen", &address]);
    let ended = run(command, "");
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.err.contains(&format!("cannot listen on `{address}`")), "{ended:?}");
}
