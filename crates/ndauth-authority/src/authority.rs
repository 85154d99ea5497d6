//! The authority: a store, the catalogue, and what was observed but not yet written down.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ndauth_core::{
    Actor, Asker, Catalogue, Causes, Change, Counts, Effective, Entry, Event, LastUse, Lineage, Org, OrgSlug,
    Permission, Personal, Refusal, Requirement, Role, Scope, TokenView, decide, is_recent,
};
use ndauth_store::{Clock, DatabaseUrl, MigrationState, Read, ServerLock, Store, StoreError, Use, Write};
use rand::rngs::SysRng;

use crate::access::{Operation, Reach, Rule, admit, rule};
use crate::credential::identify;
use crate::follow_ups::FollowUps;
use crate::held::{OwnerName, Question, ground};
use crate::janitor::Shown;
use crate::logins::Passwords;
use crate::mirror::{Freshness, Mirror, SharedMirror};
use crate::standing::Standing;
use crate::throttle::Throttle;
use crate::uses::Uses;
use crate::validate::Tally;
use crate::{AuthorityError, Caller, Credential, Logins};

/// The authority on one database. Shared by everything that serves from it.
#[derive(Debug)]
pub struct Authority {
    pub(crate) store: Store,
    catalogue: Mutex<Option<Known>>,
    pub(crate) uses: Uses,
    pub(crate) standing: Standing,
    pub(crate) mirror: SharedMirror,
    pub(crate) tally: Tally,
    pub(crate) follow_ups: FollowUps,
    pub(crate) logins: Logins,
    pub(crate) passwords: Passwords,
    pub(crate) throttle: Throttle,
    /// What the clock showed when the janitor last looked.
    pub(crate) clock_shown: Mutex<Option<Shown>>,
}

/// A catalogue that was read, and the hash of its document.
type Known = ([u8; 32], Arc<Catalogue>);

/// How often a change is tried when others stand in its way.
pub(crate) const TRIES: u32 = 4;

impl Authority {
    /// Opens a database that holds an installation, brings its schema to this version, and looks whether it is an older copy
    /// of what was seen of it before.
    ///
    /// The witness of what was seen lies beside a file of SQLite; for PostgreSQL, in the folder `data`.
    pub async fn open(
        url: &DatabaseUrl,
        clock: Clock,
        data: Option<&Path>,
    ) -> Result<Authority, AuthorityError> {
        let store = Store::connect(url, clock).await?;
        let authority = Authority::over(store, data, false).await?;
        authority.look().await?;
        Ok(authority)
    }

    /// The same; where there is no database or nothing in it, a new installation begins. Not so where an installation
    /// was there before: then it was lost.
    pub async fn create(
        url: &DatabaseUrl,
        clock: Clock,
        data: Option<&Path>,
    ) -> Result<Authority, AuthorityError> {
        let authority = Authority::begin(url, clock, data).await?;
        authority.look().await?;
        Ok(authority)
    }

    /// The same, without looking whether it is an older copy: [`Authority::look`] must follow.
    pub async fn begin(
        url: &DatabaseUrl,
        clock: Clock,
        data: Option<&Path>,
    ) -> Result<Authority, AuthorityError> {
        if let DatabaseUrl::Sqlite(path) = url
            && !path.exists()
        {
            nothing_was_there(url, &Standing::new(url, data))?;
        }
        Authority::over(Store::create(url, clock).await?, data, true).await
    }

    /// Opens a database of whatever version, a standby too, to export its log and for nothing else. Nothing is changed.
    pub async fn open_log(url: &DatabaseUrl) -> Result<Authority, AuthorityError> {
        Ok(Authority::of(Store::open_log(url).await?, None))
    }

    async fn over(store: Store, data: Option<&Path>, begin: bool) -> Result<Authority, AuthorityError> {
        let authority = Authority::of(store, data);
        let (store, url) = (&authority.store, authority.store.url());
        let steps = store.migrations().await?;
        if steps.iter().all(|step| !step.applied) {
            nothing_was_there(url, &authority.standing)?;
            if !begin {
                return Err(AuthorityError::NoInstallation { database: url.to_string() });
            }
        }
        if steps.iter().any(|step| !step.applied) {
            store.migrate().await?;
        }
        Ok(authority)
    }

