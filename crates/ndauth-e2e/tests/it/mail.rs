//! Notices by mail, as a mail server of another make receives them: whole, once, and in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use ndauth_core::{ExpiryChoice, Lifetime, Secret};
use ndauth_proto::{expiry_choice_to_proto, v1};
use ndauth_store::testing::Scratch;
use ndauth_store::{DatabaseUrl, Engine};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::documents::{Page, blocks, read};
use crate::installation::{Installation, KillOnDrop, Running, run, test_path};
use crate::on_both;
use crate::replicas::Server;
use crate::requests::{new_token, revoke, token_with};
use crate::tls::Authority;

/// A mail server.
struct Sink {
    _process: KillOnDrop,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    file: PathBuf,
    port: u16,
}

/// A clock that tests move, of every process that is started by it.
struct MovedClock(TempDir);

const TIME_LIMIT: Duration = Duration::from_secs(60);
const FROM: &str = "ndauth <ndauth@example.org>";
const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

impl Sink {
    /// Starts a server that writes mails to a file, after those that are there. Port 0 stands for any.
    fn start(file: &Path, port: u16, more: &[&str]) -> Sink {
        let mut command = Command::new(test_path("NDAUTH_TEST_PYTHON"));
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mail/sink.py")).arg("--file").arg(file);
        command.args(["--port", &port.to_string()]).args(more);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the sink starts");
        let mut process = KillOnDrop(child);
        let commands = process.0.stdin.take().expect("piped");
        let mut answers = BufReader::new(process.0.stdout.take().expect("piped"));
        let mut port = String::new();
        answers.read_line(&mut port).expect("a port");
        let port = port.trim().parse().expect("a port");
        Sink { _process: process, commands, answers, file: file.to_owned(), port }
    }

    /// Says how the next mails are answered.
    fn answer(&mut self, how: &str) {
        writeln!(self.commands, "{how}").expect("said");
        let mut understood = String::new();
        self.answers.read_line(&mut understood).expect("read");
        assert_eq!(understood, "understood\n");
    }

    fn mails(&self) -> Vec<Value> {
        read_mails(&self.file)
    }

    /// Waits until so many mails are there, and returns them.
    fn expect(&self, count: usize) -> Vec<Value> {
        expect_mails(&self.file, count)
    }

    fn route(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }
}

fn read_mails(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn expect_mails(file: &Path, count: usize) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        let mails = read_mails(file);
        if mails.len() >= count {
            let subjects: Vec<String> = mails.iter().map(line).collect();
            assert_eq!(mails.len(), count, "{subjects:#?}");
            return mails;
        }
        assert!(
            begun.elapsed() < TIME_LIMIT,
            "{} mails in place of {count}: {:#?}",
            mails.len(),
            mails.iter().map(line).collect::<Vec<_>>()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn header<'a>(mail: &'a Value, name: &str) -> &'a str {
    let headers = mail["headers"].as_array().expect("headers");
    let found: Vec<&Value> = headers.iter().filter(|header| header[0] == name).collect();
    assert_eq!(found.len(), 1, "{name} in {headers:?}");
    found[0][1].as_str().expect("text")
}

fn body(mail: &Value) -> String {
    mail["body"].as_str().expect("text").replace("\r\n", "\n")
}

/// Returns a mail as `to: subject`.
fn line(mail: &Value) -> String {
    let to = mail["to"][0].as_str().expect("an address").split('@').next().unwrap_or_default();
    format!("{to}: {}", header(mail, "Subject").trim_start_matches("ndauth: "))
}

