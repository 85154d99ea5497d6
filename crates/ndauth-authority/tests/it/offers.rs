//! Memberships: offered, and accepted by the account's own session.

use ndauth_authority::{
    Authority, AuthorityError, Changed, Clock, Credential, MemberPage, NewAccount, OfferShown, TokenPage,
    Whose,
};
use ndauth_core::{Handle, OrgSlug, Reason, Role, Timestamp};

use crate::on_both;
use crate::world::{
    CONSOLE, MEMBERS, MINE, World, at, following, in_org, named, new_token, ops, presented, reason,
};

const WEEK: i64 = 7 * 24 * 60 * 60;

fn handle(text: &str) -> Handle {
    text.parse().expect("a handle")
}

async fn offer(world: &World, to: &str, role: Role) -> Result<Changed<OfferShown>, AuthorityError> {
    world.authority.orgs().offer_membership(&world.eve, &ops(), &handle(to), role).await
}

async fn accept(world: &World, by: &Credential, role: Role) -> Result<Vec<String>, AuthorityError> {
    let accepted = world.authority.orgs().accept_offer(by, &ops(), role).await?;
    Ok(accepted.value.tokens.iter().map(|view| view.token.name.to_string()).collect())
}

/// Returns the handles to which `ops` offers a membership, or the orgs that offer one to a caller, with the
/// roles.
async fn offered(world: &World, by: &Credential, whose: &Whose) -> Vec<(String, Role)> {
    let listed = world.authority.orgs().list_offers(by, whose).await.expect("listed").rows;
    let name = |offer: &OfferShown| {
        if *whose == Whose::Mine { offer.org.to_string() } else { offer.handle.to_string() }
    };
    listed.iter().map(|offer| (name(offer), offer.role)).collect()
}

/// Returns the personal tokens that the admin of `ops` sees.
async fn seen(world: &World) -> Vec<String> {
    let page = TokenPage { include_revoked: false, after: None, limit: 100 };
    let listed =
        world.authority.tokens().list_personal_tokens(&world.eve, &ops(), page).await.expect("listed");
    listed.views.iter().map(|view| view.token.name.to_string()).collect()
}

/// Returns the members that the admin of `ops` sees.
async fn members(world: &World) -> Vec<String> {
    let listed = world.authority.orgs().list_members(&world.eve, &ops(), MEMBERS).await.expect("listed");
    listed.members.iter().map(|member| format!("{} {}", member.handle, member.role)).collect()
}

async fn account(world: &World, name: &str) {
    let email = format!("{name}@example.org").parse().expect("an address");
    let new = NewAccount { handle: handle(name), email, name: None, operator: false };
    world.authority.operator().create_account(&CONSOLE, &new).await.expect("made");
}

/// Returns everything in an answer except for the handle, as text, so that nothing is left out.
fn without_handle<T: std::fmt::Debug>(answer: &T, name: &str) -> String {
    format!("{answer:?}").replace(name, "HANDLE")
}

