//! The operator's port: whether the process lives, whether it serves, and its metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use ndauth_authority::{Authority, Readiness};

/// What the operator's port reads.
#[derive(Clone)]
pub(crate) struct Ops {
    pub(crate) authority: Arc<Authority>,
    pub(crate) draining: Arc<AtomicBool>,
    pub(crate) metrics: PrometheusHandle,
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
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

async fn metrics(State(ops): State<Ops>) -> String {
    ops.authority.gauge();
    ops.metrics.render()
}

impl Ops {
    /// Why the server should not be sent work, if it should not.
    pub(crate) fn waits_for(&self) -> Option<String> {
        if self.draining.load(Ordering::SeqCst) {
            return Some("draining".to_owned());
        }
        match self.authority.readiness() {
            Readiness::Ready => None,
            Readiness::Loading { loaded, of } => Some(format!("loading: {loaded} of {of} tokens")),
            Readiness::Stale => Some("the database cannot be reached".to_owned()),
            Readiness::Held => Some("the database is a copy that waits for its operator".to_owned()),
        }
    }
}
