use ndauth_authority::{Identity, TokenName, TokenQuery};
use ndauth_core::{ExpiryChoice, Grants, Lifetime, Orgs, Owner, Reason, Role, Scope};

use crate::on_both;
use crate::world::{CONSOLE, World, at, days, granted, needs, presented, reason, settings};

const PAGE: &TokenQuery = &TokenQuery::all(false, 100);

async fn make(world: &World, name: &str, permissions: &[&str]) -> ndauth_authority::CreatedToken {
    let settings = settings(name, granted(permissions), ExpiryChoice::ORG);
    let ops = "ops".parse().expect("a slug");
    world.authority.create_org_token(&world.eve, &ops, &settings).await.expect("it is made")
}

fn named(name: &str) -> TokenName {
    TokenName::Name(name.parse().expect("a name"))
}

on_both! {
    async fn an_orgs_token_outlives_whoever_made_it(world: &World) {
        let made = make(world, "deploy", &["read:assets", "approve:assets"]).await;
        let ops = "ops".parse().expect("a slug");
        assert!(made.secret.expose().starts_with("ndorg_"));
        assert_eq!(made.view.token.scope, Scope::Rw, "the least that its permissions need");
        assert!(matches!(made.view.token.owner, Owner::Org(_)));
        assert_eq!(made.view.owner_org.as_ref(), Some(&ops));
        assert_eq!(made.view.token.expires_at, ndauth_core::Expiry::At(at(24 * 60 * 60)));
        // Its role is ADMIN, and its grants bound it.
        assert_eq!(world.refused_permission(&made.secret, "approve:assets").await, None);
        assert_eq!(world.refused_permission(&made.secret, "write:assets").await, Some(Reason::PermissionNotGranted));
        assert_eq!(world.refused(&made.secret).await, Some(Reason::PermissionNotNamed));
        let abroad = world.ask(&world.service, made.secret.expose(), &needs("dev", Scope::Ro, Some("read:assets"))).await;
        assert_eq!(abroad.outcome.err().map(|refusal| refusal.reason()), Some(Reason::OrgNotCovered));

        world.authority.remove_member(&CONSOLE, &ops, &"eve".parse().expect("a handle")).await.expect("removed");
        world.authority.disable_account(&CONSOLE, &"eve".parse().expect("a handle")).await.expect("disabled");
        assert_eq!(world.refused_permission(&made.secret, "approve:assets").await, None, "its maker is gone");
        world.authority.delete_org(&CONSOLE, &ops).await.expect("deleted");
        assert_eq!(world.refused_permission(&made.secret, "approve:assets").await, Some(Reason::OrgDeleted));
    }

    async fn it_is_bound_and_it_ends(world: &World) {
        let ops = "ops".parse().expect("a slug");
        let create = async |grants: Grants, expiry| {
            let settings = settings("deploy", grants, expiry);
            reason(world.authority.create_org_token(&world.eve, &ops, &settings).await)
        };
        assert_eq!(create(Grants::All, ExpiryChoice::ORG).await, Reason::InvalidArgument);
        let endless = ExpiryChoice::In(Lifetime::Endless);
        assert_eq!(create(granted(&["read:assets"]), endless).await, Reason::InvalidArgument);
        assert_eq!(create(granted(&["read:assets"]), days(366)).await, Reason::InvalidArgument);
        assert_eq!(create(granted(&["read:unicorns"]), days(1)).await, Reason::InvalidArgument);
        let listed = world.authority.list_org_tokens(&world.eve, &ops, PAGE).await.expect("listed");
        assert_eq!(listed.views.len(), 0);
    }

    async fn admins_list_show_and_revoke_them(world: &World) {
        let (ops, first) = ("ops".parse().expect("a slug"), make(world, "first", &["read:assets"]).await);
        world.clock.set(at(1));
        make(world, "second", &["read:assets"]).await;
        let settings = settings("first", granted(&["read:assets"]), ExpiryChoice::ORG);
        assert_eq!(reason(world.authority.create_org_token(&world.eve, &ops, &settings).await), Reason::NameTaken);
        // A person's token may have the same name, and is another's business.
        world.create(&crate::world::new_token("first")).await;
        let listed = world.authority.list_org_tokens(&world.eve, &ops, PAGE).await.expect("listed");
        let names: Vec<String> = listed.views.iter().map(|view| view.token.name.to_string()).collect();
        assert_eq!(names, ["first", "second"]);
        let shown = world.authority.get_org_token(&world.eve, &ops, &named("first")).await.expect("shown");
        assert_eq!(shown.view.token.id, first.view.token.id);
        world.authority.revoke_org_token(&world.eve, &ops, &named("first"), None).await.expect("revoked");
        assert_eq!(world.refused_permission(&first.secret, "read:assets").await, Some(Reason::TokenRevoked));
        assert_eq!(reason(world.authority.get_org_token(&world.eve, &ops, &named("first")).await), Reason::NotFound);
        // Who is demoted manages them no longer.
        world.member("ops", "eve", Role::Rw).await;
        assert_eq!(reason(world.authority.list_org_tokens(&world.eve, &ops, PAGE).await), Reason::RoleTooLow);
    }

    async fn it_may_ask_who_it_is_and_revoke_itself(world: &World) {
        let made = make(world, "deploy", &["read:assets"]).await;
        make(world, "other", &["read:assets"]).await;
        let itself = presented(&made.secret);
        let who = world.authority.who_am_i(&itself).await.expect("told");
        let Identity::OrgToken(view) = who.identity else { panic!("an org's token") };
        assert_eq!(view.token.id, made.view.token.id);
        let orgs = world.authority.list_orgs(&itself).await.expect("listed");
        assert_eq!(orgs.iter().map(|m| (m.org.slug.to_string(), m.role)).collect::<Vec<_>>(), [("ops".to_owned(), Role::Admin)]);
        assert_eq!(reason(world.authority.revoke_token(&itself, &named("other"), None).await), Reason::SessionRequired);
        assert!(world.authority.get_token(&itself, &named("deploy")).await.is_ok());
        assert!(world.authority.revoke_token(&itself, &named("deploy"), None).await.is_ok());
        assert_eq!(reason(world.authority.who_am_i(&itself).await), Reason::TokenRevoked);
    }

    /// A service may ask about it as about any other, and only for the orgs it is registered for.
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
