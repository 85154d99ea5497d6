//! Rows and transactions, on SQLite and on PostgreSQL.
//!
//! A [`Read`] sees one snapshot of the state, with the end of its log and its instant. A [`Write`] changes
//! rows and ends with [`Write::commit`], which takes the event: state cannot change without one. The engine
//! shows only in the URL.

mod folder;
mod unreachable;
mod url;

mod error;
mod pool;

mod clock;
mod examine;
mod notice;
mod writing;

mod lease;
mod seen;

mod columns;
mod connect;

mod beat;
mod log;

mod transaction;

mod attempts;
mod catalogue;
mod check;
mod copy;
mod events;
mod installation;
mod notices;
mod offers;
mod outbox;
mod passwords;
mod remains;
mod secrets;
mod server_lock;
mod services;
mod suspensions;
mod uses;
mod witness;

mod accounts;
mod orgs;

mod policies;
mod restrictions;
mod tickets;
mod tokens;

mod token_counts;

mod token_names;

mod history;

mod retention;

mod mirror;
mod sessions;

#[cfg(feature = "testing")]
pub mod testing;

pub use attempts::RefusedAttempt;
pub use beat::{ACKNOWLEDGED_WITHIN, Beat};
pub use check::Fault;
pub use clock::{Clock, DatabaseClock, ManualClock};
pub use connect::{MigrationState, Store};
pub use copy::CopyError;
pub use error::{StoreError, Taken};
pub use folder::check_folder;
pub use history::{EventNames, LARGEST_READ, LogChunk, LogPart, LoggedEvent};
pub use installation::InstallationCounts;
pub use log::StoredEvent;
pub use mirror::{Listener, Page, Partitioned, Person, Place, RowCounts, WithSecrets};
pub use notices::{Duty, EndingToken, LateTries, MOST_UNMAILED, Notice, NoticePosition};
pub use offers::Offer;
pub use orgs::{Member, MemberPage};
pub use outbox::{
    AccountToMail, MOST_MAILS, Mail, MailOutcome, OutboxState, SHOWN_FOR, SPAN, UndeliveredMail,
};
pub use remains::{FamilyKind, Remains};
pub use secrets::{Family, FoundSecret, MintCounts};
pub use server_lock::ServerLock;
pub use sessions::{SeenSession, SessionSecret};
pub use tickets::{Ticket, TicketKind};
pub use token_counts::{AGES, IDLE, SOON, TokenCounts, UNUSED};
pub use tokens::{Cursor, Key, TokenOrder, TokenPage, TokenQuery, TokenSearch};
pub use transaction::{Moment, Read, Write};
pub use unreachable::Unreachable;
pub use url::{DatabaseTls, DatabaseUrl, Engine, InvalidDatabaseUrl, TlsMode};
pub use uses::{OrgUse, Use};
pub use witness::{Seen, Witness};
