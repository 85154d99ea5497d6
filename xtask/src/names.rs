//! Checks that no two types of the workspace share a name. Tests, examples and generated code are not
//! checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::floors::{Files, crates, find_types};

/// Names that sea-orm requires: its derive macros need the first two in every entity, and each migration is a
/// `Migration`.
const EXEMPT: [&str; 3] = ["Model", "Relation", "Migration"];

/// Returns each name that several types share, with the files that define them.
fn shared(types: impl IntoIterator<Item = (String, PathBuf)>) -> Vec<String> {
    let mut files: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, file) in types {
        files.entry(name).or_default().push(file.display().to_string());
    }
    files.retain(|name, files| files.len() > 1 && !EXEMPT.contains(&name.as_str()));
    files.into_iter().map(|(name, files)| format!("{name}: {}", files.join(", "))).collect()
}

#[test]
fn a_shared_name_is_seen() {
    let files = [
        ("lib.rs", "mod a; mod b; pub struct Lib; type Pair = (u8, u8);"),
        (
            "a.rs",
            "pub struct Model; pub(super) enum Shared { Lib } #[cfg(test)] mod tests { struct Lib; } fn f() { struct Local; }",
        ),
        (
            "b.rs",
            "struct Model; mod inner { pub trait Shared { type Lib; } union Local { a: u8 } } fn Pair() {} \
             impl Iterator for X { type Pair = u8; } #[cfg(test)] struct Lib;",
        ),
    ];
    let files: Files = files.into_iter().map(|(file, text)| (file.into(), text.to_owned())).collect();
    assert_eq!(shared(find_types(&files, Path::new("lib.rs"))), ["Local: a.rs, b.rs", "Shared: a.rs, b.rs"]);
}

#[test]
fn no_two_types_share_a_name() {
    let types = crates().into_iter().flat_map(|(package, files, root)| {
        let types = find_types(&files, &root).into_iter();
        types.map(move |(name, file)| (name, Path::new(&package).join(file)))
    });
    let shared = shared(types);
    assert!(shared.is_empty(), "{} names are shared\n\n{}", shared.len(), shared.join("\n"));
}
