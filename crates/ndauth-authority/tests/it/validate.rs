use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ndauth_authority::{AuthorityError, CacheableVerdict, Credential, Question, Resolved};
use ndauth_core::{Reason, Requirement, Role, Scope};

use crate::on_both;
use crate::world::{
    CONSOLE, MINE, at, days, keep, named, needs, new_token, orgs, presented, reason, token_with,
};

const DAY: i64 = 24 * 60 * 60;

on_both! {
    async fn the_answer_follows_the_live_role(world: &World) {
        let secret = world.create(&new_token("ci")).await.secret;
        let (ops, ada) = ("ops".parse().expect("a slug"), "ada".parse().expect("a handle"));
        assert_eq!(world.refused(&secret).await, None);
        world.authority.orgs().add_member(&CONSOLE, &ops, &ada, Role::Ro).await.expect("set");
        assert_eq!(world.refused(&secret).await, Some(Reason::RoleTooLow));
        world.authority.orgs().remove_member(&CONSOLE, &ops, &ada).await.expect("removed");
        assert_eq!(world.refused(&secret).await, Some(Reason::NotAMember));
        world.authority.orgs().add_member(&CONSOLE, &ops, &ada, Role::Admin).await.expect("set");
        assert_eq!(world.refused(&secret).await, None);
        world.authority.operator().disable_account(&CONSOLE, &ada).await.expect("disabled");
        assert_eq!(world.refused(&secret).await, Some(Reason::AccountDisabled));
        world.authority.operator().enable_account(&CONSOLE, &ada).await.expect("enabled");
        world.authority.orgs().delete(&CONSOLE, &ops).await.expect("deleted");
        assert_eq!(world.refused(&secret).await, Some(Reason::OrgDeleted));
    }

    async fn each_factor_refuses_with_its_reason(world: &World) {
        let rw = world.create(&new_token("rw")).await.secret;
        let ro = world.create(&token_with("ro", |new| new.scope = Some(Scope::Ro))).await.secret;
        let dev = world.create(&token_with("dev", |new| new.orgs = Some(orgs(&["dev"])))).await.secret;
        let ask = async |secret: &str, requirement: &Requirement| {
            world.ask(&world.service, secret, requirement).await.outcome.err().map(|refusal| refusal.reason())
        };
        let rows = [
            (rw.expose(), needs("ops", Scope::Rw, Some("write:assets")), None),
            (rw.expose(), needs("dev", Scope::Ro, None), None),
            (rw.expose(), needs("dev", Scope::Rw, None), Some(Reason::RoleTooLow)),
            (rw.expose(), needs("ops", Scope::Ro, Some("approve:assets")), Some(Reason::RoleTooLow)),
            (rw.expose(), needs("ops", Scope::Ro, Some("read:tokens")), Some(Reason::PermissionNotGranted)),
            (rw.expose(), needs("ops", Scope::Ro, Some("fly:assets")), Some(Reason::PermissionUnknown)),
            (rw.expose(), needs("nowhere", Scope::Ro, None), Some(Reason::NotAMember)),
            (rw.expose(), Requirement::Identity, None),
            (ro.expose(), needs("ops", Scope::Ro, Some("read:assets")), None),
            (ro.expose(), needs("ops", Scope::Rw, None), Some(Reason::ScopeTooNarrow)),
            (dev.expose(), needs("ops", Scope::Ro, None), Some(Reason::OrgNotCovered)),
            (&rw.expose()[..48], Requirement::Identity, Some(Reason::SecretMalformed)),
            ("", Requirement::Identity, Some(Reason::SecretMalformed)),
            ("ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U", Requirement::Identity, Some(Reason::SecretUnknown)),
            ("ndses_9fefK0k0r4f1UgtpuUsNmC6Fu1W2cqhyY3rNdGb8tg4", Requirement::Identity, Some(Reason::SecretKindNotAccepted)),
        ];
        for (secret, requirement, expected) in rows {
            assert_eq!(ask(secret, &requirement).await, expected, "{requirement:?}");
        }
    }

    async fn a_limited_service_asks_about_its_orgs_alone(world: &World) {
        let secret = world.create(&new_token("ci")).await.secret;
        let ask = async |requirement: &Requirement| {
            let verdict = world.ask(&world.ops_service, secret.expose(), requirement).await;
            verdict.outcome.err().map(|refusal| refusal.reason())
        };
        assert_eq!(ask(&needs("ops", Scope::Rw, None)).await, None);
        assert_eq!(ask(&needs("dev", Scope::Ro, None)).await, Some(Reason::ServiceNotForOrg));
        assert_eq!(ask(&needs("nowhere", Scope::Ro, None)).await, Some(Reason::ServiceNotForOrg));
    }

    /// `ada`'s token is for `ops` and `dev`, and suspended in `dev`; the service asks about `ops`.
    async fn cached_inputs_cover_only_the_orgs_of_the_service(world: &World) {
        let made = world.create(&token_with("both", |new| new.orgs = Some(orgs(&["dev", "ops"])))).await;
        let dan = world.person("dan", false, None).await;
        world.member("dev", "dan", Role::Admin).await;
        let dev = "dev".parse().expect("a slug");
        let id = world.authority.orgs().get(&dan, &dev).await.expect("shown").org.id.to_string();
        world.authority.tokens().suspend_personal_token(&dan, &dev, made.view.token.id).await.expect("suspended");
        let kept = async |service: &Credential, org: &str| {
            let requirement = needs(org, Scope::Ro, None);
            let question =
                Question { secret: made.secret.expose(), requirement: &requirement, client_address: None, client: None };
            let keep = |_: CacheableVerdict<'_>, kept: Option<Resolved>| format!("{:?}", kept.expect("kept").inputs);
            world.authority.validation().resolve(service, &question, 0, keep).await.expect("decided").value
        };
        let mentions = |text: &str| text.contains("dev") || text.contains(&id);
        assert!(mentions(&kept(&world.service, "ops").await), "a service for all orgs receives them");
        assert!(!mentions(&kept(&world.ops_service, "ops").await));
        let (there, nowhere) = (kept(&world.ops_service, "dev").await, kept(&world.ops_service, "nowhere").await);
        assert_eq!(there.replace("dev", "nowhere"), nowhere, "like one that does not exist");
    }

    async fn verdicts_state_how_long_they_may_be_cached(world: &World) {
        let new = token_with("ci", |new| new.expiry = days(30));
        let made = world.authority.tokens().create(&world.ada, MINE, &new).await.expect("made");
        let (sequence, made) = (made.sequence, made.value);
        let question =
            Question { secret: made.secret.expose(), requirement: &Requirement::Identity, client_address: None, client: None };
        let answer = world.authority.validation().validate(&world.service, &question, keep).await.expect("decided");
        assert_eq!((answer.sequence, answer.evaluated_at), (sequence, at(0)));
        let verdict = world.ask(&world.service, made.secret.expose(), &Requirement::Identity).await;
        let bound = Duration::from_secs(2);
        assert!(verdict.max_cache_age <= bound && verdict.max_cache_age > bound / 2, "{verdict:?}");
        world.clock.set(at(30 * DAY - 1));
        let verdict = world.ask(&world.service, made.secret.expose(), &Requirement::Identity).await;
        assert!(verdict.outcome.is_ok());
        assert_eq!(verdict.max_cache_age, Duration::from_secs(1), "never beyond the token's end");
        world.clock.set(at(30 * DAY));
        let verdict = world.ask(&world.service, made.secret.expose(), &Requirement::Identity).await;
        let refusal = verdict.outcome.expect_err("it is expired at the instant");
        assert_eq!((refusal.reason(), refusal.since()), (Reason::TokenExpired, Some(at(30 * DAY))));
    }

    async fn revoked_is_refused_from_the_next_question_on(world: &World) {
        let made = world.create(&new_token("ci")).await;
        assert_eq!(world.refused(&made.secret).await, None);
        world.revoke(&world.ada, &named("ci")).await.expect("revoked");
        assert_eq!(world.refused(&made.secret).await, Some(Reason::TokenRevoked));
        let again = world.create(&new_token("ci")).await;
        assert_eq!(world.refused(&made.secret).await, Some(Reason::TokenRevoked), "the name is not the token");
        assert_eq!(world.refused(&again.secret).await, None);
    }

    /// One corrupt row does not affect other answers.
    async fn corrupt_rows_affect_no_other_answer(world: &World) {
        let (good, bad) = (world.create(&new_token("good")).await.secret, world.create(&new_token("bad")).await.secret);
        let store = ndauth_store::Store::connect(&world.scratch.url, ndauth_store::Clock::Database).await.expect("connected");
        ndauth_store::testing::execute(&store, "UPDATE token SET all_orgs = FALSE WHERE name = 'bad'").await;
        let question = |secret| Question { secret, requirement: &Requirement::Identity, client_address: None, client: None };
        let asked = [question(good.expose()), question(bad.expose()), question(good.expose())];
        world.load_again().await;
        let answer = world.authority.validation().validate_all(&world.service, &asked, keep).await.expect("answered");
        let reasons: Vec<Option<Reason>> =
            answer.value.iter().map(|verdict| verdict.as_ref().err().map(AuthorityError::reason)).collect();
        assert_eq!(reasons, [None, Some(Reason::Internal), None]);
    }

    /// However much changes while a batch is answered, few of its answers are computed again.
    async fn a_change_repeats_few_answers_of_a_batch(world: &World) {
        const QUESTIONS: usize = 1000;
        let secret = world.create(&new_token("ci")).await.secret;
        let question = || Question { secret: secret.expose(), requirement: &Requirement::Identity, client_address: None, client: None };
        let asked: Vec<_> = std::iter::repeat_with(question).take(QUESTIONS).collect();
        let converted = AtomicUsize::new(0);
        let (changes, runtime) = (Mutex::new(0..5), tokio::runtime::Handle::current());
        let convert = |verdict: CacheableVerdict<'_>| {
            // At five of the answers a change happens, and is applied here before the answer is returned.
            if converted.fetch_add(1, Ordering::Relaxed) % 150 == 149
                && let Some(number) = changes.lock().expect("no panic").next()
            {
                let change = async {
                    world.create(&new_token(&format!("other-{number}"))).await;
                    world.catch_up().await;
                };
                std::thread::scope(|scope| scope.spawn(|| runtime.block_on(change)).join().expect("known"));
            }
            verdict.outcome.is_ok()
        };
        let answer = world.authority.validation().validate_all(&world.service, &asked, convert).await.expect("answered");
        assert!(answer.value.iter().all(|verdict| matches!(verdict, Ok(true))) && answer.value.len() == QUESTIONS);
        assert_eq!(changes.lock().expect("no panic").next(), None, "all of it happened");
        let repeated = converted.load(Ordering::Relaxed) - QUESTIONS;
        assert!((1..=10 * 32).contains(&repeated), "{repeated}");
    }

    async fn could_not_decide_is_never_no(world: &World) {
        let made = world.create(&new_token("ci")).await;
        let other = ndauth_authority::Authority::open(&world.scratch.url, ndauth_authority::Clock::Database, None).await;
        let other = other.expect("opened");
        other.close().await.expect("closed");
        let question =
            Question { secret: made.secret.expose(), requirement: &Requirement::Identity, client_address: None, client: None };
        assert_eq!(reason(other.validation().validate(&world.service, &question, keep).await), Reason::Unavailable);
        assert_eq!(reason(other.validation().who_am_i(&presented(&made.secret)).await), Reason::Unavailable);
        assert_eq!(reason(other.tokens().create(&world.ada, MINE, &new_token("x")).await), Reason::Unavailable);
    }
}
