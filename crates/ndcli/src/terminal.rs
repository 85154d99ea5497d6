//! Questions to the person at the terminal, and durations in words.

use std::io::{self, IsTerminal, Read, Write};
use std::time::Duration;

use ndauth_terminal::environment::variable;
use ndauth_terminal::{Failure, aside, shown};
pub(crate) use ndauth_terminal::{asks, confirm, require_terminal};

/// Lets a person choose one of several; none where they choose nothing.
pub(crate) fn choose(question: &str, choices: &[String]) -> Result<Option<String>, Failure> {
    let mut err = io::stderr();
    for (number, choice) in (1..).zip(choices) {
        writeln!(err, "  {number}) {}", shown(choice))?;
    }
    write!(err, "{} [1-{}]: ", shown(question), choices.len())?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    let answer = answer.trim();
    let by_name = choices.iter().find(|choice| *choice == answer);
    let by_number = || choices.get(answer.parse::<usize>().ok()?.checked_sub(1)?);
    Ok(by_name.or_else(by_number).cloned())
}

/// Reads a secret from standard input, without the line break behind it.
pub(crate) fn secret_from_stdin() -> Result<String, Failure> {
    /// More bytes than any secret has, so that longer input is recognized as no secret.
    const ENOUGH: u64 = 4096;
    if io::stdin().is_terminal() {
        aside("paste the secret, press Enter, then Ctrl-D:");
    }
    let mut text = String::new();
    io::stdin().take(ENOUGH).read_to_string(&mut text).map_err(|error| {
        Failure::failed(format!("cannot read the secret from standard input: {error}"), None)
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Returns true if the terminal can redraw lines.
pub(crate) fn moves() -> bool {
    io::stderr().is_terminal() && variable("TERM").is_some_and(|term| term != "dumb")
}

/// Formats a duration roughly: in days, hours or minutes.
pub(crate) fn format_remaining(left: Duration) -> String {
    let seconds = left.as_secs();
    let (count, unit) = match seconds {
        0..3600 => (seconds / 60, "minute"),
        3600..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}