    fn of(store: Store, data: Option<&Path>) -> Authority {
        Authority {
            catalogue: Mutex::default(),
            uses: Uses::default(),
            standing: Standing::new(store.url(), data),
            mirror: Arc::new(Mirror::new(store.watch(), Freshness::default())),
            tally: Tally::new(),
            follow_ups: FollowUps::default(),
            logins: Logins::default(),
            passwords: Passwords::default(),
            throttle: Throttle::default(),
            clock_shown: Mutex::default(),
            store,
        }
    }

    /// Lets nobody else serve a file of SQLite as long as the lock is held.
    pub fn lock(url: &DatabaseUrl) -> Result<ServerLock, AuthorityError> {
        Ok(ServerLock::acquire(url)?)
    }

    /// The same, with answers of another freshness than [`Freshness::default`]. To be said before
    /// [`Authority::follow`].
    pub fn with_freshness(mut self, freshness: Freshness) -> Authority {
        self.mirror = Arc::new(Mirror::new(self.store.watch(), freshness));
        self
    }

    /// The steps of the schema's history in a database, without changing it.
    pub async fn migrations(url: &DatabaseUrl) -> Result<Vec<MigrationState>, AuthorityError> {
        Ok(Store::connect(url, Clock::Database).await?.migrations().await?)
    }

    /// Writes down what was observed and closes the database.
    pub async fn close(&self) -> Result<(), AuthorityError> {
        let written = self.write_uses().await.and(self.look().await);
        self.store.close().await?;
        written
    }

    /// Since when changes do not get through to the database, and why the last did not. `None` where the last one did.
    pub fn failing_changes(&self) -> Option<(Duration, String)> {
        self.store.failing_writes()
    }

    /// Tries whether changes get through again, where nobody else does.
    pub async fn try_changing(&self) {
        if let Err(error) = self.store.try_writing().await {
            tracing::debug!(error = %Causes(&error), "changes do not get through yet");
        }
    }

    /// Opens a view for an operation, once the caller is known and admitted.
    pub(crate) async fn read_as(
        &self,
        credential: &Credential,
        operation: Operation,
    ) -> Result<(Read, Caller, Reach), AuthorityError> {
        let read = self.store.read().await?;
        self.standing.admit(operation, read.installation())?;
        let caller = self.identify(&read, credential).await?;
        let reach = admit(operation, &caller)?;
        self.observe(credential, &caller, operation, &read);
        Ok((read, caller, reach))
    }

    /// Opens a view for an operation in an org, once the caller is known and admitted there. Gives the
    /// org, and the role that the caller acts by.
    pub(crate) async fn read_in(
        &self,
        credential: &Credential,
        operation: Operation,
        slug: &OrgSlug,
    ) -> Result<(Read, Caller, (Org, Role)), AuthorityError> {
        let read = self.store.read().await?;
        self.standing.admit(operation, read.installation())?;
        let caller = self.identify(&read, credential).await?;
        let place = self.admit_in(&read, &caller, operation, slug).await?;
        self.observe(credential, &caller, operation, &read);
        Ok((read, caller, place))
    }

    /// Begins a change in an org, which nobody else changes until it ends. See [`Authority::write_as`].
    pub(crate) async fn write_in(
        &self,
        credential: &Credential,
        operation: Operation,
        slug: &OrgSlug,
        name: &'static str,
    ) -> Result<(Write, Caller, Org), AuthorityError> {
        let known = match credential {
            Credential::Console => None,
            _ => Some(self.read_in(credential, operation, slug).await?.1),
        };
        let write = self.store.write(name).await?;
        self.standing.admit(operation, write.installation())?;
        hold(&write, known.as_ref()).await?;
        if let Some(org) = write.find_org_by_slug(slug).await? {
            write.lock_org(org.id).await?;
        }
        let caller = self.identify(&write, credential).await?;
        let (org, _) = self.admit_in(&write, &caller, operation, slug).await?;
        Ok((write, caller, org))
    }

