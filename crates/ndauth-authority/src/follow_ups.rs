//! What an answer sets off, off its path: a new secret's first use confirms it, and a retired one's use is recorded.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ndauth_core::{
    Actor, Causes, Change, Level, Lineage, Owner, Personal, Reason, SecretId, SecretRecord, SecretState,
    Timestamp, Token,
};
use ndauth_store::{Family, FoundSecret, Write};
use tokio::sync::Notify;

use crate::authority::retried;
use crate::{Authority, AuthorityError};

/// What is to be done.
#[derive(Debug, Default)]
pub(crate) struct FollowUps {
    queue: Mutex<Queue>,
    more: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<FollowUp>,
    /// Of which secrets it was seen lately, and on which day.
    seen: HashMap<(SecretId, What), i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    Used,
    Reused,
}

#[derive(Clone, Copy, Debug)]
struct FollowUp {
    what: What,
    family: Lineage,
    secret: SecretId,
    at: Timestamp,
    from: Option<IpAddr>,
}

/// How much waits at the most. What does not fit is noted at its next use.
const MOST: usize = 10_000;
const DAY: i64 = 24 * 60 * 60 * 1_000_000;
/// What retired longer ago suspends nothing: it lies in too many places.
const REUSE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

impl FollowUps {
    /// A secret was used.
    pub(crate) fn used(&self, family: Lineage, record: &SecretRecord, at: Timestamp) {
        if record.confirmed_at.is_none() {
            self.add(FollowUp { what: What::Used, family, secret: record.id, at, from: None });
        }
    }

    /// A secret was presented that is retired.
    pub(crate) fn reused(&self, family: Lineage, record: &SecretRecord, at: Timestamp, from: Option<IpAddr>) {
        self.add(FollowUp { what: What::Reused, family, secret: record.id, at, from });
    }

    fn add(&self, follow_up: FollowUp) {
        let mut queue = self.queue();
        let day = follow_up.at.micros() / DAY;
        if queue.seen.len() >= MOST {
            queue.seen.clear();
        }
        let seen = queue.seen.insert((follow_up.secret, follow_up.what), day) == Some(day);
        if seen || queue.waiting.len() >= MOST {
            return;
        }
        queue.waiting.push_back(follow_up);
        drop(queue);
        self.more.notify_one();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Authority {
    /// Waits until there is something to be done.
    pub async fn something_to_follow(&self) {
        while self.follow_ups.queue().waiting.is_empty() {
            self.follow_ups.more.notified().await;
        }
    }

    /// Does what answers have set off. What cannot be done now waits.
    pub async fn follow_up(&self) -> Result<(), AuthorityError> {
        loop {
            let Some(next) = self.follow_ups.queue().waiting.pop_front() else { return Ok(()) };
            let done = retried(|| async {
                match next.what {
                    What::Used => self.confirm_used(&next).await,
                    What::Reused => self.record_reuse(&next).await,
                }
            });
            if let Err(error) = done.await {
                match error.reason() {
                    // Whether it was done is looked at again.
                    Reason::Unavailable | Reason::OutcomeUnknown => {
                        self.follow_ups.queue().waiting.push_front(next);
                        return Err(error);
                    }
                    Reason::CommittedUnconfirmed => {}
                    _ => tracing::error!(error = %Causes(&error), "what an answer set off was not done"),
                }
            }
        }
    }

    /// Confirms a new secret by its first use, which came in time however late this is.
    async fn confirm_used(&self, used: &FollowUp) -> Result<(), AuthorityError> {
        let write = self.store.write("confirm_used").await?;
        let Some((token, secrets)) = lineage(&write, used.family).await? else { return Ok(()) };
        let pending = secrets.iter().find(|found| found.record.id == used.secret);
        match pending.map(|found| found.record.state(used.at)) {
            Some(SecretState::Pending) => {
                let actor = match (used.family, token.as_ref().map(|token| token.owner)) {
                    (Lineage::Token(token), Some(Owner::Account(account))) => Actor::Token { account, token },
                    (Lineage::Token(token), Some(Owner::Org(org))) => Actor::OrgToken { org, token },
                    (Lineage::Service(service), _) => Actor::Service { service },
                    (Lineage::Token(_), None) => Actor::Authority,
                };
                self.confirm(write, actor, used.family, token.as_ref(), &secrets, used.secret).await.map(drop)
            }
            // It was confirmed, dropped or removed in between.
            _ => Ok(()),
        }
    }

    /// Records once a day that a retired secret was presented, and suspends its token where an org's policy says so.
    async fn record_reuse(&self, reused: &FollowUp) -> Result<(), AuthorityError> {
        let write = self.store.write("record_reuse").await?;
        let Some((token, secrets)) = lineage(&write, reused.family).await? else { return Ok(()) };
        let Some(found) = secrets.iter().find(|found| found.record.id == reused.secret) else {
            return Ok(());
        };
        let SecretState::Retired(retired) = found.record.state(write.now()) else { return Ok(()) };
        if found.reused_at.is_some_and(|at| at.micros() / DAY == reused.at.micros() / DAY) {
            return Ok(());
        }
        write.set_reused(reused.secret, reused.at).await?;
        let mut suspended = Vec::new();
        if let Some(token) = token.as_ref().filter(|_| write.now().since(retired) <= REUSE) {
            for (org, _) in self.orgs_of(&write, token).await? {
                let level = level_in(org.id, token);
                let known = token.suspensions.iter().any(|suspension| suspension.level == level);
                if !known && write.find_policies(org.id).await?.at(write.now()).suspend_on_reuse {
                    write.suspend(token.id, level).await?;
                    suspended.push(level);
                }
            }
        }
        let personal =
            [("prefix", Some(found.record.prefix.to_string())), ("address", reused.from.map(text))];
        let personal: Personal =
            personal.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        let change = Change::SecretReused { family: reused.family, secret: reused.secret, suspended };
        self.commit_by(write, Actor::Authority, change, personal).await?;
        metrics::counter!("ndauth_retired_secrets_presented_total").increment(1);
        Ok(())
    }
}

fn text(address: IpAddr) -> String {
    address.to_string()
}

/// At which level those who act for an org suspend a token: one of its own as its owner.
pub(crate) fn level_in(org: ndauth_core::OrgId, token: &Token) -> Level {
    if token.owner == Owner::Org(org) { Level::Owner } else { Level::Org(org) }
}

/// A family, which no other change can touch, with its secrets, oldest first: a token's or a service's. None where it
/// is not there any more.
pub(crate) async fn lineage(
    write: &Write,
    family: Lineage,
) -> Result<Option<(Option<Token>, Vec<FoundSecret>)>, AuthorityError> {
    let token = match family {
        Lineage::Token(id) => match write.lock_token(id).await? {
            Some(token) => Some(token),
            None => return Ok(None),
        },
        Lineage::Service(id) => {
            write.lock_service(id).await?;
            None
        }
    };
    Ok(Some((token, write.list_secrets(Family::from(family)).await?)))
}
