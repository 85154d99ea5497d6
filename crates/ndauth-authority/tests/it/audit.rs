//! The audit: who reads what, filters and pages, exports, refused attempts, retention.

use ndauth_authority::{
    Announced, AttemptKind, Authority, Clock, Credential, EventPage, EventQuery, NewPolicy, NewService,
    NewToken, RequestOrigin, Visitor, Which, Whose,
};
use ndauth_core::{
    ChainCheck, ChainFault, Coverage, ExportedEvent, Head, Networks, OrgPolicy, Orgs, Reason, Role, Scope,
};

use crate::on_both;
use crate::world::{
    CONSOLE, MINE, UNNEEDED, World, at, granted, in_org, named, new_token, ops, org_token, presented, reason,
    token_with,
};

const ALL: &Whose = &Whose::Anyone;

pub(crate) fn query(change: impl FnOnce(&mut EventQuery)) -> EventQuery {
    let mut query = EventQuery { limit: 100, ..EventQuery::default() };
    change(&mut query);
    query
}

async fn list(world: &World, by: &Credential, whose: &Whose, query: &EventQuery) -> EventPage {
    world.authority.audit().list(by, whose, query).await.expect("listed")
}

pub(crate) async fn texts(world: &World, by: &Credential, whose: &Whose, query: &EventQuery) -> Vec<String> {
    list(world, by, whose, query).await.rows.into_iter().map(|event| event.text).collect()
}

async fn export(world: &World, by: &Credential, whose: &Whose, mut after: u64) -> Vec<ExportedEvent> {
    let mut events = Vec::new();
    loop {
        let page = world.authority.audit().export(by, whose, after).await.expect("exported").events;
        let Some(last) = page.last() else { return events };
        after = last.sequence;
        events.extend(page);
    }
}

fn verify(coverage: Coverage, events: &[ExportedEvent]) -> Result<(u64, Option<Head>), ChainFault> {
    let mut check = ChainCheck::new(coverage);
    events.iter().try_for_each(|event| check.next(event))?;
    check.end()
}

fn visitor() -> Visitor {
    Visitor { address: "198.51.100.9".parse().ok(), device: None }
}

