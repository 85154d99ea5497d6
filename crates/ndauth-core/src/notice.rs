//! Notices: the kinds of things that people are told by mail, and when they are told that a token ends.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A kind of notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NoticeKind {
    /// A token was created.
    Created,
    /// A token ends soon.
    Expiring,
    /// A token ended, and is still tried.
    StillTried,
    /// A new secret of a token took over.
    Rotated,
    /// A retired secret of a token was presented.
    Reused,
    /// A token was revoked by another than the person who is told.
    Revoked,
    /// A token was suspended by another than the person who is told.
    Suspended,
    /// A session began on a device that the account had not used.
    SignIn,
    /// An org's policy will refuse a token.
    Policy,
    /// A membership was offered.
    Offer,
}

/// The kinds of notices that an account has turned off.
pub type NoticesOff = BTreeSet<NoticeKind>;

/// A text that is not a kind of notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected `created`, `expiring`, `still-tried`, `rotated`, `reused`, `revoked`, `suspended`, `sign-in`, `policy` or `offer`"
)]
pub struct InvalidNoticeKind;

/// The lives of tokens, the longest first, and how long before their end their owners are told of it.
const LEADS: [(Duration, &[Duration]); 4] = [
    (days(90), &[days(30), days(7), days(1)]),
    (days(30), &[days(10), days(3), days(1)]),
    (days(7), &[days(3), days(1)]),
    (days(2), &[hours(12)]),
];

/// Every lead that there is, the longest first.
pub const EXPIRY_LEADS: [Duration; 6] = [days(30), days(10), days(7), days(3), days(1), hours(12)];

const fn hours(count: u64) -> Duration {
    Duration::from_secs(count * 60 * 60)
}

const fn days(count: u64) -> Duration {
    hours(count * 24)
}

impl NoticeKind {
    /// Every kind.
    pub const ALL: [NoticeKind; 10] = [
        NoticeKind::Created,
        NoticeKind::Expiring,
        NoticeKind::StillTried,
        NoticeKind::Rotated,
        NoticeKind::Reused,
        NoticeKind::Revoked,
        NoticeKind::Suspended,
        NoticeKind::SignIn,
        NoticeKind::Policy,
        NoticeKind::Offer,
    ];

    /// Returns the name that rows and events hold, such as `STILL_TRIED`.
    pub const fn code(self) -> &'static str {
        match self {
            NoticeKind::Created => "CREATED",
            NoticeKind::Expiring => "EXPIRING",
            NoticeKind::StillTried => "STILL_TRIED",
            NoticeKind::Rotated => "ROTATED",
            NoticeKind::Reused => "REUSED",
            NoticeKind::Revoked => "REVOKED",
            NoticeKind::Suspended => "SUSPENDED",
            NoticeKind::SignIn => "SIGN_IN",
            NoticeKind::Policy => "POLICY",
            NoticeKind::Offer => "OFFER",
        }
    }

    /// Returns the kind with this code.
    pub fn from_code(code: &str) -> Option<NoticeKind> {
        NoticeKind::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Returns true for a notice about the account's security, which cannot be turned off.
    pub const fn is_about_security(self) -> bool {
        match self {
            NoticeKind::Created
            | NoticeKind::Reused
            | NoticeKind::Revoked
            | NoticeKind::Suspended
            | NoticeKind::SignIn => true,
            NoticeKind::Expiring
            | NoticeKind::StillTried
            | NoticeKind::Rotated
            | NoticeKind::Policy
            | NoticeKind::Offer => false,
        }
    }

    /// Returns what it tells, for people.
    pub const fn description(self) -> &'static str {
        match self {
            NoticeKind::Created => "a token was created",
            NoticeKind::Expiring => "a token ends soon",
            NoticeKind::StillTried => "a token ended, and is still tried",
            NoticeKind::Rotated => "a token was rotated",
            NoticeKind::Reused => "a retired secret was presented",
            NoticeKind::Revoked => "someone else revoked a token",
            NoticeKind::Suspended => "someone else suspended a token",
            NoticeKind::SignIn => "a new device signed in",
            NoticeKind::Policy => "a policy will refuse a token",
            NoticeKind::Offer => "a membership was offered",
        }
    }
}

impl fmt::Display for NoticeKind {
    /// Writes the name that people write, such as `still-tried`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code().to_ascii_lowercase().replace('_', "-"))
    }
}

impl FromStr for NoticeKind {
    type Err = InvalidNoticeKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        NoticeKind::ALL.into_iter().find(|kind| kind.to_string() == text).ok_or(InvalidNoticeKind)
    }
}

/// Returns how long before its end the owner of a token is told of it, the longest first. The shorter the life, the
/// fewer and the shorter: a life of less than two days has none.
pub fn expiry_leads(life: Duration) -> &'static [Duration] {
    LEADS.iter().find(|(least, _)| life >= *least).map_or(&[], |(_, leads)| leads)
}

/// Returns the lead that has come, of a token with this life and this much of it left: the shortest that is not shorter
/// than what is left.
pub fn expiry_lead(life: Duration, left: Duration) -> Option<Duration> {
    expiry_leads(life).iter().rev().copied().find(|lead| *lead >= left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_a_code_and_a_text() {
        for kind in NoticeKind::ALL {
            assert_eq!(NoticeKind::from_code(kind.code()), Some(kind));
            assert_eq!(kind.to_string().parse(), Ok(kind));
            assert!(InvalidNoticeKind.to_string().contains(&format!("`{kind}`")));
            assert_eq!(serde_json::to_value(kind).expect("plain data"), kind.code(), "events hold the code");
        }
        assert_eq!(NoticeKind::StillTried.to_string(), "still-tried");
        assert_eq!("CREATED".parse::<NoticeKind>(), Err(InvalidNoticeKind));
    }

    #[test]
    fn leads_are_scaled_down_for_short_lives() {
        for (life, leads) in [
            (days(365), vec![days(30), days(7), days(1)]),
            (days(90), vec![days(30), days(7), days(1)]),
            (days(90) - hours(1), vec![days(10), days(3), days(1)]),
            (days(30), vec![days(10), days(3), days(1)]),
            (days(29), vec![days(3), days(1)]),
            (days(7), vec![days(3), days(1)]),
            (days(6), vec![hours(12)]),
            (days(2), vec![hours(12)]),
            (days(1), vec![]),
            (Duration::ZERO, vec![]),
        ] {
            assert_eq!(expiry_leads(life), leads, "{life:?}");
            assert!(leads.iter().all(|lead| *lead <= life / 2 && EXPIRY_LEADS.contains(lead)), "{life:?}");
        }
        assert!(EXPIRY_LEADS.is_sorted_by(|a, b| a > b));
    }

    #[test]
    fn the_shortest_lead_that_has_come_counts() {
        for (left, lead) in [
            (days(31), None),
            (days(30), Some(days(30))),
            (days(8), Some(days(30))),
            (days(7), Some(days(7))),
            (days(1) + hours(1), Some(days(7))),
            (days(1), Some(days(1))),
            (Duration::ZERO, Some(days(1))),
        ] {
            assert_eq!(expiry_lead(days(90), left), lead, "{left:?}");
        }
        assert_eq!(expiry_lead(days(1), hours(1)), None);
    }
}
