//! CSV (RFC 4180) that a spreadsheet opens without running any of it.

use ndauth_proto::v1;

use super::events::fields;

/// The columns, by the names of the fields of an event.
const COLUMNS: [&str; 21] = [
    "Event",
    "When",
    "Kind",
    "What",
    "Outcome",
    "By",
    "By account",
    "By org",
    "By token",
    "By service",
    "By session",
    "Account",
    "Org",
    "Token",
    "Service",
    "Reason",
    "Note",
    "Address",
    "Client",
    "Request",
    "Hash",
];

/// Returns the first line.
pub(super) fn head() -> String {
    line(COLUMNS.iter().copied())
}

/// Returns the line of an event.
pub(super) fn row(event: &v1::AuditEvent) -> String {
    let fields = fields(event);
    let cell = |column: &&str| fields.iter().find(|(name, _)| name == column).map_or("", |(_, value)| value);
    line(COLUMNS.iter().map(cell))
}

fn line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let cells: Vec<String> = cells.map(quoted).collect();
    format!("{}\r\n", cells.join(","))
}

/// Quotes a cell. One that a spreadsheet would take for a formula begins with an apostrophe (OWASP, "CSV Injection").
fn quoted(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let guard = if is_formula { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (text, cell) in [
            ("ci", "\"ci\""),
            ("=cmd()", "\"'=cmd()\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@a", "\"'@a\""),
            ("\tx", "\"'\tx\""),
            ("a \"b\", c", "\"a \"\"b\"\", c\""),
            ("", "\"\""),
        ] {
            assert_eq!(quoted(text), cell);
        }
        assert_eq!(head().matches(',').count(), COLUMNS.len() - 1);
        assert_eq!(row(&v1::AuditEvent::default()).matches("\",\"").count(), COLUMNS.len() - 1);
    }
}
