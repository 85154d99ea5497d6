//! `clients/python`.

use std::fmt::Write as _;
use std::process::Command;

use ndauth_store::Engine;

use super::{check_example, files, root};
use crate::api::{create, new_token};
use crate::documents::{blocks, read};
use crate::installation::{Installation, run, test_path};

/// Returns a command of Python that finds the client.
fn python() -> Command {
    let mut command = Command::new(test_path("NDAUTH_TEST_PYTHON"));
    command.env("PYTHONPATH", root().join("clients/python/src")).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Returns the program that answers questions by the client.
pub(crate) fn driver() -> Command {
    let mut command = python();
    command.arg(root().join("clients/python/tests/driver.py"));
    command
}

#[test]
fn its_messages_are_those_of_the_contract() {
    let fresh = tempfile::tempdir().expect("a folder");
    let mut generate = python();
    generate.arg(root().join("clients/python/generate.py")).arg(fresh.path());
    let ended = run(generate, "");
    assert_eq!(ended.code, 0, "{ended:?}");
    let (fresh, committed) =
        (files(&fresh.path().join("ndauth/v1")), files(&root().join("clients/python/src/ndauth/v1")));
    assert!(
        fresh.len() > 10 && fresh == committed,
        "run `python clients/python/generate.py clients/python/src`"
    );
}

#[test]
fn its_own_tests_pass() {
    let mut tests = python();
    tests.args(["-m", "unittest", "discover", "-s"]).arg(root().join("clients/python/tests"));
    let ended = run(tests, "");
    assert!(ended.code == 0 && ended.err.contains("OK") && !ended.err.contains("Ran 0 "), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fastapi_is_guarded() {
    let mut app = python();
    app.arg(root().join("clients/python/examples/fastapi_app.py"));
    check_example(&Installation::new(Engine::Sqlite).await, app, "\"published_by\":\"ada\"");
}

/// The page's other block is the beginning of the example, as the client's own tests check.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_question_on_its_page_is_answered() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let server = at.serve();
    let token = create(&server, at.session().expose(), &new_token("ci"));
    let file = at.home().join("service-secret");
    std::fs::write(&file, at.service().expose()).expect("written");
    let page = read("docs/python.md");
    let (_, shown) = blocks(&page).last().expect("a block");
    let shown = shown
        .replace("https://ndauth.example.org", &server.url.to_string())
        .replace("/run/secrets/ndauth", &file.display().to_string());
    let mut program =
        format!("import asyncio\nfrom ndauth import Verifier\n\nasync def main():\n    token = '{token}'\n");
    for line in shown.lines() {
        writeln!(program, "    {line}").expect("a text grows");
    }
    program += "    print(verdict.token_name)\n\nasyncio.run(main())\n";
    let mut ask = python();
    ask.args(["-c", &program]);
    let ended = run(ask, "");
    assert_eq!((ended.code, ended.out.as_str()), (0, "ci\n"), "{ended:?}");
}
