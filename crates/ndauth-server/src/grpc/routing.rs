//! The routes of calls: every call in the access table, by its path.

use std::collections::HashMap;
use std::sync::OnceLock;

use axum::http::Method;
use metrics::{Counter, Histogram};
use ndauth_authority::access::{Operation, Row, Rule, TABLE};

use super::service::{MAX_BATCH, MAX_NAME, MAX_REQUEST};

/// The router: every call in the access table, by `package.Service/Method`, or by `package.Service/` if the
/// row has a `*`. A page is found by its method and path, whose variables are written `{name}`.
pub(super) struct CallRouter {
    calls: HashMap<&'static str, &'static CallRoute>,
    pages: matchit::Router<Methods>,
}

/// The routes at a path, by method.
type Methods = HashMap<&'static str, &'static CallRoute>;

/// The route of a call, and its metrics.
pub(crate) struct CallRoute {
    pub(super) row: &'static Row,
    /// The label in the metrics. It comes from the table, so that unauthenticated callers cannot create new
    /// labels.
    pub(super) rpc: &'static str,
    answered: OnceLock<Counter>,
    seconds: OnceLock<Histogram>,
}

/// The methods of pages.
const METHODS: [&str; 3] = ["GET", "HEAD", "POST"];

impl CallRoute {
    fn new(row: &'static Row, rpc: &'static str) -> CallRoute {
        CallRoute { row, rpc, answered: OnceLock::new(), seconds: OnceLock::new() }
    }

    /// Returns true for the route of a page or an edge, whose label begins with a method.
    fn is_page(&self) -> bool {
        self.rpc.contains(' ')
    }

    /// Counts a response with code 0 or status 200. The metrics are looked up by the first one alone.
    pub(super) fn count_answered(&self) {
        let counter = self.answered.get_or_init(|| match self.is_page() {
            true => metrics::counter!("ndauth_http_requests_total", "route" => self.rpc, "status" => "200"),
            false => metrics::counter!("ndauth_rpcs_total", "rpc" => self.rpc, "code" => "0"),
        });
        counter.increment(1);
    }

    /// Records the time from arrival to response.
    pub(super) fn record_seconds(&self, seconds: f64) {
        let histogram = self.seconds.get_or_init(|| match self.is_page() {
            true => metrics::histogram!("ndauth_http_seconds", "route" => self.rpc),
            false => metrics::histogram!("ndauth_rpc_seconds", "rpc" => self.rpc),
        });
        histogram.record(seconds);
    }

    pub(crate) fn row(&self) -> &'static Row {
        self.row
    }

    /// Returns true if the call is answered on the core of its connection.
    pub(crate) fn is_answered_from_memory(&self) -> bool {
        matches!(
            self.row.operation,
            Operation::ValidateToken | Operation::ValidateTokens | Operation::Resolve
        )
    }

    /// Returns the size of the largest request in bytes, in an encoding that is not gRPC's. Callers without a
    /// credential get little, except for a batch of leaked secrets.
    pub(crate) fn largest_request(&self) -> usize {
        match self.row.operation {
            Operation::ValidateTokens => MAX_BATCH,
            Operation::ReportLeaked => MAX_REQUEST,
            _ if self.row.nobody == Rule::Yes => MAX_NAME,
            _ => MAX_REQUEST,
        }
    }
}

impl CallRouter {
    /// Builds a route for each call in the access table.
    pub(super) fn new() -> CallRouter {
        let call_route = |row, label| &*Box::leak(Box::new(CallRoute::new(row, label)));
        let (mut calls, mut pages) = (HashMap::new(), HashMap::<&str, Methods>::new());
        // A call about the caller's items and an org's has two rows, and one route.
        for (row, call) in TABLE.iter().flat_map(|row| row.calls.iter().map(move |call| (row, *call))) {
            let _: &CallRoute = match call.split_once(' ') {
                Some((method, path)) => {
                    pages.entry(path).or_default().entry(method).or_insert_with(|| call_route(row, call))
                }
                None => {
                    let label = if call.ends_with('*') { row.calls[0] } else { call };
                    calls.entry(call.trim_end_matches('*')).or_insert_with(|| call_route(row, label))
                }
            };
        }
        let mut router = matchit::Router::new();
        for (path, methods) in pages {
            router.insert(path, methods).expect("the table's paths differ");
        }
        CallRouter { calls, pages: router }
    }

    /// Finds the route of a call by its path `/package.Service/Method`.
    pub(super) fn find(&self, path: &str) -> Option<&'static CallRoute> {
        let call = path.strip_prefix('/')?;
        let (service, method) = call.split_at(call.find('/')? + 1);
        if method.is_empty() || method.contains('/') {
            return None;
        }
        self.calls.get(call).or_else(|| self.calls.get(service)).copied()
    }

    /// Finds the route of a page. `HEAD` finds that of `GET`.
    pub(super) fn page(&self, method: &Method, path: &str) -> Option<&'static CallRoute> {
        let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
        self.pages.at(path).ok()?.value.get(method).copied()
    }

    /// Returns the methods that the pages at a path support. Where there is a `GET`, there is a `HEAD`.
    pub(super) fn allowed(&self, path: &str) -> Vec<&'static str> {
        let Ok(found) = self.pages.at(path) else { return Vec::new() };
        let supported = |method: &&str| {
            let method = if *method == "HEAD" { "GET" } else { *method };
            found.value.contains_key(method)
        };
        METHODS.into_iter().filter(supported).collect()
    }
}
