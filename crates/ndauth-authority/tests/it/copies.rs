//! Backup, restore, and the secrets whose revocation a copy has forgotten.

use std::sync::Arc;

use ndauth_authority::{
    AccountUpdate, Authority, AuthorityError, Clock, CopyError, DatabaseUrl, Engine, MintedWhen, NewOrg,
    NewToken, Settlement, Which, Whose, parse_export,
};
use ndauth_core::{Reason, Role, Scope, Secret};
use ndauth_store::testing::execute;

use crate::on_both;
use crate::world::{
    CONSOLE, MEMBERS, MINE, UNNEEDED, World, at, following, keep, needs, new_token, ops, reason,
};

/// Returns the whole log, as it is exported.
async fn export(authority: &Authority) -> String {
    let mut text = String::new();
    let mut after = 0;
    loop {
        let page = authority.audit().export_at_console(after).await.expect("exported");
        let Some(last) = page.last() else { return text };
        after = last.sequence;
        text.extend(page.iter().map(|event| event.to_line() + "\n"));
    }
}

async fn replay(authority: &Authority, export: &str) -> Result<u64, AuthorityError> {
    let events = parse_export(export)?;
    authority
        .operator()
        .after_restore(&CONSOLE, &Settlement::Replay(events))
        .await
        .map(|settled| settled.replayed)
}

async fn refused(authority: &Authority, world: &World, secret: &Secret, org: &str) -> Option<Reason> {
    let requirement = needs(org, Scope::Rw, None);
    let question = ndauth_authority::Question {
        secret: secret.expose(),
        requirement: &requirement,
        client_address: None,
        client: None,
    };
    let answer =
        authority.validation().validate(&world.service, &question, keep).await.expect("it is decided");
    answer.value.outcome.err().map(|refusal| refusal.reason())
}

async fn reopened(world: &World) -> Arc<Authority> {
    let clock = Clock::Manual(world.clock.clone());
    following(Authority::open(&world.scratch.url, clock, None).await.expect("the authority opens")).await
}

/// Returns a world of which a copy was made. Then a token was revoked, one was made, and ada lost her role.
async fn world_with_stale_copy() -> (World, tempfile::TempDir, [Secret; 3], String) {
    let world = World::new(Engine::Sqlite).await;
    let (dead, alive) = (world.create(&new_token("dead")).await, world.create(&new_token("alive")).await);
    let folder = tempfile::tempdir().expect("a folder");
    world.authority.operator().back_up(&CONSOLE, &folder.path().join("copy.db")).await.expect("copied");
    world.clock.set(at(60));
    let by_id = Which::Id(dead.view.token.id);
    world.authority.tokens().revoke(&CONSOLE, &Whose::Anyone, &by_id, UNNEEDED).await.expect("revoked");
    let late = world.create(&new_token("late")).await;
    let (dev, ada) = ("dev".parse().expect("a slug"), "ada".parse().expect("a handle"));
    world.authority.orgs().add_member(&CONSOLE, &dev, &ada, Role::Rw).await.expect("set");
    world.authority.orgs().remove_member(&CONSOLE, &dev, &ada).await.expect("removed");
    let log = export(&world.authority).await;
    world.authority.close().await.expect("closed");
    Authority::restore(&world.scratch.url, &folder.path().join("copy.db")).await.expect("restored");
    (world, folder, [dead.secret, alive.secret, late.secret], log)
}

#[tokio::test]
async fn a_restored_copy_is_not_served() {
    let (world, _folder, [dead, ..], _) = world_with_stale_copy().await;
    let authority = reopened(&world).await;
    assert!(matches!(authority.may_serve().await, Err(AuthorityError::Restored)));
    assert_eq!(reason(authority.validation().who_am_i(&world.ada).await), Reason::Unavailable);
    assert_eq!(
        reason(authority.tokens().create(&world.ada, MINE, &new_token("more")).await),
        Reason::Unavailable
    );
    let requirement = needs("ops", Scope::Rw, None);
    let question = ndauth_authority::Question {
        secret: dead.expose(),
        requirement: &requirement,
        client_address: None,
        client: None,
    };
    assert_eq!(
        reason(authority.validation().validate(&world.service, &question, keep).await),
        Reason::Unavailable
    );
    // It can be inspected.
    assert_eq!(authority.operator().list_accounts(&CONSOLE).await.expect("listed").rows.len(), 2);
    assert!(authority.operator().check(&CONSOLE).await.expect("checked").faults.is_empty());
}

