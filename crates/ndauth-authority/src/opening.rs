//! Opens and closes the authority, and compares its database with what was seen of it before.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ndauth_core::{Causes, Installation, Timestamp};
use ndauth_store::{Clock, DatabaseUrl, MigrationState, Seen, ServerLock, Store, Witness};

use crate::access::Operation;
use crate::rewound::Rewound;
use crate::standing::{Standing, refuse_lost_installation, seen_now, unreadable};
use crate::{Authority, AuthorityError};

/// The schema of a database, compared with this version's.
pub(crate) struct SchemaState {
    /// True if there is nothing in the database.
    pub(crate) is_empty: bool,
    /// The number of migrations that are not applied.
    pub(crate) pending: usize,
    /// The number of migrations that this version does not know.
    pub(crate) newer: usize,
}

impl Authority {
    /// Opens a database that holds an installation, migrates its schema to this version, and checks whether
    /// it is older than what was seen of it before.
    ///
    /// The witness file, which records what was seen, lies beside a file of SQLite. For PostgreSQL it lies in
    /// the folder `data`.
    pub async fn open(
        url: &DatabaseUrl,
        clock: Clock,
        data: Option<&Path>,
    ) -> Result<Authority, AuthorityError> {
        let store = Store::connect(url, clock).await?;
        let authority = Authority::opened(store, data, false).await?;
        authority.look().await?;
        Ok(authority)
    }

    /// As [`Authority::open`], but begins a new installation if there is no database, or nothing in it. Fails
    /// if an installation was there before, because it was lost.
    pub async fn create(
        url: &DatabaseUrl,
        clock: Clock,
        data: Option<&Path>,
    ) -> Result<Authority, AuthorityError> {
        let authority = Authority::begin(url, clock, data).await?;
        authority.look().await?;
        Ok(authority)
    }

    /// As [`Authority::create`], without the check for an older copy: [`Authority::look`] must follow.
    pub async fn begin(
        url: &DatabaseUrl,
        clock: Clock,
        data: Option<&Path>,
    ) -> Result<Authority, AuthorityError> {
        if let DatabaseUrl::Sqlite(path) = url
            && !path.exists()
        {
            refuse_lost_installation(url, &Standing::new(url, data))?;
        }
        Authority::opened(Store::create(url, clock).await?, data, true).await
    }

    /// Opens a database of any version, even a standby, only to export its log. Nothing is changed.
    pub async fn open_log(url: &DatabaseUrl) -> Result<Authority, AuthorityError> {
        Ok(Authority::over(Store::open_log(url).await?, Standing::new(url, None)))
    }

    async fn opened(store: Store, data: Option<&Path>, begin: bool) -> Result<Authority, AuthorityError> {
        let standing = Standing::new(store.url(), data);
        let authority = Authority::over(store, standing);
        let schema = authority.schema().await?;
        if schema.is_empty && !begin {
            return Err(AuthorityError::NoInstallation { database: authority.store.url().to_string() });
        }
        if schema.pending > 0 {
            authority.store.migrate().await?;
        }
        Ok(authority)
    }

    /// Returns the state of the schema. Fails if the database is empty, and an installation was here before.
    pub(crate) async fn schema(&self) -> Result<SchemaState, AuthorityError> {
        let steps = self.store.migrations().await?;
        let is_empty = steps.iter().all(|step| !step.applied);
        if is_empty {
            refuse_lost_installation(self.store.url(), &self.standing)?;
        }
        let pending = steps.iter().filter(|step| !step.applied).count();
        let newer = steps.iter().filter(|step| !step.known).count();
        Ok(SchemaState { is_empty, pending, newer })
    }

    /// Locks a file of SQLite, so that nobody else serves it while the lock is kept.
    pub fn lock(url: &DatabaseUrl) -> Result<ServerLock, AuthorityError> {
        Ok(ServerLock::acquire(url)?)
    }

    /// Returns the migrations of a database's schema, without changing it.
    pub async fn migrations(url: &DatabaseUrl) -> Result<Vec<MigrationState>, AuthorityError> {
        Ok(Store::connect(url, Clock::Database).await?.migrations().await?)
    }

    /// Writes the observed uses and closes the database.
    pub async fn close(&self) -> Result<(), AuthorityError> {
        let written = self.validation().write_uses().await.and(self.look().await);
        self.store.close().await?;
        written
    }

    /// Returns the time for which changes have been failing, and the last error. `None` if the last change
    /// succeeded.
    pub fn failing_changes(&self) -> Option<(Duration, String)> {
        self.store.write_failure()
    }

    /// Makes a write that changes nothing, to notice that changes succeed again.
    pub async fn try_changing(&self) {
        if let Err(error) = self.store.check_writes().await {
            tracing::debug!(error = %Causes(&error), "changes are still failing");
        }
    }

    /// Remembers an end of the log that answers were based on. A log that ends before it is an older copy.
    pub(crate) fn saw(&self, seen: Seen) {
        let mut mirrored = self.standing.mirrored();
        if mirrored.is_none_or(|before| before.head.sequence < seen.head.sequence) {
            *mirrored = Some(seen);
        }
    }

