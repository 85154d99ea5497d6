//! Links that work once: an invitation, by which a person sets a password, and a link to sign in.

use std::time::Duration;

use ndauth_core::{
    Account, AccountId, Actor, Change, Handle, OneTime, Password, Personal, Secret, Timestamp,
};
use ndauth_store::{Read, Ticket, TicketKind};
use rand::rngs::SysRng;

use super::codes::ticket;
use super::sessions::Visitor;
use super::sign_in::SignedIn;
use crate::access::{Operation, Whose};
use crate::change::{CallerlessChange, Changing, change, change_without_caller};
use crate::limits::network;
use crate::reading::account;
use crate::throttle::Tried;
use crate::{AuthorityError, Credential, LoginWing};

/// A link that works once.
#[derive(Debug)]
pub struct Link {
    /// The code in the link, returned here and never again.
    pub code: OneTime,
    /// The account that it is for.
    pub account: Account,
    /// The instant at which it ends.
    pub ends_at: Timestamp,
}

/// The lifetime of an invitation.
const INVITATION: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The lifetime of a link to sign in.
const SIGN_IN: Duration = Duration::from_secs(60 * 60);

impl LoginWing<'_> {
    /// Makes a link by which an account's person sets a password. Earlier invitations end.
    pub async fn invite(self, credential: &Credential, handle: &Handle) -> Result<Link, AuthorityError> {
        let made = change(self.0, credential, Operation::Invite, &Whose::Anyone, |changing| async move {
            let link = make_link(&changing, handle, TicketKind::Invitation, INVITATION).await?;
            let change = Change::AccountInvited { account: link.account.id };
            Ok::<_, AuthorityError>(changing.done(change, Personal::new(), link))
        });
        made.await.map(|done| done.value)
    }

    /// Makes a link by which an account's person signs in once. Earlier links to sign in end.
    pub async fn sign_in_link(
        self,
        credential: &Credential,
        handle: &Handle,
    ) -> Result<Link, AuthorityError> {
        let made = change(self.0, credential, Operation::IssueLink, &Whose::Anyone, |changing| async move {
            let link = make_link(&changing, handle, TicketKind::SignIn, SIGN_IN).await?;
            let change = Change::SignInLinkIssued { account: link.account.id };
            Ok::<_, AuthorityError>(changing.done(change, Personal::new(), link))
        });
        made.await.map(|done| done.value)
    }

    /// Returns the account of a link that still works.
    pub async fn account_of_link(self, code: &str) -> Result<Account, AuthorityError> {
        let read = self.0.store.read().await?;
        self.0.standing.admit(Operation::SignIn, read.installation())?;
        let ticket = live_link(&read, code, None).await?;
        linked(&read, &ticket).await
    }

    /// Signs a browser in by a link, which then stops working.
    pub async fn sign_in_by_link(
        self,
        code: &str,
        visitor: &Visitor,
        before: Option<&Secret>,
    ) -> Result<SignedIn, AuthorityError> {
        self.count_login(self.account_of_link(code).await?.id).await?;
        let signed_in = change_without_caller(self.0, Operation::SignIn, |callerless| async move {
            let account = use_link(&callerless, code, TicketKind::SignIn).await?;
            self.begin_in_browser(callerless, account, visitor).await
        });
        self.signed_in(signed_in.await?, before).await
    }

    /// Sets the password that an invited person chose, and signs them in. All earlier sessions of the account
    /// end.
    pub async fn accept_invitation(
        self,
        code: &str,
        password: &str,
        visitor: &Visitor,
    ) -> Result<SignedIn, AuthorityError> {
        // A caller without a valid link learns no rule for passwords, and no password is hashed for it.
        let id = self.account_of_link(code).await?.id;
        let password: Password = password.parse().map_err(|why| AuthorityError::invalid("password", why))?;
        let hashed = self.0.passwords.hash(&password, network(visitor.address)).await?;
        self.count_login(id).await?;
        self.set_invited_password(code, &hashed).await?;
        let signed_in = change_without_caller(self.0, Operation::SignIn, |callerless| async move {
            let account = callerless.account(id).await?.ok_or(AuthorityError::LinkSpent)?;
            self.begin_in_browser(callerless, account, visitor).await
        });
        self.signed_in(signed_in.await?, None).await
    }

    /// Sets the password of the caller's account. All of its sessions end, and one begins in the caller's browser.
    pub async fn set_password(
        self,
        credential: &Credential,
        password: &str,
        visitor: &Visitor,
    ) -> Result<SignedIn, AuthorityError> {
        // A caller who may not learns no rule for passwords, and no password is hashed for it.
        let (read, by) = self.0.read_as(credential, Operation::SetPassword, &Whose::Mine).await?;
        let id = by.session()?.0.id;
        drop((read, by));
        let password: Password = password.parse().map_err(|why| AuthorityError::invalid("password", why))?;
        let hashed = &self.0.passwords.hash(&password, network(visitor.address)).await?;
        self.count_login(id).await?;
        change(self.0, credential, Operation::SetPassword, &Whose::Mine, |changing| async move {
            let account = changing.by.session()?.0.id;
            changing.set_password(account, hashed).await?;
            changing.end_sessions(account).await?;
            Ok::<_, AuthorityError>(changing.done(Change::PasswordSet { account }, Personal::new(), ()))
        })
        .await?;
        let signed_in = change_without_caller(self.0, Operation::SignIn, |callerless| async move {
            let account = callerless.account(id).await?.ok_or(AuthorityError::SignInRefused)?;
            self.begin_in_browser(callerless, account, visitor).await
        });
        self.signed_in(signed_in.await?, None).await
    }

    async fn set_invited_password(self, code: &str, hashed: &str) -> Result<(), AuthorityError> {
        let set = change_without_caller(self.0, Operation::SignIn, |callerless| async move {
            let account = use_link(&callerless, code, TicketKind::Invitation).await?;
            if account.disabled_at.is_some() {
                return Err(AuthorityError::AccountDisabled);
            }
            callerless.set_password(account.id, hashed).await?;
            callerless.end_sessions(account.id).await?;
            let change = Change::PasswordSet { account: account.id };
            Ok(callerless.done(Actor::Authority, change, Personal::new(), ()))
        });
        set.await.map(|done| done.value)
    }

    /// Counts one more login of an account against its rate limit.
    async fn count_login(self, account: AccountId) -> Result<(), AuthorityError> {
        let now = self.0.store.moment().await?.now;
        self.0.throttle.take(&[Tried::Login(account)], now)
    }
}

