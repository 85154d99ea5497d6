//! The folder of a release: the names of its files, and the steps that several of them share.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::cargo::{command, run};

/// The files of a release, and the folder where they are made.
pub(super) struct Release {
    /// The folder of the finished files.
    pub(super) folder: PathBuf,
    /// The folder of everything in between.
    pub(super) work: PathBuf,
    pub(super) version: String,
    /// As Debian and Go name it.
    pub(super) architecture: &'static str,
    /// The time that every file bears, in seconds since 1970: that of the last commit.
    pub(super) epoch: String,
}

impl Release {
    pub(super) fn in_folder(folder: PathBuf) -> anyhow::Result<Release> {
        let work = folder.join("work");
        fs::create_dir_all(&work)?;
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let epoch = git(&["log", "-1", "--format=%ct"])?;
        Ok(Release { folder, work, version: env!("CARGO_PKG_VERSION").to_owned(), architecture, epoch })
    }

    /// Returns the path of a finished file, by the rest of its name.
    pub(super) fn file(&self, rest: &str) -> PathBuf {
        self.folder.join(format!("ndauth_{}_linux_{}{rest}", self.version, self.architecture))
    }

    /// Returns a fresh folder to work in.
    pub(super) fn fresh(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.work.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Returns what tells apart two states of the files in the repository that are packaged, and of this program.
    pub(super) fn sources(&self) -> anyhow::Result<String> {
        let paths =
            ["packaging", "xtask/src/package", "README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"];
        Ok(format!("{}\n{}", self.epoch, git(&[&["diff", "HEAD", "--"][..], &paths].concat())?))
    }

    /// Returns true if all files were made from these sources.
    pub(super) fn is_of(&self, sources: &str) -> bool {
        fs::read_to_string(self.work.join("sources")).is_ok_and(|made| made == sources)
    }

    /// Records that all files were made from these sources.
    pub(super) fn finish(&self, sources: &str) -> anyhow::Result<()> {
        Ok(fs::write(self.work.join("sources"), sources)?)
    }

    /// Removes this architecture's files of an earlier build.
    pub(super) fn forget(&self) -> anyhow::Result<()> {
        let _ = fs::remove_file(self.work.join("sources"));
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
    pub(super) fn render(&self, source: &Path) -> anyhow::Result<String> {
        let text = fs::read_to_string(source).with_context(|| format!("`{}`", source.display()))?;
        Ok(text.replace("@VERSION@", &self.version))
    }

    /// Packs a file or a folder of `inside`, the same bytes each time.
    pub(super) fn pack(&self, archive: &Path, inside: &Path, name: &str) -> anyhow::Result<()> {
        let owner = ["--create", "--gzip", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"];
        let mut tar = command("tar", &owner);
        tar.arg(format!("--mtime=@{}", self.epoch)).arg("--file").arg(archive);
        tar.arg("--directory").arg(inside).arg(name);
        run(tar)
    }
}

/// Asks git about this repository, whoever owns it: a container's checkout often belongs to another user.
pub(super) fn git(arguments: &[&str]) -> anyhow::Result<String> {
    output(command("git", &[&["-c", "safe.directory=*"], arguments].concat()))
}

/// Runs a command, and returns its standard output without the last line's end.
pub(super) fn output(mut command: Command) -> anyhow::Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot run `{program}`"))?;
    ensure!(output.status.success(), "`{program}` failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

/// Copies a folder with all that is in it.
pub(super) fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
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
