//! Measures the audit with a million events: first pages, an export through `ndcli`, its verification, and what a flood of
//! wrong sign-ins leaves.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use ndauth_bench::seed::seed;
use ndauth_bench::server::Server;
use ndauth_bench::table::{Bar, FigureRow, median};
use ndauth_core::{
    Actor, Change, Entry, Event, OrgId, Owner, Personal, RevocationReason, SessionId, Timestamp, TokenId,
};
use ndauth_store::testing::execute;
use ndauth_store::{Clock, DatabaseUrl, Store, StoredEvent};
use rand::rngs::SysRng;

use crate::bench::{Bench, SERVER_CORE, text};

/// The number of events, all of one org.
const EVENTS: u64 = 1_000_000;
/// The events that are appended in one transaction.
const BATCH: u64 = 20_000;
/// The most memory of an export, in MiB.
const MEMORY: f64 = 100.0;
/// The wrong sign-ins of the flood.
const SIGN_INS: u32 = 1_000_000;

pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let url = bench.sqlite("audited.db");
    let seeded = bench.runtime.block_on(seed(&url, 1000))?;
    let events = if bench.quick { EVENTS / 10 } else { EVENTS };
    let org = bench.runtime.block_on(fill(&url, events))?;
    let server = Server::ndauthd(SERVER_CORE, &bench.binary("ndauthd"), &text(&url), &[])?;
    first_pages(bench, &server, seeded.session.expose(), &org, events)?;
    let log = bench.folder.path().join("log.jsonl");
    export(bench, &server, seeded.session.expose(), &log)?;
    verify(bench, &log)?;
    server.end()?;
    flood(bench)
}

/// Appends many events to the log, of tokens of one org. The person of the session becomes its admin, and an operator.
async fn fill(url: &DatabaseUrl, events: u64) -> anyhow::Result<String> {
    let store = Store::connect(url, Clock::Database).await?;
    execute(&store, "UPDATE account SET operator = true WHERE id = (SELECT account_id FROM session LIMIT 1)")
        .await;
    execute(
        &store,
        "UPDATE membership SET role = 'ADMIN' WHERE account_id = (SELECT account_id FROM session LIMIT 1)",
    )
    .await;
    execute(&store, "UPDATE session SET browser = false, proved_at = created_at + 86400000000000").await;
    let read = store.read().await?;
    let session = read.list_sessions().await?.into_iter().next().context("a session")?;
    let org = read.list_memberships(session.account).await?.into_iter().next().context("an org")?.org;
    let (org, slug) = (org.id, org.slug.to_string());
    drop(read);
    let token = TokenId::new(Timestamp::MIN, &mut SysRng)?;
    let mut left = events;
    while left > 0 {
        let mut write = store.write("fill").await?;
        let mut head = write.lock_head().await?;
        for _ in 1..BATCH.min(left) {
            let stored =
                StoredEvent::from((&event(org, session.account, session.id, token, write.now())?, head));
            head = write.append(&stored).await?;
        }
        let last = event(org, session.account, session.id, token, write.now())?;
        write.commit(&last).await?;
        left -= BATCH.min(left);
    }
    store.close().await?;
    Ok(slug)
}

/// Returns an event as large as most.
fn event(
    org: OrgId,
    account: ndauth_core::AccountId,
    session: SessionId,
    token: TokenId,
    at: Timestamp,
) -> anyhow::Result<Event> {
    let change = Change::TokenRevoked {
        token,
        owner: Owner::Org(org),
        reason: RevocationReason::NoLongerNeeded,
        presented: None,
    };
    let entry = Entry { at, actor: Actor::Session { account, session }, change };
    let personal = Personal::from([
        ("name", "github-ci".to_owned()),
        ("address", "198.51.100.7".to_owned()),
        ("client", "ndcli/0.1.0".to_owned()),
        ("request_id", "b6b575c44cc94ebb-6f3".to_owned()),
    ]);
    Ok(Event::new(&entry, &personal, &mut SysRng)?)
}

fn first_pages(
    bench: &mut Bench,
    server: &Server,
    session: &str,
    org: &str,
    events: u64,
) -> anyhow::Result<()> {
    let paths = [
        ("the newest of the org", format!("/v1/orgs/{org}/audit?page_size=50")),
        ("the oldest of the org", format!("/v1/orgs/{org}/audit?page_size=50&after=0")),
        ("the newest of everything", "/v1/admin/audit?page_size=50".to_owned()),
        ("those since an instant", format!("/v1/orgs/{org}/audit?page_size=50&since=2026-01-01T00:00:00Z")),
    ];
    for (what, path) in paths {
        let mut times = Vec::new();
        for _ in 0..bench.rounds * 10 {
            let begun = Instant::now();
            let answer = get(server, session, &path)?;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
            ensure!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        }
        let what = format!("{events} events in an org: first page, {what}");
        bench.row(FigureRow::new(what, "ms", &[median(&times)], Bar::AtMost(20.0)));
    }
    Ok(())
}

