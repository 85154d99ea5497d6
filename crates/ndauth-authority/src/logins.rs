//! How people prove who they are: by a password, by a link that works once, or as another identity provider knows them.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use ndauth_core::{
    Account, AccountId, Change, Expiry, Handle, Identity, OneTime, Password, Personal, Secret, SecretKind,
    Timestamp,
};
use ndauth_store::{Read, StoreError, Ticket, TicketKind, Write};
use rand::rngs::SysRng;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::access::Operation;
use crate::authority::retried;
use crate::console::account;
use crate::throttle::{Tried, network};
use crate::{Authority, AuthorityError, Credential, Visitor};

/// A browser that was signed in.
#[derive(Debug)]
pub struct SignedIn {
    /// What its cookie holds, here and never again.
    pub secret: Secret,
    /// Who.
    pub account: Account,
}

/// A link that works once.
#[derive(Debug)]
pub struct Link {
    /// What stands in it, here and never again.
    pub code: OneTime,
    /// Whose it is.
    pub account: Account,
    /// When it ends.
    pub ends_at: Timestamp,
}

/// What passwords are checked with.
#[derive(Debug)]
pub(crate) struct Passwords {
    /// Each takes 19 MiB and a core for a while: no more at once.
    room: Arc<Semaphore>,
}

/// How many passwords are checked at once, and how many may wait.
const CHECKS: usize = 2;
/// How long an invitation lasts.
const INVITATION: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long a link to sign in lasts.
const SIGN_IN: Duration = Duration::from_secs(60 * 60);
/// An account that there never is.
const NOBODY: AccountId = AccountId::from_uuid(Uuid::nil());
/// Names are no longer.
const LONGEST_NAME: usize = 320;

impl Default for Passwords {
    fn default() -> Passwords {
        Passwords { room: Arc::new(Semaphore::new(CHECKS)) }
    }
}

impl Passwords {
    /// Computes on a thread of its own, when there is room.
    async fn with_room<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AuthorityError> {
        let room = Arc::clone(&self.room).acquire_owned().await;
        let room = room.map_err(failed)?;
        let done = spawn_blocking(move || {
            let done = work();
            drop(room);
            done
        });
        done.await.map_err(failed)
    }

    /// Hashes a password as it is kept.
    async fn hash(&self, password: &Password) -> Result<String, AuthorityError> {
        let password = password.clone();
        let hashed =
            self.with_room(move || Argon2::default().hash_password(password.expose().as_bytes())).await?;
        // It fails where the operating system gives no random numbers.
        Ok(hashed.map_err(failed)?.to_string())
    }

    /// Whether a password is the one that was hashed for an account. Where none was, it takes as long, and is not.
    async fn verify(
        &self,
        password: &str,
        account: AccountId,
        hashed: Option<String>,
    ) -> Result<bool, AuthorityError> {
        let password = zeroizing(password);
        let known = hashed.is_some();
        let verified = self.with_room(move || {
            let hashed = hashed.as_deref().unwrap_or(nobodys());
            Argon2::default().verify_password(password.as_bytes(), hashed)
        });
        match verified.await? {
            Ok(()) => Ok(known),
            Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
            // What is kept reads as no hash: nobody typed anything wrong.
            Err(_) => {
                let (table, column) = ("password", "phc");
                Err(StoreError::Corrupt { table, column, id: account.to_string() }.into())
            }
        }
    }
}

/// That it was not decided: the process is about to end, or there is nothing random.
fn failed(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> AuthorityError {
    StoreError::Unavailable(why.into()).into()
}

fn zeroizing(text: &str) -> zeroize::Zeroizing<String> {
    zeroize::Zeroizing::new(text.to_owned())
}

/// The hash of a password that nobody has.
fn nobodys() -> &'static str {
    static NOBODYS: OnceLock<String> = OnceLock::new();
    NOBODYS.get_or_init(|| {
        let hashed = Argon2::default().hash_password_with_salt(b"nobody has this", b"nor has it any salt");
        hashed.map(|hashed| hashed.to_string()).unwrap_or_default()
    })
}

