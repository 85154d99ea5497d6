//! References to tokens: by name, id, secret's prefix or the beginning of the id.

use std::time::Duration;

use ndauth_authority::{AuthorityError, Credential, Inquiry, Minted, Renewing, Subject, Which, Whose};
use ndauth_core::{Reason, Role};

use crate::on_both;
use crate::world::{
    CONSOLE, MINE, UNNEEDED, World, at, granted, in_org, named, new_token, of_account, org_token, presented,
    reason, token_with,
};

/// The seconds after which an id begins with other 8 characters.
const APART: i64 = 100;

/// Returns all references to a token.
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

/// Returns the reason for which each operation on one token refuses.
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

/// Returns the tokens that an ambiguous reference lists.
fn matches_of(error: AuthorityError) -> Vec<String> {
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
            // The token itself works, too, and sees nothing else.
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
        // Too short, no beginning of an id, and a name where a prefix is expected.
        let id = first.view.token.id.to_string();
        for which in [
            named(&id[..7]), named("ffffffff"), named(""), named("-"), Which::Prefix("ci".to_owned()),
            Which::Prefix(String::new()), named(&format!("{id}0")),
        ] {
            assert_eq!(reason(world.show(&world.ada, &which).await), Reason::NotFound, "{which:?}");
        }
    }

    async fn ambiguous_references_are_refused_and_listed(world: &World) {
        let (a, b) = (world.create(&new_token("a")).await, world.create(&new_token("b")).await);
        let beginning = named(&a.view.token.id.to_string()[..8]);
        assert_eq!(matches_of(world.show(&world.ada, &beginning).await.expect_err("several")), shown(&[&a, &b]));
        for refused in refusals(world, &world.ada, MINE, &beginning).await {
            assert_eq!(refused, Reason::NameAmbiguous);
        }
        assert_eq!((world.refused(&a.secret).await, world.refused(&b.secret).await), (None, None));
        // A token with exactly this name comes before those whose ids begin with it.
        let text = &a.view.token.id.to_string()[..8];
        let called = world.create(&new_token(text)).await.view.token.id;
        assert_eq!(world.show(&world.ada, &beginning).await.expect("found").token.id, called);
        // The ids of revoked tokens count, so that no other token is found by mistake.
        world.revoke(&world.ada, &Which::Id(called)).await.expect("revoked");
        world.revoke(&world.ada, &Which::Id(a.view.token.id)).await.expect("revoked");
        let matches = matches_of(world.show(&world.ada, &beginning).await.expect_err("several"));
        assert_eq!(matches.len(), 3, "{matches:?}");
    }

    /// A name that is free again finds the token that had it, unless another has it now.
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
        assert_eq!(matches_of(several), shown(&[&first, &second]));
        // Another owner's former name refers to nothing.
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
        // An org's token is no person's, a person's is no org's, and each account has its own.
        for which in names(&ours) {
            assert_eq!(reason(world.show(&world.eve, &which).await), Reason::NotFound, "{which:?}");
            let of_eve = world.authority.tokens().resume(&CONSOLE, &of_account("eve"), &which).await;
            assert_eq!(reason(of_eve), Reason::NotFound, "{which:?}");
        }
        assert_eq!(world.refused(&hers.secret).await, None, "it is untouched");
        assert_eq!(world.refused_permission(&ours.secret, "read:assets").await, None, "it is untouched");
    }

    /// Ids of one instant begin alike, whoever owns them. Other owners' tokens are not revealed, neither by
    /// an answer nor by an ambiguity.
    async fn anothers_token_makes_no_beginning_ambiguous(world: &World) {
        let hers = world.create(&new_token("ci")).await;
        let his = world.make(&world.eve, MINE, &new_token("ci")).await;
        let own = world.make(&world.eve, &in_org("ops"), &org_token("ci", &["read:assets"])).await;
        for (made, by, whose) in [(&hers, &world.ada, MINE), (&his, &world.eve, MINE), (&own, &world.eve, &in_org("ops"))] {
            let beginning = named(&hers.view.token.id.to_string()[..8]);
            let found = world.authority.tokens().get(by, whose, &beginning).await.expect("found");
            assert_eq!(found.view.token.id, made.view.token.id);
        }
        // The operator's search covers everyone's tokens, and lists all of them.
        let all = world.authority.tokens().resume(&CONSOLE, &Whose::Anyone, &named(&hers.view.token.id.to_string()[..8])).await;
        assert_eq!(matches_of(all.expect_err("several")), shown(&[&hers, &his, &own]));
    }

    /// A token that may only see itself cannot probe for its siblings.
    async fn a_narrow_token_probes_for_no_sibling(world: &World) {
        let sibling = world.create(&new_token("sibling")).await;
        world.clock.set(at(APART));
        let narrow = token_with("narrow", |new| new.grants = granted(&["read:assets"]));
        let narrow = presented(&world.create(&narrow).await.secret);
        let nothing = [named("nothing"), named("0190ffff"), named("ndpat_000000")];
        let unknown = refusals(world, &narrow, MINE, &nothing[0]).await;
        // Showing it requires a permission, which the error names.
        let expected = |reason: &Reason| matches!(reason, Reason::SessionRequired | Reason::PermissionNotGranted);
        assert!(unknown.iter().all(expected), "{unknown:?}");
        for which in names(&sibling).iter().chain(&nothing) {
            assert_eq!(refusals(world, &narrow, MINE, which).await, unknown, "{which:?}");
        }
        assert_eq!(world.refused(&sibling.secret).await, None, "it is untouched");
    }
}
