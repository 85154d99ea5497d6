//! Traces: one span for each request, with those of its change and of the commit below it, exported by OTLP over gRPC
//! where an endpoint is set.
//!
//! Only spans of the target [`TARGET`] are exported, with the fields that their macros name, and no event. What log
//! lines hold, such as names and addresses, never gets there.

use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{Link, SpanKind, TraceContextExt as _, TraceId, TraceState, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, Sampler, SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample, SpanData,
};
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing::{Span, Subscriber, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

/// The target of the spans that are exported, in every crate. The log shows none of them.
pub(super) const TARGET: &str = "ndauth_trace";

/// The settings of traces.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceSettings {
    /// The URL of the collector, for OTLP over gRPC.
    pub endpoint: String,
    /// The name of the service that the spans are of.
    pub service: String,
    /// The traces that are exported.
    pub sampler: TraceSampler,
}

/// The traces that are exported, by the names of OpenTelemetry (`OTEL_TRACES_SAMPLER`). A ratio is from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TraceSampler {
    /// All.
    AlwaysOn,
    /// None.
    AlwaysOff,
    /// A part of them, whatever the caller decided.
    Ratio(f64),
    /// What the caller decided, and all of the others.
    ParentOrAlwaysOn,
    /// What the caller decided, and none of the others.
    ParentOrAlwaysOff,
    /// What the caller decided, and a part of the others.
    ParentOrRatio(f64),
}

