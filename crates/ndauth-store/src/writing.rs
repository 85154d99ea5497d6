//! The health of writes: for how long they have failed, and why.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::StoreError;

/// The result of the last changes of this process.
#[derive(Debug, Default)]
pub(crate) struct Writing(Mutex<Option<Failing>>);

#[derive(Debug)]
struct Failing {
    since: Instant,
    why: String,
}

impl Writing {
    /// Records the result of a change.
    pub(crate) fn note<T>(&self, done: &Result<T, StoreError>) {
        let mut failing = self.failing();
        match done {
            Ok(_) => *failing = None,
            // A conflict or a corrupt row does not count: writes get through.
            Err(StoreError::Corrupt { .. }) => {}
            Err(error) if error.is_conflict() => {}
            Err(error) => {
                let since = failing.as_ref().map_or_else(Instant::now, |failing| failing.since);
                *failing = Some(Failing { since, why: error.bottom() });
            }
        }
    }

    /// Returns for how long changes have failed, and why the last one did.
    pub(crate) fn fail(&self) -> Option<(Duration, String)> {
        self.failing().as_ref().map(|failing| (failing.since.elapsed(), failing.why.clone()))
    }

    fn failing(&self) -> MutexGuard<'_, Option<Failing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
