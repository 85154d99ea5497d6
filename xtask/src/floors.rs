//! Checks the floors within each crate: files do not depend on each other in a cycle.
//!
//! A file lies above each file that defines a name that it writes: in a `use`, in a path, in a macro or in an
//! attribute. A re-export counts as the file behind it. Method calls do not count, and tests are left out.
//!
//! `names` uses the parsed crates, too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::mem::take;
use std::path::{Path, PathBuf};

use cargo_metadata::{MetadataCommand, TargetKind};
use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Ident, ImplItem, Item, ItemMod, ItemUse, Macro, MetaList, UseTree};

use crate::cargo::root;

/// The text of each file.
pub(crate) type Files = BTreeMap<PathBuf, String>;

/// The files below each file, with the names that connect them.
type Graph = BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>;

/// A module, in a file of its own or inline.
#[derive(Default)]
struct Module {
    file: PathBuf,
    /// The folder of its child modules' files.
    folder: PathBuf,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    defined: BTreeSet<String>,
    /// The types among the defined names.
    types: Vec<String>,
    imported: BTreeMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
    /// Every path that appears in it.
    written: BTreeSet<Vec<String>>,
}

/// The modules of a crate; the first is its root.
struct Crate<'a> {
    files: &'a Files,
    modules: Vec<Module>,
    /// The index of the module that is being read.
    at: usize,
}

/// The target of a path.
enum Resolution {
    Module(usize),
    /// An item of this module, by its name there.
    Item(usize, String),
}

/// The number of re-exports that are followed. It exceeds any real chain, so that a circle of re-exports
/// ends.
const DEEPEST: usize = 16;

impl<'a> Crate<'a> {
    fn read(files: &'a Files, root: &Path) -> Crate<'a> {
        let mut read = Crate { files, modules: Vec::new(), at: 0 };
        let folder = root.parent().unwrap_or(Path::new(""));
        read.read_file(Module { file: root.into(), folder: folder.into(), ..Module::default() });
        read
    }

    fn read_file(&mut self, module: Module) {
        let text = self.files.get(&module.file);
        let text = text.unwrap_or_else(|| panic!("there is no file {}", module.file.display()));
        let file = syn::parse_file(text).expect("what compiles can be parsed");
        self.read_items(module, &file.items);
    }

    fn read_items(&mut self, module: Module, items: &[Item]) {
        let above = self.at;
        self.at = self.modules.len();
        self.modules.push(module);
        for item in items {
            self.visit_item(item);
        }
        self.at = above;
    }

    fn module(&mut self) -> &mut Module {
        &mut self.modules[self.at]
    }

    fn import(&mut self, tree: &UseTree, mut path: Vec<String>) {
        let (ident, name) = match tree {
            UseTree::Path(tree) => {
                path.push(tree.ident.to_string());
                return self.import(&tree.tree, path);
            }
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.import(tree, path.clone()));
            }
            UseTree::Glob(_) => return self.module().globs.push(path),
            UseTree::Name(tree) => (&tree.ident, None),
            UseTree::Rename(tree) => (&tree.ident, Some(tree.rename.to_string())),
        };
        if ident != "self" {
            path.push(ident.to_string());
        }
        if let Some(name) = name.or_else(|| path.last().cloned()) {
            self.write(path.clone());
            self.module().imported.entry(name).or_insert(path);
        }
    }

    fn write(&mut self, path: Vec<String>) {
        if !path.is_empty() {
            self.module().written.insert(path);
        }
    }

    /// Finds the paths in a stream of tokens.
    fn scan(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.write(take(&mut path));
                    }
                    path.push(ident.to_string());
                }
                TokenTree::Group(group) => self.scan(group.stream()),
                TokenTree::Punct(_) | TokenTree::Literal(_) => self.write(take(&mut path)),
            }
            colons = 0;
        }
        self.write(path);
    }

    fn find(&self, path: &[String], from: usize, depth: usize) -> Option<Resolution> {
        let depth = depth.checked_sub(1)?;
        let mut at = from;
        for (index, name) in path.iter().enumerate() {
            let found = match name.as_str() {
                "crate" => Resolution::Module(0),
                "self" => Resolution::Module(at),
                "super" => Resolution::Module(self.modules[at].parent?),
                _ => match self.find_name(name, at, index + 1 == path.len(), depth) {
                    Some(found) => found,
                    None if index == 0 || self.modules[at].imported.contains_key(name) => return None,
                    // An unknown name is one that a macro defines.
                    None => Resolution::Item(at, name.clone()),
                },
            };
            match found {
                Resolution::Module(module) => at = module,
                // The rest of the path names its variants and functions.
                Resolution::Item(..) => return Some(found),
            }
        }
        Some(Resolution::Module(at))
    }

    /// Finds a name in a module. At the end of a path, a function takes precedence over a module of the same
    /// name.
    fn find_name(&self, name: &str, at: usize, last: bool, depth: usize) -> Option<Resolution> {
        let module = &self.modules[at];
        let child = || module.children.get(name).map(|child| Resolution::Module(*child));
        let defined = || module.defined.contains(name).then(|| Resolution::Item(at, name.to_owned()));
        let imported = || self.find(module.imported.get(name)?, at, depth);
        let found = if last {
            defined().or_else(imported).or_else(child)
        } else {
            child().or_else(imported).or_else(defined)
        };
        found.or_else(|| {
            module.globs.iter().find_map(|path| match self.find(path, at, depth)? {
                Resolution::Module(inner) => self.find_name(name, inner, last, depth - 1),
                Resolution::Item(..) => None,
            })
        })
    }

    fn graph(&self) -> Graph {
        let mut graph = Graph::new();
        for (from, module) in self.modules.iter().enumerate() {
            let above = graph.entry(module.file.clone()).or_default();
            for path in &module.written {
                if let Some(Resolution::Item(to, name)) = self.find(path, from, DEEPEST)
                    && self.modules[to].file != module.file
                {
                    above.entry(self.modules[to].file.clone()).or_default().insert(name);
                }
            }
        }
        graph
    }
}

