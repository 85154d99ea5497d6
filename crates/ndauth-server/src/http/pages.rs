//! The pages: what each shows, and the one style. What stands in `templates/` escapes all that it is given.

use askama::Template;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};

/// The policy for a page: it loads nothing but the style, and nobody puts it into a frame.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; \
                      base-uri 'none'";

/// Where a person signs in.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub(super) struct SignInPage<'a> {
    /// Where to go then.
    pub(super) to: &'a str,
    pub(super) name: &'a str,
    /// What was wrong with what was typed.
    pub(super) wrong: Option<&'a str>,
    /// Why somebody who is signed in sees this.
    pub(super) again: bool,
}

/// What a link asks before it lets somebody in.
#[derive(Template)]
#[template(path = "link.html")]
pub(super) struct LinkPage<'a> {
    pub(super) handle: &'a str,
    /// Who is signed in here.
    pub(super) instead_of: Option<&'a str>,
    pub(super) code: &'a str,
    pub(super) to: &'a str,
}

/// Where a person sets a password.
#[derive(Template)]
#[template(path = "invitation.html")]
pub(super) struct InvitationPage<'a> {
    pub(super) handle: &'a str,
    pub(super) code: &'a str,
    pub(super) wrong: Option<&'a str>,
}

/// What is asked before a client is let in.
#[derive(Template)]
#[template(path = "consent.html")]
pub(super) struct ConsentPage<'a> {
    pub(super) client: &'a str,
    pub(super) device: Option<&'a str>,
    pub(super) handle: &'a str,
    pub(super) email: &'a str,
    pub(super) address: &'a str,
    /// Where another person signs in.
    pub(super) other: &'a str,
    /// What the form sends along.
    pub(super) fields: &'a [(&'static str, String)],
}

/// Where a person types the code that a device shows.
#[derive(Template)]
#[template(path = "device.html")]
pub(super) struct DevicePage<'a> {
    pub(super) handle: &'a str,
    pub(super) user_code: &'a str,
    pub(super) wrong: Option<&'a str>,
}

/// What is asked before a device is let in.
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

/// That it is done.
#[derive(Template)]
#[template(path = "done.html")]
pub(super) struct DonePage<'a> {
    pub(super) title: &'a str,
    pub(super) text: &'a str,
}

/// Who is signed in.
#[derive(Template)]
#[template(path = "home.html")]
pub(super) struct HomePage<'a> {
    pub(super) handle: &'a str,
    pub(super) email: &'a str,
    /// Since when, and until when at most.
    pub(super) since: &'a str,
    /// Whether a device can be let in.
    pub(super) device: bool,
}

/// That nobody is signed in any more.
#[derive(Template)]
#[template(path = "signed_out.html")]
pub(super) struct SignedOutPage;

/// What went wrong.
#[derive(Template)]
#[template(path = "problem.html")]
pub(super) struct ProblemPage<'a> {
    pub(super) title: &'a str,
    pub(super) text: &'a str,
}

const STYLE: &str = include_str!("../../templates/style.css");

/// A page.
pub(super) fn page(status: StatusCode, template: &impl Template) -> Response {
    let text = template.render().expect("a template writes what it is given into memory");
    (status, Html(text)).into_response()
}

/// Goes elsewhere, by GET whatever the method was (RFC 9110, section 15.4.4).
pub(super) fn go(to: &str) -> Response {
    match HeaderValue::try_from(to) {
        Ok(to) => (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response(),
        // It was looked at before.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The same, and a cookie along.
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
