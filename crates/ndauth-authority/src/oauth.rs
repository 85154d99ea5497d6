//! How programs get a session by a code that a browser brings them (RFC 6749, section 4.1, with RFC 7636), and how they
//! keep it.

use std::net::IpAddr;
use std::time::Duration;

use ndauth_core::{
    Account, Actor, Challenge, Expiry, Label, OneTime, Secret, SecretKind, Session, SessionId, Timestamp,
};
use ndauth_store::{Family, FoundSecret, Ticket, TicketKind, Write};
use rand::rngs::SysRng;
use serde::{Deserialize, Serialize};

use crate::access::Operation;
use crate::authority::retried;
use crate::sessions::{Granted, Visit, Visitor};
use crate::throttle::Tried;
use crate::{Authority, AuthorityError};

/// What a client asks a person's browser for.
#[derive(Clone, Debug)]
pub struct CodeAsked {
    /// Where the code is to be brought.
    pub redirect_uri: String,
    /// Of what only the client knows.
    pub challenge: Challenge,
    /// On what it runs, as it says.
    pub device: Option<Label>,
    /// From where it asks.
    pub from: Option<IpAddr>,
}

/// Why a client is given nothing (RFC 6749, section 5.2; RFC 8628, section 3.5; RFC 8693, section 2.2.2).
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// What it presented does not serve.
    #[error("{0}")]
    InvalidGrant(&'static str),
    /// Nobody has decided yet.
    #[error("nobody has let the device in yet")]
    Pending,
    /// It asks too often.
    #[error("asked too often: wait longer between two questions")]
    SlowDown,
    /// Its person said no.
    #[error("the person did not let it in")]
    Denied,
    /// Nobody decided in time.
    #[error("nobody let the device in while its code lasted")]
    Expired,
    /// There is no such scope.
    #[error("{0}")]
    InvalidScope(String),
    /// Its person has no part in the org.
    #[error("{0}")]
    InvalidTarget(String),
    /// Devices are not let in by codes here.
    #[error("devices are not let in by codes here")]
    NotOffered,
    /// It was refused for another reason, or could not be decided.
    #[error(transparent)]
    Failed(#[from] AuthorityError),
}

impl GrantError {
    /// The error, as the RFCs name it.
    pub fn code(&self) -> &'static str {
        match self {
            GrantError::InvalidGrant(_) => "invalid_grant",
            GrantError::Pending => "authorization_pending",
            GrantError::SlowDown => "slow_down",
            GrantError::Denied => "access_denied",
            GrantError::Expired => "expired_token",
            GrantError::InvalidScope(_) => "invalid_scope",
            GrantError::InvalidTarget(_) => "invalid_target",
            GrantError::NotOffered => "unauthorized_client",
            GrantError::Failed(AuthorityError::TooManyTries { .. }) => "slow_down",
            GrantError::Failed(error) => match error.reason().class() {
                ndauth_core::Class::NotAuthenticated => "invalid_grant",
                ndauth_core::Class::NotPermitted => "access_denied",
                ndauth_core::Class::Undecided => "temporarily_unavailable",
                _ => "server_error",
            },
        }
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

/// What is kept of a code.
#[derive(Serialize, Deserialize)]
struct Code {
    redirect_uri: String,
    challenge: String,
    device: Option<String>,
    address: Option<IpAddr>,
    proved_at: Option<Timestamp>,
    /// What it was redeemed for.
    session: Option<SessionId>,
}

/// How long a code lasts.
const CODE: Duration = Duration::from_secs(60);
/// How many codes of one person may wait.
const MOST_CODES: u64 = 20;
/// A secret that refreshes may be presented once more within this time, while the one it was changed for is unused.
const REPLAY: Duration = Duration::from_secs(30);

const UNKNOWN_CODE: GrantError = GrantError::InvalidGrant("the code is not known, or is too old");
const UNKNOWN_REFRESH: GrantError = GrantError::InvalidGrant("the login is not known here, or was long ago");
const ENDED: GrantError = GrantError::InvalidGrant("the session has ended");

impl Authority {
    /// Gives a client a code, for the person whose browser this is: they were asked.
    pub async fn grant_code(
        &self,
        cookie: &Secret,
        visitor: &Visitor,
        asked: &CodeAsked,
    ) -> Result<OneTime, AuthorityError> {
        let Visit { account, session, .. } = self.visit(cookie, visitor).await?;
        retried(|| async {
            let (write, session) = self.write_for(&session, Operation::Authorize, "grant_code").await?;
            if write.count_tickets(TicketKind::Code, Some(account.id)).await? >= MOST_CODES {
                return Err(AuthorityError::TooManyTries { after: CODE });
            }
            let code = OneTime::mint(&mut SysRng)?;
            let details = Code {
                redirect_uri: asked.redirect_uri.clone(),
                challenge: asked.challenge.to_string(),
                device: asked.device.as_ref().map(ToString::to_string),
                address: asked.from,
                proved_at: session.proved_at,
                session: None,
            };
            let ticket = ticket(&write, &code, TicketKind::Code, CODE, &details);
            write.insert_ticket(&Ticket { account: Some(account.id), ..ticket }).await?;
            write.commit_observed().await?;
            Ok(code)
        })
        .await
    }

    /// Gives a client a session for a code, once: if it is who asked for it. A second time ends that session.
    pub async fn redeem_code(
        &self,
        code: &str,
        redirect_uri: &str,
        verifier: &str,
        visitor: &Visitor,
    ) -> Result<Granted, GrantError> {
        granted(|| async {
            let hash = OneTime::hash_of(code);
            let read = self.store.read().await?;
            self.standing.admit(Operation::IssueTokens, read.installation())?;
            let found = read.find_ticket(&hash).await?.filter(|found| found.kind == TicketKind::Code);
            let ticket = found.ok_or(UNKNOWN_CODE)?;
            let mut details: Code = read_details(&ticket)?;
            drop(read);
            let challenge = details.challenge.parse::<Challenge>().ok();
            if details.redirect_uri != redirect_uri {
                return Err(GrantError::InvalidGrant(
                    "the redirect URI is not the one the code was asked for with",
                ));
            }
            if Challenge::of(verifier).is_none_or(|proof| Some(proof) != challenge) {
                return Err(GrantError::InvalidGrant("the verifier does not fit the challenge"));
            }
            let account = ticket.account.ok_or(UNKNOWN_CODE)?;
            let write = self.store.write("redeem_code").await?;
            let account = live_account(write.lock_account(account).await?)?;
            // As it is now that nobody else redeems it.
            let ticket = write.find_ticket(&hash).await?.ok_or(UNKNOWN_CODE)?;
            if ticket.used_at.is_some() {
                let before: Code = read_details(&ticket)?;
                if let Some(id) = before.session
                    && let Some(session) = write.find_session(id).await?
                {
                    let actor = Actor::Session { account: account.id, session: id };
                    self.end(write, actor, &session, true).await?;
                }
                return Err(GrantError::InvalidGrant("the code was redeemed before"));
            }
            let device = details.device.as_ref().and_then(|device| device.parse().ok());
            let visitor = Visitor { device: device.or(visitor.device.clone()), ..visitor.clone() };
            let mut session = self.new_session(account.id, &visitor, write.now())?;
            session.proved_at = details.proved_at;
            details.session = Some(session.id);
            if !write.use_ticket(&Ticket { details: written(&details), ..ticket }).await? {
                return Err(UNKNOWN_CODE);
            }
            write.insert_session(&session).await?;
            let granted = self.grant(&write, &session).await?;
            self.begin_session(write, &session).await?;
            Ok(granted)
        })
        .await
    }

    /// Gives a session new secrets for the one that refreshes it, which works no more.
    ///
    /// Whoever presents it again has copied it, or is who had it copied: the session ends. But an answer may have been
    /// lost: within 30 s, while what it was changed for is unused, it is changed once more.
    pub async fn refresh(&self, secret: &str) -> Result<Granted, GrantError> {
        let secret: Secret = secret.parse().map_err(|_| UNKNOWN_REFRESH)?;
        if secret.kind() != SecretKind::Refresh {
            return Err(UNKNOWN_REFRESH);
        }
        granted(|| async {
            let read = self.store.read().await?;
            self.standing.admit(Operation::IssueTokens, read.installation())?;
            let found = read.find_secret(&secret.hash()).await?.ok_or(UNKNOWN_REFRESH)?;
            let Family::Session(id) = found.family else { return Err(UNKNOWN_REFRESH) };
            let session = read.find_session(id).await?.ok_or(UNKNOWN_REFRESH)?;
            drop(read);
            let write = self.store.write("refresh_session").await?;
            let account = live_account(write.lock_account(session.account).await?)?;
            let now = write.now();
            let session = live_session(write.lock_session(id).await?, now)?;
            let secrets = write.list_secrets(Family::Session(id)).await?;
            let found =
                secrets.iter().find(|known| known.record.id == found.record.id).ok_or(UNKNOWN_REFRESH)?;
            found.record.judge_minting(write.installation().not_before).map_err(AuthorityError::from)?;
            if found.record.ends_at.is_past(now) && !may_replay(found, &secrets, now) {
                let actor = Actor::Session { account: account.id, session: id };
                self.end(write, actor, &session, true).await?;
                metrics::counter!("ndauth_refresh_secrets_reused_total").increment(1);
                return Err(GrantError::InvalidGrant(
                    "it was used before, and the session is ended: somebody may have copied it",
                ));
            }
            // Not sooner: what was used before is always noticed.
            self.throttle.take(&[Tried::Refresh(id)], now)?;
            if found.record.confirmed_at.is_none() {
                write.use_refresh(found.record.id).await?;
            }
            // What serves still serves nobody who has the new ones.
            write.end_session_secrets(id).await?;
            write.forget_session_secrets(id).await?;
            write.extend_session(id, self.idle_until(&session, now)).await?;
            let granted = self.grant(&write, &session).await?;
            write.commit_observed().await?;
            Ok(granted)
        })
        .await
    }

    /// Ends the session that a secret is of (RFC 7009). What is not known needs no end.
    pub async fn revoke_login(&self, text: &str) -> Result<(), AuthorityError> {
        let Ok(secret) = text.parse::<Secret>() else { return Ok(()) };
        match secret.kind() {
            SecretKind::Session | SecretKind::Refresh => retried(|| self.end_by_secret(&secret)).await,
            SecretKind::Personal | SecretKind::Org | SecretKind::Service | SecretKind::Access => Ok(()),
        }
    }
}

/// Whether a secret that refreshes and was used may be once more: the answer may have been lost.
fn may_replay(found: &FoundSecret, secrets: &[FoundSecret], now: Timestamp) -> bool {
    let (Some(used_at), Expiry::At(ended)) = (found.record.confirmed_at, found.record.ends_at) else {
        // It was never used, and something else took its place.
        return false;
    };
    let others = || {
        let refreshing = |other: &&FoundSecret| other.record.prefix.kind() == SecretKind::Refresh;
        secrets.iter().filter(refreshing).filter(|other| other.record.id != found.record.id)
    };
    let last_used = others().filter_map(|other| other.record.confirmed_at).all(|at| at < used_at);
    now.since(ended) <= REPLAY && last_used
}

/// See [`retried`].
pub(crate) async fn granted<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, GrantError>
where
    F: Future<Output = Result<T, GrantError>>,
{
    let mut tries = 1;
    loop {
        match attempt().await {
            Err(GrantError::Failed(AuthorityError::Store(error)))
                if error.is_conflict() && tries < crate::authority::TRIES =>
            {
                tries += 1;
            }
            outcome => return outcome,
        }
    }
}

pub(crate) fn live_account(account: Option<Account>) -> Result<Account, GrantError> {
    match account {
        Some(account) if account.disabled_at.is_none() => Ok(account),
        Some(_) => Err(GrantError::InvalidGrant("the account is disabled")),
        None => Err(ENDED),
    }
}

/// A session that is there, for who derives from it.
pub(crate) fn live_session(session: Option<Session>, now: Timestamp) -> Result<Session, GrantError> {
    session.filter(|session| session.is_live(now)).ok_or(ENDED)
}

pub(crate) fn ticket(
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

pub(crate) fn written(details: &impl Serialize) -> String {
    serde_json::to_string(details).expect("it is plain data")
}

pub(crate) fn read_details<T: for<'a> Deserialize<'a>>(ticket: &Ticket) -> Result<T, AuthorityError> {
    serde_json::from_str(&ticket.details).map_err(|_| {
        let id = hex::encode(&ticket.hash.bytes()[..6]);
        ndauth_store::StoreError::Corrupt { table: "ticket", column: "details", id }.into()
    })
}
