//! Sessions: begun by a login, kept alive by use, listed and ended by their person.

use std::net::IpAddr;
use std::time::Duration;

use ndauth_core::{
    AccountId, Actor, Change, DisplayName, Expiry, Handle, Lifetime, Personal, RevocationReason, Secret,
    SecretId, SecretKind, SecretPrefix, SecretRecord, Session, SessionId, Timestamp,
};
use ndauth_store::{Family, Read, SeenSession, StoreError, Write};
use rand::rngs::SysRng;

use crate::access::{Operation, Whose};
use crate::change::{CallerlessChange, Changed, Done, change, change_without_caller};
use crate::{AsOf, AuthorityError, Caller, Credential, LoginWing, OpenVisit, Visit};

/// A caller without a credential.
#[derive(Clone, Debug, Default)]
pub struct Visitor {
    /// The caller's address, if known.
    pub address: Option<IpAddr>,
    /// The caller's device, for people.
    pub device: Option<DisplayName>,
}

/// The cause of a session's end.
#[derive(Clone, Copy, Debug)]
pub(super) enum EndedBy {
    /// Its person ended it.
    Person,
    /// Its refresh secret or its code was used twice.
    Reuse,
    /// Somebody presented one of its secrets to end it, for this reason.
    Presentation(RevocationReason),
}

/// A session of the caller's account.
#[derive(Debug)]
pub struct MySession {
    /// The session.
    pub session: Session,
    /// The first characters of its newest secret.
    pub prefix: SecretPrefix,
    /// The instant of its last use, as far as it is known.
    pub last_seen_at: Option<Timestamp>,
    /// True if it is the caller's own session.
    pub current: bool,
}

/// The sessions of an account to end.
#[derive(Clone, Copy, Debug)]
pub enum WhichSessions {
    /// A session by its id.
    One(SessionId),
    /// All of them, including the caller's own.
    All,
}

/// The secrets of a session that can be refreshed, returned here and never again.
#[derive(Debug)]
pub struct Granted {
    /// The secret that the client presents: `ndses_`.
    pub access: Secret,
    /// The refresh secret: `ndref_`.
    pub refresh: Secret,
    /// The lifetime of the first.
    pub lasts: Duration,
}

/// The lifetime of a session's secret, before it must be refreshed.
const ACCESS: Duration = Duration::from_secs(15 * 60);
/// The least time between two extensions of a browser's session.
const SEEN: Duration = Duration::from_secs(60);

