//! Reads the log: which events people are told of, and who is told.

use std::net::IpAddr;
use std::time::Duration;

use ndauth_core::{
    AccountId, Actor, AnnouncedPolicy, Change, Entry, Lineage, NoticeKind, OrgId, Owner, Role, SessionId,
    Timestamp,
};
use ndauth_store::{Duty, LogPart, Notice, NoticePosition, Read, StoredEvent, TokenPage};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::access::Operation;
use crate::change::change_without_caller;
use crate::operator::personal;
use crate::orgs::{Impact, NETWORKS, name_networks};
use crate::{AuthorityError, NoticeWing};

/// The notices and devices that a part of the log, or of the calendar, gives.
#[derive(Default)]
pub(super) struct Noticed {
    pub(super) notices: Vec<Notice>,
    /// The devices that sessions began on.
    devices: Vec<(AccountId, [u8; 32])>,
}

/// An event that is read.
struct Happened<'a> {
    event: &'a StoredEvent,
    entry: &'a Entry,
}

/// The name of the cursor of the log.
const LOG: &str = "log";
/// The most events that are read at once.
const BATCH: u64 = 500;
/// Events older than this are passed over, as after a time without mail.
pub(super) const STALE: Duration = Duration::from_secs(2 * 24 * 60 * 60);
/// The notices after which no more are looked for before they are recorded, and the most of one change: a database adds
/// them well within its timeout.
pub(super) const MOST_AT_ONCE: usize = 2000;
/// The number of an org's tokens that are read at once.
const PAGE: u64 = 1000;

