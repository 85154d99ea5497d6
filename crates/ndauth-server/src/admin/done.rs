//! The outcome of a command of the operator.

use ndauth_authority::Credential;
use ndauth_core::Secret;
use serde_json::{Value, json};

/// The credential of whoever runs `ndauthd admin`.
pub(super) const CONSOLE: &Credential = &Credential::Console;

/// What was done, for people and for programs.
pub(super) struct Done {
    pub(super) text: String,
    pub(super) json: Value,
    /// What stands beside the data.
    pub(super) aside: Option<String>,
    /// Set where the answer itself is that something is wrong.
    pub(super) failed: bool,
}

impl Done {
    /// One line, and the same as an object.
    pub(super) fn line(text: String, json: Value) -> Done {
        Done { text: text + "\n", json, aside: None, failed: false }
    }

    /// A table, and the same as an object.
    pub(super) fn table((text, json): (String, Value)) -> Done {
        Done { text, json, aside: None, failed: false }
    }

    /// A secret alone, and what to do with it.
    pub(super) fn secret(secret: &Secret, aside: String, mut json: Value) -> Done {
        json["secret"] = json!(secret.expose());
        Done { text: format!("{}\n", secret.expose()), json, aside: Some(aside), failed: false }
    }
}
