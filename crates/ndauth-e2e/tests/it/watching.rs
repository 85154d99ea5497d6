//! `WatchRevocations` on the wire: the changes that a service receives, the position where a stream resumes,
//! and the end of a slow reader.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request};
use ndauth_core::Secret;
use ndauth_proto::v1::{self, change::Concern};
use prost::Message;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::installation::Running;
use crate::on_both;
use crate::requests::{new_token, revoke};

/// A stream over bare HTTP/2.
struct Watch {
    send: SendStream<Bytes>,
    body: RecvStream,
    read: BytesMut,
}

const TIME_LIMIT: Duration = Duration::from_secs(10);

impl Watch {
    /// Opens a stream with this flow-control window, and sends the first message.
    async fn open(
        server: &Running,
        who: &Secret,
        window: u32,
        after: Option<v1::LogPosition>,
    ) -> Result<Watch, HeaderMap> {
        let address = server.url.to_string();
        let stream = TcpStream::connect(address.trim_start_matches("http://")).await.expect("connected");
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(window);
        let (client, connection) = builder.handshake::<_, Bytes>(stream).await.expect("greeted");
        tokio::spawn(connection);
        let request = Request::post("http://x/ndauth.v1.WatchService/WatchRevocations")
            .header("te", "trailers")
            .header("content-type", "application/grpc")
            .header("authorization", format!("Bearer {}", who.expose()))
            .body(())
            .expect("a request");
        let mut client = client.ready().await.expect("ready");
        let (answer, mut send) = client.send_request(request, false).expect("sent");
        send_message(&mut send, &v1::WatchRevocationsRequest { probe: 1, after, uses: Vec::new() });
        let answer = timeout(TIME_LIMIT, answer).await.expect("in time").expect("answered");
        if answer.headers().contains_key("grpc-status") {
            return Err(answer.headers().clone());
        }
        Ok(Watch { send, body: answer.into_body(), read: BytesMut::new() })
    }

    fn probe(&mut self, probe: u64) {
        send_message(&mut self.send, &v1::WatchRevocationsRequest { probe, ..Default::default() });
    }

    /// Returns the next message, or `None` at the end.
    async fn receive(&mut self) -> Option<v1::WatchRevocationsResponse> {
        loop {
            if let Some(head) = self.read.get(1..5) {
                let length = u32::from_be_bytes(head.try_into().expect("four bytes")) as usize;
                if self.read.len() >= 5 + length {
                    let message = self.read.split_to(5 + length);
                    return Some(v1::WatchRevocationsResponse::decode(&message[5..]).expect("a message"));
                }
            }
            let data = timeout(TIME_LIMIT, self.body.data()).await.expect("in time")?.ok()?;
            let _ = self.body.flow_control().release_capacity(data.len());
            self.read.extend_from_slice(&data);
        }
    }

    /// Returns the confirmation of this probe, and all changes received before it.
    async fn receive_until(&mut self, probe: u64) -> (v1::Confirmed, Vec<v1::Change>) {
        let mut changes = Vec::new();
        loop {
            let response = self.receive().await.expect("a message");
            assert!(!response.reset, "it goes on");
            changes.extend(response.changes);
            if let Some(confirmed) = response.confirmed
                && confirmed.probe == probe
            {
                return (confirmed, changes);
            }
        }
    }
}

fn send_message(send: &mut SendStream<Bytes>, request: &v1::WatchRevocationsRequest) {
    let body = request.encode_to_vec();
    let length = u32::try_from(body.len()).expect("short").to_be_bytes();
    // The stream may have ended.
    let _ = send.send_data([&[0][..], &length, &body].concat().into(), false);
}

fn position(confirmed: &v1::Confirmed) -> v1::LogPosition {
    confirmed.position.clone().expect("a position")
}

/// Waits until a server has applied all changes so far: it does not report a secret as unknown before.
async fn wait_until_current(server: &Running, service: &Secret) {
    let request = v1::ValidateTokenRequest {
        secret: "ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U".to_owned(),
        required_access: v1::Access::Identity.into(),
        ..Default::default()
    };
    server.client(service).await.validate_token(request).await.expect("decided");
}

