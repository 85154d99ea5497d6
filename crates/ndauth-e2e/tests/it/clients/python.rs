//! `clients/python`.

use std::process::Command;

use ndauth_store::Engine;

use super::{check_example, files, root};
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
