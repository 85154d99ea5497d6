//! Notices: who is told what, when, and once.

use std::collections::BTreeMap;
use std::time::Duration;

use ndauth_authority::{
    Announced, Delivery, Handover, Letter, MintedWhen, NewPolicy, NoticeContent, Renewing, Visitor, Whose,
};
use ndauth_core::{Lifetime, NoticeKind, OrgPolicy, Reason, Role, Secret};

use crate::on_both;
use crate::world::{
    CONSOLE, MINE, UNNEEDED, World, at, days, in_org, named, new_token, of_account, ops, org_token,
    presented, token_with,
};

const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;

fn taken(letter: &Letter) -> Delivery {
    delivery(letter, Handover::Taken)
}

fn unreachable(letter: &Letter) -> Delivery {
    delivery(letter, Handover::Unreachable("no route".to_owned()))
}

fn refused(letter: &Letter) -> Delivery {
    delivery(letter, Handover::Refused("nobody".to_owned()))
}

fn delivery(letter: &Letter, handover: Handover) -> Delivery {
    let Letter { id, made_at, attempts, refusals, .. } = letter;
    Delivery { mail: *id, made_at: *made_at, attempts: *attempts, refusals: *refusals, handover }
}

/// Returns a mail as `to: kind thing, kind thing`.
fn line(letter: &Letter) -> String {
    let told = letter.told.iter().map(|told| format!("{} {}", told.kind, thing(&told.content)));
    format!("{}: {}", letter.to.handle, told.collect::<Vec<_>>().join(", "))
}

fn thing(content: &NoticeContent) -> String {
    match content {
        NoticeContent::Created { token, .. }
        | NoticeContent::Expiring { token, .. }
        | NoticeContent::StillTried { token, .. }
        | NoticeContent::Rotated { token, .. }
        | NoticeContent::Reused { token, .. } => token.token.name.to_string(),
        NoticeContent::Revoked { token, by, note, .. } => {
            let note = note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
            format!("{} by {by}{note}", token.token.name)
        }
        NoticeContent::AllRevoked { org, by, .. } => {
            format!("{} by {by}", org.as_ref().map_or("everywhere".to_owned(), ToString::to_string))
        }
        NoticeContent::Suspended { token, by, only_in } => {
            let only_in = only_in.as_ref().map(|org| format!(" in {org}")).unwrap_or_default();
            format!("{} by {by}{only_in}", token.token.name)
        }
        NoticeContent::SignIn { device, by, .. } => {
            device.clone().or(by.clone()).unwrap_or_else(|| "?".to_owned())
        }
        NoticeContent::Policy { token, org, why, .. } => format!("{} in {org}: {why}", token.token.name),
        NoticeContent::Offer { org, role, by, .. } => format!("{org} {role} by {by}"),
    }
}

/// Reads the log and the calendar.
async fn gather(world: &World) {
    world.authority.notices().gather().await.expect("gathered");
}

/// Takes all mails that are due.
async fn claim(world: &World) -> Vec<Letter> {
    let mut letters = Vec::new();
    loop {
        let more = world.authority.notices().claim().await.expect("claimed");
        if more.is_empty() {
            return letters;
        }
        letters.extend(more);
    }
}

/// Reads the log and the calendar, and sends all mails that are due.
async fn mailed(world: &World) -> Vec<String> {
    gather(world).await;
    let mut lines = Vec::new();
    loop {
        // One batch may let the next be made.
        let letters = claim(world).await;
        if letters.is_empty() {
            break;
        }
        let deliveries: Vec<Delivery> = letters.iter().map(taken).collect();
        world.authority.notices().settle(&deliveries).await.expect("settled");
        lines.extend(letters.iter().map(line));
    }
    lines.sort();
    lines
}

/// Begins to read the log at its end, an hour before the test goes on, so that nothing counts to its mails.
async fn begin(world: &World) {
    assert_eq!(mailed(world).await, [""; 0], "nothing of the past is told");
}

