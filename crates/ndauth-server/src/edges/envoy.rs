//! The messages of `envoy.service.auth.v3`, as far as they are read and written here. Decoding a whole question, with
//! every header of the client's request, would cost several times the decision.
//!
//! A test compares with the generated types of `envoy-types`.

use std::str;

use ndauth_proto::{write_message, write_number, write_text};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// A question: the parts of a `CheckRequest` that are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CheckQuestion<'a> {
    /// True if it describes an HTTP request.
    pub(super) is_http: bool,
    pub(super) method: &'a str,
    /// The address of the client's socket.
    pub(super) address: &'a str,
    /// The values of the client's header `authorization`. Two are enough to refuse.
    pub(super) authorizations: [Option<&'a [u8]>; 2],
    pub(super) user_agent: Option<&'a [u8]>,
    /// The parameters in Envoy's configuration.
    pub(super) extensions: Vec<(&'a str, &'a str)>,
}

/// The fault of bytes that are no question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the question is not a `CheckRequest`")]
pub(super) struct NoQuestion;

/// The most parameters that are kept. There are three.
const MOST_EXTENSIONS: usize = 4;

impl<'a> CheckQuestion<'a> {
    /// Reads a question, in one pass and without copies.
    pub(super) fn read(message: &'a [u8]) -> Result<CheckQuestion<'a>, NoQuestion> {
        let mut question = CheckQuestion::default();
        each(message, |tag, attributes| match tag {
            1 => each(attributes, |tag, part| match tag {
                1 => question.read_source(part),
                4 => question.read_request(part),
                10 => question.read_extension(part),
                _ => Ok(()),
            }),
            _ => Ok(()),
        })?;
        Ok(question)
    }

    /// Reads a `Peer`: its address, that of a socket, and of that the address.
    fn read_source(&mut self, peer: &'a [u8]) -> Result<(), NoQuestion> {
        let address = last(peer, 1)?.map_or(Ok(None), |address| last(address, 1))?;
        if let Some(text) = address.map_or(Ok(None), |socket| last(socket, 2))? {
            self.address = str::from_utf8(text).map_err(|_| NoQuestion)?;
        }
        Ok(())
    }

    fn read_request(&mut self, request: &'a [u8]) -> Result<(), NoQuestion> {
        each(request, |tag, http| match tag {
            2 => {
                self.is_http = true;
                each(http, |tag, part| match tag {
                    2 => {
                        self.method = str::from_utf8(part).map_err(|_| NoQuestion)?;
                        Ok(())
                    }
                    3 => self.read_header(part),
                    13 => each(part, |tag, header| if tag == 1 { self.read_header(header) } else { Ok(()) }),
                    _ => Ok(()),
                })
            }
            _ => Ok(()),
        })
    }

    /// Reads a header, of the map or of the list: the list has values that are not UTF-8 in a field of their own.
    fn read_header(&mut self, header: &'a [u8]) -> Result<(), NoQuestion> {
        let name = last(header, 1)?.unwrap_or_default();
        if !matches!(name, b"authorization" | b"user-agent") {
            return Ok(());
        }
        let raw = last(header, 3)?.filter(|raw| !raw.is_empty());
        let value = raw.map_or_else(|| last(header, 2), |raw| Ok(Some(raw)))?.unwrap_or_default();
        match (name, &self.authorizations) {
            (b"user-agent", _) => self.user_agent = Some(value),
            (_, [None, _]) => self.authorizations[0] = Some(value),
            (_, [Some(_), _]) => self.authorizations[1] = Some(value),
        }
        Ok(())
    }

    fn read_extension(&mut self, entry: &'a [u8]) -> Result<(), NoQuestion> {
        let text = |tag| str::from_utf8(last(entry, tag)?.unwrap_or_default()).map_err(|_| NoQuestion);
        if self.extensions.len() < MOST_EXTENSIONS {
            self.extensions.push((text(1)?, text(2)?));
        }
        Ok(())
    }
}

/// Calls a function for each field of a message that has a length.
fn each<'a>(
    mut message: &'a [u8],
    mut read: impl FnMut(u32, &'a [u8]) -> Result<(), NoQuestion>,
) -> Result<(), NoQuestion> {
    while !message.is_empty() {
        let (tag, wire) = decode_key(&mut message).map_err(|_| NoQuestion)?;
        if wire == WireType::LengthDelimited {
            let length = decode_varint(&mut message).map_err(|_| NoQuestion)?;
            let length = usize::try_from(length).map_err(|_| NoQuestion)?;
            let (field, rest) = message.split_at_checked(length).ok_or(NoQuestion)?;
            message = rest;
            read(tag, field)?;
        } else {
            skip_field(wire, tag, &mut message, DecodeContext::default()).map_err(|_| NoQuestion)?;
        }
    }
    Ok(())
}

/// Returns the last field with this tag.
fn last(message: &[u8], tag: u32) -> Result<Option<&[u8]>, NoQuestion> {
    let mut found = None;
    each(message, |known, field| {
        if known == tag {
            found = Some(field);
        }
        Ok(())
    })?;
    Ok(found)
}

/// Writes a `CheckResponse` that allows: these headers, in place of all of their names, and without the others.
pub(super) fn write_allowed<'a>(
    to: &mut Vec<u8>,
    headers: impl Iterator<Item = (&'a str, &'a str)>,
    removed: &str,
) {
    // The status is 0, which is written as nothing.
    write_message(to, 1, |_| {});
    write_message(to, 3, |to| {
        headers.for_each(|(name, value)| write_header(to, 2, name, value));
        write_text(to, 5, removed);
    });
}

