//! The audit at a terminal and over HTTP, by the real binaries: histories, exports, verification, refused attempts, and
//! no secret in anything.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use base64::Engine as _;
use expect_test::expect;
use ndauth_core::Secret;
use serde_json::Value;

use crate::api::ask;
use crate::cli::{json, shows};
use crate::installation::{Ended, Installation, KillOnDrop, Running, run};
use crate::on_both;

/// Makes `ada` an operator and an admin of `ops`, starts a server, and logs `ndcli` in as her. Returns the server, and the
/// secret of her session.
fn operator(at: &Installation, more: &[&str]) -> (Running, String) {
    at.people();
    at.run_admin("operator grant ada");
    at.run_admin("member set ops ada ADMIN");
    let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), more);
    let session = at.run_admin("session issue ada");
    let ended = at.ndcli_with(&server, &[], &["auth", "login", "--with-token"], &session);
    assert_eq!(ended.code, 0, "{ended:?}");
    (server, session)
}

fn line(at: &Installation, server: &Running, text: &str) -> Ended {
    at.ndcli(server, &text.split(' ').collect::<Vec<_>>())
}

on_both! {
    async fn what_happened_is_shown_in_plain_words(at: &Installation) {
        let (server, session) = operator(at, &[]);
        let cli = |text: &str| line(at, &server, text);
        assert_eq!(cli("auth token create --name ci --scope rw").code, 0);
        assert_eq!(cli("auth token revoke ci --yes --reason leaked").code, 0);
        assert_eq!(cli("token create deploy --grant write:assets --org ops").code, 0);
        shows(&cli("audit list --limit 3"), 0, at, &server, &expect![[r#"
            ╭───────┬──────────────────────┬────────────────────────┬───────────────────────────────────────╮
            │ EVENT │ WHEN                 │ FROM                   │ WHAT                                  │
            ├───────┼──────────────────────┼────────────────────────┼───────────────────────────────────────┤
            │ 11    │ INSTANT │ 127.0.0.1, ndcli/0.1.0 │ ada created ops's org token `deploy`. │
            │ 10    │ INSTANT │ 127.0.0.1, ndcli/0.1.0 │ ada revoked the token `ci` (leaked).  │
            │ 9     │ INSTANT │ 127.0.0.1, ndcli/0.1.0 │ ada created the token `ci`.           │
            ╰───────┴──────────────────────┴────────────────────────┴───────────────────────────────────────╯
            Total: 3 event(s)
        "#]]);
        shows(&cli("audit list --org ops --kind token"), 0, at, &server, &expect![[r#"
            ╭───────┬──────────────────────┬────────────────────────┬───────────────────────────────────────╮
            │ EVENT │ WHEN                 │ FROM                   │ WHAT                                  │
            ├───────┼──────────────────────┼────────────────────────┼───────────────────────────────────────┤
            │ 11    │ INSTANT │ 127.0.0.1, ndcli/0.1.0 │ ada created ops's org token `deploy`. │
            ╰───────┴──────────────────────┴────────────────────────┴───────────────────────────────────────╯
            Total: 1 event(s)
        "#]]);
        shows(&cli("audit list --all --kind org -f simple"), 0, at, &server, &expect![[r#"
            INSTANT #3 The console created the org dev.
            INSTANT #2 The console created the org ops.
        "#]]);
        let listed = json(&cli("audit list --of-token ci -f json"));
        let events = listed["events"].as_array().expect("events");
        assert_eq!(events.len(), 2);
        assert_eq!((&events[0]["reason"], &events[0]["kind"]), (&"LEAKED".into(), &"token.revoked".into()));
        assert_eq!(events[0]["client"], format!("ndcli/{}", env!("CARGO_PKG_VERSION")));
        assert_eq!(events[0]["address"], "127.0.0.1");
        let sequence = events[1]["sequence"].as_u64().expect("a number");
        let mut shown = cli(&format!("audit show {sequence}"));
        // Those differ from run to run.
        let varies = |line: &&str| ["│ When ", "│ Request ", "│ Hash "].iter().any(|field| line.starts_with(field));
        shown.out = shown.out.lines().filter(|line| !varies(line)).map(|line| format!("{line}\n")).collect();
        shows(&shown, 0, at, &server, &expect![[r#"
            ╭────────────┬──────────────────────────────────────────────────────────────────╮
            │ Event      │ 9                                                                │
            │ Kind       │ token.created                                                    │
            │ What       │ ada created the token `ci`.                                      │
            │ Outcome    │ succeeded                                                        │
            │ By         │ session                                                          │
            │ By account │ ada (iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii)                       │
            │ By session │ iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii                             │
            │ Account    │ ada (iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii)                       │
            │ Token      │ ci (iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii)                        │
            │ Address    │ 127.0.0.1                                                        │
            │ Client     │ ndcli/0.1.0                                                      │
            ╰────────────┴──────────────────────────────────────────────────────────────────╯
        "#]]);
        // The same by HTTP, where a SIEM goes on from where it was.
        let page = ask(&server, &format!("GET /v1/audit?after={}&page_size=1", sequence - 1), Some(&session), None).json();
        assert_eq!(page["events"][0]["sequence"], sequence);
        assert_eq!((&page["through"], &page["next_page_token"]), (&sequence.into(), &sequence.to_string().into()));
        let end = ask(&server, "GET /v1/audit?after=100000", Some(&session), None).json();
        assert_eq!(end["events"], Value::Array(Vec::new()));
        for (path, status) in [
            ("GET /v1/orgs/ops/audit", 200),
            ("GET /v1/orgs/dev/audit", 403),
            ("GET /v1/orgs/nowhere/audit", 404),
            ("GET /v1/admin/audit", 200),
            ("GET /v1/audit?kind=toke", 400),
            ("GET /v1/audit?page_token=x", 400),
            ("GET /v1/audit?since=yesterday", 400),
            ("GET /v1/audit:export?after=3", 200),
            ("GET /v1/audit/refused", 200),
        ] {
            assert_eq!(ask(&server, path, Some(&session), None).status, status, "{path}");
        }
        assert_eq!(ask(&server, "GET /v1/admin/audit", None, None).status, 401);
        for (wrong, code) in [
            ("audit list --kind nonsense", 2),
            ("audit list --account nobody", 0),
            ("audit list --all --account nobody", 2),
            ("audit list --org ops --all", 2),
            ("audit list --since yesterday", 2),
            ("audit list --of-token nothing", 2),
            ("audit show 100000", 1),
            ("audit list --org nowhere", 1),
        ] {
            let ended = cli(wrong);
            assert_eq!(ended.code, code, "{wrong}: {ended:?}");
        }
    }

    /// A tail prints each event once, as it happens.
    async fn a_tail_follows_the_log(at: &Installation) {
        let (server, _) = operator(at, &[]);
        let mut command = at.command("NDAUTH_TEST_NDCLI");
        command.env("NDCLI_SERVER", server.url.to_string());
        command.args(["audit", "tail", "--lines", "1", "-f", "json"]).stdout(Stdio::piped());
        let mut tail = KillOnDrop(command.spawn().expect("started"));
        let mut lines = BufReader::new(tail.0.stdout.take().expect("piped")).lines();
        let mut next = || -> Value {
            serde_json::from_str(&lines.next().expect("a line").expect("text")).expect("JSON")
        };
        assert_eq!(next()["kind"], "session.issued");
        assert_eq!(line(at, &server, "auth token create --name ci --scope rw").code, 0);
        assert_eq!(next()["text"], "ada created the token `ci`.");
        assert_eq!(line(at, &server, "auth token revoke ci --yes").code, 0);
        assert_eq!(next()["kind"], "token.revoked");
    }

    /// Each way to tamper with an export is found, and named.
    async fn an_export_proves_what_it_holds(at: &Installation) {
        let (server, _) = operator(at, &[]);
        let cli = |text: &str| line(at, &server, text);
        for name in ["one", "two", "three"] {
            assert_eq!(cli(&format!("auth token create --name {name} --scope rw")).code, 0);
            assert_eq!(cli(&format!("token create {name} --grant write:assets --org ops")).code, 0);
        }
        let (file, tampered) = (at.home().join("log.jsonl"), at.home().join("tampered.jsonl"));
        let (path, bad) = (file.display().to_string(), tampered.display().to_string());
        assert_eq!(cli(&format!("audit export --all --output {path}")).code, 0);
        let again = cli(&format!("audit export --all --output {path}"));
        assert!(again.code == 1 && again.err.contains("File exists"), "{again:?}");
        let text = fs::read_to_string(&file).expect("written");
        let count = text.lines().count();
        let verified = cli(&format!("audit verify {path}"));
        assert_eq!(verified.out, format!("✓ {count} events verified\n"));
        assert_eq!(cli("audit verify").out, verified.out);
        // The console exports the same.
        assert_eq!(at.run_admin("events export"), text.trim_end());
        let lines: Vec<&str> = text.lines().collect();
        let without = |index: usize| lines.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, line)| *line).collect::<Vec<_>>();
        let twice = [&lines[..4], &lines[3..]].concat();
        let changed = |from: &str, to: &str| lines.join("\n").replacen(from, to, 1);
        for (what, text, fault) in [
            ("altered", changed("token.created", "token.blessed"), "was altered"),
            ("personal data altered", changed(r#"\"name\":\"one\""#, r#"\"name\":\"eno\""#), "was altered"),
            ("missing", without(2).join("\n"), "event 3 is missing"),
            ("the first is missing", without(0).join("\n"), "event 1 is missing"),
            ("inserted", twice.join("\n"), "event 4 was inserted"),
            ("not an export", "{}".to_owned(), "line 1 is not an exported event"),
        ] {
            fs::write(&tampered, text).expect("written");
            let ended = cli(&format!("audit verify {bad}"));
            assert!(ended.code == 1 && ended.err.contains(fault), "{what}: {ended:?}");
        }
        // Nothing in an org's export shows what is missing between its events: the server does.
        let of_org = at.home().join("ops.jsonl");
        let path = of_org.display().to_string();
        assert_eq!(cli(&format!("audit export --org ops --output {path}")).code, 0);
        let part = fs::read_to_string(&of_org).expect("written");
        assert!(part.lines().count() < count && part.lines().count() > 4);
        let verified = cli(&format!("audit verify {path} --org ops"));
        assert_eq!(verified.code, 0, "{verified:?}");
        let lines: Vec<&str> = part.lines().collect();
        let second: Value = serde_json::from_str(lines[1]).expect("JSON");
        fs::write(&of_org, [&lines[..1], &lines[2..]].concat().join("\n")).expect("written");
        let ended = cli(&format!("audit verify {path} --org ops"));
        assert!(ended.code == 1 && ended.err.contains(&format!("event {} is missing", second["sequence"])), "{ended:?}");
        // An event whose content was taken out is not what the server has.
        let emptied = lines[1].replace(&format!(r#""public":{}"#, second["public"]), r#""public":null"#);
        assert_ne!(emptied, lines[1]);
        fs::write(&of_org, [&lines[..1], &[&emptied], &lines[2..]].concat().join("\n")).expect("written");
        let ended = cli(&format!("audit verify {path} --org ops"));
        assert!(ended.code == 1 && ended.err.contains(&format!("event {} was altered", second["sequence"])), "{ended:?}");
        // CSV is for spreadsheets.
        let csv = cli("audit export --csv").out;
        assert!(csv.starts_with("\"Event\",\"When\",\"Kind\",\"What\""), "{csv}");
        assert!(csv.contains("\"ada created the token `one`.\""), "{csv}");
    }

    async fn refusals_and_retention_are_the_operators(at: &Installation) {
        let (server, session) = operator(at, &[]);
        let form = "name=ada&password=wrong";
        for _ in 0..3 {
            let request = format!(
                "POST /sign-in HTTP/1.1\r\nhost: {0}\r\norigin: http://{0}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
                 content-length: {1}\r\nconnection: close\r\n\r\n{form}",
                server.url.to_string().trim_start_matches("http://").trim_end_matches('/'),
                form.len()
            );
            assert_eq!(crate::api::send(&server, request.as_bytes()).status, 403);
        }
        assert_eq!(ask(&server, "POST /v1/orgs/dev:freeze", Some(&session), Some(&serde_json::json!({}))).status, 403);
        let secret = Secret::mint(ndauth_core::SecretKind::Personal, &mut rand::rngs::SysRng).expect("drawn");
        let found = run_with(at, "events find-secret", secret.expose());
        assert!(found.out.contains("is not a secret of this installation"), "{found:?}");
        let found = run_with(at, "events find-secret", &session);
        assert!(found.out.contains("belongs to the session") && found.out.contains("of ada"), "{found:?}");
        assert!(!found.out.contains(session.trim()), "{found:?}");
        let refused = at.admin("account erase ada --yes");
        assert!(refused.code != 0 && refused.err.contains("disable ada"), "{refused:?}");
        assert!(at.admin("events prune 2020-01-01 --yes").code == 2, "--before is stated");
        let pruned = at.run_admin("events prune --before 2020-01-01 --yes");
        assert!(pruned.contains("nothing was removed"), "{pruned}");
        // They are written when the server stops, at the latest.
        server.signal(rustix::process::Signal::TERM);
        assert!(server.ended().success());
        let server = at.serve();
        let listed = ask(&server, "GET /v1/audit/refused", Some(session.trim()), None).json();
        let kinds: Vec<_> = listed["attempts"].as_array().expect("rows").iter().map(|row| (&row["kind"], &row["count"])).collect();
        assert!(kinds.contains(&(&"SIGN_IN".into(), &3.into())), "{listed}");
        assert!(kinds.contains(&(&"CHANGE".into(), &1.into())), "{listed}");
    }

    /// No secret, cookie or password is in any event, log line, metric or output, in whatever writing.
    async fn no_secret_is_anywhere(at: &Installation) {
        let (server, session) = operator(at, &["--log", "trace"]);
        let mut known = vec![session.trim().to_owned(), "correct horse battery staple".to_owned()];
        let mut output = String::new();
        let cli = |text: &str| line(at, &server, text);
        let made = cli("auth token create --name ci --scope rw -f json");
        known.push(json(&made)["secret"].as_str().expect("a secret").to_owned());
        let rotated = cli("auth token rotate ci --overlap 0 -f json");
        known.push(json(&rotated)["secret"].as_str().expect("a secret").to_owned());
        known.push(at.service().expose().to_owned());
        at.run_admin("account create bob --email bob@example.org");
        let link = at.run_admin("account invite bob");
        known.push(link.rsplit('=').next().expect("a code").to_owned());
        for secret in known.clone() {
            // Presented where it belongs and where it does not: refused or not, it is not repeated.
            for request in ["GET /v1/tokens", "POST /v1/secrets:revoke", "GET /tokens", "GET /v1/nothing"] {
                output += &ask(&server, request, Some(&secret), Some(&serde_json::json!({ "secret": "x" }))).text;
            }
            // What nobody can recognize as a secret is shown again, to the person who typed it as a name.
            let name = if secret.starts_with("nd") { &secret } else { "ada" };
            let form = format!("name={name}&password={secret}");
            let request = format!(
                "POST /sign-in HTTP/1.1\r\nhost: x\r\ncookie: ndauth={secret}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
                 content-length: {}\r\nconnection: close\r\n\r\n{form}",
                form.len()
            );
            output += &crate::api::send(&server, request.as_bytes()).text;
        }
        for command in ["audit list --all -f json", "audit refused --all -f json", "audit export --all", "auth token list -f json",
                        "auth status -f json", "admin service list -f json"] {
            let Ended { out, err, .. } = cli(command);
            output += &out;
            output += &err;
        }
        output += &server.get("/metrics").1;
        server.signal(rustix::process::Signal::TERM);
        while let Ok(line) = server.log.recv() {
            output += &line;
            output += "\n";
        }
        assert!(output.len() > 10_000 && output.contains("token.created"), "the log and the events are there");
        for secret in known {
            let bytes = secret.as_bytes();
            let encoded = base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes);
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let reversed: String = secret.chars().rev().collect();
            // Without what begins or ends it: a marker, and the last characters of base64.
            let body = secret.trim_start_matches("ndpat_").trim_start_matches("ndses_").trim_start_matches("ndsvc_");
            for written in [body, &hex, &hex.to_uppercase(), &encoded[..encoded.len() - 3], &reversed] {
                if let Some(place) = output.find(written) {
                    let around = &output[place.saturating_sub(200)..place];
                    panic!("a secret is written as {written} after: {around}");
                }
            }
        }
    }
}

/// Runs a command of `ndauthd admin` with something on standard input.
fn run_with(at: &Installation, arguments: &str, stdin: &str) -> Ended {
    let mut command = at.command("NDAUTH_TEST_NDAUTHD");
    command.arg("admin").args(arguments.split(' ')).stdin(Stdio::piped());
    run(command, stdin)
}
