//! Confirmation of what cannot be undone.

use std::io::{self, IsTerminal, Write};

use crate::failure::Failure;
use crate::text::shown;

/// True where there is a person to ask.
pub fn asks() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Fails where there is no terminal to ask on, and names the flag that answers.
pub fn require_terminal(flag: &str) -> Result<(), Failure> {
    if asks() {
        return Ok(());
    }
    let message = "this asks for a confirmation, and there is no terminal to ask on";
    Err(Failure::usage(message, format!("use `{flag}` to confirm")))
}

/// Asks a question whose answer is yes or no; an empty line means no. Fails where there is no terminal.
pub fn confirm(question: &str, flag: &str) -> Result<bool, Failure> {
    require_terminal(flag)?;
    let mut err = io::stderr();
    write!(err, "{} ", shown(question))?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