impl<'ast> Visit<'ast> for Crate<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let (name, attributes) = name_and_attributes(item);
        if !attributes.iter().any(is_for_tests) {
            self.module().defined.extend(name.map(Ident::to_string));
            if is_type(item) {
                self.module().types.extend(name.map(Ident::to_string));
            }
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let for_tests = matches!(item, ImplItem::Fn(function) if function.attrs.iter().any(is_for_tests));
        if !for_tests {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let name = item.ident.to_string();
        let child = self.modules.len();
        let parent = self.module();
        parent.children.insert(name.clone(), child);
        let folder = parent.folder.join(&name);
        let beside = parent.folder.join(format!("{name}.rs"));
        let (file, at) = (parent.file.clone(), Some(self.at));
        match &item.content {
            Some((_, items)) => {
                self.read_items(Module { file, folder, parent: at, ..Module::default() }, items);
            }
            None => {
                let file = if self.files.contains_key(&beside) { beside } else { folder.join("mod.rs") };
                self.read_file(Module { file, folder, parent: at, ..Module::default() });
            }
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.import(&item.tree, Vec::new());
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            self.write(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, written: &'ast Macro) {
        self.scan(written.tokens.clone());
        visit::visit_macro(self, written);
    }

    fn visit_meta_list(&mut self, list: &'ast MetaList) {
        self.scan(list.tokens.clone());
    }
}

fn name_and_attributes(item: &Item) -> (Option<&Ident>, &[Attribute]) {
    match item {
        Item::Const(item) => (Some(&item.ident), &item.attrs),
        Item::Enum(item) => (Some(&item.ident), &item.attrs),
        Item::Fn(item) => (Some(&item.sig.ident), &item.attrs),
        Item::Macro(item) => (item.ident.as_ref(), &item.attrs),
        Item::Static(item) => (Some(&item.ident), &item.attrs),
        Item::Struct(item) => (Some(&item.ident), &item.attrs),
        Item::Trait(item) => (Some(&item.ident), &item.attrs),
        Item::Type(item) => (Some(&item.ident), &item.attrs),
        Item::Union(item) => (Some(&item.ident), &item.attrs),
        Item::Impl(item) => (None, &item.attrs),
        Item::Mod(item) => (None, &item.attrs),
        Item::Use(item) => (None, &item.attrs),
        _ => (None, &[]),
    }
}

fn is_type(item: &Item) -> bool {
    matches!(item, Item::Enum(_) | Item::Struct(_) | Item::Trait(_) | Item::Type(_) | Item::Union(_))
}

fn is_for_tests(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute.parse_args::<Ident>().is_ok_and(|condition| condition == "test")
}

/// Returns the cycles, each with the names that connect its files.
fn cycles(graph: &Graph) -> Vec<String> {
    let reached: BTreeMap<&Path, BTreeSet<&Path>> =
        graph.keys().map(|file| (file.as_path(), beneath(graph, file))).collect();
    let mut cycles = Vec::new();
    let mut seen = BTreeSet::new();
    for (file, below) in &reached {
        let cycle: BTreeSet<&Path> =
            below.iter().copied().filter(|other| reached[other].contains(file)).collect();
        if cycle.is_empty() || seen.contains(file) {
            continue;
        }
        seen.extend(cycle.iter().copied());
        let mut ties = Vec::new();
        for from in &cycle {
            for (to, names) in graph[*from].iter().filter(|(to, _)| cycle.contains(to.as_path())) {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                ties.push(format!("{} -> {}: {}", from.display(), to.display(), names.join(", ")));
            }
        }
        cycles.push(ties.join("\n"));
    }
    cycles
}

/// Returns the files beneath a file. It contains the file itself if that is part of a cycle.
fn beneath<'a>(graph: &'a Graph, file: &'a Path) -> BTreeSet<&'a Path> {
    let mut found = BTreeSet::new();
    let mut open = vec![file];
    while let Some(next) = open.pop() {
        open.extend(graph[next].keys().map(PathBuf::as_path).filter(|below| found.insert(*below)));
    }
    found
}

/// Returns the cycles of the crate with this root file.
fn find_cycles(files: &Files, root: &Path) -> Vec<String> {
    cycles(&Crate::read(files, root).graph())
}

/// Returns the types of the crate with this root file, each with the file that defines it.
pub(crate) fn find_types(files: &Files, root: &Path) -> Vec<(String, PathBuf)> {
    let modules = Crate::read(files, root).modules.into_iter();
    modules.flat_map(|module| module.types.into_iter().map(move |name| (name, module.file.clone()))).collect()
}

/// Returns the libraries and binaries of the workspace: the package's name, its sources, and the root file
/// among them.
pub(crate) fn crates() -> Vec<(String, Files, PathBuf)> {
    let metadata =
        MetadataCommand::new().no_deps().current_dir(root()).exec().expect("cargo reports its metadata");
    let mut crates = Vec::new();
    for package in &metadata.packages {
        let folder = package.manifest_path.parent().expect("a manifest lies in a folder");
        let mut files = Files::new();
        read_folder(folder.as_std_path(), Path::new("src"), &mut files);
        for target in &package.targets {
            let shipped = target.kind.iter().any(|kind| matches!(kind, TargetKind::Lib | TargetKind::Bin));
            if let Ok(root) = target.src_path.strip_prefix(folder)
                && shipped
            {
                crates.push((package.name.to_string(), files.clone(), root.as_std_path().to_owned()));
            }
        }
    }
    crates
}

/// Reads each Rust file in a folder, with its path relative to the folder.
pub(crate) fn read_folder(folder: &Path, inner: &Path, files: &mut Files) {
    for entry in fs::read_dir(folder.join(inner)).expect("a crate has sources") {
        let path = inner.join(entry.expect("the folder can be read").file_name());
        if folder.join(&path).is_dir() {
            read_folder(folder, &path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(folder.join(&path)).expect("source is text");
            files.insert(path, text);
        }
    }
}

/// Asserts that a crate of these files has exactly these cycles.
fn check(files: &[(&str, &str)], expected: &[&str]) {
    let files = files.iter().map(|(file, text)| (PathBuf::from(file), (*text).to_owned())).collect();
    assert_eq!(find_cycles(&files, Path::new("lib.rs")), expected, "{files:#?}");
}

#[test]
fn a_cycle_is_seen() {
    // Cycles of two and of three files.
    check(
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::B; pub struct A;"),
            ("b.rs", "pub struct B(super::a::A);"),
        ],
        &["a.rs -> b.rs: B\nb.rs -> a.rs: A"],
    );
    check(
        &[
            ("lib.rs", "mod a; mod b; mod c; mod d;"),
            ("a.rs", "use crate::{b::{self, B as Other}, d}; fn a() { b::b(); d::d() }"),
            ("b.rs", "pub enum B { One } pub fn b() { crate::c::C::new(); }"),
            ("c.rs", "pub struct C; impl C { fn new() { super::a::a() } }"),
            ("d.rs", "pub fn d() {}"),
        ],
        &["a.rs -> b.rs: B, b\nb.rs -> c.rs: C\nc.rs -> a.rs: a"],
    );
    // Cycles through a re-export, under another name, and by a glob.
    check(
        &[
            ("lib.rs", "mod a; mod b; pub use a::A; pub use b::B as Other;"),
            ("a.rs", "pub struct A(crate::Other);"),
            ("b.rs", "use crate::A; pub struct B;"),
        ],
        &["a.rs -> b.rs: B\nb.rs -> a.rs: A"],
    );
    check(
        &[
            ("lib.rs", "mod a; mod b; pub use a::*;"),
            ("a.rs", "pub struct A(super::b::B);"),
            ("b.rs", "use crate::*; pub struct B(Option<A>);"),
        ],
        &["a.rs -> b.rs: B\nb.rs -> a.rs: A"],
    );
    // Cycles between a parent and its child, for both places of a child's file.
    for child in ["a/c.rs", "a/c/mod.rs"] {
        check(
            &[
                ("lib.rs", "mod a;"),
                ("a.rs", "mod c; pub struct A; fn a() { c::c() }"),
                (child, "pub fn c() -> super::A { super::A }"),
            ],
            &[&format!("{child} -> a.rs: A\na.rs -> {child}: c")],
        );
    }
    check(
        &[("lib.rs", "mod a; pub use a::A; pub struct B;"), ("a.rs", "pub struct A(crate::B);")],
        &["a.rs -> lib.rs: B\nlib.rs -> a.rs: A"],
    );
    // Cycles through a macro, an attribute, an inline module, and a `use` within a function.
    check(
        &[
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "pub fn a() { println!(\"{}\", crate::b::b()) }"),
            ("b.rs", "mod inner { #[arg(value_parser = super::super::c::c)] struct I; } pub fn b() {}"),
            ("c.rs", "pub fn c() { use crate::a; a::a() }"),
        ],
        &["a.rs -> b.rs: b\nb.rs -> c.rs: c\nc.rs -> a.rs: a"],
    );
    // Cycles through names that a macro defines.
    check(
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::row; fn a() { row::Entity::find() }"),
            ("b.rs", "pub mod row { #[derive(EntityModel)] struct Model; } fn b() { super::a::Made }"),
        ],
        &["a.rs -> b.rs: Entity\nb.rs -> a.rs: Made"],
    );
    // A function takes precedence over a module of the same name.
    check(
        &[
            ("lib.rs", "mod a; mod b; pub use a::a;"),
            ("a.rs", "pub fn a() { crate::b::b() }"),
            ("b.rs", "use crate::a; pub fn b() { a() }"),
        ],
        &["a.rs -> b.rs: b\nb.rs -> a.rs: a"],
    );
}

