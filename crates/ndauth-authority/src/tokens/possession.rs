//! Revocation by possession: a caller that presents a token's secret may end it.

use std::net::IpAddr;

use ndauth_core::{
    Change, Description, Expiry, Personal, PresentedOutcome, RevocationReason, SecretId, SecretState,
};
use ndauth_store::{Family, FoundSecret, Write};

use super::secrets::LockedFamily;
use crate::access::Operation;
use crate::change::{NAME, change_without_caller};
use crate::{AuthorityError, TokenWing};

/// The key of the note of a revocation in an event's personal bytes.
pub(crate) const NOTE: &str = "note";

/// The presentation of a secret by somebody who wants it ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Presentation {
    /// The reason of what it ends.
    pub(crate) reason: RevocationReason,
    /// The address of whoever presents it, if known.
    pub(crate) from: Option<IpAddr>,
}

impl Presentation {
    /// Returns true if the secret is reported as leaked.
    pub(crate) fn is_report(&self) -> bool {
        self.reason == RevocationReason::Leaked
    }

    /// Returns the operation that presents it.
    pub(crate) fn operation(&self) -> Operation {
        if self.is_report() { Operation::ReportLeaked } else { Operation::RevokeShown }
    }

    /// Returns the note that says from where a token's secret was presented.
    fn note(&self, prefix: &str) -> Option<Description> {
        let from = self.from.map_or_else(|| "somewhere".to_owned(), |from| from.to_string());
        let how = if self.is_report() { "reported as leaked" } else { "shown" };
        format!("its secret {prefix} was {how} from {from}").parse().ok()
    }
}

impl TokenWing<'_> {
    /// Ends what a token's secret belongs to; see [`end_presented`]. A retired one is recorded as reuse.
    pub(crate) async fn end_by_secret(
        self,
        found: &FoundSecret,
        presentation: Presentation,
    ) -> Result<PresentedOutcome, AuthorityError> {
        let read = self.0.store.read().await?;
        let (Family::Token(id), Some(lineage)) = (found.family, found.family.lineage()) else {
            return Ok(PresentedOutcome::Unknown);
        };
        let owner = read.find_token(id).await?.map(|token| token.owner);
        let Some(owner) = owner else { return Ok(PresentedOutcome::AlreadyDead) };
        if let SecretState::Retired(_) = found.record.state(read.now()) {
            drop(read);
            self.0.validation().record_presented(found, presentation).await?;
            return Ok(PresentedOutcome::ReuseRecorded);
        }
        drop(read);
        let note = &presentation.note(&found.record.prefix.to_string());
        change_without_caller(self.0, presentation.operation(), |callerless| async move {
            callerless.lock_owner(owner).await?;
            let held = LockedFamily::hold(&callerless, lineage).await?;
            let Some(held) = held else { return Ok(callerless.unchanged(PresentedOutcome::AlreadyDead)) };
            let (actor, reason) = (held.presenter(), presentation.reason);
            let ended = end_presented(&callerless, &held, found.record.id, reason, note.as_ref()).await?;
            Ok::<_, AuthorityError>(match ended {
                Some((change, personal)) => {
                    let outcome = outcome(&change);
                    callerless.done(actor, change, personal, outcome)
                }
                None => callerless.unchanged(PresentedOutcome::AlreadyDead),
            })
        })
        .await
        .map(|done| done.value)
    }
}

/// Ends what a secret belongs to. A current secret, or a token's first one, ends its token. A pending one
/// ends its rotation, and a retiring one ends itself. Returns the change to record, or none if all of it had
/// ended.
pub(crate) async fn end_presented(
    write: &Write,
    held: &LockedFamily,
    secret: SecretId,
    reason: RevocationReason,
    note: Option<&Description>,
) -> Result<Option<(Change, Personal)>, AuthorityError> {
    let now = write.now();
    let found = held.secrets.iter().find(|found| found.record.id == secret);
    let (Some(found), Some(token)) = (found, &held.token) else { return Ok(None) };
    if held.is_dead(write).await? {
        return Ok(None);
    }
    let first = held.secrets.iter().all(|found| found.record.confirmed_at.is_none());
    let mut personal = Personal::from([(NAME, token.name.to_string())]);
    personal.extend(note.map(|note| (NOTE, note.to_string())));
    let change = match found.record.state(now) {
        SecretState::Pending if !first => {
            write.drop_secret(secret).await?;
            let (family, owner) = (held.lineage, held.owner());
            Change::SecretDropped { family, owner, secret, reason: Some(reason) }
        }
        SecretState::Current | SecretState::Pending => {
            write.revoke_token(token.id, &held.presenter(), reason, note).await?;
            Change::TokenRevoked { token: token.id, owner: token.owner, reason, presented: Some(secret) }
        }
        SecretState::Retiring => {
            write.end_secret(secret, Expiry::At(now)).await?;
            let (family, owner) = (held.lineage, held.owner());
            Change::SecretRetired { family, owner, secret, reason: Some(reason) }
        }
        SecretState::Retired(_) | SecretState::Expired(_) => return Ok(None),
    };
    Ok(Some((change, personal)))
}

/// Returns the outcome that a change of [`end_presented`] is.
fn outcome(change: &Change) -> PresentedOutcome {
    match change {
        Change::SecretDropped { .. } => PresentedOutcome::RotationDropped,
        Change::SecretRetired { .. } => PresentedOutcome::Retired,
        _ => PresentedOutcome::Revoked,
    }
}
