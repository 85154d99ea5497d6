//! JSON values to messages. A failure names the field by its path, such as `token.grants[0].actions`.

use ndauth_core::{Problem, nearest};
use prost::Message;
use prost_reflect::{
    DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor, Value as Field,
};
use serde_json::Value;

use super::form::{MessageForm, enum_value_name, enum_value_number, list_of};
use super::scalar::{LARGEST, parse_duration, parse_instant, parse_permission};
use super::text::shown;

/// Reads a message from an object. Its path is empty for a whole request.
pub fn read_message(
    message: &MessageDescriptor,
    path: &str,
    value: &Value,
) -> Result<DynamicMessage, Problem> {
    let mut read = DynamicMessage::new(message.clone());
    for (key, value) in object(path, value)? {
        let field = message.get_field_by_name(key).ok_or_else(|| unknown(message, path, key))?;
        let path = join(path, key);
        let value = read_field(&field, &path, value)?;
        set(&mut read, &field, &path, value)?;
    }
    Ok(read)
}

/// Sets a field, unless it or another one of its `oneof` is set already.
pub(super) fn set(
    message: &mut DynamicMessage,
    field: &FieldDescriptor,
    path: &str,
    value: Field,
) -> Result<(), Problem> {
    if message.has_field(field) {
        return Err(Problem::invalid(path, "it is set twice"));
    }
    let rivals = field.containing_oneof();
    let rival = rivals.iter().flat_map(OneofDescriptor::fields).find(|rival| message.has_field(rival));
    if let Some(rival) = rival {
        return Err(Problem::invalid(path, format!("set either it or `{}`, not both", rival.name())));
    }
    message.set_field(field, value);
    Ok(())
}

/// Reads the value of a field.
pub fn read_field(field: &FieldDescriptor, path: &str, value: &Value) -> Result<Field, Problem> {
    if !field.is_list() {
        return read_one(&field.kind(), path, value);
    }
    let items = value.as_array().ok_or_else(|| Problem::invalid(path, "expected an array"))?;
    let item = |(index, item)| read_one(&field.kind(), &format!("{path}[{index}]"), item);
    items.iter().enumerate().map(item).collect::<Result<_, _>>().map(Field::List)
}

fn read_one(kind: &Kind, path: &str, value: &Value) -> Result<Field, Problem> {
    if value.is_null() {
        return Err(Problem::invalid(path, "it is `null`: leave it out instead"));
    }
    let invalid = |why: &str| Problem::invalid(path, why);
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
pub(super) fn read_text(field: &FieldDescriptor, path: &str, text: &str) -> Result<Field, Problem> {
    let number = || text.parse::<u64>().map_or_else(|_| text.into(), Value::from);
    let value = match field.kind() {
        Kind::Int32 | Kind::Uint32 | Kind::Uint64 => number(),
        Kind::Bool => text.parse::<bool>().map_or_else(|_| text.into(), Value::from),
        _ => text.into(),
    };
    read_one(&field.kind(), path, &value)
}

fn read_enum(values: &EnumDescriptor, path: &str, name: &str) -> Result<i32, Problem> {
    enum_value_number(values, name).ok_or_else(|| {
        let names = values.values().filter_map(|value| enum_value_name(values, value.number()));
        let names = names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        Problem::invalid(path, format!("expected one of {names}"))
    })
}

/// Reads a message within another one.
fn read_nested(message: &MessageDescriptor, path: &str, value: &Value) -> Result<DynamicMessage, Problem> {
    let text = |parse: fn(&str) -> Result<Vec<u8>, String>| {
        let text = value.as_str().ok_or_else(|| Problem::invalid(path, "expected a string"))?;
        let bytes = parse(text).map_err(|why| Problem::invalid(path, why))?;
        Ok(decoded(message, &bytes))
    };
    match MessageForm::of(message) {
        MessageForm::Instant => text(parse_instant),
        MessageForm::Duration => text(parse_duration),
        MessageForm::Permission => text(parse_permission),
        MessageForm::Empty if value == &Value::Bool(true) => Ok(DynamicMessage::new(message.clone())),
        MessageForm::Empty => Err(Problem::invalid(path, "expected `true`, or leave it out")),
        MessageForm::Sum => read_sum(message, path, value),
        MessageForm::Object => read_message(message, path, value),
    }
}

/// Reads one of the sum types: each member has its own form, so at most one fits.
fn read_sum(message: &MessageDescriptor, path: &str, value: &Value) -> Result<DynamicMessage, Problem> {
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
                Some(read_field(&member, &join(path, member.name()), &keys[member.name()])?)
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
    Err(Problem::invalid(path, format!("expected {forms}")))
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

fn object<'a>(path: &str, value: &'a Value) -> Result<&'a serde_json::Map<String, Value>, Problem> {
    value
        .as_object()
        .ok_or_else(|| Problem::invalid(if path.is_empty() { "body" } else { path }, "expected an object"))
}

fn unknown(message: &MessageDescriptor, path: &str, key: &str) -> Problem {
    let names: Vec<String> = message.fields().map(|field| field.name().to_owned()).collect();
    let meant = nearest(key, names.iter().map(String::as_str));
    let meant = meant.map(|name| format!(": did you mean `{name}`?")).unwrap_or_default();
    Problem::invalid(&join(path, &shown(key)), format!("there is no such field{meant}"))
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
