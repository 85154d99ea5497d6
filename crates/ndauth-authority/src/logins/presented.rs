//! Secrets that are presented in order to end what they belong to: to revoke it (RFC 7009), or because they leaked.
//! Possession of the whole secret is enough.

use std::collections::HashMap;

use ndauth_core::{
    PresentedOutcome, Refusal, RevocationReason, Secret, SecretHash, SecretKind, SecretPrefix, SecretState,
    Timestamp,
};
use ndauth_store::{Family, FoundSecret};

use super::sessions::{EndedBy, Visitor};
use crate::access::Operation;
use crate::limits::network;
use crate::throttle::{MOST_REPORTED, Tried};
use crate::tokens::Presentation;
use crate::{AuthorityError, LoginWing};

/// A text that was reported as a leaked secret, and its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportedSecret {
    /// The first characters of the secret, if the text is one.
    pub prefix: Option<SecretPrefix>,
    /// The outcome.
    pub outcome: PresentedOutcome,
}

impl LoginWing<'_> {
    /// Ends whatever a presented secret belongs to (RFC 7009): a session, a token, a rotation, or the secret
    /// itself. An unknown secret is ignored. A service's secret ends nothing and is refused.
    pub async fn revoke_presented(self, text: &str, visitor: &Visitor) -> Result<(), AuthorityError> {
        let Ok(secret) = text.parse::<Secret>() else { return Ok(()) };
        let read = self.0.store.read().await?;
        self.0.standing.admit(Operation::RevokeShown, read.installation())?;
        let (found, now) = (read.find_secret(&secret.hash()).await?, read.now());
        drop(read);
        if let Some(found) = found {
            let presentation = Presentation { reason: RevocationReason::Possession, from: visitor.address };
            self.end_presented(&found, now, presentation).await?;
        }
        match secret.kind() {
            SecretKind::Service => Err(Refusal::Kind(SecretKind::Service).into()),
            SecretKind::Personal
            | SecretKind::Org
            | SecretKind::Session
            | SecretKind::Refresh
            | SecretKind::Access => Ok(()),
        }
    }

    /// Ends whatever the secrets of a batch belong to, because they leaked. Returns the outcome of each, in the
    /// order of the batch.
    ///
    /// Each text counts as a guess from the visitor's network. All are counted before anything is looked up, and
    /// they are restored if the batch fails. A batch that failed half-way may be repeated.
    pub async fn report_leaked(
        self,
        texts: &[String],
        visitor: &Visitor,
    ) -> Result<Vec<ReportedSecret>, AuthorityError> {
        let count = u32::try_from(texts.len()).unwrap_or(u32::MAX);
        if !(1..=MOST_REPORTED).contains(&count) {
            let why = format!("there are {count}: report at least 1 and at most {MOST_REPORTED} at once");
            return Err(AuthorityError::invalid("secrets", why));
        }
        let now = {
            let read = self.0.store.read().await?;
            self.0.standing.admit(Operation::ReportLeaked, read.installation())?;
            read.now()
        };
        let tried = Tried::LeakFrom(network(visitor.address));
        self.0.throttle.take_several(std::slice::from_ref(&tried), count, now)?;
        let reported = self.end_leaked(texts, visitor).await;
        if reported.is_err() {
            self.0.throttle.give_back_several(&tried, count);
        }
        reported
    }

    async fn end_leaked(
        self,
        texts: &[String],
        visitor: &Visitor,
    ) -> Result<Vec<ReportedSecret>, AuthorityError> {
        let secrets: Vec<Option<(SecretPrefix, SecretHash)>> = texts
            .iter()
            .map(|text| text.parse::<Secret>().ok().map(|secret| (secret.prefix(), secret.hash())))
            .collect();
        let read = self.0.store.read().await?;
        let found = read.find_secrets(secrets.iter().flatten().map(|(_, hash)| *hash)).await?;
        let now = read.now();
        drop(read);
        let presentation = Presentation { reason: RevocationReason::Leaked, from: visitor.address };
        let found: HashMap<_, _> = found.into_iter().map(|found| (found.hash, found)).collect();
        let (mut outcomes, mut reported) = (HashMap::with_capacity(found.len()), Vec::new());
        // In the order of the batch: one secret may end what another belongs to. One that is there twice is ended once.
        for secret in secrets {
            let outcome = match secret.map(|(_, hash)| (hash, found.get(&hash), outcomes.get(&hash))) {
                None => PresentedOutcome::Malformed,
                Some((_, None, _)) => PresentedOutcome::Unknown,
                Some((_, Some(_), Some(outcome))) => *outcome,
                Some((hash, Some(found), None)) => {
                    let outcome = self.end_presented(found, now, presentation).await?;
                    outcomes.insert(hash, outcome);
                    outcome
                }
            };
            reported.push(ReportedSecret { prefix: secret.map(|(prefix, _)| prefix), outcome });
        }
        Ok(reported)
    }

    /// Ends whatever a secret belongs to that was found at an instant.
    async fn end_presented(
        self,
        found: &FoundSecret,
        now: Timestamp,
        presentation: Presentation,
    ) -> Result<PresentedOutcome, AuthorityError> {
        match found.family {
            Family::Token(_) => self.0.tokens().end_by_secret(found, presentation).await,
            Family::Session(id) => {
                let session = self.0.store.read().await?.find_session(id).await?;
                let Some(session) = session else { return Ok(PresentedOutcome::AlreadyDead) };
                let by = EndedBy::Presentation(presentation.reason);
                Ok(match self.end_session(&session, by, presentation.operation()).await? {
                    true => PresentedOutcome::SessionEnded,
                    false => PresentedOutcome::AlreadyDead,
                })
            }
            Family::Service(_) => self.report_service(found, now, presentation).await,
        }
    }

    /// Reports to the operator that a service's secret was presented to be ended. It ends nothing.
    async fn report_service(
        self,
        found: &FoundSecret,
        now: Timestamp,
        presentation: Presentation,
    ) -> Result<PresentedOutcome, AuthorityError> {
        let Family::Service(id) = found.family else { return Ok(PresentedOutcome::Unknown) };
        let service = self.0.store.read().await?.find_service(id).await?;
        let service = service.filter(|service| service.revoked_at.is_none());
        let Some(service) = service else { return Ok(PresentedOutcome::AlreadyDead) };
        metrics::counter!("ndauth_service_secrets_shown_total").increment(1);
        let from = presentation.from.map(|from| from.to_string());
        let how = if presentation.is_report() { "reported as leaked" } else { "presented for revocation" };
        tracing::warn!(service = %service.name, from, "a service's secret was {how}: rotate it");
        match found.record.state(now) {
            SecretState::Pending | SecretState::Current | SecretState::Retiring => {
                Ok(PresentedOutcome::ServiceReported)
            }
            SecretState::Retired(_) => {
                self.0.validation().record_presented(found, presentation).await?;
                Ok(PresentedOutcome::ReuseRecorded)
            }
            SecretState::Expired(_) => Ok(PresentedOutcome::AlreadyDead),
        }
    }
}
