//! The `authorization` header of a request (RFC 6750, section 2.1).

/// The fault of a header that presents no credential as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidAuthorizationHeader {
    /// There are several.
    #[error("it is given more than once")]
    Repeated,
    /// It is not UTF-8.
    #[error("it is not plain text")]
    NotText,
    /// Nothing follows the scheme.
    #[error("expected `Bearer` and the secret, with a space between them")]
    Empty,
}

/// Returns the text after `Bearer` in the only `authorization` header. Another scheme presents no such credential
/// (RFC 6750, section 3.1).
pub(crate) fn bearer<'a>(
    values: impl Iterator<Item = &'a [u8]>,
) -> Result<Option<&'a str>, InvalidAuthorizationHeader> {
    Ok(match only(values)? {
        Some((scheme, secret)) if scheme.eq_ignore_ascii_case("bearer") => {
            Some(secret.ok_or(InvalidAuthorizationHeader::Empty)?)
        }
        Some(_) | None => None,
    })
}

/// Returns the scheme of the only header, and the text after it.
pub(crate) fn only<'a>(
    mut values: impl Iterator<Item = &'a [u8]>,
) -> Result<Option<(&'a str, Option<&'a str>)>, InvalidAuthorizationHeader> {
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(InvalidAuthorizationHeader::Repeated);
    }
    let text = std::str::from_utf8(value).map_err(|_| InvalidAuthorizationHeader::NotText)?;
    let (scheme, rest) = text.split_once(' ').map_or((text, None), |(scheme, rest)| (scheme, Some(rest)));
    Ok(Some((scheme, rest.map(|rest| rest.trim_start_matches(' ')))))
}
