//! The bills of materials: the crates in each program, in CycloneDX.

use std::fs;

use super::release::Release;
use crate::cargo::{command, root, run};
use crate::tools;

pub(super) fn write(release: &Release) -> anyhow::Result<()> {
    for (program, package) in [("ndauthd", "ndauth-server"), ("ndcli", "ndcli")] {
        // It writes beside the manifest of every package of the workspace that it describes.
        let name = format!("bill-of-{program}");
        let mut describe =
            command(tools::cyclonedx()?, &["cyclonedx", "--quiet", "--format", "json", "--no-build-deps"]);
        describe.args(["--spec-version", "1.5", "--override-filename", &name, "--manifest-path"]);
        describe.arg(root().join("crates").join(package).join("Cargo.toml"));
        describe.env("SOURCE_DATE_EPOCH", &release.epoch);
        run(describe)?;
        fs::rename(
            root().join("crates").join(package).join(format!("{name}.json")),
            release.file(&format!("_{program}.cdx.json")),
        )?;
    }
    Ok(())
}
