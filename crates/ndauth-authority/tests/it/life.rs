//! Rotate, confirm, renew: secrets succeed each other, and never widen.

use std::collections::BTreeMap;
use std::time::Duration;

use ndauth_authority::{
    Announced, AuthorityError, Credential, NewPolicy, NewToken, Renewing, Rotated, Settling, TokenOrder,
    TokenQuery,
};
use ndauth_core::{
    Expiry, ExpiryChoice, Lifetime, OrgPolicy, Reason, Retirement, Rotation, Scope, Secret, TokenStatus,
    TokenView, WholeSecond,
};
use tokio::task::JoinSet;

use crate::on_both;
use crate::world::{
    MINE, PAGE, World, at, days, in_org, named, new_token, ops, org_token, orgs, presented, reason, settle,
    token_with,
};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: i64 = 24 * 60 * 60;

async fn rotate(world: &World, overlap: Duration) -> Result<Rotated, AuthorityError> {
    let rotated = world.authority.tokens().rotate(&world.ada, MINE, &named("ci"), overlap, None).await;
    rotated.map(|done| done.value)
}

async fn settled(world: &World, settling: Settling) -> Result<bool, AuthorityError> {
    Ok(settle(&world.authority, &world.ada, &named("ci"), &settling).await?.changed)
}

async fn view(world: &World) -> TokenView {
    world.show(&world.ada, &named("ci")).await.expect("shown")
}

/// Validates a secret, and runs the follow-ups.
async fn used(world: &World, secret: &Secret) -> Option<Reason> {
    let refused = world.refused(secret).await;
    world.authority.validation().follow_up().await.expect("followed up");
    refused
}

