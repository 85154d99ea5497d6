//! Observations: what is noted beside the answers, and is no state. Uses are gathered and written in batches, follow-ups
//! wait in a queue.

pub(crate) mod follow_ups;
pub(crate) mod uses;
