//! The only way to change state. A change checks that the database may be served, admits the caller, takes
//! the locks, retries on conflict, commits with one event, and is answered once it is in force on this
//! instance.
//!
//! The work in between is a closure that may run more than once, so it has no effect outside its transaction.
//! It returns how the transaction ends: with an event, without a change, or with an observation.

use std::ops::{Deref, DerefMut};

use ndauth_core::{
    Account, AccountId, Actor, Change, Entry, Event, Handle, Owner, Personal, Session, SessionId, Timestamp,
};
use ndauth_store::{StoreError, Write};
use rand::rngs::SysRng;

use crate::access::{Admitted, Operation};
use crate::origin::{ADDRESS, CLIENT, RequestOrigin};
use crate::reading::account;
use crate::throttle::{Minter, Tried};
use crate::{Authority, AuthorityError, Caller, Credential, Whose};

/// The outcome of a change.
#[derive(Clone, Debug)]
pub struct Changed<T> {
    /// The thing that was changed, as it is now.
    pub value: T,
    /// False if nothing had to be changed.
    pub changed: bool,
    /// The sequence of the change's event, or of the log's head if the change has no event.
    pub sequence: u64,
    /// The instant of the change.
    pub now: Timestamp,
}

/// A change in progress, whose caller was admitted in the state that it changes.
pub(crate) struct Changing {
    write: Write,
    pub(crate) by: Admitted,
}

/// A change in progress without an admitted caller: a login, or the authority's own work.
pub(crate) struct CallerlessChange(Write);

/// A change whose work is done, ready to be committed. Only [`Changing`] and [`CallerlessChange`] make one.
pub(crate) struct Done<T> {
    write: Write,
    end: End,
    value: T,
}

enum End {
    /// A change of state, with its event.
    Event(Actor, Change, Personal),
    /// Nothing had to be changed.
    Before,
    /// An observation, which is no change of state.
    Observed,
}

/// An error of a change, which says whether a retry is worthwhile.
pub(crate) trait ChangeError: From<AuthorityError> {
    /// Returns true if the change conflicted with another transaction.
    fn is_conflict(&self) -> bool;
}

/// The key of the name of the thing that was changed in an event's personal bytes.
pub(crate) const NAME: &str = "name";
/// The number of attempts for a change that conflicts with others.
pub(crate) const TRIES: u32 = 4;

impl ChangeError for AuthorityError {
    fn is_conflict(&self) -> bool {
        matches!(self, AuthorityError::Store(error) if error.is_conflict())
    }
}

impl<T> Changed<T> {
    /// Converts the value, and keeps the rest.
    pub fn map<U>(self, map: impl FnOnce(T) -> U) -> Changed<U> {
        let Changed { value, changed, sequence, now } = self;
        Changed { value: map(value), changed, sequence, now }
    }
}

impl Deref for Changing {
    type Target = Write;

    fn deref(&self) -> &Write {
        &self.write
    }
}

impl DerefMut for Changing {
    fn deref_mut(&mut self) -> &mut Write {
        &mut self.write
    }
}

impl Changing {
    /// Locks the account of this handle until the change ends, and returns it.
    pub(crate) async fn lock_account_of(&self, handle: &Handle) -> Result<Account, AuthorityError> {
        let found = account(self, handle).await?;
        Ok(self.lock_account(found.id).await?.unwrap_or(found))
    }

    /// Ends the change with its event.
    pub(crate) fn done<T>(self, change: Change, personal: Personal, value: T) -> Done<T> {
        let actor = self.by.caller.actor();
        Done { write: self.write, end: End::Event(actor, change, personal), value }
    }

    /// Ends the change with its event, which names the thing that was changed.
    pub(crate) fn done_to<T>(self, name: String, change: Change, value: T) -> Done<T> {
        self.done(change, Personal::from([(NAME, name)]), value)
    }

    /// Ends the change without an event, because nothing had to be changed.
    pub(crate) fn unchanged<T>(self, value: T) -> Done<T> {
        Done { write: self.write, end: End::Before, value }
    }
}

