//! The effects of an answer: a use is noted, a new secret is confirmed by its first use, and the reuse of a
//! retired one is recorded. An answer is computed again if the state changed meanwhile. So its effects are
//! only collected, and run once the answer is final.

use std::iter::Chain;
use std::net::IpAddr;
use std::{option, vec};

use ndauth_core::{
    ClientName, LastUse, OrgId, Reason, RecordedUses, Refusal, Scope, SecretId, SecretRecord, Timestamp,
};

use super::state::TokenFamily;

/// The effects of answers that are not final yet. The first, nearly always the only one, needs no allocation.
#[derive(Debug, Default)]
pub(crate) struct Effects<'a> {
    first: Option<Effect<'a>>,
    more: Vec<Effect<'a>>,
}

/// One effect of an answer.
#[derive(Debug)]
pub(crate) enum Effect<'a> {
    /// The use of a token's secret that was allowed.
    Passed {
        /// The last recorded use.
        noted: &'a RecordedUses<ClientName>,
        /// The token.
        family: &'a TokenFamily,
        /// The index of the secret.
        which: u32,
        /// The access that was needed.
        access: Scope,
        /// The instant and the address.
        last: LastUse,
        /// The org, if the question names one.
        org: Option<OrgId>,
        /// The index of the question in its batch.
        question: usize,
    },
    /// The first use of a pending secret, which confirms it.
    Used {
        /// The secret.
        record: &'a SecretRecord,
        /// The instant.
        at: Timestamp,
    },
    /// The use of a secret that has ended.
    Ended {
        /// The secret.
        secret: SecretId,
        /// The reason of the refusal.
        reason: Reason,
        /// The instant.
        at: Timestamp,
        /// The address, if it is known.
        from: Option<IpAddr>,
    },
    /// The use of a retired secret.
    Reused {
        /// The secret.
        secret: SecretId,
        /// The instant.
        at: Timestamp,
        /// The address, if it is known.
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

    /// Adds the use of a live secret.
    pub(crate) fn add_used(&mut self, record: &'a SecretRecord, at: Timestamp) {
        if record.confirmed_at.is_none() {
            self.add(Effect::Used { record, at });
        }
    }

    /// Adds the use of a secret that was refused, if it has ended.
    pub(crate) fn add_refused(
        &mut self,
        secret: SecretId,
        refusal: &Refusal,
        at: Timestamp,
        from: Option<IpAddr>,
    ) {
        if refusal.is_final() {
            self.add(Effect::Ended { secret, reason: refusal.reason(), at, from });
        }
        if matches!(refusal, Refusal::Replaced(_)) {
            self.add(Effect::Reused { secret, at, from });
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
