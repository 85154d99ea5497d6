//! The one door for change. Everything that changes state passes it: it asks whether the database may be served, admits
//! the caller, takes the locks, tries again where another change stood in the way, commits with one event, and answers
//! once that is in force here.
//!
//! The work in between is a closure that may run more than once, so it has no effect but on its transaction. It ends by
//! saying what became of that: a change with its event, nothing, or something that was only observed.

use std::ops::{Deref, DerefMut};

use ndauth_core::{
    Account, AccountId, Actor, Change, Entry, Event, Owner, Personal, Session, SessionId, Timestamp,
};
use ndauth_store::{StoreError, Write};
use rand::rngs::SysRng;

use crate::access::{Admitted, Operation};
use crate::throttle::{Minter, Tried};
use crate::{Authority, AuthorityError, Caller, Credential, Whose};

/// What a change answers with.
#[derive(Clone, Debug)]
pub struct Changed<T> {
    /// What it was about, as it is now.
    pub value: T,
    /// False where nothing had to be changed, for it was so before.
    pub changed: bool,
    /// The number of the last event, which tells of it or came after.
    pub sequence: u64,
    /// As of when.
    pub now: Timestamp,
}

/// A change in the making, whose caller was admitted in the state that it changes.
pub(crate) struct Changing {
    write: Write,
    pub(crate) by: Admitted,
}

/// A change in the making that nobody was admitted to: a login, or what the authority does by itself.
pub(crate) struct Uncalled(Write);

/// A change as its work leaves it. Only [`Changing`] and [`Uncalled`] make one.
pub(crate) struct Done<T> {
    write: Write,
    end: End,
    value: T,
}

enum End {
    /// It is a change of state, and this tells of it.
    Event(Actor, Change, Personal),
    /// It was so before.
    Before,
    /// It is no change of state.
    Observed,
}

/// Why a change failed: an error of which this door knows whether the change is worth another try.
pub(crate) trait ChangeError: From<AuthorityError> {
    /// True where another transaction stood in its way.
    fn is_conflict(&self) -> bool;
}

/// How often a change is tried when others stand in its way.
pub(crate) const TRIES: u32 = 4;

impl ChangeError for AuthorityError {
    fn is_conflict(&self) -> bool {
        matches!(self, AuthorityError::Store(error) if error.is_conflict())
    }
}

impl<T> Changed<T> {
    /// The same about something else.
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
    /// Ends it with the event that tells of it.
    pub(crate) fn done<T>(self, change: Change, personal: Personal, value: T) -> Done<T> {
        let actor = self.by.caller.actor();
        Done { write: self.write, end: End::Event(actor, change, personal), value }
    }

    /// Ends it with the event that tells of it, and with the name of what was changed.
    pub(crate) fn done_to<T>(self, name: String, change: Change, value: T) -> Done<T> {
        self.done(change, Personal::from([("name", name)]), value)
    }

    /// Ends it, for it was so before.
    pub(crate) fn unchanged<T>(self, value: T) -> Done<T> {
        Done { write: self.write, end: End::Before, value }
    }
}

impl Deref for Uncalled {
    type Target = Write;

    fn deref(&self) -> &Write {
        &self.0
    }
}

impl Uncalled {
    /// An account, which nobody else changes until this ends.
    pub(crate) async fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        self.0.lock_account(id).await
    }

    /// Holds the owner of a token: nobody makes or names tokens of it until this ends.
    pub(crate) async fn hold_owner(&self, owner: Owner) -> Result<(), StoreError> {
        match owner {
            Owner::Account(id) => self.0.lock_account(id).await.map(drop),
            Owner::Org(id) => self.0.lock_org(id).await,
        }
    }

    /// A session that lives, which nobody else ends until this does.
    pub(crate) async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        let session = self.0.lock_session(id).await?;
        Ok(session.filter(|session| session.is_live(self.0.now())))
    }

    /// Ends it with the event that tells of it.
    pub(crate) fn done<T>(self, actor: Actor, change: Change, personal: Personal, value: T) -> Done<T> {
        Done { write: self.0, end: End::Event(actor, change, personal), value }
    }

    /// Ends it, for it was so before.
    pub(crate) fn unchanged<T>(self, value: T) -> Done<T> {
        Done { write: self.0, end: End::Before, value }
    }

    /// Ends it, for it is no change of state.
    pub(crate) fn observed<T>(self, value: T) -> Done<T> {
        Done { write: self.0, end: End::Observed, value }
    }
}

/// Makes a change for a caller, about its own or anybody's things, or in an org.
///
/// The caller is judged before, so that strangers never hold up a writer, and again within, for the change must be
/// made in the state that allows it.
pub(crate) async fn change<T, E: ChangeError, F: Future<Output = Result<Done<T>, E>>>(
    authority: &Authority,
    credential: &Credential,
    operation: Operation,
    whose: &Whose,
    work: impl Fn(Changing) -> F,
) -> Result<Changed<T>, E> {
    let known = match credential {
        Credential::Console => None,
        Credential::Nothing | Credential::Secret { .. } => {
            let (read, by) = authority.read_as(credential, operation, whose).await?;
            // Here, since what follows may run more than once.
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

/// Makes a change that nobody calls for: a login, which proves by its request who comes, or what the authority does
/// by itself.
pub(crate) async fn change_uncalled<T, E: ChangeError, F: Future<Output = Result<Done<T>, E>>>(
    authority: &Authority,
    operation: Operation,
    work: impl Fn(Uncalled) -> F,
) -> Result<Changed<T>, E> {
    retried(|| async {
        let write = authority.begin_change(operation).await?;
        authority.end(work(Uncalled(write)).await?).await
    })
    .await
}

impl Authority {
    async fn begin_change(&self, operation: Operation) -> Result<Write, AuthorityError> {
        let write = self.store.write(operation.name()).await?;
        self.standing.admit(operation, write.installation())?;
        Ok(write)
    }

    /// Holds what a change is about: neither is the caller's account disabled or signed out, nor the org changed, nor are
    /// all tokens of either revoked, until the change ends. Then the caller is judged in that state.
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

    /// Ends a change. It is answered once it is durable and in force here: where it is not in time, that is
    /// [`AuthorityError::Unconfirmed`]. Only what brings a new secret does not wait for that: it would be lost with the
    /// answer, and nobody is told that it is unknown before it is known here.
    async fn end<T, E: ChangeError>(&self, done: Done<T>) -> Result<Changed<T>, E> {
        self.commit(done).await.map_err(E::from)
    }

    async fn commit<T>(&self, done: Done<T>) -> Result<Changed<T>, AuthorityError> {
        let Done { mut write, end, value } = done;
        let now = write.now();
        let (changed, sequence) = match end {
            End::Event(actor, change, personal) => {
                let brings_a_secret = change.brings_a_secret();
                let event = Event::new(&Entry { at: now, actor, change }, &personal, &mut SysRng)?;
                let head = write.commit(&event).await?;
                if self.store.is_replaced() {
                    let why = "the database's file was replaced or removed";
                    return Err(StoreError::OutcomeUnknown(why.into()).into());
                }
                if brings_a_secret {
                    self.mirror.moved();
                } else {
                    self.mirror.applied(head).await?;
                }
                (true, head.sequence)
            }
            End::Before => {
                // Whoever made the change may still be waiting for a standby: this waits for the same, and longer.
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
