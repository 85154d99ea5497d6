//! How often something may be tried before it must wait: by whom, and from where. It is kept in memory, by each instance
//! for itself.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ndauth_core::Timestamp;

use crate::AuthorityError;

/// How many tries there may be within a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) tries: u32,
    pub(crate) within: Duration,
}

/// The tries there were.
#[derive(Debug)]
pub(crate) struct Throttle<K> {
    tries: Mutex<HashMap<K, Tries>>,
}

#[derive(Clone, Copy, Debug)]
struct Tries {
    since: Timestamp,
    within: Duration,
    count: u32,
}

/// How many of whom and where are kept; beyond that, what is over is let go first.
const MOST: usize = 50_000;

impl<K> Default for Throttle<K> {
    fn default() -> Throttle<K> {
        Throttle { tries: Mutex::default() }
    }
}

impl<K: Hash + Eq + Clone> Throttle<K> {
    /// Counts a try of each key against its limit, unless one has no more: then none is counted.
    pub(crate) fn take(&self, keys: &[(K, Limit)], now: Timestamp) -> Result<(), AuthorityError> {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, limit) in keys {
            if let Some(known) = tries.get(key)
                && known.count >= limit.tries
                && now.since(known.since) < limit.within
            {
                let after = limit.within.saturating_sub(now.since(known.since));
                return Err(AuthorityError::TooManyTries { after });
            }
        }
        if tries.len() + keys.len() > MOST {
            tries.retain(|_, known| now.since(known.since) < known.within);
            // So many at once are an attack by itself: what was counted of it is not worth a server's memory.
            if tries.len() + keys.len() > MOST {
                tries.clear();
            }
        }
        for (key, limit) in keys {
            let fresh = Tries { since: now, within: limit.within, count: 0 };
            let known = tries.entry(key.clone()).or_insert(fresh);
            if now.since(known.since) >= limit.within {
                *known = fresh;
            }
            known.count += 1;
        }
        Ok(())
    }

    /// Forgets the tries of a key: the last was right.
    pub(crate) fn forget(&self, key: &K) {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Takes back one try of a key.
    pub(crate) fn give_back(&self, key: &K) {
        if let Some(known) = self.tries.lock().unwrap_or_else(PoisonError::into_inner).get_mut(key) {
            known.count = known.count.saturating_sub(1);
        }
    }
}

/// What one client is likely to have of addresses: one of IPv4, a `/64` of IPv6.
pub(crate) fn network(address: Option<IpAddr>) -> Option<IpAddr> {
    Some(match address?.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_tried_too_often_waits_and_nobody_else() {
        let throttle: Throttle<&str> = Throttle::default();
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000).expect("an instant");
        let limit = Limit { tries: 2, within: Duration::from_secs(10) };
        let take = |key, now| throttle.take(&[(key, limit)], at(now));
        assert!(take("a", 0).is_ok() && take("a", 1).is_ok());
        let refused = take("a", 4).expect_err("twice is enough");
        assert!(matches!(refused, AuthorityError::TooManyTries { after } if after == Duration::from_secs(6)));
        assert!(take("b", 4).is_ok());
        assert!(take("a", 10).is_ok(), "the while is over");
        throttle.forget(&"a");
        assert!(take("a", 10).is_ok() && take("a", 10).is_ok() && take("a", 10).is_err());
        throttle.give_back(&"a");
        assert!(take("a", 10).is_ok() && take("a", 10).is_err());
        // What one has no more of, the other is not charged for.
        let both = [("c", limit), ("a", limit)];
        for _ in 0..5 {
            assert!(throttle.take(&both, at(10)).is_err());
        }
        assert!(take("c", 10).is_ok() && take("c", 10).is_ok());
    }
}
