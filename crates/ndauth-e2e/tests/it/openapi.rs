//! The OpenAPI document: generated from the contract, the access table, and what a real server answers.

mod access;
mod comments;
mod examples;

mod schema;

mod document;

mod judges;
mod page;

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

/// Gets a path without a credential. Returns the head and the body of the response.
fn http_get(server: &Running, path: &str) -> (String, String) {
    let url = server.url.to_string();
    let host = url.strip_prefix("http://").expect("plain");
    let mut stream = TcpStream::connect(host).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit is set");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (format!("{head}\r\n"), body.to_owned())
}

#[test]
fn the_document_is_fresh() {
    let text = serde_json::to_string_pretty(&document(&Examples::default())).expect("it is JSON");
    expect_file!["../../../../docs/openapi.json"].assert_eq(&format!("{text}\n"));
}
