//! The feed: the last events, and what each concerns. Watchers read their news from it.

use std::collections::{HashMap, VecDeque};

use ndauth_core::{Concern, Entry, Head, Owner, Token, TokenId};
use ndauth_store::{StoredEvent, WithSecrets};

/// The last events that were applied to a state.
#[derive(Debug)]
pub(crate) struct Recent {
    /// The last event before them.
    before: Head,
    /// Their sequences follow each other without a gap.
    events: VecDeque<FeedEvent>,
}

/// An event, and what it concerns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FeedEvent {
    hash: [u8; 32],
    pub(crate) concern: Concern,
    /// The owner of the token that it concerns. `None` also if the token's row is corrupt.
    pub(crate) owner: Option<Owner>,
}

/// The owners of some tokens.
pub(super) type Owners = HashMap<TokenId, Owner>;

/// The number of events that are kept. A watcher that is further behind must drop its whole cache.
pub(super) const KEPT: usize = 4096;

/// Each takes no more than 82 bytes.
const _: () = assert!(size_of::<FeedEvent>() <= 82);

impl Recent {
    /// Returns a feed without events, after the end of a log.
    pub(super) fn after(before: Head) -> Recent {
        Recent { before, events: VecDeque::with_capacity(KEPT) }
    }

    /// Adds the next events, and drops the first ones beyond [`KEPT`].
    pub(super) fn push(&mut self, feed_events: Vec<FeedEvent>) {
        for next in feed_events {
            if self.events.len() == KEPT
                && let Some(first) = self.events.pop_front()
            {
                self.before = Head { sequence: self.before.sequence + 1, hash: first.hash };
            }
            self.events.push_back(next);
        }
    }

    /// Returns the log's head as of an event, and the index of the next event. `None` if it is not kept.
    fn find(&self, sequence: u64) -> Option<(Head, usize)> {
        let behind = usize::try_from(sequence.checked_sub(self.before.sequence)?).ok()?;
        let head = match behind.checked_sub(1) {
            None => self.before,
            Some(index) => Head { sequence, hash: self.events.get(index)?.hash },
        };
        Some((head, behind))
    }

    /// Returns the log's head as of an event. `None` if it is not kept.
    pub(crate) fn head(&self, sequence: u64) -> Option<Head> {
        self.find(sequence).map(|(head, _)| head)
    }

    /// Returns the events after one and up to another, with their sequences. `None` if the first is not in
    /// this log, or is no longer kept.
    pub(crate) fn between(&self, after: Head, until: u64) -> Option<impl Iterator<Item = (u64, &FeedEvent)>> {
        let (found, behind) = self.find(after.sequence)?;
        if found != after || after.sequence > until {
            return None;
        }
        Some((after.sequence + 1..=until).zip(self.events.range(behind..)))
    }
}

impl FeedEvent {
    /// Returns the feed's form of events with these entries, given the owners of the tokens that they
    /// concern.
    pub(super) fn list(events: &[StoredEvent], entries: &[Option<Entry>], owners: &Owners) -> Vec<FeedEvent> {
        let feed_events = |(event, entry): (&StoredEvent, &Option<Entry>)| {
            let concern = Concern::of(entry.as_ref());
            let owner = match concern {
                Concern::Token(token) => owners.get(&token).copied(),
                _ => None,
            };
            FeedEvent { hash: event.hash, concern, owner }
        };
        events.iter().zip(entries).map(feed_events).collect()
    }
}

/// Returns the owners of tokens that were read.
pub(super) fn owners(tokens: &[WithSecrets<Token>]) -> Owners {
    tokens.iter().map(|kin| (kin.of.id, kin.of.owner)).collect()
}

#[cfg(test)]
mod tests;
