//! Observations: facts that are noted beside the answers and are not state. Uses are gathered and written in
//! batches; follow-ups wait in a queue.

pub(crate) mod attempts;
pub(crate) mod counts;
pub(crate) mod follow_ups;
pub(crate) mod uses;
