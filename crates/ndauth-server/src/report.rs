//! What the terminal is told of a failure: what happened, why, and what to do next.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use ndauth_authority::AuthorityError;
use ndauth_server::ServeError;

/// A failure on its way to the terminal.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
    code: u8,
}

impl Failure {
    /// A command that was given the wrong way.
    pub(crate) fn usage(message: &str, hint: &str) -> Failure {
        Failure { message: message.to_owned(), hint: Some(hint.to_owned()), code: 2 }
    }

    pub(crate) fn report(self) -> ExitCode {
        let mut text = format!("error: {}\n", self.message);
        if let Some(hint) = self.hint {
            let _ = writeln!(text, "hint: {hint}");
        }
        // Where standard error is closed, nobody listens.
        let _ = std::io::stderr().write_all(text.as_bytes());
        ExitCode::from(self.code)
    }
}

/// An error and what caused it, in one line.
fn whole(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            let _ = write!(text, ": {cause_text}");
        }
        source = cause.source();
    }
    text
}

impl From<AuthorityError> for Failure {
    fn from(error: AuthorityError) -> Failure {
        let reason = error.reason();
        let hint = reason.hint().filter(|_| !error.is_ours()).map(str::to_owned);
        Failure { message: whole(&error), hint, code: reason.class().exit_code() }
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Failure {
        let (hint, code) = match &error {
            ServeError::Plaintext(_) => {
                (Some("put a proxy that speaks TLS before it, and say `--plaintext-beyond-loopback`"), 2)
            }
            ServeError::Database { source, .. } => (
                Some("check `--database`, and that this user may open it"),
                source.reason().class().exit_code(),
            ),
            ServeError::Listen { .. } => {
                (Some("another server may run: choose with `--listen` and `--admin-listen`"), 1)
            }
            ServeError::Metrics(_)
            | ServeError::Reflection(_)
            | ServeError::Signals(_)
            | ServeError::Transport(_) => (None, 1),
        };
        Failure { message: whole(&error), hint: hint.map(str::to_owned), code }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure { message: whole(&error), hint: None, code: 1 }
    }
}
