//! Lists that look alike.

use ndauth_terminal::{Failure, Rows, detailed, print, print_json, shown};
use serde_json::{Value, json};

use crate::settings::Format;

/// A list in each format: a table, a line or an object a row.
pub(crate) fn listed<const N: usize>(
    format: Format,
    what: &str,
    titles: [&'static str; N],
    keys: [&'static str; N],
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
        Format::Json => {
            let object = |row: [String; N]| {
                let cells = keys.into_iter().zip(row);
                Value::Object(cells.map(|(key, cell)| (key.to_owned(), or_null(cell))).collect())
            };
            let rows: Vec<Value> = rows.into_iter().map(object).collect();
            print_json(&json!({ format!("{what}s"): rows, "total": total }))
        }
    }
}

/// A cell as JSON: `null` where tables show `-`.
fn or_null(cell: String) -> Value {
    if cell == "-" { Value::Null } else { Value::from(cell) }
}