#[test]
fn floors_are_no_cycle() {
    // Floors without a cycle, with everything re-exported above them.
    check(
        &[
            ("lib.rs", "mod a; mod b; mod c; pub use a::A; pub use b::B; pub use c::C;"),
            ("a.rs", "pub struct A;"),
            ("b.rs", "use crate::A; pub struct B(A);"),
            ("c.rs", "use crate::{A, B}; pub struct C(A, B);"),
        ],
        &[],
    );
    // A parent that only declares its children, and children that only use their parent.
    check(
        &[
            ("lib.rs", "mod a; mod d;"),
            ("a.rs", "pub mod b; pub mod c; pub use b::B;"),
            ("a/b.rs", "pub struct B;"),
            ("a/c.rs", "use super::B; pub fn c(_: B) {}"),
            ("d.rs", "mod e; pub struct D;"),
            ("d/e.rs", "use super::D;"),
        ],
        &[],
    );
    // A name that a parent imports from another crate.
    check(
        &[("lib.rs", "mod a; use std::fmt; pub use a::A;"), ("a.rs", "use super::fmt; pub struct A;")],
        &[],
    );
    // Methods, tests, external crates and a circle of re-exports.
    check(
        &[
            ("lib.rs", "mod a; mod b; mod http; pub use b::loose; pub use a::http as other;"),
            ("a.rs", "use crate::b::B; pub trait A { fn a(&self); } fn call(b: &B) { b.b() } use http::Uri;"),
            (
                "b.rs",
                "pub struct B; impl B { pub fn b(&self) {} } #[cfg(test)] mod tests; pub use crate::loose;",
            ),
            ("b/tests.rs", "use crate::a::A;"),
            (
                "http.rs",
                "use crate::a::A; #[cfg(test)] fn test() { crate::b::B.b() } impl A for ::http::Uri {}",
            ),
        ],
        &[],
    );
}

#[test]
fn no_crate_has_a_cycle_of_files() {
    let mut found = Vec::new();
    for (package, files, root) in crates() {
        let cycles = find_cycles(&files, &root).into_iter();
        found.extend(cycles.map(|cycle| format!("{package}, {}:\n{cycle}", root.display())));
    }
    assert!(found.is_empty(), "{} cycles\n\n{}", found.len(), found.join("\n\n"));
}
