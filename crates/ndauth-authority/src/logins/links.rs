//! Links that work once: an invitation, by which a person sets a password, and a link to sign in.

use std::time::Duration;

use ndauth_core::{
    Account, AccountId, Actor, Change, Handle, OneTime, Password, Personal, Secret, Timestamp,
};
use ndauth_store::{Read, Ticket, TicketKind};
use rand::rngs::SysRng;
use serde::{Deserialize, Serialize};

use super::codes::{read_details, ticket};
use super::sessions::Visitor;
use super::sign_in::SignedIn;
use crate::access::{Operation, Whose};
use crate::change::{CallerlessChange, Changed, Changing, change, change_without_caller};
use crate::limits::network;
use crate::throttle::Tried;
use crate::{AuthorityError, Caller, Credential, LoginWing};

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
    ///
    /// An operator's session invites only to an account that nobody uses yet. Its link dies as soon as the account
    /// is used in another way, and it never replaces a link that the console made.
    pub async fn invite(
        self,
        credential: &Credential,
        handle: &Handle,
    ) -> Result<Changed<Link>, AuthorityError> {
        change(self.0, credential, Operation::Invite, &Whose::Anyone, |changing| async move {
            let link = make_link(&changing, handle, TicketKind::Invitation, INVITATION).await?;
            let change = Change::AccountInvited { account: link.account.id };
            Ok(changing.done(change, Personal::new(), link))
        })
        .await
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
        self.count_login(id).await?;
        let hashed = self.0.passwords.hash(&password, network(visitor.address)).await?;
        self.set_invited_password(code, &hashed).await?;
        let signed_in = change_without_caller(self.0, Operation::SignIn, |callerless| async move {
            let account = callerless.account(id).await?.ok_or(AuthorityError::LinkSpent)?;
            self.begin_in_browser(callerless, account, visitor).await
        });
        self.signed_in(signed_in.await?, None).await
    }

    /// Sets the password of the caller's account. All of its sessions and links end, and one session begins in the
    /// caller's browser.
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
        self.count_login(id).await?;
        let hashed = &self.0.passwords.hash(&password, network(visitor.address)).await?;
        change(self.0, credential, Operation::SetPassword, &Whose::Mine, |changing| async move {
            let account = changing.by.session()?.0.id;
            changing.set_password(account, hashed).await?;
            changing.end_sessions(account).await?;
            changing.end_tickets(TicketKind::Invitation, account).await?;
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
    // Locked, so that links made at once wait for each other, and for a login.
    let account = changing.lock_account_of(handle).await?;
    let mut operators_links = false;
    let mut consoles_link = None;
    for link in changing.list_links(account.id).await? {
        match read_details::<LinkDetails>(&link)?.made_by {
            Some(_) => operators_links = true,
            None => consoles_link = Some(link.expires_at),
        }
    }
    let made_by = match &changing.by.caller {
        Caller::Session { account: operator, .. } => {
            refuse_used(changing, &account, consoles_link).await?;
            Some(operator.id)
        }
        _ if account.disabled_at.is_some() => return Err(AuthorityError::AccountDisabled),
        _ => None,
    };
    changing.end_tickets(kind, account.id).await?;
    if operators_links {
        changing.end_tickets(TicketKind::Invitation, account.id).await?;
    }
    let code = OneTime::mint(&mut SysRng)?;
    let ticket = ticket(changing, &code, kind, lasts, &LinkDetails { made_by });
    let ticket = Ticket { account: Some(account.id), ..ticket };
    changing.insert_ticket(&ticket).await?;
    Ok(Link { code, account, ends_at: ticket.expires_at })
}

/// The stored details of a link.
#[derive(Deserialize, Serialize)]
struct LinkDetails {
    /// The operator whose session made it. `None` if the console did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    made_by: Option<AccountId>,
}

/// Returns what shows that an account is in use, given whether it has a password or a linked identity, and whether it
/// was ever a member of an org. `None` if nobody has used it, nobody could sign in to it, and it may do nothing.
pub(crate) fn in_use(account: &Account, has_proof: bool, has_role: bool) -> Option<&'static str> {
    if account.operator {
        Some("is an operator")
    } else if account.last_login_at.is_some() {
        Some("has signed in before")
    } else if has_proof {
        Some("has a password or a linked identity")
    } else if has_role {
        Some("is or was a member of an org")
    } else {
        None
    }
}

