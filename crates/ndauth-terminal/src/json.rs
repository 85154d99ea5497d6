//! JSON output for programs.

use ndauth_proto::json::to_value;
use prost::{Message, Name};
use serde_json::Value;

use crate::output::print;
use crate::{Failure, nonsense};

/// Prints a message of the contract as JSON, as the HTTP API has it.
pub fn print_message<M: Message + Name>(message: &M) -> Result<(), Failure> {
    print_json(&message_json(message)?)
}

/// Returns a message of the contract as JSON, as the HTTP API has it. Fails for one that no server of ndauth sends.
pub fn message_json<M: Message + Name>(message: &M) -> Result<Value, Failure> {
    to_value(message).map_err(|why| nonsense(&why.to_string()).into())
}

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
