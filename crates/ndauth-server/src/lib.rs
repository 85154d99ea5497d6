//! The surfaces of ndauth: they translate between a protocol and the authority, and decide nothing.

mod connection;
mod first_login;
pub mod front;
mod grpc;
mod http;
mod http2;
mod memory;
mod ops;
mod serve;
mod telemetry;
mod tls;

pub use http::links::{invitation_url, parse_public_url, sign_in_url};
pub use serve::{ServeError, ServeOptions, Serving, check_tls, serve};
pub use telemetry::{LogFormat, log_to_stderr};
pub use tls::{TlsError, TlsFiles};
