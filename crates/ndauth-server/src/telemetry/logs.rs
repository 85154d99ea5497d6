//! Log lines: their setup, not their content.

use std::io::IsTerminal;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use super::traces::Traces;

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: a JSON object per line.
    Json,
}

/// Targets with a minimum level, whatever the filter says: the layers that handle raw frames, which carry
/// secrets; the migrations, which report at every start that there is nothing to do; and the spans of traces.
const QUIET: [&str; 5] =
    ["h2=info", "hyper=info", "hyper_util=info", "sea_orm_migration=warn", "ndauth_trace=off"];

/// The levels of a filter, as `tracing` names them.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Parses a log filter: a level, or `target=level`, or several of them separated by commas. An unknown level
/// is an error: `tracing` would take it for a target, and log nothing.
pub fn parse_log_filter(text: &str) -> Result<String, String> {
    for directive in text.split(',') {
        let level = directive.rsplit_once('=').map_or(directive, |(_, level)| level);
        if !LEVELS.contains(&level.to_ascii_lowercase().as_str()) {
            return Err(format!("`{level}` is not a level: {}", LEVELS.join(", ")));
        }
    }
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|why| why.to_string())
}

/// Writes logs to standard error from now on, and exports traces if there is an exporter. The filter of the log is one
/// of [`parse_log_filter`]; an invalid one counts as `info`.
pub fn log_to_stderr(format: LogFormat, filter: &str, traces: Option<&Traces>) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let filter = QUIET.into_iter().fold(filter, |filter, directive| {
        filter.add_directive(directive.parse().expect("the table holds directives"))
    });
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && !ndauth_terminal::plain());
    let lines = match format {
        LogFormat::Text => lines.with_target(false).with_filter(filter).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
    };
    let traces = traces.map(|traces| traces.layer().boxed());
    let layers: Vec<_> = [lines].into_iter().chain(traces).collect();
    // A second call, as in tests, keeps the first subscriber.
    let _ = tracing_subscriber::registry().with(layers).try_init();
}
