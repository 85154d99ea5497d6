//! The pages, and the one style. The templates in `templates/` escape every value.

use askama::Template;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};

/// The content security policy of a page: it loads nothing but the style, and no other page may frame it.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; \
                      base-uri 'none'";

/// The page on which a person signs in.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub(super) struct SignInPage<'a> {
    /// The place to go after signing in.
    pub(super) to: &'a str,
    pub(super) name: &'a str,
    /// The error in the typed fields.
    pub(super) wrong: Option<&'a str>,
    /// True if the person is signed in already.
    pub(super) again: bool,
}

/// The page that asks for confirmation before a link signs somebody in.
#[derive(Template)]
#[template(path = "link.html")]
pub(super) struct LinkPage<'a> {
    pub(super) handle: &'a str,
    /// The handle of another person who is signed in now.
    pub(super) instead_of: Option<&'a str>,
    pub(super) code: &'a str,
    pub(super) to: &'a str,
}

/// The page on which a person sets a password.
#[derive(Template)]
#[template(path = "invitation.html")]
pub(super) struct InvitationPage<'a> {
    pub(super) handle: &'a str,
    pub(super) code: &'a str,
    pub(super) wrong: Option<&'a str>,
}

/// The page that asks for consent before a client is authorized.
#[derive(Template)]
#[template(path = "consent.html")]
pub(super) struct ConsentPage<'a> {
    pub(super) client: &'a str,
    pub(super) device: Option<&'a str>,
    pub(super) handle: &'a str,
    pub(super) email: &'a str,
    pub(super) address: &'a str,
    /// The URL where another person signs in.
    pub(super) other: &'a str,
    /// The hidden fields of the form.
    pub(super) fields: &'a [(&'static str, String)],
}

/// The page on which a person types the code that a device shows.
#[derive(Template)]
#[template(path = "device.html")]
pub(super) struct DevicePage<'a> {
    pub(super) handle: &'a str,
    pub(super) user_code: &'a str,
    pub(super) wrong: Option<&'a str>,
}

/// The page that asks for consent before a device is authorized.
#[derive(Template)]
#[template(path = "device_decision.html")]
pub(super) struct DeviceDecisionPage<'a> {
    pub(super) device: Option<&'a str>,
    pub(super) address: &'a str,
    pub(super) ago: &'a str,
    pub(super) user_code: &'a str,
    pub(super) handle: &'a str,
    pub(super) email: &'a str,
}

/// The page that reports a completed action.
#[derive(Template)]
#[template(path = "done.html")]
pub(super) struct DonePage<'a> {
    pub(super) title: &'a str,
    pub(super) text: &'a str,
    /// The command to type next at a terminal. Empty if there is none.
    pub(super) command: &'a str,
}

/// The page of the signed-in person.
#[derive(Template)]
#[template(path = "home.html")]
pub(super) struct HomePage<'a> {
    pub(super) handle: &'a str,
    pub(super) email: &'a str,
    /// The instant at which the session began.
    pub(super) since: &'a str,
    /// True if devices can be authorized by a code.
    pub(super) device: bool,
}

/// The page after signing out.
#[derive(Template)]
#[template(path = "signed_out.html")]
pub(super) struct SignedOutPage;

/// The page of an error.
#[derive(Template)]
#[template(path = "problem.html")]
pub(super) struct ProblemPage<'a> {
    pub(super) title: &'a str,
    pub(super) text: &'a str,
}

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

pub(super) async fn style() -> Response {
    let kind = HeaderValue::from_static("text/css; charset=utf-8");
    let kept = HeaderValue::from_static("max-age=300");
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, kept)], STYLE).into_response()
}
