//! Which token a request means: by its name, its id, its secret's prefix or the beginning of its id.

use std::time::Duration;

use ndauth_authority::{AuthorityError, Credential, Inquiry, Minted, Renewing, Subject, Which, Whose};
use ndauth_core::{Reason, Role};

use crate::on_both;
use crate::world::{
    CONSOLE, MINE, UNNEEDED, World, at, granted, in_org, named, new_token, of_account, org_token, presented,
    reason, token_with,
};

/// Seconds after which an id begins otherwise in its first 8 characters.
const APART: i64 = 100;

/// All that a token goes by.
fn names(made: &Minted) -> Vec<Which> {
    let (id, prefix) = (made.view.token.id.to_string(), made.secret.prefix().to_string());
    vec![
        named(made.view.token.name.as_str()),
        named(&id),
        named(&prefix),
        named(&id[..8]),
        named(&id[..13]),
        named(&id.replace('-', "")),
        named(&id[..20].to_uppercase()),
        Which::Id(made.view.token.id),
        Which::Prefix(prefix),
        Which::Prefix(id[..8].to_owned()),
        Which::Prefix(id),
    ]
}

/// The reason for which each operation on one token refuses.
async fn refusals(world: &World, by: &Credential, whose: &Whose, which: &Which) -> Vec<Reason> {
    let authority = &world.authority;
    let subject = Subject::Token(which.clone());
    let inquiry =
        Inquiry { whose: whose.clone(), subject, org: None, question: None, service: None, address: None };
    vec![
        reason(authority.tokens().explain(by, &inquiry).await),
        reason(authority.tokens().get(by, whose, which).await),
        reason(authority.tokens().update(by, whose, which, Some(&None)).await),
        reason(authority.tokens().revoke(by, whose, which, UNNEEDED).await),
        reason(authority.tokens().suspend(by, whose, which).await),
        reason(authority.tokens().resume(by, whose, which).await),
        reason(authority.tokens().rotate(by, whose, which, Duration::ZERO, None).await),
        reason(authority.tokens().drop_rotation(by, whose, which).await),
        reason(authority.tokens().renew(by, whose, which, Renewing::default()).await),
    ]
}

/// The tokens that a text may mean, as it is told.
fn told(error: AuthorityError) -> Vec<String> {
    let AuthorityError::Ambiguous { mut matches, .. } = error else { panic!("{error:?}") };
    matches.sort();
    matches
}

fn shown(made: &[&Minted]) -> Vec<String> {
    let mut shown: Vec<String> =
        made.iter().map(|made| format!("`{}` ({})", made.view.token.name, made.view.token.id)).collect();
    shown.sort();
    shown
}

