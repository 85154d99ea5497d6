//! Copies of the database: made, put back, and put into service.
//!
//! A copy has forgotten what was revoked since it was made. So a restored one is not served until the
//! operator has said what becomes of the secrets in it: what was forgotten is replayed from an export of
//! the newer log, or everything minted before an instant is revoked.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ndauth_core::{Change, Entry, Expiry, Head, Label, Lineage, Owner, Personal, SecretId, Timestamp};
use ndauth_store::{Clock, CopyError, DatabaseUrl, FoundSecret, Kind, Read, Seen, Store, StoredEvent, Write};

use crate::access::{Operation, Whose};
use crate::change::{Changing, Done, TRIES};
use crate::orgs::NETWORKS;
use crate::standing::{Standing, seen_now, unreadable};
use crate::tokens::NOTE;
use crate::{Authority, AuthorityError, Credential};

/// A copy that was put back.
#[derive(Debug)]
pub struct RestoredCopy {
    /// Where its log ends.
    pub head: Head,
    /// Where what was there before is kept, if anything was.
    pub kept: Option<PathBuf>,
}

/// What becomes of the secrets in a restored copy.
#[derive(Clone, Debug)]
pub enum Settlement {
    /// What the copy has forgotten is done again.
    Replay(Vec<StoredEvent>),
    /// Every secret minted before is revoked.
    NotBefore(Timestamp),
    /// Every secret there is, is revoked.
    Everything,
    /// It is served as it is: what the events revoked that are lost lives again.
    AcceptLoss,
}

/// A copy that was put into service.
#[derive(Debug)]
pub struct Settled {
    /// Where the log of the copy ended.
    pub copy: u64,
    /// How many events were replayed.
    pub replayed: u64,
    /// Every secret minted before is revoked.
    pub not_before: Timestamp,
    /// How many secrets that shuts out.
    pub shut_out: u64,
    /// How many others serve on.
    pub others: u64,
    /// How many things were made after the copy, and are not known any more.
    pub lost: u64,
    /// The services that were rotated after the copy, and have no secret now.
    pub without_secret: Vec<Label>,
}

impl Authority {
    /// Copies the database to a new file, while others go on writing.
    pub async fn back_up(&self, credential: &Credential, path: &Path) -> Result<Head, AuthorityError> {
        let (read, _) = self.read_as(credential, Operation::Backup, &Whose::Anyone).await?;
        let head = read.head();
        drop(read);
        self.store.copy_to(path).await?;
        Ok(head)
    }

