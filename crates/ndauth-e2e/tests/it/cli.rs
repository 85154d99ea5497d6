//! `ndcli`, checked by its whole terminal output.

mod responses;

use expect_test::{Expect, expect};
use ndauth_store::Engine;
use serde_json::Value;

use crate::installation::{Ended, Installation, ReservedPort, Running, mode, run};
use crate::on_both;

/// Returns a terminal's text with varying parts replaced: secrets, ids, instants, days, ports, paths.
pub(crate) fn plain(text: &str, at: &Installation, server: &Running) -> String {
    let text = text
        .replace(&server.url.to_string(), "http://SERVER")
        .replace(&at.home().display().to_string(), "HOME");
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        let (taken, shown) = volatile(rest).unwrap_or((c.len_utf8(), rest[..c.len_utf8()].to_owned()));
        plain.push_str(&shown);
        rest = &rest[taken..];
    }
    plain
}

/// Returns the number of leading bytes that vary from run to run, and a replacement of the same width.
fn volatile(text: &str) -> Option<(usize, String)> {
    let run = |allowed: fn(char) -> bool| text.find(|c| !allowed(c)).unwrap_or(text.len());
    let word = run(|c| c.is_ascii_alphanumeric() || c == '_');
    for marker in ["ndpat_", "ndorg_", "ndses_", "ndsvc_"] {
        if text.starts_with(marker) && word > marker.len() {
            return Some((word, format!("{marker}{}", "x".repeat(word - marker.len()))));
        }
    }
    let hex = run(|c| c.is_ascii_hexdigit() || c == '-');
    if hex == 36 && text[..36].bytes().filter(|b| *b == b'-').count() == 4 {
        return Some((36, "i".repeat(36)));
    }
    let digits =
        |from: usize, to: usize| text.get(from..to).is_some_and(|d| d.bytes().all(|b| b.is_ascii_digit()));
    if digits(0, 4)
        && digits(5, 7)
        && digits(8, 10)
        && text[4..].starts_with('-')
        && text[7..].starts_with('-')
    {
        let rest = &text[10..];
        if rest.starts_with('T') {
            let end = 10 + rest.find('Z')? + 1;
            return Some((end, "INSTANT".to_owned()));
        }
        if rest.starts_with(' ') && rest.get(6..11) == Some(" UTC ")
            || rest.get(6..).is_some_and(|r| r.starts_with(" UTC"))
        {
            return Some((16, "DDDD-DD-DD TT:TT".to_owned()));
        }
        return Some((10, "DDDD-DD-DD".to_owned()));
    }
    None
}

#[track_caller]
pub(crate) fn shows(ended: &Ended, code: i32, at: &Installation, server: &Running, expected: &Expect) {
    let output = plain(&format!("{}{}", ended.out, ended.err), at, server);
    assert_eq!(ended.code, code, "{output}");
    expected.assert_eq(&output);
}

pub(crate) fn json(ended: &Ended) -> Value {
    assert_eq!(ended.code, 0, "{ended:?}");
    serde_json::from_str(&ended.out).expect("JSON alone on standard output")
}

pub(crate) fn secret(created: &Ended) -> String {
    let line = created.out.lines().find_map(|line| line.strip_prefix("Token: "));
    line.unwrap_or_else(|| panic!("{created:?}")).to_owned()
}

