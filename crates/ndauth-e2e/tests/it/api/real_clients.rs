//! The clients of the page about the API, as it shows them: curl, httpie, `requests` and `fetch`.

use std::process::Command;

use serde_json::Value;

use super::{ask, create, new_token};
use crate::documents::{Page, blocks, read};
use crate::installation::{run, test_path};

const PAGE: &str = "docs/api.md";

/// Returns the one block of a language, with the address of a server in place of the example's.
fn program(language: &str, server: &str) -> String {
    let text = read(PAGE);
    let (_, program) = blocks(&text).find(|(named, _)| *named == language).expect("a block");
    program.replace("https://ndauth.example.org", server)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ten_examples_work_as_they_are_shown() {
    let mut page = Page::open(PAGE).await;
    page.at.people();
    page.serve(&[]);
    let url = page.server().url.to_string();
    let (session, service) = (page.at.session(), page.at.service());
    let token = create(page.server(), session.expose(), &new_token("ci"));
    for (file, secret) in
        [("token", token.as_str()), ("session", session.expose()), ("service", service.expose())]
    {
        std::fs::write(page.at.home().join(file), secret).expect("written");
    }
    page.replace("https://ndauth.example.org", url.clone());
    let tools = test_path("NDAUTH_TEST_PYTHON").parent().expect("a folder").display().to_string();
    page.replace("http http", format!("'{tools}/http' --ignore-stdin http"));
    let secrets = page.lines().join("\n");
    let mut shown = String::new();
    // Each block is typed at a terminal of its own, which knows the secrets.
    for (example, expected) in [
        ("curl", "\"name\":\"ci\""),
        // It colours what it shows.
        ("httpie", "\"30d\""),
        ("create", ""),
        ("validate", "\"allowed\""),
        ("explain", "\"factor\":\"SCOPE\""),
        ("rotate", ""),
        ("revoke", "\"status\":\"REVOKED\""),
        ("possession", "{}"),
    ] {
        if example == "possession" {
            let javascript = test_program("js", &["node", "--input-type=module", "-e"], &url, &token);
            let python = test_program("python", &[&format!("{tools}/python"), "-c"], &url, &token);
            assert_eq!((javascript.as_str(), python.as_str()), ("200 1\n", "200 1\n"));
        }
        let mut lines = page.lines();
        if example == "revoke" {
            lines.insert(
                0,
                "ID=$(grep -o '\"id\":\"[^\"]*\"' deploy.json | head -1 | cut -d '\"' -f 4)".to_owned(),
            );
        }
        shown = page.type_in(&format!("{secrets}\n{}", lines.join("\n")));
        assert!(shown.contains(expected), "{example}: {shown}");
    }
    assert!(!shown.contains(&token), "{shown}");
    let file = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(page.at.home().join(name)).expect("a file")).expect("JSON")
    };
    let (made, rotated) = (file("deploy.json"), file("rotated.json"));
    assert_eq!(rotated["token"]["rotation"]["pending_until"], rotated["pending_until"], "{rotated}");
    assert_ne!(made["secret"], rotated["secret"]);
    let answer = ask(page.server(), "GET /v1/whoami", Some(&token), None);
    assert_eq!((answer.status, answer.reason().as_str()), (401, "TOKEN_REVOKED"));
    page.close();
}

/// Runs the page's program of a language. It sees the token, and nothing else of the tests.
fn test_program(language: &str, command: &[&str], url: &str, token: &str) -> String {
    let mut program_command = Command::new(command[0]);
    program_command.args(&command[1..]).arg(program(language, url)).env("NDCLI_TOKEN", token);
    let ended = run(program_command, "");
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.out
}