on_both! {
    async fn each_reads_its_own_history(world: &World) {
        let origin = RequestOrigin {
            address: "192.0.2.99".parse().ok(),
            client: ndauth_core::ClientName::of_user_agent("ndcli/0.1.0"),
            request_id: "r-1".to_owned(),
        };
        let token = origin.scope(world.create(&new_token("ci"))).await;
        world.revoke(&world.ada, &named("ci")).await.expect("revoked");
        world.make(&world.eve, &in_org("ops"), &org_token("deploy", &["read:assets"])).await;

        let hers = list(world, &world.ada, MINE, &query(|_| {})).await;
        let newest: Vec<_> = hers.rows.iter().take(2).map(|event| (event.kind, event.text.as_str())).collect();
        assert_eq!(newest, [
            ("token.revoked", "ada revoked the token `ci` (no-longer-needed)."),
            ("token.created", "ada created the token `ci`."),
        ]);
        let created = &hers.rows[1];
        assert_eq!(created.address.as_deref(), Some("192.0.2.99"));
        assert_eq!((created.client.as_deref(), created.request_id.as_deref()), (Some("ndcli/0.1.0"), Some("r-1")));
        assert_eq!(created.token.as_ref().map(|token| token.id.clone()), Some(token.view.token.id.to_string()));
        assert!(hers.rows.iter().all(|event| !event.text.contains("deploy")), "it is none of hers");

        let of_org = texts(world, &world.eve, &in_org("ops"), &query(|_| {})).await;
        assert_eq!(of_org[0], "eve created ops's org token `deploy`.");
        assert!(of_org.iter().all(|text| !text.contains("`ci`")), "a personal token is none of the org's: {of_org:?}");
        // A member, a stranger and a token without the permission are refused, and the console reads everything.
        assert_eq!(reason(world.authority.audit().list(&world.ada, &in_org("ops"), &query(|_| {})).await), Reason::RoleTooLow);
        let stan = world.person("stan", false, None).await;
        assert_eq!(reason(world.authority.audit().list(&stan, &in_org("ops"), &query(|_| {})).await), Reason::NotFound);
        assert_eq!(reason(world.authority.audit().list(&stan, ALL, &query(|_| {})).await), Reason::NotPermitted);
        let everything = list(world, &CONSOLE, ALL, &query(|_| {})).await;
        assert!(everything.rows.len() > hers.rows.len() + 1);
        assert_eq!(everything.rows.last().map(|event| event.sequence), Some(1));
    }

    /// `read:audit` is a permission for reading, and needs the role that a session needs.
    async fn a_token_reads_an_orgs_history_by_its_permission(world: &World) {
        let read = async |secret| {
            world.authority.audit().list(&presented(secret), &in_org("ops"), &query(|_| {})).await.map(|page| page.rows.len())
        };
        let with = world.make(&world.eve, &in_org("ops"), &org_token("audit", &["read:audit"])).await;
        assert_eq!(with.view.token.scope, Scope::Ro, "the least that its permissions need");
        assert!(read(&with.secret).await.expect("read") > 0);
        let without = world.make(&world.eve, &in_org("ops"), &org_token("other", &["read:assets"])).await;
        assert_eq!(reason(read(&without.secret).await), Reason::PermissionNotGranted);
        let personal = |name: &str| NewToken {
            scope: Some(Scope::Ro),
            grants: granted(&["read:audit"]),
            ..new_token(name)
        };
        let admins = world.make(&world.eve, MINE, &personal("audit")).await;
        assert!(read(&admins.secret).await.expect("read") > 0);
        let members = world.make(&world.ada, MINE, &personal("audit")).await;
        assert_eq!(reason(read(&members.secret).await), Reason::RoleTooLow);
        // It reads no history of its owner, and not everything.
        let mine = world.authority.audit().list(&presented(&admins.secret), MINE, &query(|_| {})).await;
        assert_eq!(reason(mine), Reason::SessionRequired);
        let all = world.authority.audit().list(&presented(&admins.secret), ALL, &query(|_| {})).await;
        assert_eq!(reason(all), Reason::SessionRequired);
    }

    /// An org's reader learns nothing of another org, and a person not from where others act.
    async fn nobody_sees_more_than_their_part(world: &World) {
        world.member("dev", "eve", Role::Admin).await;
        let token = world.create(&token_with("both", |new| new.orgs = Some(Orgs::All))).await.view.token.id;
        let from = |address: &str| RequestOrigin { address: address.parse().ok(), ..RequestOrigin::default() };
        let ops = ops();
        let suspend = world.authority.tokens().suspend_personal_token(&world.eve, &ops, token);
        from("203.0.113.5").scope(suspend).await.expect("suspended");
        let dev: ndauth_core::OrgSlug = "dev".parse().expect("a slug");
        world.authority.tokens().suspend_personal_token(&world.eve, &dev, token).await.expect("suspended");
        world.authority.tokens().resume(&CONSOLE, ALL, &Which::Id(token)).await.expect("resumed");

        let of_ops = list(world, &world.eve, &in_org("ops"), &query(|query| query.token = Some(Which::Id(token)))).await;
        let seen: Vec<&str> = of_ops.rows.iter().map(|event| event.text.as_str()).collect();
        assert_eq!(seen, ["The console resumed ada's token `both` in ops.", "eve suspended ada's token `both` in ops."]);
        assert_eq!(of_ops.rows[1].address.as_deref(), Some("203.0.113.5"));
        let hers = list(world, &world.ada, MINE, &query(|query| query.token = Some(Which::Id(token)))).await;
        assert_eq!(hers.rows[0].text, "The console resumed ada's token `both` in dev and in ops.");
        let suspended = hers.rows.iter().find(|event| event.text.contains("in ops") && event.kind == "token.suspended");
        assert_eq!(suspended.expect("it is hers").address, None, "an admin's address is not hers");
        // The export withholds what names the other org, and still shows that the event is there.
        let exported = export(world, &world.eve, &in_org("ops"), 0).await;
        let withheld: Vec<_> = exported.iter().filter(|event| event.public.is_none()).collect();
        assert_eq!(withheld.len(), 1);
        assert!(verify(Coverage::Some, &exported).is_ok());
        let mine = export(world, &world.ada, MINE, 0).await;
        assert!(mine.iter().all(|event| !event.personal.as_ref().is_some_and(|text| text.contains("203.0.113.5"))));
        assert!(verify(Coverage::Some, &mine).is_ok());
    }

    async fn pages_hold_each_event_once_in_both_directions(world: &World) {
        for number in 0..12 {
            world.clock.set(at(60 * number));
            world.make(&world.ada, MINE, &new_token(&format!("t{number}"))).await;
        }
        let whole: Vec<u64> = list(world, &world.ada, MINE, &query(|_| {})).await.rows.iter().map(|event| event.sequence).collect();
        for oldest_first in [false, true] {
            let (mut found, mut place, mut through) = (Vec::new(), None, 0);
            loop {
                let asked = query(|query| {
                    query.limit = 5;
                    (query.after, query.before) = if oldest_first { (Some(place.unwrap_or(0)), None) } else { (None, place) };
                });
                let page = list(world, &world.ada, MINE, &asked).await;
                assert!(page.rows.len() <= 5 && (!oldest_first || page.through >= through));
                through = page.through;
                found.extend(page.rows.iter().map(|event| event.sequence));
                place = page.next;
                if place.is_none() {
                    break;
                }
            }
            if oldest_first {
                found.reverse();
            }
            assert_eq!(found, whole, "oldest first: {oldest_first}");
        }
    }

    async fn filters_leave_out_everything_else(world: &World) {
        let made = world.create(&new_token("ci")).await.view.token.id;
        world.clock.set(at(3600));
        world.make(&world.ada, MINE, &new_token("other")).await;
        world.revoke(&world.ada, &named("ci")).await.expect("revoked");
        let kinds = async |change: &dyn Fn(&mut EventQuery)| {
            list(world, &world.ada, MINE, &query(|query| change(query))).await.rows.iter().map(|event| event.kind).collect::<Vec<_>>()
        };
        assert_eq!(kinds(&|query| query.kind = Some("token.revoked".to_owned())).await, ["token.revoked"]);
        assert_eq!(kinds(&|query| query.kind = Some("token".to_owned())).await, ["token.revoked", "token.created", "token.created"]);
        assert_eq!(kinds(&|query| query.token = Some(named("ci"))).await, ["token.revoked", "token.created"]);
        assert_eq!(kinds(&|query| query.token = Some(Which::Id(made))).await, ["token.revoked", "token.created"]);
        let since = |query: &mut EventQuery| (query.since, query.kind) = (Some(at(3600)), Some("token".to_owned()));
        assert_eq!(kinds(&since).await, ["token.revoked", "token.created"]);
        let until = |query: &mut EventQuery| (query.until, query.kind) = (Some(at(3600)), Some("token".to_owned()));
        assert_eq!(kinds(&until).await, ["token.created"]);
        let wrong = world.authority.audit().list(&world.ada, MINE, &query(|query| query.kind = Some("toke".to_owned()))).await;
        assert_eq!(reason(wrong), Reason::InvalidArgument);
        // Whether an account exists is nobody's business but the operator's.
        world.person("stan", false, None).await;
        for handle in ["nobody", "stan"] {
            let asked = query(|query| query.account = handle.parse().ok());
            assert_eq!(texts(world, &world.eve, &in_org("ops"), &asked).await, [] as [&str; 0]);
        }
        let asked = query(|query| query.account = "nobody".parse().ok());
        assert_eq!(reason(world.authority.audit().list(&CONSOLE, ALL, &asked).await), Reason::InvalidArgument);
    }

    async fn the_whole_log_verifies_from_any_place(world: &World) {
        world.create(&new_token("ci")).await;
        let whole = export(world, &CONSOLE, ALL, 0).await;
        assert_eq!(verify(Coverage::After(0), &whole), Ok((whole.len() as u64, whole.last().map(|last| Head { sequence: last.sequence, hash: last.hash }))));
        let half = whole.len() as u64 / 2;
        assert!(verify(Coverage::After(half), &export(world, &CONSOLE, ALL, half).await).is_ok());
        let operator = world.person("olga", true, None).await;
        assert!(verify(Coverage::After(0), &export(world, &operator, ALL, 0).await).is_ok());
    }

    /// Refused attempts are counted by minute, and shown to those whom they concern.
    async fn refused_attempts_are_counted(world: &World) {
        let logins = world.authority.logins();
        for name in ["ada", "ada", "nobody-here"] {
            assert_eq!(reason(logins.sign_in(name, "wrong", &visitor(), None).await), Reason::SignInRefused);
        }
        let token = world.create(&new_token("ci")).await;
        world.authority.tokens().revoke(&world.ada, MINE, &named("ci"), UNNEEDED).await.expect("revoked");
        world.catch_up().await;
        assert_eq!(world.refused(&token.secret).await, Some(Reason::TokenRevoked));
        assert_eq!(world.refused(&token.secret).await, Some(Reason::TokenRevoked));
        assert_eq!(reason(world.authority.orgs().freeze(&world.ada, &ops()).await), Reason::RoleTooLow);
        let list = async |by: &Credential, whose: &Whose| {
            let page = world.authority.audit().attempts(by, whose, None, None, 100).await.expect("listed");
            let mut rows: Vec<_> = page.rows.into_iter().map(|row| (row.kind, row.count, row.reason, row.network, row.text)).collect();
            rows.sort_by(|a, b| a.4.cmp(&b.4));
            rows
        };
        assert_eq!(list(&CONSOLE, ALL).await.len(), 0, "the minute is not over");
        world.clock.set(at(60));
        world.authority.validation().write_attempts().await.expect("written");
        let network = "198.51.100.0/24".to_owned();
        let expected = |kind, count, reason: &str, network: &str, text: &str| (kind, count, reason.to_owned(), network.to_owned(), text.to_owned());
        assert_eq!(list(&world.ada, MINE).await, [
            expected(AttemptKind::Change, 1, "ROLE_TOO_LOW", "192.0.2.0/24", "Refused a change by ada, once from 192.0.2.0/24."),
            expected(
                AttemptKind::Validation, 2, "TOKEN_REVOKED", "203.0.113.0/24",
                "Refused the ended secret of the token `ci`, 2 times from 203.0.113.0/24.",
            ),
            expected(AttemptKind::SignIn, 2, "SIGN_IN_REFUSED", &network, "Refused to sign in as ada, 2 times from 198.51.100.0/24."),
        ]);
        let of_org = list(&world.eve, &in_org("ops")).await;
        assert_eq!(of_org.len(), 1, "the change in the org: {of_org:?}");
        let all = list(&CONSOLE, ALL).await;
        assert_eq!(all.len(), 4);
        assert!(all.iter().any(|row| row.4 == "Refused to sign in with a name that nobody has, once from 198.51.100.0/24."));
        // The names that were typed are nowhere: people type passwords there.
        assert!(all.iter().all(|row| !row.4.contains("nobody-here")));
        assert_eq!(world.authority.audit().forget_attempts().await.expect("none is old"), 0);
        world.clock.set(at(100 * 24 * 60 * 60));
        assert_eq!(world.authority.audit().forget_attempts().await.expect("removed"), 4);
    }

    /// Whatever the flood, few rows are left, and none of the count is lost.
    async fn a_flood_leaves_few_rows(world: &World) {
        let from = |number: u32| Visitor { address: Some(std::net::Ipv4Addr::from_bits(number << 8).into()), device: None };
        // A `/16`, and then seven others a minute later. Each has 10 rows, and all have 20. One more is that of the others.
        for (numbers, tries, rows) in [(0..256, 256, 11), (256..2000, 2000, 11 + 21)] {
            world.clock.set(at(i64::from(numbers.start)));
            for number in numbers {
                let refused = world.authority.logins().sign_in("ada", "wrong", &from(number), None).await;
                assert!(matches!(reason(refused), Reason::SignInRefused | Reason::TooManyTries));
            }
            world.authority.validation().write_all_attempts().await.expect("written");
            let page = world.authority.audit().attempts(&CONSOLE, ALL, None, None, 1000).await.expect("listed");
            assert_eq!((page.rows.iter().map(|row| row.count).sum::<u64>(), page.rows.len()), (tries, rows));
        }
    }

    async fn a_pruned_log_still_verifies(world: &World) {
        let before = export(world, &CONSOLE, ALL, 0).await.len() as u64;
        world.clock.set(at(40 * 24 * 60 * 60));
        let ada = world.log_in("ada").await;
        world.make(&ada, MINE, &new_token("later")).await;
        let operator = world.authority.operator();
        assert_eq!(reason(operator.prune_events(&CONSOLE, at(40 * 24 * 60 * 60 - 60)).await), Reason::InvalidArgument);
        let pruned = operator.prune_events(&CONSOLE, at(10 * 24 * 60 * 60)).await.expect("pruned");
        assert_eq!((pruned.removed, pruned.through.sequence), (before, before));
        let again = operator.prune_events(&CONSOLE, at(10 * 24 * 60 * 60)).await.expect("nothing is left");
        assert_eq!((again.removed, again.through), (0, pruned.through));
        let rest = export(world, &CONSOLE, ALL, 0).await;
        assert_eq!(rest.iter().map(|event| event.sequence).collect::<Vec<_>>(), [before + 1, before + 2, before + 3]);
        assert_eq!(verify(Coverage::After(0), &rest).map(|(events, _)| events), Ok(3));
        assert_eq!(verify(Coverage::After(0), &rest[1..]).map(|(events, _)| events), Err(ChainFault::Missing(1)));
        let hers = texts(world, &ada, MINE, &query(|_| {})).await;
        assert_eq!(hers, ["ada created the token `later`.", "The console issued a session for ada."]);
        let day = 24 * 60 * 60;
        for (since, until, events) in [(0, 41, 3), (0, 40, 0), (39, 41, 3), (0, 10, 0)] {
            let asked = query(|query| (query.since, query.until) = (Some(at(since * day)), Some(at(until * day))));
            assert_eq!(list(world, &CONSOLE, ALL, &asked).await.rows.len(), events, "{since} to {until}");
        }
        let checked = operator.check(&CONSOLE).await.expect("checked");
        assert_eq!((checked.faults, checked.rows), (Vec::new(), 0));
        assert!(checked.notes[0].contains(&format!("up to event {before}")), "{:?}", checked.notes);
        // A server that starts finds its log where it left it.
        let opened = Authority::open(&world.scratch.url, Clock::Manual(world.clock.clone()), None).await.expect("opened");
        opened.may_serve().await.expect("it serves");
    }

    /// Nothing of a person is left but ids, and the chain still verifies.
    async fn an_erased_person_leaves_only_ids(world: &World) {
        let secret = world.create(&token_with("ci", |new| new.description = "ada's laptop".parse().ok())).await.secret;
        let ada: ndauth_core::Handle = "ada".parse().expect("a handle");
        let operator = world.authority.operator();
        let refused = operator.erase_account(&CONSOLE, &ada).await;
        assert_eq!(reason(refused), Reason::InvalidArgument, "she may still sign in");
        // An offer names her, and the networks of a policy that she set are erased with her.
        let eve = world.log_in("eve").await;
        world.authority.orgs().remove_member(&eve, &ops(), &ada).await.expect("removed");
        world.clock.set(at(1));
        world.authority.orgs().offer_membership(&eve, &ops(), &ada, Role::Admin).await.expect("offered");
        let hers = world.log_in("ada").await;
        let offer = world.authority.orgs().list_offers(&hers, MINE).await.expect("listed").rows.remove(0);
        world.authority.orgs().accept_offer(&hers, &ops(), offer.role).await.expect("accepted");
        let policy = OrgPolicy { networks: Networks::Only(["192.0.2.0/24".parse().expect("a network")].into()), ..OrgPolicy::OPEN };
        let policy = NewPolicy { policy, effective_in: std::time::Duration::ZERO, announced: Announced::Keep, expected: None };
        world.authority.orgs().set_policy(&hers, &ops(), &policy).await.expect("set");
        operator.disable_account(&CONSOLE, &ada).await.expect("disabled");
        operator.erase_account(&CONSOLE, &ada).await.expect("erased");
        let exported = export(world, &CONSOLE, ALL, 0).await;
        assert!(verify(Coverage::After(0), &exported).is_ok());
        for trace in ["ada", "laptop", "192.0.2."] {
            let has = |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains(trace));
            let left: Vec<_> = exported.iter().filter(|event| has(&event.personal)).collect();
            assert!(left.is_empty(), "`{trace}` is left: {left:?}");
        }
        let listed = list(world, &CONSOLE, ALL, &query(|_| {})).await;
        assert!(listed.rows.iter().any(|event| event.erased && event.kind == "token.created"));
        let of_her = world.authority.audit().list(&CONSOLE, ALL, &query(|query| query.account = Some(ada.clone()))).await;
        assert_eq!(reason(of_her), Reason::InvalidArgument, "nobody has the name any more");
        assert_eq!(world.refused(&secret).await, Some(Reason::AccountDisabled));
        world.sound().await;
    }

    async fn a_secrets_trail_is_found_by_its_hash(world: &World) {
        let made = world.create(&new_token("ci")).await;
        world.revoke(&world.ada, &named("ci")).await.expect("revoked");
        let trail = world.authority.operator().find_secret(&CONSOLE, &made.secret).await.expect("found");
        assert_eq!(trail.prefix, made.secret.prefix());
        assert_eq!(trail.belongs_to, Some(format!("the token `ci` ({})", made.view.token.id)));
        let kinds: Vec<_> = trail.events.expect("events").rows.iter().map(|event| event.kind).collect();
        assert_eq!(kinds, ["token.revoked", "token.created"]);
        // A service is found after it was revoked, and another has its name.
        let new = NewService { name: "ci".parse().expect("a name"), orgs: Orgs::All, states_address: false };
        let service = world.authority.operator().create_service(&CONSOLE, &new).await.expect("created").value;
        world.authority.operator().revoke_service(&CONSOLE, &new.name).await.expect("revoked");
        world.authority.operator().create_service(&CONSOLE, &new).await.expect("created again");
        let trail = world.authority.operator().find_secret(&CONSOLE, &service).await.expect("found");
        let kinds: Vec<_> = trail.events.expect("events").rows.iter().map(|event| event.kind).collect();
        assert_eq!(kinds, ["service.revoked", "service.created"]);
        let unknown = ndauth_core::Secret::mint(ndauth_core::SecretKind::Personal, &mut rand::rngs::SysRng).expect("drawn");
        let trail = world.authority.operator().find_secret(&CONSOLE, &unknown).await.expect("none");
        assert!(trail.belongs_to.is_none() && trail.events.is_none());
        assert_eq!(reason(world.authority.operator().find_secret(&world.ada, &unknown).await), Reason::NotPermitted);
    }
}
