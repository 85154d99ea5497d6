//! The rhythm of background work.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// An interval for background work, which ends when the server stops.
pub(crate) struct Ticks {
    interval: Interval,
    stopped: watch::Receiver<bool>,
}

impl Ticks {
    pub(crate) fn every(period: Duration, stopped: watch::Receiver<bool>) -> Ticks {
        let mut interval = interval(period);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ticks { interval, stopped }
    }

    /// Waits for the next tick. Returns false once the server stops.
    pub(crate) async fn next(&mut self) -> bool {
        tokio::select! {
            _ = self.stopped.wait_for(|stopped| *stopped) => false,
            _ = self.interval.tick() => true,
        }
    }
}
