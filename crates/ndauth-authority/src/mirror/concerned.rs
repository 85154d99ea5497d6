//! The rows that events name, which are to be read again.

use std::collections::BTreeSet;

use ndauth_core::{AccountId, Change, Entry, Lineage, OrgId, SecretHash, ServiceId, SessionId, TokenId};
use ndauth_store::{Read, StoredEvent};

use super::state::Fresh;
use crate::AuthorityError;

/// The rows that some events name.
#[derive(Debug, Default)]
pub(super) struct Concerned {
    pub(super) tokens: BTreeSet<TokenId>,
    /// From which tokens were derived that ended with them.
    sessions: BTreeSet<SessionId>,
    /// All of whose sessions ended.
    signed_out: BTreeSet<AccountId>,
    accounts: BTreeSet<AccountId>,
    orgs: BTreeSet<OrgId>,
    services: BTreeSet<ServiceId>,
    /// The hashes of secrets that were removed.
    gone: Vec<SecretHash>,
    /// So much that it is better to load all.
    pub(super) everything: bool,
}

impl Concerned {
    pub(super) fn hear(&mut self, event: &StoredEvent) {
        // An event of a kind that this version does not know concerns everything.
        let Ok(Entry { change, .. }) = serde_json::from_slice(&event.public) else {
            self.everything = true;
            return;
        };
        match change {
            Change::TokenCreated { token }
            | Change::TokenRevoked { token }
            | Change::TokenUpdated { token }
            | Change::TokenRenewed { token, .. }
            | Change::TokenSuspended { token, .. }
            | Change::TokenResumed { token, .. } => {
                self.tokens.insert(token);
            }
            Change::SecretMinted { family, .. }
            | Change::SecretConfirmed { family, .. }
            | Change::SecretDropped { family, .. }
            | Change::SecretRetired { family, .. }
            | Change::SecretReused { family, .. } => match family {
                Lineage::Token(token) => drop(self.tokens.insert(token)),
                Lineage::Service(service) => drop(self.services.insert(service)),
            },
            Change::TokenDerived { token, .. } => {
                self.tokens.insert(token);
            }
            Change::SessionEnded { session, .. } => {
                self.sessions.insert(session);
            }
            Change::AccountSignedOut { account }
            | Change::AccountDisabled { account, .. }
            | Change::PasswordSet { account } => {
                self.accounts.insert(account);
                self.signed_out.insert(account);
            }
            Change::FamiliesRemoved { hashes, .. } => {
                self.gone.extend(hashes);
            }
            Change::AccountCreated { account }
            | Change::AccountEnabled { account }
            | Change::AccountInvited { account }
            | Change::AccountIdentified { account }
            | Change::AccountShutOut { account, .. }
            | Change::MemberSet { account, .. }
            | Change::MemberRemoved { account, .. }
            | Change::SessionIssued { account, .. } => {
                self.accounts.insert(account);
            }
            Change::OrgCreated { org, admin } => {
                self.orgs.insert(org);
                self.accounts.extend(admin);
            }
            Change::OrgDeleted { org }
            | Change::OrgShutOut { org, .. }
            | Change::OrgFrozen { org }
            | Change::OrgUnfrozen { org }
            | Change::PolicySet { org, .. } => {
                self.orgs.insert(org);
            }
            Change::ServiceCreated { service }
            | Change::ServiceRotated { service }
            | Change::ServiceRevoked { service } => {
                self.services.insert(service);
            }
            // The rules are read again with every batch where they changed.
            Change::CatalogueApplied { .. } => {}
            Change::Restored { .. } => self.everything = true,
        }
    }

    pub(super) async fn read(&self, read: &Read) -> Result<Fresh, AuthorityError> {
        fn ids<Id: Copy>(of: &BTreeSet<Id>) -> Vec<Id> {
            of.iter().copied().collect()
        }
        let mut tokens = read.tokens(&ids(&self.tokens)).await?;
        let derived = read.derived_tokens(&ids(&self.sessions), &ids(&self.signed_out)).await?;
        tokens.sound.extend(derived.sound);
        tokens.broken.extend(derived.broken);
        Ok(Fresh {
            tokens: Some(tokens),
            people: Some(read.people(&ids(&self.accounts)).await?),
            places: Some(read.places(&ids(&self.orgs)).await?),
            services: Some(read.services(&ids(&self.services)).await?),
            rules: None,
            gone: self.gone.clone(),
        })
    }
}
