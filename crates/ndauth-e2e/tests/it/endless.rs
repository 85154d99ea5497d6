//! A server whose lists never end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response};
use ndauth_proto::v1;
use ndauth_store::Engine;
use prost::Message;
use tokio::net::TcpListener;

use crate::installation::{Installation, run};

/// Serves lists of tokens that never end, with this number of rows on a page. Returns the server's URL and
/// the number of served pages.
async fn endless(rows: usize, next: fn(usize) -> String) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let given = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&given);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
                while let Some(Ok((request, respond))) = connection.accept().await {
                    let page = page(rows, next(counted.fetch_add(1, Ordering::Relaxed)));
                    tokio::spawn(answer(request, respond, page));
                }
            });
        }
    });
    (url, given)
}

fn page(rows: usize, next_page_token: String) -> v1::ListTokensResponse {
    let token = v1::Token { name: "one of many".to_owned(), ..v1::Token::default() };
    v1::ListTokensResponse { tokens: vec![token; rows], next_page_token, ..Default::default() }
}

/// Responds to any call with a message.
async fn answer(
    mut request: Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    message: v1::ListTokensResponse,
) {
    let path = request.uri().path();
    assert!(path.ends_with("/ListTokens") || path.ends_with("/ListPersonalTokens"), "{path}");
    while let Some(Ok(_)) = request.body_mut().data().await {}
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.encoded_len()).expect("a length"));
    message.encode(&mut frame).expect("the buffer grows");
    let head = Response::builder().header("content-type", "application/grpc").body(()).expect("a head");
    let mut body = respond.send_response(head, false).expect("sent");
    body.send_data(frame.freeze(), false).expect("sent");
    let trailers =
        HeaderMap::from_iter([("grpc-status".parse().expect("a name"), HeaderValue::from_static("0"))]);
    body.send_trailers(trailers).expect("sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_without_an_end_is_cut_off() {
    let at = Installation::new(Engine::Sqlite).await;
    let longer =
        "error: the list is too long: it goes on after 100000 rows\nhint: list fewer: `--limit COUNT`";
    let to_itself = "error: invalid response from the server: a page leads to itself\n";
    let no_end = "error: invalid response from the server: a list has no end\n";
    for (rows, next, line, code, message, pages) in [
        (1000, (|page| format!("page {page}")) as fn(usize) -> String, "auth token list", 2, longer, 100),
        (1000, |page| format!("page {page}"), "token list --org ops -f json", 2, longer, 100),
        (1000, |page| format!("page {page}"), "org tokens ops", 2, longer, 100),
        (1, |_| "again".to_owned(), "auth token list", 1, to_itself, 2),
        (0, |page| format!("page {page}"), "auth token list", 1, no_end, 1000),
    ] {
        let (url, given) = endless(rows, next).await;
        let mut command = at.command("NDAUTH_TEST_NDCLI");
        command.args(line.split(' ')).env("NDCLI_SERVER", url);
        command.env("NDCLI_TOKEN", "ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U");
        let ended = tokio::task::spawn_blocking(|| run(command, "")).await.expect("it ends");
        assert_eq!((ended.code, ended.out.as_str()), (code, ""), "{line}: {ended:?}");
        assert!(ended.err.starts_with(message), "{line}: {ended:?}");
        assert_eq!(given.load(Ordering::Relaxed), pages, "{line}");
    }
}
