//! Names that people give: of tokens, orgs, accounts, services and devices.
//!
//! A name that parses is safe to store, to compare and to show: it is one line, without control characters,
//! invisible characters, or characters that change the direction of the text that follows. Short names, as
//! most are, are stored inline.

use std::fmt;
use std::str::FromStr;

use smol_str::SmolStr;
use unicode_normalization::UnicodeNormalization;

use crate::secret::redact;

/// The fault of an invalid name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// It is empty.
    #[error("is empty")]
    Empty,
    /// It is too long.
    #[error("is longer than {max} characters")]
    TooLong {
        /// The maximum number of characters.
        max: usize,
    },
    /// It has white space before or after it.
    #[error("begins or ends with white space")]
    OuterSpace,
    /// It contains a character that cannot be shown safely.
    #[error("contains U+{:04X}, which cannot be displayed safely", u32::from(*.0))]
    Unshowable(char),
    /// It contains a character outside the alphabet of slugs and handles.
    #[error("may contain only a-z, 0-9 and single hyphens between them; `{}` is not allowed", .0.escape_default())]
    NotSlug(char),
    /// It contains a secret, which would be kept and shown with it.
    #[error("contains a secret")]
    Secret,
    /// It is a reserved word.
    #[error("cannot be `{0}`, a reserved word")]
    Reserved(&'static str),
    /// It is not of the form `someone@example.org`.
    #[error("is not an e-mail address of the form `someone@example.org`")]
    NotEmail,
}

/// The name of a token or a service: 1 to 100 characters in Unicode's normal form C, no reserved word in any case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(SmolStr);

/// The display name of a person, an org or a device, by which nothing is looked up: 1 to 100 characters in
/// Unicode's normal form C.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DisplayName(SmolStr);

/// The purpose of something, in a person's words: 1 to 200 characters on one line, in Unicode's normal form
/// C.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Description(Box<str>);

/// An org's immutable name in URLs and commands: 1 to 40 of a-z, 0-9 and inner hyphens, no reserved word.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrgSlug(SmolStr);

/// An account's immutable name: 1 to 40 of a-z, 0-9 and inner hyphens, no reserved word.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(SmolStr);

/// An account's e-mail address, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(Box<str>);

/// The words that mean "everything", "nothing" or "the caller" in commands and output. None of them is ever a
/// name.
const RESERVED: [&str; 8] = ["all", "any", "none", "me", "mine", "self", "null", "never"];

const MAX_LABEL: usize = 100;
const MAX_DESCRIPTION: usize = 200;
const MAX_SLUG: usize = 40;
const MAX_EMAIL: usize = 254;

impl FromStr for Label {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let line = line(text, MAX_LABEL)?;
        unreserved(&line)?;
        Ok(Label(line.into()))
    }
}

impl FromStr for DisplayName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        line(text, MAX_LABEL).map(|line| DisplayName(line.into()))
    }
}

impl FromStr for Description {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        line(text, MAX_DESCRIPTION).map(|line| Description(line.into()))
    }
}

impl FromStr for OrgSlug {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        slug(text).map(OrgSlug)
    }
}

impl FromStr for Handle {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        slug(text).map(Handle)
    }
}

impl FromStr for Email {
    type Err = InvalidName;

    /// Checks the form only. A mail to the address shows whether it exists.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        bounded(text, MAX_EMAIL)?;
        if let Some(c) = unshowable(text) {
            return Err(InvalidName::Unshowable(c));
        }
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidName::NotEmail)?;
        let plain = |c: char| !c.is_whitespace() && !matches!(c, '<' | '>' | ',' | ';' | '"' | '@');
        let labels_ok = domain.split('.').all(|label| !label.is_empty());
        if local.is_empty() || !labels_ok || !text.replacen('@', "", 1).chars().all(plain) {
            return Err(InvalidName::NotEmail);
        }
        // No provider distinguishes two people by the case of their addresses, and neither do people who type
        // them.
        Ok(Email(text.to_lowercase().into()))
    }
}

/// Checks a line of text, and returns it in normal form.
fn line(text: &str, max: usize) -> Result<String, InvalidName> {
    bounded(text, max)?;
    if text.trim() != text {
        return Err(InvalidName::OuterSpace);
    }
    if let Some(c) = unshowable(text) {
        return Err(InvalidName::Unshowable(c));
    }
    if redact(text) != text {
        return Err(InvalidName::Secret);
    }
    let normal: String = text.nfc().collect();
    bounded(&normal, max)?;
    Ok(normal)
}

fn bounded(text: &str, max: usize) -> Result<(), InvalidName> {
    match text.chars().take(max + 1).count() {
        0 => Err(InvalidName::Empty),
        n if n > max => Err(InvalidName::TooLong { max }),
        _ => Ok(()),
    }
}

fn slug(text: &str) -> Result<SmolStr, InvalidName> {
    bounded(text, MAX_SLUG)?;
    let alphabet = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if let Some(c) = text.chars().find(|c| !alphabet(*c)) {
        return Err(InvalidName::NotSlug(c));
    }
    if text.starts_with('-') || text.ends_with('-') || text.contains("--") {
        return Err(InvalidName::NotSlug('-'));
    }
    unreserved(text)?;
    Ok(text.into())
}

fn unreserved(text: &str) -> Result<(), InvalidName> {
    match RESERVED.into_iter().find(|word| word.eq_ignore_ascii_case(text)) {
        Some(word) => Err(InvalidName::Reserved(word)),
        None => Ok(()),
    }
}

/// Returns the first character that a terminal, a log or a page could not show as it is.
fn unshowable(text: &str) -> Option<char> {
    let mut previous = ' ';
    text.chars().find(|&c| {
        let joins = matches!(c, '\u{200C}' | '\u{200D}' | '\u{FE00}'..='\u{FE0F}');
        let bad = if joins { previous.is_ascii() } else { is_unshowable(c) };
        previous = c;
        bad
    })
}

/// Returns true if a terminal, a log or a page could take this character for something other than text: a
/// control character, white space other than the blank, or a character that is invisible or changes the
/// direction of writing.
pub fn is_unshowable(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{E000}'..='\u{F8FF}'
            | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{10FFFF}')
}

macro_rules! as_text {
    ($($name:ident)*) => {$(
        impl $name {
            /// Returns the name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

as_text! { Label DisplayName Description OrgSlug Handle Email }

#[cfg(test)]
mod tests;
