//! Authorization codes and refresh. A program exchanges the code that a browser brings it for a session (RFC
//! 6749, section 4.1, with RFC 7636), and refreshes that session.

use std::net::IpAddr;
use std::time::Duration;

use ndauth_core::{
    Account, Actor, Challenge, DisplayName, Expiry, OneTime, Personal, Secret, SecretKind, Session,
    SessionId, Timestamp,
};
use ndauth_store::{Family, FoundSecret, Ticket, TicketKind, Write};
use rand::rngs::SysRng;
use serde::{Deserialize, Serialize};

use super::sessions::{EndedBy, Granted, Visitor, end};
use crate::access::Operation;
use crate::change::{CallerlessChange, ChangeError, Done, change_without_caller};
use crate::throttle::Tried;
use crate::{AuthorityError, LoginWing, Visit};

/// A client's request for an authorization code.
#[derive(Clone, Debug)]
pub struct CodeRequest {
    /// The URI that the code is sent to.
    pub redirect_uri: String,
    /// The challenge whose verifier only the client knows.
    pub challenge: Challenge,
    /// The device that the client runs on, as it states.
    pub device: Option<DisplayName>,
    /// The address that the request came from, if known.
    pub from: Option<IpAddr>,
}

/// The refusal of a request for a session or token (RFC 6749, section 5.2; RFC 8628, section 3.5; RFC 8693,
/// section 2.2.2).
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// The code or secret that the client presented is not valid.
    #[error("{0}")]
    InvalidGrant(&'static str),
    /// Nobody has decided yet.
    #[error("the device is not authorized yet")]
    Pending,
    /// The client polls too often.
    #[error("asked too often: wait longer between requests")]
    SlowDown,
    /// The person refused.
    #[error("the person denied it")]
    Denied,
    /// Nobody decided before the code expired.
    #[error("the device was not authorized before its code expired")]
    Expired,
    /// The scope is not known.
    #[error("{0}")]
    InvalidScope(String),
    /// The person is not a member of the org, or the org is frozen.
    #[error("{0}")]
    InvalidTarget(String),
    /// The device flow is turned off.
    #[error("this server does not authorize devices by code")]
    NotOffered,
    /// The request was refused for another reason, or could not be decided.
    #[error(transparent)]
    Failed(#[from] AuthorityError),
}

impl ChangeError for GrantError {
    fn is_conflict(&self) -> bool {
        matches!(self, GrantError::Failed(error) if error.is_conflict())
    }
}

impl From<ndauth_store::StoreError> for GrantError {
    fn from(error: ndauth_store::StoreError) -> GrantError {
        AuthorityError::from(error).into()
    }
}

impl From<rand::rngs::SysError> for GrantError {
    fn from(error: rand::rngs::SysError) -> GrantError {
        AuthorityError::from(error).into()
    }
}

/// The stored details of a code.
#[derive(Clone, Serialize, Deserialize)]
struct Code {
    redirect_uri: String,
    challenge: String,
    device: Option<String>,
    address: Option<IpAddr>,
    proved_at: Option<Timestamp>,
    /// The browser's session that granted the code. Once it ended, the code is void.
    granted_by: SessionId,
    /// The session that the code was redeemed for.
    session: Option<SessionId>,
}

/// The lifetime of a code.
const CODE: Duration = Duration::from_secs(60);
/// The most unused codes of one account at a time.
const MOST_CODES: u64 = 20;
/// The time within which a refresh secret may be presented again, while the secrets that replaced it are
/// unused.
const REPLAY: Duration = Duration::from_secs(30);

const UNKNOWN_CODE: GrantError = GrantError::InvalidGrant("the code is not known, or is too old");
const UNKNOWN_REFRESH: GrantError = GrantError::InvalidGrant("the login is unknown, or too old");
pub(super) const ENDED: GrantError = GrantError::InvalidGrant("the session has ended");
const REUSED: GrantError =
    GrantError::InvalidGrant("it was used before, so the session was ended: somebody may have copied it");

impl LoginWing<'_> {
    /// Issues a code to a client, for the account of a browser's session. The caller has obtained the
    /// person's consent.
    pub async fn grant_code(
        self,
        cookie: &Secret,
        visitor: &Visitor,
        asked: &CodeRequest,
    ) -> Result<OneTime, AuthorityError> {
        let Visit { account, session, .. } = self.visit(cookie, visitor).await?;
        let (id, session) = (account.id, session.id);
        let granted = change_without_caller(self.0, Operation::Authorize, |callerless| async move {
            callerless.account(id).await?;
            let session = callerless.session(session).await?.ok_or(AuthorityError::SessionExpired)?;
            if callerless.count_tickets(TicketKind::Code, Some(id)).await? >= MOST_CODES {
                return Err(AuthorityError::TooManyTries { after: CODE });
            }
            let code = OneTime::mint(&mut SysRng)?;
            let details = Code {
                redirect_uri: asked.redirect_uri.clone(),
                challenge: asked.challenge.to_string(),
                device: asked.device.as_ref().map(ToString::to_string),
                address: asked.from,
                proved_at: session.proved_at,
                granted_by: session.id,
                session: None,
            };
            let ticket = ticket(&callerless, &code, TicketKind::Code, CODE, &details);
            callerless.insert_ticket(&Ticket { account: Some(id), ..ticket }).await?;
            Ok(callerless.observed(code))
        });
        granted.await.map(|done| done.value)
    }

    /// Exchanges a code for a session, once, if the client is the one that requested it. Redeeming the code
    /// again ends that session.
    pub async fn redeem_code(
        self,
        code: &str,
        redirect_uri: &str,
        verifier: &str,
        visitor: &Visitor,
    ) -> Result<Granted, GrantError> {
        let hash = &OneTime::hash_of(code);
        let read = self.0.store.read().await?;
        self.0.standing.admit(Operation::IssueTokens, read.installation())?;
        let found = read.find_ticket(hash).await?.filter(|found| found.kind == TicketKind::Code);
        let ticket = found.ok_or(UNKNOWN_CODE)?;
        let details: &Code = &read_details(&ticket)?;
        let now = read.now();
        drop(read);
        details.prove(redirect_uri, verifier)?;
        let account = ticket.account.ok_or(UNKNOWN_CODE)?;
        if ticket.used_at.is_none() {
            self.0.throttle.take(&[Tried::Login(account)], now)?;
        }
        let redeemed = change_without_caller(self.0, Operation::IssueTokens, |callerless| async move {
            let account = live_account(callerless.account(account).await?)?;
            // Read again now that the account is locked and nobody else redeems it.
            let ticket = callerless.find_ticket(hash).await?.ok_or(UNKNOWN_CODE)?;
            if ticket.used_at.is_some() {
                return redeemed_again(callerless, &ticket).await;
            }
            callerless.session(details.granted_by).await?.ok_or(ENDED)?;
            let device = details.device.as_ref().and_then(|device| device.parse().ok());
            let visitor = Visitor { device: device.or(visitor.device.clone()), ..visitor.clone() };
            let mut session = self.new_session(account.id, &visitor, callerless.now())?;
            session.proved_at = details.proved_at;
            let kept = written(&Code { session: Some(session.id), ..details.clone() });
            if !callerless.use_ticket(&Ticket { details: kept, ..ticket }).await? {
                return Err(UNKNOWN_CODE);
            }
            callerless.insert_session(&session).await?;
            let granted = self.grant(&callerless, &session).await?;
            Ok::<_, GrantError>(self.begin_session(callerless, &session, Ok(granted)).await?)
        });
        redeemed.await?.value
    }

    /// Exchanges a refresh secret for new secrets of its session. The old one then stops working.
    ///
    /// A refresh secret that is presented again has been copied, so the session ends. There is one exception,
    /// because a response may have been lost: within 30 s, while the secrets of that response are unused, it
    /// may be exchanged again.
    pub async fn refresh(self, secret: &str) -> Result<Granted, GrantError> {
        let secret: Secret = secret.parse().map_err(|_| UNKNOWN_REFRESH)?;
        if secret.kind() != SecretKind::Refresh {
            return Err(UNKNOWN_REFRESH);
        }
        let read = self.0.store.read().await?;
        self.0.standing.admit(Operation::IssueTokens, read.installation())?;
        let presented = read.find_secret(&secret.hash()).await?.ok_or(UNKNOWN_REFRESH)?;
        let Family::Session(id) = presented.family else { return Err(UNKNOWN_REFRESH) };
        let account = read.find_session(id).await?.ok_or(UNKNOWN_REFRESH)?.account;
        let (secrets, now) = (read.list_secrets(Family::Session(id)).await?, read.now());
        drop(read);
        if !self.is_reuse(&presented, &secrets, now) {
            // Reuse is always detected, so it is not throttled.
            self.0.throttle.take(&[Tried::Refresh(id)], now)?;
        }
        let presented = presented.record.id;
        let refreshed = change_without_caller(self.0, Operation::IssueTokens, |callerless| async move {
            live_account(callerless.account(account).await?)?;
            let now = callerless.now();
            let session = callerless.session(id).await?.ok_or(ENDED)?;
            let secrets = callerless.list_secrets(Family::Session(id)).await?;
            let found = secrets.iter().find(|known| known.record.id == presented).ok_or(UNKNOWN_REFRESH)?;
            let not_before = callerless.installation().not_before;
            if found.record.judge_minting(not_before).is_err() {
                return Err(AuthorityError::SessionRevoked(not_before).into());
            }
            if self.is_reuse(found, &secrets, now) {
                return end_reused(callerless, &session, REUSED).await;
            }
            if found.record.confirmed_at.is_none() {
                callerless.mark_refresh_used(presented).await?;
            }
            // The previous secrets end, because the client has the new ones.
            callerless.end_session_secrets(id).await?;
            callerless.remove_old_session_secrets(id).await?;
            callerless.extend_session(id, self.idle_until(&session, now)).await?;
            let granted = self.grant(&callerless, &session).await?;
            Ok::<_, GrantError>(callerless.observed(Ok(granted)))
        });
        let refreshed = refreshed.await?.value;
        if refreshed.is_err() {
            metrics::counter!("ndauth_refresh_secrets_reused_total").increment(1);
        }
        refreshed
    }

    /// Returns true if a refresh secret was used before and may not be exchanged again.
    fn is_reuse(self, found: &FoundSecret, secrets: &[FoundSecret], now: Timestamp) -> bool {
        found.record.ends_at.is_past(now) && !self.may_replay(found, secrets, now)
    }

    /// Returns true if a used refresh secret may be exchanged again. Its response may have been lost, because
    /// no secret of that response was used.
    fn may_replay(self, found: &FoundSecret, secrets: &[FoundSecret], now: Timestamp) -> bool {
        let (Some(used_at), Expiry::At(ended)) = (found.record.confirmed_at, found.record.ends_at) else {
            // It was never used, but other secrets replaced it.
            return false;
        };
        let arrived = |other: &FoundSecret| match other.record.prefix.kind() {
            SecretKind::Refresh => other.record.confirmed_at.is_some_and(|at| at >= used_at),
            _ => {
                let last_use = self.0.uses.latest(other.record.id, other.last_use);
                // The secrets of earlier responses are refused here, because the later response ended them.
                other.record.judge(now).is_ok() && last_use.is_some()
            }
        };
        let mut others = secrets.iter().filter(|other| other.record.id != found.record.id);
        now.since(ended) <= REPLAY && !others.any(arrived)
    }
}

