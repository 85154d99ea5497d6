//! The conformance suite: every test runs on SQLite and on PostgreSQL, with the same result.

mod log;
mod mirror;
mod offers;
mod outbox;
mod rows;
mod schema;
mod world;

/// Writes a test twice: once for each engine, on an empty scratch database.
macro_rules! on_both {
    ($($(#[$doc:meta])* async fn $name:ident($scratch:ident: &Scratch) $body:block)*) => {$(
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports, clippy::allow_attributes, reason = "not every test needs all of it")]
            use super::*;

            async fn check($scratch: &ndauth_store::testing::Scratch) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                check(&ndauth_store::testing::Scratch::new(ndauth_store::Engine::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                check(&ndauth_store::testing::Scratch::new(ndauth_store::Engine::Postgres).await).await;
            }
        }
    )*};
}

pub(crate) use on_both;
