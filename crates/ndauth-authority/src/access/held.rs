//! What a decision reads, looked up: a token with one of its secrets and its owner, and an org.

use std::net::IpAddr;

use ndauth_core::{
    Account, Asker, Case, Catalogue, Effective, Org, OrgSlug, OrgView, Owner, OwnerView, Policies, Refusal,
    Requirement, Role, Secret, SecretRecord, Timestamp, Token, decide,
};
use ndauth_store::{Family, FoundSecret, Read, StoreError};

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

/// The catalogue and the rest that every decision of one view reads.
#[derive(Clone, Copy)]
pub(crate) struct Judging<'a> {
    pub(crate) catalogue: &'a Catalogue,
    /// Every secret minted before is refused.
    pub(crate) not_before: Timestamp,
    /// As of when.
    pub(crate) now: Timestamp,
}

/// What is asked about a token, and in which circumstances.
pub(crate) struct TokenQuestion<'a> {
    pub(crate) judging: Judging<'a>,
    pub(crate) requirement: &'a Requirement,
    pub(crate) asker: Asker<'a>,
    /// Where it was used, where that is known and believed.
    pub(crate) address: Option<IpAddr>,
}

impl<'a> Judging<'a> {
    /// Those of a view of the database.
    pub(crate) fn of(read: &Read, catalogue: &'a Catalogue) -> Judging<'a> {
        Judging { catalogue, not_before: read.installation().not_before, now: read.now() }
    }

    /// Decides what a token may do at ndauth itself.
    pub(crate) fn decide(
        self,
        held: &Held,
        ground: Option<&Ground>,
        requirement: &Requirement,
        address: Option<IpAddr>,
    ) -> Result<Effective, Refusal> {
        decide(
            &held.case(ground, &TokenQuestion { judging: self, requirement, asker: Asker::Ndauth, address }),
        )
    }

    /// Decides whether a token may act on its owner's account, by this permission, `action:type`, where one is needed.
    pub(crate) fn account(
        self,
        held: &Held,
        address: Option<IpAddr>,
        permission: Option<&str>,
    ) -> Result<(), Refusal> {
        let permission = permission.map(|text| text.parse().expect("the table holds permissions"));
        self.decide(held, None, &Requirement::Account { permission }, address).map(drop)
    }
}

impl<'a> TokenQuestion<'a> {
    /// The case of this question about a token.
    pub(crate) fn about(
        &self,
        secret: &'a SecretRecord,
        token: &'a Token,
        owner: OwnerView<'a>,
        org: OrgView<'a>,
    ) -> Case<'a> {
        let Judging { catalogue, not_before, now } = self.judging;
        Case {
            secret,
            token,
            owner,
            org,
            asker: self.asker,
            address: self.address,
            requirement: self.requirement,
            catalogue,
            effective_grants: None,
            not_before,
            now,
        }
    }
}

impl Ground {
    /// True where an owner has a part in the org.
    pub(crate) fn is_known_to(&self, owner: &OwnerName) -> bool {
        match owner {
            OwnerName::Account(_) => self.role.is_some(),
            OwnerName::Org(own) => own.id == self.org.id,
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
    pub(crate) fn case<'a>(&'a self, ground: Option<&'a Ground>, question: &TokenQuestion<'a>) -> Case<'a> {
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

/// Finds the token of a secret that services may be shown.
pub(crate) async fn find_held(read: &Read, secret: &Secret) -> Result<Result<Held, Refusal>, StoreError> {
    if let Err(refusal) = secret.judge_for_services() {
        return Ok(Err(refusal));
    }
    let Some(found) = read.find_secret(&secret.hash()).await? else {
        return Ok(Err(Refusal::Unknown));
    };
    let Family::Token(id) = found.family else {
        return Err(orphan(&found, "token_id"));
    };
    let token = read.find_token(id).await?.ok_or_else(|| orphan(&found, "token_id"))?;
    let owner = owner_of(read, &token).await?;
    Ok(Ok(Held { record: found.record, token, owner }))
}

/// A secret whose family is not there: the schema forbids it.
pub(crate) fn orphan(found: &FoundSecret, column: &'static str) -> StoreError {
    StoreError::Corrupt { table: "secret", column, id: found.record.id.to_string() }
}
