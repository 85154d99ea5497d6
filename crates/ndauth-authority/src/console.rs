//! What the operator does at the machine of the database: accounts, orgs, members, sessions, services.

use std::time::Duration;

use ndauth_core::{
    Account, AccountId, Change, Email, Expiry, ExpiryChoice, Handle, Label, Lineage, Org, OrgId, OrgSlug,
    Orgs, Personal, Role, Secret, SecretId, SecretKind, SecretRecord, Service, ServiceId, Session, SessionId,
    Succession, Timestamp, may_rotate,
};
use ndauth_store::{Family, Read, Write};
use rand::rngs::SysRng;

use crate::access::Operation;
use crate::authority::retried;
use crate::rotations::{draw, unfrozen, unlocked};
use crate::{Authority, AuthorityError, Caller, Credential, MemberShown, Settling};

/// An account to be made.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its immutable name.
    pub handle: Handle,
    /// Where mail goes.
    pub email: Email,
    /// What the person is called.
    pub name: Option<Label>,
    /// Whether it may create orgs and read all audit.
    pub operator: bool,
}

/// An org to be made.
#[derive(Clone, Debug)]
pub struct NewOrg {
    /// Its immutable name.
    pub slug: OrgSlug,
    /// What it is called.
    pub name: Option<Label>,
    /// Its first admin. Whoever makes one by a session is it.
    pub admin: Option<Handle>,
}

/// A service to be registered.
#[derive(Clone, Debug)]
pub struct NewService {
    /// What to call it.
    pub name: Label,
    /// The orgs it may ask about.
    pub orgs: Orgs<OrgSlug>,
    /// Whether it is believed when it states its client's address.
    pub states_address: bool,
}

/// What a rotation of a service gives.
#[derive(Debug)]
pub struct RotatedService {
    /// The new secret, here and never again.
    pub secret: Secret,
    /// Until when it waits to be confirmed: by its first use, or by the operator.
    pub pending_until: Timestamp,
}

/// Whether an account is to have power.
#[derive(Clone, Copy)]
enum Power {
    On,
    Off,
}

impl Authority {
    /// Makes an account.
    pub async fn create_account(
        &self,
        credential: &Credential,
        new: &NewAccount,
    ) -> Result<Account, AuthorityError> {
        retried(|| async {
            let (write, caller, _) =
                self.write_as(credential, Operation::CreateAccount, "create_account").await?;
            if write.find_account_by_email(&new.email).await?.is_some() {
                let name = new.email.to_string();
                return Err(AuthorityError::NameTaken { what: "an account with the address", name });
            }
            let account = Account {
                id: AccountId::new(write.now(), &mut SysRng)?,
                handle: new.handle.clone(),
                email: new.email.clone(),
                name: new.name.clone(),
                operator: new.operator,
                created_at: write.now(),
                last_login_at: None,
                disabled_at: None,
                not_before: Timestamp::MIN,
            };
            let taken = || AuthorityError::NameTaken { what: "an account", name: new.handle.to_string() };
            write.insert_account(&account).await?.map_err(|_| taken())?;
            let change = Change::AccountCreated { account: account.id };
            let personal =
                Personal::from([("handle", new.handle.to_string()), ("email", new.email.to_string())]);
            self.commit(write, &caller, change, personal).await?;
            Ok(account)
        })
        .await
    }

    /// Takes an account's power at once, and ends its sessions for good. Says whether it had any.
    pub async fn disable_account(
        &self,
        credential: &Credential,
        handle: &Handle,
    ) -> Result<bool, AuthorityError> {
        retried(|| self.try_turn_account(credential, handle, Power::Off)).await
    }

    /// Gives an account its power back: its tokens go on, its person logs in again. Says whether it had lost it.
    pub async fn enable_account(
        &self,
        credential: &Credential,
        handle: &Handle,
    ) -> Result<bool, AuthorityError> {
        retried(|| self.try_turn_account(credential, handle, Power::On)).await
    }

