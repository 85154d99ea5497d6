//! Watching: a service that keeps what it was told hears what changes, and how fresh that is.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use ndauth_clock::SinceBoot;
use ndauth_core::{AccountId, Head, OrgId, Rules, RulesVersion, SecretHash, Timestamp, TokenId};
use ndauth_store::Use;
use tokio::sync::watch;

use crate::access::Operation;
use crate::effects::Effects;
use crate::mirror::{Concern, Stale, StaleCause, View, asking};
use crate::{Authority, AuthorityError, Credential};

/// A service that watches.
pub struct Watcher {
    authority: Arc<Authority>,
    secret: SecretHash,
    from: Option<IpAddr>,
    /// The last event that it heard of, or that concerned nothing it may hear of.
    heard: Option<Head>,
    rules: Option<RulesVersion>,
    news: watch::Receiver<u64>,
}

/// What a watcher has not heard of yet.
#[derive(Debug)]
pub struct News {
    /// What it keeps is worth nothing.
    pub reset: bool,
    /// The rules, where they are others than before.
    pub rules: Option<Rules>,
    /// What changed, by the number of the event.
    pub changes: Vec<(u64, Changed)>,
    /// The last event that this takes into account.
    pub head: Head,
    /// For how long that may not have been the last any more.
    pub age: Duration,
    /// The authority's time.
    pub now: Timestamp,
    /// Of which loaded state it is.
    pub state: u64,
}

/// What an event concerns, of that which a service keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// A token.
    Token(TokenId),
    /// A person, and each of their tokens.
    Account(AccountId),
    /// An org, and whoever stands in it.
    Org(OrgId),
    /// An org that was not there before.
    NewOrg(OrgId),
}

impl Authority {
    /// Lets a service hear what changes, if it may.
    pub async fn watch(self: &Arc<Self>, credential: &Credential) -> Result<Watcher, AuthorityError> {
        let operation = Operation::WatchRevocations;
        let (secret, from) = self.service_secret(credential, operation)?;
        let judge = self.judge(credential, operation, |_, _, _| ((), false))?;
        self.ask(Stale::Never, judge, |_| None).await??;
        let news = self.mirror.news();
        Ok(Watcher { authority: Arc::clone(self), secret, from, heard: None, rules: None, news })
    }

    /// How late any change may be, anywhere.
    pub fn bound(&self) -> Duration {
        self.mirror.bound()
    }
}

impl Watcher {
    /// Goes on behind the last event that the service heard of: from another instance, maybe, which knew of it before.
    pub async fn go_on_from(&mut self, heard: Head) -> Result<(), AuthorityError> {
        self.authority.mirror.reach(heard.sequence).await?;
        self.heard = Some(heard);
        Ok(())
    }

    /// Waits until something happened.
    pub async fn changed(&mut self) {
        if self.news.changed().await.is_err() {
            // Nothing happens any more.
            std::future::pending::<()>().await;
        }
    }

    /// What it has not heard of yet. An error where it may hear of nothing any more.
    pub fn catch_up(&mut self) -> Result<News, AuthorityError> {
        // In this order: all that had happened at that moment is in the state.
        let (confirmed, state) = self.authority.mirror.confirmed_state();
        self.news.mark_unchanged();
        let moment = SinceBoot::now();
        let news = loop {
            let hear = asking(|view, effects| self.hear(view, effects));
            let run_effects = |effects: Effects<'_>| self.authority.run_effects(effects, |_| None);
            if let Some(news) = self.authority.mirror.look(&state, moment, hear, run_effects) {
                break news?;
            }
            std::hint::spin_loop();
        };
        self.heard = Some(news.head);
        if let Some(rules) = &news.rules {
            self.rules = Some(rules.version);
        }
        Ok(News { age: moment.since(confirmed), ..news })
    }

    fn hear<'v>(&self, view: &View<'v>, effects: &mut Effects<'v>) -> Result<News, AuthorityError> {
        let operation = Operation::WatchRevocations;
        let service = self.authority.admit_service(view, &self.secret, self.from, operation, effects)?;
        let recent = view.recent().lock().unwrap_or_else(PoisonError::into_inner);
        let head = recent
            .head(view.sequence)
            .ok_or(AuthorityError::Stale { age: None, cause: StaleCause::Unreachable })?;
        let mut changes = Vec::new();
        let mut reset = true;
        if let Some(heard) = self.heard.and_then(|heard| recent.between(heard, view.sequence)) {
            reset = false;
            for (sequence, concern) in heard.filter(|(_, concern)| concern.is_for(service, view)) {
                let changed = match concern {
                    Concern::Token(token, _) => Changed::Token(token),
                    Concern::Account(account) | Concern::Member(_, account) => Changed::Account(account),
                    Concern::Org(org) => Changed::Org(org),
                    Concern::NewOrg(org) => Changed::NewOrg(org),
                    // The rules are compared.
                    Concern::Nothing | Concern::Rules => continue,
                    Concern::Everything => {
                        reset = true;
                        changes.clear();
                        continue;
                    }
                };
                changes.push((sequence, changed));
            }
        }
        let rules = (self.rules != Some(view.rules_version())).then(|| view.rules_of(service));
        Ok(News { reset, rules, changes, head, age: Duration::ZERO, now: view.now, state: view.state_id() })
    }

    /// Notes that secrets passed at the service, by what it keeps.
    pub fn note(&self, uses: impl IntoIterator<Item = Use>) {
        self.authority.note_passed(&self.secret, uses);
    }
}
