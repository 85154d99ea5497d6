use std::time::Duration;

use ndauth_authority::{
    AccountUpdate, CallerIdentity, Credential, NewOrg, NextCatalogue, Question, Settling, Which, Whose,
};
use ndauth_core::{Label, Reason, Requirement, Timestamp, TokenStatus};
use ndauth_store::testing::execute;

use crate::on_both;
use crate::world::{
    CONSOLE, MINE, UNNEEDED, World, at, keep, named, networks, new_token, of_account, presented, reason,
};

const HOUR: Duration = Duration::from_secs(3600);

fn registry() -> Label {
    "registry".parse().expect("a name")
}

async fn asks(world: &World, service: &Credential) -> Result<(), Reason> {
    let question =
        Question { secret: "", requirement: &Requirement::Identity, client_address: None, client: None };
    world
        .authority
        .validation()
        .validate(service, &question, keep)
        .await
        .map(drop)
        .map_err(|error| error.reason())
}

on_both! {
    async fn signing_out_ends_sessions_and_nothing_else(world: &World) {
        let token = world.create(&new_token("ci")).await.secret;
        let ada = "ada".parse().expect("a handle");
        assert_eq!(world.authority.operator().sign_out(&CONSOLE, &ada).await.expect("signed out").value, 1);
        assert_eq!(reason(world.authority.validation().who_am_i(&world.ada).await), Reason::SessionRevoked);
        assert!(world.authority.validation().who_am_i(&world.eve).await.is_ok());
        assert_eq!(world.refused(&token).await, None);
        let again = world.authority.operator().sign_out(&CONSOLE, &ada).await.expect("unchanged");
        assert_eq!((again.value, again.changed), (0, false));
    }

    /// The mark counts from the next request on, in a session that began before too.
    async fn an_operators_power_comes_and_goes_with_the_mark(world: &World) {
        let stan = world.person("stan", false, None).await;
        let handle = "stan".parse().expect("a handle");
        let (operator, orgs) = (world.authority.operator(), world.authority.orgs());
        let create = async |slug: &str| {
            let new = NewOrg { slug: slug.parse().expect("a slug"), name: None, admin: None };
            orgs.create(&stan, &new).await.map(drop).map_err(|error| error.reason())
        };
        assert_eq!(create("first").await, Err(Reason::NotPermitted));
        assert!(operator.grant_operator(&CONSOLE, &handle).await.expect("granted").changed);
        assert!(!operator.grant_operator(&CONSOLE, &handle).await.expect("unchanged").changed);
        assert_eq!(create("first").await, Ok(()));
        // An operator makes no operators: only the console does.
        assert_eq!(reason(operator.grant_operator(&stan, &"ada".parse().expect("a handle")).await), Reason::NotPermitted);
        assert_eq!(reason(operator.revoke_operator(&stan, &handle).await), Reason::NotPermitted);
        let revoked = operator.revoke_operator(&CONSOLE, &handle).await.expect("revoked");
        assert!(revoked.changed && !revoked.value.operator);
        assert!(!operator.revoke_operator(&CONSOLE, &handle).await.expect("unchanged").changed);
        assert_eq!(create("second").await, Err(Reason::NotPermitted));
        assert!(world.authority.validation().who_am_i(&stan).await.is_ok(), "the session itself goes on");
        world.sound().await;
    }

    /// The mirror has what is updated: a token's identity shows it.
    async fn an_account_is_updated(world: &World) {
        let token = presented(&world.create(&new_token("ci")).await.secret);
        let ada = "ada".parse().expect("a handle");
        let update = async |email: Option<&str>, name: Option<&str>| {
            let update = AccountUpdate {
                email: email.map(|text| text.parse().expect("an address")),
                name: name.map(|text| text.parse().expect("a name")),
            };
            world.authority.operator().update_account(&CONSOLE, &ada, &update).await
        };
        let shown = async || match world.authority.validation().who_am_i(&token).await.expect("known").identity {
            CallerIdentity::Token(account, _) => {
                (account.email.to_string(), account.name.map(|name| name.to_string()), account.operator)
            }
            other => panic!("{other:?}"),
        };
        let (address, name) = ("countess@example.org".to_owned(), Some("Ada Lovelace".to_owned()));
        assert_eq!(shown().await, ("ada@example.org".to_owned(), None, false));
        assert!(update(Some("countess@example.org"), None).await.expect("updated").changed);
        assert_eq!(shown().await, (address.clone(), None, false));
        assert!(update(None, Some("Ada Lovelace")).await.expect("updated").changed);
        world.authority.operator().grant_operator(&CONSOLE, &ada).await.expect("granted");
        assert_eq!(shown().await, (address, name, true));
        assert!(!update(Some("countess@example.org"), Some("Ada Lovelace")).await.expect("the same").changed);
        assert_eq!(reason(update(None, None).await), Reason::InvalidArgument);
        assert_eq!(reason(update(Some("eve@example.org"), Some("Eve")).await), Reason::NameTaken);
        world.sound().await;
    }

    async fn a_service_rotates_with_one_overlap_at_a_time(world: &World) {
        let rotate = async |overlap| world.authority.operator().rotate_service(&CONSOLE, &registry(), overlap).await.map(|done| done.value);
        let rotated = rotate(HOUR).await.expect("rotated");
        assert_eq!(rotated.pending_until, at(900));
        let second = presented(&rotated.secret);
        assert_eq!(asks(world, &world.service).await, Ok(()));
        assert_eq!(reason(rotate(HOUR).await), Reason::RotationPending);
        assert_eq!(asks(world, &second).await, Ok(()));
        world.authority.validation().follow_up().await.expect("confirmed by its first use");
        assert_eq!(asks(world, &world.service).await, Ok(()));
        assert_eq!(reason(rotate(HOUR).await), Reason::OverlapRuns);

        world.clock.set(at(3600));
        assert_eq!(asks(world, &world.service).await, Err(Reason::SecretReplaced));
        assert_eq!(asks(world, &second).await, Ok(()));

        let settle = async |settling| world.authority.operator().settle_service(&CONSOLE, &registry(), &settling).await;
        let third = presented(&rotate(HOUR).await.expect("rotated again").secret);
        assert!(settle(Settling::Drop).await.expect("dropped").changed);
        let fourth = presented(&rotate(Duration::ZERO).await.expect("at once").secret);
        assert!(settle(Settling::Confirm(None)).await.expect("confirmed").changed);
        assert_eq!(reason(settle(Settling::Retire { anyway: true }).await), Reason::NoRotation);
        for (secret, expected) in [
            (&second, Err(Reason::SecretReplaced)), (&third, Err(Reason::SecretExpired)), (&fourth, Ok(())),
        ] {
            assert_eq!(asks(world, secret).await, expected);
        }
        let services = world.authority.operator().list_services(&CONSOLE).await.expect("listed").rows;
        let listed = services.iter().find(|view| view.service.name == registry()).expect("it is there");
        assert_eq!(listed.secrets.len(), 4);
        world.sound().await;
    }

    async fn the_operator_revokes_anybodys_token(world: &World) {
        let (first, second) = (world.create(&new_token("ci")).await, world.create(&new_token("cd")).await);
        let revoke = async |whose: &Whose, which: &Which| {
            world.authority.tokens().revoke(&CONSOLE, whose, which, UNNEEDED).await.map(|done| done.changed)
        };
        let (ada, by_id) = (of_account("ada"), Which::Id(second.view.token.id));
        assert!(revoke(&ada, &named("ci")).await.expect("revoked"));
        assert!(revoke(&Whose::Anyone, &by_id).await.expect("revoked"));
        assert!(!revoke(&Whose::Anyone, &by_id).await.expect("it stays revoked"));
        assert!(!revoke(&ada, &named("ci")).await.expect("it stays revoked"));
        // A name refers to nothing without its owner.
        assert_eq!(reason(revoke(&Whose::Anyone, &named("ci")).await), Reason::NotFound);
        assert_eq!(reason(revoke(&of_account("eve"), &named("ci")).await), Reason::NotFound);
        assert_eq!(reason(revoke(&of_account("eve"), &by_id).await), Reason::NotFound);
        for token in [&first, &second] {
            assert_eq!(world.refused(&token.secret).await, Some(Reason::TokenRevoked));
        }
        let listed = async |all| world.authority.operator().list_every_token(&CONSOLE, None, all).await.expect("listed").rows;
        assert_eq!((listed(false).await.len(), listed(true).await.len()), (0, 2));
        assert_eq!(listed(true).await[0].owner_name(), "ada");
    }

    async fn lists_show_everything(world: &World) {
        let authority = &world.authority;
        let accounts = authority.operator().list_accounts(&CONSOLE).await.expect("listed").rows;
        assert_eq!(accounts.iter().map(|a| a.handle.to_string()).collect::<Vec<_>>(), ["ada", "eve"]);
        let orgs = authority.operator().list_every_org(&CONSOLE).await.expect("listed").rows;
        assert_eq!(orgs.iter().map(|v| (v.org.slug.to_string(), v.members)).collect::<Vec<_>>(), [("dev".into(), 1), ("ops".into(), 2)]);
        let members = authority.operator().list_every_member(&CONSOLE).await.expect("listed").rows;
        let members: Vec<_> = members.iter().map(|m| format!("{} {} {}", m.org, m.account, m.role)).collect();
        assert_eq!(members, ["dev ada RO", "ops ada RW", "ops eve ADMIN"]);
        let mut sessions = authority.operator().list_sessions(&CONSOLE).await.expect("listed").rows;
        // Sessions of one instant are in no order.
        sessions.sort_by(|a, b| a.account.cmp(&b.account));
        assert_eq!(sessions.iter().map(|v| v.account.to_string()).collect::<Vec<_>>(), ["ada", "eve"]);
        let services = authority.operator().list_services(&CONSOLE).await.expect("listed").rows;
        assert_eq!(services.iter().map(|v| v.service.name.to_string()).collect::<Vec<_>>(), ["ops only", "registry"]);
    }

    /// Each fault that a database client causes in a sound database is named.
    async fn a_check_names_what_is_wrong(world: &World) {
        let token = world.create(&new_token("ci")).await.view.token;
        world.create(&new_token("cd")).await;
        world.authority.tokens().revoke(&CONSOLE, &Whose::Anyone, &Which::Id(token.id), UNNEEDED).await.expect("revoked");
        let policy = ndauth_authority::NewPolicy {
            policy: ndauth_core::OrgPolicy { networks: networks("10.0.0.0/8"), ..ndauth_core::OrgPolicy::OPEN },
            effective_in: Duration::ZERO,
            announced: ndauth_authority::Announced::Keep,
            expected: None,
        };
        world.authority.orgs().set_policy(&world.eve, &"ops".parse().expect("a slug"), &policy).await.expect("set");
        let mut catalogue = world.authority.list_permissions(&CONSOLE).await.expect("listed").document();
        let assets = catalogue.types["assets"].clone();
        catalogue.types.insert("builder".to_owned(), assets);
        world.authority.operator().apply_catalogue(&CONSOLE, &NextCatalogue::Whole(catalogue.clone())).await.expect("applied");
        let eve = "eve".parse().expect("a handle");
        world.person("oona", true, None).await;
        world.authority.operator().disable_account(&CONSOLE, &eve).await.expect("disabled");
        world.authority.operator().sign_out(&CONSOLE, &eve).await.expect("signed out");
        let faults = async || world.authority.operator().check(&CONSOLE).await.expect("checked").faults;
        assert_eq!(faults().await, Vec::<String>::new());
        let store = ndauth_store::Store::connect(&world.scratch.url, ndauth_store::Clock::Database).await.expect("connected");
        for (done, undone, expected) in [
            (
                "UPDATE token SET revoked_at = NULL WHERE name = 'ci'",
                format!("UPDATE token SET revoked_at = {} WHERE name = 'ci'", at(0).micros()),
                "lives, and the log says it was revoked at 2027-01-15T08:00:00Z",
            ),
            (
                "UPDATE account SET operator = TRUE WHERE handle = 'ada'",
                "UPDATE account SET operator = FALSE WHERE handle = 'ada'".to_owned(),
                "is an operator, and the log does not say so",
            ),
            (
                "UPDATE account SET operator = FALSE WHERE handle = 'oona'",
                "UPDATE account SET operator = TRUE WHERE handle = 'oona'".to_owned(),
                "is no operator, and the log says that it is",
            ),
            (
                "UPDATE account SET disabled_at = NULL",
                format!("UPDATE account SET disabled_at = {} WHERE handle = 'eve'", at(0).micros()),
                "lives, and the log says it was disabled",
            ),
            (
                "UPDATE membership SET role = 'ADMIN' WHERE role = 'RO'",
                "UPDATE membership SET role = 'RO' WHERE org_id = (SELECT id FROM org WHERE slug = 'dev')".to_owned(),
                "has the role `ADMIN`, and the log says `RO`",
            ),
            (
                "UPDATE session SET revoked_at = NULL",
                format!("UPDATE session SET revoked_at = {} WHERE account_id = (SELECT id FROM account WHERE handle = 'eve')", at(0).micros()),
                "the session",
            ),
            (
                "UPDATE token SET all_orgs = FALSE WHERE name = 'cd'",
                "UPDATE token SET all_orgs = TRUE WHERE name = 'cd'".to_owned(),
                "a token for some orgs lists none",
            ),
            (
                "UPDATE token SET all_networks = FALSE WHERE name = 'cd'",
                "UPDATE token SET all_networks = TRUE WHERE name = 'cd'".to_owned(),
                "a token for some networks lists none",
            ),
            (
                "UPDATE token SET all_services = FALSE WHERE name = 'cd'",
                "UPDATE token SET all_services = TRUE WHERE name = 'cd'".to_owned(),
                "a token for some services lists none",
            ),
            (
                "UPDATE org_policy SET personal_tokens = FALSE",
                "UPDATE org_policy SET personal_tokens = TRUE".to_owned(),
                "the policies of the org `ops` differ from the log",
            ),
            (
                "UPDATE org_policy SET all_networks = TRUE",
                "UPDATE org_policy SET all_networks = FALSE".to_owned(),
                "a policy of the org differs from its list of networks",
            ),
            (
                "UPDATE catalogue SET document = replace(document, 'approve', 'applaud')",
                "UPDATE catalogue SET document = replace(document, 'applaud', 'approve')".to_owned(),
                "the catalogue differs from the log",
            ),
            (
                "UPDATE token SET scope = 'RO', name = '' WHERE name = 'cd' AND live_name IS NULL",
                "SELECT 1".to_owned(),
                "",
            ),
            (
                "UPDATE secret SET prefix = 'ndses_abcdef' WHERE service_id IS NOT NULL",
                "UPDATE secret SET prefix = 'ndsvc_abcdef' WHERE service_id IS NOT NULL".to_owned(),
                "a secret's prefix does not fit what it belongs to",
            ),
            (
                "UPDATE head SET sequence = sequence + 1",
                "UPDATE head SET sequence = sequence - 1".to_owned(),
                "the head of the log is at event",
            ),
            (
                "UPDATE event SET personal_hash = hash WHERE sequence = 3",
                String::new(),
                "the log's chain is broken at event 3, which does not follow event 2",
            ),
        ] {
            execute(&store, done).await;
            let found = faults().await;
            if expected.is_empty() {
                assert_eq!(found, Vec::<String>::new(), "{done}");
            } else {
                assert!(found.iter().any(|fault| fault.contains(expected)), "{done}: {found:?}");
            }
            if undone.is_empty() {
                break;
            }
            execute(&store, &undone).await;
            assert_eq!(faults().await, Vec::<String>::new(), "{undone}");
        }
    }

    async fn secrets_minted_before_are_revoked(world: &World) {
        let old = world.create(&new_token("old")).await.secret;
        world.clock.set(at(10));
        let settled = world.authority.operator().after_restore(&CONSOLE, &ndauth_authority::Settlement::NotBefore(at(10))).await;
        let settled = settled.expect("settled");
        assert_eq!((settled.not_before, settled.revoked, settled.others), (at(10), 5, 0));
        assert_eq!(reason(world.authority.validation().who_am_i(&world.ada).await), Reason::SessionRevoked);
        assert_eq!(asks(world, &world.service).await, Err(Reason::ServiceRevoked));
        assert_eq!(reason(world.authority.validation().who_am_i(&presented(&old)).await), Reason::TokenRevoked);
        let oona = world.person("oona", true, None).await;
        let serving = async || {
            let page = world.authority.operator().list_services_page(&oona, false, None, 10).await.expect("a page");
            page.rows.iter().map(|view| view.secrets.len()).collect::<Vec<_>>()
        };
        assert_eq!(serving().await, [0, 0], "their secrets are revoked");
        let service = world.authority.operator().rotate_service(&CONSOLE, &registry(), Duration::ZERO).await.expect("rotated").value;
        assert_eq!(serving().await.iter().sum::<usize>(), 1);
        let session = world.authority.operator().issue_session(&CONSOLE, &"ada".parse().expect("a handle"), crate::world::days(1)).await;
        let ada = presented(&session.expect("a session"));
        let new = world.make(&ada, MINE, &new_token("new")).await.secret;
        let ask = async |secret: &ndauth_core::Secret| {
            let requirement = crate::world::needs("ops", ndauth_core::Scope::Rw, None);
            let verdict = world.ask(&presented(&service.secret), secret.expose(), &requirement).await;
            verdict.outcome.err().map(|refusal| refusal.reason())
        };
        assert_eq!((ask(&old).await, ask(&new).await), (Some(Reason::TokenRevoked), None));
        let listed = world.authority.operator().list_every_token(&CONSOLE, None, false).await.expect("listed");
        let status = |view: &ndauth_core::TokenView| (view.token.name.to_string(), view.status(at(10)));
        let statuses: Vec<_> = listed.rows.iter().map(status).collect();
        assert_eq!(statuses, [("old".into(), TokenStatus::Revoked), ("new".into(), TokenStatus::Active)]);
        // A revoked token keeps neither its name nor its place among the live ones.
        world.make(&ada, MINE, &new_token("old")).await;

        // The instant is never moved back, and must not be in the future.
        let back = world.authority.operator().after_restore(&CONSOLE, &ndauth_authority::Settlement::NotBefore(Timestamp::MIN)).await;
        assert_eq!(back.expect("settled").not_before, at(10));
        let ahead = world.authority.operator().after_restore(&CONSOLE, &ndauth_authority::Settlement::NotBefore(at(11))).await;
        assert_eq!(reason(ahead), Reason::InvalidArgument);
        world.sound().await;
    }
}
