//! Questions about one secret that come while it is asked about: they wait for that answer.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ndauth_core::{Problem, SecretHash};
use tokio::sync::watch;

/// What is being asked about.
#[derive(Default)]
pub(super) struct Joined(Mutex<HashMap<SecretHash, watch::Receiver<Option<Problem>>>>);

/// Whether somebody asks already.
pub(super) enum Turn<'a> {
    /// Nobody: whoever holds this does.
    Ask(Asking<'a>),
    /// Somebody does: this tells when there is an answer, and what went wrong if there is none.
    Wait(watch::Receiver<Option<Problem>>),
}

/// That somebody asks. Dropped, it lets those go on who waited, whatever came of it.
pub(super) struct Asking<'a> {
    joined: &'a Joined,
    hash: SecretHash,
    tell: watch::Sender<Option<Problem>>,
}

impl Joined {
    pub(super) fn join(&self, hash: SecretHash) -> Turn<'_> {
        let mut asked = self.lock();
        if let Some(waiting) = asked.get(&hash) {
            return Turn::Wait(waiting.clone());
        }
        let (tell, waiting) = watch::channel(None);
        asked.insert(hash, waiting);
        Turn::Ask(Asking { joined: self, hash, tell })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SecretHash, watch::Receiver<Option<Problem>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asking<'_> {
    /// Tells those who wait that there is no answer.
    pub(super) fn failed(&self, problem: &Problem) {
        self.tell.send_replace(Some(problem.clone()));
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.joined.lock().remove(&self.hash);
    }
}
