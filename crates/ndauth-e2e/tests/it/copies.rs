//! The sequence of backup, revocation, restore, refusal and `after-restore`, with the real binaries and a
//! running server.

use std::fs;
use std::time::{Duration, Instant};

use ndauth_core::{Reason, Secret};
use ndauth_proto::json::from_text;
use ndauth_proto::v1;
use ndauth_store::Engine;
use serde_json::Value;

use crate::installation::{Installation, Running, mode, soon};
use crate::on_both;
use crate::requests::revoke;

/// Returns the reason for which a secret may not read in `ops`; `Ok(None)` if it may.
async fn refused(server: &Running, service: &Secret, secret: &str) -> Result<Option<v1::Reason>, Reason> {
    let request = v1::ValidateTokenRequest {
        secret: secret.to_owned(),
        org: "ops".to_owned(),
        required_access: v1::Access::Ro.into(),
        ..Default::default()
    };
    let answer =
        server.client(service).await.validate_token(request).await.map_err(|problem| problem.reason)?;
    Ok(match answer.outcome.expect("an outcome") {
        v1::validate_token_response::Outcome::Allowed(_) => None,
        v1::validate_token_response::Outcome::Refused(refused) => Some(refused.reason()),
    })
}

async fn create(at: &Installation, server: &Running, name: &str) -> String {
    let client = server.client(&at.session()).await;
    let request = crate::requests::new_token(name);
    client.create_token(request).await.expect("made").secret
}

/// Waits until a page of the admin listener has this status and text.
fn wait_for_page(server: &Running, path: &str, expected: (u16, &str)) {
    let begun = Instant::now();
    loop {
        let (status, text) = server.get(path);
        if (status, text.trim_end()) == expected {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{status} {text}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test]
async fn a_revocation_outlives_a_restored_copy() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let service = at.service();
    let server = at.serve();
    let (leaked, good) = (create(&at, &server, "leaked").await, create(&at, &server, "good").await);
    let copy = at.home().join("monday.db");
    let copy = copy.to_str().expect("text");
    at.run_admin(&format!("backup {copy}"));
    assert_eq!(mode(copy.as_ref()), 0o600);
    server.client(&at.session()).await.revoke_token(revoke("leaked")).await.expect("revoked");
    assert_eq!(refused(&server, &service, &leaked).await, Ok(Some(v1::Reason::TokenRevoked)));
    let export = at.home().join("events.jsonl");
    fs::write(&export, at.run_admin("events export")).expect("written");

    // The running server answers nothing from the copy, and reports the reason.
    at.run_admin(&format!("restore {copy}"));
    wait_for_page(&server, "/readyz", (503, "the database is a copy that needs its operator"));
    assert_eq!(refused(&server, &service, &leaked).await, Err(Reason::Unavailable));
    assert_eq!(server.get("/livez").0, 200);
    // A server that is started on the copy does not answer either.
    server.signal(rustix::process::Signal::TERM);
    assert!(server.ended().success());
    let mut command = at.command("NDAUTH_TEST_NDAUTHD");
    command.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    let ended = crate::installation::run(command, "");
    assert_eq!(ended.code, 6, "{ended:?}");
    assert!(
        ended.err.contains("does not know what was revoked") && ended.err.contains("after-restore"),
        "{ended:?}"
    );
    let ended = at.admin("account disable ada");
    assert!(ended.code == 6 && ended.err.contains("after-restore"), "{ended:?}");

    at.run_admin(&format!("after-restore --replay {}", export.display()));
    let server = at.serve();
    wait_for_page(&server, "/readyz", (200, "ready"));
    assert_eq!(refused(&server, &service, &leaked).await, Ok(Some(v1::Reason::TokenRevoked)));
    assert_eq!(refused(&server, &service, &good).await, Ok(None));

    // The alternative, `--not-before`: every secret minted before is invalid.
    at.run_admin(&format!("restore {copy}"));
    let report: Value =
        serde_json::from_str(&at.run_admin("after-restore --not-before now --yes -f json")).expect("JSON");
    assert_eq!(report["other_secrets"], 0, "{report}");
    wait_for_page(&server, "/readyz", (200, "ready"));
    soon(&Err(Reason::ServiceRevoked), async || refused(&server, &service, &good).await).await;
    let service: Secret = at.run_admin("service rotate registry").parse().expect("a secret alone");
    assert_eq!(refused(&server, &service, &leaked).await, Ok(Some(v1::Reason::TokenRevoked)));
    assert_eq!(
        refused(&server, &service, &create(&at, &server, "leaked").await).await,
        Ok(None),
        "under its old name"
    );
    assert!(at.run_admin("check").ends_with("no problems found"));
}

#[tokio::test]
async fn an_older_database_file_is_detected() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let copy = at.home().join("copy.db");
    at.run_admin(&format!("backup {}", copy.display()));
    at.run_admin("account disable ada");
    let database = at.database();
    let file = database.strip_prefix("sqlite:").expect("a file");
    let folder = std::path::Path::new(file).parent().expect("a folder");
    let heads = fs::read_dir(folder).expect("listed").filter_map(|file| Some(file.ok()?.path()));
    let heads: Vec<_> =
        heads.filter(|path| path.extension().is_some_and(|extension| extension == "head")).collect();
    assert!(heads.len() == 1 && mode(&heads[0]) == 0o600, "{heads:?}");
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(format!("{file}{suffix}"));
    }
    fs::copy(&copy, file).expect("put in place");
    let mut command = at.command("NDAUTH_TEST_NDAUTHD");
    command.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    let ended = crate::installation::run(command, "");
    assert_eq!(ended.code, 6, "{ended:?}");
    assert!(ended.err.contains("is an older copy: its log ends at 5, but was seen to end at 6"), "{ended:?}");
    assert!(ended.err.contains("put the newer database back, or"), "{ended:?}");
    at.run_admin("after-restore --not-before now --yes");
    at.serve();
}

