//! Sinks: where a new secret goes instead of the terminal.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ndauth_terminal::{Failure, shown};

use super::mint::TokenFile;

/// Where the secret goes.
#[derive(clap::Args)]
pub(crate) struct SinkArgs {
    /// Give the secret to this command on its standard input, such as 'gh secret set NDCLI_TOKEN', and show it nowhere
    #[arg(long, value_name = "COMMAND", conflicts_with = "to_file")]
    to_command: Option<String>,

    /// Write the secret to this file, readable by you alone, and show it nowhere
    #[arg(long, value_name = "FILE")]
    to_file: Option<PathBuf>,
}

/// A sink that is ready.
pub(crate) enum Sink {
    Command(String),
    File(PathBuf, TokenFile),
}

impl SinkArgs {
    /// The file, where it is one.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.to_file.as_deref()
    }

    /// Makes the sink ready, before there is a secret; a file that is there is replaced where that was said.
    pub(crate) fn prepare(&self, replace: bool) -> Result<Option<Sink>, Failure> {
        match (&self.to_command, &self.to_file) {
            (Some(command), _) => Ok(Some(Sink::Command(command.clone()))),
            (None, Some(path)) => Ok(Some(Sink::File(path.clone(), TokenFile::prepare(path, replace)?))),
            (None, None) => Ok(None),
        }
    }
}

impl Sink {
    /// Where it is, for people.
    pub(crate) fn whereabouts(&self) -> String {
        match self {
            Sink::Command(command) => format!("given to `{}`", shown(command)),
            Sink::File(path, _) => format!("written to {}", shown(&path.display().to_string())),
        }
    }

    /// Lets a secret go where it belongs. Says what went wrong, if anything did.
    pub(crate) fn store(self, secret: &str) -> Result<(), String> {
        match self {
            Sink::File(path, file) => {
                let stored = file.write_text(secret);
                stored.map_err(|error| format!("`{}` cannot be written: {error}", path.display()))
            }
            Sink::Command(command) => run(&command, secret),
        }
    }
}

/// Runs a command of the shell, with the secret on its standard input and nowhere else. What it prints goes to standard
/// error: standard output holds data.
fn run(command: &str, secret: &str) -> Result<(), String> {
    let failed = |what: &str, error: io::Error| format!("`{command}` {what}: {error}");
    let stderr =
        io::stderr().as_fd().try_clone_to_owned().map_err(|error| failed("cannot be started", error))?;
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::from(stderr))
        .spawn()
        .map_err(|error| failed("cannot be started", error))?;
    let mut input = child.stdin.take().ok_or_else(|| format!("`{command}` has no standard input"))?;
    // One that does not read it may still have failed for a reason of its own, which it tells.
    let written = input.write_all(secret.as_bytes());
    drop(input);
    let status = child.wait().map_err(|error| failed("was lost", error))?;
    if !status.success() {
        return Err(format!("`{command}` failed: {status}"));
    }
    written.map_err(|error| failed("did not read the secret", error))
}
