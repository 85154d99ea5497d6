//! The state that the log records, gathered from its events.

use std::collections::{BTreeMap, BTreeSet};

use ndauth_core::{
    AccountId, Actor, AnnouncedPolicy, CatalogueDocument, Change, Entry, Expiry, Level, Lineage, OfferId,
    OrgId, Owner, Role, ServiceId, Session, SessionId, Timestamp, TokenId, TokenView,
};

/// The number of rows or events that are read at once.
pub(super) const PAGE: u64 = 1000;

/// The state that the log records.
#[derive(Default)]
pub(super) struct Recorded {
    pub(super) accounts: BTreeMap<AccountId, Existence>,
    pub(super) operators: BTreeSet<AccountId>,
    pub(super) orgs: BTreeMap<OrgId, Existence>,
    pub(super) members: BTreeMap<(OrgId, AccountId), Role>,
    pub(super) sessions: BTreeMap<SessionId, Existence>,
    /// The account of each session.
    owners: BTreeMap<SessionId, AccountId>,
    /// The session that each token was derived from.
    derived: BTreeMap<TokenId, SessionId>,
    /// The sequences and instants of the events that signed an account out, in order.
    signed_out: BTreeMap<AccountId, Vec<(u64, Timestamp)>>,
    pub(super) services: BTreeMap<ServiceId, Existence>,
    pub(super) tokens: BTreeMap<TokenId, Existence>,
    /// The policies of each org, in the order in which they were set.
    pub(super) policies: BTreeMap<OrgId, Vec<AnnouncedPolicy>>,
    pub(super) catalogue: Option<CatalogueDocument>,
    /// The instant before which every secret is revoked, if any is.
    pub(super) not_before: Option<Timestamp>,
    pub(super) suspended: BTreeMap<TokenId, BTreeSet<Level>>,
    /// The ends of tokens that were renewed or rotated.
    pub(super) ends: BTreeMap<TokenId, Expiry>,
    pub(super) frozen: BTreeMap<OrgId, Timestamp>,
    pub(super) offers: BTreeMap<OfferId, RecordedOffer>,
    /// The events that revoked all of an owner's tokens, in order.
    revoked_all: BTreeMap<Owner, Vec<Watermark>>,
}

/// An offered membership.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordedOffer {
    pub(super) org: OrgId,
    /// The actor who made the offer.
    pub(super) by: Actor,
    pub(super) role: Role,
    pub(super) ends_at: Timestamp,
}

/// An event that revoked all of an owner's tokens: its sequence, its instant, and the instant before which
/// secrets are revoked.
#[derive(Clone, Copy)]
struct Watermark {
    sequence: u64,
    at: Timestamp,
    not_before: Timestamp,
}

/// The sequence of the event that made a thing, and when the thing ended, if it did.
#[derive(Clone, Copy)]
pub(super) struct Existence {
    made: u64,
    pub(super) ended: Option<Timestamp>,
}

impl Existence {
    /// Sets the end to an instant, unless it is set to an earlier one.
    fn end_by(&mut self, at: Option<Timestamp>) {
        self.ended = [self.ended, at].into_iter().flatten().min();
    }
}

impl RecordedOffer {
    fn is_by(&self, maker: AccountId) -> bool {
        matches!(self.by, Actor::Session { account, .. } if account == maker)
    }
}

