//! The settings of logins.

use std::time::Duration;

/// How long sessions last, and how they may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoginSettings {
    /// A session ends when it was not used for so long.
    pub idle: Duration,
    /// And after so long in any case.
    pub longest: Duration,
    /// Whether devices without a browser are let in by a code.
    pub device: bool,
}

impl Default for LoginSettings {
    fn default() -> LoginSettings {
        LoginSettings { idle: HOUR * 12, longest: HOUR * 24 * 30, device: true }
    }
}

const HOUR: Duration = Duration::from_secs(60 * 60);