impl LoginWing<'_> {
    /// Returns a session of an account that begins now.
    pub(super) fn new_session(
        self,
        account: AccountId,
        visitor: &Visitor,
        now: Timestamp,
    ) -> Result<Session, AuthorityError> {
        Ok(Session {
            id: SessionId::new(now, &mut SysRng)?,
            account,
            created_at: now,
            expires_at: Lifetime::For(self.0.login_settings.idle.min(self.0.login_settings.longest))
                .expiry(now),
            ends_at: Lifetime::For(self.0.login_settings.longest).expiry(now),
            revoked_at: None,
            proved_at: None,
            device: visitor.device.clone(),
            address: visitor.address,
            browser: false,
        })
    }

    /// Ends a change that begins a session, with its event.
    pub(super) async fn begin_session<T>(
        self,
        callerless: CallerlessChange,
        session: &Session,
        value: T,
    ) -> Result<Done<T>, AuthorityError> {
        // The login is dated by its proof. A code has that of the browser's session, and a device's code has
        // none.
        if let Some(proved_at) = session.proved_at {
            callerless.set_logged_in(session.account, proved_at).await?;
        }
        let actor = Actor::Session { account: session.account, session: session.id };
        let change = Change::SessionIssued { account: session.account, session: session.id };
        let device = session.device.as_ref().map(|device| ("device", device.to_string()));
        let address = session.address.map(|address| ("address", address.to_string()));
        let personal: Personal = device.into_iter().chain(address).collect();
        Ok(callerless.done(actor, change, personal, value))
    }

    /// Draws the first or the next secrets of a session that can be refreshed.
    pub(super) async fn grant(self, write: &Write, session: &Session) -> Result<Granted, AuthorityError> {
        let now = write.now();
        let access_ends = Lifetime::For(ACCESS).expiry(now).min(session.ends_at);
        let access = draw_for(write, session.id, SecretKind::Session, Some(now), access_ends).await?;
        let refresh = draw_for(write, session.id, SecretKind::Refresh, None, session.ends_at).await?;
        Ok(Granted { access, refresh, lasts: access_ends.left(now).unwrap_or(ACCESS) })
    }

    /// Returns the new end of a session that is used now.
    pub(super) fn idle_until(self, session: &Session, now: Timestamp) -> Expiry {
        Lifetime::For(self.0.login_settings.idle).expiry(now).min(session.ends_at)
    }

    /// Returns the account and the session of a browser's cookie, and keeps the session alive.
    pub async fn visit(self, cookie: &Secret, visitor: &Visitor) -> Result<Visit, AuthorityError> {
        Ok(self.open_visit(cookie, visitor).await?.close())
    }

    /// Like [`visit`](LoginWing::visit), and returns the view too, in which a page asks all its questions.
    pub async fn open_visit(self, cookie: &Secret, visitor: &Visitor) -> Result<OpenVisit, AuthorityError> {
        let visit = self.identify_browser(cookie, visitor).await?;
        let until = self.idle_until(&visit.session, visit.now);
        let stale = match (until, visit.session.expires_at) {
            (Expiry::At(until), Expiry::At(end)) => until.since(end) > SEEN,
            _ => false,
        };
        if !stale {
            return Ok(visit);
        }
        // A change needs a connection of its own, so the view gives its own back first.
        let id = visit.close().session.id;
        change_without_caller(self.0, Operation::SignIn, |callerless| async move {
            // It may have ended since.
            if callerless.session(id).await?.is_some() {
                callerless.extend_session(id, until).await?;
            }
            Ok::<_, AuthorityError>(callerless.observed(()))
        })
        .await?;
        self.identify_browser(cookie, visitor).await
    }

    async fn identify_browser(self, cookie: &Secret, visitor: &Visitor) -> Result<OpenVisit, AuthorityError> {
        let from = visitor.address;
        let credential = Credential::Cookie { secret: cookie.clone(), from };
        let (read, by) = self.0.read_as(&credential, Operation::SignIn, &Whose::Mine).await?;
        let now = read.now();
        match by.caller {
            Caller::Session { account, session, prefix, secret, .. } => {
                let visit = Visit { account, session, now };
                Ok(OpenVisit::new(visit, (cookie.clone(), from), (prefix, secret), read))
            }
            Caller::Console | Caller::Token { .. } | Caller::Service { .. } => Err(by.refused()),
        }
    }

    /// Returns the handle of the account that a browser's cookie is of, even if its session has ended.
    pub async fn handle_of_cookie(self, cookie: &Secret) -> Result<Option<Handle>, AuthorityError> {
        let read = self.0.store.read().await?;
        let Some(session) = find_session_of(&read, cookie).await? else { return Ok(None) };
        Ok(read.find_account(session.account).await?.map(|account| account.handle))
    }

    /// Ends the session of a browser's cookie, if it lives.
    pub async fn sign_out_here(self, cookie: &Secret) -> Result<(), AuthorityError> {
        let read = self.0.store.read().await?;
        let Some(session) = find_session_of(&read, cookie).await? else { return Ok(()) };
        drop(read);
        self.end_session(&session, EndedBy::Person, Operation::RevokeShown).await.map(drop)
    }

    /// Ends a session, if it is live. Returns false if it had ended before.
    pub(super) async fn end_session(
        self,
        session: &Session,
        by: EndedBy,
        operation: Operation,
    ) -> Result<bool, AuthorityError> {
        if session.revoked_at.is_some() {
            return Ok(false);
        }
        let actor = Actor::Session { account: session.account, session: session.id };
        let done = change_without_caller(self.0, operation, |callerless| async move {
            Ok::<_, AuthorityError>(match end(&callerless, session, by).await? {
                Some(change) => callerless.done(actor, change, Personal::new(), ()),
                None => callerless.unchanged(()),
            })
        });
        Ok(done.await?.changed)
    }

    /// Lists the sessions of the caller's account that have not ended, oldest first.
    pub async fn list_my_sessions(self, credential: &Credential) -> Result<AsOf<MySession>, AuthorityError> {
        let (read, by) = self.0.read_as(credential, Operation::ListSessions, &Whose::Mine).await?;
        let (account, own) = by.session().map(|(account, session)| (account.id, session.id))?;
        let mut rows = Vec::new();
        let sessions = read.list_live_sessions(account).await?;
        let mut of_sessions = read.secrets_of_sessions(sessions.iter().map(|seen| seen.session.id)).await?;
        for SeenSession { session, last_seen_at } in sessions {
            let secrets = of_sessions.remove(&session.id).unwrap_or_default();
            let of_access = secrets.iter().rfind(|found| found.record.prefix.kind() == SecretKind::Session);
            let Some(newest) = of_access.or(secrets.last()) else { continue };
            let used = secrets
                .iter()
                .filter_map(|found| self.0.uses.latest(found.record.id, found.last_use).map(|last| last.at));
            let current = session.id == own;
            let now = current.then(|| read.now());
            rows.push(MySession {
                prefix: newest.record.prefix,
                last_seen_at: used.chain(last_seen_at).chain(now).max(),
                current,
                session,
            });
        }
        Ok(AsOf { rows, not_before: read.installation().not_before, now: read.now() })
    }

    /// Ends sessions of the caller's account. Returns the number of them.
    pub async fn revoke_sessions(
        self,
        credential: &Credential,
        which: &WhichSessions,
    ) -> Result<Changed<u64>, AuthorityError> {
        change(self.0, credential, Operation::RevokeSessions, &Whose::Mine, |changing| async move {
            let account = changing.by.session()?.0.id;
            let (change, ended) = match which {
                WhichSessions::All => {
                    let ended = changing.end_sessions(account).await?;
                    (Some(Change::AccountSignedOut { account }), ended)
                }
                WhichSessions::One(id) => {
                    let session = changing.find_session(*id).await?;
                    let session = session.filter(|session| session.account == account);
                    let session = session.ok_or_else(|| AuthorityError::none("session", id))?;
                    let change = end(&changing, &session, EndedBy::Person).await?;
                    let ended = u64::from(change.is_some());
                    (change, ended)
                }
            };
            Ok(match change {
                Some(change) => changing.done(change, Personal::new(), ended),
                None => changing.unchanged(ended),
            })
        })
        .await
    }
}

