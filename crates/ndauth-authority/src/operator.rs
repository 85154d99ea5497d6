//! The operator's operations, at the database's machine or by a session.

mod accounts;
mod after_restore;
mod catalogue;
mod check;
mod copies;
mod expiries;
mod inspect;
mod janitor;
mod manage;
mod replay;
mod retention;
mod services;

pub use accounts::{AccountUpdate, NewAccount};
pub use after_restore::{Settled, Settlement};
pub use catalogue::{CatalogueApplied, NextCatalogue};
pub use check::Checked;
pub use copies::RestoredCopy;
pub use expiries::OrgTokenEnds;
pub use inspect::{MemberView, OrgSummary, ServiceView, SessionView};
pub use janitor::Tidied;
pub use manage::{AccountDetails, AccountListed, AccountQuery, InstallationView, ManagedPage};
pub(crate) use replay::personal;
pub use retention::{Pruned, SecretTrail};
pub use services::{NewService, RotatedService};
