//! Runs cargo and other programs in the root of the workspace.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

/// Returns the root of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask lies in the root of the workspace").to_owned()
}

/// Returns a command that runs in the root of the workspace.
pub(crate) fn command(program: impl AsRef<Path>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program.as_ref());
    command.args(arguments).current_dir(root());
    // Variables that cargo set for this program would make build scripts run again, and recompile half the
    // workspace.
    let variables = std::env::vars_os().map(|(name, _)| name);
    for name in variables.filter(|name| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_PKG_") || ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH"].contains(&&*name)
    }) {
        command.env_remove(name);
    }
    command
}

/// Runs a command with its output passed through. Fails if it fails.
pub(crate) fn run(mut command: Command) -> anyhow::Result<()> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    eprintln!("\n$ {line}");
    let status = command.status().with_context(|| format!("cannot run `{line}`"))?;
    ensure!(status.success(), "`{line}` failed: {status}");
    Ok(())
}

/// Returns the folders of the search path.
pub(crate) fn search_path() -> Vec<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "automation looks for programs where the shell would")]
    let path = std::env::var_os("PATH");
    path.iter().flat_map(std::env::split_paths).collect()
}

/// The programs that the tests and the demo run.
pub(crate) struct Binaries {
    pub(crate) ndauthd: PathBuf,
    pub(crate) ndcli: PathBuf,
    /// The client library's example: a service that the library guards.
    pub(crate) asset_registry: PathBuf,
}

/// Builds the programs as the tests run them, and returns their paths.
pub(crate) fn build_binaries() -> anyhow::Result<Binaries> {
    // The whole workspace's feature set, so that tests, demo and binaries share the compiled crates.
    run(command("cargo", &["build", "--workspace", "--bins", "--examples"]))?;
    let metadata = cargo_metadata::MetadataCommand::new().no_deps().current_dir(root()).exec()?;
    let folder = metadata.target_directory.join("debug");
    Ok(Binaries {
        ndauthd: folder.join("ndauthd").into(),
        ndcli: folder.join("ndcli").into(),
        asset_registry: folder.join("examples/asset-registry").into(),
    })
}
