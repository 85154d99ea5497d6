//! The operator's port: liveness, readiness and metrics.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use ndauth_authority::{Authority, OrgTokenEnds, Readiness, StaleCause};
use tokio::sync::watch;

use crate::telemetry::Exposition;
use crate::unsent;

/// The state behind the operator's port.
#[derive(Clone)]
pub(crate) struct Ops {
    pub(crate) authority: Arc<Authority>,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) metrics: Exposition,
    /// The ends of orgs' tokens, once they were read.
    pub(crate) org_token_ends: watch::Receiver<Option<Arc<OrgTokenEnds>>>,
}

/// The phase of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Clients cannot connect yet.
    Starting,
    /// The server serves.
    Serving,
    /// The server finishes the calls in flight.
    Draining,
}

pub(crate) fn router(ops: Ops) -> Router {
    Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(ops)
}

async fn readyz(State(ops): State<Ops>) -> (StatusCode, String) {
    match ops.waits_for() {
        // The server stays ready: validations are still answered, and every other server on this database has
        // the same trouble.
        None => match ops.authority.failing_changes() {
            None => (StatusCode::OK, "ready\n".to_owned()),
            Some((since, why)) => {
                let since = since.as_secs();
                (StatusCode::OK, format!("ready\nchanges are failing, for {since} s: {why}\n"))
            }
        },
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

async fn metrics(State(ops): State<Ops>) -> String {
    ops.authority.validation().gauge();
    unsent::show_taken();
    let ends = ops.org_token_ends.borrow().clone();
    ops.metrics.render(ends.iter().flat_map(|ends| ends.seconds()))
}

impl Ops {
    /// Returns the reason why the server should receive no work, if there is one.
    pub(crate) fn waits_for(&self) -> Option<String> {
        let phase = *self.phase.borrow();
        if phase == Phase::Draining {
            return Some("draining".to_owned());
        }
        match self.authority.validation().readiness() {
            Readiness::Ready if phase == Phase::Starting => Some("starting".to_owned()),
            Readiness::Ready => None,
            Readiness::Loading { loaded, of } => Some(format!("loading: {loaded} of {of} tokens")),
            Readiness::Stale(cause) => Some(match cause {
                StaleCause::Unreachable => "the database cannot be reached".to_owned(),
                StaleCause::Standby | StaleCause::Unacknowledged => cause.message().to_owned(),
            }),
            Readiness::Held => Some("the database is a copy that needs its operator".to_owned()),
        }
    }
}
