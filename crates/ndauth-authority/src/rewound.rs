//! The difference between a log and what was seen of it before.

use std::path::PathBuf;

/// A log that ends before the event that was seen last, or has another event in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewound {
    /// The sequence at which it was seen to end.
    pub seen: u64,
    /// The sequence at which it ends.
    pub found: u64,
    /// The witness file, if it was not only this process that saw the end.
    pub witness: Option<PathBuf>,
}

impl Rewound {
    /// Returns the operator's choices, with counts.
    pub fn choice(&self) -> String {
        let (lost, it) = match self.seen.saturating_sub(self.found) {
            0 => {
                (format!("event {} differs here, and it is not known what else is missing", self.seen), "it")
            }
            1 => (format!("event {} is unknown here", self.seen), "it"),
            _ => (format!("events {} to {} are unknown here", self.found + 1, self.seen), "them"),
        };
        format!(
            "{lost}: replay {it} from the newer log (`--replay`, with the output of `events export --database OLD`), revoke \
             what was minted before (`--not-before`), or accept that what was revoked there is valid again (`--accept-loss`)"
        )
    }
}
