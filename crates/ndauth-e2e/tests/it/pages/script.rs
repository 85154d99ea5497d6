//! A script with a person at a browser, and the answers to what it asks of the installation.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use ndauth_store::testing::execute;
use ndauth_store::{Clock, Store};
use serde_json::{Value, json};

use super::PASSWORD;
use crate::api::{ask, send};
use crate::documents::root;
use crate::installation::{Installation, KillOnDrop, Running, test_path};

/// Returns the folder for pictures of the pages, if somebody wants them.
#[expect(clippy::disallowed_methods, reason = "`cargo xtask screenshots` names the folder")]
pub(super) fn pictures() -> Option<PathBuf> {
    std::env::var_os("NDAUTH_TEST_PICTURES").map(PathBuf::from)
}

/// Runs a script with facts about the test. Returns its report.
pub(super) async fn play(at: &Installation, server: &Running, script: &str, mut facts: Value) -> Value {
    let mut command = Command::new(test_path("NDAUTH_TEST_PYTHON"));
    command.arg("-B").arg(root().join("crates/ndauth-e2e/tests/pages").join(script));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = KillOnDrop(command.spawn().expect("it starts"));
    let mut answers = child.0.stdin.take().expect("piped");
    facts["url"] = server.url.to_string().into();
    facts["password"] = PASSWORD.into();
    writeln!(answers, "{facts}").expect("it reads");
    for line in BufReader::new(child.0.stdout.take().expect("piped")).lines() {
        let line: Value = serde_json::from_str(&line.expect("text")).expect("JSON");
        if let Some(report) = line.get("report") {
            return report.clone();
        }
        let answer = answer(at, server, &line).await;
        writeln!(answers, "{answer}").expect("it reads");
    }
    panic!("{script} ended without a report");
}

async fn answer(at: &Installation, server: &Running, question: &Value) -> Value {
    let text = |name: &str| question[name].as_str().expect("a text");
    match text("ask") {
        "admin" => admin(at, text("words")),
        "api" => {
            let answered = ask(server, text("request"), Some(text("secret")), question.get("body"));
            json!({ "status": answered.status, "body": answered.json() })
        }
        "sql" => {
            let store = Store::connect(&at.scratch.url, Clock::Database).await.expect("connected");
            execute(&store, text("statement")).await;
            store.close().await.expect("closed");
            Value::Null
        }
        "device" => device_code(server).into(),
        other => panic!("nobody answers {other}"),
    }
}

/// Returns the code that a device shows while it waits to be authorized.
fn device_code(server: &Running) -> String {
    let form = "client_id=ndcli&device_name=ndcli+on+build-3";
    let request = format!(
        "POST /oauth2/device_authorization HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    );
    let answered = send(server, request.as_bytes());
    answered.json()["user_code"].as_str().expect("a code").to_owned()
}

fn admin(at: &Installation, words: &str) -> Value {
    let ended = at.admin(words);
    json!({ "out": ended.out.trim_end(), "err": ended.err, "code": ended.code })
}
