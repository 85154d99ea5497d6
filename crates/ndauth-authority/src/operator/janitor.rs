//! The janitor: removes what is long dead, a batch after the other, and stops where the clock does not go as it should.

use std::sync::PoisonError;
use std::time::Duration;

use ndauth_clock::SinceBoot;
use ndauth_core::{Actor, Change, Personal, ServiceId, SessionId, Timestamp, TokenId};
use ndauth_store::FamilyKind;

use crate::access::{Operation, Whose};
use crate::change::change_uncalled;
use crate::{AuthorityError, Credential, OperatorWing};

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tidied {
    /// How many tokens.
    pub tokens: usize,
    /// The number of secrets of tokens and services that stay.
    pub secrets: usize,
    /// How many sessions.
    pub sessions: usize,
    /// How many services.
    pub services: usize,
}

/// The time for which dead tokens, services and their secrets are kept.
const TOKENS: Duration = Duration::from_secs(400 * 24 * 60 * 60);
/// The time for which those are kept that nobody ever used.
const UNUSED: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The time for which dead sessions, what is derived from them, and offered memberships are kept.
const SESSIONS: Duration = Duration::from_secs(24 * 60 * 60);
/// The kinds, in the order in which they are removed: what is derived before what it is derived from.
const KINDS: [(FamilyKind, Duration); 7] = [
    (FamilyKind::Token, TOKENS),
    (FamilyKind::UnusedToken, UNUSED),
    (FamilyKind::Secret, TOKENS),
    (FamilyKind::UnconfirmedSecret, UNUSED),
    (FamilyKind::Service, TOKENS),
    (FamilyKind::Derived, SESSIONS),
    (FamilyKind::Session, SESSIONS),
];
/// How many families are removed at once.
const BATCH: u64 = 100;
/// How far the database's clock may be from where this machine's would have carried it.
const DRIFT: Duration = Duration::from_secs(5 * 60);
/// Where nobody changed anything for so long, it may be that the clock is wrong.
const QUIET: Duration = Duration::from_secs(60 * 24 * 60 * 60);

impl OperatorWing<'_> {
    /// Removes what is long dead, for the operator, who answers for the clock.
    pub async fn tidy_up_now(self, credential: &Credential) -> Result<Tidied, AuthorityError> {
        self.0.read_as(credential, Operation::TidyUp, &Whose::Anyone).await?;
        self.tidy(Actor::Console, false).await
    }

    /// Removes what is long dead. The first time it only looks at the clock.
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

    /// Compares the database's clock with how much time has passed here. Says whether it is the first time.
    fn watch_clock(self, now: Timestamp, moment: SinceBoot) -> Result<bool, AuthorityError> {
        let mut shown = self.0.clock_shown.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((then, at)) = *shown else {
            *shown = Some((now, moment));
            return Ok(true);
        };
        let (by_database, by_machine) = (now.since(then), moment.since(at));
        if now < then || by_database.abs_diff(by_machine) > DRIFT {
            let why = format!("the clock jumped from {then} to {now} within {} s", by_machine.as_secs());
            // What it showed before counts until somebody restarts the server.
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
                // Whoever waits for the writer goes first.
                tokio::task::yield_now().await;
            }
        }
        while self.remove_ended_offers(watched).await? > 0 {
            tokio::task::yield_now().await;
        }
        Ok(tidied)
    }

    /// Removes some offered memberships that came to their end. Says how many. No event tells of it: the one of the offer
    /// said when that is.
    async fn remove_ended_offers(self, watched: bool) -> Result<u64, AuthorityError> {
        let Some(before) = ago(self.0.store.moment().await?.now, SESSIONS) else { return Ok(0) };
        if !self.0.store.read().await?.has_ended_offer(before).await? {
            return Ok(0);
        }
        let removed = change_uncalled(self.0, Operation::TidyUp, |uncalled| async move {
            if watched {
                self.watch_clock(uncalled.now(), SinceBoot::now())?;
            }
            let removed = uncalled.remove_ended_offers(before, BATCH).await?;
            Ok::<_, AuthorityError>(uncalled.observed(removed))
        });
        removed.await.map(|done| done.value)
    }

    /// Removes some of a kind that died so long ago. Says how many.
    async fn remove_batch(
        self,
        actor: Actor,
        kind: FamilyKind,
        kept: Duration,
        watched: bool,
    ) -> Result<usize, AuthorityError> {
        let Some(before) = ago(self.0.store.moment().await?.now, kept) else { return Ok(0) };
        // Nobody's turn is taken where there is nothing to be done.
        if self.0.store.read().await?.remains(kind, before, 1).await?.ids.is_empty() {
            return Ok(0);
        }
        let removed = change_uncalled(self.0, Operation::TidyUp, |uncalled| async move {
            if watched {
                self.watch_clock(uncalled.now(), SinceBoot::now())?;
            }
            if !uncalled.alone().await? {
                return Ok(uncalled.observed(0));
            }
            let remains = uncalled.remains(kind, before, BATCH).await?;
            if remains.ids.is_empty() {
                return Ok(uncalled.observed(0));
            }
            uncalled.remove(kind, &remains.ids).await?;
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
            Ok::<_, AuthorityError>(uncalled.done(actor, change, Personal::new(), count))
        });
        removed.await.map(|done| done.value)
    }
}

/// The instant so long before another, where there is one.
fn ago(now: Timestamp, span: Duration) -> Option<Timestamp> {
    let span = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.micros().checked_sub(span)?).ok()
}
