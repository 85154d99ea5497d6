//! Replays an exported log on a restored copy, to redo what the copy has forgotten.

use std::collections::BTreeSet;

use ndauth_core::{
    AccountId, Change, Description, Entry, Expiry, Label, Level, Lineage, Networks, OrgId, OrgSlug, Owner,
    Role, SecretId, ServiceId, Timestamp, TokenId,
};
use ndauth_store::{FamilyKind, FoundSecret, Read, StoredEvent, Write};

use super::accounts::{EMAIL, NAME};
use crate::AuthorityError;
use crate::orgs::{NETWORKS, name_networks};
use crate::tokens::{DESCRIPTION, NOTE};

/// The outcome of a replay.
pub(super) struct Replayed {
    /// The number of events that were replayed.
    pub(super) events: u64,
    /// The number of things that they made, which the copy does not know.
    pub(super) lost: u64,
    /// The instant before which every minted secret is revoked.
    pub(super) not_before: Timestamp,
    rotated: BTreeSet<ServiceId>,
    /// The orgs whose last policy lacks the names of its networks, because they were erased.
    unnamed: BTreeSet<OrgId>,
}

impl Replayed {
    /// Returns the outcome of replaying no event, with every secret minted before an instant revoked.
    pub(super) fn nothing(not_before: Timestamp) -> Replayed {
        Replayed { events: 0, lost: 0, not_before, rotated: BTreeSet::new(), unnamed: BTreeSet::new() }
    }

    /// Returns the services that were rotated after the copy, and have no secret now.
    pub(super) async fn without_secret(&self, read: &Read) -> Result<Vec<Label>, AuthorityError> {
        let mut names = Vec::new();
        for service in &self.rotated {
            let service = read.find_service(*service).await?;
            names.extend(service.filter(|service| service.revoked_at.is_none()).map(|service| service.name));
        }
        Ok(names)
    }

    /// Returns the orgs whose policy admits no network, because those that it named were erased.
    pub(super) async fn without_networks(&self, read: &Read) -> Result<Vec<OrgSlug>, AuthorityError> {
        let mut slugs = Vec::new();
        for org in &self.unnamed {
            let org = read.find_org(*org).await?;
            slugs.extend(org.filter(|org| org.deleted_at.is_none()).map(|org| org.slug));
        }
        Ok(slugs)
    }
}

/// Replays the events after the end of the copy.
pub(super) async fn replay(
    write: &mut Write,
    events: &[StoredEvent],
    copy: u64,
) -> Result<Replayed, AuthorityError> {
    let mut replayed = Replayed::nothing(Timestamp::MIN);
    for event in events.iter().filter(|event| event.sequence > copy) {
        let entry = follow(write, event, copy).await?;
        redo(write, event, &entry).await?;
        replayed.events += 1;
        replayed.lost += u64::from(makes(&entry.change));
        match entry.change {
            Change::PolicySet { org, policies } => {
                let has_networks = policies.iter().any(|set| set.policy.networks != Networks::All);
                match event.personal {
                    None if has_networks => replayed.unnamed.insert(org),
                    _ => replayed.unnamed.remove(&org),
                };
            }
            Change::Restored { not_before, .. } => replayed.not_before = replayed.not_before.max(not_before),
            Change::SecretConfirmed { family: Lineage::Service(service), .. } => {
                replayed.rotated.insert(service);
            }
            _ => {}
        }
    }
    Ok(replayed)
}

/// Appends an exported event, which must follow the end of the log, and returns its entry.
async fn follow(write: &mut Write, event: &StoredEvent, start: u64) -> Result<Entry, AuthorityError> {
    if !event.follows(&write.head()) {
        let why = format!("does not continue this log: event {} does not follow", event.sequence);
        return Err(AuthorityError::Export(why));
    }
    let entry: Entry = serde_json::from_slice(&event.public).map_err(|_| {
        AuthorityError::Export(format!(
            "holds event {}, of a kind that this version does not know; revoke all with `--not-before`",
            event.sequence
        ))
    })?;
    if let Change::Restored { copy, .. } = entry.change
        && copy < start
    {
        // This copy knows rows that the restore had made unknown, so a row would come back to life.
        return Err(AuthorityError::Export(format!(
            "holds a restore to event {copy}, before the end of this copy; revoke all with `--not-before`"
        )));
    }
    write.append(event).await?;
    Ok(entry)
}

/// Returns true if a change made something that an earlier copy does not know.
fn makes(change: &Change) -> bool {
    matches!(
        change,
        Change::AccountCreated { .. }
            | Change::OrgCreated { .. }
            | Change::SessionIssued { .. }
            | Change::ServiceCreated { .. }
            | Change::TokenCreated { .. }
            | Change::TokenDerived { .. }
    )
}

