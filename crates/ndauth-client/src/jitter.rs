//! Waiting for about so long, so that those who were cut off together do not come back together.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

/// Between half of it and all of it.
pub(crate) fn jitter(pause: Duration) -> Duration {
    // Keys are drawn anew for each.
    let drawn = RandomState::new().hash_one(0) % 1024;
    pause / 2 + pause / 2 * u32::try_from(drawn).unwrap_or(0) / 1024
}
