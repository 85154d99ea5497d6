//! The decision: what a secret may do, from live state, at an instant.
//!
//! ```text
//! effective = scope ∩ grants ∩ orgs ∩ the owner's live role in the org ∩ the org's policy
//!             ∩ the token's services and networks ∩ what is neither revoked, suspended nor frozen
//! ```
//!
//! The decision walks along [`Factor::ALL`]. Each factor judges the case alone. [`decide`] stops at the first
//! that refuses, and [`explain`] runs them all. Nothing else in ndauth judges a token.

use std::net::IpAddr;

use crate::{
    AccountView, Catalogue, EffectiveGrants, Expiry, Factor, Grants, Level, Lifetime, Networks, Org, OrgId,
    OrgPolicy, OrgSlug, Orgs, Permission, Policies, Refusal, Role, Scope, SecretRecord, Service, Services,
    Since, Timestamp, Token,
};

/// The question about a secret: the access that a request needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// Its identity. The answer confers nothing.
    Identity,
    /// An action, or a level of access, in an org.
    Access {
        /// The org.
        org: OrgSlug,
        /// The access that is needed at least.
        access: Scope,
        /// The permission that is needed, if there is one.
        permission: Option<Permission>,
    },
    /// An operation on its owner's account, at ndauth itself.
    Account {
        /// The permission that is needed, if there is one. A token with all grants has it.
        permission: Option<Permission>,
    },
    /// Everything that it may do in an org. Asked for a person who views a token, never for a service.
    Survey {
        /// The org.
        org: OrgSlug,
    },
}

impl Requirement {
    /// Returns the org in question, if there is one.
    pub fn org(&self) -> Option<&OrgSlug> {
        match self {
            Requirement::Identity | Requirement::Account { .. } => None,
            Requirement::Access { org, .. } | Requirement::Survey { org } => Some(org),
        }
    }
}

/// All inputs of a decision: the state as of one sequence, the question, and the instant.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The secret that was presented.
    pub secret: &'a SecretRecord,
    /// Its token.
    pub token: &'a Token,
    /// The token's owner.
    pub owner: OwnerView<'a>,
    /// The org in question, if there is one.
    pub org: OrgView<'a>,
    /// The party that the secret was presented to.
    pub asker: Asker<'a>,
    /// The address from which the secret was used, if it is known and trusted.
    pub address: Option<IpAddr>,
    /// The question.
    pub requirement: &'a Requirement,
    /// The permissions there are.
    pub catalogue: &'a Catalogue,
    /// The cache of the token's grants as the catalogue limits them, if there is one.
    pub effective_grants: Option<&'a EffectiveGrants>,
    /// Every secret minted before this instant is revoked.
    pub not_before: Timestamp,
    /// The instant of the decision, in the authority's time.
    pub now: Timestamp,
}

/// The party that the secret was presented to, on whose behalf the decision is made.
#[derive(Clone, Copy, Debug)]
pub enum Asker<'a> {
    /// ndauth itself.
    Ndauth,
    /// A service.
    Service(&'a Service),
    /// Not known yet: any service that the token is for.
    Unstated,
}

/// The owner, as the decision sees it.
#[derive(Clone, Copy, Debug)]
pub enum OwnerView<'a> {
    /// A person.
    Account(AccountView<'a>),
    /// An org.
    Org(&'a Org),
}

/// The org in question, as the decision sees it.
#[derive(Clone, Copy, Debug)]
pub enum OrgView<'a> {
    /// No org was named, or none has that slug.
    None,
    /// The org, the role in it of the account that owns the token, and its policies.
    Org(&'a Org, Option<Role>, &'a Policies),
}

/// The effective power of a token, after every factor has allowed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effective {
    /// None: only its identity was requested.
    Identity,
    /// This access in the org.
    Access {
        /// The org.
        org: OrgId,
        /// The lesser of the token's scope and the owner's role.
        access: Scope,
        /// The owner's role.
        role: Role,
        /// The permissions that remain within that access and role, by their present names.
        grants: Grants,
    },
}

/// An allowed verdict, with everything that the caller receives.
#[derive(Clone, Debug)]
pub struct Allowed<'a> {
    /// The secret that was presented.
    pub secret: &'a SecretRecord,
    /// Its token.
    pub token: &'a Token,
    /// The token's owner.
    pub owner: OwnerView<'a>,
    /// Its effective power.
    pub effective: Effective,
    /// The slug of the org in question, if there was one.
    pub org: Option<&'a OrgSlug>,
}

