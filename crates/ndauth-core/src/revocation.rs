//! The reason of a revocation.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Description;

/// The reason for which a token was revoked, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RevocationReason {
    /// The token is no longer needed.
    NoLongerNeeded,
    /// Another token replaced it.
    RotatedAway,
    /// Somebody else has it, or may have it.
    Leaked,
    /// Its owner left.
    OwnerLeft,
    /// A rule requires it.
    Policy,
    /// A holder presented it in order to end it.
    Possession,
}

/// The record of a token's revocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The name of the actor, for people.
    pub by: String,
    /// The reason.
    pub reason: RevocationReason,
    /// The actor's own words.
    pub note: Option<Description>,
}

/// A text that is not a reason for a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `no-longer-needed`, `rotated-away`, `leaked`, `owner-left`, `policy` or `possession`")]
pub struct InvalidRevocationReason;

impl RevocationReason {
    /// Every reason.
    pub const ALL: [RevocationReason; 6] = [
        RevocationReason::NoLongerNeeded,
        RevocationReason::RotatedAway,
        RevocationReason::Leaked,
        RevocationReason::OwnerLeft,
        RevocationReason::Policy,
        RevocationReason::Possession,
    ];

    /// Returns the name that programs compare, such as `NO_LONGER_NEEDED`.
    pub const fn code(self) -> &'static str {
        match self {
            RevocationReason::NoLongerNeeded => "NO_LONGER_NEEDED",
            RevocationReason::RotatedAway => "ROTATED_AWAY",
            RevocationReason::Leaked => "LEAKED",
            RevocationReason::OwnerLeft => "OWNER_LEFT",
            RevocationReason::Policy => "POLICY",
            RevocationReason::Possession => "POSSESSION",
        }
    }

    /// Returns the reason with this code.
    pub fn from_code(code: &str) -> Option<RevocationReason> {
        RevocationReason::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

impl fmt::Display for RevocationReason {
    /// Writes the name that people write, such as `no-longer-needed`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code().to_ascii_lowercase().replace('_', "-"))
    }
}

impl FromStr for RevocationReason {
    type Err = InvalidRevocationReason;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut all = RevocationReason::ALL.into_iter();
        all.find(|reason| reason.to_string() == text).ok_or(InvalidRevocationReason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_have_a_code_and_a_text() {
        for reason in RevocationReason::ALL {
            assert_eq!(RevocationReason::from_code(reason.code()), Some(reason));
            assert_eq!(reason.to_string().parse(), Ok(reason));
            assert!(InvalidRevocationReason.to_string().contains(&format!("`{reason}`")));
            let stored = serde_json::to_value(reason).expect("plain data");
            assert_eq!(stored, reason.code(), "events hold the code");
        }
        assert_eq!(RevocationReason::NoLongerNeeded.to_string(), "no-longer-needed");
        assert_eq!("LEAKED".parse::<RevocationReason>(), Err(InvalidRevocationReason));
        assert_eq!(RevocationReason::from_code("leaked"), None);
    }
}
