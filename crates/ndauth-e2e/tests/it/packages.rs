//! The files of a release: what is in them, and each as its user meets it.

mod debian;
mod image;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::installation::{Ended, run, test_path};

/// Returns the path of a file of the release.
fn file(name: &str) -> PathBuf {
    test_path("NDAUTH_TEST_PACKAGES").join(name)
}

/// Returns the path of a file of the release for this machine's architecture, by the rest of its name.
fn for_this_machine(rest: &str) -> PathBuf {
    let architecture = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
    file(&format!("ndauth_{}_linux_{architecture}{rest}", env!("CARGO_PKG_VERSION")))
}

/// Returns a command with the variables of a fresh shell.
fn command(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command
        .args(&words[1..])
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

/// Runs a command that must succeed.
#[track_caller]
fn succeed(command: Command) -> Ended {
    let words = format!("{command:?}");
    let ended = run(command, "");
    assert_eq!(ended.code, 0, "{words}: {ended:?}");
    ended
}

/// Returns the secret of this kind in a text.
fn secret(text: &str, beginning: &str) -> String {
    let (_, rest) = text.split_once(beginning).unwrap_or_else(|| panic!("no {beginning}: {text}"));
    beginning.chars().chain(rest.chars().take_while(char::is_ascii_alphanumeric)).collect()
}

#[test]
fn every_file_is_as_its_checksum_says() {
    let folder = test_path("NDAUTH_TEST_PACKAGES");
    let sums = format!("ndauth_{}_checksums.txt", env!("CARGO_PKG_VERSION"));
    let mut check = command(&["sha256sum", "--check", "--strict", &sums]);
    check.current_dir(&folder);
    let checked = succeed(check).out;
    for name in fs::read_dir(&folder).expect("the folder").map(|entry| entry.expect("a file").file_name()) {
        let name = name.to_string_lossy().into_owned();
        // `cargo package` leaves the crates in the same folder.
        if folder.join(&name).is_file() && name != sums && !name.ends_with(".crate") {
            assert!(checked.contains(&format!("{name}: OK\n")), "{name} has no checksum");
        }
    }
}

/// The static `ndcli` runs in a folder without anything else, and loads no module for names, whatever
/// `/etc/nsswitch.conf` says.
#[tokio::test]
async fn the_static_ndcli_needs_nothing_but_itself() {
    let at = crate::installation::Installation::new(ndauth_store::Engine::Sqlite).await;
    at.people();
    let server = at.serve();
    let session = at.session();
    let system = tempfile::tempdir().expect("a folder");
    fs::copy(for_this_machine("_ndcli"), system.path().join("ndcli")).expect("copied");
    fs::create_dir(system.path().join("etc")).expect("made");
    let nsswitch = "passwd: files systemd\nhosts: files myhostname resolve mdns4_minimal dns\n";
    fs::write(system.path().join("etc/nsswitch.conf"), nsswitch).expect("written");
    let trace = system.path().join("trace");
    let mut ndcli = command(&["strace", "-f", "-e", "trace=openat,open", "-o"]);
    // As a user that no file knows, without a home.
    ndcli.arg(&trace).args(["chroot", "--userspec=4242:4242"]).arg(system.path()).args(["/ndcli", "whoami"]);
    let url = server.url.to_string().replace("127.0.0.1", "localhost");
    ndcli
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin")
        .env("NDCLI_SERVER", url)
        .env("NDCLI_TOKEN", session.expose());
    let ended = succeed(ndcli);
    assert!(ended.out.contains("ada"), "{ended:?}");
    let trace = fs::read_to_string(trace).expect("the trace");
    let (_, own) = trace.split_once("/etc/resolv.conf").expect("names are resolved by itself");
    assert!(!own.contains(".so"), "{trace}");
}

/// The programs tell nothing of the machine that built them.
#[test]
fn the_static_ndcli_names_no_folder_of_its_builder() {
    let program = fs::read(for_this_machine("_ndcli")).expect("the program");
    let root = crate::documents::root().canonicalize().expect("the workspace");
    for folder in [root.to_str().expect("text"), ".cargo/registry"] {
        let found = program.windows(folder.len()).filter(|bytes| *bytes == folder.as_bytes()).count();
        assert_eq!(found, 0, "{folder}");
    }
}

#[test]
fn the_archive_holds_programs_pages_and_completions() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut unpack = command(&["tar", "--extract", "--gzip", "--file"]);
    unpack.arg(for_this_machine(".tar.gz")).arg("--directory").arg(folder.path());
    succeed(unpack);
    let inside = folder.path().join(concat!("ndauth-", env!("CARGO_PKG_VERSION")));
    for program in ["ndauthd", "ndcli"] {
        let version = succeed(command(&[inside.join(program).to_str().expect("text"), "--version"])).out;
        assert_eq!(version, format!("{program} {}\n", env!("CARGO_PKG_VERSION")));
        for shell in [program.to_owned(), format!("_{program}"), format!("{program}.fish")] {
            let script = fs::read_to_string(inside.join("completions").join(shell)).expect("a script");
            assert!(script.contains(program), "{script}");
        }
        let page = fs::read_to_string(inside.join("man").join(format!("{program}.1"))).expect("a page");
        assert!(page.contains(".SH NAME"), "{page}");
    }
    let config = inside.join("ndauthd.toml");
    let mut check = command(&[inside.join("ndauthd").to_str().expect("text"), "config", "show", "--config"]);
    check.arg(config).args(["--format", "json"]);
    let shown: Value = serde_json::from_str(&succeed(check).out).expect("JSON");
    let settings = shown["settings"].as_array().expect("settings");
    let changed: Vec<&Value> = settings.iter().filter(|setting| setting["from"] != "default").collect();
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert_eq!(changed[0]["value"], "/var/lib/ndauth");
}

