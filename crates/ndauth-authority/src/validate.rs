//! Validation: a service asks whether secrets may do things.

use std::net::IpAddr;
use std::time::Duration;

use ndauth_core::{
    Asker, Catalogue, Effective, Expiry, OrgSlug, Refusal, Requirement, Secret, SecretKind, Service,
    Timestamp, Token, decide,
};
use ndauth_store::{Family, Read, StoreError};

use crate::access::Operation;
use crate::credential::orphan;
use crate::held::{self, Held, OwnerName, ground, owner_of};
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

/// The answer, and for how long it is good.
#[derive(Debug)]
pub struct Verdict {
    /// What the secret may do, or why it may not.
    pub outcome: Result<Allowed, Refusal>,
    /// How long it may be kept, counted from the sending of the question.
    pub max_cache_age: Duration,
}

/// Answers, and of which state they are.
#[derive(Debug)]
pub struct Verdicts {
    /// One for each question, in order; an error is that something stored makes no sense, and says neither
    /// yes nor no.
    pub verdicts: Vec<Result<Verdict, AuthorityError>>,
    /// The last event that they take into account.
    pub sequence: u64,
    /// When they were judged.
    pub evaluated_at: Timestamp,
}

/// That the secret may do what was asked.
#[derive(Debug)]
pub struct Allowed {
    /// The token.
    pub token: Token,
    /// Whose it is.
    pub owner: OwnerName,
    /// What it may do.
    pub effective: Effective,
    /// Where, where it was asked for a place.
    pub org: Option<OrgSlug>,
}

/// How late a revocation may be anywhere: no answer may be kept for longer.
const FRESHNESS_BOUND: Duration = Duration::from_secs(2);

impl Authority {
    /// Says whether a secret may do a thing. An error means that it could not be decided.
    pub async fn validate(
        &self,
        credential: &Credential,
        question: &Question<'_>,
    ) -> Result<Verdicts, AuthorityError> {
        self.judge(credential, Operation::ValidateToken, std::slice::from_ref(question)).await
    }

    /// Says of each of many secrets whether it may do a thing, all as of one state.
    pub async fn validate_all(
        &self,
        credential: &Credential,
        questions: &[Question<'_>],
    ) -> Result<Verdicts, AuthorityError> {
        self.judge(credential, Operation::ValidateTokens, questions).await
    }

    async fn judge(
        &self,
        credential: &Credential,
        operation: Operation,
        questions: &[Question<'_>],
    ) -> Result<Verdicts, AuthorityError> {
        let (read, caller, _) = self.read_as(credential, operation).await?;
        let Caller::Service { service } = caller else {
            return Err(AuthorityError::NotPermitted { caller: caller.kind(), operation });
        };
        let catalogue = self.catalogue(&read).await?;
        let mut verdicts = Vec::with_capacity(questions.len());
        for question in questions {
            verdicts.push(match self.answer(&read, &catalogue, &service, question).await {
                // One row that makes no sense spoils no other answer.
                Err(error @ AuthorityError::Store(StoreError::Corrupt { .. })) => Err(error),
                answer => Ok(answer?),
            });
        }
        Ok(Verdicts { verdicts, sequence: read.head().sequence, evaluated_at: read.now() })
    }

    async fn answer(
        &self,
        read: &Read,
        catalogue: &Catalogue,
        service: &Service,
        question: &Question<'_>,
    ) -> Result<Verdict, AuthorityError> {
        let (outcome, changes_at) = match look_up(read, question).await? {
            Err(refusal) => (Err(refusal), Expiry::Never),
            Ok(held) => {
                let org = match question.requirement {
                    Requirement::Identity | Requirement::Account => None,
                    Requirement::Access { org, .. } | Requirement::Survey { org } => Some(org),
                };
                let ground = match org {
                    None => None,
                    Some(slug) => ground(read, &held.owner, slug).await?,
                };
                let asked = held::Question {
                    requirement: question.requirement,
                    asker: Asker::Service(service),
                    address: question.client_address.filter(|_| service.states_address),
                    catalogue,
                    now: read.now(),
                };
                let case = held.case(ground.as_ref(), &asked, read);
                let changes_at = case.changes_at();
                let effective = decide(&case);
                if effective.is_ok() {
                    self.uses.note(held.record.id, read.now(), asked.address);
                }
                let Held { token, owner, .. } = held;
                (
                    effective.map(|effective| Allowed { token, owner, effective, org: org.cloned() }),
                    changes_at,
                )
            }
        };
        let reason = outcome.as_ref().err().map_or("ALLOWED", |refusal| refusal.reason().code());
        metrics::counter!("ndauth_verdicts_total", "reason" => reason).increment(1);
        let max_cache_age = match changes_at {
            Expiry::At(instant) => FRESHNESS_BOUND.min(instant.since(read.now())),
            Expiry::Never => FRESHNESS_BOUND,
        };
        Ok(Verdict { outcome, max_cache_age })
    }
}

/// Finds the token of a secret, or says why there is nothing to decide.
async fn look_up(read: &Read, question: &Question<'_>) -> Result<Result<Held, Refusal>, AuthorityError> {
    let secret: Secret = match question.secret.parse() {
        Ok(secret) => secret,
        Err(why) => return Ok(Err(Refusal::Malformed(why))),
    };
    find_held(read, &secret).await
}

/// Finds the token of a secret that services may be shown.
pub(crate) async fn find_held(read: &Read, secret: &Secret) -> Result<Result<Held, Refusal>, AuthorityError> {
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
    let owner = owner_of(read, &token).await?;
    Ok(Ok(Held { record: found.record, token, owner }))
}
