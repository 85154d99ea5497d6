//! The authority: a store, its mirror, and observations that are not written yet. It gives access to its
//! wings, which do the work.

use std::sync::{Arc, Mutex, PoisonError};

use ndauth_clock::SinceBoot;
use ndauth_core::{Catalogue, OrgId, ServiceId, Timestamp};
use ndauth_store::{Read, Store};

use crate::AuthorityError;
use crate::limits::{POLICY_IMPACTS, Shares, WATCHES};
use crate::logins::{LoginSettings, Passwords};
use crate::observations::attempts::Attempts;
use crate::observations::counts::RecentCounts;
use crate::observations::follow_ups::FollowUps;
use crate::observations::uses::Uses;
use crate::standing::Standing;
use crate::throttle::Throttle;
use crate::validation::Tally;
use crate::validation::mirror::{Freshness, Mirror, SharedMirror};

/// The authority on one database, shared by everything that serves from it.
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
    pub(crate) policy_impacts: Arc<Shares<OrgId>>,
    pub(crate) counts: RecentCounts,
    pub(crate) attempts: Attempts,
    pub(crate) login_settings: LoginSettings,
    pub(crate) passwords: Passwords,
    pub(crate) throttle: Throttle,
    /// The last reading of the database's clock, and when it was read.
    pub(crate) clock_shown: Mutex<Option<(Timestamp, SinceBoot)>>,
    /// True if notices are mailed.
    pub(crate) mails: bool,
}

/// Operations on personal and org tokens, such as creating, listing, rotating and revoking them.
#[derive(Clone, Copy, Debug)]
pub struct TokenWing<'a>(pub(crate) &'a Authority);

/// Operations on orgs, their members, their policies and their freeze.
#[derive(Clone, Copy, Debug)]
pub struct OrgWing<'a>(pub(crate) &'a Authority);

/// Operations of logins: people prove who they are, and sessions begin, refresh and end.
#[derive(Clone, Copy, Debug)]
pub struct LoginWing<'a>(pub(crate) &'a Authority);

/// Operations of validation: answers from the mirror, and their effects.
#[derive(Clone, Copy, Debug)]
pub struct ValidationWing<'a>(pub(crate) &'a Authority);

/// Operations of the operator, most of them at the database's machine.
#[derive(Clone, Copy, Debug)]
pub struct OperatorWing<'a>(pub(crate) &'a Authority);

/// Operations of the audit: everything that happened, for those whom it concerns.
#[derive(Clone, Copy, Debug)]
pub struct AuditWing<'a>(pub(crate) &'a Authority);

/// Operations of notices: what people are told by mail.
#[derive(Clone, Copy, Debug)]
pub struct NoticeWing<'a>(pub(crate) &'a Authority);

/// A catalogue that was read, with the hash of its document.
type KnownCatalogue = ([u8; 32], Arc<Catalogue>);

impl Authority {
    /// Returns an authority over a store.
    pub(crate) fn over(store: Store, standing: Standing) -> Authority {
        Authority {
            catalogue: Mutex::default(),
            uses: Uses::default(),
            standing,
            mirror: Arc::new(Mirror::new(store.watch(), Freshness::default())),
            tally: Tally::new(),
            follow_ups: FollowUps::default(),
            watches: Shares::new(WATCHES),
            policy_impacts: Shares::new(POLICY_IMPACTS),
            counts: RecentCounts::default(),
            attempts: Attempts::default(),
            login_settings: LoginSettings::default(),
            passwords: Passwords::default(),
            throttle: Throttle::default(),
            clock_shown: Mutex::default(),
            mails: false,
            store,
        }
    }

    /// Replaces the default [`Freshness`]. Must be called before [`Authority::follow`], because it replaces
    /// the mirror.
    pub fn with_freshness(mut self, freshness: Freshness) -> Authority {
        self.mirror = Arc::new(Mirror::new(self.store.watch(), freshness));
        self
    }

    /// Replaces the default [`LoginSettings`].
    pub fn with_login_settings(mut self, settings: LoginSettings) -> Authority {
        self.login_settings = settings;
        self
    }

    /// States whether a surface mails notices, which are not unless this is called.
    pub fn with_mail(mut self, mails: bool) -> Authority {
        self.mails = mails;
        self
    }

    /// Returns the operations on tokens.
    pub fn tokens(&self) -> TokenWing<'_> {
        TokenWing(self)
    }

    /// Returns the operations on orgs.
    pub fn orgs(&self) -> OrgWing<'_> {
        OrgWing(self)
    }

    /// Returns the operations of logins.
    pub fn logins(&self) -> LoginWing<'_> {
        LoginWing(self)
    }

    /// Returns the operations of validation.
    pub fn validation(&self) -> ValidationWing<'_> {
        ValidationWing(self)
    }

    /// Returns the operations of the operator.
    pub fn operator(&self) -> OperatorWing<'_> {
        OperatorWing(self)
    }

    /// Returns the operations of the audit.
    pub fn audit(&self) -> AuditWing<'_> {
        AuditWing(self)
    }

    /// Returns the operations of notices.
    pub fn notices(&self) -> NoticeWing<'_> {
        NoticeWing(self)
    }

    /// Returns the catalogue of a view. It is read only if it differs from the cached one.
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
