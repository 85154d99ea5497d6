//! Metrics: a table of them all, and the text that Prometheus reads.
//!
//! `docs/operations.md` has the same table. Tests compare the two, and both with what the code records.

use std::collections::HashSet;
use std::fmt::Write as _;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use ndauth_authority::access::TABLE;
use ndauth_authority::limits::{
    ADMIN_CONNECTIONS, CALLS, CONNECTIONS, INCOMING_BYTES, LIMITS, Limit, MIRROR_WAITS, NOTED_USES,
    OPEN_STREAMS, PASSWORD_CHECKS, POLICY_IMPACTS, UNSENT_BYTES, WATCHES,
};
use ndauth_core::Refusal;

/// A row of the table: one metric.
struct Metric {
    name: &'static str,
    kind: MetricKind,
    labels: &'static [&'static str],
    help: &'static str,
    begins: Begins,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MetricKind {
    Counter,
    Gauge,
    Histogram,
}

/// The series of a metric that exist as soon as the server starts. A counter that begins later has no first increase:
/// Prometheus sees its first value, and nothing before it.
#[derive(Clone, Copy)]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the words are those of the document, which a test compares")
)]
enum Begins {
    /// One series without labels, at zero.
    AtZero,
    /// One series at zero for each of these values of the labels, and what they are.
    AtZeroFor(&'static str, fn() -> Vec<Vec<&'static str>>),
    /// All its series: they are set whenever the metrics are read.
    Measured,
    /// None yet, and what they begin with.
    With(&'static str),
}

use Begins::{AtZero, AtZeroFor, Measured, With};
use MetricKind::{Counter, Gauge, Histogram};

/// The metric that is written without the recorder, since its series end.
const ORG_TOKENS: &str = "ndauth_org_token_seconds_to_expiry";

#[rustfmt::skip]
const METRICS: [Metric; 34] = [
    row("ndauth_rpcs_total", Counter, &["rpc", "code"],
        "RPCs answered, over HTTP too, by RPC and gRPC code.",
        AtZeroFor("of each RPC, code 0", rpcs)),
    row("ndauth_rpc_seconds", Histogram, &["rpc"],
        "Time from an RPC's arrival to its response, by RPC.",
        With("a call")),
    row("ndauth_http_requests_total", Counter, &["route", "status"],
        "Requests of pages, OAuth endpoints and edges answered, by route and HTTP status.",
        AtZeroFor("of each `GET`, 200", pages)),
    row("ndauth_http_seconds", Histogram, &["route"],
        "Time from a request's arrival to its response, by route.",
        With("a request")),
    row("ndauth_failures_total", Counter, &["code"],
        "Requests that the server failed to answer, by gRPC code: 2 outcome not known, 13 internal, 14 unavailable.",
        AtZeroFor("of the three codes", failures)),
    row("ndauth_sign_ins_refused_total", Counter, &[],
        "Sign-ins with a wrong name or password.",
        AtZero),
    row("ndauth_refresh_secrets_reused_total", Counter, &[],
        "Sessions ended because their refresh secret was presented twice.",
        AtZero),
    row("ndauth_service_secrets_shown_total", Counter, &[],
        "Services' secrets shown to the endpoint that revokes secrets.",
        AtZero),
    row("ndauth_retired_secrets_presented_total", Counter, &[],
        "Retired secrets presented again, once per secret and day.",
        AtZero),
    row("ndauth_verdicts_total", Counter, &["reason"],
        "Validations answered, by reason; ALLOWED is one.",
        AtZeroFor("of each reason", verdicts)),
    row("ndauth_mirror_staleness_seconds", Gauge, &[],
        "Age of the state that services are answered from.",
        Measured),
    row("ndauth_freshness_bound_seconds", Gauge, &[],
        "Age beyond which that state does not answer.",
        Measured),
    row("ndauth_mirror_sequence", Gauge, &[],
        "Sequence of the last event that the mirror applied.",
        Measured),
    row("ndauth_mirror_lag_events", Gauge, &[],
        "Events of the log that the mirror has not applied yet.",
        Measured),
    row("ndauth_mirror_secrets", Gauge, &[],
        "Secrets that the mirror holds.",
        Measured),
    row("ndauth_mirror_bytes", Gauge, &[],
        "Memory reserved for the mirror.",
        Measured),
    row("ndauth_head_questions_total", Counter, &[],
        "Queries for the head of the log.",
        AtZero),
    row("ndauth_stale_answers_total", Counter, &[],
        "Responses from a state older than the bound, within the grace that the operator allows.",
        AtZero),
    row("ndauth_changes_failing_seconds", Gauge, &[],
        "Time since changes to the database began to fail; 0 if they succeed.",
        Measured),
    row("ndauth_limit_taken", Gauge, &["limit"],
        "Used part of a shared limit.",
        AtZeroFor("of most limits", measured_limits)),
    row("ndauth_limit_size", Gauge, &["limit"],
        "Total amount of a shared limit.",
        Measured),
    row("ndauth_limit_reached_total", Counter, &["limit"],
        "Refusals of callers beyond a limit or their share of it.",
        AtZeroFor("of each limit", limits)),
    row("ndauth_store_write_seconds", Histogram, &["name"],
        "Time of a change from begin to sync, by operation.",
        With("a change")),
    row("ndauth_uses_dropped_total", Counter, &[],
        "Uses of tokens dropped because too many were waiting to be written.",
        AtZero),
    row("ndauth_mails_waiting", Gauge, &[],
        "Mails to people that were not handed over yet.",
        With("`--mail`")),
    row("ndauth_mails_sent_total", Counter, &[],
        "Mails to people that were handed over.",
        AtZero),
    row("ndauth_mails_failed_total", Counter, &[],
        "Attempts to hand a mail over that failed.",
        AtZero),
    row("ndauth_mails_given_up_total", Counter, &[],
        "Mails to people that could not be handed over in time.",
        AtZero),
    row("ndauth_tls_certificate_expiry_timestamp_seconds", Gauge, &[],
        "Expiry of the certificate in force, in seconds since 1970.",
        With("a certificate")),
    row("ndauth_tls_reload_failures_total", Counter, &[],
        "Changed certificates that could not be used.",
        AtZero),
    row("ndauth_tls_handshake_failures_total", Counter, &[],
        "TLS handshakes that failed.",
        AtZero),
    row("ndauth_trace_export_failures_total", Counter, &[],
        "Batches of spans that the collector of traces did not take.",
        AtZero),
    row(ORG_TOKENS, Gauge, &["org", "token"],
        "Time until an org's live token expires, by org and name of the token.",
        With("`--org-token-expiry`")),
    row("ndauth_build_info", Gauge, &["version"],
        "Version that runs, in a label; the value is 1.",
        Measured),
];

/// The buckets of latencies, in seconds: from a tenth of a millisecond to more than anybody should see.
const SECONDS: [f64; 12] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

/// The gRPC codes of requests that the server failed to answer: unknown, internal and unavailable.
const FAILURES: [&str; 3] = ["2", "13", "14"];

/// The metrics as Prometheus reads them.
#[derive(Clone)]
pub(crate) struct Exposition(PrometheusHandle);

const fn row(
    name: &'static str,
    kind: MetricKind,
    labels: &'static [&'static str],
    help: &'static str,
    begins: Begins,
) -> Metric {
    Metric { name, kind, labels, help, begins }
}

