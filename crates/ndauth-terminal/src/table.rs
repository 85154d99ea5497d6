//! Tables: unabridged in a pipe or a file, and no wider than the terminal otherwise.

use std::io::{self, IsTerminal};

use tabled::Table;
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::peaker::Priority;
use tabled::settings::{Style, Width};

use crate::text::shown;

/// A table's content: one title for each column.
pub struct Rows<const N: usize> {
    /// The titles.
    pub titles: [&'static str; N],
    /// The rows.
    pub rows: Vec<[String; N]>,
    /// The minimum width of the last column.
    pub last_width: usize,
}

/// The destination of a table.
#[derive(Clone, Copy)]
enum OutputTarget {
    /// A pipe or a file.
    Stream,
    /// A terminal with this number of columns.
    Terminal(usize),
}

impl<const N: usize> Rows<N> {
    /// Formats the rows as a table with a header.
    pub fn table(&self) -> String {
        self.at(OutputTarget::here())
    }

    fn at(&self, target: OutputTarget) -> String {
        let mut builder = Builder::with_capacity(self.rows.len() + 1, N);
        builder.push_record(self.titles);
        for row in &self.rows {
            builder.push_record(row.iter().map(|cell| target.cell(cell)));
        }
        let mut table = builder.build();
        if self.rows.is_empty() {
            // Without rows, the rule under the header would replace the bottom border.
            table.with(Style::rounded().remove_horizontals());
        } else {
            table.with(Style::rounded());
        }
        table.modify(Columns::last(), Width::increase(self.last_width));
        target.fit(table)
    }
}

/// Formats a table of two columns without a header: names and values.
pub fn detailed(fields: &[(&str, String)]) -> String {
    let target = OutputTarget::here();
    let mut builder = Builder::with_capacity(fields.len(), 2);
    for (name, value) in fields {
        builder.push_record([(*name).to_owned(), target.cell(value)]);
    }
    let mut table = builder.build();
    table.with(Style::rounded().remove_horizontals());
    target.fit(table)
}

impl OutputTarget {
    fn here() -> OutputTarget {
        let out = io::stdout();
        match terminal_size::terminal_size_of(&out) {
            Some((width, _)) if out.is_terminal() => OutputTarget::Terminal(width.0.into()),
            _ => OutputTarget::Stream,
        }
    }

    /// Returns the text of a cell. On a terminal, right-to-left text is isolated, so that it does not reverse
    /// its neighbours.
    fn cell(self, text: &str) -> String {
        let text = shown(text);
        match self {
            OutputTarget::Terminal(_) if text.chars().any(runs_from_right) => {
                format!("\u{2068}{text}\u{2069}")
            }
            OutputTarget::Terminal(_) | OutputTarget::Stream => text,
        }
    }

    fn fit(self, mut table: Table) -> String {
        if let OutputTarget::Terminal(width) = self
            && table.total_width() > width
        {
            table.with(Width::wrap(width).priority(Priority::max(true)).keep_words(true));
        }
        format!("{table}\n")
    }
}

/// Returns true if a character belongs to a right-to-left script (Unicode Standard Annex 9: the blocks whose
/// default class is R or AL).
fn runs_from_right(c: char) -> bool {
    matches!(c,
        '\u{0590}'..='\u{08FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}'
        | '\u{10800}'..='\u{10FFF}' | '\u{1E800}'..='\u{1EFFF}')
}

#[cfg(test)]
mod tests;
