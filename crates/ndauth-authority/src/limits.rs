//! Limits on the resources that callers share: the total amount, and the share of one caller.
//!
//! `docs/operations.md` has the same table; a test compares the two.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{Counter, Gauge};
use ndauth_core::{Owner, ServiceId};

/// A limit on something that callers share.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// The name, in metrics and in the documentation.
    pub name: &'static str,
    /// The total amount.
    pub total: usize,
    /// The most of it that one caller may take.
    pub share: usize,
    /// The property that distinguishes callers.
    pub counted_by: &'static str,
    /// The response to a caller that exceeds its share, or to any caller beyond the total.
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
/// Connections to the operator's port.
pub const ADMIN_CONNECTIONS: Limit = Limit {
    name: "admin-connections",
    total: 200,
    share: 50,
    counted_by: "address",
    refusal: "the connection is closed",
};
/// Concurrent calls that query the database.
pub const CALLS: Limit = Limit {
    name: "calls",
    total: 1024,
    share: 128,
    counted_by: "owner of the token, or service; address where neither is known",
    refusal: "`OVERLOADED`",
};
/// Bytes of requests that have arrived only in part.
pub const INCOMING_BYTES: Limit = Limit {
    name: "incoming-bytes",
    total: 256 * 1024 * 1024,
    share: 32 * 1024 * 1024,
    counted_by: "address",
    refusal: "`OVERLOADED`",
};
/// Bytes of responses that clients have not read yet. A response counts as at least 4 KiB.
pub const UNSENT_BYTES: Limit = Limit {
    name: "unsent-bytes",
    total: 256 * 1024 * 1024,
    share: 64 * 1024 * 1024,
    counted_by: "address",
    refusal: "the stream is reset (`ENHANCE_YOUR_CALM`)",
};
/// Bytes of responses that the client of one connection has not read yet.
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
    Limit { name: "open-streams", total: 4_000, share: 500, counted_by: "address", refusal: "`OVERLOADED`" };
/// Uses of tokens that wait to be written. A service's share is per 4 seconds.
pub const NOTED_USES: Limit = Limit {
    name: "noted-uses",
    total: 200_000,
    share: 20_000,
    counted_by: "service",
    refusal: "the use is dropped, and counted in `ndauth_uses_dropped_total`",
};
/// Devices that wait to be authorized. An address's share is per 10 minutes.
pub const WAITING_DEVICES: Limit = Limit {
    name: "waiting-devices",
    total: 1000,
    share: 100,
    counted_by: "address",
    refusal: "429, with `Retry-After`",
};
/// Password checks that run or wait.
pub const PASSWORD_CHECKS: Limit = Limit {
    name: "password-checks",
    total: 66,
    share: 16,
    counted_by: "address",
    refusal: "429, with `Retry-After`",
};

/// Judgements of all tokens that a policy concerns, for its preview or before it is set.
pub const POLICY_IMPACTS: Limit =
    Limit { name: "policy-impacts", total: 2, share: 1, counted_by: "org", refusal: "`OVERLOADED`" };

/// Every limit of this kind.
pub const LIMITS: [Limit; 13] = [
    CONNECTIONS,
    ADMIN_CONNECTIONS,
    CALLS,
    INCOMING_BYTES,
    UNSENT_BYTES,
    UNSENT_BYTES_OF_A_CONNECTION,
    MIRROR_WAITS,
    WATCHES,
    OPEN_STREAMS,
    NOTED_USES,
    WAITING_DEVICES,
    PASSWORD_CHECKS,
    POLICY_IMPACTS,
];

impl Limit {
    /// Counts a refusal in the metrics.
    pub fn count_refusal(&self) {
        metrics::counter!("ndauth_limit_reached_total", "limit" => self.name).increment(1);
    }

    /// Shows the used part in the metrics.
    pub fn show_taken(&self, taken: usize) {
        metrics::gauge!("ndauth_limit_taken", "limit" => self.name).set(as_gauge(taken));
    }

    /// Shows the total amount in the metrics.
    pub fn show_total(&self) {
        metrics::gauge!("ndauth_limit_size", "limit" => self.name).set(as_gauge(self.total));
    }
}

/// The amounts that callers have taken of a limit.
pub struct Shares<K> {
    limit: Limit,
    taken: Mutex<Amounts<K>>,
    gauge: Gauge,
    reached: Counter,
}

struct Amounts<K> {
    all: usize,
    by: HashMap<K, usize>,
}

