//! Rotate and renew: how the secrets of a token or a service succeed each other, and how a token's end moves.

use std::time::Duration;

use ndauth_core::{
    Actor, Change, Expiry, ExpiryChoice, Lifetime, Lineage, MAX_LIFETIME, Org, Orgs, Owner, Personal,
    Policies, Refusal, Retirement, Secret, SecretId, SecretKind, SecretPrefix, SecretRecord, SecretState,
    Since, Succession, Timestamp, Token, TokenStatus, TokenView, Unready, may_rotate,
};
use ndauth_store::{Family, FoundSecret, Read, Write};
use rand::rngs::SysRng;

use crate::access::Operation;
use crate::authority::retried;
use crate::tokens::Which;
use crate::{Authority, AuthorityError, Caller, Credential};

/// A token that was rotated, and the one sight of its new secret.
#[derive(Debug)]
pub struct RotatedToken {
    /// The token.
    pub view: TokenView,
    /// Its new secret, here and never again.
    pub secret: Secret,
    /// Until when that waits to be confirmed.
    pub pending_until: Timestamp,
    /// The event that tells of it.
    pub sequence: u64,
    /// When.
    pub now: Timestamp,
}

/// A token whose rotation was settled, or whose end was moved.
#[derive(Debug)]
pub struct ChangedToken {
    /// The token.
    pub view: TokenView,
    /// Whether anything was changed.
    pub changed: bool,
    /// The last event, which tells of it or came after.
    pub sequence: u64,
    /// As of when.
    pub now: Timestamp,
}

/// What becomes of a rotation.
#[derive(Clone, Debug)]
pub enum Settling {
    /// The new secret takes over: it arrived where it belongs. Where its prefix is said and it took over already, all is
    /// well.
    Confirm(Option<SecretPrefix>),
    /// The new secret is forgotten.
    Drop,
    /// The old secret ends before its overlap is over.
    Retire {
        /// Though that may cut somebody off.
        anyway: bool,
    },
}

/// Which orgs say how long a secret may live.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counting {
    /// All that the token names.
    Named,
    /// Those that admit the secret it has now.
    Admitting,
}

impl Authority {
    /// Draws a new secret for a token, which waits to be confirmed.
    pub async fn rotate_token(
        &self,
        credential: &Credential,
        which: &Which,
        overlap: Duration,
        expiry: Option<ExpiryChoice>,
    ) -> Result<RotatedToken, AuthorityError> {
        if overlap > MAX_LIFETIME {
            return Err(AuthorityError::invalid("overlap", "at most 365 days"));
        }
        retried(|| async {
            let operations = (Operation::RotateToken, Operation::RotateOrgToken);
            let (write, caller, token) =
                self.write_token(credential, which, operations, "rotate_token").await?;
            let view = self.living(&write, &caller, token).await?;
            let (token, now) = (&view.token, write.now());
            unlocked(may_rotate(records(&view), view.not_before, now), token.name.as_str())?;
            let expires_at = if let Caller::Token { held, .. } = &caller {
                if expiry.is_some() {
                    return Err(AuthorityError::invalid(
                        "expiry",
                        "a token that rotates itself keeps its end",
                    ));
                }
                self.still_let_in(&write, token, &held.record).await?;
                token.expires_at
            } else {
                let admitted = self.admitted(&write, &view, Counting::Named).await?;
                if let (Some(choice), Some((org, longest))) = (expiry, &admitted)
                    && let Ok(lifetime) = choice.lifetime(now)
                    && lifetime > *longest
                {
                    let (org, longest) = (org.slug.clone(), *longest);
                    return Err(Refusal::LifetimeTooLong { org, lifetime, longest }.into());
                }
                let admitted = admitted.map_or(Lifetime::Endless, |(_, longest)| longest);
                token
                    .rotated_expiry(expiry, admitted, now)
                    .map_err(|why| AuthorityError::invalid("expiry", why))?
            };
            let kind = match token.owner {
                Owner::Account(_) => SecretKind::Personal,
                Owner::Org(_) => SecretKind::Org,
            };
            let succession = Succession { overlap, expires_at };
            let family = Lineage::Token(token.id);
            let (secret, record) = draw(&write, kind, family, &succession).await?;
            let personal = Personal::from([("name", token.name.to_string())]);
            let view = self.view(&write, view.token).await?;
            let change = Change::SecretMinted { family, secret: record.id };
            let sequence = self.commit(write, &caller, change, personal).await?;
            Ok(RotatedToken { view, secret, pending_until: end(&record, now), sequence, now })
        })
        .await
    }

