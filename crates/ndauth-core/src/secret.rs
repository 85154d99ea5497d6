//! Secrets: the strings that are shown once, and the parts of them that may be known afterwards.
//!
//! ```text
//! ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U
//! ^^^^^^ the kind
//! ^^^^^^^^^^^^ the prefix: all that is ever shown again
//!       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 43 characters: 32 bytes in canonical,
//!                                                   unpadded base64url (RFC 4648, section 5)
//! ```

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand_core::TryCryptoRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroize;

const KIND_LEN: usize = 6;
const BODY_LEN: usize = 43;
const PREFIX_LEN: usize = 12;
const LEN: usize = KIND_LEN + BODY_LEN;
/// The last of 43 characters encodes four bits of the 32 bytes, and two bits that are zero.
const LAST: &[u8] = b"AEIMQUYcgkosw048";

/// The kind of a secret, which its first six characters determine. Their meaning never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretKind {
    /// `ndpat_`: a personal token.
    Personal,
    /// `ndorg_`: an org token.
    Org,
    /// `ndses_`: a session.
    Session,
    /// `ndref_`: the refresh secret of a session.
    Refresh,
    /// `ndsvc_`: a service.
    Service,
    /// `ndacc_`: a short-lived token for services, derived from a session or a CI's identity.
    Access,
}

/// A secret, kept in memory no longer than necessary. It has no `Display` and no `Serialize`, its `Debug`
/// shows the prefix alone, and its bytes are wiped when it is dropped.
#[derive(Clone)]
pub struct Secret {
    kind: SecretKind,
    text: [u8; LEN],
}

/// SHA-256 of a whole secret, under which it is stored and looked up. Serialized as hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretHash(#[serde(with = "hex::serde")] [u8; 32]);

/// The first 12 characters of a secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretPrefix([u8; PREFIX_LEN]);

/// The fault of a text that is not a secret: most likely something happened to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecret {
    /// It is empty.
    #[error("it is empty")]
    Empty,
    /// A line break was copied at its end.
    #[error("it ends with a line break")]
    TrailingLineBreak,
    /// White space was copied before it, within it or after it.
    #[error("it has white space before, in or after it")]
    WhiteSpace,
    /// Quotation marks were copied with it.
    #[error("it is in quotation marks")]
    Quoted,
    /// It is a reference to a variable that was not replaced by its value.
    #[error("it is a reference to a variable, and not its value")]
    Unexpanded,
    /// It begins with none of the six markers.
    #[error("it does not begin with `ndpat_` or another prefix of ndauth")]
    Kind,
    /// It is too short, most likely cut when it was copied.
    #[error("it was cut short: {0} of {LEN} characters are there")]
    TooShort(usize),
    /// It is too long, most likely pasted together with something else.
    #[error("it is longer than {LEN} characters")]
    TooLong,
    /// It has the right length, but is not canonical base64url.
    #[error("a character in it was changed: it is not 32 bytes in base64url")]
    Body,
}

impl InvalidSecret {
    /// Returns the remedy, for a text that was stored for a pipeline.
    pub fn hint(self) -> &'static str {
        match self {
            InvalidSecret::Empty => "the secret that it refers to is missing or has another name",
            InvalidSecret::TrailingLineBreak => {
                "store it again without the line break: `printf %s TOKEN`, and not `echo`"
            }
            InvalidSecret::WhiteSpace => "store it again alone, without spaces or line breaks",
            InvalidSecret::Quoted => "store it again without the quotation marks",
            InvalidSecret::Unexpanded => {
                "configure the pipeline to insert the secret's value, as its documentation shows"
            }
            InvalidSecret::Kind => "check that it is not another secret: a token begins with `ndpat_`",
            InvalidSecret::TooShort(_) => {
                "copy it again, whole: it has 49 characters; if it is lost, make a new one"
            }
            InvalidSecret::TooLong => "copy it again, alone: it has 49 characters",
            InvalidSecret::Body => "copy it again: no such secret was ever made",
        }
    }
}

impl SecretKind {
    /// Every kind.
    pub const ALL: [SecretKind; 6] = [
        SecretKind::Personal,
        SecretKind::Org,
        SecretKind::Session,
        SecretKind::Refresh,
        SecretKind::Service,
        SecretKind::Access,
    ];

    /// Returns the six characters that begin a secret of this kind.
    pub const fn marker(self) -> &'static str {
        match self {
            SecretKind::Personal => "ndpat_",
            SecretKind::Org => "ndorg_",
            SecretKind::Session => "ndses_",
            SecretKind::Refresh => "ndref_",
            SecretKind::Service => "ndsvc_",
            SecretKind::Access => "ndacc_",
        }
    }

    fn of(text: &str) -> Option<SecretKind> {
        SecretKind::ALL.into_iter().find(|kind| text.starts_with(kind.marker()))
    }
}

impl Secret {
    /// Draws a new secret. It draws 32 bytes again until their text is alphanumeric throughout, so that a
    /// double click selects it whole. That takes about four draws and leaves 254 bits.
    pub fn mint<R: TryCryptoRng>(kind: SecretKind, rng: &mut R) -> Result<Secret, R::Error> {
        let mut bytes = [0; 32];
        let mut text = [0; LEN];
        let (marker, body) = text.split_at_mut(KIND_LEN);
        marker.copy_from_slice(kind.marker().as_bytes());
        loop {
            rng.try_fill_bytes(&mut bytes)?;
            let written = URL_SAFE_NO_PAD.encode_slice(bytes, body);
            debug_assert_eq!(written, Ok(BODY_LEN));
            if body.iter().all(u8::is_ascii_alphanumeric) {
                bytes.zeroize();
                return Ok(Secret { kind, text });
            }
        }
    }

