//! The authority: a store, a mirror of it, and what was observed and is not written down yet. It opens, closes and hands
//! out its wings, which do the work.

use std::sync::{Arc, Mutex, PoisonError};

use ndauth_clock::SinceBoot;
use ndauth_core::{Catalogue, ServiceId, Timestamp};
use ndauth_store::{Read, Store};

use crate::AuthorityError;
use crate::limits::{Shares, WATCHES};
use crate::logins::{LoginSettings, Passwords};
use crate::observations::follow_ups::FollowUps;
use crate::observations::uses::Uses;
use crate::standing::Standing;
use crate::throttle::Throttle;
use crate::validation::Tally;
use crate::validation::mirror::{Freshness, Mirror, SharedMirror};

/// The authority on one database. Shared by everything that serves from it.
#[derive(Debug)]
pub struct Authority {
    pub(crate) store: Store,
    catalogue: Mutex<Option<KnownCatalogue>>,
    pub(crate) uses: Uses,
    pub(crate) standing: Standing,
    pub(crate) mirror: SharedMirror,
    pub(crate) tally: Tally,
    pub(crate) follow_ups: FollowUps,
    pub(crate) watches: Arc<Shares<ServiceId>>,
    pub(crate) login_settings: LoginSettings,
    pub(crate) passwords: Passwords,
    pub(crate) throttle: Throttle,
    /// What the clock showed, and when.
    pub(crate) clock_shown: Mutex<Option<(Timestamp, SinceBoot)>>,
}

/// Tokens, a person's and an org's own: made, listed, shown, rotated, suspended and revoked.
#[derive(Clone, Copy, Debug)]
pub struct TokenWing<'a>(pub(crate) &'a Authority);

/// Orgs, their members, their policies and their freeze.
#[derive(Clone, Copy, Debug)]
pub struct OrgWing<'a>(pub(crate) &'a Authority);

/// Logins: how people prove who they are, and how sessions begin, refresh and end.
#[derive(Clone, Copy, Debug)]
pub struct LoginWing<'a>(pub(crate) &'a Authority);

/// Validation: what is answered from the mirror, and the effects of the answers.
#[derive(Clone, Copy, Debug)]
pub struct ValidationWing<'a>(pub(crate) &'a Authority);

/// What the operator does, most of it at the machine of the database.
#[derive(Clone, Copy, Debug)]
pub struct OperatorWing<'a>(pub(crate) &'a Authority);

/// A catalogue that was read, and the hash of its document.
type KnownCatalogue = ([u8; 32], Arc<Catalogue>);

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
            watches: Shares::new(WATCHES),
            login_settings: LoginSettings::default(),
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

    /// The same, with other settings of logins than [`LoginSettings::default`].
    pub fn with_login_settings(mut self, settings: LoginSettings) -> Authority {
        self.login_settings = settings;
        self
    }

    /// Tokens.
    pub fn tokens(&self) -> TokenWing<'_> {
        TokenWing(self)
    }

    /// Orgs.
    pub fn orgs(&self) -> OrgWing<'_> {
        OrgWing(self)
    }

    /// Logins.
    pub fn logins(&self) -> LoginWing<'_> {
        LoginWing(self)
    }

    /// Validation.
    pub fn validation(&self) -> ValidationWing<'_> {
        ValidationWing(self)
    }

    /// What the operator does.
    pub fn operator(&self) -> OperatorWing<'_> {
        OperatorWing(self)
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
