//! The operator's port: whether the process lives, whether it serves, and its metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use ndauth_authority::{Authority, AuthorityError};
use tokio::time::timeout;

/// What the operator's port reads.
#[derive(Clone)]
pub(crate) struct Ops {
    pub(crate) authority: Arc<Authority>,
    pub(crate) draining: Arc<AtomicBool>,
    pub(crate) metrics: PrometheusHandle,
}

/// How long the database may take to show that it lives.
const PATIENCE: Duration = Duration::from_secs(1);

pub(crate) fn router(ops: Ops) -> Router {
    Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(async |State(ops): State<Ops>| ops.metrics.render()))
        .with_state(ops)
}

async fn readyz(State(ops): State<Ops>) -> (StatusCode, &'static str) {
    match ops.state().await {
        Ready::Yes => (StatusCode::OK, "ready\n"),
        Ready::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        Ready::NoDatabase => (StatusCode::SERVICE_UNAVAILABLE, "the database cannot be reached\n"),
        Ready::Held => {
            (StatusCode::SERVICE_UNAVAILABLE, "the database is a copy that waits for its operator\n")
        }
    }
}

/// Whether the server should be sent work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    Yes,
    Draining,
    NoDatabase,
    Held,
}

impl Ops {
    pub(crate) async fn state(&self) -> Ready {
        if self.draining.load(Ordering::SeqCst) {
            return Ready::Draining;
        }
        match timeout(PATIENCE, self.authority.look()).await {
            Ok(Ok(())) => match self.authority.may_serve().await {
                Ok(()) => Ready::Yes,
                Err(AuthorityError::Store(_)) => Ready::NoDatabase,
                Err(_) => Ready::Held,
            },
            Ok(Err(error)) if !matches!(error, AuthorityError::Store(_)) => Ready::Held,
            Ok(Err(_)) | Err(_) => Ready::NoDatabase,
        }
    }
}
