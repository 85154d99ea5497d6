//! Suspensions: power that was taken from a token for now, at a level, and is given back at that level or above.

use serde::{Deserialize, Serialize};

use crate::{OrgId, Timestamp};

/// Who suspends, from below to above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The token's owner: it has no power anywhere.
    Owner,
    /// An org: it has no power there.
    Org(OrgId),
    /// The operator: it has no power anywhere.
    Operator,
}

/// That a token is suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspension {
    /// By whom.
    pub level: Level,
    /// Since when.
    pub since: Timestamp,
}

impl Level {
    /// Whether who acts at this level lifts what was suspended at another.
    pub fn lifts(self, other: Level) -> bool {
        match (self, other) {
            (Level::Operator, _) | (Level::Owner, Level::Owner) => true,
            (Level::Org(own), Level::Org(org)) => own == org,
            _ => false,
        }
    }
}
