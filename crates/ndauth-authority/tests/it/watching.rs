//! Watching: which services receive which events.

use ndauth_authority::{Credential, NewAccount, NewOrg, ReportedUse, TokenPage, Watcher};
use ndauth_core::{Concern, Counts, LastUse, Role, Secret, SecretKind};

use crate::on_both;
use crate::world::{CONSOLE, MINE, at, days, named, new_token, presented};

/// Returns the events that a watcher has not received yet.
fn received(watcher: &mut Watcher) -> Vec<Concern> {
    let news = watcher.catch_up().expect("it may watch");
    assert!(!news.reset, "it goes on");
    news.changes.into_iter().map(|(_, concern)| concern).collect()
}

on_both! {
    /// One service may ask about all orgs, and one about `ops` only, where `ada` is a member and `zoe` is
    /// not.
    async fn a_service_receives_events_about_what_it_may_ask(world: &World) {
        let authority = &world.authority;
        world.catch_up().await;
        let mut all = authority.watch(&world.service).await.expect("it may");
        let mut ops = authority.watch(&world.ops_service).await.expect("it may");
        for watcher in [&mut all, &mut ops] {
            let first = watcher.catch_up().expect("it may watch");
            assert!(first.reset && first.changes.is_empty(), "it begins anew");
        }
        let mut expect_events = async |why: &str, by_all: &[Concern], by_ops: &[Concern]| {
            world.catch_up().await;
            assert_eq!((&*received(&mut all), &*received(&mut ops)), (by_all, by_ops), "{why}");
        };

        let (lab, zoe) = ("lab".parse().expect("a slug"), "zoe".parse().expect("a handle"));
        let new = NewOrg { slug: lab, name: None, admin: None };
        let org = authority.orgs().create(&CONSOLE, &new).await.expect("made").value;
        expect_events("an org is new", &[Concern::NewOrg(org.id, None)], &[]).await;
        let email = "zoe@example.org".parse().expect("an address");
        let new = NewAccount { handle: zoe, email, name: None, operator: false };
        let account = authority.operator().create_account(&CONSOLE, &new).await.expect("made").value;
        expect_events("an account is new", &[], &[]).await;
        world.member("lab", "zoe", Role::Rw).await;
        expect_events("it gets a role elsewhere", &[Concern::Member(org.id, account.id)], &[]).await;
        let session = authority.operator().issue_session(&CONSOLE, &account.handle, days(1)).await.expect("begun");
        let session = presented(&session);
        expect_events("it signs in", &[Concern::Account(account.id)], &[]).await;
        let hers = world.make(&session, MINE, &new_token("hers")).await.view.token;
        let his = world.create(&new_token("his")).await.view.token;
        expect_events("tokens are new", &[], &[]).await;

        world.revoke(&session, &named("hers")).await.expect("revoked");
        expect_events("one of an owner elsewhere is revoked", &[Concern::Token(hers.id)], &[]).await;
        world.revoke(&world.ada, &named("his")).await.expect("revoked");
        expect_events("one of a member is revoked", &[Concern::Token(his.id)], &[Concern::Token(his.id)]).await;
        authority.operator().revoke_service(&CONSOLE, &"ops only".parse().expect("a name")).await.expect("revoked");
        world.catch_up().await;
        assert!(received(&mut all).is_empty(), "services are nobody else's business");
        ops.catch_up().expect_err("it may watch no more");
    }

    /// A service reports uses of the tokens that it may ask about, up to its limit.
    async fn reports_count_as_far_as_the_service_may_ask(world: &World) {
        let authority = &world.authority;
        let zoe = world.person("zoe", false, None).await;
        let hers = world.make(&zoe, MINE, &new_token("ci")).await.secret;
        let his = world.create(&new_token("ci")).await.secret;
        world.catch_up().await;
        let watcher = authority.watch(&world.ops_service).await.expect("it may");
        let report = |secret: &Secret, reads| ReportedUse {
            secret: secret.hash(),
            org: None,
            client: None,
            last: LastUse { at: at(0), address: None },
            counts: Counts { reads, writes: 0 },
        };
        let unknown = Secret::mint(SecretKind::Personal, &mut rand::rngs::SysRng).expect("drawn");
        watcher.note(&[report(&hers, 1), report(&unknown, 1), report(&his, 1)]);
        for _ in 0..300 {
            watcher.note(&vec![report(&his, 1); 100]);
        }
        authority.validation().write_uses().await.expect("written");
        let used = async |by: &Credential| {
            let shown = authority.tokens().get(by, MINE, &named("ci")).await.expect("shown").view;
            shown.used_from.iter().map(|from| from.counts.reads).sum::<u64>()
        };
        assert_eq!(used(&zoe).await, 0);
        let counted = used(&world.ada).await;
        assert!((20_000..30_001).contains(&counted), "{counted}");
    }

    /// The service may ask about `ops` only: a use that it reports in `dev`, or in an org that does not
    /// exist, is a use in no org.
    async fn a_reported_use_is_in_an_org_that_the_service_may_ask_about(world: &World) {
        let authority = &world.authority;
        let secret = world.create(&new_token("ci")).await.secret;
        let dan = world.person("dan", false, None).await;
        world.member("dev", "dan", Role::Admin).await;
        world.catch_up().await;
        let watcher = authority.watch(&world.ops_service).await.expect("it may");
        world.clock.set(at(9));
        for (second, org) in [(1, "ops"), (2, "dev"), (3, "nowhere")] {
            watcher.note(&[ReportedUse {
                secret: secret.hash(),
                org: org.parse().ok(),
                client: None,
                last: LastUse { at: at(second), address: None },
                counts: Counts { reads: 1, writes: 0 },
            }]);
        }
        let page = TokenPage { include_revoked: false, after: None, limit: 100 };
        let seen = async |admin: &Credential, org: &str| {
            let org = org.parse().expect("a slug");
            let listed = authority.tokens().list_personal_tokens(admin, &org, page).await.expect("listed").views;
            let view = listed.into_iter().find(|view| view.token.name.as_str() == "ci").expect("there");
            view.last_use().map(|last| last.at)
        };
        assert_eq!(seen(&world.eve, "ops").await, Some(at(1)));
        assert_eq!(seen(&dan, "dev").await, None);
        let mine = world.show(&world.ada, &named("ci")).await.expect("shown");
        assert_eq!(mine.last_use().map(|last| last.at), Some(at(3)), "its owner sees all");
    }

    /// A mirror that is loaded again has the last events, and the owners of the tokens that they concern.
    async fn watches_continue_after_the_mirror_is_reloaded(world: &World) {
        let authority = &world.authority;
        let zoe = world.person("zoe", false, None).await;
        let hers = world.make(&zoe, MINE, &new_token("ci")).await.view.token.id;
        let his = world.create(&new_token("ci")).await.view.token.id;
        world.catch_up().await;
        let mut all = authority.watch(&world.service).await.expect("it may");
        let mut ops = authority.watch(&world.ops_service).await.expect("it may");
        for watcher in [&mut all, &mut ops] {
            watcher.catch_up().expect("it may watch");
        }
        world.revoke(&zoe, &named("ci")).await.expect("revoked");
        world.revoke(&world.ada, &named("ci")).await.expect("revoked");
        world.load_again().await;
        assert_eq!(received(&mut all), [Concern::Token(hers), Concern::Token(his)]);
        assert_eq!(received(&mut ops), [Concern::Token(his)]);
    }
}