#[tokio::test]
async fn forgotten_events_are_replayed() {
    let (world, _folder, [dead, alive, late], log) = world_with_stale_copy().await;
    let authority = reopened(&world).await;
    assert_eq!(replay(&authority, &log).await.expect("replayed"), 4);
    authority.may_serve().await.expect("it serves");
    assert_eq!(refused(&authority, &world, &dead, "ops").await, Some(Reason::TokenRevoked));
    assert_eq!(refused(&authority, &world, &alive, "ops").await, None);
    assert_eq!(refused(&authority, &world, &alive, "dev").await, Some(Reason::NotAMember));
    // It was made after the copy, so it is unknown now.
    assert_eq!(refused(&authority, &world, &late, "ops").await, Some(Reason::SecretUnknown));
    assert_eq!(authority.operator().check(&CONSOLE).await.expect("checked").faults, Vec::<String>::new());
    // The log continues where it was, so nobody who followed it notices.
    assert!(export(&authority).await.starts_with(&log));
    let listed = authority.operator().list_every_token(&CONSOLE, None, true).await.expect("listed");
    let dead = listed.rows.iter().find(|row| row.token.name.as_str() == "dead").expect("it is there");
    assert_eq!(dead.token.revoked_at, Some(at(60)), "as of when it was");
}

/// A copy has forgotten that one offer was withdrawn, and that another was accepted.
#[tokio::test]
async fn a_restored_copy_offers_no_membership() {
    let world = World::new(Engine::Sqlite).await;
    let (bob, cy) = (world.person("bob", false, None).await, world.person("cy", false, None).await);
    world.clock.set(at(1));
    let orgs = world.authority.orgs();
    let [to_bob, to_cy] = ["bob", "cy"].map(|handle| handle.parse().expect("a handle"));
    for handle in [&to_bob, &to_cy] {
        orgs.offer_membership(&world.eve, &ops(), handle, Role::Admin).await.expect("offered");
    }
    let folder = tempfile::tempdir().expect("a folder");
    world.authority.operator().back_up(&CONSOLE, &folder.path().join("copy.db")).await.expect("copied");
    world.clock.set(at(60));
    orgs.withdraw_offer(&world.eve, &ops(), &to_bob).await.expect("withdrawn");
    orgs.accept_offer(&cy, &ops(), Role::Admin).await.expect("accepted");
    let log = export(&world.authority).await;
    world.authority.close().await.expect("closed");
    Authority::restore(&world.scratch.url, &folder.path().join("copy.db")).await.expect("restored");
    let authority = reopened(&world).await;
    assert_eq!(replay(&authority, &log).await.expect("replayed"), 2);
    let accepted = authority.orgs().accept_offer(&bob, &ops(), Role::Admin).await;
    assert_eq!(reason(accepted), Reason::NotFound);
    let listed = authority.orgs().list_members(&world.eve, &ops(), MEMBERS).await.expect("listed");
    let handles: Vec<_> = listed.members.iter().map(|member| member.handle.as_str()).collect();
    assert_eq!(handles, ["ada", "cy", "eve"], "what was accepted is done again");
    assert_eq!(authority.operator().check(&CONSOLE).await.expect("checked").faults, Vec::<String>::new());
}

