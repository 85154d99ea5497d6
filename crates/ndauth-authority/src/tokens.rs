//! Tokens, a person's and an org's own: one resource with two kinds of owner.

mod create;
mod explain;
mod possession;
mod powerless;
mod renew;
mod revoke;
mod revoke_all;
mod rotate;
mod secrets;
mod show;
mod suspend;
mod which;

pub(crate) use create::member_orgs;
pub use create::{Minted, NewToken};
pub use explain::{Explained, Explanation, Inquiry, Subject};
pub(crate) use possession::{NOTE, Presentation};
pub use renew::Renewing;
pub(crate) use revoke::DESCRIPTION;
pub use revoke::Revoking;
pub use revoke_all::{MintedWhen, RevokedAll};
pub use rotate::Rotated;
pub use secrets::Settling;
pub(crate) use secrets::{LockedFamily, draw, end, settle, unlocked};
pub(crate) use show::actor_name;
pub use show::{Shown, TokenList};
pub(crate) use suspend::{level_in, level_name};
pub use which::{Which, token_search};
