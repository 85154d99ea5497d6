//! The settings of traces, by the variables that OpenTelemetry gives them.

use clap::ValueEnum;
use ndauth_server::{TraceSampler, TraceSettings, parse_public_url};

#[derive(clap::Args)]
pub(crate) struct TraceOptions {
    /// Collector of traces, for OTLP over gRPC, such as `http://127.0.0.1:4317`; without one there are no traces
    #[arg(long, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_parser = parse_public_url)]
    otlp_endpoint: Option<String>,

    /// Name of this service in traces
    #[arg(long, value_name = "NAME", env = "OTEL_SERVICE_NAME", default_value = "ndauthd")]
    otlp_service_name: String,

    /// Traces that are exported; `parentbased` leaves it to the caller where the caller says
    #[arg(
        long,
        value_name = "SAMPLER",
        env = "OTEL_TRACES_SAMPLER",
        default_value = "parentbased_always_on"
    )]
    traces_sampler: SamplerName,

    /// Part of the traces for the samplers with `traceidratio`, from 0 to 1
    #[arg(long, value_name = "RATIO", env = "OTEL_TRACES_SAMPLER_ARG", default_value = "1", value_parser = ratio)]
    traces_sampler_arg: f64,
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum SamplerName {
    AlwaysOn,
    AlwaysOff,
    #[value(name = "traceidratio")]
    Ratio,
    #[value(name = "parentbased_always_on")]
    ParentOrAlwaysOn,
    #[value(name = "parentbased_always_off")]
    ParentOrAlwaysOff,
    #[value(name = "parentbased_traceidratio")]
    ParentOrRatio,
}

impl TraceOptions {
    /// Returns the settings, if there is a collector.
    pub(crate) fn settings(&self) -> Option<TraceSettings> {
        let ratio = self.traces_sampler_arg;
        let sampler = match self.traces_sampler {
            SamplerName::AlwaysOn => TraceSampler::AlwaysOn,
            SamplerName::AlwaysOff => TraceSampler::AlwaysOff,
            SamplerName::Ratio => TraceSampler::Ratio(ratio),
            SamplerName::ParentOrAlwaysOn => TraceSampler::ParentOrAlwaysOn,
            SamplerName::ParentOrAlwaysOff => TraceSampler::ParentOrAlwaysOff,
            SamplerName::ParentOrRatio => TraceSampler::ParentOrRatio(ratio),
        };
        let service = self.otlp_service_name.clone();
        self.otlp_endpoint.clone().map(|endpoint| TraceSettings { endpoint, service, sampler })
    }
}

fn ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or_else(|| "expected a number from 0 to 1".to_owned())
}
