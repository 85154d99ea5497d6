//! Plain text that no reader of mail takes for anything else: no links, no lines that look like ours, no longer lines
//! than mail has.

use ndauth_core::{is_unshowable, redact};

/// The width of a line, in characters.
const WIDTH: usize = 72;
/// The most characters of somebody else's words.
const LONGEST: usize = 200;
const REMOVED: &str = "[link removed]";

/// Returns a name in which no program finds a link: a blank breaks each.
pub(super) fn name(text: &str) -> String {
    let mut broken = String::new();
    let mut characters = cleaned(text).chars().collect::<Vec<_>>().into_iter().peekable();
    while let Some(c) = characters.next() {
        broken.push(c);
        let follows = characters.peek().is_some_and(|next| next.is_alphanumeric() || *next == '/');
        let breaks = match c {
            '.' => characters.peek().is_some_and(|next| next.is_alphabetic()),
            ':' => characters.peek() == Some(&'/'),
            '@' => follows,
            _ => false,
        };
        if breaks {
            broken.push(' ');
        }
    }
    broken
}

/// Returns somebody else's words without links.
pub(super) fn words(text: &str) -> String {
    let kept = |word: &'_ str| if is_link(word) { REMOVED.to_owned() } else { word.to_owned() };
    cleaned(text).split(' ').map(kept).collect::<Vec<_>>().join(" ")
}

/// Returns the reason of a failure for people: without addresses and secrets, on one line.
pub(super) fn problem(text: &str) -> String {
    let kept = |word: &'_ str| if word.contains('@') { "…".to_owned() } else { word.to_owned() };
    cleaned(text).split_whitespace().map(kept).collect::<Vec<_>>().join(" ")
}

/// Wraps a paragraph at the width of a line. Each line begins with `first`, or with `rest`.
pub(super) fn wrapped(text: &str, first: &str, rest: &str) -> String {
    let mut lines = String::new();
    let mut line = first.to_owned();
    let mut is_empty = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let fits = line.chars().count() + word.chars().count() < WIDTH;
        if !is_empty && !fits {
            lines.push_str(line.trim_end());
            lines.push('\n');
            line = rest.to_owned();
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    lines.push_str(line.trim_end());
    lines.push('\n');
    lines
}

/// Returns a text without characters that do not show as they are, without secrets, and not too long.
fn cleaned(text: &str) -> String {
    let text: String = text.chars().map(|c| if is_unshowable(c) { ' ' } else { c }).collect();
    let redacted = redact(&text);
    match redacted.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &redacted[..end]),
        None => redacted.into_owned(),
    }
}

/// Returns true for a word that a reader of mail makes a link of: one with a scheme, an address, or anything in it that may
/// be a domain.
fn is_link(word: &str) -> bool {
    let word = word.to_lowercase();
    let is_part_of_domain = |c: char| c.is_alphanumeric() || c == '-' || c == '.';
    word.contains("://")
        || word.starts_with("www.")
        || word.contains('@')
        || word.contains("mailto:")
        || word.split(|c| !is_part_of_domain(c)).any(is_domain)
}

/// Returns true for two labels or more, the last of which begins with two letters.
fn is_domain(text: &str) -> bool {
    let mut labels = text.trim_matches('.').rsplit('.');
    let last = labels.next().unwrap_or_default();
    last.chars().take_while(|c| c.is_alphabetic()).count() >= 2
        && labels.next().is_some_and(|label| !label.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_no_links() {
        for (text, shown) in [
            ("ci", "ci"),
            ("deploy v1.2", "deploy v1.2"),
            ("prod.example.com", "prod. example. com"),
            ("https://evil.example/login", "https: //evil. example/login"),
            ("ada@example.org", "ada@ example. org"),
            ("a\r\nBcc: x", "a  Bcc: x"),
        ] {
            assert_eq!(name(text), shown);
        }
    }

    #[test]
    fn words_hold_no_links() {
        for (text, shown) in [
            ("seen in a log, e.g. of CI", "seen in a log, e.g. of CI"),
            ("see https://evil.example/login now", "see [link removed] now"),
            ("see HTTP://EVIL now", "see [link removed] now"),
            ("www.evil", "[link removed]"),
            ("evil.example/login?x", "[link removed]"),
            ("(evil.example)", "[link removed]"),
            ("sign in at evil.example.", "sign in at [link removed]"),
            ("evil.example./login", "[link removed]"),
            ("(evil.example.)", "[link removed]"),
            ("see:evil.example", "[link removed]"),
            ("/evil.example", "[link removed]"),
            ("1,evil.example", "[link removed]"),
            ("mail bob@evil.example.", "mail [link removed]"),
            ("version 1.2 of 2026.11", "version 1.2 of 2026.11"),
            ("it leaked. Sorry.", "it leaked. Sorry."),
            ("\u{202e}txet\u{200b} \x1b]0;x\x07", " txet   ]0;x "),
        ] {
            assert_eq!(words(text), shown);
        }
        assert_eq!(words(&"é".repeat(300)).chars().count(), 201);
        let secret = "ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U";
        assert!(!words(&format!("it was {secret}")).contains(&secret[12..]));
    }

    #[test]
    fn problems_name_nobody() {
        assert_eq!(
            problem("550 5.1.1 <ada@example.org>: no such user\r\nsorry"),
            "550 5.1.1 … no such user sorry"
        );
    }

    #[test]
    fn paragraphs_are_wrapped() {
        let text = "word ".repeat(30);
        let shown = wrapped(&text, "> ", "> ");
        assert!(shown.lines().all(|line| line.starts_with("> word") && line.len() < 73), "{shown}");
        assert_eq!(shown.matches("word").count(), 30);
        assert_eq!(wrapped(&"x".repeat(200), "", ""), format!("{}\n", "x".repeat(200)));
        assert_eq!(wrapped("", "", ""), "\n");
    }
}
