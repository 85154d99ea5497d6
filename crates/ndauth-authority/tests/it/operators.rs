//! Operators' sessions: what they may do to accounts, orgs and services, and what stays at the console.

use std::sync::Arc;
use std::time::Duration;

use expect_test::expect;
use ndauth_authority::{
    AccountQuery, Authority, AuthorityError, Changed, Clock, Credential, Engine, Link, NewAccount,
    NewService, Settling, SignedIn, Visitor,
};
use ndauth_core::{Handle, Identity, Reason, Role, Secret};
use tokio::task::JoinSet;

use crate::on_both;
use crate::world::{
    CONSOLE, World, at, days, following, new_account, new_token, ops, orgs, presented, reason,
};

const PASSWORD: &str = "a walk in the woods";

fn handle(text: &str) -> Handle {
    text.parse().expect("a handle")
}

/// Creates an account that nobody has used.
async fn unused(world: &World, name: &str) -> Handle {
    let new = new_account(name);
    world.authority.operator().create_account(&CONSOLE, &new).await.expect("an account is made");
    new.handle
}

async fn invite(world: &World, by: &Credential, to: &Handle) -> Result<Link, AuthorityError> {
    world.authority.logins().invite(by, to).await.map(|done| done.value)
}

async fn accept(world: &World, link: &Link) -> Result<SignedIn, AuthorityError> {
    world.authority.logins().accept_invitation(link.code.expose(), PASSWORD, &Visitor::default()).await
}

/// Returns the message of a refusal that names the console.
fn consoles<T: std::fmt::Debug>(outcome: Result<T, AuthorityError>) -> String {
    let error = outcome.expect_err("it is refused");
    assert_eq!(error.reason(), Reason::ConsoleOnly, "{error}");
    error.to_string()
}

fn identity(subject: &str) -> Identity {
    Identity { issuer: "https://idp.example".to_owned(), subject: subject.to_owned() }
}

/// Returns a second instance on the database.
async fn another(world: &World) -> Arc<Authority> {
    let clock = Clock::Manual(world.clock.clone());
    following(Authority::open(&world.scratch.url, clock, None).await.expect("opened")).await
}

