//! `ndcli` at a terminal, in a pipeline, and without a server.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ndauth_store::Engine;
use rustix::process::{Pid, Signal, kill_process};

use crate::installation::{Installation, KillOnDrop, Running, on_terminal, path, run};

fn pid(child: &KillOnDrop) -> Pid {
    i32::try_from(child.0.id()).ok().and_then(Pid::from_raw).expect("a process id")
}

/// Returns the output of a command line on a terminal of this many columns.
fn shown(
    at: &Installation,
    server: &Running,
    columns: u16,
    variables: &[(&str, &str)],
    line: &str,
) -> String {
    let mut command = on_terminal(at, columns, line);
    command.env("NDCLI_SERVER", server.url.to_string()).envs(variables.iter().copied());
    run(command, "").out.replace("\r\n", "\n")
}

#[tokio::test]
async fn tables_fit_eighty_columns_and_stay_straight() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let server = at.serve();
    at.log_in(&server);
    for name in
        ["a name of some length that leaves no room for anything else", "שלום עולם", "日本語のトークン"]
    {
        let ended = at.ndcli(&server, &["auth", "token", "create", "--scope", "ro", "--name", name]);
        assert_eq!(ended.code, 0, "{ended:?}");
    }
    for line in
        ["ndcli auth token list", "ndcli whoami", "ndcli auth status", "ndcli auth token list -f detailed"]
    {
        let text = shown(&at, &server, 80, &[], line);
        assert!(text.contains('╭'), "{line}: {text}");
        for row in text.lines() {
            // A character of these two scripts takes two columns, and an isolating character takes none.
            let width: usize = row
                .chars()
                .map(|c| match c {
                    '\u{2068}' | '\u{2069}' => 0,
                    '\u{3000}'..='\u{9FFF}' => 2,
                    _ => 1,
                })
                .sum();
            assert!(width <= 80, "{line}: {width} {row}");
            if row.starts_with('│') {
                assert!(row.ends_with('│'), "{row}");
            }
        }
    }
    let text = shown(&at, &server, 120, &[], "ndcli auth token list");
    assert!(text.contains("\u{2068}שלום עולם\u{2069}"), "{text}");
    let piped = at.ndcli(&server, &["auth", "token", "list"]);
    assert!(
        !piped.out.contains('\u{2068}') && piped.out.lines().any(|line| line.chars().count() > 80),
        "{}",
        piped.out
    );
}

#[tokio::test]
async fn colours_are_for_terminals_that_want_them() {
    let at = Installation::new(Engine::Sqlite).await;
    let server = at.serve();
    for (variables, line, coloured) in [
        (&[] as &[(&str, &str)], "ndcli whoami", true),
        (&[("NO_COLOR", "1")], "ndcli whoami", false),
        (&[("NO_COLOR", "")], "ndcli whoami", true),
        (&[("CLICOLOR", "0")], "ndcli whoami", false),
        (&[("TERM", "dumb")], "ndcli whoami", false),
        (&[], "ndcli --help", true),
        (&[("NO_COLOR", "1")], "ndcli --help", false),
    ] {
        let text = shown(&at, &server, 80, variables, line);
        assert!(text.len() > 40, "{text}");
        assert_eq!(text.contains('\u{1b}'), coloured, "{variables:?} {line}: {text:?}");
    }
    let piped = at.ndcli(&server, &["whoami"]);
    assert!(piped.err.starts_with("error: there is no credential"), "{piped:?}");
    let forced = at.ndcli_with(&server, &[("CLICOLOR_FORCE", "1")], &["whoami"], "");
    assert!(forced.err.starts_with('\u{1b}'), "{forced:?}");
}