/// Writes a `CheckResponse` that denies, with a gRPC code and the response to the client.
pub(super) fn write_denied<'a>(
    to: &mut Vec<u8>,
    code: tonic::Code,
    status: u16,
    headers: impl Iterator<Item = (&'a str, &'a str)>,
    body: &str,
) {
    write_message(to, 1, |to| write_number(to, 1, i32::from(code).unsigned_abs().into()));
    write_message(to, 2, |to| {
        write_message(to, 1, |to| write_number(to, 1, status.into()));
        headers.for_each(|(name, value)| write_header(to, 2, name, value));
        write_text(to, 3, body);
    });
}

/// Writes a `HeaderValueOption` that overwrites, and is kept if its value is empty.
fn write_header(to: &mut Vec<u8>, field: u32, name: &str, value: &str) {
    const OVERWRITE_IF_EXISTS_OR_ADD: u64 = 2;
    write_message(to, field, |to| {
        write_message(to, 1, |to| {
            write_text(to, 1, name);
            write_text(to, 2, value);
        });
        write_number(to, 3, OVERWRITE_IF_EXISTS_OR_ADD);
        write_number(to, 4, 1);
    });
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::config::core::v3::address::Address as AddressKind;
    use envoy_types::pb::envoy::config::core::v3::{Address, HeaderMap, HeaderValue, SocketAddress};
    use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request};
    use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
    use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest, CheckResponse};
    use prost::Message;

    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> std::collections::HashMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn request(headers: &[(&str, &str)], listed: &[&[u8]]) -> Vec<u8> {
        let listed = listed.iter().map(|value| HeaderValue {
            key: "authorization".to_owned(),
            raw_value: value.to_vec(),
            ..HeaderValue::default()
        });
        let http = HttpRequest {
            method: "PUT".to_owned(),
            headers: pairs(headers),
            header_map: Some(HeaderMap { headers: listed.collect() }),
            size: -1,
            ..HttpRequest::default()
        };
        let socket = SocketAddress { address: "192.0.2.7".to_owned(), ..SocketAddress::default() };
        let address = Address { address: Some(AddressKind::SocketAddress(socket)) };
        let attributes = AttributeContext {
            source: Some(Peer { address: Some(address), ..Peer::default() }),
            destination: Some(Peer { service: "other".to_owned(), ..Peer::default() }),
            request: Some(Request { http: Some(http), ..Request::default() }),
            context_extensions: pairs(&[("org", "ops")]),
            ..AttributeContext::default()
        };
        CheckRequest { attributes: Some(attributes) }.encode_to_vec()
    }

    #[test]
    fn a_question_is_read_as_the_generated_types_have_it() {
        let message = request(&[("authorization", "Bearer a"), ("user-agent", "curl/8"), ("x", "y")], &[]);
        let expected = CheckQuestion {
            is_http: true,
            method: "PUT",
            address: "192.0.2.7",
            authorizations: [Some(b"Bearer a"), None],
            user_agent: Some(b"curl/8"),
            extensions: vec![("org", "ops")],
        };
        assert_eq!(CheckQuestion::read(&message), Ok(expected));
        let listed = request(&[], &[b"Bearer a", b"Bearer b", b"Bearer c"]);
        let question = CheckQuestion::read(&listed).expect("a question");
        assert_eq!(question.authorizations, [Some(&b"Bearer a"[..]), Some(b"Bearer c")]);
        assert_eq!(CheckQuestion::read(&[]), Ok(CheckQuestion::default()));
    }

    #[test]
    fn bytes_that_are_no_question_are_refused() {
        let message = request(&[("authorization", "Bearer a")], &[]);
        for length in 1..message.len() {
            assert!(CheckQuestion::read(&message[..length]).is_err(), "{length}");
        }
        for bytes in [&[0xff; 64][..], &[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], &[0x0b], &[0x0a, 2, 0xff, 0xff]]
        {
            assert!(CheckQuestion::read(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn responses_are_those_of_the_generated_types() {
        let mut written = Vec::new();
        write_allowed(
            &mut written,
            [("x-auth-org", "ops"), ("x-auth-account", "")].into_iter(),
            "authorization",
        );
        let response = CheckResponse::decode(&*written).expect("a response");
        assert_eq!(response.status.expect("a status").code, 0);
        let Some(HttpResponse::OkResponse(allowed)) = response.http_response else { panic!("it allows") };
        let headers: Vec<_> =
            allowed.headers.iter().map(|option| option.header.clone().expect("one")).collect();
        assert_eq!(
            (&*headers[0].key, &*headers[1].key, &*headers[1].value),
            ("x-auth-org", "x-auth-account", "")
        );
        assert!(allowed.headers.iter().all(|header| header.keep_empty_value && header.append_action == 2));
        assert_eq!(allowed.headers_to_remove, ["authorization"]);

        written.clear();
        write_denied(&mut written, tonic::Code::Unavailable, 503, [("retry-after", "1")].into_iter(), "{}");
        let response = CheckResponse::decode(&*written).expect("a response");
        assert_eq!(response.status.expect("a status").code, 14);
        let Some(HttpResponse::DeniedResponse(denied)) = response.http_response else { panic!("it denies") };
        assert_eq!((denied.status.expect("a status").code, &*denied.body), (503, "{}"));
        assert_eq!(denied.headers[0].header.clone().expect("one").key, "retry-after");
    }
}