/// An amount taken from a limit, which is returned when this is dropped.
pub struct Share<K: Hash + Eq> {
    shares: Arc<Shares<K>>,
    by: Option<K>,
    amount: usize,
}

/// The caller whose share of [`CALLS`] a call counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CountedAs {
    /// The owner of the token that it presents.
    Owner(Owner),
    /// The service that presents itself.
    Service(ServiceId),
    /// The network of a caller that presents no known secret.
    Network(IpAddr),
}

/// The limit, or this caller's share of it, is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the limit of `{0}` is reached, for this caller or for all")]
pub struct LimitReached(pub &'static str);

/// The network that a client is likely to have to itself: an IPv4 address or an IPv6 `/64`.
pub type ClientNetwork = Option<IpAddr>;

/// Returns the network of an address.
pub fn network(address: Option<IpAddr>) -> ClientNetwork {
    Some(match address?.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    })
}

impl<K: Clone + Hash + Eq> Shares<K> {
    /// Creates the shares of a limit, of which nothing is taken.
    pub fn new(limit: Limit) -> Arc<Shares<K>> {
        let taken = Mutex::new(Amounts { all: 0, by: HashMap::new() });
        limit.show_total();
        let gauge = metrics::gauge!("ndauth_limit_taken", "limit" => limit.name);
        let reached = metrics::counter!("ndauth_limit_reached_total", "limit" => limit.name);
        Arc::new(Shares { limit, taken, gauge, reached })
    }

    /// Takes an amount for one caller. Amounts taken for `None` count only towards the total, but none of
    /// them may be larger than a share.
    pub fn take(self: &Arc<Self>, by: Option<K>, amount: usize) -> Result<Share<K>, LimitReached> {
        let mut share = Share { shares: Arc::clone(self), by, amount: 0 };
        share.grow(amount)?;
        Ok(share)
    }

    /// Returns the total amount that is taken.
    pub fn taken(&self) -> usize {
        self.lock().all
    }

    fn lock(&self) -> MutexGuard<'_, Amounts<K>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Hash + Eq> Share<K> {
    /// Takes more for the same caller.
    pub fn grow(&mut self, more: usize) -> Result<(), LimitReached> {
        let Shares { limit, gauge, reached, .. } = &*self.shares;
        let mut taken = self.shares.lock();
        let own = self.by.as_ref().map_or(0, |by| taken.by.get(by).copied().unwrap_or_default());
        if taken.all + more > limit.total || own + more > limit.share {
            reached.increment(1);
            return Err(LimitReached(limit.name));
        }
        taken.all += more;
        if let Some(by) = &self.by {
            *taken.by.entry(by.clone()).or_default() += more;
        }
        self.amount += more;
        gauge.increment(as_gauge(more));
        Ok(())
    }
}

impl<K: Hash + Eq> Drop for Share<K> {
    fn drop(&mut self) {
        let mut taken = self.shares.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= self.amount;
        self.shares.gauge.decrement(as_gauge(self.amount));
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

#[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
fn as_gauge(amount: usize) -> f64 {
    amount as f64
}

impl<K> fmt::Debug for Shares<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shares").field(&self.limit.name).finish()
    }
}

impl<K: Hash + Eq> fmt::Debug for Share<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Share").field(&self.amount).finish()
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
    fn the_documented_limits_are_those_in_force() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md");
        let page = std::fs::read_to_string(page).expect("the page is there");
        let section = page.split("## What callers share").nth(1).expect("it has the section");
        let rows = section.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
        let documented: Vec<Vec<&str>> =
            rows.take_while(|line| line.starts_with('|')).map(|row| row.split(" | ").collect()).collect();
        assert_eq!(documented.len(), LIMITS.len(), "{documented:?}");
        let count = |count: usize| {
            let digits = count.to_string();
            let groups = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group));
            groups.collect::<Vec<_>>().join(",")
        };
        for (row, limit) in documented.iter().zip(LIMITS) {
            let name = format!("| `{}`", limit.name);
            let refusal = format!("{} |", limit.refusal);
            let expected =
                [&name, row[1], &count(limit.total), &count(limit.share), limit.counted_by, &refusal];
            assert_eq!(**row, expected);
        }
    }

    #[test]
    fn shares_are_at_most_a_quarter() {
        for limit in LIMITS {
            assert!(limit.share * 4 <= limit.total + 2, "{limit:?}");
        }
    }
}
