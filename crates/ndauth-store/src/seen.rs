//! The rows that a view has read. A view is a snapshot, so a row is read once, however many of a page's questions need
//! it. A change reads anew: others may have changed a row in between.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use ndauth_core::{
    Account, AccountId, Label, Org, OrgId, OrgSlug, Policies, Role, SecretHash, ServiceId, Timestamp,
};
use sea_orm::QueryResult;

/// The rows, by their keys.
#[derive(Default)]
pub(crate) struct KnownRows {
    pub(crate) accounts: BTreeMap<AccountId, Account>,
    pub(crate) orgs: BTreeMap<OrgId, Org>,
    /// Each org's slug, and the instant before which its secrets are revoked.
    pub(crate) org_names: BTreeMap<OrgId, (OrgSlug, Timestamp)>,
    pub(crate) service_names: BTreeMap<ServiceId, Label>,
    /// The role of an account in an org, or that it has none.
    pub(crate) roles: BTreeMap<(AccountId, OrgId), Option<Role>>,
    pub(crate) policies: BTreeMap<OrgId, Policies>,
    /// The row of a session's secret, which the view was opened with.
    pub(crate) session: Option<(SecretHash, QueryResult)>,
}

/// The rows that a view has read; none in a change.
pub(crate) struct SeenRows(Option<Mutex<KnownRows>>);

impl SeenRows {
    /// Returns the empty rows of a view.
    pub(crate) fn of_view() -> SeenRows {
        SeenRows(Some(Mutex::default()))
    }

    /// Returns no rows, and keeps none.
    pub(crate) fn of_change() -> SeenRows {
        SeenRows(None)
    }

    pub(crate) fn remember(&self, put: impl FnOnce(&mut KnownRows)) {
        if let Some(seen) = &self.0 {
            put(&mut seen.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    pub(crate) fn recall<T>(&self, get: impl FnOnce(&KnownRows) -> Option<T>) -> Option<T> {
        get(&self.0.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