    /// Returns its kind.
    pub fn kind(&self) -> SecretKind {
        self.kind
    }

    /// Returns the whole secret, to be handed to its owner or presented.
    pub fn expose(&self) -> &str {
        std::str::from_utf8(&self.text).expect("a secret is ASCII: parsing and minting see to it")
    }

    /// Returns true if a text is this secret. The comparison takes constant time.
    pub fn reads(&self, text: &[u8]) -> bool {
        let differences = |text: &[u8; LEN]| self.text.iter().zip(text).fold(0, |all, (a, b)| all | (a ^ b));
        text.try_into().is_ok_and(|text| differences(text) == 0)
    }

    /// Returns the first 12 characters.
    pub fn prefix(&self) -> SecretPrefix {
        let (prefix, _) = self.text.split_first_chunk().expect("a secret is longer than its prefix");
        SecretPrefix(*prefix)
    }

    /// Returns SHA-256 of the whole string.
    pub fn hash(&self) -> SecretHash {
        SecretHash(Sha256::digest(self.text).into())
    }
}

impl FromStr for Secret {
    type Err = InvalidSecret;

    /// Accepts any canonical base64url of 32 bytes after a known marker, and nothing around it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        sound(text).ok_or_else(|| spoiled(text))
    }
}

fn sound(text: &str) -> Option<Secret> {
    let kind = SecretKind::of(text)?;
    let bytes = <[u8; LEN]>::try_from(text.as_bytes()).ok()?;
    let [body @ .., last] = &bytes[KIND_LEN..] else { return None };
    // Every byte is checked, even after a bad one: that is quicker, since many are checked at once.
    let canonical = body.iter().fold(LAST.contains(last), |so_far, byte| so_far & is_body(*byte));
    canonical.then_some(Secret { kind, text: bytes })
}

/// Returns the most likely fault of a text that is not a secret.
fn spoiled(text: &str) -> InvalidSecret {
    if text.is_empty() {
        InvalidSecret::Empty
    } else if let Some(around) = Some(text).filter(|text| text.len() <= 4 * LEN).and_then(fault_around) {
        around
    } else if SecretKind::of(text).is_none() {
        InvalidSecret::Kind
    } else {
        match text.len().cmp(&LEN) {
            Ordering::Less => InvalidSecret::TooShort(text.len()),
            Ordering::Equal => InvalidSecret::Body,
            Ordering::Greater => InvalidSecret::TooLong,
        }
    }
}

/// Returns the fault of a text around a secret, or in place of one.
fn fault_around(text: &str) -> Option<InvalidSecret> {
    let blank = |text: &str| text.contains(|c: char| c.is_whitespace() || c.is_control());
    let bare = text.trim_end_matches(['\r', '\n']);
    if text.starts_with('$') || text.starts_with("{{") || text.starts_with('%') && text.ends_with('%') {
        return Some(InvalidSecret::Unexpanded);
    }
    if bare != text && !blank(bare) {
        return Some(InvalidSecret::TrailingLineBreak);
    }
    if blank(text) {
        return Some(InvalidSecret::WhiteSpace);
    }
    let quoted = |mark| text.len() > 1 && text.starts_with(mark) && text.ends_with(mark);
    (quoted('"') || quoted('\'')).then_some(InvalidSecret::Quoted)
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.text.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({}…)", &self.expose()[..PREFIX_LEN])
    }
}

impl SecretHash {
    /// Returns the hash of these 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> SecretHash {
        SecretHash(bytes)
    }

    /// Returns the 32 bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, ..] = self.0;
        write!(f, "SecretHash({a:02x}{b:02x}…)")
    }
}

impl SecretPrefix {
    /// Returns the kind of the secret that begins with this prefix.
    pub fn kind(&self) -> SecretKind {
        SecretKind::of(self.as_str()).expect("a prefix begins with a marker: parsing and minting see to it")
    }

    /// Returns the prefix as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a prefix is ASCII: parsing and minting see to it")
    }
}

impl FromStr for SecretPrefix {
    type Err = InvalidSecret;

    /// Reads back a prefix as it was stored.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        SecretKind::of(text).ok_or(InvalidSecret::Kind)?;
        match <[u8; PREFIX_LEN]>::try_from(text.as_bytes()) {
            Ok(prefix) if prefix.into_iter().all(is_body) => Ok(SecretPrefix(prefix)),
            _ => Err(InvalidSecret::Body),
        }
    }
}

impl fmt::Debug for SecretPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretPrefix({self})")
    }
}

impl fmt::Display for SecretPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Cuts every secret in a text, and every piece longer than a prefix, down to its prefix.
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut clean = String::new();
    let mut rest = text;
    while let Some((start, end)) = next_secret(rest) {
        clean.push_str(&rest[..start + PREFIX_LEN]);
        clean.push('…');
        rest = &rest[end..];
    }
    if clean.is_empty() {
        return Cow::Borrowed(text);
    }
    clean.push_str(rest);
    Cow::Owned(clean)
}

/// Returns the start and the end of the next marker that is followed by more than a prefix shows.
fn next_secret(text: &str) -> Option<(usize, usize)> {
    text.match_indices("nd").find_map(|(start, _)| {
        SecretKind::of(&text[start..])?;
        let body = text.as_bytes()[start + KIND_LEN..].iter().take_while(|b| is_body(**b)).count();
        (KIND_LEN + body > PREFIX_LEN).then_some((start, start + KIND_LEN + body))
    })
}

fn is_body(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

#[cfg(test)]
mod tests;
