//! Messages to JSON.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage as _, Value as Field};
use serde::ser::{Error, Serialize, SerializeMap, SerializeSeq, Serializer};

use super::form::{MessageForm, enum_value_name, hides, list_of};
use super::scalar::{LARGEST, duration_text, instant_text, permission_text};

/// A message that is serialized as JSON. A secret is refused, except in the messages that mint one.
#[derive(Debug)]
pub struct Json<'a>(pub &'a DynamicMessage);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let message = self.0;
        let descriptor = message.descriptor();
        if hides(&descriptor) {
            return Err(S::Error::custom(format_args!("`{}` holds a secret", descriptor.full_name())));
        }
        let mut object = serializer.serialize_map(None)?;
        for field in descriptor.fields() {
            let value = message.get_field(&field);
            if (field.supports_presence() && !message.has_field(&field)) || is_unspecified(&field, &value) {
                continue;
            }
            object.serialize_entry(field.name(), &One(&field, &value))?;
        }
        object.end()
    }
}

/// An enum that says nothing is left out.
fn is_unspecified(field: &FieldDescriptor, value: &Field) -> bool {
    matches!(value, Field::EnumNumber(0)) && !field.is_list()
}

/// The value of a field.
struct One<'a>(&'a FieldDescriptor, &'a Field);

impl Serialize for One<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let One(field, value) = self;
        match (value, field.kind()) {
            (Field::List(items), _) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(&One(field, item)))?;
                list.end()
            }
            (Field::Message(message), _) => nested(message, serializer),
            (Field::String(text), _) => serializer.serialize_str(text),
            (Field::Bool(value), _) => serializer.serialize_bool(*value),
            (Field::I32(number), _) => serializer.serialize_i32(*number),
            (Field::U32(number), _) => serializer.serialize_u32(*number),
            (Field::U64(number), _) if *number <= LARGEST => serializer.serialize_u64(*number),
            // A newer server may say more than this program knows.
            (Field::EnumNumber(number), Kind::Enum(values)) => match enum_value_name(&values, *number) {
                Some(name) => serializer.serialize_str(&name),
                None => serializer.serialize_str(&format!("UNKNOWN_{number}")),
            },
            _ => Err(S::Error::custom(format_args!("`{}` has no form in JSON", field.full_name()))),
        }
    }
}

/// Writes a message within another one.
fn nested<S: Serializer>(message: &DynamicMessage, serializer: S) -> Result<S::Ok, S::Error> {
    let descriptor = message.descriptor();
    let text = |text: Option<String>| {
        text.ok_or_else(|| S::Error::custom(format_args!("a `{}` is malformed", descriptor.full_name())))
    };
    match MessageForm::of(&descriptor) {
        MessageForm::Instant => serializer.serialize_str(&text(instant_text(message))?),
        MessageForm::Duration => serializer.serialize_str(&text(duration_text(message))?),
        MessageForm::Permission => serializer.serialize_str(&text(permission_text(message))?),
        MessageForm::Empty => serializer.serialize_bool(true),
        MessageForm::Sum => sum(message, serializer),
        MessageForm::Object => Json(message).serialize(serializer),
    }
}

/// Writes one of the sum types.
fn sum<S: Serializer>(message: &DynamicMessage, serializer: S) -> Result<S::Ok, S::Error> {
    let Some((member, value)) = message.fields().next() else {
        return Err(S::Error::custom(format_args!("a `{}` says nothing", message.descriptor().full_name())));
    };
    match (MessageForm::of_field(&member), value) {
        (Some(MessageForm::Empty), _) => serializer.serialize_str(member.name()),
        (Some(MessageForm::Object), Field::Message(set)) => match list_of(&member) {
            Some(list) => One(&list, &set.get_field(&list)).serialize(serializer),
            None => Json(set).serialize(serializer),
        },
        (Some(_), _) => One(&member, value).serialize(serializer),
        (None, _) => {
            let mut object = serializer.serialize_map(Some(1))?;
            object.serialize_entry(member.name(), &One(&member, value))?;
            object.end()
        }
    }
}
