//! How often it is noted that a secret is used, so that this costs next to nothing.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Timestamp;

/// Of a secret that is used all the time, one use a minute is noted: what is told of its last use is as exact
/// as this, in seconds.
const OFTEN: u64 = 60;
/// Where it is used from elsewhere than before, one a second.
const ELSEWHERE: u64 = 1;

/// When a secret was last noted to be used, and from where: the second, and behind it some bits of the address.
#[derive(Debug, Default)]
pub struct Noted(AtomicU64);

impl Noted {
    const ADDRESS: u32 = 24;

    /// Whether a use is to be noted, which then it is.
    pub fn due(&self, at: Timestamp, address: Option<IpAddr>) -> bool {
        let bits = match address {
            None => 0,
            Some(IpAddr::V4(address)) => u128::from(address.to_bits()) | 1 << 64,
            Some(IpAddr::V6(address)) => address.to_bits(),
        };
        let mixed = ((bits >> 64) as u64 ^ bits as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let second = u64::try_from(at.micros()).unwrap_or(0) / 1_000_000;
        let now = (second << Self::ADDRESS) | (mixed >> (u64::BITS - Self::ADDRESS));
        let last = self.0.load(Ordering::Relaxed);
        let since = (now >> Self::ADDRESS).saturating_sub(last >> Self::ADDRESS);
        let elsewhere = (now ^ last).trailing_zeros() < Self::ADDRESS;
        let due = last == 0 || since >= OFTEN || elsewhere && since >= ELSEWHERE;
        if due {
            self.0.store(now, Ordering::Relaxed);
        }
        due
    }
}
