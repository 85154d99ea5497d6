//! The schemas: one for each message and enum, by its short name.

use std::collections::{BTreeMap, BTreeSet};

use ndauth_proto::json::{BodyOf, HttpBinding, MessageForm, bindings, enum_value_name, is_secret};
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor};
use serde_json::{Map, Value, json};

use super::comments::Comments;

/// The largest integer that JSON carries: 2^53 - 1.
const LARGEST: u64 = (1 << 53) - 1;
const INSTANT: &str =
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$";
const DURATION: &str = r"^([0-9]+[hdwy]|[0-9]+(\.[0-9]{1,9})?s)$";
const PERMISSION: &str =
    r"^[a-z0-9_-]{1,40}:[a-z0-9_-]+(/[a-z0-9_-]+)*(:([!-)+-~]{1,200}|[!-)+-~]{0,199}\*))?$";

/// The messages that travel, and the comments that describe them.
#[derive(Debug)]
pub(super) struct Schemas<'a> {
    comments: &'a Comments,
    /// Messages by their full names, and the fields of them that a body may have.
    sent: BTreeMap<String, BTreeSet<String>>,
    received: BTreeSet<String>,
    messages: BTreeMap<String, MessageDescriptor>,
    enums: BTreeMap<String, EnumDescriptor>,
}

