//! What was heard of the log, and what is kept by it: whether an entry still tells the truth, and how fresh that is.
//!
//! An entry is as of an event of one instance, and was checked against all that was heard up to some *turn*. Whoever
//! uses it looks at what was heard since; an entry that something of it concerns is worth nothing, and so is one that
//! was checked longer ago than is remembered. Nothing is ever looked for among the entries, so there is nothing to race.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use ndauth_clock::SinceBoot;
use ndauth_core::{Concern, Head, Inputs};

/// What was heard.
#[derive(Debug)]
pub(crate) struct Memory {
    /// All that had happened then was heard.
    confirmed: AtomicI64,
    /// How late any change may be, in microseconds.
    bound: AtomicI64,
    /// How many changes were heard.
    turn: AtomicU64,
    heard: RwLock<Heard>,
}

#[derive(Debug, Default)]
struct Heard {
    /// The last changes: each makes the entries worthless that it touches, if they are as of an event of this range.
    changes: VecDeque<(Range<u64>, Concern)>,
    /// How many there were before them.
    forgotten: u64,
    /// Where the log was, as the instance told that is watched.
    head: Option<Head>,
    instance: Option<u64>,
}

/// Which event of which instance an entry takes into account, and until when it was checked.
#[derive(Debug)]
pub(crate) struct Stamp {
    sequence: u64,
    /// It may be used until then, whatever is heard: the server said so.
    until: SinceBoot,
    checked: AtomicU64,
}

/// Whether an entry may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// It may.
    Good,
    /// Nobody knows: nothing was heard for too long.
    Unproven,
    /// It may not, ever again.
    Nothing,
}

/// A question on its way: what was heard before it was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    turn: u64,
    /// The answer is to take this event into account.
    pub(crate) at_least: u64,
}

/// How many changes are remembered.
const REMEMBERED: usize = 4096;
/// How late any change may be, until the server says so.
const BOUND: Duration = Duration::from_secs(2);

impl Memory {
    pub(crate) fn new() -> Memory {
        Memory {
            confirmed: AtomicI64::new(SinceBoot::NEVER.micros()),
            bound: AtomicI64::new(micros(BOUND)),
            turn: AtomicU64::new(0),
            heard: RwLock::default(),
        }
    }

    /// How late any change may be.
    pub(crate) fn bound(&self) -> Duration {
        Duration::from_micros(self.bound.load(Ordering::Relaxed).unsigned_abs())
    }

    /// When all that had happened was heard.
    pub(crate) fn confirmed(&self) -> Option<SinceBoot> {
        let confirmed = SinceBoot::from_micros(self.confirmed.load(Ordering::Acquire));
        (confirmed != SinceBoot::NEVER).then_some(confirmed)
    }

    /// Whether what was heard is no older than the bound.
    pub(crate) fn is_fresh(&self, now: SinceBoot) -> bool {
        let confirmed = self.confirmed.load(Ordering::Acquire);
        now.micros().saturating_sub(confirmed) <= self.bound.load(Ordering::Relaxed)
    }

    /// The last event that is known to be heard of: from there it goes on with another stream.
    pub(crate) fn head(&self) -> Option<Head> {
        self.read().head
    }

    /// Forgets everything: what is kept is worth nothing, and of what is kept from now on it is not known how fresh it
    /// is. Whoever told so may be behind another, by whom it was known.
    pub(crate) fn reset(&self) {
        let mut heard = self.write();
        heard.head = None;
        self.confirmed.store(SinceBoot::NEVER.micros(), Ordering::Release);
        heard.push(0..u64::MAX, Concern::Everything);
        self.turned(&heard);
    }

    /// Hears of changes, in order, each with its event.
    pub(crate) fn hear(&self, changes: impl IntoIterator<Item = (u64, Concern)>) {
        let mut heard = self.write();
        for (sequence, concern) in changes {
            heard.push(0..sequence, concern);
        }
        self.turned(&heard);
    }

    /// Hears that an instance told everything up to an event, and when that was all there was.
    pub(crate) fn confirm(&self, instance: u64, head: Head, as_of: Option<SinceBoot>, bound: Duration) {
        {
            let mut heard = self.write();
            if let (Some(before), Some(last)) = (heard.instance, heard.head)
                && before != instance
            {
                // Another instance may know other events beyond this one.
                heard.push(last.sequence.saturating_add(1)..u64::MAX, Concern::Everything);
                self.turned(&heard);
            }
            (heard.instance, heard.head) = (Some(instance), Some(head));
        }
        self.bound.store(micros(bound), Ordering::Relaxed);
        if let Some(as_of) = as_of {
            self.confirmed.fetch_max(as_of.micros(), Ordering::AcqRel);
        }
    }

    /// To be called before a question is sent.
    pub(crate) fn ask(&self) -> Asked {
        let heard = self.read();
        Asked { turn: heard.turn(), at_least: heard.head.map_or(0, |head| head.sequence) }
    }

    /// The stamp of an answer that an instance gave as of an event. `None` where it is not to be kept: it is another
    /// instance than the one that is watched.
    pub(crate) fn stamp(
        &self,
        asked: Asked,
        instance: u64,
        sequence: u64,
        until: SinceBoot,
    ) -> Option<Stamp> {
        let heard = self.read();
        let kept = heard.instance == Some(instance) && heard.head.is_some();
        kept.then(|| Stamp { sequence, until, checked: AtomicU64::new(asked.turn) })
    }

    /// Whether what was kept may be used.
    pub(crate) fn judge(&self, stamp: &Stamp, inputs: &Inputs, now: SinceBoot) -> Worth {
        // In this order: what had happened when it was confirmed was heard.
        let fresh = self.is_fresh(now) || now < stamp.until;
        let checked = stamp.checked.load(Ordering::Acquire);
        if checked != self.turn.load(Ordering::Acquire) {
            let heard = self.read();
            let Some(known) =
                checked.checked_sub(heard.forgotten).and_then(|known| usize::try_from(known).ok())
            else {
                return Worth::Nothing;
            };
            let touches = |(as_of, concern): &(Range<u64>, Concern)| {
                as_of.contains(&stamp.sequence) && concern.touches(inputs)
            };
            if heard.changes.range(known.min(heard.changes.len())..).any(touches) {
                return Worth::Nothing;
            }
            stamp.checked.fetch_max(heard.turn(), Ordering::AcqRel);
        }
        if fresh { Worth::Good } else { Worth::Unproven }
    }

    fn turned(&self, heard: &Heard) {
        self.turn.store(heard.turn(), Ordering::Release);
    }

    fn read(&self) -> RwLockReadGuard<'_, Heard> {
        self.heard.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Heard> {
        self.heard.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heard {
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
