//! The authority: a store, the catalogue, and what was observed but not yet written down.

use std::path::Path;

use ndauth_core::{Actor, Catalogue, Change, Entry, Event, Personal, TokenView};
use ndauth_store::{Clock, DatabaseUrl, MigrationState, Read, Store, Write};
use rand::rngs::SysRng;

use crate::access::{Operation, Reach, admit};
use crate::credential::identify;
use crate::standing::Standing;
use crate::uses::Uses;
use crate::{AuthorityError, Caller, Credential};

/// The authority on one database. Shared by everything that serves from it.
#[derive(Debug)]
pub struct Authority {
    pub(crate) store: Store,
    pub(crate) catalogue: Catalogue,
    pub(crate) uses: Uses,
    pub(crate) standing: Standing,
}

/// How often a change is tried when others stand in its way.
pub(crate) const TRIES: u32 = 4;

impl Authority {
    /// Opens a database and brings its schema to this version.
    ///
    /// What was seen of its log is kept beside a file of SQLite; for PostgreSQL, in the folder `data`.
    pub async fn open(
        url: &DatabaseUrl,
        clock: Clock,
        data: Option<&Path>,
    ) -> Result<Authority, AuthorityError> {
        let store = Store::connect(url, clock).await?;
        store.migrate().await?;
        let standing = Standing::new(url, data);
        let authority =
            Authority { store, catalogue: Catalogue::built_in(), uses: Uses::default(), standing };
        authority.look_first().await?;
        Ok(authority)
    }

    /// The steps of the schema's history in a database, without changing it.
    pub async fn migrations(url: &DatabaseUrl) -> Result<Vec<MigrationState>, AuthorityError> {
        Ok(Store::connect(url, Clock::Database).await?.migrations().await?)
    }

    /// Writes down what was observed and closes the database.
    pub async fn close(&self) -> Result<(), AuthorityError> {
        let written = self.write_uses().await.and(self.look().await);
        self.store.clone().close().await?;
        written
    }

    /// Opens a view for an operation, once the caller is known and admitted.
    pub(crate) async fn read_as(
        &self,
        credential: &Credential,
        operation: Operation,
    ) -> Result<(Read, Caller, Reach), AuthorityError> {
        let read = self.store.read().await?;
        self.standing.admit(operation, &read)?;
        let caller = identify(&read, &self.catalogue, credential).await?;
        let reach = admit(operation, &caller)?;
        self.observe(&caller, credential, &read);
        Ok((read, caller, reach))
    }

    /// Begins a change for an operation. The caller is judged before, so that strangers never hold
    /// up a writer, and again within, for the change must be made in the state that allows it.
    pub(crate) async fn write_as(
        &self,
        credential: &Credential,
        operation: Operation,
        name: &'static str,
    ) -> Result<(Write, Caller, Reach), AuthorityError> {
        if !matches!(credential, Credential::Console) {
            self.read_as(credential, operation).await?;
        }
        let write = self.store.write(name).await?;
        self.standing.admit(operation, &write)?;
        let caller = identify(&write, &self.catalogue, credential).await?;
        let reach = admit(operation, &caller)?;
        Ok((write, caller, reach))
    }

    fn observe(&self, caller: &Caller, credential: &Credential, read: &Read) {
        if let (Caller::Token { secret, .. }, Credential::Secret { from, .. }) = (caller, credential) {
            self.uses.note(secret.id, read.now(), *from);
        }
    }

    /// Completes what the store knows of last uses by what is not yet written down.
    pub(crate) fn with_latest_use(&self, mut view: TokenView) -> TokenView {
        for secret in &view.secrets {
            view.last_use = self.uses.latest(*secret, view.last_use);
        }
        view
    }
}

/// Ends a change with its event. Returns the event's sequence.
pub(crate) async fn commit(
    write: Write,
    caller: &Caller,
    change: Change,
    personal: Personal,
) -> Result<u64, AuthorityError> {
    let actor = match caller {
        Caller::Console => Actor::Console,
        Caller::Session { account, session, .. } => {
            Actor::Session { account: account.id, session: session.id }
        }
        Caller::Token { account, token, .. } => Actor::Token { account: account.id, token: token.id },
        Caller::Service { service } => Actor::Service { service: service.id },
    };
    let event = Event::new(&Entry { at: write.now(), actor, change }, &personal, &mut SysRng)?;
    Ok(write.commit(&event).await?)
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
