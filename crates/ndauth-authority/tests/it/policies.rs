use std::time::Duration;

use ndauth_authority::{Announced, CallerIdentity, NewPolicy, NewToken, PolicySet, Renewing, TokenPage};
use ndauth_core::{Lifetime, OrgPolicy, OrgSlug, Reason, Role, Scope, TokenView};

use crate::on_both;
use crate::world::{
    CONSOLE, MINE, PAGE, World, at, days, granted, in_org, keep, named, needs, networks, new_token,
    org_token, orgs, presented, reason, token_with,
};

const DAY: u64 = 24 * 60 * 60;

fn days_long(days: u64) -> Lifetime {
    Lifetime::For(Duration::from_secs(days * DAY))
}

async fn set(world: &World, policy: OrgPolicy, effective_in: Duration) -> PolicySet {
    let new = NewPolicy { policy, effective_in, announced: Announced::Keep, expected: None };
    world
        .authority
        .orgs()
        .set_policy(&world.eve, &"ops".parse().expect("a slug"), &new)
        .await
        .expect("it is set")
        .value
}

async fn now(world: &World, policy: OrgPolicy) {
    set(world, policy, Duration::ZERO).await;
}

on_both! {
    /// A warning of an announced policy is for the owner and the token itself; an org's admins read of it in its impact.
    async fn a_warning_is_for_the_owner_and_the_token_alone(world: &World) {
        let secret = world.create(&new_token("ci")).await.secret;
        let strict = OrgPolicy { require_grants: true, ..OrgPolicy::OPEN };
        set(world, strict, Duration::from_secs(14 * DAY)).await;
        world.catch_up().await;
        let warnings = |view: &TokenView| -> Vec<(String, Reason)> {
            view.policy_warnings.iter().map(|warning| (warning.org.to_string(), warning.reason)).collect()
        };
        let expected = [("ops".to_owned(), Reason::GrantsRequired)];
        let listed = world.authority.tokens().list(&world.ada, MINE, PAGE).await.expect("listed");
        assert_eq!(warnings(&listed.views[0]), expected);
        let who = world.authority.validation().who_am_i(&presented(&secret)).await.expect("it is known");
        let CallerIdentity::Token(_, itself) = who.identity else { panic!("a token") };
        assert_eq!(warnings(&itself), expected);
        let page = TokenPage { include_revoked: false, after: None, limit: 100 };
        let ops = "ops".parse().expect("a slug");
        let seen = world.authority.tokens().list_personal_tokens(&world.eve, &ops, page).await.expect("listed");
        assert_eq!(seen.views.iter().flat_map(warnings).collect::<Vec<_>>(), []);
        // Out of the org, it is none of the owner's business either.
        world.authority.orgs().remove_member(&world.eve, &ops, &"ada".parse().expect("a handle")).await.expect("removed");
        let listed = world.authority.tokens().list(&world.ada, MINE, PAGE).await.expect("listed");
        assert_eq!(warnings(&listed.views[0]), []);
    }

    async fn a_policy_takes_hold_of_tokens_that_are_there(world: &World) {
        let token = world.create(&new_token("ci")).await.secret;
        assert_eq!(world.refused(&token).await, None);
        for (policy, expected) in [
            (OrgPolicy { personal_tokens: false, ..OrgPolicy::OPEN }, Some(Reason::PersonalBarred)),
            (OrgPolicy { longest_lifetime: days_long(30), ..OrgPolicy::OPEN }, Some(Reason::LifetimeTooLong)),
            (OrgPolicy { longest_lifetime: days_long(90), ..OrgPolicy::OPEN }, None),
            (OrgPolicy { networks: networks("10.0.0.0/8"), ..OrgPolicy::OPEN }, Some(Reason::NetworkBarred)),
            (OrgPolicy { networks: networks("203.0.113.0/24"), ..OrgPolicy::OPEN }, None),
            (OrgPolicy { login_within: days_long(7), ..OrgPolicy::OPEN }, None),
            (OrgPolicy { require_grants: true, ..OrgPolicy::OPEN }, Some(Reason::GrantsRequired)),
            (OrgPolicy { no_all_org_tokens: true, ..OrgPolicy::OPEN }, Some(Reason::AllOrgsBarred)),
            (OrgPolicy::OPEN, None),
        ] {
            now(world, policy.clone()).await;
            assert_eq!(world.refused(&token).await, expected, "{policy:?}");
            // In other orgs the token has its former power.
            let elsewhere = world.ask(&world.service, token.expose(), &needs("dev", Scope::Ro, None)).await;
            assert!(elsewhere.outcome.is_ok(), "{policy:?}");
        }
        now(world, OrgPolicy { login_within: days_long(7), ..OrgPolicy::OPEN }).await;
        world.clock.set(at(7 * 24 * 60 * 60));
        assert_eq!(world.refused(&token).await, Some(Reason::LoginTooOld));
        world.log_in("ada").await;
        world.catch_up().await;
        assert_eq!(world.refused(&token).await, None, "who logs in again has it back");
    }

    /// A pending secret does not evade a policy, and neither does a renewal.
    async fn the_longest_lifetime_holds_for_what_waits_and_for_renewals(world: &World) {
        let in_ops = |name: &str, lifetime: u64| {
            token_with(name, |new| (new.orgs, new.expiry) = (Some(orgs(&["ops"])), days(lifetime)))
        };
        world.create(&in_ops("before", 60)).await;
        now(world, OrgPolicy { longest_lifetime: days_long(30), ..OrgPolicy::OPEN }).await;
        for pending in [false, true] {
            let long = NewToken { pending, ..in_ops("long", 31) };
            assert_eq!(reason(world.authority.tokens().create(&world.ada, MINE, &long).await), Reason::LifetimeTooLong);
            let everywhere = NewToken { pending, ..new_token(if pending { "waits" } else { "everywhere" }) };
            let everywhere = world.create(&everywhere).await.secret;
            assert_eq!(world.refused(&everywhere).await, Some(Reason::LifetimeTooLong), "{pending}");
            let short = NewToken { pending, ..in_ops(if pending { "shortly" } else { "short" }, 30) };
            assert_eq!(world.refused(&world.create(&short).await.secret).await, None, "{pending}");
        }
        world.authority.validation().follow_up().await.expect("confirmed");
        for name in ["before", "short", "shortly"] {
            let renewed = world.authority.tokens().renew(&world.ada, MINE, &named(name), Renewing::default()).await;
            assert_eq!(reason(renewed), Reason::NotRenewable, "{name}");
        }
    }

    async fn a_policy_can_be_announced_and_withdrawn(world: &World) {
        let token = world.create(&new_token("ci")).await.secret;
        let bars = OrgPolicy { personal_tokens: false, ..OrgPolicy::OPEN };
        let announced = set(world, bars.clone(), Duration::from_secs(DAY)).await;
        assert_eq!(announced.takes_hold_at, at(24 * 60 * 60));
        assert_eq!(world.refused(&token).await, None);
        let question = ndauth_authority::Question {
            secret: token.expose(),
            requirement: &needs("ops", Scope::Rw, None),
            client_address: None,
        client: None,
    };
        world.clock.set(at(24 * 60 * 60 - 1));
        let answer = world.authority.validation().validate(&world.service, &question, keep).await.expect("decided");
        assert_eq!(answer.value.max_cache_age, Duration::from_secs(1), "never beyond its instant");
        world.clock.set(at(24 * 60 * 60));
        assert_eq!(world.refused(&token).await, Some(Reason::PersonalBarred), "at its very instant");

        let eve = world.log_in("eve").await;
        let ops = "ops".parse().expect("a slug");
        let open = NewPolicy { policy: OrgPolicy::OPEN, effective_in: Duration::ZERO, announced: Announced::Withdraw, expected: None };
        world.authority.orgs().set_policy(&eve, &ops, &open).await.expect("set");
        assert_eq!(world.refused(&token).await, None);
        let later = NewPolicy { policy: bars, effective_in: Duration::from_secs(DAY), announced: Announced::Keep, expected: None };
        world.authority.orgs().set_policy(&eve, &ops, &later).await.expect("set");
        let shown = world.authority.orgs().get_policies(&eve, &ops).await.expect("shown");
        assert_eq!(shown.policies.to_come(shown.now).len(), 1);
        // They are withdrawn if the request says so.
        world.authority.orgs().set_policy(&eve, &ops, &open).await.expect("set");
        let shown = world.authority.orgs().get_policies(&eve, &ops).await.expect("shown");
        assert_eq!(shown.policies.to_come(shown.now).len(), 0);
        let too_late = NewPolicy { policy: OrgPolicy::OPEN, effective_in: Duration::from_secs(400 * DAY), announced: Announced::Keep, expected: None };
        assert_eq!(reason(world.authority.orgs().set_policy(&eve, &ops, &too_late).await), Reason::InvalidArgument);
        world.sound().await;
    }

    /// They stay in the same change, with what the new policy changes, so nothing that was announced is lost
    /// by omission.
    async fn announced_policies_stay_unless_they_are_withdrawn(world: &World) {
        let ops = "ops".parse().expect("a slug");
        let bars = OrgPolicy { personal_tokens: false, ..OrgPolicy::OPEN };
        let near = OrgPolicy { networks: networks("10.0.0.0/8"), ..bars.clone() };
        set(world, bars.clone(), Duration::from_secs(DAY)).await;
        set(world, near.clone(), Duration::from_secs(2 * DAY)).await;
        let events = async || world.authority.operator().check(&CONSOLE).await.expect("checked").events;
        let before = events().await;
        let grants = |policy: &OrgPolicy| OrgPolicy { require_grants: true, networks: networks("192.0.2.0/24"), ..policy.clone() };
        let near = OrgPolicy { require_grants: true, ..near };
        let new = NewPolicy { policy: grants(&OrgPolicy::OPEN), effective_in: Duration::ZERO, announced: Announced::Keep, expected: None };
        let tried = world.authority.orgs().try_policy(&world.eve, &ops, &new).await.expect("tried").value;
        let done = world.authority.orgs().set_policy(&world.eve, &ops, &new).await.expect("set").value;
        assert_eq!(events().await, before + 1, "one event");
        let shown = world.authority.orgs().get_policies(&world.eve, &ops).await.expect("shown");
        let shown: Vec<_> = shown.policies.to_come(shown.now).iter().map(|next| (next.takes_hold_at, next.policy.clone())).collect();
        // The two have no network in common: those of the new policy stay.
        assert_eq!(shown, [(at(24 * 60 * 60), grants(&bars)), (at(48 * 60 * 60), grants(&near))]);
        for kept in [tried.kept, done.kept] {
            let kept: Vec<_> = kept.into_iter().map(|kept| (kept.takes_hold_at, kept.policy)).collect();
            assert_eq!(kept, shown, "as the answers say");
        }
        assert_eq!(done.generation, 5);
        // The log records all of it, networks too.
        world.sound().await;
        let withdraws = NewPolicy { announced: Announced::Withdraw, ..new };
        let done = world.authority.orgs().set_policy(&world.eve, &ops, &withdraws).await.expect("set").value;
        assert_eq!((done.kept, done.generation), (vec![], 6));
        let shown = world.authority.orgs().get_policies(&world.eve, &ops).await.expect("shown");
        assert_eq!(shown.policies.to_come(shown.now).len(), 0);
    }

    async fn at_most_sixteen_policies_are_announced(world: &World) {
        let ops = "ops".parse().expect("a slug");
        let new = |hours: u64| NewPolicy {
            policy: OrgPolicy::OPEN,
            effective_in: Duration::from_secs(hours * 60 * 60),
            announced: Announced::Keep,
            expected: None,
        };
        let set = async |hours| world.authority.orgs().set_policy(&world.eve, &ops, &new(hours)).await;
        for hours in 1..=16 {
            set(hours).await.expect("announced");
        }
        for hours in [17, 0] {
            let outcome = set(hours).await.map(|set| set.value.kept.len()).map_err(|error| error.reason());
            assert_eq!(outcome, if hours == 0 { Ok(16) } else { Err(Reason::InvalidArgument) });
        }
        assert_eq!(set(8).await.expect("in the place of another").value.kept.len(), 8);
        world.sound().await;
    }

    /// A token that could do nothing in an org that it names is refused before it is made.
    async fn a_useless_token_is_not_made(world: &World) {
        now(world, OrgPolicy { longest_lifetime: days_long(30), ..OrgPolicy::OPEN }).await;
        let create = async |change: fn(&mut NewToken)| {
            world.authority.tokens().create(&world.ada, MINE, &token_with("ci", change)).await
        };
        let refused = create(|new| new.orgs = Some(orgs(&["ops"]))).await.expect_err("refused");
        assert_eq!(refused.reason(), Reason::LifetimeTooLong);
        assert_eq!(
            refused.to_string(),
            "the org `ops` admits only tokens with a lifetime of at most 30d, and this one was made for 90d"
        );
        assert!(create(|new| (new.orgs, new.expiry) = (Some(orgs(&["ops"])), days(30))).await.is_ok());
        let new = NewToken { expiry: days(31), ..org_token("deploy", &["read:assets"]) };
        assert_eq!(reason(world.authority.tokens().create(&world.eve, &in_org("ops"), &new).await), Reason::LifetimeTooLong);
        now(world, OrgPolicy { personal_tokens: false, ..OrgPolicy::OPEN }).await;
        let refused = world.authority.tokens().create(&world.ada, MINE, &token_with("b", |new| new.orgs = Some(orgs(&["ops"])))).await;
        assert_eq!(reason(refused), Reason::PersonalBarred);
        now(world, OrgPolicy { require_grants: true, ..OrgPolicy::OPEN }).await;
        assert_eq!(reason(create(|new| new.orgs = Some(orgs(&["ops"]))).await), Reason::GrantsRequired);
        let some: fn(&mut NewToken) = |new| {
            new.name = "some".parse().expect("a name");
            (new.orgs, new.grants) = (Some(orgs(&["ops"])), granted(&["read:assets"]));
        };
        assert!(create(some).await.is_ok(), "it carries a set");
        now(world, OrgPolicy { personal_tokens: false, no_all_org_tokens: true, ..OrgPolicy::OPEN }).await;
        // A token for all orgs is useful elsewhere.
        assert!(world.authority.tokens().create(&world.ada, MINE, &new_token("c")).await.is_ok());
        let new = org_token("deploy", &["read:assets"]);
        assert!(world.authority.tokens().create(&world.eve, &in_org("ops"), &new).await.is_ok(), "an org's own");
    }

    /// The only org of its owner bars it, although the token does not name the org, because it could mean no
    /// other.
    async fn a_token_that_its_only_org_bars_is_not_made(world: &World) {
        let bars = OrgPolicy { no_all_org_tokens: true, ..OrgPolicy::OPEN };
        now(world, bars).await;
        let create = async |by, name: &str| world.authority.tokens().create(by, MINE, &new_token(name)).await;
        let made = create(&world.ada, "elsewhere").await.expect("of use elsewhere");
        assert!(made.value.powerless.is_none());
        // Eve is in no other org.
        assert_eq!(reason(create(&world.eve, "nowhere").await), Reason::AllOrgsBarred);
        let named = token_with("there", |new| new.orgs = Some(orgs(&["ops"])));
        assert!(world.authority.tokens().create(&world.eve, MINE, &named).await.is_ok());
    }

    /// A role may be raised any day, so the token is made, and the response says what is missing.
    async fn a_token_left_powerless_by_a_role_gets_a_warning(world: &World) {
        let ops: OrgSlug = "ops".parse().expect("a slug");
        let set_role = async |role| {
            world.authority.orgs().set_member(&world.eve, &ops, &"ada".parse().expect("a handle"), role).await.expect("set");
        };
        let create = async |name: &str, permission: &str, scope| {
            let new = NewToken { grants: granted(&[permission]), scope, ..token_with(name, |new| new.orgs = Some(orgs(&["ops"]))) };
            world.authority.tokens().create(&world.ada, MINE, &new).await.expect("made").value
        };
        set_role(Role::Ro).await;
        let made = create("writes", "write:assets", None).await;
        let powerless = made.powerless.expect("it is reported");
        assert_eq!((powerless.reason(), powerless.missing_role()), (Reason::RoleTooLow, Some(Role::Rw)));
        assert_eq!(create("reads", "read:assets", None).await.powerless, None);
        let narrow = create("narrow", "write:assets", Some(Scope::Ro)).await.powerless.expect("it is reported");
        assert_eq!(narrow.reason(), Reason::ScopeTooNarrow);
        set_role(Role::Rw).await;
        assert_eq!(create("writes-too", "write:assets", None).await.powerless, None);
        let asked = needs("ops", Scope::Rw, Some("write:assets"));
        world.catch_up().await;
        assert!(world.ask(&world.service, made.secret.expose(), &asked).await.outcome.is_ok(), "by the role of now");
    }

    async fn previews_show_what_would_break_and_change_nothing(world: &World) {
        let long = world.create(&new_token("long")).await;
        world.create(&token_with("short", |new| new.expiry = days(30))).await;
        world.create(&token_with("elsewhere", |new| new.orgs = Some(orgs(&["dev"])))).await;
        let ops = "ops".parse().expect("a slug");
        let own = NewToken { expiry: days(60), ..org_token("own", &["read:assets"]) };
        world.make(&world.eve, &in_org("ops"), &own).await;
        // Used from 203.0.113.9, as the service states it.
        world.ask(&world.service, long.secret.expose(), &needs("ops", Scope::Ro, None)).await;
        let head = async || world.authority.operator().check(&CONSOLE).await.expect("checked").events;
        let before = head().await;
        let tried = async |policy: OrgPolicy, within: u64| {
            let new = NewPolicy { policy, effective_in: Duration::from_secs(within), announced: Announced::Keep, expected: None };
            world.authority.orgs().try_policy(&world.eve, &ops, &new).await.expect("tried").value.impact
        };
        let impact = tried(OrgPolicy { longest_lifetime: days_long(30), ..OrgPolicy::OPEN }, 0).await;
        let broken: Vec<(String, String, Reason)> = impact
            .broken
            .iter()
            .map(|token| (token.owner.clone(), token.name.to_string(), token.reason))
            .collect();
        assert_eq!(impact.tokens, 3, "what is restricted to other orgs is not counted");
        assert_eq!(
            broken,
            [
                ("ada".to_owned(), "long".to_owned(), Reason::LifetimeTooLong),
                ("ops".to_owned(), "own".to_owned(), Reason::LifetimeTooLong),
            ],
            "those used last first"
        );
        assert_eq!(impact.broken_in_use(at(0)), 1);
        assert_eq!(impact.broken[0].last_use.and_then(|last| last.address), "203.0.113.9".parse().ok());
        assert_eq!(impact.by_reason(), [(Reason::LifetimeTooLong, 2)]);

        let impact = tried(OrgPolicy { networks: networks("10.0.0.0/8"), ..OrgPolicy::OPEN }, 0).await;
        assert_eq!((impact.broken.len(), impact.address_unknown), (1, 2), "of two nobody knows");
        let impact = tried(OrgPolicy { require_grants: true, ..OrgPolicy::OPEN }, 0).await;
        assert_eq!(impact.by_reason(), [(Reason::GrantsRequired, 2)], "the org's own carries a set");
        let impact = tried(OrgPolicy { no_all_org_tokens: true, ..OrgPolicy::OPEN }, 0).await;
        assert_eq!(impact.by_reason(), [(Reason::AllOrgsBarred, 2)], "the org's own names it");
        let impact = tried(OrgPolicy { personal_tokens: false, ..OrgPolicy::OPEN }, 31 * DAY).await;
        assert_eq!((impact.tokens, impact.broken.len()), (2, 1), "what expires before is left out");
        assert_eq!(head().await, before, "nothing was set");
        assert_eq!(world.refused(&long.secret).await, None);
    }

    async fn only_admins_set_it_and_members_see_it(world: &World) {
        let ops = "ops".parse().expect("a slug");
        let new = NewPolicy { policy: OrgPolicy::OPEN, effective_in: Duration::ZERO, announced: Announced::Keep, expected: None };
        assert_eq!(reason(world.authority.orgs().set_policy(&world.ada, &ops, &new).await), Reason::RoleTooLow);
        assert_eq!(reason(world.authority.orgs().try_policy(&world.ada, &ops, &new).await), Reason::RoleTooLow);
        assert!(world.authority.orgs().get_policies(&world.ada, &ops).await.is_ok());
        // No token of an admin's may, whatever it carries.
        let token = world.make(&world.eve, MINE, &new_token("unlimited")).await.secret;
        let token = presented(&token);
        assert_eq!(reason(world.authority.orgs().set_policy(&token, &ops, &new).await), Reason::SessionRequired);
        let ada = "ada".parse().expect("a handle");
        assert_eq!(reason(world.authority.orgs().set_member(&token, &ops, &ada, Role::Admin).await), Reason::SessionRequired);
        assert_eq!(reason(world.authority.orgs().remove_member(&token, &ops, &ada).await), Reason::SessionRequired);
    }

    /// Two admins at once: the second gets an error, and nothing of the first's is lost.
    async fn concurrent_policy_changes_are_not_overwritten(world: &World) {
        let ops = "ops".parse().expect("a slug");
        let seen = world.authority.orgs().get_policies(&world.eve, &ops).await.expect("shown").policies.count();
        now(world, OrgPolicy { personal_tokens: false, ..OrgPolicy::OPEN }).await;
        let stale = NewPolicy { policy: OrgPolicy::OPEN, effective_in: Duration::ZERO, announced: Announced::Keep, expected: Some(seen) };
        assert_eq!(reason(world.authority.orgs().set_policy(&world.eve, &ops, &stale).await), Reason::ChangedMeanwhile);
        let fresh = NewPolicy { expected: Some(seen + 1), ..stale };
        assert_eq!(world.authority.orgs().set_policy(&world.eve, &ops, &fresh).await.expect("set").value.generation, seen + 2);
    }

    /// An address in a policy can be erased, because the public bytes of its event do not contain it.
    async fn networks_stand_among_the_personal_bytes(world: &World) {
        now(world, OrgPolicy { networks: networks("198.51.100.7"), ..OrgPolicy::OPEN }).await;
        let events = world.authority.audit().export_at_console(0).await.expect("exported");
        let public = events.last().and_then(|event| event.public.clone()).expect("public bytes");
        assert!(!public.contains("198.51.100.7"), "{public}");
        assert_eq!(world.authority.operator().check(&CONSOLE).await.expect("checked").faults, [] as [String; 0]);
    }

    async fn an_org_keeps_an_admin(world: &World) {
        let (ops, eve, ada) = (
            "ops".parse().expect("a slug"), "eve".parse().expect("a handle"), "ada".parse().expect("a handle"),
        );
        assert_eq!(reason(world.authority.orgs().set_member(&world.eve, &ops, &eve, Role::Rw).await), Reason::LastAdmin);
        assert_eq!(reason(world.authority.orgs().remove_member(&world.eve, &ops, &eve).await), Reason::LastAdmin);
        world.authority.orgs().set_member(&world.eve, &ops, &ada, Role::Admin).await.expect("set");
        world.authority.operator().disable_account(&CONSOLE, &ada).await.expect("disabled");
        let left = world.authority.orgs().set_member(&world.eve, &ops, &eve, Role::Rw).await;
        assert_eq!(reason(left), Reason::LastAdmin, "who is disabled gives nobody a role");
        world.authority.operator().enable_account(&CONSOLE, &ada).await.expect("enabled");
        assert!(world.authority.orgs().set_member(&world.eve, &ops, &eve, Role::Rw).await.is_ok());
        // Two admins that demote each other at once, by two instances: one is left.
        let other = ndauth_authority::Authority::open(
            &world.scratch.url,
            ndauth_authority::Clock::Manual(world.clock.clone()),
            None,
        );
        let other = other.await.expect("a second instance opens");
        for round in 0..20 {
            world.member("ops", "eve", Role::Admin).await;
            world.member("ops", "ada", Role::Admin).await;
            let (first, second) = tokio::join!(
                world.authority.orgs().set_member(&world.eve, &ops, &ada, Role::Ro),
                other.orgs().set_member(&world.ada, &ops, &eve, Role::Ro)
            );
            let done = [&first, &second].iter().filter(|outcome| outcome.is_ok()).count();
            assert_eq!(done, 1, "{round}: {first:?} {second:?}");
        }
    }
}