/// The exporter of traces cannot be made of its settings.
#[derive(Debug, thiserror::Error)]
#[error("the collector of traces cannot be used")]
pub struct TraceError(#[from] ExporterBuildError);

/// The exporter of spans. At most 2,048 spans wait for the collector (`OTEL_BSP_MAX_QUEUE_SIZE`), and more are dropped.
#[derive(Clone, Debug)]
pub struct Traces(SdkTracerProvider);

/// The span of a request. It ends with its last copy.
#[derive(Clone, Debug)]
pub(crate) struct RequestSpan(Box<Span>);

/// True once spans are exported.
static IS_ON: AtomicBool = AtomicBool::new(false);

static PROPAGATOR: LazyLock<TraceContextPropagator> = LazyLock::new(TraceContextPropagator::new);

impl Traces {
    /// Makes the exporter. Connects to nothing yet. Must be called within the runtime, and once in a process.
    pub fn begin(settings: &TraceSettings) -> Result<Traces, TraceError> {
        let mut exporter = SpanExporter::builder().with_tonic().with_endpoint(&settings.endpoint);
        if settings.endpoint.starts_with("https:") {
            exporter = exporter.with_tls_config(ClientTlsConfig::new().with_enabled_roots());
        }
        let exporter = CountedExporter { exporter: exporter.build()?, is_failing: AtomicBool::new(false) };
        let resource = Resource::builder()
            .with_service_name(settings.service.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_sampler(OfRequests(settings.sampler.into()))
            .with_resource(resource)
            .with_span_processor(BatchSpanProcessor::builder(exporter).build())
            .build();
        IS_ON.store(true, Ordering::Relaxed);
        Ok(Traces(provider))
    }

    /// Returns the layer that makes spans of those of the target.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + Send + Sync
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        let ours = filter_fn(|metadata| metadata.is_span() && metadata.target() == TARGET);
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("ndauthd"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_filter(ours.with_max_level_hint(LevelFilter::INFO))
    }

    /// Exports what waits, for at most this long. It blocks.
    pub(crate) fn end(&self, within: Duration) {
        IS_ON.store(false, Ordering::Relaxed);
        // A failure was counted and logged by the exporter.
        let _ = self.0.shutdown_with_timeout(within);
    }
}

impl From<TraceSampler> for Sampler {
    fn from(sampler: TraceSampler) -> Sampler {
        let parent = |other| Sampler::ParentBased(Box::new(other));
        match sampler {
            TraceSampler::AlwaysOn => Sampler::AlwaysOn,
            TraceSampler::AlwaysOff => Sampler::AlwaysOff,
            TraceSampler::Ratio(ratio) => Sampler::TraceIdRatioBased(ratio),
            TraceSampler::ParentOrAlwaysOn => parent(Sampler::AlwaysOn),
            TraceSampler::ParentOrAlwaysOff => parent(Sampler::AlwaysOff),
            TraceSampler::ParentOrRatio(ratio) => parent(Sampler::TraceIdRatioBased(ratio)),
        }
    }
}

/// A sampler of requests, and of what is done for them. Work that no request waits for has no spans.
#[derive(Clone, Debug)]
struct OfRequests(Sampler);

impl ShouldSample for OfRequests {
    fn should_sample(
        &self,
        parent_context: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        span_kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let has_parent = parent_context.is_some_and(|parent| parent.span().span_context().is_valid());
        if !has_parent && *span_kind != SpanKind::Server {
            return SamplingResult {
                decision: SamplingDecision::Drop,
                attributes: Vec::new(),
                trace_state: TraceState::NONE,
            };
        }
        self.0.should_sample(parent_context, trace_id, name, span_kind, attributes, links)
    }
}

/// An exporter that counts its failures, and logs the first of a row.
#[derive(Debug)]
struct CountedExporter {
    exporter: SpanExporter,
    is_failing: AtomicBool,
}

impl opentelemetry_sdk::trace::SpanExporter for CountedExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let exported = self.exporter.export(batch).await;
        let was_failing = self.is_failing.swap(exported.is_err(), Ordering::Relaxed);
        if let Err(error) = &exported {
            metrics::counter!("ndauth_trace_export_failures_total").increment(1);
            if !was_failing {
                tracing::warn!(%error, "the collector of traces does not take spans: they are dropped");
            }
        } else if was_failing {
            tracing::info!("the collector of traces takes spans again");
        }
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl RequestSpan {
    /// Begins the span of an RPC by its label in the access table. One that is answered from memory has a span only if
    /// its caller samples the trace. `None` unless spans are exported.
    pub(crate) fn of_rpc(rpc: &'static str, headers: &HeaderMap, from_memory: bool) -> Option<RequestSpan> {
        let caller = begins(headers, from_memory)?;
        let span = RequestSpan::begin(rpc, caller);
        span.set_rpc(rpc);
        Some(span)
    }

    /// Begins the span of an HTTP request by the method and the template of its path, such as `GET /tokens/{token}`. The
    /// same holds for one that is answered from memory.
    pub(crate) fn of_http(
        route: impl fmt::Display,
        headers: &HeaderMap,
        from_memory: bool,
    ) -> Option<RequestSpan> {
        let caller = begins(headers, from_memory)?;
        let name = route.to_string();
        let span = RequestSpan::begin(&name, caller);
        if let Some((method, path)) = name.split_once(' ') {
            span.0.record("http.request.method", method);
            span.0.record("http.route", path);
        }
        Some(span)
    }

    /// Returns true if spans are exported.
    pub(crate) fn are_exported() -> bool {
        IS_ON.load(Ordering::Relaxed)
    }

    fn begin(name: &str, caller: Context) -> RequestSpan {
        let span = info_span!(
            target: TARGET,
            parent: None,
            "request",
            otel.name = name,
            otel.kind = "server",
            otel.status_code = Empty,
            request.id = Empty,
            rpc.system = Empty,
            rpc.service = Empty,
            rpc.method = Empty,
            rpc.grpc.status_code = Empty,
            http.request.method = Empty,
            http.route = Empty,
            http.response.status_code = Empty,
        );
        // It fails only where the span is filtered out.
        let _ = span.set_parent(caller);
        RequestSpan(Box::new(span))
    }

    /// States the RPC that the request calls.
    pub(crate) fn set_rpc(&self, rpc: &str) {
        self.0.record("rpc.system", "grpc");
        if let Some((service, method)) = rpc.split_once('/') {
            self.0.record("rpc.service", service);
            self.0.record("rpc.method", method);
        }
    }

    /// States the request id.
    pub(crate) fn set_id(&self, id: &HeaderValue) {
        self.0.record("request.id", id.to_str().unwrap_or_default());
    }

    /// States the gRPC code of the response. The codes for which the server is to blame make the span an error.
    pub(crate) fn set_code(&self, code: &str) {
        if let Ok(code) = code.parse::<i64>() {
            self.0.record("rpc.grpc.status_code", code);
            if matches!(code, 2 | 4 | 12..=15) {
                self.0.record("otel.status_code", "ERROR");
            }
        }
    }

    /// States the HTTP status of the response.
    pub(crate) fn set_status(&self, status: StatusCode) {
        self.0.record("http.response.status_code", i64::from(status.as_u16()));
        if status.is_server_error() {
            self.0.record("otel.status_code", "ERROR");
        }
    }

    /// Returns the span, to run something within it.
    pub(crate) fn span(&self) -> Span {
        (*self.0).clone()
    }
}

/// Returns the context of the caller, if a request has a span. It may be empty.
fn begins(headers: &HeaderMap, from_memory: bool) -> Option<Context> {
    if !RequestSpan::are_exported() {
        return None;
    }
    let caller = PROPAGATOR.extract_with_context(&Context::new(), &OfCaller(headers));
    (!from_memory || caller.span().span_context().is_sampled()).then_some(caller)
}

/// The `traceparent` of a request (W3C Trace Context). The `tracestate` would only be exported again, and is a text of
/// the caller's own.
struct OfCaller<'a>(&'a HeaderMap);

impl Extractor for OfCaller<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let mut values = self.0.get_all("traceparent").iter().filter(|_| key == "traceparent");
        let value = values.next()?;
        // Of several, none is the caller's.
        values.next().is_none().then(|| value.to_str().ok())?
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent"]
    }
}

#[cfg(test)]
mod tests;
