//! Memberships: offered by an org's admins, and accepted or declined by the account's own session.
//!
//! Until it is accepted, an offer confers nothing and reveals nothing of the account. Only the org's members
//! are looked up when it is made, so an offer to an unknown handle is answered, listed and ends like any
//! other.

use std::collections::BTreeMap;
use std::time::Duration;

use ndauth_core::{
    Account, Change, DisplayName, Handle, OfferId, Org, OrgSlug, Personal, Role, Timestamp, TokenView,
};
use ndauth_store::{Offer, Read};
use rand::rngs::SysRng;

use super::members::missing;
use super::org::unfrozen;
use crate::access::{Admitted, Operation, Whose};
use crate::change::{Changed, Changing, change};
use crate::error::MOST_OFFERS;
use crate::reading::AsOf;
use crate::{AuthorityError, Credential, OrgWing};

/// The key of the handle that an offer is made to, in the personal bytes of its event.
pub(crate) const OFFERED_TO: &str = "handle";

/// An offered membership, as the org's admins and its account see it.
#[derive(Debug)]
pub struct OfferShown {
    /// The slug of the org that made it.
    pub org: OrgSlug,
    /// The org's display name, if it has one.
    pub org_name: Option<DisplayName>,
    /// The handle that it was made to, as the admin wrote it.
    pub handle: Handle,
    /// The role that it confers.
    pub role: Role,
    /// The admin who made it.
    pub made_by: Handle,
    /// The instant at which it was made.
    pub made_at: Timestamp,
    /// The instant at which it ends.
    pub ends_at: Timestamp,
}

/// The effect of accepting an offer, or of a preview of it.
#[derive(Debug)]
pub struct Acceptance {
    /// The offer.
    pub offer: OfferShown,
    /// The account's live tokens that are for all orgs, or name this one, and so gain power there.
    pub tokens: Vec<TokenView>,
}

