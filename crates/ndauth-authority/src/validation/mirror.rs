//! The mirror: all that the decision reads about everything a service can ask about, in memory, as of a
//! confirmed end of the log.
//!
//! It loads once and then follows the log: an event touches some rows, the reader reads those rows again,
//! in order, in one place. So an answer touches no database, nothing is evicted, and nothing races.
//!
//! *Confirmed* means that all events up to the end of the log were applied; *when* is the moment before
//! the end was asked for. A mirror that was confirmed longer ago than the bound does not answer: all
//! questions of that time wait for one request for the end. So do questions about a secret that it lacks,
//! which is unknown only as of an end that was asked for after the question came.
//!
//! The files are floors, in the order below: each imports only those before it.

mod freshness;

mod feed;
mod rows;
mod state;

pub(crate) mod effects;
mod view;

mod beats;
mod loading;
mod served;

mod answering;
mod reader;

pub(crate) use feed::FeedEvent;
pub(crate) use freshness::Stale;
pub use freshness::{Freshness, Readiness, StaleCause};
pub use loading::BYTES_PER_TOKEN;
pub use reader::Reader;
pub(crate) use served::{Mirror, SharedMirror};
pub(crate) use state::{DeadSecret, Death, Known, TokenFamily};
pub(crate) use view::{Found, View, asking};