#[tokio::test]
async fn it_waits_for_a_server_that_comes_back() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let session = at.session();
    // The port is free at first. A server starts there after ndcli has tried to connect.
    let address =
        TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let mut command = at.command("NDAUTH_TEST_NDCLI");
    command.args(["whoami", "-f", "simple", "--server", &format!("http://{address}")]);
    command.env("NDCLI_TOKEN", session.expose()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut ndcli = KillOnDrop(command.spawn().expect("it starts"));
    let mut lines = BufReader::new(ndcli.0.stderr.take().expect("piped")).lines();
    let first = lines.next().expect("it says why it waits").expect("text");
    assert!(first.starts_with("warning: cannot reach") && first.ends_with("; trying again"), "{first}");
    let server = at.serve_as(at.command("NDAUTH_TEST_NDAUTHD"), &["--listen", &address.to_string()]);
    let mut out = String::new();
    ndcli.0.stdout.take().expect("piped").read_to_string(&mut out).expect("text");
    assert!(ndcli.0.wait().expect("ended").success(), "{out}");
    assert!(out.starts_with("• ada "), "{out}");
    assert!(lines.next().is_none(), "it says so once");
    drop(server);
}

#[tokio::test]
async fn verbose_output_has_the_outcome_and_no_secret() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let session = at.session();
    let server = at.serve();
    let ended = at.ndcli_with(
        &server,
        &[("NDCLI_TOKEN", session.expose())],
        &["whoami", "--verbose", "-f", "json"],
        "",
    );
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(serde_json::from_str::<serde_json::Value>(&ended.out).is_ok(), "it stands beside the data");
    let line = ended.err.lines().next().expect("a line");
    assert!(line.starts_with(&format!("> WhoAmI at {}: OK in ", server.url)), "{line}");
    let id = line.rsplit(' ').next().expect("an id");
    assert!(id.len() >= 18 && id.chars().all(|c| c.is_ascii_hexdigit() || c == '-'), "{line}");
    assert!(!ended.err.contains(&session.expose()[12..]), "{ended:?}");
    let ended = at.ndcli_with(
        &server,
        &[("NDCLI_TOKEN", &session.expose().replace("ndses_", "ndpat_"))],
        &["whoami", "-v"],
        "",
    );
    assert!(ended.code == 4 && ended.err.contains(": SECRET_UNKNOWN in "), "{ended:?}");
}

/// Ctrl-C while a token is created: no token is left behind whose secret nobody has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_create_leaves_no_token() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let server = at.serve();
    at.log_in(&server);
    server.signal(Signal::STOP);
    let mut command = at.command("NDAUTH_TEST_NDCLI");
    command.args([
        "auth",
        "token",
        "create",
        "--name",
        "ci",
        "--scope",
        "rw",
        "--server",
        &server.url.to_string(),
    ]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut ndcli = KillOnDrop(command.spawn().expect("it starts"));
    // Once it waits for the response, it handles Ctrl-C itself: bit 2 of the caught signals.
    let status = format!("/proc/{}/status", ndcli.0.id());
    let catches = || {
        let text = fs::read_to_string(&status).expect("its status");
        let mask =
            text.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("a mask").trim().to_owned();
        u64::from_str_radix(&mask, 16).expect("hexadecimal") & 2 != 0
    };
    let begun = Instant::now();
    while !catches() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it does not wait for its answer");
        std::thread::sleep(Duration::from_millis(20));
    }
    kill_process(pid(&ndcli), Signal::INT).expect("interrupted");
    server.signal(Signal::CONT);
    let mut output = String::new();
    ndcli.0.stderr.take().expect("piped").read_to_string(&mut output).expect("text");
    assert_eq!(ndcli.0.wait().expect("ended").code(), Some(130), "{output}");
    assert!(output.contains("interrupted: the token was made, and is revoked again"), "{output}");
    let listed = at.ndcli(&server, &["auth", "token", "list", "--all", "-f", "json"]);
    assert_eq!(listed.out.matches("\"status\": \"REVOKED\"").count(), 1, "{listed:?}");
    assert_eq!(listed.out.matches("\"status\": ").count(), 1, "{listed:?}");
}

