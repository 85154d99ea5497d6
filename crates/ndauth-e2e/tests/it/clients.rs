//! The clients in other languages: their generated parts are fresh, their own tests pass, and their examples guard a
//! service.

mod python;
mod typescript;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;

use ndauth_core::Secret;
use rustix::process::Signal;
use serde_json::json;

use crate::api::{Answered, ask, create, new_token, send_to};
use crate::installation::{BOUND, Installation, KillOnDrop};

pub(crate) use python::driver as python_driver;
pub(crate) use typescript::driver as typescript_driver;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the files of a folder and their contents, by their paths within it.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut files, mut open) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                let within = path.strip_prefix(folder).expect("it is within").to_owned();
                files.insert(within, fs::read(path).expect("a file"));
            }
        }
    }
    files.retain(|path, _| !path.components().any(|part| part.as_os_str() == "__pycache__"));
    files
}

/// An application that a client guards.
struct GuardedApp {
    _child: KillOnDrop,
    address: String,
}

impl GuardedApp {
    /// Starts the application with the secret of a service in a file, and waits until it prints its address.
    fn start(at: &Installation, mut command: Command, server: &str, service: &Secret) -> GuardedApp {
        let file = at.home().join("service-secret");
        fs::write(&file, service.expose()).expect("written");
        command.env("NDAUTH_ADDRESS", server).env("NDAUTH_SERVICE_SECRET_FILE", file).env("PORT", "0");
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = KillOnDrop(child.expect("the application starts"));
        let (sender, lines) = mpsc::channel();
        let outputs: [Box<dyn Read + Send>; 2] = [
            Box::new(child.0.stdout.take().expect("it is piped")),
            Box::new(child.0.stderr.take().expect("it is piped")),
        ];
        for output in outputs {
            let sender = sender.clone();
            // Keep reading after the receiver is gone, so that the pipe never fills up.
            std::thread::spawn(move || {
                let lines = BufReader::new(output).lines().map_while(Result::ok);
                lines.for_each(|line| drop(sender.send(line)));
            });
        }
        drop(sender);
        let mut seen = String::new();
        let address = loop {
            let line = lines.recv().unwrap_or_else(|_| panic!("it does not start:\n{seen}"));
            if let Some((_, rest)) = line.split_once("http://") {
                break rest.split([' ', '/', '\u{1b}']).next().expect("an address").to_owned();
            }
            seen += &format!("{line}\n");
        };
        GuardedApp { _child: child, address }
    }

    fn request(&self, request: &str, headers: &[&str]) -> Answered {
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let text = format!(
            "{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: 2\r\n{headers}\r\n{{}}"
        );
        send_to(&self.address, text.as_bytes())
    }
}

/// Checks that an example lets pass whom it should, and nobody else. It answers who published something, by the name of the
/// owner or of the token.
fn check_example(at: &Installation, command: Command, publisher: &str) {
    at.people();
    let (server, session, service) = (at.serve(), at.session(), at.service());
    let app = GuardedApp::start(at, command, &server.url.to_string(), &service);
    let whole = create(&server, session.expose(), &new_token("whole"));
    let mut narrow = new_token("narrow");
    narrow["scope"] = json!("RO");
    let narrow = create(&server, session.expose(), &narrow);
    let (whole, narrow) =
        (format!("authorization: Bearer {whole}"), format!("authorization: Bearer {narrow}"));
    let (whole, narrow) = (whole.as_str(), narrow.as_str());
    let logo = "/orgs/ops/assets/logo";
    assert_eq!(app.request("GET /healthz", &[]).status, 200);
    let published = app.request(&format!("PUT {logo}"), &[whole]);
    assert!(published.status == 200 && published.text.contains(publisher), "{published:?}");
    assert_eq!(app.request(&format!("GET {logo}"), &[narrow]).status, 200);
    let near = format!("{}x", &whole[..whole.len() - 1]);
    for (request, headers, status, reason, challenge) in [
        (format!("GET {logo}"), vec![], 401, "CREDENTIAL_MISSING", "Bearer"),
        (format!("PUT {logo}"), vec![narrow], 403, "SCOPE_TOO_NARROW", "error=\"insufficient_scope\""),
        (format!("GET {logo}"), vec![near.as_str()], 401, "SECRET_MALFORMED", "error=\"invalid_token\""),
        (format!("GET {logo}"), vec![whole, narrow], 400, "INVALID_ARGUMENT", "error=\"invalid_request\""),
        ("PUT /orgs/dev/assets/logo".to_owned(), vec![whole], 403, "ROLE_TOO_LOW", "insufficient_scope"),
        (format!("DELETE {logo}"), vec![whole], 404, "CALL_UNKNOWN", ""),
        (format!("GET /{logo}"), vec![whole], 404, "CALL_UNKNOWN", ""),
        ("GET /orgs/dev/../ops/assets/logo".to_owned(), vec![whole], 404, "CALL_UNKNOWN", ""),
        ("GET /ORGS/ops/assets/logo".to_owned(), vec![whole], 404, "CALL_UNKNOWN", ""),
    ] {
        let answer = app.request(&request, &headers);
        assert_eq!(answer.status, status, "{request}: {answer:?}");
        assert_eq!(answer.json()["reason"], reason, "{request}: {answer:?}");
        assert!(answer.header("www-authenticate").contains(challenge), "{request}: {answer:?}");
    }
    let secret = whole.rsplit(' ').next().expect("a secret");
    let revoked = ask(&server, "POST /v1/secrets:revoke", None, Some(&json!({ "secret": secret })));
    assert_eq!(revoked.status, 200, "{revoked:?}");
    let begun = std::time::Instant::now();
    let refused = loop {
        let answer = app.request(&format!("GET {logo}"), &[whole]);
        assert!(answer.status != 200 || begun.elapsed() < BOUND, "{answer:?}");
        if answer.status != 200 {
            break answer;
        }
    };
    assert_eq!(
        (refused.status, refused.json()["reason"].as_str()),
        (401, Some("TOKEN_REVOKED")),
        "{refused:?}"
    );
    // Neither yes nor no, once nothing is kept.
    server.signal(Signal::KILL);
    let begun = std::time::Instant::now();
    let undecided = loop {
        let answer = app.request(&format!("GET {logo}"), &[narrow]);
        assert!(answer.status != 200 || begun.elapsed() < BOUND, "{answer:?}");
        if answer.status != 200 {
            break answer;
        }
    };
    assert_eq!((undecided.status, undecided.header("retry-after")), (503, "1"), "{undecided:?}");
}
