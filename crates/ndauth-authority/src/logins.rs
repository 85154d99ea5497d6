//! Logins: people prove who they are, programs and devices get sessions, and sessions refresh and end.

mod codes;
mod devices;
mod exchange;
mod links;
mod passwords;
mod presented;
mod sessions;
mod settings;
mod sign_in;

pub use codes::{CodeRequest, GrantError};
pub use devices::{StartedDevice, WaitingDevice};
pub use exchange::{ExchangeRequest, Exchanged};
pub use links::Link;
pub(crate) use links::in_use;
pub(crate) use passwords::Passwords;
pub use presented::ReportedSecret;
pub(crate) use sessions::draw_for;
pub use sessions::{Granted, MySession, Visitor, WhichSessions};
pub use settings::LoginSettings;
pub use sign_in::SignedIn;
