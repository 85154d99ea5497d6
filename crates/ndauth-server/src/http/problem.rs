//! Errors over HTTP: a page for people, JSON for programs. This is the one place that makes either from the
//! authority's errors.

use askama::Template;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::IntoResponse;
use ndauth_authority::{AuthorityError, GrantError};
use ndauth_core::{Causes, Class, Problem, RECENT, Reason, Refusal, SecretKind};
use ndauth_proto::hint_for_http;
use serde_json::json;

use super::fields::InvalidFields;
use super::layout::page;

/// The page of an error.
#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    title: &'a str,
    text: &'a str,
}

/// The path of the metadata of the API as a protected resource (RFC 9728).
pub(super) const PROTECTED_RESOURCE: &str = "/.well-known/oauth-protected-resource";

/// A response whose body is read by its client, as axum writes it unless stated otherwise.
type Response<B = axum::body::Body> = axum::http::Response<B>;

/// The kind of client that sends requests along a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientKind {
    /// A browser. Requests that another site has it send are refused.
    Person,
    /// A program, which presents its credential explicitly.
    Program,
}

/// An error for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PageError {
    pub(super) status: StatusCode,
    pub(super) title: &'static str,
    /// The text, in whole sentences.
    pub(super) text: String,
    /// The time to wait before a retry, if that helps.
    pub(super) retry: Option<Duration>,
}

/// An error for a program (RFC 6749, section 5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OAuthError {
    pub(super) status: StatusCode,
    pub(super) error: &'static str,
    pub(super) description: String,
    retry: Option<Duration>,
    /// True if the client tried to authenticate.
    challenge: bool,
}

/// A response in place of the page that was asked for.
#[derive(Debug)]
pub(super) enum PageFailure {
    /// The page of an error.
    Error(PageError),
    /// The page that asks for a login, which is all that is missing.
    Login(Box<Response>),
}

/// The result of a page's handler.
pub(super) type PageResult = Result<Response, PageFailure>;

/// The text for an undecided request, which must not be read as yes or no.
const UNDECIDED: &str = "This is neither a yes nor a no. Try again in a moment.";

impl PageError {
    pub(super) fn new(status: StatusCode, title: &'static str, text: impl Into<String>) -> PageError {
        PageError { status, title, text: text.into(), retry: None }
    }

    /// Returns the error for an invalid request.
    pub(super) fn bad(text: impl Into<String>) -> PageError {
        PageError::new(StatusCode::BAD_REQUEST, "That did not work", text)
    }
}

/// Returns the error for a request that another site had a browser send.
pub(super) fn cross_site() -> PageError {
    let text =
        "Another site had your browser send this, and nothing was done. Begin again on a page of this one.";
    PageError::new(StatusCode::FORBIDDEN, "Refused", text)
}

/// Returns the problem of an error. Logs the error, if it is ndauth's own.
pub(crate) fn problem_of(error: &AuthorityError) -> Problem {
    if error.is_internal() {
        tracing::error!(error = %Causes(error), "the request failed");
    }
    Problem::from(error)
}

impl From<AuthorityError> for PageError {
    fn from(error: AuthorityError) -> PageError {
        let problem = problem_of(&error);
        match error {
            AuthorityError::SignInRefused => PageError::new(
                StatusCode::FORBIDDEN,
                "Not signed in",
                "The name or the password is wrong. Type both again.",
            ),
            AuthorityError::TooManyTries { after } => PageError {
                retry: Some(after),
                ..PageError::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "Too many attempts",
                    format!("There were too many attempts. Try again in {}.", lasting(after)),
                )
            },
            AuthorityError::LinkSpent => PageError::new(
                StatusCode::GONE,
                "This link does not work any more",
                "It was used, or it is too old. Ask the operator of this server for another.",
            ),
            AuthorityError::Invalid { why, .. } => PageError::bad(sentence(&why)),
            _ => PageError::from(&problem),
        }
    }
}

/// Returns the class of a problem. An overloaded server counts as undecided, since that is not the caller's
/// fault.
fn class(problem: &Problem) -> Class {
    if problem.reason == Reason::Overloaded { Class::Undecided } else { problem.class() }
}

