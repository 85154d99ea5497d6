//! What is told of the log to those who keep what they were told: the last events, by what they concern.

use std::collections::VecDeque;

use ndauth_core::{AccountId, Change, Entry, Head, Lineage, OrgId, Orgs, Owner, Service, TokenId};
use ndauth_store::StoredEvent;

use super::state::{Fresh, View};

/// The last events that were applied to a state.
#[derive(Debug)]
pub(crate) struct Recent {
    /// The last event before them.
    before: Head,
    events: VecDeque<Heard>,
}

/// An event, and what it concerns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    head: Head,
    concern: Concern,
}

/// What of that which services keep is worth nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Concern {
    /// Nothing is.
    Nothing,
    /// What is kept of a token, whose owner is known unless that makes no sense.
    Token(TokenId, Option<Owner>),
    /// What is kept of a person's tokens.
    Account(AccountId),
    /// What is kept of a person's tokens, in this org.
    Member(OrgId, AccountId),
    /// What is kept of how owners stand in an org.
    Org(OrgId),
    /// That there is no org of some name.
    NewOrg(OrgId),
    /// The rules.
    Rules,
    /// All of it.
    Everything,
}

/// How many events are kept: who is further behind begins anew. Each takes about a hundred bytes.
pub(super) const KEPT: u64 = 4096;

impl Recent {
    /// Those of a state as of the end of a log, none yet.
    pub(super) fn after(before: Head) -> Recent {
        Recent { before, events: VecDeque::new() }
    }

    pub(super) fn push(&mut self, heard: impl IntoIterator<Item = Heard>) {
        self.events.extend(heard);
        while self.events.len() as u64 > KEPT {
            if let Some(first) = self.events.pop_front() {
                self.before = first.head;
            }
        }
    }

    /// The place of an event, and where those after it begin. `None` where it is not kept.
    fn find(&self, sequence: u64) -> Option<(Head, usize)> {
        let behind = usize::try_from(sequence.checked_sub(self.before.sequence)?).ok()?;
        let head = match behind.checked_sub(1) {
            None => self.before,
            Some(index) => self.events.get(index)?.head,
        };
        Some((head, behind))
    }

    /// The place of an event.
    pub(crate) fn head(&self, sequence: u64) -> Option<Head> {
        self.find(sequence).map(|(head, _)| head)
    }

    /// What happened after an event and up to another. `None` where the first is none of this log's, or happened too
    /// long ago.
    pub(crate) fn between(&self, after: Head, until: u64) -> Option<impl Iterator<Item = (u64, Concern)>> {
        let (found, behind) = self.find(after.sequence)?;
        if found != after || after.sequence > until {
            return None;
        }
        let events = self.events.range(behind..).map(|heard| (heard.head.sequence, heard.concern));
        Some(events.take_while(move |(sequence, _)| *sequence <= until))
    }
}

impl Heard {
    /// What an event concerns, once the rows that it names were read again.
    pub(super) fn new(event: &StoredEvent, fresh: &Fresh) -> Heard {
        let head = Head { sequence: event.sequence, hash: event.hash };
        let concern = match serde_json::from_slice(&event.public) {
            Ok(Entry { change, .. }) => Concern::of(&change, fresh),
            // A kind that this version does not know.
            Err(_) => Concern::Everything,
        };
        Heard { head, concern }
    }
}

impl Concern {
    fn of(change: &Change, fresh: &Fresh) -> Concern {
        match *change {
            Change::TokenRevoked { token }
            | Change::TokenUpdated { token }
            | Change::TokenRenewed { token, .. }
            | Change::TokenSuspended { token, .. }
            | Change::TokenResumed { token, .. }
            | Change::SecretMinted { family: Lineage::Token(token), .. }
            | Change::SecretConfirmed { family: Lineage::Token(token), .. }
            | Change::SecretDropped { family: Lineage::Token(token), .. }
            | Change::SecretRetired { family: Lineage::Token(token), .. }
            | Change::SecretReused { family: Lineage::Token(token), .. } => {
                let read = fresh.tokens.iter().flat_map(|read| &read.sound);
                let mut owners = read.filter(|kin| kin.of.id == token).map(|kin| kin.of.owner);
                Concern::Token(token, owners.next())
            }
            Change::AccountDisabled { account, .. }
            | Change::AccountEnabled { account }
            | Change::AccountShutOut { account, .. }
            | Change::AccountSignedOut { account }
            | Change::PasswordSet { account }
            | Change::SessionEnded { account, .. }
            | Change::SessionIssued { account, .. } => Concern::Account(account),
            Change::MemberSet { org, account, .. } | Change::MemberRemoved { org, account } => {
                Concern::Member(org, account)
            }
            Change::OrgCreated { org, .. } => Concern::NewOrg(org),
            Change::OrgDeleted { org }
            | Change::OrgShutOut { org, .. }
            | Change::OrgFrozen { org }
            | Change::OrgUnfrozen { org }
            | Change::PolicySet { org, .. } => Concern::Org(org),
            Change::CatalogueApplied { .. } => Concern::Rules,
            Change::Restored { .. } => Concern::Everything,
            // Of what was not there before nothing is kept; sessions are shown to nobody but ndauth; and a service
            // that is revoked finds out when it asks; of what is long dead nothing is kept either.
            Change::TokenCreated { .. }
            | Change::TokenDerived { .. }
            | Change::SecretMinted { .. }
            | Change::SecretConfirmed { .. }
            | Change::SecretDropped { .. }
            | Change::SecretRetired { .. }
            | Change::SecretReused { .. }
            | Change::FamiliesRemoved { .. }
            | Change::AccountCreated { .. }
            | Change::AccountInvited { .. }
            | Change::AccountIdentified { .. }
            | Change::ServiceCreated { .. }
            | Change::ServiceRotated { .. }
            | Change::ServiceRevoked { .. } => Concern::Nothing,
        }
    }

    /// Whether a service hears of it: it does of what it may ask about.
    pub(crate) fn is_for(self, service: &Service, view: &View<'_>) -> bool {
        let orgs = &service.orgs;
        match self {
            Concern::Nothing => false,
            Concern::Everything | Concern::Rules | Concern::Token(_, None) => true,
            Concern::Token(_, Some(owner)) => view.may_ask(orgs, owner),
            Concern::Account(account) => view.may_ask(orgs, Owner::Account(account)),
            Concern::Member(org, _) | Concern::Org(org) => orgs.contain(&org),
            Concern::NewOrg(_) => *orgs == Orgs::All,
        }
    }
}