    async fn try_turn_account(
        &self,
        credential: &Credential,
        handle: &Handle,
        power: Power,
    ) -> Result<bool, AuthorityError> {
        let operation = Operation::DisableAccount;
        let (write, caller, _) = self.write_as(credential, operation, "turn_account").await?;
        let found = account(&write, handle).await?;
        let id = found.id;
        let now_off = write.lock_account(id).await?.unwrap_or(found).disabled_at.is_some();
        let (change, since) = match power {
            Power::Off => (Change::AccountDisabled { account: id, signed_out: true }, Some(write.now())),
            Power::On => (Change::AccountEnabled { account: id }, None),
        };
        if now_off == since.is_some() {
            return Ok(false);
        }
        write.set_account_disabled(id, since).await?;
        if since.is_some() {
            write.end_sessions(id).await?;
        }
        self.commit(write, &caller, change, Personal::new()).await?;
        Ok(true)
    }

    /// Makes an org. Gives it, and the event that tells of it.
    pub async fn create_org(
        &self,
        credential: &Credential,
        new: &NewOrg,
    ) -> Result<(Org, u64), AuthorityError> {
        retried(|| async {
            let (write, caller, _) = self.write_as(credential, Operation::CreateOrg, "create_org").await?;
            let org = Org {
                id: OrgId::new(write.now(), &mut SysRng)?,
                slug: new.slug.clone(),
                name: new.name.clone(),
                created_at: write.now(),
                deleted_at: None,
                not_before: Timestamp::MIN,
                frozen_at: None,
            };
            if let Some(holder) = write.find_org_by_slug(&new.slug).await? {
                let what = if holder.deleted_at.is_some() { "an org that was deleted," } else { "an org" };
                return Err(AuthorityError::NameTaken { what, name: new.slug.to_string() });
            }
            let taken = || AuthorityError::NameTaken { what: "an org", name: new.slug.to_string() };
            let admin = match (&caller, &new.admin) {
                (Caller::Session { account, .. }, _) => Some(account.id),
                (_, Some(handle)) => Some(account(&write, handle).await?.id),
                (_, None) => None,
            };
            write.insert_org(&org).await?.map_err(|_| taken())?;
            if let Some(admin) = admin {
                write.set_role(admin, org.id, Role::Admin).await?;
            }
            let change = Change::OrgCreated { org: org.id, admin };
            let sequence =
                self.commit(write, &caller, change, Personal::from([("slug", new.slug.to_string())])).await?;
            Ok((org, sequence))
        })
        .await
    }

    /// Deletes an org: no token has power in it from now on, and its slug is never given out again.
    pub async fn delete_org(&self, credential: &Credential, slug: &OrgSlug) -> Result<(), AuthorityError> {
        retried(|| async {
            let (write, caller, _) = self.write_as(credential, Operation::DeleteOrg, "delete_org").await?;
            let org = live_org(&write, slug).await?;
            write.delete_org(org.id).await?;
            let change = Change::OrgDeleted { org: org.id };
            self.commit(write, &caller, change, Personal::from([("slug", slug.to_string())])).await?;
            Ok(())
        })
        .await
    }

    /// Gives an account a role in an org.
    pub async fn set_member(
        &self,
        credential: &Credential,
        slug: &OrgSlug,
        handle: &Handle,
        role: Role,
    ) -> Result<(MemberShown, u64), AuthorityError> {
        retried(|| async {
            let operation = Operation::SetMember;
            let (write, caller, org) = self.write_in(credential, operation, slug, "set_member").await?;
            if !matches!(caller, Caller::Console) {
                unfrozen(&org)?;
            }
            let account = account(&write, handle).await?;
            if role != Role::Admin {
                keep_an_admin(&write, &caller, &org, &account).await?;
            }
            write.set_role(account.id, org.id, role).await?;
            let change = Change::MemberSet { org: org.id, account: account.id, role: Some(role) };
            let member =
                MemberShown { account: account.id, handle: account.handle, role, since: write.now() };
            Ok((member, self.commit(write, &caller, change, Personal::new()).await?))
        })
        .await
    }

    /// Takes an account out of an org.
    pub async fn remove_member(
        &self,
        credential: &Credential,
        slug: &OrgSlug,
        handle: &Handle,
    ) -> Result<u64, AuthorityError> {
        retried(|| async {
            let operation = Operation::RemoveMember;
            let (write, caller, org) = self.write_in(credential, operation, slug, "remove_member").await?;
            let account = account(&write, handle).await?;
            if write.find_role(account.id, org.id).await?.is_none() {
                return Err(AuthorityError::NotFound { what: "member", name: format!("{handle} of {slug}") });
            }
            if !matches!(caller, Caller::Console) {
                unfrozen(&org)?;
            }
            keep_an_admin(&write, &caller, &org, &account).await?;
            write.remove_member(account.id, org.id).await?;
            let change = Change::MemberRemoved { org: org.id, account: account.id };
            self.commit(write, &caller, change, Personal::new()).await
        })
        .await
    }

