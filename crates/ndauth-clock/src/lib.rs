//! A monotonic clock of this machine, and remote time: the authority's time, kept between two of its
//! responses.
//!
//! Servers keep their database's time with it, and clients their server's.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use ndauth_core::Timestamp;
use rustix::time::{ClockId, clock_gettime};

/// A moment since this machine was started, in microseconds. Nobody sets this clock, and it counts while the
/// machine sleeps (on Linux).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SinceBoot(i64);

/// A local estimate of a remote clock, which needs no request to be read. It is off by no more than the last
/// round trip took.
///
/// It never runs backwards: if the remote clock is set back, it stands still until the remote clock has
/// caught up.
#[derive(Debug)]
pub struct RemoteClock {
    /// The remote clock minus the machine's clock; [`UNSET`] until it is known.
    offset: AtomicI64,
    /// The latest time that a greater, former offset gave, and below which this clock never reads.
    floor: AtomicI64,
}

/// An offset that no clock has.
const UNSET: i64 = i64::MIN;

impl SinceBoot {
    /// Returns the present moment.
    pub fn now() -> SinceBoot {
        #[cfg(target_os = "linux")]
        let clock = ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let clock = ClockId::Monotonic;
        let now = clock_gettime(clock);
        SinceBoot(now.tv_sec * 1_000_000 + now.tv_nsec / 1000)
    }

    /// A moment before any other.
    pub const NEVER: SinceBoot = SinceBoot(i64::MIN);

    /// Returns the time since `earlier`, or zero if this moment is not after it.
    pub fn since(self, earlier: SinceBoot) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Returns the moment this long before.
    #[must_use]
    pub fn before(self, earlier: Duration) -> SinceBoot {
        SinceBoot(self.0.saturating_sub(i64::try_from(earlier.as_micros()).unwrap_or(i64::MAX)))
    }

    /// Returns the moment this long after.
    #[must_use]
    pub fn after(self, later: Duration) -> SinceBoot {
        SinceBoot(self.0.saturating_add(i64::try_from(later.as_micros()).unwrap_or(i64::MAX)))
    }

    /// Returns it as a number that fits in one atomic cell.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// Returns the moment that [`SinceBoot::micros`] gave.
    pub fn from_micros(micros: i64) -> SinceBoot {
        SinceBoot(micros)
    }
}

impl RemoteClock {
    /// Returns a clock that has not been set yet.
    pub const fn new() -> RemoteClock {
        RemoteClock { offset: AtomicI64::new(UNSET), floor: AtomicI64::new(0) }
    }

    /// Sets the clock from a response that has just arrived: the remote time that it states, and the moment
    /// at which the request was sent.
    pub fn set(&self, remote: Timestamp, asked: SinceBoot) {
        self.adjust(remote.micros(), asked.0, SinceBoot::now().0);
    }

    /// Sets the clock from a remote time, and the moments of the request and the response.
    ///
    /// The remote clock was read at an unknown moment between the request and the response. If the present
    /// offset is possible, it stays. Otherwise the greatest possible offset is taken: the clock is then fast
    /// by at most one round trip, and nothing that has expired counts as live.
    fn adjust(&self, remote: i64, asked: i64, answered: i64) {
        let (least, most) = (remote - answered.max(asked), remote - asked);
        let before = self.offset.load(Ordering::Acquire);
        let offset = if (least..=most).contains(&before) { before } else { most };
        if before != UNSET && offset < before {
            self.floor.fetch_max(answered.saturating_add(before), Ordering::AcqRel);
        }
        self.offset.store(offset, Ordering::Release);
    }

    /// Returns the remote time at a moment.
    pub fn at(&self, moment: SinceBoot) -> Timestamp {
        let remote = moment.0.saturating_add(self.offset.load(Ordering::Acquire));
        let micros = remote.max(self.floor.load(Ordering::Acquire));
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

    /// Returns the time that a clock shows at a moment, after it was set from these responses (remote time,
    /// request, response).
    fn shown(answers: &[(i64, i64, i64)], moment: i64) -> i64 {
        let watch = RemoteClock::new();
        for (remote, asked, answered) in answers {
            watch.adjust(*remote, *asked, *answered);
        }
        watch.at(SinceBoot(moment)).micros()
    }

    #[test]
    fn the_remote_clock_follows_the_database() {
        let at = 1_000_000_000;
        for skew in [0, 10 * MINUTE, -10 * MINUTE] {
            let there = at + skew;
            assert_eq!(shown(&[(there, at, at)], at + 500), there + 500, "{skew}");
        }
    }

    #[test]
    fn a_slow_answer_makes_it_neither_slow_nor_fast() {
        let at = 1_000_000_000;
        // The database read its clock at the very moment of the request, or of the response.
        let quick = (at, at, at + 100);
        for slow in [(at + 1000, at + 1000, at + 801_000), (at + 801_000, at + 1000, at + 801_000)] {
            assert_eq!(shown(&[quick, slow], at + 900_000), at + 900_000, "{slow:?}");
        }
        // If the first response was slow, the next quick one corrects the clock.
        assert_eq!(shown(&[(at + 800, at, at + 800)], at + 900), at + 1700);
        assert_eq!(
            shown(&[(at + 800, at, at + 800), (at + 5000, at + 5000, at + 5001)], at + 6000),
            at + 6000
        );
    }

    #[test]
    fn the_remote_clock_jumps_ahead_and_never_back() {
        let at = 10_000_000_000;
        let first = (at, at, at + 100);
        let ahead = (at + 10 * MINUTE, at + 1000, at + 1100);
        assert_eq!(shown(&[first, ahead], at + 1000), at + 10 * MINUTE);
        // If the database's clock is set back, this clock stands still until it has caught up.
        let back = (at - 10 * MINUTE, at + 1000, at + 1100);
        assert_eq!(shown(&[first, back], at + 1100), at + 1100);
        assert_eq!(shown(&[first, back], at + 1000 + 9 * MINUTE), at + 1100);
        assert_eq!(shown(&[first, back], at + 1000 + 11 * MINUTE), at + MINUTE);
    }
}
