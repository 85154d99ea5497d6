//! Subjects of events: the things under whose history an event is listed.

use std::collections::BTreeSet;
use std::fmt;

use uuid::Uuid;

use crate::{AccountId, Actor, Change, Entry, Level, Lineage, OrgId, Owner, ServiceId, TokenId};

/// A thing that made an event or that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventSubject {
    /// An account.
    Account(AccountId),
    /// An org.
    Org(OrgId),
    /// A token.
    Token(TokenId),
    /// A service.
    Service(ServiceId),
}

impl EventSubject {
    /// Returns its id.
    pub fn uuid(self) -> Uuid {
        match self {
            EventSubject::Account(id) => id.uuid(),
            EventSubject::Org(id) => id.uuid(),
            EventSubject::Token(id) => id.uuid(),
            EventSubject::Service(id) => id.uuid(),
        }
    }
}

impl fmt::Display for EventSubject {
    /// Writes the kind of thing and its id, as log lines have it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EventSubject::Account(id) => write!(f, "account:{id}"),
            EventSubject::Org(id) => write!(f, "org:{id}"),
            EventSubject::Token(id) => write!(f, "token:{id}"),
            EventSubject::Service(id) => write!(f, "service:{id}"),
        }
    }
}

impl From<Owner> for EventSubject {
    fn from(owner: Owner) -> EventSubject {
        match owner {
            Owner::Account(id) => EventSubject::Account(id),
            Owner::Org(id) => EventSubject::Org(id),
        }
    }
}

impl From<Lineage> for EventSubject {
    fn from(family: Lineage) -> EventSubject {
        match family {
            Lineage::Token(id) => EventSubject::Token(id),
            Lineage::Service(id) => EventSubject::Service(id),
        }
    }
}

impl Entry {
    /// Returns the things that made the change or that it is about. The history of each lists the event.
    pub fn subjects(&self) -> BTreeSet<EventSubject> {
        self.change.subjects().into_iter().chain(self.actor.subjects()).collect()
    }
}

impl fmt::Display for Actor {
    /// Writes the kind of actor and its id, as log lines have it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::Console => f.write_str("console"),
            Actor::Authority => f.write_str("ndauth"),
            Actor::Session { account, session } => write!(f, "account:{account} session:{session}"),
            Actor::Service { service } => write!(f, "service:{service}"),
            Actor::Token { account, token } => write!(f, "account:{account} token:{token}"),
            Actor::OrgToken { org, token } => write!(f, "org:{org} token:{token}"),
        }
    }
}

impl Actor {
    fn subjects(self) -> Vec<EventSubject> {
        use EventSubject::{Account, Org, Service, Token};
        match self {
            Actor::Console | Actor::Authority => vec![],
            Actor::Session { account, .. } => vec![Account(account)],
            Actor::Service { service } => vec![Service(service)],
            Actor::Token { account, token } => vec![Account(account), Token(token)],
            Actor::OrgToken { org, token } => vec![Org(org), Token(token)],
        }
    }
}

impl Change {
    /// Returns the things that the change is about.
    pub fn subjects(&self) -> Vec<EventSubject> {
        use EventSubject::{Account, Org, Service, Token};
        match *self {
            Change::AccountCreated { account, .. }
            | Change::AccountUpdated { account }
            | Change::NoticesSet { account, .. }
            | Change::OperatorSet { account, .. }
            | Change::AccountDisabled { account }
            | Change::AccountSignedOut { account }
            | Change::AccountInvited { account }
            | Change::SignInLinkIssued { account }
            | Change::PasswordSet { account }
            | Change::AccountIdentified { account }
            | Change::AccountEnabled { account }
            | Change::SessionIssued { account, .. }
            | Change::SessionEnded { account, .. }
            | Change::AccountErased { account }
            | Change::AccountTokensRevoked { account, .. } => vec![Account(account)],
            Change::OrgCreated { org, admin } => {
                std::iter::once(Org(org)).chain(admin.map(Account)).collect()
            }
            Change::OrgDeleted { org }
            | Change::PolicySet { org, .. }
            | Change::MemberOffered { org, .. }
            | Change::OfferDeclined { org, .. }
            | Change::OfferWithdrawn { org, .. }
            | Change::OrgTokensRevoked { org, .. }
            | Change::OrgFrozen { org }
            | Change::OrgUnfrozen { org } => vec![Org(org)],
            Change::MemberSet { org, account, .. } | Change::MemberRemoved { org, account } => {
                vec![Org(org), Account(account)]
            }
            Change::ServiceCreated { service } | Change::ServiceRevoked { service } => vec![Service(service)],
            Change::TokenCreated { token, owner }
            | Change::TokenDerived { token, owner, .. }
            | Change::TokenRevoked { token, owner, .. }
            | Change::TokenUpdated { token, owner }
            | Change::TokenRenewed { token, owner, .. } => vec![Token(token), owner.into()],
            Change::TokenSuspended { token, owner, level } => {
                [Token(token), owner.into()].into_iter().chain(org_of(level)).collect()
            }
            Change::TokenResumed { token, owner, ref levels } => {
                let orgs = levels.iter().copied().filter_map(org_of);
                [Token(token), owner.into()].into_iter().chain(orgs).collect()
            }
            Change::SecretMinted { family, owner, .. }
            | Change::SecretConfirmed { family, owner, .. }
            | Change::SecretDropped { family, owner, .. }
            | Change::SecretRetired { family, owner, .. } => {
                std::iter::once(family.into()).chain(owner.map(EventSubject::from)).collect()
            }
            Change::SecretReused { family, owner, ref suspended, .. } => {
                let orgs = suspended.iter().copied().filter_map(org_of);
                std::iter::once(family.into()).chain(owner.map(EventSubject::from)).chain(orgs).collect()
            }
            // The catalogue and the installation are nobody's, and what was removed has no history any more.
            Change::CatalogueApplied { .. }
            | Change::Restored { .. }
            | Change::LogPruned { .. }
            | Change::FamiliesRemoved { .. } => {
                vec![]
            }
        }
    }
}

/// Returns the org whose admins suspended a token at a level, unless they did so as its owner.
fn org_of(level: Level) -> Option<EventSubject> {
    match level {
        Level::Org(org) => Some(EventSubject::Org(org)),
        Level::Owner | Level::Operator => None,
    }
}
