//! `envoy.service.auth.v3.Authorization/Check`: Envoy asks about the request in front of it.
//!
//! The org, the access and the permission are in `context_extensions`, which Envoy's configuration holds. Envoy
//! presents its own secret as the metadata of the call, as every service does.
//!
//! The call succeeds whatever is decided, also if nothing is: Envoy takes a failed call for a down server, which an
//! operator may have let it ignore.

use std::borrow::Cow;
use std::net::IpAddr;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderValue, StatusCode};
use ndauth_authority::Credential;
use ndauth_core::{ClientName, Problem};
use ndauth_proto::problem_from_status;
use tonic::{Code, Status};

use super::answer::{ClientQuestion, EdgeAnswer, EdgeQuestion, IDENTITY, unaccepted};
use super::envoy::{CheckQuestion, write_allowed, write_denied};
use super::parameters::{PARAMETERS, access_of_method, requirement, sort};
use crate::headers::presented_token;
use crate::http::ApiFailure;

/// The RPC, as the access table names it.
pub(crate) const CHECK: &str = "envoy.service.auth.v3.Authorization/Check";

/// Reads the question of an Envoy that presents a credential, or none that is one.
pub(crate) fn envoy_question(proxy: Result<Credential, Status>, message: &[u8]) -> EdgeQuestion {
    let proxy = proxy.map_err(|status| unaccepted(&problem_from_status(&status).message));
    EdgeQuestion::new(proxy, || asked(message))
}

/// Returns the answer to an Envoy whose question was not read.
pub(crate) fn unread(status: &Status) -> EdgeAnswer {
    Err(ApiFailure::undecided(problem_from_status(status)).into())
}

fn asked(message: &[u8]) -> Result<ClientQuestion, ApiFailure> {
    let invalid = |why: &str| Problem::invalid("attributes", why);
    let question = CheckQuestion::read(message).map_err(|why| invalid(&why.to_string()))?;
    let CheckQuestion { is_http, method, address, authorizations, user_agent, extensions } = question;
    if !is_http {
        return Err(invalid("they describe no HTTP request").into());
    }
    let parameters = extensions.into_iter().map(|(name, value)| (Cow::from(name), Cow::from(value)));
    let access = || match method {
        "" => Err(invalid("they name no method")),
        method => Ok(access_of_method(method)),
    };
    let requirement = requirement(&sort(PARAMETERS, parameters)?, access)?;
    let secret = presented_token(authorizations.into_iter().flatten())?.to_owned();
    let user_agent = user_agent.and_then(|agent| std::str::from_utf8(agent).ok());
    Ok(ClientQuestion {
        secret,
        requirement,
        // There is none where the client is on a socket of the machine.
        client_address: address.parse::<IpAddr>().ok().map(|address| address.to_canonical()),
        client: user_agent.and_then(ClientName::of_user_agent),
    })
}

/// Writes the fields of the response to Envoy. `id` is called for the request id of a failure.
pub(crate) fn write_check_response(
    fields: &mut Vec<u8>,
    answer: &EdgeAnswer,
    id: impl FnOnce() -> HeaderValue,
) {
    match answer {
        Ok(identity) => {
            let headers = IDENTITY.into_iter().zip(identity.iter().map(String::as_str));
            write_allowed(fields, headers, AUTHORIZATION.as_str());
        }
        Err(failure) => {
            let (head, body) = failure.response(&id()).into_parts();
            let code = match head.status {
                StatusCode::UNAUTHORIZED => Code::Unauthenticated,
                StatusCode::FORBIDDEN => Code::PermissionDenied,
                StatusCode::BAD_REQUEST => Code::InvalidArgument,
                _ => Code::Unavailable,
            };
            let headers = head.headers.iter();
            let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
            write_denied(fields, code, head.status.as_u16(), headers, &String::from_utf8_lossy(&body));
        }
    }
}