fn get(server: &Server, session: &str, path: &str) -> anyhow::Result<String> {
    let address = server.address;
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {session}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Exports everything through `ndcli`. Its memory is the most that the system saw.
fn export(bench: &mut Bench, server: &Server, session: &str, log: &Path) -> anyhow::Result<()> {
    let mut command = Command::new(bench.binary("ndcli"));
    command
        .args(["audit", "export", "--all"])
        .env("NDCLI_SERVER", format!("http://{}", server.address))
        .env("NDCLI_TOKEN", session)
        .env("HOME", bench.folder.path())
        .stdout(File::create(log)?)
        .stderr(Stdio::null());
    let begun = Instant::now();
    let mut child = command.spawn()?;
    let mut most = 0.0_f64;
    let status = loop {
        std::thread::sleep(Duration::from_millis(20));
        let process = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let peak = process.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        most = most.max(peak.and_then(|peak| peak.trim().parse::<f64>().ok()).unwrap_or(0.0) / 1024.0);
        if let Some(status) = child.try_wait()? {
            break status;
        }
    };
    let seconds = begun.elapsed().as_secs_f64();
    ensure!(status.success(), "the export failed");
    let rate = count_lines(log)? as f64 / seconds;
    bench.row(FigureRow::new("export through ndcli", "events/s", &[rate], Bar::AtLeast(30_000.0)));
    bench.row(FigureRow::new("memory of that ndcli, at most", "MiB", &[most], Bar::AtMost(MEMORY)));
    Ok(())
}

fn count_lines(log: &Path) -> anyhow::Result<usize> {
    Ok(BufReader::new(File::open(log)?).lines().count())
}

fn verify(bench: &mut Bench, log: &Path) -> anyhow::Result<()> {
    let lines = count_lines(log)? as f64;
    let mut rates = Vec::new();
    for _ in 0..bench.rounds {
        let mut command = Command::new(bench.binary("ndcli"));
        command.args(["audit", "verify"]).arg(log).env("HOME", bench.folder.path());
        let begun = Instant::now();
        let verified = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        rates.push(lines / begun.elapsed().as_secs_f64());
        ensure!(verified.success(), "the export does not verify");
    }
    bench.row(FigureRow::new("verification of a file by ndcli", "events/s", &rates, Bar::AtLeast(100_000.0)));
    Ok(())
}

/// Counts the rows that wrong sign-ins leave, from as many networks as there are sign-ins.
fn flood(bench: &mut Bench) -> anyhow::Result<()> {
    let url = bench.sqlite("flooded.db");
    bench.runtime.block_on(seed(&url, 10))?;
    let tries = if bench.quick { SIGN_INS / 10 } else { SIGN_INS };
    let options = ["--trusted-proxies", "127.0.0.0/8"];
    let server = Server::ndauthd(SERVER_CORE, &bench.binary("ndauthd"), &text(&url), &options)?;
    let address = server.address;
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut answers = BufReader::new(stream.try_clone()?);
    let form = "name=ada&password=wrong";
    for number in 0..tries {
        let network = Ipv4Addr::from_bits(number << 8);
        write!(
            stream,
            "POST /sign-in HTTP/1.1\r\nhost: {address}\r\norigin: http://{address}\r\nx-forwarded-for: {network}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            form.len()
        )?;
        read_answer(&mut answers)?;
    }
    drop((answers, stream));
    server.end()?;
    let found = bench.runtime.block_on(async {
        let store = Store::connect(&url, Clock::Database).await?;
        let read = store.read().await?;
        let found = read.attempts((None, None), Timestamp::MIN, Timestamp::MAX, 1_000_000).await?;
        drop(read);
        store.close().await?;
        anyhow::Ok(found)
    })?;
    let counted: u64 = found.iter().map(|attempt| attempt.count).sum();
    ensure!(counted == u64::from(tries), "{counted} of {tries} are counted");
    let what = format!("rows that {tries} wrong sign-ins leave");
    bench.row(FigureRow::new(what, "rows", &[found.len() as f64], Bar::AtMost(999.0)));
    Ok(())
}

/// Reads an answer to its end.
fn read_answer(answers: &mut BufReader<TcpStream>) -> anyhow::Result<()> {
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        answers.read_line(&mut line)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    Ok(answers.read_exact(&mut body)?)
}