/// Returns the HTTP status of a problem. No client retries after a 409 automatically.
fn http_status(problem: &Problem) -> StatusCode {
    match class(problem) {
        _ if problem.reason == Reason::RequestTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Class::NotAuthenticated => StatusCode::UNAUTHORIZED,
        Class::NotPermitted => StatusCode::FORBIDDEN,
        Class::Invalid => StatusCode::BAD_REQUEST,
        Class::NotFound | Class::Unimplemented => StatusCode::NOT_FOUND,
        Class::Conflict | Class::Precondition | Class::Unconfirmed => StatusCode::CONFLICT,
        Class::Exhausted => StatusCode::TOO_MANY_REQUESTS,
        Class::Undecided => StatusCode::SERVICE_UNAVAILABLE,
        Class::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The time after which a request that was not decided may be repeated.
fn retry_of(problem: &Problem) -> Option<Duration> {
    (class(problem) == Class::Undecided).then_some(Duration::from_secs(1))
}

impl From<&Problem> for PageError {
    fn from(problem: &Problem) -> PageError {
        let class = class(problem);
        let title = match (problem.reason, class) {
            (Reason::RequestTooLarge, _) => "The request is too large",
            (_, Class::NotAuthenticated) => "Not signed in",
            (_, Class::NotPermitted) => "Not permitted",
            (_, Class::Invalid | Class::Conflict | Class::Precondition) => "That did not work",
            (_, Class::NotFound) => "Not found",
            (_, Class::Exhausted) => "Too many requests",
            (_, Class::Unimplemented) => "Not available",
            (_, Class::Undecided) => "Nothing was decided",
            (_, Class::Unconfirmed) => "Not confirmed",
            (_, Class::Internal) => "Server error",
        };
        let status = match http_status(problem) {
            // A browser's credential is its cookie, which no challenge asks for.
            StatusCode::UNAUTHORIZED => StatusCode::FORBIDDEN,
            status => status,
        };
        let text = match class {
            Class::Undecided => format!("{} {UNDECIDED}", sentence(&problem.message)),
            Class::Internal => "The server failed. Its operator finds more in its log.".to_owned(),
            _ => sentence(&problem.message),
        };
        PageError { status, title, text, retry: retry_of(problem) }
    }
}

impl<E: Into<PageError>> From<E> for PageFailure {
    fn from(error: E) -> PageFailure {
        PageFailure::Error(error.into())
    }
}

impl IntoResponse for PageFailure {
    fn into_response(self) -> Response {
        match self {
            PageFailure::Error(error) => error.into_response(),
            PageFailure::Login(page) => *page,
        }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let PageError { status, title, text, retry } = self;
        retry_after(page(status, &ProblemPage { title, text: &text }), retry)
    }
}

impl OAuthError {
    pub(super) fn new(error: &'static str, description: impl Into<String>) -> OAuthError {
        let description = description.into();
        OAuthError { status: StatusCode::BAD_REQUEST, error, description, retry: None, challenge: false }
    }

    pub(crate) fn request(description: impl Into<String>) -> OAuthError {
        OAuthError::new("invalid_request", description)
    }

    /// Returns the error for a question that was not decided, whatever the reason.
    pub(crate) fn undecided(problem: &Problem) -> OAuthError {
        OAuthError {
            status: StatusCode::SERVICE_UNAVAILABLE,
            retry: Some(Duration::from_secs(1)),
            ..OAuthError::new("temporarily_unavailable", problem.message.clone())
        }
    }

    /// Returns the error for an unknown client, or one that is not the client that it claims to be.
    pub(crate) fn client(description: &str, challenge: bool) -> OAuthError {
        OAuthError {
            status: StatusCode::UNAUTHORIZED,
            challenge,
            ..OAuthError::new("invalid_client", description)
        }
    }
}

impl From<InvalidFields> for OAuthError {
    fn from(why: InvalidFields) -> OAuthError {
        OAuthError::request(why.to_string())
    }
}

impl From<InvalidFields> for PageError {
    fn from(why: InvalidFields) -> PageError {
        PageError::bad(sentence(&why.to_string()))
    }
}

impl From<GrantError> for OAuthError {
    fn from(error: GrantError) -> OAuthError {
        let code = match error {
            GrantError::Failed(error) => return OAuthError::from(error),
            GrantError::InvalidGrant(_) => "invalid_grant",
            GrantError::Pending => "authorization_pending",
            GrantError::SlowDown => "slow_down",
            GrantError::Denied => "access_denied",
            GrantError::Expired => "expired_token",
            GrantError::InvalidScope(_) => "invalid_scope",
            GrantError::InvalidTarget(_) => "invalid_target",
            GrantError::NotOffered => "unauthorized_client",
        };
        OAuthError::new(code, error.to_string())
    }
}

impl From<AuthorityError> for OAuthError {
    fn from(error: AuthorityError) -> OAuthError {
        let problem = problem_of(&error);
        match error {
            AuthorityError::TooManyTries { after } => OAuthError {
                status: StatusCode::TOO_MANY_REQUESTS,
                retry: Some(after),
                ..OAuthError::new("slow_down", problem.message)
            },
            _ => OAuthError::from(&problem),
        }
    }
}

/// Returns the error for a secret that was not revoked (RFC 7009, section 2.2.1). A revocation that is not
/// confirmed is to be retried.
pub(super) fn revocation_error(error: AuthorityError) -> OAuthError {
    if let AuthorityError::Refused(Refusal::Kind(_)) = error {
        return OAuthError::new("unsupported_token_type", "only the operator can revoke a service's secret");
    }
    match error.reason().class() {
        Class::Unconfirmed => OAuthError {
            status: StatusCode::SERVICE_UNAVAILABLE,
            retry: Some(Duration::from_secs(1)),
            ..OAuthError::new("temporarily_unavailable", Problem::from(&error).message)
        },
        _ => error.into(),
    }
}

impl From<&Problem> for OAuthError {
    fn from(problem: &Problem) -> OAuthError {
        let PageError { status, retry, .. } = PageError::from(problem);
        let (status, error) = match class(problem) {
            Class::Undecided => (status, "temporarily_unavailable"),
            Class::Internal | Class::Unconfirmed => (status, "server_error"),
            Class::Exhausted => (status, "slow_down"),
            Class::NotAuthenticated | Class::NotPermitted => (StatusCode::BAD_REQUEST, "invalid_grant"),
            Class::Invalid
            | Class::NotFound
            | Class::Conflict
            | Class::Precondition
            | Class::Unimplemented => (status, "invalid_request"),
        };
        OAuthError { status, retry, ..OAuthError::new(error, problem.message.clone()) }
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.error, "error_description": plain(&self.description) });
        let mut response = uncached_json(self.status, &body);
        if self.challenge {
            response
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"ndauth\""));
        }
        retry_after(response, self.retry)
    }
}

