//! The authority: a store, a mirror of it, and what was observed and is not written down yet. It opens and closes; what
//! it does stands in the wings.

use std::sync::{Arc, Mutex, PoisonError};

use ndauth_clock::SinceBoot;
use ndauth_core::{Catalogue, Timestamp};
use ndauth_store::{Read, Store};

use crate::AuthorityError;
use crate::logins::{Logins, Passwords, Throttle};
use crate::observations::follow_ups::FollowUps;
use crate::observations::uses::Uses;
use crate::standing::Standing;
use crate::validation::Tally;
use crate::validation::mirror::{Freshness, Mirror, SharedMirror};

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
    /// What the clock showed, and when.
    pub(crate) clock_shown: Mutex<Option<(Timestamp, SinceBoot)>>,
}

/// A catalogue that was read, and the hash of its document.
type Known = ([u8; 32], Arc<Catalogue>);

impl Authority {
    /// The authority over a store.
    pub(crate) fn over(store: Store, standing: Standing) -> Authority {
        Authority {
            catalogue: Mutex::default(),
            uses: Uses::default(),
            standing,
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

    /// The same, with answers of another freshness than [`Freshness::default`]. To be said before
    /// [`Authority::follow`].
    pub fn with_freshness(mut self, freshness: Freshness) -> Authority {
        self.mirror = Arc::new(Mirror::new(self.store.watch(), freshness));
        self
    }

    /// The same, with sessions of another length than [`Logins::default`].
    pub fn with_logins(mut self, logins: Logins) -> Authority {
        self.logins = logins;
        self
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
}