    /// Whether a caller may do a thing in an org, and by which role. To who has no part in it, an org is as
    /// unknown as one that is not there.
    async fn admit_in(
        &self,
        read: &Read,
        caller: &Caller,
        operation: Operation,
        slug: &OrgSlug,
    ) -> Result<(Org, Role), AuthorityError> {
        let unknown = || AuthorityError::NotFound { what: "org", name: slug.to_string() };
        let org = async || -> Result<Org, AuthorityError> {
            let org = read.find_org_by_slug(slug).await?;
            org.filter(|org| org.deleted_at.is_none()).ok_or_else(unknown)
        };
        match (rule(operation, caller), caller) {
            (
                rule @ (Rule::Member(needed) | Rule::Recent(needed)),
                Caller::Session { account, session, .. },
            ) => {
                let org = org().await?;
                let role = read.find_role(account.id, org.id).await?.ok_or_else(unknown)?;
                if role < needed {
                    return Err(AuthorityError::RoleTooLow { org: slug.clone(), role, needed });
                }
                if matches!(rule, Rule::Recent(_)) && !is_recent(session.proved_at, read.now()) {
                    return Err(AuthorityError::LoginNotRecent { to: operation.verb() });
                }
                Ok((org, role))
            }
            (rule @ (Rule::Power | Rule::Granted(_)), Caller::Token { held, from, .. }) => {
                let ground = ground(read, &held.owner, slug).await?.ok_or_else(unknown)?;
                let part = match &held.owner {
                    OwnerName::Account(_) => ground.role.is_some(),
                    OwnerName::Org(own) => own.id == ground.org.id,
                };
                if !part || ground.org.deleted_at.is_some() {
                    return Err(unknown());
                }
                let requirement = match rule {
                    Rule::Granted(permission) => {
                        let permission: Permission = permission.parse().expect("the table holds permissions");
                        Requirement::Access {
                            org: slug.clone(),
                            access: Scope::Ro,
                            permission: Some(permission),
                        }
                    }
                    _ => Requirement::Survey { org: slug.clone() },
                };
                let question = Question {
                    requirement: &requirement,
                    asker: Asker::Ndauth,
                    address: *from,
                    catalogue: &*self.catalogue(read).await?,
                    not_before: read.installation().not_before,
                    now: read.now(),
                };
                let effective = decide(&held.case(Some(&ground), &question))?;
                let role = match effective {
                    Effective::Access { role, .. } => role,
                    Effective::Identity => Role::Ro,
                };
                Ok((ground.org, role))
            }
            (Rule::Yes, Caller::Console) => Ok((org().await?, Role::Admin)),
            (Rule::Login, _) => Err(AuthorityError::SessionRequired { caller: caller.kind(), operation }),
            _ => Err(AuthorityError::NotPermitted { caller: caller.kind(), operation }),
        }
    }

    /// Whom a credential stands for, in the state that a view shows.
    async fn identify(&self, read: &Read, credential: &Credential) -> Result<Caller, AuthorityError> {
        let caller = identify(read, &*self.catalogue(read).await?, credential).await;
        if let Credential::Secret { secret, life, .. } = credential {
            match &caller {
                Ok(caller) => {
                    if let Some(known) = caller.life() {
                        // The first to know says so.
                        let _ = life.set(known);
                    }
                }
                Err(AuthorityError::Refused(Refusal::Replaced(_))) => {
                    if let Some(found) = read.find_secret(&secret.hash()).await?
                        && let Some(family) = found.family.lineage()
                    {
                        self.follow_ups.reused(family, &found.record, read.now(), credential.from());
                    }
                }
                Err(_) => {}
            }
        }
        caller
    }

    /// The catalogue of a view. It is read when it is another than before.
    pub(crate) async fn catalogue(&self, read: &Read) -> Result<Arc<Catalogue>, AuthorityError> {
        let hash = read.catalogue_hash();
        let known = self.catalogue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((of, catalogue)) = known
            && of == hash
        {
            return Ok(catalogue);
        }
        let catalogue = Arc::new(read.catalogue().await?);
        *self.catalogue.lock().unwrap_or_else(PoisonError::into_inner) = Some((hash, Arc::clone(&catalogue)));
        Ok(catalogue)
    }

    /// Begins a change for an operation. The caller is judged before, so that strangers never hold
    /// up a writer, and again within, for the change must be made in the state that allows it.
    pub(crate) async fn write_as(
        &self,
        credential: &Credential,
        operation: Operation,
        name: &'static str,
    ) -> Result<(Write, Caller, Reach), AuthorityError> {
        let known = match credential {
            Credential::Console => None,
            _ => Some(self.read_as(credential, operation).await?.1),
        };
        let write = self.store.write(name).await?;
        self.standing.admit(operation, write.installation())?;
        hold(&write, known.as_ref()).await?;
        let caller = self.identify(&write, credential).await?;
        let reach = admit(operation, &caller)?;
        Ok((write, caller, reach))
    }

