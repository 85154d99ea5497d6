//! Reports of leaked secrets: by the command, by the API and by gRPC, without any credential.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use expect_test::expect;
use ndauth_client::Client;
use ndauth_core::{Problem, Reason, Secret, SecretKind};
use ndauth_proto::v1;
use ndauth_store::DatabaseUrl;
use ndauth_store::testing::{let_in, shut_out};
use rand::rngs::SysRng;
use serde_json::{Value, json};

use crate::api::{Answered, ask, create, new_token};
use crate::cli::shows;
use crate::installation::{Installation, KillOnDrop, Running};
use crate::on_both;

fn unknown() -> String {
    Secret::mint(SecretKind::Personal, &mut SysRng).expect("drawn").expose().to_owned()
}

fn report(server: &Running, secrets: &[String]) -> Answered {
    ask(server, "POST /v1/secrets:reportLeaked", None, Some(&json!({ "secrets": secrets })))
}

/// Returns the outcomes of a response, in their order.
fn outcomes(answered: &Answered) -> Vec<String> {
    assert_eq!(answered.status, 200, "{answered:?}");
    let reports = answered.json()["reports"].as_array().expect("reports").clone();
    let outcome = |(index, report): (usize, &Value)| {
        assert_eq!(report["index"].as_u64(), Some(index as u64), "{answered:?}");
        report["outcome"].as_str().expect("an outcome").to_owned()
    };
    reports.iter().enumerate().map(outcome).collect()
}

/// True if a token's secret is accepted as a credential.
fn works(server: &Running, secret: &str) -> bool {
    let answered = ask(server, "GET /v1/whoami", Some(secret), None);
    assert!([200, 401].contains(&answered.status), "{answered:?}");
    answered.status == 200
}

/// Keeps a database from being written, until it is opened again.
enum Shut {
    Postgres(ndauth_store::testing::ClosedDatabase),
    Sqlite(KillOnDrop),
}

impl Shut {
    async fn new(at: &Installation) -> Shut {
        let DatabaseUrl::Sqlite(path) = &at.scratch.url else {
            return Shut::Postgres(shut_out(&at.scratch).await);
        };
        let script = "import sqlite3, sys; file = sqlite3.connect(sys.argv[1], isolation_level=None); \
                      file.execute('BEGIN IMMEDIATE'); print('locked', flush=True); sys.stdin.read()";
        let mut writer = Command::new("python3");
        writer.args(["-c", script]).arg(path).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut writer = KillOnDrop(writer.spawn().expect("python starts"));
        let mut line = String::new();
        BufReader::new(writer.0.stdout.take().expect("piped")).read_line(&mut line).expect("it says so");
        assert_eq!(line, "locked\n");
        Shut::Sqlite(writer)
    }

    async fn open(self) {
        match self {
            Shut::Postgres(closed) => let_in(closed).await,
            Shut::Sqlite(writer) => drop(writer),
        }
    }
}

