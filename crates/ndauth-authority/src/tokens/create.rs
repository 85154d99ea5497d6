//! Creates tokens: personal ones by their person, and an org's by its admins.

use std::time::Duration;

use ndauth_core::{
    AccountId, Change, Description, Expiry, ExpiryChoice, Grants, Label, Lifetime, Networks, OrgId, OrgSlug,
    Orgs, Owner, Refusal, Role, Scope, Secret, SecretId, SecretKind, SecretRecord, Services, Succession,
    Timestamp, Token, TokenId, TokenView, WholeSecond,
};
use ndauth_store::{Family, Read};
use rand::rngs::SysRng;

use crate::access::held::{Held, OwnerName, known_service};
use crate::access::{Admitted, Operation, Whose};
use crate::change::{Changed, Changing, Done, change};
use crate::error::MAX_LIVE_TOKENS;
use crate::orgs::unfrozen;
use crate::{AuthorityError, Credential, TokenWing};

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// The name.
    pub name: Label,
    /// The description.
    pub description: Option<Description>,
    /// The access that it offers; none stands for the least that its grants need, if they are a set.
    pub scope: Option<Scope>,
    /// The permissions that it carries.
    pub grants: Grants,
    /// The orgs in which it offers power; none for an org's own token, which has power in its org only.
    pub orgs: Option<Orgs<OrgSlug>>,
    /// The services at which it is valid.
    pub services: Services<Label>,
    /// The networks from which it is valid.
    pub networks: Networks,
    /// Its end.
    pub expiry: ExpiryChoice,
    /// Lets it rotate and renew itself, up to this end.
    pub self_rotating_until: Option<ExpiryChoice>,
    /// Makes its secret wait to be confirmed, and end if it is not, for callers that store it where it may
    /// not arrive.
    pub pending: bool,
}

/// A token that was made, with its secret.
#[derive(Debug)]
pub struct Minted {
    /// The token.
    pub view: TokenView,
    /// Its secret, returned here and never again.
    pub secret: Secret,
    /// The reason why it may do nothing in any of its orgs at present, if that is so.
    pub powerless: Option<Refusal>,
}

impl TokenWing<'_> {
    /// Creates a token: a personal one of the caller's account, or one of an org in which the caller is an
    /// admin.
    pub async fn create(
        self,
        credential: &Credential,
        whose: &Whose,
        new: &NewToken,
    ) -> Result<Changed<Minted>, AuthorityError> {
        change(self.0, credential, Operation::CreateToken, whose, |changing| async move {
            // The owner is locked, so no other change counts or names its tokens, disables it or freezes it.
            let owner = owner_name(&changing.by)?;
            let planned = self.plan(&changing, owner, new).await?;
            if planned.0.token.expires_at == Expiry::Never {
                changing.by.logged_in_recently(changing.now(), "make a token that never expires")?;
            }
            self.mint(changing, planned).await
        })
        .await
    }

    /// Returns a token as it would be made now, and a secret for it. Fails if it cannot be made.
    pub(crate) async fn plan(
        self,
        read: &Read,
        owner: OwnerName,
        new: &NewToken,
    ) -> Result<(Held, Secret), AuthorityError> {
        let now = read.now();
        let scope = self.scope(read, new).await?;
        let lifetime = new.expiry.lifetime(now).map_err(|why| AuthorityError::invalid("expiry", why))?;
        let expires_at = lifetime.expiry(now);
        let self_rotating_until = match new.self_rotating_until {
            Some(until) => Some(extended_until(until, expires_at, now)?),
            None => None,
        };
        let (owner_id, kind, orgs) = match &owner {
            OwnerName::Account(account) => {
                let orgs = new.orgs.as_ref().ok_or_else(|| {
                    AuthorityError::invalid("orgs", "it is missing: say `all`, or list some")
                })?;
                let orgs = member_orgs(read, account.id, orgs).await?;
                (Owner::Account(account.id), SecretKind::Personal, orgs)
            }
            OwnerName::Org(org) => {
                unfrozen(org)?;
                check_org_token(new, lifetime)?;
                (Owner::Org(org.id), SecretKind::Org, Orgs::Only([org.id].into()))
            }
        };
        let secret = Secret::mint(kind, &mut SysRng)?;
        let id = SecretId::new(now, &mut SysRng)?;
        let record = if new.pending { SecretRecord::pending } else { SecretRecord::first };
        let token = Token {
            id: TokenId::new(now, &mut SysRng)?,
            owner: owner_id,
            name: new.name.clone(),
            description: new.description.clone(),
            scope,
            grants: new.grants.clone(),
            orgs,
            services: known_services(read, owner_id, &new.services).await?,
            networks: new.networks.clone(),
            created_at: now,
            lifetime,
            expires_at,
            revoked_at: None,
            self_rotating_until,
            suspensions: [].into(),
        };
        Ok((Held { record: record(id, secret.prefix(), now), token, owner }, secret))
    }

    /// Returns the access that a token is to offer.
    async fn scope(self, read: &Read, new: &NewToken) -> Result<Scope, AuthorityError> {
        match (&new.grants, new.scope) {
            (Grants::All, None) => {
                let why = "expected `RO` or `RW`: nothing else limits it";
                Err(AuthorityError::invalid("scope", why))
            }
            (Grants::All, Some(scope)) => Ok(scope),
            (Grants::Only(set), scope) => {
                // Before it is expanded: that is no shorter, and costs as much as it is long.
                set.judge_length().map_err(|why| AuthorityError::invalid("grants", why))?;
                let catalogue = self.0.catalogue(read).await?;
                if let Some(unknown) = catalogue.first_unknown(set) {
                    return Err(AuthorityError::invalid("grants", unknown));
                }
                // Responses expand `*`, so the expanded set must not be too long either.
                if let Grants::Only(whole) = catalogue.within(&new.grants, Role::Admin, Scope::Rw) {
                    whole.judge_length().map_err(|why| AuthorityError::invalid("grants", why))?;
                }
                Ok(scope.unwrap_or_else(|| catalogue.least_scope(set)))
            }
        }
    }

    /// Stores a token as it was planned, unless a policy makes it powerless.
    async fn mint(
        self,
        changing: Changing,
        (planned, secret): (Held, Secret),
    ) -> Result<Done<Minted>, AuthorityError> {
        let powerless = self.powerless(&changing, &planned).await?;
        let Held { record, token, owner } = planned;
        let now = changing.now();
        let taken =
            |holder| AuthorityError::NameTaken { what: "a token", name: token.name.to_string(), holder };
        if let Some(holder) = changing.find_named_token(token.owner, &token.name).await? {
            let holder = self.view(&changing, &changing.by, holder).await?;
            if !holder.status(now).is_dead() {
                return Err(taken(Some((holder.token.id, holder.token.created_at))));
            }
            changing.release_name(holder.token.id).await?;
        }
        if let OwnerName::Account(account) = &owner
            && changing.count_live_tokens(account.id).await? >= MAX_LIVE_TOKENS
        {
            return Err(AuthorityError::TokenLimit);
        }
        changing.insert_token(&token).await?.map_err(|_| taken(None))?;
        let succession = Succession { overlap: Duration::ZERO, expires_at: token.expires_at };
        let succession = record.confirmed_at.is_none().then_some(&succession);
        changing.insert_secret(Family::Token(token.id), &record, &secret.hash(), succession).await?;
        let view = self.view(&changing, &changing.by, token).await?;
        let change = Change::TokenCreated { token: view.token.id, owner: view.token.owner };
        Ok(changing.done_to(view.token.name.to_string(), change, Minted { view, secret, powerless }))
    }
}

