//! The fields of a query or a form. Each may occur once (RFC 6749, section 3.1), and one without a value
//! counts as absent.

use std::collections::BTreeSet;

/// The fields that were sent.
pub(super) struct Fields {
    fields: Vec<(String, String)>,
    /// True if more fields were sent than are read.
    more: bool,
}

/// The error for fields that are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidFields {
    #[error("`{0}` was sent more than once")]
    Repeated(String),
    #[error("more than {MOST} fields were sent")]
    TooMany,
}

/// The most fields that are read. A form of a token has one for each permission in the catalogue that is chosen.
const MOST: usize = 512;

impl Fields {
    /// Reads `application/x-www-form-urlencoded`.
    pub(super) fn read(text: &[u8]) -> Fields {
        let mut parsed = form_urlencoded::parse(text);
        let fields = parsed.by_ref().take(MOST).map(|(name, value)| (name.into_owned(), value.into_owned()));
        Fields { fields: fields.collect(), more: parsed.next().is_some() }
    }

    /// Like [`read`](Fields::read), but refuses repeated fields.
    pub(super) fn read_once(text: &[u8]) -> Result<Fields, InvalidFields> {
        let fields = Fields::read(text);
        fields.check().map(|()| fields)
    }

    /// Returns an error if a field is repeated, or if there are more than are read.
    pub(super) fn check(&self) -> Result<(), InvalidFields> {
        self.check_but(&[])
    }

    /// Like [`check`](Fields::check), and lets some fields be repeated.
    pub(super) fn check_but(&self, repeatable: &[&str]) -> Result<(), InvalidFields> {
        if self.more {
            return Err(InvalidFields::TooMany);
        }
        let mut names = BTreeSet::new();
        let once = self.fields.iter().filter(|(name, _)| !repeatable.contains(&name.as_str()));
        match once.clone().find(|(name, _)| !names.insert(name)) {
            Some((name, _)) => Err(InvalidFields::Repeated(shown(name))),
            None => Ok(()),
        }
    }

    /// Returns true if a field occurs more than once.
    pub(super) fn repeats(&self, name: &str) -> bool {
        self.fields.iter().filter(|(named, _)| named == name).count() > 1
    }

    /// Returns the value of a field, if it is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.fields.iter().find(|(named, _)| named == name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// Returns the values of a field that may be repeated, but for empty ones.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.fields.iter().filter(move |(named, _)| named == name);
        named.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Returns each field with its value, in the order in which they were sent.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the fields but for those of a name.
    pub(super) fn without(self, name: &str) -> Fields {
        let Fields { fields, more } = self;
        Fields { fields: fields.into_iter().filter(|(named, _)| named != name).collect(), more }
    }

    /// Returns the value of a field, or an empty text.
    pub(super) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }
}

/// Returns the start of a text of unknown origin, without characters that could mislead a reader.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !ndauth_core::is_unshowable(*c)).take(40).collect()
}

/// Encodes a query.
pub(super) fn query<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}