/// The limit that one factor sets, regardless of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowance<'a> {
    /// Use until this instant.
    Until(Expiry),
    /// Secrets that were minted at this instant or later.
    MintedSince(Timestamp),
    /// Everything if true, nothing if false.
    Enabled(bool),
    /// Nothing if true, everything if false.
    Suspended(bool),
    /// These orgs.
    Orgs(&'a Orgs),
    /// These services.
    Services(&'a Services),
    /// These networks.
    Networks(&'a Networks),
    /// Owners with this role or a higher one; nobody if the permission does not exist.
    LeastRole(Option<Role>),
    /// This access.
    Scope(Scope),
    /// These permissions.
    Grants(&'a Grants),
    /// Everything that this role may do; nothing without a role.
    Role(Option<Role>),
    /// Everything that this policy admits.
    Policy(&'a OrgPolicy),
}

/// The finding of one factor about a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding<'a> {
    /// The factor.
    pub factor: Factor,
    /// The limit that it sets.
    pub allowed: Allowance<'a>,
    /// Its refusal, if it refuses.
    pub refusal: Option<Refusal>,
}

/// Judges a case. Returns the effective power, or the refusal of the first factor that refuses.
pub fn decide(case: &Case<'_>) -> Result<Effective, Refusal> {
    permit(case)?;
    let (Requirement::Access { org: asked, .. } | Requirement::Survey { org: asked }) = case.requirement
    else {
        return Ok(Effective::Identity);
    };
    match (case.org, case.role()) {
        (OrgView::Org(org, ..), Some(role)) => {
            let most = if org.frozen_at.is_some() { Scope::Ro } else { role.scope() };
            let access = case.token.scope.min(most);
            let (catalogue, grants) = (case.catalogue, &case.token.grants);
            let grants = match case.effective_grants {
                Some(known) => catalogue.within_once(known, grants, role, access),
                None => catalogue.within(grants, role, access),
            };
            Ok(Effective::Access { org: org.id, access, role, grants })
        }
        // The factors have refused this case already: without an org or a role there is no power.
        (OrgView::None, _) | (OrgView::Org(..), None) => Err(Refusal::NotAMember(asked.clone())),
    }
}

/// Judges a case as [`decide`] does, but does not compute the effective power and allocates nothing for it.
pub fn permit(case: &Case<'_>) -> Result<(), Refusal> {
    Factor::ALL.into_iter().try_for_each(|factor| factor.judge(case))
}

/// Returns the limit and the refusal of every factor, in the order of the decision. For an org in which the
/// token's owner has no role, it leaves out the lockdown and the policy.
pub fn explain<'a>(case: &Case<'a>) -> Vec<Finding<'a>> {
    let outside = case.role().is_none();
    let included = |factor: &Factor| !(outside && matches!(factor, Factor::Lockdown | Factor::Policy));
    let finding = |factor: Factor| Finding {
        factor,
        allowed: factor.allowance(case),
        refusal: factor.judge(case).err(),
    };
    Factor::ALL.into_iter().filter(included).map(finding).collect()
}

/// The position of a secret's use relative to a set of networks.
enum NetworkPosition {
    Inside,
    Outside(IpAddr),
    Unknown,
}

impl Case<'_> {
    /// Returns the earliest instant at which this case can change by the passing of time alone.
    pub fn changes_at(&self) -> Expiry {
        let policy = match self.org {
            OrgView::None => None,
            OrgView::Org(_, _, policies) => Some(policies),
        };
        let next =
            policy.and_then(|policies| policies.to_come(self.now).first().map(|next| next.takes_hold_at));
        let login = match (self.owner, policy.map(|policies| policies.at(self.now).login_within)) {
            (OwnerView::Account(account), Some(within)) => {
                account.last_login_at.map(|last| within.expiry(last))
            }
            _ => None,
        };
        [self.token.expires_at, self.secret.ends_at]
            .into_iter()
            .chain(next.map(Expiry::At))
            .chain(login)
            .filter(|end| !end.is_past(self.now))
            .min()
            .unwrap_or(Expiry::Never)
    }

    /// Returns the access that is needed: the greater of the stated access and the action's own. No other
    /// code computes it.
    pub fn needed_access(&self) -> Scope {
        match self.requirement {
            Requirement::Access { access, permission, .. } => {
                let own = permission.as_ref().and_then(|permission| self.catalogue.scope_of(permission));
                own.map_or(*access, |own| own.max(*access))
            }
            Requirement::Identity | Requirement::Account { .. } | Requirement::Survey { .. } => Scope::Ro,
        }
    }

    /// Returns the owner's role in the org: an account's live role, or `ADMIN` for a token of the org itself.
    fn role(&self) -> Option<Role> {
        match (self.org, self.owner) {
            (OrgView::None, _) => None,
            (OrgView::Org(_, role, _), OwnerView::Account(_)) => role,
            (OrgView::Org(org, ..), OwnerView::Org(owner)) => (org.id == owner.id).then_some(Role::Admin),
        }
    }

    /// Compares the address of the secret's use with a set of networks. A survey without an address counts as
    /// inside.
    fn within(&self, networks: &Networks) -> NetworkPosition {
        match (networks, self.address, self.requirement) {
            (Networks::All, ..) => NetworkPosition::Inside,
            (Networks::Only(_), Some(address), _) if networks.hold(address) => NetworkPosition::Inside,
            (Networks::Only(_), Some(address), _) => NetworkPosition::Outside(address),
            (Networks::Only(_), None, Requirement::Survey { .. }) => NetworkPosition::Inside,
            (Networks::Only(_), None, _) => NetworkPosition::Unknown,
        }
    }

    /// Returns the instant before which minted secrets are revoked by the operator or by the owner.
    fn minted_since(&self) -> Timestamp {
        self.not_before.max(match self.owner {
            OwnerView::Account(account) => account.not_before,
            OwnerView::Org(org) => org.not_before,
        })
    }

    fn since(&self, at: Timestamp) -> Since {
        Since { at, as_of: self.now }
    }

    fn least_role(&self, permission: &Permission) -> Option<Role> {
        self.catalogue.least_role(permission)
    }
}

