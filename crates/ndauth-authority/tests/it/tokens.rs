use std::sync::Arc;

use ndauth_authority::{
    Authority, AuthorityError, CallerIdentity, Changed, Clock, Credential, MAX_LIVE_TOKENS, Minted, NewToken,
    Which,
};
use ndauth_core::{
    Change, Description, Entry, Expiry, ExpiryChoice, Lifetime, Problem, Reason, RevocationReason, Scope,
    Services, TokenStatus, TokenType,
};

use crate::on_both;
use crate::world::{
    CONSOLE, MINE, PAGE, World, at, days, granted, in_org, named, needs, networks, new_token, org_token,
    orgs, presented, reason, token_with,
};

const DAY: i64 = 24 * 60 * 60;

/// Makes tokens concurrently, on two instances of the authority, and returns the outcomes.
async fn create_at_once(
    world: &World,
    names: impl Iterator<Item = String>,
) -> Vec<Result<Changed<Minted>, AuthorityError>> {
    let other = Authority::open(&world.scratch.url, Clock::Manual(world.clock.clone()), None).await;
    let instances = [Arc::clone(&world.authority), Arc::new(other.expect("a second instance opens"))];
    let tasks: Vec<_> = names
        .enumerate()
        .map(|(n, name)| {
            let (authority, ada) = (Arc::clone(&instances[n % 2]), copy(&world.ada));
            tokio::spawn(async move { authority.tokens().create(&ada, MINE, &new_token(&name)).await })
        })
        .collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.expect("the task ends"));
    }
    outcomes
}

fn copy(credential: &Credential) -> Credential {
    let Credential::Secret { secret, .. } = credential else { panic!("a secret") };
    presented(secret)
}

async fn names(world: &World) -> Vec<String> {
    let listed = world.authority.tokens().list(&world.ada, MINE, PAGE).await.expect("listed");
    listed.views.into_iter().map(|view| view.token.name.to_string()).collect()
}