on_both! {
    async fn an_operator_invites_who_has_never_signed_in(world: &World) {
        let oona = world.person("oona", true, None).await;
        let made = world.authority.operator().create_account(&oona, &new_account("new")).await.expect("made");
        assert!(made.changed && !made.value.operator);
        let link = invite(world, &oona, &made.value.handle).await.expect("a link");
        assert_eq!(accept(world, &link).await.expect("the password is set").account.handle, made.value.handle);
        assert_eq!(reason(accept(world, &link).await), Reason::LinkSpent, "it was used");
        let again = consoles(invite(world, &oona, &made.value.handle).await);
        assert_eq!(again, "`new` has signed in before: only the console may make a link to the account");
        let second = invite(world, &CONSOLE, &made.value.handle).await.expect("the console may");
        accept(world, &second).await.expect("another password is set");
        world.sound().await;
    }

    async fn an_operator_gets_no_link_to_an_account_in_use(world: &World) {
        let oona = world.person("oona", true, None).await;
        world.person("olaf", true, None).await;
        unused(world, "identified").await;
        world.authority.logins().identify_account(&CONSOLE, &handle("identified"), &identity("i")).await.expect("linked");
        let fresh_operator = NewAccount { operator: true, ..new_account("appointed") };
        world.authority.operator().create_account(&CONSOLE, &fresh_operator).await.expect("made");
        unused(world, "member").await;
        world.member("ops", "member", Role::Ro).await;
        unused(world, "disabled").await;
        world.authority.operator().disable_account(&oona, &handle("disabled")).await.expect("disabled");
        let mut refused = String::new();
        for name in ["ada", "olaf", "oona", "identified", "appointed", "member", "disabled", "nobody"] {
            let error = invite(world, &oona, &handle(name)).await.expect_err("no link");
            refused.push_str(&format!("{}: {error}\n", error.reason().code()));
        }
        expect![[r#"
            CONSOLE_ONLY: `ada` has signed in before: only the console may make a link to the account
            CONSOLE_ONLY: `olaf` is an operator: only the console may make a link to the account
            CONSOLE_ONLY: `oona` is an operator: only the console may make a link to the account
            CONSOLE_ONLY: `identified` has a password or a linked identity: only the console may make a link to the account
            CONSOLE_ONLY: `appointed` is an operator: only the console may make a link to the account
            CONSOLE_ONLY: `member` is or was a member of an org: only the console may make a link to the account
            INVALID_ARGUMENT: `handle`: `disabled` is disabled: enable it first
            NOT_FOUND: there is no account `nobody`
        "#]].assert_eq(&refused);
        // Nor a session or a link to sign in, for any account.
        assert_eq!(reason(world.authority.logins().sign_in_link(&oona, &handle("ada")).await), Reason::NotPermitted);
        let session = world.authority.operator().issue_session(&oona, &handle("ada"), days(1)).await;
        assert_eq!(reason(session), Reason::NotPermitted);
        let linked = world.authority.logins().identify_account(&oona, &handle("ada"), &identity("a")).await;
        assert_eq!(reason(linked), Reason::NotPermitted);
    }

    /// Whatever way the person comes in first, the operator's link is dead from then on: for the page and for
    /// the password.
    async fn an_operators_link_dies_once_the_account_is_used(world: &World) {
        let oona = world.person("oona", true, None).await;
        let authority = &world.authority;
        for way in ["session", "sign-in link", "sign-in link made", "invitation", "identity", "identity linked", "role", "former role", "operator"] {
            let name = unused(world, &format!("by-{}", way.replace(' ', "-"))).await;
            let link = invite(world, &oona, &name).await.expect("a link");
            assert!(authority.logins().account_of_link(link.code.expose()).await.is_ok(), "{way}");
            match way {
                "session" => drop(world.log_in(name.as_str()).await),
                "sign-in link" | "sign-in link made" => {
                    let other = authority.logins().sign_in_link(&CONSOLE, &name).await.expect("a link");
                    if way == "sign-in link" {
                        let visitor = Visitor::default();
                        authority.logins().sign_in_by_link(other.code.expose(), &visitor, None).await.expect("in");
                    }
                }
                "invitation" => drop(invite(world, &CONSOLE, &name).await.expect("a link")),
                "identity" | "identity linked" => {
                    let person = identity(name.as_str());
                    authority.logins().identify_account(&CONSOLE, &name, &person).await.expect("linked");
                    if way == "identity" {
                        authority.logins().sign_in_identified(&person, &Visitor::default(), None).await.expect("in");
                    }
                }
                // The link would have the power of the role.
                "role" | "former role" => {
                    world.member("ops", name.as_str(), Role::Admin).await;
                    if way == "former role" {
                        let ops = "ops".parse().expect("a slug");
                        authority.orgs().remove_member(&CONSOLE, &ops, &name).await.expect("removed");
                    }
                }
                _ => drop(authority.operator().grant_operator(&CONSOLE, &name).await.expect("granted")),
            }
            assert_eq!(reason(authority.logins().account_of_link(link.code.expose()).await), Reason::LinkSpent, "{way}");
            assert_eq!(reason(accept(world, &link).await), Reason::LinkSpent, "{way}");
        }
        world.sound().await;
    }

    /// Whoever holds a link to sign in has no session yet, and gets none once all sessions were to end.
    async fn a_link_ends_with_the_sessions(world: &World) {
        let oona = world.person("oona", true, None).await;
        let (operator, logins) = (world.authority.operator(), world.authority.logins());
        let lives = async |link: &str| logins.account_of_link(link).await.is_ok();
        let eve = handle("eve");
        let sign_in = async || logins.sign_in_link(&CONSOLE, &eve).await.expect("a link").code;
        let link = sign_in().await;
        world.log_in("eve").await;
        assert!(lives(link.expose()).await);
        operator.sign_out(&oona, &eve).await.expect("signed out");
        assert!(!lives(link.expose()).await, "signed out");
        let link = sign_in().await;
        accept(world, &invite(world, &CONSOLE, &eve).await.expect("a link")).await.expect("the password is set");
        assert!(!lives(link.expose()).await, "another password");
        let (link, invitation) = (sign_in().await, invite(world, &CONSOLE, &eve).await.expect("a link"));
        operator.disable_account(&oona, &eve).await.expect("disabled");
        operator.enable_account(&oona, &eve).await.expect("enabled");
        assert!(!lives(link.expose()).await, "disabled in between");
        assert_eq!(reason(accept(world, &invitation).await), Reason::LinkSpent, "disabled in between");
        world.sound().await;
    }

    async fn an_operator_ends_no_link_of_the_console(world: &World) {
        let oona = world.person("oona", true, None).await;
        for sign_in in [false, true] {
            let name = unused(world, if sign_in { "linked" } else { "invited" }).await;
            let link = match sign_in {
                true => world.authority.logins().sign_in_link(&CONSOLE, &name).await,
                false => invite(world, &CONSOLE, &name).await,
            };
            let link = link.expect("a link");
            let refused = consoles(invite(world, &oona, &name).await);
            assert!(refused.contains("has a link from the console, until"), "{refused}");
            assert!(world.authority.logins().account_of_link(link.code.expose()).await.is_ok(), "it still works");
        }
        // Once it is too old, an operator may invite.
        world.clock.set(at(7 * 24 * 60 * 60));
        let oona = world.log_in("oona").await;
        let link = invite(world, &oona, &handle("invited")).await.expect("a link");
        accept(world, &link).await.expect("the password is set");
    }

    async fn a_link_of_a_former_operator_is_dead(world: &World) {
        let (oona, olaf) = (world.person("oona", true, None).await, world.person("olaf", true, None).await);
        let name = unused(world, "new").await;
        let link = invite(world, &oona, &name).await.expect("a link");
        world.authority.operator().revoke_operator(&CONSOLE, &handle("oona")).await.expect("revoked");
        assert_eq!(reason(accept(world, &link).await), Reason::LinkSpent);
        let link = invite(world, &olaf, &name).await.expect("a link");
        world.authority.operator().disable_account(&CONSOLE, &handle("olaf")).await.expect("disabled");
        assert_eq!(reason(accept(world, &link).await), Reason::LinkSpent);
        world.sound().await;
    }

    /// Links that two operators, and then the console too, make at once at two instances: one of them works.
    async fn links_that_are_made_at_once_leave_one(world: &World) {
        let (oona, olaf) = (world.person("oona", true, None).await, world.person("olaf", true, None).await);
        let name = unused(world, "new").await;
        let other = another(world).await;
        let secret = |credential: &Credential| match credential {
            Credential::Secret { secret, .. } => secret.expose().to_owned(),
            _ => unreachable!("an operator has a session"),
        };
        let (oona, olaf) = (secret(&oona), secret(&olaf));
        for consoles in [0, 1] {
            let mut made = JoinSet::new();
            for number in 0..20 {
                let instance = if number % 2 == 0 { &world.authority } else { &other };
                let (authority, name) = (instance.clone(), name.clone());
                let text = if number % 2 == 0 { oona.clone() } else { olaf.clone() };
                let by = match number < consoles {
                    true => CONSOLE,
                    false => presented(&text.parse::<Secret>().expect("a secret")),
                };
                made.spawn(async move { authority.logins().invite(&by, &name).await.map(|done| done.value) });
            }
            let mut working = 0;
            for outcome in made.join_all().await {
                match outcome {
                    Ok(link) => {
                        let works = world.authority.logins().account_of_link(link.code.expose()).await;
                        working += usize::from(works.is_ok());
                    }
                    Err(error) => assert_eq!((error.reason(), consoles), (Reason::ConsoleOnly, 1), "{error}"),
                }
            }
            assert_eq!(working, 1);
        }
        world.sound().await;
    }

    /// An operator's link and the person's own login at once: the link sets a password before the account was
    /// used, or not at all.
    async fn a_link_and_a_login_at_once(world: &World) {
        let oona = world.person("oona", true, None).await;
        let other = another(world).await;
        for round in 0..5 {
            let name = unused(world, &format!("new-{round}")).await;
            let link = invite(world, &oona, &name).await.expect("a link");
            let person = other.operator().issue_session(&CONSOLE, &name, days(1));
            let (taken, session) = tokio::join!(accept(world, &link), person);
            let session = presented(&session.expect("a session"));
            let who = world.authority.validation().who_am_i(&session).await;
            // A link that is used first ends no session that begins after it, and later it is not used at all.
            assert!(who.is_ok(), "the person's session goes on: {who:?}");
            if let Err(error) = taken {
                assert_eq!(error.reason(), Reason::LinkSpent);
            }
        }
        world.sound().await;
    }

    async fn operators_are_left_to_the_console(world: &World) {
        let (oona, olaf) = (world.person("oona", true, None).await, world.person("olaf", true, None).await);
        let operator = world.authority.operator();
        let mut refused = String::new();
        for name in ["olaf", "oona"] {
            let name = handle(name);
            refused += &format!("{}\n", consoles(operator.disable_account(&oona, &name).await));
            refused += &format!("{}\n", consoles(operator.enable_account(&oona, &name).await));
            refused += &format!("{}\n", consoles(operator.sign_out(&oona, &name).await));
        }
        let chief = NewAccount { operator: true, ..new_account("chief") };
        refused += &format!("{}\n", consoles(operator.create_account(&oona, &chief).await));
        expect![[r#"
            `olaf` is an operator: only the console may disable the account
            `olaf` is an operator: only the console may enable the account
            `olaf` is an operator: only the console may sign the account out
            `oona` is an operator: only the console may disable the account
            `oona` is an operator: only the console may enable the account
            `oona` is an operator: only the console may sign the account out
            `chief` is to be an operator: only the console may create it
        "#]].assert_eq(&refused);
        assert_eq!(reason(operator.grant_operator(&oona, &handle("ada")).await), Reason::NotPermitted);
        assert_eq!(reason(operator.revoke_operator(&oona, &handle("olaf")).await), Reason::NotPermitted);
        assert!(world.authority.validation().who_am_i(&olaf).await.is_ok(), "they still work");

        let ada = handle("ada");
        assert_eq!(operator.sign_out(&oona, &ada).await.expect("signed out").value, 1);
        assert!(operator.disable_account(&oona, &ada).await.expect("disabled").changed);
        assert!(!operator.disable_account(&oona, &ada).await.expect("unchanged").changed);
        assert!(operator.enable_account(&oona, &ada).await.expect("enabled").changed);
        world.sound().await;
    }

    /// An operator who logged in more than 15 minutes ago, a former one, and one who is disabled may nothing.
    async fn only_operators_with_a_recent_login_manage(world: &World) {
        let oona = world.person("oona", true, None).await;
        let operator = world.authority.operator();
        assert!(operator.get_installation(&oona).await.is_ok());
        world.clock.set(at(15 * 60 + 1));
        assert_eq!(reason(operator.get_installation(&oona).await), Reason::LoginNotRecent);
        assert_eq!(reason(operator.disable_account(&oona, &handle("ada")).await), Reason::LoginNotRecent);
        assert_eq!(reason(invite(world, &oona, &handle("ada")).await), Reason::LoginNotRecent);
        let oona = world.log_in("oona").await;
        assert!(operator.get_installation(&oona).await.is_ok());
        operator.revoke_operator(&CONSOLE, &handle("oona")).await.expect("revoked");
        assert_eq!(reason(operator.get_installation(&oona).await), Reason::NotPermitted);
        assert_eq!(reason(operator.create_account(&oona, &new_account("new")).await), Reason::NotPermitted);
    }

    async fn accounts_come_in_pages(world: &World) {
        let oona = world.person("oona", true, None).await;
        for name in ["a-b", "ab", "a1", "zoe"] {
            unused(world, name).await;
        }
        let pages = async |begins_with: Option<&str>, limit: u64| {
            let (mut names, mut after) = (Vec::new(), None);
            loop {
                let query = AccountQuery { begins_with: begins_with.map(str::to_owned), after, limit };
                let page = world.authority.operator().list_accounts_page(&oona, &query).await.expect("a page");
                names.extend(page.rows.iter().map(|view| format!("{}{}", view.account.handle, if view.unused { "*" } else { "" })));
                after = page.rows.last().map(|view| view.account.handle.clone());
                assert!(page.rows.len() <= usize::try_from(limit).expect("small"));
                if !page.more {
                    return names;
                }
            }
        };
        let mut all = pages(None, 100).await;
        for limit in [1, 2, 3, 7] {
            assert_eq!(pages(None, limit).await, all, "{limit}: each is in one page");
        }
        all.sort();
        assert_eq!(all, ["a-b*", "a1*", "ab*", "ada", "eve", "oona", "zoe*"]);
        let mut some = pages(Some("A"), 1).await;
        some.sort();
        assert_eq!(some, ["a-b*", "a1*", "ab*", "ada"], "by handle");
        assert_eq!(pages(Some("zoe@example"), 1).await, ["zoe*"], "by address");
        for nothing in ["%", "_", "a%", "\\", "'", "*", "x"] {
            assert_eq!(pages(Some(nothing), 5).await, Vec::<String>::new(), "{nothing}");
        }
    }

    async fn orgs_come_in_pages_with_their_members(world: &World) {
        let oona = world.person("oona", true, None).await;
        let gone = ndauth_authority::NewOrg { slug: "gone".parse().expect("a slug"), name: None, admin: None };
        world.authority.orgs().create(&oona, &gone).await.expect("made");
        world.authority.orgs().delete(&CONSOLE, &gone.slug).await.expect("deleted");
        world.authority.orgs().remove_member(&CONSOLE, &ops(), &handle("ada")).await.expect("removed");
        let list = async |deleted: bool, after: Option<&str>, limit: u64| {
            let after = after.map(|slug| slug.parse().expect("a slug"));
            let page = world.authority.operator().list_orgs_page(&oona, deleted, after.as_ref(), limit).await;
            let page = page.expect("a page");
            let row = |view: &ndauth_authority::OrgSummary| format!("{} {}", view.org.slug, view.members);
            (page.rows.iter().map(row).collect::<Vec<_>>().join(", "), page.more)
        };
        assert_eq!(list(false, None, 10).await, ("dev 1, ops 1".to_owned(), false));
        assert_eq!(list(true, None, 2).await, ("dev 1, gone 1".to_owned(), true));
        assert_eq!(list(true, Some("gone"), 2).await, ("ops 1".to_owned(), false));
    }

    async fn services_are_an_operators_business(world: &World) {
        let oona = world.person("oona", true, None).await;
        let operator = world.authority.operator();
        let name = || "new".parse().expect("a name");
        let new = NewService { name: name(), orgs: orgs(&["dev", "ops"]), states_address: false };
        let Changed { value: secret, changed: true, .. } = operator.create_service(&oona, &new).await.expect("made")
        else { panic!("it is new") };
        assert!(world.authority.validation().who_am_i(&presented(&secret)).await.is_ok());
        let year = Duration::from_secs(366 * 24 * 60 * 60);
        assert_eq!(reason(operator.rotate_service(&oona, &name(), year).await), Reason::InvalidArgument);
        let second = operator.rotate_service(&oona, &name(), Duration::ZERO).await.expect("rotated").value.secret;
        let list = async |revoked: bool, after, limit: u64| {
            operator.list_services_page(&oona, revoked, after, limit).await.expect("a page")
        };
        let names = async |revoked: bool| {
            let (mut names, mut after) = (Vec::new(), None);
            loop {
                let page = list(revoked, after, 1).await;
                names.extend(page.rows.iter().map(|view| (view.service.name.to_string(), view.secrets.len())));
                after = page.rows.last().map(|view| view.service.id);
                if !page.more {
                    return names;
                }
            }
        };
        let three = [("new".to_owned(), 2), ("ops only".to_owned(), 1), ("registry".to_owned(), 1)];
        assert_eq!(names(false).await, three);
        operator.settle_service(&oona, &name(), &Settling::Confirm(None)).await.expect("confirmed");
        assert_eq!(names(false).await[0], ("new".to_owned(), 1), "the first has ended");
        assert!(world.authority.validation().who_am_i(&presented(&second)).await.is_ok());
        operator.revoke_service(&oona, &name()).await.expect("revoked");
        operator.create_service(&oona, &new).await.expect("the name is free");
        assert_eq!(names(false).await.len(), 3);
        assert_eq!(names(true).await.iter().filter(|(name, _)| name == "new").count(), 2, "each is in one page");
        let page = list(false, None, 1).await;
        assert_eq!(page.rows[0].orgs, orgs(&["dev", "ops"]));
        let foreign = operator.list_services_page(&oona, false, Some(ndauth_core::ServiceId::from_uuid(uuid::Uuid::nil())), 1).await;
        assert!(matches!(foreign, Err(AuthorityError::Invalid { field: "page_token", .. })));
    }

    async fn the_installation_is_counted(world: &World) {
        let oona = world.person("oona", true, None).await;
        let operator = world.authority.operator();
        world.create(&new_token("one")).await;
        world.create(&new_token("two")).await;
        world.revoke(&world.ada, &crate::world::named("two")).await.expect("revoked");
        unused(world, "new").await;
        operator.disable_account(&oona, &handle("eve")).await.expect("disabled");
        let seen = operator.get_installation(&oona).await.expect("seen");
        let counts = seen.counts;
        assert_eq!((counts.accounts, counts.disabled, counts.operators), (4, 1, 1));
        assert_eq!((counts.orgs, counts.tokens, counts.sessions, counts.services), (2, 1, 2, 2));
        let is_sqlite = matches!(world.scratch.url, ndauth_authority::DatabaseUrl::Sqlite(_));
        assert_eq!(seen.engine, if is_sqlite { Engine::Sqlite } else { Engine::Postgres });
        assert_eq!((seen.mirror_sequence, seen.changes_failing_for, seen.settled_at), (seen.sequence, None, None));
        assert!(seen.mirror_age.is_some_and(|age| age <= seen.mirror_bound));
        let details = operator.get_account(&oona, &handle("ada")).await.expect("shown");
        let memberships = details.memberships.iter().map(|member| (member.org.slug.to_string(), member.role));
        assert_eq!(memberships.collect::<Vec<_>>(), [("dev".to_owned(), Role::Ro), ("ops".to_owned(), Role::Rw)]);
        assert_eq!((details.tokens, details.sessions, details.view.unused), (1, 1, false));
        assert_eq!(reason(operator.get_account(&oona, &handle("nobody")).await), Reason::NotFound);
    }
}
