//! What a decision reads, looked up: a token with one of its secrets and its owner, and an org.

use std::net::IpAddr;

use ndauth_core::{
    Account, Asker, Case, Catalogue, Org, OrgSlug, OrgView, Owner, OwnerView, Policies, Requirement, Role,
    SecretRecord, Timestamp, Token,
};
use ndauth_store::{Read, StoreError};

/// A token, one of its secrets, and whose it is.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) record: SecretRecord,
    pub(crate) token: Token,
    pub(crate) owner: OwnerName,
}

/// An owner of a token.
#[derive(Clone, Debug)]
pub enum OwnerName {
    /// A person.
    Account(Account),
    /// An org.
    Org(Org),
}

/// An org, the owner's role in it, and its policies.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) org: Org,
    /// Of a person: an org's role in itself is the decision's to know.
    pub(crate) role: Option<Role>,
    pub(crate) policies: Policies,
}

/// What is asked about a token, and in which circumstances.
pub(crate) struct Question<'a> {
    pub(crate) requirement: &'a Requirement,
    pub(crate) asker: Asker<'a>,
    /// Where it was used, where that is known and believed.
    pub(crate) address: Option<IpAddr>,
    pub(crate) catalogue: &'a Catalogue,
    /// Every secret minted before is shut out.
    pub(crate) not_before: Timestamp,
    /// As of when.
    pub(crate) now: Timestamp,
}

impl<'a> Question<'a> {
    /// The case of this question about a token.
    pub(crate) fn about(
        &self,
        secret: &'a SecretRecord,
        token: &'a Token,
        owner: OwnerView<'a>,
        org: OrgView<'a>,
    ) -> Case<'a> {
        Case {
            secret,
            token,
            owner,
            org,
            asker: self.asker,
            address: self.address,
            requirement: self.requirement,
            catalogue: self.catalogue,
            not_before: self.not_before,
            now: self.now,
        }
    }
}

impl OwnerName {
    /// As people name it: a handle, or a slug.
    pub fn name(&self) -> &str {
        match self {
            OwnerName::Account(account) => account.handle.as_str(),
            OwnerName::Org(org) => org.slug.as_str(),
        }
    }
}

impl Held {
    /// The case of a question about this token.
    pub(crate) fn case<'a>(&'a self, ground: Option<&'a Ground>, question: &Question<'a>) -> Case<'a> {
        let owner = match &self.owner {
            OwnerName::Account(account) => OwnerView::Account(account.into()),
            OwnerName::Org(org) => OwnerView::Org(org),
        };
        let org =
            ground.map_or(OrgView::None, |ground| OrgView::Org(&ground.org, ground.role, &ground.policies));
        question.about(&self.record, &self.token, owner, org)
    }
}

/// Whose a token is.
pub(crate) async fn owner_of(read: &Read, token: &Token) -> Result<OwnerName, StoreError> {
    let (owner, column) = match token.owner {
        Owner::Account(id) => (read.find_account(id).await?.map(OwnerName::Account), "account_id"),
        Owner::Org(id) => (read.find_org(id).await?.map(OwnerName::Org), "org_id"),
    };
    // The schema forbids it.
    owner.ok_or_else(|| StoreError::Corrupt { table: "token", column, id: token.id.to_string() })
}

/// The org of this name as an owner stands in it, where there is one, deleted or not.
pub(crate) async fn ground(
    read: &Read,
    owner: &OwnerName,
    slug: &OrgSlug,
) -> Result<Option<Ground>, StoreError> {
    let Some(org) = read.find_org_by_slug(slug).await? else { return Ok(None) };
    let role = match owner {
        OwnerName::Account(account) => read.find_role(account.id, org.id).await?,
        OwnerName::Org(_) => None,
    };
    let policies = read.find_policies(org.id).await?;
    Ok(Some(Ground { org, role, policies }))
}