#[tokio::test]
async fn postgres_is_pointed_to_its_own_tools() {
    let at = Installation::new(Engine::Postgres).await;
    at.people();
    let ended = at.admin("backup copy.db");
    assert_eq!((ended.code, ended.out.as_str()), (2, ""));
    assert!(
        ended.err.contains("pg_dump --format=custom") && ended.err.contains("after-restore"),
        "{ended:?}"
    );
    let data = at.home().join(".local/share/ndauth");
    let heads = fs::read_dir(data).expect("the data folder").count();
    assert_eq!(heads, 1, "what was seen of the log is kept apart from the database");
}

on_both! {
    /// Every operator command that lists or changes something, as text and as JSON.
    async fn operator_commands_report_state_and_changes(at: &Installation) {
        at.people();
        at.service();
        let server = at.serve();
        create(at, &server, "ci").await;
        let json = |arguments: &str| -> Value {
            serde_json::from_str(&at.run_admin(&format!("{arguments} -f json"))).unwrap_or_else(|_| panic!("{arguments}"))
        };
        for (list, what, titles) in [
            ("account list", "accounts", "│ ACCOUNT │ EMAIL"),
            ("org list --all", "orgs", "│ ORG │ NAME │ MEMBERS"),
            ("member list --org ops", "members", "│ ORG │ ACCOUNT │ ROLE"),
            ("service list", "services", "│ SERVICE  │ ORGS │ SECRETS"),
            ("session list --account ada", "sessions", "│ ACCOUNT │ PREFIX"),
            ("token list --owner ada --all", "tokens", "│ OWNER │ NAME │ PREFIX"),
        ] {
            let report = json(list);
            let rows = report[what].as_array().expect("rows");
            assert!(!rows.is_empty() && report["total"] == rows.len(), "{report}");
            assert!(at.run_admin(list).contains(titles), "{list}: {}", at.run_admin(list));
            // Prefixes are shown, secrets never.
            assert!(!report.to_string().split('"').any(|word| word.len() == 49 && word.starts_with("nd")), "{report}");
        }
        // A token is the contract's message. Beside an account there is what only the console shows.
        let token = &json("token list")["tokens"][0];
        let token: v1::Token = from_text(token.to_string().as_bytes()).expect("a token");
        let id = token.id;
        let account = &json("account list")["accounts"][0];
        assert_eq!((&account["handle"], &account["name"], &account["status"]), (&"ada".into(), &"".into(), &"active".into()));
        assert_eq!(account.get("disabled_at"), None);
        for (command, key, value) in [
            ("account create eve --email eve@example.org".to_owned(), "/account/handle", Value::from("eve")),
            ("account disable eve".to_owned(), "/changed", Value::from(true)),
            ("account enable eve".to_owned(), "/status", Value::from("enabled")),
            ("account sign-out ada".to_owned(), "/sessions_ended", Value::from(1)),
            ("org create lab".to_owned(), "/org/slug", Value::from("lab")),
            ("member set lab eve RW".to_owned(), "/role", Value::from("RW")),
            ("member remove lab eve".to_owned(), "/removed", Value::from(true)),
            ("org delete lab --yes".to_owned(), "/deleted", Value::from(true)),
            (format!("token suspend {id}"), "/token/suspensions/0/operator", Value::from(true)),
            (format!("token resume {id}"), "/token/status", Value::from("ACTIVE")),
            (format!("token revoke {id} --yes"), "/token/status", Value::from("REVOKED")),
            ("service revoke registry --yes".to_owned(), "/revoked", Value::from(true)),
            ("check".to_owned(), "/sound", Value::from(true)),
            ("migrate status".to_owned(), "/steps/0/state", Value::from("applied")),
            ("migrate up".to_owned(), "/migrated", Value::from(true)),
        ] {
            assert_eq!(json(&command).pointer(key), Some(&value), "{command}");
        }
        let issued = json("session issue ada");
        assert!(issued["secret"].as_str().is_some_and(|secret| secret.starts_with("ndses_")));
        let ended = at.admin("token revoke ci --yes");
        assert!(ended.code == 1 && ended.err.contains("--owner HANDLE"), "{ended:?}");
        let ended = at.admin("token revoke ci --owner ada --yes");
        assert!(ended.code == 0 && ended.out.contains("was already revoked"), "{ended:?}");
        let events = at.run_admin("events export --after 3");
        assert!(events.starts_with("{\"sequence\":4,") && events.lines().count() > 10);
        // A manipulation of the database is reported, with exit code 1.
        let store = ndauth_store::Store::connect(&at.scratch.url, ndauth_store::Clock::Database).await.expect("connected");
        ndauth_store::testing::execute(&store, "UPDATE token SET revoked_at = NULL").await;
        let ended = at.admin("check");
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.out.contains(&format!("✗ the token `{id}` lives, and the log says it was revoked at")), "{ended:?}");
    }
}

