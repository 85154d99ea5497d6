//! Makes the files of a release, `ndauth_VERSION_linux_ARCHITECTURE…`, into `target/package`.

mod release;

mod bill;
mod debian;
mod image;
mod index;
mod programs;

use std::path::PathBuf;

use anyhow::ensure;

use crate::cargo::{Binaries, root};
use crate::packages::{self, Job};
use release::Release;

#[derive(clap::Args)]
pub(crate) struct PackageTaskArguments {
    /// Write only the files that cover every architecture in `target/package`: chart, compose file, installer,
    /// formula, checksums.
    #[arg(long)]
    index: bool,
}

/// The largest sizes in bytes: of the static `ndcli`, and of the image.
const NDCLI: u64 = 12 * 1024 * 1024;
const IMAGE: u64 = 40 * 1024 * 1024;

/// Makes a release's files of this machine's architecture, and checks their sizes. Returns their folder, unless only
/// the index was asked for.
pub(crate) fn make(arguments: &PackageTaskArguments) -> anyhow::Result<Option<PathBuf>> {
    let release = Release::in_folder(root().join("target/package"))?;
    if arguments.index {
        index::write(&release)?;
        return Ok(None);
    }
    packages::provide(Job::Test)?;
    release.forget()?;
    programs::build_released(&release)?;
    make_from_programs(&release)?;
    bill::write(&release)?;
    index::write(&release)?;
    for (rest, largest) in [("_ndcli", NDCLI), ("_image.oci.tar", IMAGE), ("_image.docker.tar", IMAGE)] {
        let size = release.file(rest).metadata()?.len();
        ensure!(
            size <= largest,
            "`{}` has {size} bytes, and {largest} are allowed",
            release.file(rest).display()
        );
    }
    Ok(Some(release.folder))
}

/// Makes the same files from the programs that the tests run. Returns their folder.
pub(crate) fn make_for_tests(binaries: &Binaries) -> anyhow::Result<PathBuf> {
    let release = Release::in_folder(root().join("target/package-for-tests"))?;
    if programs::take_tested(&release, binaries)? {
        release.forget()?;
        make_from_programs(&release)?;
        index::write(&release)?;
        release.finish(&release.sources()?)?;
    }
    Ok(release.folder)
}

fn make_from_programs(release: &Release) -> anyhow::Result<()> {
    programs::write_archives(release)?;
    debian::write(release)?;
    image::write(release)
}
