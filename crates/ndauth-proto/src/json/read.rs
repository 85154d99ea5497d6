//! JSON values to messages. A failure names the field by its path, such as `token.grants[0].actions`.

use std::fmt;

use ndauth_core::{Problem, nearest};
use prost::Message;
use prost_reflect::{
    DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor, Value as Field,
};
use serde_json::Value;

use super::form::{MessageForm, enum_value_name, enum_value_number, list_of};
use super::scalar::{LARGEST, parse_duration, parse_instant, parse_permission};
use super::text::shown;

/// The path of a value from the request, which is written only for a failure.
#[derive(Clone, Copy)]
enum FieldPath<'a> {
    /// A name that is known: of a parameter, or empty for a whole request.
    Root(&'a str),
    Field(&'a FieldPath<'a>, &'a str),
    Item(&'a FieldPath<'a>, usize),
}

impl FieldPath<'_> {
    fn invalid(&self, why: impl fmt::Display) -> Problem {
        let path = self.to_string();
        Problem::invalid(if path.is_empty() { "body" } else { &path }, why)
    }
}

impl fmt::Display for FieldPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FieldPath::Root(name) => f.write_str(name),
            FieldPath::Field(FieldPath::Root(""), key) => f.write_str(key),
            FieldPath::Field(path, key) => write!(f, "{path}.{key}"),
            FieldPath::Item(path, index) => write!(f, "{path}[{index}]"),
        }
    }
}

/// Reads a message from an object.
pub fn read_message(message: &MessageDescriptor, value: &Value) -> Result<DynamicMessage, Problem> {
    object(message, FieldPath::Root(""), value)
}

/// Reads a field of a request from a body that is its value.
pub(super) fn read_body(field: &FieldDescriptor, value: &Value) -> Result<Field, Problem> {
    read_field(field, FieldPath::Root(""), value)
}

fn object(
    message: &MessageDescriptor,
    path: FieldPath<'_>,
    value: &Value,
) -> Result<DynamicMessage, Problem> {
    let mut read = DynamicMessage::new(message.clone());
    let entries = value.as_object().ok_or_else(|| path.invalid("expected an object"))?;
    for (key, value) in entries {
        let field = message.get_field_by_name(key).ok_or_else(|| unknown(message, path, key))?;
        let path = FieldPath::Field(&path, key);
        let value = read_field(&field, path, value)?;
        place(&mut read, &field, path, value)?;
    }
    Ok(read)
}

/// Sets a field, unless it or another one of its `oneof` is set already.
pub(super) fn set(
    message: &mut DynamicMessage,
    field: &FieldDescriptor,
    name: &str,
    value: Field,
) -> Result<(), Problem> {
    place(message, field, FieldPath::Root(name), value)
}

fn place(
    message: &mut DynamicMessage,
    field: &FieldDescriptor,
    path: FieldPath<'_>,
    value: Field,
) -> Result<(), Problem> {
    if message.has_field(field) {
        return Err(path.invalid("it is set twice"));
    }
    let rivals = field.containing_oneof();
    let rival = rivals.iter().flat_map(OneofDescriptor::fields).find(|rival| message.has_field(rival));
    if let Some(rival) = rival {
        return Err(path.invalid(format_args!("set either it or `{}`, not both", rival.name())));
    }
    message.set_field(field, value);
    Ok(())
}

/// Reads the value of a field.
fn read_field(field: &FieldDescriptor, path: FieldPath<'_>, value: &Value) -> Result<Field, Problem> {
    if !field.is_list() {
        return read_one(&field.kind(), path, value);
    }
    let items = value.as_array().ok_or_else(|| path.invalid("expected an array"))?;
    let item = |(index, item)| read_one(&field.kind(), FieldPath::Item(&path, index), item);
    items.iter().enumerate().map(item).collect::<Result<_, _>>().map(Field::List)
}

fn read_one(kind: &Kind, path: FieldPath<'_>, value: &Value) -> Result<Field, Problem> {
    if value.is_null() {
        return Err(path.invalid("it is `null`: leave it out instead"));
    }
    let invalid = |why: &str| path.invalid(why);
    let number = |least: i64, most: u64| {
        let fits = |number: &i128| (i128::from(least)..=i128::from(most)).contains(number);
        let number = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
        number.filter(fits).ok_or_else(|| invalid(&format!("expected a whole number from {least} to {most}")))
    };
    let text = || value.as_str().ok_or_else(|| invalid("expected a string"));
    Ok(match kind {
        Kind::Message(message) => Field::Message(read_nested(message, path, value)?),
        Kind::String => Field::String(text()?.to_owned()),
        Kind::Bool => Field::Bool(value.as_bool().ok_or_else(|| invalid("expected `true` or `false`"))?),
        Kind::Enum(values) => Field::EnumNumber(read_enum(values, path, text()?)?),
        Kind::Int32 => {
            let number = number(0, i32::MAX.unsigned_abs().into())?;
            Field::I32(i32::try_from(number).expect("it was compared"))
        }
        Kind::Uint32 => Field::U32(u32::try_from(number(0, u32::MAX.into())?).expect("it was compared")),
        Kind::Uint64 => Field::U64(u64::try_from(number(0, LARGEST)?).expect("it was compared")),
        _ => return Err(invalid("it has no form in JSON")),
    })
}

