//! Sinks: where a new secret goes, instead of the terminal.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ndauth_client::ServerUrl;
use ndauth_core::{Secret, SecretKind};
use ndauth_proto::v1;
use ndauth_terminal::{Failure, nonsense, shown};
use serde_json::Value;
use tempfile::NamedTempFile;

use super::aim::{Aim, ChangedToken};
use crate::connection::{ServerConnection, connect_as};
use crate::login::credentials::ResolvedCredential;
use crate::settings::CommonOptions;
use crate::settings::token_file::SecretShape;

/// The destination of a new secret.
#[derive(clap::Args)]
pub(crate) struct SinkArgs {
    /// Write the bare secret to a file of mode 0600
    #[arg(long, value_name = "FILE", group = "sink")]
    to_file: Option<PathBuf>,

    /// The same as JSON, with the URL of the server
    #[arg(long, alias = "token_file", value_name = "FILE", group = "sink")]
    token_file: Option<PathBuf>,

    /// Pipe the secret to a command, such as 'gh secret set NDCLI_TOKEN'
    #[arg(long, value_name = "COMMAND", group = "sink")]
    to_command: Option<String>,

    /// Pipe the JSON of `--token-file` to the command
    #[arg(long, requires = "to_command")]
    with_server: bool,
}

/// A sink that is ready.
pub(crate) enum Sink {
    Command { command: String, shape: SecretShape },
    File(TokenFile),
}

/// The reason why a secret did not get where it belongs.
pub(crate) struct SinkFailure {
    pub(crate) why: String,
    /// True where the secret may be stored all the same: a command ran, or a file is in its place.
    pub(crate) may_be_stored: bool,
}

/// A file that is to hold a token, made ready before there is one.
pub(crate) struct TokenFile {
    path: PathBuf,
    shape: SecretShape,
    scratch: NamedTempFile,
    over: bool,
}

impl SinkArgs {
    /// The file, where it is one.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.to_file.as_deref().or(self.token_file.as_deref())
    }

    /// Replaces the secret in the JSON of a response by its destination, if it has one.
    pub(crate) fn replace_secret(&self, response: &mut Value) {
        let path = |path: &Path| path.display().to_string();
        let destination = match (&self.to_command, &self.to_file, &self.token_file) {
            (Some(command), ..) => ("to_command", command.clone()),
            (None, Some(file), _) => ("to_file", path(file)),
            (None, None, Some(file)) => ("token_file", path(file)),
            (None, None, None) => return,
        };
        if let Value::Object(fields) = response {
            fields.shift_remove("secret");
            fields.insert(destination.0.to_owned(), destination.1.into());
        }
    }

    /// Makes the sink ready, before there is a secret of a server; a file that is there is replaced where that was
    /// said.
    pub(crate) fn prepare(&self, server: &ServerUrl, replace: bool) -> Result<Option<Sink>, Failure> {
        let with_server = || SecretShape::WithServer(server.clone());
        let file = |path, shape| TokenFile::prepare(path, shape, replace).map(|file| Some(Sink::File(file)));
        match (&self.to_command, &self.to_file, &self.token_file) {
            (Some(command), ..) => {
                let shape = if self.with_server { with_server() } else { SecretShape::Bare };
                Ok(Some(Sink::Command { command: command.clone(), shape }))
            }
            (None, Some(path), _) => file(path, SecretShape::Bare),
            (None, None, Some(path)) => file(path, with_server()),
            (None, None, None) => Ok(None),
        }
    }
}

impl Sink {
    /// Returns the destination, for people.
    pub(crate) fn whereabouts(&self) -> String {
        match self {
            Sink::Command { command, .. } => format!("given to `{}`", shown(command)),
            Sink::File(file) => format!("written to {}", shown(&file.path.display().to_string())),
        }
    }

    /// Lets a secret go where it belongs.
    pub(crate) fn store(self, secret: &str) -> Result<(), SinkFailure> {
        match self {
            Sink::File(file) => file.write(secret),
            Sink::Command { command, shape } => run(&command, &shape.text(secret)),
        }
    }
}

impl TokenFile {
    /// Makes ready to write a file, over one that is there only where that was said.
    fn prepare(path: &Path, shape: SecretShape, over: bool) -> Result<TokenFile, Failure> {
        if !over && fs::symlink_metadata(path).is_ok() {
            let message = format!("`{}` already exists, and no token was made", path.display());
            return Err(Failure::usage(message, "name a new file, or use `--force` to overwrite it"));
        }
        let scratch =
            tempfile::Builder::new().permissions(Permissions::from_mode(0o600)).tempfile_in(folder_of(path));
        let scratch = scratch.map_err(|error| {
            let message = format!("cannot write `{}`, and no token was made: {error}", path.display());
            Failure::usage(message, "name a file in an existing folder that you may write to")
        })?;
        Ok(TokenFile { path: path.to_owned(), shape, scratch, over })
    }

    /// Writes the secret, whole or not at all, and has it on disk before this returns.
    fn write(self, secret: &str) -> Result<(), SinkFailure> {
        let (path, line) = (self.path.clone(), self.shape.text(secret));
        let failed = |what: &str, error: &io::Error, may_be_stored| SinkFailure {
            why: format!("`{}` {what}: {error}", path.display()),
            may_be_stored,
        };
        self.replace(&line).map_err(|error| failed("cannot be written", &error, false))?;
        let synced = File::open(folder_of(&path)).and_then(|folder| folder.sync_all());
        synced.map_err(|error| failed("is written, and may be lost if the machine fails", &error, true))
    }

    fn replace(mut self, line: &str) -> io::Result<()> {
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

/// The folder that a file lies in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Lets a new secret take over that is where it belongs.
pub(crate) async fn take_over(
    common: &CommonOptions,
    server: &ServerConnection,
    aim: &Aim,
    secret: &str,
) -> Result<ChangedToken<v1::ConfirmRotationResponse>, Failure> {
    let parsed: Secret = secret.parse().map_err(|_| nonsense("the new secret is invalid"))?;
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
        message: format!("the new secret was stored, but did not take over yet: {}", failure.message),
        hint: Some(format!(
            "it takes over at its first use, or by `{}`",
            aim.command("rotation confirm", "")
        )),
        ..failure
    })
}

/// Runs a command of the shell, with a secret on its standard input and nowhere else. The command's output goes to
/// standard error: standard output holds data.
fn run(command: &str, secret: &str) -> Result<(), SinkFailure> {
    let failed = |what: &str, error: io::Error, may_be_stored| SinkFailure {
        why: format!("`{command}` {what}: {error}"),
        may_be_stored,
    };
    let not_started = |error| failed("cannot be started", error, false);
    let stderr = io::stderr().as_fd().try_clone_to_owned().map_err(not_started)?;
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::from(stderr))
        .spawn()
        .map_err(not_started)?;
    let mut input = child.stdin.take().expect("its standard input is piped");
    // A command that does not read its input may have failed for a reason of its own, which it prints.
    let written = input.write_all(secret.as_bytes());
    drop(input);
    let status = child.wait().map_err(|error| failed("was lost", error, true))?;
    if !status.success() {
        return Err(SinkFailure { why: format!("`{command}` failed: {status}"), may_be_stored: true });
    }
    written.map_err(|error| failed("did not read the secret", error, false))
}
