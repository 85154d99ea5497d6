//! Answers from the mirror, as soon as it is fresh enough.

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ndauth_clock::SinceBoot;
use ndauth_core::ClientName;

use super::effects::Effects;
use super::freshness::{Freshness, Readiness, Stale, StaleCause};
use super::loading::needed;
use super::served::{Needed, Progress};
use super::view::{Found, View, asking};
use crate::access::Operation;
use crate::limits::NOTED_USES;
use crate::{AuthorityError, ValidationWing};

impl ValidationWing<'_> {
    /// Answers a caller at an address from the mirror, as soon as that is fresh enough, without touching the
    /// database. The effects of the answer are run once, when it is final.
    pub(crate) async fn ask<'q, T>(
        self,
        stale: Stale,
        question: impl for<'v> Fn(&View<'v>, &mut Effects<'v>) -> Found<T>,
        from: Option<IpAddr>,
        client: impl Fn(usize) -> Option<&'q ClientName>,
    ) -> Result<T, AuthorityError> {
        let mirror = &*self.0.mirror;
        let arrived = SinceBoot::now();
        let (mut now, mut missed) = (arrived, false);
        let mut turn = None;
        let run_effects = |effects: Effects<'_>| self.run_effects(effects, &client);
        loop {
            match mirror.find(&question, arrived, now, &run_effects) {
                Some(Found::Held(answer)) => return Ok(answer),
                Some(Found::Missed(_)) => missed = true,
                Some(Found::TooOld) => {}
                None => {
                    tokio::task::yield_now().await;
                    continue;
                }
            }
            let needed = Needed {
                confirmed: now.before(mirror.freshness.bound),
                asked: if missed { arrived } else { SinceBoot::NEVER },
            };
            drop(turn.take());
            // Boxed, so that a question that is answered at once does not pay for its size.
            match Box::pin(mirror.wait_for(needed, from)).await {
                Ok(its) => turn = Some(its),
                Err(error) if stale == Stale::WithinGrace => {
                    return self.ask_stale(question, &run_effects).ok_or(error);
                }
                Err(error) => return Err(error),
            }
            now = SinceBoot::now();
        }
    }

    /// Answers from the mirror, if it is fresh enough now.
    pub(crate) fn ask_now<'q, T>(
        self,
        question: impl for<'v> Fn(&View<'v>, &mut Effects<'v>) -> Found<T>,
        client: impl Fn(usize) -> Option<&'q ClientName>,
    ) -> Option<T> {
        let now = SinceBoot::now();
        match self
            .0
            .mirror
            .find(&question, now, now, &|effects: Effects<'_>| self.run_effects(effects, &client))?
        {
            Found::Held(answer) => Some(answer),
            Found::Missed(_) | Found::TooOld => None,
        }
    }

    /// Answers from a state older than the bound, within the grace that the operator set.
    fn ask_stale<T>(
        self,
        question: impl for<'v> Fn(&View<'v>, &mut Effects<'v>) -> Found<T>,
        run_effects: &impl Fn(Effects<'_>),
    ) -> Option<T> {
        let mirror = &*self.0.mirror;
        let Freshness { bound, stale_grace } = mirror.freshness;
        if stale_grace.is_zero() {
            return None;
        }
        let now = SinceBoot::now();
        let oldest = now.before(bound.saturating_add(stale_grace));
        let look = asking(
            |view, effects| {
                if view.confirmed < oldest { Found::TooOld } else { question(view, effects) }
            },
        );
        let looked = mirror.state.load().look(&mirror.watch, now, true, look, |found, effects| {
            if let Found::Held(_) = found {
                run_effects(effects);
            }
        });
        match looked? {
            Found::Held(answer) => {
                metrics::counter!("ndauth_stale_answers_total").increment(1);
                Some(answer)
            }
            Found::Missed(_) | Found::TooOld => None,
        }
    }

    /// Returns the readiness to answer, as far as it is known without a query.
    pub fn readiness(self) -> Readiness {
        let mirror = &*self.0.mirror;
        if !mirror.progress.borrow().following {
            let (loaded, of) = (&mirror.loaded.0, &mirror.loaded.1);
            return Readiness::Loading {
                loaded: loaded.load(Ordering::Relaxed),
                of: of.load(Ordering::Relaxed),
            };
        }
        let state = mirror.state.load();
        let installation = state.installation();
        if self.0.standing.admit(Operation::CheckHealth, &installation).is_err() {
            Readiness::Held
        } else if mirror.age().is_none_or(|age| age > mirror.freshness.bound) {
            Readiness::Stale(mirror.progress.borrow().cause.unwrap_or(StaleCause::Unreachable))
        } else {
            Readiness::Ready
        }
    }

    /// Updates the gauges of the mirror.
    #[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
    pub fn gauge(self) {
        let Progress { sequence, head, .. } = *self.0.mirror.progress.borrow();
        let state = self.0.mirror.state.load();
        let (secrets, dead) = (state.secrets() as u64, state.dead() as u64);
        let age = self.0.mirror.age().map_or(f64::INFINITY, |age| age.as_secs_f64());
        let failing = self.0.failing_changes().map_or(0.0, |(since, _)| since.as_secs_f64());
        NOTED_USES.show_taken(self.0.uses.waiting());
        metrics::gauge!("ndauth_freshness_bound_seconds").set(self.0.mirror.freshness.bound.as_secs_f64());
        metrics::gauge!("ndauth_changes_failing_seconds").set(failing);
        metrics::gauge!("ndauth_mirror_staleness_seconds").set(age);
        metrics::gauge!("ndauth_mirror_sequence").set(sequence as f64);
        metrics::gauge!("ndauth_mirror_lag_events").set(head.saturating_sub(sequence) as f64);
        metrics::gauge!("ndauth_mirror_secrets").set(secrets as f64);
        metrics::gauge!("ndauth_mirror_bytes").set(needed(secrets.saturating_sub(dead), dead) as f64);
    }

    /// Compacts the secrets that have become long dead since they were read, and returns the number of them.
    /// It visits every secret, so it must not run on a thread that answers requests.
    pub fn compact(self) -> usize {
        let mirror = &*self.0.mirror;
        mirror.state.load().compact(mirror.watch.at(SinceBoot::now()))
    }

    /// Returns the time for which an answer from this view may be cached.
    pub(crate) fn keepable(self, view: &View<'_>) -> Duration {
        if view.stale { Duration::ZERO } else { self.0.mirror.freshness.bound.saturating_sub(view.age()) }
    }
}