#[test]
fn the_installer_puts_a_verified_ndcli_in_its_place() {
    let system = tempfile::tempdir().expect("a folder");
    let install = |downloads: &Path| {
        let mut install = command(&["sh"]);
        install.arg(file("install.sh")).env("NDAUTH_DOWNLOADS", downloads).env("NDAUTH_BIN", system.path());
        install
    };
    succeed(install(&test_path("NDAUTH_TEST_PACKAGES")));
    let installed = system.path().join("ndcli");
    let version = succeed(command(&[installed.to_str().expect("text"), "--version"])).out;
    assert_eq!(version, concat!("ndcli ", env!("CARGO_PKG_VERSION"), "\n"));

    // A file that is not the one of the list is not installed.
    fs::remove_file(&installed).expect("removed");
    let forged = tempfile::tempdir().expect("a folder");
    let sums = format!("ndauth_{}_checksums.txt", env!("CARGO_PKG_VERSION"));
    fs::copy(file(&sums), forged.path().join(&sums)).expect("copied");
    let name = for_this_machine("_ndcli");
    fs::write(forged.path().join(name.file_name().expect("a name")), "#!/bin/sh\n").expect("written");
    let refused = run(install(forged.path()), "");
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("checksum") && refused.err.contains("hint:"), "{refused:?}");
    assert_eq!(fs::read_dir(system.path()).expect("the folder").count(), 0);
}

/// Everything that is written in shell passes the linter.
#[test]
fn the_installer_passes_the_linter() {
    let mut lint = Command::new(test_path("NDAUTH_TEST_PYTHON").with_file_name("shellcheck"));
    lint.args(["--shell=sh", "--severity=style"]).arg(file("install.sh"));
    assert_eq!(succeed(lint).out, "");
}

#[test]
fn the_formula_is_ruby_and_holds_the_checksum() {
    let mut lint = command(&["ruby", "-wc"]);
    lint.arg(file("ndcli.rb"));
    let linted = succeed(lint);
    assert_eq!((linted.out.as_str(), linted.err.as_str()), ("Syntax OK\n", ""));
    let mut style = command(&["rubocop", "--cache", "false", "--config"]);
    style.arg(crate::documents::root().join("packaging/.rubocop.yml")).arg(file("ndcli.rb"));
    succeed(style);
    let formula = fs::read_to_string(file("ndcli.rb")).expect("the formula");
    let mut sum = command(&["sha256sum"]);
    sum.arg(for_this_machine("_ndcli"));
    let sum = succeed(sum).out;
    assert!(formula.contains(sum.split(' ').next().expect("a checksum")), "{formula}");
    assert!(!formula.contains('@'), "{formula}");
}

/// The chart is linted, rendered with many values, and each result validated strictly; bad values are refused.
#[test]
fn the_chart_is_valid_and_refuses_bad_values() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut unpack = command(&["tar", "--extract", "--gzip", "--file"]);
    unpack
        .arg(file(&format!("ndauth_{}_chart.tgz", env!("CARGO_PKG_VERSION"))))
        .arg("--directory")
        .arg(folder.path());
    succeed(unpack);
    let chart = folder.path().join("ndauth");
    let described = fs::read_to_string(chart.join("Chart.yaml")).expect("the chart");
    for field in ["version: ", "appVersion: "] {
        let line = described.lines().find_map(|line| line.strip_prefix(field)).expect("a version");
        assert_eq!(line.trim_matches('"'), env!("CARGO_PKG_VERSION"));
    }
    let mut check = Command::new(test_path("NDAUTH_TEST_PYTHON"));
    check.arg("-B").arg(crate::documents::root().join("packaging/check-chart.py")).arg(&chart);
    check.arg(test_path("NDAUTH_TEST_NDAUTHD"));
    succeed(check);
}

#[test]
fn the_compose_file_is_valid() {
    let mut check = Command::new(test_path("NDAUTH_TEST_PYTHON").with_file_name("check-jsonschema"));
    check.args(["--builtin-schema", "vendor.compose-spec"]);
    check.arg(file(&format!("ndauth_{}_compose.yaml", env!("CARGO_PKG_VERSION"))));
    succeed(check);
}
