//! Encoders that write the responses of validations directly. Building the generated message first would
//! allocate a dozen texts, and measure it once for each message that it is nested in.
//!
//! Rare parts are built nevertheless. A test compares the output with that of the generated types.

use std::time::Duration;

use ndauth_core::{
    Actions, Allowed, Effective, Expiry, GrantSet, Grants, OwnerView, Refusal, ResourceIds, SecretKind,
    Timestamp,
};
use prost::Message;
use prost::encoding::{WireType, encode_varint};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use crate::{duration_to_proto, refusal_to_proto, role_to_proto, scope_to_proto, timestamp_to_proto};

/// Writes the outcome of a question about a secret of this kind: the field 1 or 2 of `ValidateTokenResponse` and of
/// `ValidatedToken`.
pub fn write_outcome(to: &mut Vec<u8>, outcome: &Result<Allowed<'_>, Refusal>, kind: Option<SecretKind>) {
    match outcome {
        Ok(allowed) => write_message(to, 1, |to| write_allowed(to, allowed)),
        Err(refusal) => write_message(to, 2, |to| build(to, &refusal_to_proto(refusal, kind))),
    }
}

/// Writes a duration as a field.
pub fn write_duration(to: &mut Vec<u8>, field: u32, duration: Duration) {
    let duration = duration_to_proto(duration);
    write_message(to, field, |to| {
        write_number(to, 1, duration.seconds.unsigned_abs());
        write_number(to, 2, u64::from(duration.nanos.unsigned_abs()));
    });
}

/// Writes an instant as a field.
pub fn write_timestamp(to: &mut Vec<u8>, field: u32, instant: Timestamp) {
    let instant = timestamp_to_proto(instant);
    write_message(to, field, |to| {
        write_number(to, 1, instant.seconds.unsigned_abs());
        write_number(to, 2, u64::from(instant.nanos.unsigned_abs()));
    });
}

/// Writes a number as a field, unless it is zero, which is the default.
pub fn write_number(to: &mut Vec<u8>, field: u32, number: u64) {
    if number != 0 {
        write_key(to, field, WireType::Varint);
        write_varint(to, number);
    }
}

/// Writes a number of eight bytes as a field.
pub fn write_fixed(to: &mut Vec<u8>, field: u32, number: u64) {
    write_key(to, field, WireType::SixtyFourBit);
    to.extend_from_slice(&number.to_le_bytes());
}

/// Writes a message as a field. `write` writes the fields of the message.
pub fn write_message(to: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    write_key(to, field, WireType::LengthDelimited);
    let before = to.len();
    // The length comes first, and nearly always takes one byte.
    to.push(0);
    write(to);
    let length = to.len() - before - 1;
    match u8::try_from(length) {
        Ok(short @ ..0x80) => to[before] = short,
        _ => {
            let mut longer = Vec::new();
            encode_varint(length as u64, &mut longer);
            to.splice(before..=before, longer);
        }
    }
}

fn write_key(to: &mut Vec<u8>, field: u32, kind: WireType) {
    write_varint(to, u64::from(field << 3 | kind as u32));
}

/// Writes a number, which nearly always takes one byte.
fn write_varint(to: &mut Vec<u8>, number: u64) {
    match u8::try_from(number) {
        Ok(short @ ..0x80) => to.push(short),
        _ => encode_varint(number, to),
    }
}

/// Writes a text as a field, unless it is empty, which is the default.
pub fn write_text(to: &mut Vec<u8>, field: u32, text: &str) {
    if !text.is_empty() {
        write_key(to, field, WireType::LengthDelimited);
        write_varint(to, text.len() as u64);
        to.extend_from_slice(text.as_bytes());
    }
}

fn write_id(to: &mut Vec<u8>, field: u32, id: Uuid) {
    write_text(to, field, id.hyphenated().encode_lower(&mut [0; Hyphenated::LENGTH]));
}

fn build(to: &mut Vec<u8>, message: &impl Message) {
    message.encode(to).expect("a vector grows");
}

fn write_allowed(to: &mut Vec<u8>, allowed: &Allowed<'_>) {
    let Allowed { secret: _, token, owner, effective, org } = allowed;
    write_id(to, 1, token.id.uuid());
    write_text(to, 2, token.name.as_str());
    write_message(to, 3, |to| match owner {
        OwnerView::Account(account) => write_message(to, 1, |to| {
            write_id(to, 1, account.id.uuid());
            write_text(to, 2, account.handle.as_str());
        }),
        OwnerView::Org(org) => write_message(to, 2, |to| {
            write_id(to, 1, org.id.uuid());
            write_text(to, 2, org.slug.as_str());
        }),
    });
    write_message(to, 5, |to| match token.expires_at {
        Expiry::At(instant) => write_timestamp(to, 1, instant),
        Expiry::Never => write_message(to, 2, |_| {}),
    });
    if let (Effective::Access { org: id, access, role, grants }, Some(org)) = (effective, org) {
        write_message(to, 6, |to| {
            write_id(to, 1, id.uuid());
            write_text(to, 2, org.as_str());
            write_number(to, 3, scope_to_proto(*access) as u64);
            write_number(to, 4, role_to_proto(*role) as u64);
            write_message(to, 5, |to| match grants {
                Grants::All => write_message(to, 1, |_| {}),
                Grants::Only(set) => write_message(to, 2, |to| write_grants(to, set)),
            });
        });
    }
}

fn write_grants(to: &mut Vec<u8>, set: &GrantSet) {
    for (resource_type, ids, actions) in set.iter() {
        write_message(to, 1, |to| {
            write_text(to, 1, resource_type.as_str());
            match ids {
                ResourceIds::One(id) => write_text(to, 2, id),
                ResourceIds::StartingWith(start) => {
                    write_key(to, 2, WireType::LengthDelimited);
                    write_varint(to, start.len() as u64 + 1);
                    to.extend_from_slice(start.as_bytes());
                    to.push(b'*');
                }
            }
            match actions {
                Actions::Any => write_text(to, 3, "*"),
                Actions::Only(actions) => {
                    actions.iter().for_each(|action| write_text(to, 3, action.as_str()));
                }
            }
        });
    }
}