on_both! {
    async fn the_main_job(at: &Installation) {
        at.people();
        let server = at.serve();
        let cli = |arguments: &str| at.ndcli(&server, &arguments.split(' ').collect::<Vec<_>>());
        at.log_in(&server);

        shows(&cli("auth token list"), 0, at, &server, &expect![[r#"
            ╭──────┬────────┬───────┬─────┬─────────┬───────────┬─────────╮
            │ NAME │ PREFIX │ SCOPE │ ORG │ EXPIRES │ LAST USED │ STATUS  │
            ╰──────┴────────┴───────┴─────┴─────────┴───────────┴─────────╯
            Total: 0 token(s)
        "#]]);
        let made = cli("auth token create --name github-ci --scope rw --expiry 90d");
        shows(&made, 0, at, &server, &expect![[r#"
            ✓ Personal access token created
            ⚠ Copy your token now — it will NOT be shown again.
            Token: ndpat_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
            Name: github-ci
            Scope: RW
            Expires: DDDD-DD-DD
            Set NDCLI_TOKEN=<token> to use static auth without interactive login.
        "#]]);
        let token = secret(&made);
        shows(&cli("auth token create --name readonly-monitor --scope ro --org ops --expiry never"), 0, at, &server, &expect![[r#"
            ✓ Personal access token created
            ⚠ Copy your token now — it will NOT be shown again.
            Token: ndpat_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
            Name: readonly-monitor
            Scope: RO
            Org: ops
            Expires: Never
            Set NDCLI_TOKEN=<token> to use static auth without interactive login.
        "#]]);
        let under = |arguments: &str| {
            at.ndcli_with(&server, &[("NDCLI_TOKEN", &token)], &arguments.split(' ').collect::<Vec<_>>(), "")
        };
        shows(&under("whoami"), 0, at, &server, &expect![[r#"
            ╭─────────┬─────────────────┬─────────────────┬───────┬────────────────────┬──────────────────────╮
            │ ACCOUNT │ EMAIL           │ CREDENTIAL      │ SCOPE │ ORGS               │ EXPIRES              │
            ├─────────┼─────────────────┼─────────────────┼───────┼────────────────────┼──────────────────────┤
            │ ada     │ ada@example.org │ token github-ci │ RW    │ dev (RO), ops (RW) │ DDDD-DD-DD TT:TT UTC │
            ╰─────────┴─────────────────┴─────────────────┴───────┴────────────────────┴──────────────────────╯
        "#]]);
        // Seed 001 shows `-` for a token of all orgs. That cell says `all` here: nothing absent means everything.
        shows(&cli("auth token list"), 0, at, &server, &expect![[r#"
            ╭──────────────────┬──────────────┬───────┬─────┬────────────┬───────────┬─────────╮
            │ NAME             │ PREFIX       │ SCOPE │ ORG │ EXPIRES    │ LAST USED │ STATUS  │
            ├──────────────────┼──────────────┼───────┼─────┼────────────┼───────────┼─────────┤
            │ github-ci        │ ndpat_xxxxxx │ RW    │ all │ DDDD-DD-DD │ now       │ active  │
            │ readonly-monitor │ ndpat_xxxxxx │ RO    │ ops │ Never      │ Never     │ active  │
            ╰──────────────────┴──────────────┴───────┴─────┴────────────┴───────────┴─────────╯
            Total: 2 token(s)
        "#]]);
        shows(&under("auth token create --name more --scope rw"), 5, at, &server, &expect![[r#"
            error: a personal token may not create tokens: this needs an interactive login
            hint: unset NDCLI_TOKEN and log in: `ndcli auth login`
        "#]]);
        let flagged = at.ndcli(&server, &["auth", "token", "create", "--name", "x", "--scope", "rw", "--token", &token]);
        assert!(flagged.err.ends_with("hint: leave `--token` out, and log in: `ndcli auth login`\n"), "{flagged:?}");
        shows(&under("auth token revoke readonly-monitor --yes"), 5, at, &server, &expect![[r#"
            error: a personal token may not revoke other tokens: this needs an interactive login
            hint: unset NDCLI_TOKEN and log in: `ndcli auth login`
        "#]]);
        shows(&cli("auth token revoke github-ci"), 2, at, &server, &expect![[r#"
            error: this asks for a confirmation, and there is no terminal to ask on
            hint: use `--yes` to confirm
        "#]]);
        shows(&cli("auth token revoke github-ci --yes"), 0, at, &server, &expect![[r#"
            ✓ Personal access token "github-ci" revoked
        "#]]);
        shows(&cli("auth token revoke github-ci --yes"), 0, at, &server, &expect![[r#"
            ✓ Personal access token "github-ci" was revoked before
        "#]]);
        shows(&cli("auth token revoke no-such --yes"), 1, at, &server, &expect![[r#"
            error: there is no token `no-such`
            hint: `ndcli auth token list` shows the tokens there are
        "#]]);
        shows(&under("whoami"), 4, at, &server, &expect![[r#"
            error: NDCLI_TOKEN was refused: the token was revoked just now (DDDD-DD-DD)
            hint: make a new one with the same settings: `ndcli auth token create --like NAME`
        "#]]);
        shows(&cli("auth logout"), 0, at, &server, &expect![[r#"
            ✓ Logged out of http://SERVER
        "#]]);
        shows(&cli("whoami"), 4, at, &server, &expect![[r#"
            error: there is no credential for the server `http://SERVER`
            hint: set NDCLI_TOKEN, or log in with `ndcli auth login`
        "#]]);
    }

    async fn a_service_validates(at: &Installation) {
        at.people();
        let server = at.serve();
        at.log_in(&server);
        let service = at.service();
        let token = secret(&at.ndcli(&server, &["auth", "token", "create", "--name", "ci", "--scope", "rw"]));
        let ask = |arguments: &str, secret: &str| {
            let arguments: Vec<&str> = ["validate", "--secret-stdin"].into_iter().chain(arguments.split(' ')).collect();
            at.ndcli_with(&server, &[("NDCLI_TOKEN", service.expose())], &arguments, secret)
        };
        shows(&ask("--org ops --access rw --permission write:assets", &token), 0, at, &server, &expect![[r#"
            ╭─────────┬───────┬───────┬─────┬────────┬──────┬──────────────────────╮
            │ RESULT  │ TOKEN │ OWNER │ ORG │ ACCESS │ ROLE │ EXPIRES              │
            ├─────────┼───────┼───────┼─────┼────────┼──────┼──────────────────────┤
            │ allowed │ ci    │ ada   │ ops │ RW     │ RW   │ DDDD-DD-DD TT:TT UTC │
            ╰─────────┴───────┴───────┴─────┴────────┴──────┴──────────────────────╯
        "#]]);
        shows(&ask("--org dev --access RW", &token), 1, at, &server, &expect![[r#"
            ╭─────────┬──────────────┬────────┬────────────────────────────────────────────────────────────────╮
            │ RESULT  │ REASON       │ FACTOR │ MESSAGE                                                        │
            ├─────────┼──────────────┼────────┼────────────────────────────────────────────────────────────────┤
            │ refused │ ROLE_TOO_LOW │ role   │ the owner's role in the org `dev` is `RO`, and this needs `RW` │
            ╰─────────┴──────────────┴────────┴────────────────────────────────────────────────────────────────╯
            hint: ask an admin of the org for a higher role
        "#]]);
        shows(&ask("--access identity -f simple", &token[..40]), 1, at, &server, &expect![[r#"
            • refused reason:SECRET_MALFORMED factor:secret the text is not a token: it was cut short: 40 of 49 characters are there
            hint: copy the token again, whole and without line breaks
        "#]]);
        shows(&ask("--access rw", &token), 2, at, &server, &expect![[r#"
            error: `--org`: name the org in which access is needed
        "#]]);
        let report = json(&ask("--org ops --access ro -f json", &token));
        assert_eq!(report["allowed"]["effective"]["access"], "RW");
        let age = report["max_cache_age"].as_str().and_then(|age| age.strip_suffix('s')?.parse::<f64>().ok());
        assert!((1.0..=2.0).contains(&age.expect("seconds")), "{report}");
        let person = at.ndcli_with(&server, &[], &["validate", "--secret-stdin"], &token);
        shows(&person, 5, at, &server, &expect![[r#"
            error: a session may not validate secrets
        "#]]);
    }

    async fn every_format_shows_something_and_nothing_beside_it(at: &Installation) {
        at.people();
        let server = at.serve();
        at.log_in(&server);
        let service = at.service();
        let token = secret(&at.ndcli(&server, &["auth", "token", "create", "--name", "ci", "--scope", "rw"]));
        for format in ["table", "simple", "detailed", "json"] {
            let create = ["auth", "token", "create", "--name", format, "--scope", "ro", "-f", format];
            let revoke = ["auth", "token", "revoke", format, "--yes", "-f", format];
            for arguments in [&create as &[&str], &revoke] {
                let ended = at.ndcli(&server, arguments);
                assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{arguments:?}");
                assert!(ended.out.contains(format), "{ended:?}");
                let shows_secret = ended.out.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| {
                    word.starts_with("ndpat_") && word.len() == 49
                });
                assert_eq!(shows_secret, arguments[2] == "create", "{ended:?}");
            }
            let ask = |access: &str| {
                let arguments = ["validate", "--secret-stdin", "--org", "dev", "--access", access, "-f", format];
                at.ndcli_with(&server, &[("NDCLI_TOKEN", service.expose())], &arguments, &token)
            };
            let allowed = ask("ro");
            assert_eq!((allowed.code, allowed.err.as_str()), (0, ""), "{format}");
            let refused = ask("rw");
            assert!(refused.code == 1 && refused.out.contains("ROLE_TOO_LOW"), "{refused:?}");
            assert_eq!(refused.err, "hint: ask an admin of the org for a higher role\n");
        }
    }

    async fn a_person_at_a_terminal_is_asked(at: &Installation) {
        at.people();
        let server = at.serve();
        at.log_in(&server);
        secret(&at.ndcli(&server, &["auth", "token", "create", "--name", "ci", "--scope", "rw"]));
        let revoke = |answer: &str| {
            let ndcli = crate::installation::test_path("NDAUTH_TEST_NDCLI");
            let mut command = std::process::Command::new("script");
            command.args(["-qec", &format!("'{}' auth token revoke ci", ndcli.display()), "/dev/null"]);
            command.env("HOME", at.home()).env("NDCLI_SERVER", server.url.to_string()).env_remove("NDCLI_TOKEN");
            let ended = run(command, answer);
            assert!(ended.out.contains("Revoke token \"ci\" (ndpat_") && ended.out.contains(", RW, never used)? This cannot be undone. [y/N]:"), "{ended:?}");
            (ended.code, ended.out.contains("nothing was revoked"), ended.out.contains("\"ci\" revoked"))
        };
        assert_eq!(revoke("n\n"), (1, true, false));
        assert_eq!(revoke("\n"), (1, true, false));
        assert_eq!(revoke("y\n"), (0, false, true));
    }

    async fn odd_names_are_handled_or_refused(at: &Installation) {
        at.people();
        let server = at.serve();
        at.log_in(&server);
        let create = |name: &str| at.ndcli(&server, &["auth", "token", "create", "--scope", "ro", "--name", name]);
        let odd = ["a/b", "../x", "?#%2f", "it's \"quoted\"", "🚀 日本語", "--yes", "-", "a  b", "{}"];
        for name in odd {
            let ended = at.ndcli(&server, &["auth", "token", "create", "--scope", "ro", &format!("--name={name}")]);
            assert_eq!(ended.code, 0, "{name}: {ended:?}");
            assert!(ended.out.contains(&format!("Name: {name}\n")), "{ended:?}");
        }
        for name in odd {
            let ended = at.ndcli(&server, &["auth", "token", "revoke", "--yes", "--", name]);
            assert_eq!(ended.code, 0, "{name}: {ended:?}");
        }
        let long = "x".repeat(10_000);
        for name in ["", " ", "\u{1b}[31m", "a\nb", "a\u{9b}b", "a\u{202e}b", "a\u{200b}b", &long] {
            let ended = create(name);
            assert_eq!(ended.code, 2, "{name:?}: {ended:?}");
            let output = format!("{}{}", ended.out, ended.err);
            assert!(output.len() < 300 && !output.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{output:?}");
            assert!(output.contains("hint: "), "{output}");
        }
        // Text that clap itself repeats from the command line is made safe, too.
        for arguments in [["whoami", "\u{1b}]0;x\u{7}"], ["--format", "\u{9b}31m"], ["auth", "\u{1b}[2J"]] {
            let ended = at.ndcli(&server, &arguments);
            assert_eq!(ended.code, 2, "{ended:?}");
            assert!(!ended.err.contains(['\u{1b}', '\u{9b}', '\u{7}']), "{:?}", ended.err);
        }
    }

    async fn credentials_have_their_order_and_never_fall_back(at: &Installation) {
        at.people();
        let server = at.serve();
        at.log_in(&server);
        let create = |name: &str| secret(&at.ndcli(&server, &["auth", "token", "create", "--scope", "ro", "--name", name]));
        let (flag, variable, file) = (create("flag"), create("variable"), create("file"));
        let path = at.home().join("token");
        std::fs::write(&path, format!("{file}\n")).expect("written");
        let path = path.display().to_string();
        let who = |variables: &[(&str, &str)], more: &[&str]| {
            let ended = at.ndcli_with(&server, variables, &[&["whoami", "-f", "json"], more].concat(), "");
            let report: Value = serde_json::from_str(&ended.out).unwrap_or_default();
            (ended.code, report["who_am_i"]["token"]["name"].as_str().unwrap_or("-").to_owned(), ended.err)
        };
        let all = [("NDCLI_TOKEN", variable.as_str()), ("NDCLI_TOKEN_FILE", path.as_str())];
        let (code, name, err) = who(&all, &["--token", &flag]);
        assert_eq!((code, name.as_str()), (0, "flag"));
        assert!(err.contains("warning: everyone who can list this machine's processes"), "{err}");
        assert_eq!(who(&all, &[]).1, "variable");
        assert_eq!(who(&[("NDCLI_TOKEN", ""), all[1]], &[]).1, "file");
        assert_eq!(who(&[("NDCLI_TOKEN", ""), ("NDCLI_TOKEN_FILE", "")], &[]), (0, "-".into(), String::new()));
        for (bad, why) in [
            (&variable[..40], "cut short"),
            ("ghp_0123456789012345678901234567890123456789", "does not begin"),
            (&format!("{variable}\n"), "it ends with a line break"),
            (&format!("\"{variable}\""), "it is in quotation marks"),
            ("${{ secrets.NDCLI_TOKEN }}", "it is a reference to a variable"),
        ] {
            let (code, _, err) = who(&[("NDCLI_TOKEN", bad)], &[]);
            assert_eq!(code, 4, "{bad:?}");
            assert!(err.contains("NDCLI_TOKEN holds no token") && err.contains(why) && err.contains("hint: "), "{err}");
            assert!(!err.contains(&variable[12..30]), "{err}");
        }
        let (code, _, err) = who(&[("NDCLI_TOKEN_FILE", "/nonexistent")], &[]);
        assert_eq!(code, 4);
        assert!(err.contains("`/nonexistent`"), "{err}");
    }

    async fn a_token_file_that_others_may_open_is_warned_of(at: &Installation) {
        at.people();
        let server = at.serve();
        let session = at.session();
        let file = at.home().join("my token");
        std::fs::write(&file, session.expose()).expect("written");
        let shown = file.display();
        let warning = format!(
            "warning: NDCLI_TOKEN_FILE: `{shown}` can be opened by others than its owner (mode 0640)\nhint: `chmod 600 '{shown}'`\n"
        );
        for (mode, expected) in [(0o640, warning.as_str()), (0o600, ""), (0o400, "")] {
            std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("set");
            let variables = [("NDCLI_TOKEN_FILE", file.to_str().expect("text"))];
            let ended = at.ndcli_with(&server, &variables, &["whoami", "-f", "simple"], "");
            assert!(ended.code == 0 && ended.out.starts_with("• ada "), "{ended:?}");
            assert_eq!(ended.err, expected, "{mode:o}");
        }
    }

    async fn a_login_is_named_by_its_id_a_beginning_of_it_or_its_prefix(at: &Installation) {
        at.people();
        let server = at.serve();
        at.log_in(&server);
        for name in [0, 1, 2] {
            let other = at.session();
            let listed = json(&at.ndcli(&server, &["auth", "sessions", "list", "-f", "json"]));
            let prefix = &other.expose()[..12];
            let found = listed["sessions"].as_array().expect("a list").iter().find(|of| of["prefix"] == prefix);
            let id = found.expect("listed")["id"].as_str().expect("an id");
            let named = [prefix, id, &id[..30]][name];
            let ended = at.ndcli(&server, &["auth", "sessions", "revoke", named]);
            assert_eq!((ended.code, ended.out), (0, format!("✓ The login {id} ended\n")), "{named}: {}", ended.err);
            assert_eq!(ended.err.contains(&format!("ending the login {id}")), named != id, "{}", ended.err);
            assert_eq!(at.ndcli_with(&server, &[("NDCLI_TOKEN", other.expose())], &["whoami"], "").code, 4);
        }
        assert_eq!(at.ndcli(&server, &["whoami"]).code, 0, "this login goes on");
    }

    async fn a_login_is_kept_for_its_owner_alone(at: &Installation) {
        at.people();
        let server = at.serve();
        at.log_in(&server);
        let file = at.home().join(".config/ndcli/credentials.json");
        assert_eq!((mode(&file), mode(file.parent().expect("a folder"))), (0o600, 0o700));
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("loosened");
        let ended = at.ndcli(&server, &["whoami"]);
        assert_eq!(ended.code, 4);
        assert!(ended.err.contains("can be opened by others than its owner (mode 0644)") && ended.err.contains("chmod 600"), "{ended:?}");
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("tightened");
        assert_eq!(at.ndcli(&server, &["whoami"]).code, 0);
        std::fs::write(&file, "{").expect("damaged");
        let ended = at.ndcli(&server, &["whoami"]);
        assert!(ended.code == 4 && ended.err.contains("is damaged"), "{ended:?}");
        std::fs::remove_file(&file).expect("removed");
        let refused = at.ndcli_with(&server, &[], &["auth", "login", "--with-token"], "ndpat_nonsense\n");
        assert_eq!(refused.code, 4, "{refused:?}");
        let service = at.service();
        let refused = at.ndcli_with(&server, &[], &["auth", "login", "--with-token"], service.expose());
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(!file.exists(), "what is refused is not stored");
        let neither = at.ndcli_with(&server, &[("CI", "true")], &["auth", "login"], "");
        assert!(neither.code == 2 && neither.err.contains("--with-token"), "{neither:?}");
    }
}

#[tokio::test]
async fn an_unreachable_server_is_reported() {
    let at = Installation::new(Engine::Sqlite).await;
    let mut command = at.command("NDAUTH_TEST_NDCLI");
    let reserved = ReservedPort::new();
    let url = format!("http://{}", reserved.address);
    command.args(["whoami", "--server", &url, "--timeout", "400ms"]);
    command.env("NDCLI_TOKEN", "ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U");
    let ended = run(command, "");
    assert_eq!(ended.code, 6, "{ended:?}");
    expect![[r#"
        warning: cannot reach the server `http://SERVER`: Connection refused (os error 111); trying again
        error: cannot reach the server `http://SERVER`: Connection refused (os error 111) (tried for 400ms)
        hint: check that it is running, and its address: `--server`, NDCLI_SERVER, `ndcli config set server URL`
    "#]]
    .assert_eq(&ended.err.replace(&url, "http://SERVER"));
    let mut command = at.command("NDAUTH_TEST_NDCLI");
    command.args(["whoami", "--server", "http://ndauth.example.org"]);
    command.env("NDCLI_TOKEN", "ndpat_Jj8IYRumwQ9GV4nfqrymvLBbUUnY8LAkuEecJnIrk1U");
    let ended = run(command, "");
    assert!(ended.code == 2 && ended.err.contains("in plain text"), "{ended:?}");
}

#[tokio::test]
async fn a_closed_pipe_ends_quietly() {
    let at = Installation::new(Engine::Sqlite).await;
    let ndcli = crate::installation::test_path("NDAUTH_TEST_NDCLI");
    let mut command = std::process::Command::new("sh");
    command.arg("-c").arg(format!("'{}' --help | head -c 1", ndcli.display())).env("HOME", at.home());
    let ended = run(command, "");
    assert_eq!((ended.out.len(), ended.err.as_str()), (1, ""));
}
