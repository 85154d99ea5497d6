use ndauth_authority::{CallerIdentity, Minted, NewToken};
use ndauth_core::{ExpiryChoice, Grants, Lifetime, Orgs, Owner, Reason, Role, Scope, TokenStatus};

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
}