    /// Returns true if the log was found to be an older copy.
    pub(crate) fn is_rewound(&self) -> bool {
        self.standing.rewound.load().is_some()
    }

    /// Compares the end of the log with what was seen before, and remembers it. Fails if the database cannot
    /// be queried. [`Authority::may_serve`] reports what was found.
    ///
    /// A log that forgot events that were seen is served again once the operator has settled it with an event
    /// dated after them. That event is in the log itself, so it frees every instance, wherever it was made.
    /// An earlier settlement, of another copy, frees none.
    pub async fn look(&self) -> Result<(), AuthorityError> {
        let mut known = self.standing.looking.lock().await;
        // The witness files are read before the database, which then can only be newer.
        let mut files = self.standing.files()?;
        let mirrored = *self.standing.mirrored();
        let read = self.store.read().await?;
        read.use_simple_protocol();
        let Some(installation) = read.installation_id().await? else {
            let Some((_, Seen { head, .. })) = *known else {
                return refuse_lost_installation(self.store.url(), &self.standing);
            };
            // The installation was there a moment ago.
            let rewound = Rewound { seen: head.sequence, found: read.head().sequence, witness: None };
            self.standing.rewound.store(Some(Arc::new(rewound)));
            return Ok(());
        };
        let witness = self.standing.witness(installation);
        let kept = match &witness {
            None => None,
            Some(witness) => {
                let kept = files.remove(witness.path()).transpose();
                kept.map_err(|source| unreadable(witness, source))?.flatten()
            }
        };
        if known.is_none() {
            self.standing.unverified.store(kept.is_none(), Ordering::Relaxed);
        }
        let same = known.is_none_or(|(of, _)| of == installation);
        let own = known.filter(|_| same).map(|(_, seen)| seen);
        let mirrored = own.and(mirrored);
        if !same {
            *self.standing.mirrored() = None;
        }
        let now = seen_now(&read).await?;
        let seen = kept.into_iter().chain(own).chain(mirrored).max_by_key(|seen| seen.head.sequence);
        // An event that was pruned since was forgotten on purpose.
        let pruned = read.start_of_log().await?.sequence;
        let forgotten = match seen.filter(|seen| seen.head.sequence == 0 || seen.head.sequence > pruned) {
            Some(seen) if read.event_hash(seen.head.sequence).await? != Some(seen.head.hash) => Some(seen),
            _ => None,
        };
        let settled_at = read.installation().settled_at;
        let settled = forgotten.is_some_and(|seen| settled_at.is_some_and(|settled| settled > seen.at));
        let rewound = forgotten.filter(|_| !settled).map(|seen| Rewound {
            seen: seen.head.sequence,
            found: now.head.sequence,
            witness: witness.as_ref().map(|witness| witness.path().to_owned()),
        });
        if rewound.is_none() && read.installation().restored_at.is_none() {
            if settled {
                *self.standing.mirrored() = None;
            }
            let newer = |kept: Seen| now.head.sequence > kept.head.sequence;
            if settled || kept.is_none_or(newer) {
                self.write_witness(witness.as_ref(), &now);
            }
            *known = Some((installation, now));
        }
        self.standing.rewound.store(rewound.map(Arc::new));
        self.standing.restored.store(read.installation().restored_at.is_some(), Ordering::Relaxed);
        Ok(())
    }

    /// Fails if the last [`Authority::look`] found a copy that nobody has put into service yet.
    pub fn could_serve(&self) -> Result<(), AuthorityError> {
        let restored_at = self.standing.restored.load(Ordering::Relaxed).then_some(Timestamp::MIN);
        let installation = Installation { not_before: Timestamp::MIN, restored_at, settled_at: None };
        self.standing.admit(Operation::CheckHealth, &installation)
    }

    /// Returns true if an older copy would have been noticed when the database was opened, because a record
    /// of its log existed.
    pub fn can_detect_older_copy(&self) -> bool {
        !self.standing.unverified.load(Ordering::Relaxed)
    }

    /// Fails if the database is a copy that nobody has put into service yet.
    pub async fn may_serve(&self) -> Result<(), AuthorityError> {
        self.standing.admit(Operation::CheckHealth, &self.store.moment().await?.installation)
    }

    /// Records the present end of the log as seen, whatever was seen before.
    pub(crate) async fn settle(&self) -> Result<(), AuthorityError> {
        let mut known = self.standing.looking.lock().await;
        let read = self.store.read().await?;
        let Some(installation) = read.installation_id().await? else { return Ok(()) };
        let seen = seen_now(&read).await?;
        self.write_witness(self.standing.witness(installation).as_ref(), &seen);
        *self.standing.mirrored() = None;
        *known = Some((installation, seen));
        self.standing.rewound.store(None);
        Ok(())
    }

    /// Writes the end of the log to the witness file. A failure is only logged, because this process
    /// remembers what it saw.
    fn write_witness(&self, witness: Option<&Witness>, seen: &Seen) {
        let Some(witness) = witness.filter(|_| self.standing.records) else { return };
        if let Err(error) = witness.write(seen) {
            let file = witness.path().display();
            tracing::warn!(%file, error = %Causes(&error), "the end of the log was not recorded");
        }
    }
}
