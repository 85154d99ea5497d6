//! The authority from outside: who may call which operation, and its effects, on both databases.

mod access;
mod audit;
mod catalogue;
mod console;
mod copies;
mod dead;
mod explain;
mod incidents;
mod janitor;
mod life;
mod life_model;
mod logins;
mod mirror;
mod notices;
mod offers;
mod operators;
mod org_tokens;
mod policies;
mod security;
mod tokens;
mod validate;
mod watching;
mod which;
mod world;

/// Writes a test twice: once for each engine, in a world of its own.
macro_rules! on_both {
    ($($(#[$doc:meta])* async fn $name:ident($world:ident: &World) $body:block)*) => {$(
        $(#[$doc])*
        mod $name {
            use super::*;

            async fn check($world: &crate::world::World) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                check(&crate::world::World::new(ndauth_authority::Engine::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                check(&crate::world::World::new(ndauth_authority::Engine::Postgres).await).await;
            }
        }
    )*};
}

pub(crate) use on_both;
