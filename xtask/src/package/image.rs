//! The image of `ndauthd`: the program, Debian's C library, and the public certificate authorities.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context as _;

use super::release::{Release, git, output};
use crate::cargo::{command, root, run};

/// The Debian packages in the image.
const PACKAGES: [&str; 3] = ["ca-certificates", "libc6", "libgcc-s1"];
/// Paths of these packages that nothing in the image reads.
const LEFT_OUT: [&str; 9] = [
    "usr/share/ca-certificates",
    "usr/share/doc-base",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "usr/sbin",
    "usr/lib/x86_64-linux-gnu/gconv",
    "usr/lib/aarch64-linux-gnu/gconv",
    "etc/ca-certificates",
];

pub(super) fn write(release: &Release) -> anyhow::Result<()> {
    let context = release.fresh("image")?;
    write_root(release, &context.join("root"))?;
    // Its copy in the image belongs to the user of the image.
    fs::create_dir_all(context.join("data"))?;
    fs::copy(root().join("packaging/image/Containerfile"), context.join("Containerfile"))?;
    let (storage, state) = (release.work.join("storage"), release.work.join("storage-state"));
    let buildah = || {
        let mut buildah = command("buildah", &["--storage-driver", "vfs", "--root"]);
        buildah.arg(&storage).arg("--runroot").arg(&state);
        buildah
    };
    let name = format!("ndauth:{}", release.version);
    let revision = git(&["rev-parse", "HEAD"])?;
    let created =
        output(command("date", &["--utc", "--iso-8601=seconds", "--date", &format!("@{}", release.epoch)]))?;
    for (format, archive, rest) in
        [("oci", "oci-archive", "_image.oci.tar"), ("docker", "docker-archive", "_image.docker.tar")]
    {
        let mut build = buildah();
        build.args(["build", "--isolation", "chroot", "--format", format, "--timestamp", &release.epoch]);
        let labels = [("version", &release.version), ("revision", &revision), ("created", &created)];
        for (label, value) in labels {
            build.arg("--label").arg(format!("org.opencontainers.image.{label}={value}"));
        }
        build.args(["--tag", &name]).arg(&context);
        run(build)?;
        let mut push = buildah();
        let file = release.file(rest);
        push.args(["push", "--format", if format == "oci" { "oci" } else { "v2s2" }, &name]);
        push.arg(format!("{archive}:{}:{name}", file.display()));
        run(push)?;
        let mut remove = buildah();
        remove.args(["rmi", "--all", "--force"]);
        run(remove)?;
    }
    Ok(())
}

/// Writes the files of the image.
fn write_root(release: &Release, files: &Path) -> anyhow::Result<()> {
    let downloads = release.work.join("debs");
    fs::create_dir_all(&downloads)?;
    let download = || {
        let mut download = command("apt-get", &["download", "--quiet"]);
        download.args(PACKAGES).current_dir(&downloads);
        run(download)
    };
    // The lists of packages may be absent, as in an image of Debian's, or too old.
    download().or_else(|_| run(command("apt-get", &["update", "--quiet"])).and_then(|()| download()))?;
    fs::create_dir_all(files.join("tmp"))?;
    fs::set_permissions(files.join("tmp"), fs::Permissions::from_mode(0o1777))?;
    // Scanners for known vulnerabilities look here for what an image without a package manager contains.
    let known = files.join("var/lib/dpkg/status.d");
    fs::create_dir_all(&known)?;
    for package in PACKAGES {
        let newest = fs::read_dir(&downloads)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                path.file_name()
                    .is_some_and(|name| name.to_string_lossy().starts_with(&format!("{package}_")))
            })
            .max_by_key(|path| path.metadata().and_then(|file| file.modified()).ok())
            .with_context(|| format!("`{package}` was downloaded"))?;
        let mut unpack = command("dpkg-deb", &["--extract"]);
        unpack.arg(&newest).arg(files);
        run(unpack)?;
        let mut describe = command("dpkg-deb", &["--field"]);
        describe.arg(&newest);
        fs::write(known.join(package), output(describe)? + "\n")?;
    }
    write_authorities(files)?;
    for path in LEFT_OUT {
        let path = files.join(path);
        if path.exists() {
            fs::remove_dir_all(path)?;
        }
    }
    let copied = [
        ("dist/ndauthd", "usr/bin/ndauthd"),
        ("dist/LICENSE-MIT", "usr/share/doc/ndauth/LICENSE-MIT"),
        ("dist/LICENSE-APACHE", "usr/share/doc/ndauth/LICENSE-APACHE"),
    ];
    let written = [
        (
            "etc/passwd",
            "root:x:0:0:root:/:/sbin/nologin\nndauth:x:65532:65532:ndauth:/var/lib/ndauth:/sbin/nologin\n",
        ),
        ("etc/group", "root:x:0:\nndauth:x:65532:\n"),
        ("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
        ("etc/ndauth/ndauthd.toml", CONFIGURATION),
    ];
    for (from, to) in copied {
        let to = files.join(to);
        fs::create_dir_all(to.parent().context("it lies in a folder")?)?;
        fs::copy(release.work.join(from), to)?;
    }
    for (to, text) in written {
        let to = files.join(to);
        fs::create_dir_all(to.parent().context("it lies in a folder")?)?;
        fs::write(to, text)?;
    }
    Ok(())
}

/// The settings of the image. A file that `NDAUTHD_CONFIG` or `--config` names is read in its place.
const CONFIGURATION: &str = "\
# ndauthd in a container: it is reached from outside, and its data is a volume.
listen = \"0.0.0.0:7711\"
admin-listen = \"0.0.0.0:7712\"
data-folder = \"/var/lib/ndauth\"
";

/// Writes the certificate authorities as one file, as Debian's package does when it is configured.
fn write_authorities(files: &Path) -> anyhow::Result<()> {
    let mut certificates: Vec<_> = fs::read_dir(files.join("usr/share/ca-certificates/mozilla"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<anyhow::Result<_>>()?;
    certificates.sort();
    let mut bundle = String::new();
    for certificate in certificates {
        bundle += &fs::read_to_string(certificate)?;
    }
    let folder = files.join("etc/ssl/certs");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("ca-certificates.crt"), bundle)?;
    Ok(())
}
