//! Creates, shows, freezes and deletes orgs.

use ndauth_core::{Change, DisplayName, Handle, Org, OrgId, OrgSlug, Personal, Role, Timestamp};
use ndauth_store::Read;
use rand::rngs::SysRng;

use crate::access::{Operation, Whose};
use crate::change::{Changed, change};
use crate::reading::account;
use crate::{AuthorityError, Caller, Credential, OrgWing};

/// An org to be made.
#[derive(Clone, Debug)]
pub struct NewOrg {
    /// Its immutable name.
    pub slug: OrgSlug,
    /// Its display name.
    pub name: Option<DisplayName>,
    /// Its first admin. An operator who creates it by a session is always the admin.
    pub admin: Option<Handle>,
}

/// An org, as the caller sees it.
#[derive(Debug)]
pub struct OrgShown {
    /// The org.
    pub org: Org,
    /// The number of its members.
    pub members: usize,
    /// The role by which the caller sees it.
    pub role: Role,
}

impl OrgWing<'_> {
    /// Creates an org.
    pub async fn create(self, credential: &Credential, new: &NewOrg) -> Result<Changed<Org>, AuthorityError> {
        change(self.0, credential, Operation::CreateOrg, &Whose::Anyone, |changing| async move {
            let org = Org {
                id: OrgId::new(changing.now(), &mut SysRng)?,
                slug: new.slug.clone(),
                name: new.name.clone(),
                created_at: changing.now(),
                deleted_at: None,
                not_before: Timestamp::MIN,
                frozen_at: None,
            };
            if let Some(holder) = changing.find_org_by_slug(&new.slug).await? {
                let what = if holder.deleted_at.is_some() { "a deleted org" } else { "an org" };
                return Err(AuthorityError::taken(what, &new.slug));
            }
            let admin = match (&changing.by.caller, &new.admin) {
                (Caller::Session { account, .. }, _) => Some(account.id),
                (_, Some(handle)) => Some(account(&changing, handle).await?.id),
                (_, None) => None,
            };
            changing.insert_org(&org).await?.map_err(|_| AuthorityError::taken("an org", &new.slug))?;
            if let Some(admin) = admin {
                // This ends no offers, because the org is new.
                changing.set_role(admin, org.id, Role::Admin).await?;
            }
            let personal = Personal::from([("slug", new.slug.to_string())]);
            Ok(changing.done(Change::OrgCreated { org: org.id, admin }, personal, org))
        })
        .await
    }

    /// Deletes an org: no token has power in it from now on, and its slug is never given out again.
    pub async fn delete(
        self,
        credential: &Credential,
        slug: &OrgSlug,
    ) -> Result<Changed<()>, AuthorityError> {
        let whose = Whose::Org(slug.clone());
        change(self.0, credential, Operation::DeleteOrg, &whose, |changing| async move {
            let org = changing.by.org()?.id;
            changing.delete_org(org).await?;
            let personal = Personal::from([("slug", slug.to_string())]);
            Ok(changing.done(Change::OrgDeleted { org }, personal, ()))
        })
        .await
    }

    /// Returns an org, for a caller that has a part in it.
    pub async fn get(self, credential: &Credential, slug: &OrgSlug) -> Result<OrgShown, AuthorityError> {
        let (read, by) = self.0.read_as(credential, Operation::GetOrg, &Whose::Org(slug.clone())).await?;
        let org = by.org()?.clone();
        let members = read.count_members([org.id]).await?.remove(&org.id).unwrap_or_default();
        let members = usize::try_from(members).unwrap_or(usize::MAX);
        Ok(OrgShown { org, members, role: by.role()? })
    }

    /// Freezes an org. Until it is unfrozen, tokens may only read there, tokens that name it are not created,
    /// rotated or renewed, and its members change at the console only.
    pub async fn freeze(
        self,
        credential: &Credential,
        slug: &OrgSlug,
    ) -> Result<Changed<Org>, AuthorityError> {
        let whose = Whose::Org(slug.clone());
        change(self.0, credential, Operation::FreezeOrg, &whose, |changing| async move {
            let (org, now) = (changing.by.org()?.clone(), changing.now());
            if org.frozen_at.is_some() {
                return Ok(changing.unchanged(org));
            }
            changing.set_frozen(org.id, Some(now)).await?;
            let change = Change::OrgFrozen { org: org.id };
            Ok(changing.done(change, Personal::new(), Org { frozen_at: Some(now), ..org }))
        })
        .await
    }

    /// Ends the freeze of an org.
    pub async fn unfreeze(
        self,
        credential: &Credential,
        slug: &OrgSlug,
    ) -> Result<Changed<Org>, AuthorityError> {
        let whose = Whose::Org(slug.clone());
        change(self.0, credential, Operation::UnfreezeOrg, &whose, |changing| async move {
            let org = changing.by.org()?.clone();
            if org.frozen_at.is_none() {
                return Ok(changing.unchanged(org));
            }
            changing.set_frozen(org.id, None).await?;
            let change = Change::OrgUnfrozen { org: org.id };
            Ok(changing.done(change, Personal::new(), Org { frozen_at: None, ..org }))
        })
        .await
    }
}

/// Returns the org of this slug, unless it was deleted.
pub(crate) async fn live_org(read: &Read, slug: &OrgSlug) -> Result<Org, AuthorityError> {
    let none = || AuthorityError::none("org", slug);
    read.find_org_by_slug(slug).await?.filter(|org| org.deleted_at.is_none()).ok_or_else(none)
}

/// Refuses an org that is frozen.
pub(crate) fn unfrozen(org: &Org) -> Result<(), AuthorityError> {
    if org.frozen_at.is_some() { Err(AuthorityError::OrgFrozen(org.slug.clone())) } else { Ok(()) }
}