/// A copy has forgotten an org's new policy, and a change of the catalogue.
#[tokio::test]
async fn policies_and_the_catalogue_are_done_again() {
    let world = World::new(Engine::Sqlite).await;
    let token = world.create(&new_token("ci")).await.secret;
    let folder = tempfile::tempdir().expect("a folder");
    world.authority.operator().back_up(&CONSOLE, &folder.path().join("copy.db")).await.expect("copied");
    world.clock.set(at(60));
    let bars = ndauth_authority::NewPolicy {
        policy: ndauth_core::OrgPolicy { personal_tokens: false, ..ndauth_core::OrgPolicy::OPEN },
        effective_in: std::time::Duration::ZERO,
        announced: ndauth_authority::Announced::Keep,
        expected: None,
    };
    world.authority.orgs().set_policy(&world.eve, &"ops".parse().expect("a slug"), &bars).await.expect("set");
    let mut catalogue = world.authority.list_permissions(&CONSOLE).await.expect("listed").document();
    catalogue.types.remove("assets");
    world
        .authority
        .operator()
        .apply_catalogue(&CONSOLE, &ndauth_authority::NextCatalogue::Whole(catalogue.clone()))
        .await
        .expect("applied");
    let log = export(&world.authority).await;
    world.authority.close().await.expect("closed");
    Authority::restore(&world.scratch.url, &folder.path().join("copy.db")).await.expect("restored");
    let authority = reopened(&world).await;
    assert_eq!(replay(&authority, &log).await.expect("replayed"), 2);
    assert_eq!(refused(&authority, &world, &token, "ops").await, Some(Reason::PersonalBarred));
    assert_eq!(authority.list_permissions(&CONSOLE).await.expect("listed").document(), catalogue);
    assert_eq!(authority.operator().check(&CONSOLE).await.expect("checked").faults, Vec::<String>::new());
}

/// A copy has forgotten the new descriptions of tokens. A token whose description was removed has none.
#[tokio::test]
async fn descriptions_are_done_again() {
    let world = World::new(Engine::Sqlite).await;
    let described = |text: &str| Some(text.parse().expect("a description"));
    for (name, text) in [("set", None), ("removed", described("old")), ("left", described("same"))] {
        world.create(&NewToken { description: text, ..new_token(name) }).await;
    }
    let folder = tempfile::tempdir().expect("a folder");
    world.authority.operator().back_up(&CONSOLE, &folder.path().join("copy.db")).await.expect("copied");
    for (name, text) in [("set", described("new")), ("removed", None)] {
        let which = Which::Name(name.parse().expect("a name"));
        world.authority.tokens().update(&world.ada, MINE, &which, Some(&text)).await.expect("updated");
    }
    let log = export(&world.authority).await;
    world.authority.close().await.expect("closed");
    Authority::restore(&world.scratch.url, &folder.path().join("copy.db")).await.expect("restored");
    let authority = reopened(&world).await;
    assert_eq!(replay(&authority, &log).await.expect("replayed"), 2);
    let listed = authority.operator().list_every_token(&CONSOLE, None, true).await.expect("listed");
    for (name, text) in [("set", described("new")), ("removed", None), ("left", described("same"))] {
        let row = listed.rows.iter().find(|row| row.token.name.as_str() == name).expect("it is there");
        assert_eq!(row.token.description, text, "{name}");
    }
}

