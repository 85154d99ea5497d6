//! Orgs, their tokens and their policies, at the terminal.

use std::fs;

use expect_test::expect;
use ndauth_store::Engine;
use serde_json::{Value, json};

use crate::cli::{json as read, plain, shows};
use crate::installation::{Ended, Installation, Running, mode, on_terminal, run};
use crate::on_both;

const GRANT: &str = r#"{"resource_type":"assets","resource_id":"*","actions":["read","write"]}"#;

fn line(at: &Installation, server: &Running, text: &str) -> Ended {
    at.ndcli(server, &text.split(' ').collect::<Vec<_>>())
}

/// Makes `ada` an admin of `ops`, and creates accounts for `bob` and `cy`.
fn staff(at: &Installation) {
    at.people();
    at.run_admin("member set ops ada ADMIN");
    at.run_admin("account create bob --email bob@example.org");
    at.run_admin("account create cy --email cy@example.org --operator");
}

/// Logs `ndcli` in as somebody else.
fn log_in_as(at: &Installation, server: &Running, handle: &str) {
    let session = at.run_admin(&format!("session issue {handle}"));
    let ended = at.ndcli_with(server, &[], &["auth", "login", "--with-token"], &session);
    assert_eq!(ended.code, 0, "{ended:?}");
}

on_both! {
    async fn members_are_managed_by_admins(at: &Installation) {
        staff(at);
        let server = at.serve();
        at.log_in(&server);
        let cli = |text: &str| line(at, &server, text);
        shows(&cli("org list"), 0, at, &server, &expect![[r#"
            ╭─────┬──────┬───────╮
            │ ORG │ NAME │ ROLE  │
            ├─────┼──────┼───────┤
            │ dev │ -    │ RO    │
            │ ops │ -    │ ADMIN │
            ╰─────┴──────┴───────╯
            Total: 2 org(s)
        "#]]);
        let unselected = cli("org members");
        assert!(unselected.code == 2 && unselected.err.contains("or first `ndcli org select SLUG`"), "{unselected:?}");
        shows(&cli("org select opps"), 2, at, &server, &expect![[r#"
            error: you are not a member of an org `opps`
            hint: did you mean `ops`?
        "#]]);
        shows(&cli("org select ops"), 0, at, &server, &expect![[r#"
            ✓ Commands that act in an org act in ops from now on
            personal tokens are not restricted by it: `ndcli auth token create --org` does that
        "#]]);
        assert_eq!(cli("config get org").out, "ops\n");
        shows(&cli("org member set bob rw"), 1, at, &server, &expect![[r#"
            error: there is no member `bob of ops`
            hint: `ndcli org offer bob --role RW --org ops` offers a membership
        "#]]);
        at.run_admin("member set ops bob RO");
        shows(&cli("org member set bob rw"), 0, at, &server, &expect![[r#"
            ✓ bob has the role RW in ops
        "#]]);
        shows(&cli("org members"), 0, at, &server, &expect![[r#"
            ╭─────────┬───────┬────────────╮
            │ ACCOUNT │ ROLE  │ SINCE      │
            ├─────────┼───────┼────────────┤
            │ ada     │ ADMIN │ DDDD-DD-DD │
            │ bob     │ RW    │ DDDD-DD-DD │
            ╰─────────┴───────┴────────────╯
            Total: 2 member(s)
        "#]]);
        shows(&cli("org members dev -f json"), 0, at, &server, &expect![[r#"
            {
              "members": [
                {
                  "account_id": "iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii",
                  "handle": "ada",
                  "role": "RO",
                  "since": "INSTANT"
                }
              ],
              "next_page_token": ""
            }
        "#]]);
        shows(&cli("org member set bob rw --org dev"), 5, at, &server, &expect![[r#"
            error: the account's role in the org `dev` is `RO`, and this needs `ADMIN`
            hint: ask an admin of the org for a higher role
        "#]]);
        shows(&cli("org member set ada rw"), 1, at, &server, &expect![[r#"
            error: `ada` is the only admin of the org `ops`
            hint: make somebody else an admin first
        "#]]);
        shows(&cli("org member set nobody rw"), 1, at, &server, &expect![[r#"
            error: there is no member `nobody of ops`
            hint: `ndcli org offer nobody --role RW --org ops` offers a membership
        "#]]);
        shows(&cli("org member add cy rw"), 5, at, &server, &expect![[r#"
            error: an account that is not an operator may not add members without their consent
        "#]]);
        shows(&cli("org member remove bob"), 2, at, &server, &expect![[r#"
            error: this asks for a confirmation, and there is no terminal to ask on
            hint: use `--yes` to confirm
        "#]]);
        shows(&cli("org member remove bob --yes"), 0, at, &server, &expect![[r#"
            ✓ bob is no longer a member of ops
        "#]]);
        shows(&cli("org show -f simple"), 0, at, &server, &expect![[r#"
            • ops role:ADMIN members:1
        "#]]);
        shows(&cli("org show elsewhere"), 1, at, &server, &expect![[r#"
            error: there is no org `elsewhere`
        "#]]);
        shows(&cli("org create lab"), 5, at, &server, &expect![[r#"
            error: an account that is not an operator may not create orgs
        "#]]);
        // What is selected narrows no personal token.
        assert_eq!(read(&cli("auth token create --name anywhere --scope ro -f json"))["token"]["orgs"], "all");
        log_in_as(at, &server, "cy");
        shows(&cli("org create mine"), 2, at, &server, &expect![[r#"
            error: `<SLUG>`: the name of an org cannot be `mine`, a reserved word
            hint: `ndcli org create --help` says more
        "#]]);
        shows(&cli("org create lab --name Lab"), 0, at, &server, &expect![[r#"
            ✓ Org "lab" created; you are its admin
        "#]]);
        shows(&cli("org list -f simple"), 0, at, &server, &expect![[r#"
            • lab Lab ADMIN
        "#]]);
        shows(&cli("org member add bob ro --org ops"), 0, at, &server, &expect![[r#"
            ✓ bob has the role RO in ops
        "#]]);
        shows(&cli("org show ops"), 1, at, &server, &expect![[r#"
            error: there is no org `ops`
        "#]]);
        shows(&at.admin("org create theirs --admin bob"), 0, at, &server, &expect![[r#"
            org `theirs` created
        "#]]);
        shows(&at.admin("check"), 0, at, &server, &expect![[r#"
            ✓ 18 events and 15 rows compared: no problems found
        "#]]);
    }

    async fn a_membership_is_offered_and_accepted(at: &Installation) {
        staff(at);
        let server = at.serve();
        at.log_in(&server);
        let cli = |text: &str| line(at, &server, text);
        cli("org select ops");
        shows(&cli("org offer bob"), 2, at, &server, &expect![[r#"
            error: `ndcli org offer` needs `--role <ROLE>`
            hint: for example: `ndcli org offer ada --role rw --org acme`
        "#]]);
        shows(&cli("org offer bob --role rw"), 0, at, &server, &expect![[r#"
            ✓ A membership of ops is offered to bob, with the role RW
            it takes effect when they accept it, `ndcli offers accept ops`, before DDDD-DD-DD TT:TT UTC
        "#]]);
        shows(&cli("org offer nobody --role admin -f json"), 0, at, &server, &expect![[r#"
            {
              "offer": {
                "org": "ops",
                "org_name": "",
                "handle": "nobody",
                "role": "ADMIN",
                "made_by": "ada",
                "made_at": "INSTANT",
                "ends_at": "INSTANT"
              },
              "changed": true,
              "sequence": 11,
              "evaluated_at": "INSTANT"
            }
        "#]]);
        shows(&cli("org offer ada --role ro"), 2, at, &server, &expect![[r#"
            error: `HANDLE`: `ada` is already a member: change the role instead
        "#]]);
        shows(&cli("org offers list"), 0, at, &server, &expect![[r#"
            ╭─────────┬───────┬────────────┬──────────────────────┬──────────────────────╮
            │ ACCOUNT │ ROLE  │ OFFERED BY │ OFFERED AT           │ ENDS AT              │
            ├─────────┼───────┼────────────┼──────────────────────┼──────────────────────┤
            │ bob     │ RW    │ ada        │ DDDD-DD-DD TT:TT UTC │ DDDD-DD-DD TT:TT UTC │
            │ nobody  │ ADMIN │ ada        │ DDDD-DD-DD TT:TT UTC │ DDDD-DD-DD TT:TT UTC │
            ╰─────────┴───────┴────────────┴──────────────────────┴──────────────────────╯
            Total: 2 offer(s)
        "#]]);
        shows(&cli("org offers withdraw nobody"), 0, at, &server, &expect![[r#"
            ✓ The offer to nobody is withdrawn
        "#]]);
        shows(&cli("org offers withdraw nobody"), 1, at, &server, &expect![[r#"
            error: there is no open offer to `nobody`
        "#]]);
        log_in_as(at, &server, "bob");
        cli("auth token create --name everywhere --scope ro");
        shows(&cli("offers list"), 0, at, &server, &expect![[r#"
            ╭─────┬──────┬──────┬────────────┬──────────────────────╮
            │ ORG │ NAME │ ROLE │ OFFERED BY │ ENDS AT              │
            ├─────┼──────┼──────┼────────────┼──────────────────────┤
            │ ops │ -    │ RW   │ ada        │ DDDD-DD-DD TT:TT UTC │
            ╰─────┴──────┴──────┴────────────┴──────────────────────╯
            Total: 1 offer(s)
        "#]]);
        shows(&cli("offers accept dev --yes"), 1, at, &server, &expect![[r#"
            error: no membership of an org `dev` is offered to you
            hint: `ndcli offers list` shows those that are
        "#]]);
        shows(&cli("offers accept ops"), 2, at, &server, &expect![[r#"
            ada offers you the role RW in ops
            these of your tokens gain power in ops, as far as its policy admits them:
              everywhere ndpat_xxxxxx RO
            error: this asks for a confirmation, and there is no terminal to ask on
            hint: use `--yes` to confirm
        "#]]);
        let mut asked = on_terminal(at, 80, "ndcli offers accept ops");
        asked.env("NDCLI_SERVER", server.url.to_string());
        let asked = run(asked, "n\n");
        assert!(asked.code == 1 && asked.out.contains("everywhere ndpat_"), "it names what gains power: {asked:?}");
        assert_eq!(read(&cli("org list -f json"))["orgs"], json!([]), "nothing was accepted");
        shows(&cli("offers accept ops --yes"), 0, at, &server, &expect![[r#"
            ✓ You are a member of ops, with the role RW
            these of your tokens gain power in ops, as far as its policy admits them:
              everywhere ndpat_xxxxxx RO
        "#]]);
        shows(&cli("org list -f simple"), 0, at, &server, &expect![[r#"
            • ops - RW
        "#]]);
        shows(&cli("offers decline ops"), 1, at, &server, &expect![[r#"
            error: there is no open offer of an org `ops`
        "#]]);
        at.log_in(&server);
        cli("org offer cy --role ro");
        log_in_as(at, &server, "cy");
        shows(&cli("offers decline ops"), 0, at, &server, &expect![[r#"
            ✓ The offer of ops is declined
        "#]]);
        shows(&cli("offers list -f json"), 0, at, &server, &expect![[r#"
            {
              "offers": [],
              "next_page_token": "",
              "evaluated_at": "INSTANT"
            }
        "#]]);
        let checked = at.admin("check");
        assert_eq!(checked.code, 0, "{checked:?}");
    }

    /// A token that serves today warns its owner and whoever uses it, as long as the policy is announced.
    async fn an_announced_policy_warns_of_the_tokens_that_it_will_refuse(at: &Installation) {
        at.people();
        at.run_admin("member set ops ada ADMIN");
        let server = at.serve();
        at.log_in(&server);
        let made = line(at, &server, "auth token create --name ci --scope ro -o token");
        line(at, &server, "auth token create --name short --scope ro --expiry 30d -o token");
        let token = made.out.trim_end();
        let by_token = |words: &str| {
            at.ndcli_with(&server, &[("NDCLI_TOKEN", token)], &words.split(' ').collect::<Vec<_>>(), "")
        };
        let warned = || {
            let own = line(at, &server, "auth token list").err;
            let message = ["whoami", "auth status", "org list"].map(|words| by_token(words).err);
            [own].into_iter().chain(message).map(|err| plain(&err, at, &server)).collect::<Vec<_>>()
        };
        assert!(warned().iter().all(String::is_empty), "nothing is announced");
        let set = line(at, &server, "org policy set --org ops --longest-lifetime 30d --effective-in 60d --yes");
        assert_eq!(set.code, 0, "{set:?}");
        let why = "will be refused in the org `ops` from DDDD-DD-DD TT:TT UTC: the org `ops` admits only tokens with a lifetime of at most 30d, \
            and this one was made for 90d";
        let by_token_warning = format!("warning: the token in NDCLI_TOKEN {why}\n");
        // There is no warning about `short`, although it ends sooner.
        assert_eq!(
            warned(),
            [format!("warning: `ci` {why}\n"), by_token_warning.clone(), by_token_warning.clone(), by_token_warning]
        );
        let json = line(at, &server, "auth token list -f json");
        assert!(json.out.starts_with('{') && json.err.contains("warning: `ci`"), "{json:?}");
        let withdrawn = read(&line(at, &server, "org policy withdraw --org ops -f json"));
        assert_eq!(withdrawn["get_org_policy"]["to_come"].as_array().map(Vec::len), Some(1), "{withdrawn}");
        assert_eq!(withdrawn["set_org_policy"]["changed"], true, "{withdrawn}");
        assert!(warned().iter().all(String::is_empty), "it was withdrawn");
    }

    async fn an_orgs_tokens_go_into_files(at: &Installation) {
        staff(at);
        let server = at.serve();
        at.log_in(&server);
        let cli = |words: &[&str]| at.ndcli(&server, words);
        line(at, &server, "org select ops");
        shows(&cli(&["token", "create", "--name", "deploy", "--grant", GRANT, "--description", "for deploys"]), 0, at, &server, &expect![[r#"
            ✓ Org token created
            ⚠ Copy your token now — it will NOT be shown again.
            Token: ndorg_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
            Name: deploy
            Scope: RW
            Grants: read:assets, write:assets
            Org: ops
            Expires: DDDD-DD-DD TT:TT UTC
            Set NDCLI_TOKEN=<token> to use static auth without interactive login.
        "#]]);
        let file = at.home().join("token.json");
        let path = file.display().to_string();
        let into = ["token", "create", "--name", "filed", "--grant", GRANT, "--expires_in", "7d", "--token_file", &path];
        shows(&cli(&into), 0, at, &server, &expect![[r#"
            ✓ Org token created
            Token: written to HOME/token.json
            Name: filed
            Scope: RW
            Grants: read:assets, write:assets
            Org: ops
            Expires: DDDD-DD-DD
            Set NDCLI_TOKEN_FILE=HOME/token.json to use it.
        "#]]);
        assert_eq!(mode(&file), 0o600);
        let kept: Value = serde_json::from_str(&fs::read_to_string(&file).expect("read")).expect("JSON");
        assert!(kept["bearer_token"].as_str().is_some_and(|token| token.starts_with("ndorg_")));
        // An existing file is not overwritten, and then no token is created.
        let again = ["token", "create", "--name", "more", "--grant", GRANT, "--token-file", &path];
        shows(&cli(&again), 2, at, &server, &expect![[r#"
            error: `HOME/token.json` already exists, and no token was made
            hint: name a new file, or use `--force` to overwrite it
        "#]]);
        let nowhere = at.home().join("nowhere/token.json").display().to_string();
        let lost = cli(&["token", "create", "--name", "lost", "--grant", GRANT, "--token-file", &nowhere]);
        assert!(lost.code == 2 && lost.err.contains("no token was made"), "{lost:?}");
        assert_eq!(read(&cli(&["token", "list", "-o", "json"]))["tokens"].as_array().map(Vec::len), Some(2));
        assert_eq!(cli(&[&again[..], &["--force"]].concat()).code, 0);
        let forced: Value = serde_json::from_str(&fs::read_to_string(&file).expect("read")).expect("JSON");
        assert_ne!(forced, kept);
        assert_eq!(mode(&file), 0o600);
        // The file serves as a credential, and so does a file that holds only the token.
        let value = cli(&["token", "create", "--name", "value", "--grant", GRANT, "--output", "token"]);
        assert!(value.out.starts_with("ndorg_") && value.out.lines().count() == 1 && value.err.is_empty(), "{value:?}");
        let bare = at.home().join("bare");
        fs::write(&bare, &value.out).expect("written");
        for (file, name) in [(&file, "more"), (&bare, "value")] {
            let file = file.display().to_string();
            let who = at.ndcli_with(&server, &[("NDCLI_TOKEN_FILE", &file)], &["whoami", "-f", "simple"], "");
            assert_eq!(who.out, format!("• ops [token {name}] orgs:ops (ADMIN)\n"), "{who:?}");
        }
        // Whoever holds it has nobody to log in as; it is a login of its own (seed 004).
        let held = fs::read_to_string(&bare).expect("read");
        for words in [&["token", "create", "--name", "x", "--grant", GRANT][..], &["auth", "token", "list"]] {
            let ended = at.ndcli_with(&server, &[("NDCLI_TOKEN", held.trim())], words, "");
            assert!(ended.code != 0 && !ended.err.contains("log in") && !ended.err.contains("auth login"), "{ended:?}");
        }
        let elsewhere = [("XDG_CONFIG_HOME", path.as_str().trim_end_matches("token.json"))];
        let login = at.ndcli_with(&server, &elsewhere, &["auth", "login", "--token", held.trim()], "");
        assert!(login.code == 0 && login.out.ends_with(" as the org ops\n"), "{login:?}");
        let stored = at.ndcli_with(&server, &elsewhere, &["whoami", "-f", "simple"], "");
        assert_eq!(stored.out, "• ops [token value] orgs:ops (ADMIN)\n", "{stored:?}");
        for text in ["{}", "{\"bearer_token\": 7}", "{\"bearer_token\"", "{\"bearer_token\": \"ndorg_x\"}"] {
            fs::write(&bare, text).expect("written");
            let file = bare.display().to_string();
            let ended = at.ndcli_with(&server, &[("NDCLI_TOKEN_FILE", &file)], &["whoami"], "");
            assert_eq!(ended.code, 4, "{text}: {ended:?}");
        }
        shows(&cli(&["token", "list"]), 0, at, &server, &expect![[r#"
            ╭────────┬──────────────┬───────────────────────────┬─────┬──────────────────────┬───────────┬─────────╮
            │ NAME   │ PREFIX       │ SCOPE                     │ ORG │ EXPIRES              │ LAST USED │ STATUS  │
            ├────────┼──────────────┼───────────────────────────┼─────┼──────────────────────┼───────────┼─────────┤
            │ deploy │ ndorg_xxxxxx │ read:assets, write:assets │ ops │ DDDD-DD-DD TT:TT UTC │ Never     │ active  │
            │ filed  │ ndorg_xxxxxx │ read:assets, write:assets │ ops │ DDDD-DD-DD           │ Never     │ active  │
            │ more   │ ndorg_xxxxxx │ read:assets, write:assets │ ops │ DDDD-DD-DD TT:TT UTC │ now       │ active  │
            │ value  │ ndorg_xxxxxx │ read:assets, write:assets │ ops │ DDDD-DD-DD TT:TT UTC │ now       │ active  │
            ╰────────┴──────────────┴───────────────────────────┴─────┴──────────────────────┴───────────┴─────────╯
            Total: 4 token(s)
        "#]]);
        shows(&cli(&["token", "revoke", "deploy", "--yes"]), 0, at, &server, &expect![[r#"
            ✓ Org token "deploy" revoked
        "#]]);
        let id = read(&cli(&["token", "show", "filed", "-f", "json"]))["token"]["id"].as_str().expect("an id").to_owned();
        assert_eq!(cli(&["token", "revoke", "--token_id", &id, "--yes"]).code, 0);
        let listed = read(&cli(&["token", "list", "--include_revoked", "-o", "json"]));
        let status: Vec<&Value> = listed["tokens"].as_array().expect("a list").iter().map(|token| &token["status"]).collect();
        assert_eq!(status, ["REVOKED", "REVOKED", "ACTIVE", "ACTIVE"]);
        for (words, message) in [
            (&["--scope", "rw"][..], "an org's token must carry a set of grants"),
            (&["--grant", GRANT, "--no_expiry"], "an org's token must expire"),
        ] {
            let refused = cli(&[&["token", "create", "--name", "bare"], words].concat());
            assert!(refused.code == 2 && refused.err.contains(message), "{refused:?}");
        }
        // A member who is no admin may create a personal token restricted to the org.
        at.run_admin("member set ops ada RW");
        shows(&cli(&["token", "create", "--name", "own", "--grant", GRANT]), 5, at, &server, &expect![[r#"
            error: the account's role in the org `ops` is `RW`, and this needs `ADMIN`
            hint: only admins of the org make its tokens; `--user` makes one of yours, restricted to the org
        "#]]);
        let mine = ["token", "create", "--name", "own", "--grant", GRANT, "--user", "--no_expiry", "--output", "json"];
        let mine = &read(&cli(&mine))["token"];
        assert_eq!((&mine["orgs"], &mine["expiry"]), (&json!(["ops"]), &json!("never")));
        assert_eq!(mine["owner"]["account"]["handle"], "ada");
        let listed = read(&cli(&["auth", "token", "list", "-f", "json"]));
        assert_eq!(listed["tokens"].as_array().map(Vec::len), Some(1), "it counts among the personal ones");
        let bare = cli(&["token", "create", "--name", "bare"]);
        assert!(bare.code == 2 && bare.err.contains("--scope <SCOPE>"), "{bare:?}");
    }

    async fn a_policy_is_tried_announced_and_withdrawn(at: &Installation) {
        staff(at);
        let server = at.serve();
        at.log_in(&server);
        let cli = |text: &str| line(at, &server, text);
        cli("org select ops");
        cli("auth token create --name ci --scope rw --expiry 90d");
        cli("auth token create --name nightly --scope ro --expiry 30d");
        shows(&cli("org policy show"), 0, at, &server, &expect![[r#"
            ╭───────────────────┬──────────────────╮
            │ Org               │ ops              │
            │ Longest lifetime  │ any              │
            │ Personal tokens   │ allowed          │
            │ Networks          │ any              │
            │ Login within      │ any              │
            │ Suspend on reuse  │ off              │
            │ Require grants    │ off              │
            │ No all-org tokens │ off              │
            │ Set               │ never: no limits │
            ╰───────────────────┴──────────────────╯
        "#]]);
        shows(&cli("org policy set --longest-lifetime 30d --dry-run"), 0, at, &server, &expect![[r#"
            ╭───────┬──────┬──────────────┬───────────┬──────┬───────────────────╮
            │ OWNER │ NAME │ PREFIX       │ LAST USED │ FROM │ BROKEN BY         │
            ├───────┼──────┼──────────────┼───────────┼──────┼───────────────────┤
            │ ada   │ ci   │ ndpat_xxxxxx │ Never     │ -    │ LIFETIME_TOO_LONG │
            ╰───────┴──────┴──────────────┴───────────┴──────┴───────────────────╯
            In the org it disables 1 of 2 token(s), of which 0 were used within the last 30 days
              1 by LIFETIME_TOO_LONG
            It would take effect at once. Nothing was set: leave `--dry-run` out to set it
        "#]]);
        shows(&cli("org policy set --longest-lifetime 30d"), 2, at, &server, &expect![[r#"
            In the org it disables 1 of 2 token(s), of which 0 were used within the last 30 days
              1 by LIFETIME_TOO_LONG
            error: this asks for a confirmation, and there is no terminal to ask on
            hint: use `--yes` to confirm
        "#]]);
        shows(&cli("org policy set --longest-lifetime 30d --effective-in 14d --yes"), 0, at, &server, &expect![[r#"
            In the org it disables 1 of 2 token(s), of which 0 were used within the last 30 days
              1 by LIFETIME_TOO_LONG
            ✓ The policy of ops takes effect from DDDD-DD-DD TT:TT UTC
        "#]]);
        // The announced policy stays announced, and the immediate change applies to it, too.
        shows(&cli("org policy set --allow-from 10.0.0.0/8 --allow-from 127.0.0.1 --yes"), 0, at, &server, &expect![[r#"
            In the org it disables 0 of 2 token(s), of which 0 were used within the last 30 days
            of 2 other(s) the addresses are unknown
            ✓ The policy of ops takes effect at once
            the policy announced for DDDD-DD-DD TT:TT UTC stays, with this change
        "#]]);
        shows(&cli("org policy show -f simple"), 0, at, &server, &expect![[r#"
            • ops longest-lifetime:any personal-tokens:allowed allow-from:10.0.0.0/8,127.0.0.1/32 login-within:any suspend-on-reuse:off require-grants:off no-all-org-tokens:off
            • ops from:INSTANT longest-lifetime:30d personal-tokens:allowed allow-from:10.0.0.0/8,127.0.0.1/32 login-within:any suspend-on-reuse:off require-grants:off no-all-org-tokens:off
        "#]]);
        shows(&cli("auth token create --name x --scope ro --org ops --preview"), 0, at, &server, &expect![[r#"
            ╭─────┬───────┬────────┬─────────────────────────────────────╮
            │ ORG │ ROLE  │ ACCESS │ MAY                                 │
            ├─────┼───────┼────────┼─────────────────────────────────────┤
            │ ops │ ADMIN │ RO     │ all permissions except ndauth's own │
            ╰─────┴───────┴────────┴─────────────────────────────────────╯
            nothing was made: leave `--preview` out to make the token
        "#]]);
        let made = cli("auth token create --name narrow --scope ro,write:assets --org ops");
        let warning = "warning: the token can do nothing at present: the token's scope is `RO`, and this needs `RW`\n";
        assert!(made.code == 0 && made.err.contains(warning), "{made:?}");
        shows(&cli("org policy withdraw"), 0, at, &server, &expect![[r#"
            ✓ The announced policies of ops are withdrawn: 1
        "#]]);
        let none = read(&cli("org policy withdraw -f json"));
        assert_eq!((&none["get_org_policy"]["to_come"], none.get("set_org_policy")), (&json!([]), None));
        let message = read(&cli("org policy show -f json"));
        assert_eq!(message["policy"]["networks"], json!(["10.0.0.0/8", "127.0.0.1/32"]));
        assert_eq!((&message["policy"]["longest_lifetime"], &message["to_come"]), (&json!("never"), &json!([])));
        shows(&cli("org policy set --personal-tokens barred --allow-from-anywhere --yes -f simple"), 0, at, &server, &expect![[r#"
            • ops tokens:3 broken:3 in-use:0 takes-hold:INSTANT
        "#]]);
        shows(&cli("auth token create --name y --scope ro --org ops"), 5, at, &server, &expect![[r#"
            error: the org `ops` admits no personal tokens
            hint: ask an admin of the org for a token of the org's own
        "#]]);
        let message = read(&cli("org policy set --personal-tokens allowed --login-within 7d --dry-run -f json"));
        assert_eq!((&message["changed"], &message["impact"]["broken"]), (&json!(false), &json!(0)));
        shows(&cli("org policy set"), 2, at, &server, &expect![[r#"
            error: `ndcli org policy set` needs one of `--longest-lifetime`, `--personal-tokens`, `--allow-from`, `--allow-from-anywhere`, `--login-within`, `--suspend-on-reuse`, `--require-grants`, `--no-all-org-tokens`
            hint: for example: `ndcli org policy set --longest-lifetime 90d --effective-in 14d --org acme`
        "#]]);
        shows(&cli("org policy set --longest-lifetime soon"), 2, at, &server, &expect![[r#"
            error: `--longest-lifetime <DURATION>` cannot be `soon`: expected a number of h, d, w or y, such as `90d`, or `never`
            hint: `ndcli org policy set --help` says more
        "#]]);
        shows(&at.admin("check"), 0, at, &server, &expect![[r#"
            ✓ 16 events and 16 rows compared: no problems found
        "#]]);
        assert_eq!(cli("org policy show --org dev").code, 0, "who is a member sees it");
        shows(&cli("org policy set --personal-tokens barred --org dev --yes"), 5, at, &server, &expect![[r#"
            error: the account's role in the org `dev` is `RO`, and this needs `ADMIN`
            hint: ask an admin of the org for a higher role
        "#]]);
        cli("org policy set --personal-tokens allowed --yes");
        shows(&cli("org policy set --require-grants on --no-all-org-tokens on --yes -f simple"), 0, at, &server, &expect![[r#"
            • ops tokens:3 broken:2 in-use:0 takes-hold:INSTANT
        "#]]);
        shows(&cli("auth token create --name y --scope ro --org ops"), 5, at, &server, &expect![[r#"
            error: the org `ops` admits only tokens that carry a set of grants, and this one carries all
            hint: make a token that carries the grants it needs: grants never change
        "#]]);
    }
}

#[tokio::test]
async fn an_org_is_selected_on_a_terminal() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let server = at.serve();
    at.log_in(&server);
    let mut command = on_terminal(&at, 80, "ndcli org select");
    command.env("NDCLI_SERVER", server.url.to_string());
    let ended = run(command, "2\n");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.out.contains("1) dev") && ended.out.contains("2) ops"), "{ended:?}");
    assert_eq!(line(&at, &server, "config get org").out, "ops\n");
    let mut command = on_terminal(&at, 80, "ndcli org select");
    command.env("NDCLI_SERVER", server.url.to_string());
    assert_eq!(run(command, "7\n").code, 1, "none of them");
    assert_eq!(line(&at, &server, "config get org").out, "ops\n", "it stays as it was");
    let piped = line(&at, &server, "org select");
    assert!(piped.code == 2 && piped.err.contains("dev, ops"), "{piped:?}");
}
