//! Where teams look: the metrics as Prometheus reads them, the alert rules, and traces.

mod alerts;
mod metrics;
mod traces;

use std::process::Command;

use crate::installation::test_path;

/// Returns Prometheus' own tool.
fn promtool(arguments: &[&str]) -> Command {
    let mut promtool = Command::new(test_path("NDAUTH_TEST_SERVERS").join("usr/bin/promtool"));
    promtool.args(arguments);
    promtool
}
