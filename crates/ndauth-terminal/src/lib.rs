//! What the binaries of ndauth do at a terminal.
//!
//! Text that no terminal obeys, tables that fit it, failures with their hints, settings from flags,
//! variables and files, and the manuals that are made of the command line itself. Nothing here knows what
//! a command does.

pub mod environment;

mod shell;
mod text;

mod exposed;
mod failure;
mod table;

mod output;

mod json;
mod token;

pub mod manual;
pub mod settings;

pub use environment::plain;
pub use exposed::ExposedFile;
pub use failure::{EXIT_CODES, Failure, InvalidCommandLine, exit_code};
pub use json::{json_text, print_json};
pub use ndauth_core::nearest;
pub use output::{print, print_once, usage};
pub use shell::quoted;
pub use table::{Rows, detailed};
pub use text::{aside, hint, shown, warn};
pub use token::{
    PlaceShown, RevocationShown, RotationShown, SecretShown, TokenShown, ago, day, expiry_json, grants_json,
    minute, nonsense, told,
};
