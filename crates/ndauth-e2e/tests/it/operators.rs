//! Operators at another machine: `ndcli admin`, and the same by the HTTP API.

use expect_test::expect;
use ndauth_store::testing::execute;
use ndauth_store::{Clock, DatabaseUrl, Store};
use serde_json::json;

use crate::api::{ask, create, new_token};
use crate::cli::{json as read, shows};
use crate::installation::{Ended, Installation, Running, on_terminal, run};
use crate::on_both;

fn line(at: &Installation, server: &Running, text: &str) -> Ended {
    at.ndcli(server, &text.split(' ').collect::<Vec<_>>())
}

/// Creates the operator `oona` beside `ada`, starts a server, and logs `ndcli` in as her. Returns the server, and the
/// secret of her session.
fn operator(at: &Installation) -> (Running, String) {
    at.people();
    at.run_admin("account create oona --email oona@example.org --operator");
    let server = at.serve();
    let session = at.run_admin("session issue oona");
    let ended = at.ndcli_with(&server, &[], &["auth", "login", "--with-token"], &session);
    assert_eq!(ended.code, 0, "{ended:?}");
    (server, session)
}

on_both! {
    async fn an_operator_brings_a_person_in(at: &Installation) {
        let (server, _) = operator(at);
        let cli = |text: &str| line(at, &server, text);
        shows(&cli("admin account create bob --email bob@example.org --name Bob"), 0, at, &server, &expect![[r#"
            ✓ Account "bob" created
        "#]]);
        let invited = cli("admin account invite bob");
        assert_eq!(invited.code, 0, "{invited:?}");
        let link = invited.out.trim_end();
        assert_eq!(invited.out.lines().count(), 1, "the link is alone");
        assert!(invited.err.contains("sets the password of `bob`"), "{invited:?}");
        let path = link.find("/invitation").map(|start| &link[start..]).expect("a path");
        assert_eq!(ask(&server, &format!("GET {path}"), None, None).status, 200);
        shows(&cli("admin account list b"), 0, at, &server, &expect![[r#"
            ╭─────────┬─────────────────┬──────┬──────────┬────────────┬────────╮
            │ ACCOUNT │ EMAIL           │ NAME │ OPERATOR │ CREATED    │ STATUS │
            ├─────────┼─────────────────┼──────┼──────────┼────────────┼────────┤
            │ bob     │ bob@example.org │ Bob  │ -        │ DDDD-DD-DD │ unused │
            ╰─────────┴─────────────────┴──────┴──────────┴────────────┴────────╯
            Total: 1 account(s)
        "#]]);
        // Whoever has the link may set the password. The account is in use from then on.
        at.run_admin("session issue bob");
        assert_eq!(ask(&server, &format!("GET {path}"), None, None).status, 410, "the link is dead");
        shows(&cli("admin account invite bob"), 5, at, &server, &expect![[r#"
            error: `bob` has signed in before: only the console may make a link to the account
            hint: at the database's machine: `ndauthd admin account invite bob`
        "#]]);
        shows(&cli("admin member add ops bob rw"), 0, at, &server, &expect![[r#"
            ✓ bob has the role RW in ops
        "#]]);
        shows(&cli("admin account show bob"), 0, at, &server, &expect![[r#"
            ╭────────────┬──────────────────────────────────────╮
            │ Account    │ bob                                  │
            │ Id         │ iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii │
            │ E-mail     │ bob@example.org                      │
            │ Name       │ Bob                                  │
            │ Operator   │ no                                   │
            │ Status     │ active                               │
            │ Created    │ DDDD-DD-DD TT:TT UTC                 │
            │ Last login │ DDDD-DD-DD TT:TT UTC                 │
            │ Orgs       │ ops (RW)                             │
            │ Tokens     │ 0                                    │
            │ Sessions   │ 1                                    │
            ╰────────────┴──────────────────────────────────────╯
        "#]]);
        shows(&cli("admin account show bob -f simple"), 0, at, &server, &expect![[r#"
            • bob bob@example.org active orgs:ops (RW)
        "#]]);
        shows(&cli("admin account sign-out bob"), 0, at, &server, &expect![[r#"
            ✓ Account "bob" signed out: 1 session(s) ended
        "#]]);
        shows(&cli("admin account disable bob"), 0, at, &server, &expect![[r#"
            ✓ Account "bob" disabled
        "#]]);
        shows(&cli("admin account disable bob"), 0, at, &server, &expect![[r#"
            ✓ Account "bob" was already disabled
        "#]]);
        shows(&cli("admin account list bob"), 0, at, &server, &expect![[r#"
            ╭─────────┬─────────────────┬──────┬──────────┬────────────┬──────────╮
            │ ACCOUNT │ EMAIL           │ NAME │ OPERATOR │ CREATED    │ STATUS   │
            ├─────────┼─────────────────┼──────┼──────────┼────────────┼──────────┤
            │ bob     │ bob@example.org │ Bob  │ -        │ DDDD-DD-DD │ disabled │
            ╰─────────┴─────────────────┴──────┴──────────┴────────────┴──────────╯
            Total: 1 account(s)
        "#]]);
        shows(&cli("admin account enable bob"), 0, at, &server, &expect![[r#"
            ✓ Account "bob" enabled
        "#]]);
        for command in ["disable", "enable", "sign-out", "invite"] {
            let refused = cli(&format!("admin account {command} oona"));
            let hint = format!("hint: at the database's machine: `ndauthd admin account {command} oona`");
            assert!(refused.code == 5 && refused.err.contains(&hint), "{refused:?}");
        }
        for (wrong, code) in [
            ("admin account create bob --email other@example.org", 1),
            ("admin account create eve --email bob@example.org", 1),
            ("admin account create Eve --email eve@example.org", 2),
            ("admin account create eve --email nonsense", 2),
            ("admin account create eve", 2),
            ("admin account show nobody", 1),
            ("admin account invite nobody", 1),
            ("admin member add nowhere bob rw", 1),
            ("admin member add ops bob su", 2),
        ] {
            let ended = cli(wrong);
            assert_eq!((ended.code, ended.out.as_str()), (code, ""), "{wrong}: {ended:?}");
        }
        let checked = at.admin("check");
        assert_eq!(checked.code, 0, "{checked:?}");
    }

    async fn an_operator_manages_orgs_and_services(at: &Installation) {
        let (server, _) = operator(at);
        let cli = |text: &str| line(at, &server, text);
        shows(&cli("admin org create lab --name Lab"), 0, at, &server, &expect![[r#"
            ✓ Org "lab" created; you are its admin
        "#]]);
        at.run_admin("org delete dev --yes");
        shows(&cli("admin org list --all"), 0, at, &server, &expect![[r#"
            ╭─────┬──────┬─────────┬────────────┬─────────╮
            │ ORG │ NAME │ MEMBERS │ CREATED    │ STATUS  │
            ├─────┼──────┼─────────┼────────────┼─────────┤
            │ dev │ -    │ 1       │ DDDD-DD-DD │ deleted │
            │ lab │ Lab  │ 1       │ DDDD-DD-DD │ active  │
            │ ops │ -    │ 1       │ DDDD-DD-DD │ active  │
            ╰─────┴──────┴─────────┴────────────┴─────────╯
            Total: 3 org(s)
        "#]]);
        assert_eq!(read(&cli("admin org list -f json"))["orgs"].as_array().map(Vec::len), Some(2));

        let secret = cli("admin service create registry --org ops");
        assert!(secret.code == 0 && secret.out.starts_with("ndsvc_") && secret.out.lines().count() == 1, "{secret:?}");
        let ask_who = |secret: &str| ask(&server, "GET /v1/whoami", Some(secret.trim_end()), None);
        assert_eq!(ask_who(&secret.out).json()["service"]["orgs"], json!(["ops"]));
        let second = cli("admin service rotate registry --overlap 0");
        assert!(second.code == 0 && second.out.starts_with("ndsvc_"), "{second:?}");
        assert!(second.err.contains("`ndcli admin service rotation confirm registry`"), "{second:?}");
        shows(&cli("admin service list -f detailed"), 0, at, &server, &expect![[r#"
            ╭─────────┬────────────────────────────────────────────────╮
            │ SERVICE │ registry                                       │
            │ ORGS    │ ops                                            │
            │ SECRETS │ ndsvc_xxxxxx (current), ndsvc_xxxxxx (pending) │
            │ CREATED │ DDDD-DD-DD                                     │
            │ STATUS  │ active                                         │
            ╰─────────┴────────────────────────────────────────────────╯
            Total: 1 service(s)
        "#]]);
        shows(&cli("admin service rotation drop registry"), 0, at, &server, &expect![[r#"
            ✓ The new secret of the service "registry" is dropped
        "#]]);
        let third = cli(&format!("admin service rotate {} -f json", &secret.out[..12]));
        let third = read(&third)["secret"].as_str().expect("a secret").to_owned();
        shows(&cli("admin service rotation confirm registry"), 0, at, &server, &expect![[r#"
            ✓ The new secret of the service "registry" is confirmed
        "#]]);
        shows(&cli("admin service rotation retire registry"), 1, at, &server, &expect![[r#"
            error: it is not yet safe: nobody has used the new secret yet
            hint: `--yes` retires it anyway
        "#]]);
        shows(&cli("admin service rotation retire registry --yes"), 0, at, &server, &expect![[r#"
            ✓ The old secret of the service "registry" is retired
        "#]]);
        assert_eq!((ask_who(&secret.out).status, ask_who(&third).status), (401, 200));
        shows(&cli("admin service list"), 0, at, &server, &expect![[r#"
            ╭──────────┬──────┬────────────────────────┬────────────┬────────╮
            │ SERVICE  │ ORGS │ SECRETS                │ CREATED    │ STATUS │
            ├──────────┼──────┼────────────────────────┼────────────┼────────┤
            │ registry │ ops  │ ndsvc_xxxxxx (current) │ DDDD-DD-DD │ active │
            ╰──────────┴──────┴────────────────────────┴────────────┴────────╯
            Total: 1 service(s)
        "#]]);
        shows(&cli("admin service revoke registry"), 2, at, &server, &expect![[r#"
            error: this asks for a confirmation, and there is no terminal to ask on
            hint: use `--yes` to confirm
        "#]]);
        let mut command = on_terminal(at, 120, "ndcli admin service revoke registry");
        command.env("NDCLI_SERVER", server.url.to_string());
        let asked = run(command, "n\n");
        assert_eq!(ask_who(&third).status, 200, "it was declined: {asked:?}");
        shows(&cli("admin service revoke registry --yes"), 0, at, &server, &expect![[r#"
            ✓ Service "registry" revoked
        "#]]);
        assert_eq!(ask_who(&third).status, 401);
        shows(&cli("admin service revoke registry --yes"), 1, at, &server, &expect![[r#"
            error: there is no service `registry`
        "#]]);
        assert_eq!(cli("admin service list -f simple").out, "");
        assert_eq!(read(&cli("admin service list --all -f json"))["services"][0]["service"]["name"], "registry");
    }

    async fn the_state_of_the_installation_is_shown(at: &Installation) {
        let (server, _) = operator(at);
        let status = line(at, &server, "admin status");
        assert_eq!(status.code, 0, "{status:?}");
        let engine = if matches!(at.scratch.url, DatabaseUrl::Sqlite(_)) { "SQLite" } else { "PostgreSQL" };
        for shown in [engine, "working", "2 (0 disabled, 1 operator(s))"] {
            assert!(status.out.contains(shown), "{shown}: {}", status.out);
        }
        let simple = line(at, &server, "admin status -f simple");
        assert!(simple.out.ends_with("accounts:2 orgs:2 tokens:0 sessions:1 services:0\n"), "{simple:?}");
        let whole = read(&line(at, &server, "admin status -f json"));
        assert_eq!(whole["counts"]["operators"], 1);
        let [sequence, mirror] = ["sequence", "mirror_sequence"].map(|name| whole[name].as_u64().expect("a number"));
        assert!((1..=sequence).contains(&mirror), "the mirror may be behind by one reading: {whole}");
        assert_eq!(whole["version"], env!("CARGO_PKG_VERSION"));
    }

    /// SEC: every call of `AdminService` is refused to everybody but an operator with a recent login.
    async fn nobody_else_is_an_operator(at: &Installation) {
        let (server, oona) = operator(at);
        let session = |handle: &str| at.run_admin(&format!("session issue {handle}"));
        let ada = session("ada");
        let service = at.service().expose().to_owned();
        let token = create(&server, &oona, &new_token("ci"));
        at.run_admin("account create old --email old@example.org --operator");
        let old = session("old");
        let store = Store::connect(&at.scratch.url, Clock::Database).await.expect("connected");
        execute(&store, "UPDATE session SET proved_at = 1000000 WHERE account_id IN (SELECT id FROM account WHERE handle = 'old')").await;
        store.close().await.expect("closed");
        at.run_admin("account create bob --email bob@example.org");
        let body = json!({ "handle": "eve", "email": "eve@example.org" });
        let of_service = json!({ "name": "new", "orgs": "all" });
        let calls = [
            ("POST /v1/admin/accounts", Some(&body)),
            ("GET /v1/admin/accounts", None),
            ("GET /v1/admin/accounts/bob", None),
            ("POST /v1/admin/accounts/bob:invite", None),
            ("POST /v1/admin/accounts/bob:disable", None),
            ("POST /v1/admin/accounts/bob:enable", None),
            ("POST /v1/admin/accounts/bob:signOut", None),
            ("GET /v1/admin/orgs", None),
            ("POST /v1/admin/services", Some(&of_service)),
            ("GET /v1/admin/services", None),
            ("POST /v1/admin/services/registry:rotate", None),
            ("POST /v1/admin/services/registry:confirmRotation", None),
            ("POST /v1/admin/services/registry:dropRotation", None),
            ("POST /v1/admin/services/registry:retireSecret", None),
            ("POST /v1/admin/services/registry:revoke", None),
            ("GET /v1/admin/installation", None),
        ];
        for (call, body) in calls {
            for (caller, secret, status, reason) in [
                ("nobody", None, 401, "CREDENTIAL_MISSING"),
                ("a person", Some(&ada), 403, "NOT_PERMITTED"),
                ("an operator's old login", Some(&old), 401, "LOGIN_NOT_RECENT"),
                ("an operator's token", Some(&token), 403, "SESSION_REQUIRED"),
                ("a service", Some(&service), 403, "NOT_PERMITTED"),
            ] {
                let answer = ask(&server, call, secret.map(String::as_str), body);
                assert_eq!((answer.status, answer.reason().as_str()), (status, reason), "{call} by {caller}: {answer:?}");
            }
        }
        for (call, body) in calls {
            let answer = ask(&server, call, Some(&oona), body);
            let unfit = ["NO_ROTATION", "NOT_SAFE_YET"].contains(&answer.reason().as_str());
            assert!(answer.status == 200 || unfit, "{call}: {answer:?}");
        }
    }
}
