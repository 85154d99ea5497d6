//! The effects of answers, run off their path: uses are noted, new secrets are confirmed, and the reuse of
//! retired ones is recorded.

use std::time::Duration;

use ndauth_core::{Actor, COUNTED_FOR, Causes, Change, ClientName, Lineage, Personal, Reason, SecretState};

use ndauth_store::FoundSecret;

use super::mirror::effects::{Effect, Effects};
use crate::access::Operation;
use crate::change::{CallerlessChange, Done, change_without_caller};
use crate::observations::attempts::{AttemptKind, Attempter};
use crate::observations::follow_ups::{DAY, FollowUp, FollowUpKind};
use crate::tokens::{LockedFamily, Presentation, level_in};
use crate::{AuthorityError, ValidationWing};

/// The time after which the use of a retired secret suspends nothing, because such secrets lie in too many
/// places.
const REUSE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

impl ValidationWing<'_> {
    /// Runs the effects of an answer, once it is final.
    pub(crate) fn run_effects<'q>(
        self,
        effects: Effects<'_>,
        client: impl Fn(usize) -> Option<&'q ClientName>,
    ) {
        for effect in effects {
            match effect {
                Effect::Passed { noted, family, which, access, last, org, question } => {
                    let record = family.secret(which);
                    self.0.uses.count((record.id, noted), access, last, org, client(question));
                    self.0.follow_ups.used(record, last.at);
                }
                Effect::Used { record, at } => self.0.follow_ups.used(record, at),
                Effect::Ended { secret, reason, at, from } => {
                    let by = Attempter::Secret(secret);
                    self.0.attempts.note(AttemptKind::Validation, by, None, from, reason, at);
                }
                Effect::Reused { secret, at, from } => self.0.follow_ups.reused(secret, at, from),
            }
        }
    }

    /// Writes all observed uses. Those that cannot be written are kept.
    pub async fn write_uses(self) -> Result<(), AuthorityError> {
        Ok(self.0.uses.write(&self.0.store, Duration::ZERO).await?)
    }

    /// Writes down the observed uses that were counted for long enough: called every few seconds, it writes at most two
    /// lines a minute of a secret that is used all the time.
    pub async fn write_counted_uses(self) -> Result<(), AuthorityError> {
        Ok(self.0.uses.write(&self.0.store, COUNTED_FOR).await?)
    }

    /// Writes the refused attempts of the minutes that are over.
    pub async fn write_attempts(self) -> Result<(), AuthorityError> {
        let now = self.0.store.moment().await?.now;
        Ok(self.0.attempts.write(&self.0.store, Some(now)).await?)
    }

    /// Writes all refused attempts.
    pub async fn write_all_attempts(self) -> Result<(), AuthorityError> {
        Ok(self.0.attempts.write(&self.0.store, None).await?)
    }

    /// Waits until there is a follow-up.
    pub async fn wait_for_follow_up(self) {
        self.0.follow_ups.filled().await;
    }

    /// Runs all follow-ups. Fails, and leaves the rest in the queue, if the database is not available.
    pub async fn follow_up(self) -> Result<(), AuthorityError> {
        while let Some(next) = self.0.follow_ups.take() {
            let done = change_without_caller(self.0, Operation::ValidateToken, |callerless| async move {
                match next.what {
                    FollowUpKind::Used => self.confirm_used(callerless, &next).await,
                    FollowUpKind::Reused => self.record_reuse(callerless, &next, false).await,
                }
            });
            match done.await.map_err(|error| (error.reason(), error)) {
                Ok(done) if done.value => {
                    metrics::counter!("ndauth_retired_secrets_presented_total").increment(1);
                }
                Ok(_) | Err((Reason::CommittedUnconfirmed, _)) => {}
                Err((Reason::OrgFrozen, _)) => self.0.follow_ups.again_in_a_minute(&next),
                // The next run finds out whether it was done.
                Err((Reason::Unavailable | Reason::OutcomeUnknown, error)) => {
                    self.0.follow_ups.put_back(next);
                    return Err(error);
                }
                Err((_, error)) => {
                    tracing::error!(error = %Causes(&error), "a follow-up of a response failed");
                }
            }
        }
        Ok(())
    }

    /// Records that a retired secret was presented in order to end it, unless that was recorded today. Unlike a
    /// use, it is recorded before it is answered.
    pub(crate) async fn record_presented(
        self,
        found: &FoundSecret,
        presentation: Presentation,
    ) -> Result<(), AuthorityError> {
        let done = change_without_caller(self.0, presentation.operation(), |callerless| async move {
            let (at, from) = (callerless.now(), presentation.from);
            let reused = FollowUp { what: FollowUpKind::Reused, secret: found.record.id, at, from };
            self.record_reuse(callerless, &reused, presentation.is_report()).await
        });
        if done.await?.value {
            metrics::counter!("ndauth_retired_secrets_presented_total").increment(1);
        }
        Ok(())
    }

    /// Records once a day that a retired secret was presented, and suspends its token if an org's policy says
    /// so. Returns true if it was recorded.
    async fn record_reuse(
        self,
        callerless: CallerlessChange,
        reused: &FollowUp,
        reported: bool,
    ) -> Result<Done<bool>, AuthorityError> {
        let Some(lineage) = callerless.find_lineage(reused.secret).await? else {
            return Ok(callerless.observed(false));
        };
        let Some(held) = LockedFamily::hold(&callerless, lineage).await? else {
            return Ok(callerless.observed(false));
        };
        let Some(found) = held.secrets.iter().find(|found| found.record.id == reused.secret) else {
            return Ok(callerless.observed(false));
        };
        let SecretState::Retired(retired) = found.record.state(callerless.now()) else {
            return Ok(callerless.observed(false));
        };
        if found.reused_at.is_some_and(|at| at.micros() / DAY == reused.at.micros() / DAY) {
            return Ok(callerless.observed(false));
        }
        callerless.set_reused(reused.secret, reused.at).await?;
        let mut suspended = Vec::new();
        if let Some(token) = held.token.as_ref().filter(|_| callerless.now().since(retired) <= REUSE) {
            for (org, policies) in self.0.tokens().orgs_of(&callerless, token).await? {
                let level = level_in(org.id, token);
                let known = token.suspensions.iter().any(|suspension| suspension.level == level);
                if !known && policies.at(callerless.now()).suspend_on_reuse {
                    callerless.suspend(token.id, level).await?;
                    suspended.push(level);
                }
            }
        }
        let prefix = found.record.prefix.to_string();
        let personal = [("prefix", Some(prefix)), ("address", reused.from.map(|from| from.to_string()))];
        let personal: Personal =
            personal.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        let (owner, secret) = (held.owner(), reused.secret);
        let change = Change::SecretReused { family: lineage, owner, secret, suspended, reported };
        Ok(callerless.done(Actor::Authority, change, personal, true))
    }

    /// Confirms a new secret by its first use, which came in time however late this runs. A secret that was
    /// dropped since then stays dropped. As for any confirmation, the token must be live, and its orgs not
    /// frozen.
    async fn confirm_used(
        self,
        callerless: CallerlessChange,
        used: &FollowUp,
    ) -> Result<Done<bool>, AuthorityError> {
        let Some(lineage) = callerless.find_lineage(used.secret).await? else {
            return Ok(callerless.observed(false));
        };
        if let Lineage::Token(id) = lineage
            && let Some(token) = callerless.find_token(id).await?
        {
            callerless.lock_owner(token.owner).await?;
        }
        let held = LockedFamily::hold(&callerless, lineage).await?;
        let waits = |held: &LockedFamily| {
            let mut secrets = held.secrets.iter().filter(|found| found.record.id == used.secret);
            secrets.any(|found| {
                found.record.state(used.at) == SecretState::Pending && !found.record.was_dropped()
            })
        };
        // It was confirmed, dropped or removed in between.
        let Some(held) = held.filter(waits) else { return Ok(callerless.observed(false)) };
        if held.is_dead(&callerless).await? {
            return Ok(callerless.observed(false));
        }
        if let Some(token) = &held.token {
            self.0.tokens().refuse_frozen_orgs(&callerless, token).await?;
        }
        let change = held.confirm(&callerless, used.secret).await?;
        let actor = held.presenter();
        Ok(callerless.done(actor, change, Personal::new(), false))
    }
}
