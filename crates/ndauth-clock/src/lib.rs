//! Moments of this machine, and the authority's time as it is told between two of its answers.
//!
//! Servers tell their database's time by it, and clients their server's.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use ndauth_core::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// A moment of this machine since it was started, in microseconds: a clock that nobody sets, and that
/// counts on while the machine sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SinceBoot(i64);

/// Tells somebody else's time between two questions for it, without asking: late by no more than an answer takes.
///
/// What it tells never runs backwards: where the other clock is set back, it stands until that has caught up.
#[derive(Debug)]
pub struct RemoteClock {
    /// How much later the other clock is than the machine's; [`UNSET`] before that is known.
    offset: AtomicI64,
    /// What was told already by a larger offset.
    floor: AtomicI64,
}

/// No clock is off by as much.
const UNSET: i64 = i64::MIN;

impl SinceBoot {
    /// This moment.
    pub fn now() -> SinceBoot {
        #[cfg(target_os = "linux")]
        let clock = ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let clock = ClockId::Monotonic;
        let now = clock_gettime(clock);
        SinceBoot(now.tv_sec * 1_000_000 + now.tv_nsec / 1000)
    }

    /// Before every other.
    pub const NEVER: SinceBoot = SinceBoot(i64::MIN);

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: SinceBoot) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// So long before this.
    #[must_use]
    pub fn before(self, earlier: Duration) -> SinceBoot {
        SinceBoot(self.0.saturating_sub(i64::try_from(earlier.as_micros()).unwrap_or(i64::MAX)))
    }

    /// So long after this.
    #[must_use]
    pub fn after(self, later: Duration) -> SinceBoot {
        SinceBoot(self.0.saturating_add(i64::try_from(later.as_micros()).unwrap_or(i64::MAX)))
    }

    /// As a number that one atomic cell holds.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// The moment that [`SinceBoot::micros`] told.
    pub fn from_micros(micros: i64) -> SinceBoot {
        SinceBoot(micros)
    }
}

impl RemoteClock {
    /// A watch that has not been set yet.
    pub const fn new() -> RemoteClock {
        RemoteClock { offset: AtomicI64::new(UNSET), floor: AtomicI64::new(0) }
    }

    /// Sets it by what was told in an answer that has just come, to a question asked at a moment.
    pub fn set(&self, told: Timestamp, asked: SinceBoot) {
        self.adjust(told.micros(), asked.0, SinceBoot::now().0);
    }

    /// When the other looked at its clock is not known: it was after the question and before the answer. So the
    /// watch goes on as it does where that can be true. Where it cannot, it is set as late as can be: it is fast by at
    /// most as long as the answer took, and what has expired does not live.
    fn adjust(&self, told: i64, asked: i64, answered: i64) {
        let (least, most) = (told - answered.max(asked), told - asked);
        let before = self.offset.load(Ordering::Acquire);
        let offset = if (least..=most).contains(&before) { before } else { most };
        if before != UNSET && offset < before {
            self.floor.fetch_max(answered.saturating_add(before), Ordering::AcqRel);
        }
        self.offset.store(offset, Ordering::Release);
    }

    /// The other's time at a moment.
    pub fn at(&self, moment: SinceBoot) -> Timestamp {
        let told = moment.0.saturating_add(self.offset.load(Ordering::Acquire));
        let micros = told.max(self.floor.load(Ordering::Acquire));
        Timestamp::from_micros(micros.max(0)).unwrap_or(Timestamp::MAX)
    }
}

impl Default for RemoteClock {
    fn default() -> RemoteClock {
        RemoteClock::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;

    /// Asked at a moment of a machine, what would a watch tell at another?
    fn tells(answers: &[(i64, i64, i64)], moment: i64) -> i64 {
        let watch = RemoteClock::new();
        for (told, asked, answered) in answers {
            watch.adjust(*told, *asked, *answered);
        }
        watch.at(SinceBoot(moment)).micros()
    }

    #[test]
    fn it_goes_by_the_database_and_not_by_the_machine() {
        let at = 1_000_000_000;
        for skew in [0, 10 * MINUTE, -10 * MINUTE] {
            let there = at + skew;
            assert_eq!(tells(&[(there, at, at)], at + 500), there + 500, "{skew}");
        }
    }

    #[test]
    fn a_slow_answer_makes_it_neither_slow_nor_fast() {
        let at = 1_000_000_000;
        // The database looked at its clock in the very moment of the question, or of the answer.
        let quick = (at, at, at + 100);
        for slow in [(at + 1000, at + 1000, at + 801_000), (at + 801_000, at + 1000, at + 801_000)] {
            assert_eq!(tells(&[quick, slow], at + 900_000), at + 900_000, "{slow:?}");
        }
        // Where the first was slow, the next that is quick puts it right.
        assert_eq!(tells(&[(at + 800, at, at + 800)], at + 900), at + 1700);
        assert_eq!(
            tells(&[(at + 800, at, at + 800), (at + 5000, at + 5000, at + 5001)], at + 6000),
            at + 6000
        );
    }

    #[test]
    fn it_jumps_ahead_with_the_database_and_never_back() {
        let at = 10_000_000_000;
        let first = (at, at, at + 100);
        let ahead = (at + 10 * MINUTE, at + 1000, at + 1100);
        assert_eq!(tells(&[first, ahead], at + 1000), at + 10 * MINUTE);
        // Set back, it stands until the database has caught up.
        let back = (at - 10 * MINUTE, at + 1000, at + 1100);
        assert_eq!(tells(&[first, back], at + 1100), at + 1100);
        assert_eq!(tells(&[first, back], at + 1000 + 9 * MINUTE), at + 1100);
        assert_eq!(tells(&[first, back], at + 1000 + 11 * MINUTE), at + MINUTE);
    }
}