/// A copy has forgotten who is an operator, and the new addresses and names of accounts. One that was erased from
/// the log stays as it was, although another account took the address meanwhile.
#[tokio::test]
async fn operators_addresses_and_names_are_done_again() {
    let world = World::new(Engine::Sqlite).await;
    let oona = world.person("oona", true, None).await;
    let folder = tempfile::tempdir().expect("a folder");
    world.authority.operator().back_up(&CONSOLE, &folder.path().join("copy.db")).await.expect("copied");
    let operator = world.authority.operator();
    let update = async |handle: &str, email: &str| {
        let update = AccountUpdate { email: email.parse().ok(), name: format!("new {handle}").parse().ok() };
        operator.update_account(&CONSOLE, &handle.parse().expect("a handle"), &update).await.expect("updated")
    };
    operator.revoke_operator(&CONSOLE, &"oona".parse().expect("a handle")).await.expect("revoked");
    operator.grant_operator(&CONSOLE, &"eve".parse().expect("a handle")).await.expect("granted");
    let erased = update("ada", "countess@example.org").await;
    update("eve", "ada@example.org").await;
    let store = ndauth_store::Store::connect(&world.scratch.url, Clock::Database).await.expect("connected");
    let erase =
        format!("UPDATE event SET personal_bytes = NULL, salt = NULL WHERE sequence = {}", erased.sequence);
    execute(&store, &erase).await;
    let log = export(&world.authority).await;
    world.authority.close().await.expect("closed");
    drop(store);
    Authority::restore(&world.scratch.url, &folder.path().join("copy.db")).await.expect("restored");
    let authority = reopened(&world).await;
    assert_eq!(replay(&authority, &log).await.expect("replayed"), 4);
    let accounts = authority.operator().list_accounts(&CONSOLE).await.expect("listed").rows;
    let shown = |account: &ndauth_core::Account| {
        let name = account.name.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{} {} {name} {}", account.handle, account.email, account.operator)
    };
    assert_eq!(
        accounts.iter().map(shown).collect::<Vec<_>>(),
        ["ada ada@example.org  false", "eve eve@example.org new eve true", "oona oona@example.org  false"]
    );
    let org = NewOrg { slug: "late".parse().expect("a slug"), name: None, admin: None };
    assert_eq!(reason(authority.orgs().create(&oona, &org).await), Reason::NotPermitted);
    assert_eq!(authority.operator().check(&CONSOLE).await.expect("checked").faults, Vec::<String>::new());
}

/// A copy has forgotten that all tokens minted before an instant were revoked.
#[tokio::test]
async fn revocations_of_all_at_once_are_done_again() {
    let world = World::new(Engine::Sqlite).await;
    let old = world.create(&new_token("old")).await.secret;
    let folder = tempfile::tempdir().expect("a folder");
    world.authority.operator().back_up(&CONSOLE, &folder.path().join("copy.db")).await.expect("copied");
    world.clock.set(at(60));
    world.authority.tokens().revoke_all(&world.ada, MINE, MintedWhen::Ever).await.expect("revoked");
    let log = export(&world.authority).await;
    world.authority.close().await.expect("closed");
    Authority::restore(&world.scratch.url, &folder.path().join("copy.db")).await.expect("restored");
    let authority = reopened(&world).await;
    assert_eq!(replay(&authority, &log).await.expect("replayed"), 1);
    assert_eq!(refused(&authority, &world, &old, "ops").await, Some(Reason::TokenRevoked));
    let listed = authority.operator().list_every_token(&CONSOLE, None, true).await.expect("listed");
    assert_eq!(listed.rows[0].token.revoked_at, Some(at(60)), "as of when it was");
    assert_eq!(authority.operator().check(&CONSOLE).await.expect("checked").faults, Vec::<String>::new());
}

#[tokio::test]
async fn an_export_must_reach_from_the_copy_to_what_was_seen() {
    let (world, _folder, _, log) = world_with_stale_copy().await;
    let authority = reopened(&world).await;
    let lines: Vec<&str> = log.lines().collect();
    let spoiled = |line: usize, from: &str, to: &str| {
        let spoil = |(index, text): (usize, &&str)| {
            if index == line { text.replace(from, to) } else { (*text).to_owned() }
        };
        lines.iter().enumerate().map(spoil).collect::<Vec<_>>().join("\n")
    };
    let end = lines.len();
    for (what, export, expected) in [
        ("nothing", String::new(), "is empty"),
        ("another text", "hello".to_owned(), "is invalid in line 1"),
        ("cut at its end", lines[..end - 1].join("\n"), "does not reach the event"),
        ("cut at its beginning", lines[end - 1..].join("\n"), "begins with event"),
        ("changed", spoiled(end - 3, "token.", "token!"), "does not continue this log"),
        ("a gap", [&lines[..end - 3], &lines[end - 2..]].concat().join("\n"), "does not continue this log"),
    ] {
        let error = replay(&authority, &export).await.expect_err(what);
        assert!(error.to_string().contains(expected), "{what}: {error}");
        assert!(matches!(authority.may_serve().await, Err(AuthorityError::Restored)), "{what}");
    }
    assert_eq!(replay(&authority, &lines[end - 4..].join("\n")).await.expect("all that is needed"), 4);
}

