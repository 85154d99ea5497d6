//! Messages to JSON, straight from their encoding. Each message has a plan, made once from its descriptor.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::descriptors::descriptors;
use super::form::{MessageForm, enum_value_name, hides, list_of};
use super::scalar::{LARGEST, duration_text, instant_text, permission_text};

/// The reason why a message has no JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoJson {
    /// It holds a secret, and does not mint one.
    #[error("`{0}` holds a secret")]
    Secret(String),
    /// It is not a message of the contract, or one of its values is out of range.
    #[error("a `{0}` is malformed")]
    Malformed(String),
    /// A field has a type that JSON has no form for.
    #[error("`{0}` has no form in JSON")]
    NoForm(String),
}

/// Returns the JSON of an encoded message. A secret is refused, except in the messages that mint one.
pub fn write(message: &MessageDescriptor, bytes: &[u8]) -> Result<String, NoJson> {
    let plan = plan(message.full_name())?;
    let mut text = String::with_capacity(256 + 4 * bytes.len());
    plan.object(bytes, &mut text)?;
    Ok(text)
}

/// The way in which a message is written.
struct Plan {
    name: String,
    form: MessageForm,
    hidden: bool,
    /// In the order of the contract.
    fields: Vec<FieldPlan>,
    /// The index of each field, by its number.
    by_number: Vec<Option<usize>>,
}

/// The way in which a field is written.
struct FieldPlan {
    name: String,
    is_list: bool,
    /// True if the field is left out unless it is set.
    has_presence: bool,
    value: ValuePlan,
    /// True if a sum type writes the member as the list that it holds.
    holds_list: bool,
}

enum ValuePlan {
    Text,
    Bool,
    /// An integer that is signed.
    Signed,
    /// An integer that is not.
    Unsigned,
    /// The names of an enum's values, by number.
    Names(Vec<Option<String>>),
    /// A message, by the name that finds its plan.
    Message(String),
    None,
}

/// The value of a field, as it is encoded.
#[derive(Clone, Copy)]
enum Encoded<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of an encoded message.
struct EncodedFields<'a> {
    /// The last value of each field.
    values: Vec<Option<Encoded<'a>>>,
    /// The items of lists, each with the index of its field.
    items: Vec<(usize, Encoded<'a>)>,
}

fn plan(name: &str) -> Result<&'static Plan, NoJson> {
    static PLANS: LazyLock<HashMap<String, Plan>> = LazyLock::new(|| {
        let messages = descriptors().all_messages();
        messages.map(|message| (message.full_name().to_owned(), Plan::of(&message))).collect()
    });
    PLANS.get(name).ok_or_else(|| NoJson::Malformed(name.to_owned()))
}

impl Plan {
    fn of(message: &MessageDescriptor) -> Plan {
        let fields: Vec<FieldDescriptor> = message
            .descriptor_proto()
            .field
            .iter()
            .filter_map(|field| message.get_field_by_name(field.name()))
            .collect();
        let last = fields.iter().map(|field| field.number() as usize).max().unwrap_or_default();
        let mut by_number = vec![None; last + 1];
        for (index, field) in fields.iter().enumerate() {
            by_number[field.number() as usize] = Some(index);
        }
        Plan {
            name: message.full_name().to_owned(),
            form: MessageForm::of(message),
            hidden: hides(message),
            fields: fields.iter().map(FieldPlan::of).collect(),
            by_number,
        }
    }

