//! The rows that events touch, which must be read again.

use std::collections::BTreeSet;

use ndauth_core::{
    AccountId, Catalogue, Change, Concern, Entry, Installation, OrgId, RulesVersion, SecretHash, Service,
    ServiceId, SessionId, Timestamp, Token, TokenId,
};
use ndauth_store::{Partitioned, Person, Place, Read, StoreError, WithSecrets};

/// Rows that were read, or read again.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    pub(super) tokens: Option<Partitioned<WithSecrets<Token>, SecretHash>>,
    pub(super) services: Option<Partitioned<WithSecrets<Service>, SecretHash>>,
    pub(super) people: Option<Partitioned<Person, AccountId>>,
    pub(super) places: Option<Partitioned<Place, OrgId>>,
    pub(super) rules: Option<DecisionRules>,
    /// The hashes of secrets that were removed.
    pub(super) gone: Vec<SecretHash>,
    /// The instant at which they were read; `None` if there are no tokens among them.
    pub(super) read_at: Option<Timestamp>,
}

/// The rules that every decision reads.
#[derive(Debug)]
pub(super) struct DecisionRules {
    pub(super) installation: Installation,
    pub(super) catalogue: Catalogue,
    pub(super) version: RulesVersion,
}

/// The rows that some events touch.
#[derive(Debug, Default)]
pub(super) struct TouchedRows {
    tokens: BTreeSet<TokenId>,
    /// The sessions that ended. The tokens derived from them ended, too.
    sessions: BTreeSet<SessionId>,
    /// The accounts all of whose sessions ended.
    signed_out: BTreeSet<AccountId>,
    accounts: BTreeSet<AccountId>,
    orgs: BTreeSet<OrgId>,
    services: BTreeSet<ServiceId>,
    /// The hashes of secrets that were removed.
    gone: Vec<SecretHash>,
}

impl TouchedRows {
    /// Returns the rows that events with these entries touch. `None` if one concerns everything.
    pub(super) fn of(entries: &[Option<Entry>]) -> Option<TouchedRows> {
        let mut rows = TouchedRows::default();
        for entry in entries {
            match Concern::of(entry.as_ref()) {
                Concern::Token(token) | Concern::NewToken(token) => drop(rows.tokens.insert(token)),
                Concern::Account(account) | Concern::NewAccount(account) | Concern::Member(_, account) => {
                    rows.accounts.insert(account);
                }
                Concern::Session(_, session) => drop(rows.sessions.insert(session)),
                Concern::Sessions(account) => {
                    rows.accounts.insert(account);
                    rows.signed_out.insert(account);
                }
                Concern::Org(org) => drop(rows.orgs.insert(org)),
                Concern::NewOrg(org, admin) => {
                    rows.orgs.insert(org);
                    rows.accounts.extend(admin);
                }
                Concern::Service(service) => drop(rows.services.insert(service)),
                // The rules are compared with every batch.
                Concern::Nothing | Concern::Rules => {}
                Concern::Everything => return None,
            }
            if let Some(Entry { change: Change::FamiliesRemoved { hashes, .. }, .. }) = entry {
                rows.gone.extend(hashes);
            }
        }
        Some(rows)
    }

    /// Reads the rows.
    pub(super) async fn read(self, read: &Read) -> Result<Fresh, StoreError> {
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
            gone: self.gone,
            read_at: Some(read.now()),
        })
    }
}

impl DecisionRules {
    /// Reads the rules.
    pub(super) async fn read(read: &Read) -> Result<DecisionRules, StoreError> {
        let installation = *read.installation();
        let version = ndauth_core::Rules::version(&read.catalogue_hash(), installation.not_before);
        Ok(DecisionRules { installation, catalogue: read.catalogue().await?, version })
    }
}
