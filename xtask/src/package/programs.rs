//! The programs of a release, with their pages and completions: the static `ndcli`, and the archive of both.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::release::{Release, copy_folder, output};
use crate::cargo::{Binaries, command, root, run};

/// The programs, in the folder `programs`.
const PROGRAMS: [&str; 2] = ["ndauthd", "ndcli"];
/// The static `ndcli`, beside them.
const STATIC: &str = "ndcli-static";

/// Builds the programs as they are handed out.
pub(super) fn build_released(release: &Release) -> anyhow::Result<()> {
    let folder = release.fresh("programs")?;
    let arguments = ["--release", "--locked", "--package", "ndauth-server", "--package", "ndcli"];
    let built = build(&arguments, "release", "")?;
    for program in PROGRAMS {
        fs::copy(built.join(program), folder.join(program))?;
    }
    let arguments = ["--release", "--locked", "--package", "ndcli", "--no-default-features"];
    let built = build(&arguments, "release", CRT_STATIC)?;
    fs::copy(built.join("ndcli"), folder.join(STATIC))?;
    Ok(())
}

/// Takes the programs that the tests run, without their debug information, and builds the static one alike. Returns
/// false if they are those of the last time.
pub(super) fn take_tested(release: &Release, binaries: &Binaries) -> anyhow::Result<bool> {
    let folder = release.work.join("programs");
    fs::create_dir_all(&folder)?;
    let built = build(&["--package", "ndcli", "--no-default-features"], "debug", CRT_STATIC)?;
    let sources = [
        (binaries.ndauthd.clone(), "ndauthd"),
        (binaries.ndcli.clone(), "ndcli"),
        (built.join("ndcli"), STATIC),
    ];
    let mut is_new = !release.is_of(&release.sources()?);
    for (source, name) in sources {
        let fresh = folder.join(format!("{name}.new"));
        let mut strip = command("strip", &["-o"]);
        strip.arg(&fresh).arg(source);
        run(strip)?;
        let last = fs::read(folder.join(name)).unwrap_or_default();
        is_new |= last != fs::read(&fresh)?;
        fs::rename(fresh, folder.join(name))?;
    }
    Ok(is_new)
}

/// Links with the C library, so that the program runs on any Linux. Such a program would look for random numbers in
/// files of `/dev`, not finding the C library's function: it asks the kernel instead.
const CRT_STATIC: &str = "-C target-feature=+crt-static --cfg getrandom_backend=\"linux_getrandom\"";

/// Builds for this machine, without paths of this machine in what is built. Returns the folder of the programs.
fn build(arguments: &[&str], profile: &str, flags: &str) -> anyhow::Result<PathBuf> {
    let version = output(command("rustc", &["--version", "--verbose"]))?;
    let target =
        version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names its host")?;
    let registry = output(command("cargo", &["locate-project", "--message-format", "plain", "--workspace"]))?;
    let workspace = Path::new(&registry).parent().context("the manifest lies in a folder")?.to_owned();
    let home = crate::publish::cargo_home().context("cargo has a home")?;
    let flags = format!(
        "{flags} --remap-path-prefix={}=/ndauth --remap-path-prefix={}=/cargo -D warnings",
        workspace.display(),
        home.display()
    );
    let mut build = command("cargo", &["build", "--target", target]);
    build.args(arguments).env("RUSTFLAGS", flags.trim());
    run(build)?;
    Ok(root().join("target").join(target).join(profile))
}

/// Writes the static `ndcli` and the archive, and leaves what packages need in the folder `dist`.
pub(super) fn write_archives(release: &Release) -> anyhow::Result<()> {
    let programs = release.work.join("programs");
    fs::copy(programs.join(STATIC), release.file("_ndcli"))?;
    let name = format!("ndauth-{}", release.version);
    let dist = release.fresh(&name)?;
    for program in PROGRAMS {
        fs::copy(programs.join(program), dist.join(program))?;
        write_completions(&dist, program)?;
        let mut manual = command(dist.join(program), &["manual", "--man"]);
        manual.arg(dist.join("man"));
        output(manual)?;
    }
    fs::write(dist.join("ndauthd.toml"), configuration(&dist.join("ndauthd"))?)?;
    for file in ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        fs::copy(root().join(file), dist.join(file))?;
    }
    release.pack(&release.file(".tar.gz"), &release.work, &name)?;
    let last = release.fresh("dist")?;
    copy_folder(&dist, &last)
}

fn write_completions(dist: &Path, program: &str) -> anyhow::Result<()> {
    let folder = dist.join("completions");
    fs::create_dir_all(&folder)?;
    let names =
        [("bash", program.to_owned()), ("zsh", format!("_{program}")), ("fish", format!("{program}.fish"))];
    for (shell, name) in names {
        let script = output(command(dist.join(program), &["completions", shell]))?;
        fs::write(folder.join(name), script + "\n")?;
    }
    Ok(())
}

/// Returns the configuration of an installed server: every setting with its default, and its folder.
fn configuration(ndauthd: &Path) -> anyhow::Result<String> {
    let example = output(command(ndauthd, &["config", "example"]))?;
    let (before, after) =
        example.split_once("# data-folder = \"FOLDER\"\n").context("the example names the data folder")?;
    Ok(format!("{before}data-folder = \"/var/lib/ndauth\"\n{after}\n"))
}