    /// Reads the fields of a message.
    fn read<'a>(&self, mut bytes: &'a [u8]) -> Result<EncodedFields<'a>, NoJson> {
        let malformed = || NoJson::Malformed(self.name.clone());
        let (mut values, mut items) = (vec![None; self.fields.len()], Vec::new());
        while !bytes.is_empty() {
            let (number, wire) = decode_key(&mut bytes).map_err(|_| malformed())?;
            let value = match wire {
                WireType::Varint => Encoded::Number(decode_varint(&mut bytes).map_err(|_| malformed())?),
                WireType::LengthDelimited => {
                    let length = decode_varint(&mut bytes).map_err(|_| malformed())?;
                    let (value, rest) = usize::try_from(length)
                        .ok()
                        .and_then(|length| bytes.split_at_checked(length))
                        .ok_or_else(malformed)?;
                    bytes = rest;
                    Encoded::Bytes(value)
                }
                _ => {
                    skip_field(wire, number, &mut bytes, DecodeContext::default())
                        .map_err(|_| malformed())?;
                    continue;
                }
            };
            match self.by_number.get(number as usize).copied().flatten() {
                Some(index) if self.fields[index].is_list => items.push((index, value)),
                Some(index) => values[index] = Some(value),
                // A newer server may say more than this program knows.
                None => {}
            }
        }
        Ok(EncodedFields { values, items })
    }

    /// Writes a message as an object.
    fn object(&self, bytes: &[u8], text: &mut String) -> Result<(), NoJson> {
        if self.hidden {
            return Err(NoJson::Secret(self.name.clone()));
        }
        let EncodedFields { values, items } = self.read(bytes)?;
        text.push('{');
        let begun = text.len();
        for (index, field) in self.fields.iter().enumerate() {
            let value = values[index];
            if field.is_absent(value) {
                continue;
            }
            if text.len() > begun {
                text.push(',');
            }
            text.push('"');
            text.push_str(&field.name);
            text.push_str("\":");
            if field.is_list {
                let items = items.iter().filter(|(of, _)| *of == index).map(|(_, item)| *item);
                self.list(field, items, text)?;
            } else {
                self.value(field, value, text)?;
            }
        }
        text.push('}');
        Ok(())
    }

    fn list<'a>(
        &self,
        field: &FieldPlan,
        items: impl Iterator<Item = Encoded<'a>>,
        text: &mut String,
    ) -> Result<(), NoJson> {
        text.push('[');
        for (index, item) in items.enumerate() {
            if index > 0 {
                text.push(',');
            }
            self.value(field, Some(item), text)?;
        }
        text.push(']');
        Ok(())
    }

    /// Writes a value. An absent one is that of an empty encoding.
    fn value(&self, field: &FieldPlan, value: Option<Encoded<'_>>, text: &mut String) -> Result<(), NoJson> {
        let no_form = || NoJson::NoForm(format!("{}.{}", self.name, field.name));
        let malformed = || NoJson::Malformed(self.name.clone());
        let number = || match value {
            None => Ok(0),
            Some(Encoded::Number(number)) => Ok(number),
            Some(Encoded::Bytes(_)) => Err(malformed()),
        };
        let bytes = || match value {
            None => Ok(&[][..]),
            Some(Encoded::Bytes(bytes)) => Ok(bytes),
            Some(Encoded::Number(_)) => Err(malformed()),
        };
        match &field.value {
            ValuePlan::Text => quote(std::str::from_utf8(bytes()?).map_err(|_| malformed())?, text),
            ValuePlan::Bool => text.push_str(if number()? == 0 { "false" } else { "true" }),
            ValuePlan::Signed => display(number()?.cast_signed(), text),
            ValuePlan::Unsigned => match number()? {
                number @ ..=LARGEST => display(number, text),
                _ => return Err(no_form()),
            },
            ValuePlan::Names(names) => {
                let number = number()?;
                match usize::try_from(number).ok().and_then(|index| names.get(index)).and_then(Option::as_ref)
                {
                    Some(name) => quote(name, text),
                    None => quote(&format!("UNKNOWN_{number}"), text),
                }
            }
            ValuePlan::Message(name) => plan(name)?.nested(bytes()?, text)?,
            ValuePlan::None => return Err(no_form()),
        }
        Ok(())
    }

    /// Writes a message within another one.
    fn nested(&self, bytes: &[u8], text: &mut String) -> Result<(), NoJson> {
        let formed = match self.form {
            MessageForm::Instant => instant_text(bytes),
            MessageForm::Duration => duration_text(bytes),
            MessageForm::Permission => permission_text(bytes),
            MessageForm::Empty => {
                text.push_str("true");
                return Ok(());
            }
            MessageForm::Sum => return self.sum(bytes, text),
            MessageForm::Object => return self.object(bytes, text),
        };
        quote(&formed.ok_or_else(|| NoJson::Malformed(self.name.clone()))?, text);
        Ok(())
    }

    /// Writes one of the sum types.
    fn sum(&self, bytes: &[u8], text: &mut String) -> Result<(), NoJson> {
        let EncodedFields { values, .. } = self.read(bytes)?;
        let member = values.iter().zip(&self.fields).find_map(|(value, field)| Some((field, (*value)?)));
        let (field, value) = member.ok_or_else(|| NoJson::Malformed(self.name.clone()))?;
        let ValuePlan::Message(name) = &field.value else {
            text.push_str("{\"");
            text.push_str(&field.name);
            text.push_str("\":");
            self.value(field, Some(value), text)?;
            text.push('}');
            return Ok(());
        };
        let plan = plan(name)?;
        match (plan.form, value) {
            (MessageForm::Empty, _) => quote(&field.name, text),
            (_, Encoded::Bytes(bytes)) if field.holds_list => {
                let EncodedFields { items, .. } = plan.read(bytes)?;
                plan.list(&plan.fields[0], items.into_iter().map(|(_, item)| item), text)?;
            }
            _ => self.value(field, Some(value), text)?,
        }
        Ok(())
    }
}

impl FieldPlan {
    fn of(field: &FieldDescriptor) -> FieldPlan {
        let value = match field.kind() {
            Kind::String => ValuePlan::Text,
            Kind::Bool => ValuePlan::Bool,
            Kind::Int32 | Kind::Int64 => ValuePlan::Signed,
            Kind::Uint32 | Kind::Uint64 => ValuePlan::Unsigned,
            Kind::Enum(values) => {
                let last = values.values().map(|value| value.number()).max().unwrap_or_default();
                ValuePlan::Names((0..=last).map(|number| enum_value_name(&values, number)).collect())
            }
            Kind::Message(message) => ValuePlan::Message(message.full_name().to_owned()),
            _ => ValuePlan::None,
        };
        FieldPlan {
            name: field.name().to_owned(),
            is_list: field.is_list(),
            has_presence: field.supports_presence(),
            value,
            holds_list: list_of(field).is_some(),
        }
    }

    /// Returns true if the field is left out: it is not set, or is an enum that says nothing.
    fn is_absent(&self, value: Option<Encoded<'_>>) -> bool {
        let says_nothing =
            matches!(self.value, ValuePlan::Names(_)) && matches!(value, None | Some(Encoded::Number(0)));
        !self.is_list && ((self.has_presence && value.is_none()) || says_nothing)
    }
}

/// Writes a string (RFC 8259, section 7).
fn quote(value: &str, text: &mut String) {
    let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if value.bytes().all(is_plain) {
        text.push('"');
        text.push_str(value);
        text.push('"');
    } else {
        text.push_str(&serde_json::Value::from(value).to_string());
    }
}

fn display(number: impl std::fmt::Display, text: &mut String) {
    write!(text, "{number}").expect("a text grows");
}
