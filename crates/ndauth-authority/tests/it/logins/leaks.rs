//! Reports of leaked secrets: what each ends, what the log says of it, and how many there may be.

use ndauth_core::{Change, Entry, Lineage, PresentedOutcome as Became, RevocationReason};

use super::*;
use crate::audit::{query, texts as texts_of};

/// Reports texts as leaked. Returns what became of each.
async fn report(world: &World, texts: &[&str]) -> Result<Vec<Became>, AuthorityError> {
    let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    let reported = world.authority.logins().report_leaked(&texts, &home()).await?;
    assert_eq!(reported.len(), texts.len());
    for (text, reported) in texts.iter().zip(&reported) {
        let prefix = text.parse::<Secret>().ok().map(|secret| secret.prefix());
        assert_eq!(reported.prefix, prefix, "each is labelled");
    }
    Ok(reported.into_iter().map(|reported| reported.outcome).collect())
}

/// Returns the events since a sequence, with the personal bytes as text.
async fn events_since(world: &World, sequence: u64) -> Vec<(Entry, String)> {
    let store = world.scratch.store(Clock::Database).await;
    let events = store.read().await.expect("a view").events_after(sequence, 100).await.expect("the log");
    let read = |event: ndauth_store::StoredEvent| {
        let personal = event.personal.map(|(bytes, _)| String::from_utf8_lossy(&bytes).into_owned());
        (Entry::read(&event.public).expect("an entry"), personal.unwrap_or_default())
    };
    events.into_iter().map(read).collect()
}

async fn head(world: &World) -> u64 {
    world.authority.operator().check(&CONSOLE).await.expect("checked").events
}

fn secret_of(credential: &Credential) -> String {
    let Credential::Secret { secret, .. } = credential else { panic!("a secret") };
    secret.expose().to_owned()
}

