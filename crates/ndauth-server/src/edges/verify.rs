//! `GET /edge/verify`: a proxy asks about the request in front of it, before it passes that on.
//!
//! The org, the access and the permission are in the query, which the proxy's configuration holds. The client's
//! token is in `Authorization`, as the proxy received it. The proxy's own secret is in a header that the proxy
//! overwrites.

use std::net::IpAddr;

use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response};
use ndauth_authority::Credential;
use ndauth_core::{ClientName, Problem, Secret};

use super::answer::{ClientQuestion, EdgeQuestion, IDENTITY, IdentityHeaders, unaccepted};
use super::parameters::{PARAMETERS, access_of_method, requirement, sort_form};
use crate::client_address::last_forwarded;
use crate::headers::{authorizations, only_header, presented_token};
use crate::http::ApiFailure;

/// The route, as the access table names it.
pub(crate) const VERIFY: &str = "GET /edge/verify";

/// The header with the proxy's own secret.
const SERVICE: HeaderName = HeaderName::from_static("x-ndauth-service");
/// The header with the method of the client's request.
const METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");

/// Reads the question of a proxy at an address.
pub(crate) fn proxy_question(head: &Parts, from: IpAddr) -> EdgeQuestion {
    EdgeQuestion::new(proxy(&head.headers, from), || asked(head))
}

fn proxy(headers: &HeaderMap, from: IpAddr) -> Result<Credential, ApiFailure> {
    let text = only_header(headers, &SERVICE).map_err(|why| unaccepted(&why.to_string()))?;
    let secret = text.parse::<Secret>().map_err(|why| unaccepted(&why.to_string()))?;
    Ok(Credential::secret(secret, Some(from)))
}

fn asked(head: &Parts) -> Result<ClientQuestion, ApiFailure> {
    let headers = &head.headers;
    let query = head.uri.query().unwrap_or_default();
    let access = || {
        let method =
            only_header(headers, &METHOD).map_err(|why| Problem::invalid("x-forwarded-method", why))?;
        Ok(access_of_method(method))
    };
    let requirement = requirement(&sort_form(PARAMETERS, query.as_bytes())?, access)?;
    let secret = presented_token(authorizations(headers))?.to_owned();
    let client_address = last_forwarded(headers)
        .map_err(|_| Problem::invalid("x-forwarded-for", "its last part is not an address"))?;
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    let client = agent.and_then(ClientName::of_user_agent);
    Ok(ClientQuestion { secret, requirement, client_address, client })
}

/// Returns the response to a proxy whose client may do what it requests.
pub(crate) fn verified(identity: IdentityHeaders) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    headers.reserve(IDENTITY.len() + 2);
    for (name, value) in IDENTITY.into_iter().zip(identity) {
        let value = HeaderValue::try_from(value).expect("each value is visible ASCII");
        headers.insert(HeaderName::from_static(name), value);
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
