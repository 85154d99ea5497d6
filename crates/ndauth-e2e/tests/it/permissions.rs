//! Permissions at the terminal and on the wire: grants, named scopes, explanations, the catalogue, batches.

use expect_test::expect;
use ndauth_proto::v1::{self, validated_token::Outcome};
use serde_json::{Value, json};

use crate::cli::{json as read, secret, shows};
use crate::grpc::grpcurl;
use crate::installation::{Ended, Installation, Running, soon};
use crate::on_both;

fn cli(at: &Installation, server: &Running, words: &[&str]) -> Ended {
    at.ndcli(server, words)
}

/// Runs a command whose words contain no blanks.
fn line(at: &Installation, server: &Running, text: &str) -> Ended {
    at.ndcli(server, &text.split(' ').collect::<Vec<_>>())
}

on_both! {
    async fn a_token_is_restricted_by_permissions_orgs_networks_and_services(at: &Installation) {
        at.people();
        at.service();
        at.run_admin("catalogue apply --preset namespace");
        let server = at.serve();
        at.log_in(&server);
        let made = line(at, &server, "auth token create --name ci --scope read:assets,write:assets --org ops --allow-from 10.0.0.0/8 \
            --for-service registry");
        shows(&made, 0, at, &server, &expect![[r#"
            ✓ Personal access token created
            ⚠ Copy your token now — it will NOT be shown again.
            Token: ndpat_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
            Name: ci
            Scope: RW
            Grants: read:assets, write:assets
            Org: ops
            For: registry
            From: 10.0.0.0/8
            Expires: DDDD-DD-DD
            Set NDCLI_TOKEN=<token> to use static auth without interactive login.
        "#]]);
        let listed = read(&line(at, &server, "auth token list -f json"));
        assert_eq!(listed["tokens"][0]["grants"], json!([
            { "resource_type": "assets", "resource_id": "*", "actions": ["read", "write"] },
        ]));
        assert_eq!(listed["tokens"][0]["networks"], json!(["10.0.0.0/8"]));
        assert_eq!(listed["tokens"][0]["services"], json!(["registry"]));
        // Both notations in one command.
        let grant = r#"{"resource_type":"builder","resource_id":"prod-*","actions":["ensure"]}"#;
        let made = cli(at, &server, &["auth", "token", "create", "--name", "b", "--scope", "read:assets", "--grant", grant, "-f", "json"]);
        assert_eq!(read(&made)["token"]["scope"], "RW", "the least that both need");
        let made = cli(at, &server, &["auth", "token", "create", "--name", "c", "--scope", "ro", "--grant", grant, "-f", "json"]);
        assert_eq!(read(&made)["token"]["scope"], "RO", "as it was said");
    }

    async fn errors_in_a_grant_point_at_their_position(at: &Installation) {
        at.people();
        let server = at.serve();
        at.log_in(&server);
        let grant = |text: &str| cli(at, &server, &["auth", "token", "create", "--name", "ci", "--grant", text]);
        shows(&grant(r#"{"resource_type":"assets","resource_id":"*" "actions":["read"]}"#), 2, at, &server, &expect![[r#"
            error: no grant: expected `,` or `}`
              {"resource_type":"assets","resource_id":"*" "actions":["read"]}
                                                          ^
            hint: a grant is `read:assets`, or `{"resource_type":"assets","resource_id":"*","actions":["read"]}`
        "#]]);
        shows(&grant(r#"{"resource_type":"assets","resource_id":"*","actions":["raed"]}"#), 2, at, &server, &expect![[r#"
            error: there is no permission `raed:assets`: did you mean `read`?
              {"resource_type":"assets","resource_id":"*","actions":["raed"]}
                                                                      ^^^^
            hint: `ndcli permissions list` shows what there is
        "#]]);
        shows(&grant(r#"{"resource_type":"asset","resource_id":"*","actions":["read"]}"#), 2, at, &server, &expect![[r#"
            error: there is no resource type `asset`: did you mean `assets`?
              {"resource_type":"asset","resource_id":"*","actions":["read"]}
                                ^^^^^
            hint: `ndcli permissions list` shows what there is
        "#]]);
        shows(&grant(r#"{"resource_type":"Assets","resource_id":"*","actions":["read"]}"#), 2, at, &server, &expect![[r#"
            error: a resource type is 1 to 80 of a-z, 0-9, `-`, `_` and inner `/`
              {"resource_type":"Assets","resource_id":"*","actions":["read"]}
                                ^^^^^^
            hint: a grant is `read:assets`, or `{"resource_type":"assets","resource_id":"*","actions":["read"]}`
        "#]]);
        shows(&grant(r#"{"resource_type":"assets","actions":["read"]}"#), 2, at, &server, &expect![[r#"
            error: no grant: missing field `resource_id`
              {"resource_type":"assets","actions":["read"]}
                                                          ^
            hint: a grant is `read:assets`, or `{"resource_type":"assets","resource_id":"*","actions":["read"]}`
        "#]]);
        shows(&grant(r#"{"resource_type":"tokens","resource_id":"*","actions":["*"]}"#), 2, at, &server, &expect![[r#"
            error: `--grant`: actions on `tokens` must be named one by one: `*` does not cover ndauth's own types
            hint: `ndcli permissions list` shows what there is
        "#]]);
        shows(&line(at, &server, "auth token create --name ci --scope read:asets"), 2, at, &server, &expect![[r#"
            error: there is no resource type `asets`: did you mean `assets`?
              read:asets
                   ^^^^^
            hint: `ndcli permissions list` shows what there is
        "#]]);
        shows(&line(at, &server, "auth token create --name ci --scope rw,reads"), 2, at, &server, &expect![[r#"
            error: `--scope <SCOPE>` cannot be `rw,reads`: expected `RW`, `RO`, or permissions such as `read:assets,write:assets`
            hint: `ndcli permissions list` shows the permissions
        "#]]);
        shows(&line(at, &server, "auth token create --name ci"), 2, at, &server, &expect![[r#"
            error: `ndcli auth token create` needs `--scope <SCOPE>`
            hint: for example: `ndcli auth token create --name github-ci --scope rw --expiry 90d`
        "#]]);
        assert_eq!(read(&line(at, &server, "auth token list -f json"))["tokens"], json!([]));
    }

    /// Nobody is sent to a login that they have not got, or to somebody who cannot help.
    async fn the_next_step_is_true_for_whoever_reads_it(at: &Installation) {
        at.people();
        at.run_admin("member set ops ada ADMIN");
        let server = at.serve();
        at.log_in(&server);
        // Nobody brings a revoked token back.
        line(at, &server, "auth token create --name ci --scope read:assets");
        line(at, &server, "auth token revoke ci --yes");
        let ended = line(at, &server, "auth token explain ci --org ops --permission read:assets");
        assert!(ended.code == 1 && !ended.out.contains("Who can change it"), "{ended:?}");
        assert_eq!(ended.err, "hint: make a new one with the same settings: `ndcli auth token create --like NAME`\n");
        assert_eq!(line(at, &server, "auth token create --like ci --name ci2").code, 0, "the hint works");
        let ended = line(at, &server, "auth token explain ci --org ops -f json");
        let report: Value = serde_json::from_str(&ended.out).expect("JSON");
        assert_eq!(report["explanations"][0]["refused"]["who_can_change_it"], "NOBODY");
        // The holder of an org's token has no login.
        let made = line(at, &server, "token create --org ops --name deploy --scope read:assets -o token");
        let org_token = made.out.trim_end();
        let by = |secret: &str, words: &str| {
            let words: Vec<&str> = words.split(' ').collect();
            at.ndcli_with(&server, &[("NDCLI_TOKEN", secret)], &words, "")
        };
        shows(&by(org_token, "auth token create --name x --scope ro"), 5, at, &server, &expect![[r#"
            error: an org's token may not create tokens: this needs an interactive login
            hint: a person who is logged in does this, such as an admin of the org: no token may
        "#]]);
        shows(&by(org_token, "org members --org ops"), 5, at, &server, &expect![[r#"
            error: the token is not granted `read:members`
            hint: an admin of the org makes a token that carries the grant: grants never change
        "#]]);
        line(at, &server, "token revoke --org ops deploy --yes");
        shows(&by(org_token, "whoami"), 4, at, &server, &expect![[r#"
            error: NDCLI_TOKEN was refused: the token was revoked just now (DDDD-DD-DD)
            hint: an admin of the org makes a new one with the same settings: `ndcli token create --org ORG --like NAME`
        "#]]);
        // Nor has a service.
        let service = at.service();
        for words in ["auth token list", "auth token create --name x --scope ro", "org list"] {
            let ended = by(service.expose(), words);
            assert!(ended.code != 0 && !ended.err.contains("auth login"), "{words}: {ended:?}");
        }
    }

    async fn a_refusal_can_be_explained(at: &Installation) {
        at.people();
        let server = at.serve();
        at.log_in(&server);
        let token = secret(&line(at, &server, "auth token create --name ci --scope read:assets,write:assets"));
        shows(&line(at, &server, "auth token explain ci --org dev --permission write:assets"), 1, at, &server, &expect![[r#"
            Org: dev
            ╭────────────┬─────────┬─────────────────────────────────────────╮
            │ FACTOR     │ SAYS    │ WHAT IT ALLOWS                          │
            ├────────────┼─────────┼─────────────────────────────────────────┤
            │ secret     │ allows  │ use without end                         │
            │ not before │ allows  │ secrets of any time                     │
            │ life       │ allows  │ use until DDDD-DD-DD TT:TT UTC          │
            │ suspension │ allows  │ everything                              │
            │ owner      │ allows  │ all that `ada` may                      │
            │ service    │ allows  │ all orgs                                │
            │ audience   │ allows  │ all services                            │
            │ network    │ allows  │ all networks                            │
            │ catalogue  │ allows  │ anyone with the role RW or a higher one │
            │ grants     │ allows  │ read:assets, write:assets               │
            │ scope      │ allows  │ RW: list, query and change              │
            │ orgs       │ allows  │ all orgs                                │
            │ role       │ REFUSES │ what RO may                             │
            │ lockdown   │ allows  │ secrets of any time                     │
            │ policy     │ allows  │ everything: no limits are set           │
            ╰────────────┴─────────┴─────────────────────────────────────────╯
            ✗ Refused (ROLE_TOO_LOW): the owner's role in the org `dev` is `RO`, and this needs `RW`
            Missing: the role RW
            Who can change it: an admin of the org
            hint: ask an admin of the org for a higher role
        "#]]);
        shows(&line(at, &server, "auth token explain ci --org ops --permission approve:assets -f simple"), 1, at, &server, &expect![[r#"
            • ops refused reason:PERMISSION_NOT_GRANTED factor:grants the token is not granted `approve:assets`
            hint: make a token that carries the grant: grants never change
        "#]]);
        shows(&line(at, &server, "auth token explain ci -f simple"), 0, at, &server, &expect![[r#"
            • dev allowed role:RO access:RO read:assets
            • ops allowed role:RW access:RW read:assets, write:assets
        "#]]);
        // A person explains by the secret, from standard input. A token explains itself.
        let words = ["auth", "token", "explain", "--secret-stdin", "--org", "ops", "--permission", "approve:assets", "-f", "json"];
        let report: Value = serde_json::from_str(&at.ndcli_with(&server, &[], &words, &token).out).expect("JSON");
        let refused = &report["explanations"][0]["refused"];
        assert_eq!(refused["missing_permissions"], json!(["approve:assets"]));
        assert_eq!(refused["who_can_change_it"], "OWNER");
        assert_eq!(refused["factor"], "GRANTS");
        let itself = at.ndcli_with(&server, &[("NDCLI_TOKEN", &token)], &["auth", "token", "explain", "-f", "simple"], "");
        assert_eq!((itself.code, itself.err.as_str()), (0, ""), "{itself:?}");
        let nobody = at.ndcli_with(&server, &[("NDCLI_TOKEN", &token)], &["auth", "token", "explain", "ci2"], "");
        assert_eq!(nobody.code, 5, "what it does to others takes a login: {nobody:?}");
        shows(&line(at, &server, "auth token create --name x --scope read:assets,write:assets --preview"), 0, at, &server, &expect![[r#"
            ╭─────┬──────┬────────┬───────────────────────────╮
            │ ORG │ ROLE │ ACCESS │ MAY                       │
            ├─────┼──────┼────────┼───────────────────────────┤
            │ dev │ RO   │ RO     │ read:assets               │
            │ ops │ RW   │ RW     │ read:assets, write:assets │
            ╰─────┴──────┴────────┴───────────────────────────╯
            nothing was made: leave `--preview` out to make the token
        "#]]);
        let listed = read(&line(at, &server, "auth token list -f json"));
        assert_eq!(listed["tokens"].as_array().map(Vec::len), Some(1), "nothing was made");
        let unsaid = line(at, &server, "auth token explain");
        assert!(unsaid.code == 2 && unsaid.err.contains("no token is named"), "{unsaid:?}");
    }

    /// A fresh catalogue holds five scopes beside ndauth's own; a preset adds types, and keeps what is there.
    async fn a_preset_is_added_to_what_there_is(at: &Installation) {
        at.people();
        let server = at.serve();
        at.log_in(&server);
        let listed = || line(at, &server, "permissions list -f simple").out;
        let fresh = listed();
        for scope in ["read:assets", "write:assets", "approve:assets", "read:audit", "admin:org"] {
            assert!(fresh.contains(&format!("• {scope} ")), "{fresh}");
        }
        assert!(!fresh.contains("builder") && !fresh.contains("instance"), "{fresh}");
        // The grants of seed 002's transcript.
        let grants = [
            r#"{"resource_type":"builder","resource_id":"*","actions":["ensure","access"]}"#,
            r#"{"resource_type":"artifact","resource_id":"*","actions":["create","resolve","list"]}"#,
        ];
        let create = ["auth", "token", "create", "--name", "builder-token", "--grant", grants[0], "--grant", grants[1]];
        let unknown = cli(at, &server, &create);
        assert!(unknown.code == 2 && unknown.err.contains("there is no resource type `"), "{unknown:?}");
        let dry = at.admin("catalogue apply --preset namespace --dry-run");
        assert!(dry.code == 0 && dry.out.contains("and none was made") && listed() == fresh, "{dry:?}");
        let applied = at.admin("catalogue apply --preset namespace");
        assert!(applied.code == 0 && applied.out.contains("+ ensure:builder"), "{applied:?}");
        soon(&0, async || cli(at, &server, &create).code).await;
        assert!(listed().contains("• read:assets "), "what was there stays");
        let again = at.admin("catalogue apply --preset namespace");
        assert_eq!(again.out, "the catalogue is already like this: nothing to change\n");
        let checked = at.admin("check");
        assert_eq!(checked.code, 0, "{checked:?}");
        let neither = at.admin("catalogue apply");
        assert!(neither.code == 2, "{neither:?}");
    }

    async fn the_operator_changes_the_catalogue(at: &Installation) {
        at.people();
        let server = at.serve();
        at.log_in(&server);
        let ask = |secret: &str, service: &str, permission: &str| {
            let words = ["validate", "--secret-stdin", "--org", "ops", "--permission", permission, "-f", "json"];
            let ended = at.ndcli_with(&server, &[("NDCLI_TOKEN", service)], &words, secret);
            serde_json::from_str::<Value>(&ended.out).expect("JSON")["allowed"].is_object()
        };
        let service = at.service();
        let token = secret(&line(at, &server, "auth token create --name ci --scope read:assets,write:assets"));
        assert!(ask(&token, service.expose(), "read:assets"));
        let shown = at.run_admin("catalogue show");
        let file = at.home().join("catalogue.toml");
        let apply = |text: &str, more: &str| {
            std::fs::write(&file, text).expect("written");
            at.admin(format!("catalogue apply {} {more}", file.display()).trim_end())
        };
        let same = apply(&shown, "");
        assert_eq!((same.code, same.out.as_str()), (0, "the catalogue is already like this: nothing to change\n"));
        let next = shown
            .replace("read = { role = \"RO\", description = \"List assets, pull files\" }",
                     "get = { role = \"RO\", description = \"List assets, pull files\", formerly = [\"read:assets\"] }");
        let dry = apply(&next, "--dry-run");
        shows(&dry, 0, at, &server, &expect![[r#"
            ~ read:assets is called get:assets
            1 change(s), and none was made
            1 live token(s) name permissions that this removes, renames or restores: `ndauthd admin check` lists those that are left
        "#]]);
        assert!(!ask(&token, service.expose(), "get:assets"), "nothing was changed");
        shows(&apply(&next, ""), 0, at, &server, &expect![[r#"
            ~ read:assets is called get:assets
            ✓ 1 change(s)
            1 live token(s) name permissions that this removes, renames or restores: `ndauthd admin check` lists those that are left
        "#]]);
        // The running server follows the change.
        soon(&true, async || ask(&token, service.expose(), "get:assets")).await;
        assert!(ask(&token, service.expose(), "read:assets"));
        shows(&at.admin("check"), 0, at, &server, &expect![[r#"
            • the token `ci` (iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii) carries `read:assets`, which is called `get:assets` now, and has that power
            ✓ 9 events and 8 rows compared: no problems found
        "#]]);
        let widens = shown.replace("approve = { role = \"ADMIN\"", "accept = { formerly = [\"approve:assets\"], role = \"RW\"");
        let refused = apply(&widens, "");
        assert!(refused.code == 2 && refused.err.contains("`accept:assets` cannot replace `approve:assets`"), "{refused:?}");
        let nonsense = apply("[types.assets]\ndescription = 1\n", "");
        assert!(nonsense.code == 2 && nonsense.err.contains("catalogue.toml"), "{nonsense:?}");
        let listed = line(at, &server, "permissions list assets -f simple");
        assert_eq!(listed.out, "• approve:assets ADMIN\n• get:assets RO\n• write:assets RW\n");
        let unknown = line(at, &server, "permissions list asets");
        assert!(unknown.code == 2 && unknown.err.contains("did you mean `assets`?"), "{unknown:?}");
    }

    async fn many_questions_are_answered_in_their_places(at: &Installation) {
        at.people();
        let server = at.serve();
        let (session, service) = (at.session(), at.service());
        let people = server.client(&session).await;
        let secret = people.create_token(crate::requests::new_token("ci")).await.expect("made").secret;
        let client = server.client(&service).await;
        let question = |org: &str, access: v1::Access| v1::ValidateTokenRequest {
            secret: secret.clone(),
            org: org.to_owned(),
            required_access: access.into(),
            ..Default::default()
        };
        let ask = async |questions: Vec<v1::ValidateTokenRequest>| {
            client.validate_tokens(v1::ValidateTokensRequest { questions }).await
        };
        let answer = ask(vec![
            question("ops", v1::Access::Rw),
            question("", v1::Access::Rw),
            question("dev", v1::Access::Rw),
            v1::ValidateTokenRequest { client_address: "here".to_owned(), ..question("ops", v1::Access::Ro) },
            v1::ValidateTokenRequest { secret: "nonsense".to_owned(), ..question("ops", v1::Access::Ro) },
            question("ops", v1::Access::Unspecified),
            question("dev", v1::Access::Ro),
        ])
        .await
        .expect("answered");
        let output: Vec<String> = answer
            .answers
            .iter()
            .map(|answer| match answer.outcome.as_ref().expect("an outcome") {
                Outcome::Allowed(allowed) => format!("allowed in {}", allowed.effective.as_ref().expect("a place").org_slug),
                Outcome::Refused(refused) => refused.reason().as_str_name().to_owned(),
                Outcome::Invalid(invalid) => format!("invalid {}", invalid.field),
                Outcome::Undecided(_) => "undecided".to_owned(),
            })
            .collect();
        assert_eq!(
            output,
            [
                "allowed in ops", "invalid org", "REASON_ROLE_TOO_LOW", "invalid client_address", "REASON_SECRET_MALFORMED",
                "invalid required_access", "allowed in dev",
            ]
        );
        assert!(answer.sequence > 0 && answer.evaluated_at.is_some());
        let many = ask(vec![question("ops", v1::Access::Ro); 1000]).await.expect("answered");
        assert_eq!(many.answers.len(), 1000);
        for count in [0, 1001] {
            let refused = ask(vec![question("ops", v1::Access::Ro); count]).await.expect_err("refused");
            assert_eq!(refused.field.as_deref(), Some("questions"), "{count}");
        }
        let person = people.validate_tokens(v1::ValidateTokensRequest { questions: vec![question("ops", v1::Access::Ro)] });
        assert_eq!(person.await.expect_err("refused").reason, ndauth_core::Reason::NotPermitted);
    }

    /// Every form of a credential has the same effect, and no other header identifies the caller.
    async fn sec_05_one_credential_one_answer(at: &Installation) {
        at.people();
        at.run_admin("account create eve --email eve@example.org");
        let server = at.serve();
        let session = at.session();
        let whoami = |headers: &[&str]| grpcurl(&server, headers, "ndauth.v1.AccountService/WhoAmI", "{}");
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let ended = whoami(&[&format!("authorization: {scheme} {}", session.expose())]);
            assert_eq!(ended.code, 0, "{ended:?}");
            assert!(ended.out.contains("\"handle\": \"ada\""), "{ended:?}");
        }
        let bearer = format!("authorization: Bearer {}", session.expose());
        for strange in ["x-user-id: eve", "x-forwarded-user: eve", "x-auth-user: eve", "cookie: session=eve"] {
            let ended = whoami(&[&bearer, strange]);
            assert!(ended.code == 0 && ended.out.contains("\"handle\": \"ada\""), "{strange}: {ended:?}");
            assert_ne!(whoami(&[strange]).code, 0, "SEC-01: {strange} alone is nobody");
        }
        for (header, output) in [
            (format!("authorization: Basic {}", session.expose()), "Unauthenticated"),
            (format!("authorization: {}", session.expose()), "Unauthenticated"),
            (format!("x-api-key: {}", session.expose()), "Unauthenticated"),
        ] {
            let ended = whoami(&[&header]);
            assert!(ended.code != 0 && ended.err.contains(output), "{output}: {ended:?}");
        }
        // The missing permission is part of the error, as data.
        let made = server.client(&session).await.create_token(crate::requests::new_token("ci")).await.expect("made");
        let bearer = format!("authorization: Bearer {}", made.secret);
        let ended = grpcurl(&server, &[&bearer], "ndauth.v1.OrgService/ListMembers", r#"{"org":"ops"}"#);
        assert!(ended.err.contains("PermissionDenied") && ended.err.contains(r#""missing_permissions":"read:members""#), "{ended:?}");
    }
}
