//! Logs and metrics: their setup, not their content.

use std::io::IsTerminal;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
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

/// The buckets of latencies, in seconds: from a tenth of a millisecond to more than anybody should see.
const SECONDS: [f64; 12] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

/// Installs the recorder of metrics.
pub(crate) fn record_metrics() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .install_recorder()?;
    describe();
    metrics::gauge!("ndauth_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

fn describe() {
    metrics::describe_gauge!("ndauth_build_info", "The version that runs.");
    metrics::describe_counter!("ndauth_rpcs_total", "Calls answered, by RPC and gRPC code.");
    metrics::describe_histogram!("ndauth_rpc_seconds", "Time from a call's arrival to its answer, by RPC.");
    metrics::describe_counter!("ndauth_http_requests_total", "Pages answered, by route and status of HTTP.");
    metrics::describe_histogram!(
        "ndauth_http_seconds",
        "Time from a page's request to its answer, by route."
    );
    metrics::describe_counter!("ndauth_sign_ins_refused_total", "Wrong names and passwords.");
    metrics::describe_counter!(
        "ndauth_refresh_secrets_reused_total",
        "Sessions ended because a refresh secret was presented twice."
    );
    metrics::describe_counter!("ndauth_verdicts_total", "Validations answered, by reason.");
    metrics::describe_gauge!(
        "ndauth_mirror_staleness_seconds",
        "Age of the snapshot that services are answered from."
    );
    metrics::describe_gauge!(
        "ndauth_changes_failing_seconds",
        "For how long changes to the database have been failing; 0 if they succeed."
    );
    metrics::describe_gauge!("ndauth_mirror_sequence", "The last event that the mirror holds.");
    metrics::describe_gauge!(
        "ndauth_mirror_lag_events",
        "Events in the log that the mirror has not applied yet."
    );
    metrics::describe_gauge!("ndauth_mirror_secrets", "Secrets that the mirror holds.");
    metrics::describe_gauge!("ndauth_mirror_bytes", "Memory reserved for the mirror.");
    metrics::describe_counter!("ndauth_head_questions_total", "Queries for the end of the log.");
    metrics::describe_counter!(
        "ndauth_stale_answers_total",
        "Responses from a snapshot older than the bound, as the operator allows."
    );
    metrics::describe_gauge!("ndauth_limit_taken", "How much of each shared limit is in use, by limit.");
    metrics::describe_counter!("ndauth_limit_reached_total", "Times a caller exceeded its share, by limit.");
    metrics::describe_histogram!(
        "ndauth_store_write_seconds",
        "Time of a change from begin to sync, by name."
    );
    metrics::describe_gauge!(
        "ndauth_tls_certificate_expiry_timestamp_seconds",
        "When the certificate in force ends, in seconds since 1970."
    );
    metrics::describe_counter!(
        "ndauth_tls_reload_failures_total",
        "Times the certificate had changed and could not be used."
    );
    metrics::describe_counter!("ndauth_tls_handshake_failures_total", "TLS handshakes that failed.");
    metrics::describe_counter!(
        "ndauth_uses_dropped_total",
        "Last uses dropped because too many were waiting to be saved."
    );
}
