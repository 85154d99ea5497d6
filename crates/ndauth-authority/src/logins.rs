//! Logins: people prove who they are, programs and devices get sessions, and sessions refresh and end.

mod codes;
mod devices;
mod exchange;
mod links;
mod passwords;
mod sessions;
mod settings;
mod sign_in;

pub use codes::{CodeAsked, GrantError};
pub use devices::{DeviceAsked, DeviceBegun};
pub use exchange::{ExchangeAsked, Exchanged};
pub use links::Link;
pub(crate) use passwords::Passwords;
pub(crate) use sessions::draw_for;
pub use sessions::{Granted, MySession, Visit, Visitor, WhichSessions};
pub use settings::LoginSettings;
pub use sign_in::SignedIn;