#[tokio::test]
async fn a_missing_credential_is_explained_to_pipelines() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let server = at.serve();
    let session = at.session();
    for (variables, message) in [
        (
            &[("NDCLI_TOKEN", "")] as &[(&str, &str)],
            "NDCLI_TOKEN is set, and empty\nhint: the CI secret behind it is missing, has another name, or is withheld from this build\n",
        ),
        (&[("NDCLI_TOKEN_FILE", "")], "NDCLI_TOKEN_FILE is set, and empty\n"),
        (&[("NDCLI_TOKN", "x")], "warning: unknown variable NDCLI_TOKN: did you mean NDCLI_TOKEN?\n"),
        (
            &[("DEPLOY_TOKEN", session.expose())],
            "the variable DEPLOY_TOKEN holds a token, but is not read\nhint: call it NDCLI_TOKEN\n",
        ),
        (
            &[("NDCLI_TOKEN", &session.expose()[..40])],
            "error: NDCLI_TOKEN holds no token: it was cut short: 40 of 49 characters are there\nhint: copy it again, whole: it has 49 characters; if it is lost, make a new one\n",
        ),
        (
            &[("NDCLI_TOKEN", &format!("{}\n", session.expose()))],
            "error: NDCLI_TOKEN holds no token: it ends with a line break\nhint: store it again without the line break: `printf %s TOKEN`, and not `echo`\n",
        ),
    ] {
        let ended = at.ndcli_with(&server, variables, &["whoami"], "");
        assert_eq!((ended.code, ended.out.as_str()), (4, ""), "{ended:?}");
        assert!(ended.err.contains(message), "{}", ended.err);
        assert!(!ended.err.contains(&session.expose()[12..]), "{ended:?}");
    }
}

/// A token that expired while a pipeline used it.
#[tokio::test]
async fn an_expired_token_is_reported_as_expired() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let server = at.serve();
    at.log_in(&server);
    let create = |name: &str, expiry: &str| {
        let arguments =
            ["auth", "token", "create", "--scope", "ro", "-f", "json", "--name", name, "--expiry", expiry];
        let ended = at.ndcli(&server, &arguments);
        serde_json::from_str::<serde_json::Value>(&ended.out).unwrap_or_else(|_| panic!("{ended:?}"))
    };
    let now: ndauth_core::Timestamp = create("clock", "30d")["token"]["created_at"]
        .as_str()
        .and_then(|at| at.parse().ok())
        .expect("an instant");
    let end = now.checked_add(Duration::from_secs(2)).expect("an instant");
    let token = create("ci", &end.to_string())["secret"].as_str().expect("a secret").to_owned();
    let begun = Instant::now();
    let ended = loop {
        let ended = at.ndcli_with(&server, &[("NDCLI_TOKEN", &token)], &["whoami"], "");
        if ended.code != 0 {
            break ended;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "it does not expire");
        std::thread::sleep(Duration::from_millis(100));
    };
    let message = format!(
        "error: NDCLI_TOKEN was refused: the token expired just now ({})\nhint: make a new one with the same settings: `ndcli auth token create --like NAME`\n",
        end.date()
    );
    assert_eq!((ended.code, ended.err.as_str()), (4, message.as_str()));
}

