//! A route: its name in the access table, and its handler.

use std::sync::Arc;

use axum::routing::MethodRouter;

use super::problem::ClientKind;
use super::site::Site;

/// A route.
pub(super) struct HttpRoute {
    /// The method, a blank and the path: its name in the access table, and in the metrics.
    pub(super) name: &'static str,
    pub(super) client: ClientKind,
    pub(super) handler: fn() -> MethodRouter<Arc<Site>>,
}

/// Returns a route that browsers take.
pub(super) const fn person(name: &'static str, handler: fn() -> MethodRouter<Arc<Site>>) -> HttpRoute {
    HttpRoute { name, client: ClientKind::Person, handler }
}

/// Returns a route that programs take.
pub(super) const fn program(name: &'static str, handler: fn() -> MethodRouter<Arc<Site>>) -> HttpRoute {
    HttpRoute { name, client: ClientKind::Program, handler }
}

impl HttpRoute {
    pub(super) fn path(&self) -> &'static str {
        self.name.split_once(' ').map_or(self.name, |(_, path)| path)
    }
}
