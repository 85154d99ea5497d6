//! The terminal: nothing reaches it raw that could command it.

use std::io::{self, IsTerminal, Read, Write};

use ndauth_core::is_unshowable;

use crate::failure::Failure;

/// A text as one line that a terminal shows and never obeys.
pub(crate) fn shown(text: &str) -> String {
    escaped(text, |_| false)
}

/// A text of several lines, made safe in the same way.
fn shown_lines(text: &str) -> String {
    escaped(text, |c| c == '\n')
}

fn escaped(text: &str, keep: fn(char) -> bool) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unshowable(c) && !keep(c) && !joins(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// What emoji and several scripts need between their characters.
fn joins(c: char) -> bool {
    matches!(c, '\u{200C}' | '\u{200D}' | '\u{FE00}'..='\u{FE0F}')
}

/// Prints to standard output, as far as whoever reads it wants to read.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Says something beside the data, on standard error.
pub(crate) fn aside(text: &str) {
    // Where standard error is closed, nobody listens.
    let _ = writeln!(io::stderr(), "{}", shown_lines(text));
}

/// Asks a question whose answer is yes or no; no is what an empty line means.
///
/// There must be a person to ask: without a terminal it fails and names the flag that answers.
pub(crate) fn confirm(question: &str, flag: &str) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        let message = "this asks for a confirmation, and there is no terminal to ask on";
        return Err(Failure::usage(message, &format!("say `{flag}` to confirm")));
    }
    let mut err = io::stderr();
    write!(err, "{} ", shown(question))?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Reads a secret from standard input, without the line break behind it.
pub(crate) fn secret_from_stdin() -> Result<String, Failure> {
    /// More than any secret; what is longer is told from what is not.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_commands_a_terminal_is_shown_raw() {
        assert_eq!(shown("plain 日本語 👩\u{200D}💻"), "plain 日本語 👩\u{200D}💻");
        assert_eq!(shown("\u{1b}[31mred\u{7}"), "\\u{1b}[31mred\\u{7}");
        assert_eq!(shown("a\u{9b}b\nc"), "a\\u{9b}b\\u{a}c");
        assert_eq!(shown("x\u{202e}y"), "x\\u{202e}y");
        assert_eq!(shown_lines("a\n\u{1b}b"), "a\n\\u{1b}b");
    }
}