    /// Ends a change with its event. Returns the event's sequence, once it is in force here: where it is not in time, that
    /// is [`AuthorityError::Unconfirmed`]. Only what brings a new secret does not wait for that.
    pub(crate) async fn commit(
        &self,
        write: Write,
        caller: &Caller,
        change: Change,
        personal: Personal,
    ) -> Result<u64, AuthorityError> {
        self.commit_by(write, caller.actor(), change, personal).await
    }

    /// The same, where nobody calls.
    pub(crate) async fn commit_by(
        &self,
        write: Write,
        actor: Actor,
        change: Change,
        personal: Personal,
    ) -> Result<u64, AuthorityError> {
        let brings_a_secret = change.brings_a_secret();
        let event = Event::new(&Entry { at: write.now(), actor, change }, &personal, &mut SysRng)?;
        let head = write.commit(&event).await?;
        if self.store.is_replaced() {
            return Err(
                StoreError::OutcomeUnknown("the database's file was replaced or removed".into()).into()
            );
        }
        if brings_a_secret {
            // It would be lost with the answer; nobody is told that it is unknown before it is known here.
            self.mirror.moved();
        } else {
            self.mirror.applied(head).await?;
        }
        Ok(head.sequence)
    }

    /// Ends what changes nothing, for it was changed before. That is answered as the change itself would be: once it is
    /// durable, and in force here. Returns the sequence of an event by which it was.
    pub(crate) async fn unchanged(&self, mut write: Write) -> Result<u64, AuthorityError> {
        // Whoever made it may still be waiting for a standby: this waits for the same, and longer.
        let head = write.lock_head().await?;
        write.commit_observed().await?;
        self.mirror.applied(head).await?;
        Ok(head.sequence)
    }

    fn observe(&self, credential: &Credential, caller: &Caller, operation: Operation, read: &Read) {
        let (held, from) = match caller {
            Caller::Token { held, from, .. } => (held, from),
            Caller::Session { secret, .. } => {
                let last = LastUse { at: read.now(), address: credential.from() };
                let counts = Counts::one(Scope::Ro);
                return self.uses.note(Use { secret: *secret, client: None, last, counts });
            }
            Caller::Console | Caller::Service { .. } => return,
        };
        let (record, last) = (&held.record, LastUse { at: read.now(), address: *from });
        let client = match credential {
            Credential::Secret { client, .. } => client.clone(),
            Credential::Nothing | Credential::Console => None,
        };
        let counts = Counts::one(if operation.reads() { Scope::Ro } else { Scope::Rw });
        self.uses.note(Use { secret: record.id, client, last, counts });
        self.follow_ups.used(Lineage::Token(held.token.id), record, read.now());
    }

    /// Completes what the store knows of last uses by what is not yet written down.
    pub(crate) fn with_latest_use(&self, mut view: TokenView) -> TokenView {
        for secret in &mut view.secrets {
            secret.last_use = self.uses.latest(secret.record.id, secret.last_use);
        }
        view
    }
}

/// Fails where an installation was here before: an empty database in its place has forgotten everything.
pub(crate) fn nothing_was_there(url: &DatabaseUrl, standing: &Standing) -> Result<(), AuthorityError> {
    match standing.orphan(url)? {
        None => Ok(()),
        Some(witness) => Err(AuthorityError::Emptied { database: url.to_string(), witness }),
    }
}

/// Holds a caller's account for the rest of a change: it is not disabled or signed out in between, and what
/// is read of it from now on is true.
async fn hold(write: &Write, known: Option<&Caller>) -> Result<(), AuthorityError> {
    if let Some(account) = known.and_then(Caller::account) {
        write.lock_account(account.id).await?;
    }
    Ok(())
}

/// Tries a change again where another transaction stood in its way.
pub(crate) async fn retried<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, AuthorityError>
where
    F: Future<Output = Result<T, AuthorityError>>,
{
    let mut tries = 1;
    loop {
        match attempt().await {
            Err(AuthorityError::Store(error)) if error.is_conflict() && tries < TRIES => {
                tracing::debug!(%error, tries, "tried again");
                tries += 1;
            }
            outcome => return outcome,
        }
    }
}
