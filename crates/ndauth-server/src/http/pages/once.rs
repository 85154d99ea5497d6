//! The page of something that is shown once: a secret, or a link that is one. It is the response to the form that made
//! it.

use askama::Template;

use super::parts::{Fact, Frame};

#[derive(Default, Template)]
#[template(path = "created.html")]
pub(super) struct OncePage {
    pub(super) frame: Frame,
    pub(super) title: &'static str,
    pub(super) warning: &'static str,
    pub(super) label: String,
    pub(super) secret: String,
    /// The sentence about a secret that awaits confirmation.
    pub(super) waiting: String,
    /// The reason why the token may do nothing now.
    pub(super) powerless: String,
    pub(super) facts: Vec<Fact>,
    pub(super) commands: Vec<Command>,
    /// The paths of the acts on a secret that awaits confirmation.
    pub(super) confirm_action: String,
    pub(super) drop_action: String,
    pub(super) prefix: String,
    pub(super) next_href: String,
    pub(super) next_text: &'static str,
}

/// A way to use the secret.
pub(super) struct Command {
    pub(super) id: &'static str,
    pub(super) label: &'static str,
    pub(super) text: String,
}
