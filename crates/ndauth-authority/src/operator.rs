//! The operator's operations, most of them at the database's machine.

mod accounts;
mod after_restore;
mod catalogue;
mod check;
mod copies;
mod export;
mod inspect;
mod janitor;
mod replay;
mod services;

pub use accounts::{AccountUpdate, NewAccount};
pub use after_restore::{Settled, Settlement};
pub use catalogue::{CatalogueApplied, NextCatalogue};
pub use check::Checked;
pub use copies::RestoredCopy;
pub use export::parse_export;
pub use inspect::{MemberView, OrgSummary, ServiceView, SessionView};
pub use janitor::Tidied;
pub use services::{NewService, RotatedService};
