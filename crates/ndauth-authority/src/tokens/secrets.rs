//! The succession of a family's secrets, of a token or of a service.

use std::time::Duration;

use ndauth_core::{
    Actor, Change, Expiry, Lineage, Owner, Personal, Retirement, Secret, SecretId, SecretKind, SecretPrefix,
    SecretRecord, SecretState, Since, Succession, Timestamp, Token, Unready,
};
use ndauth_store::{Family, FoundSecret, Read, StoreError, Write};
use rand::rngs::SysRng;

use crate::AuthorityError;
use crate::change::NAME;
use crate::observations::uses::Uses;

/// The settlement of a rotation.
#[derive(Clone, Debug)]
pub enum Settling {
    /// Confirms the new secret, because it arrived where it belongs. If its prefix is given and it is
    /// confirmed already, nothing changes.
    Confirm(Option<SecretPrefix>),
    /// Drops the new secret.
    Drop,
    /// Ends the old secret before its overlap is over.
    Retire {
        /// Ends it even if that may lock somebody out.
        anyway: bool,
    },
}

/// A family whose rows are locked.
pub(crate) struct LockedFamily {
    pub(crate) lineage: Lineage,
    /// The token, if the family is a token's.
    pub(crate) token: Option<Token>,
    /// The name, for people.
    pub(crate) name: String,
    /// Its secrets, oldest first.
    pub(crate) secrets: Vec<FoundSecret>,
}

impl LockedFamily {
    /// Locks a family until the change ends, and returns it. None if it no longer exists.
    pub(crate) async fn hold(write: &Write, lineage: Lineage) -> Result<Option<LockedFamily>, StoreError> {
        let (token, name) = match lineage {
            Lineage::Token(id) => match write.lock_token(id).await? {
                Some(token) => (Some(token.clone()), token.name.to_string()),
                None => return Ok(None),
            },
            Lineage::Service(id) => {
                write.lock_service(id).await?;
                (
                    None,
                    write
                        .find_service(id)
                        .await?
                        .map_or_else(String::new, |service| service.name.to_string()),
                )
            }
        };
        let secrets = write.list_secrets(Family::from(lineage)).await?;
        Ok(Some(LockedFamily { lineage, token, name, secrets }))
    }

    /// Returns the family's secret in this state, if it has one.
    pub(super) fn in_state(&self, state: SecretState, now: Timestamp) -> Option<&FoundSecret> {
        self.secrets.iter().find(|found| found.record.state(now) == state)
    }

    /// Returns the owner, if the family is a token's.
    pub(crate) fn owner(&self) -> Option<Owner> {
        self.token.as_ref().map(|token| token.owner)
    }

    /// Returns the actor for the log, for a family that presents itself.
    pub(crate) fn presenter(&self) -> Actor {
        match (self.lineage, self.owner()) {
            (Lineage::Token(token), Some(Owner::Account(account))) => Actor::Token { account, token },
            (Lineage::Token(token), Some(Owner::Org(org))) => Actor::OrgToken { org, token },
            (Lineage::Service(service), _) => Actor::Service { service },
            (Lineage::Token(_), None) => Actor::Authority,
        }
    }

    /// Returns true if the family is a dead token's, which nothing revives.
    pub(crate) async fn is_dead(&self, read: &Read) -> Result<bool, StoreError> {
        let views = read.view_tokens(self.token.iter().cloned().collect()).await?;
        Ok(views.iter().any(|view| view.status(read.now()).is_dead()))
    }

    fn none(&self, what: &'static str) -> AuthorityError {
        AuthorityError::NoRotation { name: self.name.clone(), what }
    }

    fn none_waits(&self) -> AuthorityError {
        self.none("no new secret that awaits confirmation")
    }

    fn personal(&self) -> Personal {
        Personal::from([(NAME, self.name.clone())])
    }

    /// Confirms a pending secret. The others retire after the overlap, and the token gets the end that was
    /// set when the secret was minted.
    pub(crate) async fn confirm(&self, write: &Write, secret: SecretId) -> Result<Change, StoreError> {
        let now = write.now();
        let token_ends = self.token.as_ref().map_or(Expiry::Never, |token| token.expires_at);
        let succession = self.secrets.iter().find(|found| found.record.id == secret);
        let Succession { overlap, expires_at } = succession
            .and_then(|found| found.succession)
            .unwrap_or(Succession { overlap: Duration::ZERO, expires_at: token_ends });
        let others = self.secrets.iter().filter(|other| other.record.id != secret);
        for other in others.filter(|other| other.record.judge(now).is_ok()) {
            write.end_secret(other.record.id, other.record.retires_at(token_ends, overlap, now)).await?;
        }
        write.confirm_secret(secret).await?;
        if let Some(token) = &self.token {
            write.set_token_end(token.id, expires_at).await?;
        }
        let others_end_at = now.checked_add(overlap).unwrap_or(Timestamp::MAX);
        Ok(Change::SecretConfirmed {
            family: self.lineage,
            owner: self.owner(),
            secret,
            others_end_at,
            expires_at,
        })
    }
}

