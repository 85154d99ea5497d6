//! JSON output for programs.

use serde_json::Value;

use crate::Failure;
use crate::output::print;

/// Prints a value as JSON.
pub fn print_json(value: &Value) -> Result<(), Failure> {
    print(&json_text(value))
}

/// Formats a value as JSON over several lines. Within strings, characters that could control a terminal are
/// escaped.
pub fn json_text(value: &Value) -> String {
    let pretty = serde_json::to_string_pretty(value).expect("a value is plain data");
    let mut safe = String::with_capacity(pretty.len());
    let mut units = [0; 2];
    for c in pretty.chars() {
        if c != '\n' && ndauth_core::is_unshowable(c) {
            for unit in c.encode_utf16(&mut units) {
                safe.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            safe.push(c);
        }
    }
    safe.push('\n');
    safe
}
