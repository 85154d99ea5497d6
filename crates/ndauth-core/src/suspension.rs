//! Suspensions: a level takes a token's power for now, and the same level or a higher one gives it back.

use serde::{Deserialize, Serialize};

use crate::{OrgId, Timestamp};

/// The level at which a token is suspended, from the lowest to the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The token's owner. The token has no power anywhere.
    Owner,
    /// An org. The token has no power there.
    Org(OrgId),
    /// The operator. The token has no power anywhere.
    Operator,
}

/// A suspension of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspension {
    /// Its level.
    pub level: Level,
    /// The instant at which it began.
    pub since: Timestamp,
}

impl Level {
    /// Returns true if an actor at this level may lift a suspension at another.
    pub fn lifts(self, other: Level) -> bool {
        match (self, other) {
            (Level::Operator, _) | (Level::Owner, Level::Owner) => true,
            (Level::Org(own), Level::Org(org)) => own == org,
            _ => false,
        }
    }
}