/// On a machine that has seen nothing of the log, an export with no more than the copy settles nothing.
#[tokio::test]
async fn an_export_as_old_as_the_copy_proves_nothing() {
    let (world, _folder, _, log) = world_with_stale_copy().await;
    let DatabaseUrl::Sqlite(path) = &world.scratch.url else { panic!("SQLite") };
    for file in std::fs::read_dir(path.parent().expect("a folder")).expect("listed") {
        let file = file.expect("a file").path();
        if file.extension().is_some_and(|extension| extension == "head") {
            std::fs::remove_file(file).expect("removed");
        }
    }
    let authority = reopened(&world).await;
    assert!(!authority.can_detect_older_copy());
    let lines: Vec<&str> = log.lines().collect();
    let error =
        replay(&authority, &lines[..lines.len() - 4].join("\n")).await.expect_err("it proves nothing");
    assert!(error.to_string().contains("holds nothing after event"), "{error}");
    assert_eq!(replay(&authority, &log).await.expect("all of it"), 4);
}

/// A change made while a copy is restored is not lost: the transaction that replaces the database notices it.
#[tokio::test]
async fn nothing_is_replaced_that_was_not_seen() {
    let (world, folder, _, _) = world_with_stale_copy().await;
    let url = &world.scratch.url;
    let store = ndauth_store::Store::connect(url, Clock::Database).await.expect("connected");
    let before = store.read().await.expect("a view").head();
    let authority = reopened(&world).await;
    authority.operator().after_restore(&CONSOLE, &Settlement::NotBefore(at(60))).await.expect("settled");
    let outcome = ndauth_store::Store::restore(url, before, &folder.path().join("copy.db")).await;
    assert!(matches!(outcome, Err(CopyError::Moved)), "{outcome:?}");
    authority.may_serve().await.expect("all is as it was");
    // A copy that is restored over it keeps the instant before which secrets are revoked.
    Authority::restore(url, &folder.path().join("copy.db")).await.expect("restored");
    let read = store.read().await.expect("a view");
    assert_eq!(read.installation().not_before, at(60));
}

#[tokio::test]
async fn a_copy_is_put_back_whole_or_not_at_all() {
    let (world, folder, _, _) = world_with_stale_copy().await;
    let url = &world.scratch.url;
    let DatabaseUrl::Sqlite(path) = url else { panic!("SQLite") };
    let kept = |path: &std::path::Path| {
        let folder = std::fs::read_dir(path.parent().expect("a folder")).expect("listed");
        folder
            .filter_map(|file| file.ok()?.file_name().into_string().ok())
            .filter(|name| name.contains(".before-restore-"))
            .count()
    };
    assert_eq!(kept(path), 1);
    for (what, bytes, expected) in [
        ("text", b"not a database at all, but long enough to be looked at as one" as &[u8], "not a database"),
        ("nothing", b"", "it has none of the tables"),
    ] {
        let file = folder.path().join(what);
        std::fs::write(&file, bytes).expect("written");
        let error = Authority::restore(url, &file).await.expect_err(what);
        assert!(matches!(error, AuthorityError::Copy(CopyError::NoCopy { .. })), "{what}: {error:?}");
        assert!(error.to_string().contains(expected), "{what}: {error}");
    }
    let read_only = folder.path().join("copy.db");
    std::fs::set_permissions(&read_only, std::os::unix::fs::PermissionsExt::from_mode(0o400)).expect("set");
    Authority::restore(url, &read_only).await.expect("a copy may be kept read-only");
    let missing = Authority::restore(url, &folder.path().join("missing")).await.expect_err("missing");
    assert_eq!(missing.reason(), Reason::NotFound);
    let authority = reopened(&world).await;
    let again = authority.operator().back_up(&CONSOLE, &folder.path().join("copy.db")).await;
    assert_eq!(reason(again), Reason::NameTaken);
}