on_both! {
    async fn a_watch_resumes_at_the_clients_position(at: &Installation) {
        at.people();
        let server = at.serve();
        let service = at.service();
        let owner = server.client(&at.session()).await;
        let token = owner.create_token(new_token("ci")).await.expect("made").token.expect("a token");
        wait_until_current(&server, &service).await;
        let mut watch = Watch::open(&server, &service, 1 << 16, None).await.expect("it may");
        let first = watch.receive().await.expect("a message");
        assert!(first.reset && first.changes.is_empty(), "who knows nothing begins anew");
        let rules = first.rules.expect("the rules");
        assert_eq!((rules.service_name.as_str(), rules.states_address), ("registry", true));
        let start = position(&first.confirmed.expect("a confirmation"));
        // A change to a token that is not cached is not sent.
        owner.create_token(new_token("more")).await.expect("made");
        wait_until_current(&server, &service).await;
        watch.probe(2);
        let (confirmed, changes) = watch.receive_until(2).await;
        assert_eq!((position(&confirmed).sequence, changes.len()), (start.sequence + 1, 0));
        owner.revoke_token(revoke("ci")).await.expect("revoked");
        // A change is sent without a probe, with the number of the last one.
        let response = watch.receive().await.expect("a message");
        let revoked = response.changes[0].clone();
        assert_eq!(revoked.concern, Some(Concern::TokenId(token.id.clone())));
        assert_eq!(response.confirmed.expect("a confirmation").probe, 2);

        let mut again = Watch::open(&server, &service, 1 << 16, Some(start.clone())).await.expect("it may");
        let (_, changes) = again.receive_until(1).await;
        assert_eq!(changes, [revoked], "what it missed, and no more");
        // A position in another log, and one that does not exist yet.
        for wrong in [
            v1::LogPosition { hash: vec![1; 32], ..start.clone() },
            v1::LogPosition { sequence: start.sequence + 1000, ..start.clone() },
        ] {
            let mut anew = Watch::open(&server, &service, 1 << 16, Some(wrong)).await.expect("it may");
            assert!(anew.receive().await.expect("a message").reset);
        }
        let short = v1::LogPosition { sequence: 1, hash: vec![1; 3] };
        let refused = Watch::open(&server, &service, 1 << 16, Some(short)).await.err().expect("refused");
        assert_eq!(refused["grpc-status"], "3", "{refused:?}");
        let stranger = owner.create_token(new_token("s")).await.expect("made").secret.parse().expect("a secret");
        let refused = Watch::open(&server, &stranger, 1 << 16, None).await.err().expect("refused");
        assert_eq!(refused["grpc-status"], "7", "{refused:?}");
        // A service that is revoked receives nothing more.
        at.run_admin("service revoke registry --yes");
        let begun = Instant::now();
        let mut probe = 2;
        while timeout(Duration::from_millis(100), watch.receive()).await.ok() != Some(None) {
            probe += 1;
            watch.probe(probe);
            assert!(begun.elapsed() < TIME_LIMIT, "it ends");
        }
    }

    /// A slow reader is cut off rather than waited for, and can resume later.
    async fn a_slow_reader_is_cut(at: &Installation) {
        at.people();
        let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &["--freshness-bound", "500ms"]);
        let service = at.service();
        let owner = server.client(&at.session()).await;
        owner.create_token(new_token("ci")).await.expect("made");
        wait_until_current(&server, &service).await;
        // The client accepts the first message, and not much more.
        let mut slow = Watch::open(&server, &service, 16 * 1024, None).await.expect("it may");
        let first = slow.receive().await.expect("a message");
        let start = position(&first.confirmed.expect("a confirmation"));
        let flood = tokio::spawn(async move {
            // It sends probes continuously, and reads nothing.
            for probe in 2..2000 {
                slow.probe(probe);
                tokio::time::sleep(Duration::from_micros(500)).await;
            }
            tokio::time::sleep(Duration::from_secs(3)).await;
            slow
        });
        let mut slow = flood.await.expect("it ends");
        let (mut received, begun) = (0, Instant::now());
        while slow.receive().await.is_some() {
            received += 1;
            assert!(begun.elapsed() < TIME_LIMIT, "it ends");
        }
        assert!(received < 1000, "it was cut off after {received} of 2000 answers");
        owner.revoke_token(revoke("ci")).await.expect("revoked");
        let mut again = Watch::open(&server, &service, 1 << 16, Some(start)).await.expect("it may");
        let (_, changes) = again.receive_until(1).await;
        assert_eq!(changes.len(), 1, "{changes:?}");
    }
}