/// A failure for a client of the API (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiFailure {
    status: StatusCode,
    /// False if the message says what to do.
    hint: bool,
    problem: Problem,
}

impl From<Problem> for ApiFailure {
    fn from(problem: Problem) -> ApiFailure {
        let status = match problem.reason {
            Reason::TokenLimitReached | Reason::OfferLimitReached => StatusCode::CONFLICT,
            // RFC 9470, section 3.
            Reason::LoginNotRecent => StatusCode::UNAUTHORIZED,
            _ => http_status(&problem),
        };
        ApiFailure { status, hint: true, problem }
    }
}

impl ApiFailure {
    /// Returns a failure that HTTP has a status for, and the contract no reason. It has no hint: its message says what
    /// to do.
    pub(crate) fn with_status(status: StatusCode, problem: Problem) -> ApiFailure {
        ApiFailure { status, hint: false, problem }
    }

    /// Returns the failure of a request that was not decided, whatever the reason.
    pub(crate) fn undecided(problem: Problem) -> ApiFailure {
        ApiFailure::with_status(StatusCode::SERVICE_UNAVAILABLE, problem)
    }

    pub(crate) fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Returns the response: its hint is for the kind of secret that was presented. `issuer` is the URL of this server, if
    /// the request was for the server itself.
    pub(crate) fn response(
        &self,
        issuer: Option<&str>,
        kind: Option<SecretKind>,
        id: &HeaderValue,
    ) -> Response<Bytes> {
        let ApiFailure { status, hint, problem } = self;
        let mut body = json!({
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": problem.message,
            "reason": problem.reason.code(),
        });
        let mut add = |name: &str, value: Option<serde_json::Value>| {
            if let Some(value) = value {
                body[name] = value;
            }
        };
        let missing: Vec<String> = problem.missing_permissions.iter().map(ToString::to_string).collect();
        add("field", problem.field.as_deref().map(Into::into));
        let hint = hint_for_http(problem.reason, kind).filter(|_| *hint);
        add("hint", hint.map(Into::into));
        add("missing_permissions", (!missing.is_empty()).then(|| missing.clone().into()));
        add(
            "holder",
            problem.holder.map(|(id, made)| json!({ "id": id.to_string(), "created_at": made.to_string() })),
        );
        add("request_id", id.to_str().ok().map(Into::into));
        let mut response = Response::new(Bytes::from(body.to_string()));
        *response.status_mut() = *status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(challenge) = self.challenge(issuer, &missing) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(after) = problem.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(after.get()));
        } else if *status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }

    /// Returns the challenge of a failure that another credential might not have (RFC 6750, section 3; RFC 9470). Without a
    /// credential it names no error. `resource_metadata` is that of RFC 9728, section 5.1.
    fn challenge(&self, issuer: Option<&str>, missing: &[String]) -> Option<HeaderValue> {
        let problem = &self.problem;
        let (error, scope) = match (self.status, problem.reason) {
            (StatusCode::UNAUTHORIZED, Reason::CredentialMissing) => (None, None),
            (StatusCode::UNAUTHORIZED, Reason::LoginNotRecent) => {
                (Some("insufficient_user_authentication"), None)
            }
            (StatusCode::UNAUTHORIZED, _) => (Some("invalid_token"), None),
            (StatusCode::FORBIDDEN, Reason::ScopeTooNarrow) => {
                (Some("insufficient_scope"), Some("RW".to_owned()))
            }
            (StatusCode::FORBIDDEN, _) => {
                (Some("insufficient_scope"), Some(missing.join(" ")).filter(|missing| !missing.is_empty()))
            }
            (StatusCode::BAD_REQUEST, _) if problem.field.as_deref() == Some("authorization") => {
                (Some("invalid_request"), None)
            }
            _ => return None,
        };
        let mut text = String::from("Bearer realm=\"ndauth\"");
        if let Some(error) = error {
            text += &format!(", error=\"{error}\", error_description=\"{}\"", plain(&problem.message));
        }
        if problem.reason == Reason::LoginNotRecent {
            text += &format!(", max_age=\"{}\"", RECENT.as_secs());
        }
        if let Some(scope) = scope {
            text += &format!(", scope=\"{}\"", plain(&scope));
        }
        if let Some(issuer) = issuer {
            text += &format!(", resource_metadata=\"{issuer}{PROTECTED_RESOURCE}\"");
        }
        HeaderValue::try_from(text).ok()
    }
}

