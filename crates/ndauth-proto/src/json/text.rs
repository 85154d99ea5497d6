//! JSON text, read strictly: no key twice, no deep nesting, not many values.

use std::cell::Cell;
use std::fmt;

use ndauth_core::{Problem, Reason, is_unshowable, redact};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The most arrays and objects within each other.
pub const DEEPEST: usize = 16;
/// The most values. The largest batch of questions has fewer; each takes far more memory than text.
pub const MOST_VALUES: usize = 20_000;

/// Parses a JSON text (RFC 8259). Refuses a key that an object has twice, nesting beyond [`DEEPEST`], and more than
/// [`MOST_VALUES`]. No message quotes a value, since one may be a secret.
pub fn parse(text: &[u8]) -> Result<Value, Problem> {
    let mut parser = serde_json::Deserializer::from_slice(text);
    let value = Nested { depth: 0, values: &Cell::new(0) }
        .deserialize(&mut parser)
        .and_then(|value| parser.end().map(|()| value));
    value.map_err(|why| Problem::new(Reason::InvalidArgument, format!("the body is not valid JSON: {why}")))
}

/// A value within so many arrays and objects, after so many values.
#[derive(Clone, Copy)]
struct Nested<'a> {
    depth: usize,
    values: &'a Cell<usize>,
}

impl Nested<'_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        match self.depth {
            DEEPEST => Err(E::custom(format_args!("it is nested deeper than {DEEPEST} levels"))),
            depth => Ok(Nested { depth: depth + 1, ..self }),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Nested<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<Value, D::Error> {
        if self.values.replace(self.values.get() + 1) >= MOST_VALUES {
            return Err(D::Error::custom(format_args!("it has more than {MOST_VALUES} values")));
        }
        parser.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nested<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let (inner, mut values) = (self.deeper()?, Vec::new());
        while let Some(value) = items.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let (inner, mut values) = (self.deeper()?, Map::new());
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(inner)?;
            if values.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key `{}` is there twice", shown(&key))));
            }
            values.insert(key, value);
        }
        Ok(Value::Object(values))
    }
}

/// Returns the start of a key, without characters that could mislead a reader, and without a secret.
pub(super) fn shown(key: &str) -> String {
    redact(key).chars().filter(|c| !is_unshowable(*c)).take(40).collect()
}
