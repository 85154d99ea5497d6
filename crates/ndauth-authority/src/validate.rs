//! Validation: a service asks whether a secret may do a thing.

use std::net::IpAddr;
use std::time::Duration;

use ndauth_core::{
    Account, Case, Effective, Expiry, Org, OrgView, Owner, OwnerView, Refusal, Requirement, Role, Scope,
    Secret, SecretKind, Timestamp, Token, decide,
};
use ndauth_store::{Family, Read};

use crate::access::Operation;
use crate::credential::orphan;
use crate::{Authority, AuthorityError, Caller, Credential};

/// What a service asks.
#[derive(Debug)]
pub struct Question<'a> {
    /// The text that it was shown as a secret.
    pub secret: &'a str,
    /// What it requires.
    pub requirement: &'a Requirement,
    /// The address of its client, as it states it.
    pub client_address: Option<IpAddr>,
}

/// The answer, and how good it is for how long.
#[derive(Debug)]
pub struct Verdict {
    /// What the secret may do, or why it may not.
    pub outcome: Result<Allowed, Refusal>,
    /// The last event that the answer takes into account.
    pub sequence: u64,
    /// When it was judged.
    pub evaluated_at: Timestamp,
    /// How long it may be kept, counted from the sending of the question.
    pub max_cache_age: Duration,
}

/// That the secret may do what was asked.
#[derive(Debug)]
pub struct Allowed {
    /// The token.
    pub token: Token,
    /// Whose it is.
    pub owner: OwnerName,
    /// Where it may do what; nowhere, where only the identity was asked for.
    pub access: Option<(Org, Scope, Role)>,
}

/// An owner of a token.
#[derive(Debug)]
pub enum OwnerName {
    /// A person.
    Account(Account),
    /// An org.
    Org(Org),
}

/// How late a revocation may be anywhere: no answer may be kept for longer.
const FRESHNESS_BOUND: Duration = Duration::from_secs(2);

impl Authority {
    /// Says whether a secret may do a thing. An error means that it could not be decided.
    pub async fn validate(
        &self,
        credential: &Credential,
        question: &Question<'_>,
    ) -> Result<Verdict, AuthorityError> {
        let operation = Operation::ValidateToken;
        let (read, caller, _) = self.read_as(credential, operation).await?;
        let Caller::Service { service } = caller else {
            return Err(AuthorityError::NotPermitted { caller: caller.kind(), operation });
        };
        let (outcome, changes_at) = match self.look_up(&read, question).await? {
            Err(refusal) => (Err(refusal), Expiry::Never),
            Ok(standing) => {
                let case = Case {
                    secret: &standing.found.record,
                    token: &standing.token,
                    owner: match &standing.owner {
                        OwnerName::Account(account) => OwnerView::Account(account),
                        OwnerName::Org(org) => OwnerView::Org(org),
                    },
                    org: standing.org.as_ref().map_or(OrgView::None, |(org, role)| OrgView::Org(org, *role)),
                    service: &service.orgs,
                    requirement: question.requirement,
                    catalogue: &self.catalogue,
                    not_before: read.installation().not_before,
                    now: read.now(),
                };
                let changes_at = case.changes_at();
                let access = decide(&case).map(|effective| match effective {
                    Effective::Identity => None,
                    Effective::Access { access, role, .. } => Some((access, role)),
                });
                if access.is_ok() {
                    self.uses.note(standing.found.record.id, read.now(), question.client_address);
                }
                (access.map(|access| standing.allowed(access)), changes_at)
            }
        };
        let reason = outcome.as_ref().err().map_or("ALLOWED", |refusal| refusal.reason().code());
        metrics::counter!("ndauth_verdicts_total", "reason" => reason).increment(1);
        Ok(Verdict {
            outcome,
            sequence: read.head().sequence,
            evaluated_at: read.now(),
            max_cache_age: match changes_at {
                Expiry::At(instant) => FRESHNESS_BOUND.min(instant.since(read.now())),
                Expiry::Never => FRESHNESS_BOUND,
            },
        })
    }

    /// Finds all that a decision reads, or says why there is nothing to decide.
    async fn look_up(
        &self,
        read: &Read,
        question: &Question<'_>,
    ) -> Result<Result<Standing, Refusal>, AuthorityError> {
        let secret: Secret = match question.secret.parse() {
            Ok(secret) => secret,
            Err(why) => return Ok(Err(Refusal::Malformed(why))),
        };
        match secret.kind() {
            SecretKind::Personal | SecretKind::Org | SecretKind::Access => {}
            kind @ (SecretKind::Session | SecretKind::Refresh | SecretKind::Service) => {
                return Ok(Err(Refusal::Kind(kind)));
            }
        }
        let Some(found) = read.find_secret(&secret.hash()).await? else {
            return Ok(Err(Refusal::Unknown));
        };
        let Family::Token(id) = found.family else {
            return Err(orphan(&found, "token_id").into());
        };
        let token = read.find_token(id).await?.ok_or_else(|| orphan(&found, "token_id"))?;
        let owner = match token.owner {
            Owner::Account(id) => read.find_account(id).await?.map(OwnerName::Account),
            Owner::Org(id) => read.find_org(id).await?.map(OwnerName::Org),
        };
        let owner = owner.ok_or_else(|| orphan(&found, "token_id"))?;
        let org = match question.requirement {
            Requirement::Identity => None,
            Requirement::Access { org, .. } => match (read.find_org_by_slug(org).await?, &owner) {
                (Some(org), OwnerName::Account(account)) => {
                    let role = read.find_role(account.id, org.id).await?;
                    Some((org, role))
                }
                (Some(org), OwnerName::Org(_)) => Some((org, None)),
                (None, _) => None,
            },
        };
        Ok(Ok(Standing { found, token, owner, org }))
    }
}

/// The state behind one question.
struct Standing {
    found: ndauth_store::FoundSecret,
    token: Token,
    owner: OwnerName,
    org: Option<(Org, Option<Role>)>,
}

impl Standing {
    fn allowed(self, access: Option<(Scope, Role)>) -> Allowed {
        let org = self.org.map(|(org, _)| org);
        Allowed {
            token: self.token,
            owner: self.owner,
            access: org.zip(access).map(|(org, (access, role))| (org, access, role)),
        }
    }
}

impl Allowed {
    /// The effective permission, as it was decided.
    pub fn effective(&self) -> Effective<'_> {
        match &self.access {
            None => Effective::Identity,
            Some((org, access, role)) => {
                Effective::Access { org: org.id, access: *access, role: *role, grants: &self.token.grants }
            }
        }
    }
}
