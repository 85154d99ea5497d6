//! The OpenAPI document: generated from the contract, the access table, and what a real server answers.

mod access;
mod comments;
mod examples;

mod schema;

mod document;

mod judges;

use std::path::PathBuf;

use expect_test::expect_file;

use document::document;
use examples::Examples;

use crate::documents::root;

/// The committed document.
fn committed() -> PathBuf {
    root().join("docs/openapi.json")
}

#[test]
fn the_document_is_fresh() {
    let text = serde_json::to_string_pretty(&document(&Examples::default())).expect("it is JSON");
    expect_file!["../../../../docs/openapi.json"].assert_eq(&format!("{text}\n"));
}
