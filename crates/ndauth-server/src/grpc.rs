//! gRPC: one file a service, and the gate that every call passes.

mod accounts;
mod fields;
mod gate;
mod orgs;
mod permissions;
mod tokens;
mod unary;
mod validation;
mod watching;

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ndauth_authority::{Authority, AuthorityError, Credential, Life};
use ndauth_core::{Causes, ClientName, Problem, Reason, Refusal, Secret};
use ndauth_proto::v1::account_service_server::AccountServiceServer;
use ndauth_proto::v1::org_service_server::OrgServiceServer;
use ndauth_proto::v1::permission_service_server::PermissionServiceServer;
use ndauth_proto::v1::token_service_server::TokenServiceServer;
use ndauth_proto::v1::validation_service_server::SERVICE_NAME as VALIDATION;
use ndauth_proto::v1::watch_service_server::WatchServiceServer;
use ndauth_proto::{DESCRIPTOR, DETAILS_DESCRIPTOR, status_from_problem};
use tokio::sync::{Semaphore, watch};
use tonic::metadata::MetadataValue;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use tonic_health::server::HealthReporter;

pub(crate) use gate::Gate;

/// What the services answer from.
#[derive(Clone)]
struct Service {
    authority: Arc<Authority>,
    /// How many more may watch.
    watchers: Arc<Semaphore>,
    /// How long a client may keep the server waiting.
    patience: Duration,
    /// Says when the server is to stop.
    stopped: watch::Receiver<bool>,
}

/// The largest request that is read: a token with as many grants as there may be fits in.
const MAX_REQUEST: usize = 64 * 1024;
/// The largest request with questions: as many as there may be, with long names, fit in.
const MAX_BATCH: usize = 1024 * 1024;

/// Every service of the port and the pages, behind the gate, and what sets its health. To be called on the runtime that
/// the database's connections live on. A request must come within the time that `patience` says; those who watch are told
/// to go elsewhere once it is `stopped`.
pub(crate) fn gate(
    authority: Arc<Authority>,
    pages: axum::Router,
    patience: Duration,
    stopped: watch::Receiver<bool>,
) -> Result<(Arc<Gate>, HealthReporter), tonic_reflection::server::Error> {
    let watchers = Arc::new(Semaphore::new(watching::MOST_WATCHERS));
    let service = Service { authority, watchers, patience, stopped };
    let (health, health_service) = tonic_health::server::health_reporter();
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTOR)
            .register_encoded_file_descriptor_set(DETAILS_DESCRIPTOR)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let routes = Routes::new(health_service)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .add_service(TokenServiceServer::new(service.clone()).max_decoding_message_size(MAX_REQUEST))
        .add_service(OrgServiceServer::new(service.clone()).max_decoding_message_size(MAX_REQUEST))
        .add_service(PermissionServiceServer::new(service.clone()).max_decoding_message_size(MAX_REQUEST))
        .add_service(WatchServiceServer::new(service.clone()).max_decoding_message_size(MAX_BATCH))
        .add_service(AccountServiceServer::new(service.clone()).max_decoding_message_size(MAX_REQUEST));
    Ok((Gate::new(routes, pages, service, patience), health))
}

/// Says to the world whether the services serve.
pub(crate) async fn set_health(health: &HealthReporter, serving: bool) {
    let status =
        if serving { tonic_health::ServingStatus::Serving } else { tonic_health::ServingStatus::NotServing };
    for name in [
        "",
        <TokenServiceServer<Service> as tonic::server::NamedService>::NAME,
        VALIDATION,
        <WatchServiceServer<Service> as tonic::server::NamedService>::NAME,
        <AccountServiceServer<Service> as tonic::server::NamedService>::NAME,
        <OrgServiceServer<Service> as tonic::server::NamedService>::NAME,
        <PermissionServiceServer<Service> as tonic::server::NamedService>::NAME,
    ] {
        health.set_service_status(name, status).await;
    }
}

/// The credential of a call.
fn credential<T>(request: &Request<T>) -> Result<Credential, Status> {
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
struct Lives(Arc<OnceLock<Life>>);

/// What streams is cut so long after the server was told to stop: whoever watches its health hears that first.
const FAREWELL: Duration = Duration::from_millis(500);

impl Service {
    /// Resolves when what streams without an end is to end.
    fn stopped(&self) -> unary::Stopped {
        let mut stopped = self.stopped.clone();
        Box::pin(async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
            tokio::time::sleep(FAREWELL).await;
        })
    }
}

/// Why a call is not answered as it was asked.
enum Failed {
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
fn taken<T>(request: Request<T>) -> Result<(Credential, T), Failed> {
    let credential = credential(&request).map_err(Failed::Credential)?;
    Ok((credential, request.into_inner()))
}

/// The answer to a call, or the status that says why there is none.
async fn answer<T>(work: impl Future<Output = Result<T, Failed>>) -> Result<Response<T>, Status> {
    work.await.map(Response::new).map_err(|failed| match failed {
        Failed::Request(problem) => refused(problem),
        Failed::Authority(error) => status(&error),
        Failed::Credential(status) => status,
    })
}

/// What `authorization: Bearer …` presents, once (RFC 6750, section 2.1).
fn presented<'a>(
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
    let secret = match text.split_once(' ') {
        Some((scheme, secret)) if scheme.eq_ignore_ascii_case("bearer") => secret,
        _ => return Err(malformed("expected `Bearer` and the secret, with one blank between them")),
    };
    match secret.parse::<Secret>() {
        Ok(secret) => Ok(Credential::secret(secret, from)),
        Err(why) => Err(status(&Refusal::Malformed(why).into())),
    }
}

/// Whether a header presents the same as was presented before.
fn presents(value: &[u8], credential: &Credential) -> bool {
    let Credential::Secret { secret, .. } = credential else { return false };
    let scheme = value.split_first_chunk().filter(|(scheme, _)| *scheme == b"Bearer ");
    scheme.is_some_and(|(_, text)| secret.reads(text))
}

/// What a caller is told of a failure. What is ndauth's own fault is logged here, and only here.
fn status(error: &AuthorityError) -> Status {
    if error.is_ours() {
        tracing::error!(error = %Causes(error), "could not answer");
    }
    refused(Problem::from(error))
}

/// What a caller is told of a request that makes no sense, or is too much; the latter is counted.
#[expect(clippy::needless_pass_by_value, reason = "it is passed to `map_err` by name")]
fn refused(problem: Problem) -> Status {
    if problem.reason == Reason::Overloaded {
        metrics::counter!("ndauth_calls_shed_total").increment(1);
    }
    status_from_problem(&problem)
}

#[cfg(test)]
mod tests;