/// Ends a session. Returns the change to record, or none if the session had ended before.
pub(super) async fn end(
    write: &Write,
    session: &Session,
    by: EndedBy,
) -> Result<Option<Change>, AuthorityError> {
    // Locked, so that this and a concurrent derivation of a token wait for each other.
    write.lock_session(session.id).await?;
    if !write.end_session(session.id).await? {
        return Ok(None);
    }
    let (reused, reason) = match by {
        EndedBy::Person => (false, None),
        EndedBy::Reuse => (true, None),
        EndedBy::Presentation(reason) => (false, Some(reason)),
    };
    Ok(Some(Change::SessionEnded { account: session.account, session: session.id, reused, reason }))
}

/// Mints a secret for a session, and stores its hash.
pub(crate) async fn draw_for(
    write: &Write,
    session: SessionId,
    kind: SecretKind,
    confirmed_at: Option<Timestamp>,
    ends_at: Expiry,
) -> Result<Secret, AuthorityError> {
    let secret = Secret::mint(kind, &mut SysRng)?;
    let id = SecretId::new(write.now(), &mut SysRng)?;
    let prefix = secret.prefix();
    // A refresh secret is unconfirmed until it is used, and ends with the session.
    let ends_at =
        if confirmed_at.is_none() && ends_at == Expiry::Never { Expiry::At(Timestamp::MAX) } else { ends_at };
    let record = SecretRecord { confirmed_at, ends_at, ..SecretRecord::pending(id, prefix, write.now()) };
    write.insert_secret(Family::Session(session), &record, &secret.hash(), None).await?;
    Ok(secret)
}

/// Finds the session that a secret belongs to, ended or not.
pub(super) async fn find_session_of(read: &Read, secret: &Secret) -> Result<Option<Session>, StoreError> {
    match read.find_secret(&secret.hash()).await?.map(|found| found.family) {
        Some(Family::Session(id)) => read.find_session(id).await,
        Some(_) | None => Ok(None),
    }
}
