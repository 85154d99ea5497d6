//! Text made safe for terminals: no control character reaches a terminal raw.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use ndauth_core::{is_unshowable, redact};

/// Returns a text as one line, with everything escaped that could control a terminal.
pub fn shown(text: &str) -> String {
    escaped(text, |_| false)
}

/// Returns a text of several lines, escaped in the same way.
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

/// Returns true for the joiners and variation selectors that emoji and several scripts need.
fn joins(c: char) -> bool {
    matches!(c, '\u{200C}' | '\u{200D}' | '\u{FE00}'..='\u{FE0F}')
}

/// Prints a line beside the data, on standard error. A secret in it is cut down to its prefix.
pub fn aside(text: &str) {
    // If standard error is closed, there is nowhere to report it.
    let _ = writeln!(anstream::stderr(), "{}", shown_lines(&redact(text)));
}

/// Prints an error, labelled in red.
pub(crate) fn error(text: &str) {
    labelled("error", AnsiColor::Red, text);
}

/// Prints a warning, labelled in yellow.
pub fn warn(text: &str) {
    labelled("warning", AnsiColor::Yellow, text);
}

/// Prints a hint for what to do next, labelled in cyan.
pub fn hint(text: &str) {
    labelled("hint", AnsiColor::Cyan, text);
}

fn labelled(label: &str, colour: AnsiColor, text: &str) {
    let style = Style::new().bold().fg_color(Some(colour.into()));
    let _ = writeln!(anstream::stderr(), "{style}{label}:{style:#} {}", shown_lines(&redact(text)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(shown("plain 日本語 👩\u{200D}💻"), "plain 日本語 👩\u{200D}💻");
        assert_eq!(shown("\u{1b}[31mred\u{7}"), "\\u{1b}[31mred\\u{7}");
        assert_eq!(shown("a\u{9b}b\nc"), "a\\u{9b}b\\u{a}c");
        assert_eq!(shown("x\u{202e}y"), "x\\u{202e}y");
        assert_eq!(shown_lines("a\n\u{1b}b"), "a\n\\u{1b}b");
    }
}