/// The time for which an offer is open.
const OPEN_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl OrgWing<'_> {
    /// Offers a membership to the account that has a handle, in place of the org's earlier offer to it.
    pub async fn offer_membership(
        self,
        credential: &Credential,
        slug: &OrgSlug,
        handle: &Handle,
        role: Role,
    ) -> Result<Changed<OfferShown>, AuthorityError> {
        let whose = Whose::Org(slug.clone());
        change(self.0, credential, Operation::OfferMembership, &whose, |changing| async move {
            let (org, maker) = (changing.by.org()?.clone(), changing.by.account()?.clone());
            unfrozen(&org)?;
            if changing.find_member(org.id, handle).await?.is_some() {
                let why = format!("`{handle}` is already a member: change the role instead");
                return Err(AuthorityError::invalid("handle", why));
            }
            if changing.count_other_offers(org.id, handle).await? >= MOST_OFFERS {
                return Err(AuthorityError::OfferLimit(org.slug));
            }
            let now = changing.now();
            let id = match changing.find_offer(org.id, handle).await? {
                // The same again would only be told again.
                Some(same) if same.is_open(now) && (same.role, same.made_by) == (role, maker.id) => {
                    return Ok(changing.unchanged(shown(same, &org, &maker)));
                }
                Some(before) => before.id,
                None => OfferId::new(now, &mut SysRng)?,
            };
            let ends_at = now.checked_add(OPEN_FOR).unwrap_or(Timestamp::MAX);
            let (handle, made_by) = (handle.clone(), maker.id);
            let offer = Offer { id, org: org.id, handle, role, made_by, made_at: now, ends_at };
            changing.put_offer(&offer).await?;
            let change = Change::MemberOffered { org: org.id, offer: id, role, ends_at };
            let personal = Personal::from([(OFFERED_TO, offer.handle.to_string())]);
            let shown = shown(offer, &org, &maker);
            Ok(changing.done(change, personal, shown))
        })
        .await
    }

    /// Withdraws an offer of an org.
    pub async fn withdraw_offer(
        self,
        credential: &Credential,
        slug: &OrgSlug,
        handle: &Handle,
    ) -> Result<Changed<()>, AuthorityError> {
        let whose = Whose::Org(slug.clone());
        change(self.0, credential, Operation::WithdrawMembershipOffer, &whose, |changing| async move {
            let org = changing.by.org()?.clone();
            let offer = changing.find_offer(org.id, handle).await?;
            let offer = offer.filter(|offer| offer.is_open(changing.now()));
            let offer = offer.ok_or_else(|| AuthorityError::none("open offer to", handle))?.id;
            unfrozen(&org)?;
            changing.end_offer(offer).await?;
            let change = Change::OfferWithdrawn { org: org.id, offer };
            Ok(changing.done(change, Personal::new(), ()))
        })
        .await
    }

    /// Lists the open offers: those of an org by handle, for its admins, or those to the caller's account,
    /// oldest first.
    pub async fn list_offers(
        self,
        credential: &Credential,
        whose: &Whose,
    ) -> Result<AsOf<OfferShown>, AuthorityError> {
        let (read, by) = self.0.read_as(credential, Operation::ListMembershipOffers, whose).await?;
        let offers = match whose {
            Whose::Org(_) => read.list_offers_of(by.org()?.id).await?,
            Whose::Mine => read.list_offers_to(by.account()?).await?,
            Whose::Account(_) | Whose::Anyone => return Err(by.refused()),
        };
        let makers = read.accounts_by_id(offers.iter().map(|offer| offer.made_by)).await?;
        let orgs = match whose {
            Whose::Org(_) => BTreeMap::from([(by.org()?.id, by.org()?.clone())]),
            _ => read.orgs_by_id(offers.iter().map(|offer| offer.org)).await?,
        };
        let mut rows = Vec::new();
        for offer in offers {
            let maker = makers.get(&offer.made_by).ok_or_else(|| missing(offer.made_by))?;
            // The offers of an org end with it.
            rows.extend(orgs.get(&offer.org).map(|org| shown(offer, org, maker)));
        }
        Ok(AsOf { rows, not_before: read.installation().not_before, now: read.now() })
    }

    /// Returns the open offer of an org to the caller's account, with the tokens that gain power if it is accepted.
    pub async fn get_offer(
        self,
        credential: &Credential,
        slug: &OrgSlug,
    ) -> Result<Acceptance, AuthorityError> {
        let (read, by) = self.0.read_as(credential, Operation::ListMembershipOffers, &Whose::Mine).await?;
        let (offer, org) = open_offer(&read, by.account()?, slug).await?;
        self.effect(&read, &by, offer, &org).await
    }

    /// Returns the effect of accepting an offer, and changes nothing.
    pub async fn preview_acceptance(
        self,
        credential: &Credential,
        slug: &OrgSlug,
        role: Role,
    ) -> Result<Changed<Acceptance>, AuthorityError> {
        let (read, by) = self.0.read_as(credential, Operation::AcceptMembershipOffer, &Whose::Mine).await?;
        let (offer, org) = open_offer(&read, by.account()?, slug).await?;
        let value = self.acceptance(&read, &by, offer, &org, role).await?;
        Ok(Changed { value, changed: false, sequence: read.head().sequence, now: read.now() })
    }

    /// Accepts an offer of this role, which the caller's account has from now on.
    pub async fn accept_offer(
        self,
        credential: &Credential,
        slug: &OrgSlug,
        role: Role,
    ) -> Result<Changed<Acceptance>, AuthorityError> {
        change(self.0, credential, Operation::AcceptMembershipOffer, &Whose::Mine, |changing| async move {
            let (offer, org) = lock_open_offer(&changing, slug).await?;
            let acceptance = self.acceptance(&changing, &changing.by, offer, &org, role).await?;
            let account = changing.by.account()?.id;
            let Some(offer) = changing.set_role(account, org.id, role).await? else {
                // Its maker's account was disabled meanwhile, which is not done under the org's lock.
                return Err(none_open(slug));
            };
            let change = Change::MemberSet { org: org.id, account, role, offer: Some(offer) };
            Ok(changing.done(change, Personal::new(), acceptance))
        })
        .await
    }

    /// Declines an offer.
    pub async fn decline_offer(
        self,
        credential: &Credential,
        slug: &OrgSlug,
    ) -> Result<Changed<()>, AuthorityError> {
        change(self.0, credential, Operation::DeclineMembershipOffer, &Whose::Mine, |changing| async move {
            let (Offer { id: offer, org, .. }, _) = lock_open_offer(&changing, slug).await?;
            changing.end_offer(offer).await?;
            let change = Change::OfferDeclined { org, offer };
            Ok(changing.done(change, Personal::new(), ()))
        })
        .await
    }

    /// Returns the effect of accepting an offer in this role.
    async fn acceptance(
        self,
        read: &Read,
        by: &Admitted,
        offer: Offer,
        org: &Org,
        role: Role,
    ) -> Result<Acceptance, AuthorityError> {
        unfrozen(org)?;
        if offer.role != role {
            return Err(AuthorityError::OfferChanged { org: org.slug.clone(), offered: offer.role });
        }
        self.effect(read, by, offer, org).await
    }

    /// Returns an offer with the tokens that gain power by it.
    async fn effect(
        self,
        read: &Read,
        by: &Admitted,
        offer: Offer,
        org: &Org,
    ) -> Result<Acceptance, AuthorityError> {
        let maker = read.find_account(offer.made_by).await?.ok_or_else(|| missing(offer.made_by))?;
        let tokens = read.list_live_tokens_for(by.account()?.id, org.id).await?;
        let mut tokens = self.0.tokens().views(read, by, tokens).await?;
        tokens.retain(|view| !view.status(read.now()).is_dead());
        Ok(Acceptance { offer: shown(offer, org, &maker), tokens })
    }
}

/// Returns the open offer of an org to an account, and the org. Only the offers to the account are searched,
/// so an org that offers nothing is treated like one that does not exist.
async fn open_offer(read: &Read, to: &Account, slug: &OrgSlug) -> Result<(Offer, Org), AuthorityError> {
    let offers = read.list_offers_to(to).await?;
    let mut orgs = read.orgs_by_id(offers.iter().map(|offer| offer.org)).await?;
    orgs.retain(|_, org| org.slug == *slug);
    let found = offers.into_iter().find_map(|offer| orgs.remove(&offer.org).map(|org| (offer, org)));
    found.ok_or_else(|| none_open(slug))
}

fn none_open(slug: &OrgSlug) -> AuthorityError {
    AuthorityError::none("open offer of an org", slug)
}

/// Returns the open offer of an org to the caller, and the org. The org is locked until the change ends, so
/// that nobody withdraws the offer or freezes the org.
async fn lock_open_offer(changing: &Changing, slug: &OrgSlug) -> Result<(Offer, Org), AuthorityError> {
    let account = changing.by.account()?;
    let (offer, _) = open_offer(changing, account, slug).await?;
    changing.lock_org(offer.org).await?;
    open_offer(changing, account, slug).await
}

fn shown(offer: Offer, org: &Org, maker: &Account) -> OfferShown {
    let Offer { handle, role, made_at, ends_at, .. } = offer;
    let (slug, org_name, made_by) = (org.slug.clone(), org.name.clone(), maker.handle.clone());
    OfferShown { org: slug, org_name, handle, role, made_by, made_at, ends_at }
}
