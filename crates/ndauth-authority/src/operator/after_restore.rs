//! Puts a restored copy into service.
//!
//! A copy has forgotten revocations that came after it. So a restored one is not served until the operator
//! has decided about the secrets in it: the forgotten events are replayed from an export of the newer log,
//! everything minted before an instant is revoked, or the loss is accepted.

use std::time::Duration;

use ndauth_core::{Change, Head, Label, OrgSlug, Personal, Timestamp};
use ndauth_store::{Read, Seen, StoredEvent, Write};

use super::replay::{Replayed, replay};
use crate::access::{Operation, Whose};
use crate::change::{Changing, Done, change};
use crate::standing::unreadable;
use crate::{AuthorityError, Credential, OperatorWing};

/// The operator's decision about the secrets in a restored copy.
#[derive(Clone, Debug)]
pub enum Settlement {
    /// Replays the events that the copy has forgotten.
    Replay(Vec<StoredEvent>),
    /// Revokes every secret minted before this instant.
    NotBefore(Timestamp),
    /// Revokes every secret.
    Everything,
    /// Serves the copy as it is: anything that the lost events revoked is live again.
    AcceptLoss,
}

/// A copy that was put into service.
#[derive(Debug)]
pub struct Settled {
    /// The sequence at which the copy's log ended.
    pub copy: u64,
    /// The number of events that were replayed.
    pub replayed: u64,
    /// The instant before which every minted secret is revoked.
    pub not_before: Timestamp,
    /// The number of secrets that this revokes.
    pub revoked: u64,
    /// The number of secrets minted since then.
    pub others: u64,
    /// The number of things that were made after the copy, and are no longer known.
    pub lost: u64,
    /// The services that were rotated after the copy, and have no secret now.
    pub without_secret: Vec<Label>,
    /// The orgs whose policy admits no network, because the log no longer names those that it admitted.
    pub without_networks: Vec<OrgSlug>,
}

impl OperatorWing<'_> {
    /// Puts a copy into service, with a decision about the secrets in it.
    pub async fn after_restore(
        self,
        credential: &Credential,
        settlement: &Settlement,
    ) -> Result<Settled, AuthorityError> {
        let settled = change(self.0, credential, Operation::AfterRestore, &Whose::Anyone, |changing| {
            self.settle_copy(changing, settlement)
        });
        let settled = settled.await?.value;
        self.0.settle().await?;
        Ok(settled)
    }

    async fn settle_copy(
        self,
        mut write: Changing,
        settlement: &Settlement,
    ) -> Result<Done<Settled>, AuthorityError> {
        // The replay of a long log takes time. Meanwhile all other changes are refused.
        write.lift_timeouts().await?;
        let now = write.now();
        let copy = write.lock_head().await?;
        let of_before = write.installation().not_before;
        let done = self.settle_secrets(&mut write, settlement, copy).await?;
        let not_before = of_before.max(done.not_before);
        let dated = self.date_after_seen(&write, now).await?;
        write.date(dated);
        write.set_not_before(not_before).await?;
        write.remove_every_ticket().await?;
        write.end_every_offer().await?;
        write.set_restored(None).await?;
        write.record_settled(write.now()).await?;
        let minted = write.count_minted(not_before).await?;
        let settled = Settled {
            copy: copy.sequence,
            replayed: done.events,
            not_before,
            revoked: minted.before,
            others: minted.since,
            lost: done.lost,
            without_secret: done.without_secret(&write).await?,
            without_networks: done.without_networks(&write).await?,
        };
        let change = Change::Restored { copy: copy.sequence, replayed: done.events, not_before };
        Ok(write.done(change, Personal::new(), settled))
    }

    /// Replays what the copy has forgotten, or finds the instant before which all secrets are revoked.
    async fn settle_secrets(
        self,
        write: &mut Write,
        settlement: &Settlement,
        copy: Head,
    ) -> Result<Replayed, AuthorityError> {
        let now = write.now();
        let not_before = match settlement {
            Settlement::Everything => {
                // Clocks differ, so the instant is after the newest secret, whichever instance minted it.
                let newest = write.count_minted(now).await?.newest.unwrap_or(now);
                newest.checked_add(Duration::from_micros(1)).unwrap_or(newest).max(now)
            }
            Settlement::NotBefore(instant) if *instant > now => {
                return Err(AuthorityError::invalid("not_before", "it is in the future"));
            }
            Settlement::NotBefore(instant) => *instant,
            Settlement::AcceptLoss => Timestamp::MIN,
            Settlement::Replay(events) => {
                self.covers(events, write, copy).await?;
                return replay(write, events, copy.sequence).await;
            }
        };
        Ok(Replayed::nothing(not_before))
    }

    /// Returns the date of a settlement. An instance that saw what the copy has forgotten resumes with its
    /// event, which must be dated after everything that was seen, because clocks differ.
    async fn date_after_seen(self, read: &Read, now: Timestamp) -> Result<Timestamp, AuthorityError> {
        let seen = self.read_witness(read).await?;
        let behind = seen.and_then(|seen| seen.at.checked_add(Duration::from_micros(1)));
        Ok(behind.map_or(now, |behind| behind.max(now)))
    }

    /// Returns the end of the log that was seen from this machine, if any.
    async fn read_witness(self, read: &Read) -> Result<Option<Seen>, AuthorityError> {
        let witness = read.installation_id().await?.and_then(|id| self.0.standing.witness(id));
        match &witness {
            None => Ok(None),
            Some(witness) => witness.read().map_err(|source| unreadable(witness, source)),
        }
    }

    /// Fails unless an export reaches from the end of the copy to the end of the log that was seen.
    async fn covers(self, events: &[StoredEvent], write: &Write, copy: Head) -> Result<(), AuthorityError> {
        let (Some(first), Some(last)) = (events.first(), events.last()) else {
            return Err(AuthorityError::Export("is empty".to_owned()));
        };
        if first.sequence > copy.sequence + 1 {
            let why =
                format!("begins with event {}, and the copy ends with {}", first.sequence, copy.sequence);
            return Err(AuthorityError::Export(why));
        }
        let seen = self.read_witness(write).await?.map(|seen| seen.head);
        // If nothing was seen, an export with nothing newer would settle the copy without replaying anything.
        let Some(least) = seen.filter(|seen| seen.sequence >= copy.sequence) else {
            if last.sequence <= copy.sequence {
                let why = format!("holds nothing after event {}, where the copy ends", copy.sequence);
                return Err(AuthorityError::Export(why));
            }
            return Ok(());
        };
        if !events.iter().any(|event| (event.sequence, event.hash) == (least.sequence, least.hash)) {
            let why = format!(
                "does not reach the event {} that was seen here: it ends with {} or belongs to another log",
                least.sequence, last.sequence
            );
            return Err(AuthorityError::Export(why));
        }
        Ok(())
    }
}
