//! The form that each message takes in JSON.

use std::collections::HashMap;
use std::sync::LazyLock;

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};

use super::descriptors::descriptors;

/// The messages with one `oneof` that JSON writes as people do. A member without contents is its name, one with a list
/// the list, an instant or a duration its text, and every other member an object with its name.
pub const SUM_TYPES: [&str; 8] = [
    "ndauth.v1.Orgs",
    "ndauth.v1.Services",
    "ndauth.v1.Networks",
    "ndauth.v1.Grants",
    "ndauth.v1.ExpiryChoice",
    "ndauth.v1.Expiry",
    "ndauth.v1.Lifetime",
    "ndauth.v1.Whose",
];

/// The responses in which a new secret is written. Every other secret is refused.
pub const MINTING: [&str; 5] = [
    "ndauth.v1.CreateTokenResponse",
    "ndauth.v1.RotateTokenResponse",
    "ndauth.v1.CreateServiceResponse",
    "ndauth.v1.RotateServiceResponse",
    "ndauth.v1.InviteAccountResponse",
];

/// The form of a message in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageForm {
    /// An instant in RFC 3339.
    Instant,
    /// A duration: `"90d"`, `"3600s"`.
    Duration,
    /// A permission: `"read:assets"`, `"read:assets:prod-1"`.
    Permission,
    /// A message without contents: `true`, or its name as the member of a sum type.
    Empty,
    /// One of the [sum types](SUM_TYPES).
    Sum,
    /// An object with a key for each field.
    Object,
}

impl MessageForm {
    /// Returns the form of a message.
    pub fn of(message: &MessageDescriptor) -> MessageForm {
        known(message).0
    }

    /// Returns the form of a field's message, if the field is one message.
    pub(super) fn of_field(field: &FieldDescriptor) -> Option<MessageForm> {
        match field.kind() {
            Kind::Message(message) if !field.is_list() => Some(MessageForm::of(&message)),
            _ => None,
        }
    }

    fn find(message: &MessageDescriptor) -> MessageForm {
        match message.full_name() {
            "google.protobuf.Timestamp" => MessageForm::Instant,
            "google.protobuf.Duration" => MessageForm::Duration,
            "ndauth.v1.Permission" => MessageForm::Permission,
            name if SUM_TYPES.contains(&name) => MessageForm::Sum,
            _ if message.fields().len() == 0 => MessageForm::Empty,
            _ => MessageForm::Object,
        }
    }
}

/// Returns the form of a message, and whether it is not written, since it holds a secret.
fn known(message: &MessageDescriptor) -> (MessageForm, bool) {
    static FORMS: LazyLock<HashMap<String, (MessageForm, bool)>> = LazyLock::new(|| {
        let messages = descriptors().all_messages();
        let form = |message: MessageDescriptor| {
            let name = message.full_name().to_owned();
            let hidden = message.fields().any(|field| is_secret(&field)) && !MINTING.contains(&name.as_str());
            (name, (MessageForm::find(&message), hidden))
        };
        messages.map(form).collect()
    });
    FORMS.get(message.full_name()).copied().unwrap_or((MessageForm::Object, true))
}

/// Returns the list that the member of a sum type is written as: the only field of its message.
pub(super) fn list_of(member: &FieldDescriptor) -> Option<FieldDescriptor> {
    let Kind::Message(message) = member.kind() else { return None };
    let mut fields = message.fields();
    fields.next().filter(|field| field.is_list() && fields.next().is_none())
}

/// Returns true if a message holds a secret, and is not one that mints it.
pub(super) fn hides(message: &MessageDescriptor) -> bool {
    known(message).1
}

/// Returns true if a field holds a secret.
pub fn is_secret(field: &FieldDescriptor) -> bool {
    let redacted = field.options().get_field_by_name("debug_redact").and_then(|value| value.as_bool());
    redacted.unwrap_or(false)
}

/// Returns the name in JSON of a value of an enum: without the prefix that the enum's own name gives it. `None` for an
/// unknown value, and for the unspecified one.
pub fn enum_value_name(values: &EnumDescriptor, number: i32) -> Option<String> {
    let value = values.get_value(number).filter(|_| number != 0)?;
    value.name().get(prefix(values.name())..).map(str::to_owned)
}

/// Returns the number of the value of an enum that JSON gives a name.
pub(super) fn enum_value_number(values: &EnumDescriptor, name: &str) -> Option<i32> {
    let prefix = prefix(values.name());
    let value = values.values().find(|value| value.name().get(prefix..) == Some(name))?;
    Some(value.number()).filter(|number| *number != 0)
}

/// Returns the length of the prefix of an enum's values: `TokenStatus` has `TOKEN_STATUS_`.
fn prefix(name: &str) -> usize {
    name.len() + name.bytes().filter(u8::is_ascii_uppercase).count()
}
