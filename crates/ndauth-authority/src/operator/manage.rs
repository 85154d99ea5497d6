//! The views of operators' sessions: accounts, orgs and services in pages, and the state of the installation.

use std::sync::Arc;

use std::collections::BTreeSet;
use std::time::Duration;

use ndauth_core::{Account, Handle, Membership, OrgId, OrgSlug, Orgs, ServiceId, Timestamp};
use ndauth_store::{Engine, InstallationCounts, OutboxState, Read};

use super::inspect::{OrgSummary, ServiceView};
use crate::access::{Operation, Whose};
use crate::logins::in_use;
use crate::reading::account;
use crate::{AuthorityError, Credential, OperatorWing};

/// The accounts to list.
#[derive(Clone, Debug)]
pub struct AccountQuery {
    /// The beginning of a handle or an address, if not all accounts are wanted.
    pub begins_with: Option<String>,
    /// The last account of the page before.
    pub after: Option<Handle>,
    /// The size of the page.
    pub limit: u64,
}

/// A page of a list, as of an instant.
#[derive(Debug)]
pub struct ManagedPage<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// True if there are more.
    pub more: bool,
    /// The instant of the view.
    pub now: Timestamp,
}

/// An account, as operators see it.
#[derive(Debug)]
pub struct AccountListed {
    /// The account.
    pub account: Account,
    /// True if nobody has used it and nobody could sign in to it.
    pub unused: bool,
}

/// An account with what belongs to it.
#[derive(Debug)]
pub struct AccountDetails {
    /// The account.
    pub view: AccountListed,
    /// The orgs of which it is a member, by slug.
    pub memberships: Vec<Membership>,
    /// The number of its live personal tokens.
    pub tokens: u64,
    /// The number of its sessions that have not ended.
    pub sessions: usize,
    /// The instant of the view.
    pub now: Timestamp,
}

/// The state of the installation, as this instance sees it.
#[derive(Debug)]
pub struct InstallationView {
    /// The kind of database.
    pub engine: Engine,
    /// The number of things in it.
    pub counts: InstallationCounts,
    /// The sequence of the last event in the log.
    pub sequence: u64,
    /// The sequence of the last event that the mirror has applied.
    pub mirror_sequence: u64,
    /// The mirror's age, if it was ever confirmed.
    pub mirror_age: Option<Duration>,
    /// The greatest age of an answer.
    pub mirror_bound: Duration,
    /// The time for which changes have been failing, if they are.
    pub changes_failing_for: Option<Duration>,
    /// The state of the outbox, if this server mails notices.
    pub mail: Option<OutboxState>,
    /// The instant at which a restored copy was last put into service.
    pub settled_at: Option<Timestamp>,
    /// The instant before which every minted secret is revoked.
    pub not_before: Timestamp,
    /// The instant of the view.
    pub now: Timestamp,
}

