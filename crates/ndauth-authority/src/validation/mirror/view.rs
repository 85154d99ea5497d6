//! One state of the mirror, as an answer sees it.

use std::net::IpAddr;
use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ndauth_clock::SinceBoot;
use ndauth_core::{
    Account, AccountId, Asker, EffectiveGrants, Handle, InputOwner, InputPlace, Inputs, Installation, Label,
    LastUse, Level, Names, Org, OrgId, OrgSlug, OrgView, OrgWithPolicies, Orgs, Owner, OwnerView,
    PolicyWarning, Requirement, Role, RulesVersion, SecretHash, SecretId, SecretRecord, SecretView, Service,
    ServiceId, Services, Timestamp, Token, TokenView, Viewer,
};
use ndauth_store::{DatabaseClock, Place, StoreError, Use};
use papaya::LocalGuard;

use super::effects::Effects;
use super::feed::Recent;
use super::rows::DecisionRules;
use super::state::{Known, State, TokenFamily};
use crate::access::held::{Held, Judging, OwnerName, TokenQuestion};
use crate::observations::uses::ReportedUse;
use crate::{AuthorityError, Caller};

/// The state as of one event.
pub(crate) struct View<'a> {
    state: &'a State,
    guard: &'a LocalGuard<'a>,
    rules: &'a DecisionRules,
    /// The sequence of the last event that it is sure to take into account.
    pub(crate) sequence: u64,
    /// The moment up to which it is known to hold everything.
    pub(crate) confirmed: SinceBoot,
    /// The moment up to which it holds everything of a database that answered as a primary.
    pub(crate) asked: SinceBoot,
    /// True if it is older than the bound, within the grace that the operator set.
    pub(crate) stale: bool,
    moment: SinceBoot,
    /// The instant by which expiry is judged.
    pub(crate) now: Timestamp,
}

/// An answer found in the mirror.
pub(crate) enum Found<T> {
    /// The answer follows from what the state holds.
    Held(T),
    /// The answer follows from the absence of a secret, so it holds only as of an end of the log that was
    /// queried after the question came.
    Missed(T),
    /// There is no answer, because the state is too old.
    TooOld,
}

/// The most orgs among the inputs of one secret.
const MOST_PLACES: usize = 32;
/// The most warnings of one token.
const MOST_WARNINGS: usize = 4;

/// The number of tries of a look before other tasks go first.
const TRIES: u32 = 100;

/// Returns a closure that is a question to a view. The question adds the effects of its answer, which are run
/// once the answer is final.
pub(crate) fn asking<T, F: for<'v> Fn(&View<'v>, &mut Effects<'v>) -> T>(question: F) -> F {
    question
}

impl State {
    /// Asks a question, and runs the effects of its answer once. `None` if the state changed at every try.
    pub(crate) fn look<T>(
        &self,
        watch: &DatabaseClock,
        moment: SinceBoot,
        stale: bool,
        question: impl for<'v> Fn(&View<'v>, &mut Effects<'v>) -> T,
        run_effects: impl FnOnce(&T, Effects<'_>),
    ) -> Option<T> {
        for _ in 0..TRIES {
            let version = self.version.load(Ordering::Acquire);
            if version % 2 == 1 {
                std::hint::spin_loop();
                continue;
            }
            let guard = self.secrets.guard();
            let rules = self.rules.load();
            let view = View {
                state: self,
                guard: &guard,
                rules: &rules,
                sequence: self.sequence.load(Ordering::Relaxed),
                confirmed: self.confirmed(),
                asked: SinceBoot::from_micros(self.asked.load(Ordering::Acquire)),
                stale,
                moment,
                now: watch.at(moment),
            };
            let mut effects = Effects::default();
            let found = question(&view, &mut effects);
            fence(Ordering::Acquire);
            if self.version.load(Ordering::Relaxed) == version {
                run_effects(&found, effects);
                return Some(found);
            }
        }
        None
    }
}

impl Names for View<'_> {
    fn account(&self, id: AccountId) -> Option<(Handle, Timestamp)> {
        View::account(self, id).map(|account| (account.handle.clone(), account.not_before))
    }

