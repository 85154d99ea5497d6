//! Watching: a service that caches inputs receives the events that concern them, and how fresh that is.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use ndauth_clock::SinceBoot;
use ndauth_core::{
    Concern, Head, Orgs, Owner, Rules, RulesVersion, SecretHash, Service, ServiceId, Timestamp,
};
use tokio::sync::watch;

use crate::access::Operation;
use crate::limits::Share;
use crate::observations::uses::ReportedUse;
use crate::validation::mirror::effects::Effects;
use crate::validation::mirror::{FeedEvent, Stale, StaleCause, View, asking};
use crate::{Authority, AuthorityError, Credential};

/// A service that watches.
pub struct Watcher {
    authority: Arc<Authority>,
    secret: SecretHash,
    from: Option<IpAddr>,
    /// The last event up to which it received everything.
    received: Option<Head>,
    rules: Option<RulesVersion>,
    news: watch::Receiver<u64>,
    _share: Share<ServiceId>,
}

/// The news since those that a watcher received last.
#[derive(Debug)]
pub struct News {
    /// True if the service must drop its whole cache.
    pub reset: bool,
    /// The rules, if they differ from those that the service has.
    pub rules: Option<Rules>,
    /// The events that concern what the service may cache, by their sequences.
    pub changes: Vec<(u64, Concern)>,
    /// The last event that the news take into account.
    pub head: Head,
    /// The time since that was known to be the last.
    pub age: Duration,
    /// The authority's time.
    pub now: Timestamp,
    /// The id of the loaded state.
    pub state: u64,
}

impl Authority {
    /// Begins a watch for a service. Fails if the service may not watch.
    pub async fn watch(self: &Arc<Self>, credential: &Credential) -> Result<Watcher, AuthorityError> {
        let operation = Operation::WatchRevocations;
        let validation = self.validation();
        let (secret, from) = validation.service_secret(credential, operation)?;
        let judge = validation.judge(credential, operation, |_, service, _| (service.id, false))?;
        let service = validation.ask(Stale::Never, judge, from, |_| None).await??.value;
        let share = self.watches.take(Some(service), 1)?;
        let news = self.mirror.news();
        Ok(Watcher {
            authority: Arc::clone(self),
            secret,
            from,
            received: None,
            rules: None,
            news,
            _share: share,
        })
    }

    /// The greatest age of an answer, anywhere.
    pub fn bound(&self) -> Duration {
        self.mirror.bound()
    }
}

impl Watcher {
    /// Continues after the last event that the service received, perhaps from another instance that is ahead
    /// of this one.
    pub async fn resume_after(&mut self, head: Head) -> Result<(), AuthorityError> {
        self.authority.mirror.reach(head.sequence, self.from).await?;
        self.received = Some(head);
        Ok(())
    }

    /// Waits for the next event.
    pub async fn changed(&mut self) {
        if self.news.changed().await.is_err() {
            // No event is applied any more.
            std::future::pending::<()>().await;
        }
    }

    /// Returns the news. Fails if the service may no longer watch.
    pub fn catch_up(&mut self) -> Result<News, AuthorityError> {
        // Read in this order, so that the state holds everything up to that moment.
        let (confirmed, state) = self.authority.mirror.confirmed_state();
        self.news.mark_unchanged();
        let moment = SinceBoot::now();
        let news = loop {
            let collect_news = asking(|view, effects| self.collect_news(view, effects));
            let run_effects =
                |effects: Effects<'_>| self.authority.validation().run_effects(effects, |_| None);
            if let Some(news) = self.authority.mirror.look(&state, moment, collect_news, run_effects) {
                break news?;
            }
            std::hint::spin_loop();
        };
        self.received = Some(news.head);
        if let Some(rules) = &news.rules {
            self.rules = Some(rules.version);
        }
        Ok(News { age: moment.since(confirmed), ..news })
    }

    fn collect_news<'v>(&self, view: &View<'v>, effects: &mut Effects<'v>) -> Result<News, AuthorityError> {
        let operation = Operation::WatchRevocations;
        let service =
            self.authority.validation().admit_service(view, &self.secret, self.from, operation, effects)?;
        let recent = view.recent().lock().unwrap_or_else(PoisonError::into_inner);
        let head = recent
            .head(view.sequence)
            .ok_or(AuthorityError::Stale { age: None, cause: StaleCause::Unreachable })?;
        let events = self.received.and_then(|received| recent.between(received, view.sequence));
        let reset = events.is_none();
        let may_receive = |(_, event): &(u64, &FeedEvent)| may_receive(service, event, view);
        let changes = events.into_iter().flatten().filter(may_receive);
        let changes = changes.map(|(sequence, event)| (sequence, event.concern)).collect();
        let rules = (self.rules != Some(view.rules_version())).then(|| view.rules_of(service));
        Ok(News { reset, rules, changes, head, age: Duration::ZERO, now: view.now, state: view.state_id() })
    }

    /// Notes the uses of secrets that the service allowed without asking, as far as it may ask about them.
    pub fn note(&self, uses: &[ReportedUse]) {
        self.authority.validation().note_reported_uses(&self.secret, uses);
    }
}

/// Returns true if a service receives an event, because it touches what the service may cache. That is no
/// more than what the service may ask about.
fn may_receive(service: &Service, event: &FeedEvent, view: &View<'_>) -> bool {
    let orgs = &service.orgs;
    match event.concern {
        Concern::Everything => true,
        Concern::Token(_) => event.owner.is_none_or(|owner| view.may_ask(orgs, owner)),
        Concern::Account(account) | Concern::Session(account, _) | Concern::Sessions(account) => {
            view.may_ask(orgs, Owner::Account(account))
        }
        Concern::Member(org, _) | Concern::Org(org) => orgs.contain(&org),
        Concern::NewOrg(..) => *orgs == Orgs::All,
        // It caches nothing about what did not exist before, or about services. The rules are compared.
        Concern::Nothing
        | Concern::NewToken(_)
        | Concern::NewAccount(_)
        | Concern::Service(_)
        | Concern::Rules => false,
    }
}
