//! Sinks: where a new secret goes instead of the terminal.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ndauth_core::{Secret, SecretKind, Timestamp};
use ndauth_terminal::{Failure, nonsense, shown};
use serde_json::json;
use tempfile::NamedTempFile;

use super::aim::{Aim, ChangedToken};
use crate::connection::{ServerConnection, connect_as};
use crate::login::credentials::{BEARER_TOKEN, ResolvedCredential};
use crate::settings::CommonOptions;

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

/// A file that is to hold a token, made ready before there is one.
pub(crate) struct TokenFile {
    path: PathBuf,
    scratch: NamedTempFile,
    over: bool,
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

impl TokenFile {
    /// Makes ready to write a file, over one that is there only where that was said.
    pub(crate) fn prepare(path: &Path, over: bool) -> Result<TokenFile, Failure> {
        if !over && fs::symlink_metadata(path).is_ok() {
            let message = format!("`{}` is there already, and no token was made", path.display());
            return Err(Failure::usage(message, "name a new file, or say `--force` to write over it"));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let scratch = tempfile::Builder::new().permissions(Permissions::from_mode(0o600)).tempfile_in(folder);
        let scratch = scratch.map_err(|error| {
            let message = format!("cannot write `{}`, and no token was made: {error}", path.display());
            Failure::usage(message, "name a file in a folder that is there, and that you may write to")
        })?;
        Ok(TokenFile { path: path.to_owned(), scratch, over })
    }

    /// Writes a token as JSON.
    pub(crate) fn write(self, secret: &str) -> Result<(), Failure> {
        self.write_text(&format!("{:#}", json!({ BEARER_TOKEN: secret })))?;
        Ok(())
    }

    /// Writes a line, whole or not at all.
    fn write_text(mut self, line: &str) -> io::Result<()> {
        writeln!(self.scratch, "{line}")?;
        self.scratch.as_file().sync_all()?;
        let kept = if self.over {
            self.scratch.persist(&self.path)
        } else {
            self.scratch.persist_noclobber(&self.path)
        };
        kept.map_err(|error| error.error)?;
        Ok(())
    }
}

/// Lets a new secret go where it belongs, and then take over. Where the sink fails it waits: a command that stored it and
/// then failed has broken nothing.
pub(crate) async fn deliver(
    common: &CommonOptions,
    server: &ServerConnection,
    aim: &Aim,
    sink: Sink,
    secret: &str,
    until: Timestamp,
    meanwhile: &str,
) -> Result<ChangedToken, Failure> {
    let (confirm, drop) = (aim.command("rotate", "--confirm"), aim.command("rotate", "--drop"));
    if let Err(why) = sink.store(secret) {
        let message = format!("{why}\nthe new secret waits until {}, and {meanwhile}", until.minute());
        let hint = format!("if it was stored all the same: `{confirm}`; if not: `{drop}`, and try again");
        return Err(Failure::failed(message, Some(&hint)));
    }
    let parsed: Secret = secret.parse().map_err(|_| nonsense("the new secret is none"))?;
    let prefix = Some(parsed.prefix());
    let confirmed = match server.credential.secret.kind() {
        // A token shows that it has the new secret by using it.
        SecretKind::Personal | SecretKind::Org => {
            let credential =
                ResolvedCredential { secret: parsed, source: "the new secret", path: None, login: None };
            aim.confirm(&connect_as(common, credential).await?, prefix).await
        }
        _ => aim.confirm(server, prefix).await,
    };
    confirmed.map_err(|failure| Failure {
        message: format!("the new secret was stored, and did not take over yet: {}", failure.message),
        hint: Some(format!("it takes over at its first use, or by `{confirm}`")),
        ..failure
    })
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