on_both! {
    /// A rotation goes from "not yet safe" to retired.
    async fn a_rotation_passes_through_every_stage(world: &World) {
        let old = world.create(&new_token("ci")).await.secret;
        let new = rotate(world, 24 * HOUR).await.expect("rotated");
        assert_eq!(new.pending_until, at(15 * 60));
        assert_eq!(reason(rotate(world, HOUR).await), Reason::RotationPending);
        // The old one is valid, and nothing has changed except that another is pending.
        assert_eq!(used(world, &old).await, None);
        let shown = view(world).await;
        assert!(matches!(shown.rotation(at(0)), Some(Rotation::Pending(_))));
        assert_eq!(shown.token.expires_at, Expiry::At(at(90 * DAY)));

        world.clock.set(at(600));
        assert_eq!(used(world, &new.secret).await, None);
        let shown = view(world).await;
        assert_eq!(shown.token.expires_at, Expiry::At(at(90 * DAY)), "from when it was rotated");
        let stage = |shown: &TokenView, now| match shown.rotation(at(now)) {
            Some(Rotation::Overlap { old, retirement }) => Some((old.record.ends_at, retirement.is_safe())),
            _ => None,
        };
        assert_eq!(stage(&shown, 600), Some((Expiry::At(at(600 + DAY)), false)), "it is too soon to know");
        assert_eq!(stage(&shown, 600 + 3600), Some((Expiry::At(at(600 + DAY)), true)));
        // Somebody still uses the old one.
        world.clock.set(at(700));
        assert_eq!(used(world, &old).await, None);
        let shown = view(world).await;
        assert_eq!(stage(&shown, 700), Some((Expiry::At(at(600 + DAY)), false)));
        let address = match shown.rotation(at(700)) {
            Some(Rotation::Overlap { retirement: Retirement::StillUsed(last), .. }) => last.address,
            other => panic!("{other:?}"),
        };
        assert_eq!(address, "203.0.113.9".parse().ok());
        assert_eq!(reason(settled(world, Settling::Retire { anyway: false }).await), Reason::NotSafeYet);
        assert_eq!(reason(rotate(world, Duration::ZERO).await), Reason::OverlapRuns);
        assert!(settled(world, Settling::Retire { anyway: true }).await.expect("retired"));
        assert_eq!(used(world, &old).await, Some(Reason::SecretReplaced));
        assert_eq!(used(world, &new.secret).await, None);
        assert_eq!(reason(settled(world, Settling::Retire { anyway: true }).await), Reason::NoRotation);
        assert!(rotate(world, HOUR).await.is_ok());
        world.sound().await;
    }

    async fn unconfirmed_secrets_expire(world: &World) {
        let old = world.create(&new_token("ci")).await.secret;
        let new = rotate(world, HOUR).await.expect("rotated").secret;
        world.clock.set(at(15 * 60));
        assert_eq!(used(world, &new).await, Some(Reason::SecretExpired));
        assert_eq!(used(world, &old).await, None);
        assert_eq!(reason(settled(world, Settling::Confirm(None)).await), Reason::NoRotation);
        // Another can be drawn, dropped, and drawn again.
        let second = rotate(world, HOUR).await.expect("rotated").secret;
        assert!(settled(world, Settling::Drop).await.expect("dropped"));
        assert_eq!(used(world, &second).await, Some(Reason::SecretExpired));
        let third = rotate(world, Duration::ZERO).await.expect("rotated").secret;
        let confirm = Settling::Confirm(Some(third.prefix()));
        assert!(settled(world, confirm.clone()).await.expect("confirmed"));
        assert!(!settled(world, confirm).await.expect("all is well"), "it is confirmed already");
        assert_eq!(used(world, &old).await, Some(Reason::SecretReplaced), "without an overlap");
        assert_eq!(used(world, &third).await, None);
    }

    /// A use in time confirms, however late it is recorded.
    async fn a_use_in_time_is_in_time(world: &World) {
        world.create(&new_token("ci")).await;
        let new = rotate(world, HOUR).await.expect("rotated").secret;
        world.clock.set(at(15 * 60 - 1));
        assert_eq!(world.refused(&new).await, None);
        world.clock.set(at(15 * 60 + 1));
        world.authority.validation().follow_up().await.expect("followed up");
        assert_eq!(world.refused(&new).await, None);
    }

    /// No token extends itself beyond the lifetime it was made for. It continues by rotating itself, and not
    /// forever.
    async fn a_short_token_stays_short(world: &World) {
        let hour = ExpiryChoice::In(Lifetime::For(HOUR));
        let turning = |name: &str, expiry| token_with(name, |new| (new.self_rotating_until, new.expiry) = (Some(ExpiryChoice::LONGEST), expiry));
        let endless = turning("endless", ExpiryChoice::In(Lifetime::Endless));
        assert_eq!(reason(world.authority.tokens().create(&world.ada, MINE, &endless).await), Reason::InvalidArgument);
        let renew = async |by: &Credential, name: &str, automatic: bool| {
            let renewing = Renewing { minimum: None, automatic };
            let renewed = world.authority.tokens().renew(by, MINE, &named(name), renewing).await?;
            Ok::<_, AuthorityError>(renewed.value.token.expires_at)
        };
        let short = presented(&world.create(&turning("short", hour)).await.secret);
        let week = presented(&world.create(&turning("week", days(8))).await.secret);
        assert_eq!(reason(renew(&short, "short", false).await), Reason::NotRenewable);
        assert_eq!(reason(renew(&world.ada, "short", true).await), Reason::NotRenewable);
        assert_eq!(renew(&world.ada, "week", true).await.expect("unchanged"), Expiry::At(at(8 * DAY)), "it is too soon");
        world.clock.set(at(6 * DAY));
        assert_eq!(renew(&week, "week", false).await.expect("renewed"), Expiry::At(at(16 * DAY)), "by what it was made for");
        // When it rotates itself its lifetime begins again, for 365 days at most.
        let (mut now, mut secret) = (6 * DAY, week);
        let mut ends = Vec::new();
        while let Ok(rotated) = world.authority.tokens().rotate(&secret, MINE, &named("week"), Duration::ZERO, None).await {
            secret = presented(&rotated.value.secret);
            world.authority.tokens().confirm_rotation(&secret, MINE, &named("week"), None).await.expect("confirmed");
            let ada = world.log_in("ada").await;
            ends.push(world.show(&ada, &named("week")).await.expect("shown").token.expires_at);
            now += 7 * DAY;
            world.clock.set(at(now));
        }
        assert_eq!(ends.first(), Some(&Expiry::At(at(16 * DAY))));
        assert_eq!(ends.get(2), Some(&Expiry::At(at(28 * DAY))));
        assert_eq!(ends.last(), Some(&Expiry::At(at(365 * DAY))));
    }

    /// A token does not extend itself past the end that was stated when it was made, by any way. A person can
    /// move its end further.
    async fn a_token_extends_itself_to_the_end_that_was_stated(world: &World) {
        let until = |name: &str, until| {
            token_with(name, |new| (new.expiry, new.self_rotating_until) = (days(8), Some(until)))
        };
        for wrong in [days(7), days(366), ExpiryChoice::In(Lifetime::Endless), ExpiryChoice::At(at(-DAY))] {
            let refused = world.authority.tokens().create(&world.ada, MINE, &until("wrong", wrong)).await;
            assert_eq!(reason(refused), Reason::InvalidArgument, "{wrong:?}");
        }
        let mut secret = presented(&world.create(&until("turning", days(20))).await.secret);
        let renewing = presented(&world.create(&until("renewing", ExpiryChoice::At(at(10 * DAY)))).await.secret);
        let renew = async |by: &Credential, automatic| {
            let renewing = Renewing { minimum: None, automatic };
            let renewed = world.authority.tokens().renew(by, MINE, &named("renewing"), renewing).await?;
            Ok::<_, AuthorityError>(renewed.value.token.expires_at)
        };
        for (now, ends) in [(6, 14), (13, 20), (19, 20)] {
            world.clock.set(at(now * DAY));
            let rotated = world.authority.tokens().rotate(&secret, MINE, &named("turning"), Duration::ZERO, None).await;
            secret = presented(&rotated.expect("rotated").value.secret);
            world.authority.tokens().confirm_rotation(&secret, MINE, &named("turning"), None).await.expect("confirmed");
            let ada = world.log_in("ada").await;
            let shown = world.show(&ada, &named("turning")).await.expect("shown").token;
            let until = shown.self_rotating_until.map(WholeSecond::begin);
            assert_eq!((shown.expires_at, until), (Expiry::At(at(ends * DAY)), Some(at(20 * DAY))));
            if now == 6 {
                assert_eq!(renew(&renewing, false).await.expect("renewed"), Expiry::At(at(10 * DAY)));
                world.clock.set(at(9 * DAY));
                assert_eq!(reason(renew(&renewing, false).await), Reason::NotRenewable);
                let ada = world.log_in("ada").await;
                assert_eq!(reason(renew(&ada, true).await), Reason::NotRenewable);
                assert_eq!(renew(&ada, false).await.expect("by a person"), Expiry::At(at(40 * DAY)));
            }
        }
    }

    /// Nothing revives an expired token: neither a confirmation by its owner, nor a first use that is
    /// followed up late.
    async fn an_expired_token_is_not_revived(world: &World) {
        for name in ["ci", "used"] {
            world.create(&token_with(name, |new| new.expiry = days(1))).await;
        }
        world.clock.set(at(DAY - 60));
        let ada = world.log_in("ada").await;
        let rotate = async |name: &str| {
            let rotated = world.authority.tokens().rotate(&ada, MINE, &named(name), HOUR, None).await;
            rotated.expect("rotated").value.secret
        };
        let (confirmed, used) = (rotate("ci").await, rotate("used").await);
        world.clock.set(at(DAY - 1));
        assert_eq!(world.refused(&used).await, None);
        world.clock.set(at(DAY + 60));
        for prefix in [None, Some(confirmed.prefix())] {
            let outcome = world.authority.tokens().confirm_rotation(&ada, MINE, &named("ci"), prefix).await;
            assert_eq!(reason(outcome), Reason::TokenDead);
        }
        world.authority.validation().follow_up().await.expect("followed up");
        for (name, secret) in [("ci", &confirmed), ("used", &used)] {
            let shown = world.show(&ada, &named(name)).await.expect("shown");
            assert_eq!(shown.token.expires_at, Expiry::At(at(DAY)), "{name}");
            assert_eq!(shown.status(at(DAY + 60)), TokenStatus::Expired, "{name}");
            assert_eq!(world.refused(secret).await, Some(Reason::TokenExpired), "{name}");
        }
        assert!(world.authority.tokens().drop_rotation(&ada, MINE, &named("ci")).await.expect("dropped").changed);
        world.sound().await;
    }

    /// A use that is followed up late does not revive a secret that was dropped.
    async fn a_dropped_secret_never_takes_over(world: &World) {
        let first = world.create(&new_token("ci")).await.secret;
        let rotated = world.authority.tokens().rotate(&world.ada, MINE, &named("ci"), HOUR, None).await;
        let second = rotated.expect("rotated").value.secret;
        assert_eq!(world.refused(&second).await, None, "it is used");
        world.clock.set(at(1));
        world.authority.tokens().drop_rotation(&world.ada, MINE, &named("ci")).await.expect("dropped");
        world.authority.validation().follow_up().await.expect("followed up");
        assert_eq!(world.refused(&second).await, Some(Reason::SecretExpired));
        assert_eq!(world.refused(&first).await, None);
        world.sound().await;
    }

    /// A pending secret that is presented to be revoked ends itself. Presenting it does not confirm it first.
    async fn a_secret_that_is_shown_to_be_revoked_does_not_take_over(world: &World) {
        let first = world.create(&new_token("ci")).await.secret;
        world.create(&new_token("other")).await;
        let rotated = world.authority.tokens().rotate(&world.ada, MINE, &named("ci"), HOUR, None).await;
        let second = presented(&rotated.expect("rotated").value.secret);
        let of_another = world.revoke(&second, &named("other")).await;
        assert_eq!(reason(of_another), Reason::SessionRequired);
        world.authority.validation().follow_up().await.expect("followed up");
        let revoked = world.revoke(&second, &named("ci")).await.expect("revoked");
        assert_eq!((revoked.changed, revoked.value.token.revoked_at), (true, None), "the token lives on");
        world.authority.validation().follow_up().await.expect("followed up");
        assert_eq!(world.refused(&first).await, None);
        world.sound().await;
    }

    /// SEC-14: one of many concurrent calls wins.
    async fn sec_14_one_of_fifty_wins(world: &World) {
        world.create(&new_token("ci")).await;
        let secret = { let Credential::Secret { secret, .. } = &world.ada else { panic!("a session") }; secret.clone() };
        let all = async |what: fn(usize) -> Option<Settling>| {
            let mut tries = JoinSet::new();
            for n in 0..50 {
                let (authority, ada) = (std::sync::Arc::clone(&world.authority), presented(&secret));
                tries.spawn(async move {
                    match what(n) {
                        None => authority.tokens().rotate(&ada, MINE, &named("ci"), 2 * HOUR, None).await.map(|_| true),
                        Some(settling) => {
                            settle(&authority, &ada, &named("ci"), &settling).await.map(|done| done.changed)
                        }
                    }
                });
            }
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            for outcome in tries.join_all().await {
                let key = match outcome {
                    Ok(changed) => format!("{changed}"),
                    Err(error) => error.reason().code().to_owned(),
                };
                *counts.entry(key).or_default() += 1;
            }
            counts.into_iter().map(|(key, count)| format!("{key}:{count}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(all(|_| None).await, "ROTATION_PENDING:49 true:1");
        assert_eq!(all(|_| Some(Settling::Confirm(None))).await, "NO_ROTATION:49 true:1");
        assert_eq!(all(|_| Some(Settling::Retire { anyway: true })).await, "NO_ROTATION:49 true:1");
        assert_eq!(view(world).await.secrets.len(), 2);
        let renewals = {
            let mut tries = JoinSet::new();
            for _ in 0..50 {
                let (authority, ada) = (std::sync::Arc::clone(&world.authority), presented(&secret));
                let minimum = Some(Duration::from_secs(100 * 24 * 60 * 60));
                let enough = Renewing { minimum, automatic: false };
                tries.spawn(async move { authority.tokens().renew(&ada, MINE, &named("ci"), enough).await.map(|done| done.changed) });
            }
            tries.join_all().await.into_iter().filter(|done| matches!(done, Ok(true))).count()
        };
        assert_eq!(renewals, 1, "the others find enough left");
        assert_eq!(view(world).await.token.expires_at, Expiry::At(at(120 * DAY)));
    }

    /// SEC-21: no other credential of the same person, or of the same token, rotates or renews a token.
    async fn sec_21_only_the_tokens_own_secret_in_force_rotates_it(world: &World) {
        let turning = token_with("ci", |new| new.self_rotating_until = Some(ExpiryChoice::LONGEST));
        let ci = presented(&world.create(&turning).await.secret);
        let other = presented(&world.create(&token_with("other", |new| new.self_rotating_until = Some(ExpiryChoice::LONGEST))).await.secret);
        let plain = presented(&world.create(&new_token("plain")).await.secret);
        let by = async |credential: &Credential, name: &str| {
            world.authority.tokens().rotate(credential, MINE, &named(name), HOUR, None).await
        };
        assert_eq!(reason(by(&other, "ci").await), Reason::SessionRequired);
        assert_eq!(reason(by(&plain, "plain").await), Reason::SessionRequired);
        let renewed = world.authority.tokens().renew(&other, MINE, &named("ci"), Renewing::default()).await;
        assert_eq!(reason(renewed), Reason::SessionRequired);
        assert_eq!(reason(world.authority.tokens().renew(&plain, MINE, &named("plain"), Renewing::default()).await), Reason::SessionRequired);

        world.clock.set(at(10 * DAY));
        assert_eq!(reason(world.authority.tokens().rotate(&ci, MINE, &named("ci"), HOUR, Some(days(30))).await), Reason::InvalidArgument);
        let drawn = by(&ci, "ci").await.expect("it rotates itself").value.secret;
        let new = presented(&drawn);
        // The old one cannot confirm that the new one arrived.
        assert_eq!(reason(world.authority.tokens().confirm_rotation(&ci, MINE, &named("ci"), None).await), Reason::SessionRequired);
        assert!(world.authority.tokens().confirm_rotation(&new, MINE, &named("ci"), None).await.expect("confirmed").changed);
        // Its first use may have confirmed it before, so a confirmed secret is no failure.
        let prefix = Some(drawn.prefix());
        assert!(!world.authority.tokens().confirm_rotation(&new, MINE, &named("ci"), prefix).await.expect("all is well").changed);
        assert_eq!(reason(world.authority.tokens().confirm_rotation(&ci, MINE, &named("ci"), prefix).await), Reason::SessionRequired);
        let shown = world.show(&new, &named("ci")).await;
        assert_eq!(shown.expect("shown").token.expires_at, Expiry::At(at(100 * DAY)), "its lifetime begins again");
        // A retiring secret may do nothing of the sort.
        assert_eq!(reason(by(&ci, "ci").await), Reason::SessionRequired);
        assert_eq!(reason(world.authority.tokens().renew(&ci, MINE, &named("ci"), Renewing::default()).await), Reason::SessionRequired);
        // It renews itself in the last quarter of its lifetime.
        assert_eq!(reason(world.authority.tokens().renew(&new, MINE, &named("ci"), Renewing::default()).await), Reason::NotRenewable);
        world.clock.set(at(80 * DAY));
        let renewed = world.authority.tokens().renew(&new, MINE, &named("ci"), Renewing::default()).await;
        assert_eq!(renewed.expect("renewed").value.token.expires_at, Expiry::At(at(130 * DAY)));
    }

    async fn a_token_confirms_only_with_its_new_secret(world: &World) {
        let turning = |new: NewToken| NewToken { self_rotating_until: Some(ExpiryChoice::LONGEST), ..new };
        for made in [
            world.create(&turning(new_token("ci"))).await,
            world.make(&world.eve, &in_org("ops"), &turning(org_token("ci", &["read:assets"]))).await,
        ] {
            let old = presented(&made.secret);
            let rotated = world.authority.tokens().rotate(&old, MINE, &named("ci"), HOUR, None).await;
            let drawn = rotated.expect("it rotates itself").value.secret;
            let new = presented(&drawn);
            let (old_one, new_one) = (Some(made.secret.prefix()), Some(drawn.prefix()));
            let confirm = async |by: &Credential, prefix| {
                let confirmed = world.authority.tokens().confirm_rotation(by, MINE, &named("ci"), prefix).await;
                confirmed.map(|done| done.changed).map_err(|error| error.reason())
            };
            for (by, prefix, expected) in [
                (&old, None, Err(Reason::SessionRequired)),
                (&old, new_one, Err(Reason::SessionRequired)),
                (&old, old_one, Err(Reason::NoRotation)),
                (&new, old_one, Err(Reason::SessionRequired)),
                (&new, None, Ok(true)),
                (&new, None, Ok(false)),
                (&new, new_one, Ok(false)),
                (&old, None, Err(Reason::SessionRequired)),
                (&old, old_one, Err(Reason::SessionRequired)),
            ] {
                assert_eq!(confirm(by, prefix).await, expected, "{prefix:?}");
            }
        }
    }

    /// SEC-22: a response that never arrives leaves no secret that stays valid, and nothing that its owner
    /// does not see.
    async fn sec_22_undelivered_secrets_die_and_are_seen(world: &World) {
        let waiting = token_with("ci", |new| new.pending = true);
        let made = world.create(&waiting).await;
        drop(made.secret);
        let listed = world.authority.tokens().list(&world.ada, MINE, PAGE).await.expect("listed");
        assert_eq!(listed.views.len(), 1);
        assert_eq!(view(world).await.status(at(0)), TokenStatus::Pending);
        assert_eq!(reason(world.authority.tokens().create(&world.ada, MINE, &new_token("ci")).await), Reason::NameTaken);
        world.clock.set(at(15 * 60));
        assert_eq!(view(world).await.status(at(15 * 60)), TokenStatus::Expired);
        // Its name is free, and it counts for nothing.
        let again = world.create(&new_token("ci")).await.secret;
        assert_eq!(used(world, &again).await, None);
        let lost = rotate(world, Duration::ZERO).await.expect("rotated");
        drop(lost.secret);
        world.clock.set(at(60 * 60));
        assert_eq!(used(world, &again).await, None);
    }

    async fn renewals_go_by_thirty_days_and_not_beyond_policy(world: &World) {
        world.create(&token_with("ci", |new| new.orgs = Some(orgs(&["ops"])))).await;
        world.create(&token_with("long", |new| new.expiry = days(180))).await;
        world.create(&token_with("ro", |new| new.scope = Some(Scope::Ro))).await;
        let renew = async |name: &str, minimum: Option<u64>| {
            let minimum = minimum.map(|days| Duration::from_secs(days * 24 * 60 * 60));
            let renewed = world.authority.tokens().renew(&world.ada, MINE, &named(name), Renewing { minimum, automatic: false }).await?;
            Ok::<_, AuthorityError>((renewed.changed, renewed.value.token.expires_at))
        };
        for name in ["long", "ro"] {
            assert_eq!(reason(renew(name, None).await), Reason::NotRenewable, "{name}");
        }
        assert_eq!(renew("ci", Some(7)).await.expect("unchanged"), (false, Expiry::At(at(90 * DAY))));
        assert_eq!(renew("ci", Some(90)).await.expect("unchanged"), (false, Expiry::At(at(90 * DAY))));
        assert_eq!(renew("ci", Some(91)).await.expect("renewed"), (true, Expiry::At(at(120 * DAY))));
        let policy = OrgPolicy { longest_lifetime: Lifetime::For(Duration::from_secs(130 * 24 * 60 * 60)), ..OrgPolicy::OPEN };
        let new = NewPolicy { policy, effective_in: Duration::ZERO, announced: Announced::Keep, expected: None };
        world.authority.orgs().set_policy(&world.eve, &ops(), &new).await.expect("set");
        assert_eq!(renew("ci", None).await.expect("renewed"), (true, Expiry::At(at(130 * DAY))), "as far as it goes");
        assert_eq!(reason(renew("ci", None).await), Reason::NotRenewable);
        // A rotation begins its lifetime again.
        world.clock.set(at(100 * DAY));
        let ada = world.log_in("ada").await;
        let rotated = world.authority.tokens().rotate(&ada, MINE, &named("ci"), HOUR, None).await.expect("rotated");
        assert_eq!(used(world, &rotated.value.secret).await, None);
        let shown = world.show(&ada, &named("ci")).await;
        assert_eq!(shown.expect("shown").token.expires_at, Expiry::At(at(190 * DAY)));
        world.clock.set(at(200 * DAY));
        let ada = world.log_in("ada").await;
        let dead = world.authority.tokens().rotate(&ada, MINE, &named("ci"), HOUR, None).await.expect_err("it is dead");
        assert_eq!(dead.to_string(), "the token `ci` expired 10 days ago (2027-07-24)");
        assert_eq!(dead.reason(), Reason::TokenDead);
    }

    async fn an_orgs_tokens_rotate_and_renew_by_its_admins(world: &World) {
        let (ours, which) = (in_org("ops"), named("deploy"));
        let new = NewToken { expiry: days(30), ..org_token("deploy", &["write:assets"]) };
        let made = world.make(&world.eve, &ours, &new).await;
        let refused = world.authority.tokens().rotate(&world.ada, &ours, &which, HOUR, None).await;
        assert_eq!(reason(refused), Reason::RoleTooLow);
        let rotated = world.authority.tokens().rotate(&world.eve, &ours, &which, HOUR, None).await.expect("rotated");
        let asked = async |secret: &Secret| {
            let refused = world.refused_permission(secret, "write:assets").await;
            world.authority.validation().follow_up().await.expect("followed up");
            refused
        };
        assert_eq!(asked(&rotated.value.secret).await, None);
        assert_eq!(asked(&made.secret).await, None, "the overlap runs");
        world.clock.set(at(3600));
        assert_eq!(asked(&made.secret).await, Some(Reason::SecretReplaced));
        let renewed = world.authority.tokens().renew(&world.eve, &ours, &which, Renewing::default()).await.expect("renewed");
        assert_eq!(renewed.value.token.expires_at, Expiry::At(at(60 * DAY)));
        let longer = world.authority.tokens().rotate(&world.eve, &ours, &which, HOUR, Some(days(31))).await;
        assert_eq!(reason(longer), Reason::InvalidArgument, "no longer than it was made for");
        let never = Some(ExpiryChoice::In(Lifetime::Endless));
        assert_eq!(reason(world.authority.tokens().rotate(&world.eve, &ours, &which, HOUR, never).await), Reason::InvalidArgument);
    }

    async fn lists_are_filtered_sorted_and_paged(world: &World) {
        for (second, (name, lifetime)) in (1..).zip([("b", 30), ("a", 60), ("c", 10)]) {
            world.clock.set(at(second));
            world.create(&token_with(name, |new| new.expiry = days(lifetime))).await;
        }
        world.clock.set(at(DAY));
        let ada = world.log_in("ada").await;
        let used = world.authority.tokens().rotate(&ada, MINE, &named("a"), HOUR, None).await.expect("rotated");
        assert_eq!(world.refused(&used.value.secret).await, None);
        world.authority.validation().write_uses().await.expect("written");
        let names = async |change: fn(&mut TokenQuery)| {
            let mut query = TokenQuery::all(false, 2);
            change(&mut query);
            let mut names = Vec::new();
            loop {
                let listed = world.authority.tokens().list(&ada, MINE, &query).await.expect("listed");
                names.extend(listed.views.iter().map(|view| view.token.name.to_string()));
                query.after = listed.next;
                if query.after.is_none() {
                    break names.join(" ");
                }
            }
        };
        type Asked = fn(&mut TokenQuery);
        let cases: [(Asked, &str); 8] = [
            (|_| (), "b a c"),
            (|query| query.reverse = true, "c a b"),
            (|query| query.order = TokenOrder::Name, "a b c"),
            (|query| (query.order, query.reverse) = (TokenOrder::Name, true), "c b a"),
            (|query| query.order = TokenOrder::End, "c b a"),
            (|query| query.order = TokenOrder::Use, "b c a"),
            (|query| query.unused_for = Some(Duration::from_secs(60 * 60)), "b c"),
            (|query| query.ends_within = Some(Duration::from_secs(14 * 24 * 60 * 60)), "c"),
        ];
        for (change, expected) in cases {
            assert_eq!(names(change).await, expected);
        }
    }
}