    /// Begins a session for an account, and gives its secret: here and never again.
    pub async fn issue_session(
        &self,
        credential: &Credential,
        handle: &Handle,
        expiry: ExpiryChoice,
    ) -> Result<Secret, AuthorityError> {
        retried(|| async {
            let (write, caller, _) =
                self.write_as(credential, Operation::IssueSession, "issue_session").await?;
            let account = account(&write, handle).await?;
            // A sign-out waits for it, or it for the sign-out.
            let account = write.lock_account(account.id).await?.unwrap_or(account);
            if account.disabled_at.is_some() {
                return Err(AuthorityError::AccountDisabled);
            }
            let now = write.now();
            let lifetime = expiry.lifetime(now).map_err(|why| AuthorityError::invalid("expires_in", why))?;
            let session = Session {
                id: SessionId::new(now, &mut SysRng)?,
                account: account.id,
                created_at: now,
                expires_at: lifetime.expiry(now),
                ends_at: lifetime.expiry(now),
                revoked_at: None,
                // The operator answers for who they are.
                proved_at: Some(now),
                device: None,
                address: None,
                browser: false,
            };
            write.insert_session(&session).await?;
            write.set_logged_in(account.id).await?;
            let secret = add_secret(&write, SecretKind::Session, Family::Session(session.id)).await?;
            let change = Change::SessionIssued { account: account.id, session: session.id };
            self.commit(write, &caller, change, Personal::new()).await?;
            Ok(secret)
        })
        .await
    }

    /// Registers a service, and gives its secret: here and never again.
    pub async fn create_service(
        &self,
        credential: &Credential,
        new: &NewService,
    ) -> Result<Secret, AuthorityError> {
        retried(|| async {
            let (write, caller, _) =
                self.write_as(credential, Operation::CreateService, "create_service").await?;
            let orgs = match &new.orgs {
                Orgs::All => Orgs::All,
                Orgs::Only(slugs) => {
                    let mut ids = Vec::new();
                    for slug in slugs {
                        ids.push(live_org(&write, slug).await?.id);
                    }
                    Orgs::only(ids).map_err(|why| AuthorityError::invalid("orgs", why))?
                }
            };
            let service = Service {
                id: ServiceId::new(write.now(), &mut SysRng)?,
                name: new.name.clone(),
                orgs,
                states_address: new.states_address,
                created_at: write.now(),
                revoked_at: None,
            };
            let taken = || AuthorityError::NameTaken { what: "a service", name: new.name.to_string() };
            write.insert_service(&service).await?.map_err(|_| taken())?;
            let secret = add_secret(&write, SecretKind::Service, Family::Service(service.id)).await?;
            let change = Change::ServiceCreated { service: service.id };
            self.commit(write, &caller, change, Personal::from([("name", new.name.to_string())])).await?;
            Ok(secret)
        })
        .await
    }

    /// Ends every live session of an account. Says how many there were.
    pub async fn sign_out(&self, credential: &Credential, handle: &Handle) -> Result<u64, AuthorityError> {
        retried(|| async {
            let (write, caller, _) = self.write_as(credential, Operation::SignOut, "sign_out").await?;
            let account = account(&write, handle).await?;
            write.lock_account(account.id).await?;
            let ended = write.end_sessions(account.id).await?;
            if ended > 0 {
                let change = Change::AccountSignedOut { account: account.id };
                self.commit(write, &caller, change, Personal::new()).await?;
            }
            Ok(ended)
        })
        .await
    }

