//! The janitor: removes what is long dead, batch by batch, and stops if the clock may be wrong.

use std::sync::PoisonError;
use std::time::Duration;

use ndauth_clock::SinceBoot;
use ndauth_core::{Actor, Change, Personal, ServiceId, SessionId, Timestamp, TokenId};
use ndauth_store::{Duty, FamilyKind};

use crate::access::{Operation, Whose};
use crate::change::change_without_caller;
use crate::{AuthorityError, Credential, OperatorWing};

/// The numbers of things that were removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tidied {
    /// The number of tokens.
    pub tokens: usize,
    /// The number of secrets of tokens and services that stay.
    pub secrets: usize,
    /// The number of sessions.
    pub sessions: usize,
    /// The number of services.
    pub services: usize,
}

/// The time for which dead tokens, services and their secrets are kept.
const TOKENS: Duration = Duration::from_secs(400 * 24 * 60 * 60);
/// The time for which dead tokens and secrets are kept that nobody ever used.
const UNUSED: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The time for which dead sessions, what is derived from them, and offered memberships are kept.
const SESSIONS: Duration = Duration::from_secs(24 * 60 * 60);
/// The time for which mails are kept that were sent or given up.
const MAILS: Duration = Duration::from_secs(60 * 24 * 60 * 60);
/// The kinds, in the order in which they are removed. Derived things come before their origin.
const KINDS: [(FamilyKind, Duration); 7] = [
    (FamilyKind::Token, TOKENS),
    (FamilyKind::UnusedToken, UNUSED),
    (FamilyKind::Secret, TOKENS),
    (FamilyKind::UnconfirmedSecret, UNUSED),
    (FamilyKind::Service, TOKENS),
    (FamilyKind::Derived, SESSIONS),
    (FamilyKind::Session, SESSIONS),
];
/// The number of families that are removed at once.
const BATCH: u64 = 100;
/// The largest difference between the time that passed by the database's clock and by this machine's.
const DRIFT: Duration = Duration::from_secs(5 * 60);
/// The time without any change after which the clock may be wrong.
const QUIET: Duration = Duration::from_secs(60 * 24 * 60 * 60);