#[tokio::test]
async fn postgres_is_pointed_to_its_own_tools() {
    let world = World::new(Engine::Postgres).await;
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("copy.db");
    let error = world.authority.operator().back_up(&CONSOLE, &copy).await.expect_err("PostgreSQL");
    assert!(error.operators_hint().expect("a hint").contains("pg_dump"), "{error:?}");
    std::fs::write(&copy, "x").expect("written");
    let error = Authority::restore(&world.scratch.url, &copy).await.expect_err("PostgreSQL");
    assert!(error.operators_hint().expect("a hint").contains("pg_restore"), "{error:?}");
}

on_both! {
    /// Somebody put an older copy in place by hand. The witness file beside the database reveals it.
    async fn an_older_copy_is_noticed(world: &World) {
        let data = tempfile::tempdir().expect("a folder");
        let opened = async || {
            let clock = Clock::Manual(world.clock.clone());
            following(Authority::open(&world.scratch.url, clock, Some(data.path())).await.expect("opened")).await
        };
        let token = world.create(&new_token("ci")).await;
        let authority = opened().await;
        let by_id = Which::Id(token.view.token.id);
        authority.tokens().revoke(&CONSOLE, &Whose::Anyone, &by_id, UNNEEDED).await.expect("revoked");
        let log = export(&authority).await;
        authority.close().await.expect("closed");

        let store = ndauth_store::Store::connect(&world.scratch.url, Clock::Database).await.expect("connected");
        for sql in [
            "UPDATE token SET revoked_at = NULL, live_name = name",
            "DELETE FROM event WHERE sequence = (SELECT sequence FROM head)",
            "UPDATE head SET sequence = (SELECT max(sequence) FROM event), hash = (SELECT hash FROM event ORDER BY sequence DESC LIMIT 1)",
        ] {
            execute(&store, sql).await;
        }
        let authority = opened().await;
        let Err(AuthorityError::Rewound(rewound)) = authority.may_serve().await else { panic!("it was not noticed") };
        assert_eq!(rewound.seen, rewound.found + 1);
        assert_eq!(reason(authority.validation().who_am_i(&world.ada).await), Reason::Unavailable);
        // It cannot be written to either, until the operator has settled its secrets.
        let ada = "ada".parse().expect("a handle");
        assert_eq!(reason(authority.operator().sign_out(&CONSOLE, &ada).await), Reason::Unavailable);
        assert_eq!(replay(&authority, &log).await.expect("replayed"), 1);
        authority.may_serve().await.expect("it serves");
        assert_eq!(refused(&authority, world, &token.secret, "ops").await, Some(Reason::TokenRevoked));
        authority.close().await.expect("closed");
        opened().await.may_serve().await.expect("and goes on serving");
    }

    /// If no file can be written, the process compares with what it saw itself.
    async fn rewinds_are_noticed_without_a_witness_file(world: &World) {
        let nowhere = std::path::Path::new("/proc/nowhere");
        let authority = Authority::open(&world.scratch.url, Clock::Manual(world.clock.clone()), Some(nowhere)).await.expect("opened");
        authority.look().await.expect("looked");
        if let DatabaseUrl::Sqlite(path) = &world.scratch.url {
            for file in std::fs::read_dir(path.parent().expect("a folder")).expect("listed") {
                let file = file.expect("a file").path();
                if file.extension().is_some_and(|extension| extension == "head") {
                    std::fs::remove_file(file).expect("removed");
                }
            }
        }
        let store = ndauth_store::Store::connect(&world.scratch.url, Clock::Database).await.expect("connected");
        execute(&store, "UPDATE event SET hash = personal_hash WHERE sequence = (SELECT sequence FROM head)").await;
        authority.look().await.expect("looked");
        assert!(matches!(authority.may_serve().await, Err(AuthorityError::Rewound(_))));
    }

    /// The state that answers were based on is remembered at once, so even a recent revocation is not
    /// forgotten.
    async fn rewinds_past_recently_mirrored_events_are_noticed(world: &World) {
        let data = tempfile::tempdir().expect("a folder");
        let clock = Clock::Manual(world.clock.clone());
        let authority = Authority::open(&world.scratch.url, clock, Some(data.path())).await.expect("opened");
        let authority = following(authority).await;
        let token = world.create(&new_token("ci")).await;
        authority.look().await.expect("looked");
        let by_id = Which::Id(token.view.token.id);
        authority.tokens().revoke(&CONSOLE, &Whose::Anyone, &by_id, UNNEEDED).await.expect("revoked");
        let store = ndauth_store::Store::connect(&world.scratch.url, Clock::Database).await.expect("connected");
        ndauth_store::testing::undo_last_revocation(&store).await;
        authority.look().await.expect("looked");
        assert!(matches!(authority.may_serve().await, Err(AuthorityError::Rewound(_))));
        authority.operator().after_restore(&CONSOLE, &Settlement::NotBefore(at(0))).await.expect("settled");
        authority.may_serve().await.expect("it serves");
    }

    /// A settlement covers only what was lost before it. A copy with an older settlement is an older copy.
    async fn settlements_of_another_copy_free_nobody(world: &World) {
        let data = tempfile::tempdir().expect("a folder");
        let clock = Clock::Manual(world.clock.clone());
        let authority = Authority::open(&world.scratch.url, clock, Some(data.path())).await.expect("opened");
        let authority = following(authority).await;
        let store = ndauth_store::Store::connect(&world.scratch.url, Clock::Database).await.expect("connected");
        for (seconds, name) in [(10, "first"), (60, "second")] {
            world.clock.set(at(seconds));
            let token = world.create(&new_token(name)).await;
            let by_id = Which::Id(token.view.token.id);
            authority.tokens().revoke(&CONSOLE, &Whose::Anyone, &by_id, UNNEEDED).await.expect("revoked");
            authority.look().await.expect("looked");
            ndauth_store::testing::undo_last_revocation(&store).await;
            authority.look().await.expect("looked");
            assert!(matches!(authority.may_serve().await, Err(AuthorityError::Rewound(_))));
            authority.operator().after_restore(&CONSOLE, &Settlement::NotBefore(at(0))).await.expect("settled");
            authority.may_serve().await.expect("it serves");
        }
        // The second settlement is forgotten, too, and the first is the last again.
        execute(&store, "UPDATE installation SET settled_at = settled_at - 50000000").await;
        ndauth_store::testing::undo_last_revocation(&store).await;
        authority.look().await.expect("looked");
        assert!(matches!(authority.may_serve().await, Err(AuthorityError::Rewound(_))));
    }

    /// This also holds while it serves.
    async fn a_log_that_is_rewound_beneath_a_server_is_noticed(world: &World) {
        let data = tempfile::tempdir().expect("a folder");
        let authority = Authority::open(&world.scratch.url, Clock::Manual(world.clock.clone()), Some(data.path())).await.expect("opened");
        authority.look().await.expect("looked");
        let store = ndauth_store::Store::connect(&world.scratch.url, Clock::Database).await.expect("connected");
        execute(&store, "UPDATE event SET hash = personal_hash WHERE sequence = (SELECT sequence FROM head)").await;
        authority.look().await.expect("looked");
        assert!(matches!(authority.may_serve().await, Err(AuthorityError::Rewound(_))));
        authority.operator().after_restore(&CONSOLE, &Settlement::NotBefore(at(0))).await.expect("settled");
        authority.may_serve().await.expect("it serves");
    }
}
