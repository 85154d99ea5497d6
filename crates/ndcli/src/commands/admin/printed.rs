//! Secrets and links, each printed once.

use std::io;

use ndauth_terminal::{Failure, aside, json_text, message_json, print_once, shown};
use prost::{Message, Name};

use crate::settings::Format;

/// A secret or a link that is printed once, alone on standard output.
pub(super) struct PrintedOnce<'a> {
    pub(super) text: &'a str,
    /// What to do with it, for people.
    pub(super) aside: &'a str,
    /// What to do if it cannot be printed.
    pub(super) if_lost: &'a str,
}

impl PrintedOnce<'_> {
    pub(super) fn print<M: Message + Name>(&self, format: Format, answer: &M) -> Result<(), Failure> {
        let text = match format {
            Format::Json => json_text(&message_json(answer)?),
            Format::Table | Format::Simple | Format::Detailed => format!("{}\n", shown(self.text)),
        };
        print_once(&text).map_err(|error| self.lost(&error))?;
        if format != Format::Json {
            aside(self.aside);
        }
        Ok(())
    }

    fn lost(&self, error: &io::Error) -> Failure {
        let message =
            format!("standard output cannot be written: {error}: it was done, and the secret was not shown");
        Failure::failed(message, Some(self.if_lost))
    }
}
