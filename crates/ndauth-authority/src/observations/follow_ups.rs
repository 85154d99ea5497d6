//! The queue of follow-ups.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ndauth_core::{SecretId, SecretRecord, Timestamp};
use tokio::sync::Notify;

/// The queue of follow-ups. Each enters it once a day, or again after a minute if it could not be done.
#[derive(Debug, Default)]
pub(crate) struct FollowUps {
    queue: Mutex<Queue>,
    more: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<FollowUp>,
    /// The instants from which each may enter the queue again, in microseconds.
    seen: HashMap<(SecretId, FollowUpKind), i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FollowUpKind {
    Used,
    Reused,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct FollowUp {
    pub(crate) what: FollowUpKind,
    pub(crate) secret: SecretId,
    pub(crate) at: Timestamp,
    pub(crate) from: Option<IpAddr>,
}

/// The capacity of the queue. Follow-ups beyond it are dropped, and enter it with a later use, at the latest
/// the next day.
const MOST: usize = 10_000;
/// The most that wait when a reuse is added: whoever has many retired secrets leaves space for pending ones to be confirmed.
const MOST_REUSES: usize = MOST / 2;
/// The most secrets of which it is remembered that they are not due yet.
const MOST_SEEN: usize = 2 * MOST;
pub(crate) const DAY: i64 = 24 * 60 * 60 * 1_000_000;
const MINUTE: i64 = 60 * 1_000_000;

impl FollowUps {
    /// Queues the confirmation of a pending secret that was used.
    pub(crate) fn used(&self, record: &SecretRecord, at: Timestamp) {
        if record.confirmed_at.is_none() {
            self.add(FollowUp { what: FollowUpKind::Used, secret: record.id, at, from: None });
        }
    }

    /// Queues the recording of a retired secret's use.
    pub(crate) fn reused(&self, secret: SecretId, at: Timestamp, from: Option<IpAddr>) {
        self.add(FollowUp { what: FollowUpKind::Reused, secret, at, from });
    }

    fn add(&self, follow_up: FollowUp) {
        let mut queue = self.queue();
        let (key, at) = ((follow_up.secret, follow_up.what), follow_up.at.micros());
        if queue.seen.get(&key).is_some_and(|again| at < *again) {
            return;
        }
        let most = match follow_up.what {
            FollowUpKind::Used => MOST,
            FollowUpKind::Reused => MOST_REUSES,
        };
        // It is noted at the next use.
        if queue.waiting.len() >= most {
            return;
        }
        if queue.seen.len() >= MOST_SEEN {
            queue.seen.retain(|_, again| at < *again);
            // Those that are forgotten are at worst noted twice, which changes nothing.
            if queue.seen.len() >= MOST_SEEN {
                queue.seen.clear();
            }
        }
        queue.seen.insert(key, (at.div_euclid(DAY) + 1).saturating_mul(DAY));
        queue.waiting.push_back(follow_up);
        drop(queue);
        self.more.notify_one();
    }

    /// Waits until the queue is not empty.
    pub(crate) async fn filled(&self) {
        while self.queue().waiting.is_empty() {
            self.more.notified().await;
        }
    }

    /// Removes and returns the first follow-up.
    pub(crate) fn take(&self) -> Option<FollowUp> {
        self.queue().waiting.pop_front()
    }

    /// Lets a follow-up that could not be done enter the queue again a minute later.
    pub(crate) fn again_in_a_minute(&self, follow_up: &FollowUp) {
        let again = follow_up.at.micros().saturating_add(MINUTE);
        self.queue().seen.insert((follow_up.secret, follow_up.what), again);
    }

    /// Puts a follow-up back at the front of the queue.
    pub(crate) fn put_back(&self, follow_up: FollowUp) {
        self.queue().waiting.push_front(follow_up);
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use ndauth_core::SecretId;
    use rand::rngs::SysRng;

    use super::*;

    #[test]
    fn reuses_leave_space_for_first_uses_and_what_was_dropped_is_noted_again() {
        let follow_ups = FollowUps::default();
        let at = Timestamp::from_micros(1_000_000).expect("an instant");
        let new = || SecretId::new(at, &mut SysRng).expect("an id");
        let waiting = || follow_ups.queue().waiting.len();
        for _ in 0..MOST {
            follow_ups.reused(new(), at, None);
        }
        assert_eq!(waiting(), MOST_REUSES);
        let used = |secret| follow_ups.add(FollowUp { what: FollowUpKind::Used, secret, at, from: None });
        for _ in MOST_REUSES..MOST {
            used(new());
        }
        let dropped = new();
        used(dropped);
        assert_eq!(waiting(), MOST, "there is no space");
        assert!(follow_ups.take().is_some());
        used(dropped);
        assert_eq!(waiting(), MOST, "it is noted once there is");
        assert!(follow_ups.take().is_some());
        used(dropped);
        assert_eq!(waiting(), MOST - 1, "and once only");
    }
}