impl<'a> Schemas<'a> {
    /// Finds every message that a binding sends or receives.
    pub(super) fn new(comments: &'a Comments) -> Schemas<'a> {
        let mut schemas = Schemas {
            comments,
            sent: BTreeMap::new(),
            received: BTreeSet::new(),
            messages: BTreeMap::new(),
            enums: BTreeMap::new(),
        };
        for binding in bindings() {
            schemas.receive(&binding.rpc.output());
            match &binding.body {
                BodyOf::Nothing => {}
                BodyOf::Request => schemas.send(&binding.rpc.input(), &body_fields(binding)),
                BodyOf::Field(field) => schemas.send_field(field),
            }
            for parameter in binding.variables().chain(&binding.parameters) {
                schemas.send_field(parameter.field());
            }
        }
        schemas
    }

    fn send(&mut self, message: &MessageDescriptor, fields: &[FieldDescriptor]) {
        let names = fields.iter().map(|field| field.name().to_owned()).collect();
        self.messages.insert(message.full_name().to_owned(), message.clone());
        match self.sent.insert(message.full_name().to_owned(), names) {
            None => fields.iter().for_each(|field| self.send_field(field)),
            Some(before) => assert_eq!(
                before,
                self.sent[message.full_name()],
                "the bodies of an RPC have the same fields on each of its paths"
            ),
        }
    }

    fn send_field(&mut self, field: &FieldDescriptor) {
        match field.kind() {
            Kind::Message(message) if has_schema(&message) => {
                self.send(&message, &message.fields().collect::<Vec<_>>());
            }
            kind => self.note_enum(&kind),
        }
    }

    fn receive(&mut self, message: &MessageDescriptor) {
        self.messages.insert(message.full_name().to_owned(), message.clone());
        if self.received.insert(message.full_name().to_owned()) {
            for field in message.fields() {
                match field.kind() {
                    Kind::Message(message) if has_schema(&message) => self.receive(&message),
                    kind => self.note_enum(&kind),
                }
            }
        }
    }

    fn note_enum(&mut self, kind: &Kind) {
        if let Kind::Enum(values) = kind {
            self.enums.insert(values.name().to_owned(), values.clone());
        }
    }

    /// Returns every schema, by name.
    pub(super) fn all(&self) -> Map<String, Value> {
        let messages = self.messages.values();
        let messages = messages.filter(|message| self.is_referred_to(message)).map(|message| {
            let schema = match MessageForm::of(message) {
                MessageForm::Sum => self.sum(message),
                _ => self.object(message),
            };
            (message.name().to_owned(), schema)
        });
        let enums = self.enums.values().map(|values| (values.name().to_owned(), self.values(values)));
        let all: BTreeMap<String, Value> = messages.chain(enums).collect();
        all.into_iter().collect()
    }

    /// Returns false for a set, such as `OrgSet`, which is written as the list within it, and for a request whose path
    /// sets all of it.
    fn is_referred_to(&self, message: &MessageDescriptor) -> bool {
        let sums = self.messages.values().filter(|sum| MessageForm::of(sum) == MessageForm::Sum);
        let mut members = sums.flat_map(|sum| sum.fields().collect::<Vec<_>>());
        let is_sent_empty = self.sent.get(message.full_name()).is_some_and(BTreeSet::is_empty);
        !is_sent_empty && members.all(|member| member.kind().as_message() != Some(message))
    }

    /// Returns the schema of an object. In a response, a field without presence is always there, unless it is an enum
    /// that says nothing. In a request, only what its comment requires must be there. An object of both kinds has what
    /// responses have, and is open, since responses may gain fields.
    fn object(&self, message: &MessageDescriptor) -> Value {
        let is_received = self.received.contains(message.full_name());
        let sent = self.sent.get(message.full_name());
        let here =
            |field: &FieldDescriptor| is_received || sent.is_some_and(|names| names.contains(field.name()));
        let fields: Vec<FieldDescriptor> = message.fields().filter(here).collect();
        let required = fields.iter().filter(|field| match is_received {
            true => !field.supports_presence() && (field.is_list() || field.kind().as_enum().is_none()),
            false => self.is_required(field),
        });
        let required: Vec<&str> = required.map(FieldDescriptor::name).collect();
        let properties: Map<String, Value> =
            fields.iter().map(|field| (field.name().to_owned(), self.field(field))).collect();
        let mut schema = json!({ "type": "object", "properties": properties });
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        if !is_received {
            schema["additionalProperties"] = json!(false);
        }
        let choices = message.oneofs().filter(|oneof| oneof.fields().all(|field| here(&field)));
        let own = self.comments.of(message.full_name()).to_owned();
        let texts = std::iter::once(own).chain(choices.filter_map(|oneof| self.choice(&oneof)));
        let texts: Vec<String> = texts.filter(|text| !text.is_empty()).collect();
        described(schema, &texts.join("\n\n"))
    }

    /// Says which fields exclude each other. `None` for a field that is only optional.
    fn choice(&self, oneof: &OneofDescriptor) -> Option<String> {
        let members = oneof.fields().map(|field| format!("`{}`", field.name())).collect::<Vec<_>>();
        let at_most = format!("At most one of {} is set.", members.join(", "));
        let whole = [self.comments.of(oneof.full_name()), &at_most].join(" ").trim().to_owned();
        (!oneof.is_synthetic()).then_some(whole)
    }

    /// Returns true if the comment of a field of a request says that it is required, under no condition.
    pub(super) fn is_required(&self, field: &FieldDescriptor) -> bool {
        let comment = self.comments.of(field.full_name());
        comment.strip_prefix("Required").is_some_and(|rest| rest.starts_with(['.', ',', ':']))
    }

    /// Returns true if a body with the fields of a message cannot be left out.
    pub(super) fn requires_some(&self, message: &MessageDescriptor) -> bool {
        let fields = self.sent.get(message.full_name());
        message
            .fields()
            .any(|field| fields.is_some_and(|names| names.contains(field.name())) && self.is_required(&field))
    }

    /// Returns the schema of a field, with its comment.
    pub(super) fn field(&self, field: &FieldDescriptor) -> Value {
        let mut one = self.one(&field.kind());
        if is_secret(field) {
            one["format"] = json!("password");
        }
        let schema = if field.is_list() { json!({ "type": "array", "items": one }) } else { one };
        described(schema, self.comments.of(field.full_name()))
    }

    fn one(&self, kind: &Kind) -> Value {
        match kind {
            Kind::Message(message) => match MessageForm::of(message) {
                MessageForm::Instant => json!({ "type": "string", "format": "date-time" }),
                MessageForm::Duration => {
                    json!({ "type": "string", "pattern": DURATION, "examples": ["90d"] })
                }
                MessageForm::Permission => {
                    json!({ "type": "string", "pattern": PERMISSION, "examples": ["read:assets"] })
                }
                MessageForm::Empty => json!({ "type": "boolean", "const": true }),
                MessageForm::Sum | MessageForm::Object => reference(message.name()),
            },
            Kind::Enum(values) => reference(values.name()),
            Kind::String => json!({ "type": "string" }),
            Kind::Bool => json!({ "type": "boolean" }),
            Kind::Int32 => integer(i32::MAX.unsigned_abs().into()),
            Kind::Uint32 => integer(u32::MAX.into()),
            Kind::Uint64 => integer(LARGEST),
            kind => unreachable!("{kind:?} has no form in JSON"),
        }
    }

    /// Returns the schema of an enum. The unspecified value is not one in JSON.
    fn values(&self, values: &EnumDescriptor) -> Value {
        let named = values.values().filter_map(|value| {
            let comment = self.comments.of(value.full_name()).to_owned();
            enum_value_name(values, value.number()).map(|name| (name, comment))
        });
        let (names, comments): (Vec<String>, Vec<String>) = named.unzip();
        let lines = names.iter().zip(&comments).filter(|(_, comment)| !comment.is_empty());
        let lines: Vec<String> = lines.map(|(name, comment)| format!("- `{name}`: {comment}")).collect();
        let texts = [self.comments.of(values.full_name()).to_owned(), lines.join("\n")];
        let text = texts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n");
        described(json!({ "type": "string", "enum": names }), &text)
    }

    /// Returns the schema of a sum type: exactly one of its forms fits a value. A word is the last one, and beside a
    /// duration it is no `const`: the clients of openapi-python-client try nothing after a `const`, and no text before it.
    fn sum(&self, message: &MessageDescriptor) -> Value {
        let is_word = |member: &FieldDescriptor| {
            member.kind().as_message().is_some_and(|inner| MessageForm::of(inner) == MessageForm::Empty)
        };
        let (words, others): (Vec<_>, Vec<_>) = message.fields().partition(is_word);
        let mut kinds = others.iter().filter_map(|member| member.kind().as_message().map(MessageForm::of));
        let has_duration = kinds.any(|form| form == MessageForm::Duration);
        let forms = others.into_iter().chain(words).map(|member| {
            let form = match member.kind() {
                Kind::Message(inner) => match MessageForm::of(&inner) {
                    MessageForm::Empty if has_duration => {
                        json!({ "type": "string", "enum": [member.name()] })
                    }
                    MessageForm::Empty => json!({ "type": "string", "const": member.name() }),
                    MessageForm::Instant => {
                        json!({ "type": "string", "format": "date-time", "pattern": INSTANT })
                    }
                    MessageForm::Object => {
                        let list = inner.fields().next().expect("a set has one list");
                        json!({ "type": "array", "items": self.one(&list.kind()) })
                    }
                    _ => self.one(&member.kind()),
                },
                kind => json!({
                    "type": "object",
                    "properties": { member.name(): self.one(&kind) },
                    "required": [member.name()],
                    "additionalProperties": false,
                }),
            };
            described(form, self.comments.of(member.full_name()))
        });
        described(json!({ "oneOf": forms.collect::<Vec<_>>() }), self.comments.of(message.full_name()))
    }
}

/// Returns the fields that the body of a binding may have: those that its path does not set.
pub(super) fn body_fields(binding: &HttpBinding) -> Vec<FieldDescriptor> {
    binding.rpc.input().fields().filter(|field| !binding.path_sets(field)).collect()
}

fn has_schema(message: &MessageDescriptor) -> bool {
    matches!(MessageForm::of(message), MessageForm::Sum | MessageForm::Object)
}

pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn integer(most: u64) -> Value {
    json!({ "type": "integer", "minimum": 0, "maximum": most })
}

/// Adds a description.
pub(super) fn described(mut schema: Value, text: &str) -> Value {
    if !text.is_empty() {
        schema["description"] = json!(text);
    }
    schema
}
