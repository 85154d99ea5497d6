//! Plain HTTP beside gRPC: the pages on which people sign in, and the endpoints of OAuth. It parses requests,
//! calls the authority, and renders responses. A route without a row in the access table is not served.

mod fields;
mod layout;
pub(crate) mod links;
mod site;
mod visitor;

mod problem;

mod request;
mod route;

mod sign_in;

mod device;
mod home;
mod invitation;
mod token;

mod authorize;
mod metadata;
mod reference;

mod pages;

use std::sync::Arc;

use axum::Router;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use ndauth_core::Problem;
use tower_http::csrf::CsrfLayer;

use layout::POLICY;
use problem::ClientKind;
use route::{HttpRoute, person, program};

pub(crate) use problem::{ApiFailure, OAuthError, problem_of};
pub(crate) use site::{MAX_BODY, Peer, Site};

/// The routes, but for those of the pages of a signed-in person.
#[rustfmt::skip]
const ROUTES: [HttpRoute; 23] = [
    program("GET /.well-known/oauth-protected-resource",   || get(metadata::show_resource)),
    program("GET /.well-known/oauth-authorization-server", || get(metadata::show)),
    program("GET /openapi.json",                           || get(reference::openapi)),
    person("GET /docs",                                    || get(reference::show)),
    program("POST /oauth2/token",                          || post(token::issue)),
    program("POST /oauth2/revoke",                         || post(token::revoke)),
    program("POST /oauth2/device_authorization",           || post(token::begin_device)),
    person("GET /oauth2/authorize",                        || get(authorize::show)),
    person("POST /oauth2/authorize",                       || post(authorize::decide)),
    person("GET /sign-in",                                 || get(sign_in::show)),
    person("POST /sign-in",                                || post(sign_in::sign_in)),
    person("GET /sign-in/link",                            || get(sign_in::show_link)),
    person("POST /sign-in/link",                           || post(sign_in::follow_link)),
    person("GET /invitation",                              || get(invitation::show)),
    person("POST /invitation",                             || post(invitation::accept)),
    person("POST /sign-out",                               || post(home::sign_out)),
    person("GET /signed-out",                              || get(home::signed_out)),
    person("GET /",                                        || get(home::show)),
    person("GET /device",                                  || get(device::show)),
    person("POST /device",                                 || post(device::look)),
    person("POST /device/decision",                        || post(device::decide)),
    person("GET /assets/style.css",                        || get(layout::style)),
    person("GET /assets/page.js",                          || get(layout::script)),
];

/// Returns every route.
fn routes() -> impl Iterator<Item = &'static HttpRoute> {
    ROUTES.iter().chain(pages::routes())
}

/// Returns the router of all routes.
pub(crate) fn router(site: Site) -> Router {
    let site = Arc::new(site);
    let only = |client: ClientKind| {
        let routes = routes().filter(move |route| route.client == client);
        routes.fold(Router::new(), |router, route| router.route(route.path(), (route.handler)()))
    };
    let here = CsrfLayer::new().with_rejection_response(|_| problem::cross_site().into_response());
    // A proxy may have changed the `Host` header; the browser's `Origin` is still the issuer.
    let here = here.clone().add_trusted_origin(&site.issuer).unwrap_or(here);
    only(ClientKind::Person).layer(here).merge(only(ClientKind::Program)).with_state(site)
}

/// Adds the security headers to a response, except a policy and a cache control of its own. The gate calls
/// this for every page.
pub(crate) fn guard(headers: &mut HeaderMap, is_secure: bool) {
    if is_secure {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    // Without any referrer, browsers would not send the origin of a form either, and the form would be
    // refused.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// Returns the response to a request on the route of this name that failed before its handler.
pub(crate) fn refused(name: &str, problem: &Problem) -> axum::response::Response {
    let client = routes().find(|route| route.name == name).map_or(ClientKind::Person, |route| route.client);
    problem::refused(client, problem)
}

/// Returns the page for a path that names none, or whose page is the response to a form.
pub(crate) fn no_such_page() -> axum::response::Response {
    let text = "There is no such page. If you came here from the history, begin again at the start page.";
    problem::PageError::new(axum::http::StatusCode::NOT_FOUND, "Not found", text).into_response()
}

#[cfg(test)]
mod tests;
