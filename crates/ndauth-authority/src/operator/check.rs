//! The database against itself: rows against each other, rows against the log, the log's own chain.

use std::collections::{BTreeMap, BTreeSet};

use ndauth_core::{
    AccountId, Catalogue, CatalogueDocument, Change, DatedPolicy, Entry, Expiry, Head, Level, Lineage, OrgId,
    OrgPolicy, Owner, Policies, Role, ServiceId, SessionId, Timestamp, Token, TokenId,
};
use ndauth_store::{Read, StoreError, TokenPage};

use super::catalogue::each_live_token_with_grants;
use super::copies::personal;
use crate::access::{Operation, Whose};
use crate::orgs::NETWORKS;
use crate::{Authority, AuthorityError, Credential};

/// What a check found.
#[derive(Debug)]
pub struct Checked {
    /// What is wrong; empty where nothing is.
    pub faults: Vec<String>,
    /// What is no fault, and worth to know: grants that name what left the catalogue, or was renamed.
    pub notes: Vec<String>,
    /// How many events there are.
    pub events: u64,
    /// How many rows of accounts, orgs, memberships, sessions, services and tokens were compared.
    pub rows: u64,
}

const PAGE: u64 = 1000;

impl Authority {
    /// Compares everything the database holds with everything it should hold.
    pub async fn check(&self, credential: &Credential) -> Result<Checked, AuthorityError> {
        let (read, _) = self.read_as(credential, Operation::Inspect, &Whose::Anyone).await?;
        let mut check = Check { told: Told::nothing(), faults: Vec::new(), rows: 0 };
        for fault in read.faults().await? {
            check.faults.push(format!("{}: `{}`", fault.what, fault.id));
        }
        check.log(&read).await?;
        check.rows(&read).await?;
        let (told, found) = (check.told.not_before, read.installation().not_before);
        if told != found {
            let fault = format!("secrets minted before {found} are revoked, and the log says before {told}");
            check.faults.push(fault);
        }
        let notes = match self.outdated_grants(&read).await {
            // A row that makes no sense was told of as a fault.
            Err(AuthorityError::Store(StoreError::Corrupt { .. })) => Vec::new(),
            notes => notes?,
        };
        Ok(Checked { faults: check.faults, notes, events: read.head().sequence, rows: check.rows })
    }
}

impl Authority {
    /// What tokens that live are granted under names that are not in the catalogue.
    async fn outdated_grants(&self, read: &Read) -> Result<Vec<String>, AuthorityError> {
        let catalogue = self.catalogue(read).await?;
        let mut notes = Vec::new();
        each_live_token_with_grants(read, |token, grants| {
            for (name, now) in catalogue.outdated(grants) {
                let becomes = match now {
                    Some(now) => format!("which is called `{now}` now, and has that power"),
                    None => "which is in the catalogue no longer, and has no power by it".to_owned(),
                };
                notes.push(format!("the token `{}` ({}) carries `{name}`, {becomes}", token.name, token.id));
            }
        })
        .await?;
        Ok(notes)
    }
}

struct Check {
    told: Told,
    faults: Vec<String>,
    rows: u64,
}

/// The state as the log tells it.
struct Told {
    accounts: BTreeMap<AccountId, Life>,
    orgs: BTreeMap<OrgId, Life>,
    members: BTreeMap<(OrgId, AccountId), Option<Role>>,
    sessions: BTreeMap<SessionId, Life>,
    /// Whose each session is.
    whose: BTreeMap<SessionId, AccountId>,
    /// From which session a token was derived.
    derived: BTreeMap<TokenId, SessionId>,
    /// By which event and when, in order.
    signed_out: BTreeMap<AccountId, Vec<(u64, Timestamp)>>,
    services: BTreeMap<ServiceId, Life>,
    tokens: BTreeMap<TokenId, Life>,
    /// From when each holds and what it says, in the order in which they were set.
    policies: BTreeMap<OrgId, Vec<(Timestamp, OrgPolicy)>>,
    catalogue: Option<CatalogueDocument>,
    not_before: Timestamp,
    suspended: BTreeMap<TokenId, BTreeSet<Level>>,
    /// Of tokens that were renewed or rotated.
    ends: BTreeMap<TokenId, Expiry>,
    accounts_shut: BTreeMap<AccountId, Timestamp>,
    /// Before when all is revoked, and since when it is frozen.
    orgs_shut: BTreeMap<OrgId, (Timestamp, Option<Timestamp>)>,
    /// When all of an owner's tokens were revoked, in order.
    revoked_all: BTreeMap<Owner, Vec<RevokedAll>>,
}

