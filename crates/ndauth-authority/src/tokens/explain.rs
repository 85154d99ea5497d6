//! Explanations: what each factor of the decision allows a token, made or only planned.

use std::net::IpAddr;

use ndauth_core::{
    Allowance, Among, Asker, Effective, Expiry, Factor, Grants, Label, Org, OrgPolicy, OrgSlug, Orgs,
    Permission, Refusal, Requirement, Scope, Secret, SecretKind, SecretState, Service, Timestamp, decide,
    explain,
};
use ndauth_store::{Family, Read};

use super::create::{NewToken, owner_name};
use super::powerless::orgs_to_judge;
use super::which::{Which, no_token};
use crate::access::held::{
    Held, Judging, OwnerName, TokenQuestion, find_presented_token, ground, known_service, owner_of,
};
use crate::access::{Admitted, Kind, Operation, Whose};
use crate::{AuthorityError, Caller, Credential, TokenWing};

/// A request for an explanation.
#[derive(Debug)]
pub struct Inquiry {
    /// The owner of the token.
    pub whose: Whose,
    /// The token.
    pub subject: Subject,
    /// The org. None stands for each org that the token names, or in which its owner is a member.
    pub org: Option<OrgSlug>,
    /// The access and the permission that would be needed. None stands for any power at all.
    pub question: Option<(Scope, Option<Permission>)>,
    /// The service that would ask. None stands for any service that the token is for.
    pub service: Option<Label>,
    /// The address that the token would be used from, if known.
    pub address: Option<IpAddr>,
}

/// The token to be explained.
#[derive(Debug)]
pub enum Subject {
    /// An existing token.
    Token(Which),
    /// The token that this secret belongs to.
    Secret(Secret),
    /// A token that is not made yet.
    Planned(Box<NewToken>),
}

/// The decision about a token in one org, factor by factor.
#[derive(Debug)]
pub struct Explanation {
    /// The org. None if there is no org to ask about.
    pub org: Option<OrgSlug>,
    /// Each factor, in the order of the decision: what it allows, in words, and its refusal, if any.
    pub findings: Vec<(Factor, String, Option<Refusal>)>,
    /// The decision.
    pub outcome: Result<Effective, Refusal>,
}

/// Explanations, as of an instant.
#[derive(Debug)]
pub struct Explained {
    /// One for each org, by slug.
    pub explanations: Vec<Explanation>,
    /// The token's name. `None` if there is no token.
    pub name: Option<Label>,
    /// The kind of the token's secrets.
    pub kind: SecretKind,
    /// As of when.
    pub now: Timestamp,
}

impl Inquiry {
    /// Returns the requirement for a token in an org. Without an org, it is the token's identity.
    fn requirement(&self, org: Option<&OrgSlug>) -> Requirement {
        match (org, &self.question) {
            (None, _) => Requirement::Identity,
            (Some(org), None) => Requirement::Survey { org: org.clone() },
            (Some(org), Some((access, permission))) => {
                Requirement::Access { org: org.clone(), access: *access, permission: permission.clone() }
            }
        }
    }

    /// Returns the service that would ask, if one is named.
    async fn service(&self, read: &Read, by: &Admitted) -> Result<Option<Service>, AuthorityError> {
        let Some(name) = &self.service else { return Ok(None) };
        let owner = if by.kind == Kind::Anyone { None } else { Some(by.owner()?) };
        let unknown = || AuthorityError::none("service", name);
        Ok(Some(known_service(read, owner, name).await?.ok_or_else(unknown)?))
    }
}

