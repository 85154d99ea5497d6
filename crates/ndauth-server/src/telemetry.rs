//! Logs, metrics and traces: their setup, not their content.

mod logs;
mod metrics;

pub use logs::{LogFormat, log_to_stderr, parse_log_filter};
pub(crate) use metrics::{Exposition, count_failure, record_metrics};