/// Returns the owner of the tokens that an admitted caller makes.
pub(super) fn owner_name(by: &Admitted) -> Result<OwnerName, AuthorityError> {
    match by.owner()? {
        Owner::Account(_) => by.account().cloned().map(OwnerName::Account),
        Owner::Org(_) => by.org().cloned().map(OwnerName::Org),
    }
}

/// Returns the latest end to which a token may extend itself, given its first end.
fn extended_until(
    until: ExpiryChoice,
    expires_at: Expiry,
    now: Timestamp,
) -> Result<WholeSecond, AuthorityError> {
    let invalid = |why: String| AuthorityError::invalid("self_rotating_until", why);
    if expires_at == Expiry::Never {
        let why =
            "a token that rotates itself must expire: choose an expiry, which starts again at each rotation";
        return Err(invalid(why.to_owned()));
    }
    match (until.lifetime(now).map_err(|why| invalid(why.to_string()))?.expiry(now), expires_at) {
        (Expiry::At(until), Expiry::At(first)) if until < first => Err(invalid(format!(
            "it is {}, before the token's first end, {}",
            until.minute(),
            first.minute()
        ))),
        (Expiry::At(until), _) => Ok(WholeSecond::of(until)),
        (Expiry::Never, _) => {
            Err(invalid("no token can extend itself for ever: at most 365 days".to_owned()))
        }
    }
}

/// Refuses an org's token that names orgs, carries all grants, or never ends.
fn check_org_token(new: &NewToken, lifetime: Lifetime) -> Result<(), AuthorityError> {
    if new.orgs.is_some() {
        return Err(AuthorityError::invalid("orgs", "leave it out: an org's token works only in its org"));
    }
    if new.grants == Grants::All {
        return Err(AuthorityError::invalid(
            "grants",
            "an org's token must carry a set of grants, never all",
        ));
    }
    if lifetime == Lifetime::Endless {
        return Err(AuthorityError::invalid("expiry", "an org's token must expire, after at most 365 days"));
    }
    Ok(())
}

async fn known_services(
    read: &Read,
    owner: Owner,
    services: &Services<Label>,
) -> Result<Services, AuthorityError> {
    let Services::Only(names) = services else { return Ok(Services::All) };
    let mut ids = Vec::new();
    for name in names {
        let unknown = || AuthorityError::invalid("services", format!("there is no service `{name}`"));
        ids.push(known_service(read, Some(owner), name).await?.ok_or_else(unknown)?.id);
    }
    Services::only(ids).map_err(|why| AuthorityError::invalid("services", why))
}

/// Returns the orgs of these names. Fails unless the account is a member of each and none is frozen.
pub(crate) async fn member_orgs(
    read: &Read,
    account: AccountId,
    orgs: &Orgs<OrgSlug>,
) -> Result<Orgs, AuthorityError> {
    let Orgs::Only(slugs) = orgs else { return Ok(Orgs::All) };
    let memberships = read.list_memberships(account).await?;
    let id_of = |slug: &OrgSlug| -> Result<OrgId, AuthorityError> {
        let membership = memberships.iter().find(|membership| membership.org.slug == *slug);
        let org = &membership.ok_or_else(|| AuthorityError::NotAMember(slug.clone()))?.org;
        unfrozen(org).map(|()| org.id)
    };
    let ids = slugs.iter().map(id_of).collect::<Result<Vec<_>, _>>()?;
    Orgs::only(ids).map_err(|why| AuthorityError::invalid("orgs", why))
}
