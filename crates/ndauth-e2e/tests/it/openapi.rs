//! The OpenAPI document: generated from the contract, the access table, and what a real server answers.

mod access;
mod comments;
mod examples;

mod schema;

mod document;

mod judges;

mod clients;
mod fuzzing;
mod page;

use std::fmt::Write;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use expect_test::expect_file;

use document::document;
use examples::Examples;

use crate::documents::root;
use crate::installation::Running;

/// The committed document.
fn committed() -> PathBuf {
    root().join("docs/openapi.json")
}

/// An answer to a request.
#[derive(Debug)]
struct HttpAnswer {
    status: u16,
    head: String,
    body: String,
}

/// Sends a request over HTTP/1.1, on a connection of its own.
fn http_send(
    server: &Running,
    method: &str,
    path: &str,
    credential: Option<&str>,
    headers: &[(&str, &str)],
    body: &str,
) -> HttpAnswer {
    let url = server.url.to_string();
    let host = url.strip_prefix("http://").expect("plain");
    let length = body.len().to_string();
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    let bearer = credential.map(|secret| format!("Bearer {secret}"));
    let own = bearer.iter().map(|bearer| ("authorization", bearer.as_str()));
    let states_length = headers.iter().any(|(name, _)| *name == "content-length");
    let length = (!states_length && !body.is_empty()).then_some(("content-length", length.as_str()));
    for (name, value) in own.chain(length).chain(headers.iter().copied()) {
        let _ = write!(request, "{name}: {value}\r\n");
    }
    let mut stream = TcpStream::connect(host).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit is set");
    stream.write_all(format!("{request}\r\n").as_bytes()).expect("asked");
    // A body that is too large may be refused before all of it is sent.
    let _ = stream.write_all(body.as_bytes());
    let mut answer = Vec::new();
    // The server may close the connection while the rest of a body is on its way.
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {answer}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    HttpAnswer { status, head: format!("{head}\r\n"), body: body.to_owned() }
}

#[tokio::test]
async fn the_document_is_fresh() {
    let document = document(&Examples::record().await);
    let text = serde_json::to_string_pretty(&document).expect("it is JSON");
    expect_file!["../../../../docs/openapi.json"].assert_eq(&format!("{text}\n"));
}
