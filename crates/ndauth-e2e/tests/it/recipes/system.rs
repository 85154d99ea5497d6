//! The CI systems: their files, and how each runs the scripts in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::documents::root;
use crate::installation::{Ended, run, test_path};

/// A CI system with a recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum System {
    GitHub,
    GitHubAction,
    GitLab,
    GitLabComponent,
    CircleCi,
    Buildkite,
    Jenkins,
    Shell,
}

/// A script of a job, and the variables that its file sets for it.
pub(super) struct Step {
    pub(super) script: String,
    pub(super) variables: BTreeMap<String, String>,
}

impl System {
    pub(super) const ALL: [System; 8] = [
        System::GitHub,
        System::GitHubAction,
        System::GitLab,
        System::GitLabComponent,
        System::CircleCi,
        System::Buildkite,
        System::Jenkins,
        System::Shell,
    ];

    /// Returns the path of the file below the root.
    pub(super) fn file(self) -> &'static str {
        match self {
            System::GitHub => "docs/ci/github-actions.yml",
            System::GitHubAction => "action.yml",
            System::GitLab => "docs/ci/gitlab-ci.yml",
            System::GitLabComponent => "templates/ndcli.yml",
            System::CircleCi => "docs/ci/circleci.yml",
            System::Buildkite => "docs/ci/buildkite.yml",
            System::Jenkins => "docs/ci/Jenkinsfile",
            System::Shell => "docs/ci/pipeline.sh",
        }
    }

    /// Returns the name of the function in `steps.py` that reads the file.
    fn reader(self) -> &'static str {
        match self {
            System::GitHub => "github",
            System::GitHubAction => "action",
            System::GitLab | System::GitLabComponent => "gitlab",
            System::CircleCi => "circle",
            System::Buildkite => "buildkite",
            System::Jenkins => "jenkins",
            System::Shell => panic!("a script is run as it is"),
        }
    }

    /// Returns the command line that the system runs a script with; the script is the last word.
    pub(super) fn shell(self) -> &'static [&'static str] {
        match self {
            System::GitHub | System::GitHubAction => {
                &["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c"]
            }
            System::GitLab | System::GitLabComponent | System::Buildkite => &["bash", "-e", "-c"],
            System::CircleCi => &["bash", "-e", "-o", "pipefail", "-c"],
            System::Jenkins => &["sh", "-xe", "-c"],
            System::Shell => &["sh", "-c"],
        }
    }

    /// Returns the steps of a job, in which `inputs` replaces the references of an action or a component.
    pub(super) fn steps(self, job: &str, inputs: &[(&str, &str)]) -> Vec<Step> {
        let text = std::fs::read_to_string(root().join(self.file())).expect("the file");
        if self == System::Shell {
            let script = format!("set -- {job}\n{text}");
            return vec![Step { script, variables: BTreeMap::new() }];
        }
        let scratch = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(&scratch, interpolated(&text, inputs)).expect("written");
        let mut read = self.jobs(scratch.path());
        // Jenkins runs its stages one after the other.
        let names = if self == System::Jenkins { vec!["Install", job] } else { vec![job] };
        let steps = names.into_iter().flat_map(|name| read.remove(name).expect("the job"));
        steps.collect()
    }

    /// Reads every job of a file.
    pub(super) fn jobs(self, file: &Path) -> BTreeMap<String, Vec<Step>> {
        let mut reader = Command::new(test_path("NDAUTH_TEST_PYTHON"));
        reader.arg(tests_folder().join("steps.py")).arg(self.reader()).arg(file);
        let ended = run(reader, "");
        assert_eq!(ended.code, 0, "{self:?}: {ended:?}");
        let jobs: BTreeMap<String, Vec<Value>> = serde_json::from_str(&ended.out).expect("JSON");
        let step = |step: Value| Step {
            script: step["run"].as_str().expect("a script").to_owned(),
            variables: serde_json::from_value(step["env"].clone()).expect("variables"),
        };
        jobs.into_iter().map(|(name, steps)| (name, steps.into_iter().map(step).collect())).collect()
    }
}

/// Returns the folder of the programs that the tests of recipes need.
pub(super) fn tests_folder() -> PathBuf {
    root().join("crates/ndauth-e2e/tests/recipes")
}

/// Replaces the references to inputs in a GitLab component, as GitLab does before it reads the YAML.
pub(super) fn interpolated(text: &str, inputs: &[(&str, &str)]) -> String {
    inputs
        .iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("$[[ inputs.{name} ]]"), value))
}

/// Returns the output of a command on both streams, as the log of a CI system shows it.
pub(super) fn log(ended: &Ended) -> String {
    format!("{}{}", ended.out, ended.err)
}