    fn org(&self, id: OrgId) -> Option<(OrgSlug, Timestamp)> {
        View::org(self, id).map(|org| (org.slug.clone(), org.not_before))
    }

    fn service(&self, id: ServiceId) -> Option<Label> {
        self.state.services.get(&id, self.guard).map(|known| known.name.clone())
    }

    fn not_before(&self) -> Timestamp {
        self.installation().not_before
    }
}

impl<'a> View<'a> {
    pub(crate) fn secret(&self, hash: &SecretHash) -> Option<&'a Known> {
        self.state.secrets.get(hash, self.guard)
    }

    /// Returns the id of the loaded state. Two states may for a moment hold different ends of a log.
    pub(crate) fn state_id(&self) -> u64 {
        self.state.id
    }

    pub(crate) fn installation(&self) -> &'a Installation {
        &self.rules.installation
    }

    /// Returns the inputs that all decisions of this view share.
    pub(crate) fn judging(&self) -> Judging<'a> {
        let DecisionRules { installation, catalogue, .. } = self.rules;
        Judging { catalogue, not_before: installation.not_before, now: self.now }
    }

    /// Returns the part of a token's grants that the catalogue leaves, if the grants are a set.
    pub(crate) fn effective_grants(
        &self,
        family: &TokenFamily,
    ) -> Option<Arc<(RulesVersion, EffectiveGrants)>> {
        family.effective_grants(self.rules)
    }

    pub(crate) fn rules_version(&self) -> RulesVersion {
        self.rules.version
    }

    /// Returns the rules, for a service.
    pub(crate) fn rules_of(&self, service: &Service) -> ndauth_core::Rules {
        ndauth_core::Rules {
            version: self.rules.version,
            service: service.clone(),
            catalogue: self.rules.catalogue.clone(),
            not_before: self.rules.installation.not_before,
        }
    }

    /// Returns the feed of the last events.
    pub(crate) fn recent(&self) -> &'a Mutex<Recent> {
        &self.state.recent
    }

    /// Returns the use of a secret that a service reports, and its org. None if the service may not ask about
    /// the token; no org if it may not ask about that.
    pub(crate) fn passed(&self, service: &Service, reported: &ReportedUse) -> Option<(Use, Option<OrgId>)> {
        let Some(Known::Token(family, which, _)) = self.secret(&reported.secret) else { return None };
        if !self.may_ask(&service.orgs, family.token.owner) {
            return None;
        }
        let LastUse { at, address } = reported.last;
        let last = LastUse { at: at.min(self.now), address: address.filter(|_| service.states_address) };
        let (client, counts) = (reported.client.clone(), reported.counts);
        let org = reported.org.as_ref().and_then(|slug| self.org_of_use(service, &family.token, slug));
        Some((Use { secret: family.secret(*which).id, client, last, counts }, org))
    }

    /// Returns the org of a use that a service reports, if the service may ask about the org, the token is
    /// for it, and the token's owner has a part in it.
    fn org_of_use(&self, service: &Service, token: &Token, slug: &OrgSlug) -> Option<OrgId> {
        let OrgView::Org(org, role, _) = self.ground(token.owner, slug).ok()? else { return None };
        let stands_there = role.is_some() || token.owner == Owner::Org(org.id);
        (stands_there && service.orgs.contain(&org.id) && token.orgs.contain(&org.id)).then_some(org.id)
    }

    /// Returns true if a service for these orgs may ask about an owner's tokens, or if the owner's row is
    /// corrupt.
    pub(crate) fn may_ask(&self, orgs: &Orgs, owner: Owner) -> bool {
        match owner {
            _ if *orgs == Orgs::All => true,
            Owner::Org(org) => orgs.contain(&org),
            Owner::Account(account) => match self.state.people.get(&account, self.guard) {
                Some(person) => person.roles.iter().any(|(org, _)| orgs.contain(org)),
                None => true,
            },
        }
    }

    /// Returns the inputs of a decision about one of a token's secrets, limited to the orgs that the service
    /// may ask about. The org of the question comes first.
    pub(crate) fn inputs(
        &self,
        service: &Service,
        family: &TokenFamily,
        which: u32,
        asked: Option<&OrgSlug>,
    ) -> Result<Inputs, StoreError> {
        let token = &family.token;
        let ground = |place: &Place| OrgWithPolicies {
            org: place.org.clone(),
            policies: place.policies.since(self.now),
        };
        let mut places = Vec::new();
        if let Some(slug) = asked {
            places.push(match self.ground(token.owner, slug)? {
                OrgView::Org(org, role, policies) if service.orgs.contain(&org.id) => {
                    let ground = OrgWithPolicies { org: org.clone(), policies: policies.since(self.now) };
                    InputPlace::In(Arc::new(ground), role)
                }
                OrgView::Org(..) | OrgView::None => InputPlace::Nowhere(slug.clone()),
            });
        }
        let (owner, at_home): (InputOwner, Vec<(OrgId, Option<Role>)>) = match token.owner {
            Owner::Account(id) => {
                let person = self.state.people.get(&id, self.guard).ok_or_else(|| ownerless(token))?;
                let Account { handle, disabled_at, last_login_at, not_before, .. } = person.account.clone();
                let owner = InputOwner::Account { id, handle, disabled_at, last_login_at, not_before };
                (owner, person.roles.iter().map(|(org, role)| (*org, Some(*role))).collect())
            }
            Owner::Org(id) => {
                let org = self.org(id).ok_or_else(|| ownerless(token))?;
                (InputOwner::Org(org.clone()), vec![(id, None)])
            }
        };
        for (org, role) in at_home.into_iter().filter(|(org, _)| service.orgs.contain(org)) {
            let Some(place) = self.state.places.get(&org, self.guard) else { continue };
            if places.len() < MOST_PLACES && Some(&place.org.slug) != asked {
                places.push(InputPlace::In(Arc::new(ground(place)), role));
            }
        }
        // A service does not learn of other services that the token is for.
        let here = token.services.contain(&service.id);
        // Nor does it learn of another org that suspended the token.
        let may_know = |level| match level {
            Level::Owner | Level::Operator => true,
            Level::Org(org) => service.orgs.contain(&org),
        };
        let token = Token {
            description: None,
            orgs: token.orgs.meet(&service.orgs),
            suspensions: token.suspensions.iter().filter(|of| may_know(of.level)).cloned().collect(),
            services: if here { Services::All } else { Services::Only([].into()) },
            ..token.clone()
        };
        Ok(Inputs { secret: family.secret(which).clone(), token, owner, places })
    }

    /// Returns the time since the view was known to hold everything.
    pub(crate) fn age(&self) -> Duration {
        self.moment.since(self.confirmed)
    }

    /// Fails unless the service and the secret that it presents are live.
    pub(crate) fn judge_service(
        &self,
        service: &Service,
        secret: &SecretRecord,
    ) -> Result<(), AuthorityError> {
        Caller::judge_service(service, secret, self.installation().not_before, self.now)
    }

    /// Returns the caller that presents one of a token's secrets. Fails unless the token is live.
    pub(crate) fn token_caller(
        &self,
        family: &TokenFamily,
        which: u32,
        from: Option<IpAddr>,
    ) -> Result<Caller, AuthorityError> {
        let owner = match family.token.owner {
            Owner::Account(id) => self.account(id).cloned().map(OwnerName::Account),
            Owner::Org(id) => self.org(id).cloned().map(OwnerName::Org),
        };
        let owner = owner.ok_or_else(|| ownerless(&family.token))?;
        let held = Held { record: family.secret(which).clone(), token: family.token.clone(), owner };
        Caller::of_token(held, from, self.judging())
    }

    /// Returns the owner of a token.
    pub(crate) fn owner(&self, token: &Token) -> Result<OwnerView<'a>, StoreError> {
        let found = match token.owner {
            Owner::Account(id) => self.account(id).map(|account| OwnerView::Account(account.into())),
            Owner::Org(id) => self.org(id).map(OwnerView::Org),
        };
        found.ok_or_else(|| ownerless(token))
    }

    fn account(&self, id: AccountId) -> Option<&'a Account> {
        self.state.people.get(&id, self.guard).map(|person| &person.account)
    }

    fn org(&self, id: OrgId) -> Option<&'a Org> {
        self.state.places.get(&id, self.guard).map(|place| &place.org)
    }

    /// Returns the names of these orgs.
    pub(crate) fn name_orgs(&self, orgs: &Orgs) -> Orgs<OrgSlug> {
        orgs.named(|id| self.org(*id).map(|org| org.slug.clone()))
    }

    /// Returns the announced policies under which a token will be refused, the soonest first, if it is used from this
    /// address.
    pub(crate) fn policy_warnings(
        &self,
        token: &Token,
        record: &SecretRecord,
        address: Option<IpAddr>,
    ) -> Vec<PolicyWarning> {
        let Ok(owner) = self.owner(token) else { return Vec::new() };
        let orgs = match token.owner {
            Owner::Org(org) => vec![(org, None)],
            Owner::Account(id) => {
                let person = self.state.people.get(&id, self.guard);
                let roles = person.into_iter().flat_map(|person| person.roles.iter());
                roles.map(|(org, role)| (*org, Some(*role))).collect()
            }
        };
        let announces = |(org, role): (OrgId, Option<Role>)| {
            let place = self.state.places.get(&org, self.guard).filter(|_| token.orgs.contain(&org))?;
            (!place.policies.to_come(self.now).is_empty()).then_some((place, role))
        };
        let places = orgs.into_iter().filter_map(announces).take(MOST_PLACES);
        let mut warnings: Vec<PolicyWarning> = places
            .filter_map(|(place, role)| {
                let requirement = Requirement::Survey { org: place.org.slug.clone() };
                let asker = Asker::Unstated;
                let question =
                    TokenQuestion { judging: self.judging(), requirement: &requirement, asker, address };
                let ground = OrgView::Org(&place.org, role, &place.policies);
                question.about(record, token, owner, ground).policy_warning()
            })
            .collect();
        warnings.sort_by_key(|warning| warning.takes_hold_at);
        warnings.truncate(MOST_WARNINGS);
        warnings
    }

    /// A token as it sees itself.
    pub(crate) fn show(
        &self,
        family: &TokenFamily,
        used: SecretId,
        last: LastUse,
    ) -> Result<TokenView, StoreError> {
        let secret = |record: &SecretRecord| SecretView {
            record: record.clone(),
            last_use: (record.id == used).then_some(last),
            reused_at: None,
            succession: None,
        };
        let (token, secrets) = (Token::clone(&family.token), family.secrets().map(secret).collect());
        let id = token.id;
        let view = TokenView::new(token, secrets, self).map(|view| view.seen_by(Viewer::Itself));
        view.ok_or_else(|| StoreError::Corrupt { table: "token", column: "owner", id: id.to_string() })
    }

    /// Returns the org of this name, with the owner's role in it.
    pub(crate) fn ground(&self, owner: Owner, slug: &OrgSlug) -> Result<OrgView<'a>, StoreError> {
        let id = self.state.slugs.get(slug, self.guard);
        match id.map(|id| self.state.places.get(id, self.guard)) {
            Some(Some(place)) => {
                Ok(OrgView::Org(&place.org, self.role(owner, place.org.id), &place.policies))
            }
            None if !self.state.places_missing.load(Ordering::Relaxed) => Ok(OrgView::None),
            None | Some(None) => {
                Err(StoreError::Corrupt { table: "org", column: "slug", id: slug.to_string() })
            }
        }
    }

    fn role(&self, owner: Owner, org: OrgId) -> Option<Role> {
        let Owner::Account(account) = owner else { return None };
        let roles = &self.state.people.get(&account, self.guard)?.roles;
        let found = roles.binary_search_by_key(&org, |(org, _)| *org).ok()?;
        Some(roles[found].1)
    }
}

/// Returns the error for a token whose owner is corrupt or missing.
pub(super) fn ownerless(token: &Token) -> StoreError {
    let column = match token.owner {
        Owner::Account(_) => "account_id",
        Owner::Org(_) => "org_id",
    };
    StoreError::Corrupt { table: "token", column, id: token.id.to_string() }
}