impl Authority {
    /// Signs a browser in by a name (a handle or an e-mail address) and a password. The cookie it had before is ended.
    ///
    /// Whoever is unknown is refused as who types a wrong password, and no sooner.
    pub async fn sign_in(
        &self,
        name: &str,
        password: &str,
        visitor: &Visitor,
        before: Option<&Secret>,
    ) -> Result<SignedIn, AuthorityError> {
        let typed = name.trim();
        let name = typed.to_lowercase();
        let read = self.store.read().await?;
        self.standing.admit(Operation::SignIn, read.installation())?;
        let found = if name.len() <= LONGEST_NAME { find_person(&read, typed, &name).await? } else { None };
        let from = network(visitor.address);
        // As it was typed: a count that a handle and an address shared would tell that they are one person's.
        let name: String = name.chars().take(LONGEST_NAME).collect();
        let mut tries = vec![Tried::AnyFrom(from), Tried::NameFrom(name.clone(), from)];
        // Of whoever is unknown as much is asked as of who is known.
        let id = found.as_ref().map_or(NOBODY, |account| account.id);
        let hashed = read.find_password(id).await?;
        let live = read.list_live_sessions(id).await?;
        if !live.iter().any(|seen| network(seen.session.address) == from) {
            tries.push(Tried::NameFromStrangers(name));
        }
        let now = read.now();
        drop(read);
        self.throttle.take(&tries, now)?;
        let right = self.passwords.verify(password, id, hashed.clone()).await?;
        let Some(account) = found.filter(|_| right) else {
            metrics::counter!("ndauth_sign_ins_refused_total").increment(1);
            return Err(AuthorityError::SignInRefused);
        };
        for tried in &tries {
            match tried {
                Tried::NameFrom(..) => self.throttle.forget(tried),
                _ => self.throttle.give_back(tried),
            }
        }
        retried(|| async {
            let write = self.store.write("sign_in").await?;
            self.standing.admit(Operation::SignIn, write.installation())?;
            let account = write.lock_account(account.id).await?.ok_or(AuthorityError::SignInRefused)?;
            // Another password was set while this one was looked at.
            if write.find_password(account.id).await? != hashed {
                return Err(AuthorityError::SignInRefused);
            }
            self.sign_in_as(write, account, visitor, before).await
        })
        .await
    }

    /// Signs a browser in as an account, whose person proved who they are.
    async fn sign_in_as(
        &self,
        write: Write,
        account: Account,
        visitor: &Visitor,
        before: Option<&Secret>,
    ) -> Result<SignedIn, AuthorityError> {
        if account.disabled_at.is_some() {
            return Err(AuthorityError::AccountDisabled);
        }
        let now = write.now();
        let mut session = self.new_session(account.id, visitor, now)?;
        (session.proved_at, session.browser) = (Some(now), true);
        write.insert_session(&session).await?;
        let secret = self.draw_for(&write, session.id, SecretKind::Session, Some(now), Expiry::Never).await?;
        self.begin_session(write, &session).await?;
        if let Some(before) = before {
            self.end_by_secret(before).await?;
        }
        Ok(SignedIn { secret, account })
    }

    /// Signs a browser in as the account that a person of another identity provider is: it answers for who they are.
    pub async fn sign_in_identified(
        &self,
        identity: &Identity,
        visitor: &Visitor,
        before: Option<&Secret>,
    ) -> Result<SignedIn, AuthorityError> {
        retried(|| async {
            let write = self.store.write("sign_in").await?;
            self.standing.admit(Operation::SignIn, write.installation())?;
            let known = write.find_identity(identity).await?.ok_or(AuthorityError::SignInRefused)?;
            let account = write.lock_account(known).await?.ok_or(AuthorityError::SignInRefused)?;
            self.sign_in_as(write, account, visitor, before).await
        })
        .await
    }

    /// Makes a person of another identity provider an account's.
    pub async fn identify_account(
        &self,
        credential: &Credential,
        handle: &Handle,
        identity: &Identity,
    ) -> Result<(), AuthorityError> {
        retried(|| async {
            let (write, caller, _) =
                self.write_as(credential, Operation::IdentifyAccount, "identify_account").await?;
            let account = account(&write, handle).await?;
            let name = || format!("{} of {}", identity.subject, identity.issuer);
            let taken = || AuthorityError::NameTaken { what: "an account of", name: name() };
            write.insert_identity(account.id, identity).await?.map_err(|_| taken())?;
            let personal =
                Personal::from([("issuer", identity.issuer.clone()), ("subject", identity.subject.clone())]);
            let change = Change::AccountIdentified { account: account.id };
            self.commit(write, &caller, change, personal).await?;
            Ok(())
        })
        .await
    }

    /// Makes a link by which an account's person sets a password. Those made before end.
    pub async fn invite(&self, credential: &Credential, handle: &Handle) -> Result<Link, AuthorityError> {
        self.link(credential, Operation::Invite, handle, TicketKind::Invitation, INVITATION).await
    }

    /// Makes a link by which an account's person signs in, once.
    pub async fn sign_in_link(
        &self,
        credential: &Credential,
        handle: &Handle,
    ) -> Result<Link, AuthorityError> {
        self.link(credential, Operation::IssueLink, handle, TicketKind::SignIn, SIGN_IN).await
    }

