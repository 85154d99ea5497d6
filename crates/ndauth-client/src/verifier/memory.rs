//! The changes received from the log: they decide whether a cache entry is still valid, and how fresh it is.
//!
//! An entry is as of an event of one instance, and was checked against all changes received up to some
//! *turn*. Each use checks it against the changes received since. An entry is invalid if one of them concerns
//! it, or if more changes have been received since than are remembered. No change looks for the entries that
//! it concerns, so there is nothing to race.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use ndauth_clock::SinceBoot;
use ndauth_core::{Concern, Head, Inputs};

/// The changes that were received.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Every event up to this instant was received, in microseconds since boot.
    confirmed: AtomicI64,
    /// The longest delay of a change, in microseconds.
    bound: AtomicI64,
    /// The number of changes received.
    turn: AtomicU64,
    received: RwLock<ReceivedChanges>,
}

#[derive(Debug, Default)]
struct ReceivedChanges {
    /// The last changes. Each invalidates the entries that it touches, if they are as of an event in this
    /// range.
    changes: VecDeque<(Range<u64>, Concern)>,
    /// The number of changes that were dropped before them.
    forgotten: u64,
    /// The head of the log, as the watched instance last reported it.
    head: Option<Head>,
    instance: Option<u64>,
}

/// The event of an instance that an entry takes into account, and the turn up to which it was checked.
#[derive(Debug)]
pub(crate) struct Stamp {
    sequence: u64,
    /// The entry may be used until then without a fresh confirmation: the server said so.
    until: SinceBoot,
    checked: AtomicU64,
}

/// The usability of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Validity {
    /// The entry may be used.
    Good,
    /// Unknown: no confirmation was received for too long.
    Unproven,
    /// The entry is invalid for good.
    Nothing,
}

/// A request in flight: the changes received before it was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    turn: u64,
    /// The response must take this event into account.
    pub(crate) at_least: u64,
}

/// The number of changes that are remembered.
const REMEMBERED: usize = 4096;
/// The longest delay of a change, until the server states its own.
const BOUND: Duration = Duration::from_secs(2);

impl Memory {
    pub(crate) fn new() -> Memory {
        Memory {
            confirmed: AtomicI64::new(SinceBoot::NEVER.micros()),
            bound: AtomicI64::new(micros(BOUND)),
            turn: AtomicU64::new(0),
            received: RwLock::default(),
        }
    }

    /// Returns the longest delay of a change.
    pub(crate) fn bound(&self) -> Duration {
        Duration::from_micros(self.bound.load(Ordering::Relaxed).unsigned_abs())
    }

    /// Returns the instant up to which every event was received.
    pub(crate) fn confirmed(&self) -> Option<SinceBoot> {
        let confirmed = SinceBoot::from_micros(self.confirmed.load(Ordering::Acquire));
        (confirmed != SinceBoot::NEVER).then_some(confirmed)
    }

    /// Returns true if the last confirmation is no older than the bound.
    pub(crate) fn is_fresh(&self, now: SinceBoot) -> bool {
        let confirmed = self.confirmed.load(Ordering::Acquire);
        now.micros().saturating_sub(confirmed) <= self.bound.load(Ordering::Relaxed)
    }

    /// Returns the head of the log as last confirmed. The next stream resumes from there.
    pub(crate) fn head(&self) -> Option<Head> {
        self.read().head
    }

    /// Invalidates every entry, and forgets the confirmation: the server that sent the reset may be behind
    /// the one that confirmed.
    pub(crate) fn reset(&self) {
        let mut received = self.write();
        received.head = None;
        self.confirmed.store(SinceBoot::NEVER.micros(), Ordering::Release);
        received.push(0..u64::MAX, Concern::Everything);
        self.turned(&received);
    }

    /// Records changes, in order, each with the sequence of its event.
    pub(crate) fn record(&self, changes: impl IntoIterator<Item = (u64, Concern)>) {
        let mut received = self.write();
        for (sequence, concern) in changes {
            received.push(0..sequence, concern);
        }
        self.turned(&received);
    }

    /// Records that an instance has sent every change up to an event, and the instant as of which there were
    /// no others.
    pub(crate) fn confirm(&self, instance: u64, head: Head, as_of: Option<SinceBoot>, bound: Duration) {
        {
            let mut received = self.write();
            if let (Some(before), Some(last)) = (received.instance, received.head)
                && before != instance
            {
                // The other instance may know different events after this one.
                received.push(last.sequence.saturating_add(1)..u64::MAX, Concern::Everything);
                self.turned(&received);
            }
            (received.instance, received.head) = (Some(instance), Some(head));
        }
        self.bound.store(micros(bound), Ordering::Relaxed);
        if let Some(as_of) = as_of {
            self.confirmed.fetch_max(as_of.micros(), Ordering::AcqRel);
        }
    }

    /// Records the state before a request. The caller calls this before it sends one.
    pub(crate) fn ask(&self) -> Asked {
        let received = self.read();
        Asked { turn: received.turn(), at_least: received.head.map_or(0, |head| head.sequence) }
    }

    /// Returns the stamp of a response that an instance gave as of an event. Returns `None` if the response
    /// must not be cached: it came from another instance than the one that is watched.
    pub(crate) fn stamp(
        &self,
        asked: Asked,
        instance: u64,
        sequence: u64,
        until: SinceBoot,
    ) -> Option<Stamp> {
        let received = self.read();
        let kept = received.instance == Some(instance) && received.head.is_some();
        kept.then(|| Stamp { sequence, until, checked: AtomicU64::new(asked.turn) })
    }

    /// Decides whether an entry may be used.
    pub(crate) fn judge(&self, stamp: &Stamp, inputs: &Inputs, now: SinceBoot) -> Validity {
        // In this order: every event up to the confirmation has been recorded by then.
        let fresh = self.is_fresh(now) || now < stamp.until;
        let checked = stamp.checked.load(Ordering::Acquire);
        if checked != self.turn.load(Ordering::Acquire) {
            let received = self.read();
            let Some(known) =
                checked.checked_sub(received.forgotten).and_then(|known| usize::try_from(known).ok())
            else {
                return Validity::Nothing;
            };
            let touches = |(as_of, concern): &(Range<u64>, Concern)| {
                as_of.contains(&stamp.sequence) && concern.touches(inputs)
            };
            if received.changes.range(known.min(received.changes.len())..).any(touches) {
                return Validity::Nothing;
            }
            stamp.checked.fetch_max(received.turn(), Ordering::AcqRel);
        }
        if fresh { Validity::Good } else { Validity::Unproven }
    }

    fn turned(&self, received: &ReceivedChanges) {
        self.turn.store(received.turn(), Ordering::Release);
    }

    fn read(&self) -> RwLockReadGuard<'_, ReceivedChanges> {
        self.received.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, ReceivedChanges> {
        self.received.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReceivedChanges {
    fn turn(&self) -> u64 {
        self.forgotten + self.changes.len() as u64
    }

    fn push(&mut self, as_of: Range<u64>, concern: Concern) {
        if self.changes.len() == REMEMBERED {
            self.changes.pop_front();
            self.forgotten += 1;
        }
        self.changes.push_back((as_of, concern));
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
