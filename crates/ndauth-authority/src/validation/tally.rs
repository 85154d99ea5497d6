//! The numbers of verdicts, by reason.

use metrics::Counter;
use ndauth_core::Reason;

/// Counters of verdicts, by reason.
#[derive(Debug)]
pub(crate) struct Tally {
    allowed: Counter,
    /// In the order of the reasons.
    refused: Box<[Counter]>,
}

impl Tally {
    pub(crate) fn new() -> Tally {
        let counter = |reason: &'static str| metrics::counter!("ndauth_verdicts_total", "reason" => reason);
        Tally {
            allowed: counter("ALLOWED"),
            refused: Reason::all().map(|reason| counter(reason.code())).collect(),
        }
    }

    pub(crate) fn count(&self, reason: Option<Reason>) {
        match reason {
            None => self.allowed.increment(1),
            Some(reason) => self.refused[reason as usize].increment(1),
        }
    }
}
