//! Revocation by possession: a caller that presents a token's secret may end it.

use std::net::IpAddr;

use ndauth_core::{Change, Description, Expiry, Personal, RevocationReason, Secret, SecretId, SecretState};
use ndauth_store::{Family, Write};

use super::secrets::LockedFamily;
use crate::access::Operation;
use crate::change::{NAME, change_without_caller};
use crate::{AuthorityError, TokenWing};

/// The key of the note of a revocation in an event's personal bytes.
pub(crate) const NOTE: &str = "note";

impl TokenWing<'_> {
    /// Ends what a secret belongs to; see [`end_presented`]. An unknown secret counts as ended, and a retired one
    /// is recorded as reuse.
    pub(crate) async fn end_by_secret(
        self,
        secret: &Secret,
        from: Option<IpAddr>,
    ) -> Result<(), AuthorityError> {
        let read = self.0.store.read().await?;
        self.0.standing.admit(Operation::RevokeShown, read.installation())?;
        let Some(found) = read.find_secret(&secret.hash()).await? else { return Ok(()) };
        let (Family::Token(id), Some(lineage)) = (found.family, found.family.lineage()) else {
            return Ok(());
        };
        let Some(owner) = read.find_token(id).await?.map(|token| token.owner) else { return Ok(()) };
        if let SecretState::Retired(_) = found.record.state(read.now()) {
            self.0.follow_ups.reused(found.record.id, read.now(), from);
            return Ok(());
        }
        drop(read);
        let note = &presentation_note(&found.record.prefix.to_string(), from);
        change_without_caller(self.0, Operation::RevokeShown, |callerless| async move {
            callerless.lock_owner(owner).await?;
            let held = LockedFamily::hold(&callerless, lineage).await?;
            let Some(held) = held else { return Ok(callerless.unchanged(())) };
            let actor = held.presenter();
            Ok::<_, AuthorityError>(
                match end_presented(&callerless, &held, found.record.id, note.as_ref()).await? {
                    Some((change, personal)) => callerless.done(actor, change, personal, ()),
                    None => callerless.unchanged(()),
                },
            )
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
            Change::SecretDropped { family: held.lineage, owner: held.owner(), secret }
        }
        SecretState::Current | SecretState::Pending => {
            let reason = RevocationReason::Possession;
            write.revoke_token(token.id, &held.presenter(), reason, note).await?;
            Change::TokenRevoked { token: token.id, owner: token.owner, reason }
        }
        SecretState::Retiring => {
            write.end_secret(secret, Expiry::At(now)).await?;
            Change::SecretRetired { family: held.lineage, owner: held.owner(), secret }
        }
        SecretState::Retired(_) | SecretState::Expired(_) => return Ok(None),
    };
    Ok(Some((change, personal)))
}

/// Returns the note that says from where a token's secret was presented.
fn presentation_note(prefix: &str, from: Option<IpAddr>) -> Option<Description> {
    let from = from.map_or_else(|| "somewhere".to_owned(), |from| from.to_string());
    format!("its secret {prefix} was shown from {from}").parse().ok()
}
