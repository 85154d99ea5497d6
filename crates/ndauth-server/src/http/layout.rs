//! The layout that all pages share: their policy, their style and their script. The templates in `templates/` escape
//! every value.

use askama::Template;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};

/// The content security policy of a page: it loads nothing but the style and the script, the script asks this server
/// alone, and no other page may frame it.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                                 form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

const STYLE: &str = include_str!("../../templates/style.css");

/// Renders a page.
pub(super) fn page(status: StatusCode, template: &impl Template) -> Response {
    let text = template.render().expect("a template writes what it is given into memory");
    (status, Html(text)).into_response()
}

/// Redirects, with GET whatever the method was (RFC 9110, section 15.4.4).
pub(super) fn go(to: &str) -> Response {
    match HeaderValue::try_from(to) {
        Ok(to) => (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response(),
        // Every target was checked before.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Redirects, and sets a cookie.
pub(super) fn go_with(to: &str, cookie: HeaderValue) -> Response {
    let mut response = go(to);
    response.headers_mut().insert(SET_COOKIE, cookie);
    response
}

const SCRIPT: &str = include_str!("../../templates/page.js");

pub(super) async fn style() -> Response {
    asset("text/css; charset=utf-8", STYLE)
}

pub(super) async fn script() -> Response {
    asset("text/javascript; charset=utf-8", SCRIPT)
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    let kind = HeaderValue::from_static(kind);
    let kept = HeaderValue::from_static("max-age=300");
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, kept)], text).into_response()
}