/// Returns a JSON response that must not be cached (RFC 6749, section 5.1).
pub(super) fn uncached_json(status: StatusCode, body: &serde_json::Value) -> Response {
    let json = [("content-type", "application/json")];
    let mut response = (status, json, body.to_string()).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// Returns the response to a request that failed before its handler.
pub(super) fn refused(client: ClientKind, problem: &Problem) -> Response {
    match client {
        ClientKind::Person => PageError::from(problem).into_response(),
        ClientKind::Program => OAuthError::from(problem).into_response(),
    }
}

pub(super) fn retry_after(mut response: Response, after: Option<Duration>) -> Response {
    if let Some(after) = after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds(after)));
    }
    response
}

/// Rounds a duration up to whole seconds.
pub(super) fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// Formats a duration, for people.
pub(super) fn lasting(while_: Duration) -> String {
    let seconds = seconds(while_).max(1);
    let (count, unit) = match seconds {
        ..60 => (seconds, "second"),
        60..7200 => (seconds.div_ceil(60), "minute"),
        7200..172_800 => (seconds.div_ceil(3600), "hour"),
        _ => (seconds.div_ceil(86_400), "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Formats a message as a sentence, with quotation marks instead of backticks.
pub(super) fn sentence(message: &str) -> String {
    let mut opened = false;
    let mut text = String::with_capacity(message.len() + 1);
    for c in message.chars() {
        match c {
            '`' => {
                opened = !opened;
                text.push(if opened { '“' } else { '”' });
            }
            c if text.is_empty() => text.extend(c.to_uppercase()),
            c => text.push(c),
        }
    }
    if !text.ends_with(['.', '?', '!']) {
        text.push('.');
    }
    text
}

/// Replaces characters that may not stand in an `error_description` (RFC 6749, section 5.2).
pub(super) fn plain(text: &str) -> String {
    let plain = |c: char| match c {
        '"' => '\'',
        ' '..='~' if c != '\\' => c,
        _ => '?',
    };
    text.chars().map(plain).collect()
}
