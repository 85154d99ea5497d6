//! The Debian packages `ndauth-server` and `ndcli`, by debhelper.

use std::fs;

use super::release::{Release, copy_folder, output};
use crate::cargo::{command, root, run};

pub(super) fn write(release: &Release) -> anyhow::Result<()> {
    // dpkg-buildpackage writes the packages beside the folder that it builds.
    let folder = release.fresh("deb/ndauth")?;
    copy_folder(&root().join("packaging/debian"), &folder.join("debian"))?;
    copy_folder(&release.work.join("dist"), &folder.join("dist"))?;
    let copyright = folder.join("debian/copyright");
    fs::write(&copyright, fs::read_to_string(&copyright)?.replace("@MIT@", &mit()?))?;
    let date = output(command("date", &["--utc", "--rfc-email", "--date", &format!("@{}", release.epoch)]))?;
    let version = format!("{}-1", release.version);
    let changelog = format!(
        "ndauth ({version}) unstable; urgency=medium\n\n  * The release {} of ndauth: see its changelog.\n\n \
         -- The ndauth authors <ndauth@example.org>  {date}\n",
        release.version
    );
    fs::write(folder.join("debian/changelog"), changelog)?;
    // Nothing is compiled, so the compilers that Debian expects of a builder are not needed.
    let mut build = command("dpkg-buildpackage", &["--build=binary", "--no-sign", "--no-check-builddeps"]);
    build.current_dir(&folder).env("SOURCE_DATE_EPOCH", &release.epoch);
    run(build)?;
    for package in ["ndauth-server", "ndcli"] {
        let built = format!("{package}_{version}_{}.deb", release.architecture);
        let made = folder.with_file_name(built);
        fs::copy(made, release.file(&format!("_{package}.deb")))?;
    }
    Ok(())
}

/// Returns the text of the licence as a field of Debian's copyright file.
fn mit() -> anyhow::Result<String> {
    let text = fs::read_to_string(root().join("LICENSE-MIT"))?;
    let line = |line: &str| if line.trim().is_empty() { " .".to_owned() } else { format!(" {line}") };
    Ok(text.trim().lines().map(line).collect::<Vec<_>>().join("\n"))
}
