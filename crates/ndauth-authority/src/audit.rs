//! The audit: everything that happened, read by those whom it concerns. Reading changes nothing.

mod attempts;
mod export;
mod list;
mod reader;
mod sentence;

pub use attempts::{AttemptPage, AttemptShown};
pub use export::{ExportPage, parse_export};
pub use list::{ActorKind, ActorShown, EventPage, EventQuery, EventShown, Thing, check_kind};
pub(crate) use list::{EventFilter, page};
pub(crate) use reader::AuditReader;