impl Deref for CallerlessChange {
    type Target = Write;

    fn deref(&self) -> &Write {
        &self.0
    }
}

impl CallerlessChange {
    /// Locks an account until the change ends, and returns it.
    pub(crate) async fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        self.0.lock_account(id).await
    }

    /// Locks the owner of a token until the change ends, so that nobody else makes or names tokens of it.
    pub(crate) async fn lock_owner(&self, owner: Owner) -> Result<(), StoreError> {
        match owner {
            Owner::Account(id) => self.0.lock_account(id).await.map(drop),
            Owner::Org(id) => self.0.lock_org(id).await,
        }
    }

    /// Locks a session until the change ends, and returns it if it is live.
    pub(crate) async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        let session = self.0.lock_session(id).await?;
        Ok(session.filter(|session| session.is_live(self.0.now())))
    }

    /// Ends the change with its event.
    pub(crate) fn done<T>(self, actor: Actor, change: Change, personal: Personal, value: T) -> Done<T> {
        Done { write: self.0, end: End::Event(actor, change, personal), value }
    }

    /// Ends the change without an event, because nothing had to be changed.
    pub(crate) fn unchanged<T>(self, value: T) -> Done<T> {
        Done { write: self.0, end: End::Before, value }
    }

    /// Ends the change without an event, because it only recorded observations.
    pub(crate) fn observed<T>(self, value: T) -> Done<T> {
        Done { write: self.0, end: End::Observed, value }
    }
}

/// Makes a change for a caller, about its own or anybody's things, or in an org.
///
/// Except at the console, the caller is admitted twice: before, so that unauthenticated callers never block a
/// writer, and again in the transaction, because the change must be made in the state that allows it.
#[tracing::instrument(target = "ndauth_trace", name = "change", skip_all, fields(otel.name = operation.name()))]
pub(crate) async fn change<T, E: ChangeError, F: Future<Output = Result<Done<T>, E>>>(
    authority: &Authority,
    credential: &Credential,
    operation: Operation,
    whose: &Whose,
    work: impl Fn(Changing) -> F,
) -> Result<Changed<T>, E> {
    let known = match credential {
        Credential::Console => None,
        _ => {
            let (read, by) = authority.read_as(credential, operation, whose).await?;
            // Counted here, because the closure below may run more than once.
            if operation.mints()
                && let Some(minter) = minter(&by.caller)
            {
                authority.throttle.take(&[Tried::Mint(minter)], read.now()).map_err(E::from)?;
            }
            Some(by.caller)
        }
    };
    retried(|| async {
        let write = authority.begin_change(operation).await?;
        let by = authority.admit_again(&write, known.as_ref(), credential, operation, whose).await?;
        authority.end(work(Changing { write, by }).await?).await
    })
    .await
}

/// Makes a change without an admitted caller: a login, whose request itself proves who it is for, or the
/// authority's own work.
#[tracing::instrument(target = "ndauth_trace", name = "change", skip_all, fields(otel.name = operation.name()))]
pub(crate) async fn change_without_caller<T, E: ChangeError, F: Future<Output = Result<Done<T>, E>>>(
    authority: &Authority,
    operation: Operation,
    work: impl Fn(CallerlessChange) -> F,
) -> Result<Changed<T>, E> {
    retried(|| async {
        let write = authority.begin_change(operation).await?;
        authority.end(work(CallerlessChange(write)).await?).await
    })
    .await
}

impl Authority {
    async fn begin_change(&self, operation: Operation) -> Result<Write, AuthorityError> {
        let write = self.store.write(operation.name()).await?;
        self.standing.admit(operation, write.installation())?;
        Ok(write)
    }