impl Recorded {
    /// Applies an event to the recorded state.
    pub(super) fn add(&mut self, sequence: u64, entry: Entry) {
        let at = entry.at;
        let (new, by) = (Existence { made: sequence, ended: None }, entry.actor);
        match entry.change {
            Change::AccountCreated { account, operator } => {
                self.accounts.insert(account, new);
                self.set_operator(account, operator);
            }
            Change::OperatorSet { account, operator } => self.set_operator(account, operator),
            Change::AccountDisabled { account } => {
                end(&mut self.accounts, account, Some(at));
                self.sign_out(account, sequence, at);
                self.offers.retain(|_, offer| !offer.is_by(account));
            }
            Change::AccountEnabled { account } => end(&mut self.accounts, account, None),
            Change::AccountSignedOut { account } | Change::PasswordSet { account } => {
                self.sign_out(account, sequence, at);
            }
            Change::SessionIssued { session, account } => {
                self.sessions.insert(session, new);
                self.owners.insert(session, account);
            }
            Change::SessionEnded { session, .. } => {
                end(&mut self.sessions, session, Some(at));
                self.end_derived(at, |of, _| of == session);
            }
            Change::OrgCreated { org, admin } => {
                self.orgs.insert(org, new);
                self.members.extend(admin.map(|admin| ((org, admin), Role::Admin)));
            }
            Change::OrgDeleted { org } => {
                end(&mut self.orgs, org, Some(at));
                self.offers.retain(|_, offer| offer.org != org);
            }
            Change::OrgFrozen { org } => drop(self.frozen.insert(org, at)),
            Change::OrgUnfrozen { org } => drop(self.frozen.remove(&org)),
            Change::MemberSet { org, account, role, offer } => {
                self.members.insert((org, account), role);
                self.offers.retain(|id, _| Some(*id) != offer);
                if role != Role::Admin {
                    self.end_offers(org, account);
                }
            }
            Change::MemberRemoved { org, account } => {
                self.members.remove(&(org, account));
                self.end_offers(org, account);
            }
            Change::MemberOffered { org, offer, role, ends_at } => {
                self.offers.insert(offer, RecordedOffer { org, by, role, ends_at });
            }
            Change::OfferDeclined { offer, .. } | Change::OfferWithdrawn { offer, .. } => {
                self.offers.remove(&offer);
            }
            Change::PolicySet { org, policies } => self.policies.entry(org).or_default().extend(policies),
            Change::CatalogueApplied { catalogue } => self.catalogue = Some(catalogue),
            Change::ServiceCreated { service } => drop(self.services.insert(service, new)),
            Change::ServiceRevoked { service } => end(&mut self.services, service, Some(at)),
            Change::TokenCreated { token, .. } => drop(self.tokens.insert(token, new)),
            Change::TokenDerived { token, session, .. } => {
                self.tokens.insert(token, new);
                self.derived.insert(token, session);
            }
            Change::TokenRevoked { token, .. } => end(&mut self.tokens, token, Some(at)),
            Change::TokenSuspended { token, level, .. } => self.suspend(token, [level]),
            Change::TokenResumed { token, levels, .. } => {
                self.suspended.entry(token).or_default().retain(|level| !levels.contains(level));
            }
            Change::SecretReused { family: Lineage::Token(token), suspended, .. } => {
                self.suspend(token, suspended);
            }
            Change::TokenRenewed { token, expires_at, .. }
            | Change::SecretConfirmed { family: Lineage::Token(token), expires_at, .. } => {
                self.ends.insert(token, expires_at);
            }
            Change::AccountTokensRevoked { account, not_before, .. } => {
                self.revoke_all(Owner::Account(account), Watermark { sequence, at, not_before });
            }
            Change::OrgTokensRevoked { org, not_before, .. } => {
                self.revoke_all(Owner::Org(org), Watermark { sequence, at, not_before });
            }
            Change::FamiliesRemoved { tokens, sessions, services, .. } => {
                self.tokens.retain(|id, _| !tokens.contains(id));
                self.derived.retain(|id, _| !tokens.contains(id));
                self.sessions.retain(|id, _| !sessions.contains(id));
                self.services.retain(|id, _| !services.contains(id));
            }
            Change::Restored { copy, not_before, .. } => {
                self.forget(copy);
                self.offers.clear();
                self.not_before = self.not_before.max(Some(not_before));
            }
            Change::AccountInvited { .. }
            | Change::AccountErased { .. }
            | Change::LogPruned { .. }
            | Change::AccountUpdated { .. }
            | Change::NoticesSet { .. }
            | Change::SignInLinkIssued { .. }
            | Change::AccountIdentified { .. }
            | Change::TokenUpdated { .. }
            | Change::SecretMinted { .. }
            | Change::SecretDropped { .. }
            | Change::SecretRetired { .. }
            | Change::SecretReused { .. }
            | Change::SecretConfirmed { .. } => {}
        }
    }

