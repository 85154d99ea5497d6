//! Validation: answered from the mirror of the database, which follows the log. The effects of answers run
//! off their path.

pub(crate) mod mirror;

mod follow_ups;
mod tally;
mod validate;
mod warnings;
mod watching;
mod who_am_i;

pub use mirror::{BYTES_PER_TOKEN, Freshness, Reader, Readiness, StaleCause};
pub(crate) use tally::Tally;
pub use validate::{Answer, CacheableVerdict, Question, Resolved};
pub use watching::{News, Watcher};
pub use who_am_i::{CallerIdentity, WhoAmI};
