//! The HTTP API from outside: as gRPC answers, over plain HTTP.

mod hostile;
mod matrix;
mod real_clients;

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde_json::{Value, json};

use crate::installation::Running;

/// A response of the API.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    head: String,
    pub(crate) text: String,
}

impl Answered {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|why| panic!("{why}: {self:?}"))
    }

    /// Returns the values of a header, which may be there more than once.
    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.filter(|(named, _)| named.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers(name).first().copied().unwrap_or_default()
    }

    pub(crate) fn reason(&self) -> String {
        self.json()["reason"].as_str().unwrap_or_default().to_owned()
    }
}

/// Sends bytes to a server, and returns its response to them.
pub(crate) fn send(server: &Running, bytes: &[u8]) -> Answered {
    send_to(server.url.to_string().trim_start_matches("http://"), bytes)
}

/// Sends bytes to an address, and returns the response to them. Without a length, it ends with the connection.
pub(crate) fn send_to(address: impl ToSocketAddrs, bytes: &[u8]) -> Answered {
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit is set");
    // A server that refuses the head may close before everything is written.
    let _ = stream.write_all(bytes);
    let (mut answer, mut part) = (Vec::new(), vec![0; 64 << 10]);
    while let Ok(read @ 1..) = stream.read(&mut part) {
        answer.extend_from_slice(&part[..read]);
        if is_whole(&answer) {
            break;
        }
    }
    let answer = String::from_utf8(answer).expect("text");
    let (head, text) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Answered { status: status.unwrap_or_default(), head: head.replace('\r', ""), text: text.to_owned() }
}

/// Returns true if a response says how long its body is, and the body is there.
fn is_whole(answer: &[u8]) -> bool {
    let Some(head) = answer.windows(4).position(|end| end == b"\r\n\r\n") else { return false };
    let lines = String::from_utf8_lossy(&answer[..head]).to_lowercase();
    let length = lines.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    length.is_some_and(|length| answer.len() >= head + 4 + length)
}

/// Sends a request with a credential and a body, if there are any.
pub(crate) fn ask(server: &Running, request: &str, secret: Option<&str>, body: Option<&Value>) -> Answered {
    let body = body.map(ToString::to_string);
    let mut head = format!("{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
    if let Some(secret) = secret {
        head += &format!("authorization: Bearer {secret}\r\n");
    }
    if let Some(body) = &body {
        head += &format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
    }
    send(server, format!("{head}\r\n{}", body.unwrap_or_default()).as_bytes())
}

/// The body that creates a token.
pub(crate) fn new_token(name: &str) -> Value {
    json!({
        "name": name, "scope": "RW", "orgs": "all", "grants": "all", "expiry": "30d", "services": "all",
        "networks": "all",
    })
}

/// Creates a token as the owner of a session. Returns its secret.
pub(crate) fn create(server: &Running, session: &str, token: &Value) -> String {
    let made = ask(server, "POST /v1/tokens", Some(session), Some(token));
    assert_eq!(made.status, 200, "{made:?}");
    made.json()["secret"].as_str().expect("a secret").to_owned()
}
