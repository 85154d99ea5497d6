//! The metadata of the authorization server: its endpoints and their parameters (RFC 8414).

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::problem::uncached_json;
use super::site::Site;
use super::token::{AUTHORIZATION_CODE, DEVICE_CODE, REFRESH_TOKEN, TOKEN_EXCHANGE};

/// The scopes of tokens that are derived from a session.
const SCOPES: [&str; 2] = ["RO", "RW"];

/// The metadata of the API as a resource that the tokens of this server protect (RFC 9728).
pub(super) async fn show_resource(State(site): State<Arc<Site>>) -> Response {
    let metadata = json!({
        "resource": site.issuer,
        "authorization_servers": [site.issuer],
        "bearer_methods_supported": ["header"],
        "scopes_supported": SCOPES,
        "resource_name": "ndauth",
        "resource_documentation": format!("{}/docs", site.issuer),
    });
    uncached_json(StatusCode::OK, &metadata)
}

pub(super) async fn show(State(site): State<Arc<Site>>) -> Response {
    let at = |path: &str| format!("{}{path}", site.issuer);
    let device = site.device.then_some(DEVICE_CODE);
    let grants: Vec<&str> =
        [AUTHORIZATION_CODE, REFRESH_TOKEN].into_iter().chain(device).chain([TOKEN_EXCHANGE]).collect();
    let mut metadata = json!({
        "issuer": site.issuer,
        "authorization_endpoint": at("/oauth2/authorize"),
        "token_endpoint": at("/oauth2/token"),
        "revocation_endpoint": at("/oauth2/revoke"),
        "introspection_endpoint": at("/oauth2/introspect"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": grants,
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "Bearer"],
        "authorization_response_iss_parameter_supported": true,
        "scopes_supported": SCOPES,
        "protected_resources": [site.issuer],
        "service_documentation": at("/docs"),
    });
    if site.device {
        metadata["device_authorization_endpoint"] = json!(at("/oauth2/device_authorization"));
    }
    uncached_json(StatusCode::OK, &metadata)
}