impl TokenWing<'_> {
    /// Explains each factor of the decision about a token, and the decision.
    pub async fn explain(
        self,
        credential: &Credential,
        inquiry: &Inquiry,
    ) -> Result<Explained, AuthorityError> {
        let (read, by) = self.0.read_as(credential, Operation::ExplainToken, &inquiry.whose).await?;
        let held = match self.subject(&read, &by, credential.from(), inquiry).await? {
            Ok(held) => held,
            // There is no token, so only the secret itself can be explained.
            Err(refusal) => {
                let findings = vec![(Factor::Secret, "nothing".to_owned(), Some(refusal.clone()))];
                let explanation = Explanation { org: inquiry.org.clone(), findings, outcome: Err(refusal) };
                let kind = match &inquiry.subject {
                    Subject::Secret(secret) => secret.kind(),
                    Subject::Token(_) | Subject::Planned(_) => by.owner()?.secret_kind(),
                };
                return Ok(Explained { explanations: vec![explanation], name: None, kind, now: read.now() });
            }
        };
        let service = inquiry.service(&read, &by).await?;
        let mut explanations = Vec::new();
        for org in orgs_to_judge(&read, &held, inquiry.org.as_ref()).await? {
            explanations.push(self.explain_in(&read, &by, &held, inquiry, service.as_ref(), org).await?);
        }
        let (name, kind) = (Some(held.token.name.clone()), held.token.owner.secret_kind());
        Ok(Explained { explanations, name, kind, now: read.now() })
    }

    async fn explain_in(
        self,
        read: &Read,
        by: &Admitted,
        held: &Held,
        inquiry: &Inquiry,
        service: Option<&Service>,
        org: Option<OrgSlug>,
    ) -> Result<Explanation, AuthorityError> {
        let ground = match &org {
            None => None,
            Some(slug) => match ground(read, &held.owner, slug).await? {
                Some(ground) if known(read, &held.owner, &ground.org).await? => Some(ground),
                _ => None,
            },
        };
        let requirement = inquiry.requirement(org.as_ref());
        let catalogue = self.0.catalogue(read).await?;
        let judging = Judging::of(read, &catalogue);
        let question = TokenQuestion {
            judging,
            requirement: &requirement,
            asker: service.map_or(Asker::Unstated, Asker::Service),
            address: inquiry.address.filter(|_| service.is_none_or(|service| service.states_address)),
        };
        let reads_policy = match (&ground, &org) {
            (Some(_), Some(org)) => by.may_in_org(read, Operation::GetOrgPolicy, org, judging).await?,
            _ => false,
        };
        let case = held.case(ground.as_ref(), &question);
        let mut findings = Vec::new();
        for finding in explain(&case) {
            let allows = match (finding.factor, &finding.allowed) {
                (Factor::Service, Allowance::Orgs(orgs)) => {
                    let asked = ground.as_ref().is_some_and(|ground| orgs.contain(&ground.org.id));
                    describe_service_orgs(orgs, asked)
                }
                (Factor::Policy, _) if !reads_policy => "what the org's policy admits".to_owned(),
                (_, allowed) => described(read, held, allowed).await?,
            };
            findings.push((finding.factor, allows, finding.refusal));
        }
        Ok(Explanation { org, findings, outcome: decide(&case) })
    }

    /// Returns a token, for a caller that presents its secret and does not own it. Refuses it unless it is
    /// live and may be used from the caller's address.
    async fn presented_by_another(
        self,
        read: &Read,
        from: Option<IpAddr>,
        held: Held,
    ) -> Result<Result<Held, Refusal>, AuthorityError> {
        let catalogue = self.0.catalogue(read).await?;
        let account = Requirement::Account { permission: None };
        let judged = Judging::of(read, &catalogue).decide(&held, None, &account, from);
        Ok(judged.map(|_| held))
    }

    /// Returns the token in question, with the secret that was presented, or its current one, or else its newest.
    async fn subject(
        self,
        read: &Read,
        by: &Admitted,
        from: Option<IpAddr>,
        inquiry: &Inquiry,
    ) -> Result<Result<Held, Refusal>, AuthorityError> {
        let held = match &inquiry.subject {
            Subject::Secret(secret) => match find_presented_token(read, secret).await? {
                Ok(held) if by.owner().ok() == Some(held.token.owner) => held,
                Ok(held) => match self.presented_by_another(read, from, held).await? {
                    Ok(held) => held,
                    Err(refusal) => return Ok(Err(refusal)),
                },
                Err(refusal) => return Ok(Err(refusal)),
            },
            Subject::Planned(new) => match &by.caller {
                Caller::Session { .. } => return Ok(Ok(self.plan(read, owner_name(by)?, new).await?.0)),
                Caller::Console | Caller::Token { .. } | Caller::Service { .. } => {
                    return Err(by.session_required());
                }
            },
            Subject::Token(which) => {
                let token = self.find(read, by, &inquiry.whose, which).await?;
                let secrets = read.list_secrets(Family::Token(token.id)).await?;
                let current =
                    secrets.iter().rfind(|secret| secret.record.state(read.now()) == SecretState::Current);
                let represents = current.or(secrets.last()).ok_or_else(|| no_token(&token.id))?;
                let record = represents.record.clone();
                let owner = owner_of(read, &token).await?;
                Held { record, token, owner }
            }
        };
        by.require(held.token.id)?;
        Ok(Ok(held))
    }
}

