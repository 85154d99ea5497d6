//! The client library of ndauth: connect, present a credential, ask.
//!
//! Every call gives an answer or a [`Problem`]: the server's own words and reason, or that it could
//! not be asked ([`Reason::Unavailable`]), which is never a verdict on anybody's secret.
//!
//! ```no_run
//! # async fn ask() -> Result<(), Box<dyn std::error::Error>> {
//! use ndauth_client::{Client, ServerUrl};
//! use ndauth_proto::v1;
//!
//! let server: ServerUrl = "http://127.0.0.1:7711".parse().expect("a URL");
//! let secret = "ndsvc_jzm6dv74yQxRAfvmz5pI1bDAoT2pAKatyz1kBpSBviE".parse().expect("a secret");
//! let client = Client::connect(&server, Some(&secret)).await?;
//! let verdict = client
//!     .validate_token(v1::ValidateTokenRequest {
//!         secret: "ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U".to_owned(),
//!         org: "ops".to_owned(),
//!         required_access: v1::Access::ReadOnly.into(),
//!         ..Default::default()
//!     })
//!     .await?;
//! # let _ = verdict;
//! # Ok(())
//! # }
//! ```

mod client;
mod connect;
mod credentials;
#[cfg(any(feature = "axum", feature = "tonic"))]
pub mod guard;
mod jitter;
mod observer;
mod server_url;
mod verdict;
mod verifier;

pub use client::Client;
pub use connect::{ConnectError, Options};
pub use credentials::{Credentials, InvalidCredentials};
pub use ndauth_core as core;
pub use ndauth_core::{Permission, Problem, Reason, Requirement, Scope, Secret};
pub use ndauth_proto as proto;
pub use observer::{Call, Observer};
pub use server_url::{InvalidServerUrl, ServerUrl};
pub use verdict::{Allowed, Ended, Owner, Refused, Verdict};
pub use verifier::{Figures, Question, Verifier, VerifierOptions};