on_both! {
    async fn a_name_an_id_a_prefix_and_an_ids_beginning_find_a_token(world: &World) {
        let first = world.create(&new_token("ci")).await;
        world.clock.set(at(APART));
        world.create(&new_token("cd")).await;
        let own = world.make(&world.eve, &in_org("ops"), &org_token("ci", &["read:assets"])).await;
        for (made, by, whose) in [(&first, &world.ada, MINE), (&own, &world.eve, &in_org("ops"))] {
            // By the token itself, too, which sees nothing else.
            for (by, whose) in [(by, whose), (&presented(&made.secret), MINE)] {
                for which in names(made) {
                    let found = world.authority.tokens().get(by, whose, &which).await.expect("found");
                    assert_eq!(found.view.token.id, made.view.token.id, "{which:?}");
                }
            }
        }
        for which in names(&first).into_iter().skip(1) {
            for whose in [&Whose::Anyone, &of_account("ada")] {
                let done = world.authority.tokens().resume(&CONSOLE, whose, &which).await.expect("found");
                assert_eq!(done.value.token.id, first.view.token.id, "{which:?}");
            }
        }
        // Too short, no beginning at all, and a name where none is meant.
        let id = first.view.token.id.to_string();
        for which in [
            named(&id[..7]), named("ffffffff"), named(""), named("-"), Which::Prefix("ci".to_owned()),
            Which::Prefix(String::new()), named(&format!("{id}0")),
        ] {
            assert_eq!(reason(world.show(&world.ada, &which).await), Reason::NotFound, "{which:?}");
        }
    }

    async fn several_of_one_beginning_are_refused_and_listed(world: &World) {
        let (a, b) = (world.create(&new_token("a")).await, world.create(&new_token("b")).await);
        let beginning = named(&a.view.token.id.to_string()[..8]);
        assert_eq!(told(world.show(&world.ada, &beginning).await.expect_err("several")), shown(&[&a, &b]));
        for refused in refusals(world, &world.ada, MINE, &beginning).await {
            assert_eq!(refused, Reason::NameAmbiguous);
        }
        assert_eq!((world.refused(&a.secret).await, world.refused(&b.secret).await), (None, None));
        // One that is called so is meant before all that begin so.
        let text = &a.view.token.id.to_string()[..8];
        let called = world.create(&new_token(text)).await.view.token.id;
        assert_eq!(world.show(&world.ada, &beginning).await.expect("found").token.id, called);
        // A beginning of a revoked token counts, so that nothing else is taken for it.
        world.revoke(&world.ada, &Which::Id(called)).await.expect("revoked");
        world.revoke(&world.ada, &Which::Id(a.view.token.id)).await.expect("revoked");
        let told = told(world.show(&world.ada, &beginning).await.expect_err("several"));
        assert_eq!(told.len(), 3, "{told:?}");
    }

    /// A name that is free again finds who had it, unless another has it now.
    async fn a_former_name_finds_a_revoked_token(world: &World) {
        let first = world.create(&new_token("ci")).await;
        world.revoke(&world.ada, &named("ci")).await.expect("revoked");
        let shown_now = world.show(&world.ada, &named("ci")).await.expect("found");
        assert_eq!((shown_now.token.id, shown_now.token.revoked_at), (first.view.token.id, Some(at(0))));
        assert_eq!(reason(world.show(&world.ada, &Which::Prefix("ci".to_owned())).await), Reason::NotFound);
        world.clock.set(at(APART));
        let second = world.create(&new_token("ci")).await;
        assert_eq!(world.show(&world.ada, &named("ci")).await.expect("found").token.id, second.view.token.id);
        world.revoke(&world.ada, &named("ci")).await.expect("revoked");
        let several = world.show(&world.ada, &named("ci")).await.expect_err("several");
        assert_eq!(told(several), shown(&[&first, &second]));
        // Another's former name says nothing.
        assert_eq!(reason(world.show(&world.eve, &named("ci")).await), Reason::NotFound);
    }

    async fn anothers_token_is_never_found(world: &World) {
        let hers = world.create(&new_token("hers")).await;
        let dead = world.create(&new_token("dead")).await;
        world.revoke(&world.ada, &named("dead")).await.expect("revoked");
        world.member("dev", "ada", Role::Admin).await;
        let theirs = world.make(&world.ada, &in_org("dev"), &org_token("theirs", &["read:assets"])).await;
        world.clock.set(at(APART));
        let ours = world.make(&world.eve, &in_org("ops"), &org_token("ours", &["read:assets"])).await;
        for made in [&hers, &dead, &theirs] {
            for which in names(made) {
                for whose in [MINE, &in_org("ops"), &in_org("dev")] {
                    let refused = refusals(world, &world.eve, whose, &which).await;
                    assert!(refused.iter().all(|reason| *reason == Reason::NotFound), "{which:?}: {refused:?}");
                }
            }
        }
        // An org's own is no person's, a person's is no org's, and each account's is its own.
        for which in names(&ours) {
            assert_eq!(reason(world.show(&world.eve, &which).await), Reason::NotFound, "{which:?}");
            let of_eve = world.authority.tokens().resume(&CONSOLE, &of_account("eve"), &which).await;
            assert_eq!(reason(of_eve), Reason::NotFound, "{which:?}");
        }
        assert_eq!(world.refused(&hers.secret).await, None, "it is untouched");
        assert_eq!(world.refused_permission(&ours.secret, "read:assets").await, None, "it is untouched");
    }

    /// Ids of one instant begin alike, whoever owns them: others' are not told of, by an answer or by a doubt.
    async fn anothers_token_makes_no_beginning_ambiguous(world: &World) {
        let hers = world.create(&new_token("ci")).await;
        let his = world.make(&world.eve, MINE, &new_token("ci")).await;
        let own = world.make(&world.eve, &in_org("ops"), &org_token("ci", &["read:assets"])).await;
        for (made, by, whose) in [(&hers, &world.ada, MINE), (&his, &world.eve, MINE), (&own, &world.eve, &in_org("ops"))] {
            let beginning = named(&hers.view.token.id.to_string()[..8]);
            let found = world.authority.tokens().get(by, whose, &beginning).await.expect("found");
            assert_eq!(found.view.token.id, made.view.token.id);
        }
        // The operator, who asks about everyone's, is told of all.
        let all = world.authority.tokens().resume(&CONSOLE, &Whose::Anyone, &named(&hers.view.token.id.to_string()[..8])).await;
        assert_eq!(told(all.expect_err("several")), shown(&[&hers, &his, &own]));
    }

    /// A token that may see itself alone is told the same of its siblings as of what is not there.
    async fn a_narrow_token_probes_for_no_sibling(world: &World) {
        let sibling = world.create(&new_token("sibling")).await;
        world.clock.set(at(APART));
        let narrow = token_with("narrow", |new| new.grants = granted(&["read:assets"]));
        let narrow = presented(&world.create(&narrow).await.secret);
        let nothing = [named("nothing"), named("0190ffff"), named("ndpat_000000")];
        let unknown = refusals(world, &narrow, MINE, &nothing[0]).await;
        // To be shown it takes a permission, which is named.
        let told = |reason: &Reason| matches!(reason, Reason::SessionRequired | Reason::PermissionNotGranted);
        assert!(unknown.iter().all(told), "{unknown:?}");
        for which in names(&sibling).iter().chain(&nothing) {
            assert_eq!(refusals(world, &narrow, MINE, which).await, unknown, "{which:?}");
        }
        assert_eq!(world.refused(&sibling.secret).await, None, "it is untouched");
    }
}
