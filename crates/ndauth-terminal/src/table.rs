//! Tables: whole where they are piped, and at most as wide as the terminal where they are looked at.

use std::cmp::Reverse;
use std::io::{self, IsTerminal};

use tabled::builder::Builder;
use tabled::grid::util::string::get_string_width;
use tabled::settings::object::Columns;
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

/// The least width of a column, unless its words are shorter.
const NARROW: usize = 8;
/// The longest permission that is kept whole.
const PERMISSION: usize = 20;

impl<const N: usize> Rows<N> {
    /// Formats a table with a header. If it cannot fit without breaking an id or a prefix, each row becomes a table
    /// of its own.
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
        let mut table = Builder::from_iter(fold(lines, &widths)).build();
        if self.rows.is_empty() {
            // Without rows, the rule under the header would replace the bottom border.
            table.with(Style::rounded().remove_horizontals());
        } else {
            table.with(Style::rounded());
        }
        if widths.last().is_some_and(Option::is_none) {
            table.modify(Columns::last(), Width::increase(self.last_width));
        }
        format!("{table}\n")
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
    let mut table = Builder::from_iter(fold(lines, &widths)).build();
    table.with(Style::rounded().remove_horizontals());
    format!("{table}\n")
}

/// Folds the cells of each column to its width, between words.
fn fold(lines: Vec<Vec<String>>, widths: &[Option<usize>]) -> Vec<Vec<String>> {
    let cell = |(column, cell): (usize, String)| match widths.get(column).copied().flatten() {
        Some(width) => fold_cell(&cell, width),
        None => cell,
    };
    lines.into_iter().map(|line| line.into_iter().enumerate().map(cell).collect()).collect()
}

/// Folds a text between words; a word that is wider is split.
fn fold_cell(text: &str, width: usize) -> String {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ') {
        if line.is_empty() {
            line.push_str(word);
        } else if get_string_width(&line) + 1 + get_string_width(word) <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(std::mem::replace(&mut line, word.to_owned()));
        }
        while get_string_width(&line) > width {
            let ends = line.char_indices().map(|(start, c)| start + c.len_utf8());
            let fits = ends.take_while(|end| get_string_width(&line[..*end]) <= width).last();
            let Some(end) = fits.filter(|end| *end < line.len()) else { break };
            let rest = line.split_off(end);
            lines.push(std::mem::replace(&mut line, rest));
        }
    }
    lines.push(line);
    lines.join("\n")
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
            OutputTarget::Terminal(_) if text.chars().any(is_right_to_left) => {
                format!("\u{2068}{text}\u{2069}")
            }
            OutputTarget::Terminal(_) | OutputTarget::Stream => text,
        }
    }

    /// The width of each column that must be folded; none where the table cannot fit.
    fn widths(self, lines: &[Vec<String>], last: usize) -> Option<Vec<Option<usize>>> {
        let count = lines.first().map_or(0, Vec::len);
        let OutputTarget::Terminal(available) = self else { return Some(vec![None; count]) };
        let columns: Vec<Vec<&str>> = (0..count)
            .map(|column| lines.iter().filter_map(|line| line.get(column)).map(String::as_str).collect())
            .collect();
        let mut widths: Vec<usize> =
            columns.iter().map(|cells| widest(cells.iter().map(|cell| get_string_width(cell)))).collect();
        if let Some(width) = widths.last_mut() {
            *width = (*width).max(last);
        }
        let natural = widths.clone();
        let least: Vec<usize> = columns.iter().map(|cells| least(cells)).collect();
        // A border at each side of a cell, and a space within it.
        let available = available.saturating_sub(3 * count + 1);
        while widths.iter().sum::<usize>() > available {
            // Words stay whole where that is enough; then the widest column goes first.
            let narrower = (0..count).filter(|column| widths[*column] > least[*column]);
            let (splits, column, width) = narrower
                .map(|column| {
                    let (width, splits) = folded(&columns[column], widths[column] - 1);
                    (splits, column, width.max(least[column]))
                })
                .min_by_key(|(splits, column, _)| (*splits, Reverse(widths[*column])))?;
            widths[column] = if splits { widths[column] - 1 } else { width };
        }
        Some(
            widths.iter().zip(&natural).map(|(width, natural)| (width < natural).then_some(*width)).collect(),
        )
    }
}

/// The least width of a column: nothing that is copied as a whole is broken, nor a word of the title.
fn least(cells: &[&str]) -> usize {
    let longest = widest(cells.iter().flat_map(|cell| words(cell)).map(get_string_width));
    let title = widest(cells.iter().take(1).flat_map(|title| words(title)).map(get_string_width));
    let whole = widest(cells.iter().flat_map(|cell| words(cell)).filter(|word| is_whole(word)).map(str::len));
    whole.max(title).max(longest.min(NARROW))
}

/// The width that a column has once it is folded to a width, and whether a word is split by that.
fn folded(cells: &[&str], width: usize) -> (usize, bool) {
    let (mut most, mut splits) = (0, false);
    for cell in cells {
        let mut line = 0;
        for word in words(cell).map(get_string_width) {
            splits |= word > width;
            line = if line == 0 || line + 1 + word > width { word } else { line + 1 + word };
            most = most.max(line.min(width));
        }
    }
    (most, splits)
}

fn widest(widths: impl Iterator<Item = usize>) -> usize {
    widths.max().unwrap_or(0)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace()
}

/// True for a word that is copied as a whole: an id, the prefix of a secret, a day, a permission.
fn is_whole(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let shape: String = word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let is_id = word.len() == 36 && word.matches('-').count() == 4;
    let is_prefix = word.starts_with("nd") && word.find('_') == Some(5) && word.is_ascii();
    let is_permission = word.len() <= PERMISSION
        && word.split_once(':').is_some_and(|(action, of)| {
            !of.is_empty() && !action.is_empty() && action.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        });
    is_id || is_prefix || is_permission || shape == "0000-00-00"
}

/// Returns true if a character belongs to a script that is written from right to left (Unicode Standard Annex 9:
/// the blocks whose default class is R or AL).
fn is_right_to_left(c: char) -> bool {
    matches!(c,
        '\u{0590}'..='\u{08FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}'
        | '\u{10800}'..='\u{10FFF}' | '\u{1E800}'..='\u{1EFFF}')
}

#[cfg(test)]
mod tests;
