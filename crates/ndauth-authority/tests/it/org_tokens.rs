use ndauth_authority::{CallerIdentity, Minted, NewToken, OrgTokenEnds};
use ndauth_core::{ExpiryChoice, Grants, Lifetime, OrgSlug, Orgs, Owner, Reason, Role, Scope, TokenStatus};

use crate::on_both;
use crate::world::{
    CONSOLE, PAGE, UNNEEDED, World, at, days, granted, in_org, named, needs, new_token, ops, org_token, orgs,
    presented, reason,
};

async fn make(world: &World, name: &str, permissions: &[&str]) -> Minted {
    world.make(&world.eve, &in_org("ops"), &org_token(name, permissions)).await
}

on_both! {
    async fn an_orgs_token_outlives_whoever_made_it(world: &World) {
        let made = make(world, "deploy", &["read:assets", "approve:assets"]).await;
        assert!(made.secret.expose().starts_with("ndorg_"));
        assert_eq!(made.view.token.scope, Scope::Rw, "the least that its permissions need");
        assert!(matches!(made.view.token.owner, Owner::Org(_)));
        assert_eq!(made.view.owner_org.as_ref(), Some(&ops()));
        assert_eq!(made.view.token.expires_at, ndauth_core::Expiry::At(at(24 * 60 * 60)));
        // Its role is ADMIN, and its grants limit it.
        assert_eq!(world.refused_permission(&made.secret, "approve:assets").await, None);
        assert_eq!(world.refused_permission(&made.secret, "write:assets").await, Some(Reason::PermissionNotGranted));
        assert_eq!(world.refused(&made.secret).await, Some(Reason::PermissionNotNamed));
        let abroad = world.ask(&world.service, made.secret.expose(), &needs("dev", Scope::Ro, Some("read:assets"))).await;
        assert_eq!(abroad.outcome.err().map(|refusal| refusal.reason()), Some(Reason::OrgNotCovered));

        world.authority.orgs().remove_member(&CONSOLE, &ops(), &"eve".parse().expect("a handle")).await.expect("removed");
        world.authority.operator().disable_account(&CONSOLE, &"eve".parse().expect("a handle")).await.expect("disabled");
        assert_eq!(world.refused_permission(&made.secret, "approve:assets").await, None, "its maker is gone");
        world.authority.orgs().delete(&CONSOLE, &ops()).await.expect("deleted");
        assert_eq!(world.refused_permission(&made.secret, "approve:assets").await, Some(Reason::OrgDeleted));
    }

    async fn org_tokens_are_restricted_and_expire(world: &World) {
        let create = async |grants: Grants, expiry| {
            let new = NewToken { scope: Some(Scope::Rw), grants, expiry, ..org_token("deploy", &["read:assets"]) };
            reason(world.authority.tokens().create(&world.eve, &in_org("ops"), &new).await)
        };
        assert_eq!(create(Grants::All, ExpiryChoice::ORG).await, Reason::InvalidArgument);
        let endless = ExpiryChoice::In(Lifetime::Endless);
        assert_eq!(create(granted(&["read:assets"]), endless).await, Reason::InvalidArgument);
        assert_eq!(create(granted(&["read:assets"]), days(366)).await, Reason::InvalidArgument);
        assert_eq!(create(granted(&["read:unicorns"]), days(1)).await, Reason::InvalidArgument);
        // It has power in its org only, so it names none.
        for bound in [orgs(&["ops"]), Orgs::All] {
            let new = NewToken { orgs: Some(bound), ..org_token("deploy", &["read:assets"]) };
            let made = world.authority.tokens().create(&world.eve, &in_org("ops"), &new).await;
            assert_eq!(reason(made), Reason::InvalidArgument);
        }
        let listed = world.authority.tokens().list(&world.eve, &in_org("ops"), PAGE).await.expect("listed");
        assert_eq!(listed.views.len(), 0);
    }

    async fn admins_list_show_and_revoke_them(world: &World) {
        let first = make(world, "first", &["read:assets"]).await;
        world.clock.set(at(1));
        make(world, "second", &["read:assets"]).await;
        let new = org_token("first", &["read:assets"]);
        assert_eq!(reason(world.authority.tokens().create(&world.eve, &in_org("ops"), &new).await), Reason::NameTaken);
        // A person's token may have the same name, and is not in the org's list.
        world.create(&new_token("first")).await;
        let listed = world.authority.tokens().list(&world.eve, &in_org("ops"), PAGE).await.expect("listed");
        let names: Vec<String> = listed.views.iter().map(|view| view.token.name.to_string()).collect();
        assert_eq!(names, ["first", "second"]);
        let shown = world.authority.tokens().get(&world.eve, &in_org("ops"), &named("first")).await.expect("shown");
        assert_eq!(shown.view.token.id, first.view.token.id);
        world.authority.tokens().revoke(&world.eve, &in_org("ops"), &named("first"), UNNEEDED).await.expect("revoked");
        assert_eq!(world.refused_permission(&first.secret, "read:assets").await, Some(Reason::TokenRevoked));
        // Its name is free, and still refers to it.
        let shown = world.authority.tokens().get(&world.eve, &in_org("ops"), &named("first")).await.expect("shown");
        assert_eq!((shown.view.token.id, shown.view.status(at(1))), (first.view.token.id, TokenStatus::Revoked));
        // A demoted admin no longer manages them.
        world.member("ops", "eve", Role::Rw).await;
        assert_eq!(reason(world.authority.tokens().list(&world.eve, &in_org("ops"), PAGE).await), Reason::RoleTooLow);
    }

    async fn org_tokens_may_identify_and_revoke_themselves(world: &World) {
        let made = make(world, "deploy", &["read:assets"]).await;
        make(world, "other", &["read:assets"]).await;
        let itself = presented(&made.secret);
        let who = world.authority.validation().who_am_i(&itself).await.expect("identified");
        let CallerIdentity::OrgToken(view) = who.identity else { panic!("an org's token") };
        assert_eq!(view.token.id, made.view.token.id);
        let orgs = world.authority.validation().list_orgs(&itself).await.expect("listed");
        assert_eq!(orgs.iter().map(|m| (m.org.slug.to_string(), m.role)).collect::<Vec<_>>(), [("ops".to_owned(), Role::Admin)]);
        assert_eq!(reason(world.revoke(&itself, &named("other")).await), Reason::SessionRequired);
        assert!(world.show(&itself, &named("deploy")).await.is_ok());
        assert!(world.revoke(&itself, &named("deploy")).await.is_ok());
        assert_eq!(reason(world.authority.validation().who_am_i(&itself).await), Reason::TokenRevoked);
    }

    /// A service may ask about it as about any other token, and only for the orgs that the service is
    /// registered for.
    async fn services_see_its_owner(world: &World) {
        let made = make(world, "deploy", &["read:assets"]).await;
        let requirement = needs("ops", Scope::Ro, Some("read:assets"));
        let verdict = world.ask(&world.ops_service, made.secret.expose(), &requirement).await;
        let allowed = verdict.outcome.expect("allowed");
        assert_eq!(allowed.owner, "ops");
        assert_eq!(allowed.token.orgs, Orgs::only([match allowed.token.owner {
            Owner::Org(org) => org,
            Owner::Account(_) => panic!("an org's"),
        }]).expect("orgs"));
    }

    /// What the metrics show: the live tokens that end, of the orgs that are named, those that end next first.
    async fn the_ends_of_live_tokens_are_listed(world: &World) {
        let day = 24 * 60 * 60;
        for (name, expiry) in [("long", days(30)), ("short", days(1)), ("revoked", days(7)), ("suspended", days(9))] {
            let new = NewToken { expiry, ..org_token(name, &["read:assets"]) };
            world.make(&world.eve, &in_org("ops"), &new).await;
        }
        world.create(&NewToken { expiry: days(3), ..new_token("personal") }).await;
        world.authority.tokens().revoke(&world.eve, &in_org("ops"), &named("revoked"), UNNEEDED).await.expect("revoked");
        world.authority.tokens().suspend(&world.eve, &in_org("ops"), &named("suspended")).await.expect("suspended");
        let shown = async |orgs: &Orgs<OrgSlug>| {
            let ends = world.authority.operator().org_token_ends(orgs).await.expect("read");
            let seconds = ends.seconds().map(|(org, token, seconds)| {
                // Some time passes between the reading and this.
                (org.to_owned(), token.to_owned(), (seconds / 60.0).round() as i64 * 60)
            });
            (seconds.collect::<Vec<_>>(), ends.unknown.iter().map(ToString::to_string).collect::<Vec<_>>(), ends.is_cut)
        };
        let row = |token: &str, seconds| ("ops".to_owned(), token.to_owned(), seconds);
        let both = Orgs::only([ops(), "nope".parse().expect("a slug")]).expect("orgs");
        let all = vec![row("short", day), row("suspended", 9 * day), row("long", 30 * day)];
        assert_eq!(shown(&both).await, (all.clone(), vec!["nope".to_owned()], false));
        assert_eq!(shown(&Orgs::All).await, (all.clone(), vec![], false));
        let dev = Orgs::only(["dev".parse().expect("a slug")]).expect("orgs");
        assert_eq!(shown(&dev).await, (vec![], vec![], false));
        // Where the org has too many, those that end next are shown.
        for number in 0..OrgTokenEnds::MOST_OF_AN_ORG {
            let new = NewToken { expiry: days(2), ..org_token(&format!("t{number}"), &["read:assets"]) };
            world.make(&world.eve, &in_org("ops"), &new).await;
        }
        let (rows, _, is_cut) = shown(&Orgs::All).await;
        assert!(is_cut && rows.len() == OrgTokenEnds::MOST_OF_AN_ORG && rows[0] == row("short", day));
        assert!(rows[1..].iter().all(|row| row.2 == 2 * day), "{rows:?}");
        // At the instant of its expiry, a token is expired.
        world.clock.set(at(day - 60));
        assert_eq!(shown(&Orgs::All).await.0[0], row("short", 60));
        world.clock.set(at(day));
        let (rows, _, is_cut) = shown(&Orgs::All).await;
        assert!(is_cut && rows.iter().all(|row| row.2 == day), "{rows:?}");
        world.clock.set(at(2 * day));
        assert_eq!(shown(&Orgs::All).await, (vec![row("suspended", 7 * day), row("long", 28 * day)], vec![], false));
        world.authority.orgs().delete(&CONSOLE, &ops()).await.expect("deleted");
        assert_eq!(shown(&both).await, (vec![], vec!["nope".to_owned(), "ops".to_owned()], false));
    }
}
