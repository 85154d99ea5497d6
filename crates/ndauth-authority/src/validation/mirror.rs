//! The mirror: the inputs of every decision that a service can ask for, in memory, as of a confirmed end of
//! the log.
//!
//! It loads once and then follows the log. An event touches some rows, and the reader reads those rows again,
//! in order, in one place. So an answer touches no database, nothing is evicted, and nothing races.
//!
//! *Confirmed* means that all events up to the end of the log were applied, as of the moment before that end
//! was queried. A mirror that was confirmed longer ago than the bound does not answer. All callers of that
//! time wait for one query of the end. So do callers with a secret that the mirror lacks, which is unknown
//! only as of an end that was queried after the request came.
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
pub(crate) use loading::check_loading;
pub use reader::Reader;
pub(crate) use served::{Mirror, SharedMirror};
pub(crate) use state::{DeadSecret, Death, Known, TokenFamily};
pub(crate) use view::{Found, View, asking};