on_both! {
    /// One batch with a secret of each kind and state. Each ends what it belongs to, once, and the log has the reason.
    async fn a_leak_ends_what_each_secret_belongs_to(world: &World) {
        let authority = &world.authority;
        let cookie = ada_signed_in(world).await.secret;
        let granted = authorize_program(world, &cookie).await;
        let derived = derive(world, &granted, None, None).await;
        let ada = world.log_in("ada").await;
        let personal = world.make(&ada, MINE, &new_token("personal")).await.secret;
        let first = world.make(&ada, MINE, &token_with("waits", |new| new.pending = true)).await.secret;
        let own = world.make(&world.eve, &in_org("ops"), &org_token("own", &["read:assets"])).await.secret;
        let rotate = async |name: &str| {
            let hour = Duration::from_secs(60 * 60);
            authority.tokens().rotate(&ada, MINE, &named(name), hour, None).await.expect("rotated").value.secret
        };
        let dropping = world.make(&ada, MINE, &new_token("dropping")).await.secret;
        let pending = rotate("dropping").await;
        let retiring = world.make(&ada, MINE, &new_token("retiring")).await.secret;
        let successor = rotate("retiring").await;
        let retired = world.make(&ada, MINE, &new_token("retired")).await.secret;
        let heir = rotate("retired").await;
        for name in ["retiring", "retired"] {
            authority.tokens().confirm_rotation(&ada, MINE, &named(name), None).await.expect("confirmed");
        }
        authority.logins().revoke_presented(retired.expose(), &home()).await.expect("retired");
        let revoked = world.make(&ada, MINE, &new_token("revoked")).await.secret;
        world.revoke(&ada, &named("revoked")).await.expect("revoked");
        let unknown = Secret::mint(SecretKind::Personal, &mut SysRng).expect("drawn");
        let service = secret_of(&world.service);
        let stranger = Secret::mint(SecretKind::Service, &mut SysRng).expect("drawn");

        let before = head(world).await;
        let batch = [
            (personal.expose(), Became::Revoked),
            (first.expose(), Became::Revoked),
            (own.expose(), Became::Revoked),
            (derived.expose(), Became::Revoked),
            (pending.expose(), Became::RotationDropped),
            (retiring.expose(), Became::Retired),
            (retired.expose(), Became::ReuseRecorded),
            (granted.refresh.expose(), Became::SessionEnded),
            (revoked.expose(), Became::AlreadyDead),
            (service.as_str(), Became::ServiceReported),
            (unknown.expose(), Became::Unknown),
            (stranger.expose(), Became::Unknown),
            ("ndpat_short", Became::Malformed),
            ("", Became::Malformed),
            // Twice in one batch is once.
            (personal.expose(), Became::Revoked),
        ];
        let texts: Vec<&str> = batch.iter().map(|(text, _)| *text).collect();
        let became = report(world, &texts).await.expect("reported");
        for ((text, expected), became) in batch.iter().zip(&became) {
            assert_eq!(became, expected, "{}", &text[..text.len().min(12)]);
        }
        for secret in [&personal, &first, &own, &derived] {
            let refused = world.refused_permission(secret, "read:assets").await;
            assert_eq!(refused, Some(Reason::TokenRevoked), "{secret:?}");
        }
        for lives in [&dropping, &successor, &heir] {
            assert_eq!(world.refused(lives).await, None, "{lives:?}");
        }
        assert_eq!(world.refused(&retiring).await, Some(Reason::SecretReplaced));
        assert_eq!(who(world, &granted.access).await, Err(Reason::SessionRevoked));
        who(world, &cookie).await.expect_err("a cookie is no credential");
        authority.logins().visit(&cookie, &home()).await.expect("the browser's own session lives on");

        // The owner sees why, and from where.
        let shown = authority.tokens().get(&ada, MINE, &named("personal")).await.expect("shown");
        let revocation = shown.view.revocation.expect("its owner may see it");
        assert_eq!(revocation.reason, RevocationReason::Leaked);
        let note = revocation.note.expect("from where").to_string();
        let expected = format!("its secret {} was reported as leaked from 192.0.2.7", personal.prefix());
        assert_eq!(note, expected);

        // Each that ended something has one event, which says that possession was enough and that it leaked.
        let events = events_since(world, before).await;
        let (mut revoked, mut others) = (0, Vec::new());
        for (entry, personal) in &events {
            assert!(!texts.iter().any(|text| text.len() > 12 && personal.contains(text)), "{personal}");
            match &entry.change {
                Change::TokenRevoked { reason: RevocationReason::Leaked, presented: Some(_), .. } => {
                    assert!(personal.contains("reported as leaked"), "{personal}");
                    revoked += 1;
                }
                Change::SecretDropped { reason: Some(RevocationReason::Leaked), owner: Some(_), .. } => others.push("dropped"),
                Change::SecretRetired { reason: Some(RevocationReason::Leaked), owner: Some(_), .. } => others.push("retired"),
                Change::SecretReused { reported: true, owner: Some(_), family: Lineage::Token(_), .. } => {
                    others.push("reused");
                    assert!(personal.contains("192.0.2.7") && personal.contains(&retired.prefix().to_string()));
                }
                Change::SessionEnded { reason: Some(RevocationReason::Leaked), reused: false, .. } => others.push("session"),
                other => panic!("{other:?}"),
            }
        }
        others.sort_unstable();
        assert_eq!((revoked, others), (4, vec!["dropped", "retired", "reused", "session"]));

        let texts_of_log = texts_of(world, &CONSOLE, &ndauth_authority::Whose::Anyone, &query(|_| {})).await;
        for sentence in [
            "ada's token `personal` was reported as leaked by its secret, and was revoked.",
            "ada's token `dropping` was reported as leaked by its new secret, which was dropped.",
            "ada's token `retiring` was reported as leaked by its old secret, which was retired.",
            "ops's org token `own` was reported as leaked by its secret, and was revoked.",
            "ada lost a session, whose secret was reported as leaked.",
        ] {
            assert!(texts_of_log.iter().any(|text| text.contains(sentence)), "{sentence}: {texts_of_log:#?}");
        }
        let reuse = format!("ndauth got a report of the retired secret {}", retired.prefix());
        assert!(texts_of_log.iter().any(|text| text.starts_with(&reuse)), "{texts_of_log:#?}");

        // All of it again ends nothing more, and a reuse is recorded once a day.
        let again = report(world, &texts).await.expect("reported");
        for ((text, expected), became) in batch.iter().zip(&again) {
            let expected = match expected {
                Became::Revoked | Became::SessionEnded | Became::RotationDropped => &Became::AlreadyDead,
                // It is retired by now.
                Became::Retired => &Became::ReuseRecorded,
                same => same,
            };
            assert_eq!(became, expected, "{}", &text[..text.len().min(12)]);
        }
        let more = events_since(world, before + events.len() as u64).await;
        let [(Entry { change: Change::SecretReused { reported: true, .. }, .. }, _)] = &more[..] else {
            panic!("{more:?}")
        };
        assert_eq!(world.refused(&heir).await, None);
        sound(authority).await;
    }

    /// The log with such events is checked and replayed as any other: possession with another reason stays as it was.
    async fn presenting_to_revoke_is_told_from_a_leak(world: &World) {
        let made = world.make(&world.ada, MINE, &new_token("ci")).await.secret;
        let before = head(world).await;
        world.authority.logins().revoke_presented(made.expose(), &home()).await.expect("revoked");
        let [(entry, personal)] = &events_since(world, before).await[..] else { panic!("one event") };
        let Change::TokenRevoked { reason: RevocationReason::Possession, presented: Some(_), .. } = entry.change else {
            panic!("{entry:?}")
        };
        assert!(personal.contains("was shown from 192.0.2.7"), "{personal}");
        let made = world.make(&world.ada, MINE, &new_token("cd")).await.view;
        let before = head(world).await;
        world.revoke(&world.ada, &Which::Id(made.token.id)).await.expect("revoked");
        let [(entry, _)] = &events_since(world, before).await[..] else { panic!("one event") };
        assert!(matches!(entry.change, Change::TokenRevoked { presented: None, .. }), "{entry:?}");
    }

    /// A service's retired secret is reuse, and a revoked service's is dead.
    async fn a_service_s_secret_ends_nothing(world: &World) {
        let registry = "registry".parse().expect("a name");
        let old = secret_of(&world.service);
        let rotated = world.authority.operator().rotate_service(&CONSOLE, &registry, Duration::ZERO).await;
        let new = rotated.expect("rotated").value.secret;
        let both = async || report(world, &[&old, new.expose()]).await.expect("reported");
        assert_eq!(both().await, [Became::ServiceReported; 2]);
        world.authority.operator().settle_service(&CONSOLE, &registry, &ndauth_authority::Settling::Confirm(None)).await.expect("confirmed");
        assert_eq!(both().await, [Became::ReuseRecorded, Became::ServiceReported]);
        world.authority.operator().revoke_service(&CONSOLE, &registry).await.expect("revoked");
        assert_eq!(both().await, [Became::AlreadyDead; 2]);
    }

    /// Each secret is a guess. A batch is refused whole before anything is looked up, and never as unknown.
    async fn guesses_are_limited_by_network(world: &World) {
        let known = world.make(&world.ada, MINE, &new_token("ci")).await.secret;
        let unknown = || Secret::mint(SecretKind::Personal, &mut SysRng).expect("drawn").expose().to_owned();
        let reports = async |visitor: &Visitor, texts: &[String]| {
            world.authority.logins().report_leaked(texts, visitor).await
        };
        let guesses = |count: usize| (0..count).map(|_| unknown()).collect::<Vec<_>>();
        for count in [0, 1001] {
            let refused = reports(&home(), &guesses(count)).await;
            assert!(matches!(refused, Err(AuthorityError::Invalid { field: "secrets", .. })), "{refused:?}");
        }
        for _ in 0..2 {
            let reported = reports(&home(), &guesses(1000)).await.expect("within the limit");
            assert!(reported.iter().all(|reported| reported.outcome == Became::Unknown));
        }
        let one = [known.expose().to_owned()];
        let refused = reports(&home(), &one).await;
        assert!(matches!(refused, Err(AuthorityError::TooManyTries { after }) if after.as_millis() == 1800), "{refused:?}");
        assert_eq!(world.refused(&known).await, None, "nothing was looked up");
        // The same /64 waits, too, and another network does not.
        let ipv6 = from("2001:db8::1");
        reports(&ipv6, &guesses(1000)).await.expect("another network");
        reports(&from("2001:db8::ffff"), &guesses(1000)).await.expect("the rest of it");
        assert_eq!(reason(reports(&ipv6, &one).await), Reason::TooManyTries);
        world.clock.set(at(3600));
        assert_eq!(reports(&home(), &one).await.expect("later")[0].outcome, Became::Revoked);
        // To revoke by possession is not counted.
        world.authority.logins().revoke_presented(known.expose(), &ipv6).await.expect("it has ended");
    }

    /// A batch that failed costs nothing: it may be repeated.
    async fn a_failed_batch_restores_its_guesses(world: &World) {
        let known = world.make(&world.ada, MINE, &new_token("ci")).await.secret;
        let mut batch = vec![known.expose().to_owned()];
        batch.resize_with(1000, || Secret::mint(SecretKind::Personal, &mut SysRng).expect("drawn").expose().to_owned());
        let store = world.scratch.store(Clock::Database).await;
        execute(&store, "ALTER TABLE token RENAME TO gone").await;
        for _ in 0..3 {
            let failed = world.authority.logins().report_leaked(&batch, &home()).await;
            failed.expect_err("the tokens cannot be read");
        }
        execute(&store, "ALTER TABLE gone RENAME TO token").await;
        let reported = world.authority.logins().report_leaked(&batch, &home()).await.expect("repeated");
        assert_eq!(reported[0].outcome, Became::Revoked);
        world.authority.logins().report_leaked(&batch, &home()).await.expect("counted once");
        assert_eq!(reason(world.authority.logins().report_leaked(&batch, &home()).await), Reason::TooManyTries);
    }
}
