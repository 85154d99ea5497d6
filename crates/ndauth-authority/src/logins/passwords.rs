//! Passwords: hashed and checked, a few at a time. The queue is bounded, and each network has its own share
//! of it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use ndauth_core::{AccountId, Password};
use ndauth_store::StoreError;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::AuthorityError;
use crate::limits::{ClientNetwork, PASSWORD_CHECKS, Shares};

/// The limits within which passwords are hashed and checked.
#[derive(Debug)]
pub(crate) struct Passwords {
    /// The permits. A check takes 19 MiB and a core for a while, so few run at once.
    checks: Arc<Semaphore>,
    /// The checks that run or wait, by the client's network.
    waiting: Arc<Shares<ClientNetwork>>,
}

/// The number of passwords that are checked at once.
const CHECKS: usize = 2;
/// The longest wait for a permit. The error for a refused caller says to wait for [`AFTER`].
const QUEUE: Duration = Duration::from_secs(5);
const AFTER: Duration = Duration::from_secs(1);

impl Default for Passwords {
    fn default() -> Passwords {
        Passwords { checks: Arc::new(Semaphore::new(CHECKS)), waiting: Shares::new(PASSWORD_CHECKS) }
    }
}

impl Passwords {
    /// Runs work on a blocking thread, once a permit is free.
    async fn with_permit<T: Send + 'static>(
        &self,
        network: ClientNetwork,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AuthorityError> {
        // Requests without an address share one share.
        let waiting = self.waiting.take(Some(network), 1);
        let _share = waiting.map_err(|_| AuthorityError::TooManyTries { after: AFTER })?;
        let turn = timeout(QUEUE, Arc::clone(&self.checks).acquire_owned()).await;
        let turn = turn.map_err(|_| AuthorityError::TooManyTries { after: AFTER })?.map_err(failed)?;
        let done = spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        done.await.map_err(failed)
    }

    /// Hashes a password for storage.
    pub(super) async fn hash(
        &self,
        password: &Password,
        network: ClientNetwork,
    ) -> Result<String, AuthorityError> {
        let password = password.clone();
        let hash = move || Argon2::default().hash_password(password.expose().as_bytes());
        let hashed = self.with_permit(network, hash).await?;
        // Hashing fails if the operating system provides no random numbers.
        Ok(hashed.map_err(failed)?.to_string())
    }

    /// Returns true if a password matches the hash stored for an account. Without a hash it takes as long,
    /// and returns false.
    pub(super) async fn verify(
        &self,
        password: &str,
        account: AccountId,
        hashed: Option<String>,
        network: ClientNetwork,
    ) -> Result<bool, AuthorityError> {
        let password = zeroizing(password);
        let known = hashed.is_some();
        let verified = self.with_permit(network, move || {
            let hashed = hashed.as_deref().unwrap_or(placeholder_hash());
            Argon2::default().verify_password(password.as_bytes(), hashed)
        });
        match verified.await? {
            Ok(()) => Ok(known),
            Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
            // The stored hash is malformed, so nobody typed anything wrong.
            Err(_) => {
                let (table, column) = ("password", "phc");
                Err(StoreError::Corrupt { table, column, id: account.to_string() }.into())
            }
        }
    }
}

/// Returns the error for a check that was not made, because the process is ending or there are no random
/// numbers.
fn failed(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> AuthorityError {
    StoreError::Unavailable(why.into()).into()
}

fn zeroizing(text: &str) -> zeroize::Zeroizing<String> {
    zeroize::Zeroizing::new(text.to_owned())
}

/// Returns the hash of a password that nobody has.
fn placeholder_hash() -> &'static str {
    static PLACEHOLDER_HASH: OnceLock<String> = OnceLock::new();
    PLACEHOLDER_HASH.get_or_init(|| {
        let hashed = Argon2::default().hash_password_with_salt(b"nobody has this", b"nor has it any salt");
        hashed.map(|hashed| hashed.to_string()).unwrap_or_default()
    })
}
