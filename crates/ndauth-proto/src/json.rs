//! The contract's messages as JSON: one mapping, driven by the descriptors.
//!
//! Names are snake_case, instants RFC 3339, durations `"90d"` or `"3600s"`, and the values of an enum its names without
//! their prefix. A message without contents is `true`. The [sum types](SUM_TYPES) are written as people write them:
//! `"all"` or `["ops"]`, `"never"` or an instant. A field that is absent is left out, and `null` is refused.
//!
//! ```
//! use ndauth_proto::{json, v1};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let text = r#"{ "name": "ci", "scope": "RO", "orgs": ["ops"], "grants": "all", "expiry": "30d" }"#;
//! let token: v1::NewToken = json::from_text(text.as_bytes())?;
//! assert_eq!((token.name.as_str(), token.scope()), ("ci", v1::Scope::Ro));
//! assert_eq!(json::to_value(&token)?["expiry"], "30d");
//! # Ok(())
//! # }
//! ```

mod descriptors;

mod form;
mod scalar;

mod text;

mod read;
mod write;

mod binding;

use ndauth_core::Problem;
use prost::{Message, Name};
use prost_reflect::MessageDescriptor;
use serde_json::Value;

pub use binding::{BodyOf, HttpBinding, Parameter, PathSegment, WITHOUT_BINDING, bindings};
pub use descriptors::descriptors;
pub use form::{MINTING, MessageForm, SUM_TYPES, enum_value_name, is_secret};
pub use read::read_message;
pub use text::{DEEPEST, MOST_VALUES, parse};
pub use write::{NoJson, write};

/// Returns the JSON of a message. Fails for one that holds a secret, except those that mint one.
pub fn to_value<M: Message + Name>(message: &M) -> Result<Value, NoJson> {
    let text = write(&descriptor::<M>(), &message.encode_to_vec())?;
    Ok(serde_json::from_str(&text).expect("it is JSON"))
}

/// Parses a message.
pub fn from_text<M: Message + Name + Default>(text: &[u8]) -> Result<M, Problem> {
    let message = read_message(&descriptor::<M>(), &parse(text)?)?;
    Ok(message.transcode_to().expect("a message of the descriptors is one of the contract"))
}

fn descriptor<M: Name>() -> MessageDescriptor {
    descriptors().get_message_by_name(&M::full_name()).expect("every message has a descriptor")
}

#[cfg(test)]
mod tests;
