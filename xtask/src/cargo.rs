//! Running cargo and other programs from the root of the workspace.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask lies in the root of the workspace").to_owned()
}

/// A command that runs in the root of the workspace.
pub(crate) fn command(program: impl AsRef<Path>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program.as_ref());
    command.args(arguments).current_dir(root());
    // What cargo told this program of itself would make build scripts run again, and half the tree with them.
    let told = std::env::vars_os().map(|(name, _)| name);
    for name in told.filter(|name| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_PKG_") || ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH"].contains(&&*name)
    }) {
        command.env_remove(name);
    }
    command
}

/// Runs a command to its end, its output passed through, and fails where it fails.
pub(crate) fn run(mut command: Command) -> anyhow::Result<()> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    eprintln!("\n$ {line}");
    let status = command.status().with_context(|| format!("cannot run `{line}`"))?;
    ensure!(status.success(), "`{line}` failed: {status}");
    Ok(())
}

/// Returns the folders in which programs are looked for.
pub(crate) fn search_path() -> Vec<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "automation looks for programs where the shell would")]
    let path = std::env::var_os("PATH");
    path.iter().flat_map(std::env::split_paths).collect()
}

/// The programs that are played with.
pub(crate) struct Binaries {
    pub(crate) ndauthd: PathBuf,
    pub(crate) ndcli: PathBuf,
    /// The example of the client library: a service that it guards.
    pub(crate) asset_registry: PathBuf,
}

/// Builds them and says where they are.
pub(crate) fn build_binaries(release: bool) -> anyhow::Result<Binaries> {
    // The whole workspace's feature set, so that tests and binaries share what is compiled.
    let mut arguments = vec!["build", "--workspace", "--bins", "--examples"];
    if release {
        // All at once: one after the other, with other features, half the tree would be compiled twice.
        arguments = vec!["build", "--release", "--bins", "--example", "asset-registry"];
        arguments.extend(["--features", "ndauth-client/axum,ndauth-client/tonic"]);
        arguments.extend(["--package", "ndauth-server", "--package", "ndcli", "--package", "ndauth-client"]);
    }
    run(command("cargo", &arguments))?;
    let metadata = cargo_metadata::MetadataCommand::new().no_deps().current_dir(root()).exec()?;
    let folder = metadata.target_directory.join(if release { "release" } else { "debug" });
    Ok(Binaries {
        ndauthd: folder.join("ndauthd").into(),
        ndcli: folder.join("ndcli").into(),
        asset_registry: folder.join("examples/asset-registry").into(),
    })
}
