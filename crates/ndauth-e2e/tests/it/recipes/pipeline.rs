//! A pipeline: a workspace in which the scripts of a recipe run, a server, a service, and a stand-in for the host of
//! the CI system.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use ndauth_store::Engine;

use super::system::{Step, System, tests_folder};
use crate::documents::root;
use crate::installation::{Ended, Installation, KillOnDrop, Running, run, test_path};
use crate::registry::Registry;

/// The stand-in for `gh secret set`: it stores what it is given.
const GH: &str = r#"#!/bin/sh
[ "$GH_TOKEN" = of-the-ci ] && [ "$*" = "secret set NDCLI_TOKEN --repo acme/assets" ] || exit 9
mkdir -p 'FOLDER/received'
cat > 'FOLDER/received/001'
[ ! -e 'FOLDER/refuse' ]
"#;

pub(super) struct Pipeline {
    pub(super) at: Installation,
    pub(super) server: Running,
    pub(super) system: System,
    registry: Registry,
    host: String,
    _host: KillOnDrop,
}

impl Pipeline {
    /// Starts all that a pipeline needs, with `ada` logged in.
    pub(super) async fn of(system: System) -> Pipeline {
        let at = Installation::new(Engine::Sqlite).await;
        at.people();
        let server = at.serve();
        at.log_in(&server);
        let registry = Registry::start(&at, &server, &at.service());
        let folder = at.home().join("host");
        release(&folder);
        let mut host = Command::new(test_path("NDAUTH_TEST_PYTHON"));
        host.arg(tests_folder().join("host.py")).arg(&folder).stdout(Stdio::piped());
        let mut host = KillOnDrop(host.spawn().expect("the host starts"));
        let mut address = String::new();
        BufReader::new(host.0.stdout.take().expect("piped")).read_line(&mut address).expect("a line");
        for name in ["work", "bin", "temporary"] {
            fs::create_dir(at.home().join(name)).expect("a folder");
        }
        fs::write(at.home().join("work/logo.svg"), "<svg/>").expect("written");
        let gh = at.home().join("bin/gh");
        fs::write(&gh, GH.replace("FOLDER", folder.to_str().expect("text"))).expect("written");
        fs::set_permissions(&gh, fs::Permissions::from_mode(0o755)).expect("made runnable");
        Pipeline { at, server, system, registry, host: address.trim_end().to_owned(), _host: host }
    }

    /// Creates a token of `ada`. Returns its secret.
    pub(super) fn token(&self, name: &str, more: &[&str]) -> String {
        let words = ["auth", "token", "create", "--name", name, "--output", "token"];
        let ended = self.at.ndcli(&self.server, &[&words, more].concat());
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.out.trim_end().to_owned()
    }

    /// Creates the token that the recipes rotate. Returns its secret.
    pub(super) fn self_rotating(&self) -> String {
        self.token("pipeline", &["--scope", "rw", "--expiry", "30d", "--self-rotating"])
    }

    /// Runs a job as the CI system would, with this secret stored in it; an empty one is an absent one.
    pub(super) fn run(&self, job: &str, secret: &str) -> Ended {
        self.run_with(job, secret, &[])
    }

    pub(super) fn run_with(&self, job: &str, secret: &str, inputs: &[(&str, &str)]) -> Ended {
        self.store(secret);
        let temporary = self.at.home().join("temporary");
        for name in ["path", "env", "bash-env"] {
            fs::write(temporary.join(name), "").expect("written");
        }
        let job =
            if self.system == System::Jenkins { job[..1].to_uppercase() + &job[1..] } else { job.to_owned() };
        let mut whole = Ended { out: String::new(), err: String::new(), code: 0 };
        for step in self.system.steps(&job, inputs) {
            let ended = run(self.command(&step, secret, inputs), "");
            whole.out.push_str(&ended.out);
            whole.err.push_str(&ended.err);
            whole.code = ended.code;
            if whole.code != 0 {
                break;
            }
        }
        whole
    }

    /// The folder of `pipeline.sh` holds its secret.
    fn store(&self, secret: &str) {
        let folder = self.at.home().join("shell");
        fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("token.json");
        let text = match secret {
            "" => String::new(),
            _ if secret.starts_with('{') => secret.to_owned(),
            _ => format!("{{\"bearer_token\":\"{secret}\",\"server\":\"{}\"}}\n", self.server.url),
        };
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("set");
    }