/// Refuses an operator's invitation to an account that is in use, or to which the console made a link.
async fn refuse_used(
    read: &Read,
    account: &Account,
    consoles_link: Option<Timestamp>,
) -> Result<(), AuthorityError> {
    let has_proof = read.accounts_with_proof([account.id]).await?.contains(&account.id);
    let has_role = read.accounts_with_roles([account.id]).await?.contains(&account.id);
    let why = in_use(account, has_proof, has_role).map(str::to_owned);
    let invited = |until: Timestamp| format!("has a link from the console, until {}", until.minute());
    if let Some(why) = why.or(consoles_link.map(invited)) {
        let handle = account.handle.clone();
        return Err(AuthorityError::ConsoleOnly { handle, why, verb: "make a link to the account" });
    }
    if account.disabled_at.is_some() {
        return Err(AuthorityError::invalid(
            "handle",
            format!("`{}` is disabled: enable it first", account.handle),
        ));
    }
    Ok(())
}

/// Uses a link, which then stops working. Returns its account, locked until the change ends.
async fn use_link(
    callerless: &CallerlessChange,
    code: &str,
    kind: TicketKind,
) -> Result<Account, AuthorityError> {
    let ticket = live_link(callerless, code, Some(kind)).await?;
    let account = linked(callerless, &ticket).await?;
    let account = callerless.account(account.id).await?.unwrap_or(account);
    // Again, as of the lock: the account may have been used in between.
    judge_link(callerless, &ticket, &account).await?;
    if callerless.use_ticket(&ticket).await? { Ok(account) } else { Err(AuthorityError::LinkSpent) }
}

async fn live_link(read: &Read, code: &str, kind: Option<TicketKind>) -> Result<Ticket, AuthorityError> {
    let ticket = read.find_ticket(&OneTime::hash_of(code)).await?.ok_or(AuthorityError::LinkSpent)?;
    let links = [TicketKind::Invitation, TicketKind::SignIn];
    let fits = kind.map_or(links.contains(&ticket.kind), |kind| kind == ticket.kind);
    let lives = ticket.used_at.is_none() && ticket.expires_at > read.now();
    if fits && lives { Ok(ticket) } else { Err(AuthorityError::LinkSpent) }
}

/// Returns the account of a link.
async fn linked(read: &Read, ticket: &Ticket) -> Result<Account, AuthorityError> {
    let id: AccountId = ticket.account.ok_or(AuthorityError::LinkSpent)?;
    let account = read.find_account(id).await?.ok_or(AuthorityError::LinkSpent)?;
    judge_link(read, ticket, &account).await?;
    Ok(account)
}

/// Refuses a link that an operator made, if its account is in use by now, or if who made it is no operator any
/// more.
async fn judge_link(read: &Read, ticket: &Ticket, account: &Account) -> Result<(), AuthorityError> {
    let Some(made_by) = read_details::<LinkDetails>(ticket)?.made_by else { return Ok(()) };
    let maker = read.find_account(made_by).await?;
    let is_operators = maker.is_some_and(|maker| maker.operator && maker.disabled_at.is_none());
    let has_proof = read.accounts_with_proof([account.id]).await?.contains(&account.id);
    let has_role = read.accounts_with_roles([account.id]).await?.contains(&account.id);
    let unused = in_use(account, has_proof, has_role).is_none();
    if is_operators && unused { Ok(()) } else { Err(AuthorityError::LinkSpent) }
}
