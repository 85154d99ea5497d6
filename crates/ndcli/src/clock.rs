//! This machine's clock.

use std::time::{SystemTime, UNIX_EPOCH};

use ndauth_core::Timestamp;

/// The instant that this machine's clock shows: for what is compared with it roughly.
#[expect(clippy::disallowed_methods, reason = "how long is left here; whether it serves, the server says")]
pub(crate) fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let micros = i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(micros).unwrap_or(Timestamp::MAX)
}
