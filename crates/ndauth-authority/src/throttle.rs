//! Rate limits: the number of tries that a caller or a network has before it must wait. Each instance keeps
//! its own, in memory.
//!
//! Tries are restored one by one (the generic cell rate algorithm, ITU-T I.371), so a caller without tries
//! waits for the next one, and no longer.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ndauth_core::{AccountId, SecretHash, SessionId, Timestamp, TokenId};

use crate::AuthorityError;
use crate::limits::{ClientNetwork, WAITING_DEVICES};

/// The key of a rate limit: the action that is tried, and by whom or from where.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Tried {
    /// A password for a name, from a network.
    NameFrom(String, ClientNetwork),
    /// A password for any name, from a network.
    AnyFrom(ClientNetwork),
    /// A password for a name, from a network and in a browser in which its account had no session. It has a
    /// limit of its own, so that the account's owner does not wait because of others.
    NameFromStrangers(String),
    /// One more login of an account, after the person's proof.
    Login(AccountId),
    /// One more device that waits, from a network.
    DeviceFrom(ClientNetwork),
    /// The code of a device, typed by an account. The limit keeps its 20^8 values from being guessed.
    CodeBy(AccountId),
    /// A device's poll.
    Poll(SecretHash),
    /// The refresh of a session.
    Refresh(SessionId),
    /// To have a secret minted, for a token or for a new one.
    Mint(Minter),
    /// To report a secret as leaked, from a network. Each secret of a batch is a try, known or not.
    LeakFrom(ClientNetwork),
}

/// The caller whose limit a minted secret counts against: a token that rotates itself uses up nobody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Minter {
    /// A person, in a session.
    Account(AccountId),
    /// A token that rotates itself.
    Token(TokenId),
}

/// The tries that were used, by the instant at which all of them are restored.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    tries: Mutex<HashMap<Tried, Timestamp>>,
}

/// The most secrets that one request may report as leaked.
pub(crate) const MOST_REPORTED: u32 = 1000;

/// The most keys that are kept. Beyond that, fully restored ones are dropped first.
const MOST: usize = 50_000;

impl Tried {
    /// Returns the number of tries, and the time until all are restored.
    fn limit(&self) -> (u32, Duration) {
        let (tries, seconds) = match self {
            Tried::NameFrom(..) => (10, 15 * 60),
            Tried::AnyFrom(_) => (100, 15 * 60),
            Tried::NameFromStrangers(_) => (200, 15 * 60),
            Tried::Login(_) => (120, 60 * 60),
            Tried::DeviceFrom(_) => (u32::try_from(WAITING_DEVICES.share).unwrap_or(u32::MAX), 10 * 60),
            Tried::CodeBy(_) => (10, 10 * 60),
            // The interval of a device is 5 s. Here 4 s suffice, because clocks and networks are not exact.
            Tried::Poll(_) => (1, 4),
            Tried::Refresh(_) => (60, 15 * 60),
            Tried::Mint(Minter::Account(_)) => (1500, 60 * 60),
            Tried::Mint(Minter::Token(_)) => (120, 60 * 60),
            Tried::LeakFrom(_) => (2 * MOST_REPORTED, 60 * 60),
        };
        (tries, Duration::from_secs(seconds))
    }

    /// Returns the time until one try is restored.
    fn interval(&self) -> Duration {
        let (tries, all) = self.limit();
        all / tries
    }
}

impl Throttle {
    /// Counts a try of each key, or of none if one of them has no tries left.
    pub(crate) fn take(&self, each: &[Tried], now: Timestamp) -> Result<(), AuthorityError> {
        self.take_several(each, 1, now)
    }

    /// Counts several tries of each key, or of none if one of them has fewer left.
    pub(crate) fn take_several(
        &self,
        each: &[Tried],
        count: u32,
        now: Timestamp,
    ) -> Result<(), AuthorityError> {
        let mut tries = self.tries();
        for tried in each {
            let back = tries.get(tried).map_or(Duration::ZERO, |back| back.since(now));
            let after = (back + tried.interval() * count).saturating_sub(tried.limit().1);
            if !after.is_zero() {
                if matches!(tried, Tried::DeviceFrom(_)) {
                    WAITING_DEVICES.count_refusal();
                }
                return Err(AuthorityError::TooManyTries { after });
            }
        }
        if tries.len() + each.len() > MOST {
            tries.retain(|_, back| *back > now);
            if tries.len() + each.len() > MOST {
                forget_least(&mut tries, now);
            }
        }
        for tried in each {
            let back = tries.entry(tried.clone()).or_insert(now);
            let restored = (*back).max(now).checked_add(tried.interval() * count);
            *back = restored.unwrap_or(Timestamp::MAX);
        }
        Ok(())
    }

