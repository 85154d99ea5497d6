//! Pictures that the server draws: the life of a token on a line, and the number of tokens as bars. Each has a twin in
//! text.

use ndauth_authority::{AGES, IDLE, TokenCounts};

use super::parts::Instant;

/// Rows of bars, which are also a table.
#[derive(Default)]
pub(super) struct Bars {
    pub(super) title: &'static str,
    /// The title of the rows' column.
    pub(super) column: &'static str,
    pub(super) rows: Vec<CountBar>,
}

pub(super) struct CountBar {
    pub(super) label: String,
    /// The link to the tokens that are counted. Empty if the list cannot show just them.
    pub(super) href: String,
    pub(super) count: u64,
    /// The length, in percent of the longest.
    pub(super) share: u64,
    /// `warn` or `idle`, or empty.
    pub(super) tone: &'static str,
}

/// The life of a token on a line.
pub(super) struct LifeLine {
    /// The line in words.
    pub(super) title: String,
    pub(super) spans: Vec<Span>,
    pub(super) marks: Vec<Mark>,
}

/// A part of the line, in percent of its length.
pub(super) struct Span {
    /// `ahead`, `lived` or `overlap`.
    pub(super) kind: &'static str,
    pub(super) from: u64,
    pub(super) to: u64,
}

/// An instant on the line.
pub(super) struct Mark {
    /// The place, in percent of the line's length.
    pub(super) at: u64,
    /// `made`, `rotated`, `used`, `now`, `retires`, `ends` or `dead`.
    pub(super) kind: &'static str,
    pub(super) word: &'static str,
    pub(super) instant: Instant,
    pub(super) ago: String,
}

impl Bars {
    /// Returns the live tokens by the time since they were made.
    pub(super) fn by_age(counts: &TokenCounts, _: &str) -> Bars {
        let labels = ["Within 7 days", "8 to 30 days ago", "31 to 90 days ago", "91 to 365 days ago"];
        debug_assert_eq!(labels.len(), AGES.len(), "each age has its label");
        let mut rows = Vec::new();
        let mut before = 0;
        for (label, within) in labels.into_iter().zip(counts.made_within) {
            rows.push(CountBar::new(label, within - before, ""));
            before = within;
        }
        rows.push(CountBar::new("Before", counts.live - before, "warn"));
        Bars::of("Live tokens by age", "Made", rows)
    }

    /// Returns the live tokens by the time since they were used.
    pub(super) fn by_use(counts: &TokenCounts, base: &str) -> Bars {
        let labels = ["Within 24 hours", "Within 7 days", "Within 30 days"];
        debug_assert_eq!(labels.len(), IDLE.len(), "each time has its label");
        let mut rows = Vec::new();
        let mut before = 0;
        for (label, within) in labels.into_iter().zip(counts.used_within) {
            rows.push(CountBar::new(label, within - before, ""));
            before = within;
        }
        let long_ago = counts.live - before - counts.never_used;
        rows.push(CountBar {
            href: format!("{base}?unused_for=30d&sort=used"),
            ..CountBar::new("Before", long_ago, "warn")
        });
        rows.push(CountBar {
            href: format!("{base}?sort=used"),
            ..CountBar::new("Never", counts.never_used, "idle")
        });
        Bars::of("Live tokens by last use", "Last used", rows)
    }

    fn of(title: &'static str, column: &'static str, mut rows: Vec<CountBar>) -> Bars {
        let most = rows.iter().map(|bar| bar.count).max().unwrap_or_default().max(1);
        for bar in &mut rows {
            // A bar of few tokens among many is still seen.
            bar.share = if bar.count == 0 { 0 } else { (bar.count * 100 / most).max(1) };
        }
        Bars { title, column, rows }
    }
}

impl CountBar {
    fn new(label: &str, count: u64, tone: &'static str) -> CountBar {
        CountBar { label: label.to_owned(), href: String::new(), count, share: 0, tone }
    }
}
