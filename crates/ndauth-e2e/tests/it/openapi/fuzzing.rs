//! Schemathesis against a server: requests that follow the document and requests that do not, and what each is
//! answered.

use std::path::Path;

use ndauth_store::Engine;
use serde_json::json;

use super::judges::{broken, python_program};
use super::{committed, root};
use crate::installation::{Ended, Installation, Running, run};

/// Asks every operation of a document that is selected, with a credential if there is one.
fn fuzz(server: &Running, document: &Path, credential: Option<&str>, selection: &[&str]) -> Ended {
    let mut schemathesis = python_program("schemathesis");
    let config = root().join("crates/ndauth-e2e/tests/openapi/schemathesis.toml");
    // It keeps notes where it runs.
    let folder = tempfile::tempdir().expect("a folder");
    schemathesis.current_dir(&folder).arg("--config-file").arg(config).arg("run").arg(document);
    schemathesis.args(["--url", &server.url.to_string(), "--no-color"]).args(selection);
    if let Some(credential) = credential {
        schemathesis.args(["-H", &format!("Authorization: Bearer {credential}")]);
    }
    run(schemathesis, "")
}

async fn installation() -> Installation {
    let at = Installation::new(Engine::Sqlite).await;
    at.run_admin("account create ada --email ada@example.org --operator");
    at.run_admin("account create bob --email bob@example.org");
    at.run_admin("org create ops --admin ada");
    at
}

#[tokio::test]
async fn the_server_answers_an_admin_as_the_document_says() {
    let at = installation().await;
    at.service();
    let (server, session) = (at.serve(), at.session());
    // This operation would end the session. The test without a credential calls it too.
    let others = ["--exclude-operation-id", "RevokeSessions"];
    let ended = fuzz(&server, &committed(), Some(session.expose()), &others);
    assert_eq!(ended.code, 0, "{}", ended.out);
}

#[tokio::test]
async fn the_server_answers_a_service_as_the_document_says() {
    let at = installation().await;
    let (server, service) = (at.serve(), at.service());
    let validation = ["--include-tag", "ValidationService"];
    let ended = fuzz(&server, &committed(), Some(service.expose()), &validation);
    assert_eq!(ended.code, 0, "{}", ended.out);
}

#[tokio::test]
async fn the_server_answers_nobody_as_the_document_says() {
    let at = installation().await;
    let server = at.serve();
    let ended = fuzz(&server, &committed(), None, &[]);
    assert_eq!(ended.code, 0, "{}", ended.out);
    // A document that leaves out what is answered is found to.
    let folder = tempfile::tempdir().expect("a folder");
    let silent =
        broken(&folder, "/paths/~1v1~1whoami/get/responses", json!({ "200": { "description": "Done." } }));
    let ended = fuzz(&server, &silent, None, &["--include-operation-id", "WhoAmI"]);
    assert!(ended.code == 1 && ended.out.contains("Undocumented status code"), "{}", ended.out);
}