    /// Puts a copy in the place of a database. What was there is copied to a file beside it first.
    pub async fn restore(url: &DatabaseUrl, copy: &Path) -> Result<RestoredCopy, AuthorityError> {
        let DatabaseUrl::Sqlite(target) = url else { return Err(CopyError::Postgres.into()) };
        if !copy.is_file() {
            return Err(CopyError::Missing(copy.to_owned()).into());
        }
        let store = Store::create(url, Clock::Database).await?;
        store.migrate().await?;
        let standing = Standing::new(url, None);
        let mut tries = 1;
        loop {
            let read = store.read().await?;
            let (before, installation) = (read.head(), read.installation_id().await?);
            let seen = seen_now(&read).await?;
            drop(read);
            let mut kept = None;
            if before.sequence > 0 {
                let mut path = target.clone().into_os_string();
                path.push(format!(".before-restore-{}", before.sequence));
                let path = free(path.into());
                store.copy_to(&path).await?;
                kept = Some(path);
            }
            // What is about to be replaced is what was seen last.
            if let Some(witness) = installation.and_then(|id| standing.witness(id))
                && witness.read().ok().flatten().is_none_or(|seen| seen.head.sequence < before.sequence)
            {
                witness.write(&seen).map_err(|source| unreadable(&witness, source))?;
            }
            match Store::restore(url, before, copy).await {
                Ok(head) => {
                    store.close().await?;
                    return Ok(RestoredCopy { head, kept });
                }
                // A server that runs made a change in between: nothing of it may be lost.
                Err(CopyError::Moved) if tries < TRIES => {
                    if let Some(kept) = kept {
                        // It is older than what comes next, and would only mislead.
                        let _ = std::fs::remove_file(kept);
                    }
                    tries += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Puts a copy into service, once it is said what becomes of the secrets in it.
    pub async fn after_restore(
        &self,
        credential: &Credential,
        settlement: &Settlement,
    ) -> Result<Settled, AuthorityError> {
        let settled = self.change(credential, Operation::AfterRestore, &Whose::Anyone, |changing| {
            self.settle_copy(changing, settlement)
        });
        let settled = settled.await?.value;
        self.settle().await?;
        Ok(settled)
    }

    async fn settle_copy(
        &self,
        mut write: Changing,
        settlement: &Settlement,
    ) -> Result<Done<Settled>, AuthorityError> {
        // It may read a long log; meanwhile all others refuse to change anything.
        write.take_time().await?;
        let now = write.now();
        let copy = write.lock_head().await?;
        let mut not_before = write.installation().not_before;
        let (mut replayed, mut lost, mut rotated) = (0, 0, BTreeSet::new());
        match settlement {
            Settlement::Everything => {
                // Clocks differ: not before the last that was minted by any.
                let newest = write.count_minted(now).await?.newest.unwrap_or(now);
                let behind = newest.checked_add(Duration::from_micros(1)).unwrap_or(newest);
                not_before = not_before.max(now).max(behind);
            }
            Settlement::NotBefore(instant) if *instant > now => {
                return Err(AuthorityError::invalid("not_before", "the instant has not come yet"));
            }
            Settlement::NotBefore(instant) => not_before = not_before.max(*instant),
            Settlement::AcceptLoss => {}
            Settlement::Replay(events) => {
                self.covers(events, &write, copy).await?;
                for event in events.iter().filter(|event| event.sequence > copy.sequence) {
                    let entry = follow(&mut write, event, copy.sequence).await?;
                    if let Change::Restored { not_before: then, .. } = entry.change {
                        not_before = not_before.max(then);
                    }
                    redo(&mut write, event, &entry).await?;
                    replayed += 1;
                    lost += u64::from(makes(&entry.change));
                    if let Change::SecretConfirmed { family: Lineage::Service(service), .. } = entry.change {
                        rotated.insert(service);
                    }
                }
                write.date(now);
            }
        }
        write.set_not_before(not_before).await?;
        write.forget_what_works_once().await?;
        write.set_restored(None).await?;
        // Whoever saw what is forgotten goes on by this event, which must be dated after that: clocks differ.
        let seen = self.seen_here(&write).await?;
        let behind = seen.and_then(|seen| seen.at.checked_add(Duration::from_micros(1)));
        write.date(behind.map_or(now, |behind| behind.max(now)));
        write.set_settled(write.now()).await?;
        let minted = write.count_minted(not_before).await?;
        let mut without_secret = Vec::new();
        for service in rotated {
            let service = write.find_service(service).await?;
            without_secret
                .extend(service.filter(|service| service.revoked_at.is_none()).map(|service| service.name));
        }
        let change = Change::Restored { copy: copy.sequence, replayed, not_before };
        let (shut_out, others) = (minted.before, minted.since);
        let copy = copy.sequence;
        let settled = Settled { copy, replayed, not_before, shut_out, others, lost, without_secret };
        Ok(write.done(change, Personal::new(), settled))
    }

    /// The end of the log that was seen from this machine.
    async fn seen_here(&self, read: &Read) -> Result<Option<Seen>, AuthorityError> {
        let witness = read.installation_id().await?.and_then(|id| self.standing.witness(id));
        match &witness {
            None => Ok(None),
            Some(witness) => witness.read().map_err(|source| unreadable(witness, source)),
        }
    }

    /// Whether an export reaches from the end of the copy to the end of what was seen.
    async fn covers(&self, events: &[StoredEvent], write: &Write, copy: Head) -> Result<(), AuthorityError> {
        let (Some(first), Some(last)) = (events.first(), events.last()) else {
            return Err(AuthorityError::Export("is empty".to_owned()));
        };
        if first.sequence > copy.sequence + 1 {
            let why =
                format!("begins with event {}, and the copy ends with {}", first.sequence, copy.sequence);
            return Err(AuthorityError::Export(why));
        }
        let seen = self.seen_here(write).await?.map(|seen| seen.head);
        // Where nothing was seen, an export that holds nothing more would settle everything by itself.
        let Some(least) = seen.filter(|seen| seen.sequence >= copy.sequence) else {
            if last.sequence <= copy.sequence {
                let why = format!("holds nothing behind event {}, where the copy ends", copy.sequence);
                return Err(AuthorityError::Export(why));
            }
            return Ok(());
        };
        if !events.iter().any(|event| (event.sequence, event.hash) == (least.sequence, least.hash)) {
            let why = format!(
                "does not reach the event {} that was seen here: it ends with {} or is another log's",
                least.sequence, last.sequence
            );
            return Err(AuthorityError::Export(why));
        }
        Ok(())
    }
}

/// Whether something came to be that a copy made before does not know.
fn makes(change: &Change) -> bool {
    matches!(
        change,
        Change::AccountCreated { .. }
            | Change::OrgCreated { .. }
            | Change::SessionIssued { .. }
            | Change::ServiceCreated { .. }
            | Change::TokenCreated { .. }
            | Change::TokenDerived { .. }
    )
}

/// Appends an exported event, which must follow the end of the log.
async fn follow(write: &mut Write, event: &StoredEvent, start: u64) -> Result<Entry, AuthorityError> {
    if !event.follows(&write.head()) {
        let why = format!("does not continue this log: event {} does not follow", event.sequence);
        return Err(AuthorityError::Export(why));
    }
    let entry: Entry = serde_json::from_slice(&event.public).map_err(|_| {
        AuthorityError::Export(format!(
            "holds event {}, of a kind that this version does not know; revoke all by `--not-before`",
            event.sequence
        ))
    })?;
    if let Change::Restored { copy, .. } = entry.change
        && copy < start
    {
        // What it made to be unknown, this copy knows: a row would come back to life.
        return Err(AuthorityError::Export(format!(
            "holds a restore to event {copy}, before the end of this copy; revoke all by `--not-before`"
        )));
    }
    write.append(event).await?;
    Ok(entry)
}

/// Makes again what an event tells of, as far as it concerns what the copy holds. What was made after the
/// copy stays unknown: nobody's secret works by it.
async fn redo(write: &mut Write, event: &StoredEvent, entry: &Entry) -> Result<(), AuthorityError> {
    write.date(entry.at);
    match &entry.change {
        Change::AccountDisabled { account, signed_out } => {
            write.set_account_disabled(*account, Some(entry.at)).await?;
            if *signed_out {
                write.end_sessions(*account).await?;
            }
        }
        Change::AccountEnabled { account } => write.set_account_disabled(*account, None).await?,
        Change::AccountSignedOut { account } => {
            write.end_sessions(*account).await?;
        }
        // What it was before must not let anybody in, and what it is now is not told.
        Change::PasswordSet { account } => {
            write.remove_password(*account).await?;
            write.end_sessions(*account).await?;
        }
        Change::SessionEnded { session, .. } => {
            write.end_session(*session).await?;
        }
        Change::OrgDeleted { org } => write.delete_org(*org).await?,
        Change::MemberRemoved { org, account } => write.remove_member(*account, *org).await?,
        Change::MemberSet { org, account, role } => {
            let known =
                write.find_org(*org).await?.is_some() && write.find_account(*account).await?.is_some();
            match role.or_else(|| personal(event, "role")?.parse().ok()) {
                Some(role) if known => write.set_role(*account, *org, role).await?,
                // What role it was is not told any more: none is the safe one.
                None if known => write.remove_member(*account, *org).await?,
                Some(_) | None => {}
            }
        }
        Change::PolicySet { org, takes_hold_at, policy } => {
            if write.find_org(*org).await?.is_some() {
                let networks = personal(event, NETWORKS);
                write.add_policy(*org, *takes_hold_at, &policy.clone().together(networks.as_deref())).await?;
            }
        }
        Change::CatalogueApplied { catalogue } => write.set_catalogue(catalogue).await?,
        Change::ServiceRevoked { service } => write.revoke_service(*service).await?,
        Change::TokenRevoked { token, reason } => {
            let note = personal(event, NOTE).and_then(|text| text.parse().ok());
            write.revoke_token(*token, &entry.actor, *reason, note.as_ref()).await?;
        }
        Change::TokenRenewed { token, expires_at } => write.set_token_end(*token, *expires_at).await?,
        Change::TokenSuspended { token, level } => {
            let known = write.find_token(*token).await?;
            if known.is_some_and(|token| token.suspensions.iter().all(|known| known.level != *level)) {
                write.suspend(*token, *level).await?;
            }
        }
        Change::TokenResumed { token, levels } => {
            for level in levels {
                write.resume(*token, *level).await?;
            }
        }
        Change::SecretConfirmed { family, secret, others_end_at, expires_at } => {
            confirm_again(write, *family, *secret, *others_end_at, *expires_at).await?;
        }
        Change::SecretDropped { family, secret } => {
            if of_family(write, *family, *secret)
                .await?
                .is_some_and(|found| found.record.confirmed_at.is_none())
            {
                write.drop_secret(*secret).await?;
            }
        }
        Change::SecretRetired { family, secret } => {
            if of_family(write, *family, *secret).await?.is_some() {
                write.end_secret(*secret, Expiry::At(entry.at)).await?;
            }
        }
        Change::SecretReused { family, secret, suspended } => {
            if of_family(write, *family, *secret).await?.is_some() {
                write.set_reused(*secret, entry.at).await?;
            }
            if let Lineage::Token(token) = family
                && let Some(token) = write.find_token(*token).await?
            {
                for level in suspended {
                    if token.suspensions.iter().all(|known| known.level != *level) {
                        write.suspend(token.id, *level).await?;
                    }
                }
            }
        }
        Change::AccountTokensRevoked { account, not_before, reason } => {
            write.close_account(*account, *not_before).await?;
            let owner = Owner::Account(*account);
            write.revoke_minted_before(owner, *not_before, &entry.actor, *reason).await?;
        }
        Change::OrgTokensRevoked { org, not_before, reason } => {
            write.close_org(*org, *not_before).await?;
            write.revoke_minted_before(Owner::Org(*org), *not_before, &entry.actor, *reason).await?;
        }
        Change::OrgFrozen { org } => write.set_frozen(*org, Some(entry.at)).await?,
        Change::OrgUnfrozen { org } => write.set_frozen(*org, None).await?,
        Change::FamiliesRemoved { tokens, sessions, services, .. } => {
            let ids: Vec<_> = tokens.iter().map(|id| id.uuid()).collect();
            write.remove(Kind::Token, &ids).await?;
            let ids: Vec<_> = sessions.iter().map(|id| id.uuid()).collect();
            write.remove(Kind::Session, &ids).await?;
            let ids: Vec<_> = services.iter().map(|id| id.uuid()).collect();
            write.remove(Kind::Service, &ids).await?;
        }
        // That somebody logged in is not done again: their tokens wait for the next login.
        Change::SessionIssued { .. }
        | Change::TokenUpdated { .. }
        | Change::AccountCreated { .. }
        | Change::AccountInvited { .. }
        | Change::AccountIdentified { .. }
        | Change::TokenDerived { .. }
        | Change::OrgCreated { .. }
        | Change::ServiceCreated { .. }
        | Change::TokenCreated { .. }
        | Change::SecretMinted { .. }
        | Change::Restored { .. } => {}
    }
    Ok(())
}

/// One of a family's secrets, where the copy knows it.
async fn of_family(
    write: &Write,
    family: Lineage,
    secret: SecretId,
) -> Result<Option<FoundSecret>, AuthorityError> {
    let mut secrets = write.list_secrets(family.into()).await?.into_iter();
    Ok(secrets.find(|found| found.record.id == secret))
}

/// Lets a secret take over again: where the copy does not know it, those that it does know retire all the same.
async fn confirm_again(
    write: &Write,
    family: Lineage,
    secret: SecretId,
    others_end_at: Timestamp,
    expires_at: Expiry,
) -> Result<(), AuthorityError> {
    let token = match family {
        Lineage::Token(id) => write.find_token(id).await?,
        Lineage::Service(_) => None,
    };
    let former_end = token.as_ref().map_or(Expiry::Never, |token| token.expires_at);
    for found in write.list_secrets(family.into()).await? {
        let record = &found.record;
        if record.id == secret {
            write.confirm_secret(secret).await?;
        } else if record.judge(write.now()).is_ok() {
            let end = Expiry::At(others_end_at).min(former_end).min(record.ends_at);
            write.end_secret(record.id, end).await?;
        }
    }
    if let Some(token) = token {
        write.set_token_end(token.id, expires_at).await?;
    }
    Ok(())
}

/// What an event's personal bytes say under a key, while they are there.
pub(crate) fn personal(event: &StoredEvent, key: &str) -> Option<String> {
    let (bytes, _) = event.personal.as_ref()?;
    let personal: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    Some(personal[key].as_str()?.to_owned())
}

/// The path, or the first of its kind that no file has.
fn free(path: PathBuf) -> PathBuf {
    let numbered = |n: u32| {
        let mut path = path.clone().into_os_string();
        path.push(format!("-{n}"));
        PathBuf::from(path)
    };
    std::iter::once(path.clone()).chain((2..).map(numbered)).find(|path| !path.exists()).unwrap_or(path)
}