/// Installs the recorder of metrics, with every series that exists from the start.
pub(crate) fn record_metrics() -> Result<Exposition, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .install_recorder()?;
    METRICS.iter().for_each(Metric::begin);
    LIMITS.iter().for_each(Limit::show_total);
    metrics::gauge!("ndauth_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(Exposition(handle))
}

/// Counts a request that failed, by its gRPC code. Other codes are not the server's failures.
pub(crate) fn count_failure(code: &str) {
    if let Some(code) = FAILURES.iter().find(|failure| **failure == code) {
        metrics::counter!("ndauth_failures_total", "code" => *code).increment(1);
    }
}

impl Exposition {
    /// Writes every metric, and the gauge of `seconds_to_expiry` by org and token. A metric that has no series yet is
    /// described all the same.
    pub(crate) fn render<'a>(
        &self,
        seconds_to_expiry: impl Iterator<Item = (&'a str, &'a str, f64)>,
    ) -> String {
        let mut text = self.0.render();
        let described = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
        let described: HashSet<&str> = described.collect();
        let lacking = METRICS.iter().filter(|metric| !described.contains(metric.name));
        // The series of this one follow.
        let (last, others): (Vec<_>, Vec<_>) = lacking.partition(|metric| metric.name == ORG_TOKENS);
        others.into_iter().chain(last).for_each(|metric| metric.describe_in(&mut text));
        for (org, token, seconds) in seconds_to_expiry {
            let (org, token) = (escaped(org), escaped(token));
            let _ = writeln!(text, "{ORG_TOKENS}{{org=\"{org}\",token=\"{token}\"}} {seconds}");
        }
        text
    }

    /// Moves the samples of histograms to their buckets. Until then they take memory, one by one.
    pub(crate) fn run_upkeep(&self) {
        self.0.run_upkeep();
    }
}

