//! The output of an operator's command.

use ndauth_authority::{AuthorityError, Credential};
use ndauth_core::Secret;
use ndauth_terminal::{Failure, aside, json_text, print, print_once};
use serde_json::{Value, json};

use crate::arguments::TextOrJson;
use crate::configuration::DataLocation;
use crate::report::authority_failure;

/// The credential of whoever runs `ndauthd admin`.
pub(super) const CONSOLE: &Credential = &Credential::Console;

/// The result of a command, for people and for programs.
pub(super) struct AdminOutput {
    pub(super) text: String,
    pub(super) json: Value,
    /// The text beside the data.
    pub(super) aside: Option<String>,
    /// Set where the answer itself is that something is wrong.
    pub(super) failed: bool,
    /// Set where the output holds a secret that is shown nowhere else: what to do if it cannot be printed.
    pub(super) if_lost: Option<String>,
}

/// Why a command was not carried out: the authority refused, or the person did.
pub(super) enum AdminError {
    Authority(AuthorityError),
    Failure(Failure),
}

impl From<AuthorityError> for AdminError {
    fn from(error: AuthorityError) -> AdminError {
        AdminError::Authority(error)
    }
}

impl From<Failure> for AdminError {
    fn from(failure: Failure) -> AdminError {
        AdminError::Failure(failure)
    }
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Failure {
        match error {
            AdminError::Authority(error) => authority_failure(&error),
            AdminError::Failure(failure) => failure,
        }
    }
}

impl AdminOutput {
    /// One line, and the same as an object.
    pub(super) fn line(text: String, json: Value) -> AdminOutput {
        AdminOutput { text: text + "\n", json, aside: None, failed: false, if_lost: None }
    }

    /// A table, and the same as an object.
    pub(super) fn table((text, json): (String, Value)) -> AdminOutput {
        AdminOutput { text, json, aside: None, failed: false, if_lost: None }
    }

    /// A secret alone, what to do with it, and what to do if it cannot be printed.
    pub(super) fn secret(secret: &Secret, aside: String, if_lost: String, mut json: Value) -> AdminOutput {
        json["secret"] = json!(secret.expose());
        let (aside, if_lost) = (Some(aside), Some(if_lost));
        AdminOutput { text: format!("{}\n", secret.expose()), json, aside, failed: false, if_lost }
    }

    /// Prints it. A secret that standard output does not take is lost, which is a failure.
    pub(super) fn print(mut self, format: TextOrJson, location: &DataLocation) -> Result<(), Failure> {
        let text = match format {
            TextOrJson::Text => self.text,
            TextOrJson::Json => {
                self.json["database"] = json!(location.database.to_string());
                json_text(&self.json)
            }
        };
        match &self.if_lost {
            None => print(&text)?,
            Some(hint) => print_once(&text).map_err(|error| {
                let message = format!(
                    "standard output cannot be written: {error}: it was done, and the secret was not shown"
                );
                Failure::failed(message, Some(hint))
            })?,
        }
        if let (Some(note), TextOrJson::Text) = (&self.aside, format) {
            aside(note);
        }
        if self.failed { Err(Failure::without_message(None)) } else { Ok(()) }
    }
}
