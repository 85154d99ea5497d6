//! The janitor removes what is long dead, and nothing else.

use std::time::Duration;

use ndauth_authority::Tidied;
use ndauth_core::{Reason, Requirement};

use crate::on_both;
use crate::world::{CONSOLE, MINE, PAGE, at, days, named, new_token, reason, token_with};

const DAY: i64 = 24 * 60 * 60;

on_both! {
    async fn the_long_dead_go_and_the_living_stay(world: &World) {
        let revoked = world.create(&new_token("revoked")).await.secret;
        assert_eq!(world.refused(&revoked).await, None);
        world.revoke(&world.ada, &named("revoked")).await.expect("revoked");
        let expired = world.create(&token_with("expired", |new| new.expiry = days(30))).await.secret;
        assert_eq!(world.refused(&expired).await, None);
        let living = world.create(&token_with("living", |new| {
            new.expiry = ndauth_core::ExpiryChoice::In(ndauth_core::Lifetime::Endless);
        })).await.secret;
        let rotated = world.authority.tokens().rotate(&world.ada, MINE, &named("living"), Duration::ZERO, None).await.expect("rotated").value;
        assert_eq!(world.refused(&rotated.secret).await, None);
        world.authority.validation().follow_up().await.expect("confirmed");
        world.authority.tokens().suspend(&world.ada, MINE, &named("expired")).await.expect("suspended");
        world.authority.operator().revoke_service(&CONSOLE, &"ops only".parse().expect("a name")).await.expect("revoked");
        world.authority.validation().write_uses().await.expect("written");
        let tidy = async || world.authority.operator().tidy_up_now(&CONSOLE).await.expect("tidied");
        world.clock.set(at(399 * DAY));
        // The old sessions have been dead for a day.
        let sessions = tidy().await.sessions;
        assert!(sessions >= 2, "{sessions}");
        world.clock.set(at(401 * DAY));
        // The service's secret, and the earlier secret of a live token.
        assert_eq!(tidy().await, Tidied { tokens: 1, secrets: 1, sessions: 0, services: 1 });
        assert_eq!(world.refused(&revoked).await, Some(Reason::SecretUnknown));
        assert_eq!(world.refused(&living).await, Some(Reason::SecretUnknown));
        assert_eq!(world.refused(&rotated.secret).await, None);
        world.clock.set(at(431 * DAY));
        assert_eq!(tidy().await.tokens, 1);
        assert_eq!(tidy().await, Tidied::default());
        let verdict = world.ask(&world.service, living.expose(), &Requirement::Identity).await;
        assert!(verdict.outcome.is_err());
        world.sound().await;
        // Another mirror that loads everything agrees.
        world.load_again().await;
        assert_eq!(world.refused(&revoked).await, Some(Reason::SecretUnknown));
    }

    /// Nobody looks for tokens that were never used.
    async fn the_never_used_go_after_thirty_days(world: &World) {
        let used = world.create(&new_token("used")).await.secret;
        assert_eq!(world.refused(&used).await, None);
        let unused = world.create(&new_token("unused")).await.secret;
        let expired = world.create(&token_with("expired", |new| new.expiry = days(1))).await.secret;
        for name in ["used", "unused"] {
            world.revoke(&world.ada, &named(name)).await.expect("revoked");
        }
        let living = world.create(&token_with("living", |new| new.expiry = days(365))).await.secret;
        let pending = world.authority.tokens().rotate(&world.ada, MINE, &named("living"), Duration::ZERO, None).await.expect("rotated").value.secret;
        world.authority.validation().write_uses().await.expect("written");
        let tidy = async || world.authority.operator().tidy_up_now(&CONSOLE).await.expect("tidied");
        world.clock.set(at(30 * DAY - 60));
        let early = tidy().await;
        assert_eq!((early.tokens, early.secrets), (0, 0));
        world.clock.set(at(30 * DAY + 16 * 60));
        let first = tidy().await;
        assert_eq!((first.tokens, first.secrets), (1, 1), "the one revoked, and the one that was not confirmed");
        for secret in [&unused, &pending] {
            assert_eq!(world.refused(secret).await, Some(Reason::SecretUnknown));
        }
        assert_eq!(world.refused(&expired).await, Some(Reason::TokenExpired));
        world.clock.set(at(31 * DAY + 60));
        assert_eq!(tidy().await.tokens, 1);
        assert_eq!(world.refused(&used).await, Some(Reason::TokenRevoked), "what was used is kept for longer");
        assert_eq!(world.refused(&living).await, None);
        world.sound().await;
        world.load_again().await;
        assert_eq!(world.refused(&expired).await, Some(Reason::SecretUnknown));
    }

    async fn tokens_whose_first_secret_was_never_confirmed_go_as_a_whole(world: &World) {
        let endless = ndauth_core::ExpiryChoice::In(ndauth_core::Lifetime::Endless);
        for (name, expiry) in [("endless", endless), ("a year", days(365))] {
            world.create(&token_with(name, |new| (new.pending, new.expiry) = (true, expiry))).await;
        }
        let list = async || {
            let ada = world.log_in("ada").await;
            world.authority.tokens().list(&ada, MINE, PAGE).await
        };
        let used = world.create(&token_with("used", |new| (new.pending, new.expiry) = (true, days(365)))).await.secret;
        assert_eq!(world.refused(&used).await, None);
        world.authority.validation().follow_up().await.expect("confirmed");
        world.authority.tokens().rotate(&world.ada, MINE, &named("used"), Duration::ZERO, None).await.expect("rotated");
        world.authority.validation().write_uses().await.expect("written");
        world.clock.set(at(30 * DAY));
        assert_eq!(world.authority.operator().tidy_up_now(&CONSOLE).await.expect("tidied").tokens, 0);
        assert_eq!(list().await.expect("listed").views.len(), 3);
        world.clock.set(at(31 * DAY));
        let tidied = world.authority.operator().tidy_up_now(&CONSOLE).await.expect("tidied");
        assert_eq!((tidied.tokens, tidied.secrets), (2, 1), "two tokens, and the second secret of the one that is used");
        assert_eq!(list().await.expect("listed").views.len(), 1);
        assert_eq!(world.refused(&used).await, None);
        world.sound().await;
        world.load_again().await;
        assert_eq!(world.refused(&used).await, None);
    }

    async fn batches_go_on_until_nothing_is_left(world: &World) {
        for number in 0..230 {
            let name = format!("t{number}");
            world.create(&new_token(&name)).await;
            world.revoke(&world.ada, &named(&name)).await.expect("revoked");
        }
        world.clock.set(at(401 * DAY));
        assert_eq!(world.authority.operator().tidy_up_now(&CONSOLE).await.expect("tidied").tokens, 230);
    }

    async fn a_clock_that_jumps_removes_nothing(world: &World) {
        world.create(&token_with("old", |new| new.expiry = days(1))).await;
        assert_eq!(world.authority.operator().tidy_up().await.expect("it looks at the clock"), Tidied::default());
        world.clock.set(at(800 * DAY));
        for _ in 0..3 {
            let stopped = world.authority.operator().tidy_up().await.expect_err("it stops");
            assert!(stopped.to_string().starts_with("the clock jumped from "), "{stopped}");
            assert_eq!(stopped.reason(), Reason::Unavailable);
        }
        let ada = world.log_in("ada").await;
        let other = reason(world.authority.operator().tidy_up_now(&ada).await);
        assert_eq!(other, Reason::NotPermitted, "by hand only the operator does it");
    }
}