impl Factor {
    fn judge(self, case: &Case<'_>) -> Result<(), Refusal> {
        use Requirement::{Access, Account, Identity, Survey};
        match (self, case.requirement) {
            (Factor::Secret, _) => case.secret.judge(case.now),
            (Factor::NotBefore, _) => case.secret.judge_minting(case.minted_since()),
            (Factor::Life, _) => case.token.judge(case.now),
            (Factor::Suspension, _) => judge_suspension(case),
            (Factor::Owner, _) => judge_owner(case),
            (Factor::Audience, _) => judge_audience(case),
            (Factor::Network, _) => judge_network(case),
            (Factor::Grants, Account { permission: Some(permission) })
                if case.token.grants != Grants::All =>
            {
                judge_grants(case, Some(permission))
            }
            (_, Identity | Account { .. }) => Ok(()),
            (Factor::Catalogue | Factor::Scope | Factor::Grants, Survey { .. }) => Ok(()),
            (Factor::Service, Access { org, .. } | Survey { org }) => judge_service(case, org),
            (Factor::Catalogue, Access { permission, .. }) => judge_catalogue(case, permission.as_ref()),
            (Factor::Scope, Access { .. }) => judge_scope(case),
            (Factor::Grants, Access { permission, .. }) => judge_grants(case, permission.as_ref()),
            (Factor::Orgs, Access { org, .. } | Survey { org }) => judge_orgs(case, org),
            (Factor::Role, Access { org, access, permission }) => {
                judge_role(case, org, *access, permission.as_ref())
            }
            (Factor::Role, Survey { org }) => judge_role(case, org, Scope::Ro, None),
            (Factor::Lockdown, Access { org, .. } | Survey { org }) => judge_lockdown(case, org),
            (Factor::Policy, Access { org, .. } | Survey { org }) => judge_policy(case, org),
        }
    }