impl NoticeWing<'_> {
    /// Reads the next part of the log. Returns true if there may be more.
    pub(super) async fn read_log(self) -> Result<bool, AuthorityError> {
        let read = self.0.store.read().await?;
        self.0.standing.admit(Operation::Mail, read.installation())?;
        let head = read.head().sequence;
        let known = read.notice_position(LOG).await?;
        let at = |sequence: u64| NoticePosition::behind(i64::try_from(sequence).unwrap_or(i64::MAX));
        // The first start tells nothing of the past. A log that was rewound goes on from its end.
        let from = known.map(|known| u64::try_from(known.number).unwrap_or_default());
        let Some(from) = from.filter(|from| *from <= head) else {
            self.record(LOG, known, at(head), &Noticed::default()).await?;
            return Ok(false);
        };
        if from == head {
            return Ok(false);
        }
        let part = LogPart { after: from, before: None, newest_first: false, limit: BATCH };
        let events = read.history(None, &part).await?.events;
        // Nothing is read on where the log was cut by hand.
        let (mut found, mut through) = (Noticed::default(), if events.is_empty() { head } else { from });
        let settled_at = read.installation().settled_at.unwrap_or(Timestamp::MIN);
        for logged in &events {
            let event = &logged.event;
            through = event.sequence;
            // What this version cannot read, it cannot tell. What a restored copy replayed was told before.
            let Some(entry) = Entry::read(&event.public) else { continue };
            if read.now().since(entry.at) <= STALE && entry.at > settled_at {
                self.read_event(&read, &Happened { event, entry: &entry }, &mut found).await?;
            }
            if found.notices.len() >= MOST_AT_ONCE {
                break;
            }
        }
        drop(read);
        let recorded = self.record(LOG, known, at(through), &found).await?;
        Ok(recorded && through < head)
    }

    /// Records what was found, and how far it was looked for, unless another instance did. Returns true if it was
    /// recorded. What is too much for one change is recorded in several, of which the last moves the cursor.
    pub(super) async fn record(
        self,
        cursor: &str,
        from: Option<NoticePosition>,
        through: NoticePosition,
        found: &Noticed,
    ) -> Result<bool, AuthorityError> {
        let mut parts = found.notices.chunks(MOST_AT_ONCE).peekable();
        loop {
            let part = parts.next().unwrap_or_default();
            let is_last = parts.peek().is_none();
            let recorded = change_without_caller(self.0, Operation::Mail, |callerless| async move {
                if !callerless.alone(Duty::Mail).await? || callerless.notice_position(cursor).await? != from {
                    return Ok(callerless.observed(None));
                }
                let off = callerless.notices_off_by(part.iter().map(|notice| notice.account)).await?;
                let told = part.iter().filter(|notice| !off.contains(&(notice.account, notice.kind)));
                let left_out = callerless.insert_notices(&told.cloned().collect::<Vec<_>>()).await?;
                if is_last {
                    for (account, hash) in &found.devices {
                        callerless.remember_device(*account, hash).await?;
                    }
                    callerless.set_notice_position(cursor, through).await?;
                }
                Ok::<_, AuthorityError>(callerless.observed(Some(left_out)))
            });
            let Some(left_out) = recorded.await?.value else { return Ok(false) };
            if left_out > 0 {
                tracing::warn!(
                    left_out,
                    "more is to be told to an account than a mail holds: the oldest is left out"
                );
            }
            if is_last {
                return Ok(true);
            }
        }
    }

    async fn read_event(
        self,
        read: &Read,
        happened: &Happened<'_>,
        found: &mut Noticed,
    ) -> Result<(), AuthorityError> {
        let entry = happened.entry;
        let mut add = |kind, subject, accounts: Vec<AccountId>| {
            found.notices.extend(accounts.into_iter().map(|account| happened.notice(account, kind, subject)));
        };
        match &entry.change {
            Change::TokenCreated { token, owner } => {
                add(NoticeKind::Created, token.uuid(), people(read, *owner).await?);
            }
            Change::TokenRevoked { token, owner, .. } => {
                add(NoticeKind::Revoked, token.uuid(), others(read, *owner, &entry.actor).await?);
            }
            Change::TokenSuspended { token, owner, .. } => {
                add(NoticeKind::Suspended, token.uuid(), others(read, *owner, &entry.actor).await?);
            }
            Change::SecretConfirmed { family: Lineage::Token(token), owner: Some(owner), .. } => {
                add(NoticeKind::Rotated, token.uuid(), people(read, *owner).await?);
            }
            Change::SecretReused { family: Lineage::Token(token), owner: Some(owner), .. } => {
                add(NoticeKind::Reused, token.uuid(), people(read, *owner).await?);
            }
            Change::AccountTokensRevoked { account, .. } => {
                let owner = Owner::Account(*account);
                add(NoticeKind::Revoked, account.uuid(), others(read, owner, &entry.actor).await?);
            }
            Change::OrgTokensRevoked { org, .. } => {
                let mut told = holders(read, *org).await?;
                told.extend(people(read, Owner::Org(*org)).await?);
                told.sort_unstable();
                told.dedup();
                told.retain(|account| !is_by(&entry.actor, *account));
                add(NoticeKind::Revoked, org.uuid(), told);
            }
            Change::MemberOffered { org, offer, .. } => {
                let offers = read.list_offers_of(*org).await?;
                if let Some(offer) = offers.into_iter().find(|known| known.id == *offer) {
                    let account = read.find_account_by_handle(&offer.handle).await?;
                    let account = account.filter(|account| account.created_at < offer.made_at);
                    add(
                        NoticeKind::Offer,
                        offer.id.uuid(),
                        account.map(|account| account.id).into_iter().collect(),
                    );
                }
            }
            Change::PolicySet { org, policies } => {
                self.read_policy(read, happened, *org, policies, found).await?;
            }
            Change::SessionIssued { account, session } => {
                read_session(read, happened, *account, *session, found).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Finds the tokens that a policy breaks.
    async fn read_policy(
        self,
        read: &Read,
        happened: &Happened<'_>,
        id: OrgId,
        policies: &[AnnouncedPolicy],
        found: &mut Noticed,
    ) -> Result<(), AuthorityError> {
        let Some(org) = read.find_org(id).await?.filter(|org| org.deleted_at.is_none()) else {
            return Ok(());
        };
        let mut policies = policies.to_vec();
        name_networks(&mut policies, personal(happened.event, NETWORKS).as_deref());
        let Some(AnnouncedPolicy { takes_hold_at, policy }) = policies.first() else { return Ok(()) };
        let before = read.find_policies(id).await?.set_before(happened.entry.at);
        let impact = Impact::of(self.0, read, &org, (before, policy, *takes_hold_at)).await?;
        for broken in impact.broken {
            let Some(token) = read.find_token(broken.id).await? else { continue };
            for account in people(read, token.owner).await? {
                found.notices.push(happened.notice(account, NoticeKind::Policy, token.id.uuid()));
            }
        }
        Ok(())
    }
}

impl Happened<'_> {
    fn notice(&self, account: AccountId, kind: NoticeKind, subject: Uuid) -> Notice {
        let occasion = i64::try_from(self.event.sequence).unwrap_or(i64::MAX);
        Notice { account, kind, subject, occasion, lead: Duration::ZERO, noticed_at: self.entry.at }
    }
}

/// Finds out if a session began on a device that its account had not used.
async fn read_session(
    read: &Read,
    happened: &Happened<'_>,
    account: AccountId,
    session: SessionId,
    found: &mut Noticed,
) -> Result<(), AuthorityError> {
    let address = personal(happened.event, "address").and_then(|text| text.parse().ok());
    let device = personal(happened.event, "device").unwrap_or_default();
    let hash = device_hash(&device, address);
    let is_new = !found.devices.contains(&(account, hash)) && !read.knows_device(account, &hash).await?;
    found.devices.push((account, hash));
    // At the console nobody's device is there to be known.
    if is_new || happened.entry.actor == Actor::Console {
        found.notices.push(happened.notice(account, NoticeKind::SignIn, session.uuid()));
    }
    Ok(())
}

/// Returns the hash of a device and of the network around its address: a /16 or a /32, about what one provider of
/// connections gives the same person.
fn device_hash(device: &str, address: Option<IpAddr>) -> [u8; 32] {
    let around: &[u8] = match address.map(|address| address.to_canonical()) {
        None => &[],
        Some(IpAddr::V4(address)) => &address.octets()[..2],
        Some(IpAddr::V6(address)) => &address.octets()[..4],
    };
    Sha256::new().chain_update(around).chain_update([0]).chain_update(device).finalize().into()
}

/// Returns those who are told about an owner's tokens: the account, or the org's admins.
pub(super) async fn people(read: &Read, owner: Owner) -> Result<Vec<AccountId>, AuthorityError> {
    Ok(match owner {
        Owner::Account(account) => vec![account],
        Owner::Org(org) => {
            let members = read.list_members(org).await?.into_iter();
            members.filter(|member| member.role == Role::Admin).map(|member| member.account).collect()
        }
    })
}

/// Returns those who are told about an owner's tokens, but for who made the change by a session. A token's secret may be
/// another's who has it.
async fn others(read: &Read, owner: Owner, actor: &Actor) -> Result<Vec<AccountId>, AuthorityError> {
    let mut told = people(read, owner).await?;
    told.retain(|account| !is_by(actor, *account));
    Ok(told)
}

fn is_by(actor: &Actor, account: AccountId) -> bool {
    matches!(actor, Actor::Session { account: by, .. } if *by == account)
}

/// Returns the owners of the personal tokens that may have power in an org.
async fn holders(read: &Read, org: OrgId) -> Result<Vec<AccountId>, AuthorityError> {
    let mut holders = Vec::new();
    let mut after = None;
    loop {
        let page = TokenPage { include_revoked: false, after, limit: PAGE };
        let tokens = read.list_tokens_of_org(org, false, page).await?;
        after = tokens.last().map(|token| token.id);
        if after.is_none() {
            return Ok(holders);
        }
        let live = tokens.iter().filter(|token| !token.expires_at.is_past(read.now()));
        holders.extend(live.filter_map(|token| match token.owner {
            Owner::Account(account) => Some(account),
            Owner::Org(_) => None,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_its_name_and_the_network_around_it() {
        let hash = |device, address: &str| device_hash(device, address.parse().ok());
        let known = hash("Firefox on Linux", "192.0.2.7");
        assert_eq!(known, hash("Firefox on Linux", "192.0.99.1"));
        assert_eq!(known, hash("Firefox on Linux", "::ffff:192.0.2.7"));
        for (device, address) in [
            ("Firefox on Windows", "192.0.2.7"),
            ("Firefox on Linux", "198.51.100.7"),
            ("Firefox on Linux", ""),
        ] {
            assert_ne!(known, hash(device, address), "{device} {address}");
        }
        assert_eq!(hash("x", "2001:db8:1::1"), hash("x", "2001:db8:2::2"));
        assert_ne!(hash("x", "2001:db8::1"), hash("x", "2001:db9::1"));
    }
}
