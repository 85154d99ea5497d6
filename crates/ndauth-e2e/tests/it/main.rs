//! End-to-end tests of the real binaries, on both databases.

mod api;
mod audit;
mod cli;
mod clients;
mod configuration;
mod copies;
mod crash;
mod database_tls;
mod dev;
mod disk;
mod documents;
mod durability;
mod edges;
mod endless;
mod failover;
mod faults;
mod front;
mod grpc;
mod installation;
mod instances;
mod leaks;
mod life;
mod logins;
mod mail;
mod openapi;
mod operator;
mod operators;
mod orgs;
mod outages;
mod packages;
mod pages;
mod permissions;
mod preflight;
mod recipes;
mod registry;
mod replicas;
mod requests;
mod scan;
mod server;
mod shares;
mod telemetry;
mod terminal;
mod tls;
mod token_files;
mod troubleshooting;
mod tunnels;
mod verifier;
mod watching;

/// Generates a test twice, once for each engine, on an empty installation.
macro_rules! on_both {
    ($($(#[$doc:meta])* async fn $name:ident($at:ident: &Installation) $body:block)*) => {$(
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports, clippy::allow_attributes, reason = "not every test needs all of it")]
            use super::*;

            async fn check($at: &crate::installation::Installation) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                check(&crate::installation::Installation::new(ndauth_store::Engine::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                check(&crate::installation::Installation::new(ndauth_store::Engine::Postgres).await).await;
            }
        }
    )*};
}

pub(crate) use on_both;
