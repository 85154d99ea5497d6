//! The cursors of lists, as texts that clients send back.

use ndauth_authority::{Cursor, Key};

/// Returns the `next_page_token` of a place in a list.
pub(crate) fn page_token(cursor: Option<&Cursor>) -> String {
    cursor.map_or_else(String::new, |cursor| match &cursor.key {
        Key::Micros(0) => cursor.id.to_string(),
        Key::Micros(micros) => format!("{}@{micros}", cursor.id),
        Key::Text(text) => format!("{}:{text}", cursor.id),
    })
}

/// Reads the text of a cursor.
pub(crate) fn cursor(text: &str) -> Option<Cursor> {
    let (id, rest) = text.split_at_checked(36)?;
    let key = match rest.chars().next() {
        None => Key::Micros(0),
        Some('@') => Key::Micros(rest[1..].parse().ok()?),
        // No name has a NUL, and PostgreSQL refuses a query with one.
        Some(':') => Key::Text(Some(&rest[1..]).filter(|text| !text.contains('\0'))?.to_owned()),
        Some(_) => return None,
    };
    Some(Cursor { key, id: id.parse().ok()? })
}