    /// Draws a new secret for a service, here and never again. It waits to be confirmed, and only then those it had
    /// retire, after the overlap.
    pub async fn rotate_service(
        &self,
        credential: &Credential,
        name: &Label,
        overlap: Duration,
    ) -> Result<RotatedService, AuthorityError> {
        retried(|| async {
            let (write, caller, _) =
                self.write_as(credential, Operation::RotateService, "rotate_service").await?;
            let service = live_service(&write, name).await?;
            write.lock_service(service.id).await?;
            let family = Lineage::Service(service.id);
            let secrets = write.list_secrets(family.into()).await?;
            let records = secrets.iter().map(|found| &found.record);
            unlocked(may_rotate(records, write.installation().not_before, write.now()), name.as_str())?;
            let succession = Succession { overlap, expires_at: Expiry::Never };
            let (secret, record) = draw(&write, SecretKind::Service, family, &succession).await?;
            let pending_until = match record.ends_at {
                Expiry::At(end) => end,
                Expiry::Never => write.now(),
            };
            let change = Change::SecretMinted { family, secret: record.id };
            self.commit(write, &caller, change, Personal::from([("name", name.to_string())])).await?;
            Ok(RotatedService { secret, pending_until })
        })
        .await
    }

    /// Confirms or drops a service's new secret, or retires its old one. Says whether anything was to be done.
    pub async fn settle_service(
        &self,
        credential: &Credential,
        name: &Label,
        settling: &Settling,
    ) -> Result<bool, AuthorityError> {
        retried(|| async {
            let (write, caller, _) =
                self.write_as(credential, Operation::RotateService, "settle_service").await?;
            let service = live_service(&write, name).await?;
            write.lock_service(service.id).await?;
            let family = Lineage::Service(service.id);
            let secrets = write.list_secrets(family.into()).await?;
            let settled = self
                .settle_family(write, caller.actor(), family, None, name.as_str(), &secrets, settling)
                .await?;
            Ok(settled.is_some())
        })
        .await
    }

    /// Revokes a service: it can ask nothing from now on.
    pub async fn revoke_service(&self, credential: &Credential, name: &Label) -> Result<(), AuthorityError> {
        retried(|| async {
            let (write, caller, _) =
                self.write_as(credential, Operation::RevokeService, "revoke_service").await?;
            let service = live_service(&write, name).await?;
            write.revoke_service(service.id).await?;
            let change = Change::ServiceRevoked { service: service.id };
            self.commit(write, &caller, change, Personal::from([("name", name.to_string())])).await?;
            Ok(())
        })
        .await
    }
}

/// Refuses to take the role of an org's only admin, but at the console: nobody could give it to another.
async fn keep_an_admin(
    write: &Write,
    caller: &Caller,
    org: &Org,
    account: &Account,
) -> Result<(), AuthorityError> {
    if matches!(caller, Caller::Console) {
        return Ok(());
    }
    let members = write.list_members(org.id).await?;
    let admins = members.iter().filter(|member| member.role == Role::Admin).map(|member| member.account);
    // Who is disabled gives nobody a role.
    let accounts = write.accounts_by_id(admins).await?;
    let mut admins = accounts.values().filter(|account| account.disabled_at.is_none());
    match (admins.next(), admins.next()) {
        (Some(only), None) if only.id == account.id => {
            Err(AuthorityError::LastAdmin { handle: account.handle.clone(), org: org.slug.clone() })
        }
        _ => Ok(()),
    }
}

async fn add_secret(write: &Write, kind: SecretKind, family: Family) -> Result<Secret, AuthorityError> {
    let secret = Secret::mint(kind, &mut SysRng)?;
    let record = SecretRecord::first(SecretId::new(write.now(), &mut SysRng)?, secret.prefix(), write.now());
    write.insert_secret(family, &record, &secret.hash(), None).await?;
    Ok(secret)
}

pub(crate) async fn account(read: &Read, handle: &Handle) -> Result<Account, AuthorityError> {
    let none = || AuthorityError::NotFound { what: "account", name: handle.to_string() };
    read.find_account_by_handle(handle).await?.ok_or_else(none)
}

async fn live_service(read: &Read, name: &Label) -> Result<Service, AuthorityError> {
    let none = || AuthorityError::NotFound { what: "service", name: name.to_string() };
    read.find_live_service(name).await?.ok_or_else(none)
}

async fn live_org(read: &Read, slug: &OrgSlug) -> Result<Org, AuthorityError> {
    let none = || AuthorityError::NotFound { what: "org", name: slug.to_string() };
    read.find_org_by_slug(slug).await?.filter(|org| org.deleted_at.is_none()).ok_or_else(none)
}
