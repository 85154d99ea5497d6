//! Limits: what callers share, how much of it there is, and how much of it one of them may take.
//!
//! `docs/operations.md` has the same table; a test compares the two.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A limit on something that callers share.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// The name, in metrics and in the documentation.
    pub name: &'static str,
    /// How much there is.
    pub total: usize,
    /// How much of it one may take.
    pub share: usize,
    /// By what one is told from another.
    pub counted_by: &'static str,
    /// What happens to those beyond it.
    pub refusal: &'static str,
}

/// Connections. `--max-connections` and `--max-connections-per-address` change them.
pub const CONNECTIONS: Limit = Limit {
    name: "connections",
    total: 10_000,
    share: 2_000,
    counted_by: "address",
    refusal: "the connection is closed",
};
/// Calls that ask the database, at once.
pub const CALLS: Limit = Limit {
    name: "calls",
    total: 1024,
    share: 128,
    counted_by: "account, org or service of the secret; address where none is known",
    refusal: "`OVERLOADED`",
};
/// Bytes of requests of which only a part has come.
pub const INCOMING_BYTES: Limit = Limit {
    name: "incoming-bytes",
    total: 256 * 1024 * 1024,
    share: 32 * 1024 * 1024,
    counted_by: "address",
    refusal: "`OVERLOADED`",
};
/// Bytes of responses that their clients have not taken yet. A response counts for 4 KiB at the least.
pub const UNSENT_BYTES: Limit = Limit {
    name: "unsent-bytes",
    total: 256 * 1024 * 1024,
    share: 64 * 1024 * 1024,
    counted_by: "address",
    refusal: "the stream is reset (`ENHANCE_YOUR_CALM`)",
};
/// The same, of one connection.
pub const UNSENT_BYTES_OF_A_CONNECTION: Limit = Limit {
    name: "unsent-bytes-of-a-connection",
    total: UNSENT_BYTES.total,
    share: 8 * 1024 * 1024,
    counted_by: "connection",
    refusal: "the stream is reset (`ENHANCE_YOUR_CALM`)",
};
/// Questions that wait for a fresher mirror.
pub const MIRROR_WAITS: Limit = Limit {
    name: "mirror-waits",
    total: 100_000,
    share: 25_000,
    counted_by: "address",
    refusal: "`OVERLOADED`",
};
/// Streams of `WatchRevocations`.
pub const WATCHES: Limit =
    Limit { name: "watches", total: 10_000, share: 2_000, counted_by: "service", refusal: "`OVERLOADED`" };
/// Streams of health and reflection, which need no credential.
pub const OPEN_STREAMS: Limit =
    Limit { name: "open-streams", total: 1_000, share: 50, counted_by: "address", refusal: "`OVERLOADED`" };
/// Passwords that are checked or wait to be.
pub const PASSWORD_CHECKS: Limit = Limit {
    name: "password-checks",
    total: 66,
    share: 16,
    counted_by: "address",
    refusal: "`TOO_MANY_TRIES`, 1 s",
};

/// Every limit of this kind.
pub const LIMITS: [Limit; 9] = [
    CONNECTIONS,
    CALLS,
    INCOMING_BYTES,
    UNSENT_BYTES,
    UNSENT_BYTES_OF_A_CONNECTION,
    MIRROR_WAITS,
    WATCHES,
    OPEN_STREAMS,
    PASSWORD_CHECKS,
];

/// What is taken of something under a limit, by whom.
#[derive(Debug)]
pub struct Shares<K> {
    limit: Limit,
    taken: Mutex<Taken<K>>,
}

#[derive(Debug)]
struct Taken<K> {
    all: usize,
    by: HashMap<K, usize>,
}

/// A part of something under a limit. It is given back when it is dropped.
#[derive(Debug)]
pub struct Share<K: Hash + Eq> {
    shares: Arc<Shares<K>>,
    by: Option<K>,
    amount: usize,
}

/// There is no more, or not for this caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no more {0} for this caller")]
pub struct LimitReached(pub &'static str);

/// The network that a client is likely to have to itself: an address of IPv4, a `/64` of IPv6.
pub type ClientNetwork = Option<IpAddr>;

/// The network of an address.
pub fn network(address: Option<IpAddr>) -> ClientNetwork {
    Some(match address?.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    })
}

impl<K: Clone + Hash + Eq> Shares<K> {
    /// None of it is taken.
    pub fn new(limit: Limit) -> Arc<Shares<K>> {
        Arc::new(Shares { limit, taken: Mutex::new(Taken { all: 0, by: HashMap::new() }) })
    }

    /// Takes an amount for one caller; with `None`, for one that has no share of its own and may take all there is.
    pub fn take(self: &Arc<Self>, by: Option<K>, amount: usize) -> Result<Share<K>, LimitReached> {
        let mut share = Share { shares: Arc::clone(self), by, amount: 0 };
        share.grow(amount)?;
        Ok(share)
    }

    /// How much is taken.
    pub fn taken(&self) -> usize {
        self.lock().all
    }

    fn lock(&self) -> MutexGuard<'_, Taken<K>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Hash + Eq> Share<K> {
    /// Takes more for the same caller.
    pub fn grow(&mut self, more: usize) -> Result<(), LimitReached> {
        let Shares { limit, .. } = *self.shares;
        let mut taken = self.shares.lock();
        let own = self.by.as_ref().map_or(0, |by| taken.by.get(by).copied().unwrap_or_default());
        if taken.all + more > limit.total || own + more > limit.share {
            metrics::counter!("ndauth_limit_reached_total", "limit" => limit.name).increment(1);
            return Err(LimitReached(limit.name));
        }
        taken.all += more;
        if let Some(by) = &self.by {
            *taken.by.entry(by.clone()).or_default() += more;
        }
        self.amount += more;
        Ok(())
    }
}

impl<K: Hash + Eq> Drop for Share<K> {
    fn drop(&mut self) {
        let mut taken = self.shares.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= self.amount;
        if let Some(by) = &self.by
            && let Some(own) = taken.by.get_mut(by)
        {
            *own -= self.amount;
            if *own == 0 {
                taken.by.remove(by);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { name: "x", total: 10, share: 4, counted_by: "name", refusal: "-" };

    #[test]
    fn one_takes_its_share_and_nobody_elses() {
        let shares = Shares::new(LIMIT);
        let mut one = shares.take(Some("one"), 3).expect("there is");
        assert!(shares.take(Some("one"), 2).is_err());
        assert!(one.grow(1).is_ok() && one.grow(1).is_err());
        let two = shares.take(Some("two"), 4).expect("its own");
        assert_eq!(shares.take(None, 3).expect_err("2 are left"), LimitReached("x"));
        let rest = shares.take(None, 2).expect("it has no share of its own");
        assert!(shares.take(Some("three"), 1).is_err());
        drop((one, rest));
        assert!(shares.take(Some("one"), 4).is_ok());
        drop(two);
        assert_eq!(shares.taken(), 0);
        assert!(shares.lock().by.is_empty());
    }

    #[test]
    fn no_share_is_more_than_a_quarter_but_of_what_fills_slowly() {
        for limit in LIMITS {
            assert!(limit.share * 4 <= limit.total + 2, "{limit:?}");
        }
    }
}
