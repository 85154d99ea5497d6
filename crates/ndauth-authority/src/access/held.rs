//! The inputs of a decision, read from the store: a token with one of its secrets and its owner, and an org.

use std::net::IpAddr;

use ndauth_core::{
    Account, Asker, Case, Catalogue, Effective, Label, Org, OrgId, OrgSlug, OrgView, Orgs, Owner, OwnerView,
    Policies, Refusal, Requirement, Role, Secret, SecretRecord, Service, Timestamp, Token, decide,
};
use ndauth_store::{Family, FoundSecret, Read, StoreError};

/// A token, one of its secrets, and its owner.
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
    /// The account's role. None for an org, whose role in itself is determined by `decide`.
    pub(crate) role: Option<Role>,
    pub(crate) policies: Policies,
}

/// The catalogue and the other inputs that all decisions of one view share.
#[derive(Clone, Copy)]
pub(crate) struct Judging<'a> {
    pub(crate) catalogue: &'a Catalogue,
    /// Secrets authorized before this instant are refused.
    pub(crate) not_before: Timestamp,
    /// The instant of the decision.
    pub(crate) now: Timestamp,
}

/// A question about a token, and its circumstances.
pub(crate) struct TokenQuestion<'a> {
    pub(crate) judging: Judging<'a>,
    pub(crate) requirement: &'a Requirement,
    pub(crate) asker: Asker<'a>,
    /// The address that the token was used from, if it is known and trusted.
    pub(crate) address: Option<IpAddr>,
}

impl<'a> Judging<'a> {
    /// Returns the inputs as of a view of the database.
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

    /// Decides whether a token may act on its owner's account. A permission has the form `action:type`; none
    /// means that no permission is needed.
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
    /// Returns the case of this question about a token.
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
    /// Returns true if an owner has a part in the org.
    pub(crate) fn has_part(&self, owner: &OwnerName) -> bool {
        match owner {
            OwnerName::Account(_) => self.role.is_some(),
            OwnerName::Org(own) => own.id == self.org.id,
        }
    }
}

impl OwnerName {
    /// Returns the name that people use: a handle or a slug.
    pub fn name(&self) -> &str {
        match self {
            OwnerName::Account(account) => account.handle.as_str(),
            OwnerName::Org(org) => org.slug.as_str(),
        }
    }
}

impl Held {
    /// Returns the case of a question about this token.
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

/// Returns a token's owner.
pub(crate) async fn owner_of(read: &Read, token: &Token) -> Result<OwnerName, StoreError> {
    let (owner, column) = match token.owner {
        Owner::Account(id) => (read.find_account(id).await?.map(OwnerName::Account), "account_id"),
        Owner::Org(id) => (read.find_org(id).await?.map(OwnerName::Org), "org_id"),
    };
    // The schema rules out a missing owner.
    owner.ok_or_else(|| StoreError::Corrupt { table: "token", column, id: token.id.to_string() })
}

/// Returns the org of this name, deleted or not, with the owner's role and the org's policies. None if there
/// is no such org.
pub(crate) async fn ground(
    read: &Read,
    owner: &OwnerName,
    slug: &OrgSlug,
) -> Result<Option<Ground>, StoreError> {
    let (org, role) = match owner {
        OwnerName::Account(account) => read.find_org_and_role(account.id, slug).await?,
        OwnerName::Org(_) => (read.find_org_by_slug(slug).await?, None),
    };
    let Some(org) = org else { return Ok(None) };
    let mut ground = Ground { org, role, policies: Policies::default() };
    if ground.has_part(owner) {
        // An owner without a part in the org is refused without its policies.
        ground.policies = read.find_policies(ground.org.id).await?;
    }
    Ok(Some(ground))
}

/// Returns the live service of this name, as far as an owner of tokens may know of it: a service for all
/// orgs, or for one of the owner's orgs. Any other service is treated as missing. The operator, for whom no
/// owner is given, may know of every service.
pub(crate) async fn known_service(
    read: &Read,
    owner: Option<Owner>,
    name: &Label,
) -> Result<Option<Service>, StoreError> {
    let theirs: Option<Vec<OrgId>> = match owner {
        None => None,
        Some(Owner::Org(org)) => Some(vec![org]),
        Some(Owner::Account(account)) => {
            let memberships = read.list_memberships(account).await?;
            Some(memberships.into_iter().map(|membership| membership.org.id).collect())
        }
    };
    let known = |service: &Service| match (&service.orgs, &theirs) {
        (Orgs::All, _) | (_, None) => true,
        (orgs, Some(theirs)) => theirs.iter().any(|org| orgs.contain(org)),
    };
    Ok(read.find_live_service(name).await?.filter(known))
}

/// Finds the token of a secret. Refuses kinds of secrets that services are not shown.
pub(crate) async fn find_presented_token(
    read: &Read,
    secret: &Secret,
) -> Result<Result<Held, Refusal>, StoreError> {
    if let Err(refusal) = secret.judge_kind_for_services() {
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

/// Returns the error for a secret without a family, which the schema rules out.
pub(crate) fn orphan(found: &FoundSecret, column: &'static str) -> StoreError {
    StoreError::Corrupt { table: "secret", column, id: found.record.id.to_string() }
}