    /// Locks what a change concerns, and admits the caller in that state. Until the change ends, the caller's
    /// account is not disabled or signed out, the org is not changed, and the tokens of neither are all
    /// revoked.
    async fn admit_again(
        &self,
        write: &Write,
        known: Option<&Caller>,
        credential: &Credential,
        operation: Operation,
        whose: &Whose,
    ) -> Result<Admitted, AuthorityError> {
        if let Some(account) = known.and_then(Caller::account) {
            write.lock_account(account.id).await?;
        }
        if let Some(Caller::Token { held, .. }) = known
            && let Owner::Org(org) = held.token.owner
        {
            write.lock_org(org).await?;
        }
        if let Whose::Org(slug) = whose
            && let Some(org) = write.find_org_by_slug(slug).await?
        {
            write.lock_org(org.id).await?;
        }
        let caller = self.identify(write, credential).await?;
        self.admit(write, caller, operation, whose).await
    }

    /// Commits a change. It returns once the change is durable and in force on this instance. If that takes
    /// too long, it fails with [`AuthorityError::Unconfirmed`]. A change that brings a new secret does not
    /// wait, because the secret would be lost with the response. No validation here reports such a secret as
    /// unknown, because that takes a newer state of the mirror.
    async fn end<T, E: ChangeError>(&self, done: Done<T>) -> Result<Changed<T>, E> {
        self.commit(done).await.map_err(E::from)
    }

    async fn commit<T>(&self, done: Done<T>) -> Result<Changed<T>, AuthorityError> {
        let Done { mut write, end, value } = done;
        let now = write.now();
        let (changed, sequence) = match end {
            End::Event(actor, change, personal) => {
                let carries_new_secret = change.carries_new_secret();
                let mut personal = personal;
                RequestOrigin::current().add_to(&mut personal);
                let entry = Entry { at: now, actor, change };
                let event = Event::new(&entry, &personal, &mut SysRng)?;
                let head = write.commit(&event).await?;
                log(&entry, &personal, head.sequence);
                if self.store.is_replaced() {
                    let why = "the database's file was replaced or removed";
                    return Err(StoreError::OutcomeUnknown(why.into()).into());
                }
                if carries_new_secret {
                    self.mirror.moved();
                } else {
                    self.mirror.applied(head).await?;
                }
                (true, head.sequence)
            }
            End::Before => {
                // The change that made it so may still be waiting for a standby. This commit waits for the
                // same standby, at least as long.
                let head = write.lock_head().await?;
                write.commit_observed().await?;
                self.mirror.applied(head).await?;
                (false, head.sequence)
            }
            End::Observed => {
                let sequence = write.head().sequence;
                write.commit_observed().await?;
                (true, sequence)
            }
        };
        Ok(Changed { value, changed, sequence, now })
    }
}

/// Writes a log line for a change: who changed what, and from where. It holds the ids of the event's public bytes, which are
/// those of the audit, and the name of the thing.
fn log(entry: &Entry, personal: &Personal, sequence: u64) {
    let of = |key| personal.get(key).map(String::as_str);
    let to: Vec<String> = entry.change.subjects().iter().map(ToString::to_string).collect();
    tracing::info!(
        sequence,
        kind = entry.change.kind(),
        by = %entry.actor,
        to = to.join(" "),
        name = of(NAME),
        address = of(ADDRESS),
        client = of(CLIENT),
        "committed"
    );
}

/// The caller whose limit minted secrets count against. The console has none, and a service mints nothing.
fn minter(caller: &Caller) -> Option<Minter> {
    match caller {
        Caller::Session { account, .. } => Some(Minter::Account(account.id)),
        Caller::Token { held, .. } => Some(Minter::Token(held.token.id)),
        Caller::Console | Caller::Service { .. } => None,
    }
}

/// Tries a change again where another transaction stood in its way.
async fn retried<T, E: ChangeError, F: Future<Output = Result<T, E>>>(
    attempt: impl Fn() -> F,
) -> Result<T, E> {
    let mut tries = 1;
    loop {
        match attempt().await {
            Err(error) if error.is_conflict() && tries < TRIES => {
                tracing::debug!(tries, "tried again");
                tries += 1;
            }
            outcome => return outcome,
        }
    }
}
