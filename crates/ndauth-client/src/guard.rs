//! A [tower](https://docs.rs/tower) layer that admits only permitted requests to a gRPC service (tonic) or an
//! HTTP service (axum).
//!
//! It reads `authorization: Bearer …` (RFC 6750, section 2.1) and nothing else, validates the token
//! against the requirement of the request, and adds an [`AllowedToken`] to the request's extensions. A refusal
//! states its reason: 401 with a challenge if the token is missing or not valid, 403 with the missing
//! permissions, 503 if there is no verdict. Over gRPC it is a status with `google.rpc.ErrorInfo`. A request
//! without a stated requirement is refused.
//!
//! ```no_run
//! # fn guarded(verifier: ndauth_client::Verifier) -> Result<(), Box<dyn std::error::Error>> {
//! use ndauth_client::guard::{Guard, OrgFrom, Route, Table};
//! use ndauth_client::{AllowedToken, Scope};
//!
//! let guard = Guard::by_table(verifier, Table::new([
//!     Route::open("GET /healthz"),
//!     Route::needs("PUT /orgs/{org}/assets/{asset}", Scope::Rw, "write:assets:{asset}"),
//!     Route::needs("/assets.v1.AssetService/Publish", Scope::Rw, "write:assets")
//!         .org_from(OrgFrom::Header("x-org".parse()?)),
//! ])?);
//!
//! async fn publish(axum::Extension(allowed): axum::Extension<AllowedToken>) -> String {
//!     format!("published for {}", allowed.owner())
//! }
//! let app: axum::Router =
//!     axum::Router::new().route("/orgs/{org}/assets/{asset}", axum::routing::put(publish)).layer(guard.clone());
//! let grpc = tonic::transport::Server::builder().layer(guard);
//! # Ok(())
//! # }
//! ```

mod refusal;
mod table;

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{AUTHORIZATION, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use ndauth_core::{Problem, Reason};
use tower_layer::Layer;
use tower_service::Service;

use crate::{ValidationRequest, Verdict, Verifier};

pub use refusal::RefusalBody;
pub use table::{InvalidRoute, Need, OrgFrom, Route, Table};

/// The layer that admits only permitted requests. Clones share the verifier.
#[derive(Clone)]
pub struct Guard {
    verifier: Verifier,
    needs: Arc<Needs>,
    address: Arc<Address>,
}

/// A service behind a [`Guard`].
#[derive(Clone)]
pub struct Guarded<S> {
    guard: Guard,
    inner: S,
}

type Needs = dyn Fn(&Parts) -> Result<Need, Problem> + Send + Sync;
type Address = dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync;

impl Guard {
    /// Returns a guard whose requirements come from a table. Routes that the table does not name are refused.
    pub fn by_table(verifier: Verifier, table: Table) -> Guard {
        Guard::by(verifier, move |request| table.need(request))
    }

    /// Returns a guard whose requirements come from a function. If the function fails, its problem is the
    /// response.
    pub fn by(
        verifier: Verifier,
        needs: impl Fn(&Parts) -> Result<Need, Problem> + Send + Sync + 'static,
    ) -> Guard {
        Guard { verifier, needs: Arc::new(needs), address: Arc::new(|_| None) }
    }

    /// Sends the client's address with each request, as this function finds it. The function may use only
    /// what the service itself knows, or the header of a proxy that it trusts.
    #[must_use]
    pub fn stating_address(
        self,
        address: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Guard {
        Guard { address: Arc::new(address), ..self }
    }

    /// Decides whether a request is admitted, and adds the [`AllowedToken`] to its extensions.
    async fn admit(&self, parts: &mut Parts) -> Result<(), refusal::Why> {
        let requirement = match (self.needs)(parts)? {
            Need::Nothing => return Ok(()),
            Need::Token(requirement) => requirement,
        };
        let secret = bearer(&parts.headers)?;
        let client_address = (self.address)(parts);
        let client = parts.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        let question = ValidationRequest { secret, requirement: &requirement, client_address, client };
        match self.verifier.decide(&question).await? {
            Verdict::Allowed(allowed) => {
                parts.extensions.insert(allowed);
                Ok(())
            }
            Verdict::Refused(refused) => Err(refusal::Why::Refused(refused)),
        }
    }
}

/// Returns the text after `Bearer` in the only `authorization` header.
fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let missing = || Problem::new(Reason::CredentialMissing, "no token came with the request");
    let malformed = |why: &str| Problem::invalid("authorization", why);
    let value = values.next().ok_or_else(missing)?;
    if values.next().is_some() {
        return Err(malformed("it is given more than once"));
    }
    let text = value.to_str().map_err(|_| malformed("it is not plain text"))?;
    let (scheme, secret) = text.split_once(' ').map_or((text, None), |(scheme, rest)| (scheme, Some(rest)));
    if !scheme.eq_ignore_ascii_case("bearer") {
        // Another scheme is no token: RFC 6750, section 3.1.
        return Err(missing());
    }
    secret.ok_or_else(|| malformed("expected `Bearer` and the token, with one space between them"))
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { guard: self.clone(), inner }
    }
}

impl<S, B, R> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Send + 'static,
    R: RefusalBody,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The service that was polled ready is called; a clone takes its place.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let guard = self.guard.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            match guard.admit(&mut parts).await {
                Ok(()) => inner.call(Request::from_parts(parts, body)).await,
                Err(why) => Ok(why.answer(&parts)),
            }
        })
    }
}

/// Lets tonic's router take a guarded service.
#[cfg(feature = "tonic")]
impl<S: tonic::server::NamedService> tonic::server::NamedService for Guarded<S> {
    const NAME: &'static str = S::NAME;
}
