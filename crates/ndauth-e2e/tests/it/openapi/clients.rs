//! Clients that other people's generators make of the document.

use std::path::Path;
use std::process::Command;

use super::judges::{node_program, python_program};
use super::{committed, root};
use crate::installation::{Running, path, run, test_path};
use crate::on_both;

/// The output of each client.
const EXPECTED: &str = "created: ACTIVE RW\nrotated: RW SECRET_REPLACED\nrevoked: REVOKED TOKEN_REVOKED\n\
                        failed: 404 NOT_FOUND\n";

fn script(name: &str) -> std::path::PathBuf {
    root().join("crates/ndauth-e2e/tests/openapi").join(name)
}

fn succeed(command: Command) -> String {
    let ended = run(command, "");
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.out
}

/// Generates the types of the document, and compiles a client with them.
fn typescript(folder: &Path) -> Command {
    std::fs::create_dir_all(folder).expect("a folder");
    std::fs::write(folder.join("package.json"), r#"{ "type": "module" }"#).expect("written");
    std::fs::copy(script("client.ts"), folder.join("client.ts")).expect("copied");
    let packages = test_path("NDAUTH_TEST_OPENAPI_NODE_MODULES");
    std::os::unix::fs::symlink(packages, folder.join("node_modules")).expect("linked");
    let mut generate = node_program("openapi-typescript");
    generate.arg(committed()).arg("-o").arg(folder.join("api.ts"));
    succeed(generate);
    let mut compile = node_program("tsc");
    compile.current_dir(folder).args(["--strict", "--module", "nodenext", "--target", "es2022", "client.ts"]);
    succeed(compile);
    let mut client = Command::new("node");
    client.arg(folder.join("client.js"));
    client
}

/// Generates a package of the document, for a client beside it.
fn python(folder: &Path) -> Command {
    std::fs::create_dir_all(folder).expect("a folder");
    let mut generate = python_program("openapi-python-client");
    // It formats what it has written with a program beside it.
    let programs = test_path("NDAUTH_TEST_PYTHON").parent().expect("a folder").as_os_str().to_owned();
    let mut programs_first = programs;
    programs_first.push(":");
    programs_first.push(path());
    generate.env("PATH", programs_first);
    generate.args(["generate", "--meta", "none", "--fail-on-warning", "--path"]).arg(committed());
    generate.arg("--output-path").arg(folder.join("ndauth_api"));
    succeed(generate);
    let mut client = Command::new(test_path("NDAUTH_TEST_PYTHON"));
    client.arg(script("client.py")).env("PYTHONPATH", folder);
    client
}

fn plays(mut client: Command, server: &Running, session: &str, service: &str) {
    client.args([&server.url.to_string(), session, service]);
    assert_eq!(succeed(client), EXPECTED);
}

on_both! {
    async fn generated_clients_create_validate_rotate_and_revoke(at: &Installation) {
        at.people();
        let server = at.serve();
        let (session, service) = (at.session(), at.service());
        for client in [typescript(&at.home().join("typescript")), python(&at.home().join("python"))] {
            plays(client, &server, session.expose(), service.expose());
        }
    }
}
