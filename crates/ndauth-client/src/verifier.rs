//! The verifier, with which a service validates secrets.
//!
//! A verifier caches the inputs of verdicts, watches for every change to them, and decides locally while it
//! can prove that the cache is fresh. If it cannot prove that, it asks a server; if no server answers, it
//! returns a problem instead of a verdict.

mod joined;
mod memory;
mod options;
mod refused;

mod servers;

mod state;

mod verdict;
mod watching;

mod ask;
mod revoked;

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use ndauth_clock::{RemoteClock, SinceBoot};
use ndauth_core::{
    Case, LastUse, OrgView, Problem, Reason, Refusal, Requirement, Secret, SecretHash, permit, redact,
};
use quick_cache::sync::Cache;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use joined::Joined;
use memory::{Memory, Validity};
use servers::Servers;
use state::{CacheEntry, Counters, Padded, Shared, SharedOrgs};
use verdict::By;

use crate::ConnectError;

pub use options::VerifierOptions;
pub use refused::Refused;
pub use verdict::{AllowedToken, Ended, TokenOwner, Verdict};

/// Validates secrets. Clones share one cache; dropping the last clone ends the watch.
#[derive(Clone)]
pub struct Verifier {
    shared: Arc<Shared>,
    /// `None` for a temporary verifier, which does not keep the watch alive.
    _watching: Option<Arc<Watching>>,
}

/// The task that watches for changes. Dropping it aborts the task.
struct Watching(JoinHandle<()>);

/// A request to validate a secret. Its `Debug` hides the secret.
#[derive(Clone, Copy)]
pub struct ValidationRequest<'a> {
    /// The secret that the service received from its client.
    pub secret: &'a str,
    /// The requirement that the secret must meet.
    pub requirement: &'a Requirement,
    /// The address of the service's client, if the service knows it and is registered as stating addresses.
    pub client_address: Option<IpAddr>,
    /// The client's name for itself, such as its `User-Agent`. The token's owner sees it; no decision depends
    /// on it.
    pub client: Option<&'a str>,
}

/// The counters and the state of a verifier.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Requests that were decided from the cache.
    pub local: u64,
    /// Requests that were sent to a server.
    pub asked: u64,
    /// Requests that failed without a verdict.
    pub undecided: u64,
    /// The number of secrets in the cache.
    pub kept: usize,
    /// The age of the last confirmation that the cache is fresh; `None` if there was none since the start or
    /// the last reset.
    pub age: Option<Duration>,
    /// The number of times that the watch was opened.
    pub watches: u64,
    /// The number of times that the server reset the whole cache.
    pub resets: u64,
}

/// The most requests that may wait for a server at a time.
const MOST_IN_FLIGHT: usize = 1024;
/// The most requests of one batch that are decided at a time.
const MOST_CONCURRENT: usize = 64;

impl Verifier {
    /// Starts the watch on the current Tokio runtime. It does not wait for a server: until one is reached,
    /// there are no verdicts. Returns an error if the options are invalid.
    ///
    /// # Panics
    ///
    /// Panics if called outside of a Tokio runtime.
    pub fn start(options: VerifierOptions) -> Result<Verifier, ConnectError> {
        let VerifierOptions { timeout, capacity, .. } = options;
        let shared = Arc::new(Shared {
            servers: Servers::new(options)?,
            timeout,
            memory: Memory::new(),
            rules: ArcSwapOption::empty(),
            clock: RemoteClock::new(),
            kept: Cache::new(capacity.max(1)),
            dead: Cache::new((capacity / 8).max(1)),
            grounds: SharedOrgs::new(),
            joined: Joined::default(),
            asking: Semaphore::new(MOST_IN_FLIGHT),
            uses: Mutex::default(),
            news: watch::Sender::new(()),
            counts: Counters::default(),
        });
        let watching = Watching(tokio::spawn(watching::watch(Arc::downgrade(&shared))));
        Ok(Verifier { shared, _watching: Some(Arc::new(watching)) })
    }

    /// Waits until the cache is confirmed fresh, so that requests can be decided locally.
    pub async fn ready(&self) {
        let mut news = self.news();
        while !self.shared.memory.is_fresh(SinceBoot::now()) {
            let _ = news.changed().await;
        }
    }

    /// Decides whether a secret may do a thing. A [`Problem`] means that there is no verdict, or that the
    /// request is invalid; it is neither a yes nor a no.
    pub async fn validate(&self, secret: &str, requirement: &Requirement) -> Result<Verdict, Problem> {
        self.decide(&ValidationRequest { secret, requirement, client_address: None, client: None }).await
    }

    /// Like [`validate`](Verifier::validate), with all that is known of the request.
    pub async fn decide(&self, question: &ValidationRequest<'_>) -> Result<Verdict, Problem> {
        match self.decide_now(question) {
            Some(verdict) => Ok(verdict),
            // Boxed, so that requests decided at once do not pay for its size.
            None => Box::pin(self.ask(question)).await,
        }
    }

