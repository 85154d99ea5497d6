//! The pages in a real browser: people use them, and checks visit each of them.

mod demo;
mod places;
mod script;
mod statements;

use std::path::PathBuf;

use ndauth_store::Engine;
use serde_json::{Value, json};

use crate::documents::root;
use crate::installation::{Installation, test_path};
use crate::{on_both, tls};

use places::PLACES;
use script::play;

/// The password of every account.
const PASSWORD: &str = "a walk in the woods";

/// The limit for a page with all that it loads, in bytes.
const LARGEST: u64 = 60 * 1024;

/// Returns an empty folder in which a script keeps pages, and pictures of those with a fault.
fn folder(name: &str) -> PathBuf {
    let folder = root().join("target/pages").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("removed");
    }
    folder
}

/// Panics with the faults that a script reports.
fn nothing_is_wrong(report: &Value) {
    let faults = report["faults"].as_object().expect("faults");
    let lines =
        |found: &Value| found.as_array().expect("lines").iter().map(shown).collect::<Vec<_>>().join("\n  ");
    let shown: Vec<String> =
        faults.iter().map(|(name, found)| format!("{name}:\n  {}", lines(found))).collect();
    assert!(shown.is_empty(), "{}", shown.join("\n"));
    if let Some(played) = report.get("played") {
        eprintln!("{played:#}");
    }
}

fn shown(line: &Value) -> String {
    line.as_str().expect("text").to_owned()
}

on_both! {
    async fn people_use_the_pages(at: &Installation) {
        let server = at.serve();
        at.run_admin("catalogue apply --preset namespace");
        at.run_admin("org create acme");
        at.run_admin("org create labs");
        // Scripts change nothing on the database's side, so one engine is enough to go without them.
        let (engine, scripts): (_, &[bool]) =
            if at.database().starts_with("sqlite") { ("sqlite", &[true, false]) } else { ("postgres", &[true]) };
        let facts = json!({
            "play": "pages", "scripts": scripts, "folder": folder(engine), "service": at.service().expose(),
        });
        let report = play(at, &server, "scenarios.py", facts).await;
        nothing_is_wrong(&report);
    }
}

/// `cargo xtask screenshots` runs this test, and names a folder for the pictures.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_accessible_valid_and_small() {
    let at = Installation::new(Engine::Sqlite).await;
    let (server, names) = demo::populate(&at).await;
    let facts = json!({
        "places": places::of(&names),
        "invitation": names["invitation"],
        "folder": folder("walk"),
        "packages": test_path("NDAUTH_TEST_PAGES_NODE_MODULES"),
        "pictures": script::pictures(),
    });
    let report = play(&at, &server, "walk.py", facts).await;
    nothing_is_wrong(&report);
    let sizes = report["bytes"].as_object().expect("sizes").iter();
    // The reference has the whole API on one page.
    for (name, bytes) in sizes.filter(|(name, _)| *name != "reference") {
        assert!(bytes.as_u64().is_some_and(|bytes| bytes < LARGEST), "{name} has {bytes} bytes");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_over_tls_stay_on_it() {
    let at = Installation::new(Engine::Sqlite).await;
    tls::Authority::new("ours").sign(at.home(), "127.0.0.1");
    let server = tls::serve(&at);
    let facts = json!({ "play": "encrypted", "scripts": [true], "folder": folder("encrypted") });
    nothing_is_wrong(&play(&at, &server, "scenarios.py", facts).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_checks_find_faults() {
    let at = Installation::new(Engine::Sqlite).await;
    let server = at.serve();
    let facts =
        json!({ "folder": folder("faulty"), "packages": test_path("NDAUTH_TEST_PAGES_NODE_MODULES") });
    let report = play(&at, &server, "faulty.py", facts).await;
    let found = report["faults"]["faulty"].to_string();
    for fault in [
        "policy: script-src-elem inline",
        "a request to https://example.org/picture.png",
        "a secret in the URL",
        "the policy has form-action None",
        "the policy has frame-ancestors None",
        "'unsafe-inline'",
        "cache-control: None",
        "pixels too wide",
        "axe: color-contrast",
        "no visible focus: <a href=",
        "Tab goes",
        "the first stop does not skip the navigation",
        "vnu, line",
    ] {
        assert!(found.contains(fault), "{fault}: {found}");
    }
}

#[test]
fn every_page_is_visited() {
    let served = ndauth_authority::access::TABLE.iter().flat_map(|row| row.calls);
    let served = served.filter_map(|call| call.strip_prefix("GET ")).filter(|path| !places::is_no_page(path));
    let mut served: Vec<&str> = served.collect();
    let mut visited: Vec<&str> = PLACES.iter().map(|place| place.route).collect();
    for paths in [&mut served, &mut visited] {
        paths.sort_unstable();
        paths.dedup();
    }
    assert_eq!(visited, served);
}
