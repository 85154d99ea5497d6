//! The dead: they take little memory, are refused as before, and cannot be made without limit.

use std::time::Duration;

use ndauth_core::{ExpiryChoice, Reason, Refusal, Requirement, Secret};

use crate::on_both;
use crate::world::{MINE, at, days, in_org, named, new_token, org_token, presented, reason, token_with};

const HOUR: i64 = 60 * 60;

/// Returns true if two refusals are the same, except for the instants at which they were given.
fn same(before: &Refusal, after: &Refusal) -> bool {
    before.reason() == after.reason() && before.since() == after.since()
}

on_both! {
    async fn the_long_dead_are_refused_as_before_and_take_little(world: &World) {
        let minted = async |name: &str| world.create(&new_token(name)).await.secret;
        let revoked = minted("revoked").await;
        world.revoke(&world.ada, &named("revoked")).await.expect("revoked");
        let expired = world.create(&token_with("expired", |new| new.expiry = days(1))).await.secret;
        let rotate = async |name: &str, overlap| {
            world.authority.tokens().rotate(&world.ada, MINE, &named(name), overlap, None).await.expect("rotated").value.secret
        };
        let replaced = minted("rotated").await;
        let current = rotate("rotated", Duration::ZERO).await;
        assert_eq!(world.refused(&current).await, None);
        // A secret that would be valid for longer than its token.
        let retiring = minted("retiring").await;
        let current_of_revoked = rotate("retiring", Duration::from_secs(3 * 24 * 60 * 60)).await;
        assert_eq!(world.refused(&current_of_revoked).await, None);
        world.authority.validation().follow_up().await.expect("confirmed");
        world.revoke(&world.ada, &named("retiring")).await.expect("revoked");
        let unused = minted("waits").await;
        let never_confirmed = rotate("waits", Duration::ZERO).await;
        world.catch_up().await;

        world.clock.set(at(HOUR / 2));
        assert_eq!(world.authority.validation().compact(), 0, "all of them is kept for a while");
        world.clock.set(at(26 * HOUR));
        let ask = async |secret: &Secret| {
            world.ask(&world.service, secret.expose(), &Requirement::Identity).await.outcome.err()
        };
        let dead = [&revoked, &expired, &replaced, &current_of_revoked, &never_confirmed];
        let mut before = Vec::new();
        for secret in dead {
            before.push(ask(secret).await.expect("it is dead"));
        }
        let retiring_before = ask(&retiring).await.expect("its token is dead");
        assert_eq!(world.authority.validation().compact(), dead.len());
        assert_eq!(world.authority.validation().compact(), 0, "each once");
        for again in [false, true] {
            if again {
                world.load_again().await;
            }
            for (secret, before) in dead.iter().zip(&before) {
                let after = ask(secret).await.expect("it is dead");
                assert!(same(before, &after), "{before:?} became {after:?}");
                assert_eq!(reason(world.authority.validation().who_am_i(&presented(secret)).await), before.reason());
            }
            let after = ask(&retiring).await.expect("its token is dead");
            assert!(same(&retiring_before, &after), "{retiring_before:?} became {after:?}");
            for secret in [&current, &unused] {
                assert!(ask(secret).await.is_none(), "the living are as before");
            }
        }
        // After its own end, that is reported, and it stays so.
        world.clock.set(at(5 * 24 * HOUR));
        let ended = ask(&retiring).await.expect("it is dead");
        assert_eq!(ended.reason(), Reason::SecretReplaced);
        assert_eq!(world.authority.validation().compact(), 1);
        assert!(same(&ended, &ask(&retiring).await.expect("it is dead")));
        // Its use is recorded all the same.
        world.authority.validation().follow_up().await.expect("recorded");
        let shown = world.show(&world.log_in("ada").await, &named("rotated")).await.expect("shown");
        assert!(shown.secrets.iter().any(|secret| secret.reused_at.is_some()), "{shown:?}");
        world.sound().await;
    }

    /// A person has a limit of minted secrets an hour, and so has each token that rotates itself.
    async fn secrets_are_minted_at_a_rate(world: &World) {
        let eve = in_org("ops");
        let rotate = async || {
            let rotated = world.authority.tokens().rotate(&world.ada, MINE, &named("ci"), Duration::ZERO, None).await;
            rotated.map(drop)
        };
        world.create(&new_token("ci")).await;
        let own = presented(&world.create(&token_with("own", |new| new.self_rotating_until = Some(ExpiryChoice::LONGEST))).await.secret);
        let rotate_itself = async || world.authority.tokens().rotate(&own, MINE, &named("own"), Duration::ZERO, None).await;
        rotate_itself().await.expect("rotated");
        for _ in 1..120 {
            assert_eq!(reason(rotate_itself().await), Reason::RotationPending);
        }
        assert_eq!(reason(rotate_itself().await), Reason::TooManyTries);
        rotate().await.expect("rotated");
        world.authority.tokens().drop_rotation(&world.ada, MINE, &named("ci")).await.expect("dropped");
        // What fails counts, too.
        for _ in 3..1500 {
            let taken = world.authority.tokens().create(&world.ada, MINE, &new_token("ci")).await;
            assert_eq!(reason(taken), Reason::NameTaken);
        }
        assert_eq!(reason(rotate().await), Reason::TooManyTries);
        let refused = world.authority.tokens().create(&world.ada, MINE, &new_token("more")).await;
        assert_eq!(reason(refused), Reason::TooManyTries);
        let hers = world.authority.tokens().create(&world.eve, &eve, &org_token("org's", &["read:assets"])).await;
        hers.expect("others go on");
        world.clock.set(at(3));
        rotate().await.expect("one is back");
    }
}