impl MovedClock {
    fn new() -> MovedClock {
        let clock = MovedClock(tempfile::tempdir().expect("a folder"));
        clock.set(0);
        // The database's server may be another user's process.
        fs::set_permissions(clock.0.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("readable");
        clock
    }

    /// Sets the clock to this many seconds from now.
    fn set(&self, seconds: u64) {
        let file = self.0.path().join("now");
        let next = self.0.path().join("next");
        fs::write(&next, format!("+{seconds}s")).expect("written");
        fs::rename(next, file).expect("renamed");
    }

    fn variables(&self) -> [(&'static str, String); 4] {
        let library = "usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
        let library = test_path("NDAUTH_TEST_SERVERS").join(library);
        assert!(library.exists(), "{} is there", library.display());
        [
            ("LD_PRELOAD", library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.0.path().join("now").display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }
}

/// Serves with mail by a route, and by a moved clock if one is given.
fn serve(at: &Installation, clock: Option<&MovedClock>, route: &str, more: &[&str]) -> Running {
    let mut command = at.command("NDAUTH_TEST_NDAUTHD");
    command.envs(clock.into_iter().flat_map(MovedClock::variables));
    at.serve_as(command, &[&["--mail", route, "--mail-from", FROM], more].concat())
}

fn days(count: u64) -> Option<v1::ExpiryChoice> {
    Some(expiry_choice_to_proto(ExpiryChoice::In(Lifetime::For(Duration::from_secs(count * DAY)))))
}

fn metric(server: &Running, name: &str) -> f64 {
    let metrics = server.get("/metrics").1;
    let found = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    found.unwrap_or_default()
}

/// Waits until a metric has at least a value.
fn until(server: &Running, name: &str, least: f64) {
    let begun = Instant::now();
    while metric(server, name) < least {
        assert!(begun.elapsed() < TIME_LIMIT, "{name} is {}", metric(server, name));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until what became of every mail is recorded. A claim ends as soon as the clock moves on.
fn until_none_waits(at: &Installation) {
    let begun = Instant::now();
    loop {
        let status = at.run_admin("mail status");
        if status.starts_with("no mail waits") {
            return;
        }
        assert!(begun.elapsed() < TIME_LIMIT, "{status}");
    }
}

/// Uses a token, so that its end is news.
async fn used(server: &Running, service: &Secret, secrets: &[String]) {
    let asking = server.client(service).await;
    for secret in secrets {
        let request = v1::ValidateTokenRequest {
            secret: secret.clone(),
            org: "ops".to_owned(),
            required_access: v1::Access::Ro.into(),
            ..Default::default()
        };
        asking.validate_token(request).await.expect("decided");
    }
}

on_both! {
    /// SEC-43 and SEC-44: one mail, to the right person, as plain text, whatever the name holds.
    async fn what_happens_is_mailed_as_plain_text(at: &Installation) {
        at.people();
        let session = at.session();
        let sink = Sink::start(&at.home().join("mails"), 0, &[]);
        let server = serve(at, None, &sink.route(), &[]);
        let client = server.client(&session).await;
        let made = client.create_token(new_token("ci")).await.expect("made");
        let mail = &sink.expect(1)[0];
        assert_eq!((&mail["from"], &mail["to"]), (&"ndauth@example.org".into(), &serde_json::json!(["ada@example.org"])));
        assert_eq!(mail["type"], "text/plain");
        assert_eq!(header(mail, "Subject"), "ndauth: Your token `ci` was created");
        assert_eq!(header(mail, "From"), FROM);
        assert_eq!(header(mail, "To"), "ada@example.org");
        assert_eq!(header(mail, "Auto-Submitted"), "auto-generated");
        let id = header(mail, "Message-ID");
        assert!(id.starts_with('<') && id.ends_with("@example.org>") && id.len() == 50, "{id}");
        header(mail, "Date");
        let text = body(mail);
        assert!(text.contains(&format!("  ndcli auth token revoke {}\n", &made.secret[..12])), "{text}");
        assert!(text.contains("  Access:     RW\n") && text.contains("  By:         ada\n"), "{text}");
        assert!(!mail["raw"].as_str().expect("text").contains(&made.secret[12..]), "a secret is in no mail");
        let names = ["ключ 🚀", "see https://evil.example/?x", "=cmd()|' /C calc'!A0", "<img src=x onerror=y>", &"x".repeat(100)];
        for name in names {
            client.create_token(new_token(name)).await.expect("made");
        }
        // Some of them may go together.
        let begun = Instant::now();
        let told = loop {
            let mails = sink.mails();
            let told: String = mails.iter().map(body).collect();
            if told.contains(&"x".repeat(100)) {
                break mails;
            }
            assert!(begun.elapsed() < TIME_LIMIT, "{told}");
            std::thread::sleep(Duration::from_millis(20));
        };
        for mail in &told {
            assert_eq!(mail["to"], serde_json::json!(["ada@example.org"]));
            let headers: BTreeSet<&str> = mail["headers"].as_array().expect("headers").iter().filter_map(|header| header[0].as_str()).collect();
            let known = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Type", "Content-Transfer-Encoding"];
            assert_eq!(headers, known.into(), "{mail}");
            assert!(!body(mail).contains("://") && !body(mail).contains("evil.example"), "{mail}");
        }
        // Nobody is told twice.
        server.signal(Signal::TERM);
        assert!(server.ended().success());
        let server = serve(at, None, &sink.route(), &[]);
        server.client(&session).await.revoke_token(revoke("ci")).await.expect("revoked");
        until(&server, "ndauth_mails_waiting", 0.0);
        let ids: BTreeSet<String> = sink.mails().iter().map(|mail| header(mail, "Message-ID").to_owned()).collect();
        assert_eq!((ids.len(), sink.mails().len()), (told.len(), told.len()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_goes_by_starttls_and_by_tls_with_a_login() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let session = at.session();
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let trusted = Authority::new("trusted");
    fs::write(path("ca.pem"), &trusted.pem).expect("written");
    fs::write(path("other.pem"), Authority::new("other").pem).expect("written");
    fs::write(path("password"), "open sesame\n").expect("written");
    fs::write(path("wrong"), "open barley\n").expect("written");
    trusted.sign(folder.path(), "localhost");
    let (certificate, key) = (path("cert.pem"), path("key.pem"));
    let login = ["--user", "ndauth", "--password", "open sesame"];
    let tls = ["--certificate", &certificate, "--key", &key];
    for (scheme, more) in [("smtp", vec![]), ("smtps", vec!["--implicit"])] {
        let file = folder.path().join(scheme);
        let sink = Sink::start(&file, 0, &[&tls[..], &login, &more].concat());
        let route = format!("{scheme}://localhost:{}", sink.port);
        let (ca, other) = (path("ca.pem"), path("other.pem"));
        let (right, wrong) = (path("password"), path("wrong"));
        let test = |authorities: &str, password: &str| {
            at.admin_words(&[
                "mail",
                "test",
                "ada@example.org",
                "--mail",
                &route,
                "--mail-from",
                FROM,
                "--mail-authorities",
                authorities,
                "--mail-user",
                "ndauth",
                "--mail-password-file",
                password,
            ])
        };
        let ended = test(&other, &right);
        assert!(ended.code == 1 && ended.err.contains("certificate"), "{ended:?}");
        let ended = test(&ca, &wrong);
        assert!(ended.code == 1 && ended.err.contains("535"), "{ended:?}");
        assert!(!ended.err.contains("barley"), "{ended:?}");
        assert_eq!(sink.mails().len(), 0);
        let ended = test(&ca, &right);
        assert_eq!(
            (ended.code, ended.out.as_str()),
            (0, "the mail to `ada@example.org` was taken\n"),
            "{ended:?}"
        );
        let options = ["--mail-authorities", &ca, "--mail-user", "ndauth", "--mail-password-file", &right];
        let server = serve(&at, None, &route, &options);
        server.client(&session).await.create_token(new_token(scheme)).await.expect("made");
        let mails = sink.expect(2);
        assert_eq!(line(&mails[1]), format!("ada: Your token `{scheme}` was created"));
        assert!(mails.iter().all(|mail| mail["tls"] == true && mail["login"] == "ndauth"), "{mails:?}");
        assert_eq!(sink.mails().len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_mail_are_checked() {
    let at = Installation::new(Engine::Sqlite).await;
    let sink = Sink::start(&at.home().join("mails"), 0, &[]);
    let route = sink.route();
    let check = |more: &[&str]| {
        let mut command = at.command("NDAUTH_TEST_NDAUTHD");
        command
            .args(["config", "check", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            .args(more);
        run(command, "")
    };
    let ended = check(&["--mail", &route, "--mail-from", FROM]);
    assert!(ended.code == 0 && ended.out.contains("✓ notices can be mailed\n"), "{ended:?}");
    drop(sink);
    let ended = check(&["--mail", &route, "--mail-from", FROM]);
    assert!(ended.code == 0 && ended.err.contains("warning: mail would wait: "), "{ended:?}");
    let password = at.home().join("password");
    fs::write(&password, "x").expect("written");
    let password = password.to_str().expect("text");
    for (more, why) in [
        (vec!["--mail", &route], "mail has no sender"),
        (vec!["--mail", "smtp://ada:secret@mail", "--mail-from", FROM], "--mail-password-file"),
        (vec!["--mail", &route, "--mail-from", FROM, "--mail-user", "x"], "must be given together"),
        (vec!["--mail", "mail.example.org", "--mail-from", FROM], "expected `smtp://HOST:PORT`"),
        (vec!["--mail", &route, "--mail-from", "a@b\r\nBcc: c@d"], "expected an address"),
        (
            vec!["--mail", "sendmail:/nowhere/sendmail", "--mail-from", FROM],
            "cannot read `/nowhere/sendmail`",
        ),
        (vec!["--mail", "folder:/proc/mails", "--mail-from", FROM], "cannot write to the folder"),
        (vec!["--mail", &route, "--mail-from", FROM, "--mail-authorities", password], "no certificate"),
        (
            vec![
                "--mail",
                "smtp://192.0.2.7",
                "--mail-from",
                FROM,
                "--mail-plaintext",
                "--mail-user",
                "x",
                "--mail-password-file",
                password,
            ],
            "of no use without",
        ),
    ] {
        let ended = check(&more);
        assert!(
            ended.code == 2 && ended.err.contains(why) && !ended.err.contains("secret@"),
            "{more:?}: {ended:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_goes_by_sendmail_and_to_a_folder() {
    use std::os::unix::fs::PermissionsExt;
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let session = at.session();
    let (program, file) = (at.home().join("sendmail"), at.home().join("sent"));
    let script =
        format!("#!/bin/sh\necho \"$@\" > {0}.next\ncat >> {0}.next\nmv {0}.next {0}\n", file.display());
    fs::write(&program, script).expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a program");
    let server = serve(&at, None, &format!("sendmail:{}", program.display()), &[]);
    server.client(&session).await.create_token(new_token("ci")).await.expect("made");
    until(&server, "ndauth_mails_sent_total", 1.0);
    let sent = fs::read_to_string(&file).expect("sent");
    assert!(sent.starts_with("-i -f ndauth@example.org -- ada@example.org\n"), "{sent}");
    assert!(sent.contains("Subject: ndauth: Your token `ci` was created"), "{sent}");
    server.signal(Signal::TERM);
    assert!(server.ended().success());
    let folder = at.home().join("mails");
    let server = serve(&at, None, &format!("folder:{}", folder.display()), &[]);
    server.client(&session).await.create_token(new_token("cd")).await.expect("made");
    until(&server, "ndauth_mails_sent_total", 1.0);
    let files: Vec<PathBuf> =
        fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(files[0].extension().is_some_and(|extension| extension == "eml"), "{files:?}");
    assert!(fs::read_to_string(&files[0]).expect("read").contains("Your token `cd` was created"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_and_the_runbook_of_mail_are_as_they_are_written() {
    let mut page = Page::open("docs/mail.md").await;
    page.at.people();
    let home = page.at.home().to_owned();
    let sink = Sink::start(&home.join("taken"), 0, &["--user", "ndauth", "--password", "x"]);
    fs::write(home.join("mail-password"), "x\n").expect("written");
    let text = read("docs/mail.md");
    let (_, settings) = blocks(&text).find(|(language, _)| *language == "toml").expect("the settings");
    let settings = settings
        .replace("smtp://mail.example.org:587", &sink.route())
        .replace("/etc/ndauth/mail-password", home.join("mail-password").to_str().expect("text"));
    fs::write(home.join("nd.toml"), settings).expect("written");
    page.replace("/etc/ndauth/ndauthd.toml", "nd.toml");
    let config = home.join("nd.toml").display().to_string();
    page.serve(&["--config", &config]);
    page.log_in();
    let shown = page.play();
    assert!(shown.contains("│ rotated") && shown.contains("│ always │ a token was created"), "{shown}");
    let shown = page.play();
    assert!(shown.contains("✓ notices can be mailed") && shown.contains("was taken"), "{shown}");
    assert!(page.play().contains("no mail waits"));

    let mut runbook = Page::open("docs/runbooks/mail.md").await;
    runbook.set("NDAUTHD_CONFIG", &config);
    assert!(runbook.play().contains("the mail to `you@example.org` was taken"));
    assert!(sink.mails().iter().filter(|mail| mail["to"][0] == "you@example.org").count() == 2);
    runbook.close();
    page.close();
}

/// A relay that refuses, one that defers, and one whose answer is lost: only the last gives a mail twice, and then it is the
/// same mail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_comes_twice_only_if_the_answer_was_lost() {
    let at = Installation::new(Engine::Sqlite).await;
    at.people();
    let session = at.session();
    let clock = MovedClock::new();
    let mut sink = Sink::start(&at.home().join("mails"), 0, &[]);
    let server = serve(&at, Some(&clock), &sink.route(), &[]);
    let client = server.client(&session).await;
    sink.answer("lose");
    client.create_token(new_token("lost")).await.expect("made");
    sink.expect(1);
    until(&server, "ndauth_mails_failed_total", 1.0);
    clock.set(2 * 60);
    let mails = sink.expect(2);
    assert_eq!(
        (line(&mails[0]), &mails[0]["raw"]),
        (line(&mails[1]), &mails[1]["raw"]),
        "the same to a byte"
    );
    until(&server, "ndauth_mails_sent_total", 1.0);
    sink.answer("defer");
    client.create_token(new_token("deferred")).await.expect("made");
    until(&server, "ndauth_mails_failed_total", 2.0);
    let status = at.run_admin("mail status");
    assert!(status.starts_with("1 mail(s) wait, since "), "{status}");
    assert!(status.contains("try again later") && !status.contains("ada@"), "{status}");
    sink.answer("take");
    clock.set(4 * 60);
    assert_eq!(line(&sink.expect(3)[2]), "ada: Your token `deferred` was created");
    sink.answer("refuse");
    client.create_token(new_token("refused")).await.expect("made");
    for hour in 0..8 {
        until(&server, "ndauth_mails_failed_total", f64::from(3 + hour));
        clock.set((u64::try_from(hour).expect("small") + 1) * (HOUR + 60) + 4 * 60);
    }
    until(&server, "ndauth_mails_given_up_total", 1.0);
    let status = at.run_admin("mail status");
    assert!(status.starts_with("no mail waits\n1 mail(s) were given up"), "{status}");
    assert_eq!(sink.mails().len(), 3);
}

/// FLT-15 and FLT-20: three instances on one PostgreSQL, 500 tokens over 40 days, an hour without a relay, instances that
/// end and begin: exactly the mails of this table.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flt_15_forty_days_bring_the_mails_of_the_table() {
    /// The lives of a person's tokens, in days. Of each life, two are used, one is not, one is revoked and one renewed.
    const LIVES: [u64; 5] = [90, 45, 30, 10, 1];
    const PEOPLE: usize = 20;
    /// The days on which each person is told of ends, and how many.
    const TABLE: [(u64, usize); 11] =
        [(7, 2), (9, 2), (20, 2), (21, 1), (27, 2), (28, 1), (29, 2), (30, 2), (35, 2), (37, 1), (39, 1)];
    let clock = MovedClock::new();
    let database = Server::primary_with(&clock.variables()).await;
    let url: DatabaseUrl = database.url().parse().expect("a URL");
    let at = Installation::on(Scratch::at(url));
    at.run_admin("org create ops");
    let people: Vec<String> = (0..PEOPLE).map(|n| format!("p{n:02}")).collect();
    for handle in &people {
        at.run_admin(&format!("account create {handle} --email {handle}@example.org"));
        at.run_admin(&format!("member set ops {handle} RW"));
    }
    let service = at.service();
    let sessions: Vec<Secret> = people
        .iter()
        .map(|handle| at.run_admin(&format!("session issue {handle}")).parse().expect("a secret"))
        .collect();
    let file = at.home().join("mails");
    let mut sink = Sink::start(&file, 0, &[]);
    let route = sink.route();
    let start = || serve(&at, Some(&clock), &route, &[]);
    let mut instances = vec![start(), start(), start()];
    for (n, session) in sessions.iter().enumerate() {
        let client = instances[n % 3].client(session).await;
        let mut secrets = Vec::new();
        for life in LIVES {
            for what in ["used", "busy", "unused", "revoked", "renewed"] {
                let request = token_with(&format!("{what}-{life}"), |token| token.expiry = days(life));
                let made = client.create_token(request).await.expect("made");
                secrets.extend((what != "unused").then_some(made.secret));
            }
        }
        used(&instances[n % 3], &service, &secrets).await;
        for life in LIVES {
            client.revoke_token(revoke(&format!("revoked-{life}"))).await.expect("revoked");
            let which = Some(v1::Which::name(format!("renewed-{life}")));
            let owner = Some(v1::Whose::mine());
            let renew = v1::RenewTokenRequest { owner, which, ..Default::default() };
            client.renew_token(renew).await.expect("renewed");
        }
    }
    // The uses are written, and 25 new tokens a person are told in a few mails.
    for instance in std::mem::take(&mut instances) {
        instance.signal(Signal::TERM);
        assert!(instance.ended().success());
    }
    // After an hour nothing of the first day is left to tell.
    clock.set(2 * HOUR);
    instances = vec![start(), start(), start()];
    let begun = Instant::now();
    let created = |file: &Path| -> usize {
        let mails = read_mails(file);
        mails.iter().map(|mail| body(mail).matches(" was created.").count()).sum()
    };
    while created(&file) < 500 {
        assert!(begun.elapsed() < TIME_LIMIT, "{} were told", created(&file));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(created(&file), 500);
    let first = read_mails(&file).len();
    assert!(first <= PEOPLE * 6, "{first} mails for {PEOPLE} people");
    let mut total = first;
    for (day, each) in TABLE {
        until_none_waits(&at);
        total += each * PEOPLE;
        if day == 20 {
            // The relay is away for an hour, and an instance ends meanwhile.
            let port = sink.port;
            drop(sink);
            clock.set(day * DAY + HOUR);
            let begun = Instant::now();
            while instances.iter().map(|instance| metric(instance, "ndauth_mails_failed_total")).sum::<f64>()
                < 3.0
            {
                assert!(begun.elapsed() < TIME_LIMIT, "they try");
                std::thread::sleep(Duration::from_millis(50));
            }
            instances.remove(0).kill();
            clock.set(day * DAY + 2 * HOUR);
            assert_eq!(read_mails(&file).len(), total - each * PEOPLE, "nothing arrived");
            sink = Sink::start(&file, port, &[]);
            // What the killed one had claimed is due again.
            clock.set(day * DAY + 2 * HOUR + 15 * 60);
        } else {
            clock.set(day * DAY + 3 * HOUR);
        }
        expect_mails(&file, total);
        if day == 27 {
            instances.remove(0).signal(Signal::TERM);
            instances.push(start());
        }
    }
    until_none_waits(&at);
    clock.set(41 * DAY);
    // Whatever else there was to tell would come before the second of these.
    let session: Secret = at.run_admin("session issue p00").parse().expect("a secret");
    let client = instances[0].client(&session).await;
    for name in ["first", "second"] {
        client.create_token(new_token(name)).await.expect("made");
        total += 1;
        expect_mails(&file, total);
    }
    let mails = expect_mails(&file, total);
    let ids: BTreeSet<&str> = mails.iter().map(|mail| header(mail, "Message-ID")).collect();
    assert_eq!(ids.len(), mails.len(), "each came once");
    // What one person is told, in the order of the days.
    let mut told: Vec<String> =
        mails[first..].iter().map(line).filter(|line| line.starts_with("p07: ")).collect();
    assert_eq!(told.len(), TABLE.iter().map(|(_, each)| each).sum::<usize>());
    let mut by_text: BTreeMap<String, usize> = BTreeMap::new();
    for line in told.drain(..) {
        *by_text.entry(line.trim_start_matches("p07: Your token ").to_owned()).or_default() += 1;
    }
    let expected = [
        ("`busy-10` ends in 3 days", 1),
        ("`busy-10` ends in 21 hours", 1),
        ("`used-10` ends in 3 days", 1),
        ("`used-10` ends in 21 hours", 1),
        ("`busy-30` ends in 10 days", 1),
        ("`used-30` ends in 10 days", 1),
        ("`busy-30` ends in 3 days", 1),
        ("`used-30` ends in 3 days", 1),
        ("`busy-30` ends in 21 hours", 1),
        ("`used-30` ends in 21 hours", 1),
        ("`busy-45` ends in 10 days", 1),
        ("`used-45` ends in 10 days", 1),
        ("`renewed-1` ends in 10 days", 1),
        ("`renewed-1` ends in 3 days", 1),
        ("`renewed-1` ends in 21 hours", 1),
        ("`renewed-10` ends in 10 days", 1),
        ("`renewed-10` ends in 3 days", 1),
        ("`renewed-10` ends in 21 hours", 1),
    ];
    assert_eq!(by_text, expected.map(|(text, count)| (text.to_owned(), count)).into());
}
