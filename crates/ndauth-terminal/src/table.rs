//! Tables: whole where they are piped, and at most as wide as the terminal where they are looked at.

use std::io::{self, IsTerminal};

use tabled::Table;
use tabled::builder::Builder;
use tabled::grid::util::string::get_string_width;
use tabled::settings::object::Columns;
use tabled::settings::{Modify, Style, Width};

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

/// The least width of a column, unless its words are shorter.
const NARROW: usize = 8;

impl<const N: usize> Rows<N> {
    /// A table with a header. Where it cannot fit without breaking an id or a prefix, each row is a table of its own.
    pub fn table(&self) -> String {
        self.at(OutputTarget::here())
    }

    fn at(&self, target: OutputTarget) -> String {
        let rows: Vec<Vec<String>> =
            self.rows.iter().map(|row| row.iter().map(|cell| target.cell(cell)).collect()).collect();
        let mut lines = vec![self.titles.map(str::to_owned).to_vec()];
        lines.extend(rows.iter().cloned());
        let Some(widths) = target.widths(&lines, self.last_width) else {
            let each =
                |row: &Vec<String>| two_columns(target, self.titles.into_iter().zip(row.iter().cloned()));
            return rows.iter().map(each).collect();
        };
        let mut table = Builder::from_iter(lines).build();
        if self.rows.is_empty() {
            // Without rows, the rule under the header would replace the bottom border.
            table.with(Style::rounded().remove_horizontals());
        } else {
            table.with(Style::rounded());
        }
        table.modify(Columns::last(), Width::increase(self.last_width));
        fold(table, &widths)
    }
}

/// Formats a table of two columns without a header: names and values.
pub fn detailed(fields: &[(&str, String)]) -> String {
    let target = OutputTarget::here();
    two_columns(target, fields.iter().map(|(name, value)| (*name, target.cell(value))))
}

fn two_columns<'a>(target: OutputTarget, fields: impl Iterator<Item = (&'a str, String)>) -> String {
    let lines: Vec<Vec<String>> = fields.map(|(name, value)| vec![name.to_owned(), value]).collect();
    let widths = target.widths(&lines, 0).unwrap_or_default();
    let mut table = Builder::from_iter(lines).build();
    table.with(Style::rounded().remove_horizontals());
    fold(table, &widths)
}

/// Folds columns to these widths, between words.
fn fold(mut table: Table, widths: &[Option<usize>]) -> String {
    for (column, width) in widths.iter().enumerate() {
        if let Some(width) = width {
            table.with(Modify::new(Columns::one(column)).with(Width::wrap(*width).keep_words(true)));
        }
    }
    format!("{table}\n")
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

    /// The width of each column that must be folded, the widest first; none where the table cannot fit.
    fn widths(self, lines: &[Vec<String>], last: usize) -> Option<Vec<Option<usize>>> {
        let columns = lines.first().map_or(0, Vec::len);
        let OutputTarget::Terminal(available) = self else { return Some(vec![None; columns]) };
        let widest = |column: usize, width: &dyn Fn(&str) -> usize| {
            lines.iter().filter_map(|line| line.get(column)).map(|cell| width(cell)).max().unwrap_or(0)
        };
        let mut natural: Vec<usize> = (0..columns).map(|column| widest(column, &get_string_width)).collect();
        if let Some(width) = natural.last_mut() {
            *width = (*width).max(last);
        }
        let least: Vec<usize> = (0..columns)
            .map(|column| {
                let longest = widest(column, &|cell| words(cell).map(get_string_width).max().unwrap_or(0));
                let title = lines
                    .first()
                    .and_then(|line| line.get(column))
                    .map_or(0, |title| words(title).map(get_string_width).max().unwrap_or(0));
                let whole = widest(column, &|cell| {
                    words(cell).filter(|word| is_whole(word)).map(str::len).max().unwrap_or(0)
                });
                whole.max(title).max(longest.min(NARROW))
            })
            .collect();
        // A border at each side of a cell, and a space within it.
        let available = available.saturating_sub(3 * columns + 1);
        let mut widths = natural.clone();
        while widths.iter().sum::<usize>() > available {
            let foldable = (0..columns).filter(|column| widths[*column] > least[*column]);
            let widest = foldable.max_by_key(|column| widths[*column])?;
            widths[widest] -= 1;
        }
        Some(
            widths.iter().zip(&natural).map(|(width, natural)| (width < natural).then_some(*width)).collect(),
        )
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace()
}

/// True for a word that is copied as a whole: an id, the prefix of a secret, a day.
fn is_whole(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let shape: String = word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let is_id = word.len() == 36 && word.matches('-').count() == 4;
    let is_prefix = word.starts_with("nd") && word.find('_') == Some(5) && word.is_ascii();
    is_id || is_prefix || shape == "0000-00-00"
}

/// Whether a character belongs to a script that is written from right to left (Unicode Standard Annex 9:
/// the blocks whose default class is R or AL).
fn runs_from_right(c: char) -> bool {
    matches!(c,
        '\u{0590}'..='\u{08FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}'
        | '\u{10800}'..='\u{10FFF}' | '\u{1E800}'..='\u{1EFFF}')
}

#[cfg(test)]
mod tests;
