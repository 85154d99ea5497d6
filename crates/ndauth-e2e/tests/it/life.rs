//! The life of a token as its owner and its pipelines see it: rotation, renewal, checks, and a clear message
//! at its end.

use std::fs::{self, File};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use ndauth_core::{Requirement, Scope, Secret, Timestamp};
use ndauth_proto::v1;
use ndauth_store::{Clock, Store};

use crate::installation::{Ended, Installation, Running, mode, path, run, soon};
use crate::on_both;
use crate::requests::new_token;

/// Runs a command line of `ndcli` with the stored login.
fn cli(at: &Installation, server: &Running, line: &str) -> Ended {
    at.ndcli(server, &line.split(' ').collect::<Vec<_>>())
}

fn done(ended: Ended) -> String {
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.out
}

fn secret_of(out: &str) -> String {
    let line = out.lines().find_map(|line| line.strip_prefix("Token: "));
    line.expect("a line with the secret").to_owned()
}

/// Returns the machine's time, this many seconds later. People choose instants by that clock.
#[expect(clippy::disallowed_methods, reason = "a person chooses an instant by the machine's time")]
fn later(seconds: u64) -> Timestamp {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let micros = i64::try_from((now + Duration::from_secs(seconds)).as_micros()).expect("an instant");
    Timestamp::from_micros(micros).expect("an instant")
}

/// Returns the verdict of a service on a secret that wants to write in `ops`.
async fn verdict(server: &Running, service: &Secret, secret: &str) -> String {
    let needed =
        Requirement::Access { org: "ops".parse().expect("a slug"), access: Scope::Rw, permission: None };
    let mut asked =
        ndauth_proto::requirement_to_proto(secret, &needed, "203.0.113.9".parse().ok()).expect("a question");
    asked.client = "deploy/2.1 (linux)".to_owned();
    let response = server.client(service).await.validate_token(asked).await.expect("decided");
    match response.outcome.expect("an outcome") {
        v1::validate_token_response::Outcome::Allowed(_) => "allowed".to_owned(),
        v1::validate_token_response::Outcome::Refused(refused) => refused.message,
    }
}

/// Runs a command line of `ndcli` with the stored login, and with this standard output.
fn cli_into(at: &Installation, server: &Running, stdout: impl Into<Stdio>, words: &[&str]) -> (i32, String) {
    let mut command = at.command("NDAUTH_TEST_NDCLI");
    command.args(words).env("NDCLI_SERVER", server.url.to_string());
    let ended = command.stdout(stdout).stderr(Stdio::piped()).spawn().expect("it starts").wait_with_output();
    let ended = ended.expect("it ends");
    (ended.status.code().expect("by itself"), String::from_utf8(ended.stderr).expect("text"))
}

