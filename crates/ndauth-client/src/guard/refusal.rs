//! The responses to requests that the guard refuses.

use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use ndauth_core::{Class, Permission, Problem, Reason, Role, Scope};
use ndauth_proto::status_from_problem;
use serde_json::{Value, json};

use crate::Refused;

/// The reason why a request is refused.
pub(super) enum Why {
    /// The secret may not do this.
    Refused(Refused),
    /// The request is invalid, or there is no verdict.
    Problem(Problem),
}

/// The response body of a refusal: that of the service behind a [`Guard`](super::Guard).
pub trait RefusalBody: Default {
    /// Returns a body with this text.
    fn of(text: String) -> Self;
}

#[cfg(feature = "axum")]
impl RefusalBody for axum_core::body::Body {
    fn of(text: String) -> Self {
        axum_core::body::Body::new(text)
    }
}

#[cfg(feature = "tonic")]
impl RefusalBody for tonic::body::Body {
    fn of(text: String) -> Self {
        tonic::body::Body::new(text)
    }
}

impl From<Problem> for Why {
    fn from(problem: Problem) -> Why {
        Why::Problem(problem)
    }
}

impl Why {
    /// Returns the response to the request: a gRPC status if its content type is gRPC, otherwise a problem
    /// document.
    pub(super) fn answer<R: RefusalBody>(&self, request: &Parts) -> Response<R> {
        let kind = request.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        if kind.is_some_and(|kind| kind.starts_with(b"application/grpc")) {
            return status_from_problem(&self.problem()).into_http();
        }
        let status = self.status();
        let mut response = Response::new(R::of(self.text(status)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(challenge) = self.challenge(status) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }

    fn problem(&self) -> Problem {
        match self {
            Why::Refused(refused) => Problem::from(refused),
            Why::Problem(problem) => problem.clone(),
        }
    }

    fn class(&self) -> Class {
        match self {
            Why::Refused(refused) => refused.class(),
            Why::Problem(problem) => problem.class(),
        }
    }

    /// Returns the status of RFC 6750, section 3.1; RFC 9110 for errors of the request or the server.
    fn status(&self) -> StatusCode {
        match self.class() {
            Class::NotAuthenticated => StatusCode::UNAUTHORIZED,
            Class::NotPermitted => StatusCode::FORBIDDEN,
            Class::Invalid | Class::Precondition | Class::Conflict => StatusCode::BAD_REQUEST,
            Class::NotFound | Class::Unimplemented => StatusCode::NOT_FOUND,
            Class::Exhausted | Class::Undecided => StatusCode::SERVICE_UNAVAILABLE,
            Class::Internal | Class::Unconfirmed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn missing(&self) -> &[Permission] {
        match self {
            Why::Refused(refused) => &refused.missing_permissions,
            Why::Problem(problem) => &problem.missing_permissions,
        }
    }

    /// Returns the challenge of RFC 6750, section 3. It names no error if the request carried no credential.
    fn challenge(&self, status: StatusCode) -> Option<HeaderValue> {
        let missing = self.missing().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let challenge = match (self, status) {
            (Why::Problem(_), StatusCode::UNAUTHORIZED) => "Bearer".to_owned(),
            (Why::Refused(refused), StatusCode::UNAUTHORIZED) => {
                let why = quotable(&refused.message);
                format!("Bearer error=\"invalid_token\", error_description=\"{why}\"")
            }
            (_, StatusCode::FORBIDDEN) if missing.is_empty() => {
                "Bearer error=\"insufficient_scope\"".to_owned()
            }
            (_, StatusCode::FORBIDDEN) => {
                format!("Bearer error=\"insufficient_scope\", scope=\"{}\"", quotable(&missing))
            }
            (_, StatusCode::BAD_REQUEST) => "Bearer error=\"invalid_request\"".to_owned(),
            _ => return None,
        };
        HeaderValue::try_from(challenge).ok()
    }

    /// Returns the body, a problem document of RFC 9457.
    fn text(&self, status: StatusCode) -> String {
        let problem = self.problem();
        let hint = match (self, problem.reason) {
            (Why::Refused(refused), _) => refused.hint.as_str(),
            // The caller of a service need not have ndcli.
            (Why::Problem(_), Reason::CredentialMissing) => "send a token: `Authorization: Bearer TOKEN`",
            (Why::Problem(_), reason) => ndauth_proto::hint(reason).unwrap_or_default(),
        };
        let mut document = json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or_default(),
            "status": status.as_u16(),
            "detail": problem.message,
            "reason": problem.reason.code(),
            "hint": hint,
        });
        if let (Why::Refused(refused), Value::Object(fields)) = (self, &mut document) {
            let missing: Vec<String> = refused.missing_permissions.iter().map(ToString::to_string).collect();
            fields.insert("missing_permissions".to_owned(), missing.into());
            fields.insert("missing_scope".to_owned(), refused.missing_scope.map(Scope::as_str).into());
            fields.insert("missing_role".to_owned(), refused.missing_role.map(Role::as_str).into());
        }
        document.to_string()
    }
}

/// Replaces characters that may not stand in a quoted string of a challenge.
fn quotable(text: &str) -> String {
    text.chars().map(|c| if matches!(c, ' '..='~') && !matches!(c, '"' | '\\') { c } else { '?' }).collect()
}
