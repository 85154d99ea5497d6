//! The trace that a call belongs to.

use std::str::FromStr;

use tonic::metadata::AsciiMetadataValue;

/// The place of a caller in a trace, as the header `traceparent` states it (W3C Trace Context). Where the server exports
/// traces, its spans continue the caller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceParent(String);

/// The text is not a `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not a traceparent: expected `00-TRACE-SPAN-FLAGS` in lower-case hexadecimal digits")]
pub struct InvalidTraceParent;

/// The lengths of the parts: the version, the trace, the span and the flags.
const LENGTHS: [usize; 4] = [2, 32, 16, 2];

impl FromStr for TraceParent {
    type Err = InvalidTraceParent;

    fn from_str(text: &str) -> Result<TraceParent, InvalidTraceParent> {
        let parts: Vec<&str> = text.splitn(LENGTHS.len() + 1, '-').collect();
        let is_hex = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let fits = parts.len() == LENGTHS.len()
            && parts.iter().zip(LENGTHS).all(|(part, length)| part.len() == length && is_hex(part));
        let is_some = |part: &str| part.bytes().any(|b| b != b'0');
        match parts.as_slice() {
            [version, trace, span, _] if fits && *version != "ff" && is_some(trace) && is_some(span) => {
                Ok(TraceParent(text.to_owned()))
            }
            _ => Err(InvalidTraceParent),
        }
    }
}

impl TraceParent {
    /// Returns the text, such as `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn metadata(&self) -> AsciiMetadataValue {
        self.0.parse().expect("hexadecimal digits and hyphens are plain text")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_traceparents_are_read() {
        let whole = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(whole.parse::<TraceParent>().expect("valid").as_str(), whole);
        for other in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b-01",
        ] {
            assert_eq!(other.parse::<TraceParent>(), Err(InvalidTraceParent), "{other}");
        }
    }
}
