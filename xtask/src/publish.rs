//! Checks the packages of the published crates, built as their users would build them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::api::PUBLISHED;
use crate::cargo::{command, root, run};

/// Packages each crate and builds it from its package.
pub(crate) fn check() -> anyhow::Result<()> {
    forget()?;
    let packages = PUBLISHED.iter().flat_map(|package| ["--package", package]);
    let arguments: Vec<&str> = ["package", "--quiet", "--allow-dirty"].into_iter().chain(packages).collect();
    run(command("cargo", &arguments))
}

/// Removes cargo's copies of earlier packages of the same version, which it would use in place of the current
/// ones: the sources in its registry of unpublished packages, and their build results.
fn forget() -> anyhow::Result<()> {
    let sources = cargo_home().context("cargo has a home")?.join("registry/src");
    // The name of such a registry begins with the hyphen before its hash.
    for registry in entries(&sources)?.into_iter().filter(|path| name(path).starts_with('-')) {
        for source in entries(&registry)? {
            if PUBLISHED.iter().any(|package| name(&source).starts_with(package)) {
                fs::remove_dir_all(&source)?;
            }
        }
    }
    let built = root().join("target/debug");
    for file in entries(&built.join("deps"))? {
        let file_name = name(&file);
        let Some((library, hash)) = file_name.strip_suffix(".d").and_then(|name| name.rsplit_once('-'))
        else {
            continue;
        };
        let package = library.replace('_', "-");
        if PUBLISHED.contains(&package.as_str()) && fs::read_to_string(&file)?.contains("registry/src") {
            let known = built.join(".fingerprint").join(format!("{package}-{hash}"));
            if known.exists() {
                fs::remove_dir_all(known)?;
            }
        }
    }
    Ok(())
}

/// Returns cargo's folder for downloads.
#[expect(clippy::disallowed_methods, reason = "cargo has no command that reports it")]
pub(crate) fn cargo_home() -> Option<PathBuf> {
    let named = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    named.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")))
}

/// Returns the entries of a folder, or nothing if it does not exist.
fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let Ok(read) = fs::read_dir(folder) else { return Ok(Vec::new()) };
    read.map(|entry| Ok(entry?.path())).collect()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_tries_to_publish_every_published_crate() {
        let workflow =
            fs::read_to_string(root().join(".github/workflows/release.yml")).expect("the workflow");
        let (_, step) = workflow.split_once("cargo publish --dry-run").expect("the step");
        let step = step.split("\n\n").next().unwrap_or_default();
        let words: Vec<&str> = step.split_whitespace().collect();
        let tried = words.windows(2).filter(|pair| pair[0] == "--package").map(|pair| pair[1]);
        let (mut tried, mut published) = (tried.collect::<Vec<_>>(), PUBLISHED.to_vec());
        tried.sort_unstable();
        published.sort_unstable();
        assert_eq!(tried, published);
    }
}
