//! Validation: answered from the mirror, without the database.

mod follow_up;
mod validate;
mod who_am_i;

pub(crate) use validate::{Tally, broken, judge_service, token_caller};
pub use validate::{Answer, Question, Resolved, Verdict};
pub use who_am_i::{Identity, WhoAmI};