/// Returns standard outputs that cannot be written: a full disk, and a pipe without a reader.
fn unwritable_outputs() -> [(Stdio, &'static str); 2] {
    let full = File::options().write(true).open("/dev/full").expect("it is there");
    let (_, closed) = std::io::pipe().expect("a pipe");
    [(full.into(), "No space left on device"), (closed.into(), "Broken pipe")]
}

on_both! {
    /// A secret that cannot be printed or stored is undone: its token is revoked, or its rotation is dropped.
    async fn a_secret_that_cannot_be_delivered_is_undone(at: &Installation) {
        at.people();
        at.run_admin("member set ops ada ADMIN");
        let server = at.serve();
        at.log_in(&server);
        let service = at.service();
        let folder = at.home().display().to_string();
        let lists = ["auth token list --all -f json", "token list --all --org ops -f json"];
        let statuses = |list: &str| {
            let listed: serde_json::Value = serde_json::from_str(&done(cli(at, &server, list))).expect("JSON");
            let tokens = listed["tokens"].as_array().expect("tokens").clone();
            tokens.iter().map(|token| token["status"].as_str().expect("text").to_owned()).collect::<Vec<_>>()
        };
        let mut made = [0, 0];
        for (own, line) in [
            (0, "auth token create --name ci --scope rw"),
            (0, "auth token create --name ci --scope rw -f json"),
            (0, "auth token create --name ci --scope rw --output token"),
            (1, "token create --name ci --scope read:assets --org ops"),
            (1, "token create --name ci --scope read:assets --org ops -f detailed"),
        ] {
            for (stdout, why) in unwritable_outputs() {
                let (code, message) = cli_into(at, &server, stdout, &line.split(' ').collect::<Vec<_>>());
                let begins = format!("error: standard output cannot be written: {why}");
                assert!(code == 1 && message.starts_with(&begins), "{line}: {message}");
                assert!(message.contains("): the token was made, and is revoked again\n"), "{line}: {message}");
                made[own] += 1;
                assert_eq!(statuses(lists[own]), vec!["REVOKED"; made[own]], "{line}");
            }
        }
        // A file that cannot be written because it is a folder, and a command that fails.
        for sink in [["--token-file", &folder], ["--to-file", &folder], ["--to-command", "cat > /dev/null; exit 4"]] {
            let words = ["auth", "token", "create", "--name", "ci", "--scope", "rw", "--force"];
            let ended = at.ndcli(&server, &[&words[..], &sink].concat());
            assert!(ended.code == 1 && ended.out.is_empty(), "{ended:?}");
            assert!(ended.err.ends_with(": the token was made, and is revoked again\n"), "{ended:?}");
            made[0] += 1;
            assert_eq!(statuses(lists[0]), vec!["REVOKED"; made[0]], "{sink:?}");
        }
        // A revoked token keeps no name, and a secret that goes to a file needs no standard output.
        let (full, _) = unwritable_outputs().into_iter().next().expect("one");
        let file = at.home().join("token").display().to_string();
        let words = ["auth", "token", "create", "--name", "ci", "--scope", "rw", "--self-rotating", "--to-file", &file];
        assert_eq!(cli_into(at, &server, full, &words).0, 1);
        let kept = fs::read_to_string(&file).expect("kept").trim().to_owned();
        assert_eq!(verdict(&server, &service, &kept).await, "allowed");
        assert_eq!(statuses("auth token list -f json"), ["ACTIVE"]);

        // The rotation is dropped, and the old secret stays valid. A token that rotates itself drops its
        // rotation, too.
        let waiting = || done(cli(at, &server, "auth token list")).contains("waits");
        for (stdout, why) in unwritable_outputs() {
            let (code, message) = cli_into(at, &server, stdout, &["auth", "token", "rotate", "ci", "-f", "json"]);
            let begins = format!("error: standard output cannot be written: {why}");
            assert!(code == 1 && message.starts_with(&begins), "{message}");
            assert!(message.ends_with("): the new secret is dropped again, and the old one stays valid\n"), "{message}");
            assert!(!waiting());
        }
        for variables in [&[] as &[(&str, &str)], &[("NDCLI_TOKEN", &kept)]] {
            let words = ["auth", "token", "rotate", "ci", "--to-file", &folder];
            let ended = at.ndcli_with(&server, variables, &words, "");
            assert!(ended.code == 1 && ended.err.contains("cannot be written: Is a directory"), "{ended:?}");
            assert!(ended.err.ends_with(": the new secret is dropped again, and the old one stays valid\n"), "{ended:?}");
            assert!(!waiting());
        }
        assert_eq!(verdict(&server, &service, &kept).await, "allowed");

        // The same holds for a token that is derived from the login.
        for (stdout, why) in unwritable_outputs() {
            let (code, message) = cli_into(at, &server, stdout, &["auth", "print-access-token"]);
            let begins = format!("error: standard output cannot be written: {why}");
            assert!(code == 1 && message.starts_with(&begins), "{message}");
            assert!(message.ends_with("): the access token was made, and is revoked again\n"), "{message}");
        }
    }

    /// A token's name is arbitrary text: a command pasted from a hint is one command on that token.
    async fn a_hint_works_when_it_is_pasted(at: &Installation) {
        at.people();
        let server = at.serve();
        at.log_in(&server);
        for name in ["my token; rm -rf $HOME", "it's `id`", "-x \"y\"", "plain"] {
            done(at.ndcli(&server, &["auth", "token", "create", "--scope", "rw", &format!("--name={name}")]));
            let output = done(at.ndcli(&server, &["auth", "token", "rotate", "--", name]));
            // The name itself may contain backticks.
            let (_, rest) = output.split_once("or by `").expect("a command");
            let (pasted, _) = rest.split_once("`; the old one").expect("its end");
            let mut shell = std::process::Command::new("sh");
            shell.args(["-c", pasted]).env_clear().env("PATH", path()).env("HOME", at.home());
            shell.env("NDCLI_NO_KEYRING", "true").env("NDCLI_SERVER", server.url.to_string());
            let ended = run(shell, "");
            assert!(ended.code == 0 && ended.out.contains("the new secret took over"), "{pasted}: {ended:?}");
        }
        assert!(at.home().join(".config/ndcli").is_dir(), "nothing was removed");
    }

    /// A pending or retiring secret that is presented ends only itself, and the message does not claim that
    /// its token ended.
    async fn revoking_by_a_secondary_secret_keeps_the_token(at: &Installation) {
        at.people();
        let server = at.serve();
        at.log_in(&server);
        let service = at.service();
        let old = secret_of(&done(cli(at, &server, "auth token create --name ci --scope rw")));
        let revoke = |secret: &str, format: &str| {
            let line = format!("auth token revoke ci --yes -f {format}");
            done(at.ndcli_with(&server, &[("NDCLI_TOKEN", secret)], &line.split(' ').collect::<Vec<_>>(), ""))
        };
        let pending = secret_of(&done(cli(at, &server, "auth token rotate ci")));
        let output = revoke(&pending, "table");
        assert_eq!(output, "✓ Personal access token \"ci\" still valid: its new secret, which was presented, is dropped\n");
        assert_eq!(verdict(&server, &service, &old).await, "allowed");
        let new = secret_of(&done(cli(at, &server, "auth token rotate ci")));
        done(cli(at, &server, "auth token rotation confirm ci"));
        let output = revoke(&old, "simple");
        assert!(output.ends_with("] still valid: its old secret, which was presented, is retired\n"), "{output}");
        assert!(verdict(&server, &service, &old).await.starts_with("the secret was replaced"));
        assert_eq!(verdict(&server, &service, &new).await, "allowed");
        let pending = secret_of(&done(cli(at, &server, "auth token rotate ci")));
        let report: serde_json::Value = serde_json::from_str(&revoke(&pending, "json")).expect("JSON");
        let token = &report["token"];
        assert_eq!((&token["status"], token.get("revoked_at")), (&"ACTIVE".into(), None), "{report}");
        assert_eq!(revoke(&new, "table"), "✓ Personal access token \"ci\" revoked\n");
    }

    /// A pipeline still uses the old secret: that is shown, the secret works on, and is retired later.
    async fn a_rotation_keeps_the_old_secret_valid_until_retirement(at: &Installation) {
        at.people();
        let server = at.serve();
        at.log_in(&server);
        let service = at.service();
        let old = secret_of(&done(cli(at, &server, "auth token create --name ci --scope rw")));
        assert_eq!(verdict(&server, &service, &old).await, "allowed");
        let output = done(cli(at, &server, "auth token rotate ci --overlap 7d"));
        let new = secret_of(&output);
        assert!(output.contains("takes over at its first use, or by `ndcli auth token rotation confirm ci`; the old one stays valid for 7d"), "{output}");
        let again = cli(at, &server, "auth token rotate ci");
        assert!(again.code == 1 && again.err.contains("awaits confirmation until") && again.err.contains("rotation drop"), "{again:?}");
        assert!(done(cli(at, &server, "auth token list")).contains("• ci: the new secret awaits confirmation until "));

        assert_eq!(verdict(&server, &service, &new).await, "allowed");
        let rotation = async || {
            let listed = done(cli(at, &server, "auth token list -f json"));
            let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
            let retirement = &listed["tokens"][0]["rotation"]["overlap"]["retirement"];
            retirement.as_str().unwrap_or("-").to_owned()
        };
        soon(&"TOO_SOON".to_owned(), &rotation).await;
        assert_eq!(verdict(&server, &service, &old).await, "allowed");
        soon(&"STILL_USED".to_owned(), &rotation).await;
        let output = done(cli(at, &server, "auth token list"));
        assert!(output.contains("from 203.0.113.9; not yet safe to retire: it is still used"), "{output}");
        let refused = cli(at, &server, "auth token rotation retire ci");
        assert!(refused.code == 1 && refused.err.contains("it is not yet safe: the old secret was used just now"), "{refused:?}");
        assert!(refused.err.contains("`--yes` retires it anyway"), "{refused:?}");
        let output = done(cli(at, &server, "auth token rotation retire ci --yes"));
        assert_eq!(output, "✓ \"ci\": the old secret is retired\n");
        let refusal = verdict(&server, &service, &old).await;
        assert!(refusal.starts_with("the secret was replaced by a rotation just now ("), "{refusal}");
        assert_eq!(verdict(&server, &service, &new).await, "allowed");
        // The place of its use is shown, and so is the later use of the old secret.
        let shown = async || {
            let output = done(cli(at, &server, "auth token show ci"));
            let (place, turned_up) = (output.contains("│ 203.0.113.9 │ deploy/2.1 │"), output.contains("│ retired │"));
            (place, turned_up, output.contains("PRESENTED"))
        };
        soon(&(true, true, true), &shown).await;
        let noted = async || done(cli(at, &server, "auth token list")).contains(" was presented just now (");
        soon(&true, &noted).await;
        assert!(at.run_admin("check").contains("no problems found"));
    }

    /// Only the sink gets the secret: not the terminal, an argument, a variable or a log.
    async fn a_sink_alone_gets_the_secret(at: &Installation) {
        at.people();
        let server = at.serve();
        at.log_in(&server);
        let service = at.service();
        let kept = |name: &str| fs::read_to_string(at.home().join(name)).unwrap_or_default().trim().to_owned();
        let home = at.home().display().to_string();
        let into = |verb: &str, name: &str, end: &str| {
            let command = format!(
                "cat > {home}/{name}; tr '\\0' '\\n' < /proc/$PPID/cmdline > {home}/{name}.seen; \
                 tr '\\0' '\\n' < /proc/$PPID/environ >> {home}/{name}.seen; env >> {home}/{name}.seen; echo stored; {end}"
            );
            let words: Vec<&str> = verb.split(' ').chain(["--to-command", &command]).collect();
            at.ndcli(&server, &words)
        };
        let made = into("auth token create --name ci --scope rw", "first", "true");
        let first = kept("first");
        assert!(first.parse::<Secret>().is_ok(), "{made:?}");
        assert_eq!(verdict(&server, &service, &first).await, "allowed");
        // A sink that stored the secret and then failed has broken nothing.
        let failed = into("auth token rotate ci", "second", "exit 3");
        let second = kept("second");
        assert_eq!(failed.code, 1);
        assert!(failed.err.contains("the new secret waits until ") && failed.err.contains("the old one is still valid"), "{failed:?}");
        assert!(failed.err.contains("hint: if it was stored anyway: `ndcli auth token rotation confirm ci`"), "{failed:?}");
        assert_eq!(verdict(&server, &service, &first).await, "allowed");
        assert_eq!(done(cli(at, &server, "auth token rotation confirm ci")).lines().next(), Some("✓ \"ci\": the new secret took over"));
        assert_eq!(verdict(&server, &service, &second).await, "allowed");
        done(cli(at, &server, "auth token rotation retire ci --yes"));
        // One that failed before it stored it, too.
        let failed = at.ndcli(&server, &["auth", "token", "rotate", "ci", "--to-command", "exit 4"]);
        assert!(failed.code == 1 && failed.err.contains("exit status: 4"), "{failed:?}");
        done(cli(at, &server, "auth token rotation drop ci"));
        assert_eq!(verdict(&server, &service, &second).await, "allowed");
        let file = at.home().join("token");
        fs::write(&file, "what was there before").expect("written");
        let rotated = at.ndcli(&server, &["auth", "token", "rotate", "ci", "--overlap", "0", "--to-file", &file.display().to_string()]);
        assert!(rotated.code == 0 && rotated.out.contains("and took over"), "{rotated:?}");
        assert_eq!(mode(&file), 0o600);
        assert_eq!(verdict(&server, &service, &kept("token")).await, "allowed");
        assert!(verdict(&server, &service, &second).await.starts_with("the secret was replaced"));
        let nowhere = at.ndcli(&server, &["auth", "token", "rotate", "ci", "--to-file", "/nonexistent/token"]);
        assert!(nowhere.code == 2, "{nowhere:?}");
        assert!(!done(cli(at, &server, "auth token list")).contains("waits"), "nothing was begun");

        let log: String = server.log.try_iter().collect();
        for (secret, ended) in [(&first, &made), (&second, &failed)] {
            for place in [&ended.out, &ended.err, &kept("first.seen"), &kept("second.seen"), &log, &rotated.out, &rotated.err] {
                assert!(!place.contains(&secret[12..]), "{place}");
            }
        }
        assert!(made.err.contains("stored"), "what a sink prints stands beside the data: {made:?}");
    }

    /// SEC-17: only the exact string is accepted, at every listener of the server.
    async fn sec_17_only_the_exact_string_passes(at: &Installation) {
        at.people();
        let server = at.serve();
        let owner = server.client(&at.session()).await;
        let service = at.service();
        let secret = owner.create_token(new_token("ci")).await.expect("made").secret;
        assert_eq!(verdict(&server, &service, &secret).await, "allowed");
        let mut spoiled: Vec<String> = (1..=10).map(|cut| secret[..secret.len() - cut].to_owned()).collect();
        spoiled.extend(["\n", " ", "%0a", "\0", "A", "=", "\r\n", "\u{200b}"].map(|tail| format!("{secret}{tail}")));
        spoiled.extend([" ", "\n", "x", "Bearer "].map(|head| format!("{head}{secret}")));
        spoiled.push(secret.to_uppercase());
        spoiled.push(secret.to_lowercase());
        spoiled.push(secret.replace("ndpat_", "ndorg_"));
        spoiled.push(secret.replace('a', "а").replace("ndp", "ndр"));
        spoiled.push(format!("x{secret}y"));
        for text in spoiled.iter().filter(|text| **text != secret) {
            let answer = verdict(&server, &service, text).await;
            assert_ne!(answer, "allowed", "{text:?}");
            assert!(!answer.contains(&secret[12..]), "{answer}");
        }
        assert_eq!(verdict(&server, &service, &secret).await, "allowed");
    }

    /// A token that ends soon causes a warning, fails a strict check, and renews itself if that was
    /// requested.
    async fn tokens_that_end_soon_are_reported_and_renewed(at: &Installation) {
        at.people();
        let server = at.serve();
        at.log_in(&server);
        let turning = at.home().join("turning").display().to_string();
        let plain = at.home().join("plain").display().to_string();
        for (name, file, more) in [("turning", &turning, Some("--self-rotating")), ("plain", &plain, None)] {
            let words = ["auth", "token", "create", "--name", name, "--scope", "rw", "--to-file", file];
            done(at.ndcli(&server, &words.into_iter().chain(more).collect::<Vec<_>>()));
        }
        server.kill();
        // Most of their lifetime has passed.
        let store = Store::connect(&at.scratch.url, Clock::Database).await.expect("it opens");
        let sql = format!("UPDATE token SET expires_at = {}", later(3 * 24 * 60 * 60).micros());
        ndauth_store::testing::execute(&store, &sql).await;
        let minted = "UPDATE secret SET minted_at = minted_at - 6912000000000 WHERE token_id IS NOT NULL";
        ndauth_store::testing::execute(&store, minted).await;
        store.close().await.expect("closed");
        let server = at.serve();
        at.log_in(&server);
        let with = |file: &str, more: &[(&str, &str)], line: &str| {
            let variables: Vec<_> = [("NDCLI_TOKEN_FILE", file)].into_iter().chain(more.iter().copied()).collect();
            at.ndcli_with(&server, &variables, &line.split(' ').collect::<Vec<_>>(), "")
        };
        let ended = with(&plain, &[], "whoami -f simple");
        assert!(ended.code == 0 && ended.err.starts_with("warning: the token in NDCLI_TOKEN_FILE ends in 2 days ("), "{ended:?}");
        assert_eq!(with(&plain, &[], "auth status --strict --fail-within 1d -f simple").code, 0);
        let strict = with(&plain, &[("GITHUB_ACTIONS", "true")], "auth status --strict -f simple");
        let line = "\n::warning title=ndauth credential::the credential in NDCLI_TOKEN_FILE ends in 2 days (";
        assert!(strict.code == 1 && strict.out.contains(line), "{strict:?}");
        let strict = with(&plain, &[("GITLAB_CI", "true")], "auth status --strict -f simple");
        assert!(strict.code == 1 && strict.out.contains("\n\u{1b}[0;33mWARNING: the credential in "), "{strict:?}");
        // The automatic renewal is quiet, happens once, and never makes the command fail.
        let renew = [("NDCLI_AUTO_REFRESH_TOKEN", "true")];
        let ended = with(&plain, &renew, "whoami -f simple");
        assert!(ended.code == 0 && !ended.err.contains("renewed"), "it may not: {ended:?}");
        let ended = with(&turning, &renew, "whoami -f simple");
        assert!(ended.code == 0 && ended.err.contains("renewed \"turning\" until "), "{ended:?}");
        assert_eq!(with(&turning, &renew, "whoami -f simple").err, "");
        assert_eq!(with(&turning, &[], "auth status --strict -f simple").code, 0);
        // A person's login renews the person's own tokens.
        done(at.ndcli(&server, &["config", "set", "auto-refresh-token", "true"]));
        let ended = at.ndcli(&server, &["auth", "token", "list", "-f", "simple"]);
        assert!(ended.code == 0 && ended.err.contains("renewed \"plain\" until "), "{ended:?}");
        assert_eq!(at.ndcli(&server, &["auth", "token", "list", "-f", "simple"]).err, "");
    }

    /// An incident: a token is suspended and resumed, the org is frozen and unfrozen, and the older tokens
    /// are revoked.
    async fn an_incident_is_contained(at: &Installation) {
        at.people();
        at.run_admin("account create eve --email eve@example.org --operator");
        at.run_admin("member set ops eve ADMIN");
        let server = at.serve();
        at.log_in(&server);
        let service = at.service();
        let old = secret_of(&done(cli(at, &server, "auth token create --name ci --scope rw")));
        assert_eq!(verdict(&server, &service, &old).await, "allowed");
        let eve: Secret = at.run_admin("session issue eve").parse().expect("a secret");
        let eves = |line: &str| {
            at.ndcli_with(&server, &[("NDCLI_TOKEN", eve.expose())], &line.split(' ').collect::<Vec<_>>(), "")
        };
        let day = done(eves("token revoke --all --org ops --created-before 2026-01-01 --preview"));
        assert!(day.starts_with("0 token(s) have a secret that was made before 2026-01-01T00:00:00Z"), "{day}");
        let preview = done(eves("token revoke --all --org ops --created-before now --preview"));
        assert!(preview.contains("1 token(s) have a secret that was made before "), "{preview}");
        let listed = done(eves("org tokens ops -f json"));
        let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
        let id = listed["tokens"][0]["id"].as_str().expect("an id").to_owned();
        assert_eq!(listed["tokens"][0]["owner"]["account"]["handle"], "ada");
        done(eves(&format!("token suspend {id} --org ops")));
        soon(&true, async || verdict(&server, &service, &old).await.starts_with("the org `ops` suspended the token just now")).await;
        done(eves(&format!("token resume {id} --org ops")));
        // By its name, with whose it is, and by the beginning of its id.
        done(eves("token suspend ci --member ada --org ops"));
        let output = done(eves(&format!("token resume {} --org ops", &id[..20])));
        assert_eq!(output, "✓ \"ci\" resumed\n");
        let nobody = eves("token suspend ci --org ops");
        assert!(nobody.code == 1 && nobody.err.contains("there is no token `ci` in the org `ops`"), "{nobody:?}");
        done(eves("org freeze ops --yes"));
        soon(&true, async || verdict(&server, &service, &old).await.starts_with("the org `ops` was frozen just now")).await;
        let minted = cli(at, &server, "auth token create --name x --scope ro --org ops");
        assert!(minted.code == 5 && minted.err.contains("hint: an admin of the org unfreezes it"), "{minted:?}");
        done(eves("org unfreeze ops"));
        soon(&"allowed".to_owned(), async || verdict(&server, &service, &old).await).await;
        done(eves("auth token revoke --all --owner ada --created-before now --yes"));
        soon(&true, async || verdict(&server, &service, &old).await.starts_with("the token was revoked with all tokens minted before ")).await;
        assert!(!done(cli(at, &server, "auth token list")).contains("ci"));
        let listed: serde_json::Value = serde_json::from_str(&done(cli(at, &server, "auth token list --all -f json"))).expect("JSON");
        let dead = &listed["tokens"][0];
        assert_eq!((&dead["name"], &dead["status"]), (&"ci".into(), &"REVOKED".into()), "{listed}");
        let like = format!("auth token create --like {}", dead["id"].as_str().expect("an id"));
        let fresh = secret_of(&done(cli(at, &server, &like)));
        assert_eq!(verdict(&server, &service, &fresh).await, "allowed");
        // Only the owner is shown the note of the revocation.
        done(at.ndcli(&server, &["auth", "token", "revoke", "ci", "--yes", "--reason", "leaked", "--note", "the laptop was stolen"]));
        let refusal = verdict(&server, &service, &fresh).await;
        assert!(refusal.starts_with("the token was revoked just now (") && !refusal.contains("laptop"), "{refusal}");
        let all: serde_json::Value =
            serde_json::from_str(&done(cli(at, &server, "auth token list --all -f json"))).expect("JSON");
        let id = all["tokens"].as_array().expect("tokens").last().expect("one")["id"].as_str().expect("an id").to_owned();
        let shown = at.run_admin("token list --all --owner ada");
        assert!(!shown.contains("laptop"));
        let client = server.client(&at.session()).await;
        let request = v1::GetTokenRequest { owner: Some(v1::Whose::mine()), which: Some(v1::Which::id(id)) };
        let revocation = client.get_token(request).await.expect("shown").token.expect("a token").revocation;
        let revocation = revocation.expect("it is shown");
        assert_eq!(revocation.reason(), v1::RevocationReason::Leaked);
        assert_eq!((revocation.by.as_str(), revocation.note()), ("ada", "the laptop was stolen"));
        assert!(at.run_admin("tidy").starts_with("removed 0 token(s)"));
        assert!(at.run_admin("check").contains("no problems found"));
    }

    /// A service's new secret takes over at its first use.
    async fn a_services_secret_takes_over_at_its_first_use(at: &Installation) {
        at.people();
        let server = at.serve();
        let service = at.service();
        let new: Secret = at.run_admin("service rotate registry --overlap 0").parse().expect("a secret alone");
        assert!(at.admin("service rotate registry").err.contains("awaits confirmation"));
        let asks = async |secret: &Secret| {
            let client = server.client(secret).await;
            let question = v1::ValidateTokenRequest {
                secret: "ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U".to_owned(),
                required_access: v1::Access::Identity.into(),
                ..Default::default()
            };
            client.validate_token(question).await.map(drop).map_err(|problem| problem.reason.code())
        };
        assert_eq!(asks(&service).await, Ok(()));
        soon(&Ok(()), async || asks(&new).await).await;
        soon(&Err("SECRET_REPLACED"), async || asks(&service).await).await;
        assert_eq!(asks(&new).await, Ok(()));
        assert!(at.run_admin("check").contains("no problems found"));
    }
}
