//! Waiting until what was allowed is allowed no more.

use std::sync::Arc;
use std::time::Duration;

use ndauth_clock::SinceBoot;
use ndauth_core::{Expiry, Problem, Reason};

use super::state::Shared;
use super::verdict::{AllowedToken, Ended, Verdict};
use super::{ValidationRequest, Verifier};

impl AllowedToken {
    /// Waits until it is allowed no more: until the token is revoked or expires, its owner loses the power, or that
    /// could not be known for longer than any change may be late. A long stream goes on no longer than this.
    pub async fn revoked(&self) -> Ended {
        loop {
            let Some(shared) = self.verifier.upgrade() else {
                let why = "what decides was ended";
                return Ended::Undecided(Problem::new(Reason::Unavailable, why));
            };
            let verifier = Verifier::of(shared);
            let mut news = verifier.news();
            match verifier.decide_again(self).await {
                Ok(Verdict::Allowed(_)) => {}
                Ok(Verdict::Refused(refused)) => return Ended::Refused(refused),
                Err(problem) => return Ended::Undecided(problem),
            }
            let again = verifier.again_after(self);
            drop(verifier);
            tokio::select! {
                // Whoever is told of changes is told when no more are.
                _ = news.changed() => {}
                () = tokio::time::sleep(again) => {}
            }
        }
    }
}

impl Verifier {
    /// One for a moment, which keeps nothing alive.
    fn of(shared: Arc<Shared>) -> Verifier {
        Verifier { shared, _watching: None }
    }

    /// Decides anew what was allowed.
    async fn decide_again(&self, allowed: &AllowedToken) -> Result<Verdict, Problem> {
        let AllowedToken { secret, requirement, address, .. } = allowed;
        let secret = secret.expose();
        self.decide(&ValidationRequest { secret, requirement, client_address: *address, client: None }).await
    }

    /// When what was allowed is to be decided anew, though nothing was heard.
    fn again_after(&self, allowed: &AllowedToken) -> Duration {
        let often = self.shared.memory.bound() / 2;
        match allowed.case().map(|case| case.changes_at()) {
            Some(Expiry::At(end)) => often.min(end.since(self.shared.clock.at(SinceBoot::now()))),
            Some(Expiry::Never) | None => often,
        }
    }
}
