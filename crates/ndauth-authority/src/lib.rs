//! What the service does: a caller and a command come in; the access table and the one decision say
//! whether; one transaction with its event does it.
//!
//! Nothing here knows gRPC, HTTP or SQL. Every public operation starts with the caller's
//! [`Credential`], finds its row in the [access table](access), and is refused where there is none.

pub mod access;

mod accounts;
mod authority;
mod console;
mod credential;
mod error;
mod tokens;
mod uses;
mod validate;

pub use accounts::{Identity, WhoAmI};
pub use authority::Authority;
pub use console::{NewAccount, NewOrg, NewService};
pub use credential::{Caller, Credential};
pub use error::AuthorityError;
pub use ndauth_store::{
    Clock, DatabaseUrl, Engine, InvalidDatabaseUrl, ManualClock, MigrationState, StoreError, TokenPage,
};
pub use tokens::{CreatedToken, Listed, MAX_LIVE_TOKENS, NewToken, RevokedToken, Shown, TokenName};
pub use validate::{Allowed, OwnerName, Question, Verdict};
