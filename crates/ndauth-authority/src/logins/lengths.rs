//! How long sessions last.

use std::time::Duration;

/// How long sessions last, and how they may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logins {
    /// A session ends when it was not used for so long.
    pub idle: Duration,
    /// And after so long in any case.
    pub longest: Duration,
    /// Whether devices without a browser are let in by a code.
    pub device: bool,
}

impl Default for Logins {
    fn default() -> Logins {
        Logins { idle: HOUR * 12, longest: HOUR * 24 * 30, device: true }
    }
}

const HOUR: Duration = Duration::from_secs(60 * 60);
