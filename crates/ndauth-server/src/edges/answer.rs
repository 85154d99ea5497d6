//! The question of a proxy about the request in front of it, and the answer, whatever the protocol.

use std::net::IpAddr;

use axum::body::Bytes;
use axum::http::{HeaderValue, Response};
use ndauth_authority::access::Operation;
use ndauth_authority::{Answer, Authority, AuthorityError, CacheableVerdict, Credential, Question};
use ndauth_core::{Class, ClientName, Effective, OwnerView, Problem, Reason, Requirement, SecretKind};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::http::{ApiFailure, problem_of};

/// The headers that tell the application behind a proxy who calls. A yes sets each of them, empty where there is
/// nothing to say, so that none that a client sent reaches the application.
pub(super) const IDENTITY: [&str; 7] = [
    "x-auth-token-id",
    "x-auth-token-name",
    "x-auth-subject",
    "x-auth-account",
    "x-auth-org",
    "x-auth-access",
    "x-auth-role",
];

/// The characters of a name that are encoded: a header's value is visible ASCII.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// A proxy's question.
pub(crate) enum EdgeQuestion {
    /// The proxy presents no credential.
    Unaccepted(ApiFailure),
    /// The proxy's credential, and the question.
    Asked(Credential, Result<ClientQuestion, ApiFailure>),
}

/// The question about the client of a proxy.
pub(crate) struct ClientQuestion {
    pub(super) secret: String,
    pub(super) requirement: Requirement,
    /// The client's address, as the proxy states it.
    pub(super) client_address: Option<IpAddr>,
    pub(super) client: Option<ClientName>,
}

/// The values of the [`IDENTITY`] headers.
pub(crate) type IdentityHeaders = [String; IDENTITY.len()];

/// The identity of a client that may do what it requests, or the failure.
pub(crate) type EdgeAnswer = Result<IdentityHeaders, EdgeFailure>;

/// The failure of a request, for its client.
#[derive(Debug)]
pub(crate) struct EdgeFailure {
    failure: ApiFailure,
    /// The kind of the secret that the client presented.
    kind: Option<SecretKind>,
}

impl EdgeFailure {
    /// Returns the response to the client.
    pub(crate) fn response(&self, id: &HeaderValue) -> Response<Bytes> {
        self.failure.response(None, self.kind, id)
    }
}

impl From<ApiFailure> for EdgeFailure {
    fn from(failure: ApiFailure) -> EdgeFailure {
        EdgeFailure { failure, kind: None }
    }
}

impl ClientQuestion {
    fn question(&self) -> Question<'_> {
        Question {
            secret: &self.secret,
            requirement: &self.requirement,
            client_address: self.client_address,
            client: self.client.clone(),
        }
    }
}

impl EdgeQuestion {
    /// Creates the question of a proxy. `asked` is called only if the proxy presents a credential.
    pub(super) fn new(
        proxy: Result<Credential, ApiFailure>,
        asked: impl FnOnce() -> Result<ClientQuestion, ApiFailure>,
    ) -> EdgeQuestion {
        match proxy {
            Ok(proxy) => EdgeQuestion::Asked(proxy, asked()),
            Err(failure) => EdgeQuestion::Unaccepted(failure),
        }
    }

    /// Answers the question if it can be answered at once. `None` if it takes a fresher state, or if it is not known
    /// yet that the proxy may ask.
    pub(crate) fn answer_now(&self, authority: &Authority) -> Option<EdgeAnswer> {
        let EdgeQuestion::Asked(proxy, Ok(asked)) = self else { return None };
        authority.validation().validate_now(proxy, &asked.question(), answer).map(settle)
    }

    /// Returns the proxy's credential, if it presented one.
    pub(crate) fn into_proxy(self) -> Option<Credential> {
        match self {
            EdgeQuestion::Unaccepted(_) => None,
            EdgeQuestion::Asked(proxy, _) => Some(proxy),
        }
    }

    /// Answers the question. Only a proxy that may ask learns of a fault in its question.
    pub(crate) async fn answer(self, authority: &Authority) -> EdgeAnswer {
        match self {
            EdgeQuestion::Unaccepted(failure) => Err(failure.into()),
            EdgeQuestion::Asked(proxy, Ok(asked)) => {
                settle(authority.validation().validate(&proxy, &asked.question(), answer).await)
            }
            EdgeQuestion::Asked(proxy, Err(invalid)) => {
                admit(authority, &proxy).await?;
                Err(invalid.into())
            }
        }
    }
}

/// Returns the failure for a proxy that may not ask.
pub(crate) async fn admit(authority: &Authority, proxy: &Credential) -> Result<(), EdgeFailure> {
    let admitted = authority.validation().admit(proxy, Operation::ValidateToken).await;
    admitted.map_err(|error| undecided(&error).into())
}

fn settle(answer: Result<Answer<EdgeAnswer>, AuthorityError>) -> EdgeAnswer {
    answer.map_err(|error| EdgeFailure::from(undecided(&error)))?.value
}

/// Turns a verdict into the answer to the proxy.
#[expect(clippy::needless_pass_by_value, reason = "it is passed on by name")]
fn answer(verdict: CacheableVerdict<'_>) -> EdgeAnswer {
    let kind = verdict.kind;
    let allowed = match &verdict.outcome {
        Ok(allowed) => allowed,
        Err(refusal) => {
            return Err(EdgeFailure { failure: ApiFailure::from(Problem::from(refusal)), kind });
        }
    };
    // The question names an org; a verdict without one would be about an identity, which confers nothing.
    let (Effective::Access { access, role, .. }, Some(org)) = (&allowed.effective, allowed.org) else {
        let problem = Problem::new(Reason::Internal, "the verdict names no org");
        return Err(ApiFailure::undecided(problem).into());
    };
    let (subject, account) = match allowed.owner {
        OwnerView::Account(account) => (account.id.to_string(), account.handle.to_string()),
        OwnerView::Org(org) => (org.id.to_string(), String::new()),
    };
    Ok([
        allowed.token.id.to_string(),
        utf8_percent_encode(allowed.token.name.as_str(), ENCODED).to_string(),
        subject,
        account,
        org.to_string(),
        access.to_string(),
        role.to_string(),
    ])
}

/// Returns the failure of a question that was not decided. A proxy that may not ask is among these: its client's secret
/// was not judged, so the client must not learn that it is invalid.
fn undecided(error: &AuthorityError) -> ApiFailure {
    let problem = problem_of(error);
    match problem.class() {
        Class::NotAuthenticated | Class::NotPermitted => unaccepted(&problem.message),
        _ => ApiFailure::undecided(problem),
    }
}

/// Returns the failure of a question from a proxy whose own secret is not accepted. The cause is for the operator alone,
/// since a proxy may pass the response on.
pub(super) fn unaccepted(why: &str) -> ApiFailure {
    tracing::debug!(why, "a proxy may not ask");
    let text = "the proxy in front of this service may not ask ndauth: its own secret is not accepted";
    ApiFailure::undecided(Problem::new(Reason::Unavailable, text))
}
