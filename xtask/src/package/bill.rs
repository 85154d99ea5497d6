//! The bills of materials: the crates in each program, in CycloneDX.

use std::fs;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::release::{Release, output};
use crate::cargo::{command, root, run};
use crate::tools;

/// The programs, their packages, and the targets whose crates are listed. The packaged `ndcli` and the static one differ
/// by target in the eyes of cargo, so its bill lists the crates of all.
const PROGRAMS: [(&str, &str, &[&str]); 2] =
    [("ndauthd", "ndauth-server", &[]), ("ndcli", "ndcli", &["--target", "all"])];

pub(super) fn write(release: &Release) -> anyhow::Result<()> {
    let date = command("date", &["--utc", "+%Y-%m-%dT%H:%M:%SZ", "--date", &format!("@{}", release.epoch)]);
    let date = output(date)?;
    for (program, package, targets) in PROGRAMS {
        let mut bill = described(package, targets)?;
        bill["metadata"]["timestamp"] = json!(date);
        let components = bill["components"].as_array().map_or(0, Vec::len);
        ensure!(components > 100, "the bill of `{program}` lists {components} crates");
        let text = serde_json::to_string_pretty(&bill)?.replace(&*root().to_string_lossy(), "/ndauth");
        fs::write(release.file(&format!("_{program}.cdx.json")), text + "\n")?;
    }
    Ok(())
}

/// Returns the bill of a package.
fn described(package: &str, targets: &[&str]) -> anyhow::Result<Value> {
    const NAME: &str = "bill-of-materials";
    let manifest = root().join("crates").join(package).join("Cargo.toml");
    let flags = ["cyclonedx", "--quiet", "--format", "json", "--no-build-deps", "--spec-version", "1.5"];
    let mut describe = command(tools::cyclonedx()?, &flags);
    describe.args(targets).args(["--override-filename", NAME, "--manifest-path"]).arg(&manifest);
    run(describe)?;
    // It writes a bill beside the manifest of every package of the workspace.
    let workspace = cargo_metadata::MetadataCommand::new().no_deps().current_dir(root()).exec()?;
    let mut found = None;
    for member in workspace.packages {
        let file = member.manifest_path.with_file_name(format!("{NAME}.json"));
        if member.manifest_path == manifest {
            found = Some(serde_json::from_str(&fs::read_to_string(&file)?)?);
        }
        fs::remove_file(&file)?;
    }
    found.context("the package belongs to the workspace")
}