    /// Forgets the tries of a key, because the last one succeeded.
    pub(crate) fn forget(&self, tried: &Tried) {
        self.tries().remove(tried);
    }

    /// Restores one try.
    pub(crate) fn give_back(&self, tried: &Tried) {
        self.give_back_several(tried, 1);
    }

    /// Restores several tries.
    pub(crate) fn give_back_several(&self, tried: &Tried, count: u32) {
        if let Some(back) = self.tries().get_mut(tried) {
            *back = back.checked_sub(tried.interval() * count).unwrap_or(*back);
        }
    }

    fn tries(&self) -> MutexGuard<'_, HashMap<Tried, Timestamp>> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops a quarter of the keys, first those with tries left, in the order in which they are restored.
fn forget_least(tries: &mut HashMap<Tried, Timestamp>, now: Timestamp) {
    let worth = |(tried, back): (&Tried, &Timestamp)| {
        let back = back.since(now);
        (back + tried.interval() > tried.limit().1, back)
    };
    let mut worths: Vec<_> = tries.iter().map(worth).collect();
    let (_, &mut least, _) = worths.select_nth_unstable(MOST / 4);
    tries.retain(|tried, known| worth((tried, known)) > least);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_without_tries_waits() {
        let throttle = Throttle::default();
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000).expect("an instant");
        let of = |name: &str| Tried::NameFrom(name.to_owned(), None);
        let take = |name: &str, now| throttle.take(&[of(name)], at(now));
        for _ in 0..10 {
            take("a", 0).expect("ten");
        }
        let refused = take("a", 14).expect_err("ten are enough");
        assert!(
            matches!(refused, AuthorityError::TooManyTries { after } if after == Duration::from_secs(76))
        );
        assert!(take("b", 14).is_ok());
        assert!(take("a", 90).is_ok(), "one is back");
        assert!(take("a", 179).is_err() && take("a", 180).is_ok(), "another is");
        throttle.forget(&of("a"));
        for _ in 0..10 {
            take("a", 900).expect("ten");
        }
        assert!(take("a", 900).is_err());
        throttle.give_back(&of("a"));
        assert!(take("a", 900).is_ok() && take("a", 900).is_err());
        // If one key has no tries left, no try of the other is counted.
        for _ in 0..20 {
            assert!(throttle.take(&[of("c"), of("a")], at(900)).is_err());
        }
        assert!(take("c", 900).is_ok());
    }

    /// A batch is counted whole, or not at all.
    #[test]
    fn a_batch_takes_all_of_its_tries_or_none() {
        let throttle = Throttle::default();
        let now = Timestamp::from_micros(1_000_000).expect("an instant");
        let from = [Tried::LeakFrom(None)];
        throttle.take_several(&from, MOST_REPORTED, now).expect("half of them");
        throttle.take_several(&from, 1, now).expect("one more");
        let refused = throttle.take_several(&from, MOST_REPORTED, now).expect_err("one too many");
        let interval = Duration::from_millis(1800);
        assert!(matches!(refused, AuthorityError::TooManyTries { after } if after == interval));
        throttle.take_several(&from, MOST_REPORTED - 1, now).expect("the rest: nothing was counted");
        assert!(throttle.take(&from, now).is_err());
        throttle.give_back_several(&from[0], MOST_REPORTED);
        throttle.take_several(&from, MOST_REPORTED, now).expect("they are restored");
        assert!(throttle.take(&from, now).is_err());
    }

    /// A key without tries stays without, however many others are tried.
    #[test]
    fn a_full_throttle_keeps_exhausted_keys() {
        let throttle = Throttle::default();
        let now = Timestamp::from_micros(1_000_000).expect("an instant");
        let of = |name: &str| Tried::NameFrom(name.to_owned(), None);
        for _ in 0..10 {
            throttle.take(&[of("a")], now).expect("ten");
        }
        for other in 0..2 * MOST {
            throttle.take(&[of(&other.to_string())], now).expect("once");
            assert!(throttle.tries().len() <= MOST);
        }
        assert!(throttle.take(&[of("a")], now).is_err());
    }
}