    /// Confirms or drops a token's new secret, or retires its old one.
    pub async fn settle_rotation(
        &self,
        credential: &Credential,
        which: &Which,
        settling: &Settling,
    ) -> Result<ChangedToken, AuthorityError> {
        retried(|| async {
            let operations = (Operation::SettleRotation, Operation::SettleOrgRotation);
            let (write, caller, token) =
                self.write_token(credential, which, operations, "settle_rotation").await?;
            let (id, now) = (token.id, write.now());
            if let Caller::Token { held, .. } = &caller {
                let (prefix, state) = (held.record.prefix, held.record.state(now));
                // It confirms with the new secret, whose first use may have done so already.
                let admitted = match settling {
                    Settling::Confirm(of) => {
                        state == SecretState::Pending || state == SecretState::Current && *of == Some(prefix)
                    }
                    Settling::Drop | Settling::Retire { .. } => state != SecretState::Pending,
                };
                if !admitted {
                    let operation = Operation::SettleRotation;
                    return Err(AuthorityError::SessionRequired { caller: caller.kind(), operation });
                }
            }
            let name = token.name.to_string();
            let secrets = write.list_secrets(Family::Token(id)).await?;
            let (family, actor) = (Lineage::Token(id), caller.actor());
            let settled =
                self.settle_family(write, actor, family, Some(&token), &name, &secrets, settling).await?;
            let read = self.store.read().await?;
            let token = read.find_token(id).await?.ok_or_else(|| crate::tokens::no_token(&name))?;
            let sequence = settled.unwrap_or(read.head().sequence);
            Ok(ChangedToken {
                view: self.view(&read, token).await?,
                changed: settled.is_some(),
                sequence,
                now,
            })
        })
        .await
    }

    /// Settles a rotation of a family whose rows are held. Gives the event; none where nothing was to be done.
    #[expect(clippy::too_many_arguments, reason = "a family is as many things")]
    pub(crate) async fn settle_family(
        &self,
        write: Write,
        actor: Actor,
        family: Lineage,
        token: Option<&Token>,
        name: &str,
        secrets: &[FoundSecret],
        settling: &Settling,
    ) -> Result<Option<u64>, AuthorityError> {
        let now = write.now();
        let in_state = |state| secrets.iter().find(|found| found.record.state(now) == state);
        let none = |what| AuthorityError::NoRotation { name: name.to_owned(), what };
        let pending = in_state(SecretState::Pending);
        match settling {
            Settling::Confirm(prefix) => {
                let current = in_state(SecretState::Current);
                if pending.is_none()
                    && let Some(prefix) = prefix
                    && current.is_some_and(|found| found.record.prefix == *prefix)
                {
                    self.unchanged(write).await?;
                    return Ok(None);
                }
                let pending =
                    pending.filter(|found| prefix.is_none_or(|prefix| found.record.prefix == prefix));
                let pending = pending.ok_or_else(|| none("no new secret that waits to be confirmed"))?;
                let id = pending.record.id;
                self.confirm(write, actor, family, token, secrets, id).await.map(Some)
            }
            Settling::Drop => {
                let pending = pending.ok_or_else(|| none("no new secret that waits to be confirmed"))?;
                let secret = pending.record.id;
                write.drop_secret(secret).await?;
                let personal = Personal::from([("name", name.to_owned())]);
                self.commit_by(write, actor, Change::SecretDropped { family, secret }, personal)
                    .await
                    .map(Some)
            }
            Settling::Retire { anyway } => {
                let old =
                    in_state(SecretState::Retiring).ok_or_else(|| none("no old secret that serves still"))?;
                let new = in_state(SecretState::Current).ok_or_else(|| none("no secret in force"))?;
                let used = |found: &FoundSecret| self.uses.latest(found.record.id, found.last_use);
                let taken_over = new.record.confirmed_at.unwrap_or(new.record.minted_at);
                let retirement = Retirement::judge(taken_over, used(new), used(old), now);
                if !anyway && !retirement.is_safe() {
                    return Err(AuthorityError::NotSafeYet(why_not(retirement, now)));
                }
                let secret = old.record.id;
                write.end_secret(secret, Expiry::At(now)).await?;
                let personal = Personal::from([("name", name.to_owned())]);
                self.commit_by(write, actor, Change::SecretRetired { family, secret }, personal)
                    .await
                    .map(Some)
            }
        }
    }

