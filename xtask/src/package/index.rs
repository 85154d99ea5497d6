//! The files of a release that cover every architecture: the chart, the compose file, the installer, the formula and
//! the checksums.

use std::fs;

use anyhow::Context as _;

use super::release::{Release, copy_folder, output};
use crate::cargo::{command, root};

pub(super) fn write(release: &Release) -> anyhow::Result<()> {
    let sources = root().join("packaging");
    let charts = release.fresh("chart")?;
    copy_folder(&sources.join("chart"), &charts.join("ndauth"))?;
    release.pack(&release.folder.join(format!("ndauth_{}_chart.tgz", release.version)), &charts, "ndauth")?;
    let compose = release.render(&sources.join("compose.yaml"))?;
    fs::write(release.folder.join(format!("ndauth_{}_compose.yaml", release.version)), compose)?;
    // Without a version in its name, so that one URL leads to the latest.
    fs::write(release.folder.join("install.sh"), release.render(&sources.join("install.sh"))?)?;
    fs::write(release.folder.join("ndcli.rb"), formula(release)?)?;
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(&release.folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let of_this_version = name.starts_with(&format!("ndauth_{}_", release.version));
        if (of_this_version && !name.ends_with("_checksums.txt"))
            || ["install.sh", "ndcli.rb"].contains(&&*name)
        {
            names.push(name);
        }
    }
    names.sort();
    let mut sums = command("sha256sum", &["--"]);
    let sums = output({
        sums.args(names).current_dir(&release.folder);
        sums
    })?;
    fs::write(release.folder.join(format!("ndauth_{}_checksums.txt", release.version)), sums + "\n")?;
    Ok(())
}

/// Returns Homebrew's formula, for the architectures that are there.
fn formula(release: &Release) -> anyhow::Result<String> {
    let mut text = release.render(&root().join("packaging/ndcli.rb"))?;
    for (architecture, word, block) in
        [("amd64", "@SHA256_AMD64@", "on_intel"), ("arm64", "@SHA256_ARM64@", "on_arm")]
    {
        let program = release.folder.join(format!("ndauth_{}_linux_{architecture}_ndcli", release.version));
        if program.exists() {
            let mut sum = command("sha256sum", &[]);
            sum.arg(program);
            let sum = output(sum)?;
            text = text.replace(word, sum.split(' ').next().context("a checksum")?);
        } else {
            let (before, rest) =
                text.split_once(&format!("    {block} do\n")).context("the formula has the block")?;
            let (_, after) = rest.split_once("\n    end\n").context("the block ends")?;
            text = format!("{before}{after}");
        }
    }
    Ok(text)
}
