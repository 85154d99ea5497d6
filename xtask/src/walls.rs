//! Checks the walls between the crates over `cargo metadata`: the dependencies that a crate must never have.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::cargo::root;
use crate::floors::{Files, read_folder};

/// The dependencies of each crate, without those of its tests.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// The reach of a wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WallReach {
    /// Neither a direct nor an indirect dependency.
    AtAll,
    /// Not a direct dependency; an indirect one is allowed.
    ByName,
}

use WallReach::{AtAll, ByName};

/// The walls: a crate, the reach of its wall, and the crates that it must not reach.
const WALLS: [(&str, WallReach, &[&str]); 18] = [
    ("ndauth-core", AtAll, &["prost", "tonic", "axum", "sea-orm", "sqlx", "tokio", "rand", "clap"]),
    ("ndauth-clock", AtAll, &["prost", "tonic", "axum", "sea-orm", "sqlx", "tokio", "rand", "clap"]),
    ("ndauth-proto", AtAll, &["sea-orm", "sqlx", "ndauth-store", "ndauth-authority", "clap"]),
    ("ndauth-store", AtAll, &["tonic", "axum", "prost", "ndauth-proto", "ndauth-authority", "opentelemetry"]),
    ("ndauth-authority", AtAll, &["tonic", "axum", "prost", "ndauth-proto", "opentelemetry"]),
    ("ndauth-authority", ByName, &["sea-orm", "sea-orm-migration", "sqlx", "ndauth-migrations"]),
    ("ndauth-server", ByName, &["sea-orm", "sea-orm-migration", "sqlx", "ndauth-migrations", "ndauth-store"]),
    ("ndauth-server", AtAll, &["ndauth-client"]),
    (
        "ndauth-client",
        AtAll,
        &["sea-orm", "sqlx", "ndauth-store", "ndauth-authority", "ndauth-server", "clap"],
    ),
    (
        "ndcli",
        AtAll,
        &["sea-orm", "sqlx", "ndauth-store", "ndauth-authority", "ndauth-server", "libsqlite3-sys"],
    ),
    ("ndcli", ByName, &["tonic"]),
    (
        "ndauth-terminal",
        AtAll,
        &["sea-orm", "sqlx", "ndauth-store", "ndauth-authority", "ndauth-server", "ndauth-client"],
    ),
    ("ndauth-migrations", AtAll, &["ndauth-core", "ndauth-store", "tonic", "axum"]),
    ("ndauth-bench", ByName, &["sea-orm", "sqlx", "ndauth-authority"]),
    ("ndauth-e2e", AtAll, &["sea-orm"]),
    ("ndauth-e2e", ByName, &["tonic"]),
    // Traces are the server's: other crates make spans of `tracing`.
    ("ndcli", AtAll, &["opentelemetry", "tracing-opentelemetry"]),
    ("xtask", AtAll, &["sea-orm", "ndauth-store", "ndauth-server"]),
];

/// Returns the dependencies of a crate: direct ones, or also indirect ones.
fn beneath<'a>(graph: &'a Graph, from: &str, reach: WallReach) -> BTreeSet<&'a str> {
    let named = |name: &str| graph.get(name).into_iter().flatten().map(String::as_str);
    let mut found: BTreeSet<&str> = named(from).collect();
    if reach == AtAll {
        let mut open: Vec<&str> = found.iter().copied().collect();
        while let Some(next) = open.pop() {
            open.extend(named(next).filter(|name| found.insert(name)));
        }
    }
    found
}

fn breaches(graph: &Graph, walls: &[(&str, WallReach, &[&str])]) -> Vec<String> {
    let mut breaches = Vec::new();
    for (from, reach, forbidden) in walls {
        if !graph.contains_key(*from) {
            breaches.push(format!("there is no crate {from}"));
        }
        let found = beneath(graph, from, *reach);
        let broken = forbidden.iter().filter(|name| found.contains(**name));
        breaches.extend(broken.map(|name| format!("{from} reaches {name}")));
    }
    breaches
}

fn workspace() -> Graph {
    let metadata = MetadataCommand::new().current_dir(root()).exec().expect("cargo reports its metadata");
    let name = |id: &cargo_metadata::PackageId| metadata[id].name.to_string();
    let resolve = metadata.resolve.as_ref().expect("the dependencies are resolved");
    resolve
        .nodes
        .iter()
        .map(|node| {
            let shipped = node.deps.iter().filter(|dependency| {
                dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal)
            });
            (name(&node.id), shipped.map(|dependency| name(&dependency.pkg)).collect())
        })
        .collect()
}

