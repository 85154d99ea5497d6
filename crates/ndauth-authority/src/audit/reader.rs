//! Readers: which events each may read, and what it sees of them.

use ndauth_core::{AccountId, Actor, Change, Entry, EventSubject, Level, OrgId, Owner};

use crate::AuthorityError;
use crate::access::{Admitted, Kind};

/// Whose history is read, by a caller that the access table admitted to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuditReader {
    /// An account: what it did, and what was done to it and to its tokens.
    Account(AccountId),
    /// An org's: what happened in the org.
    Org(OrgId),
    /// All of it.
    All,
}

impl AuditReader {
    /// Returns the reader that a caller was admitted as.
    pub(crate) fn of(by: &Admitted) -> Result<AuditReader, AuthorityError> {
        match by.kind {
            Kind::Mine => Ok(AuditReader::Account(by.account()?.id)),
            Kind::Org => Ok(AuditReader::Org(by.org()?.id)),
            Kind::Anyone => Ok(AuditReader::All),
        }
    }

    /// Returns the thing whose history it reads; none for all of it.
    pub(super) fn subject(self) -> Option<EventSubject> {
        match self {
            AuditReader::Account(id) => Some(EventSubject::Account(id)),
            AuditReader::Org(id) => Some(EventSubject::Org(id)),
            AuditReader::All => None,
        }
    }

    /// Returns true if it may see from where an event came. A person does not see from where others act, and an org not
    /// where the personal tokens of its members are presented.
    pub(super) fn sees_origin(self, entry: &Entry) -> bool {
        match self {
            AuditReader::All => true,
            AuditReader::Account(me) => match entry.actor {
                Actor::Session { account, .. } | Actor::Token { account, .. } => account == me,
                Actor::Console | Actor::Authority | Actor::Service { .. } | Actor::OrgToken { .. } => true,
            },
            AuditReader::Org(org) => {
                entry.actor != Actor::Authority
                    || owner(&entry.change).is_none_or(|owner| owner == Owner::Org(org))
            }
        }
    }

    /// Returns true if it may see all that an event names: an org's reader none of another org.
    pub(super) fn sees_whole(self, entry: &Entry) -> bool {
        let AuditReader::Org(org) = self else { return true };
        entry.subjects().iter().all(|subject| match subject {
            EventSubject::Org(other) => *other == org,
            EventSubject::Account(_) | EventSubject::Token(_) | EventSubject::Service(_) => true,
        })
    }

    /// Returns the levels of a change that it may see.
    pub(super) fn levels(self, levels: &[Level]) -> Vec<Level> {
        let seen = |level: &&Level| match (self, level) {
            (AuditReader::Org(org), Level::Org(other)) => *other == org,
            (AuditReader::Account(_) | AuditReader::Org(_) | AuditReader::All, _) => true,
        };
        levels.iter().filter(seen).copied().collect()
    }
}

/// Returns the owner of the token that a change is about, if it is about one.
pub(super) fn owner(change: &Change) -> Option<Owner> {
    match *change {
        Change::TokenCreated { owner, .. }
        | Change::TokenDerived { owner, .. }
        | Change::TokenRevoked { owner, .. }
        | Change::TokenUpdated { owner, .. }
        | Change::TokenRenewed { owner, .. }
        | Change::TokenSuspended { owner, .. }
        | Change::TokenResumed { owner, .. } => Some(owner),
        Change::SecretMinted { owner, .. }
        | Change::SecretConfirmed { owner, .. }
        | Change::SecretDropped { owner, .. }
        | Change::SecretRetired { owner, .. }
        | Change::SecretReused { owner, .. } => owner,
        _ => None,
    }
}
