//! The runbooks and the upgrade page: each command works in the incident that its page is for.

use std::time::{Duration, Instant};

use ndauth_store::DatabaseUrl;
use ndauth_store::testing::{Scratch, try_execute_at};
use rustix::process::Signal;

use super::page::{Page, read, word};
use crate::disk::InstallationOnDisk;
use crate::installation::{Installation, soon};
use crate::logins::choose_password;
use crate::replicas::Server;
use crate::requests::{new_token, revoke};
use crate::tls::Authority;

/// The operator's address that the pages show.
const ADMIN: &str = "http://127.0.0.1:7712";

/// Starts a server for a page.
fn serve(page: &mut Page, more: &[&str]) {
    page.serve(more);
    let admin = format!("http://{}", page.server().admin);
    page.replace(ADMIN, admin);
}

/// Creates ada, the one admin of the org `ops` and an operator, eve, a service, and ada's tokens: `ci` of her own
/// with its secret in the file `token`, and the org's `deploy`.
fn settle_in(page: &mut Page) {
    serve(page, &[]);
    for command in [
        "account create ada --email ada@example.org --operator",
        "account create eve --email eve@example.org",
        "org create ops --admin ada",
        "service create registry",
    ] {
        page.at.run_admin(command);
    }
    for (placeholder, sample) in
        [("HANDLE", "ada"), ("OTHER", "eve"), ("ORG", "ops"), ("SERVICE", "registry")]
    {
        page.replace(placeholder, sample);
    }
    page.log_in();
    create_ci(page);
    page.type_in("ndcli token create deploy --scope write:assets --org ops");
}