#[test]
fn the_walls_stand() {
    assert_eq!(breaches(&workspace(), &WALLS), Vec::<String>::new());
}

/// Transactions that change something begin in one file, which admits them, decides again, and waits until
/// the change is in force.
#[test]
fn changes_pass_one_door() {
    let mut doors = Vec::new();
    for name in ["ndauth-authority", "ndauth-server"] {
        let mut files = Files::new();
        read_folder(&root().join("crates").join(name), Path::new("src"), &mut files);
        let writing = files.into_iter().filter(|(_, text)| text.contains("store.write("));
        doors.extend(writing.map(|(path, _)| Path::new(name).join(path)));
    }
    assert_eq!(doors, [Path::new("ndauth-authority/src/change.rs")]);
}

/// Returns the files that no `mod` line names, so that they are never compiled.
fn left_out(files: &Files) -> Vec<&Path> {
    let is_root = |path: &Path| {
        let name = path.file_name().unwrap_or_default();
        name == "lib.rs" || name == "main.rs" || path.parent().is_some_and(|folder| folder.ends_with("bin"))
    };
    let named = |path: &&Path| {
        let folder = path.parent().unwrap_or(Path::new(""));
        let line = format!("mod {};", path.file_stem().unwrap_or_default().display());
        let parents = [folder.with_extension("rs"), folder.join("lib.rs"), folder.join("main.rs")];
        let mut texts = parents.iter().filter_map(|parent| files.get(parent));
        texts.any(|text| text.lines().any(|named| named.ends_with(&line)))
    };
    files.keys().map(PathBuf::as_path).filter(|path| !is_root(path) && !named(path)).collect()
}

/// A file without its `mod` line is silent: its tests do not run, and nothing fails.
#[test]
fn every_file_is_a_module() {
    for entry in
        fs::read_dir(root().join("crates")).expect("a folder").chain(fs::read_dir(root()).expect("a folder"))
    {
        let folder = entry.expect("an entry").path();
        for inner in ["src", "tests"].iter().filter(|inner| folder.join(inner).is_dir()) {
            let mut files = Files::new();
            read_folder(&folder, Path::new(inner), &mut files);
            // It is included, not a module.
            files.retain(|path, _| !path.components().any(|part| part.as_os_str() == "generated"));
            assert_eq!(left_out(&files), Vec::<&Path>::new(), "{}", folder.display());
        }
    }
    let files = [
        ("src/lib.rs", "pub mod a;\nmod b;"),
        ("src/a.rs", ""),
        ("src/b.rs", "mod c;"),
        ("src/b/c.rs", ""),
        ("src/b/d.rs", ""),
    ];
    let files = files.map(|(path, text)| (PathBuf::from(path), text.to_owned())).into();
    assert_eq!(left_out(&files), [Path::new("src/b/d.rs")]);
}

/// Rules that the workspace violates, each reported as a breach.
#[test]
fn a_breach_is_seen() {
    let graph = workspace();
    for (wall, breach) in [
        (("ndauth-store", ByName, &["sea-orm"] as &[&str]), "ndauth-store reaches sea-orm"),
        (("ndauth-authority", AtAll, &["sea-orm"]), "ndauth-authority reaches sea-orm"),
        (("ndauth-server", AtAll, &["libsqlite3-sys"]), "ndauth-server reaches libsqlite3-sys"),
        (("ndcli", AtAll, &["tonic"]), "ndcli reaches tonic"),
        (("ndauth-cor", AtAll, &["tonic"]), "there is no crate ndauth-cor"),
    ] {
        assert_eq!(breaches(&graph, &[wall]), [breach]);
    }
    assert_eq!(breaches(&graph, &[("ndauth-authority", ByName, &["sea-orm"])]), Vec::<String>::new());
}

#[test]
fn every_crate_of_the_workspace_has_a_wall() {
    let metadata =
        MetadataCommand::new().no_deps().current_dir(root()).exec().expect("cargo reports its metadata");
    for package in &metadata.packages {
        let walled = WALLS.iter().any(|(from, ..)| package.name.as_str() == *from);
        assert!(walled, "{} has no wall", package.name);
    }
}