/// By which event all of an owner's tokens were revoked, when, and those of which time.
struct RevokedAll {
    sequence: u64,
    at: Timestamp,
    not_before: Timestamp,
}

/// Which event told of the making, and when the end came, if it did.
#[derive(Clone, Copy)]
struct Life {
    made: u64,
    ended: Option<Timestamp>,
}

impl Check {
    /// Follows the chain, and gathers what the events tell.
    async fn log(&mut self, read: &Read) -> Result<(), AuthorityError> {
        let mut last = Head::EMPTY;
        loop {
            let events = read.events_after(last.sequence, PAGE).await?;
            if events.is_empty() {
                break;
            }
            for event in events {
                if !event.follows(&last) {
                    self.faults.push(format!(
                        "the log's chain is broken at event {}, which does not follow event {}",
                        event.sequence, last.sequence
                    ));
                }
                match serde_json::from_slice::<Entry>(&event.public) {
                    Ok(mut entry) => {
                        if let Change::PolicySet { policy, .. } = &mut entry.change {
                            *policy = policy.clone().together(personal(&event, NETWORKS).as_deref());
                        }
                        self.told.hear(event.sequence, &entry);
                    }
                    Err(_) => self.faults.push(format!("event {} makes no sense", event.sequence)),
                }
                last = Head { sequence: event.sequence, hash: event.hash };
            }
        }
        if last != read.head() {
            self.faults.push(format!(
                "the head of the log stands at event {}, and the last event is {} (or its hash is another)",
                read.head().sequence,
                last.sequence
            ));
        }
        Ok(())
    }

    /// Compares the rows with what the log tells.
    async fn rows(&mut self, read: &Read) -> Result<(), AuthorityError> {
        if let Some(catalogue) = self.sound(read.catalogue().await)? {
            let (hashed, first) = read.check_catalogue().await?;
            let as_told = match self.told.catalogue.take() {
                None => first,
                // As the document reads once what it says twice is said once.
                Some(told) => Catalogue::new(&told).is_ok_and(|told| told == catalogue),
            };
            if !as_told || !hashed {
                self.faults.push("the catalogue is another than the log says".to_owned());
            }
        }
        self.policies(read).await?;
        if let Some(accounts) = self.sound(read.list_accounts().await)? {
            for row in &accounts {
                let told = self.told.accounts_shut.get(&row.id).copied().unwrap_or(Timestamp::MIN);
                if told != row.not_before {
                    let fault = "revokes other secrets than the log says";
                    self.faults.push(format!("the account `{}` {fault}", row.id));
                }
            }
            let rows = accounts.iter().map(|row| (row.id, row.disabled_at));
            let told = std::mem::take(&mut self.told.accounts);
            self.compare("account", "disabled", rows, told);
        }
        if let Some(orgs) = self.sound(read.list_orgs().await)? {
            for row in &orgs {
                let told = self.told.orgs_shut.get(&row.id).copied().unwrap_or((Timestamp::MIN, None));
                if told != (row.not_before, row.frozen_at) {
                    let fault = "revokes secrets or is frozen otherwise than the log says";
                    self.faults.push(format!("the org `{}` {fault}", row.id));
                }
            }
            let rows = orgs.iter().map(|row| (row.id, row.deleted_at));
            let told = std::mem::take(&mut self.told.orgs);
            self.compare("org", "deleted", rows, told);
        }
        if let Some(services) = self.sound(read.list_services().await)? {
            let rows = services.iter().map(|row| (row.id, row.revoked_at));
            let told = std::mem::take(&mut self.told.services);
            self.compare("service", "revoked", rows, told);
        }
        if let Some(sessions) = self.sound(read.list_sessions().await)? {
            let mut told = std::mem::take(&mut self.told.sessions);
            for row in &sessions {
                // Signing out ends all of an account's sessions but those that had come to their end.
                if let Some(life) = told.get_mut(&row.id) {
                    let signed_out = self.told.signed_out.get(&row.account).into_iter().flatten();
                    let mut ends =
                        signed_out.filter(|(sequence, _)| *sequence > life.made).map(|(_, at)| *at);
                    let signed_out = ends.next().filter(|at| !row.expires_at.is_past(*at));
                    life.ended = [life.ended, signed_out].into_iter().flatten().min();
                }
            }
            let rows = sessions.iter().map(|row| (row.id, row.revoked_at));
            self.compare("session", "ended", rows, told);
        }
        if let Some(members) = self.sound(read.list_every_member().await)? {
            self.rows += members.len() as u64;
            let mut told = std::mem::take(&mut self.told.members);
            for member in members {
                let place = format!("the account `{}` in the org `{}`", member.account, member.org);
                match told.remove(&(member.org, member.account)) {
                    None => self.faults.push(format!("{place} is a member, and the log does not say so")),
                    Some(Some(role)) if role != member.role => self
                        .faults
                        .push(format!("{place} has the role `{}`, and the log says `{role}`", member.role)),
                    Some(_) => {}
                }
            }
            for (org, account) in told.into_keys() {
                self.faults.push(format!(
                    "the account `{account}` is no member of the org `{org}`, and the log says that it is"
                ));
            }
        }
        self.tokens(read).await
    }