    fn allowance<'a>(self, case: &Case<'a>) -> Allowance<'a> {
        match self {
            Factor::Secret => Allowance::Until(case.secret.ends_at),
            Factor::NotBefore => Allowance::MintedSince(case.minted_since()),
            Factor::Life => Allowance::Until(case.token.revoked_at.map_or(case.token.expires_at, Expiry::At)),
            Factor::Suspension => Allowance::Suspended(judge_suspension(case).is_err()),
            Factor::Owner => Allowance::Enabled(judge_owner(case).is_ok()),
            Factor::Service => Allowance::Orgs(match case.asker {
                Asker::Ndauth | Asker::Unstated => &Orgs::All,
                Asker::Service(service) => &service.orgs,
            }),
            Factor::Audience => Allowance::Services(&case.token.services),
            Factor::Network => Allowance::Networks(&case.token.networks),
            Factor::Catalogue => Allowance::LeastRole(match case.requirement {
                Requirement::Access { permission: Some(permission), .. } => case.least_role(permission),
                Requirement::Access { permission: None, .. }
                | Requirement::Survey { .. }
                | Requirement::Account { .. }
                | Requirement::Identity => Some(Role::Ro),
            }),
            Factor::Scope => Allowance::Scope(case.token.scope),
            Factor::Grants => Allowance::Grants(&case.token.grants),
            Factor::Orgs => Allowance::Orgs(&case.token.orgs),
            Factor::Role => Allowance::Role(case.role()),
            Factor::Lockdown => match case.org {
                OrgView::Org(org, ..) if org.frozen_at.is_some() => Allowance::Scope(Scope::Ro),
                OrgView::Org(org, ..) => Allowance::MintedSince(org.not_before),
                OrgView::None => Allowance::Suspended(false),
            },
            Factor::Policy => Allowance::Policy(match case.org {
                OrgView::None => &OrgPolicy::OPEN,
                OrgView::Org(_, _, policies) => policies.at(case.now),
            }),
        }
    }
}

fn judge_suspension(case: &Case<'_>) -> Result<(), Refusal> {
    let suspended = case.token.suspensions.iter().find(|of| !matches!(of.level, Level::Org(_)));
    suspended.map_or(Ok(()), |of| Err(Refusal::Suspended(case.since(of.since))))
}

/// Refuses a token that the org suspended, a secret minted before the org's `not_before`, or a change in a
/// frozen org.
fn judge_lockdown(case: &Case<'_>, asked: &OrgSlug) -> Result<(), Refusal> {
    let OrgView::Org(org, ..) = case.org else { return Ok(()) };
    if let Some(of) = case.token.suspensions.iter().find(|of| of.level == Level::Org(org.id)) {
        return Err(Refusal::SuspendedInOrg { org: asked.clone(), since: case.since(of.since) });
    }
    if case.secret.judge_minting(org.not_before).is_err() {
        return Err(Refusal::RevokedInOrg { org: asked.clone(), not_before: org.not_before });
    }
    match org.frozen_at {
        Some(at) if case.needed_access() == Scope::Rw => {
            Err(Refusal::OrgFrozen { org: asked.clone(), since: case.since(at) })
        }
        _ => Ok(()),
    }
}

fn judge_owner(case: &Case<'_>) -> Result<(), Refusal> {
    match case.owner {
        OwnerView::Account(account) if account.disabled_at.is_some() => Err(Refusal::OwnerDisabled),
        OwnerView::Org(org) if org.deleted_at.is_some() => Err(Refusal::OwnerDeleted(org.slug.clone())),
        OwnerView::Account(_) | OwnerView::Org(_) => Ok(()),
    }
}

fn judge_service(case: &Case<'_>, asked: &OrgSlug) -> Result<(), Refusal> {
    let Asker::Service(service) = case.asker else { return Ok(()) };
    let allowed = match (&service.orgs, case.org) {
        (Orgs::All, _) => true,
        (Orgs::Only(_), OrgView::None) => false,
        (orgs @ Orgs::Only(_), OrgView::Org(org, ..)) => orgs.contain(&org.id),
    };
    if allowed { Ok(()) } else { Err(Refusal::ServiceNotForOrg(asked.clone())) }
}

/// Refuses a token at a service that it is not for. At ndauth, a token for named services may only read its
/// identity.
fn judge_audience(case: &Case<'_>) -> Result<(), Refusal> {
    match (case.asker, &case.token.services) {
        (_, Services::All) | (Asker::Unstated, _) => Ok(()),
        (Asker::Ndauth, _) if *case.requirement == Requirement::Identity => Ok(()),
        (Asker::Ndauth, _) => Err(Refusal::ServiceNotCovered("ndauth".parse().expect("a name"))),
        (Asker::Service(service), services) if services.contain(&service.id) => Ok(()),
        (Asker::Service(service), _) => Err(Refusal::ServiceNotCovered(service.name.clone())),
    }
}

/// Refuses a token outside its networks. At ndauth, a token may read its identity from anywhere.
fn judge_network(case: &Case<'_>) -> Result<(), Refusal> {
    if let (Asker::Ndauth, Requirement::Identity) = (case.asker, case.requirement) {
        return Ok(());
    }
    match case.within(&case.token.networks) {
        NetworkPosition::Inside => Ok(()),
        NetworkPosition::Outside(address) => Err(Refusal::NetworkNotCovered(address)),
        NetworkPosition::Unknown => Err(Refusal::AddressUnknown),
    }
}

