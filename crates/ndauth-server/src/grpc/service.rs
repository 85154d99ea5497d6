//! The parts that all gRPC services share: credentials, and the status of a failure.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::HeaderValue;
use ndauth_authority::{Authority, AuthorityError, Credential, Life};
use ndauth_core::{Causes, ClientName, Problem, Refusal, Secret, SecretKind};
use ndauth_proto::status_from_problem;
use tokio::sync::watch;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status};

use crate::headers::{InvalidHeader, bearer};

/// The state behind the services.
#[derive(Clone)]
pub(super) struct GrpcService {
    pub(super) authority: Arc<Authority>,
    /// The URL at which people reach the pages.
    pub(super) issuer: Arc<str>,
    /// The timeout of a client.
    pub(super) client_timeout: Duration,
    /// True once the server stops.
    pub(super) stopped: watch::Receiver<bool>,
}

/// The largest request about health and the contract, in bytes. They need no credential; a name fits.
pub(super) const MAX_NAME: usize = 1024;
/// The largest request in bytes: a token with the most grants that there may be fits.
pub(super) const MAX_REQUEST: usize = 64 * 1024;
/// The largest message of a service that watches: as many uses as it may report at once fit in.
pub(super) const MAX_REPORT: usize = 256 * 1024;
/// The largest request with questions: as many as there may be, with long names, fit in.
pub(super) const MAX_BATCH: usize = 1024 * 1024;

/// Returns the credential of a call, with the address and the name of its client.
pub(super) fn credential<T>(request: &Request<T>) -> Result<Credential, Status> {
    let values = request.metadata().get_all("authorization").iter().map(MetadataValue::as_encoded_bytes);
    let peer = request.remote_addr().map(|address| address.ip().to_canonical());
    let mut credential = presented(values, peer)?;
    if let Credential::Secret { client: named, life: reported, .. } = &mut credential {
        let agent = request.metadata().get("user-agent").and_then(|agent| agent.to_str().ok());
        *named = agent.and_then(ClientName::of_user_agent);
        if let Some(ReportedLife(life)) = request.extensions().get() {
            *reported = Arc::clone(life);
        }
    }
    Ok(credential)
}

/// The begin and the end of the validity of a call's credential, which the response reports.
#[derive(Clone, Default)]
pub(super) struct ReportedLife(pub(super) Arc<OnceLock<Life>>);

/// Resolves when endless responses must end.
pub(super) type Stopped = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The time after the server began to stop at which streams are cut. Clients that watch its health learn of
/// it first.
const STREAM_GRACE: Duration = Duration::from_millis(500);

impl GrpcService {
    /// Returns a future that resolves when endless responses must end.
    pub(super) fn stopped(&self) -> Stopped {
        let mut stopped = self.stopped.clone();
        Box::pin(async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
            tokio::time::sleep(STREAM_GRACE).await;
        })
    }
}

/// The reason why a call fails.
pub(super) enum Failed {
    /// The request is invalid, or exceeds a limit.
    Request(Problem),
    /// The authority refused the request, or failed.
    Authority(AuthorityError),
    /// The credential is malformed.
    Credential(Status),
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Failed {
        Failed::Request(problem)
    }
}

impl From<AuthorityError> for Failed {
    fn from(error: AuthorityError) -> Failed {
        Failed::Authority(error)
    }
}

/// Splits a request into its credential and its message.
pub(super) fn taken<T>(request: Request<T>) -> Result<(Credential, T), Failed> {
    let credential = credential(&request).map_err(Failed::Credential)?;
    Ok((credential, request.into_inner()))
}

/// Turns a result into the response to a call, or into the status of its failure.
pub(super) async fn answer<T>(work: impl Future<Output = Result<T, Failed>>) -> Result<Response<T>, Status> {
    work.await.map(Response::new).map_err(|failed| match failed {
        Failed::Request(problem) => refused(problem),
        Failed::Authority(error) => status(&error),
        Failed::Credential(status) => status,
    })
}

/// Returns the credential of the only `authorization: Bearer …` header (RFC 6750, section 2.1).
pub(super) fn presented<'a>(
    values: impl Iterator<Item = &'a [u8]>,
    from: Option<IpAddr>,
) -> Result<Credential, Status> {
    let malformed =
        |why: InvalidHeader| AuthorityError::Invalid { field: "authorization", why: why.to_string() };
    match bearer(values).map_err(|why| status(&malformed(why)))? {
        None => Ok(Credential::Nothing),
        Some(text) => match text.parse::<Secret>() {
            Ok(secret) => Ok(Credential::secret(secret, from)),
            Err(why) => Err(status(&Refusal::Malformed(why).into())),
        },
    }
}

/// Returns the kind of the secret that an `authorization` header presents, if it presents one.
pub(crate) fn credential_kind(value: &HeaderValue) -> Option<SecretKind> {
    match presented([value.as_bytes()].into_iter(), None) {
        Ok(Credential::Secret { secret, .. }) => Some(secret.kind()),
        Ok(_) | Err(_) => None,
    }
}

/// Returns true if a header presents the secret of a credential.
pub(super) fn presents(value: &[u8], credential: &Credential) -> bool {
    let Credential::Secret { secret, .. } = credential else { return false };
    let scheme = value.split_first_chunk().filter(|(scheme, _)| *scheme == b"Bearer ");
    scheme.is_some_and(|(_, text)| secret.reads(text))
}

/// Returns the status of an error. Logs the error if it is ndauth's own.
pub(super) fn status(error: &AuthorityError) -> Status {
    if error.is_internal() {
        tracing::error!(error = %Causes(error), "the request failed");
    }
    refused(Problem::from(error))
}

/// Returns the status of a request that is invalid, or exceeds a limit.
#[expect(clippy::needless_pass_by_value, reason = "it is passed to `map_err` by name")]
pub(super) fn refused(problem: Problem) -> Status {
    status_from_problem(&problem)
}