    async fn policies(&mut self, read: &Read) -> Result<(), AuthorityError> {
        let Some(orgs) = self.sound(read.list_orgs().await)? else { return Ok(()) };
        for org in orgs {
            let Some(policies) = self.sound(read.find_policies(org.id).await)? else { continue };
            let told = self.told.policies.remove(&org.id).unwrap_or_default();
            self.rows += told.len() as u64;
            let told = told.into_iter().zip(0_i64..).map(|((takes_hold_at, policy), order)| {
                let set_at = Timestamp::from_micros(order).unwrap_or(Timestamp::MIN);
                DatedPolicy { set_at, takes_hold_at, policy }
            });
            if !Policies::new(told).says_the_same_as(&policies) {
                self.faults
                    .push(format!("the policies of the org `{}` are others than the log says", org.slug));
            }
        }
        Ok(())
    }

    async fn tokens(&mut self, read: &Read) -> Result<(), AuthorityError> {
        let mut rows = Vec::new();
        let mut after = None;
        loop {
            let page = TokenPage { include_revoked: true, after, limit: PAGE };
            let Some(tokens) = self.sound(read.list_every_token(page).await)? else { return Ok(()) };
            after = tokens.last().map(|token| token.id);
            if after.is_none() {
                break;
            }
            for token in &tokens {
                let levels: BTreeSet<Level> = token.suspensions.iter().map(|of| of.level).collect();
                if self.told.suspended.remove(&token.id).unwrap_or_default() != levels {
                    self.faults
                        .push(format!("the token `{}` is suspended otherwise than the log says", token.id));
                }
                if self.told.ends.get(&token.id).is_some_and(|end| *end != token.expires_at) {
                    self.faults
                        .push(format!("the token `{}` ends at another time than the log says", token.id));
                }
            }
            rows.extend(tokens.iter().map(|token| (token.id, token.revoked_at)));
            self.revoked_all(read, tokens).await?;
        }
        let told = std::mem::take(&mut self.told.tokens);
        self.compare("token", "revoked", rows.into_iter(), told);
        Ok(())
    }

    /// Ends, of what the log tells, the tokens that were revoked with all of their owner's.
    async fn revoked_all(&mut self, read: &Read, mut tokens: Vec<Token>) -> Result<(), AuthorityError> {
        tokens.retain(|token| self.told.revoked_all.contains_key(&token.owner));
        for view in self.sound(read.view_tokens(tokens).await)?.unwrap_or_default() {
            let newest = view.secrets.iter().map(|secret| secret.record.minted_at).max();
            let all = self.told.revoked_all.get(&view.token.owner).into_iter().flatten();
            if let Some(life) = self.told.tokens.get_mut(&view.token.id) {
                let mut all = all
                    .filter(|all| all.sequence > life.made && newest.is_some_and(|at| at < all.not_before));
                life.ended = [life.ended, all.next().map(|all| all.at)].into_iter().flatten().min();
            }
        }
        Ok(())
    }