on_both! {
    async fn no_account_has_more_than_25_under_200_creates_at_once(world: &World) {
        let outcomes = create_at_once(world, (0..200).map(|n| format!("t{n}"))).await;
        let made = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(made as u64, MAX_LIVE_TOKENS);
        for refused in outcomes.into_iter().filter_map(Result::err) {
            assert_eq!(refused.reason(), Reason::TokenLimitReached, "{refused:?}");
        }
        assert_eq!(names(world).await.len() as u64, MAX_LIVE_TOKENS);
    }

    async fn a_name_is_unique_under_200_creates_at_once(world: &World) {
        let outcomes = create_at_once(world, (0..200).map(|_| "ci".to_owned())).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        for refused in outcomes.into_iter().filter_map(Result::err) {
            assert_eq!(refused.reason(), Reason::NameTaken, "{refused:?}");
        }
        assert_eq!(names(world).await, ["ci"]);
    }

    async fn dead_tokens_free_their_place(world: &World) {
        for n in 0..MAX_LIVE_TOKENS {
            let expiry = if n == 0 { days(30) } else { days(90) };
            world.create(&token_with(&format!("t{n}"), |new| new.expiry = expiry)).await;
        }
        let ada = world.authority.operator().issue_session(&CONSOLE, &"ada".parse().expect("a handle"), days(60)).await;
        let ada = presented(&ada.expect("issued"));
        let create = async |name: &str| world.authority.tokens().create(&ada, MINE, &new_token(name)).await;
        assert_eq!(reason(create("more").await), Reason::TokenLimitReached);
        world.revoke(&ada, &named("t7")).await.expect("revoked");
        assert!(create("after a revocation").await.is_ok());
        assert_eq!(reason(create("more").await), Reason::TokenLimitReached);
        assert_eq!(reason(create("t8").await), Reason::NameTaken, "what the caller can fix is reported first");
        world.clock.set(at(30 * DAY));
        assert!(create("after an expiry").await.is_ok());
        assert_eq!(reason(create("more").await), Reason::TokenLimitReached);
    }

    async fn an_expired_holder_gives_up_its_name(world: &World) {
        let first = world.create(&token_with("ci", |new| new.expiry = days(30))).await;
        assert_eq!(reason(world.authority.tokens().create(&world.ada, MINE, &new_token("ci")).await), Reason::NameTaken);
        world.clock.set(at(30 * DAY));
        let ada = world.authority.operator().issue_session(&CONSOLE, &"ada".parse().expect("a handle"), days(1)).await;
        let ada = presented(&ada.expect("issued"));
        let second = world.make(&ada, MINE, &new_token("ci")).await;
        assert_ne!(first.view.token.id, second.view.token.id);
        let listed = world.authority.tokens().list(&ada, MINE, PAGE).await.expect("listed");
        let statuses: Vec<_> = listed.views.iter().map(|view| (view.token.id, view.status(listed.now))).collect();
        let expected = [(first.view.token.id, TokenStatus::Expired), (second.view.token.id, TokenStatus::Active)];
        assert_eq!(statuses, expected, "both are listed");
        let shown = world.show(&ada, &named("ci")).await.expect("shown");
        assert_eq!(shown.token.id, second.view.token.id);
    }

    /// A caller that retries after a lost response can find out whether the holder is the token that it
    /// requested.
    async fn a_taken_name_reports_its_holder_and_creation(world: &World) {
        for (second, by, whose, new) in [
            (0, &world.ada, MINE, new_token("ci")),
            (60, &world.eve, &in_org("ops"), org_token("ci", &["read:assets"])),
        ] {
            world.clock.set(at(second));
            let id = world.make(by, whose, &new).await.view.token.id;
            world.clock.set(at(second + 30));
            let error = world.authority.tokens().create(by, whose, &new).await.expect_err("it is taken");
            assert_eq!(Problem::from(&error).holder, Some((id, at(second))));
            assert!(matches!(error, AuthorityError::NameTaken { holder: Some(holder), .. } if holder == (id, at(second))));
        }
        // A caller that may not create one learns nothing about existing ones.
        let error = world.authority.tokens().create(&world.ada, &in_org("ops"), &org_token("ci", &["read:assets"])).await;
        assert_eq!(reason(error), Reason::RoleTooLow);
    }

    async fn a_description_is_changed_and_shown_at_once(world: &World) {
        let person = world.create(&new_token("ci")).await;
        let own = world.make(&world.eve, &in_org("ops"), &org_token("ci", &["read:assets"])).await;
        for (made, by, whose) in [(&person, &world.ada, MINE), (&own, &world.eve, &in_org("ops"))] {
            let update = async |description: Option<&Option<Description>>| {
                let done = world.authority.tokens().update(by, whose, &named("ci"), description).await.expect("updated");
                (done.changed, done.value.token.description)
            };
            // The mirror answers it.
            let known = async || {
                let who = world.authority.validation().who_am_i(&presented(&made.secret)).await.expect("identified");
                let (CallerIdentity::Token(_, view) | CallerIdentity::OrgToken(view)) = who.identity else { panic!("a token") };
                view.token.description
            };
            let nightly: Option<Description> = Some("for the nightly build".parse().expect("a description"));
            assert_eq!(update(None).await, (false, None), "absent leaves it");
            assert_eq!(update(Some(&None)).await, (false, None), "there is none to take away");
            assert_eq!(update(Some(&nightly)).await, (true, nightly.clone()));
            assert_eq!(known().await, nightly);
            assert_eq!(update(Some(&nightly)).await, (false, nightly.clone()), "it is the same");
            assert_eq!(update(None).await, (false, nightly.clone()), "absent leaves it");
            assert_eq!(world.authority.tokens().get(by, whose, &named("ci")).await.expect("shown").view.token.description, nightly);
            assert_eq!(update(Some(&None)).await, (true, None));
            assert_eq!(known().await, None);
        }
        world.sound().await;
    }

    async fn a_token_is_what_was_asked_for(world: &World) {
        let new = NewToken {
            description: Some("for the nightly build".parse().expect("a description")),
            scope: Some(Scope::Ro),
            grants: granted(&["read:assets"]),
            orgs: Some(orgs(&["ops"])),
            services: Services::only(["registry".parse().expect("a name")]).expect("services"),
            networks: networks("10.0.0.0/8"),
            expiry: ExpiryChoice::In(Lifetime::Endless),
            ..new_token("it's / \"odd\" 🚀")
        };
        let made = world.create(&new).await;
        let token = &made.view.token;
        assert_eq!((&token.name, &token.description), (&new.name, &new.description));
        assert_eq!((Some(token.scope), &token.grants), (new.scope, &new.grants));
        assert_eq!((Some(&made.view.orgs), token.expires_at), (new.orgs.as_ref(), Expiry::Never));
        assert_eq!((&made.view.services, &token.networks), (&new.services, &new.networks));
        assert_eq!(token.token_type(), TokenType::ReadOnly);
        assert_eq!(made.view.secrets[0].record.prefix, made.secret.prefix());
        let listed = world.authority.tokens().list(&world.ada, MINE, PAGE).await.expect("listed");
        assert_eq!(listed.views, [made.view]);
        let plain = world.create(&new_token("plain")).await.view.token;
        assert_eq!(plain.expires_at, Expiry::At(at(90 * DAY)));
        assert_eq!(plain.token_type(), TokenType::Standard);
    }

    async fn invalid_tokens_are_refused_and_leave_nothing(world: &World) {
        let create = async |new: NewToken| reason(world.authority.tokens().create(&world.ada, MINE, &new).await);
        assert_eq!(create(token_with("a", |new| new.orgs = Some(orgs(&["nowhere"])))).await, Reason::NotAMember);
        for spoil in [
            (|new: &mut NewToken| new.expiry = days(366)) as fn(&mut NewToken),
            |new| new.expiry = ExpiryChoice::At(at(0)),
            |new| new.grants = granted(&["read:unicorns"]),
            |new| new.services = Services::only(["nobody".parse().expect("a name")]).expect("services"),
            |new| new.scope = None,
            |new| new.orgs = None,
        ] {
            assert_eq!(create(token_with("a", spoil)).await, Reason::InvalidArgument);
        }
        world.authority.orgs().delete(&CONSOLE, &"dev".parse().expect("a slug")).await.expect("deleted");
        assert_eq!(create(token_with("a", |new| new.orgs = Some(orgs(&["dev"])))).await, Reason::NotAMember);
        assert!(names(world).await.is_empty());
    }

    async fn revocations_are_logged_once(world: &World) {
        let made = world.authority.tokens().create(&world.ada, MINE, &new_token("ci")).await.expect("made");
        let token = made.value.view.token.id;
        let id = Which::Id(token);
        let first = world.revoke(&world.ada, &id).await.expect("revoked");
        assert_eq!(first.sequence, made.sequence + 1);
        assert_eq!((first.changed, first.value.token.revoked_at), (true, Some(at(0))));
        world.clock.set(at(5));
        let second = world.revoke(&world.ada, &id).await.expect("it stays revoked");
        assert_eq!((second.sequence, second.value.token.revoked_at), (first.sequence, Some(at(0))));
        // This also works by its former name.
        let third = world.revoke(&world.ada, &named("ci")).await.expect("it stays revoked");
        assert_eq!((second.changed, third.changed, third.value.token.id), (false, false, token));
        assert_eq!(third.sequence, first.sequence);

        let store = world.scratch.store(Clock::Database).await;
        let events = store.read().await.expect("a view").events_after(made.sequence - 1, 10).await.expect("the log");
        let changes: Vec<Change> = events
            .iter()
            .map(|event| serde_json::from_slice::<Entry>(&event.public).expect("an entry").change)
            .collect();
        let owner = made.value.view.token.owner;
        let revoked = Change::TokenRevoked { token, owner, reason: RevocationReason::NoLongerNeeded, presented: None };
        assert_eq!(changes, [Change::TokenCreated { token, owner }, revoked]);
        let public = String::from_utf8_lossy(&events[0].public).into_owned();
        assert!(!public.contains("ci\""), "public bytes hold ids, not names: {public}");
    }

    async fn no_row_and_no_event_holds_a_secret(world: &World) {
        let made = world.create(&new_token("ci")).await;
        let found = ndauth_store::testing::find_text(&world.scratch, &made.secret.expose()[12..]).await;
        assert_eq!(found, Vec::<String>::new());
        let found = ndauth_store::testing::find_text(&world.scratch, &made.secret.expose()[..12]).await;
        assert_eq!(found, ["secret.prefix"], "the search can find what is there");
    }

    /// Uses in quick succession are written down together, and each is counted: at its place, and before they are written.
    async fn every_use_is_counted_at_its_place(world: &World) {
        let made = world.create(&new_token("ci")).await;
        let counted = async || {
            let shown = world.show(&world.ada, &Which::Id(made.view.token.id)).await.expect("shown");
            let mut counted: Vec<_> = shown
                .used_from
                .iter()
                .map(|from| (from.address.map(|at| at.to_string()).unwrap_or_default(), from.counts.reads, from.counts.writes))
                .collect();
            counted.sort();
            counted
        };
        let write = needs("ops", Scope::Ro, Some("write:assets"));
        for second in 0..100 {
            world.clock.set(at(second / 10));
            let verdict = world.ask(&world.service, made.secret.expose(), &write).await;
            assert!(verdict.outcome.is_ok(), "{verdict:?}");
        }
        let service = "203.0.113.9".to_owned();
        assert_eq!(counted().await, [(service.clone(), 0, 100)]);
        world.clock.set(at(30));
        for _ in 0..3 {
            world.authority.validation().who_am_i(&presented(&made.secret)).await.expect("it is known");
        }
        let expected = [("192.0.2.7".to_owned(), 3, 0), (service, 0, 100)];
        assert_eq!(counted().await, expected);
        world.authority.validation().write_counted_uses().await.expect("written");
        assert_eq!(counted().await, expected, "the first ones are written");
        world.authority.validation().write_uses().await.expect("written");
        assert_eq!(counted().await, expected, "all are written");
        assert_eq!(world.show(&world.ada, &named("ci")).await.expect("shown").last_use().map(|last| last.at), Some(at(30)));
        assert_eq!(world.refused(&made.secret).await, None);
        let total: u64 = counted().await.iter().map(|(_, reads, writes)| reads + writes).sum();
        assert_eq!(total, 104, "it is counted on");
    }

    async fn last_uses_show_at_once_and_survive_in_batches(world: &World) {
        let made = world.create(&new_token("ci")).await;
        let last_use = async || {
            let listed = world.authority.tokens().list(&world.ada, MINE, PAGE).await.expect("listed");
            listed.views[0].last_use()
        };
        assert_eq!(last_use().await, None);
        world.clock.set(at(60));
        assert_eq!(world.refused(&made.secret).await, None);
        let used = last_use().await.expect("it was used");
        assert_eq!((used.at, used.address), (at(60), "203.0.113.9".parse().ok()));
        world.authority.validation().write_uses().await.expect("written");
        assert_eq!(last_use().await, Some(used));
        world.clock.set(at(61));
        world.authority.validation().who_am_i(&presented(&made.secret)).await.expect("it is known");
        assert_eq!(last_use().await.map(|used| used.address), Some("192.0.2.7".parse().ok()));
    }
}