fn judge_catalogue(case: &Case<'_>, permission: Option<&Permission>) -> Result<(), Refusal> {
    match permission {
        Some(permission) if case.least_role(permission).is_none() => {
            Err(Refusal::PermissionUnknown(permission.clone()))
        }
        _ => Ok(()),
    }
}

fn judge_scope(case: &Case<'_>) -> Result<(), Refusal> {
    let (scope, needed) = (case.token.scope, case.needed_access());
    if scope >= needed { Ok(()) } else { Err(Refusal::ScopeTooNarrow { scope, needed }) }
}

fn judge_grants(case: &Case<'_>, permission: Option<&Permission>) -> Result<(), Refusal> {
    match (&case.token.grants, permission) {
        (Grants::All, None) => Ok(()),
        (Grants::Only(_), None) => Err(Refusal::PermissionNotNamed),
        (grants, Some(permission)) if case.catalogue.permit(grants, permission) => Ok(()),
        (_, Some(permission)) => Err(Refusal::PermissionNotGranted(permission.clone())),
    }
}

fn judge_orgs(case: &Case<'_>, asked: &OrgSlug) -> Result<(), Refusal> {
    let covers = |org: &Org| case.token.orgs.contain(&org.id);
    match (case.org, &case.token.orgs) {
        // An org in which the owner has no role looks like an org that does not exist: the role factor
        // refuses both alike.
        (OrgView::None, Orgs::All) => Ok(()),
        (OrgView::None, Orgs::Only(_)) => Err(Refusal::OrgNotCovered(asked.clone())),
        (OrgView::Org(org, ..), _) if !covers(org) => Err(Refusal::OrgNotCovered(asked.clone())),
        (OrgView::Org(org, ..), orgs)
            if org.deleted_at.is_some() && (*orgs != Orgs::All || case.role().is_some()) =>
        {
            Err(Refusal::OrgDeleted(asked.clone()))
        }
        (OrgView::Org(..), _) => Ok(()),
    }
}

fn judge_role(
    case: &Case<'_>,
    asked: &OrgSlug,
    access: Scope,
    permission: Option<&Permission>,
) -> Result<(), Refusal> {
    let role = case.role().ok_or_else(|| Refusal::NotAMember(asked.clone()))?;
    let needed = needed_role(case, access, permission);
    if role >= needed { Ok(()) } else { Err(Refusal::RoleTooLow { org: asked.clone(), role, needed }) }
}

fn judge_policy(case: &Case<'_>, asked: &OrgSlug) -> Result<(), Refusal> {
    let OrgView::Org(_, _, policies) = case.org else { return Ok(()) };
    let policy = policies.at(case.now);
    if let OwnerView::Account(account) = case.owner {
        if !policy.personal_tokens {
            return Err(Refusal::PersonalBarred(asked.clone()));
        }
        let fresh =
            account.last_login_at.is_some_and(|last| !policy.login_within.expiry(last).is_past(case.now));
        if let (Lifetime::For(_), false) = (policy.login_within, fresh) {
            let (org, within, last) = (asked.clone(), policy.login_within, account.last_login_at);
            return Err(Refusal::LoginTooOld { org, within, last });
        }
    }
    if policy.require_grants && case.token.grants == Grants::All {
        return Err(Refusal::GrantsRequired(asked.clone()));
    }
    if policy.no_all_org_tokens && case.token.orgs == Orgs::All {
        return Err(Refusal::AllOrgsBarred(asked.clone()));
    }
    let lifetime = case.secret.span(case.token);
    if lifetime > policy.longest_lifetime {
        let (org, longest) = (asked.clone(), policy.longest_lifetime);
        return Err(Refusal::LifetimeTooLong { org, lifetime, longest });
    }
    match case.within(&policy.networks) {
        NetworkPosition::Inside => Ok(()),
        NetworkPosition::Outside(address) => {
            Err(Refusal::NetworkBarred { org: asked.clone(), address: Some(address) })
        }
        NetworkPosition::Unknown => Err(Refusal::NetworkBarred { org: asked.clone(), address: None }),
    }
}

fn needed_role(case: &Case<'_>, access: Scope, permission: Option<&Permission>) -> Role {
    let stated = match access {
        Scope::Ro => Role::Ro,
        Scope::Rw => Role::Rw,
    };
    permission.and_then(|permission| case.least_role(permission)).map_or(stated, |own| own.max(stated))
}

#[cfg(test)]
mod tests;
