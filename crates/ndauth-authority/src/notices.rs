//! Notices: people are told by mail what happened to their tokens and their account, and what is going to.
//!
//! The log and the calendar are read, and what is to be told becomes rows of the outbox, once, in the same change as the
//! cursor. A surface claims mails, sends them, and settles them. Whether a notice is still true is judged when its mail
//! is claimed. No change of state waits for any of this, and an instance that sends no mail reads nothing.

mod calendar;
mod facts;
mod log;
mod outbox;
mod preferences;

pub use facts::{Letter, NoticeContent, Told};
pub use outbox::{Delivery, Handover};
pub use preferences::NoticePreferences;
