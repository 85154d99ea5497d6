//! Facts: what a mail tells, as it is true now. What is true no more is left out.

use ndauth_core::{
    Account, AccountId, Actor, Asker, Change, Entry, Expiry, Factor, Level, MailId, NoticeKind, NoticesOff,
    OrgId, OrgSlug, Owner, Requirement, RevocationReason, Role, SessionId, Timestamp, TokenId, TokenView,
    decide,
};
use ndauth_store::{LateTries, LogPart, Mail, Notice, Read, StoredEvent};

use super::log::people;
use super::preferences::is_on;
use crate::access::held::{Held, Judging, TokenQuestion, ground, owner_of};
use crate::operator::personal;
use crate::origin::ADDRESS;
use crate::tokens::{NOTE, actor_name, level_name};
use crate::{AuthorityError, NoticeWing};

/// A mail to be sent.
#[derive(Debug)]
pub struct Letter {
    /// Its id.
    pub id: MailId,
    /// The account that it is to.
    pub to: Account,
    /// The things that it tells, one or more, in the order in which they were noticed.
    pub told: Vec<Told>,
    /// The instant at which it was made.
    pub made_at: Timestamp,
    /// The number of attempts to send it that failed, but for refusals.
    pub attempts: u32,
    /// The number of times that it was refused for good.
    pub refusals: u32,
    /// The instant as of which it is true.
    pub now: Timestamp,
}

/// Something that a mail tells.
#[derive(Debug)]
pub struct Told {
    /// Its kind.
    pub kind: NoticeKind,
    /// The instant at which it happened, or was noticed.
    pub at: Timestamp,
    /// The facts.
    pub content: NoticeContent,
}

/// The facts of one thing that a mail tells.
#[derive(Debug)]
pub enum NoticeContent {
    /// A token was created.
    Created {
        /// The token.
        token: Box<TokenView>,
        /// The name of the actor.
        by: String,
        /// The address from which it was created, if known.
        address: Option<String>,
    },
    /// A token ends soon.
    Expiring {
        /// The token.
        token: Box<TokenView>,
        /// The end that a renewal would give it, if it can be renewed.
        renewed: Option<Timestamp>,
    },
    /// A token ended, and is still tried.
    StillTried {
        /// The token.
        token: Box<TokenView>,
        /// The attempts since its end.
        tries: LateTries,
    },
    /// A new secret of a token took over.
    Rotated {
        /// The token.
        token: Box<TokenView>,
        /// The latest instant at which its earlier secrets stop working.
        others_end_at: Timestamp,
    },
    /// A retired secret of a token was presented.
    Reused {
        /// The token.
        token: Box<TokenView>,
        /// The first characters of the secret, if they were not erased.
        prefix: Option<String>,
        /// True if it was reported as leaked, and not used.
        reported: bool,
        /// The address from which it was presented, if known.
        address: Option<String>,
        /// The names of those at whose level it was suspended for that.
        suspended: Vec<String>,
    },
    /// A token was revoked.
    Revoked {
        /// The token.
        token: Box<TokenView>,
        /// The name of the actor.
        by: String,
        /// The reason.
        reason: RevocationReason,
        /// The actor's own words.
        note: Option<String>,
    },
    /// All of an account's tokens were revoked, or all tokens lost their power in an org.
    AllRevoked {
        /// The org, if it was there.
        org: Option<OrgSlug>,
        /// The name of the actor.
        by: String,
        /// The reason.
        reason: RevocationReason,
        /// Secrets made before this instant are revoked.
        not_before: Timestamp,
    },
    /// A token was suspended.
    Suspended {
        /// The token.
        token: Box<TokenView>,
        /// The name of the actor.
        by: String,
        /// The org in which it has no power, if it has some elsewhere.
        only_in: Option<OrgSlug>,
    },
    /// A session began on a device that the account had not used.
    SignIn {
        /// The device, as it names itself.
        device: Option<String>,
        /// Its address, if known.
        address: Option<String>,
        /// The name of the actor, if a session was made at the console.
        by: Option<String>,
    },
    /// An org's policy refuses a token, or will.
    Policy {
        /// The token.
        token: Box<TokenView>,
        /// The org.
        org: OrgSlug,
        /// The instant from which the policy holds.
        takes_hold_at: Timestamp,
        /// The reason for which it refuses the token, in words.
        why: String,
    },
    /// A membership was offered.
    Offer {
        /// The org.
        org: OrgSlug,
        /// The role.
        role: Role,
        /// The handle of the admin who offers it.
        by: String,
        /// The instant at which the offer ends.
        ends_at: Timestamp,
    },
}