/// Uses a secret, and writes that down.
async fn used(world: &World, secret: &Secret) {
    assert_eq!(world.refused(secret).await, None);
    world.authority.validation().follow_up().await.expect("followed up");
    world.authority.validation().write_uses().await.expect("written");
}

fn later(world: &World, seconds: i64) {
    let now = world.clock.now();
    world.clock.set(now.checked_add(Duration::from_secs(seconds.unsigned_abs())).expect("an instant"));
}

on_both! {
    async fn an_owner_is_told_what_others_did(world: &World) {
        begin(world).await;
        for name in ["a", "b", "c", "d"] {
            world.create(&new_token(name)).await;
        }
        assert_eq!(mailed(world).await, ["ada: created a", "ada: created b", "ada: created c", "ada: created d"]);
        assert_eq!(mailed(world).await, [""; 0], "once");
        later(world, HOUR);
        // What one does oneself is no news.
        world.revoke(&world.ada, &named("a")).await.expect("revoked");
        world.authority.tokens().suspend(&world.ada, MINE, &named("b")).await.expect("suspended");
        assert_eq!(mailed(world).await, [""; 0]);
        let why = ndauth_authority::Revoking { note: "seen in a log".parse().ok(), ..UNNEEDED.clone() };
        let c = world.show(&world.ada, &named("c")).await.expect("shown").token.id;
        let d = world.show(&world.ada, &named("d")).await.expect("shown").token.id;
        world.authority.tokens().revoke(&CONSOLE, &Whose::Anyone, &named(&c.to_string()), &why).await.expect("revoked");
        world.authority.tokens().suspend_personal_token(&world.eve, &ops(), d).await.expect("suspended");
        assert_eq!(mailed(world).await, ["ada: revoked c by the operator (seen in a log)", "ada: suspended d by eve in ops"]);
        later(world, HOUR);
        // A suspension that ended before its mail went is no news.
        world.authority.tokens().resume_personal_token(&world.eve, &ops(), d).await.expect("resumed");
        world.authority.tokens().suspend_personal_token(&world.eve, &ops(), d).await.expect("suspended");
        gather(world).await;
        world.authority.tokens().resume_personal_token(&world.eve, &ops(), d).await.expect("resumed");
        assert_eq!(mailed(world).await, [""; 0]);
        world.authority.tokens().revoke_all(&CONSOLE, &of_account("ada"), MintedWhen::Ever).await.expect("revoked");
        assert_eq!(mailed(world).await, ["ada: revoked everywhere by the operator"]);
    }

    async fn secrets_that_succeed_each_other_are_told(world: &World) {
        begin(world).await;
        let first = world.create(&new_token("ci")).await.secret;
        used(world, &first).await;
        assert_eq!(mailed(world).await, ["ada: created ci"]);
        later(world, 1);
        let rotated = world.authority.tokens().rotate(&world.ada, MINE, &named("ci"), Duration::ZERO, None).await;
        assert_eq!(mailed(world).await, [""; 0], "nothing happened yet");
        used(world, &rotated.expect("rotated").value.secret).await;
        assert_eq!(mailed(world).await, ["ada: rotated ci"]);
        // Who holds the old one is a thief, or a pipeline that was forgotten.
        world.refused(&first).await.expect("replaced");
        world.authority.validation().follow_up().await.expect("followed up");
        assert_eq!(mailed(world).await, ["ada: reused ci"]);
        // Whoever has the secret may end the token. Its owner did not.
        let rotated = world.authority.tokens().rotate(&world.ada, MINE, &named("ci"), Duration::ZERO, None).await;
        let secret = rotated.expect("rotated").value.secret;
        used(world, &secret).await;
        world.revoke(&presented(&secret), &named("ci")).await.expect("revoked");
        // It is dead, so its rotation is no news.
        assert_eq!(mailed(world).await, ["ada: revoked ci by the token itself"]);
    }

    async fn admins_are_told_of_their_orgs_tokens(world: &World) {
        world.person("bob", false, Some(Role::Admin)).await;
        begin(world).await;
        let new = org_token("deploy", &["read:assets"]);
        let made = world.make(&world.eve, &in_org("ops"), &new).await;
        gather(world).await;
        // Bob is no admin any more when the mails go.
        world.member("ops", "bob", Role::Rw).await;
        assert_eq!(mailed(world).await, ["eve: created deploy"]);
        world.member("ops", "bob", Role::Admin).await;
        let id = made.view.token.id.to_string();
        world.authority.tokens().revoke(&world.eve, &in_org("ops"), &named(&id), UNNEEDED).await.expect("revoked");
        assert_eq!(mailed(world).await, ["bob: revoked deploy by eve"]);
    }

    async fn new_devices_offers_and_policies_are_told(world: &World) {
        begin(world).await;
        let visitor = |device: &str, address: &str| Visitor {
            address: address.parse().ok(),
            device: device.parse().ok(),
        };
        let sign_in = async |visitor: &Visitor| {
            let ada = "ada".parse().expect("a handle");
            let link = world.authority.logins().sign_in_link(&CONSOLE, &ada).await.expect("a link");
            world.authority.logins().sign_in_by_link(link.code.expose(), visitor, None).await.expect("signed in");
        };
        sign_in(&visitor("Firefox on Linux", "192.0.2.7")).await;
        assert_eq!(mailed(world).await, ["ada: sign-in Firefox on Linux"]);
        sign_in(&visitor("Firefox on Linux", "192.0.2.99")).await;
        assert_eq!(mailed(world).await, [""; 0], "it is known");
        sign_in(&visitor("Firefox on Linux", "198.51.100.7")).await;
        world.log_in("ada").await;
        assert_eq!(mailed(world).await, ["ada: sign-in Firefox on Linux", "ada: sign-in the operator"]);
        later(world, HOUR);
        let eve = world.log_in("eve").await;
        let offer = async |handle: &str, role| {
            let handle = handle.parse().expect("a handle");
            world.authority.orgs().offer_membership(&eve, &ops(), &handle, role).await.expect("offered");
        };
        world.person("bob", false, None).await;
        later(world, 1);
        assert_eq!(mailed(world).await, ["bob: sign-in the operator", "eve: sign-in the operator"]);
        offer("bob", Role::Rw).await;
        offer("nobody", Role::Rw).await;
        assert_eq!(mailed(world).await, ["bob: offer ops RW by eve"]);
        offer("bob", Role::Ro).await;
        gather(world).await;
        world.authority.orgs().withdraw_offer(&eve, &ops(), &"bob".parse().expect("a handle")).await.expect("withdrawn");
        assert_eq!(mailed(world).await, [""; 0], "it was withdrawn before");
        world.create(&new_token("ci")).await;
        world.create(&token_with("short", |new| new.expiry = days(7))).await;
        assert_eq!(mailed(world).await.len(), 2);
        let policy = |effective_in, limit: u64| NewPolicy {
            policy: OrgPolicy { longest_lifetime: Lifetime::For(Duration::from_secs(limit * 86400)), ..OrgPolicy::OPEN },
            effective_in: Duration::from_secs(effective_in),
            announced: Announced::Withdraw,
            expected: None,
        };
        let set = async |policy: NewPolicy| {
            let recent = world.log_in("eve").await;
            world.authority.orgs().set_policy(&recent, &ops(), &policy).await.expect("set");
        };
        let of_policies = async || -> Vec<String> {
            mailed(world).await.into_iter().filter(|line| !line.starts_with("eve: sign-in")).collect()
        };
        set(policy(86400, 30)).await;
        let told = of_policies().await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("ada: policy ci in ops: "), "{told:?}");
        later(world, HOUR);
        // It holds at once.
        set(policy(0, 5)).await;
        let told = of_policies().await;
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[1].starts_with("ada: policy short in ops: "), "{told:?}");
        // Another that refuses the token too takes its place before its mail goes.
        set(policy(0, 365)).await;
        later(world, HOUR);
        set(policy(86400, 30)).await;
        gather(world).await;
        later(world, 1);
        set(policy(86400, 29)).await;
        let told = of_policies().await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("policy ci in ops: "), "{told:?}");
        // Withdrawn before its mail goes.
        later(world, HOUR);
        set(policy(0, 365)).await;
        later(world, HOUR);
        set(policy(86400, 5)).await;
        gather(world).await;
        set(policy(0, 365)).await;
        assert_eq!(of_policies().await, [""; 0]);
    }

    /// One event with more notices than a change holds is recorded in parts, and each admin is told once.
    async fn an_event_for_thousands_is_told_to_each(world: &World) {
        begin(world).await;
        let store = world.scratch.store(ndauth_authority::Clock::Manual(world.clock.clone())).await;
        let admins = "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 2100)";
        let columns = "handle, email, operator, created_at, not_before";
        let id = match world.scratch.url {
            ndauth_authority::DatabaseUrl::Sqlite(_) => "randomblob(16)",
            ndauth_authority::DatabaseUrl::Postgres(_) => "gen_random_uuid()",
        };
        let people = format!(
            "INSERT INTO account (id, {columns}) {admins} SELECT {id}, 'admin-' || n, 'admin-' || n || '@example.org', \
             operator, created_at, not_before FROM number, account WHERE handle = 'eve'"
        );
        let roles = "INSERT INTO membership (account_id, org_id, role, set_at) SELECT account.id, membership.org_id, 'ADMIN', membership.set_at \
                     FROM account, membership JOIN account AS eve ON eve.id = membership.account_id \
                     WHERE account.handle LIKE 'admin-%' AND eve.handle = 'eve' AND membership.role = 'ADMIN'";
        ndauth_store::testing::execute(&store, &people).await;
        ndauth_store::testing::execute(&store, roles).await;
        world.make(&world.eve, &in_org("ops"), &org_token("deploy", &["write:assets"])).await;
        gather(world).await;
        let (mut told, mut count) = (std::collections::BTreeSet::new(), 0);
        for letter in claim(world).await {
            told.insert(letter.to.id);
            count += letter.told.len();
        }
        assert!(told.len() > 2000 && told.len() == count, "{} people, {count} notices", told.len());
    }

    async fn what_is_turned_off_is_not_mailed(world: &World) {
        begin(world).await;
        let notices = world.authority.notices();
        let kind = |kinds: &[NoticeKind]| kinds.iter().copied().collect();
        notices.set_preferences(&world.ada, &kind(&[NoticeKind::Created]), &kind(&[])).await.expect_err("security");
        notices.set_preferences(&world.ada, &kind(&[]), &kind(&[])).await.expect_err("nothing");
        let set = notices.set_preferences(&world.ada, &kind(&[NoticeKind::Rotated, NoticeKind::Offer]), &kind(&[])).await;
        assert!(set.expect("set").changed);
        let set = notices.set_preferences(&world.ada, &kind(&[NoticeKind::Offer]), &kind(&[])).await;
        assert!(!set.expect("set").changed);
        let set = notices.set_preferences(&world.ada, &kind(&[]), &kind(&[NoticeKind::Offer])).await.expect("set");
        assert_eq!(set.value, kind(&[NoticeKind::Rotated]));
        assert_eq!(notices.get_preferences(&world.ada).await.expect("read").off, kind(&[NoticeKind::Rotated]));
        world.create(&new_token("ci")).await;
        let rotate = async || {
            later(world, 1);
            let rotated = world.authority.tokens().rotate(&world.ada, MINE, &named("ci"), Duration::ZERO, None).await;
            used(world, &rotated.expect("rotated").value.secret).await;
        };
        rotate().await;
        assert_eq!(mailed(world).await, ["ada: created ci"]);
        // It is turned off after it was noticed.
        notices.set_preferences(&world.ada, &kind(&[]), &kind(&[NoticeKind::Rotated])).await.expect("set");
        rotate().await;
        gather(world).await;
        notices.set_preferences(&world.ada, &kind(&[NoticeKind::Rotated]), &kind(&[])).await.expect("set");
        assert_eq!(mailed(world).await, [""; 0]);
        world.sound().await;
    }

    async fn many_at_once_are_one_mail_and_five_are_the_most_in_an_hour(world: &World) {
        begin(world).await;
        let create = async |names: &[&str]| {
            for name in names {
                world.create(&new_token(name)).await;
            }
        };
        create(&["a", "b", "c"]).await;
        assert_eq!(mailed(world).await.len(), 3);
        create(&["d", "e", "f"]).await;
        assert_eq!(mailed(world).await, ["ada: created d, created e, created f"]);
        create(&["g"]).await;
        assert_eq!(mailed(world).await, ["ada: created g"]);
        create(&["h"]).await;
        later(world, 1);
        create(&["i"]).await;
        assert_eq!(mailed(world).await, [""; 0], "five went within the hour");
        later(world, HOUR - 2);
        assert_eq!(mailed(world).await, [""; 0]);
        later(world, 1);
        assert_eq!(mailed(world).await, ["ada: created h", "ada: created i"]);
    }

    async fn a_failure_is_tried_again_and_given_up_in_the_end(world: &World) {
        begin(world).await;
        world.create(&new_token("ci")).await;
        gather(world).await;
        let begun = world.clock.now();
        let mut ids = Vec::new();
        let mut attempts = 0;
        loop {
            let letters = claim(world).await;
            if letters.is_empty() {
                later(world, 60);
                if world.clock.now().since(begun) > Duration::from_secs(50 * 60 * 60) {
                    break;
                }
                continue;
            }
            attempts += 1;
            ids.extend(letters.iter().map(|letter| letter.id));
            let deliveries: Vec<Delivery> = letters.iter().map(unreachable).collect();
            world.authority.notices().settle(&deliveries).await.expect("settled");
        }
        ids.dedup();
        assert_eq!(ids.len(), 1, "it is one mail");
        // 1, 2, 4 and 8 minutes, and then every ten, for two days.
        assert!((280..300).contains(&attempts), "{attempts}");
        let state = world.authority.notices().state().await.expect("read");
        assert_eq!((state.waiting, state.given_up), (0, 1));
        let shown = world.authority.notices().get_preferences(&world.log_in("ada").await).await.expect("read");
        assert_eq!((shown.undelivered.len(), shown.undelivered[0].problem.as_str()), (1, "no route"));
        // A refusal is given up sooner.
        mailed(world).await;
        world.authority.tokens().suspend(&CONSOLE, &Whose::Anyone, &named(&world.show(&world.log_in("ada").await, &named("ci")).await.expect("shown").token.id.to_string())).await.expect("suspended");
        gather(world).await;
        let mut refusals = 0;
        for _ in 0..10 {
            for letter in claim(world).await {
                if letter.told[0].kind == NoticeKind::Suspended {
                    refusals += 1;
                    world.authority.notices().settle(&[refused(&letter)]).await.expect("settled");
                } else {
                    world.authority.notices().settle(&[taken(&letter)]).await.expect("settled");
                }
            }
            later(world, HOUR);
        }
        assert_eq!(refusals, 8);
    }

    async fn the_disabled_are_told_nothing(world: &World) {
        begin(world).await;
        world.create(&new_token("ci")).await;
        gather(world).await;
        world.authority.operator().disable_account(&CONSOLE, &"ada".parse().expect("a handle")).await.expect("disabled");
        assert_eq!(mailed(world).await, [""; 0]);
        let state = world.authority.notices().state().await.expect("read");
        assert_eq!((state.waiting, state.given_up), (0, 0), "and nothing waits");
    }

    async fn long_silence_is_not_made_up_for(world: &World) {
        begin(world).await;
        world.create(&new_token("old")).await;
        later(world, 3 * DAY);
        let ada = world.log_in("ada").await;
        world.make(&ada, MINE, &new_token("new")).await;
        assert_eq!(mailed(world).await, ["ada: created new", "ada: sign-in the operator"]);
    }

    /// Five hundred tokens over forty days, looked at every six hours: exactly the mails of this table.
    async fn the_calendar_is_kept(world: &World) {
        /// The life in days, and the days on which their owner is told of its end.
        const LIVES: [(u64, &[i64]); 5] =
            [(90, &[]), (45, &[35]), (30, &[20, 27, 29]), (10, &[7, 9]), (1, &[])];
        begin(world).await;
        let people: Vec<String> = (0..20).map(|n| format!("p{n:02}")).collect();
        for handle in &people {
            let person = world.person(handle, false, Some(Role::Rw)).await;
            for (life, _) in LIVES {
                // Two that are used, one that nobody uses, one that is revoked, one that is renewed.
                for what in ["used", "busy", "unused", "revoked", "renewed"] {
                    let new = token_with(&format!("{what}-{life}"), |new| new.expiry = days(life));
                    let secret = world.make(&person, MINE, &new).await.secret;
                    if what != "unused" {
                        assert_eq!(world.refused(&secret).await, None);
                    }
                }
                world.revoke(&person, &named(&format!("revoked-{life}"))).await.expect("revoked");
                world.authority.tokens().renew(&person, MINE, &named(&format!("renewed-{life}")), Renewing::default()).await.expect("renewed");
            }
        }
        world.authority.validation().write_uses().await.expect("written");
        let begun = world.clock.now();
        let mut table: BTreeMap<i64, usize> = BTreeMap::new();
        let mut lines: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for step in 0..=160 {
            world.clock.set(begun.checked_add(Duration::from_secs(step * 6 * 60 * 60)).expect("an instant"));
            let day = i64::try_from(step / 4).expect("small");
            let told = mailed(world).await;
            *table.entry(day).or_default() += told.len();
            lines.entry(day).or_default().extend(told);
        }
        table.retain(|_, count| *count > 0);
        // The renewed ones live for 30 days more: 120, 75, 60, 40 and 31. Of those, 60 is told 10 days before, at 50; 40
        // at 30, 37 and 39; 31 at 21, 28 and 30. Of the others two each are told.
        let singles = |each: usize| 20 * each;
        let expected: BTreeMap<i64, usize> = [
            // The first mail: one person began, 25 tokens were created and revoked by themselves. All in one.
            (0, singles(1)),
            (7, singles(2)),
            (9, singles(2)),
            (20, singles(2)),
            (21, singles(1)),
            (27, singles(2)),
            (28, singles(1)),
            (29, singles(2)),
            (30, singles(2)),
            (35, singles(2)),
            (37, singles(1)),
            (39, singles(1)),
        ]
        .into();
        assert_eq!(table, expected, "{lines:#?}");
        let day = |day: i64| lines[&day].iter().filter(|line| line.starts_with("p07: ")).cloned().collect::<Vec<_>>();
        assert_eq!(day(7), ["p07: expiring busy-10", "p07: expiring used-10"]);
        assert_eq!(day(21), ["p07: expiring renewed-1"]);
        assert_eq!(day(30), ["p07: expiring renewed-1", "p07: expiring renewed-10"]);
        assert_eq!(day(39), ["p07: expiring renewed-10"]);
    }

    async fn a_token_that_ended_and_is_still_tried_is_told_once(world: &World) {
        begin(world).await;
        let ci = world.create(&token_with("ci", |new| new.expiry = days(1))).await.secret;
        let calm = world.create(&token_with("calm", |new| new.expiry = days(1))).await.secret;
        for secret in [&ci, &calm] {
            used(world, secret).await;
        }
        mailed(world).await;
        let tried = async |secret: &Secret, seconds: i64| {
            world.clock.set(at(seconds));
            assert_eq!(world.refused(secret).await, Some(Reason::TokenExpired));
        };
        // The other one was tried just once, as it ended.
        tried(&ci, DAY + 60).await;
        tried(&calm, DAY + 60).await;
        tried(&ci, DAY + 7 * HOUR).await;
        world.clock.set(at(2 * DAY - 1));
        world.authority.validation().write_all_attempts().await.expect("written");
        assert_eq!(mailed(world).await, [""; 0]);
        world.clock.set(at(2 * DAY));
        assert_eq!(mailed(world).await, ["ada: still-tried ci"]);
        tried(&ci, 2 * DAY + 60).await;
        world.authority.validation().write_all_attempts().await.expect("written");
        later(world, DAY);
        assert_eq!(mailed(world).await, [""; 0]);
    }
}
