//! Accounts: created, updated, disabled and enabled, made operators, signed in and out by the operator.

use ndauth_core::{
    Account, AccountId, Change, DisplayName, Email, Expiry, ExpiryChoice, Handle, Personal, Secret,
    SecretKind, Session, SessionId, Timestamp,
};
use ndauth_store::TicketKind;
use rand::rngs::SysRng;

use crate::access::{Operation, Whose};
use crate::change::{Changed, Changing, change};
use crate::logins::draw_for;
use crate::{AuthorityError, Caller, Credential, OperatorWing};

/// An account to be made.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its immutable name.
    pub handle: Handle,
    /// The address for mail.
    pub email: Email,
    /// The person's display name.
    pub name: Option<DisplayName>,
    /// Lets it create orgs and read all audit.
    pub operator: bool,
}

/// A change of an account. A field that is not set stays as it is.
#[derive(Clone, Debug, Default)]
pub struct AccountUpdate {
    /// The new address for mail.
    pub email: Option<Email>,
    /// The new display name.
    pub name: Option<DisplayName>,
}

/// The keys of an address and a name among an event's personal bytes.
pub(super) const EMAIL: &str = "email";
pub(super) const NAME: &str = "name";

impl OperatorWing<'_> {
    /// Creates an account. Only the console makes it an operator's.
    pub async fn create_account(
        self,
        credential: &Credential,
        new: &NewAccount,
    ) -> Result<Changed<Account>, AuthorityError> {
        change(self.0, credential, Operation::CreateAccount, &Whose::Anyone, |changing| async move {
            if changing.find_account_by_email(&new.email).await?.is_some() {
                return Err(AuthorityError::taken("an account with the address", &new.email));
            }
            if new.operator && !matches!(changing.by.caller, Caller::Console) {
                let (handle, why) = (new.handle.clone(), "is to be an operator".to_owned());
                return Err(AuthorityError::ConsoleOnly { handle, why, verb: "create it" });
            }
            let account = Account {
                id: AccountId::new(changing.now(), &mut SysRng)?,
                handle: new.handle.clone(),
                email: new.email.clone(),
                name: new.name.clone(),
                operator: new.operator,
                created_at: changing.now(),
                last_login_at: None,
                disabled_at: None,
                not_before: Timestamp::MIN,
            };
            let inserted = changing.insert_account(&account).await?;
            inserted.map_err(|_| AuthorityError::taken("an account", &new.handle))?;
            let personal =
                Personal::from([("handle", new.handle.to_string()), (EMAIL, new.email.to_string())]);
            let change = Change::AccountCreated { account: account.id, operator: account.operator };
            Ok(changing.done(change, personal, account))
        })
        .await
    }

    /// Changes the address or the name of an account. An update that names neither is invalid.
    pub async fn update_account(
        self,
        credential: &Credential,
        handle: &Handle,
        update: &AccountUpdate,
    ) -> Result<Changed<Account>, AuthorityError> {
        change(self.0, credential, Operation::UpdateAccount, &Whose::Anyone, |changing| async move {
            if update.email.is_none() && update.name.is_none() {
                return Err(AuthorityError::invalid("update", "it names neither an address nor a name"));
            }
            let before = changing.lock_account_of(handle).await?;
            let mut account = before.clone();
            let mut personal = Personal::new();
            if let Some(email) = &update.email {
                account.email = email.clone();
                personal.insert(EMAIL, email.to_string());
            }
            if let Some(name) = &update.name {
                account.name = Some(name.clone());
                personal.insert(NAME, name.to_string());
            }
            if account == before {
                return Ok(changing.unchanged(account));
            }
            let taken = |_| AuthorityError::taken("an account with the address", &account.email);
            changing
                .set_address_and_name(account.id, &account.email, account.name.as_ref())
                .await?
                .map_err(taken)?;
            Ok(changing.done(Change::AccountUpdated { account: account.id }, personal, account))
        })
        .await
    }

    /// Makes an account an operator: its sessions have an operator's power from their next request on.
    pub async fn grant_operator(
        self,
        credential: &Credential,
        handle: &Handle,
    ) -> Result<Changed<Account>, AuthorityError> {
        self.set_operator(credential, handle, true).await
    }

    /// Makes an operator an account like others: its sessions lose an operator's power at once.
    pub async fn revoke_operator(
        self,
        credential: &Credential,
        handle: &Handle,
    ) -> Result<Changed<Account>, AuthorityError> {
        self.set_operator(credential, handle, false).await
    }

    async fn set_operator(
        self,
        credential: &Credential,
        handle: &Handle,
        operator: bool,
    ) -> Result<Changed<Account>, AuthorityError> {
        change(self.0, credential, Operation::SetOperator, &Whose::Anyone, |changing| async move {
            let account = changing.lock_account_of(handle).await?;
            if account.operator == operator {
                return Ok(changing.unchanged(account));
            }
            changing.set_operator(account.id, operator).await?;
            let change = Change::OperatorSet { account: account.id, operator };
            Ok(changing.done(change, Personal::new(), Account { operator, ..account }))
        })
        .await
    }

    /// Disables an account: its tokens lose their power at once, and its sessions end for good. Only the console
    /// disables, enables or signs out an operator's.
    pub async fn disable_account(
        self,
        credential: &Credential,
        handle: &Handle,
    ) -> Result<Changed<Account>, AuthorityError> {
        change(self.0, credential, Operation::DisableAccount, &Whose::Anyone, |changing| async move {
            let (account, now) = (changing.lock_account_of(handle).await?, changing.now());
            spare_operators(&changing, &account, "disable the account")?;
            if account.disabled_at.is_some() {
                return Ok(changing.unchanged(account));
            }
            changing.set_account_disabled(account.id, Some(now)).await?;
            changing.end_sessions(account.id).await?;
            changing.end_tickets(TicketKind::Invitation, account.id).await?;
            let change = Change::AccountDisabled { account: account.id };
            let account = Account { disabled_at: Some(now), ..account };
            Ok(changing.done(change, Personal::new(), account))
        })
        .await
    }

    /// Enables an account again: its tokens work as before, and its person has to log in again.
    pub async fn enable_account(
        self,
        credential: &Credential,
        handle: &Handle,
    ) -> Result<Changed<Account>, AuthorityError> {
        change(self.0, credential, Operation::DisableAccount, &Whose::Anyone, |changing| async move {
            let account = changing.lock_account_of(handle).await?;
            spare_operators(&changing, &account, "enable the account")?;
            if account.disabled_at.is_none() {
                return Ok(changing.unchanged(account));
            }
            changing.set_account_disabled(account.id, None).await?;
            let change = Change::AccountEnabled { account: account.id };
            let account = Account { disabled_at: None, ..account };
            Ok(changing.done(change, Personal::new(), account))
        })
        .await
    }

    /// Begins a session for an account, and returns its secret, here and never again.
    pub async fn issue_session(
        self,
        credential: &Credential,
        handle: &Handle,
        expiry: ExpiryChoice,
    ) -> Result<Secret, AuthorityError> {
        let issued =
            change(self.0, credential, Operation::IssueSession, &Whose::Anyone, |changing| async move {
                // Locked, so that this and a concurrent sign-out wait for each other.
                let account = changing.lock_account_of(handle).await?;
                if account.disabled_at.is_some() {
                    return Err(AuthorityError::AccountDisabled);
                }
                let now = changing.now();
                let lifetime =
                    expiry.lifetime(now).map_err(|why| AuthorityError::invalid("expires_in", why))?;
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
                changing.insert_session(&session).await?;
                changing.set_logged_in(account.id, now).await?;
                let secret =
                    draw_for(&changing, session.id, SecretKind::Session, Some(now), Expiry::Never).await?;
                let change = Change::SessionIssued { account: account.id, session: session.id };
                Ok(changing.done(change, Personal::new(), secret))
            });
        issued.await.map(|done| done.value)
    }

    /// Ends every live session of an account. Returns the number of them.
    pub async fn sign_out(
        self,
        credential: &Credential,
        handle: &Handle,
    ) -> Result<Changed<u64>, AuthorityError> {
        change(self.0, credential, Operation::SignOut, &Whose::Anyone, |changing| async move {
            let account = changing.lock_account_of(handle).await?;
            spare_operators(&changing, &account, "sign the account out")?;
            let account = account.id;
            match changing.end_sessions(account).await? {
                0 => Ok(changing.unchanged(0)),
                ended => Ok(changing.done(Change::AccountSignedOut { account }, Personal::new(), ended)),
            }
        })
        .await
    }
}

/// Refuses a session that acts on an operator's account, its own or another's: one operator's login must not
/// lock out the others.
fn spare_operators(changing: &Changing, account: &Account, verb: &'static str) -> Result<(), AuthorityError> {
    if account.operator && !matches!(changing.by.caller, Caller::Console) {
        let (handle, why) = (account.handle.clone(), "is an operator".to_owned());
        return Err(AuthorityError::ConsoleOnly { handle, why, verb });
    }
    Ok(())
}
