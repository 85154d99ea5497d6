//! The operator's view of everything.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndauth_core::{
    Account, AccountId, Handle, Org, OrgId, OrgSlug, Orgs, Owner, Role, SecretRecord, Service, Session,
    Timestamp, TokenView,
};
use ndauth_store::{Family, Read, StoreError, TokenPage};

use crate::access::{Admitted, Operation, Whose};
use crate::reading::{AsOf, account};
use crate::{AuthorityError, Credential, OperatorWing};

/// An org, and the present number of its members.
#[derive(Debug)]
pub struct OrgSummary {
    /// The org.
    pub org: Org,
    /// The number of members.
    pub members: usize,
}

/// A membership, by names.
#[derive(Debug)]
pub struct MemberView {
    /// The org.
    pub org: OrgSlug,
    /// The member.
    pub account: Handle,
    /// The member's role.
    pub role: Role,
    /// The instant at which the role was set.
    pub since: Timestamp,
}

/// A service, its orgs by name, and the secrets it has had, oldest first.
#[derive(Debug)]
pub struct ServiceView {
    /// The service.
    pub service: Service,
    /// Its orgs.
    pub orgs: Orgs<OrgSlug>,
    /// Its secrets.
    pub secrets: Vec<SecretRecord>,
}

/// A session, its newest secret, and its account.
#[derive(Debug)]
pub struct SessionView {
    /// The session.
    pub session: Session,
    /// The account's handle.
    pub account: Handle,
    /// The newest secret.
    pub secret: SecretRecord,
}

const PAGE: u64 = 1000;

impl OperatorWing<'_> {
    /// Lists every account, by handle.
    pub async fn list_accounts(self, credential: &Credential) -> Result<AsOf<Account>, AuthorityError> {
        let (read, _) = self.inspect(credential).await?;
        Ok(as_of(&read, read.list_accounts().await?))
    }

    /// Lists every org, deleted or not, by slug.
    pub async fn list_every_org(self, credential: &Credential) -> Result<AsOf<OrgSummary>, AuthorityError> {
        let (read, _) = self.inspect(credential).await?;
        let mut members: BTreeMap<OrgId, usize> = BTreeMap::new();
        for member in read.list_every_member().await? {
            *members.entry(member.org).or_default() += 1;
        }
        let view = |org: Org| OrgSummary { members: members.get(&org.id).copied().unwrap_or_default(), org };
        Ok(as_of(&read, read.list_orgs().await?.into_iter().map(view).collect()))
    }

    /// Lists every member of every org that is not deleted, by org and handle.
    pub async fn list_every_member(
        self,
        credential: &Credential,
    ) -> Result<AsOf<MemberView>, AuthorityError> {
        let (read, _) = self.inspect(credential).await?;
        let orgs: BTreeMap<OrgId, Org> =
            read.list_orgs().await?.into_iter().map(|org| (org.id, org)).collect();
        let accounts = accounts(&read).await?;
        let mut rows = Vec::new();
        for member in read.list_every_member().await? {
            let missing =
                |column| StoreError::Corrupt { table: "membership", column, id: member.account.to_string() };
            let org = orgs.get(&member.org).ok_or_else(|| missing("org_id"))?;
            let account = accounts.get(&member.account).ok_or_else(|| missing("account_id"))?;
            if org.deleted_at.is_none() {
                let (org, account) = (org.slug.clone(), account.handle.clone());
                rows.push(MemberView { org, account, role: member.role, since: member.set_at });
            }
        }
        rows.sort_by(|a, b| (&a.org, &a.account).cmp(&(&b.org, &b.account)));
        Ok(as_of(&read, rows))
    }

    /// Lists every service, revoked or not, by name.
    pub async fn list_services(self, credential: &Credential) -> Result<AsOf<ServiceView>, AuthorityError> {
        let (read, _) = self.inspect(credential).await?;
        let mut rows = Vec::new();
        for service in read.list_services().await? {
            let secrets = read.list_secrets(Family::Service(service.id)).await?;
            rows.push(ServiceView {
                orgs: read.name_orgs(&service.orgs).await?,
                secrets: secrets.into_iter().map(|secret| secret.record).collect(),
                service,
            });
        }
        Ok(as_of(&read, rows))
    }

    /// Lists every session, ended or not, oldest first.
    pub async fn list_sessions(self, credential: &Credential) -> Result<AsOf<SessionView>, AuthorityError> {
        let (read, _) = self.inspect(credential).await?;
        let accounts = accounts(&read).await?;
        let mut rows = Vec::new();
        for session in read.list_sessions().await? {
            let missing =
                |column| StoreError::Corrupt { table: "session", column, id: session.id.to_string() };
            let account = accounts.get(&session.account).ok_or_else(|| missing("account_id"))?.handle.clone();
            let secrets = read.list_secrets(Family::Session(session.id)).await?;
            let secret = secrets.last().ok_or_else(|| missing("id"))?.record.clone();
            rows.push(SessionView { session, account, secret });
        }
        Ok(as_of(&read, rows))
    }

    /// Lists the tokens of one account or of everyone, oldest first.
    pub async fn list_every_token(
        self,
        credential: &Credential,
        owner: Option<&Handle>,
        include_revoked: bool,
    ) -> Result<AsOf<TokenView>, AuthorityError> {
        let (read, by) = self.inspect(credential).await?;
        let owner = match owner {
            Some(handle) => Some(account(&read, handle).await?.id),
            None => None,
        };
        let mut rows = Vec::new();
        let mut after = None;
        loop {
            let page = TokenPage { include_revoked, after, limit: PAGE };
            let tokens = match owner {
                Some(owner) => read.list_tokens_page(Owner::Account(owner), page).await?,
                None => read.list_every_token(page).await?,
            };
            after = tokens.last().map(|token| token.id);
            if after.is_none() {
                return Ok(as_of(&read, rows));
            }
            rows.extend(self.0.tokens().views(&read, &by, tokens).await?);
        }
    }

    async fn inspect(self, credential: &Credential) -> Result<(Arc<Read>, Admitted), AuthorityError> {
        self.0.read_as(credential, Operation::Inspect, &Whose::Anyone).await
    }
}

fn as_of<T>(read: &Read, rows: Vec<T>) -> AsOf<T> {
    AsOf { rows, not_before: read.installation().not_before, now: read.now() }
}

async fn accounts(read: &Read) -> Result<BTreeMap<AccountId, Account>, AuthorityError> {
    Ok(read.list_accounts().await?.into_iter().map(|account| (account.id, account)).collect())
}
