//! Retention, at the console: the log's beginning is pruned, a person's data is erased, a secret's trail is found.

use std::time::Duration;

use ndauth_core::{Change, Handle, Head, Personal, Secret, SecretPrefix, Timestamp};
use ndauth_store::Family;

use crate::access::{Operation, Whose};
use crate::change::{Changed, change};
use crate::{AuthorityError, Credential, EventPage, EventQuery, OperatorWing, Which};

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
    pub async fn erase_account(
        self,
        credential: &Credential,
        handle: &Handle,
    ) -> Result<Changed<()>, AuthorityError> {
        change(self.0, credential, Operation::EraseAccount, &Whose::Anyone, |changing| async move {
            let account = changing.lock_account_of(handle).await?;
            if account.disabled_at.is_none() {
                let why =
                    format!("the account is not disabled: `ndauthd admin account disable {handle}` first");
                return Err(AuthorityError::invalid("handle", why));
            }
            changing.erase_account(account.id).await?;
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
        let (read, _) = self.0.read_as(credential, Operation::FindSecret, &Whose::Anyone).await?;
        let prefix = secret.prefix();
        let Some(found) = read.find_secret(&secret.hash()).await? else {
            return Ok(SecretTrail { prefix, belongs_to: None, events: None });
        };
        let query = |query: EventQuery| EventQuery { limit: TRAIL, ..query };
        let (belongs_to, asked) = match found.family {
            Family::Token(id) => {
                let token = read.find_token(id).await?;
                let name = token.map(|token| format!("`{}` ", token.name)).unwrap_or_default();
                let asked = EventQuery { token: Some(Which::Id(id)), ..EventQuery::default() };
                (format!("the token {name}({id})"), Some(query(asked)))
            }
            Family::Service(id) => {
                let service = read.find_service(id).await?.map(|service| service.name);
                let name = service.clone().map(|name| format!("`{name}` ")).unwrap_or_default();
                let asked = service.map(|name| EventQuery { service: Some(name), ..EventQuery::default() });
                (format!("the service {name}({id})"), asked.map(query))
            }
            Family::Session(id) => {
                let session = read.find_session(id).await?;
                let of = match session {
                    Some(session) => read.find_account(session.account).await?.map(|account| account.handle),
                    None => None,
                };
                let name = of.clone().map(|handle| format!(" of {handle}")).unwrap_or_default();
                let asked = of.map(|handle| EventQuery { account: Some(handle), ..EventQuery::default() });
                (format!("the session {id}{name}"), asked.map(query))
            }
        };
        drop(read);
        let events = match asked {
            Some(asked) => Some(self.0.audit().list(credential, &Whose::Anyone, &asked).await?),
            None => None,
        };
        Ok(SecretTrail { prefix, belongs_to: Some(belongs_to), events })
    }
}
