//! One sentence for each event, in plain English.

use std::collections::BTreeMap;

use ndauth_core::{
    AccountId, Actor, Change, Entry, Expiry, Level, Lineage, OrgId, Owner, RevocationReason, ServiceId,
    TokenId,
};
use ndauth_store::EventNames;

use super::reader::AuditReader;
use crate::orgs::OFFERED_TO;

/// The words for what an event mentions: present names, the names that it recorded, or ids.
pub(super) struct Words<'a> {
    pub(super) names: &'a EventNames,
    pub(super) personal: &'a BTreeMap<String, String>,
    pub(super) reader: AuditReader,
}

/// Returns the sentence of an event.
pub(super) fn sentence(entry: &Entry, words: &Words<'_>) -> String {
    let by = words.actor(entry);
    let did = words.did(entry);
    format!("{by} {did}.")
}

impl Words<'_> {
    fn recorded(&self, key: &str) -> Option<&str> {
        self.personal.get(key).map(String::as_str)
    }

    fn account(&self, id: AccountId) -> String {
        let present = self.names.accounts.get(&id).map(ToString::to_string);
        present
            .or_else(|| self.recorded("handle").map(str::to_owned))
            .unwrap_or_else(|| format!("account {id}"))
    }

    fn org(&self, id: OrgId) -> String {
        let present = self.names.orgs.get(&id).map(ToString::to_string);
        present.or_else(|| self.recorded("slug").map(str::to_owned)).unwrap_or_else(|| format!("org {id}"))
    }

    fn service(&self, id: ServiceId) -> String {
        let present = self.names.services.get(&id).map(ToString::to_string);
        let name = present.or_else(|| self.recorded("name").map(str::to_owned));
        format!("the service `{}`", name.unwrap_or_else(|| id.to_string()))
    }

    fn token_name(&self, id: TokenId) -> String {
        let present = self.names.tokens.get(&id).map(ToString::to_string);
        let name = present.or_else(|| self.recorded("name").map(str::to_owned));
        format!("`{}`", name.unwrap_or_else(|| id.to_string()))
    }

    /// Names a token by its owner, as somebody else's.
    fn token(&self, id: TokenId, owner: Owner) -> String {
        match owner {
            Owner::Account(account) => format!("{}'s token {}", self.account(account), self.token_name(id)),
            Owner::Org(org) => format!("{}'s org token {}", self.org(org), self.token_name(id)),
        }
    }

    /// Names the token of a change, given the actor: its own, itself, or somebody else's.
    fn token_for(&self, actor: Actor, id: TokenId, owner: Owner) -> String {
        match (actor, owner) {
            (Actor::Token { token, .. } | Actor::OrgToken { token, .. }, _) if token == id => {
                "itself".to_owned()
            }
            (Actor::Session { account, .. } | Actor::Token { account, .. }, Owner::Account(of))
                if account == of =>
            {
                format!("the token {}", self.token_name(id))
            }
            _ => self.token(id, owner),
        }
    }

    fn family(&self, actor: Actor, family: Lineage, owner: Option<Owner>) -> String {
        match (family, owner) {
            (Lineage::Token(token), Some(owner)) => self.token_for(actor, token, owner),
            (Lineage::Token(token), None) => format!("the token {}", self.token_name(token)),
            (Lineage::Service(service), _) => match actor {
                Actor::Service { service: by } if by == service => "itself".to_owned(),
                _ => self.service(service),
            },
        }
    }

    fn actor(&self, entry: &Entry) -> String {
        let name = match entry.actor {
            Actor::Console => "the console".to_owned(),
            Actor::Authority => return "ndauth".to_owned(),
            Actor::Session { account, .. } => return self.account(account),
            Actor::Service { service } => self.service(service),
            Actor::Token { account, token } => return self.token(token, Owner::Account(account)),
            Actor::OrgToken { org, token } => return self.token(token, Owner::Org(org)),
        };
        let mut letters = name.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
    }

    fn level(&self, level: Level) -> String {
        match level {
            Level::Owner => "for its owner".to_owned(),
            Level::Operator => "for the operator".to_owned(),
            Level::Org(org) => format!("in {}", self.org(org)),
        }
    }

    fn levels(&self, levels: &[Level]) -> String {
        let mut seen: Vec<String> =
            self.reader.levels(levels).into_iter().map(|level| self.level(level)).collect();
        seen.sort();
        seen.join(" and ")
    }

    /// Says what was done, in the past tense.
    fn did(&self, entry: &Entry) -> String {
        let actor = entry.actor;
        let is_own = |account: AccountId| matches!(actor, Actor::Session { account: by, .. } | Actor::Token { account: by, .. } if by == account);
        let account = |id| if is_own(id) { "its own account".to_owned() } else { self.account(id) };
        match &entry.change {
            Change::AccountCreated { account: id, operator: false } => {
                format!("created the account {}", self.account(*id))
            }
            Change::AccountCreated { account: id, operator: true } => {
                format!("created the account {} as an operator", self.account(*id))
            }
            Change::AccountUpdated { account: id } => {
                format!("changed the address or the name of {}", account(*id))
            }
            Change::NoticesSet { off, .. } if off.is_empty() => "turned all notices on".to_owned(),
            Change::NoticesSet { off, .. } => {
                let kinds: Vec<String> = off.iter().map(|kind| format!("`{kind}`")).collect();
                format!("turned off the notices {}, and all others on", kinds.join(", "))
            }
            Change::OperatorSet { account: id, operator: true } => {
                format!("made {} an operator", account(*id))
            }
            Change::OperatorSet { account: id, operator: false } => {
                format!("took the mark of an operator from {}", account(*id))
            }
            Change::AccountDisabled { account: id } => format!("disabled {}", account(*id)),
            Change::AccountEnabled { account: id } => format!("enabled {}", account(*id)),
            Change::AccountErased { account: id } => format!("erased the personal data of {}", account(*id)),
            Change::AccountSignedOut { account: id } => format!("ended every session of {}", account(*id)),
            Change::AccountInvited { account: id } => format!("made an invitation for {}", account(*id)),
            Change::SignInLinkIssued { account: id } => format!("made a link to sign in as {}", account(*id)),
            Change::PasswordSet { account: id } => match is_own(*id) {
                true => "set a password".to_owned(),
                false => format!("set a password for {}", self.account(*id)),
            },
            Change::AccountIdentified { account: id } => {
                format!("linked an identity of another provider to {}", account(*id))
            }
            Change::AccountTokensRevoked { account: id, not_before, reason } => {
                let whose = if is_own(*id) { "its".to_owned() } else { format!("{}'s", self.account(*id)) };
                format!("revoked all of {whose} tokens made before {not_before} ({reason})")
            }
            Change::SessionIssued { account: id, .. } if !is_own(*id) => {
                format!("issued a session for {}", self.account(*id))
            }
            Change::SessionIssued { .. } => match self.recorded("device") {
                Some(device) => format!("signed in with {device}"),
                None => "signed in".to_owned(),
            },
            Change::SessionEnded { reason: Some(RevocationReason::Leaked), .. } => {
                "lost a session, whose secret was reported as leaked".to_owned()
            }
            Change::SessionEnded { reused: true, account: id, .. } => {
                format!("ended a session of {}, whose refresh secret was presented twice", self.account(*id))
            }
            Change::SessionEnded { reused: false, account: id, .. } => match is_own(*id) {
                true => "ended a session".to_owned(),
                false => format!("ended a session of {}", self.account(*id)),
            },
            Change::OrgCreated { org, admin: None } => format!("created the org {}", self.org(*org)),
            Change::OrgCreated { org, admin: Some(admin) } => {
                format!("created the org {} with {} as its admin", self.org(*org), self.account(*admin))
            }
            Change::OrgDeleted { org } => format!("deleted the org {}", self.org(*org)),
            Change::OrgFrozen { org } => format!("froze {}", self.org(*org)),
            Change::OrgUnfrozen { org } => format!("unfroze {}", self.org(*org)),
            Change::OrgTokensRevoked { org, not_before, reason } => {
                format!("revoked all tokens made before {not_before} in {} ({reason})", self.org(*org))
            }
            Change::PolicySet { org, .. } => format!("set the policy of {}", self.org(*org)),
            Change::CatalogueApplied { .. } => "replaced the catalogue".to_owned(),
            Change::MemberSet { org, account: id, role, offer: Some(_) } if is_own(*id) => {
                format!("accepted a membership in {} with the role {role}", self.org(*org))
            }
            Change::MemberSet { org, account: id, role, .. } => {
                format!("gave {} the role {role} in {}", account(*id), self.org(*org))
            }
            Change::MemberOffered { org, role, .. } => {
                let to = self.recorded(OFFERED_TO).unwrap_or("somebody");
                format!("offered {to} a membership in {} with the role {role}", self.org(*org))
            }
            Change::OfferDeclined { org, .. } => format!("declined a membership in {}", self.org(*org)),
            Change::OfferWithdrawn { org, .. } => {
                format!("withdrew an offered membership in {}", self.org(*org))
            }
            Change::MemberRemoved { org, account: id } => match is_own(*id) {
                true => format!("left {}", self.org(*org)),
                false => format!("removed {} from {}", self.account(*id), self.org(*org)),
            },
            Change::ServiceCreated { service } => format!("registered {}", self.service(*service)),
            Change::ServiceRevoked { service } => format!("revoked {}", self.service(*service)),
            Change::Restored { copy, replayed, .. } => {
                format!("put a copy that ended at event {copy} into service, with {replayed} events replayed")
            }
            Change::TokenCreated { token, owner } => {
                format!("created {}", self.token_for(actor, *token, *owner))
            }
            Change::TokenDerived { .. } => "got a short-lived token from a session".to_owned(),
            // Whoever has its secret acts as the token.
            Change::TokenRevoked { reason: RevocationReason::Leaked, presented: Some(_), .. } => {
                "was reported as leaked by its secret, and was revoked".to_owned()
            }
            Change::TokenRevoked { token, owner, reason, .. } => {
                format!("revoked {} ({reason})", self.token_for(actor, *token, *owner))
            }
            Change::TokenUpdated { token, owner } => {
                format!("changed the description of {}", self.token_for(actor, *token, *owner))
            }
            Change::TokenRenewed { token, owner, expires_at } => {
                format!("renewed {} {}", self.token_for(actor, *token, *owner), until(*expires_at))
            }
            Change::TokenSuspended { token, owner, level } => {
                format!("suspended {} {}", self.token_for(actor, *token, *owner), self.level(*level))
            }
            Change::TokenResumed { token, owner, levels } => {
                format!("resumed {} {}", self.token_for(actor, *token, *owner), self.levels(levels))
            }
            Change::SecretMinted { family, owner, .. } => {
                format!("began to rotate {}", self.family(actor, *family, *owner))
            }
            Change::SecretConfirmed { family, owner, others_end_at, .. } => {
                format!(
                    "confirmed the new secret of {}; the old one ends by {others_end_at}",
                    self.family(actor, *family, *owner)
                )
            }
            Change::SecretDropped { reason: Some(RevocationReason::Leaked), .. } => {
                "was reported as leaked by its new secret, which was dropped".to_owned()
            }
            Change::SecretDropped { family, owner, .. } => {
                format!("dropped the new secret of {}", self.family(actor, *family, *owner))
            }
            Change::SecretRetired { reason: Some(RevocationReason::Leaked), .. } => {
                "was reported as leaked by its old secret, which was retired".to_owned()
            }
            Change::SecretRetired { family, owner, .. } => {
                format!("retired the old secret of {}", self.family(actor, *family, *owner))
            }
            Change::SecretReused { family, owner, suspended, reported, .. } => {
                let of = self.family(actor, *family, *owner);
                let prefix = self.recorded("prefix").map(|prefix| format!(" {prefix}")).unwrap_or_default();
                let saw = if *reported { "got a report of" } else { "saw" };
                match self.levels(suspended).as_str() {
                    "" => format!("{saw} the retired secret{prefix} of {of}"),
                    levels => format!("{saw} the retired secret{prefix} of {of}, and suspended it {levels}"),
                }
            }
            Change::FamiliesRemoved { tokens, sessions, services, .. } => {
                format!(
                    "removed what ended long ago: {} tokens, {} sessions, {} services",
                    tokens.len(),
                    sessions.len(),
                    services.len()
                )
            }
            Change::LogPruned { through, .. } => format!("pruned the log up to event {through}"),
        }
    }
}

fn until(expires_at: Expiry) -> String {
    match expires_at {
        Expiry::At(at) => format!("until {at}"),
        Expiry::Never => "without an end".to_owned(),
    }
}