/// Redoes the change of an event, as far as it concerns what the copy holds. Things made after the copy stay
/// unknown, so none of their secrets work.
async fn redo(write: &mut Write, event: &StoredEvent, entry: &Entry) -> Result<(), AuthorityError> {
    let at = entry.at;
    write.date(at);
    match &entry.change {
        Change::AccountDisabled { account } => {
            write.set_account_disabled(*account, Some(at)).await?;
            write.end_sessions(*account).await?;
        }
        Change::AccountEnabled { account } => write.set_account_disabled(*account, None).await?,
        Change::AccountUpdated { account } => update_account(write, event, *account).await?,
        Change::NoticesSet { account, off } => {
            if write.find_account(*account).await?.is_some() {
                write.set_notices_off(*account, off).await?;
            }
        }
        Change::OperatorSet { account, operator } => write.set_operator(*account, *operator).await?,
        Change::AccountSignedOut { account } => drop(write.end_sessions(*account).await?),
        // The former password must not work any more, and the event does not contain the new one.
        Change::PasswordSet { account } => {
            write.remove_password(*account).await?;
            write.end_sessions(*account).await?;
        }
        Change::SessionEnded { session, .. } => drop(write.end_session(*session).await?),
        Change::OrgDeleted { org } => write.delete_org(*org).await?,
        Change::OrgFrozen { org } => write.set_frozen(*org, Some(at)).await?,
        Change::OrgUnfrozen { org } => write.set_frozen(*org, None).await?,
        Change::MemberRemoved { org, account } => write.remove_member(*account, *org).await?,
        Change::MemberSet { org, account, role, .. } => set_member(write, *org, *account, *role).await?,
        Change::PolicySet { org, policies } => {
            if write.find_org(*org).await?.is_some() {
                let mut policies = policies.clone();
                name_networks(&mut policies, personal(event, NETWORKS).as_deref());
                write.add_policies(*org, &policies).await?;
            }
        }
        Change::CatalogueApplied { catalogue } => write.set_catalogue(catalogue).await?,
        Change::ServiceRevoked { service } => write.revoke_service(*service).await?,
        Change::TokenUpdated { token, .. } => describe(write, event, *token).await?,
        Change::TokenRevoked { token, reason, .. } => {
            let note = personal(event, NOTE).and_then(|text| text.parse().ok());
            write.revoke_token(*token, &entry.actor, *reason, note.as_ref()).await?;
        }
        Change::TokenRenewed { token, expires_at, .. } => write.set_token_end(*token, *expires_at).await?,
        Change::TokenSuspended { token, level, .. } => suspend(write, *token, &[*level]).await?,
        Change::TokenResumed { token, levels, .. } => {
            for level in levels {
                write.resume(*token, *level).await?;
            }
        }
        Change::SecretConfirmed { family, secret, others_end_at, expires_at, .. } => {
            confirm(write, *family, *secret, *others_end_at, *expires_at).await?;
        }
        Change::SecretDropped { family, secret, .. } => {
            let found = of_family(write, *family, *secret).await?;
            if found.is_some_and(|found| found.record.confirmed_at.is_none()) {
                write.drop_secret(*secret).await?;
            }
        }
        Change::SecretRetired { family, secret, .. } => {
            if of_family(write, *family, *secret).await?.is_some() {
                write.end_secret(*secret, Expiry::At(at)).await?;
            }
        }
        Change::SecretReused { family, secret, suspended, .. } => {
            if of_family(write, *family, *secret).await?.is_some() {
                write.set_reused(*secret, at).await?;
            }
            if let Lineage::Token(token) = family {
                suspend(write, *token, suspended).await?;
            }
        }
        Change::AccountTokensRevoked { account, not_before, reason } => {
            write.set_account_not_before(*account, *not_before).await?;
            let owner = Owner::Account(*account);
            write.revoke_minted_before(owner, *not_before, &entry.actor, *reason).await?;
        }
        Change::OrgTokensRevoked { org, not_before, reason } => {
            write.set_org_not_before(*org, *not_before).await?;
            write.revoke_minted_before(Owner::Org(*org), *not_before, &entry.actor, *reason).await?;
        }
        Change::FamiliesRemoved { tokens, sessions, services, .. } => {
            let ids: Vec<_> = tokens.iter().map(|id| id.uuid()).collect();
            write.remove(FamilyKind::Token, &ids).await?;
            let ids: Vec<_> = sessions.iter().map(|id| id.uuid()).collect();
            write.remove(FamilyKind::Session, &ids).await?;
            let ids: Vec<_> = services.iter().map(|id| id.uuid()).collect();
            write.remove(FamilyKind::Service, &ids).await?;
        }
        Change::AccountErased { account } => write.erase_account(*account).await?,
        // Logins are not redone: tokens wait for their owner's next login. Offers are not redone either,
        // because a restored copy has no open offers.
        Change::SessionIssued { .. }
        | Change::AccountCreated { .. }
        | Change::AccountInvited { .. }
        | Change::SignInLinkIssued { .. }
        | Change::AccountIdentified { .. }
        | Change::TokenDerived { .. }
        | Change::OrgCreated { .. }
        | Change::ServiceCreated { .. }
        | Change::TokenCreated { .. }
        | Change::SecretMinted { .. }
        | Change::MemberOffered { .. }
        | Change::OfferDeclined { .. }
        | Change::OfferWithdrawn { .. }
        | Change::LogPruned { .. }
        | Change::Restored { .. } => {}
    }
    Ok(())
}

