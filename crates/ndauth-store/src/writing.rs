//! Whether changes get through: since when they do not, and why.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::StoreError;

/// What became of the last changes of this process.
#[derive(Debug, Default)]
pub(crate) struct Writing(Mutex<Option<Failing>>);

#[derive(Debug)]
struct Failing {
    since: Instant,
    why: String,
}

impl Writing {
    /// Takes note of what became of a change.
    pub(crate) fn note<T>(&self, done: &Result<T, StoreError>) {
        let mut failing = self.failing();
        match done {
            Ok(_) => *failing = None,
            // Somebody else's change came between, or the row made no sense: changes get through.
            Err(StoreError::Corrupt { .. }) => {}
            Err(error) if error.is_conflict() => {}
            Err(error) => {
                let since = failing.as_ref().map_or_else(Instant::now, |failing| failing.since);
                *failing = Some(Failing { since, why: error.bottom() });
            }
        }
    }

    /// Since when changes do not get through, and why the last did not.
    pub(crate) fn fail(&self) -> Option<(Duration, String)> {
        self.failing().as_ref().map(|failing| (failing.since.elapsed(), failing.why.clone()))
    }

    fn failing(&self) -> MutexGuard<'_, Option<Failing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
