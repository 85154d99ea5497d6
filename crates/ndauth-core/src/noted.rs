//! The rate at which uses of a secret are recorded, limited so that recording costs next to nothing.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::{OrgId, Scope, Timestamp};

/// The interval between recorded uses of a secret that is in constant use, in seconds. A reported last use is
/// as exact as this.
const OFTEN: u64 = 60;
/// The interval for uses from another address, or in another org, in seconds.
const ELSEWHERE: u64 = 1;

/// The last recorded use of a secret, and the counts of its uses since. `last` holds the second, and in its
/// low 24 bits a hash of the address and the org.
#[derive(Debug, Default)]
pub struct Noted {
    last: AtomicU64,
    reads: AtomicU32,
    writes: AtomicU32,
}

/// The number of uses, by access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Uses that read.
    pub reads: u64,
    /// Uses that change something.
    pub writes: u64,
}

impl Counts {
    /// Returns the counts of a single use.
    pub fn one(access: Scope) -> Counts {
        match access {
            Scope::Ro => Counts { reads: 1, writes: 0 },
            Scope::Rw => Counts { reads: 0, writes: 1 },
        }
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.reads = self.reads.saturating_add(other.reads);
        self.writes = self.writes.saturating_add(other.writes);
    }
}

impl Noted {
    const PLACE: u32 = 24;

    /// Counts a use. If a use is due to be recorded, returns the counts since the last recorded one,
    /// including this use.
    pub fn due(
        &self,
        access: Scope,
        at: Timestamp,
        address: Option<IpAddr>,
        org: Option<OrgId>,
    ) -> Option<Counts> {
        let uses = match access {
            Scope::Ro => &self.reads,
            Scope::Rw => &self.writes,
        };
        uses.fetch_add(1, Ordering::Relaxed);
        let bits = match address {
            None => 0,
            Some(IpAddr::V4(address)) => u128::from(address.to_bits()) | 1 << 64,
            Some(IpAddr::V6(address)) => address.to_bits(),
        };
        // The random bits of the org's id.
        let org = org.map_or(0, |org| (org.uuid().as_u128() as u64).rotate_left(17));
        let mixed = ((bits >> 64) as u64 ^ bits as u64 ^ org).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let second = u64::try_from(at.micros()).unwrap_or(0) / 1_000_000;
        let now = (second << Self::PLACE) | (mixed >> (u64::BITS - Self::PLACE));
        let last = self.last.load(Ordering::Relaxed);
        let since = (now >> Self::PLACE).saturating_sub(last >> Self::PLACE);
        let elsewhere = (now ^ last).trailing_zeros() < Self::PLACE;
        let due = last == 0 || since >= OFTEN || elsewhere && since >= ELSEWHERE;
        due.then(|| {
            self.last.store(now, Ordering::Relaxed);
            let taken = |uses: &AtomicU32| u64::from(uses.swap(0, Ordering::Relaxed));
            Counts { reads: taken(&self.reads), writes: taken(&self.writes) }
        })
    }
}