/// Reads a field from the text of a path or a query.
pub(super) fn read_text(field: &FieldDescriptor, name: &str, text: &str) -> Result<Field, Problem> {
    let number = || text.parse::<u64>().map_or_else(|_| text.into(), Value::from);
    let value = match field.kind() {
        Kind::Int32 | Kind::Uint32 | Kind::Uint64 => number(),
        Kind::Bool => text.parse::<bool>().map_or_else(|_| text.into(), Value::from),
        _ => text.into(),
    };
    read_one(&field.kind(), FieldPath::Root(name), &value)
}

fn read_enum(values: &EnumDescriptor, path: FieldPath<'_>, name: &str) -> Result<i32, Problem> {
    enum_value_number(values, name).ok_or_else(|| {
        let names = values.values().filter_map(|value| enum_value_name(values, value.number()));
        let names = names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        path.invalid(format_args!("expected one of {names}"))
    })
}

/// Reads a message within another one.
fn read_nested(
    message: &MessageDescriptor,
    path: FieldPath<'_>,
    value: &Value,
) -> Result<DynamicMessage, Problem> {
    let text = |parse: fn(&str) -> Result<Vec<u8>, String>| {
        let text = value.as_str().ok_or_else(|| path.invalid("expected a string"))?;
        let bytes = parse(text).map_err(|why| path.invalid(why))?;
        Ok(decoded(message, &bytes))
    };
    match MessageForm::of(message) {
        MessageForm::Instant => text(parse_instant),
        MessageForm::Duration => text(parse_duration),
        MessageForm::Permission => text(parse_permission),
        MessageForm::Empty if value == &Value::Bool(true) => Ok(DynamicMessage::new(message.clone())),
        MessageForm::Empty => Err(path.invalid("expected `true`, or leave it out")),
        MessageForm::Sum => read_sum(message, path, value),
        MessageForm::Object => object(message, path, value),
    }
}

/// Reads one of the sum types: each member has its own form, so at most one fits.
fn read_sum(
    message: &MessageDescriptor,
    path: FieldPath<'_>,
    value: &Value,
) -> Result<DynamicMessage, Problem> {
    for member in message.fields() {
        let read = match (MessageForm::of_field(&member), value) {
            (Some(MessageForm::Empty), Value::String(text)) => {
                (text == member.name()).then(|| decoded_member(&member, &[]))
            }
            (Some(MessageForm::Instant), Value::String(text)) => {
                parse_instant(text).ok().map(|bytes| decoded_member(&member, &bytes))
            }
            (Some(MessageForm::Duration), Value::String(text)) => {
                parse_duration(text).ok().map(|bytes| decoded_member(&member, &bytes))
            }
            (Some(MessageForm::Object), Value::Array(_)) => match list_of(&member) {
                Some(list) => {
                    let Kind::Message(set) = member.kind() else { continue };
                    let mut set = DynamicMessage::new(set);
                    set.set_field(&list, read_field(&list, path, value)?);
                    Some(Field::Message(set))
                }
                None => None,
            },
            (None, Value::Object(keys)) if keys.len() == 1 && keys.contains_key(member.name()) => {
                Some(read_field(&member, FieldPath::Field(&path, member.name()), &keys[member.name()])?)
            }
            _ => None,
        };
        if let Some(read) = read {
            let mut sum = DynamicMessage::new(message.clone());
            sum.set_field(&member, read);
            return Ok(sum);
        }
    }
    let forms = message.fields().map(|member| form(&member)).collect::<Vec<_>>().join(", or ");
    Err(path.invalid(format_args!("expected {forms}")))
}

/// Describes the form of a member of a sum type.
fn form(member: &FieldDescriptor) -> String {
    match MessageForm::of_field(member) {
        Some(MessageForm::Empty) => format!("`\"{}\"`", member.name()),
        Some(MessageForm::Instant) => "an instant such as `\"2027-01-31T12:00:00Z\"`".to_owned(),
        Some(MessageForm::Duration) => "a duration such as `\"90d\"`".to_owned(),
        Some(_) => "an array".to_owned(),
        None => format!("an object with the key `{}`", member.name()),
    }
}

fn decoded_member(member: &FieldDescriptor, bytes: &[u8]) -> Field {
    match member.kind() {
        Kind::Message(message) => Field::Message(decoded(&message, bytes)),
        _ => Field::Bool(false),
    }
}

fn decoded(message: &MessageDescriptor, mut bytes: &[u8]) -> DynamicMessage {
    let mut decoded = DynamicMessage::new(message.clone());
    decoded.merge(&mut bytes).expect("the bytes are one of its messages");
    decoded
}

fn unknown(message: &MessageDescriptor, path: FieldPath<'_>, key: &str) -> Problem {
    let names: Vec<String> = message.fields().map(|field| field.name().to_owned()).collect();
    let meant = nearest(key, names.iter().map(String::as_str));
    let meant = meant.map(|name| format!(": did you mean `{name}`?")).unwrap_or_default();
    FieldPath::Field(&path, &shown(key)).invalid(format_args!("there is no such field{meant}"))
}
