//! Retention, at the console: the log's beginning is pruned, a person's data is erased, a secret's trail is found.

use std::time::Duration;

use ndauth_core::{
    Account, Change, Entry, EventSubject, Handle, Head, Personal, Secret, SecretPrefix, Timestamp,
};
use ndauth_store::{Family, LogChunk, LogPart, LoggedEvent, Read};

use crate::access::{Operation, Whose};
use crate::audit::{AuditReader, EventFilter, page};
use crate::change::{Changed, change};
use crate::operator::personal;
use crate::orgs::OFFERED_TO;
use crate::{AuthorityError, Credential, EventPage, EventQuery, OperatorWing};

/// The result of pruning the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// The number of events that were removed.
    pub removed: u64,
    /// The last event that was ever removed; the first one that is kept is chained to its hash.
    pub through: Head,
}

/// What is known of a secret.
#[derive(Debug)]
pub struct SecretTrail {
    /// Its first characters.
    pub prefix: SecretPrefix,
    /// What it belongs to, in words. `None` if no row of it is left.
    pub belongs_to: Option<String>,
    /// The last events of what it belongs to.
    pub events: Option<EventPage>,
}

/// The shortest time for which events are kept, so that every instance and every follower of the log has read them.
const SHORTEST: Duration = Duration::from_secs(24 * 60 * 60);
/// The events that one transaction removes: as many as a database removes well within its timeout.
const BATCH: u64 = 20_000;
/// The most events of a secret's trail.
const TRAIL: u64 = 1000;

impl OperatorWing<'_> {
    /// Removes the events before an instant, batch by batch. The last event always stays.
    pub async fn prune_events(
        self,
        credential: &Credential,
        before: Timestamp,
    ) -> Result<Pruned, AuthorityError> {
        let mut removed = 0;
        loop {
            let pruned =
                change(self.0, credential, Operation::PruneEvents, &Whose::Anyone, |changing| async move {
                    if changing.now().since(before) < SHORTEST {
                        let why = "events are kept for 24 hours at least: give an earlier instant";
                        return Err(AuthorityError::invalid("before", why));
                    }
                    let start = changing.start_of_log().await?;
                    let through = changing.sequence_before(before).await?.min(changing.head().sequence - 1);
                    match changing.prune(through, BATCH).await? {
                        None => Ok(changing.unchanged((start, start))),
                        Some(end) => {
                            let change = Change::LogPruned { through: end.sequence, hash: end.hash };
                            Ok(changing.done(change, Personal::new(), (start, end)))
                        }
                    }
                });
            let Changed { value: (start, end), changed, .. } = pruned.await?;
            removed += end.sequence - start.sequence;
            if !changed {
                return Ok(Pruned { removed, through: end });
            }
        }
    }

    /// Erases what is known of the person of a disabled account, for good. The account and its events stay, without it.
    ///
    /// Offers to a handle are listed under no account, so the log is read to find those to this one.
    pub async fn erase_account(
        self,
        credential: &Credential,
        handle: &Handle,
    ) -> Result<Changed<()>, AuthorityError> {
        let (read, _) = self.0.read_as(credential, Operation::EraseAccount, &Whose::Anyone).await?;
        let account = read.find_account_by_handle(handle).await?;
        erasable(&account.ok_or_else(|| AuthorityError::none("account", handle))?)?;
        let known = offers_to(&read, handle, 0).await?;
        let head = read.head().sequence;
        drop(read);
        let known = &known;
        change(self.0, credential, Operation::EraseAccount, &Whose::Anyone, |mut changing| async move {
            let account = changing.lock_account_of(handle).await?;
            erasable(&account)?;
            changing.erase_account(account.id).await?;
            changing.lock_head().await?;
            let offers = [known.clone(), offers_to(&changing, handle, head).await?].concat();
            changing.erase_events(&offers).await?;
            Ok(changing.done(Change::AccountErased { account: account.id }, Personal::new(), ()))
        })
        .await
    }

    /// Finds what a secret belongs to, by its hash, and the last events of that.
    pub async fn find_secret(
        self,
        credential: &Credential,
        secret: &Secret,
    ) -> Result<SecretTrail, AuthorityError> {
        let (read, by) = self.0.read_as(credential, Operation::FindSecret, &Whose::Anyone).await?;
        let prefix = secret.prefix();
        let Some(found) = read.find_secret(&secret.hash()).await? else {
            return Ok(SecretTrail { prefix, belongs_to: None, events: None });
        };
        // By the id: what is gone has no name, and somebody else may have that name now.
        let (belongs_to, subject) = match found.family {
            Family::Token(id) => {
                let token = read.find_token(id).await?;
                let name = token.map(|token| format!("`{}` ", token.name)).unwrap_or_default();
                (format!("the token {name}({id})"), Some(EventSubject::Token(id)))
            }
            Family::Service(id) => {
                let service = read.find_service(id).await?.map(|service| service.name);
                let name = service.map(|name| format!("`{name}` ")).unwrap_or_default();
                (format!("the service {name}({id})"), Some(EventSubject::Service(id)))
            }
            Family::Session(id) => {
                let session = read.find_session(id).await?;
                let of = match &session {
                    Some(session) => read.find_account(session.account).await?.map(|account| account.handle),
                    None => None,
                };
                let name = of.map(|handle| format!(" of {handle}")).unwrap_or_default();
                let subject = session.map(|session| EventSubject::Account(session.account));
                (format!("the session {id}{name}"), subject)
            }
        };
        let events = match subject {
            Some(subject) => {
                let query = EventQuery { limit: TRAIL, ..EventQuery::default() };
                let filter = EventFilter { subjects: vec![subject], query: &query };
                Some(page(&read, AuditReader::of(&by)?, filter).await?)
            }
            None => None,
        };
        Ok(SecretTrail { prefix, belongs_to: Some(belongs_to), events })
    }
}

/// Refuses an account that is not disabled.
fn erasable(account: &Account) -> Result<(), AuthorityError> {
    match account.disabled_at {
        Some(_) => Ok(()),
        None => {
            let handle = &account.handle;
            let why = format!("the account is not disabled: `ndauthd admin account disable {handle}` first");
            Err(AuthorityError::invalid("handle", why))
        }
    }
}

/// Returns the events after a sequence that offer a membership to a handle.
async fn offers_to(read: &Read, handle: &Handle, after: u64) -> Result<Vec<u64>, AuthorityError> {
    let mut part = LogPart { after, before: None, newest_first: false, limit: BATCH };
    let mut found = Vec::new();
    loop {
        let LogChunk { events, is_end } = read.history(None, &part).await?;
        for LoggedEvent { event, .. } in &events {
            let is_offer = Entry::read(&event.public)
                .is_some_and(|entry| matches!(entry.change, Change::MemberOffered { .. }));
            if is_offer && personal(event, OFFERED_TO).as_deref() == Some(handle.as_str()) {
                found.push(event.sequence);
            }
        }
        match events.last() {
            Some(last) if !is_end => part.after = last.event.sequence,
            _ => return Ok(found),
        }
    }
}