/// Escapes the value of a label.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

impl Metric {
    /// Writes the description that precedes a metric's series.
    fn describe_in(&self, text: &mut String) {
        let _ = writeln!(text, "# HELP {} {}", self.name, self.help);
        let _ = writeln!(text, "# TYPE {} {}", self.name, self.kind.name());
    }

    /// Describes the metric, and makes the series that exist from the start.
    fn begin(&self) {
        let (name, help) = (self.name, self.help);
        let begins = match self.begins {
            AtZero => vec![Vec::new()],
            AtZeroFor(_, values) => values(),
            Measured | With(_) => Vec::new(),
        };
        let labels = |values: &[&'static str]| -> Vec<metrics::Label> {
            self.labels
                .iter()
                .zip(values)
                .map(|(label, value)| metrics::Label::from_static_parts(label, value))
                .collect()
        };
        match self.kind {
            Counter => metrics::describe_counter!(name, help),
            Gauge => metrics::describe_gauge!(name, help),
            Histogram => metrics::describe_histogram!(name, help),
        }
        for values in begins {
            match self.kind {
                Counter => metrics::counter!(name, labels(&values)).absolute(0),
                Gauge => metrics::gauge!(name, labels(&values)).set(0.0),
                Histogram => drop(metrics::histogram!(name, labels(&values))),
            }
        }
    }
}

impl MetricKind {
    /// Returns the name in the text that Prometheus reads.
    fn name(self) -> &'static str {
        match self {
            Counter => "counter",
            Gauge => "gauge",
            Histogram => "histogram",
        }
    }
}

/// Returns the labels of routes in the access table. Those of pages begin with a method.
fn routes(of_page: bool) -> impl Iterator<Item = &'static str> {
    let calls = TABLE
        .iter()
        .flat_map(|row| row.calls.iter().map(|call| if call.ends_with('*') { &row.calls[0] } else { call }));
    let mut calls: Vec<&str> = calls.copied().filter(|call| call.contains(' ') == of_page).collect();
    calls.sort_unstable();
    calls.dedup();
    calls.into_iter()
}

fn rpcs() -> Vec<Vec<&'static str>> {
    routes(false).map(|rpc| vec![rpc, "0"]).collect()
}

fn pages() -> Vec<Vec<&'static str>> {
    routes(true).filter(|route| route.starts_with("GET ")).map(|route| vec![route, "200"]).collect()
}

fn failures() -> Vec<Vec<&'static str>> {
    FAILURES.iter().map(|code| vec![*code]).collect()
}

fn verdicts() -> Vec<Vec<&'static str>> {
    let refused = Refusal::REASONS.iter().map(|reason| reason.code());
    ["ALLOWED"].into_iter().chain(refused).map(|reason| vec![reason]).collect()
}

fn limits() -> Vec<Vec<&'static str>> {
    LIMITS.iter().map(|limit| vec![limit.name]).collect()
}

/// Those of a connection are not added up, and the waiting devices are rows of the database.
fn measured_limits() -> Vec<Vec<&'static str>> {
    let known = [
        CONNECTIONS,
        ADMIN_CONNECTIONS,
        CALLS,
        INCOMING_BYTES,
        UNSENT_BYTES,
        MIRROR_WAITS,
        WATCHES,
        OPEN_STREAMS,
        NOTED_USES,
        PASSWORD_CHECKS,
        POLICY_IMPACTS,
    ];
    known.iter().map(|limit| vec![limit.name]).collect()
}

#[cfg(test)]
mod tests;