/// Settles the rotation of a family. Returns the change to record, or none if it was settled that way before.
pub(crate) async fn settle(
    uses: &Uses,
    write: &Write,
    family: &LockedFamily,
    settling: &Settling,
) -> Result<Option<(Change, Personal)>, AuthorityError> {
    let (lineage, owner, now) = (family.lineage, family.owner(), write.now());
    match settling {
        Settling::Confirm(prefix) => {
            let is = |found: &FoundSecret| prefix.is_some_and(|prefix| found.record.prefix == prefix);
            let pending = family.in_state(SecretState::Pending, now);
            if pending.is_none() && family.in_state(SecretState::Current, now).is_some_and(is) {
                return Ok(None);
            }
            let waits = pending.filter(|found| prefix.is_none() || is(found));
            let pending = waits.ok_or_else(|| family.none_waits())?;
            Ok(Some((family.confirm(write, pending.record.id).await?, Personal::new())))
        }
        Settling::Drop => {
            let pending = family.in_state(SecretState::Pending, now);
            let secret = pending.ok_or_else(|| family.none_waits())?.record.id;
            write.drop_secret(secret).await?;
            Ok(Some((
                Change::SecretDropped { family: lineage, owner, secret, reason: None },
                family.personal(),
            )))
        }
        Settling::Retire { anyway } => {
            let secret = retiring(uses, family, *anyway, now)?;
            write.end_secret(secret, Expiry::At(now)).await?;
            Ok(Some((
                Change::SecretRetired { family: lineage, owner, secret, reason: None },
                family.personal(),
            )))
        }
    }
}

/// Returns the old secret of a family, if it is safe to end it, or `anyway`.
fn retiring(
    uses: &Uses,
    family: &LockedFamily,
    anyway: bool,
    now: Timestamp,
) -> Result<SecretId, AuthorityError> {
    let old = family.in_state(SecretState::Retiring, now);
    let old = old.ok_or_else(|| family.none("no old secret that is still valid"))?;
    let new = family.in_state(SecretState::Current, now);
    let new = new.ok_or_else(|| family.none("no active secret"))?;
    let used = |found: &FoundSecret| uses.latest(found.record.id, found.last_use);
    let taken_over = new.record.confirmed_at.unwrap_or(new.record.minted_at);
    let retirement = Retirement::judge(taken_over, used(new), used(old), now);
    if anyway || retirement.is_safe() {
        Ok(old.record.id)
    } else {
        Err(AuthorityError::NotSafeYet(why_not(retirement, now)))
    }
}

/// Draws a pending secret, and adds it to its family. A secret that a token draws for itself is authorized as
/// of the secret that it presents.
pub(crate) async fn draw(
    write: &Write,
    kind: SecretKind,
    family: Lineage,
    presented: Option<&SecretRecord>,
    succession: &Succession,
) -> Result<(Secret, SecretRecord), AuthorityError> {
    let secret = Secret::mint(kind, &mut SysRng)?;
    let mut record =
        SecretRecord::pending(SecretId::new(write.now(), &mut SysRng)?, secret.prefix(), write.now());
    if let Some(presented) = presented {
        record.authorized_at = presented.authorized_at;
    }
    write.insert_secret(family.into(), &record, &secret.hash(), Some(succession)).await?;
    Ok((secret, record))
}

/// Refuses a rotation while another is in progress.
pub(crate) fn unlocked(ready: Result<(), Unready>, name: &str) -> Result<(), AuthorityError> {
    ready.map_err(|why| match why {
        Unready::Pending(until) => AuthorityError::RotationPending { name: name.to_owned(), until },
        Unready::Overlap(until) => AuthorityError::OverlapRuns { name: name.to_owned(), until },
    })
}

/// Returns the end of a pending secret.
pub(crate) fn end(record: &SecretRecord, now: Timestamp) -> Timestamp {
    match record.ends_at {
        Expiry::At(end) => end,
        Expiry::Never => now,
    }
}

/// Describes who would be locked out.
fn why_not(retirement: Retirement, now: Timestamp) -> String {
    match retirement {
        Retirement::StillUsed(last) => {
            let from = last.address.map(|address| format!(", from {address}")).unwrap_or_default();
            format!("the old secret was used {}{from}", Since { at: last.at, as_of: now })
        }
        Retirement::NewUnused => "nobody has used the new secret yet".to_owned(),
        Retirement::TooSoon => "the new secret took over less than an hour ago".to_owned(),
        Retirement::Safe(_) => "it is".to_owned(),
    }
}
