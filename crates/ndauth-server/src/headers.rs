//! Headers that must be there once, and the one that presents a credential (RFC 6750, section 2.1).

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use ndauth_core::{Problem, Reason};

/// The fault of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidHeader {
    #[error("it is missing")]
    Missing,
    #[error("it is empty")]
    Empty,
    #[error("it is given more than once")]
    Repeated,
    #[error("it is not plain text")]
    NotText,
    /// Nothing follows the scheme.
    #[error("expected `Bearer` and the secret, with a space between them")]
    NoSecret,
}

/// Returns the value of a header that must be there once.
pub(crate) fn only_header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, InvalidHeader> {
    let value =
        only(headers.get_all(name).iter().map(HeaderValue::as_bytes))?.ok_or(InvalidHeader::Missing)?;
    if value.is_empty() { Err(InvalidHeader::Empty) } else { Ok(value) }
}

/// Returns the values of the header that presents a credential.
pub(crate) fn authorizations(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes)
}

/// Returns the text after `Bearer` in the only `authorization` header. Another scheme presents no such credential
/// (RFC 6750, section 3.1).
pub(crate) fn bearer<'a>(values: impl Iterator<Item = &'a [u8]>) -> Result<Option<&'a str>, InvalidHeader> {
    Ok(match scheme(values)? {
        Some((scheme, secret)) if scheme.eq_ignore_ascii_case("bearer") => {
            Some(secret.ok_or(InvalidHeader::NoSecret)?)
        }
        Some(_) | None => None,
    })
}

/// Returns the token that a client presents to a service, as [`bearer`] reads it. It must be there.
pub(crate) fn presented_token<'a>(values: impl Iterator<Item = &'a [u8]>) -> Result<&'a str, Problem> {
    let token = bearer(values).map_err(|why| Problem::invalid("authorization", why))?;
    token.ok_or_else(|| Problem::new(Reason::CredentialMissing, "no token came with the request"))
}

/// Returns the scheme of the only header, and the text after it.
pub(crate) fn scheme<'a>(
    values: impl Iterator<Item = &'a [u8]>,
) -> Result<Option<(&'a str, Option<&'a str>)>, InvalidHeader> {
    let Some(text) = only(values)? else { return Ok(None) };
    let (scheme, rest) = text.split_once(' ').map_or((text, None), |(scheme, rest)| (scheme, Some(rest)));
    Ok(Some((scheme, rest.map(|rest| rest.trim_start_matches(' ')))))
}

fn only<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Result<Option<&'a str>, InvalidHeader> {
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(InvalidHeader::Repeated);
    }
    std::str::from_utf8(value).map(Some).map_err(|_| InvalidHeader::NotText)
}