fn create_ci(page: &mut Page) {
    page.type_in("rm -f token; ndcli auth token create ci --scope rw --to-file token");
    let listed = page.at.ndcli(page.server(), &["auth", "token", "list", "-f", "json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed.out).expect("JSON");
    page.replace("ID", listed["tokens"][0]["id"].as_str().expect("a token"));
}

/// Presents the secret in the file `token`. Returns the output.
fn present(page: &Page) -> String {
    page.type_in("NDCLI_TOKEN_FILE=token ndcli whoami 2>&1 || true")
}

#[tokio::test]
async fn a_leaked_token_is_stopped() {
    let mut page = Page::open("docs/runbooks/leaked-token.md").await;
    settle_in(&mut page);
    page.replace("NAME", "ci");
    page.type_in("ndcli auth token create leaky --scope ro --to-file leaked.txt");
    assert!(page.play().contains("its token is revoked"));
    assert!(present(&page).contains("ada"));
    page.play();
    assert!(present(&page).contains("the token was revoked"));
    create_ci(&mut page);
    // The login and the token are in files here.
    page.replace("ndcli scan ", "ndcli scan .bashrc || true #");
    for _suspended_or_frozen in 0..2 {
        page.play();
    }
    assert!(present(&page).contains("ada"), "it is resumed, and the org is not frozen");
    let shown = page.play();
    assert!(shown.matches("│ ci ").count() == 2 && shown.contains("127.0.0.1"), "{shown}");
    let shown = page.play();
    assert!(
        shown.contains("2 token(s) have a secret that was made before") && word(&shown, "ndsvc_").len() > 40,
        "{shown}"
    );
    page.log_in();
    let shown = page.play();
    assert_eq!(shown.matches("revoked").count(), 3, "{shown}");
    assert!(present(&page).contains("was revoked"));
    page.close();
}

/// The page of the audit: lists, what a SIEM asks, exports and their verification.
#[tokio::test]
async fn the_audit_is_read_exported_and_verified() {
    let mut page = Page::open("docs/audit.md").await;
    settle_in(&mut page);
    page.replace("NAME", "ci");
    page.replace(
        "https://ndauth.example.org",
        page.server().url.to_string().trim_end_matches('/').to_owned(),
    );
    let listed = page.at.ndcli(page.server(), &["audit", "list", "--org", "ops", "-f", "json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed.out).expect("JSON");
    page.replace("4711", listed["events"][0]["sequence"].to_string());
    let shown = page.play();
    assert!(
        shown.contains("ada created the token `ci`.") && shown.contains("\"kind\": \"token.created\""),
        "{shown}"
    );
    let shown = page.play();
    assert!(shown.contains("ada created ops's org token `siem`."), "{shown}");
    let shown = page.play();
    assert_eq!(shown.matches("events verified").count(), 2, "{shown}");
    page.close();
}

#[tokio::test]
async fn a_leaver_takes_nothing_along() {
    let mut page = Page::open("docs/runbooks/leaver.md").await;
    settle_in(&mut page);
    page.replace("NAME", "deploy");
    assert!(present(&page).contains("ada"));
    page.play();
    let shown = present(&page);
    assert!(shown.contains("is disabled"), "{shown}");
    let shown = page.play();
    assert_eq!(shown.matches("token.created").count(), 2, "{shown}");
    assert!(shown.contains("registry") && shown.contains("Total: 1 member(s)"), "{shown}");
    // An admin of the org carries on.
    page.type_in("ndauthd admin session issue eve 2> /dev/null | ndcli auth login --with-token");
    let shown = page.play();
    assert!(shown.contains(&word(&shown, "ndsvc_")) && shown.contains(&word(&shown, "ndorg_")), "{shown}");
    let shown = page.play();
    assert!(shown.contains("Total: 0 session(s)") && shown.contains("Total: 0 member(s)"), "{shown}");
    let row = shown.lines().find(|line| line.contains("│ ada ")).expect("a row");
    assert!(row.contains("│ - ") && row.contains("│ disabled") && !row.contains("│ yes"), "{row}");
    page.close();
}

#[tokio::test]
async fn a_lost_operator_is_replaced() {
    let mut page = Page::open("docs/runbooks/lost-operator.md").await;
    serve(&mut page, &[]);
    page.at.run_admin("account create gone --email gone@example.org --operator");
    page.at.run_admin("account create ada --email ada@example.org");
    page.at.log_in(page.server());
    for (placeholder, sample) in [("HANDLE", "gone"), ("OTHER", "ada"), ("NEW", "lab")] {
        page.replace(placeholder, sample);
    }
    let refused = page.type_in("ndcli org create lab 2>&1 || true");
    assert!(refused.contains("an account that is not an operator may not create orgs"), "{refused}");
    page.quotes("error: an account that is not an operator may not create orgs");
    page.play();
    let shown = page.play();
    assert!(shown.contains("│ gone ") && shown.contains("│ yes "), "{shown}");
    let shown = page.play();
    choose_password(page.server(), word(&shown, "code=").trim_start_matches("code="));
    let shown = page.play();
    choose_password(page.server(), word(&shown, "code=").trim_start_matches("code="));
    page.play();
    let shown = page.play();
    assert!(shown.contains("lab"), "{shown}");
    assert!(page.type_in("ndcli org list").contains("lab"));
    page.close();
}

/// Returns the SQLite file of an installation.
fn file(at: &Installation) -> std::path::PathBuf {
    let DatabaseUrl::Sqlite(path) = &at.scratch.url else { panic!("a file") };
    path.clone()
}

/// Removes a SQLite file, and leaves its witness.
fn lose(at: &Installation) {
    for suffix in ["", "-wal", "-shm"] {
        let mut path = file(at).into_os_string();
        path.push(suffix);
        let _ = std::fs::remove_file(path);
    }
}

#[tokio::test]
async fn a_database_that_is_gone_comes_back() {
    let mut page = Page::open("docs/runbooks/database-gone.md").await;
    page.at.people();
    page.type_in("ndauthd admin backup monday.db");
    lose(&page.at);
    page.play_in_vain("shows that there was an installation");
    page.play();
    serve(&mut page, &[]);
    let shown = page.play();
    assert!(shown.contains("no problems found") && shown.trim_end().ends_with("ready"), "{shown}");
    page.close();
}

#[tokio::test]
async fn a_backup_is_restored() {
    let mut page = Page::open("docs/runbooks/restore.md").await;
    page.at.people();
    page.play();
    page.at.run_admin("account disable ada");
    page.play();
    let shown = page.play();
    assert!(shown.contains("1 event(s) replayed"), "{shown}");
    // The alternative to a replay concerns a copy, too.
    page.type_in("ndauthd admin restore monday.db");
    let shown = page.type_in("ndauthd config check 2>&1 || true");
    let quoted =
        "the database was restored from a copy, which does not know what was revoked since it was made";
    assert!(shown.contains(quoted), "{shown}");
    page.quotes(quoted);
    page.play();
    let shown = page.play();
    assert!(shown.contains("no problems found") && shown.contains("can be served"), "{shown}");
    page.close();
}

/// The standby that takes over has not received the last event.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_is_survived() {
    let old = Server::primary().await;
    let url: DatabaseUrl = old.url().parse().expect("a URL");
    let mut page = Page::open_at("docs/runbooks/failover.md", Installation::on(Scratch::at(url)));
    page.at.people();
    serve(&mut page, &[]);
    let owner = page.server().client(&page.at.session()).await;
    let secret = owner.create_token(new_token("ci")).await.expect("made").secret;
    std::fs::write(page.at.home().join("token"), &secret).expect("written");
    let new = old.standby().await;
    let has_log = "DO $$ BEGIN ASSERT (SELECT sequence FROM head) > 0; END $$";
    soon(&true, async || try_execute_at(&new.url(), has_log).await.is_ok()).await;
    new.execute("ALTER SYSTEM SET primary_conninfo = ''").await;
    new.execute("SELECT pg_reload_conf()").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    owner.revoke_token(revoke("ci")).await.expect("revoked");
    // A server records what it saw when it ends.
    page.server().signal(Signal::TERM);
    page.set("OLD", old.url());
    page.set("NEW", new.url());
    page.replace(ADMIN, ADMIN);
    let (told, checked) = split(&mut page);
    let shown = page.type_in(&told);
    assert!(shown.lines().any(|line| line.trim() == "t"), "it is promoted: {shown}");
    soon(&true, async || try_execute_at(&new.url(), "CREATE TABLE may_write ()").await.is_ok()).await;
    let shown = page.type_in(&format!("{checked} 2>&1 || true"));
    assert!(shown.contains("is an older copy"), "{shown}");
    page.quotes("is an older copy");
    let shown = page.play();
    assert!(shown.contains("event(s) replayed after event"), "{shown}");
    let mut command = page.at.command("NDAUTH_TEST_NDAUTHD");
    command.env("NDAUTHD_DATABASE", new.url());
    let server = page.at.serve_as(command, &[]);
    page.replace(ADMIN, format!("http://{}", server.admin));
    let shown = page.play();
    assert!(shown.contains("no problems found") && shown.trim_end().ends_with("ready"), "{shown}");
    page.set("NDCLI_SERVER", server.url.to_string());
    assert!(present(&page).contains("the token was revoked"), "the lost event is done again");
    page.close();
}

/// Returns the commands of the next block but the last, and the last, whose answer comes once the promotion is
/// done.
fn split(page: &mut Page) -> (String, String) {
    let mut lines = page.lines();
    let last = lines.pop().expect("a command");
    (lines.join("\n"), last)
}

#[tokio::test]
async fn a_certificate_is_renewed() {
    let day = Duration::from_secs(24 * 60 * 60);
    let mut page = Page::open("docs/runbooks/certificate.md").await;
    let (home, ours) = (page.at.home().to_owned(), Authority::new("ours"));
    std::fs::write(home.join("ca.pem"), &ours.pem).expect("written");
    ours.sign_ended(&home);
    let shown = page
        .type_in("ndauthd config check --tls-certificate cert.pem --tls-key key.pem 2>&1 || true")
        .replace(|c: char| c.is_ascii_digit(), "0");
    let error = shown.lines().find(|line| line.starts_with("error: ")).expect("an error");
    let written = read("docs/runbooks/certificate.md").replace(|c: char| c.is_ascii_digit(), "0");
    assert!(written.contains(error.trim_end()), "{error}");
    ours.sign_for(&home, day * 2);
    serve(&mut page, &["--tls-certificate", "cert.pem", "--tls-key", "key.pem"]);
    let shown = page.play();
    assert!(shown.contains("notAfter=") && shown.contains("ends in"), "{shown}");
    let renewed = home.join("renewed");
    std::fs::create_dir(&renewed).expect("made");
    ours.sign_for(&renewed, day * 80);
    let ends = |page: &Page| {
        let metrics = page.server().get("/metrics").1;
        let line = metrics.lines().find(|line| line.starts_with("ndauth_tls_certificate_expiry"));
        line.expect("a metric").to_owned()
    };
    let before = ends(&page);
    let shown = page.play();
    assert!(shown.contains("encrypted, until") && !shown.contains("ends in"), "{shown}");
    let begun = Instant::now();
    while ends(&page) == before {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is loaded by itself");
        std::thread::sleep(Duration::from_millis(100));
    }
    let url = page.server().url.to_string();
    page.replace("https://ndauth.example.org", url.trim_end_matches('/'));
    let shown = page.play();
    assert!(shown.contains(&ends(&page)) && shown.contains("issuer"), "{shown}");
    page.close();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_freed() {
    let InstallationOnDisk { disk, at } = InstallationOnDisk::new().await;
    at.people();
    let session = at.session();
    let mut page = Page::open_at("docs/runbooks/full-disk.md", at);
    serve(&mut page, &["--freshness-bound", "500ms"]);
    let owner = page.server().client(&session).await;
    disk.fill();
    let mut problem = None;
    for n in 0..20 {
        problem = problem.or(owner.create_token(new_token(&format!("t{n}"))).await.err());
    }
    page.quotes(&problem.expect("the disk is full").message);
    let shown = page.play();
    assert!(shown.contains("ready") && shown.contains("changes are failing"), "{shown}");
    disk.free();
    page.play();
    soon_ready(&page).await;
    let shown = page.play();
    assert!(shown.contains("ready") && !shown.contains("failing"), "{shown}");
    assert!(shown.contains("no problems found"), "{shown}");
    page.close();
}

async fn soon_ready(page: &Page) {
    let begun = Instant::now();
    while page.server().get("/readyz") != (200, "ready\n".to_owned()) {
        assert!(begun.elapsed() < Duration::from_secs(20), "changes resume by themselves");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn an_expiring_token_is_renewed() {
    let mut page = Page::open("docs/runbooks/expiring-token.md").await;
    settle_in(&mut page);
    page.type_in("ndcli token create nightly --scope write:assets --org ops --expires-in 20d");
    page.replace("NAME", "nightly");
    page.play();
    let shown = page.play();
    // It was renewed, and the other one ends within a day.
    assert!(
        shown.contains("Total: 1 token(s)") && shown.contains("│ deploy ") && shown.contains("│ nightly "),
        "{shown}"
    );
    page.play();
    assert!(page.type_in("cat secret").contains("ndorg_"));
    let shown = page.play();
    assert!(shown.contains("│ nightly "), "{shown}");
    page.close();
}

#[tokio::test]
async fn a_limit_and_refused_sign_ins_are_looked_at() {
    let mut page = Page::open("docs/runbooks/limits.md").await;
    serve(&mut page, &[]);
    let shown = page.play();
    assert!(shown.contains("ndauth_limit_taken") && shown.contains("ndauth_limit_size"), "{shown}");
    assert!(page.play().contains("ndauth_limit_reached_total{limit=\"calls\"} 0"));
    page.close();

    let mut page = Page::open("docs/runbooks/refused-sign-ins.md").await;
    settle_in(&mut page);
    assert!(page.play().contains("code="));
    page.log_in();
    let shown = page.play();
    assert!(shown.contains("ndauth_sign_ins_refused_total 0") && shown.contains("session(s)"), "{shown}");
    assert!(page.play().contains("ndauth_sign_ins_refused_total 0"));
    page.close();
}

#[tokio::test]
async fn an_upgrade_goes_as_it_is_written() {
    let mut page = Page::open("docs/upgrade.md").await;
    page.at.people();
    serve(&mut page, &[]);
    let shown = page.play();
    assert!(shown.contains("no problems found"), "{shown}");
    let shown = page.play();
    assert!(
        shown.contains("  applied") && !shown.contains("pending") && shown.contains("can be served"),
        "{shown}"
    );
    page.set("PID", page.server().pid().to_string());
    page.play();
    page.play();
    let admin = format!("http://{}", page.server().admin);
    page.replace(ADMIN, admin);
    let shown = page.play();
    assert!(shown.contains("ready") && shown.contains(env!("CARGO_PKG_VERSION")), "{shown}");
    // Going back.
    page.at.run_admin("account disable ada");
    page.type_in("ndauthd admin events export > events.jsonl");
    page.server().signal(Signal::TERM);
    page.type_in(&format!("while curl -fs {ADMIN}/livez; do sleep 0.1; done"));
    lose(&page.at);
    let shown = page.play();
    assert!(shown.contains("1 event(s) replayed"), "{shown}");
    let shown = page.play();
    assert!(
        shown.contains("  applied") && !shown.contains("newer") && shown.contains("no problems found"),
        "{shown}"
    );
    page.close();
}
