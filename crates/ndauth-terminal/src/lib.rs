//! Terminal input and output of ndauth's binaries.
//!
//! This crate holds text that cannot control the terminal, tables that fit it, failures with their hints,
//! settings from flags, variables and files, and manuals generated from the command line. It knows nothing
//! about individual commands.

pub mod environment;

mod instant;
mod shell;
mod text;

mod exposed;
mod failure;
mod table;

mod confirm;
mod help;
mod output;

mod completion;
mod usage;

mod token;

mod json;

pub mod manual;
pub mod settings;

pub use completion::{Shell, bash_asks, complete_if_asked, print_completions};
pub use confirm::{asks, confirm, require_terminal};
pub use environment::plain;
pub use exposed::ExposedFile;
pub use failure::{EXIT_CODES, Failure, InvalidCommandLine, exit_code};
pub use help::{CommandHelp, help_of, with_help};
pub use instant::instant;
pub use json::{json_text, message_json, print_json, print_message};
pub use ndauth_core::nearest;
pub use output::{print, print_once};
pub use shell::quoted;
pub use table::{Rows, detailed};
pub use text::{aside, hint, shown, warn};
pub use token::{
    PlaceShown, RevocationShown, RotationShown, SecretShown, TokenShown, ago, day, minute, names_or_all,
    nonsense, required_timestamp, who_can_change,
};
pub use usage::{Habit, usage};