impl OperatorWing<'_> {
    /// Lists a page of accounts, by handle.
    pub async fn list_accounts_page(
        self,
        credential: &Credential,
        query: &AccountQuery,
    ) -> Result<ManagedPage<AccountListed>, AuthorityError> {
        let read = self.manage(credential, Operation::ListAccounts).await?;
        let AccountQuery { begins_with, after, limit } = query;
        let found = read.list_accounts_page(begins_with.as_deref(), after.as_ref(), limit + 1).await?;
        let page = page_of(&read, found, *limit);
        let proven = read.accounts_with_proof(page.rows.iter().map(|account| account.id)).await?;
        let members = read.accounts_with_roles(page.rows.iter().map(|account| account.id)).await?;
        Ok(page.map(|account| {
            let (has_proof, has_role) = (proven.contains(&account.id), members.contains(&account.id));
            let unused = in_use(&account, has_proof, has_role).is_none();
            AccountListed { account, unused }
        }))
    }

    /// Returns an account with what belongs to it.
    pub async fn get_account(
        self,
        credential: &Credential,
        handle: &Handle,
    ) -> Result<AccountDetails, AuthorityError> {
        let read = self.manage(credential, Operation::ListAccounts).await?;
        let account = account(&read, handle).await?;
        let has_proof = read.accounts_with_proof([account.id]).await?.contains(&account.id);
        let memberships = read.list_memberships(account.id).await?;
        let unused = in_use(&account, has_proof, !memberships.is_empty()).is_none();
        Ok(AccountDetails {
            memberships,
            tokens: read.count_live_tokens(account.id).await?,
            sessions: read.list_live_sessions(account.id).await?.len(),
            now: read.now(),
            view: AccountListed { unused, account },
        })
    }

    /// Lists a page of orgs, by slug, after the one with a slug.
    pub async fn list_orgs_page(
        self,
        credential: &Credential,
        include_deleted: bool,
        after: Option<&OrgSlug>,
        limit: u64,
    ) -> Result<ManagedPage<OrgSummary>, AuthorityError> {
        let read = self.manage(credential, Operation::ListAllOrgs).await?;
        let found = read.list_orgs_page(include_deleted, after, limit + 1).await?;
        let page = page_of(&read, found, limit);
        let members = read.count_members(page.rows.iter().map(|org| org.id)).await?;
        let count = |id: &OrgId| members.get(id).and_then(|count| usize::try_from(*count).ok());
        Ok(page.map(|org| OrgSummary { members: count(&org.id).unwrap_or_default(), org }))
    }

    /// Lists a page of services, by name, after one of them. Their views hold the secrets that have neither ended nor been
    /// revoked by a restore.
    pub async fn list_services_page(
        self,
        credential: &Credential,
        include_revoked: bool,
        after: Option<ServiceId>,
        limit: u64,
    ) -> Result<ManagedPage<ServiceView>, AuthorityError> {
        let read = self.manage(credential, Operation::ListServices).await?;
        let after = match after {
            None => None,
            Some(id) => Some(read.find_service(id).await?.ok_or_else(|| {
                AuthorityError::invalid("page_token", "not the `next_page_token` of the page before")
            })?),
        };
        let found = read.list_services_page(include_revoked, after.as_ref(), limit + 1).await?;
        let page = page_of(&read, found, limit);
        let live = page.rows.iter().filter(|service| service.revoked_at.is_none());
        let mut secrets = read.serving_secrets(live.map(|service| service.id)).await?;
        let not_before = read.installation().not_before;
        for of_service in secrets.values_mut() {
            of_service.retain(|secret| secret.judge_minting(not_before).is_ok());
        }
        let named: BTreeSet<OrgId> = page.rows.iter().flat_map(|service| bound_to(&service.orgs)).collect();
        let orgs = read.orgs_by_id(named).await?;
        Ok(page.map(|service| ServiceView {
            orgs: match &service.orgs {
                Orgs::All => Orgs::All,
                Orgs::Only(ids) => {
                    Orgs::Only(ids.iter().filter_map(|id| Some(orgs.get(id)?.slug.clone())).collect())
                }
            },
            secrets: secrets.remove(&service.id).unwrap_or_default(),
            service,
        }))
    }

    /// Returns the counts and the health of the installation.
    pub async fn get_installation(self, credential: &Credential) -> Result<InstallationView, AuthorityError> {
        let read = self.manage(credential, Operation::GetInstallation).await?;
        let (authority, installation) = (self.0, read.installation());
        let mail = if authority.mails { Some(read.outbox_state().await?) } else { None };
        Ok(InstallationView {
            engine: authority.store.engine(),
            counts: read.count_installation().await?,
            sequence: read.head().sequence,
            mirror_sequence: *authority.mirror.news().borrow(),
            mirror_age: authority.mirror.age(),
            mirror_bound: authority.mirror.bound(),
            changes_failing_for: authority.failing_changes().map(|(since, _)| since),
            mail,
            settled_at: installation.settled_at,
            not_before: installation.not_before,
            now: read.now(),
        })
    }

    async fn manage(
        self,
        credential: &Credential,
        operation: Operation,
    ) -> Result<Arc<Read>, AuthorityError> {
        Ok(self.0.read_as(credential, operation, &Whose::Anyone).await?.0)
    }
}

impl<T> ManagedPage<T> {
    fn map<U>(self, view: impl FnMut(T) -> U) -> ManagedPage<U> {
        let ManagedPage { rows, more, now } = self;
        ManagedPage { rows: rows.into_iter().map(view).collect(), more, now }
    }
}

/// Returns a page of rows, of which one more than fits was read.
fn page_of<T>(read: &Read, mut rows: Vec<T>, limit: u64) -> ManagedPage<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    ManagedPage { rows, more, now: read.now() }
}

fn bound_to(orgs: &Orgs) -> impl Iterator<Item = OrgId> {
    let only = match orgs {
        Orgs::All => None,
        Orgs::Only(ids) => Some(ids.iter().copied()),
    };
    only.into_iter().flatten()
}