async fn make_link(
    changing: &Changing,
    handle: &Handle,
    kind: TicketKind,
    lasts: Duration,
) -> Result<Link, AuthorityError> {
    let account = account(changing, handle).await?;
    if account.disabled_at.is_some() {
        return Err(AuthorityError::AccountDisabled);
    }
    changing.end_tickets(kind, account.id).await?;
    let code = OneTime::mint(&mut SysRng)?;
    let ticket = Ticket { account: Some(account.id), ..ticket(changing, &code, kind, lasts, &Nothing {}) };
    changing.insert_ticket(&ticket).await?;
    Ok(Link { code, account, ends_at: ticket.expires_at })
}

/// The stored details of a link, which has none beyond those of every ticket.
#[derive(serde::Serialize)]
struct Nothing {}

/// Uses a link, which then stops working. Returns its account, locked until the change ends.
async fn use_link(
    callerless: &CallerlessChange,
    code: &str,
    kind: TicketKind,
) -> Result<Account, AuthorityError> {
    let ticket = live_link(callerless, code, Some(kind)).await?;
    let account = linked(callerless, &ticket).await?;
    let account = callerless.account(account.id).await?.unwrap_or(account);
    if callerless.use_ticket(&ticket).await? { Ok(account) } else { Err(AuthorityError::LinkSpent) }
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