/// An event behind a notice.
struct Cause {
    event: StoredEvent,
    entry: Entry,
}

impl NoticeWing<'_> {
    /// Returns what a mail tells now. None if its account is disabled, or nothing of it is true any more.
    pub(super) async fn letter(self, read: &Read, mail: Mail) -> Result<Option<Letter>, AuthorityError> {
        let account = read.find_account(mail.account).await?.filter(|account| account.disabled_at.is_none());
        let Some(to) = account else { return Ok(None) };
        let off = read.notices_off(to.id).await?;
        let mut told = Vec::new();
        for notice in &mail.notices {
            told.extend(self.told(read, &to, &off, notice).await?);
        }
        let Mail { id, made_at, attempts, refusals, .. } = mail;
        let now = read.now();
        Ok((!told.is_empty()).then_some(Letter { id, to, told, made_at, attempts, refusals, now }))
    }

    async fn told(
        self,
        read: &Read,
        to: &Account,
        off: &NoticesOff,
        notice: &Notice,
    ) -> Result<Option<Told>, AuthorityError> {
        if !is_on(off, notice.kind) {
            return Ok(None);
        }
        let cause = match notice.kind {
            NoticeKind::Expiring | NoticeKind::StillTried => None,
            _ => match cause(read, notice.occasion).await? {
                Some(cause) => Some(cause),
                None => return Ok(None),
            },
        };
        let content = match (notice.kind, &cause) {
            (NoticeKind::SignIn, Some(cause)) => sign_in(read, notice, cause).await?,
            (NoticeKind::Offer, Some(cause)) => offer(read, to, cause).await?,
            (NoticeKind::Revoked, Some(cause)) if all_revoked(&cause.entry.change) => {
                everything(read, to, cause).await?
            }
            (kind, cause) => match self.view(read, to, TokenId::from_uuid(notice.subject)).await? {
                Some(view) => self.of_token(read, kind, notice, cause.as_ref(), view).await?,
                None => None,
            },
        };
        Ok(content.map(|content| Told { kind: notice.kind, at: notice.noticed_at, content }))
    }

    /// Returns a token as its owner sees it, if the account is its owner, or an admin of the org that is.
    async fn view(self, read: &Read, to: &Account, id: TokenId) -> Result<Option<TokenView>, AuthorityError> {
        let Some(token) = read.find_token(id).await? else { return Ok(None) };
        if !is_told(read, token.owner, to.id).await? {
            return Ok(None);
        }
        let view = read.view_tokens(vec![token]).await?.pop();
        Ok(view.map(|view| self.0.uses.complete(view)))
    }

    async fn of_token(
        self,
        read: &Read,
        kind: NoticeKind,
        notice: &Notice,
        cause: Option<&Cause>,
        view: TokenView,
    ) -> Result<Option<NoticeContent>, AuthorityError> {
        let now = read.now();
        let is_dead = view.status(now).is_dead();
        let end = match view.token.expires_at {
            Expiry::At(end) => Some(end),
            Expiry::Never => None,
        };
        let is_that_end = end.is_some_and(|end| end.micros() == notice.occasion);
        let token = Box::new(view);
        Ok(match (kind, cause.map(|cause| (cause, &cause.entry.change))) {
            (NoticeKind::Expiring, None) if is_that_end && !is_dead => {
                let renewed = self.renewed(read, &token).await?;
                Some(NoticeContent::Expiring { token, renewed })
            }
            (NoticeKind::StillTried, None) if is_that_end && token.token.revoked_at.is_none() => {
                let since = end.unwrap_or(now);
                read.late_tries(token.token.id, since)
                    .await?
                    .map(|tries| NoticeContent::StillTried { token, tries })
            }
            (NoticeKind::Created, Some((cause, Change::TokenCreated { .. }))) => {
                Some(NoticeContent::Created {
                    token,
                    by: cause.by(read).await?,
                    address: cause.personal(ADDRESS),
                })
            }
            (NoticeKind::Rotated, Some((_, Change::SecretConfirmed { secret, others_end_at, .. }))) => {
                let found = token.secrets.iter().find(|found| found.record.id == *secret);
                // A token's first secret replaces none. A token that rotates itself needs nobody.
                let is_rotated = found.is_some_and(|found| {
                    !found.record.was_minted_by_token() && found.record.minted_at != token.token.created_at
                });
                let others_end_at = *others_end_at;
                Some(NoticeContent::Rotated { token, others_end_at }).filter(|_| is_rotated && !is_dead)
            }
            (NoticeKind::Reused, Some((cause, Change::SecretReused { suspended, reported, .. }))) => {
                let mut levels = Vec::new();
                for level in suspended {
                    levels.push(level_name(read, *level).await?);
                }
                Some(NoticeContent::Reused {
                    token,
                    prefix: cause.personal("prefix"),
                    reported: *reported,
                    address: cause.personal(ADDRESS),
                    suspended: levels,
                })
            }
            (NoticeKind::Revoked, Some((cause, Change::TokenRevoked { reason, .. }))) => {
                let (by, note) = (cause.by(read).await?, cause.personal(NOTE));
                Some(NoticeContent::Revoked { token, by, reason: *reason, note })
            }
            (NoticeKind::Suspended, Some((cause, Change::TokenSuspended { level, .. }))) => {
                let is_still = token.token.suspensions.iter().any(|known| known.level == *level);
                let only_in = match level {
                    Level::Org(org) => read.find_org(*org).await?.map(|org| org.slug),
                    Level::Owner | Level::Operator => None,
                };
                let by = cause.by(read).await?;
                Some(NoticeContent::Suspended { token, by, only_in }).filter(|_| is_still && !is_dead)
            }
            (NoticeKind::Policy, Some((_, Change::PolicySet { org, .. }))) if !is_dead => {
                self.policy(read, token, *org).await?
            }
            _ => None,
        })
    }

    /// Returns the end that a renewal would give a token, if it can be renewed.
    async fn renewed(self, read: &Read, view: &TokenView) -> Result<Option<Timestamp>, AuthorityError> {
        match self.0.tokens().renewed_end(read, view, false).await {
            Ok(Ok(Expiry::At(end))) => Ok(Some(end)),
            Ok(Ok(Expiry::Never) | Err(_)) | Err(AuthorityError::RotationPending { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the policy that refuses the token now, or the first that will. One set later may have taken the place of the one
    /// that was noticed.
    async fn policy(
        self,
        read: &Read,
        view: Box<TokenView>,
        org: OrgId,
    ) -> Result<Option<NoticeContent>, AuthorityError> {
        let Some(org) = read.find_org(org).await?.filter(|org| org.deleted_at.is_none()) else {
            return Ok(None);
        };
        let policies = read.find_policies(org.id).await?;
        let now = read.now();
        let catalogue = self.0.catalogue(read).await?;
        let record = view.shown(now).record.clone();
        let held = Held { record, token: view.token.clone(), owner: owner_of(read, &view.token).await? };
        let Some(ground) = ground(read, &held.owner, &org.slug).await? else { return Ok(None) };
        let requirement = Requirement::Survey { org: org.slug.clone() };
        let question = TokenQuestion {
            judging: Judging::of(read, &catalogue),
            requirement: &requirement,
            asker: Asker::Unstated,
            address: view.last_use().and_then(|last| last.address),
        };
        let case = held.case(Some(&ground), &question);
        let refused = match decide(&case) {
            Err(refusal) if refusal.factor() == Factor::Policy => {
                policies.ruling(now).map(|dated| (dated.takes_hold_at, refusal.to_string()))
            }
            Err(_) => None,
            Ok(_) => case.policy_warning().map(|warning| (warning.takes_hold_at, warning.message)),
        };
        let org = org.slug;
        Ok(refused.map(|(takes_hold_at, why)| NoticeContent::Policy { token: view, org, takes_hold_at, why }))
    }
}

impl Cause {
    async fn by(&self, read: &Read) -> Result<String, AuthorityError> {
        actor_name(read, &self.entry.actor).await
    }

    fn personal(&self, key: &str) -> Option<String> {
        personal(&self.event, key)
    }
}

/// Returns the event of this sequence, unless it was pruned.
async fn cause(read: &Read, sequence: i64) -> Result<Option<Cause>, AuthorityError> {
    let sequence = u64::try_from(sequence).unwrap_or_default();
    let before = Some(sequence.saturating_add(1));
    let part = LogPart { after: sequence.saturating_sub(1), before, newest_first: false, limit: 1 };
    let Some(logged) = read.history(None, &part).await?.events.pop() else { return Ok(None) };
    let entry = Entry::read(&logged.event.public);
    Ok(entry.map(|entry| Cause { event: logged.event, entry }))
}

/// Returns true if an account is told about an owner's tokens now.
async fn is_told(read: &Read, owner: Owner, account: AccountId) -> Result<bool, AuthorityError> {
    if let Owner::Org(org) = owner
        && read.find_org(org).await?.is_none_or(|org| org.deleted_at.is_some())
    {
        return Ok(false);
    }
    Ok(people(read, owner).await?.contains(&account))
}

fn all_revoked(change: &Change) -> bool {
    matches!(change, Change::AccountTokensRevoked { .. } | Change::OrgTokensRevoked { .. })
}

async fn everything(
    read: &Read,
    to: &Account,
    cause: &Cause,
) -> Result<Option<NoticeContent>, AuthorityError> {
    let by = cause.by(read).await?;
    Ok(match cause.entry.change {
        Change::AccountTokensRevoked { not_before, reason, .. } => {
            Some(NoticeContent::AllRevoked { org: None, by, reason, not_before })
        }
        Change::OrgTokensRevoked { org, not_before, reason } => {
            let org = read.find_org(org).await?.filter(|org| org.deleted_at.is_none());
            let members = match &org {
                Some(org) => read.list_memberships(to.id).await?.iter().any(|in_it| in_it.org.id == org.id),
                None => false,
            };
            org.filter(|_| members).map(|org| NoticeContent::AllRevoked {
                org: Some(org.slug),
                by,
                reason,
                not_before,
            })
        }
        _ => None,
    })
}

async fn sign_in(
    read: &Read,
    notice: &Notice,
    cause: &Cause,
) -> Result<Option<NoticeContent>, AuthorityError> {
    let session = SessionId::from_uuid(notice.subject);
    // The janitor removes sessions that ended. The event says what there is to say.
    let device = match cause.personal("device") {
        Some(device) => Some(device),
        None => read.find_session(session).await?.and_then(|known| known.device).map(|of| of.to_string()),
    };
    let by = match cause.entry.actor {
        Actor::Session { .. } => None,
        _ => Some(cause.by(read).await?),
    };
    Ok(Some(NoticeContent::SignIn { device, address: cause.personal(ADDRESS), by }))
}

async fn offer(read: &Read, to: &Account, cause: &Cause) -> Result<Option<NoticeContent>, AuthorityError> {
    let Change::MemberOffered { offer, .. } = cause.entry.change else { return Ok(None) };
    let offers = read.list_offers_to(to).await?;
    let Some(offer) = offers.into_iter().find(|known| known.id == offer) else {
        return Ok(None);
    };
    let Some(org) = read.find_org(offer.org).await?.filter(|org| org.deleted_at.is_none()) else {
        return Ok(None);
    };
    let by = cause.by(read).await?;
    let (role, ends_at) = (offer.role, offer.ends_at);
    Ok(Some(NoticeContent::Offer { org: org.slug, role, by, ends_at }))
}
