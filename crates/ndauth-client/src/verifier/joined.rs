//! Concurrent requests about one secret: the later ones wait for the first one's response.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ndauth_core::{Problem, SecretHash};
use tokio::sync::watch;

/// The secrets that a server is being asked about.
#[derive(Default)]
pub(super) struct Joined(Mutex<HashMap<SecretHash, watch::Receiver<Option<Problem>>>>);

/// The turn of a request: to ask, or to wait.
pub(super) enum Turn<'a> {
    /// The first request: its caller asks the server.
    Ask(Asking<'a>),
    /// A later request: it waits until the first one is done, and receives its problem if it failed.
    Wait(watch::Receiver<Option<Problem>>),
}

/// The guard of the first request. Dropping it wakes the waiting requests, whatever the outcome.
pub(super) struct Asking<'a> {
    joined: &'a Joined,
    hash: SecretHash,
    sender: watch::Sender<Option<Problem>>,
}

impl Joined {
    pub(super) fn join(&self, hash: SecretHash) -> Turn<'_> {
        let mut asked = self.lock();
        if let Some(waiting) = asked.get(&hash) {
            return Turn::Wait(waiting.clone());
        }
        let (sender, waiting) = watch::channel(None);
        asked.insert(hash, waiting);
        Turn::Ask(Asking { joined: self, hash, sender })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SecretHash, watch::Receiver<Option<Problem>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asking<'_> {
    /// Reports a failure to the waiting requests.
    pub(super) fn failed(&self, problem: &Problem) {
        self.sender.send_replace(Some(problem.clone()));
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.joined.lock().remove(&self.hash);
    }
}