    /// A row that makes no sense is a fault, and no reason to stop.
    fn sound<T>(&mut self, outcome: Result<T, StoreError>) -> Result<Option<T>, AuthorityError> {
        match outcome {
            Ok(rows) => Ok(Some(rows)),
            Err(error @ StoreError::Corrupt { .. }) => {
                self.faults.push(error.to_string());
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn compare<Id: Ord + Copy + std::fmt::Display>(
        &mut self,
        what: &str,
        end: &str,
        rows: impl Iterator<Item = (Id, Option<Timestamp>)>,
        mut told: BTreeMap<Id, Life>,
    ) {
        for (id, ended) in rows {
            self.rows += 1;
            match told.remove(&id) {
                None => {
                    self.faults.push(format!("the {what} `{id}` is there, and the log does not tell of it"));
                }
                Some(life) if life.ended == ended => {}
                Some(Life { ended: Some(at), .. }) if ended.is_none() => {
                    self.faults
                        .push(format!("the {what} `{id}` lives, and the log says it was {end} at {at}"));
                }
                Some(life) => self.faults.push(format!(
                    "the {what} `{id}` was {end} at {}, and the log says {}",
                    ended.map_or("no time".to_owned(), |at| at.to_string()),
                    life.ended.map_or("that it was not".to_owned(), |at| at.to_string())
                )),
            }
        }
        for id in told.into_keys() {
            self.faults.push(format!("the log tells of the {what} `{id}`, and it is not there"));
        }
    }
}

impl Told {
    fn nothing() -> Told {
        Told {
            accounts: BTreeMap::new(),
            orgs: BTreeMap::new(),
            members: BTreeMap::new(),
            sessions: BTreeMap::new(),
            whose: BTreeMap::new(),
            derived: BTreeMap::new(),
            signed_out: BTreeMap::new(),
            services: BTreeMap::new(),
            tokens: BTreeMap::new(),
            policies: BTreeMap::new(),
            catalogue: None,
            not_before: Timestamp::MIN,
            suspended: BTreeMap::new(),
            ends: BTreeMap::new(),
            accounts_shut: BTreeMap::new(),
            orgs_shut: BTreeMap::new(),
            revoked_all: BTreeMap::new(),
        }
    }

    fn hear(&mut self, sequence: u64, entry: &Entry) {
        let life = Life { made: sequence, ended: None };
        let end = |life: Option<&mut Life>, at: Option<Timestamp>| {
            if let Some(life) = life {
                life.ended = at;
            }
        };
        match entry.change.clone() {
            Change::AccountCreated { account } => drop(self.accounts.insert(account, life)),
            Change::AccountDisabled { account, signed_out } => {
                end(self.accounts.get_mut(&account), Some(entry.at));
                if signed_out {
                    self.sign_out(account, sequence, entry.at);
                }
            }
            Change::AccountEnabled { account } => end(self.accounts.get_mut(&account), None),
            Change::AccountSignedOut { account } | Change::PasswordSet { account } => {
                self.sign_out(account, sequence, entry.at);
            }
            Change::SessionEnded { session, .. } => {
                end(self.sessions.get_mut(&session), Some(entry.at));
                self.end_derived(entry.at, |of, _| of == session);
            }
            Change::AccountInvited { .. } | Change::AccountIdentified { .. } => {}
            Change::TokenDerived { token, session } => {
                self.tokens.insert(token, life);
                self.derived.insert(token, session);
            }
            Change::SecretMinted { .. }
            | Change::TokenUpdated { .. }
            | Change::SecretDropped { .. }
            | Change::SecretRetired { .. } => {}
            Change::SecretReused { family: Lineage::Token(token), suspended, .. } => {
                self.suspended.entry(token).or_default().extend(suspended);
            }
            Change::TokenSuspended { token, level } => {
                self.suspended.entry(token).or_default().insert(level);
            }
            Change::TokenResumed { token, levels } => {
                let of_token = self.suspended.entry(token).or_default();
                of_token.retain(|level| !levels.contains(level));
            }
            Change::TokenRenewed { token, expires_at }
            | Change::SecretConfirmed { family: Lineage::Token(token), expires_at, .. } => {
                self.ends.insert(token, expires_at);
            }
            Change::SecretReused { .. } | Change::SecretConfirmed { .. } => {}
            Change::AccountTokensRevoked { account, not_before, .. } => {
                let all = RevokedAll { sequence, at: entry.at, not_before };
                self.revoked_all.entry(Owner::Account(account)).or_default().push(all);
                let shut = self.accounts_shut.entry(account).or_insert(not_before);
                *shut = not_before.max(*shut);
            }
            Change::OrgTokensRevoked { org, not_before, .. } => {
                let all = RevokedAll { sequence, at: entry.at, not_before };
                self.revoked_all.entry(Owner::Org(org)).or_default().push(all);
                let shut = &mut self.orgs_shut.entry(org).or_insert((not_before, None)).0;
                *shut = not_before.max(*shut);
            }
            Change::OrgFrozen { org } => {
                self.orgs_shut.entry(org).or_insert((Timestamp::MIN, None)).1 = Some(entry.at);
            }
            Change::OrgUnfrozen { org } => {
                self.orgs_shut.entry(org).or_insert((Timestamp::MIN, None)).1 = None;
            }
            Change::FamiliesRemoved { tokens, sessions, services, .. } => {
                self.tokens.retain(|id, _| !tokens.contains(id));
                self.derived.retain(|id, _| !tokens.contains(id));
                self.sessions.retain(|id, _| !sessions.contains(id));
                self.services.retain(|id, _| !services.contains(id));
            }
            Change::OrgCreated { org, admin } => {
                self.orgs.insert(org, life);
                self.members.extend(admin.map(|admin| ((org, admin), Some(Role::Admin))));
            }
            Change::PolicySet { org, takes_hold_at, policy } => {
                self.policies.entry(org).or_default().push((takes_hold_at, policy));
            }
            Change::CatalogueApplied { catalogue } => self.catalogue = Some(catalogue),
            Change::OrgDeleted { org } => end(self.orgs.get_mut(&org), Some(entry.at)),
            Change::MemberSet { org, account, role } => drop(self.members.insert((org, account), role)),
            Change::MemberRemoved { org, account } => drop(self.members.remove(&(org, account))),
            Change::SessionIssued { session, account } => {
                self.sessions.insert(session, life);
                self.whose.insert(session, account);
            }
            Change::ServiceCreated { service } => drop(self.services.insert(service, life)),
            Change::ServiceRevoked { service } => end(self.services.get_mut(&service), Some(entry.at)),
            Change::TokenCreated { token } => drop(self.tokens.insert(token, life)),
            Change::TokenRevoked { token, .. } => end(self.tokens.get_mut(&token), Some(entry.at)),
            Change::Restored { copy, not_before, .. } => {
                self.forget(copy);
                self.not_before = self.not_before.max(not_before);
            }
        }
    }

    /// With an account's sessions ends what was derived from them.
    fn sign_out(&mut self, account: AccountId, sequence: u64, at: Timestamp) {
        self.signed_out.entry(account).or_default().push((sequence, at));
        self.end_derived(at, |session, whose| whose.get(&session) == Some(&account));
    }

    /// With a session ends what was derived from it.
    fn end_derived(
        &mut self,
        at: Timestamp,
        ended: impl Fn(SessionId, &BTreeMap<SessionId, AccountId>) -> bool,
    ) {
        for (token, session) in &self.derived {
            if let Some(life) = self.tokens.get_mut(token)
                && ended(*session, &self.whose)
            {
                life.ended = life.ended.or(Some(at));
            }
        }
    }

    /// What was made behind the end of a restored copy is told of, and not there.
    fn forget(&mut self, copy: u64) {
        let kept = |life: &Life| life.made <= copy;
        self.accounts.retain(|_, life| kept(life));
        self.orgs.retain(|_, life| kept(life));
        self.sessions.retain(|_, life| kept(life));
        self.services.retain(|_, life| kept(life));
        self.tokens.retain(|_, life| kept(life));
        let (orgs, accounts) = (&self.orgs, &self.accounts);
        self.policies.retain(|org, _| orgs.contains_key(org));
        self.members.retain(|(org, account), _| orgs.contains_key(org) && accounts.contains_key(account));
    }
}
