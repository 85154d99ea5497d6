//! Incidents: tokens are suspended or revoked all at once, orgs are frozen, and retired secrets turn up.

use std::time::Duration;

use ndauth_authority::{
    Announced, Credential, Inquiry, MintedWhen, NewOrg, NewPolicy, NewToken, Revoking, Subject, TokenPage,
    Which, Whose,
};
use ndauth_core::{
    ExpiryChoice, Factor, OrgPolicy, OrgSlug, Reason, RevocationReason, Role, Rotation, Scope, Secret,
    TokenStatus, TokenView,
};

use crate::on_both;
use crate::world::{
    CONSOLE, MINE, PAGE, World, at, in_org, named, needs, new_token, of_account, ops, org_token, orgs,
    presented, reason, token_with,
};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: i64 = 24 * 60 * 60;

/// Returns the reason why a secret may not read in an org, or `None`.
async fn refused_in(world: &World, secret: &Secret, org: &str, access: Scope) -> Option<Reason> {
    let verdict = world.ask(&world.service, secret.expose(), &needs(org, access, None)).await;
    verdict.outcome.err().map(|refusal| refusal.reason())
}

on_both! {
    async fn a_suspension_is_lifted_at_its_level_or_above(world: &World) {
        let made = world.create(&new_token("ci")).await;
        let (ops, id) = (ops(), made.view.token.id);
        let any = Which::Id(id);
        let both = async || (
            refused_in(world, &made.secret, "ops", Scope::Ro).await,
            refused_in(world, &made.secret, "dev", Scope::Ro).await,
        );
        assert!(world.authority.tokens().suspend_personal_token(&world.eve, &ops, id).await.expect("suspended").changed);
        assert_eq!(both().await, (Some(Reason::SuspendedInOrg), None), "an org's acts there alone");
        assert_eq!(reason(world.authority.tokens().resume(&world.ada, MINE, &named("ci")).await), Reason::NotPermitted);
        assert!(world.authority.tokens().suspend(&world.ada, MINE, &named("ci")).await.expect("suspended").changed);
        assert_eq!(both().await, (Some(Reason::TokenSuspended), Some(Reason::TokenSuspended)));
        assert_eq!(reason(world.authority.validation().who_am_i(&presented(&made.secret)).await), Reason::TokenSuspended);
        assert_eq!(reason(world.authority.validation().list_orgs(&presented(&made.secret)).await), Reason::TokenSuspended);
        world.authority.tokens().resume_personal_token(&world.eve, &ops, id).await.expect("its own is lifted");
        assert_eq!(both().await.0, Some(Reason::TokenSuspended), "and not its owner's");
        assert!(world.authority.tokens().resume(&world.ada, MINE, &named("ci")).await.expect("resumed").changed);
        assert_eq!(both().await, (None, None));
        world.authority.tokens().suspend(&CONSOLE, &Whose::Anyone, &any).await.expect("suspended");
        assert_eq!(reason(world.authority.tokens().resume(&world.ada, MINE, &named("ci")).await), Reason::NotPermitted);
        world.authority.tokens().suspend(&world.ada, MINE, &named("ci")).await.expect("suspended too");
        world.authority.tokens().suspend_personal_token(&world.eve, &ops, id).await.expect("suspended too");
        assert!(world.authority.tokens().resume(&CONSOLE, &Whose::Anyone, &any).await.expect("all are lifted").changed);
        assert_eq!(both().await, (None, None));
        // Its name stays taken, and another owner's token is treated as one that does not exist.
        world.authority.tokens().suspend(&world.ada, MINE, &named("ci")).await.expect("suspended");
        assert_eq!(reason(world.authority.tokens().create(&world.ada, MINE, &new_token("ci")).await), Reason::NameTaken);
        assert_eq!(reason(world.authority.tokens().suspend(&world.eve, MINE, &named("ci")).await), Reason::NotFound);
        world.sound().await;
    }

    /// SEC-13: of two instants before which all is revoked, the stricter wins, in either order.
    async fn sec_13_the_stricter_of_two_instants_wins(world: &World) {
        let old = world.create(&new_token("old")).await.secret;
        world.clock.set(at(100));
        let new = world.create(&new_token("new")).await.secret;
        world.clock.set(at(200));
        let shut = async |who: &Credential, whose: &Whose, seconds| {
            world.authority.tokens().revoke_all(who, whose, MintedWhen::Before(at(seconds))).await.expect("revoked")
        };
        let oona = world.person("oona", true, None).await;
        let (ops, account) = (in_org("ops"), of_account("ada"));
        // The owner revokes by the earlier instant, the org by the later.
        let preview = world.authority.tokens().preview_revoke_all(&world.ada, MINE, MintedWhen::Before(at(50))).await.expect("previewed");
        assert_eq!((preview.value.tokens, preview.value.used_today.len(), preview.changed), (1, 0, false));
        shut(&world.ada, MINE, 50).await;
        assert_eq!(world.refused(&old).await, Some(Reason::TokenRevoked));
        assert_eq!(world.refused(&new).await, None);
        let preview = world.authority.tokens().preview_revoke_all(&world.eve, &ops, MintedWhen::Before(at(150))).await.expect("previewed");
        assert_eq!((preview.value.tokens, preview.value.used_today.len()), (1, 1), "the one that was used is listed");
        shut(&world.eve, &ops, 150).await;
        assert_eq!(world.refused(&new).await, Some(Reason::RevokedInOrg));
        assert_eq!(refused_in(world, &new, "dev", Scope::Ro).await, None, "there alone");
        // An earlier instant revives nothing. Now the operator's is the stricter.
        shut(&world.eve, &ops, 10).await;
        assert_eq!(world.refused(&new).await, Some(Reason::RevokedInOrg));
        shut(&oona, &account, 150).await;
        shut(&world.ada, MINE, 20).await;
        assert_eq!(refused_in(world, &new, "dev", Scope::Ro).await, Some(Reason::TokenRevoked));
        assert_eq!(reason(world.authority.tokens().revoke_all(&world.ada, &account, MintedWhen::Ever).await), Reason::NotPermitted);
        assert_eq!(reason(world.authority.tokens().revoke_all(&world.ada, &ops, MintedWhen::Ever).await), Reason::RoleTooLow);
        let later = world.authority.tokens().revoke_all(&world.ada, MINE, MintedWhen::Before(at(201))).await;
        assert_eq!(reason(later), Reason::InvalidArgument);
        // The account's session is no token, so it makes new ones.
        let fresh = world.create(&new_token("new")).await.secret;
        assert_eq!(world.refused(&fresh).await, None);
        world.sound().await;
    }

    /// Tokens that were revoked all at once are revoked like any other: their status says so, their names are
    /// free, and they do not count.
    async fn tokens_revoked_with_all_are_revoked(world: &World) {
        let old = world.create(&new_token("old")).await;
        let kept = world.create(&new_token("kept")).await;
        let (ops, settings) = (in_org("ops"), org_token("own", &["write:assets"]));
        let own = world.make(&world.eve, &ops, &settings).await;
        world.clock.set(at(100));
        let new = world.authority.tokens().rotate(&world.ada, MINE, &named("kept"), HOUR, None).await.expect("rotated").value.secret;
        world.authority.tokens().revoke_all(&world.ada, MINE, MintedWhen::Ever).await.expect("revoked");
        world.authority.tokens().revoke_all(&world.eve, &ops, MintedWhen::Ever).await.expect("revoked");
        let shown = world.show(&world.ada, &Which::Id(old.view.token.id)).await.expect("shown");
        let revocation = shown.revocation.clone().expect("its owner may see it");
        assert_eq!((shown.status(at(100)), revocation.by.as_str(), revocation.reason), (TokenStatus::Revoked, "ada", RevocationReason::Leaked));
        let listed = async |credential: &Credential, whose: &Whose| {
            let listed = world.authority.tokens().list(credential, whose, PAGE).await;
            let views = listed.expect("listed").views.into_iter();
            views.map(|view| (view.token.name.to_string(), view.status(at(100)))).collect::<Vec<_>>()
        };
        assert_eq!(listed(&world.ada, MINE).await, [("kept".to_owned(), TokenStatus::Pending)], "its new secret stays");
        assert_eq!(listed(&world.eve, &ops).await, []);
        world.create(&new_token("old")).await;
        world.make(&world.eve, &ops, &settings).await;
        // The mirror gives the same answers before and after it is loaded again.
        for _ in 0..2 {
            let mut outcomes = Vec::new();
            for secret in [&old.secret, &kept.secret, &new, &own.secret] {
                let verdict = world.ask(&world.service, secret.expose(), &needs("ops", Scope::Rw, Some("write:assets"))).await;
                outcomes.push(verdict.outcome.map(drop).map_err(|refusal| (refusal.to_string(), refusal.factor())));
            }
            let revoked = "the token was revoked with all tokens minted before 2027-01-15T08:01:40Z".to_owned();
            let refused = Err((revoked, Factor::NotBefore));
            assert_eq!(outcomes, [refused.clone(), refused.clone(), Ok(()), refused]);
            world.load_again().await;
        }
        world.sound().await;
        let store = ndauth_store::Store::connect(&world.scratch.url, ndauth_store::Clock::Database).await.expect("connected");
        ndauth_store::testing::execute(&store, "UPDATE token SET revoked_at = NULL").await;
        let faults = world.authority.operator().check(&CONSOLE).await.expect("checked").faults;
        let is_reported = |fault: &&String| fault.contains("lives, and the log says it was revoked at 2027-01-15T08:01:40Z");
        assert_eq!(faults.iter().filter(is_reported).count(), 2, "{faults:?}");
    }

    /// An org revokes others' tokens in the org, and they stay live elsewhere.
    async fn an_org_revokes_others_tokens_there_alone(world: &World) {
        let token = world.create(&new_token("ci")).await;
        world.clock.set(at(100));
        world.authority.tokens().revoke_all(&world.eve, &in_org("ops"), MintedWhen::Ever).await.expect("revoked");
        let shown = world.show(&world.ada, &Which::Id(token.view.token.id)).await.expect("shown");
        assert_eq!(shown.status(at(100)), TokenStatus::Active);
        let inquiry = Inquiry {
            whose: Whose::Mine,
            subject: Subject::Token(Which::Id(token.view.token.id)),
            org: None,
            question: None,
            service: None,
            address: None,
        };
        let explanations = world.authority.tokens().explain(&world.ada, &inquiry).await.expect("explained").explanations;
        let refusals = explanations.iter().map(|of| {
            let refused = of.outcome.as_ref().err().map(ToString::to_string);
            (of.org.as_ref().map_or("", OrgSlug::as_str), refused)
        });
        let closed = "the org `ops` revoked all tokens minted before 2027-01-15T08:01:40Z".to_owned();
        assert_eq!(refusals.collect::<Vec<_>>(), [("dev", None), ("ops", Some(closed))]);
    }

    /// A rotation at another instance either comes before, and its token is live, or is refused.
    async fn concurrent_rotations_are_seen_or_refused(world: &World) {
        let clock = ndauth_authority::Clock::Manual(world.clock.clone());
        let other = ndauth_authority::Authority::open(&world.scratch.url, clock, None).await.expect("opened");
        let (ops, self_rotating) = (in_org("ops"), NewToken { self_rotating_until: Some(ExpiryChoice::LONGEST), ..org_token("own", &["write:assets"]) });
        for round in 1..20 {
            let made = world.make(&world.eve, &ops, &self_rotating).await;
            world.clock.set(at(round));
            let (id, itself) = (made.view.token.id, presented(&made.secret));
            let which = Which::Id(id);
            let (rotated, revoked) = tokio::join!(
                other.tokens().rotate(&itself, MINE, &which, HOUR, None),
                world.authority.tokens().revoke_all(&world.eve, &ops, MintedWhen::Ever)
            );
            revoked.expect("revoked");
            let shown = world.authority.tokens().get(&world.eve, &ops, &which).await.expect("shown").view;
            // A secret that it drew for itself is authorized as of the previous one.
            assert_eq!(shown.status(at(round)), TokenStatus::Revoked, "{round}");
            match rotated {
                Ok(rotated) => {
                    world.catch_up().await;
                    let asked = world.refused_permission(&rotated.value.secret, "write:assets").await;
                    assert_eq!(asked, Some(Reason::TokenRevoked), "{round}");
                }
                Err(error) => assert_eq!(error.reason(), Reason::TokenRevoked),
            }
        }
        world.sound().await;
    }

    /// A token that an account makes at another instance either comes before the revocation of all, and is
    /// revoked, or after.
    async fn concurrent_creations_are_revoked_or_live(world: &World) {
        let clock = ndauth_authority::Clock::Manual(world.clock.clone());
        let other = ndauth_authority::Authority::open(&world.scratch.url, clock, None).await.expect("opened");
        let oona = world.person("oona", true, None).await;
        let account = of_account("ada");
        let store = ndauth_store::Store::connect(&world.scratch.url, ndauth_store::Clock::Database).await.expect("connected");
        let mut blocker = store.write("test").await.expect("begun");
        blocker.lock_head().await.expect("the creation cannot be committed");
        let new = new_token("ci");
        let revoked = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            world.clock.set(at(1));
            let revoking = world.authority.tokens().revoke_all(&oona, &account, MintedWhen::Ever);
            let released = async {
                tokio::time::sleep(Duration::from_millis(300)).await;
                drop(blocker);
            };
            tokio::join!(revoking, released).0
        };
        let (made, revoked) = tokio::join!(other.tokens().create(&world.ada, MINE, &new), revoked);
        made.expect("made");
        revoked.expect("revoked");
        world.sound().await;
    }

    /// A token that an org revoked with all others does not come back by rotating itself.
    async fn tokens_revoked_by_an_org_do_not_rotate_themselves(world: &World) {
        let made = world.create(&token_with("ci", |new| new.self_rotating_until = Some(ExpiryChoice::LONGEST))).await;
        world.clock.set(at(100));
        world.authority.tokens().revoke_all(&world.eve, &in_org("ops"), MintedWhen::Ever).await.expect("revoked");
        let stolen = presented(&made.secret);
        let rotated = world.authority.tokens().rotate(&stolen, MINE, &named("ci"), HOUR, None).await;
        assert_eq!(reason(rotated), Reason::RevokedInOrg);
        let by_owner = world.authority.tokens().rotate(&world.ada, MINE, &named("ci"), HOUR, None).await.expect("by its owner it is");
        assert_eq!(world.refused(&by_owner.value.secret).await, None);
        assert_eq!(world.refused(&made.secret).await, Some(Reason::RevokedInOrg));
    }

    /// A secret that a token draws for itself is refused wherever the previous one is, whatever memberships
    /// its owner had meanwhile.
    async fn self_rotation_does_not_readmit_tokens_revoked_by_an_org(world: &World) {
        let made = world.create(&token_with("ci", |new| new.self_rotating_until = Some(ExpiryChoice::LONGEST))).await;
        let (ops, ada) = (ops(), "ada".parse().expect("a handle"));
        let late = NewOrg { slug: "late".parse().expect("a slug"), name: None, admin: Some("eve".parse().expect("a handle")) };
        world.authority.orgs().create(&CONSOLE, &late).await.expect("made");
        world.authority.orgs().remove_member(&world.eve, &ops, &ada).await.expect("removed");
        world.clock.set(at(100));
        for org in ["ops", "late"] {
            world.authority.tokens().revoke_all(&world.eve, &in_org(org), MintedWhen::Ever).await.expect("revoked");
        }
        world.clock.set(at(200));
        let itself = presented(&made.secret);
        let rotated = world.authority.tokens().rotate(&itself, MINE, &named("ci"), Duration::ZERO, None).await;
        let new = rotated.expect("rotated").value.secret;
        world.authority.tokens().confirm_rotation(&presented(&new), MINE, &named("ci"), None).await.expect("confirmed");
        for org in ["ops", "late"] {
            world.member(org, "ada", Role::Rw).await;
            for loaded in [false, true] {
                if loaded {
                    world.load_again().await;
                }
                assert_eq!(refused_in(world, &new, org, Scope::Rw).await, Some(Reason::RevokedInOrg), "{org} {loaded}");
            }
        }
        // If a person rotates it, the org admits it like a new token.
        let by_ada = world.authority.tokens().rotate(&world.ada, MINE, &named("ci"), Duration::ZERO, None).await;
        let by_ada = by_ada.expect("rotated").value.secret;
        assert_eq!(refused_in(world, &by_ada, "ops", Scope::Rw).await, None);
        world.sound().await;
    }

    async fn a_frozen_org_can_be_looked_at_and_not_changed(world: &World) {
        let made = world.create(&token_with("ci", |new| new.orgs = Some(orgs(&["ops"])))).await;
        world.create(&token_with("waits", |new| new.orgs = Some(orgs(&["ops"])))).await;
        world.authority.tokens().rotate(&world.ada, MINE, &named("waits"), HOUR, None).await.expect("rotated");
        let freeze = async |who: &Credential| world.authority.orgs().freeze(who, &ops()).await;
        assert_eq!(reason(freeze(&world.ada).await), Reason::RoleTooLow);
        assert!(freeze(&world.eve).await.expect("frozen").changed);
        assert!(!freeze(&world.eve).await.expect("unchanged").changed);
        assert_eq!(refused_in(world, &made.secret, "ops", Scope::Rw).await, Some(Reason::OrgFrozen));
        assert_eq!(refused_in(world, &made.secret, "ops", Scope::Ro).await, None);
        for (by, whose, new) in [
            (&world.eve, &in_org("ops"), org_token("x", &["read:assets"])),
            (&world.ada, MINE, token_with("x", |new| new.orgs = Some(orgs(&["ops"])))),
        ] {
            assert_eq!(reason(world.authority.tokens().create(by, whose, &new).await), Reason::OrgFrozen);
        }
        assert_eq!(reason(world.authority.tokens().rotate(&world.ada, MINE, &named("ci"), HOUR, None).await), Reason::OrgFrozen);
        // A secret that was drawn before stays pending.
        let confirm = async || world.authority.tokens().confirm_rotation(&world.ada, MINE, &named("waits"), None).await;
        assert_eq!(reason(confirm().await), Reason::OrgFrozen);
        let ada = "ada".parse().expect("a handle");
        assert_eq!(reason(world.authority.orgs().set_member(&world.eve, &ops(), &ada, Role::Ro).await), Reason::OrgFrozen);
        assert_eq!(reason(world.authority.orgs().remove_member(&world.eve, &ops(), &ada).await), Reason::OrgFrozen);
        world.authority.orgs().add_member(&CONSOLE, &ops(), &ada, Role::Rw).await.expect("the operator may");
        world.revoke(&world.ada, &named("ci")).await.expect("revoked");
        assert!(world.authority.orgs().unfreeze(&world.eve, &ops()).await.expect("unfrozen").changed);
        assert!(confirm().await.expect("confirmed").changed);
        let again = world.create(&token_with("ci", |new| new.orgs = Some(orgs(&["ops"])))).await;
        assert_eq!(world.refused(&again.secret).await, None);
        world.sound().await;
    }

    /// Neither the first use of a new secret nor its confirmation takes effect, and the old secret stays
    /// valid.
    async fn a_first_use_in_a_frozen_org_confirms_nothing(world: &World) {
        let (validation, tokens) = (world.authority.validation(), world.authority.tokens());
        let old = world.create(&token_with("ci", |new| new.orgs = Some(orgs(&["ops"])))).await.secret;
        let new = tokens.rotate(&world.ada, MINE, &named("ci"), Duration::ZERO, None).await.expect("rotated").value.secret;
        // It is used before the freeze, and followed up after.
        assert_eq!(refused_in(world, &new, "ops", Scope::Ro).await, None);
        world.authority.orgs().freeze(&world.eve, &ops()).await.expect("frozen");
        let events = async || world.authority.operator().check(&CONSOLE).await.expect("checked").events;
        let frozen = events().await;
        for second in [0, 30, 61] {
            world.clock.set(at(second));
            validation.follow_up().await.expect("followed up");
            let confirmed = tokens.confirm_rotation(&world.ada, MINE, &named("ci"), None).await;
            assert_eq!(reason(confirmed), Reason::OrgFrozen);
            for secret in [&old, &new] {
                assert_eq!(refused_in(world, secret, "ops", Scope::Ro).await, None);
            }
            let shown = world.show(&world.ada, &named("ci")).await.expect("shown");
            assert!(matches!(shown.rotation(at(second)), Some(Rotation::Pending(_))), "{shown:?}");
        }
        validation.follow_up().await.expect("followed up");
        assert_eq!(events().await, frozen);
        world.authority.orgs().unfreeze(&world.eve, &ops()).await.expect("unfrozen");
        world.clock.set(at(61 + 60));
        assert_eq!(refused_in(world, &new, "ops", Scope::Ro).await, None);
        validation.follow_up().await.expect("followed up");
        assert_eq!(refused_in(world, &old, "ops", Scope::Ro).await, Some(Reason::SecretReplaced));
        world.sound().await;
    }

    /// Recorded once a day, off the path of answers. The token is suspended only if an org's policy says so.
    async fn a_retired_secret_that_turns_up_is_recorded(world: &World) {
        let old = world.create(&new_token("ci")).await.secret;
        world.clock.set(at(1));
        let new = world.authority.tokens().rotate(&world.ada, MINE, &named("ci"), Duration::ZERO, None).await.expect("rotated").value;
        world.authority.tokens().confirm_rotation(&world.ada, MINE, &named("ci"), None).await.expect("confirmed");
        let events = async || world.authority.operator().check(&CONSOLE).await.expect("checked").events;
        let present = async || {
            assert_eq!(world.refused(&old).await, Some(Reason::SecretReplaced));
            world.authority.validation().follow_up().await.expect("followed up");
        };
        world.clock.set(at(100));
        let before = events().await;
        for _ in 0..5 {
            present().await;
        }
        assert_eq!(events().await, before + 1);
        let shown = async || world.show(&world.log_in("ada").await, &named("ci")).await.expect("shown");
        assert_eq!(shown().await.secrets[0].reused_at, Some(at(100)));
        assert_eq!(world.refused(&new.secret).await, None, "off by default");
        let policy = OrgPolicy { suspend_on_reuse: true, ..OrgPolicy::OPEN };
        let set = NewPolicy { policy, effective_in: Duration::ZERO, announced: Announced::Keep, expected: None };
        world.authority.orgs().set_policy(&world.eve, &ops(), &set).await.expect("set");
        world.clock.set(at(DAY));
        present().await;
        assert_eq!(world.refused(&new.secret).await, Some(Reason::SuspendedInOrg));
        assert_eq!(refused_in(world, &new.secret, "dev", Scope::Ro).await, None);
        let (eve, id) = (world.log_in("eve").await, shown().await.token.id);
        world.authority.tokens().resume_personal_token(&eve, &ops(), id).await.expect("resumed");
        // The use of a secret that retired over 30 days ago suspends nothing.
        world.clock.set(at(31 * DAY));
        present().await;
        assert_eq!(world.refused(&new.secret).await, None);
        assert_eq!(shown().await.secrets[0].reused_at, Some(at(31 * DAY)));
        world.sound().await;
    }

    /// SEC-40: a caller that knows only a prefix, or nothing, affects no family.
    async fn sec_40_guesses_touch_nobody(world: &World) {
        let secret = world.create(&new_token("ci")).await.secret;
        let policy = OrgPolicy { suspend_on_reuse: true, ..OrgPolicy::OPEN };
        let set = NewPolicy { policy, effective_in: Duration::ZERO, announced: Announced::Keep, expected: None };
        world.authority.orgs().set_policy(&world.eve, &ops(), &set).await.expect("set");
        let before = world.authority.operator().check(&CONSOLE).await.expect("checked").events;
        for guess in 0..100_u32 {
            let text = format!("{}{:036}A", secret.prefix(), guess);
            let verdict = world.ask(&world.service, &text, &needs("ops", Scope::Ro, None)).await;
            assert_eq!(verdict.outcome.expect_err("unknown").reason(), Reason::SecretUnknown, "{text}");
        }
        world.authority.validation().follow_up().await.expect("nothing to follow");
        assert_eq!(world.authority.operator().check(&CONSOLE).await.expect("checked").events, before);
        assert_eq!(world.refused(&secret).await, None);
    }

    /// A wrong secret is refused in the same words, of the same length, however close it is to a real one.
    async fn every_wrong_secret_is_refused_alike(world: &World) {
        let dead = world.create(&new_token("dead")).await.secret;
        world.revoke(&world.ada, &named("dead")).await.expect("revoked");
        let mut near = dead.expose().to_owned().into_bytes();
        near[20] = if near[20] == b'A' { b'B' } else { b'A' };
        let near = String::from_utf8(near).expect("text");
        let far = "ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U";
        let refusal_of = async |text: &str| {
            let verdict = world.ask(&world.service, text, &needs("ops", Scope::Ro, None)).await;
            let refusal = verdict.outcome.expect_err("refused");
            (refusal.to_string(), refusal.since())
        };
        assert_eq!(refusal_of(&near).await, refusal_of(far).await);
        assert_eq!(refusal_of(&near).await.1, None);
        world.clock.set(at(3 * DAY));
        let (text, since) = refusal_of(dead.expose()).await;
        assert_eq!((text.as_str(), since), ("the token was revoked 3 days ago (2027-01-15)", Some(at(0))));
    }

    /// SEC-16: leaving something out of a call to revoke does not weaken it.
    async fn sec_16_omissions_weaken_nothing(world: &World) {
        for (number, note) in [None, Some("leaked")].into_iter().enumerate() {
            let name = format!("t{number}");
            let secret = world.create(&new_token(&name)).await.secret;
            let note = note.map(|text: &str| text.parse().expect("a text"));
            let why = Revoking { note: note.clone(), ..Revoking::because(RevocationReason::NoLongerNeeded) };
            let revoked = world.authority.tokens().revoke(&world.ada, MINE, &named(&name), &why).await;
            let id = revoked.expect("revoked").value.token.id;
            assert_eq!(world.refused(&secret).await, Some(Reason::TokenRevoked));
            let shown = world.show(&world.ada, &Which::Id(id)).await.expect("shown");
            let revocation = shown.revocation.clone().expect("its owner may see it");
            assert_eq!((revocation.by.as_str(), revocation.reason, revocation.note), ("ada", why.reason, note));
            assert_eq!(shown.status(at(0)), TokenStatus::Revoked);
        }
        let all = [world.create(&new_token("a")).await.secret, world.create(&new_token("b")).await.secret];
        world.clock.set(at(1));
        world.authority.tokens().revoke_all(&world.ada, MINE, MintedWhen::Ever).await.expect("revoked");
        for secret in &all {
            assert_eq!(world.refused(secret).await, Some(Reason::TokenRevoked));
        }
    }

    async fn admins_see_what_can_touch_their_org_and_no_more(world: &World) {
        world.create(&new_token("everywhere")).await;
        world.create(&token_with("here", |new| new.orgs = Some(orgs(&["ops", "dev"])))).await;
        world.create(&token_with("there", |new| new.orgs = Some(orgs(&["dev"])))).await;
        let page = TokenPage { include_revoked: false, after: None, limit: 100 };
        let listed = world.authority.tokens().list_personal_tokens(&world.eve, &ops(), page).await.expect("listed");
        let mut rows: Vec<_> = listed
            .views
            .iter()
            .map(|view| (view.token.name.as_str(), view.owner_account.as_ref().map_or("", |owner| owner.as_str()), view.orgs.clone()))
            .collect();
        // Tokens of one instant are in no order.
        rows.sort_by_key(|(name, ..)| *name);
        let owner = "ada";
        let here = orgs(&["ops"]);
        assert_eq!(rows, [("everywhere", owner, ndauth_core::Orgs::All), ("here", owner, here)]);
        assert_eq!(reason(world.authority.tokens().list_personal_tokens(&world.ada, &ops(), page).await), Reason::RoleTooLow);
        let there = world.show(&world.ada, &named("there")).await.expect("shown").token.id;
        let own = world.make(&world.eve, &in_org("ops"), &org_token("own", &["read:assets"])).await.view.token.id;
        for id in [there, own] {
            let suspended = world.authority.tokens().suspend_personal_token(&world.eve, &ops(), id).await;
            assert_eq!(reason(suspended), Reason::NotFound);
            let resumed = world.authority.tokens().resume_personal_token(&world.eve, &ops(), id).await;
            assert_eq!(reason(resumed), Reason::NotFound);
        }
    }
    /// `ada`'s token is for `ops` and `dev`, used in `dev`, and suspended there by an admin of it.
    async fn org_admins_see_only_what_concerns_their_org(world: &World) {
        let tokens = world.authority.tokens();
        let made = world.create(&token_with("both", |new| new.orgs = Some(orgs(&["dev", "ops"])))).await;
        let (id, secret) = (made.view.token.id, made.secret);
        assert_eq!(refused_in(world, &secret, "dev", Scope::Ro).await, None);
        let dan = world.person("dan", false, None).await;
        world.member("dev", "dan", Role::Admin).await;
        tokens.suspend_personal_token(&dan, &"dev".parse().expect("a slug"), id).await.expect("suspended");
        let visible = |view: &TokenView| {
            let by: Vec<_> = view.suspended_in.iter().map(|(org, _)| org.to_string()).collect();
            assert_eq!((&view.orgs, view.used_from.len()), (&orgs(&["ops"]), 0));
            assert!(view.secrets.iter().all(|secret| secret.last_use.is_none()), "{view:?}");
            (by, view.last_use().map(|last| last.at))
        };
        let suspended = tokens.suspend_personal_token(&world.eve, &ops(), id).await.expect("suspended").value;
        assert_eq!(visible(&suspended), (vec!["ops".to_owned()], None));
        let resumed = tokens.resume_personal_token(&world.eve, &ops(), id).await.expect("resumed").value;
        assert_eq!(visible(&resumed), (vec![], None));
        let preview = async || tokens.preview_revoke_all(&world.eve, &in_org("ops"), MintedWhen::Ever).await.expect("previewed").value;
        world.clock.set(at(1));
        let previewed = preview().await;
        assert_eq!((previewed.tokens, previewed.used_today.len()), (1, 0), "it was used elsewhere");
        world.clock.set(at(5));
        assert_eq!(refused_in(world, &secret, "ops", Scope::Ro).await, None);
        let previewed = preview().await;
        assert_eq!(previewed.used_today.iter().map(visible).collect::<Vec<_>>(), [(vec![], Some(at(5)))]);
    }

    /// `ada`'s token is used in `dev` all the time, and in `ops` once; `eve` is admin of `ops`.
    async fn an_orgs_admin_sees_the_uses_in_that_org_alone(world: &World) {
        let secret = world.create(&new_token("ci")).await.secret;
        let page = TokenPage { include_revoked: false, after: None, limit: 100 };
        let tokens = world.authority.tokens();
        let seen = async || {
            let listed = tokens.list_personal_tokens(&world.eve, &ops(), page).await.expect("listed");
            let view = listed.views.into_iter().find(|view| view.token.name.as_str() == "ci").expect("there");
            assert!(view.used_from.is_empty() && view.secrets.iter().all(|secret| secret.last_use.is_none()));
            view.last_use().map(|last| (last.at, last.address.map(|address| address.to_string())))
        };
        let use_in = async |org: &str| {
            let verdict = world.ask(&world.service, secret.expose(), &needs(org, Scope::Ro, None)).await;
            assert!(verdict.outcome.is_ok(), "{verdict:?}");
        };
        use_in("dev").await;
        world.authority.validation().who_am_i(&presented(&secret)).await.expect("identified");
        assert_eq!(seen().await, None, "used elsewhere, and by itself");
        world.authority.validation().write_uses().await.expect("written");
        assert_eq!(seen().await, None);
        world.clock.set(at(70));
        use_in("ops").await;
        let once = Some((at(70), Some("203.0.113.9".to_owned())));
        assert_eq!(seen().await, once, "not written down yet");
        world.authority.validation().write_uses().await.expect("written");
        assert_eq!(seen().await, once);
        world.clock.set(at(200));
        use_in("dev").await;
        world.authority.validation().write_uses().await.expect("written");
        assert_eq!(seen().await, once);
        // No other answer reveals more about it.
        let id = world.show(&world.ada, &named("ci")).await.expect("shown").token.id;
        let suspended = tokens.suspend_personal_token(&world.eve, &ops(), id).await.expect("suspended").value;
        assert_eq!(suspended.last_use().map(|last| last.at), Some(at(70)));
        tokens.resume_personal_token(&world.eve, &ops(), id).await.expect("resumed");
        let barring = OrgPolicy { personal_tokens: false, ..OrgPolicy::OPEN };
        let policy = NewPolicy { policy: barring, effective_in: Duration::ZERO, expected: None, announced: Announced::Keep };
        let impact = world.authority.orgs().try_policy(&world.eve, &ops(), &policy).await.expect("tried").value.impact;
        assert_eq!(impact.broken.iter().map(|token| token.last_use.map(|last| last.at)).collect::<Vec<_>>(), [Some(at(70))]);
        let mine = world.show(&world.ada, &named("ci")).await.expect("shown");
        assert_eq!(mine.last_use().map(|last| last.at), Some(at(200)), "its owner sees all");
    }

    /// Each use in another org counts, even if the token was used a moment ago.
    async fn a_use_in_another_org_is_noted_at_once(world: &World) {
        let secret = world.create(&token_with("ci", |new| new.orgs = Some(orgs(&["dev", "ops"])))).await.secret;
        for (second, org) in [(0, "dev"), (1, "ops")] {
            world.clock.set(at(second));
            let verdict = world.ask(&world.service, secret.expose(), &needs(org, Scope::Ro, None)).await;
            assert!(verdict.outcome.is_ok(), "{verdict:?}");
        }
        let page = TokenPage { include_revoked: false, after: None, limit: 100 };
        let listed = world.authority.tokens().list_personal_tokens(&world.eve, &ops(), page).await.expect("listed");
        assert_eq!(listed.views[0].last_use().map(|last| last.at), Some(at(1)));
    }
}
