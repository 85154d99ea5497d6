//! The rules of the service: a caller and a command come in, the access table and the one decision admit or
//! refuse them, and one transaction with its event carries the command out.
//!
//! Nothing here knows gRPC, HTTP or SQL. Every public operation starts with the caller's [`Credential`],
//! finds its row in the [access table](access), and is refused if there is none.

pub mod access;
mod authority;
mod change;
pub mod limits;
mod origin;

mod audit;
mod error;
mod logins;
mod notices;
mod observations;
mod opening;
mod operator;
mod orgs;
mod preflight;
mod reading;
mod rewound;
mod standing;
mod throttle;
mod tokens;
mod validation;

pub(crate) use access::caller::Caller;
pub use access::caller::{Credential, Life};
pub use access::held::OwnerName;
pub use access::{OpenVisit, Visit, Whose};
pub use audit::{
    ActorKind, ActorShown, AttemptPage, AttemptShown, EventPage, EventQuery, EventShown, ExportPage, Thing,
    check_kind, parse_export,
};
pub use authority::{
    AuditWing, Authority, LoginWing, NoticeWing, OperatorWing, OrgWing, TokenWing, ValidationWing,
};
pub use change::Changed;
pub use error::{AuthorityError, MAX_LIVE_TOKENS, MOST_OFFERS};
pub use logins::{
    CodeRequest, ExchangeRequest, Exchanged, GrantError, Granted, Link, LoginSettings, MySession,
    ReportedSecret, SignedIn, StartedDevice, Visitor, WaitingDevice, WhichSessions,
};
pub use ndauth_store::{
    AGES, Clock, CopyError, Cursor, DatabaseTls, DatabaseUrl, Engine, IDLE, InstallationCounts,
    InvalidDatabaseUrl, Key, LateTries, ManualClock, MemberPage, MigrationState, OutboxState, SOON,
    ServerLock, StoreError, TlsMode, TokenCounts, TokenOrder, TokenPage, TokenQuery, TokenSearch, UNUSED,
    UndeliveredMail, Use, check_folder,
};
pub use notices::{Delivery, Handover, Letter, NoticeContent, NoticePreferences, Told};
pub use observations::attempts::AttemptKind;
pub use observations::uses::ReportedUse;
pub use operator::{
    AccountDetails, AccountListed, AccountQuery, AccountUpdate, CatalogueApplied, Checked, InstallationView,
    ManagedPage, MemberView, NewAccount, NewService, NextCatalogue, OrgSummary, OrgTokenEnds, Pruned,
    RestoredCopy, RotatedService, SecretTrail, ServiceView, SessionView, Settled, Settlement, Tidied,
};
pub use orgs::{
    Acceptance, Announced, BrokenToken, Impact, MemberList, MemberShown, MemberWithTokens, MyOrg, NewOrg,
    NewPolicy, OfferShown, OrgShown, PoliciesShown, PolicySet,
};
pub use origin::RequestOrigin;
pub use preflight::Preflight;
pub use reading::AsOf;
pub use rewound::Rewound;
pub use tokens::{
    Explained, Explanation, Inquiry, Minted, MintedWhen, NewToken, Renewing, RevokedAll, Revoking, Rotated,
    Settling, Shown, Subject, TokenList, Which, token_search,
};
pub use validation::{
    Answer, BYTES_PER_TOKEN, CacheableVerdict, CallerIdentity, Freshness, News, Question, Reader, Readiness,
    Resolved, StaleCause, Watcher, WhoAmI,
};
