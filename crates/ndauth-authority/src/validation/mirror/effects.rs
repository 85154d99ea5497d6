//! The effects of an answer: a use is noted, a new secret is confirmed by its first use, a retired one that is presented
//! is recorded. An answer is made again where the state changed meanwhile, so its effects are only named while it is
//! made, and run once, when it is final.

use std::iter::Chain;
use std::net::IpAddr;
use std::{option, vec};

use ndauth_core::{LastUse, Lineage, Noted, Scope, SecretRecord, Timestamp};

use super::state::Family;

/// The effects of answers that are not final yet. Nearly always there is one, which takes no memory of its own.
#[derive(Debug, Default)]
pub(crate) struct Effects<'a> {
    first: Option<Effect<'a>>,
    more: Vec<Effect<'a>>,
}

/// One effect of an answer.
#[derive(Debug)]
pub(crate) enum Effect<'a> {
    /// A secret passed.
    Passed {
        /// When it was last noted that it did.
        noted: &'a Noted,
        /// The token.
        family: &'a Family,
        /// Which of its secrets.
        which: u32,
        /// For what.
        access: Scope,
        /// When, and from where.
        last: LastUse,
        /// To which of the questions that were asked together.
        question: usize,
    },
    /// A secret was presented that waits to be confirmed by that.
    Used {
        /// Whose it is.
        family: Lineage,
        /// The secret.
        record: &'a SecretRecord,
        /// When.
        at: Timestamp,
    },
    /// A retired secret was presented.
    Reused {
        /// Whose it is.
        family: Lineage,
        /// The secret.
        record: &'a SecretRecord,
        /// When.
        at: Timestamp,
        /// From where, where that is known.
        from: Option<IpAddr>,
    },
}

impl<'a> Effects<'a> {
    pub(crate) fn add(&mut self, effect: Effect<'a>) {
        match self.first {
            None => self.first = Some(effect),
            Some(_) => self.more.push(effect),
        }
    }

    /// A secret was presented that serves.
    pub(crate) fn add_used(&mut self, family: Lineage, record: &'a SecretRecord, at: Timestamp) {
        if record.confirmed_at.is_none() {
            self.add(Effect::Used { family, record, at });
        }
    }
}

impl<'a> IntoIterator for Effects<'a> {
    type Item = Effect<'a>;
    type IntoIter = Chain<option::IntoIter<Effect<'a>>, vec::IntoIter<Effect<'a>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.more)
    }
}
