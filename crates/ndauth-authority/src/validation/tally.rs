//! The numbers of verdicts, by reason.

use std::sync::OnceLock;

use metrics::Counter;
use ndauth_core::Reason;

/// Counters of verdicts, by reason. Each is looked up once, when it first counts: few reasons are ever those of a
/// verdict.
#[derive(Debug)]
pub(crate) struct Tally {
    allowed: Counter,
    /// In the order of the reasons.
    refused: Box<[OnceLock<Counter>]>,
}

impl Tally {
    pub(crate) fn new() -> Tally {
        Tally { allowed: counter(ALLOWED), refused: Reason::all().map(|_| OnceLock::new()).collect() }
    }

    pub(crate) fn count(&self, reason: Option<Reason>) {
        match reason {
            None => self.allowed.increment(1),
            Some(reason) => {
                self.refused[reason as usize].get_or_init(|| counter(reason.code())).increment(1);
            }
        }
    }
}

/// The label of a verdict that refuses nothing.
const ALLOWED: &str = "ALLOWED";

fn counter(reason: &'static str) -> Counter {
    metrics::counter!("ndauth_verdicts_total", "reason" => reason)
}