    fn set_operator(&mut self, account: AccountId, operator: bool) {
        if operator {
            self.operators.insert(account);
        } else {
            self.operators.remove(&account);
        }
    }

    /// Ends the offers that an account made in an org.
    fn end_offers(&mut self, org: OrgId, account: AccountId) {
        self.offers.retain(|_, offer| offer.org != org || !offer.is_by(account));
    }

    fn suspend(&mut self, token: TokenId, levels: impl IntoIterator<Item = Level>) {
        self.suspended.entry(token).or_default().extend(levels);
    }

    fn revoke_all(&mut self, owner: Owner, watermark: Watermark) {
        self.revoked_all.entry(owner).or_default().push(watermark);
    }

    /// Signs an account out, which ends what was derived from its sessions.
    fn sign_out(&mut self, account: AccountId, sequence: u64, at: Timestamp) {
        self.signed_out.entry(account).or_default().push((sequence, at));
        self.end_derived(at, |session, owners| owners.get(&session) == Some(&account));
    }

    /// Ends the tokens that were derived from ended sessions.
    fn end_derived(
        &mut self,
        at: Timestamp,
        ended: impl Fn(SessionId, &BTreeMap<SessionId, AccountId>) -> bool,
    ) {
        for (token, session) in &self.derived {
            if let Some(token) = self.tokens.get_mut(token)
                && ended(*session, &self.owners)
            {
                token.end_by(Some(at));
            }
        }
    }

    /// Forgets the things that were made after the end of a restored copy.
    fn forget(&mut self, copy: u64) {
        let kept = |existence: &Existence| existence.made <= copy;
        self.accounts.retain(|_, existence| kept(existence));
        self.orgs.retain(|_, existence| kept(existence));
        self.sessions.retain(|_, existence| kept(existence));
        self.services.retain(|_, existence| kept(existence));
        self.tokens.retain(|_, existence| kept(existence));
        let (orgs, accounts) = (&self.orgs, &self.accounts);
        self.policies.retain(|org, _| orgs.contains_key(org));
        self.members.retain(|(org, account), _| orgs.contains_key(org) && accounts.contains_key(account));
    }

    /// Returns true if all of an owner's tokens were ever revoked at once.
    pub(super) fn has_watermark(&self, owner: Owner) -> bool {
        self.revoked_all.contains_key(&owner)
    }

    /// Returns the instant before which an owner's tokens are all revoked, or the first instant there is if
    /// none are.
    pub(super) fn not_before_of(&self, owner: Owner) -> Timestamp {
        let watermarks = self.revoked_all.get(&owner).into_iter().flatten();
        watermarks.map(|watermark| watermark.not_before).max().unwrap_or(Timestamp::MIN)
    }

    /// Ends a session if its account was signed out before the session expired.
    pub(super) fn end_signed_out(&mut self, session: &Session) {
        let Some(existence) = self.sessions.get_mut(&session.id) else { return };
        let signed_out = self.signed_out.get(&session.account).into_iter().flatten();
        let mut ends = signed_out.filter(|(sequence, _)| *sequence > existence.made).map(|(_, at)| *at);
        existence.end_by(ends.next().filter(|at| !session.expires_at.is_past(*at)));
    }

    /// Ends a token that was revoked with all of its owner's, because its newest secret was authorized
    /// before.
    pub(super) fn end_revoked_with_all(&mut self, view: &TokenView) {
        let Some(existence) = self.tokens.get_mut(&view.token.id) else { return };
        let newest = view.secrets.iter().map(|secret| secret.record.authorized_at).max();
        let watermarks = self.revoked_all.get(&view.token.owner).into_iter().flatten();
        let mut concerning = watermarks
            .filter(|all| all.sequence > existence.made && newest.is_some_and(|at| at < all.not_before));
        existence.end_by(concerning.next().map(|all| all.at));
    }
}

fn end<Id: Ord + Copy>(things: &mut BTreeMap<Id, Existence>, id: Id, at: Option<Timestamp>) {
    if let Some(existence) = things.get_mut(&id) {
        existence.ended = at;
    }
}
