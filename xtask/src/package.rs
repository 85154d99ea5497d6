//! Makes the files of a release, `ndauth_VERSION_linux_ARCHITECTURE…`, into `target/package`.

mod bill;
mod debian;
mod image;
mod index;
mod programs;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::cargo::{Binaries, command, root, run};
use crate::packages::{self, Job};

#[derive(clap::Args)]
pub(crate) struct PackageTaskArguments {
    /// Write only what covers every architecture that is in `target/package`: checksums, the installer, the formula.
    #[arg(long)]
    index: bool,
}

/// The files of a release, and the folder where they are made.
struct Release {
    /// The folder of the finished files.
    folder: PathBuf,
    /// The folder of everything in between.
    work: PathBuf,
    version: String,
    /// As Debian and Go name it.
    architecture: &'static str,
    /// The time that every file bears, in seconds since 1970: that of the last commit.
    epoch: String,
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
    }
    Ok(release.folder)
}

fn make_from_programs(release: &Release) -> anyhow::Result<()> {
    programs::write_archives(release)?;
    debian::write(release)?;
    image::write(release)
}

impl Release {
    fn in_folder(folder: PathBuf) -> anyhow::Result<Release> {
        let work = folder.join("work");
        fs::create_dir_all(&work)?;
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let epoch = output(command("git", &["log", "-1", "--format=%ct"]))?;
        Ok(Release { folder, work, version: env!("CARGO_PKG_VERSION").to_owned(), architecture, epoch })
    }

    /// Returns the path of a finished file, by the rest of its name.
    fn file(&self, rest: &str) -> PathBuf {
        self.folder.join(format!("ndauth_{}_linux_{}{rest}", self.version, self.architecture))
    }

    /// Returns a fresh folder to work in.
    fn fresh(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.work.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Removes this architecture's files of an earlier build.
    fn forget(&self) -> anyhow::Result<()> {
        let beginning = self.file("");
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.is_file() && path.to_string_lossy().starts_with(&*beginning.to_string_lossy()) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Returns a text with `@VERSION@` replaced.
    fn render(&self, source: &Path) -> anyhow::Result<String> {
        let text = fs::read_to_string(source).with_context(|| format!("`{}`", source.display()))?;
        Ok(text.replace("@VERSION@", &self.version))
    }

    /// Packs a file or a folder of `inside`, the same bytes each time.
    fn pack(&self, archive: &Path, inside: &Path, name: &str) -> anyhow::Result<()> {
        let owner = ["--create", "--gzip", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"];
        let mut tar = command("tar", &owner);
        tar.arg(format!("--mtime=@{}", self.epoch)).arg("--file").arg(archive);
        tar.arg("--directory").arg(inside).arg(name);
        run(tar)
    }
}

/// Runs a command, and returns its standard output without the last line's end.
fn output(mut command: Command) -> anyhow::Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot run `{program}`"))?;
    ensure!(output.status.success(), "`{program}` failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

/// Copies a folder with all that is in it.
fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
