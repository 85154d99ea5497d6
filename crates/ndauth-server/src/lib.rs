//! The surfaces of ndauth: they translate between a protocol and the authority, and decide nothing.

mod client_address;
mod memory;
mod telemetry;
mod ticks;
mod tls;

mod connection;
mod received;
mod unsent;

mod cursors;
mod headers;
mod verdict;

mod mail;

pub mod front;

mod options;

mod check;

mod http;

mod edges;
mod first_login;
mod grpc;
mod health;
mod ops;
mod org_tokens;

mod api;

mod serve;

mod preflight;

pub use check::{CheckError, CheckedSettings, check, check_database};
pub use health::{NotReady, readiness};
pub use http::links::{invitation_url, parse_public_url, sign_in_url};
pub use mail::{
    MailError, MailRoute, MailSettings, Mailer, SmtpEncryption, SmtpServer, parse_mail_from, parse_mail_route,
};
pub use options::ServeOptions;
pub use preflight::{StartForecast, preflight};
pub use serve::{ServeError, Serving, serve};
pub use telemetry::{
    LogFormat, TraceError, TraceSampler, TraceSettings, Traces, log_to_stderr, parse_log_filter,
};
pub use tls::{TlsError, TlsFiles};
