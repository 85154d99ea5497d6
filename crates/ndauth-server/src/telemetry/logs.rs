//! Log lines: their setup, not their content.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: a JSON object per line.
    Json,
}

/// Targets with a minimum level, whatever the filter says: the layers that handle raw frames, which carry
/// secrets; and the migrations, which report at every start that there is nothing to do.
const QUIET: [&str; 4] = ["h2=info", "hyper=info", "hyper_util=info", "sea_orm_migration=warn"];

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

/// Writes logs to standard error from now on. The filter is one of [`parse_log_filter`]; an invalid one
/// counts as `info`.
pub fn log_to_stderr(format: LogFormat, filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let filter = QUIET.into_iter().fold(filter, |filter, directive| {
        filter.add_directive(directive.parse().expect("the table holds directives"))
    });
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && !ndauth_terminal::plain());
    // A second call, as in tests, keeps the first subscriber.
    let _ = match format {
        LogFormat::Text => subscriber.with_target(false).try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
}
