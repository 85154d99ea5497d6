//! The document and its page, as the server serves them.

use std::collections::BTreeSet;

use ndauth_store::Engine;
use serde_json::Value;

use super::committed;
use crate::api::ask;
use crate::installation::Installation;

/// Returns the values of an attribute in a page.
fn attributes<'a>(page: &'a str, name: &str) -> BTreeSet<&'a str> {
    page.split(&format!(" {name}=\"")).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[tokio::test]
async fn the_document_and_its_page_are_served_to_anybody() {
    let at = Installation::new(Engine::Sqlite).await;
    let server = at.serve();
    let text = std::fs::read_to_string(committed()).expect("the file");
    let document: Value = serde_json::from_str(&text).expect("it is JSON");
    let served = ask(&server, "GET /openapi.json", None, None);
    assert_eq!(served.header("content-type"), "application/json");
    assert_eq!(served.header("cache-control"), "max-age=300");
    assert!(served.text == text, "it is the committed file");

    let shown = ask(&server, "GET /docs", None, None);
    let page = &shown.text;
    assert_eq!(shown.header("content-type"), "text/html; charset=utf-8");
    assert!(shown.header("content-security-policy").contains("default-src 'none'; style-src 'self';"));
    assert!(!page.contains("<script"), "there is no script");
    let (ids, links) = (attributes(page, "id"), attributes(page, "href"));
    for link in links {
        assert!(link.strip_prefix('#').is_none_or(|id| ids.contains(id)), "{link} leads somewhere");
    }
    let members = |pointer: &str| document.pointer(pointer).and_then(Value::as_object).expect("an object");
    let operations = members("/paths").values().flat_map(|path| path.as_object().expect("methods").values());
    for operation in operations {
        let id = operation["operationId"].as_str().expect("an id");
        assert!(ids.contains(id), "{id} is described");
    }
    for name in members("/components/schemas").keys() {
        assert!(ids.contains(format!("schema-{name}").as_str()), "{name} is described");
    }
}
