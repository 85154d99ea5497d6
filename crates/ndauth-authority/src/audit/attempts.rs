//! The list of refused attempts, beside the events.

use std::time::Duration;

use ndauth_core::{EventSubject, Timestamp};
use ndauth_store::{EventNames, RefusedAttempt};

use super::list::Thing;
use super::reader::AuditReader;
use crate::access::{Operation, Whose};
use crate::authority::AuditWing;
use crate::observations::attempts::{AttemptKind, MOST_A_MINUTE};
use crate::{AuthorityError, Credential};

/// Attempts of one kind within a minute, which were refused for the same reason.
#[derive(Clone, Debug)]
pub struct AttemptShown {
    /// The beginning of the minute.
    pub minute: Timestamp,
    /// What was refused.
    pub kind: AttemptKind,
    /// The account that was tried or that tried.
    pub account: Option<Thing>,
    /// The token that was presented.
    pub token: Option<Thing>,
    /// The service that was presented.
    pub service: Option<Thing>,
    /// The org that was concerned.
    pub org: Option<Thing>,
    /// The network from which it was tried; empty if it is unknown.
    pub network: String,
    /// The reason, such as `TOKEN_EXPIRED`.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// What was refused, in a sentence.
    pub text: String,
}

/// A page of refused attempts.
#[derive(Debug)]
pub struct AttemptPage {
    /// The attempts, the newest first.
    pub rows: Vec<AttemptShown>,
    /// The minute before which the next page goes on; `None` on the last page.
    pub next: Option<Timestamp>,
    /// The instant of the view.
    pub now: Timestamp,
}

/// The time for which refused attempts are kept.
pub(crate) const KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// The rows of one minute that a page may hold beyond its limit, so that it ends with a whole minute: those of some
/// instances.
const SLACK: u64 = 16 * (MOST_A_MINUTE as u64 + 1);

impl AuditWing<'_> {
    /// Lists a page of refused attempts, before a minute if there is one: those of the caller's account, of an org, or all.
    /// Those of the present minute are not there yet.
    pub async fn attempts(
        self,
        credential: &Credential,
        whose: &Whose,
        since: Option<Timestamp>,
        before: Option<Timestamp>,
        limit: u64,
    ) -> Result<AttemptPage, AuthorityError> {
        let (read, by) = self.0.read_as(credential, Operation::ListRefusedAttempts, whose).await?;
        let of = match AuditReader::of(&by)? {
            AuditReader::Account(account) => (Some(account), None),
            AuditReader::Org(org) => (None, Some(org)),
            AuditReader::All => (None, None),
        };
        let (since, before) = (since.unwrap_or(Timestamp::MIN), before.unwrap_or(Timestamp::MAX));
        let mut found = read.attempts(of, since, before, limit + SLACK).await?;
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let next = match found.get(wanted.saturating_sub(1)).map(|last| last.minute) {
            Some(minute) if found.len() > wanted => {
                found.retain(|attempt| attempt.minute >= minute);
                Some(minute)
            }
            _ => None,
        };
        let mentioned = found.iter().flat_map(|attempt| {
            [
                attempt.account.map(EventSubject::Account),
                attempt.token.map(EventSubject::Token),
                attempt.service.map(EventSubject::Service),
                attempt.org.map(EventSubject::Org),
            ]
        });
        let mentioned: Vec<EventSubject> = mentioned.flatten().collect();
        let names = read.name_all(mentioned).await?;
        let rows = found.iter().map(|attempt| shown(attempt, &names)).collect();
        Ok(AttemptPage { rows, next, now: read.now() })
    }

    /// Removes the refused attempts that are no longer kept.
    pub async fn forget_attempts(self) -> Result<u64, AuthorityError> {
        let now = self.0.store.moment().await?.now;
        let kept = i64::try_from(KEPT.as_micros()).unwrap_or(i64::MAX);
        let before = Timestamp::from_micros(now.micros().saturating_sub(kept)).unwrap_or(Timestamp::MIN);
        let mut removed = 0;
        loop {
            let some = self.0.store.remove_attempts(before, MOST_REMOVED).await?;
            removed += some;
            if some < MOST_REMOVED {
                return Ok(removed);
            }
        }
    }
}

/// The number of attempts from which on there may be more to remove.
const MOST_REMOVED: u64 = 1000;

fn shown(attempt: &RefusedAttempt, names: &EventNames) -> AttemptShown {
    let thing = |id: String, name: Option<String>| Thing { id, name };
    let account =
        attempt.account.map(|id| thing(id.to_string(), names.accounts.get(&id).map(ToString::to_string)));
    let token = attempt.token.map(|id| thing(id.to_string(), names.tokens.get(&id).map(ToString::to_string)));
    let service =
        attempt.service.map(|id| thing(id.to_string(), names.services.get(&id).map(ToString::to_string)));
    let org = attempt.org.map(|id| thing(id.to_string(), names.orgs.get(&id).map(ToString::to_string)));
    let kind = AttemptKind::from_code(&attempt.kind);
    let mut shown = AttemptShown {
        minute: attempt.minute,
        kind,
        account,
        token,
        service,
        org,
        network: attempt.network.clone(),
        reason: attempt.reason.clone(),
        count: attempt.count,
        text: String::new(),
    };
    shown.text = sentence(&shown);
    shown
}

/// Says what was refused.
fn sentence(attempt: &AttemptShown) -> String {
    let name = |thing: &Thing| thing.name.clone().unwrap_or_else(|| thing.id.clone());
    let by = match (&attempt.token, &attempt.service, &attempt.account) {
        (Some(token), ..) => format!("the token `{}`", name(token)),
        (None, Some(service), _) => format!("the service `{}`", name(service)),
        (None, None, Some(account)) => name(account),
        (None, None, None) => "an unknown caller".to_owned(),
    };
    let times = if attempt.count == 1 { "once".to_owned() } else { format!("{} times", attempt.count) };
    let from = match attempt.network.as_str() {
        "" => String::new(),
        network => format!(" from {network}"),
    };
    match attempt.kind {
        AttemptKind::SignIn if attempt.account.is_some() => {
            format!("Refused to sign in as {by}, {times}{from}.")
        }
        AttemptKind::SignIn => format!("Refused to sign in with a name that nobody has, {times}{from}."),
        AttemptKind::Change => format!("Refused a change by {by}, {times}{from}."),
        AttemptKind::Validation => format!("Refused the ended secret of {by}, {times}{from}."),
        AttemptKind::Others => format!("Refused others, too many to list, {times}."),
    }
}
