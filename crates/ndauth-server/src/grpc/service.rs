//! What every service of gRPC shares: who calls, and what a failure becomes.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ndauth_authority::{Authority, AuthorityError, Credential, Life};
use ndauth_core::{Causes, ClientName, Problem, Refusal, Secret};
use ndauth_proto::status_from_problem;
use tokio::sync::watch;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status};

/// What the services answer from.
#[derive(Clone)]
pub(super) struct GrpcService {
    pub(super) authority: Arc<Authority>,
    /// How long a client may keep the server waiting.
    pub(super) client_timeout: Duration,
    /// Says when the server is to stop.
    pub(super) stopped: watch::Receiver<bool>,
}

/// The largest request about health and the contract, which need no credential: a name.
pub(super) const MAX_NAME: usize = 1024;
/// The largest request that is read: a token with as many grants as there may be fits in.
pub(super) const MAX_REQUEST: usize = 64 * 1024;
/// The largest message of a service that watches: as many uses as it may report at once fit in.
pub(super) const MAX_REPORT: usize = 256 * 1024;
/// The largest request with questions: as many as there may be, with long names, fit in.
pub(super) const MAX_BATCH: usize = 1024 * 1024;

/// The credential of a call.
pub(super) fn credential<T>(request: &Request<T>) -> Result<Credential, Status> {
    let values = request.metadata().get_all("authorization").iter().map(MetadataValue::as_encoded_bytes);
    let peer = request.remote_addr().map(|address| address.ip().to_canonical());
    let mut credential = presented(values, peer)?;
    if let Credential::Secret { client: named, life: told, .. } = &mut credential {
        let agent = request.metadata().get("user-agent").and_then(|agent| agent.to_str().ok());
        *named = agent.and_then(ClientName::of_user_agent);
        if let Some(Lives(life)) = request.extensions().get() {
            *told = Arc::clone(life);
        }
    }
    Ok(credential)
}

/// From when until when the credential of a call serves: its answer tells of it.
#[derive(Clone, Default)]
pub(super) struct Lives(pub(super) Arc<OnceLock<Life>>);

/// Resolves when what is endless is to end.
pub(super) type Stopped = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What streams is cut so long after the server was told to stop: whoever watches its health hears that first.
const FAREWELL: Duration = Duration::from_millis(500);

impl GrpcService {
    /// Resolves when what streams without an end is to end.
    pub(super) fn stopped(&self) -> Stopped {
        let mut stopped = self.stopped.clone();
        Box::pin(async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
            tokio::time::sleep(FAREWELL).await;
        })
    }
}

/// Why a call is not answered as it was asked.
pub(super) enum Failed {
    /// The request makes no sense, or is too much.
    Request(Problem),
    /// The authority refused it, or failed.
    Authority(AuthorityError),
    /// What was presented is no credential.
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

/// A call's credential and its message.
pub(super) fn taken<T>(request: Request<T>) -> Result<(Credential, T), Failed> {
    let credential = credential(&request).map_err(Failed::Credential)?;
    Ok((credential, request.into_inner()))
}

/// The answer to a call, or the status that says why there is none.
pub(super) async fn answer<T>(work: impl Future<Output = Result<T, Failed>>) -> Result<Response<T>, Status> {
    work.await.map(Response::new).map_err(|failed| match failed {
        Failed::Request(problem) => refused(problem),
        Failed::Authority(error) => status(&error),
        Failed::Credential(status) => status,
    })
}

/// What `authorization: Bearer …` presents, once (RFC 6750, section 2.1).
pub(super) fn presented<'a>(
    mut values: impl Iterator<Item = &'a [u8]>,
    from: Option<IpAddr>,
) -> Result<Credential, Status> {
    let Some(value) = values.next() else { return Ok(Credential::Nothing) };
    let malformed =
        |why: &str| status(&AuthorityError::Invalid { field: "authorization", why: why.to_owned() });
    if values.next().is_some() {
        return Err(malformed("it is there more than once"));
    }
    let text = std::str::from_utf8(value).map_err(|_| malformed("it is not plain text"))?;
    let (scheme, secret) = text.split_once(' ').map_or((text, None), |(scheme, rest)| (scheme, Some(rest)));
    if !scheme.eq_ignore_ascii_case("bearer") {
        // Another scheme presents nothing: RFC 6750, section 3.1.
        return Ok(Credential::Nothing);
    }
    let secret =
        secret.ok_or_else(|| malformed("expected `Bearer` and the secret, with one blank between them"))?;
    match secret.parse::<Secret>() {
        Ok(secret) => Ok(Credential::secret(secret, from)),
        Err(why) => Err(status(&Refusal::Malformed(why).into())),
    }
}

/// Whether a header presents the same as was presented before.
pub(super) fn presents(value: &[u8], credential: &Credential) -> bool {
    let Credential::Secret { secret, .. } = credential else { return false };
    let scheme = value.split_first_chunk().filter(|(scheme, _)| *scheme == b"Bearer ");
    scheme.is_some_and(|(_, text)| secret.reads(text))
}

/// What a caller is told of a failure. What is ndauth's own fault is logged here, and only here.
pub(super) fn status(error: &AuthorityError) -> Status {
    if error.is_ours() {
        tracing::error!(error = %Causes(error), "could not answer");
    }
    refused(Problem::from(error))
}

/// The response to a request that makes no sense, or is too much.
#[expect(clippy::needless_pass_by_value, reason = "it is passed to `map_err` by name")]
pub(super) fn refused(problem: Problem) -> Status {
    status_from_problem(&problem)
}