impl Code {
    /// Refuses a client that is not the one that requested the code.
    fn prove(&self, redirect_uri: &str, verifier: &str) -> Result<(), GrantError> {
        if self.redirect_uri != redirect_uri {
            return Err(GrantError::InvalidGrant(
                "the redirect URI is not the one that the code was requested with",
            ));
        }
        let challenge = self.challenge.parse::<Challenge>().ok();
        if Challenge::of(verifier).is_none_or(|proof| Some(proof) != challenge) {
            return Err(GrantError::InvalidGrant("the verifier does not match the challenge"));
        }
        Ok(())
    }
}

/// Ends the session that a code was redeemed for before.
async fn redeemed_again<T>(
    callerless: CallerlessChange,
    ticket: &Ticket,
) -> Result<Done<Result<T, GrantError>>, GrantError> {
    const AGAIN: GrantError = GrantError::InvalidGrant("the code was redeemed before");
    let before: Code = read_details(ticket)?;
    let Some(id) = before.session else { return Err(AGAIN) };
    let Some(session) = callerless.find_session(id).await? else { return Err(AGAIN) };
    end_reused(callerless, &session, AGAIN).await
}

/// Ends a session whose code or secret was presented twice, and returns `why` to the client.
async fn end_reused<T>(
    callerless: CallerlessChange,
    session: &Session,
    why: GrantError,
) -> Result<Done<Result<T, GrantError>>, GrantError> {
    let actor = Actor::Session { account: session.account, session: session.id };
    Ok(match end(&callerless, session, EndedBy::Reuse).await? {
        Some(change) => callerless.done(actor, change, Personal::new(), Err(why)),
        None => callerless.unchanged(Err(why)),
    })
}

pub(super) fn live_account(account: Option<Account>) -> Result<Account, GrantError> {
    match account {
        Some(account) if account.disabled_at.is_none() => Ok(account),
        Some(_) => Err(GrantError::InvalidGrant("the account is disabled")),
        None => Err(ENDED),
    }
}

pub(super) fn ticket(
    write: &Write,
    code: &OneTime,
    kind: TicketKind,
    lasts: Duration,
    details: &impl Serialize,
) -> Ticket {
    Ticket {
        hash: OneTime::hash_of(code.expose()),
        kind,
        user_code: None,
        account: None,
        details: written(details),
        created_at: write.now(),
        expires_at: write.now().checked_add(lasts).unwrap_or(Timestamp::MAX),
        used_at: None,
    }
}

pub(super) fn written(details: &impl Serialize) -> String {
    serde_json::to_string(details).expect("it is plain data")
}

pub(super) fn read_details<T: for<'a> Deserialize<'a>>(ticket: &Ticket) -> Result<T, AuthorityError> {
    serde_json::from_str(&ticket.details).map_err(|_| {
        let id = hex::encode(&ticket.hash.bytes()[..6]);
        ndauth_store::StoreError::Corrupt { table: "ticket", column: "details", id }.into()
    })
}
