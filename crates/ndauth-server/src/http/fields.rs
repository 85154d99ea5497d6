//! The fields of a query or a form. Each is there at most once (RFC 6749, section 3.1), and one without a value is as
//! good as none.

/// The fields that were sent.
pub(super) struct Fields(Vec<(String, String)>);

/// A field is there more than once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Repeated(pub(super) String);

impl Fields {
    /// Reads `application/x-www-form-urlencoded`.
    pub(super) fn read(text: &[u8]) -> Fields {
        Fields(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The same, where nothing is there twice.
    pub(super) fn read_once(text: &[u8]) -> Result<Fields, Repeated> {
        let fields = Fields::read(text);
        match fields.repeated() {
            Some(name) => Err(Repeated(name.to_owned())),
            None => Ok(fields),
        }
    }

    /// One that is there more than once.
    pub(super) fn repeated(&self) -> Option<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).find(|name| self.repeats(name))
    }

    /// Whether this one is.
    pub(super) fn repeats(&self, name: &str) -> bool {
        self.0.iter().filter(|(named, _)| named == name).count() > 1
    }

    /// The value of a field.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(named, _)| named == name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// The value of a field, or nothing.
    pub(super) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }
}

/// Writes a query.
pub(super) fn query<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}
