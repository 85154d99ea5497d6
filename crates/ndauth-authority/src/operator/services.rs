//! Services: registered, rotated and revoked.

use std::time::Duration;

use ndauth_core::{
    Change, Expiry, Label, Lineage, MAX_LIFETIME, OrgSlug, Orgs, Secret, SecretId, SecretKind, SecretRecord,
    Service, ServiceId, Succession, Timestamp, may_rotate,
};
use ndauth_store::{Family, Read, Write};
use rand::rngs::SysRng;

use crate::access::{Operation, Whose};
use crate::change::{Changed, change};
use crate::orgs::live_org;
use crate::tokens::{LockedFamily, Settling, draw, end, settle, unlocked};
use crate::{AuthorityError, Credential, OperatorWing};

/// A service to be registered.
#[derive(Clone, Debug)]
pub struct NewService {
    /// The name.
    pub name: Label,
    /// The orgs it may ask about.
    pub orgs: Orgs<OrgSlug>,
    /// Trusts it when it states its client's address.
    pub states_address: bool,
}

/// The new secret of a service that was rotated.
#[derive(Debug)]
pub struct RotatedService {
    /// The new secret, returned here and never again.
    pub secret: Secret,
    /// The instant until which it awaits confirmation, by its first use or by the operator.
    pub pending_until: Timestamp,
}

impl OperatorWing<'_> {
    /// Registers a service, and returns its secret, here and never again.
    pub async fn create_service(
        self,
        credential: &Credential,
        new: &NewService,
    ) -> Result<Changed<Secret>, AuthorityError> {
        change(self.0, credential, Operation::CreateService, &Whose::Anyone, |changing| async move {
            let orgs = match &new.orgs {
                Orgs::All => Orgs::All,
                Orgs::Only(slugs) => {
                    let mut ids = Vec::new();
                    for slug in slugs {
                        ids.push(live_org(&changing, slug).await?.id);
                    }
                    Orgs::only(ids).map_err(|why| AuthorityError::invalid("orgs", why))?
                }
            };
            let service = Service {
                id: ServiceId::new(changing.now(), &mut SysRng)?,
                name: new.name.clone(),
                orgs,
                states_address: new.states_address,
                created_at: changing.now(),
                revoked_at: None,
            };
            let inserted = changing.insert_service(&service).await?;
            inserted.map_err(|_| AuthorityError::taken("a service", &new.name))?;
            let secret = first_secret(&changing, service.id).await?;
            Ok(changing.done_to(new.name.to_string(), Change::ServiceCreated { service: service.id }, secret))
        })
        .await
    }

    /// Draws a new secret for a service, returned here and never again. The secret awaits confirmation.
    /// Only then do the previous ones retire, after the overlap.
    pub async fn rotate_service(
        self,
        credential: &Credential,
        name: &Label,
        overlap: Duration,
    ) -> Result<Changed<RotatedService>, AuthorityError> {
        change(self.0, credential, Operation::RotateService, &Whose::Anyone, |changing| async move {
            if overlap > MAX_LIFETIME {
                return Err(AuthorityError::invalid("overlap", "at most 365 days"));
            }
            let held = lock_service_family(&changing, name).await?;
            let records = held.secrets.iter().map(|found| &found.record);
            let not_before = changing.installation().not_before;
            unlocked(may_rotate(records, not_before, changing.now()), name.as_str())?;
            let succession = Succession { overlap, expires_at: Expiry::Never };
            let (secret, record) =
                draw(&changing, SecretKind::Service, held.lineage, None, &succession).await?;
            let pending_until = end(&record, changing.now());
            let change =
                Change::SecretMinted { family: held.lineage, owner: held.owner(), secret: record.id };
            Ok(changing.done_to(name.to_string(), change, RotatedService { secret, pending_until }))
        })
        .await
    }

    /// Confirms or drops a service's new secret, or retires its old one.
    pub async fn settle_service(
        self,
        credential: &Credential,
        name: &Label,
        settling: &Settling,
    ) -> Result<Changed<()>, AuthorityError> {
        change(self.0, credential, Operation::RotateService, &Whose::Anyone, |changing| async move {
            let held = lock_service_family(&changing, name).await?;
            let settled = settle(&self.0.uses, &changing, &held, settling).await?;
            Ok(match settled {
                Some((change, personal)) => changing.done(change, personal, ()),
                None => changing.unchanged(()),
            })
        })
        .await
    }

    /// Revokes a service, which can ask nothing from now on.
    pub async fn revoke_service(
        self,
        credential: &Credential,
        name: &Label,
    ) -> Result<Changed<()>, AuthorityError> {
        change(self.0, credential, Operation::RevokeService, &Whose::Anyone, |changing| async move {
            let service = live_service(&changing, name).await?.id;
            changing.revoke_service(service).await?;
            Ok(changing.done_to(name.to_string(), Change::ServiceRevoked { service }, ()))
        })
        .await
    }
}

async fn live_service(read: &Read, name: &Label) -> Result<Service, AuthorityError> {
    read.find_live_service(name).await?.ok_or_else(|| AuthorityError::none("service", name))
}

/// Locks a service's secrets until the change ends, and returns them.
async fn lock_service_family(write: &Write, name: &Label) -> Result<LockedFamily, AuthorityError> {
    let service = live_service(write, name).await?.id;
    let held = LockedFamily::hold(write, Lineage::Service(service)).await?;
    held.ok_or_else(|| AuthorityError::none("service", name))
}

async fn first_secret(write: &Write, service: ServiceId) -> Result<Secret, AuthorityError> {
    let secret = Secret::mint(SecretKind::Service, &mut SysRng)?;
    let id = SecretId::new(write.now(), &mut SysRng)?;
    let record = SecretRecord::first(id, secret.prefix(), write.now());
    write.insert_secret(Family::Service(service), &record, &secret.hash(), None).await?;
    Ok(secret)
}
