use super::*;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Returns the context that a request with these values of `traceparent` has.
fn extracted(values: &[&str]) -> Context {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append("traceparent", HeaderValue::from_str(value).expect("plain text"));
    }
    headers.insert("tracestate", HeaderValue::from_static("vendor=ndpat_secret"));
    PROPAGATOR.extract_with_context(&Context::new(), &OfCaller(&headers))
}

#[test]
fn the_caller_s_context_is_one_valid_traceparent_without_its_state() {
    let sampled = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let caller = extracted(&[&sampled]);
    let span = caller.span();
    assert_eq!(span.span_context().trace_id().to_string(), TRACE);
    assert!(span.span_context().is_sampled() && span.span_context().is_remote());
    assert_eq!(span.span_context().trace_state().header(), "");
    let other = extracted(&[&format!("00-{TRACE}-00f067aa0ba902b7-00")]);
    assert!(other.span().span_context().is_valid() && !other.span().span_context().is_sampled());
    for none in [
        &[] as &[&str],
        &[&sampled, &sampled],
        &["x"],
        &[&format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32))],
        &[&format!("ff-{TRACE}-00f067aa0ba902b7-01")],
        &[&"-".repeat(8000)],
    ] {
        assert!(!extracted(none).span().span_context().is_valid(), "{none:?}");
    }
}

#[test]
fn work_that_no_request_waits_for_has_no_span() {
    let sampler = OfRequests(TraceSampler::AlwaysOn.into());
    let decide = |parent: Option<&Context>, kind| {
        sampler.should_sample(parent, TraceId::from(1), "x", &kind, &[], &[]).decision
    };
    let caller = extracted(&[&format!("00-{TRACE}-00f067aa0ba902b7-01")]);
    assert_eq!(decide(None, SpanKind::Internal), SamplingDecision::Drop);
    assert_eq!(decide(Some(&Context::new()), SpanKind::Internal), SamplingDecision::Drop);
    assert_eq!(decide(Some(&Context::new()), SpanKind::Server), SamplingDecision::RecordAndSample);
    assert_eq!(decide(Some(&caller), SpanKind::Internal), SamplingDecision::RecordAndSample);
}