on_both! {
    async fn an_offer_confers_and_shows_nothing_until_it_is_accepted(world: &World) {
        let bob = world.person("bob", false, None).await;
        let secret = world.make(&bob, MINE, &new_token("his")).await.secret;
        world.make(&bob, MINE, &new_token("gone")).await;
        world.revoke(&bob, &named("gone")).await.expect("revoked");
        world.clock.set(at(1));
        let made = offer(world, "bob", Role::Rw).await.expect("offered");
        assert!(made.changed);
        assert_eq!((made.value.made_by.as_str(), made.value.ends_at), ("eve", at(1 + WEEK)));
        assert_eq!(members(world).await, ["ada RW", "eve ADMIN"]);
        assert!(!seen(world).await.contains(&"his".to_owned()));
        assert_eq!(world.refused(&secret).await, Some(Reason::NotAMember));
        let who = world.authority.validation().list_orgs(&bob).await.expect("listed");
        assert!(who.is_empty(), "{who:?}");
        assert_eq!(offered(world, &bob, MINE).await, [("ops".to_owned(), Role::Rw)]);

        let preview = world.authority.orgs().preview_acceptance(&bob, &ops(), Role::Rw).await.expect("previewed");
        let names: Vec<_> = preview.value.tokens.iter().map(|view| view.token.name.as_str()).collect();
        assert_eq!((names, preview.changed), (vec!["his"], false));
        let found = world.authority.orgs().get_offer(&bob, &ops()).await.expect("found");
        assert_eq!(format!("{found:?}"), format!("{:?}", preview.value), "the page of an offer shows the same");
        assert_eq!(world.refused(&secret).await, Some(Reason::NotAMember), "only to say what it would do does nothing");
        assert_eq!(accept(world, &bob, Role::Rw).await.expect("accepted"), ["his"]);
        assert_eq!(members(world).await, ["ada RW", "bob RW", "eve ADMIN"]);
        assert!(seen(world).await.contains(&"his".to_owned()));
        assert_eq!(world.refused(&secret).await, None);
        assert_eq!(offered(world, &bob, MINE).await, []);
        assert_eq!(reason(accept(world, &bob, Role::Rw).await), Reason::NotFound, "it works once");
        world.sound().await;
    }

    async fn members_are_listed_in_pages(world: &World) {
        for name in ["bob", "cy", "zoe"] {
            world.person(name, false, Some(Role::Ro)).await;
        }
        let orgs = world.authority.orgs();
        orgs.remove_member(&world.eve, &ops(), &handle("zoe")).await.expect("removed");
        for (after, limit, expected, next) in [
            (None, 3, vec!["ada", "bob", "cy"], Some("cy")),
            (Some("cy"), 3, vec!["eve"], None),
            (None, 4, vec!["ada", "bob", "cy", "eve"], None),
            // A place stays one when its member is gone.
            (Some("bz"), 1, vec!["cy"], Some("cy")),
            (Some("eve"), 1, vec![], None),
        ] {
            let page = MemberPage { after: after.map(handle), limit };
            let listed = orgs.list_members(&world.ada, &ops(), &page).await.expect("listed");
            let handles: Vec<_> = listed.members.iter().map(|member| member.handle.as_str()).collect();
            assert_eq!((handles, listed.next), (expected, next.map(handle)), "{after:?} {limit}");
            assert_eq!((listed.org.slug, listed.role), (ops(), Role::Rw));
        }
    }

    async fn admins_see_a_member_with_the_tokens_that_its_removal_takes_power_from(world: &World) {
        world.create(&new_token("ci")).await;
        let orgs = world.authority.orgs();
        let found = orgs.get_member(&world.eve, &ops(), &handle("ada")).await.expect("found");
        let names: Vec<_> = found.tokens.iter().map(|view| view.token.name.as_str()).collect();
        assert_eq!((found.member.role, names), (Role::Rw, vec!["ci"]));
        assert_eq!(reason(orgs.get_member(&world.ada, &ops(), &handle("eve")).await), Reason::RoleTooLow);
        assert_eq!(reason(orgs.get_member(&world.eve, &ops(), &handle("nobody")).await), Reason::NotFound);
    }

    /// Offers to a handle that nobody has, and to a disabled account.
    async fn an_unknown_handle_is_answered_like_a_known_one(world: &World) {
        let known = world.person("known", false, None).await;
        account(world, "gonee").await;
        world.authority.operator().disable_account(&CONSOLE, &handle("gonee")).await.expect("disabled");
        let names = ["known", "empty", "gonee"];
        let mut responses = Vec::new();
        for name in names {
            let mut answers = Vec::new();
            let mut note = |answer: String| answers.push(answer);
            let made = offer(world, name, Role::Ro).await.expect("offered");
            assert!(made.changed);
            note(without_handle(&made.value, name));
            let again = offer(world, name, Role::Rw).await.expect("offered again");
            note(without_handle(&again.value, name));
            let listed = world.authority.orgs().list_offers(&world.eve, &in_org("ops")).await.expect("listed");
            note(without_handle(&listed.rows.iter().find(|offer| offer.handle.as_str() == name), name));
            let set = world.authority.orgs().set_member(&world.eve, &ops(), &handle(name), Role::Ro).await;
            note(without_handle(&set, name));
            let removed = world.authority.orgs().remove_member(&world.eve, &ops(), &handle(name)).await;
            note(without_handle(&removed, name));
            let orgs = world.authority.orgs();
            note(without_handle(&orgs.withdraw_offer(&world.eve, &ops(), &handle(name)).await.expect("withdrawn").value, name));
            note(without_handle(&orgs.withdraw_offer(&world.eve, &ops(), &handle(name)).await, name));
            responses.push(answers);
        }
        assert_eq!(responses[0], responses[1], "nobody has it");
        assert_eq!(responses[0], responses[2], "its account is disabled");
        assert_eq!(offered(world, &known, MINE).await, []);
        world.sound().await;
    }

    async fn an_offer_is_not_for_an_account_that_was_made_later(world: &World) {
        offer(world, "newcomer", Role::Admin).await.expect("offered");
        let newcomer = world.person("newcomer", false, None).await;
        assert_eq!(offered(world, &newcomer, MINE).await, []);
        assert_eq!(reason(accept(world, &newcomer, Role::Admin).await), Reason::NotFound);
        assert_eq!(reason(world.authority.orgs().decline_offer(&newcomer, &ops()).await), Reason::NotFound);
        world.clock.set(at(1));
        offer(world, "newcomer", Role::Ro).await.expect("offered again, once it is there");
        accept(world, &newcomer, Role::Ro).await.expect("accepted");
        world.sound().await;
    }

    async fn an_offer_ends_at_the_instant(world: &World) {
        world.person("bob", false, None).await;
        world.clock.set(at(1));
        offer(world, "bob", Role::Rw).await.expect("offered");
        let moment = |micros: i64| Timestamp::from_micros(at(1 + WEEK).micros() + micros).expect("an instant");
        world.clock.set(moment(-1));
        let (bob, eve) = (world.log_in("bob").await, world.log_in("eve").await);
        assert_eq!(offered(world, &bob, MINE).await.len(), 1);
        assert!(world.authority.orgs().preview_acceptance(&bob, &ops(), Role::Rw).await.is_ok());
        world.clock.set(moment(0));
        assert_eq!(offered(world, &bob, MINE).await, []);
        assert_eq!(offered(world, &eve, &in_org("ops")).await, []);
        assert_eq!(reason(accept(world, &bob, Role::Rw).await), Reason::NotFound);
        assert_eq!(reason(world.authority.orgs().decline_offer(&bob, &ops()).await), Reason::NotFound);
        assert_eq!(reason(world.authority.orgs().withdraw_offer(&eve, &ops(), &handle("bob")).await), Reason::NotFound);
        world.sound().await;
        world.clock.set(at(2 + WEEK + 24 * 60 * 60));
        world.authority.operator().tidy_up_now(&CONSOLE).await.expect("tidied");
        world.sound().await;
        // Another takes its place.
        let (bob, eve) = (world.log_in("bob").await, world.log_in("eve").await);
        world.authority.orgs().offer_membership(&eve, &ops(), &handle("bob"), Role::Rw).await.expect("offered");
        accept(world, &bob, Role::Rw).await.expect("accepted");
        world.sound().await;
    }

    async fn an_org_offers_no_more_than_a_hundred(world: &World) {
        for number in 0..100 {
            offer(world, &format!("bob-{number}"), Role::Ro).await.expect("offered");
        }
        assert_eq!(reason(offer(world, "one-more", Role::Ro).await), Reason::OfferLimitReached);
        offer(world, "bob-7", Role::Rw).await.expect("an offer that is replaced is no other");
        world.authority.orgs().withdraw_offer(&world.eve, &ops(), &handle("bob-3")).await.expect("withdrawn");
        // Two concurrent offers: one of them succeeds.
        let both = tokio::join!(offer(world, "one-more", Role::Ro), offer(world, "yet-one-more", Role::Ro));
        let refused = [both.0.err(), both.1.err()].into_iter().flatten().collect::<Vec<_>>();
        assert_eq!(refused.iter().map(AuthorityError::reason).collect::<Vec<_>>(), [Reason::OfferLimitReached]);
        world.sound().await;
    }

    /// Refuses somebody else, a token, a login that is not recent, and another role.
    async fn an_offer_is_accepted_by_its_account_alone_as_it_stands(world: &World) {
        let (bob, cy) = (world.person("bob", false, None).await, world.person("cy", false, None).await);
        let token = presented(&world.make(&bob, MINE, &new_token("his")).await.secret);
        world.clock.set(at(1));
        offer(world, "bob", Role::Admin).await.expect("offered");
        assert_eq!(reason(accept(world, &cy, Role::Admin).await), Reason::NotFound);
        assert_eq!(reason(accept(world, &token, Role::Admin).await), Reason::SessionRequired);
        assert_eq!(reason(accept(world, &Credential::Nothing, Role::Admin).await), Reason::CredentialMissing);
        assert_eq!(reason(world.authority.orgs().decline_offer(&cy, &ops()).await), Reason::NotFound);
        // The offer was changed, for the worse or the better, since it was read.
        offer(world, "bob", Role::Rw).await.expect("offered again");
        assert_eq!(reason(accept(world, &bob, Role::Admin).await), Reason::ChangedMeanwhile);
        world.clock.set(at(1 + 15 * 60));
        assert_eq!(reason(accept(world, &bob, Role::Rw).await), Reason::LoginNotRecent);
        assert_eq!(members(world).await, ["ada RW", "eve ADMIN"]);
        let bob = world.log_in("bob").await;
        accept(world, &bob, Role::Rw).await.expect("accepted");
        world.sound().await;
    }

    async fn a_role_is_changed_without_an_offer_and_nobody_is_added_without_one(world: &World) {
        let orgs = world.authority.orgs();
        let (ada, bob) = (handle("ada"), world.person("bob", false, None).await);
        world.clock.set(at(1));
        assert!(orgs.set_member(&world.eve, &ops(), &ada, Role::Ro).await.expect("a role is changed").changed);
        let again = orgs.set_member(&world.eve, &ops(), &ada, Role::Ro).await.expect("it has that role");
        assert!(!again.changed && again.value.since == at(1));
        assert_eq!(reason(offer(world, "ada", Role::Rw).await), Reason::InvalidArgument, "who is a member is offered none");
        orgs.remove_member(&world.eve, &ops(), &ada).await.expect("removed");
        assert_eq!(reason(orgs.set_member(&world.eve, &ops(), &ada, Role::Rw).await), Reason::NotFound);
        assert_eq!(reason(orgs.set_member(&world.eve, &ops(), &handle("bob"), Role::Rw).await), Reason::NotFound);
        assert_eq!(reason(orgs.add_member(&world.eve, &ops(), &handle("bob"), Role::Rw).await), Reason::NotPermitted);
        offer(world, "ada", Role::Ro).await.expect("offered");
        accept(world, &world.ada, Role::Ro).await.expect("it is a member again");
        // Operators may add anybody, from the console and by a session.
        let oona = world.person("oona", true, None).await;
        offer(world, "bob", Role::Admin).await.expect("offered");
        orgs.add_member(&oona, &ops(), &handle("bob"), Role::Ro).await.expect("added");
        assert_eq!(members(world).await, ["ada RO", "bob RO", "eve ADMIN"]);
        assert_eq!(reason(accept(world, &bob, Role::Admin).await), Reason::NotFound, "the offer ended by it");
        for (name, role) in [("oona", Role::Admin), ("eve", Role::Ro), ("bob", Role::Rw)] {
            let refused = orgs.add_member(&oona, &ops(), &handle(name), role).await;
            assert_eq!(reason(refused), Reason::InvalidArgument, "its own account, and who is a member already");
        }
        world.clock.set(at(2 + 15 * 60));
        assert_eq!(reason(orgs.add_member(&oona, &ops(), &handle("zoe"), Role::Rw).await), Reason::LoginNotRecent);
        world.sound().await;
    }

    async fn an_offer_ends_by_whoever_made_or_got_it_and_with_its_org(world: &World) {
        let bob = world.person("bob", false, None).await;
        let orgs = world.authority.orgs();
        let zed = world.person("zed", false, Some(Role::Admin)).await;
        let by_zed = async || orgs.offer_membership(&zed, &ops(), &handle("bob"), Role::Rw).await.expect("offered");
        world.clock.set(at(1));
        by_zed().await;
        orgs.decline_offer(&bob, &ops()).await.expect("declined");
        assert_eq!(reason(accept(world, &bob, Role::Rw).await), Reason::NotFound);
        by_zed().await;
        orgs.withdraw_offer(&world.eve, &ops(), &handle("bob")).await.expect("withdrawn");
        assert_eq!(reason(accept(world, &bob, Role::Rw).await), Reason::NotFound);
        by_zed().await;
        orgs.freeze(&world.eve, &ops()).await.expect("frozen");
        assert_eq!(reason(accept(world, &bob, Role::Rw).await), Reason::OrgFrozen);
        assert_eq!(reason(offer(world, "cy", Role::Rw).await), Reason::OrgFrozen);
        orgs.unfreeze(&world.eve, &ops()).await.expect("unfrozen");
        // The offers of an account end when it is no longer an admin.
        orgs.set_member(&world.eve, &ops(), &handle("zed"), Role::Rw).await.expect("set");
        assert_eq!(reason(accept(world, &bob, Role::Rw).await), Reason::NotFound);
        world.member("ops", "zed", Role::Admin).await;
        by_zed().await;
        world.authority.operator().disable_account(&CONSOLE, &handle("zed")).await.expect("disabled");
        assert_eq!(reason(accept(world, &bob, Role::Rw).await), Reason::NotFound);
        offer(world, "bob", Role::Rw).await.expect("offered");
        world.sound().await;
        orgs.delete(&CONSOLE, &ops()).await.expect("deleted");
        let gone = accept(world, &bob, Role::Rw).await.expect_err("deleted").to_string();
        let nowhere: OrgSlug = "nowhere".parse().expect("a slug");
        let unknown = orgs.accept_offer(&bob, &nowhere, Role::Rw).await.expect_err("there is none").to_string();
        assert_eq!(gone.replace("ops", "nowhere"), unknown, "a deleted org is reported like an unknown one");
        assert_eq!(offered(world, &bob, MINE).await, []);
        world.sound().await;
    }

    /// Two instances act, so that only the database separates them.
    async fn concurrent_changes_of_an_offer_exclude_each_other(world: &World) {
        let bob = world.person("bob", false, None).await;
        let zed = world.person("zed", false, Some(Role::Admin)).await;
        let clock = Clock::Manual(world.clock.clone());
        let other = following(Authority::open(&world.scratch.url, clock, None).await.expect("opened")).await;
        let (here, there, orgs) = (world.authority.orgs(), other.orgs(), ops());
        let [to_bob, to_zed, one, another] = ["bob", "zed", "one-more", "yet-one-more"].map(handle);
        for round in 1..=4 {
            world.clock.set(at(round));
            here.offer_membership(&zed, &orgs, &to_bob, Role::Rw).await.expect("offered");
            let accepted = here.accept_offer(&bob, &orgs, Role::Rw);
            let outcome = match round {
                1 => {
                    let (accepted, ended) = tokio::join!(accepted, there.withdraw_offer(&world.eve, &orgs, &to_bob));
                    assert!(accepted.is_ok() != ended.is_ok(), "{accepted:?} {ended:?}");
                    accepted
                }
                2 => {
                    let (accepted, ended) = tokio::join!(accepted, there.decline_offer(&bob, &orgs));
                    assert!(accepted.is_ok() != ended.is_ok(), "{accepted:?} {ended:?}");
                    accepted
                }
                3 => {
                    let again = there.accept_offer(&bob, &orgs, Role::Rw);
                    let (accepted, again) = tokio::join!(accepted, again);
                    assert!(accepted.is_ok() != again.is_ok(), "{accepted:?} {again:?}");
                    accepted.or(again)
                }
                _ => {
                    let demoted = there.set_member(&world.eve, &orgs, &to_zed, Role::Rw);
                    let (accepted, demoted) = tokio::join!(accepted, demoted);
                    demoted.expect("it may at any time");
                    accepted
                }
            };
            let member = members(world).await.contains(&"bob RW".to_owned());
            assert_eq!(outcome.is_ok(), member, "{round}: {outcome:?}");
            if let Err(error) = outcome {
                assert_eq!(error.reason(), Reason::NotFound, "{round}");
            } else {
                here.remove_member(&world.eve, &orgs, &to_bob).await.expect("removed");
            }
            assert_eq!(offered(world, &bob, MINE).await, []);
            world.sound().await;
        }
        for number in 0..99 {
            offer(world, &format!("bob-{number}"), Role::Ro).await.expect("offered");
        }
        let more = there.offer_membership(&world.eve, &orgs, &another, Role::Ro);
        let (one, another) = tokio::join!(offer(world, one.as_str(), Role::Ro), more);
        let refused: Vec<_> = [one.err(), another.err()].into_iter().flatten().map(|error| error.reason()).collect();
        assert_eq!(refused, [Reason::OfferLimitReached]);
    }

    /// An org that offers nothing is treated like one that does not exist.
    async fn accounts_without_offers_learn_of_no_org(world: &World) {
        let bob = world.person("bob", false, None).await;
        offer(world, "somebody-else", Role::Rw).await.expect("offered");
        let orgs = world.authority.orgs();
        let errors = async |slug: &str| {
            let org = slug.parse().expect("a slug");
            let accepted = orgs.accept_offer(&bob, &org, Role::Rw).await.expect_err("nothing is offered");
            let previewed = orgs.preview_acceptance(&bob, &org, Role::Rw).await.expect_err("nothing is offered");
            let declined = orgs.decline_offer(&bob, &org).await.expect_err("nothing is offered");
            let withdrawn = orgs.withdraw_offer(&bob, &org, &handle("somebody-else")).await.expect_err("not its org");
            let listed = orgs.list_offers(&bob, &in_org(slug)).await.expect_err("not its org");
            let added = orgs.add_member(&bob, &org, &handle("bob"), Role::Rw).await.expect_err("no operator");
            format!("{accepted:?} {previewed:?} {declined:?} {withdrawn:?} {listed:?} {added:?}").replace(slug, "ORG")
        };
        assert_eq!(errors("ops").await, errors("nowhere").await);
    }
}
