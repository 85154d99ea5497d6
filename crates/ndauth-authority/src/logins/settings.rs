//! The settings of logins.

use std::time::Duration;

/// The settings for how sessions begin and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginSettings {
    /// The time without use after which a session ends.
    pub idle: Duration,
    /// The time after which a session ends in any case.
    pub longest: Duration,
    /// True if devices without a browser may be authorized by a code.
    pub device: bool,
}

impl Default for LoginSettings {
    fn default() -> LoginSettings {
        LoginSettings { idle: HOUR * 12, longest: HOUR * 24 * 30, device: true }
    }
}

const HOUR: Duration = Duration::from_secs(60 * 60);
