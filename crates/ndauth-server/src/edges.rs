//! Edges: proxies and OAuth resource servers that ask about a secret, each by its own protocol. They ask what
//! `ValidateToken` answers, and are answered from the mirror as it is.
//!
//! - `GET /edge/verify`, for nginx's `auth_request`, and for `forward_auth` of Caddy and Traefik.
//! - `envoy.service.auth.v3.Authorization/Check`, for Envoy's `ext_authz`.
//! - `POST /oauth2/introspect` (RFC 7662).

mod envoy;
mod parameters;

mod answer;

mod authorization;
mod introspection;
mod verify;

use axum::body::Body;
use axum::http::{HeaderValue, Response};
use axum::response::IntoResponse;
use ndauth_core::Problem;

pub(crate) use answer::{EdgeAnswer, admit};
pub(crate) use authorization::{CHECK, envoy_question, unread, write_check_response};
pub(crate) use introspection::{INTROSPECT, introspect};
pub(crate) use verify::{VERIFY, proxy_question, verified};

use crate::http::{ApiFailure, OAuthError};

/// The largest request of an edge in an encoding that is not gRPC's, in bytes.
pub(crate) const MAX_FORM: usize = 4 * 1024;

/// Returns true if a route is that of an edge.
pub(crate) fn is_edge(name: &str) -> bool {
    matches!(name, VERIFY | INTROSPECT)
}

/// Returns the response to a request on the route of this name that was not answered in time.
pub(crate) fn refused(name: &str, problem: &Problem, id: &HeaderValue) -> Response<Body> {
    match name {
        VERIFY => ApiFailure::undecided(problem.clone()).response(None, None, id).map(Into::into),
        _ => OAuthError::undecided(problem).into_response(),
    }
}