    /// Lets a pending secret take over: those before it retire after the overlap, and the token ends when it was said.
    pub(crate) async fn confirm(
        &self,
        write: Write,
        actor: Actor,
        family: Lineage,
        token: Option<&Token>,
        secrets: &[FoundSecret],
        secret: SecretId,
    ) -> Result<u64, AuthorityError> {
        let now = write.now();
        let token_ends = token.map_or(Expiry::Never, |token| token.expires_at);
        let found = secrets.iter().find(|found| found.record.id == secret);
        let succession = found.and_then(|found| found.succession);
        let Succession { overlap, expires_at } =
            succession.unwrap_or(Succession { overlap: Duration::ZERO, expires_at: token_ends });
        for other in
            secrets.iter().filter(|other| other.record.id != secret && other.record.judge(now).is_ok())
        {
            write.end_secret(other.record.id, other.record.retires_at(token_ends, overlap, now)).await?;
        }
        write.confirm_secret(secret).await?;
        if let Some(token) = token {
            write.set_token_end(token.id, expires_at).await?;
        }
        let others_end_at = now.checked_add(overlap).unwrap_or(Timestamp::MAX);
        let change = Change::SecretConfirmed { family, secret, others_end_at, expires_at };
        self.commit_by(write, actor, change, Personal::new()).await
    }

    /// Moves a token's end, unless so much is left of it.
    pub async fn renew_token(
        &self,
        credential: &Credential,
        which: &Which,
        minimum: Option<Duration>,
    ) -> Result<ChangedToken, AuthorityError> {
        retried(|| async {
            let operations = (Operation::RenewToken, Operation::RenewOrgToken);
            let (write, caller, token) =
                self.write_token(credential, which, operations, "renew_token").await?;
            let view = self.living(&write, &caller, token).await?;
            let now = write.now();
            let enough =
                minimum.is_some_and(|minimum| Lifetime::For(minimum).expiry(now) <= view.token.expires_at);
            if enough {
                return Ok(ChangedToken {
                    view,
                    changed: false,
                    sequence: self.unchanged(write).await?,
                    now,
                });
            }
            if let Some(pending) = pending(&view, now) {
                let (name, until) = (view.token.name.to_string(), end(pending, now));
                return Err(AuthorityError::RotationPending { name, until });
            }
            let admitted = self.admitted(&write, &view, Counting::Admitting).await?;
            let admitted = admitted.map_or(Lifetime::Endless, |(_, longest)| longest);
            let minted_at = view.shown(now).record.minted_at;
            let expires_at =
                view.token.renewed_expiry(minted_at, admitted).map_err(AuthorityError::NotRenewable)?;
            write.set_token_end(view.token.id, expires_at).await?;
            let change = Change::TokenRenewed { token: view.token.id, expires_at };
            let personal = Personal::from([("name", view.token.name.to_string())]);
            let sequence = self.commit(write, &caller, change, personal).await?;
            let view = TokenView { token: Token { expires_at, ..view.token }, ..view };
            Ok(ChangedToken { view, changed: true, sequence, now })
        })
        .await
    }

    /// A token as its owner sees it, unless it is dead, or is presented by a secret that is not the one in force, or an
    /// org that it names is frozen.
    async fn living(
        &self,
        write: &Write,
        caller: &Caller,
        token: Token,
    ) -> Result<TokenView, AuthorityError> {
        let now = write.now();
        if let Caller::Token { held, .. } = caller
            && held.record.state(now) != SecretState::Current
        {
            let operation = Operation::RotateToken;
            return Err(AuthorityError::SessionRequired {
                caller: "a secret that is not in force",
                operation,
            });
        }
        let view = self.view(write, token).await?;
        let status = view.status(now);
        if status.is_dead() {
            let how = match (status, view.token.revoked_at, view.token.expires_at) {
                (TokenStatus::Revoked, Some(at), _) => format!("was revoked {}", Since { at, as_of: now }),
                (TokenStatus::Expired, _, Expiry::At(at)) => format!("expired {}", Since { at, as_of: now }),
                (TokenStatus::ShutOut, ..) => "was shut out with all that were made at its time".to_owned(),
                _ => "has no secret that serves".to_owned(),
            };
            return Err(AuthorityError::TokenDead { name: view.token.name.clone(), how });
        }
        if let Orgs::Only(_) = &view.token.orgs {
            for (org, _) in self.orgs_of(write, &view.token).await? {
                unfrozen(&org)?;
            }
        }
        Ok(view)
    }

