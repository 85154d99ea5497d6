//! `GET /edge/verify`: a proxy asks about the request in front of it, before it passes that on.
//!
//! The org, the access and the permission are in the query, which the proxy's configuration holds. The client's
//! token is in `Authorization`, as the proxy received it. The proxy's own secret is in a header that the proxy overwrites.

use std::net::IpAddr;

use axum::body::Bytes;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response};
use ndauth_authority::Credential;
use ndauth_core::{ClientName, Problem, Reason, Scope, Secret};

use super::answer::{ClientQuestion, EdgeAnswer, EdgeFailure, EdgeQuestion, IDENTITY, unaccepted};
use super::parameters::{PARAMETERS, access_of_method, requirement, sort_form};
use crate::bearer::bearer;
use crate::client_address::last_forwarded;
use crate::http::ApiFailure;

/// The route, as the access table names it.
pub(crate) const VERIFY: &str = "GET /edge/verify";

/// The header with the proxy's own secret.
const SERVICE: HeaderName = HeaderName::from_static("x-ndauth-service");
/// The header with the method of the client's request.
const METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");

/// Reads the question of a proxy at an address.
pub(crate) fn proxy_question(head: &Parts, from: IpAddr) -> EdgeQuestion {
    EdgeQuestion { proxy: proxy(&head.headers, from), asked: asked(head) }
}

fn proxy(headers: &HeaderMap, from: IpAddr) -> Result<Credential, ApiFailure> {
    let text = only(headers, &SERVICE).map_err(|why| unaccepted(&format!("`x-ndauth-service`: {why}")))?;
    let secret = text.parse::<Secret>().map_err(|why| unaccepted(&why.to_string()))?;
    Ok(Credential::secret(secret, Some(from)))
}

fn asked(head: &Parts) -> Result<ClientQuestion, ApiFailure> {
    let headers = &head.headers;
    let query = head.uri.query().unwrap_or_default();
    let method = || -> Result<Scope, Problem> {
        let method = only(headers, &METHOD).map_err(|why| Problem::invalid("x-forwarded-method", why))?;
        Ok(access_of_method(method))
    };
    let requirement = requirement(&sort_form(PARAMETERS, query.as_bytes())?, method)?;
    let secret = bearer(headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes))
        .map_err(|why| Problem::invalid("authorization", why))?
        .ok_or_else(|| Problem::new(Reason::CredentialMissing, "no token came with the request"))?;
    let client_address = last_forwarded(headers)
        .map_err(|_| Problem::invalid("x-forwarded-for", "its last part is not an address"))?;
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    Ok(ClientQuestion {
        secret: secret.to_owned(),
        requirement,
        client_address,
        client: agent.and_then(ClientName::of_user_agent),
    })
}

/// Returns the value of a header that must be there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, &'static str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or("it is missing")?;
    if values.next().is_some() {
        return Err("it is given more than once");
    }
    let text = value.to_str().map_err(|_| "it is not plain text")?;
    if text.is_empty() { Err("it is empty") } else { Ok(text) }
}

/// Returns the response to a proxy.
pub(crate) fn verify_response(answer: EdgeAnswer, id: &HeaderValue) -> Response<Bytes> {
    let mut response = match answer {
        Ok(identity) => {
            let mut response = Response::new(Bytes::new());
            let headers = response.headers_mut();
            headers.reserve(IDENTITY.len() + 2);
            for (name, value) in IDENTITY.into_iter().zip(identity) {
                let value = HeaderValue::try_from(value).expect("each value is visible ASCII");
                headers.insert(HeaderName::from_static(name), value);
            }
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            response
        }
        Err(EdgeFailure { failure, kind }) => failure.response(None, kind, id),
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