on_both! {
    /// One batch by the command, with a secret of each kind that a person may find. No login is needed.
    async fn the_command_ends_what_leaked(at: &Installation) {
        at.people();
        let server = at.serve();
        let (session, service) = (at.session(), at.service());
        let made = |name: &str| create(&server, session.expose(), &new_token(name));
        let (personal, old) = (made("personal"), made("rotating"));
        let rotated = ask(&server, "GET /v1/tokens:lookup?name=rotating", Some(session.expose()), None).json();
        let id = rotated["token"]["id"].as_str().expect("an id").to_owned();
        let rotate = || {
            let body = json!({ "overlap": "1h" });
            let rotated = ask(&server, &format!("POST /v1/tokens/{id}:rotate"), Some(session.expose()), Some(&body));
            rotated.json()["secret"].as_str().expect("a secret").to_owned()
        };
        let pending = rotate();
        let found = unknown();
        let lines = format!(
            "{personal}\r\n\n  {pending}\n{}\n{}\nAKIAIOSFODNN7EXAMPLE\n{}\n{found}\n",
            session.expose(), service.expose(), &personal[..30],
        );
        // A login is neither needed nor used.
        let cli = |lines: &str, more: &[&str]| {
            let words = [&["auth", "token", "leaked", "--secret-stdin"], more].concat();
            let ended = at.ndcli_with(&server, &[("NDCLI_TOKEN", "nonsense")], &words, lines);
            for secret in [&personal, &pending, &old, &found] {
                assert!(!format!("{}{}", ended.out, ended.err).contains(&secret[13..]), "{ended:?}");
            }
            ended
        };
        shows(&cli(&lines, &[]), 1, at, &server, &expect![[r#"
            ╭──────┬──────────────┬───────────────────────────────────────────────────────────────────────────╮
            │ LINE │ PREFIX       │ OUTCOME                                                                   │
            ├──────┼──────────────┼───────────────────────────────────────────────────────────────────────────┤
            │ 1    │ ndpat_xxxxxx │ its token is revoked                                                      │
            │ 3    │ ndpat_xxxxxx │ dropped; its token and the other secret live on                           │
            │ 4    │ ndses_xxxxxx │ its session is ended                                                      │
            │ 5    │ ndsvc_xxxxxx │ a service's, and still works; the operator is told                        │
            │ 6    │ -            │ not a secret: it does not begin with `ndpat_` or another prefix of ndauth │
            │ 7    │ -            │ not a secret: it was cut short: 30 of 49 characters are there             │
            │ 8    │ ndpat_xxxxxx │ unknown to this server                                                    │
            ╰──────┴──────────────┴───────────────────────────────────────────────────────────────────────────╯
            hint: tell the operator to rotate it: `ndcli admin service rotate`
        "#]]);
        assert!(!works(&server, &personal) && !works(&server, &pending) && !works(&server, session.expose()));
        assert!(works(&server, &old), "its rotation is undone, and it lives on");

        // Every secret is dead, which is success. The old one ends its token.
        let ended = cli(&format!("{personal}\n{pending}\n{old}\n"), &["-f", "json"]);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{ended:?}");
        let reports: Value = serde_json::from_str(&ended.out).expect("JSON");
        let outcome = |index: usize| reports["reports"][index]["outcome"].as_str().expect("an outcome");
        assert_eq!([outcome(0), outcome(1), outcome(2)], ["ALREADY_DEAD", "ALREADY_DEAD", "REVOKED"]);
        assert_eq!(reports["reports"][2]["prefix"], old[..12]);
        assert!(!works(&server, &old));

        // The owner is shown the reason, and the log has it.
        at.log_in(&server);
        let shown = at.ndcli(&server, &["auth", "token", "show", "personal"]);
        assert!(shown.out.contains("leaked"), "{shown:?}");
        let events = at.run_admin("events export");
        let leaked = events.lines().filter(|line| line.contains("LEAKED")).count();
        assert_eq!(leaked, 4, "two tokens, a rotation and a session: {events}");
        let (_, metrics) = server.get("/metrics");
        assert!(metrics.contains("ndauth_service_secrets_shown_total 1"), "{metrics}");

        for (lines, expected) in [("", "there is no secret on standard input"), ("\n \n", "there is no secret")] {
            let ended = cli(lines, &[]);
            assert!(ended.code == 2 && ended.err.contains(expected), "{ended:?}");
        }
        let many = format!("{found}\n").repeat(1001);
        let ended = cli(&many, &[]);
        assert!(ended.code == 2 && ended.err.contains("more than 1000 secrets"), "{ended:?}");
    }

    /// A whole batch is answered at once, a larger one is refused, and so are guesses beyond the limit.
    async fn a_thousand_are_reported_at_once(at: &Installation) {
        at.people();
        at.run_admin("member set ops ada ADMIN");
        let server = at.serve();
        let session = at.session();
        let make = |name: String| {
            let grant = json!({ "resource_type": "assets", "resource_id": "*", "actions": ["read"] });
            let token = json!({
                "name": name, "grants": [grant], "expiry": "30d", "services": "all", "networks": "all",
            });
            let made = ask(&server, "POST /v1/orgs/ops/tokens", Some(session.expose()), Some(&token));
            made.json()["secret"].as_str().unwrap_or_else(|| panic!("{made:?}")).to_owned()
        };
        let live: Vec<String> = (0..50).map(|number| make(format!("leaks-{number}"))).collect();
        let mut batch: Vec<String> = (0..950).map(|_| unknown()).collect();
        batch.extend(live.iter().cloned());

        let mut larger = batch.clone();
        larger.push(unknown());
        let refused = report(&server, &larger);
        assert_eq!((refused.status, refused.reason().as_str()), (400, "INVALID_ARGUMENT"), "{refused:?}");
        assert_eq!(refused.json()["field"], "secrets");
        assert_eq!(report(&server, &[]).status, 400);
        assert!(works(&server, &live[0]), "nothing of it was done");

        let begun = Instant::now();
        let reported = outcomes(&report(&server, &batch));
        let took = begun.elapsed();
        assert!(reported[..950].iter().all(|outcome| outcome == "UNKNOWN"), "{reported:?}");
        assert!(reported[950..].iter().all(|outcome| outcome == "REVOKED"), "{reported:?}");
        assert!(live.iter().all(|secret| !works(&server, secret)));
        assert!(took < Duration::from_secs(15), "{took:?}");

        // The same by gRPC, where a body of this size needs no credential either.
        let known = make("last".to_owned());
        let client = Client::connect(&server.url, None).await.expect("connected");
        let ask_again = async |secrets: &[String]| {
            let request = v1::ReportLeakedRequest { secrets: secrets.to_vec() };
            client.report_leaked(request).await.map(|answer| answer.reports.len())
        };
        assert_eq!(ask_again(&batch).await, Ok(1000));
        // 2000 an hour: the limit is reached, also for one that is known.
        let refused = report(&server, std::slice::from_ref(&known));
        assert_eq!((refused.status, refused.reason().as_str()), (429, "TOO_MANY_TRIES"), "{refused:?}");
        let after: u64 = refused.header("retry-after").parse().expect("seconds");
        assert!((1..=2).contains(&after), "one is restored every 1.8 s: {after}");
        let refused = report(&server, &batch);
        assert_eq!(refused.status, 429);
        let after: u64 = refused.header("retry-after").parse().expect("seconds");
        assert!((1700..=1800).contains(&after), "a thousand are restored in half an hour: {after}");
        let Err(Problem { reason: Reason::TooManyTries, retry_after: Some(after), .. }) = ask_again(&batch).await else {
            panic!("it is refused")
        };
        assert!(after.get() > 1700, "{after}");
        let ended = at.ndcli_with(&server, &[], &["auth", "token", "leaked", "--secret-stdin"], &known);
        assert!(ended.code == 1 && ended.err.starts_with("error: too many attempts: wait "), "{ended:?}");
        assert!(works(&server, &known), "nothing was looked up");
    }

    /// While the database cannot be written, nothing is reported as ended, and afterwards the same report succeeds.
    async fn what_is_not_durable_is_not_reported(at: &Installation) {
        at.people();
        let server = at.serve();
        let secret = create(&server, at.session().expose(), &new_token("ci"));
        let shut = Shut::new(at).await;
        let answered = report(&server, std::slice::from_ref(&secret));
        assert_eq!(answered.status, 503, "{answered:?}");
        assert!(!answered.header("retry-after").is_empty());
        let words = ["auth", "token", "leaked", "--secret-stdin", "--timeout", "1s"];
        let ended = at.ndcli_with(&server, &[], &words, &secret);
        assert_eq!(ended.code, 6, "{ended:?}");
        shut.open().await;
        let begun = Instant::now();
        let reported = loop {
            let answered = report(&server, std::slice::from_ref(&secret));
            if answered.status == 200 {
                break outcomes(&answered);
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "{answered:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        // An attempt whose outcome was unknown may have ended it.
        assert!(["REVOKED", "ALREADY_DEAD"].contains(&reported[0].as_str()), "{reported:?}");
        assert!(!works(&server, &secret));
    }
}
