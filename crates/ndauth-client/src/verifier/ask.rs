//! Requests to a server, and the cache entries made from its responses.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ndauth_clock::SinceBoot;
use ndauth_core::{Class, DECISION_VERSION, Problem, Reason, RecordedUses, Refusal, Secret, SecretHash};
use ndauth_proto::v1::{self, validate_token_response::Outcome};
use ndauth_proto::{duration_from_proto, inputs_from_proto, requirement_to_proto};
use tokio::time::{Instant, sleep, timeout_at};

use super::joined::Turn;
use super::memory::{Asked, Stamp, Validity};
use super::refused::Refused;
use super::state::{CacheEntry, FinalRefusal, Shared};
use super::verdict::{AllowedToken, By, TokenDescription, Verdict};
use super::{ValidationRequest, Verifier};
use crate::jitter::jitter;

/// A request that was sent.
struct Sent<'a> {
    question: &'a ValidationRequest<'a>,
    secret: Secret,
    hash: SecretHash,
    /// The state of the memory before it was sent.
    before: Asked,
    at: SinceBoot,
}

/// The shortest pause before a retry. It doubles with each retry.
const PAUSE: Duration = Duration::from_millis(10);
/// The timeout of one try, if there are other servers to try.
const TRY: Duration = Duration::from_millis(750);

impl Verifier {
    /// Asks a server. Requests about the same secret wait for the first one's response.
    pub(super) async fn ask(&self, question: &ValidationRequest<'_>) -> Result<Verdict, Problem> {
        let shared = &*self.shared;
        let secret: Secret = question.secret.parse().map_err(|why| {
            // This text was parsed before.
            Problem::from(&Refusal::Malformed(why))
        })?;
        let hash = secret.hash();
        let outcome = match shared.joined.join(hash) {
            Turn::Ask(asking) => match self.decide_now(question) {
                // An earlier request was answered between the cache lookup and here.
                Some(verdict) => Ok(verdict),
                None => {
                    let response = self.ask_servers(secret, hash, question).await;
                    if let Err(problem) = &response {
                        asking.failed(problem);
                    }
                    response
                }
            },
            Turn::Wait(mut answer) => {
                // The sender is dropped when the verdict is there; then this is an error.
                let _ = answer.changed().await;
                let failed = answer.borrow().clone();
                match (failed, self.decide_now(question)) {
                    (Some(problem), _) => Err(problem),
                    (None, Some(verdict)) => Ok(verdict),
                    // The inputs of that verdict could not be cached.
                    (None, None) => self.ask_servers(secret, hash, question).await,
                }
            }
        };
        if outcome.is_err() {
            shared.counts.undecided.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }

    /// Asks one server after the other until the timeout.
    async fn ask_servers(
        &self,
        secret: Secret,
        hash: SecretHash,
        question: &ValidationRequest<'_>,
    ) -> Result<Verdict, Problem> {
        let shared = &*self.shared;
        let asked = requirement_to_proto(question.secret, question.requirement, question.client_address)?;
        let client = question.client.unwrap_or_default().to_owned();
        let asked = v1::ValidateTokenRequest { client, ..asked };
        let Ok(_place) = shared.asking.try_acquire() else {
            return Err(Problem::new(Reason::Overloaded, "too many requests are waiting"));
        };
        shared.counts.asked.fetch_add(1, Ordering::Relaxed);
        let late = Instant::now() + shared.timeout;
        let (mut pause, mut tries) = (PAUSE, 0);
        loop {
            let which = (shared.servers.first() + tries) % shared.servers.len();
            let sent = SinceBoot::now();
            let before = shared.memory.ask();
            let request =
                v1::ResolveRequest { question: Some(asked.clone()), at_least_sequence: before.at_least };
            let time_limit = if shared.servers.len() > 1 { late.min(Instant::now() + TRY) } else { late };
            let answer = timeout_at(time_limit, shared.servers.client(which)?.resolve(request)).await;
            let problem = match answer {
                Ok(Ok(answer)) => {
                    return self.take_in(answer, Sent { question, secret, hash, before, at: sent });
                }
                Ok(Err(problem)) => problem,
                Err(_) => Problem::new(Reason::Unavailable, "the server did not answer in time"),
            };
            tries += 1;
            let again = Instant::now() + jitter(pause);
            pause *= 2;
            match problem.class() {
                // Another server may be able to answer, or the same one in a moment.
                Class::Undecided | Class::Exhausted if again < late => sleep(again - Instant::now()).await,
                // A service that may not ask learns nothing about the secret: this is no refusal.
                Class::NotAuthenticated | Class::NotPermitted => {
                    let why = format!("this service may not validate: {}", problem.message);
                    return Err(Problem::new(Reason::Unavailable, why));
                }
                _ => return Err(problem),
            }
        }
    }

    /// Reads a server's response, and caches it if possible.
    fn take_in(&self, answer: v1::ResolveResponse, sent: Sent<'_>) -> Result<Verdict, Problem> {
        let v1::ResolveResponse { verdict, inputs, instance } = answer;
        let nothing = || Problem::new(Reason::Internal, "the server sent an empty response");
        let verdict = verdict.ok_or_else(nothing)?;
        let age = verdict.max_cache_age.map(|age| duration_from_proto("max_cache_age", age)).transpose()?;
        let until = sent.at.after(age.unwrap_or_default());
        if let Some(inputs) = &inputs {
            let stamp = self.shared.memory.stamp(sent.before, instance, verdict.sequence, until);
            self.keep(inputs, sent.hash, stamp)?;
        }
        match verdict.outcome.ok_or_else(nothing)? {
            Outcome::Allowed(allowed) => Ok(Verdict::Allowed(AllowedToken {
                by: By::Server(Arc::new(TokenDescription::try_from(allowed)?)),
                secret: sent.secret,
                requirement: sent.question.requirement.clone(),
                address: sent.question.client_address,
                verifier: Arc::downgrade(&self.shared),
            })),
            Outcome::Refused(message) => {
                let refused = Refused::from(message);
                if refused.is_final() {
                    self.shared.kept.remove(&sent.hash);
                    self.shared
                        .dead
                        .insert(sent.hash, Arc::new(FinalRefusal { refused: refused.clone(), until }));
                }
                Ok(Verdict::Refused(refused))
            }
        }
    }

    /// Caches the inputs of a verdict, if this version can decide by them and no change has invalidated them
    /// since.
    fn keep(&self, message: &v1::Inputs, hash: SecretHash, stamp: Option<Stamp>) -> Result<(), Problem> {
        let Some(stamp) = stamp.filter(|_| message.decision_version <= DECISION_VERSION) else {
            return Ok(());
        };
        let (mut inputs, rules) = inputs_from_proto(message)?;
        let Shared { rules: received, memory, grounds, kept, .. } = &*self.shared;
        // Rules that were not received yet arrive over the watch in a moment.
        let known = received.load().as_ref().is_some_and(|known| known.version == rules);
        if known && memory.judge(&stamp, &inputs, SinceBoot::now()) != Validity::Nothing {
            grounds.share(&mut inputs);
            let verifier = Arc::downgrade(&self.shared);
            kept.insert(
                hash,
                Arc::new(CacheEntry { inputs, stamp, noted: RecordedUses::default(), verifier }),
            );
        }
        Ok(())
    }
}