#[tokio::test]
async fn a_shell_completes_names_as_they_are_now() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let server = at.serve();
    at.log_in(&server);
    for name in ["github-ci", "my deploy"] {
        at.ndcli(&server, &["auth", "token", "create", "--scope", "ro", "--name", name]);
    }
    let complete = |words: &str| {
        let script = format!(
            "source <(ndcli completions bash); COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}}-1)); \
             COMP_TYPE=9; _clap_complete_ndcli ndcli \"${{COMP_WORDS[COMP_CWORD]}}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let mut bash = Command::new("bash");
        bash.env_clear().env("PATH", path()).env("HOME", at.home()).args(["-c", &script]);
        bash.env("NDCLI_SERVER", server.url.to_string());
        let ended = run(bash, "");
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{words}: {ended:?}");
        ended.out
    };
    let commands = complete("ndcli auth token ''");
    assert!(commands.starts_with("create\nlist\nshow\nupdate\nrotate\nrotation\nrenew\n"), "{commands}");
    assert!(complete("ndcli auth token revoke ''").starts_with("github-ci\nmy\\ deploy\n"));
    assert_eq!(complete("ndcli auth token revoke gith"), "github-ci\n");
    assert!(complete("ndcli auth token create --org ''").starts_with("dev\nops\n"));
    assert!(complete("ndcli config set ''").starts_with("format\nserver\n"));
    at.run_admin("member set ops ada ADMIN");
    let deploy = ["token", "create", "--org", "ops", "--scope", "read:assets", "--name", "deploy"];
    assert_eq!(at.ndcli(&server, &deploy).code, 0);
    assert!(complete("ndcli token revoke --org ops ''").starts_with("deploy\n"));
    at.ndcli(&server, &["org", "select", "ops"]);
    assert!(complete("ndcli token rotation confirm ''").starts_with("deploy\n"), "in the selected org");
    assert!(complete("ndcli org member set ''").starts_with("ada\n"));
    assert!(complete("ndcli org member set ada ''").starts_with("RO\nRW\nADMIN\n"));
    assert_eq!(complete("ndcli auth sessions revoke ''").lines().next().map(str::len), Some(36));
    at.ndcli(&server, &["auth", "token", "revoke", "github-ci", "--yes"]);
    assert_eq!(complete("ndcli auth token revoke gith"), "\n", "what is gone is not offered");
    for shell in ["zsh", "fish", "powershell"] {
        let script = at.ndcli(&server, &["completions", shell]);
        assert!(script.code == 0 && script.out.contains("COMPLETE"), "{script:?}");
    }
    let mut operator = at.command("NDAUTH_TEST_NDAUTHD");
    operator.args(["completions", "bash"]);
    assert!(run(operator, "").out.contains("_clap_complete_ndauthd"));
    // Without a server there are no names, and nothing is said.
    server.kill();
}

#[tokio::test]
async fn help_is_there_for_every_command_and_topic() {
    let at = Installation::new(Engine::Sqlite).await;
    let help = |arguments: &[&str]| {
        let mut command = at.command("NDAUTH_TEST_NDCLI");
        command.arg("help").args(arguments);
        run(command, "")
    };
    let environment = help(&["environment"]).out;
    for variable in ["NDCLI_TOKEN\n", "NDCLI_TOKEN_FILE\n", "NDCLI_SERVER\n", "NDCLI_CA_FILE\n", "NO_COLOR\n"]
    {
        assert!(environment.contains(variable), "{environment}");
    }
    let codes = help(&["exit-codes"]).out;
    assert!(codes.contains("  4  not authenticated") && codes.contains("130  interrupted"), "{codes}");
    assert!(help(&[]).out.contains("Usage: ndcli"));
    assert!(help(&["auth", "token", "create"]).out.contains("Usage: ndcli auth token create"));
    let wrong = help(&["auth", "tokne"]);
    assert_eq!(
        (wrong.code, wrong.err.as_str()),
        (2, "error: there is no command or topic `tokne`\nhint: did you mean `token`?\n")
    );
    for binary in ["NDAUTH_TEST_NDCLI", "NDAUTH_TEST_NDAUTHD"] {
        let pages = at.home().join(binary);
        let mut command = at.command(binary);
        command.args(["manual", "--man"]).arg(&pages);
        assert_eq!(run(command, "").code, 0);
        let count = fs::read_dir(&pages).expect("pages").count();
        assert!(count > 10, "{count}");
        for page in fs::read_dir(&pages).expect("pages") {
            let text = fs::read_to_string(page.expect("a page").path()).expect("text");
            assert!(text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"), "{text}");
            let groups = text.contains(".SH SUBCOMMANDS");
            assert!(groups || text.contains(".SH EXAMPLES\n.nf\nnd"), "{text}");
        }
    }
}
