//! Waiting until an allowed token is no longer allowed.

use std::sync::Arc;
use std::time::Duration;

use ndauth_clock::SinceBoot;
use ndauth_core::{Expiry, Problem, Reason};

use super::state::Shared;
use super::verdict::{AllowedToken, Ended, Verdict};
use super::{ValidationRequest, Verifier};

impl AllowedToken {
    /// Waits until the requirement is no longer allowed: until the token is revoked or expires, its owner
    /// loses the power, or there has been no verdict for longer than any change may be late. A long stream
    /// should end when this returns.
    pub async fn revoked(&self) -> Ended {
        loop {
            let Some(shared) = self.verifier.upgrade() else {
                let why = "the verifier was closed";
                return Ended::Undecided(Problem::new(Reason::Unavailable, why));
            };
            let verifier = Verifier::of(shared);
            let mut news = verifier.news();
            match verifier.decide_again(self).await {
                Ok(Verdict::Allowed(_)) => {}
                Ok(Verdict::Refused(refused)) => return Ended::Refused(refused),
                Err(problem) => return Ended::Undecided(problem),
            }
            let again = verifier.next_decision_after(self);
            drop(verifier);
            tokio::select! {
                // This also returns when the sender is dropped.
                _ = news.changed() => {}
                () = tokio::time::sleep(again) => {}
            }
        }
    }
}

impl Verifier {
    /// Returns a temporary verifier, which does not keep the watch alive.
    fn of(shared: Arc<Shared>) -> Verifier {
        Verifier { shared, _watching: None }
    }

    /// Decides anew what was allowed. It is no other use.
    async fn decide_again(&self, allowed: &AllowedToken) -> Result<Verdict, Problem> {
        let AllowedToken { secret, requirement, address, .. } = allowed;
        let question = ValidationRequest {
            secret: secret.expose(),
            requirement,
            client_address: *address,
            client: None,
        };
        match self.look(secret.clone(), &question, |_, _, _| ()) {
            Some(verdict) => Ok(verdict),
            None => Box::pin(self.ask(&question)).await,
        }
    }

    /// Returns the time until the next decision, if no change is received before.
    fn next_decision_after(&self, allowed: &AllowedToken) -> Duration {
        let often = self.shared.memory.bound() / 2;
        match allowed.case().map(|case| case.changes_at()) {
            Some(Expiry::At(end)) => often.min(end.since(self.shared.clock.at(SinceBoot::now()))),
            Some(Expiry::Never) | None => often,
        }
    }
}