/// A file replaced beneath a running server makes the server exit, because its open database is no longer the
/// one in place.
#[tokio::test]
async fn a_server_exits_when_its_database_file_is_replaced() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let server = at.serve();
    let leaked = create(&at, &server, "leaked").await;
    let copy = at.home().join("copy.db");
    at.run_admin(&format!("backup {}", copy.display()));
    server.client(&at.session()).await.revoke_token(revoke("leaked")).await.expect("revoked");
    let database = at.database();
    let file = database.strip_prefix("sqlite:").expect("a file");
    fs::rename(&copy, file).expect("put in place");
    assert_eq!(server.ended().code(), Some(6), "it could not decide");
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(format!("{file}{suffix}"));
    }
    // The replaced file is checked at the next start, too.
    let mut command = at.command("NDAUTH_TEST_NDAUTHD");
    command.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    let ended = crate::installation::run(command, "");
    assert!(ended.code == 6 && ended.err.contains("is an older copy"), "{ended:?}");
    at.run_admin("after-restore --not-before now --yes");
    let (service, server) = (at.service(), at.serve());
    assert_eq!(refused(&server, &service, &leaked).await, Ok(Some(v1::Reason::TokenRevoked)));
}

/// A missing or empty file beside a witness of the log is not taken for a new installation.
#[tokio::test]
async fn a_missing_database_is_not_replaced_by_a_new_one() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let database = at.database();
    let file = std::path::PathBuf::from(database.strip_prefix("sqlite:").expect("a file"));
    let folder = file.parent().expect("a folder").to_owned();
    let serve = || {
        let mut command = at.command("NDAUTH_TEST_NDAUTHD");
        command.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        crate::installation::run(command, "")
    };
    let kept = at.home().join("kept.db");
    at.run_admin(&format!("backup {}", kept.display()));
    let clear = || {
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{suffix}", file.display()));
        }
    };
    for emptied in [false, true] {
        clear();
        if emptied {
            fs::write(&file, "").expect("emptied");
        }
        let ended = serve();
        assert_eq!(ended.code, 6, "{ended:?}");
        assert!(ended.err.contains("shows that there was an installation"), "{ended:?}");
        assert!(ended.err.contains("to start over, remove"), "{ended:?}");
        let ended = at.admin("migrate up");
        assert!(ended.code == 6 && ended.err.contains("shows that there was an installation"), "{ended:?}");
        assert!(at.admin("after-restore --not-before now --yes").code != 0);
        let length = fs::metadata(&file).map(|file| file.len());
        assert!(emptied || length.is_err(), "nothing was made: {length:?}");
    }
    // `restore` puts a copy in place, which is then checked like any copy.
    at.run_admin(&format!("restore {}", kept.display()));
    assert!(serve().err.contains("does not know what was revoked"));
    at.run_admin("after-restore --not-before now --yes");
    drop(at.serve());
    // Removing the witness begins a new installation.
    clear();
    for entry in fs::read_dir(folder).expect("listed").filter_map(Result::ok) {
        if entry.path().extension().is_some_and(|extension| extension == "head") {
            fs::remove_file(entry.path()).expect("removed");
        }
    }
    at.serve();
}
