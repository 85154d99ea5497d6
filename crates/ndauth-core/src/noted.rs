//! Counts of uses, so cheap that every use is counted: one addition each, and one report in a while.

use std::borrow::Borrow;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use crate::{LastUse, OrgId, Scope, Timestamp};

/// The time for which uses are counted before they are reported. A report takes a few seconds until it is written down, and what is
/// shown of uses is right within a minute.
pub const COUNTED_FOR: Duration = Duration::from_secs(30);
/// The shortest time for which uses are counted to one place: those from others in between are counted to it too.
const SHORTEST: Duration = Duration::from_secs(1);

/// The uses of a secret, by place: from which address, in which org, and by which client.
#[derive(Debug)]
pub struct RecordedUses<C>(ArcSwapOption<UseTally<C>>);

/// The uses of a secret at one place that were not reported yet.
#[derive(Debug)]
pub struct UseTally<C> {
    /// The address, where it is known.
    pub address: Option<IpAddr>,
    /// The org, where one was asked about.
    pub org: Option<OrgId>,
    /// The client, where it says which it is.
    pub client: Option<C>,
    begun: Timestamp,
    latest: AtomicI64,
    /// Reads in the upper half, writes in the lower.
    counts: AtomicU64,
}

/// The next step for a use that was counted.
#[derive(Debug)]
pub enum Noting<C> {
    /// Report this one use: it is the first at its place.
    Now,
    /// Report the tally's uses after [`COUNTED_FOR`]: this is the first of them.
    Later(Arc<UseTally<C>>),
    /// Nothing: its tally will be reported.
    Counted,
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

impl<C> Default for RecordedUses<C> {
    fn default() -> RecordedUses<C> {
        RecordedUses(ArcSwapOption::empty())
    }
}

impl<C> RecordedUses<C> {
    /// Counts a use.
    pub fn count<B>(&self, access: Scope, last: LastUse, org: Option<OrgId>, client: Option<&B>) -> Noting<C>
    where
        B: ?Sized + PartialEq + ToOwned<Owned = C>,
        C: Borrow<B>,
    {
        let LastUse { at, address } = last;
        if let Some(tally) = &*self.0.load() {
            let here = tally.address == address
                && tally.org == org
                && tally.client.as_ref().map(C::borrow) == client;
            if here || at.since(tally.begun) < SHORTEST {
                let is_first = tally.add(access, at);
                return if is_first { Noting::Later(Arc::clone(tally)) } else { Noting::Counted };
            }
        }
        let client = client.map(ToOwned::to_owned);
        let (latest, counts) = (AtomicI64::new(at.micros()), AtomicU64::new(0));
        self.0.store(Some(Arc::new(UseTally { address, org, client, begun: at, latest, counts })));
        Noting::Now
    }
}

impl<C> UseTally<C> {
    /// Adds a use, and says whether it is the first that is not reported.
    fn add(&self, access: Scope, at: Timestamp) -> bool {
        let one = match access {
            Scope::Ro => 1 << 32,
            Scope::Rw => 1,
        };
        self.latest.fetch_max(at.micros(), Ordering::Relaxed);
        self.counts.fetch_add(one, Ordering::Relaxed) == 0
    }

    /// Returns the uses that are not reported yet.
    pub fn counts(&self) -> Counts {
        Counts::unpacked(self.counts.load(Ordering::Relaxed))
    }

    /// Takes the uses that are not reported yet: whoever takes them reports them.
    pub fn take(&self) -> Counts {
        Counts::unpacked(self.counts.swap(0, Ordering::Relaxed))
    }

    /// Returns the instant of the last use, and the address.
    pub fn last(&self) -> LastUse {
        let latest = Timestamp::from_micros(self.latest.load(Ordering::Relaxed));
        LastUse { at: latest.unwrap_or(self.begun), address: self.address }
    }
}

impl Counts {
    fn unpacked(counts: u64) -> Counts {
        Counts { reads: counts >> 32, writes: counts & u64::from(u32::MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_micros(millis * 1000).expect("an instant")
    }

    fn used(noted: &RecordedUses<String>, millis: i64, address: &str, client: &str) -> Noting<String> {
        let last = LastUse { at: at(millis), address: Some(address.parse().expect("an address")) };
        noted.count(Scope::Rw, last, None, Some(client))
    }

    /// The uses of each place, as whoever reports them adds them up.
    fn reported(uses: &[(i64, &str, &str)]) -> Vec<(String, u64, i64)> {
        let noted = RecordedUses::default();
        let (mut reports, mut tallies) = (Vec::new(), Vec::new());
        for &(millis, address, client) in uses {
            match used(&noted, millis, address, client) {
                Noting::Now => reports.push((address.to_owned(), 1, millis)),
                Noting::Later(tally) => tallies.push(tally),
                Noting::Counted => {}
            }
        }
        for tally in tallies {
            let (address, last) = (tally.address.expect("known").to_string(), tally.last().at);
            reports.push((address, tally.take().writes, last.micros() / 1000));
        }
        reports
    }

    #[test]
    fn every_use_is_counted_once() {
        let hundred: Vec<_> = (0..100).map(|n| (n * 10, "192.0.2.1", "ci")).collect();
        let here = "192.0.2.1".to_owned();
        assert_eq!(reported(&hundred), [(here.clone(), 1, 0), (here, 99, 990)]);
    }

    #[test]
    fn uses_are_counted_to_their_place() {
        let uses = [
            (0, "192.0.2.1", "ci"),
            (1000, "192.0.2.1", "ci"),
            (2000, "192.0.2.2", "ci"),
            (3000, "192.0.2.2", "ci"),
            (3500, "192.0.2.2", "other"),
            (4500, "192.0.2.2", "ci"),
        ];
        let (first, second) = ("192.0.2.1".to_owned(), "192.0.2.2".to_owned());
        assert_eq!(
            reported(&uses),
            [
                (first.clone(), 1, 0),
                (second.clone(), 1, 2000),
                (second.clone(), 1, 3500),
                (second.clone(), 1, 4500),
                (first, 1, 1000),
                (second, 1, 3000),
            ]
        );
    }

    #[test]
    fn no_more_than_one_place_a_second_is_kept_apart() {
        let uses: Vec<_> =
            (0..1000).map(|n| (n * 2, ["192.0.2.1", "192.0.2.2"][n as usize % 2], "ci")).collect();
        let reports = reported(&uses);
        assert!(reports.len() <= 6, "{reports:?}");
        assert_eq!(reports.iter().map(|(_, count, _)| count).sum::<u64>(), 1000);
    }

    #[test]
    fn what_was_taken_is_counted_anew() {
        let noted = RecordedUses::default();
        assert!(matches!(used(&noted, 0, "192.0.2.1", "ci"), Noting::Now));
        let Noting::Later(tally) = used(&noted, 1, "192.0.2.1", "ci") else { panic!("the first of some") };
        assert!(matches!(used(&noted, 2, "192.0.2.1", "ci"), Noting::Counted));
        assert_eq!((tally.counts().writes, tally.take().writes, tally.take().writes), (2, 2, 0));
        assert!(matches!(used(&noted, 3, "192.0.2.1", "ci"), Noting::Later(_)));
    }
}
