//! What the terminal is told of a failure: what happened, and what to do next.

use std::error::Error;
use std::process::ExitCode;

use ndauth_core::{Class, Problem};

use crate::text;

/// What the exit codes of both binaries mean.
pub const EXIT_CODES: [(u8, &str); 7] = [
    (0, "done"),
    (1, "refused, or failed"),
    (2, "not understood: the command line, or something in it"),
    (4, "not authenticated: no credential, or one that is not or no longer valid"),
    (5, "not permitted: the credential is valid, and may not do this"),
    (6, "not decided: the server or the database cannot be reached or cannot tell"),
    (130, "interrupted by Ctrl-C"),
];

/// A failure on its way to the terminal.
#[derive(Debug)]
pub struct Failure {
    /// What happened and why, in lower case and without a final stop. Empty where the data told already.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// The exit code.
    pub code: u8,
}

/// Why a command line is not carried out.
#[derive(Debug)]
pub enum InvalidCommandLine {
    /// It is not understood, or it asks for help.
    Usage(clap::Error),
    /// The configuration makes no sense.
    Failure(Failure),
}

impl Failure {
    /// A command that was given the wrong way.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure { message: message.into(), hint: Some(hint.into()), code: exit_code(Class::Invalid) }
    }

    /// A credential that is missing or that cannot be used.
    pub fn not_authenticated(message: impl Into<String>, hint: impl Into<String>) -> Failure {
        let code = exit_code(Class::NotAuthenticated);
        Failure { message: message.into(), hint: Some(hint.into()), code }
    }

    /// Something that went wrong here, or that was refused.
    pub fn failed(message: impl Into<String>, hint: Option<&str>) -> Failure {
        Failure { message: message.into(), hint: hint.map(str::to_owned), code: 1 }
    }

    /// A refusal that the data told already: only what to do next is left to say.
    pub fn told(hint: Option<&str>) -> Failure {
        Failure::failed("", hint)
    }

    /// The same failure, told with what it concerns.
    #[must_use]
    pub fn of(self, what: &str) -> Failure {
        Failure { message: format!("{what}: {}", self.message), ..self }
    }

    /// Tells the terminal, and gives the exit code.
    pub fn report(self) -> ExitCode {
        if !self.message.is_empty() {
            text::error(&self.message);
        }
        if let Some(hint) = self.hint {
            text::hint(&hint);
        }
        ExitCode::from(self.code)
    }

    /// An error and what caused it, in one line.
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

/// The exit code of a command that failed like this: 1 refused or failed, 2 usage, 4 not authenticated, 5 not permitted,
/// 6 cannot reach or cannot decide.
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
    fn every_exit_code_is_told() {
        for reason in Reason::all() {
            let code = exit_code(reason.class());
            assert!(EXIT_CODES.iter().any(|(told, _)| *told == code), "{}: {code}", reason.code());
        }
    }
}
