//! Judges that read the document alone.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::committed;
use crate::documents::root;
use crate::installation::{Ended, path, run, test_path};

/// Returns a program beside the Python of the tests.
pub(super) fn python_program(name: &str) -> Command {
    Command::new(test_path("NDAUTH_TEST_PYTHON").with_file_name(name))
}

/// Returns a program of the Node packages.
pub(super) fn node_program(name: &str) -> Command {
    let mut command = Command::new(test_path("NDAUTH_TEST_OPENAPI_NODE_MODULES").join(".bin").join(name));
    command.env("PATH", path()).env("REDOCLY_TELEMETRY", "off").env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true");
    command
}

fn validate(file: &Path) -> Ended {
    let mut validator = python_program("openapi-spec-validator");
    validator.arg(file);
    run(validator, "")
}

/// Returns the rules that a file breaks.
fn lint(file: &Path) -> Vec<String> {
    let mut linter = node_program("redocly");
    let config = root().join("crates/ndauth-e2e/tests/openapi/redocly.yaml");
    linter.args(["lint", "--format", "json", "--config"]).arg(config).arg(file);
    let ended = run(linter, "");
    let found: Value = serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{ended:?}"));
    let problems = found["problems"].as_array().unwrap_or_else(|| panic!("{ended:?}"));
    problems.iter().map(|problem| problem["ruleId"].as_str().expect("a rule").to_owned()).collect()
}

/// Writes the document with one part replaced.
pub(super) fn broken(folder: &tempfile::TempDir, pointer: &str, part: Value) -> std::path::PathBuf {
    let mut document: Value =
        serde_json::from_str(&std::fs::read_to_string(committed()).expect("the file")).expect("it is JSON");
    *document.pointer_mut(pointer).expect("it is there") = part;
    let path = folder.path().join("broken.json");
    std::fs::write(&path, document.to_string()).expect("written");
    path
}

#[test]
fn the_document_is_valid() {
    let ended = validate(&committed());
    assert_eq!(ended.code, 0, "{ended:?}");
    let folder = tempfile::tempdir().expect("a folder");
    let ended = validate(&broken(&folder, "/paths/~1v1~1whoami/get/responses/200", "no response".into()));
    assert_eq!(ended.code, 1, "{ended:?}");
}

#[test]
fn the_document_follows_every_recommended_rule() {
    assert_eq!(lint(&committed()), Vec::<String>::new());
    let folder = tempfile::tempdir().expect("a folder");
    let twice = broken(&folder, "/paths/~1v1~1whoami/get/operationId", "ListOrgs".into());
    assert!(lint(&twice).contains(&"operation-operationId-unique".to_owned()));
    let nowhere = broken(&folder, "/paths/~1v1~1whoami/get/responses/400/$ref", "#/components/x".into());
    assert!(lint(&nowhere).contains(&"no-unresolved-refs".to_owned()));
}
