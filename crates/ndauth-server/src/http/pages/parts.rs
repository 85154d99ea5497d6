//! The parts that pages are made of, as the macros of `templates/components.html` show them. Each text is ready to be
//! read; an empty one is left out.

use std::time::Duration;

use ndauth_authority::OpenVisit;
use ndauth_core::{Expiry, ExpiryChoice, Lifetime, OVERLAP, Since, Timestamp};

use crate::http::fields::Fields;
use crate::http::problem::{PageError, sentence};

/// The frame of a page: the person, the place in the navigation, and how the last act ended.
#[derive(Default)]
pub(super) struct Frame {
    pub(super) handle: String,
    pub(super) is_operator: bool,
    /// The entry of the navigation: `tokens`, `orgs`, `operator` or `me`.
    pub(super) section: &'static str,
    /// The act that was just done.
    pub(super) done: String,
    /// The error that the page shows again.
    pub(super) wrong: String,
}

/// An instant. `machine` is RFC 3339 in UTC; a script shows it in local time if `text` is exact.
#[derive(Clone, Debug, Default)]
pub(super) struct Instant {
    pub(super) machine: String,
    pub(super) text: String,
    pub(super) is_exact: bool,
}

/// A short mark of a state. Its tone is never the only sign.
pub(super) struct Badge {
    /// `good`, `info`, `warn`, `bad` or `idle`.
    pub(super) tone: &'static str,
    pub(super) text: String,
}

/// A choice of a select, or of a group of checkboxes or radio buttons.
#[derive(Clone, Debug, Default)]
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) label: String,
    pub(super) note: String,
    pub(super) is_chosen: bool,
    pub(super) is_barred: bool,
}

/// A term, and the lines or the instant that it has.
pub(super) struct Fact {
    pub(super) term: &'static str,
    pub(super) lines: Vec<String>,
    pub(super) instant: Instant,
}

/// A tab of a section.
pub(super) struct Tab {
    pub(super) href: String,
    pub(super) text: &'static str,
    pub(super) is_current: bool,
}

/// An error in a field of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FieldError {
    /// The field's name in the form.
    pub(super) field: &'static str,
    /// The text, in whole sentences.
    pub(super) text: String,
}

/// The links to other pages of a list.
#[derive(Default)]
pub(super) struct Pager {
    pub(super) text: String,
    pub(super) first: String,
    pub(super) next: String,
}

/// The overlaps of a rotation to choose from.
pub(super) const OVERLAPS: &[(&str, &str)] = &[
    ("0", "None: the old secret ends at once"),
    ("1h", "1 hour"),
    ("24h", "24 hours"),
    ("7d", "7 days"),
    ("30d", "30 days"),
];

impl Frame {
    /// Returns the frame of a page for the visiting person.
    pub(super) fn new(visit: &OpenVisit, section: &'static str) -> Frame {
        Frame {
            handle: visit.account.handle.to_string(),
            is_operator: visit.account.operator,
            section,
            done: String::new(),
            wrong: String::new(),
        }
    }
}

impl Instant {
    /// Returns a text in place of an instant, such as `never`.
    pub(super) fn word(text: &str) -> Instant {
        Instant { text: text.to_owned(), ..Instant::default() }
    }

    /// Returns an instant by its minute.
    pub(super) fn at(at: Timestamp) -> Instant {
        Instant { machine: machine(at), text: at.minute(), is_exact: true }
    }

    /// Returns an instant by its day.
    pub(super) fn day(at: Timestamp) -> Instant {
        Instant { machine: machine(at), text: at.date(), is_exact: true }
    }

    /// Returns a past instant by its age.
    pub(super) fn ago(at: Timestamp, now: Timestamp) -> Instant {
        Instant { machine: machine(at), text: age(at, now), is_exact: false }
    }

    /// Returns the minute of an end, or `never`.
    pub(super) fn end(end: Expiry) -> Instant {
        match end {
            Expiry::At(end) => Instant::at(end),
            Expiry::Never => Instant::word("never"),
        }
    }
}

/// Returns an instant as HTML states it: a fraction of a second has three digits at most.
fn machine(at: Timestamp) -> String {
    let time = at.to_utc().time();
    format!("{}T{:02}:{:02}:{:02}Z", at.date(), time.hour(), time.minute(), time.second())
}

impl Badge {
    pub(super) fn new(tone: &'static str, text: impl Into<String>) -> Badge {
        Badge { tone, text: text.into() }
    }
}

impl Choice {
    pub(super) fn new(value: &str, label: &str, is_chosen: bool) -> Choice {
        Choice { value: value.to_owned(), label: label.to_owned(), is_chosen, ..Choice::default() }
    }

    /// Returns the choices of a select, of which one is chosen.
    pub(super) fn of(choices: &[(&str, &str)], chosen: &str) -> Vec<Choice> {
        choices.iter().map(|(value, label)| Choice::new(value, label, *value == chosen)).collect()
    }
}

impl Fact {
    pub(super) fn new(term: &'static str, line: impl Into<String>) -> Fact {
        Fact { term, lines: vec![line.into()], instant: Instant::default() }
    }

    pub(super) fn at(term: &'static str, instant: Instant) -> Fact {
        Fact { term, lines: Vec::new(), instant }
    }
}

impl FieldError {
    pub(super) fn new(field: &'static str, text: &str) -> FieldError {
        FieldError { field, text: sentence(text) }
    }
}

/// Splits a text at blanks, commas and line ends.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty())
}

/// Returns the time since an instant in words, such as `3 days ago`.
pub(super) fn age(at: Timestamp, now: Timestamp) -> String {
    let since = Since { at, as_of: now }.to_string();
    since.split_once(" (").map_or(since.clone(), |(age, _)| age.to_owned())
}

/// Returns a text with its first letter in upper case.
pub(super) fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Returns the sentence about the act that was just done, by its code in the query. A code that is none of these says
/// nothing.
pub(super) fn done_text(known: &[(&str, &str)], query: &Fields) -> String {
    let code = query.text("done");
    known.iter().find(|(known, _)| *known == code).map_or("", |(_, text)| text).to_owned()
}

/// Reads the overlap of a rotation from its form.
pub(super) fn overlap(form: &Fields) -> Result<Duration, PageError> {
    match form.get("overlap") {
        None => Ok(OVERLAP),
        Some("0") => Ok(Duration::ZERO),
        Some(text) => match ExpiryChoice::parse_duration(text) {
            Ok(ExpiryChoice::In(Lifetime::For(overlap))) => Ok(overlap),
            _ => Err(PageError::bad("Expected an overlap such as “24h” or “7d”.")),
        },
    }
}
