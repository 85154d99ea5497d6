//! The OpenAPI document: generated from the contract, the access table, and what a real server answers.

mod access;
mod comments;
mod operation;

mod examples;

mod schema;

mod document;

mod judges;

mod clients;
mod fuzzing;
mod page;

use std::path::PathBuf;

use expect_test::expect_file;

use document::document;
use examples::Examples;

use crate::documents::root;

/// The committed document.
fn committed() -> PathBuf {
    root().join("docs/openapi.json")
}

#[tokio::test]
async fn the_document_is_fresh() {
    let document = document(&Examples::record().await);
    let text = serde_json::to_string_pretty(&document).expect("it is JSON");
    expect_file!["../../../../docs/openapi.json"].assert_eq(&format!("{text}\n"));
}
