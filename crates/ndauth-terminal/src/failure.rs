//! What the terminal is told of a failure: what happened, and what to do next.

use std::process::ExitCode;

use ndauth_core::{Class, Problem};

use crate::terminal;

/// A failure on its way to the terminal.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
    code: u8,
}

impl Failure {
    /// A command that was given the wrong way.
    pub(crate) fn usage(message: impl Into<String>, hint: &str) -> Failure {
        Failure { message: message.into(), hint: Some(hint.to_owned()), code: 2 }
    }

    /// A credential that is missing or that cannot be used.
    pub(crate) fn not_authenticated(message: impl Into<String>, hint: &str) -> Failure {
        let code = Class::NotAuthenticated.exit_code();
        Failure { message: message.into(), hint: Some(hint.to_owned()), code }
    }

    /// Something that went wrong here, or that was refused.
    pub(crate) fn failed(message: impl Into<String>, hint: Option<&str>) -> Failure {
        Failure { message: message.into(), hint: hint.map(str::to_owned), code: 1 }
    }

    /// A refusal that the data told already: only what to do next is left to say.
    pub(crate) fn told(hint: Option<&str>) -> Failure {
        Failure { message: String::new(), hint: hint.map(str::to_owned), code: 1 }
    }

    /// The same failure, told with what it concerns.
    pub(crate) fn of(self, what: &str) -> Failure {
        Failure { message: format!("{what}: {}", self.message), ..self }
    }

    /// Tells the terminal, and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        if !self.message.is_empty() {
            terminal::aside(&format!("error: {}", self.message));
        }
        if let Some(hint) = self.hint {
            terminal::aside(&format!("hint: {hint}"));
        }
        ExitCode::from(self.code)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Failure {
        Failure {
            hint: problem.reason.hint().map(str::to_owned),
            code: problem.class().exit_code(),
            message: problem.message,
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure::failed(error.to_string(), None)
    }
}
