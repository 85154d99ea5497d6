//! Signs browsers in, by a password or as a person of another identity provider.

use ndauth_core::{Account, AccountId, Change, Expiry, Handle, Identity, Personal, Secret, SecretKind};
use ndauth_store::{Read, StoreError};
use uuid::Uuid;

use super::sessions::{Visitor, draw_for, find_session_of};
use crate::access::{Operation, Whose};
use crate::change::{CallerlessChange, Changed, Done, change, change_without_caller};
use crate::limits::network;
use crate::observations::attempts::{AttemptKind, Attempter};
use crate::reading::account;
use crate::throttle::Tried;
use crate::{AuthorityError, Credential, LoginWing};

/// A browser that was signed in.
#[derive(Debug)]
pub struct SignedIn {
    /// The cookie's secret, returned here and never again.
    pub secret: Secret,
    /// The account that is signed in.
    pub account: Account,
}

/// The id that no account has.
const NOBODY: AccountId = AccountId::from_uuid(Uuid::nil());
/// The length of the longest name.
const LONGEST_NAME: usize = 320;

impl LoginWing<'_> {
    /// Signs a browser in by a name (a handle or an e-mail address) and a password. The session of the cookie
    /// it had before ends.
    ///
    /// An unknown name is refused like a wrong password, and no sooner.
    pub async fn sign_in(
        self,
        name: &str,
        password: &str,
        visitor: &Visitor,
        before: Option<&Secret>,
    ) -> Result<SignedIn, AuthorityError> {
        let (id, hashed) = &self.prove(name.trim(), password, visitor, before).await?;
        let id = *id;
        let signed_in = change_without_caller(self.0, Operation::SignIn, |callerless| async move {
            let account = callerless.account(id).await?.ok_or(AuthorityError::SignInRefused)?;
            // Another password was set while this one was checked.
            if callerless.find_password(id).await? != *hashed {
                return Err(AuthorityError::SignInRefused);
            }
            self.begin_in_browser(callerless, account, visitor).await
        });
        self.signed_in(signed_in.await?, before).await
    }

    /// Verifies a name and a password. Returns the account and the password's stored hash.
    async fn prove(
        self,
        typed: &str,
        password: &str,
        visitor: &Visitor,
        cookie: Option<&Secret>,
    ) -> Result<(AccountId, Option<String>), AuthorityError> {
        let name = typed.to_lowercase();
        let read = self.0.store.read().await?;
        self.0.standing.admit(Operation::SignIn, read.installation())?;
        let found = if name.len() <= LONGEST_NAME { find_person(&read, typed, &name).await? } else { None };
        let from = network(visitor.address);
        // The name as it was typed. If a handle and an address shared a count, it would reveal that they
        // belong to one person.
        let name: String = name.chars().take(LONGEST_NAME).collect();
        let mut tries = vec![Tried::AnyFrom(from), Tried::NameFrom(name.clone(), from)];
        // Unknown names run the same queries, so timing does not reveal them.
        let id = found.as_ref().map_or(NOBODY, |account| account.id);
        let hashed = read.find_password(id).await?;
        let live = read.list_live_sessions(id).await?;
        let was_here = match cookie {
            Some(cookie) => {
                find_session_of(&read, cookie).await?.is_some_and(|session| session.account == id)
            }
            None => false,
        };
        if !was_here && !live.iter().any(|seen| network(seen.session.address) == from) {
            tries.push(Tried::NameFromStrangers(name));
        }
        let now = read.now();
        drop(read);
        let attempter = found.as_ref().map_or(Attempter::Unknown, |account| Attempter::Account(account.id));
        let refused = |error: AuthorityError| {
            self.0.attempts.note(AttemptKind::SignIn, attempter, None, visitor.address, error.reason(), now);
            error
        };
        self.0.throttle.take(&tries, now).map_err(refused)?;
        let right = self.0.passwords.verify(password, id, hashed.clone(), from).await?;
        if found.is_none() || !right {
            metrics::counter!("ndauth_sign_ins_refused_total").increment(1);
            return Err(refused(AuthorityError::SignInRefused));
        }
        for tried in &tries {
            match tried {
                Tried::NameFrom(..) => self.0.throttle.forget(tried),
                _ => self.0.throttle.give_back(tried),
            }
        }
        self.0.throttle.take(&[Tried::Login(id)], now)?;
        Ok((id, hashed))
    }

    /// Signs a browser in as the account of a person of another identity provider, which answers for who they
    /// are.
    pub async fn sign_in_identified(
        self,
        identity: &Identity,
        visitor: &Visitor,
        before: Option<&Secret>,
    ) -> Result<SignedIn, AuthorityError> {
        let read = self.0.store.read().await?;
        let known = read.find_identity(identity).await?.ok_or(AuthorityError::SignInRefused)?;
        self.0.throttle.take(&[Tried::Login(known)], read.now())?;
        drop(read);
        let signed_in = change_without_caller(self.0, Operation::SignIn, |callerless| async move {
            let known = callerless.find_identity(identity).await?.ok_or(AuthorityError::SignInRefused)?;
            let account = callerless.account(known).await?.ok_or(AuthorityError::SignInRefused)?;
            self.begin_in_browser(callerless, account, visitor).await
        });
        self.signed_in(signed_in.await?, before).await
    }

    /// Links a person of another identity provider to an account.
    pub async fn identify_account(
        self,
        credential: &Credential,
        handle: &Handle,
        identity: &Identity,
    ) -> Result<Changed<()>, AuthorityError> {
        change(self.0, credential, Operation::IdentifyAccount, &Whose::Anyone, |changing| async move {
            let account = account(&changing, handle).await?.id;
            let name = || format!("{} of {}", identity.subject, identity.issuer);
            let inserted = changing.insert_identity(account, identity).await?;
            inserted.map_err(|_| AuthorityError::taken("an account of", name()))?;
            let personal =
                Personal::from([("issuer", identity.issuer.clone()), ("subject", identity.subject.clone())]);
            Ok(changing.done(Change::AccountIdentified { account }, personal, ()))
        })
        .await
    }

    /// Begins a browser's session for an account whose person proved who they are.
    pub(super) async fn begin_in_browser(
        self,
        callerless: CallerlessChange,
        account: Account,
        visitor: &Visitor,
    ) -> Result<Done<SignedIn>, AuthorityError> {
        if account.disabled_at.is_some() {
            return Err(AuthorityError::AccountDisabled);
        }
        let now = callerless.now();
        let mut session = self.new_session(account.id, visitor, now)?;
        (session.proved_at, session.browser) = (Some(now), true);
        callerless.insert_session(&session).await?;
        let secret = draw_for(&callerless, session.id, SecretKind::Session, Some(now), Expiry::Never).await?;
        self.begin_session(callerless, &session, SignedIn { secret, account }).await
    }

    /// Ends the session of the cookie that a browser had before.
    pub(super) async fn signed_in(
        self,
        signed_in: Changed<SignedIn>,
        before: Option<&Secret>,
    ) -> Result<SignedIn, AuthorityError> {
        if let Some(before) = before {
            self.sign_out_here(before).await?;
        }
        Ok(signed_in.value)
    }

    /// Returns true if there is any account.
    pub async fn has_accounts(self) -> Result<bool, AuthorityError> {
        Ok(self.0.store.read().await?.has_accounts().await?)
    }
}

/// Finds an account by its handle or e-mail address.
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