    async fn link(
        &self,
        credential: &Credential,
        operation: Operation,
        handle: &Handle,
        kind: TicketKind,
        lasts: Duration,
    ) -> Result<Link, AuthorityError> {
        retried(|| async {
            let (write, caller, _) = self.write_as(credential, operation, "make_link").await?;
            let account = account(&write, handle).await?;
            if account.disabled_at.is_some() {
                return Err(AuthorityError::AccountDisabled);
            }
            write.end_tickets(kind, account.id).await?;
            let code = OneTime::mint(&mut SysRng)?;
            let ends_at = write.now().checked_add(lasts).unwrap_or(Timestamp::MAX);
            let ticket = Ticket {
                hash: OneTime::hash_of(code.expose()),
                kind,
                user_code: None,
                account: Some(account.id),
                details: "{}".to_owned(),
                created_at: write.now(),
                expires_at: ends_at,
                used_at: None,
            };
            write.insert_ticket(&ticket).await?;
            match kind {
                TicketKind::Invitation => {
                    let change = Change::AccountInvited { account: account.id };
                    self.commit(write, &caller, change, Personal::new()).await?;
                }
                TicketKind::SignIn | TicketKind::Code | TicketKind::Device => write.commit_observed().await?,
            }
            Ok(Link { code, account, ends_at })
        })
        .await
    }

    /// Whose a link is that still works.
    pub async fn whose_link(&self, code: &str) -> Result<Account, AuthorityError> {
        let read = self.store.read().await?;
        self.standing.admit(Operation::SignIn, read.installation())?;
        let ticket = live_link(&read, code, None).await?;
        linked(&read, &ticket).await
    }

    /// Begins a change by a link, which works no more once that is done. Gives its account, which nobody else changes.
    async fn use_link(
        &self,
        name: &'static str,
        code: &str,
        kind: TicketKind,
    ) -> Result<(Write, Account), AuthorityError> {
        let write = self.store.write(name).await?;
        self.standing.admit(Operation::SignIn, write.installation())?;
        let ticket = live_link(&write, code, Some(kind)).await?;
        let account = linked(&write, &ticket).await?;
        let account = write.lock_account(account.id).await?.unwrap_or(account);
        if write.use_ticket(&ticket).await? { Ok((write, account)) } else { Err(AuthorityError::LinkSpent) }
    }

    /// Signs a browser in by a link, which works no more.
    pub async fn sign_in_by_link(
        &self,
        code: &str,
        visitor: &Visitor,
        before: Option<&Secret>,
    ) -> Result<SignedIn, AuthorityError> {
        retried(|| async {
            let (write, account) = self.use_link("sign_in", code, TicketKind::SignIn).await?;
            self.sign_in_as(write, account, visitor, before).await
        })
        .await
    }

    /// Gives an account the password that its invited person chose, and signs them in. Every session that the account
    /// had ends.
    pub async fn accept_invitation(
        &self,
        code: &str,
        password: &str,
        visitor: &Visitor,
    ) -> Result<SignedIn, AuthorityError> {
        // Only who has the link is told what its passwords are to be like, and has one hashed.
        self.whose_link(code).await?;
        let password: Password = password.parse().map_err(|why| AuthorityError::invalid("password", why))?;
        let hashed = self.passwords.hash(&password).await?;
        let account = retried(|| async {
            let (write, account) = self.use_link("set_password", code, TicketKind::Invitation).await?;
            if account.disabled_at.is_some() {
                return Err(AuthorityError::AccountDisabled);
            }
            write.set_password(account.id, &hashed).await?;
            write.end_sessions(account.id).await?;
            let change = Change::PasswordSet { account: account.id };
            self.commit_by(write, ndauth_core::Actor::Authority, change, Personal::new()).await?;
            Ok(account)
        })
        .await?;
        let write = self.store.write("sign_in").await?;
        let account = write.lock_account(account.id).await?.unwrap_or(account);
        self.sign_in_as(write, account, visitor, None).await
    }

    /// Whether there is any account.
    pub async fn has_accounts(&self) -> Result<bool, AuthorityError> {
        Ok(self.store.read().await?.has_accounts().await?)
    }
}

/// Who goes by a handle or an e-mail address.
async fn find_person(read: &Read, typed: &str, name: &str) -> Result<Option<Account>, StoreError> {
    if name.contains('@') {
        match typed.parse() {
            Ok(email) => read.find_account_by_email(&email).await,
            Err(_) => Ok(None),
        }
    } else {
        match name.parse() {
            Ok(handle) => read.find_account_by_handle(&handle).await,
            Err(_) => Ok(None),
        }
    }
}

async fn live_link(read: &Read, code: &str, kind: Option<TicketKind>) -> Result<Ticket, AuthorityError> {
    let ticket = read.find_ticket(&OneTime::hash_of(code)).await?.ok_or(AuthorityError::LinkSpent)?;
    let links = [TicketKind::Invitation, TicketKind::SignIn];
    let fits = kind.map_or(links.contains(&ticket.kind), |kind| kind == ticket.kind);
    let lives = ticket.used_at.is_none() && ticket.expires_at > read.now();
    if fits && lives { Ok(ticket) } else { Err(AuthorityError::LinkSpent) }
}

async fn linked(read: &Read, ticket: &Ticket) -> Result<Account, AuthorityError> {
    let id: AccountId = ticket.account.ok_or(AuthorityError::LinkSpent)?;
    read.find_account(id).await?.ok_or(AuthorityError::LinkSpent)
}