    /// Refuses a secret that some org of its token shut out: the new one would be let in again.
    async fn still_let_in(
        &self,
        read: &Read,
        token: &Token,
        record: &SecretRecord,
    ) -> Result<(), AuthorityError> {
        for (org, _) in self.orgs_of(read, token).await? {
            if record.judge_minting(org.not_before).is_err() {
                return Err(Refusal::ShutOutOfOrg { org: org.slug, not_before: org.not_before }.into());
            }
        }
        Ok(())
    }

    /// The orgs in which a token may have power, and their policies.
    pub(crate) async fn orgs_of(
        &self,
        read: &Read,
        token: &Token,
    ) -> Result<Vec<(Org, Policies)>, AuthorityError> {
        let mut orgs = Vec::new();
        match (&token.orgs, token.owner) {
            (Orgs::Only(ids), _) => {
                for id in ids {
                    orgs.extend(read.find_org(*id).await?);
                }
            }
            (Orgs::All, Owner::Account(account)) => {
                orgs.extend(read.list_memberships(account).await?.into_iter().map(|member| member.org));
            }
            (Orgs::All, Owner::Org(id)) => orgs.extend(read.find_org(id).await?),
        }
        let mut with_policies = Vec::with_capacity(orgs.len());
        for org in orgs {
            let policies = read.find_policies(org.id).await?;
            with_policies.push((org, policies));
        }
        Ok(with_policies)
    }

    /// How long a secret of a token may live, and which org says so. None where nobody does.
    async fn admitted(
        &self,
        read: &Read,
        view: &TokenView,
        counting: Counting,
    ) -> Result<Option<(Org, Lifetime)>, AuthorityError> {
        let now = read.now();
        let span = view.shown(now).record.span(view.token.expires_at);
        let named = counting == Counting::Named && matches!(view.token.orgs, Orgs::Only(_));
        let limits = self.orgs_of(read, &view.token).await?.into_iter();
        let limits = limits.map(|(org, policies)| (org, policies.at(now).longest_lifetime));
        Ok(limits.filter(|(_, longest)| named || span <= *longest).min_by_key(|(_, longest)| *longest))
    }
}

/// Draws a secret that waits to be confirmed, and adds it to its family.
pub(crate) async fn draw(
    write: &Write,
    kind: SecretKind,
    family: Lineage,
    succession: &Succession,
) -> Result<(Secret, SecretRecord), AuthorityError> {
    let secret = Secret::mint(kind, &mut SysRng)?;
    let record =
        SecretRecord::pending(SecretId::new(write.now(), &mut SysRng)?, secret.prefix(), write.now());
    write.insert_secret(family.into(), &record, &secret.hash(), Some(succession)).await?;
    Ok((secret, record))
}

/// Refuses a rotation behind another.
pub(crate) fn unlocked(ready: Result<(), Unready>, name: &str) -> Result<(), AuthorityError> {
    ready.map_err(|why| match why {
        Unready::Pending(until) => AuthorityError::RotationPending { name: name.to_owned(), until },
        Unready::Overlap(until) => AuthorityError::OverlapRuns { name: name.to_owned(), until },
    })
}

/// Refuses what an org that is frozen does not admit.
pub(crate) fn unfrozen(org: &Org) -> Result<(), AuthorityError> {
    if org.frozen_at.is_some() { Err(AuthorityError::OrgFrozen(org.slug.clone())) } else { Ok(()) }
}

/// Who would be cut off, for people.
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

fn records(view: &TokenView) -> impl Iterator<Item = &SecretRecord> {
    view.secrets.iter().map(|secret| &secret.record)
}

fn pending(view: &TokenView, now: Timestamp) -> Option<&SecretRecord> {
    records(view).find(|record| record.state(now) == SecretState::Pending)
}

fn end(record: &SecretRecord, now: Timestamp) -> Timestamp {
    match record.ends_at {
        Expiry::At(end) => end,
        Expiry::Never => now,
    }
}
