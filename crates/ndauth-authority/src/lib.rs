//! What the service does: a caller and a command come in; the access table and the one decision say
//! whether; one transaction with its event does it.
//!
//! Nothing here knows gRPC, HTTP or SQL. Every public operation starts with the caller's
//! [`Credential`], finds its row in the [access table](access), and is refused where there is none.

pub mod access;

mod accounts;
mod authority;
mod catalogue;
mod check;
mod console;
mod copies;
mod credential;
mod devices;
mod effects;
mod error;
mod exchange;
mod explain;
mod export;
mod follow_ups;
mod held;
mod incidents;
mod inspect;
mod janitor;
mod logins;
mod mirror;
mod oauth;
mod orgs;
mod rotations;
mod sessions;
mod standing;
mod throttle;
mod tokens;
mod uses;
mod validate;
mod watching;

pub use accounts::{Identity, WhoAmI};
pub use authority::Authority;
pub use catalogue::CatalogueApplied;
pub use check::Checked;
pub use console::{NewAccount, NewOrg, NewService, RotatedService};
pub use copies::{RestoredCopy, Settled, Settlement};
pub(crate) use credential::Caller;
pub use credential::{Credential, Life};
pub use devices::{DeviceAsked, DeviceBegun};
pub use error::AuthorityError;
pub use exchange::{ExchangeAsked, Exchanged};
pub use explain::{Explained, Explanation, Inquiry, Subject};
pub use export::parse_export;
pub use held::OwnerName;
pub use incidents::{ShutOut, Whose};
pub use inspect::{AsOf, MemberView, OrgView, OwnedToken, ServiceView, SessionView};
pub use janitor::Tidied;
pub use logins::{Link, SignedIn};
pub use mirror::{BYTES_PER_TOKEN, Freshness, Reader, Readiness, StaleCause};
pub use ndauth_store::{
    Clock, CopyError, Cursor, DatabaseUrl, Engine, InvalidDatabaseUrl, Key, ManualClock, MigrationState,
    ServerLock, StoreError, TokenOrder, TokenPage, TokenQuery, Use,
};
pub use oauth::{CodeAsked, GrantError};
pub use orgs::{BrokenToken, Impact, MemberShown, NewPolicy, OrgShown, PoliciesShown, PolicySet};
pub use rotations::{ChangedToken, RotatedToken, Settling};
pub use sessions::{Granted, Logins, MySession, Visit, Visitor, WhichSessions};
pub use standing::Rewound;
pub use tokens::{
    AnyToken, CreatedToken, Listed, MAX_LIVE_TOKENS, NewToken, RevokedToken, Shown, TokenName, TokenSettings,
    Which,
};
pub use validate::{Answer, Question, Resolved, Verdict};
pub use watching::{Changed, News, Watcher};
