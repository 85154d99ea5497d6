//! `envoy.service.auth.v3.Authorization/Check`: Envoy asks about the request in front of it.
//!
//! The org, the access and the permission are in `context_extensions`, which Envoy's configuration holds. Envoy presents
//! its own secret as the metadata of the call, as every service does.
//!
//! Whatever is decided, and also if nothing is, the call succeeds: Envoy takes a failed call for a down server, which an
//! operator may have let it ignore.

use std::borrow::Cow;
use std::net::IpAddr;

use axum::http::header::{AUTHORIZATION, USER_AGENT};
use axum::http::{HeaderValue, StatusCode};
use envoy_types::pb::envoy::config::core::v3::address::Address;
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue as EnvoyHeader, HeaderValueOption};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer};
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{
    AttributeContext, CheckRequest, CheckResponse, DeniedHttpResponse, OkHttpResponse,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::rpc;
use ndauth_authority::Credential;
use ndauth_core::{ClientName, Problem, Reason};
use ndauth_proto::problem_from_status;
use tonic::{Code, Status};

use super::answer::{ClientQuestion, EdgeAnswer, EdgeFailure, EdgeQuestion, IDENTITY, unaccepted};
use super::parameters::{PARAMETERS, access_of_method, requirement, sort};
use crate::bearer::bearer;
use crate::http::ApiFailure;

/// The RPC, as the access table names it.
pub(crate) const CHECK: &str = "envoy.service.auth.v3.Authorization/Check";

/// Reads the question of an Envoy that presents a credential, or none that is one.
pub(crate) fn envoy_question(proxy: Result<Credential, Status>, request: &CheckRequest) -> EdgeQuestion {
    let proxy = proxy.map_err(|status| unaccepted(&problem_from_status(&status).message));
    EdgeQuestion { proxy, asked: asked(request) }
}

fn asked(request: &CheckRequest) -> Result<ClientQuestion, ApiFailure> {
    let missing = || Problem::invalid("attributes", "they describe no HTTP request");
    let attributes = request.attributes.as_ref().ok_or_else(missing)?;
    let http = attributes.request.as_ref().and_then(|request| request.http.as_ref()).ok_or_else(missing)?;
    let AttributeContext { source, context_extensions, .. } = attributes;
    let parameters = context_extensions.iter();
    let parameters = parameters.map(|(name, value)| (Cow::from(name.as_str()), Cow::from(value.as_str())));
    let method = || match http.method.as_str() {
        "" => Err(Problem::invalid("attributes", "they name no method")),
        method => Ok(access_of_method(method)),
    };
    let requirement = requirement(&sort(PARAMETERS, parameters)?, method)?;
    let secret = bearer(values(http, AUTHORIZATION.as_str()))
        .map_err(|why| Problem::invalid("authorization", why))?
        .ok_or_else(|| Problem::new(Reason::CredentialMissing, "no token came with the request"))?;
    let agent = values(http, USER_AGENT.as_str()).next().and_then(|agent| std::str::from_utf8(agent).ok());
    Ok(ClientQuestion {
        secret: secret.to_owned(),
        requirement,
        client_address: source.as_ref().and_then(address),
        client: agent.and_then(ClientName::of_user_agent),
    })
}

/// Returns the values of a header, by its name in lower case. Envoy sends a map, in which the values of a repeated header
/// are one with commas, or a list, where its configuration says `encode_raw_headers`.
fn values<'a>(http: &'a HttpRequest, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let listed = http.header_map.iter().flat_map(|map| &map.headers).filter(move |header| header.key == name);
    let listed = listed.map(|header| match header.raw_value.as_slice() {
        [] => header.value.as_bytes(),
        raw => raw,
    });
    http.headers.get(name).map(String::as_bytes).into_iter().chain(listed)
}

/// Returns the address of the client, unless it is a socket of the machine.
fn address(peer: &Peer) -> Option<IpAddr> {
    let Some(Address::SocketAddress(socket)) = &peer.address.as_ref()?.address else { return None };
    socket.address.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// Returns the response to Envoy. `id` is called for the request id of a failure.
pub(crate) fn check_response(answer: EdgeAnswer, id: impl FnOnce() -> HeaderValue) -> CheckResponse {
    let (code, response) = match answer {
        Ok(identity) => {
            let headers =
                IDENTITY.iter().zip(identity).map(|(name, value)| header((*name).to_owned(), value));
            let allowed = OkHttpResponse {
                headers: headers.collect(),
                headers_to_remove: vec![AUTHORIZATION.as_str().to_owned()],
                ..OkHttpResponse::default()
            };
            (Code::Ok, HttpResponse::OkResponse(allowed))
        }
        Err(EdgeFailure { failure, kind }) => {
            let (head, body) = failure.response(None, kind, &id()).into_parts();
            let code = match head.status {
                StatusCode::UNAUTHORIZED => Code::Unauthenticated,
                StatusCode::FORBIDDEN => Code::PermissionDenied,
                StatusCode::BAD_REQUEST => Code::InvalidArgument,
                _ => Code::Unavailable,
            };
            let headers = head.headers.iter().filter_map(|(name, value)| {
                Some(header(name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
            });
            let denied = DeniedHttpResponse {
                status: Some(HttpStatus { code: head.status.as_u16().into() }),
                headers: headers.collect(),
                body: String::from_utf8_lossy(&body).into_owned(),
            };
            (code, HttpResponse::DeniedResponse(denied))
        }
    };
    CheckResponse {
        status: Some(rpc::Status { code: code.into(), ..rpc::Status::default() }),
        http_response: Some(response),
        ..CheckResponse::default()
    }
}

/// Returns a header that takes the place of every other of its name.
fn header(key: String, value: String) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(EnvoyHeader { key, value, ..EnvoyHeader::default() }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        keep_empty_value: true,
        ..HeaderValueOption::default()
    }
}
