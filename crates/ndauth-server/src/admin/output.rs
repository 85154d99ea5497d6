//! What a command of the operator prints.

use ndauth_authority::Credential;
use ndauth_core::Secret;
use serde_json::{Value, json};

/// The credential of whoever runs `ndauthd admin`.
pub(super) const CONSOLE: &Credential = &Credential::Console;

/// What a command did, for people and for programs.
pub(super) struct AdminOutput {
    pub(super) text: String,
    pub(super) json: Value,
    /// What stands beside the data.
    pub(super) aside: Option<String>,
    /// Set where the answer itself is that something is wrong.
    pub(super) failed: bool,
}

impl AdminOutput {
    /// One line, and the same as an object.
    pub(super) fn line(text: String, json: Value) -> AdminOutput {
        AdminOutput { text: text + "\n", json, aside: None, failed: false }
    }

    /// A table, and the same as an object.
    pub(super) fn table((text, json): (String, Value)) -> AdminOutput {
        AdminOutput { text, json, aside: None, failed: false }
    }

    /// A secret alone, and what to do with it.
    pub(super) fn secret(secret: &Secret, aside: String, mut json: Value) -> AdminOutput {
        json["secret"] = json!(secret.expose());
        AdminOutput { text: format!("{}\n", secret.expose()), json, aside: Some(aside), failed: false }
    }
}
