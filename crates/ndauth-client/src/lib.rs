//! The client library of ndauth: what an internal service asks whether a secret may do a thing.
//!
//! A [`Verifier`] keeps what the answers follow from, hears of everything that changes any of it, and decides by itself
//! while it can prove that it heard: in under a microsecond, and never by what was true longer ago than the server's
//! bound. Where it cannot prove that, it asks; where it cannot ask, it says that it could not decide.
//!
//! ```no_run
//! # async fn ask(secret_from_the_request: &str) -> Result<(), Box<dyn std::error::Error>> {
//! use ndauth_client::{Credentials, Requirement, Scope, Verdict, Verifier, VerifierOptions};
//!
//! let credentials = Credentials::from_environment("ASSETS_NDAUTH_SECRET")?;
//! let verifier = Verifier::start(VerifierOptions::new("https://ndauth.example.org".parse()?, credentials))?;
//!
//! let requirement = Requirement::Access {
//!     org: "ops".parse()?,
//!     access: Scope::Rw,
//!     permission: Some("write:assets:logo".parse()?),
//! };
//! match verifier.validate(secret_from_the_request, &requirement).await {
//!     Ok(Verdict::Allowed(allowed)) => println!("{} of {}", allowed.token_name(), allowed.owner()),
//!     Ok(Verdict::Refused(refused)) => println!("401 or 403: {refused}"),
//!     // Neither yes nor no.
//!     Err(problem) => println!("503: {problem}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! With the feature `axum` or `tonic` there is a layer (`guard`) that does this in front of a whole service. A [`Client`]
//! makes single calls, each answered by the server or failed with a [`Problem`]. With the feature `http`, `Http` makes
//! those that are no RPC, such as those of OAuth.
//!
//! The library reads no environment and no file but where it is told to, has no state beyond its values, and starts
//! nothing but the task by which a [`Verifier`] hears, which ends with it.

mod jitter;
mod observer;
mod server_url;

mod http_proxy;
mod pages;

mod connect;

mod client;
mod credentials;
#[cfg(feature = "http")]
mod http;

mod verifier;

#[cfg(any(feature = "axum", feature = "tonic"))]
pub mod guard;

pub use client::Client;
pub use connect::{ConnectError, Options};
pub use credentials::{Credentials, InvalidCredentials};
#[cfg(feature = "http")]
pub use http::{Http, HttpResponse};
pub use http_proxy::{HttpProxy, InvalidHttpProxy};
pub use ndauth_core as core;
pub use ndauth_core::{Permission, Problem, Reason, Requirement, Scope, Secret};
pub use ndauth_proto as proto;
pub use observer::{Call, Observer};
pub use server_url::{InvalidServerUrl, ServerUrl};
pub use verifier::{
    AllowedToken, Ended, Figures, Refused, TokenOwner, ValidationRequest, Verdict, Verifier, VerifierOptions,
};