    /// Returns a step's command: no home, and no variables but those of the system and of the step.
    fn command(&self, step: &Step, secret: &str, inputs: &[(&str, &str)]) -> Command {
        let home = self.at.home();
        let (work, temporary) = (home.join("work"), home.join("temporary"));
        let shell = self.system.shell();
        let mut command = Command::new(shell[0]);
        command.args(&shell[1..]).arg(self.here(&step.script)).current_dir(&work).env_clear();
        let read = |name: &str| fs::read_to_string(temporary.join(name)).expect("the file");
        let added: String = read("path").lines().rev().map(|folder| format!("{folder}:")).collect();
        command.env("PATH", format!("{added}{}:/usr/bin:/bin", home.join("bin").display()));
        command.env("CI", "true").env("NDAUTH_DOWNLOADS", &self.host);
        let named =
            [("NDCLI_TOKEN", secret), ("ROTATION_TOKEN", "of-the-ci"), ("ROTATION_GH_TOKEN", "of-the-ci")];
        let path = |name: &str| temporary.join(name).display().to_string();
        match self.system {
            System::GitHub | System::GitHubAction => {
                command.env("GITHUB_ACTIONS", "true").env("GITHUB_REPOSITORY", "acme/assets");
                command.env("GITHUB_PATH", path("path")).env("GITHUB_ENV", path("env"));
                command.env("RUNNER_TEMP", &temporary).env("GITHUB_ACTION_PATH", root());
                command.envs(read("env").lines().filter_map(|line| line.split_once('=')));
            }
            System::GitLab | System::GitLabComponent => {
                command.env("GITLAB_CI", "true").env("CI_PROJECT_DIR", &work).env("CI_PROJECT_ID", "17");
                command.env("CI_API_V4_URL", format!("{}/api/v4", self.host));
                // A variable of type File is the path of a file.
                if secret.starts_with('{') {
                    command.env("NDCLI_TOKEN_FILE", home.join("shell/token.json"));
                } else {
                    command.envs(named);
                }
            }
            System::CircleCi => {
                command.env("CIRCLECI", "true").env("BASH_ENV", path("bash-env"));
                command.env("NDCLI_CONTEXT_ID", "c0ffee").envs(named);
            }
            System::Buildkite => {
                command.env("BUILDKITE", "true").env("BUILDKITE_ORGANIZATION_SLUG", "acme").envs(named);
            }
            System::Jenkins => {
                command.env("JENKINS_URL", format!("{}/", self.host)).envs(named);
                command.env("ROTATION_TOKEN", "robot:of-the-ci");
            }
            System::Shell => {
                command.env("NDAUTH_FOLDER", home.join("shell"));
            }
        }
        for (name, value) in &step.variables {
            // GitHub replaces a reference to a secret that does not exist by nothing.
            let value = match value.strip_prefix("${{ ").and_then(|rest| rest.strip_suffix(" }}")) {
                None => self.here(value),
                Some(reference) => {
                    let (kind, key) = reference.split_once('.').expect("a reference");
                    let values = if kind == "inputs" { inputs } else { &named };
                    let value = values.iter().find(|(name, _)| *name == key);
                    value.map_or(String::new(), |(_, value)| (*value).to_owned())
                }
            };
            command.env(name, value);
        }
        command
    }

    /// Returns a text with the addresses of this machine in place of those in the recipes.
    fn here(&self, text: &str) -> String {
        [
            ("https://github.com/ndauth/ndauth/releases/latest/download", self.host.as_str()),
            ("https://github.com/ndauth/ndauth/releases/download/v$NDAUTH_VERSION", &self.host),
            ("https://circleci.com", &self.host),
            ("https://api.buildkite.com", &self.host),
            ("https://ndauth.example.org", &self.server.url.to_string()),
            ("https://assets.example.org", &format!("http://{}", self.registry.http)),
        ]
        .into_iter()
        .fold(text.to_owned(), |text, (shown, here)| text.replace(shown, here))
    }

    /// Has the host store what it is sent and answer with an error, or not.
    pub(super) fn refuse(&self, refuses: bool) {
        let file = self.at.home().join("host/refuse");
        if refuses {
            fs::write(file, "").expect("written");
        } else {
            fs::remove_file(file).expect("removed");
        }
    }

    /// Returns the last request that the host received, or the secret that `gh` did.
    pub(super) fn received(&self) -> String {
        if self.system == System::Shell {
            return fs::read_to_string(self.at.home().join("shell/token.json")).expect("the file");
        }
        let folder = self.at.home().join("host/received");
        let files = fs::read_dir(folder).expect("something was received");
        let mut files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
        files.sort();
        fs::read_to_string(files.last().expect("a request")).expect("text")
    }
}

/// Fills a folder with the files of a release: the installer, the binary and the list of checksums.
fn release(folder: &PathBuf) {
    fs::create_dir(folder).expect("a folder");
    let version = env!("CARGO_PKG_VERSION");
    let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let name = format!("ndauth_{version}_linux_{machine}_ndcli");
    // Without what a debugger needs it is as small as a released one, and many jobs install it.
    let mut strip = Command::new("/usr/bin/strip");
    strip.arg("-o").arg(folder.join(&name)).arg(test_path("NDAUTH_TEST_NDCLI"));
    assert_eq!(run(strip, "").code, 0, "stripped");
    let mut sum = Command::new("/usr/bin/sha256sum");
    sum.arg(&name).current_dir(folder);
    let ended = run(sum, "");
    assert_eq!(ended.code, 0, "{ended:?}");
    fs::write(folder.join(format!("ndauth_{version}_checksums.txt")), ended.out).expect("written");
    let installer = fs::read_to_string(root().join("packaging/install.sh")).expect("the installer");
    fs::write(folder.join("install.sh"), installer.replace("@VERSION@", version)).expect("written");
}
