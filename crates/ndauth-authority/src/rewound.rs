//! What a database that was put back is said to have forgotten.

use std::path::PathBuf;

/// That the log ends before where it was seen to end, or reads otherwise there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewound {
    /// Where it was seen to end.
    pub seen: u64,
    /// Where it ends.
    pub found: u64,
    /// The file that tells so, where it is not this process alone that saw it.
    pub witness: Option<PathBuf>,
}

impl Rewound {
    /// The choices that the operator has, with counts.
    pub fn choice(&self) -> String {
        let (lost, it) = match self.seen.saturating_sub(self.found) {
            0 => (
                format!("event {} reads otherwise here, and what else was forgotten is not known", self.seen),
                "it",
            ),
            1 => (format!("event {} is unknown here", self.seen), "it"),
            _ => (format!("events {} to {} are unknown here", self.found + 1, self.seen), "them"),
        };
        format!(
            "{lost}: replay {it} from the newer log (`--replay`, with what `events export --database OLD` wrote), revoke \
             what was minted before (`--not-before`), or accept that what was revoked there lives again (`--accept-loss`)"
        )
    }
}
