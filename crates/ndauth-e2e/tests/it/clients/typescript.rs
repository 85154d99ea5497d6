//! `clients/typescript`.

use std::process::Command;

use ndauth_store::Engine;

use super::{check_example, files, root};
use crate::documents::{blocks, read};
use crate::installation::{Installation, run, test_path};

/// Returns the command of a compiled program of the client.
fn node(program: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(test_path("NDAUTH_TEST_TYPESCRIPT").join("dist").join(program));
    command
}

/// Returns the program that answers questions by the client.
pub(crate) fn driver() -> Command {
    node("tests/driver.js")
}

#[test]
fn its_messages_are_those_of_the_contract() {
    let fresh = tempfile::tempdir().expect("a folder");
    let plugin = test_path("NDAUTH_TEST_TYPESCRIPT").join("node_modules/.bin");
    let python = test_path("NDAUTH_TEST_PYTHON");
    let tools = python.parent().expect("a folder");
    let mut generate = Command::new(tools.join("buf"));
    generate.args(["generate", "--output"]).arg(fresh.path());
    generate.current_dir(root().join("clients/typescript"));
    generate.env("PATH", format!("{}:{}:/usr/local/bin:/usr/bin:/bin", plugin.display(), tools.display()));
    let ended = run(generate, "");
    assert_eq!(ended.code, 0, "{ended:?}");
    let (fresh, committed) = (files(fresh.path()), files(&root().join("clients/typescript/src/gen")));
    assert!(fresh.len() > 5 && fresh == committed, "run `npm run generate src/gen` in `clients/typescript`");
}

#[test]
fn its_own_tests_pass() {
    let mut tests = Command::new("node");
    tests.args(["--test"]).arg(test_path("NDAUTH_TEST_TYPESCRIPT").join("dist/tests/"));
    let ended = run(tests, "");
    assert!(
        ended.code == 0 && ended.out.contains("# fail 0") && !ended.out.contains("# pass 0"),
        "{ended:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn express_is_guarded() {
    let at = Installation::new(Engine::Sqlite).await;
    check_example(&at, node("examples/express-app.js"), "\"stored_by\":\"whole\"");
}

#[test]
fn the_programs_on_its_page_compile() {
    let client = test_path("NDAUTH_TEST_TYPESCRIPT");
    // The package is found from within it.
    let folder = tempfile::tempdir_in(&client).expect("a folder");
    let mut compile = Command::new(client.join("node_modules/.bin/tsc"));
    compile.args(["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--types", "node"]);
    let page = read("docs/typescript.md");
    let programs = blocks(&page).filter(|(language, _)| *language == "ts");
    let mut count = 0;
    for (number, (_, program)) in programs.enumerate() {
        let file = folder.path().join(format!("page-{number}.ts"));
        std::fs::write(&file, program).expect("written");
        compile.arg(file);
        count += 1;
    }
    let ended = run(compile, "");
    assert!(ended.code == 0 && count == 2, "{count}: {ended:?}");
}
