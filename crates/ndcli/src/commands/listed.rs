//! Lists and changes, shown alike.

use ndauth_terminal::{Failure, Rows, detailed, print, print_message, shown};
use prost::{Message, Name};

use crate::settings::Format;

/// Shows a list in each format: as a table, with a line or a table for each row, or as the response is.
pub(crate) fn listed<M: Message + Name, const N: usize>(
    format: Format,
    answer: &M,
    what: &str,
    titles: [&'static str; N],
    rows: Vec<[String; N]>,
) -> Result<(), Failure> {
    let total = rows.len();
    match format {
        Format::Table => {
            print(&format!("{}Total: {total} {what}(s)\n", Rows { titles, rows, last_width: 0 }.table()))
        }
        Format::Simple => {
            print(&rows.iter().map(|row| format!("• {}\n", shown(&row.join(" ")))).collect::<String>())
        }
        Format::Detailed => {
            let each = |row: [String; N]| detailed(&titles.into_iter().zip(row).collect::<Vec<_>>());
            print(&format!("{}Total: {total} {what}(s)\n", rows.into_iter().map(each).collect::<String>()))
        }
        Format::Json => print_message(answer),
    }
}

/// Shows a change: in a sentence, or as the response is.
pub(crate) fn done<M: Message + Name>(format: Format, answer: &M, sentence: &str) -> Result<(), Failure> {
    match format {
        Format::Table | Format::Simple | Format::Detailed => print(&format!("✓ {sentence}\n")),
        Format::Json => print_message(answer),
    }
}
