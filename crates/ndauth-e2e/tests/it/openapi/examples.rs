//! Examples: what a real server answers, with the parts that differ from run to run replaced.

use std::collections::BTreeMap;

use serde_json::Value;

/// Recorded requests and responses.
#[derive(Debug, Default)]
pub(super) struct Examples {
    /// By `operationId`: the body of the request, and of the response.
    calls: BTreeMap<String, (Option<Value>, Value)>,
    failures: BTreeMap<u16, Value>,
}

impl Examples {
    pub(super) fn body(&self, operation: &str) -> Option<&Value> {
        self.calls.get(operation).and_then(|(body, _)| body.as_ref())
    }

    pub(super) fn response(&self, operation: &str) -> Option<&Value> {
        self.calls.get(operation).map(|(_, response)| response)
    }

    pub(super) fn failure(&self, status: u16) -> Option<&Value> {
        self.failures.get(&status)
    }
}