    /// Like [`decide`](Verifier::decide), without a request to a server and without waiting. Returns `None`
    /// if a server must be asked.
    pub fn decide_now(&self, question: &ValidationRequest<'_>) -> Option<Verdict> {
        let secret = match question.secret.parse::<Secret>().map_err(Refusal::Malformed) {
            Ok(secret) => secret,
            Err(refusal) => return Some(Verdict::Refused(Refused::of(&refusal, None))),
        };
        if let Err(refusal) = secret.judge_kind_for_services() {
            return Some(Verdict::Refused(Refused::of(&refusal, Some(secret.kind()))));
        }
        self.judge(secret, question)
    }

    /// Decides whether each of many secrets may do a thing. The verdicts are in the order of the requests.
    pub async fn batch(&self, questions: &[ValidationRequest<'_>]) -> Vec<Result<Verdict, Problem>> {
        let mut verdicts: Vec<Option<Result<Verdict, Problem>>> =
            questions.iter().map(|question| self.decide_now(question).map(Ok)).collect();
        let mut open: Vec<usize> = (0..questions.len()).filter(|index| verdicts[*index].is_none()).collect();
        let mut running = JoinSet::new();
        loop {
            while let Some(index) = (running.len() < MOST_CONCURRENT).then(|| open.pop()).flatten() {
                let ValidationRequest { secret, requirement, client_address, client } = questions[index];
                let (verifier, secret, requirement) = (self.clone(), secret.to_owned(), requirement.clone());
                let client = client.map(str::to_owned);
                running.spawn(async move {
                    let client = client.as_deref();
                    let question = ValidationRequest {
                        secret: &secret,
                        requirement: &requirement,
                        client_address,
                        client,
                    };
                    (index, verifier.decide(&question).await)
                });
            }
            match running.join_next().await {
                Some(Ok((index, verdict))) => verdicts[index] = Some(verdict),
                Some(Err(_)) => {}
                None => break,
            }
        }
        let lost = || Err(Problem::new(Reason::Internal, "the request ended without a response"));
        verdicts.into_iter().map(|verdict| verdict.unwrap_or_else(lost)).collect()
    }

    /// Returns the counters and the state of the verifier.
    pub fn figures(&self) -> Figures {
        let Shared { counts, kept, memory, .. } = &*self.shared;
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Figures {
            local: counts.local.iter().map(|Padded(count)| load(count)).sum(),
            asked: load(&counts.asked),
            undecided: load(&counts.undecided),
            kept: kept.len(),
            age: memory.confirmed().map(|confirmed| SinceBoot::now().since(confirmed)),
            watches: load(&counts.watches),
            resets: load(&counts.resets),
        }
    }

    /// Judges a secret by what is kept of it, if that is worth anything, and counts its use.
    fn judge(&self, secret: Secret, question: &ValidationRequest<'_>) -> Option<Verdict> {
        self.look(secret, question, |hash, entry, case| {
            let org = match case.org {
                OrgView::Org(org, ..) => Some(org),
                OrgView::None => None,
            };
            let last = LastUse { at: case.now, address: case.address };
            self.shared.count((hash, &entry.noted), case.needed_access(), last, org, question.client);
        })
    }

    /// Decides about a secret from its cache entry, if there is a usable one. Calls `passed` if the secret is allowed.
    fn look(
        &self,
        secret: Secret,
        question: &ValidationRequest<'_>,
        passed: impl FnOnce(&SecretHash, &CacheEntry, &Case<'_>),
    ) -> Option<Verdict> {
        let shared = &*self.shared;
        let hash = &secret.hash();
        let now = SinceBoot::now();
        let Some(entry) = shared.kept.get(hash) else {
            let dead = shared.dead.get(hash).filter(|dead| now < dead.until)?;
            shared.counts.local(hash);
            return Some(Verdict::Refused(dead.refused.clone()));
        };
        match shared.memory.judge(&entry.stamp, &entry.inputs, now) {
            Validity::Good => {}
            Validity::Unproven => return None,
            Validity::Nothing => {
                shared.kept.remove(hash);
                return None;
            }
        }
        let rules = shared.rules.load_full()?;
        let at = shared.clock.at(now);
        let ValidationRequest { requirement, client_address, .. } = *question;
        if !matches!(requirement, Requirement::Identity | Requirement::Access { .. }) {
            return None;
        }
        let case = entry.inputs.case(&rules, requirement, client_address, at)?;
        if let Err(refusal) = permit(&case) {
            if let Refusal::Replaced(_) = refusal {
                // The server must learn that the replaced secret is still in use.
                shared.kept.remove(hash);
                return None;
            }
            shared.counts.local(hash);
            return Some(Verdict::Refused(Refused::of(&refusal, Some(secret.kind()))));
        }
        shared.counts.local(hash);
        passed(hash, &entry, &case);
        Some(Verdict::Allowed(AllowedToken {
            secret,
            requirement: requirement.clone(),
            address: client_address,
            verifier: Weak::clone(&entry.verifier),
            by: By::Itself(entry, rules, at),
        }))
    }

    /// Subscribes to everything that may change a verdict.
    fn news(&self) -> watch::Receiver<()> {
        self.shared.news.subscribe()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl fmt::Debug for ValidationRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ValidationRequest { secret, requirement, client_address, client } = self;
        f.debug_struct("ValidationRequest")
            .field("secret", &redact(secret))
            .field("requirement", requirement)
            .field("client_address", client_address)
            .field("client", client)
            .finish()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("figures", &self.figures()).finish_non_exhaustive()
    }
}
