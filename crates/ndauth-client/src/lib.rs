//! The client library of ndauth, with which an internal service validates secrets.
//!
//! A [`Verifier`] caches the inputs of verdicts, watches for every change to them, and decides locally while
//! it can prove that its cache is fresh: in under a microsecond, and never by a state older than the server's
//! bound. If it cannot prove that, it asks a server; if no server answers, it returns a [`Problem`] instead
//! of a verdict.
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
//! With the feature `axum` or `tonic` there is a layer (`guard`) that does this in front of a whole service.
//! A [`Client`] makes single calls; each returns the server's response or a [`Problem`]. With the feature
//! `http`, `Http` makes the requests that are not RPCs, such as those of OAuth.
//!
//! The library reads the environment and files only where its caller asks for it, and has no global state. Its
//! only background tasks are the watch of a [`Verifier`], which ends with it, and those that drive connections.
// The example on the page for those who build services compiles. Only this repository has the page.
#![cfg_attr(all(doctest, feature = "axum"), doc = include_str!("../../../docs/integrate.md"))]

mod dial;
mod jitter;
mod observer;
mod server_url;
mod trace_parent;

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
pub use connect::{ConnectError, Distrust, Options};
pub use credentials::{Credentials, InvalidCredentials};
#[cfg(feature = "http")]
pub use http::{Http, HttpResponse};
pub use http_proxy::{HttpProxy, InvalidHttpProxy};
pub use ndauth_core as core;
pub use ndauth_core::{Permission, Problem, Reason, Requirement, Scope, Secret};
pub use ndauth_proto as proto;
pub use observer::{Call, Observer};
pub use server_url::{InvalidServerUrl, ServerUrl};
pub use trace_parent::{InvalidTraceParent, TraceParent};
pub use verifier::{
    AllowedToken, Ended, Figures, Refused, TokenOwner, ValidationRequest, Verdict, Verifier, VerifierOptions,
};
