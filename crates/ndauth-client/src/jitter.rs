//! Random delays, so that clients that were disconnected together do not reconnect together.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

/// Returns a random duration between half of `pause` and all of it.
pub(crate) fn jitter(pause: Duration) -> Duration {
    // Each `RandomState` has new keys.
    let drawn = RandomState::new().hash_one(0) % 1024;
    pause / 2 + pause / 2 * u32::try_from(drawn).unwrap_or(0) / 1024
}
