//! Logs, metrics and traces: their setup, not their content.

mod metrics;
mod traces;

mod logs;

pub use logs::{LogFormat, log_to_stderr, parse_log_filter};
pub(crate) use metrics::{Exposition, count_failure, record_metrics};
pub(crate) use traces::RequestSpan;
pub use traces::{TraceError, TraceSampler, TraceSettings, Traces};
