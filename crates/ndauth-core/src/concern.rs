//! Concerns: the state that an event touches, from which every cached copy of that state is found.
//!
//! The mirror reads the rows of a concern again. A service drops the inputs that it cached of it.

use crate::{
    AccountId, Change, Entry, InputOwner, InputPlace, Inputs, Lineage, OrgId, ServiceId, SessionId, TokenId,
};

/// The state that an event touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concern {
    /// Nothing that a decision reads.
    Nothing,
    /// A token and its secrets.
    Token(TokenId),
    /// A token that did not exist before.
    NewToken(TokenId),
    /// An account, and so each of its tokens.
    Account(AccountId),
    /// An account that did not exist before.
    NewAccount(AccountId),
    /// An account, one of whose sessions ended, and the tokens that were derived from that session.
    Session(AccountId, SessionId),
    /// An account, all of whose sessions ended, and the tokens that were derived from them.
    Sessions(AccountId),
    /// The role of an account in an org.
    Member(OrgId, AccountId),
    /// An org, and so every owner with a role in it.
    Org(OrgId),
    /// A new org, and the account that became its first admin.
    NewOrg(OrgId, Option<AccountId>),
    /// A service and its secrets.
    Service(ServiceId),
    /// The catalogue, which every decision reads.
    Rules,
    /// Everything.
    Everything,
}

impl Change {
    /// Returns the state that the change touches.
    pub fn concerns(&self) -> Concern {
        match *self {
            Change::TokenCreated { token, .. } | Change::TokenDerived { token, .. } => {
                Concern::NewToken(token)
            }
            Change::TokenRevoked { token, .. }
            | Change::TokenUpdated { token, .. }
            | Change::TokenRenewed { token, .. }
            | Change::TokenSuspended { token, .. }
            | Change::TokenResumed { token, .. } => Concern::Token(token),
            Change::SecretMinted { family, .. }
            | Change::SecretConfirmed { family, .. }
            | Change::SecretDropped { family, .. }
            | Change::SecretRetired { family, .. }
            | Change::SecretReused { family, .. } => match family {
                Lineage::Token(token) => Concern::Token(token),
                Lineage::Service(service) => Concern::Service(service),
            },
            Change::AccountCreated { account, .. } => Concern::NewAccount(account),
            // Decisions read the instant of the last login. A token's identity has its owner's address and name.
            Change::SessionIssued { account, .. }
            | Change::AccountEnabled { account }
            | Change::AccountUpdated { account }
            | Change::AccountErased { account }
            | Change::OperatorSet { account, .. }
            | Change::AccountTokensRevoked { account, .. } => Concern::Account(account),
            Change::SessionEnded { account, session, .. } => Concern::Session(account, session),
            Change::AccountDisabled { account }
            | Change::AccountSignedOut { account }
            | Change::PasswordSet { account } => Concern::Sessions(account),
            Change::MemberSet { org, account, .. } | Change::MemberRemoved { org, account } => {
                Concern::Member(org, account)
            }
            Change::OrgCreated { org, admin } => Concern::NewOrg(org, admin),
            Change::OrgDeleted { org }
            | Change::OrgTokensRevoked { org, .. }
            | Change::OrgFrozen { org }
            | Change::OrgUnfrozen { org }
            | Change::PolicySet { org, .. } => Concern::Org(org),
            Change::ServiceCreated { service } | Change::ServiceRevoked { service } => {
                Concern::Service(service)
            }
            Change::CatalogueApplied { .. } => Concern::Rules,
            Change::Restored { .. } => Concern::Everything,
            // No decision reads links, identities, offers, notices, or families that died long ago.
            Change::AccountInvited { .. }
            | Change::NoticesSet { .. }
            | Change::MemberOffered { .. }
            | Change::OfferDeclined { .. }
            | Change::OfferWithdrawn { .. }
            | Change::SignInLinkIssued { .. }
            | Change::AccountIdentified { .. }
            | Change::LogPruned { .. }
            | Change::FamiliesRemoved { .. } => Concern::Nothing,
        }
    }
}

impl Concern {
    /// Returns the concern of an event with this entry. An entry that this version cannot read concerns
    /// everything.
    pub fn of(entry: Option<&Entry>) -> Concern {
        entry.map_or(Concern::Everything, |entry| entry.change.concerns())
    }

    /// Returns true if it touches cached inputs of a decision.
    pub fn touches(self, inputs: &Inputs) -> bool {
        match self {
            Concern::Everything => true,
            Concern::Token(token) => inputs.token.id == token,
            Concern::Account(account)
            | Concern::Session(account, _)
            | Concern::Sessions(account)
            | Concern::Member(_, account) => {
                matches!(&inputs.owner, InputOwner::Account { id, .. } if *id == account)
            }
            Concern::Org(org) => {
                let is_owner = matches!(&inputs.owner, InputOwner::Org(owner) if owner.id == org);
                let is_in =
                    |place: &InputPlace| matches!(place, InputPlace::In(ground, _) if ground.org.id == org);
                is_owner || inputs.places.iter().any(is_in)
            }
            // The new org may have the slug that an earlier look-up did not find.
            Concern::NewOrg(..) => inputs.places.iter().any(|place| matches!(place, InputPlace::Nowhere(_))),
            // No inputs can exist for a token or an account that did not exist. Services and rules are not
            // inputs.
            Concern::Nothing
            | Concern::NewToken(_)
            | Concern::NewAccount(_)
            | Concern::Service(_)
            | Concern::Rules => false,
        }
    }
}

#[cfg(test)]
mod tests;