impl OperatorWing<'_> {
    /// Removes what is long dead, for the operator, who answers for the clock.
    pub async fn tidy_up_now(self, credential: &Credential) -> Result<Tidied, AuthorityError> {
        self.0.read_as(credential, Operation::TidyUp, &Whose::Anyone).await?;
        self.tidy(Actor::Console, false).await
    }

    /// Removes what is long dead. The first call only reads the clock.
    pub async fn tidy_up(self) -> Result<Tidied, AuthorityError> {
        let moment = self.0.store.moment().await?;
        let first = self.watch_clock(moment.now, SinceBoot::now())?;
        if first {
            return Ok(Tidied::default());
        }
        let last = self.0.store.read().await?.events_after(moment.head.sequence.saturating_sub(1), 1).await?;
        let at =
            last.first().and_then(|event| serde_json::from_slice::<ndauth_core::Entry>(&event.public).ok());
        if let Some(at) = at.map(|entry| entry.at)
            && moment.now.since(at) > QUIET
        {
            let why =
                format!("nothing was changed since {}, and the clock shows {}", at.date(), moment.now.date());
            return Err(AuthorityError::Clock(why));
        }
        self.tidy(Actor::Authority, true).await
    }

    /// Compares the database's clock with the time that has passed on this machine. Returns true on the first
    /// call.
    fn watch_clock(self, now: Timestamp, moment: SinceBoot) -> Result<bool, AuthorityError> {
        let mut shown = self.0.clock_shown.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((then, at)) = *shown else {
            *shown = Some((now, moment));
            return Ok(true);
        };
        let (by_database, by_machine) = (now.since(then), moment.since(at));
        if now < then || by_database.abs_diff(by_machine) > DRIFT {
            let why = format!("the clock jumped from {then} to {now} within {} s", by_machine.as_secs());
            // The earlier reading stays in force until somebody restarts the server.
            return Err(AuthorityError::Clock(why));
        }
        *shown = Some((now, moment));
        Ok(false)
    }

    async fn tidy(self, actor: Actor, watched: bool) -> Result<Tidied, AuthorityError> {
        let mut tidied = Tidied::default();
        for (kind, kept) in KINDS {
            loop {
                let removed = self.remove_batch(actor, kind, kept, watched).await?;
                match kind {
                    FamilyKind::Token | FamilyKind::UnusedToken | FamilyKind::Derived => {
                        tidied.tokens += removed;
                    }
                    FamilyKind::Secret | FamilyKind::UnconfirmedSecret => tidied.secrets += removed,
                    FamilyKind::Session => tidied.sessions += removed,
                    FamilyKind::Service => tidied.services += removed,
                }
                if removed == 0 {
                    break;
                }
                // Waiting writers go first.
                tokio::task::yield_now().await;
            }
        }
        while self.remove_ended_offers(watched).await? > 0 || self.remove_old_mails(watched).await? > 0 {
            tokio::task::yield_now().await;
        }
        Ok(tidied)
    }

    /// Removes a batch of expired membership offers. Returns the number of them. There is no event, because
    /// the offer's own event states its end.
    async fn remove_ended_offers(self, watched: bool) -> Result<u64, AuthorityError> {
        let Some(before) = ago(self.0.store.moment().await?.now, SESSIONS) else { return Ok(0) };
        if !self.0.store.read().await?.has_ended_offer(before).await? {
            return Ok(0);
        }
        let removed = change_without_caller(self.0, Operation::TidyUp, |callerless| async move {
            if watched {
                self.watch_clock(callerless.now(), SinceBoot::now())?;
            }
            let removed = callerless.remove_ended_offers(before, BATCH).await?;
            Ok::<_, AuthorityError>(callerless.observed(removed))
        });
        removed.await.map(|done| done.value)
    }

    /// Removes a batch of mails that were settled long ago, and the devices that nobody used for long. Returns the number
    /// of mails. There is no event, because nobody decides by them.
    async fn remove_old_mails(self, watched: bool) -> Result<u64, AuthorityError> {
        let now = self.0.store.moment().await?.now;
        let (Some(before), Some(unseen)) = (ago(now, MAILS), ago(now, TOKENS)) else { return Ok(0) };
        if !self.0.store.read().await?.has_old_mail(before, unseen).await? {
            return Ok(0);
        }
        let removed = change_without_caller(self.0, Operation::TidyUp, |callerless| async move {
            if watched {
                self.watch_clock(callerless.now(), SinceBoot::now())?;
            }
            callerless.forget_devices(unseen).await?;
            let removed = callerless.remove_old_mails(before, BATCH).await?;
            Ok::<_, AuthorityError>(callerless.observed(removed))
        });
        removed.await.map(|done| done.value)
    }

    /// Removes a batch of a kind that died before the time for which it is kept. Returns the number of them.
    async fn remove_batch(
        self,
        actor: Actor,
        kind: FamilyKind,
        kept: Duration,
        watched: bool,
    ) -> Result<usize, AuthorityError> {
        let Some(before) = ago(self.0.store.moment().await?.now, kept) else { return Ok(0) };
        // No writer's turn is taken if there is nothing to remove.
        if self.0.store.read().await?.remains(kind, before, 1).await?.ids.is_empty() {
            return Ok(0);
        }
        let removed = change_without_caller(self.0, Operation::TidyUp, |callerless| async move {
            if watched {
                self.watch_clock(callerless.now(), SinceBoot::now())?;
            }
            if !callerless.alone(Duty::TidyUp).await? {
                return Ok(callerless.observed(0));
            }
            let remains = callerless.remains(kind, before, BATCH).await?;
            if remains.ids.is_empty() {
                return Ok(callerless.observed(0));
            }
            callerless.remove(kind, &remains.ids).await?;
            let count = remains.ids.len();
            let ids = || remains.ids.iter().copied();
            let of = |this| kind == this;
            let change = Change::FamiliesRemoved {
                tokens: ids()
                    .filter(|_| {
                        of(FamilyKind::Token) || of(FamilyKind::UnusedToken) || of(FamilyKind::Derived)
                    })
                    .map(TokenId::from_uuid)
                    .collect(),
                sessions: ids().filter(|_| of(FamilyKind::Session)).map(SessionId::from_uuid).collect(),
                services: ids().filter(|_| of(FamilyKind::Service)).map(ServiceId::from_uuid).collect(),
                hashes: remains.hashes,
            };
            Ok::<_, AuthorityError>(callerless.done(actor, change, Personal::new(), count))
        });
        removed.await.map(|done| done.value)
    }
}

/// Returns the instant a span before another, if there is one.
fn ago(now: Timestamp, span: Duration) -> Option<Timestamp> {
    let span = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.micros().checked_sub(span)?).ok()
}