/// Sets a role again, if the copy knows the org and the account.
async fn set_member(write: &Write, org: OrgId, account: AccountId, role: Role) -> Result<(), AuthorityError> {
    if write.find_org(org).await?.is_some() && write.find_account(account).await?.is_some() {
        write.set_role(account, org, role).await?;
    }
    Ok(())
}

/// Sets a token's description again. If the description was erased from the log, the former one stays.
async fn describe(write: &Write, event: &StoredEvent, token: TokenId) -> Result<(), AuthorityError> {
    let Some(text) = personal(event, DESCRIPTION) else { return Ok(()) };
    let description: Option<Description> = text.parse().ok();
    Ok(write.set_description(token, description.as_ref()).await?)
}

/// Changes an account's address and name again. Fields that were erased from the log keep the copy's values. The
/// address also keeps it if another account of the copy has the new one, because its own change was erased.
async fn update_account(write: &Write, event: &StoredEvent, id: AccountId) -> Result<(), AuthorityError> {
    let Some(account) = write.find_account(id).await? else { return Ok(()) };
    let mut email =
        personal(event, EMAIL).and_then(|text| text.parse().ok()).unwrap_or(account.email.clone());
    if write.find_account_by_email(&email).await?.is_some_and(|holder| holder.id != id) {
        email = account.email;
    }
    let name = personal(event, NAME).and_then(|text| text.parse().ok()).or(account.name);
    let updated = write.set_address_and_name(id, &email, name.as_ref()).await?;
    updated.map_err(|_| AuthorityError::taken("an account with the address", &email))
}

/// Suspends a token again at the levels at which it is not suspended.
async fn suspend(write: &Write, token: TokenId, levels: &[Level]) -> Result<(), AuthorityError> {
    let Some(known) = write.find_token(token).await? else { return Ok(()) };
    for level in levels {
        if known.suspensions.iter().all(|known| known.level != *level) {
            write.suspend(token, *level).await?;
        }
    }
    Ok(())
}

/// Returns one of a family's secrets, if the copy knows it.
async fn of_family(
    write: &Write,
    family: Lineage,
    secret: SecretId,
) -> Result<Option<FoundSecret>, AuthorityError> {
    let mut secrets = write.list_secrets(family.into()).await?.into_iter();
    Ok(secrets.find(|found| found.record.id == secret))
}

/// Confirms a secret again. If the copy does not know it, the secrets that it does know retire all the same.
async fn confirm(
    write: &Write,
    family: Lineage,
    secret: SecretId,
    others_end_at: Timestamp,
    expires_at: Expiry,
) -> Result<(), AuthorityError> {
    let token = match family {
        Lineage::Token(id) => write.find_token(id).await?,
        Lineage::Service(_) => None,
    };
    let former_end = token.as_ref().map_or(Expiry::Never, |token| token.expires_at);
    for found in write.list_secrets(family.into()).await? {
        let record = &found.record;
        if record.id == secret {
            write.confirm_secret(secret).await?;
        } else if record.judge(write.now()).is_ok() {
            let end = Expiry::At(others_end_at).min(former_end).min(record.ends_at);
            write.end_secret(record.id, end).await?;
        }
    }
    if let Some(token) = token {
        write.set_token_end(token.id, expires_at).await?;
    }
    Ok(())
}

/// Returns the value of a key in an event's personal bytes, if they were not erased.
pub(crate) fn personal(event: &StoredEvent, key: &str) -> Option<String> {
    let (bytes, _) = event.personal.as_ref()?;
    let personal: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    Some(personal[key].as_str()?.to_owned())
}
