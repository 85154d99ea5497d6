//! Failures as the terminal shows them: a message, and a hint for what to do next.

use std::error::Error;
use std::process::ExitCode;

use ndauth_core::{Class, Problem};

use crate::text;

/// The exit codes of both binaries, and their meanings.
pub const EXIT_CODES: [(u8, &str); 7] = [
    (0, "done"),
    (1, "refused, or failed"),
    (2, "usage error: the command line is not valid"),
    (4, "not authenticated: no credential, or an invalid or expired one"),
    (5, "not permitted: the credential is valid, and may not do this"),
    (6, "not decided: the server or the database cannot be reached or cannot decide"),
    (130, "interrupted by Ctrl-C"),
];

/// A failure on its way to the terminal.
#[derive(Debug)]
pub struct Failure {
    /// The event and its cause, in lower case and without a final stop. Empty if the printed data already
    /// shows the failure.
    pub message: String,
    /// The suggested next step.
    pub hint: Option<String>,
    /// The exit code.
    pub code: u8,
}

/// The reason why a command line is not carried out.
#[derive(Debug)]
pub enum InvalidCommandLine {
    /// It is not understood, or it requests help.
    Usage(clap::Error),
    /// The configuration is invalid.
    Failure(Failure),
}

impl Failure {
    /// Returns the failure of a command that was used incorrectly.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure { message: message.into(), hint: Some(hint.into()), code: exit_code(Class::Invalid) }
    }

    /// Returns the failure for a credential that is missing or unusable.
    pub fn not_authenticated(message: impl Into<String>, hint: impl Into<String>) -> Failure {
        let code = exit_code(Class::NotAuthenticated);
        Failure { message: message.into(), hint: Some(hint.into()), code }
    }

    /// Returns the failure of an operation that went wrong locally or was refused.
    pub fn failed(message: impl Into<String>, hint: Option<&str>) -> Failure {
        Failure { message: message.into(), hint: hint.map(str::to_owned), code: 1 }
    }

    /// Returns the failure for a refusal that the printed data already shows: it has a hint and no message.
    pub fn without_message(hint: Option<&str>) -> Failure {
        Failure::failed("", hint)
    }

    /// Prefixes the message with the thing that it concerns.
    #[must_use]
    pub fn of(self, what: &str) -> Failure {
        Failure { message: format!("{what}: {}", self.message), ..self }
    }

    /// Prints the failure to standard error, and returns the exit code.
    pub fn report(self) -> ExitCode {
        if !self.message.is_empty() {
            text::error(&self.message);
        }
        if let Some(hint) = self.hint {
            text::hint(&hint);
        }
        ExitCode::from(self.code)
    }

    /// Formats an error and its chain of causes on one line.
    pub fn whole(error: &dyn Error) -> String {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text.push_str(": ");
                text.push_str(&cause_text);
            }
            source = cause.source();
        }
        text
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Failure {
        Failure {
            hint: ndauth_proto::hint(problem.reason).map(str::to_owned),
            code: exit_code(problem.class()),
            message: problem.message,
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure::failed(Failure::whole(&error), None)
    }
}

/// Returns the exit code for a class of failure: 1 refused or failed, 2 usage, 4 not authenticated, 5 not
/// permitted, 6 cannot reach or cannot decide.
pub fn exit_code(class: Class) -> u8 {
    match class {
        Class::NotFound | Class::Conflict | Class::Precondition | Class::Exhausted | Class::Internal => 1,
        Class::Invalid => 2,
        Class::NotAuthenticated => 4,
        Class::NotPermitted => 5,
        Class::Undecided | Class::Unimplemented | Class::Unconfirmed => 6,
    }
}

#[cfg(test)]
mod tests {
    use ndauth_core::Reason;

    use super::*;

    #[test]
    fn every_exit_code_is_described() {
        for reason in Reason::all() {
            let code = exit_code(reason.class());
            assert!(EXIT_CODES.iter().any(|(listed, _)| *listed == code), "{}: {code}", reason.code());
        }
    }
}
