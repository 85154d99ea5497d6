//! Verdicts as fields of `ValidateTokenResponse`, written at once: the data that a verdict borrows does not outlive the
//! look at the mirror.

use ndauth_authority::{Answer, CacheableVerdict};
use ndauth_proto::{write_duration, write_number, write_outcome, write_timestamp};

/// The approximate size of a verdict, in bytes.
pub(crate) const VERDICT_SIZE: usize = 320;
/// The approximate size of the fields that describe the state it is of, in bytes.
pub(crate) const STATE_SIZE: usize = 32;

/// Writes the fields of a verdict. `age` is the number of the field for the longest time that it may be
/// cached: 5 in `ValidateTokenResponse`.
pub(crate) fn write_verdict(fields: &mut Vec<u8>, verdict: &CacheableVerdict<'_>, age: u32) {
    write_outcome(fields, &verdict.outcome, verdict.kind);
    write_duration(fields, age, verdict.max_cache_age);
}

/// Writes the state that a verdict is of, as fields of `ValidateTokenResponse`.
pub(crate) fn write_state<T>(fields: &mut Vec<u8>, answer: &Answer<T>) {
    write_number(fields, 3, answer.sequence);
    write_timestamp(fields, 4, answer.evaluated_at);
    write_number(fields, 6, answer.stale.into());
}
