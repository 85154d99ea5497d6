//! Passwords: hashed and checked, a few at once. Those that wait take few places, and nobody's but their own.

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

/// What passwords are checked with.
#[derive(Debug)]
pub(crate) struct Passwords {
    /// Each takes 19 MiB and a core for a while: no more at once.
    checks: Arc<Semaphore>,
    /// Those that are checked or wait, by where they come from.
    waiting: Arc<Shares<ClientNetwork>>,
}

/// How many passwords are checked at once.
const CHECKS: usize = 2;
/// How long one waits at the most, and is told to.
const QUEUE: Duration = Duration::from_secs(5);
const AFTER: Duration = Duration::from_secs(1);

impl Default for Passwords {
    fn default() -> Passwords {
        Passwords { checks: Arc::new(Semaphore::new(CHECKS)), waiting: Shares::new(PASSWORD_CHECKS) }
    }
}

impl Passwords {
    /// Computes on a thread of its own, once it is this one's turn.
    async fn in_turn<T: Send + 'static>(
        &self,
        network: ClientNetwork,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AuthorityError> {
        // Requests from nowhere share one share.
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

    /// Hashes a password as it is kept.
    pub(super) async fn hash(
        &self,
        password: &Password,
        network: ClientNetwork,
    ) -> Result<String, AuthorityError> {
        let password = password.clone();
        let hash = move || Argon2::default().hash_password(password.expose().as_bytes());
        let hashed = self.in_turn(network, hash).await?;
        // It fails where the operating system gives no random numbers.
        Ok(hashed.map_err(failed)?.to_string())
    }

    /// Whether a password is the one that was hashed for an account. Where none was, it takes as long, and is not.
    pub(super) async fn verify(
        &self,
        password: &str,
        account: AccountId,
        hashed: Option<String>,
        network: ClientNetwork,
    ) -> Result<bool, AuthorityError> {
        let password = zeroizing(password);
        let known = hashed.is_some();
        let verified = self.in_turn(network, move || {
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
