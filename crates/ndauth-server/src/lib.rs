//! The surfaces of ndauth: they translate between a protocol and the authority, and decide nothing.

mod grpc;
mod ops;
mod serve;
mod telemetry;

pub use serve::{ServeError, ServeOptions, serve};
pub use telemetry::{LogFormat, log_to_stderr};