/// Describes the orgs that a service is registered for, as far as the caller may know of them.
fn describe_service_orgs(orgs: &Orgs, asked: bool) -> String {
    match orgs {
        Orgs::All => "all orgs",
        Orgs::Only(_) if asked => "this org",
        Orgs::Only(_) => "other orgs",
    }
    .to_owned()
}

/// Returns true if an owner may know of an org. To an owner that never had a part in it, the org is treated
/// as one that does not exist.
async fn known(read: &Read, owner: &OwnerName, org: &Org) -> Result<bool, AuthorityError> {
    match owner {
        OwnerName::Account(account) => Ok(read.was_member(account.id, org.id).await?),
        OwnerName::Org(own) => Ok(own.id == org.id),
    }
}

/// Describes what a factor allows.
async fn described(read: &Read, held: &Held, allowed: &Allowance<'_>) -> Result<String, AuthorityError> {
    Ok(match allowed {
        Allowance::Until(Expiry::Never) => "use without end".to_owned(),
        Allowance::Until(Expiry::At(end)) => format!("use until {}", end.minute()),
        Allowance::MintedSince(Timestamp::MIN) => "secrets of any time".to_owned(),
        Allowance::MintedSince(instant) => format!("secrets minted since {}", instant.minute()),
        Allowance::Enabled(enabled) => match (&held.owner, enabled) {
            (OwnerName::Account(account), true) => format!("all that `{}` may", account.handle),
            (OwnerName::Org(org), true) => format!("all that the org `{}` may", org.slug),
            (_, false) => "nothing".to_owned(),
        },
        Allowance::Suspended(false) => "everything".to_owned(),
        Allowance::Suspended(true) => "nothing for now".to_owned(),
        Allowance::Orgs(orgs) => some("orgs", &read.name_orgs(orgs).await?),
        Allowance::Services(services) => some("services", &read.name_services(services).await?),
        Allowance::Networks(networks) => some("networks", networks),
        Allowance::LeastRole(None) => "nothing: the permission does not exist".to_owned(),
        Allowance::LeastRole(Some(role)) => format!("anyone with the role {role} or a higher one"),
        Allowance::Scope(Scope::Ro) => "RO: list and query".to_owned(),
        Allowance::Scope(Scope::Rw) => "RW: list, query and change".to_owned(),
        Allowance::Grants(Grants::All) => "all permissions except ndauth's own".to_owned(),
        Allowance::Grants(grants @ Grants::Only(_)) => grants.to_string(),
        Allowance::Role(None) => "nothing: not a member".to_owned(),
        Allowance::Role(Some(role)) => format!("what {role} may"),
        Allowance::Policy(policy) => describe_policy(policy),
    })
}

fn some<T: Ord + ToString>(what: &str, some: &Among<T>) -> String {
    match some {
        Among::All => format!("all {what}"),
        Among::Only(some) => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

fn describe_policy(policy: &OrgPolicy) -> String {
    let OrgPolicy { longest_lifetime, personal_tokens, networks, login_within, .. } = policy;
    let mut described = Vec::new();
    if !personal_tokens {
        described.push("only the org's own tokens".to_owned());
    }
    if policy.require_grants {
        described.push("tokens that carry a set of grants".to_owned());
    }
    if policy.no_all_org_tokens {
        described.push("tokens that name the org".to_owned());
    }
    if let ndauth_core::Lifetime::For(_) = longest_lifetime {
        described.push(format!("tokens with a lifetime of at most {longest_lifetime}"));
    }
    if let Among::Only(_) = networks {
        described.push(format!("use from {}", some("networks", networks)));
    }
    if let ndauth_core::Lifetime::For(_) = login_within {
        described.push(format!("owners who logged in within {login_within}"));
    }
    if described.is_empty() { "everything: no limits are set".to_owned() } else { described.join("; ") }
}
